//! The process dies at any moment, and a resume finishes what it began: nothing lost, nothing sent twice.

use crate::run::utskick;
use crate::world::{World, count};
use std::process::{Child, Stdio};
use std::time::Duration;

const KILLS: u64 = 20;

#[test]
fn killed_at_random_moments_and_resumed() {
    let world = World::new(&["--latency", "20"]);
    let export = world.export("export.xml", 3000, &[]);
    let mut random = fastrand::Rng::with_seed(seed());
    let mut process = quiet(world.send_command(&export, "run"));
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_millis(random.u64(20..400)));
        // Killed, not asked: nothing is flushed or closed.
        process.kill().expect("killed");
        process.wait().expect("gone");
        process = if world.path("run").join("journal.sqlite").exists() {
            let mut resume = utskick(["resume"]);
            resume.arg(world.path("run"));
            quiet(resume)
        } else {
            quiet(world.send_command(&export, "run"))
        };
    }
    process.wait().expect("ends");
    let report = resume_until_settled(&world);
    assert_eq!(report["statements"], 3000);
    let accepted = world.accepted();
    assert!(accepted.values().all(|times| *times == 1), "a message was accepted twice");
    let delivered = count(&report, "delivered") + count(&report, "delivered_and_paper");
    let in_doubt = count(&report, "in_doubt");
    // What is in doubt may have been accepted or not; nothing else may differ.
    let accepted = accepted.len() as u64;
    assert!((delivered..=delivered + in_doubt).contains(&accepted), "{accepted} accepted: {report}");
    assert_eq!(count(&report, "failed") + count(&report, "pending"), 0, "{report}");
    let bound = KILLS * 3 * 16;
    assert!(in_doubt <= bound, "{in_doubt} in doubt");
}

#[test]
fn a_signal_drains_and_the_run_resumes() {
    let world = World::new(&["--latency", "50"]);
    let export = world.export("export.xml", 2000, &[]);
    let mut process = quiet(world.send_command(&export, "run"));
    std::thread::sleep(Duration::from_millis(1500));
    let id = process.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    let status = process.wait().expect("ends");
    assert!(matches!(status.code(), Some(0 | 2)), "{status}");
    let report = world.resume("run", 0);
    assert_eq!(count(&report, "in_doubt"), 0, "{report}");
    let delivered = count(&report, "delivered") + count(&report, "delivered_and_paper");
    let accepted = world.accepted();
    assert_eq!(accepted.len() as u64, delivered);
    assert!(accepted.values().all(|times| *times == 1));
}

fn resume_until_settled(world: &World) -> serde_json::Value {
    let output = utskick(["resume", "--json"]).arg(world.path("run")).output().expect("resume starts");
    let code = output.status.code().expect("a code");
    assert!(matches!(code, 0 | 1), "{}", String::from_utf8_lossy(&output.stderr));
    world.report_of(output, code)
}

fn quiet(mut command: std::process::Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
}

/// A seed that is printed, and can be given again by an environment variable.
fn seed() -> u64 {
    let seed =
        std::env::var("UTSKICK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("UTSKICK_SEED={seed}");
    seed
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
