//! Whoever reads the log or the report goes away: the send goes on, and ends as it would have.

use crate::run::utskick;
use crate::world::{World, count};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Connections that were lost with a request.
fn lost(world: &World) -> usize {
    world.ledger().iter().filter(|line| line["verdict"] == "close").count()
}

#[test]
fn a_send_whose_readers_have_gone_loses_nothing() {
    let mut world = World::new(&[]);
    // There is something to log until the end: a connection that is lost, under the resend policy.
    let scenario = world.path("scenario.toml");
    std::fs::write(&scenario, "[[rule]]\nat = \"operators\"\nplay = \"close\"\nshare = 0.08\naccepted = 0.0\n")
        .unwrap();
    world.restart_sandbox(&["--latency", "20", "--scenario", scenario.to_str().unwrap()]);
    world.configure(|settings| {
        settings.replace("\nrate_per_s = \"unlimited\"\n", "\nrate_per_s = 20.0\nin_doubt = \"resend\"\n").replacen(
            "rate_per_s = 20.0\nin_doubt = \"resend\"",
            "rate_per_s = 20.0",
            1,
        )
    });
    for (number, log) in [&["--log", "trace"][..], &["--log", "trace", "--log-json"]].iter().enumerate() {
        let run = format!("run{number}");
        let export = world.export("export.xml", 250, &["--seed", &number.to_string()]);
        let before = world.accepted().len();
        let mut sending = world.send_command(&export, &run);
        let mut sending = sending.args(*log).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while world.accepted().len() < before + 10 {
            assert!(sending.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(Duration::from_millis(10));
        }
        drop((sending.stdout.take(), sending.stderr.take()));
        let (closed, lost) = (world.accepted().len(), lost(&world));
        let status = sending.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{status}");

        let report = world.report_of(utskick(["report", "--json"]).arg(world.path(&run)).output().unwrap(), 0);
        let accepted = world.accepted();
        assert!(
            accepted.len() > closed && self::lost(&world) > lost,
            "letters left, and it logged, after the readers had gone"
        );
        assert!(accepted.values().all(|times| *times == 1));
        assert_eq!((accepted.len() - before) as u64, count(&report, "delivered"), "{report}");
        assert_eq!(count(&report, "in_doubt") + count(&report, "pending") + count(&report, "failed"), 0, "{report}");
        assert_eq!(report["statements"], 250);
    }
}

#[test]
fn a_terminal_that_is_closed_stops_no_send() {
    let world = World::new(&["--latency", "100", "--no-mailbox", "0"]);
    let export = world.export("export.xml", 120, &[]);
    let mut send = world.send_command(&export, "run");
    let sending = send.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let hang_up = |process: u32| Command::new("kill").args(["-HUP", &process.to_string()]).status().unwrap();
    while world.accepted().len() < 10 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(hang_up(sending.id()).success() && hang_up(sending.id()).success());
    let report = world.report_of(sending.wait_with_output().unwrap(), 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"), "{report}");
}

#[test]
fn a_limit_of_file_sizes_is_told_as_a_full_disk() {
    let world = World::new(&["--no-mailbox", "0"]);
    let export = world.export("export.xml", 1500, &[]);
    // In blocks of 512 or 1024 bytes: the first is met by the export's private copy, the others by the journal.
    for (number, blocks) in ["40", "200", "4000"].into_iter().enumerate() {
        let run = format!("run{number}");
        let send = world.send_command(&export, &run);
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f $0; exec \"$@\"", blocks]).arg(send.get_program()).args(send.get_args());
        let output = limited.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(74) => assert!(said.contains("utskick: cannot") || said.contains("needs about"), "{said}"),
            code => assert!(code == Some(0) && blocks == "4000", "{blocks}: {}: {said}", output.status),
        }
        if world.path(&run).join("journal.sqlite").exists() {
            // What was under way is in doubt, as on a full disk.
            let ended = utskick(["resume"]).arg(world.path(&run)).output().unwrap();
            assert!(matches!(ended.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&ended.stderr));
        }
    }
    assert!(world.accepted().values().all(|times| *times == 1));
}
