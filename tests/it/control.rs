//! Operations pauses, slows, drains and goes on with a running send; orders hold across restarts, and all are on record.

use crate::run::{ends_with, utskick};
use crate::shape;
use crate::world::{World, count};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn resume(world: &World) -> Child {
    let mut command = utskick(["resume"]);
    command.arg(world.path("run"));
    start(command)
}

fn order(world: &World, code: i32, words: &[&str]) -> String {
    let run = world.path("run");
    let mut all = vec!["control", run.to_str().unwrap()];
    all.extend(words);
    String::from_utf8(ends_with(code, all).stderr).unwrap()
}

fn status(world: &World) -> Value {
    let output = utskick(["status", "--json"]).arg(world.path("run")).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn arrived(world: &World, at_least: usize) -> usize {
    until(|| Some(world.ledger().len()).filter(|lines| *lines >= at_least))
}

#[test]
fn orders_to_a_running_send_hold_and_are_on_record() {
    let world = World::new(&["--no-mailbox", "0", "--latency", "20"]);
    let export = world.export("export.xml", 1500, &[]);
    world.configure(|settings| settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 40.0"));
    let mut process = start(world.send_command(&export, "run"));
    arrived(&world, 60);

    let said = order(&world, 0, &["pause"]);
    assert!(said.contains("taken it up"), "{said}");
    until(|| (status(&world)["in_flight"] == 0).then_some(()));
    let paused = arrived(&world, 1);
    let seen = until(|| Some(status(&world)).filter(|now| now["operators"][0]["paused"] == true));
    shape::holds("status.json", &seen);
    assert!(seen["limited_by"].as_str().unwrap().contains("paused by order"), "{seen}");
    assert_eq!((&seen["expected_end"], seen["orders"].as_array().unwrap().len()), (&Value::Null, 1), "{seen}");
    assert_eq!(world.ledger().len(), paused, "something left during the pause");

    // Killed, not asked: what was ordered stands in the next process.
    process.kill().unwrap();
    process.wait().unwrap();
    let stopped = status(&world);
    let mut process = resume(&world);
    // From its first moment it has no end before it goes on, and neither has what nobody is at.
    let seen_first = until(|| Some(status(&world)).filter(|now| now["running"] == true));
    for told in [stopped, seen_first, status(&world)] {
        let ends = told["operators"].as_array().unwrap().iter().map(|of| &of["expected_end"]);
        assert!(ends.chain([&told["expected_end"]]).all(Value::is_null), "{told}");
        assert_eq!(told["operators"][0]["paused"], true, "{told}");
    }
    until(|| Some(status(&world)).filter(|now| !now["operators"][0]["waiting"].is_null()));
    assert_eq!(world.ledger().len(), paused, "a paused run was resumed by a restart");

    let name = seen["operators"][0]["name"].as_str().unwrap().to_owned();
    let id = seen["operators"][0]["id"].as_str().unwrap().to_owned();
    order(&world, 0, &["rate", "--operator", &name, "--per-second", "5"]);
    order(&world, 0, &["pause", "--operator", seen["operators"][1]["name"].as_str().unwrap()]);
    order(&world, 0, &["resume"]);
    arrived(&world, paused + 30);
    // Once its letters are made, the rate is what limits.
    let ordered = |now: &Value| now["operators"][0]["limited_by"].to_string().contains("the rate of 5/s ordered");
    let slow = until(|| Some(status(&world)).filter(ordered));
    assert_eq!((&slow["operators"][0]["limit_per_s"], &slow["operators"][1]["paused"]), (&5.0.into(), &false.into()));

    let said = order(&world, 0, &["drain"]);
    assert!(said.contains("drain"), "{said}");
    assert_eq!(process.wait().unwrap().code(), Some(2));
    let drained = world.ledger().len();
    let counts = status(&world);
    assert_eq!(count(&counts, "in_doubt"), 0, "{counts}");
    assert_eq!(count(&counts, "delivered"), drained as u64, "{counts}");

    // The drain was for that process; the rate still stands.
    order(&world, 0, &["rate", "--operator", &id, "--per-second", "agreed"]);
    let report = world.resume("run", 0);
    shape::holds("report.json", &report);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
    assert!(world.accepted().values().all(|times| *times == 1));
    let audit: Vec<&Value> =
        report["audit"].as_array().unwrap().iter().filter(|event| event["kind"] == "control").collect();
    let wanted =
        ["pause for the run", "rate 5/s for", "pause for", "resume for the run", "drain", "rate as agreed for"];
    assert_eq!(audit.len(), wanted.len(), "{audit:?}");
    for (event, wanted) in audit.iter().zip(wanted) {
        let text = event["text"].as_str().unwrap();
        assert!(text.starts_with(wanted) && text.contains("ordered by") && text.contains("uid"), "{text}");
    }
    order(&world, 64, &["pause"]);
}

/// As long as a process is at the run, a drain is for it, also while it reads the exports or opens what it has.
#[test]
fn a_drain_ends_a_process_that_has_not_come_to_sending() {
    let world = World::new(&["--no-mailbox", "0", "--latency", "200"]);
    let export = world.export("export.xml", 3000, &[]);
    for round in 0..3 {
        let process = if round == 0 { start(world.send_command(&export, "run")) } else { resume(&world) };
        until(|| (status(&world)["running"] == true).then_some(()));
        let said = order(&world, 0, &["drain"]);
        assert!(said.contains("drain"), "{said}");
        assert_eq!(process.wait_with_output().unwrap().status.code(), Some(2), "round {round}");
    }
    let report = world.resume("run", 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
}

#[test]
fn orders_that_make_no_sense_are_refused_and_change_nothing() {
    let world = World::new(&["--no-mailbox", "0"]);
    let export = world.export("export.xml", 40, &[]);
    world.configure(|settings| settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 20.0"));
    let nowhere = world.path("nowhere");
    ends_with(64, ["control", nowhere.to_str().unwrap(), "pause"]);
    // A run that is released and has no process.
    let mut process = start(world.send_command(&export, "run"));
    until(|| (status(&world)["phase"] == "released").then_some(()));
    process.kill().unwrap();
    process.wait().unwrap();
    let name = status(&world)["operators"][0]["name"].as_str().unwrap().to_owned();
    // FaR and the operators have one rate in these settings; FaR's comes first.
    world.configure(|settings| settings.replacen("rate_per_s = 20.0", "rate_per_s = 15.0", 1));
    for (words, says) in [
        (vec!["drain"], "nothing to drain"),
        (vec!["pause", "--operator", "nobody"], "no operator"),
        (vec!["rate", "--operator", &name, "--per-second", "21"], "above the agreed rate"),
        (vec!["rate", "--operator", "far", "--per-second", "15.5"], "above the agreed rate of 15/s"),
        (vec!["rate", "--operator", "FaR", "--per-second", "20"], "above the agreed rate of 15/s"),
        (vec!["rate", "--operator", &name, "--per-second", "0"], "a rate is"),
        (vec!["rate", "--per-second", "3"], "--operator"),
    ] {
        let said = order(&world, 64, &words);
        assert!(said.contains(says), "{words:?}: {said}");
    }
    assert!(!world.path("run/control.ndjson").exists());
    for rate in ["15", "agreed"] {
        let said = order(&world, 0, &["rate", "--operator", "far", "--per-second", rate]);
        assert!(said.contains("FaR"), "{said}");
    }
    // Without a process an order holds from the next start on.
    let said = order(&world, 0, &["pause"]);
    assert!(said.contains("no process is at the run"), "{said}");
    let before = world.ledger().len();
    let process = resume(&world);
    until(|| Some(status(&world)).filter(|now| now["running"] == true && now["operators"][0]["paused"] == true));
    assert_eq!(world.ledger().len(), before);
    order(&world, 0, &["drain"]);
    assert_eq!(process.wait_with_output().unwrap().status.code(), Some(2));
}

/// The file of orders cannot grow any more, and then it can.
#[test]
fn an_order_that_was_not_written_whole_does_no_harm() {
    let world = World::new(&["--no-mailbox", "0", "--latency", "50"]);
    let export = world.export("export.xml", 200, &[]);
    world.configure(|settings| settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 20.0"));
    let mut process = start(world.send_command(&export, "run"));
    arrived(&world, 5);
    order(&world, 0, &["pause"]);
    process.kill().unwrap();
    process.wait().unwrap();
    let run = world.path("run");
    let file = run.join("control.ndjson");
    // Room for what SQLite keeps beside a journal, in blocks of 512 or 1024 bytes: the shell's own unit is tried.
    let limited = |words: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -f 80; exec \"$@\"", "sh"]).args(words);
        shell
    };
    let full = world.path("full");
    let fill = ["dd", "if=/dev/zero", "bs=100000", "count=1", &format!("of={}", full.display())];
    limited(&fill).stderr(Stdio::null()).status().unwrap();
    let limit = std::fs::metadata(&full).unwrap().len() as usize;
    // Orders until the next one does not fit any more.
    let line = std::fs::read_to_string(&file).unwrap();
    let before = line.repeat(limit / line.len());
    std::fs::write(&file, &before).unwrap();
    let output =
        limited(&[env!("CARGO_BIN_EXE_utskick"), "control", run.to_str().unwrap(), "resume"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("cannot write the order"), "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text == before, "what was written of it is taken back: {} of {} bytes", text.len(), before.len());
    assert_eq!(status(&world)["orders"].as_array().unwrap().len(), 1);
    // As an earlier version left it.
    std::fs::write(&file, format!("{text}{{\"at\":\"2027-0")).unwrap();
    order(&world, 0, &["resume"]);
    assert_eq!(status(&world)["orders"], serde_json::json!([]));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("no order\n{text}")).unwrap();
    let said = utskick(["status"]).arg(&run).output().unwrap();
    assert!(said.status.success() && String::from_utf8_lossy(&said.stderr).contains("is no order, and is passed over"));
    order(&world, 0, &["pause", "--operator", "far"]);
    assert_eq!(status(&world)["orders"].as_array().unwrap().len(), 1);
}
