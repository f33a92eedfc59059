//! Clocks jump, files change, a second process comes, a gateway stalls: refused and named, or survived, and never a loss.

use crate::referee;
use crate::run::{ends_with, utskick};
use crate::shape;
use crate::world::{World, count};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A send under way: something has been accepted.
fn under_way(world: &World, export: &Path) -> Child {
    let mut send = world.send_command(export, "run");
    let child = send.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while world.ledger().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn drained(world: &World, export: &Path) {
    let child = under_way(world, export);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs to the end; the exit code and all of the words must be there.
#[track_caller]
fn refused(mut command: Command, code: i32, words: &[&str]) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

fn resume(world: &World) -> Command {
    let mut command = utskick(["resume", "--json"]);
    command.arg(world.path("run"));
    command
}

fn staged(world: &World) -> PathBuf {
    let mut files = std::fs::read_dir(world.path("run/exports")).unwrap();
    files.next().unwrap().unwrap().path()
}

/// Writes into the private copy, as nobody should.
fn alter(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    std::fs::write(file, bytes).unwrap();
}

/// The bytes of an export in another encoding, which it declares. What has no place in it becomes an x.
fn encoded(export: &Path, encoding: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(export).unwrap().replacen("UTF-8", encoding, 1);
    match encoding {
        "UTF-8" => text.into_bytes(),
        "UTF-16" => "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        _ => text.chars().map(|character| u8::try_from(character).unwrap_or(b'x')).collect(),
    }
}

#[test]
fn a_staged_export_that_was_altered_is_not_gone_on_with() {
    let world = World::new(&["--latency", "300"]);
    let export = world.export("export.xml", 150, &[]);
    drained(&world, &export);
    let copy = staged(&world);
    let before = world.ledger().len();
    let good = std::fs::read(&copy).unwrap();
    let name = copy.file_name().unwrap().to_str().unwrap();
    let last = good.len() - 40;
    let words = [name, "changed", "move", "export.xml", "byte for byte"];
    alter(&copy, |bytes| bytes[last] ^= 1);
    refused(resume(&world), 65, &words);
    alter(&copy, |bytes| bytes.truncate(last));
    refused(resume(&world), 65, &words);
    assert_eq!(world.ledger().len(), before, "something was sent from an altered export");
    // With the bytes that pass 1 read, it goes on to the end, wherever the run has been moved.
    std::fs::write(&copy, &good).unwrap();
    std::fs::rename(world.path("run"), world.path("moved")).unwrap();
    let report = world.resume("moved", 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
    assert!(world.accepted().values().all(|times| *times == 1));
}

#[test]
fn a_staged_export_that_is_gone_is_taken_anew_from_its_original_if_that_is_unchanged() {
    let crash = [None, Some("UTSKICK_CRASH")];
    for ((encoding, whole), crash) in
        [("UTF-8", true), ("UTF-16", false), ("ISO-8859-1", false)].into_iter().zip(crash.into_iter().cycle())
    {
        let world = World::new(&["--latency", "300"]);
        world.configure(|settings| format!("{settings}\n[run]\nkeep_export = true\n"));
        let (export, other) = (world.export("export.xml", 100, &[]), world.export("other.xml", 20, &["--seed", "2"]));
        let original = encoded(&export, encoding);
        std::fs::write(&export, &original).unwrap();
        let mut send = world.send_command(&export, "run");
        let mut child = send.arg(&other).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while world.ledger().is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(2), "{encoding}");
        let before = world.ledger().len();
        let copies: BTreeMap<PathBuf, Vec<u8>> = std::fs::read_dir(world.path("run/exports"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        assert_eq!(copies.len(), 2);
        // All of them, folder and all, or one; what an earlier process was about to write lies beside it.
        let utf8 = String::from_utf8(copies.values().max_by_key(|bytes| bytes.len()).unwrap().clone()).unwrap();
        let (gone, _) = copies.iter().find(|(_, bytes)| **bytes == utf8.as_bytes()).unwrap();
        if whole {
            std::fs::remove_dir_all(world.path("run/exports")).unwrap();
        } else {
            std::fs::remove_file(gone).unwrap();
            std::fs::write(format!("{}.partial", gone.display()), "half").unwrap();
        }
        std::fs::rename(world.path("run"), world.path("moved")).unwrap();
        std::fs::rename(world.path("moved"), world.path("run")).unwrap();
        // An original that is altered, shorter, another file, or gone as well, is named, and nothing comes of it.
        let name = gone.file_name().unwrap().to_str().unwrap();
        let words = [name, "is missing", "export.xml", "backup"];
        let end = original.len() - 60;
        let altered = [&original[..end], &[original[end] ^ 1], &original[end + 1..]].concat();
        for wrong in [altered, original[..end].to_vec(), b"x".repeat(original.len()), Vec::new()] {
            std::fs::write(&export, wrong).unwrap();
            refused(resume(&world), 65, &words);
            let left = std::fs::read_dir(world.path("run/exports")).into_iter().flatten().count();
            assert!(left <= 2 && !gone.exists(), "{encoding}");
        }
        std::fs::remove_file(&export).unwrap();
        refused(resume(&world), 65, &words);
        assert_eq!(world.ledger().len(), before, "something was sent although the export was gone");
        // Written anew with the same bytes: it is the same. A kill once the copy is there does no harm.
        std::fs::write(&export, &original).unwrap();
        if let Some(crash) = crash {
            assert!(!resume(&world).env(crash, "staged:1").output().unwrap().status.success());
        }
        let output = resume(&world).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.contains("taken anew"), crash.is_none(), "{said}");
        let report = world.report_of(output, 0);
        assert_eq!(world.accepted().len() as u64, count(&report, "delivered"), "{encoding}");
        assert!(world.accepted().values().all(|times| *times == 1));
        if crash.is_none() {
            let noted = report["audit"].as_array().unwrap().iter().filter(|event| event["kind"] == "staged_again");
            assert_eq!(noted.count(), if whole { 2 } else { 1 }, "{report}");
        }
        for (path, bytes) in copies {
            assert!(std::fs::read(&path).unwrap() == bytes, "{encoding}");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        }
    }
}

#[test]
fn what_was_purged_is_not_taken_anew() {
    let world = World::new(&["--latency", "300"]);
    let export = world.export("export.xml", 100, &[]);
    drained(&world, &export);
    let mut purge = utskick(["purge", "--yes", "--even-pending"]);
    assert!(purge.arg(world.path("run")).output().unwrap().status.success());
    let before = world.ledger().len();
    refused(resume(&world), 65, &["purged"]);
    refused(world.send_command(&export, "run"), 65, &["purged"]);
    // And every command says so.
    let run = world.path("run");
    let run = run.to_str().unwrap();
    refused(utskick(["control", run, "pause"]), 64, &["purged", "new run"]);
    assert!(!world.path("run/control.ndjson").exists());
    for (command, code) in [("status", 0), ("report", 1)] {
        let said = String::from_utf8(ends_with(code, [command, run]).stdout).unwrap();
        let words = "purged: nothing more of it is sent, and what waits or was not delivered goes with a new run";
        assert!(said.contains(words) && !said.contains("utskick resume"), "{said}");
        let json: Value = serde_json::from_slice(&ends_with(code, [command, run, "--json"]).stdout).unwrap();
        shape::holds(&format!("{command}.json"), &json);
        assert_eq!(json["purged"], true, "{json}");
    }
    assert_eq!(world.ledger().len(), before);
}

#[test]
fn what_a_purged_run_gave_up_goes_with_a_new_run_and_the_rest_does_not() {
    let mut world = World::new(&["--latency", "300", "--no-mailbox", "0"]);
    let export = world.export("export.xml", 100, &[]);
    let mut child = under_way(&world, &export);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(count(&world.send(&export, "early", 1), "delivered"), 0, "the first run still has them");
    let mut purge = utskick(["purge", "--yes", "--even-pending"]);
    assert!(purge.arg(world.path("run")).output().unwrap().status.success());
    let seen = utskick(["report", "--json"]).arg(world.path("run")).output().unwrap();
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    let doubts = count(&seen, "in_doubt");
    assert!(doubts > 0 && count(&seen, "pending") > 0, "{seen}");
    // What may have arrived is held until a person has settled it; then that goes too.
    world.restart_sandbox(&["--no-mailbox", "0"]);
    let next = world.send(&export, "next", 1);
    assert!(count(&next, "held") >= doubts && count(&next, "delivered") > 0, "{next}");
    let mut settle = utskick(["resolve", "--as", "not-delivered"]);
    settle.arg(world.path("run"));
    refused(settle, 0, &["with a new run"]);
    refused(resume(&world), 65, &["purged"]);
    let last = world.send(&export, "last", 0);
    assert_eq!(count(&last, "delivered"), doubts, "{last}");
    let ledger = world.ledger();
    let ids: std::collections::BTreeSet<_> = ledger.iter().map(|line| line["message_id"].to_string()).collect();
    // Settled as not delivered, though it may have been: as many may have come twice, and no other.
    assert!(ledger.len() as u64 <= ids.len() as u64 + doubts);
    assert_eq!(ids.len() as u64 + count(&next, "paper"), count(&last, "already_sent") + doubts, "{last}");
}

#[test]
fn a_run_that_is_lost_keeps_others_from_sending_until_it_is_given_up() {
    let world = World::new(&["--latency", "300"]);
    let export = world.export("export.xml", 60, &[]);
    drained(&world, &export);
    let config = world.config();
    let give_up = |config: &Path| {
        let mut command = utskick(["purge", "--lost", "--yes", "--config"]);
        command.arg(config).arg(world.path("run"));
        command
    };
    refused(give_up(&config), 64, &["it is not lost"]);
    std::fs::remove_dir_all(world.path("run")).unwrap();
    let before = world.ledger().len();
    refused(world.send_command(&export, "next"), 74, &["cannot be read", "purge --lost"]);
    assert_eq!(world.ledger().len(), before);
    refused(give_up(&config), 0, &["is given up"]);
    refused(give_up(&config), 64, &["no unfinished run"]);
    let audit = std::fs::read_to_string(world.path("sandbox/state/audit.ndjson")).unwrap();
    assert_eq!(audit.matches("lost and given up").count(), 1, "{audit}");
    world.send(&export, "after", 0);
}

#[test]
fn a_purged_run_that_was_moved_is_made_known_at_its_new_place_as_the_message_says() {
    let world = World::new(&["--latency", "300"]);
    let export = world.export("export.xml", 60, &[]);
    drained(&world, &export);
    let purge = |run: &str| {
        let mut purge = utskick(["purge", "--yes", "--even-pending"]);
        purge.arg(world.path(run));
        purge
    };
    refused(purge("run"), 0, &[]);
    std::fs::rename(world.path("run"), world.path("moved")).unwrap();
    refused(world.send_command(&export, "next"), 74, &["if it was moved", "purge --even-pending"]);
    refused(purge("moved"), 0, &[]);
    let report = world.send(&export, "after", 0);
    assert!(count(&report, "delivered") > 0 && count(&report, "already_sent") > 0, "{report}");
}

/// Copies a run's folder, as a backup does.
fn copy(world: &World, from: &str, to: &str) {
    assert!(Command::new("cp").arg("-a").args([world.path(from), world.path(to)]).status().unwrap().success());
}

fn put_back(world: &World, copy: &str, run: &str) {
    let _ = std::fs::remove_dir_all(world.path(run));
    std::fs::rename(world.path(copy), world.path(run)).unwrap();
}

/// Lines of the ledger once the sandbox has dealt with all that a killed process had under way.
fn at_rest(world: &World) -> usize {
    let mut lines = world.ledger().len();
    loop {
        std::thread::sleep(Duration::from_secs(1));
        match world.ledger().len() {
            same if same == lines => return lines,
            more => lines = more,
        }
    }
}

#[test]
fn a_folder_that_is_older_than_its_run_sends_nothing() {
    let world = World::new(&["--latency", "300", "--no-mailbox", "0"]);
    let export = world.export("export.xml", 500, &[]);
    drained(&world, &export);
    copy(&world, "run", "first");
    copy(&world, "run", "second");
    // A process goes on with it, and is killed.
    let before = world.ledger().len();
    let mut child = resume(&world).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while world.ledger().len() < before + 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    copy(&world, "run", "last");
    put_back(&world, "first", "run");
    let before = at_rest(&world);
    let words = ["a process has gone on with the run", "bring the folder back as it was last", "purge --even-pending"];
    refused(resume(&world), 64, &words);
    refused(world.send_command(&export, "run"), 64, &words);
    let mut settle = utskick(["resolve", "--as", "resend"]);
    settle.arg(world.path("run"));
    refused(settle, 64, &words);
    assert_eq!(world.ledger().len(), before, "something left from a folder that is older than its run");
    let mut purge = utskick(["purge", "--yes", "--even-pending"]);
    purge.arg(world.path("run"));
    refused(purge, 0, &["an older copy", "does not know all"]);
    // As it was last it goes on, and then it is finished, or waits for a person alone.
    put_back(&world, "last", "run");
    let ended = resume(&world).output().unwrap();
    assert!(matches!(ended.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&ended.stderr));
    put_back(&world, "second", "run");
    let before = world.ledger().len();
    let words = ["has finished since", "send the export in a new run"];
    refused(resume(&world), 64, &words);
    refused(world.send_command(&export, "run"), 64, &words);
    // The register has all of it.
    world.send_command(&export, "next").output().unwrap();
    assert_eq!(world.ledger().len(), before);
    assert!(world.accepted().values().all(|times| *times == 1));
}

#[test]
fn a_register_that_is_lost_is_not_made_anew_in_silence() {
    let world = World::new(&["--no-mailbox", "0"]);
    let export = world.export("export.xml", 40, &[]);
    world.send(&export, "run", 0);
    let (register, kept) = (world.path("sandbox/state/register.sqlite"), world.path("kept"));
    std::fs::copy(&register, &kept).unwrap();
    let before = world.ledger().len();
    let words = ["register.sqlite", "missing or empty", "from its backup", "new state folder", "new key file"];
    let check = || {
        let mut check = utskick(["check", "--config"]);
        check.arg(world.config()).arg(&export);
        check
    };
    assert_eq!(check().output().unwrap().status.code(), Some(0));
    for lose in [|file: &Path| std::fs::remove_file(file).unwrap(), |file: &Path| std::fs::write(file, "").unwrap()] {
        lose(&register);
        let output = check().output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        assert!(String::from_utf8_lossy(&output.stdout).contains("register.sqlite is missing or empty"));
        refused(world.send_command(&export, "next"), 78, &words);
        refused(resume(&world), 78, &words);
    }
    assert_eq!(world.ledger().len(), before);
    std::fs::copy(&kept, &register).unwrap();
    let report = world.send(&export, "next", 0);
    assert_eq!(count(&report, "already_sent"), 40, "{report}");
    // The way that the message names.
    world.configure(|settings| {
        settings.replace("state = \"state\"", "state = \"anew\"").replace("installation.key", "anew.key")
    });
    // To look makes nothing.
    assert_eq!(check().output().unwrap().status.code(), Some(0));
    assert!(!world.path("sandbox/anew").exists() && !world.path("sandbox/anew.key").exists());
    world.send(&export, "anew", 0);
    assert_eq!(world.ledger().len(), 2 * before);
}

#[test]
fn of_two_copies_of_a_run_only_one_goes_on() {
    let world = World::new(&["--latency", "300", "--no-mailbox", "0"]);
    let export = world.export("export.xml", 400, &[]);
    drained(&world, &export);
    copy(&world, "run", "copy");
    let run_of = |name: &str| {
        let mut command = utskick(["resume", "--json"]);
        command.arg(world.path(name));
        command
    };
    let named = world.path("run");
    refused(run_of("copy"), 64, &["it is a copy", named.to_str().unwrap(), "move it away"]);
    // The other one is moved away: this is the run now, wherever it is moved to, and by whatever name it is called.
    std::fs::rename(world.path("run"), world.path("away")).unwrap();
    std::os::unix::fs::symlink("copy", world.path("link")).unwrap();
    let mut child = run_of("link").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let before = world.ledger().len();
    while world.ledger().len() < before + 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let before = world.ledger().len();
    refused(run_of("away"), 64, &["it is a copy", world.path("copy").to_str().unwrap()]);
    std::fs::rename(world.path("copy"), world.path("moved")).unwrap();
    refused(run_of("away"), 64, &["a process has gone on with the run"]);
    assert_eq!(world.ledger().len(), before);
    world.resume("moved", 0);
    refused(run_of("away"), 64, &["has finished since"]);
    assert!(world.accepted().values().all(|times| *times == 1));
}

/// A finished run with doubts lies in an archive too; what is settled in the run is not settled again in the copy, nor does
/// the copy tell the register what the run no longer says.
#[test]
fn a_copy_of_a_finished_run_settles_nothing_once_the_run_was_settled() {
    let mut world = World::new(&[]);
    let scenario = world.path("scenario.toml");
    let rule = "[[rule]]\nat = \"operators\"\nplay = \"close\"\nshare = 0.3\naccepted = 0.0\n";
    std::fs::write(&scenario, rule).unwrap();
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", scenario.to_str().unwrap()]);
    let export = world.export("export.xml", 60, &[]);
    let report = world.send(&export, "run", 1);
    assert!(count(&report, "in_doubt") > 3, "{report}");
    world.restart_sandbox(&["--no-mailbox", "0"]);
    copy(&world, "run", "copy");
    let settle = |name: &str, how: &str| {
        let mut settle = utskick(["resolve", "--as", how]);
        settle.arg(world.path(name));
        settle
    };
    refused(settle("run", "not-delivered"), 0, &[]);
    let words = ["a process has gone on with the run"];
    let of_copy = || {
        let mut command = utskick(["resume"]);
        command.arg(world.path("copy"));
        command
    };
    refused(of_copy(), 64, &words);
    refused(settle("copy", "not-delivered"), 64, &words);
    refused(settle("copy", "delivered"), 64, &words);
    let report = world.resume("run", 0);
    assert_eq!(count(&report, "in_doubt") + count(&report, "pending"), 0, "{report}");
    refused(settle("copy", "not-delivered"), 64, &words);
    refused(of_copy(), 64, &words);
    assert!(world.accepted().values().all(|times| *times == 1));
    // The register has what the run says.
    let report = world.send(&export, "next", 0);
    assert_eq!(count(&report, "already_sent"), 60, "{report}");
}

#[test]
fn a_run_that_was_given_up_and_is_found_again_sends_nothing_and_its_sent_are_known_again() {
    let world = World::new(&["--latency", "300", "--no-mailbox", "0"]);
    let export = world.export("export.xml", 400, &[]);
    drained(&world, &export);
    std::fs::rename(world.path("run"), world.path("away")).unwrap();
    let mut give_up = utskick(["purge", "--lost", "--yes", "--config"]);
    give_up.arg(world.config()).arg(world.path("run"));
    refused(give_up, 0, &["is given up"]);
    std::fs::rename(world.path("away"), world.path("run")).unwrap();
    let before = world.ledger().len();
    let words = ["given up as lost", "purge --even-pending", "new run"];
    refused(resume(&world), 64, &words);
    refused(world.send_command(&export, "run"), 64, &words);
    let mut purge = utskick(["purge", "--yes", "--even-pending"]);
    refused(
        {
            purge.arg(world.path("run"));
            purge
        },
        0,
        &["removed"],
    );
    refused(resume(&world), 65, &["purged"]);
    assert_eq!(world.ledger().len(), before);
    let report = world.send(&export, "next", 0);
    assert_eq!(count(&report, "already_sent"), before as u64, "{report}");
    assert!(world.accepted().values().all(|times| *times == 1));
}

#[test]
fn an_export_of_another_encoding_that_is_read_in_place_is_gone_on_with() {
    let world = World::new(&["--latency", "300"]);
    let export = world.export("export.xml", 100, &[]);
    std::fs::write(&export, encoded(&export, "ISO-8859-1")).unwrap();
    let mut send = world.send_command(&export, "run");
    let mut child = send.arg("--in-place").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while world.ledger().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let report = world.resume("run", 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
}

#[test]
fn an_export_that_changed_between_runs_is_not_taken_for_the_one_that_the_run_began_with() {
    let world = World::new(&["--latency", "300"]);
    let export = world.export("export.xml", 120, &[]);
    let other = world.export("other.xml", 120, &["--seed", "2"]);
    drained(&world, &export);
    let before = world.ledger().len();
    refused(world.send_command(&other, "run"), 64, &["a run of other exports", "new run folder"]);
    let good = std::fs::read(&export).unwrap();
    let changed = String::from_utf8(good.clone()).unwrap().replacen("faltkod=\"011\">", "faltkod=\"011\">1", 1);
    std::fs::write(&export, changed).unwrap();
    refused(world.send_command(&export, "run"), 65, &["export.xml has changed", "new run folder", "resume"]);
    assert_eq!(world.ledger().len(), before);
    // Touched, and the same bytes: it is the same export.
    std::fs::write(&export, &good).unwrap();
    world.send(&export, "run", 0);
    // A finished run says nothing of another content either.
    std::fs::copy(&other, &export).unwrap();
    refused(world.send_command(&export, "run"), 65, &["export.xml has changed"]);
    // Without its original the run still has its end.
    std::fs::remove_file(&export).unwrap();
    let report = world.resume("run", 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
}

#[test]
fn an_export_is_the_same_from_whatever_folder_it_is_named() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 20, &[]);
    world.export("other.xml", 20, &["--seed", "2"]);
    std::fs::create_dir(world.path("in")).unwrap();
    std::os::unix::fs::symlink(".", world.path("by_link")).unwrap();
    // The run began in the folder of the export, which it was given without one.
    let named = |folder: &str, name: &str| {
        let mut command = world.send_command(Path::new(name), "run");
        command.current_dir(world.path(folder));
        command
    };
    world.report_of(named(".", "export.xml").output().unwrap(), 0);
    let absolute = export.to_str().unwrap();
    let same =
        [(".", "export.xml"), ("in", "../export.xml"), ("in", absolute), ("/", absolute), (".", "in/../export.xml")];
    let by_link = ("in", "../by_link/export.xml");
    let there_and_gone = |(folder, name)| world.report_of(named(folder, name).output().unwrap(), 0);
    same.into_iter().chain([by_link]).for_each(|from| _ = there_and_gone(from));
    let others = [(".", "other.xml"), ("in", "../other.xml"), ("in", "export.xml")];
    for (folder, name) in others {
        refused(named(folder, name), 64, &["a run of other exports", "new run folder"]);
    }
    // One that is gone is not missed, and still no other.
    std::fs::remove_file(&export).unwrap();
    same.into_iter().chain([by_link]).for_each(|from| _ = there_and_gone(from));
    for (folder, name) in others {
        refused(named(folder, name), 64, &["a run of other exports"]);
    }
}

#[test]
fn a_run_goes_on_by_the_settings_that_it_began_with_and_by_no_others() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 30, &[]);
    world.send(&export, "run", 0);
    let config = world.config();
    let [other, linked, again] =
        ["sandbox/other.toml", "sandbox/linked.toml", "again.toml"].map(|name| world.path(name));
    std::fs::copy(&config, &other).unwrap();
    std::fs::hard_link(&config, &linked).unwrap();
    std::os::unix::fs::symlink(&config, &again).unwrap();
    let by = |config: &Path| {
        let mut send = utskick(["send"]);
        send.arg(&export).arg("--config").arg(config).arg("--run").arg(world.path("run"));
        send
    };
    for same in [&config, &linked, &again] {
        assert_eq!(by(same).output().unwrap().status.code(), Some(0), "{}", same.display());
    }
    let both = [config.to_str().unwrap(), other.to_str().unwrap()];
    refused(by(&other), 64, &both);
    std::fs::remove_file(&config).unwrap();
    refused(by(&other), 64, &both);
}

#[test]
fn an_export_that_is_read_in_place_is_found_from_whatever_folder() {
    let world = World::new(&["--latency", "300"]);
    world.export("export.xml", 100, &[]);
    let mut send = world.send_command(Path::new("export.xml"), "run");
    let mut child = send.arg("--in-place").current_dir(world.path(".")).stdout(Stdio::null()).spawn().unwrap();
    while world.ledger().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let report = world.report_of(resume(&world).current_dir("/").output().unwrap(), 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
}

#[test]
fn a_second_process_on_the_same_run_is_refused_and_the_first_is_not_disturbed() {
    let world = World::new(&["--latency", "400"]);
    let export = world.export("export.xml", 150, &[]);
    let first = under_way(&world, &export);
    let run = world.path("run");
    let name = run.to_str().unwrap();
    refused(resume(&world), 64, &[name, "in use by another process"]);
    refused(world.send_command(&export, "run"), 64, &[name, "in use by another process"]);
    // Another run of the installation would double the agreed rate.
    refused(world.send_command(&export, "second"), 78, &["another run of this installation"]);
    let output = first.wait_with_output().unwrap();
    let report = world.report_of(output, 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
    assert!(world.accepted().values().all(|times| *times == 1));
}

#[test]
fn of_two_processes_that_begin_the_same_run_at_once_one_is_told_so() {
    let world = World::new(&["--latency", "300", "--no-mailbox", "0"]);
    for round in 0..3 {
        let export = world.export("export.xml", 40, &["--seed", &round.to_string()]);
        let run = format!("run{round}");
        let both = [0; 2].map(|_| {
            let mut send = world.send_command(&export, &run);
            send.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        });
        let mut ended = both.map(|process| process.wait_with_output().unwrap());
        ended.sort_by_key(|output| output.status.code());
        let said = String::from_utf8_lossy(&ended[1].stderr);
        assert_eq!(ended.each_ref().map(|output| output.status.code()), [Some(0), Some(64)], "{said}");
        assert!(said.contains(&run) && said.contains("in use by another process"), "{said}");
    }
    assert!(world.accepted().values().all(|times| *times == 1));
}

#[test]
fn a_run_folder_of_another_version_is_named_and_left_as_it_is() {
    let world = World::new(&["--latency", "300"]);
    let export = world.export("export.xml", 100, &[]);
    drained(&world, &export);
    let journal = world.path("run/journal.sqlite");
    let version = |version: i64| {
        let conn = rusqlite::Connection::open(&journal).unwrap();
        let before: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        conn.pragma_update(None, "user_version", version).unwrap();
        before
    };
    let ours = version(99);
    let name = journal.to_str().unwrap();
    let words = [name, "has format 99", "use the version of utskick that made it"];
    refused(resume(&world), 74, &words);
    refused(world.send_command(&export, "run"), 74, &words);
    for command in ["status", "report"] {
        let mut read = utskick([command]);
        read.arg(world.path("run"));
        refused(read, 74, &words);
    }
    assert_eq!(version(ours), 99, "it was left as it is");
    world.resume("run", 0);
}

#[test]
fn a_run_folder_that_may_not_be_looked_into_is_not_called_empty() {
    let world = World::new(&[]);
    let (run, export) = (world.path("run"), world.export("export.xml", 3, &[]));
    // Root may look into everything that has an end.
    std::os::unix::fs::symlink("run", &run).unwrap();
    let words = ["cannot look into", run.to_str().unwrap(), "permissions"];
    for command in
        [&["status"][..], &["report"], &["resume"], &["resolve", "--list"], &["purge", "--yes"], &["control"]]
    {
        let mut command_line = utskick(command.iter().copied());
        command_line.arg(&run);
        if command == ["control"] {
            command_line.arg("pause");
        }
        refused(command_line, 74, &words);
    }
    refused(world.send_command(&export, "run"), 74, &words);
    refused(
        {
            let mut status = utskick(["status"]);
            status.arg(export);
            status
        },
        64,
        &["holds no run"],
    );
}

/// Variables under which a process sees the wall clock that a file names; `None` where libfaketime is missing.
fn clock(file: &Path) -> Option<Vec<(String, String)>> {
    let output = referee::command("faketime")?.args(["-f", "+0", "env"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let preload = text.lines().find_map(|line| line.strip_prefix("LD_PRELOAD=")).expect("it is preloaded").to_owned();
    let file = file.to_str().unwrap().to_owned();
    let all = [("LD_PRELOAD", preload), ("FAKETIME_TIMESTAMP_FILE", file), ("FAKETIME_NO_CACHE", "1".into())];
    let monotonic = ["DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC"].map(|name| (name, "1".to_owned()));
    Some(all.into_iter().chain(monotonic).map(|(name, value)| (name.to_owned(), value)).collect())
}

#[test]
fn jumps_of_the_wall_clock_do_no_harm() {
    let world = World::new(&["--share-503", "0.05", "--no-mailbox", "0"]);
    world.configure(|settings| {
        settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 20").replacen(
            "rate_per_s = 20",
            "rate_per_s = \"unlimited\"",
            1,
        )
    });
    let export = world.export("export.xml", 300, &[]);
    let file = world.path("clock");
    std::fs::write(&file, "+0").unwrap();
    let Some(clock) = clock(&file) else { return };
    let mut send = world.send_command(&export, "run");
    let mut child = send.envs(clock.clone()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Forward by less than a look-up's age and by more, back behind the start, and to and fro: as messages are accepted.
    for (step, jump) in ["+20h", "-20h", "+40d", "+0", "-10m", "+3d", "-1h"].into_iter().enumerate() {
        while world.ledger().len() < (step + 1) * 12 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::write(&file, jump).unwrap();
    }
    // Stopped in the future, gone on with in the past.
    std::fs::write(&file, "+23h").unwrap();
    let reached = world.ledger().len() + 12;
    while world.ledger().len() < reached && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(child.try_wait().unwrap().is_none(), "it ended before the last jump");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(&file, "-12h").unwrap();
    let mut command = resume(&world);
    // Nothing of this run waits for a Retry-After of the future.
    let report = world.report_of(command.envs(clock).output().unwrap(), 0);
    for none in ["in_doubt", "failed", "pending"] {
        assert_eq!(count(&report, none), 0, "{report}");
    }
    let accepted = world.accepted();
    assert_eq!(accepted.len() as u64, count(&report, "delivered"), "{report}");
    assert!(accepted.values().all(|times| *times == 1));
    assert!(report["duration_s"].as_f64() >= Some(0.0), "{report}");
}

/// Anonymous memory of a process, in bytes.
fn anonymous(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

/// The most memory of a send whose operators take messages and never answer, once everybody has been looked up.
fn stalled(statements: u64) -> u64 {
    let mut world = World::new(&[]);
    let scenario = world.path("scenario.toml");
    std::fs::write(&scenario, "[[rule]]\nat = \"operators\"\nplay = \"silent\"\n").unwrap();
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", scenario.to_str().unwrap()]);
    world.configure(|settings| {
        settings.replace("\nservice_address", "\nconcurrency = 4\ntimeout = \"24h\"\nservice_address")
    });
    let export = world.export("export.xml", statements, &[]);
    let mut child = world.send_command(&export, "run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    loop {
        most = most.max(anonymous(child.id()));
        let output = utskick(["status", "--json"]).arg(world.path("run")).output().unwrap();
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if status["in_flight"] == 12 && status["waits_for_look_up"] == 0 {
            break;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended although nobody answers");
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..40 {
        most = most.max(anonymous(child.id()));
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.ledger().len(), 12, "no more than the bound of each operator is under way");
    most
}

#[test]
fn memory_stays_where_it_is_while_operators_stall() {
    let (few, many) = (stalled(600), stalled(4800));
    eprintln!("{few} bytes with 600 statements, {many} with 4800");
    // Letters of all the others alone would be 250 MB: 4200 of 60 kB.
    assert!(many < few + (32 << 20), "{few} bytes with 600 statements, {many} with 4800");
    // Letters ahead of three operators, two threads' work, the journal's caches.
    assert!(many < 192 << 20, "{many}");
}

#[test]
fn what_a_command_writes_replaces_nothing_that_it_reads_that_the_settings_name_or_that_a_run_is_made_of() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 20, &[]);
    let protected = world.path("protected.txt");
    std::fs::write(&protected, "# nobody\n").unwrap();
    world.configure(|text| format!("protected = \"{}\"\n{text}", protected.display()));
    world.send(&export, "run", 0);
    let text = std::fs::read_to_string(world.config()).unwrap();
    let named = text.split('"').map(|name| world.path("sandbox").join(name)).filter(|path| path.is_file());
    let mut of_settings: Vec<PathBuf> = named.chain([world.config()]).collect();
    assert!(of_settings.len() > 5, "{of_settings:?}");
    let key = of_settings.iter().find(|path| path.ends_with("installation.key")).expect("the key is named").clone();
    let register = key.with_file_name("state").join("register.sqlite");
    let (hard, soft) = (world.path("hard"), world.path("soft"));
    std::fs::hard_link(&key, &hard).unwrap();
    std::os::unix::fs::symlink(&key, &soft).unwrap();
    of_settings.extend([register, hard, soft, protected]);
    let run = world.path("run");
    let of_run = ["journal.sqlite", "journal.mark", "findings.ndjson", "rejects.tsv"].map(|name| run.join(name));
    let config = world.config();
    let link = world.path("journal");
    std::os::unix::fs::symlink(run.join("journal.sqlite"), &link).unwrap();
    for file in of_settings.iter().chain(&of_run).chain([&link, &export]) {
        let before = std::fs::read(file).unwrap();
        let [file, export, config, run] = [file, &export, &config, &run].map(|path| path.to_str().unwrap());
        for arguments in [
            &["check", export, "--config", config, "--findings", file][..],
            &["check", export, "--config", config, "--rejects", file],
            &["plan", export, "--config", config, "--svg", file],
            &["report", run, "--html", file],
        ] {
            let output = utskick(arguments.iter().copied()).output().unwrap();
            assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(std::fs::read(file).unwrap() == before, "{arguments:?}");
        }
    }
    for file in &of_run {
        let mut bench = utskick(["bench", "--out"]);
        bench.arg(file);
        refused(bench, 64, &["a run is made of"]);
    }
    // What is none of these is written, and a page takes the place of a page.
    let out = |name: &str| run.join(name).to_str().unwrap().to_owned();
    let [export, config, of] = [&export, &config, &run].map(|path| path.to_str().unwrap());
    for _ in 0..2 {
        ends_with(0, ["check", export, "--config", config, "--findings", &out("check.ndjson")]);
        ends_with(0, ["report", of, "--html", &out("report.html")]);
    }
}
