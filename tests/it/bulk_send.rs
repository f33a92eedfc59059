//! Operations sends the year's statements, and every one of them is accounted for, on both sides.

use crate::world::{World, count};

#[test]
fn every_statement_ends_and_the_gateways_agree() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 600, &["--faulty", "0.01", "--removals", "0.01"]);
    let report = world.send(&export, "run", 1);
    assert_eq!(report["statements"], 600);
    let delivered = count(&report, "delivered") + count(&report, "delivered_and_paper");
    assert!(delivered > 300, "{report}");
    assert!(count(&report, "paper") > 50, "{report}");
    assert!(count(&report, "rejected") > 0 && count(&report, "removal") > 0, "{report}");
    for none in ["in_doubt", "pending", "failed"] {
        assert_eq!(count(&report, none), 0, "{none}: {report}");
    }
    let accepted = world.accepted();
    assert_eq!(accepted.len() as u64, delivered);
    assert!(accepted.values().all(|times| *times == 1));
}

#[test]
fn the_same_export_again_sends_nothing_and_says_so() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 200, &[]);
    let first = world.send(&export, "first", 0);
    let sent = count(&first, "delivered") + count(&first, "paper");
    let before = world.ledger().len();
    let second = world.send(&export, "second", 0);
    assert_eq!(count(&second, "already_sent"), sent, "{second}");
    assert_eq!(count(&second, "delivered") + count(&second, "paper"), 0, "{second}");
    assert_eq!(world.ledger().len(), before);
}

#[test]
fn protected_recipients_are_held() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 400, &[]);
    let list = world.path("export.xml.protected");
    let protected: Vec<String> = std::fs::read_to_string(&list).expect("a list").lines().map(str::to_owned).collect();
    assert!(!protected.is_empty());
    let output = world.send_command(&export, "run").arg("--protected").arg(&list).output().expect("send starts");
    let report = world.report_of(output, 0);
    assert!(count(&report, "held") >= protected.len() as u64, "{report}");
    let reached: Vec<_> =
        world.ledger().iter().map(|line| line["recipient"].as_str().unwrap_or("").to_owned()).collect();
    assert!(protected.iter().all(|id| !reached.contains(id)), "a protected recipient was sent to");
}

#[test]
fn a_run_that_is_finished_does_nothing_when_resumed() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 50, &[]);
    let first = world.send(&export, "run", 0);
    let before = world.ledger().len();
    let again = world.resume("run", 0);
    assert_eq!(first["outcomes"], again["outcomes"]);
    assert_eq!(world.ledger().len(), before);
}
