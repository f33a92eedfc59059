//! Operations gives delivery windows, and outside them nothing leaves: what is under way is finished, the rest waits.

use crate::run::utskick;
use crate::shape;
use crate::world::{World, count};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Hours of every day from so many hours after now to so many, in Stockholm.
fn hours(from: i64, to: i64) -> String {
    let hour =
        |ahead: i64| stockholm(Timestamp::now() + SignedDuration::from_hours(ahead)).strftime("%H:%M").to_string();
    format!("[\"mon-sun {}-{}\"]", hour(from), hour(to))
}

fn stockholm(at: Timestamp) -> DateTime {
    utskick::domain::stockholm().to_datetime(at)
}

/// Gives operators (`service_address` stands in each) or FaR (`batch`) these windows.
fn set(world: &World, whose: &str, windows: &str) {
    world.configure(|settings| {
        let without: String =
            settings.lines().filter(|line| !line.starts_with("windows")).map(|line| format!("{line}\n")).collect();
        match whose {
            "far" => without.replacen("[far]\n", &format!("[far]\nwindows = {windows}\n"), 1),
            _ => without.replace("\nservice_address", &format!("\nwindows = {windows}\nservice_address")),
        }
    });
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn resume(world: &World) -> Child {
    let mut command = utskick(["resume"]);
    command.arg(world.path("run"));
    start(command)
}

/// Asks for the status until it is as wanted, by the pulse of the process that was started as the n-th.
fn status_until(world: &World, starts: usize, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let output = utskick(["status", "--json"]).arg(world.path("run")).output().unwrap();
        if let Ok(status) = serde_json::from_slice::<Value>(&output.stdout) {
            shape::holds("status.json", &status);
            let started = status["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "start").count();
            let beats = status["operators"][0]["windows"].is_string();
            if started == starts && beats && wanted(&status) {
                return status;
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn drain(mut process: Child) {
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(2));
}

fn says(status: &Value, text: &str) -> bool {
    status["limited_by"].as_str().is_some_and(|limit| limit.contains(text))
}

#[test]
fn nothing_leaves_while_windows_are_closed_and_everything_once_they_open() {
    let world = World::new(&["--no-mailbox", "0"]);
    let export = world.export("export.xml", 200, &[]);
    world.configure(|settings| settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 100.0"));
    // FaR first: while it may not be asked nobody knows where anything goes.
    set(&world, "far", &hours(2, 4));
    let process = start(world.send_command(&export, "run"));
    let status = status_until(&world, 1, |status| says(status, "FaR's delivery window, closed until"));
    assert!(status["expected_end"].is_string(), "{status}");
    assert_eq!(count(&status, "pending"), 200, "{status}");
    drain(process);
    assert!(!std::fs::read_to_string(world.path("sandbox/far.ndjson")).unwrap_or_default().contains("answered"));
    // FaR is open, operators are not: everything is looked up, and waits.
    set(&world, "operators", &hours(2, 4));
    let process = resume(&world);
    let status = status_until(&world, 2, |status| says(status, "delivery window, closed until"));
    let status =
        status_until(&world, 2, |now| now["waits_for_look_up"] == 0 && now["operators"] != status["operators"]);
    drain(process);
    assert!(world.ledger().is_empty(), "{status}");
    let opens: Timestamp = status["operators"][0]["closed_until"].as_str().unwrap().parse().unwrap();
    let end: Timestamp = status["expected_end"].as_str().unwrap().parse().unwrap();
    assert!(opens > Timestamp::now() && end >= opens, "{status}");
    // Open.
    set(&world, "operators", &hours(-2, 2));
    let report = world.resume("run", 0);
    assert_eq!(count(&report, "pending") + count(&report, "in_doubt"), 0, "{report}");
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
}

#[test]
fn when_a_window_closes_what_is_under_way_is_finished_and_nothing_more_leaves() {
    let world = World::new(&["--no-mailbox", "0", "--latency", "30"]);
    let export = world.export("export.xml", 4000, &[]);
    // It closes at the next full minute that leaves a few seconds to send in.
    let closes = stockholm(Timestamp::now() + SignedDuration::from_secs(70)).strftime("%H:%M").to_string();
    let opened = stockholm(Timestamp::now() - SignedDuration::from_hours(2)).strftime("%H:%M").to_string();
    world.configure(|settings| settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 10.0"));
    set(&world, "operators", &format!("[\"mon-sun {opened}-{closes}\"]"));
    let process = start(world.send_command(&export, "run"));
    let closed = |status: &Value| {
        let all = status["operators"].as_array().unwrap();
        all.iter().all(|of| of["closed_until"].is_string()) && status["in_flight"] == 0
    };
    let status = status_until(&world, 1, |status| closed(status) && says(status, "delivery window, closed until"));
    let arrived = world.ledger().len();
    assert!(arrived > 0 && count(&status, "pending") > 0, "{status}");
    // Two pulses later it is the same.
    let events = status["operators"][0]["waiting"].clone();
    status_until(&world, 1, |status| status["operators"][0]["waiting"] != events);
    assert_eq!(world.ledger().len(), arrived);
    drain(process);
    assert_eq!(world.ledger().len(), arrived, "something left after the window had closed");
    for line in world.ledger() {
        let at: Timestamp = line["time"].as_str().unwrap().parse().unwrap();
        let shown = stockholm(at).strftime("%H:%M").to_string();
        assert_ne!(shown, closes, "{line}");
    }
    let process = resume(&world);
    status_until(&world, 2, |status| closed(status) && status["running"] == true && says(status, "closed until"));
    drain(process);
    assert_eq!(world.ledger().len(), arrived, "a resume has the same window");
}
