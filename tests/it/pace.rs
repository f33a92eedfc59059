//! The agreed rate is kept, by the gateways' own account, whatever happens; and who pushes back is asked for less.

use crate::run::utskick;
use crate::world::{World, count};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Rates are low, so that a test machine that is busy elsewhere for a tenth of a second does not bunch what left in time.
const RATES: [f64; 3] = [5.0, 8.0, 12.0];

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Gives each operator its rate.
fn set_rates(world: &World) {
    world.configure(|settings| {
        let mut parts = settings.split("[[operators]]");
        let mut text = parts.next().unwrap().to_owned();
        for (part, rate) in parts.zip(RATES) {
            text.push_str(&format!(
                "[[operators]]{}",
                part.replacen("rate_per_s = \"unlimited\"", &format!("rate_per_s = {rate:?}"), 1)
            ));
        }
        text
    });
}

/// When requests arrived at each operator, in seconds of the sandbox's life, ascending.
fn arrivals(world: &World) -> BTreeMap<String, Vec<f64>> {
    let mut arrivals: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for line in world.ledger() {
        arrivals.entry(line["operator"].as_str().unwrap().to_owned()).or_default().push(line["t"].as_f64().unwrap());
    }
    arrivals.values_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    arrivals
}

/// Every window of every operator holds at most ⌊R·W⌋ + 2, by when first bytes arrived.
#[track_caller]
fn the_rate_was_kept(world: &World, rates: &BTreeMap<String, f64>) {
    for (operator, times) in arrivals(world) {
        let rate = rates[&operator];
        for window_s in [0.1, 1.0, 60.0] {
            let most = (rate * window_s).floor() as usize + 2;
            for (place, first) in times.iter().enumerate() {
                let held = times[place..].iter().take_while(|time| **time < first + window_s).count();
                assert!(held <= most, "{operator}: {held} in {window_s} s from {first}, at {rate}/s");
            }
        }
    }
}

fn by_operator(report: &Value) -> BTreeMap<String, f64> {
    let operators = report["by_operator"].as_object().unwrap();
    operators.iter().map(|(id, of)| (id.clone(), of["rate_per_s"].as_f64().unwrap())).collect()
}

fn pace_events(report: &Value) -> Vec<&str> {
    let audit = report["audit"].as_array().unwrap().iter();
    audit.filter(|event| event["kind"] == "pace").map(|event| event["text"].as_str().unwrap()).collect()
}

fn scenario(world: &World, rules: &str) -> String {
    let file = world.path("scenario.toml");
    std::fs::write(&file, rules).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn every_window_holds_the_agreed_rate_through_kills_resumes_retries_and_a_second_run() {
    let seed =
        std::env::var("UTSKICK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("UTSKICK_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(&[]);
    let rules = scenario(
        &world,
        "[[rule]]\nat = \"operators\"\nplay = \"503\"\nshare = 0.1\n\
         [[rule]]\nat = \"operators\"\nplay = \"429\"\nshare = 0.02\nretry_after = \"1\"\n",
    );
    world.restart_sandbox(&["--no-mailbox", "0", "--latency", "40", "--jitter", "40", "--scenario", &rules]);
    set_rates(&world);
    let export = world.export("export.xml", 240, &[]);
    let mut process = start(world.send_command(&export, "run"));
    for _ in 0..4 {
        let before = world.ledger().len();
        let more = random.usize(5..40);
        while world.ledger().len() < before + more && process.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        // A second run of the installation would double the rate: refused, while the first goes on.
        if process.try_wait().unwrap().is_none() {
            let second = world.send_command(&export, "second").output().unwrap();
            assert_ne!(second.status.code(), Some(0));
            assert!(String::from_utf8_lossy(&second.stderr).contains("agreed rate"), "{second:?}");
        }
        // Killed, not asked, and at once started again.
        let _ = process.kill();
        process.wait().unwrap();
        let mut resume = utskick(["resume"]);
        resume.arg(world.path("run"));
        process = start(resume);
    }
    process.wait().unwrap();
    let output = utskick(["resume", "--json"]).arg(world.path("run")).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(count(&report, "pending"), 0, "{report}");
    assert!(count(&report, "delivered") > 150 && report["retries"].as_u64().unwrap() > 5, "{report}");
    the_rate_was_kept(&world, &by_operator(&report));
}

#[test]
fn who_pushes_back_is_asked_for_less_and_then_for_everything_again() {
    let mut world = World::new(&[]);
    // Operator A pushes back for a while, then takes everything.
    let rules = scenario(
        &world,
        "[[rule]]\nat = \"a\"\nplay = \"429\"\nfrom = 20\nto = 45\n\
         [[rule]]\nat = \"b\"\nplay = \"429\"\nnth = [15]\nretry_after = \"3\"\n",
    );
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rules]);
    world.configure(|settings| settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 10.0"));
    let export = world.export("export.xml", 900, &[]);
    let report = world.send(&export, "run", 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
    the_rate_was_kept(&world, &by_operator(&report));

    let events = pace_events(&report);
    let name = report["by_operator"]["165599000006"]["name"].as_str().unwrap();
    let first = events.first().expect("a change of pace");
    assert!(first.starts_with(name) && first.contains("10.00/s to ") && first.contains("429 or 503"), "{events:?}");
    let own: Vec<&&str> = events.iter().filter(|event| event.starts_with(name)).collect();
    assert!(own.last().unwrap().contains("to 10.00/s, it takes more again"), "{events:?}");
    let third = report["by_operator"]["165599000204"]["name"].as_str().unwrap();
    assert!(!events.iter().any(|event| event.starts_with(third)), "a healthy gateway was slowed: {events:?}");

    // Retry-After wins over the rate: after it was asked, at most what was under way arrived within the three seconds.
    let lines = world.ledger();
    let at_b = |line: &&Value| line["operator"] == "165599000105";
    let asked = lines.iter().filter(at_b).find(|line| line["verdict"] == "429").unwrap()["t"].as_f64().unwrap();
    let early = lines.iter().filter(at_b).map(|line| line["t"].as_f64().unwrap());
    assert!(early.filter(|t| (asked + 1e-6..asked + 2.9).contains(t)).count() <= 1);
}

/// At a low rate connections wait for their slots longer than gateways keep them: they are replaced in time, and no
/// request meets a connection that was closed.
#[test]
fn who_closes_idle_connections_is_sent_to_at_the_agreed_rate() {
    let mut world = World::new(&[]);
    let rules = scenario(&world, "[[rule]]\nat = \"operators\"\nplay = \"close-idle\"\ndelay = \"700ms\"\n");
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rules]);
    set_rates(&world);
    let export = world.export("export.xml", 160, &[]);
    let report = world.send(&export, "run", 0);
    let ledger = world.ledger();
    assert_eq!(ledger.len() as u64, count(&report, "delivered"));
    assert!(ledger.iter().all(|line| line["accepted"] == true));
    // Where the machine is busy an intent may be late, and its connection too old by the next slot: it is taken back.
    assert!(report["retries"].as_u64() <= Some(ledger.len() as u64 / 10), "{report}");
    the_rate_was_kept(&world, &by_operator(&report));
    for (operator, times) in arrivals(&world) {
        let rate = by_operator(&report)[&operator];
        let took = times.last().unwrap() - times.first().unwrap();
        // A slot now and then is lost on a busy machine.
        assert!(took < 1.3 * times.len() as f64 / rate + 1.0, "{operator}: {} in {took} s at {rate}/s", times.len());
    }
}
