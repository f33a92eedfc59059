//! A run that was asked to stop, or died, is gone on with. Kills at any moment are in `kills.rs`.

use crate::world::{World, count};
use std::process::{Child, Stdio};
use std::time::Duration;

#[test]
fn a_signal_drains_and_the_run_resumes() {
    let world = World::new(&["--latency", "50"]);
    let export = world.export("export.xml", 2000, &[]);
    let mut process = quiet(world.send_command(&export, "run"));
    // In the middle of it: some have arrived, most have not.
    while world.ledger().len() < 100 {
        assert!(process.try_wait().expect("looked at").is_none(), "it ended before it was asked to");
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = process.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let status = process.wait().expect("ends");
    assert_eq!(status.code(), Some(2), "something is pending");
    let report = world.resume("run", 0);
    assert_eq!(count(&report, "in_doubt"), 0, "{report}");
    let delivered = count(&report, "delivered") + count(&report, "delivered_and_paper");
    let accepted = world.accepted();
    assert_eq!(accepted.len() as u64, delivered);
    assert!(accepted.values().all(|times| *times == 1));
}

fn quiet(mut command: std::process::Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
}

#[test]
fn under_the_resend_policy_a_kill_leaves_nothing_in_doubt() {
    let world = World::new(&["--latency", "300"]);
    world.configure(|settings| settings.replace("\nservice_address", "\nin_doubt = \"resend\"\nservice_address"));
    let export = world.export("export.xml", 300, &[]);
    let mut process = quiet(world.send_command(&export, "run"));
    while world.ledger().len() < 20 {
        std::thread::sleep(Duration::from_millis(10));
    }
    process.kill().expect("killed");
    process.wait().expect("gone");
    let report = world.resume("run", 0);
    assert_eq!(count(&report, "in_doubt"), 0, "{report}");
    let mut bytes = std::collections::BTreeMap::new();
    let mut again = 0;
    for line in world.ledger() {
        let id = line["message_id"].as_str().expect("an id").to_owned();
        assert_eq!(*bytes.entry(id).or_insert(line["sha256"].clone()), line["sha256"], "a resend has other bytes");
        again += u32::from(line["again"] == true);
    }
    assert!(again > 0, "what the kill left in doubt was not sent again");
    assert_eq!(bytes.len() as u64, count(&report, "delivered"));
}
