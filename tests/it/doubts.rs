//! A person settles what is in doubt, by the operator's word; and what holds payload goes when nothing needs it any more.

use crate::logs;
use crate::run::{ends_with, json, utskick};
use crate::shape;
use crate::world::{World, count};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// A scenario file with one rule for all operators.
fn scenario(world: &Path, rule: &str) -> String {
    let file = world.join("scenario.toml");
    std::fs::write(&file, format!("[[rule]]\nat = \"operators\"\n{rule}")).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Runs a command on the run with this standard input.
fn on_run(world: &World, command: &str, words: &[&str], input: &str) -> Output {
    let mut process = utskick([command])
        .arg(world.path("run"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

#[track_caller]
fn resolve(world: &World, code: i32, words: &[&str], ids: &[&str]) -> Output {
    let mut all = words.to_vec();
    if !ids.is_empty() {
        all.extend(["--ids", "-"]);
    }
    let output = on_run(world, "resolve", &all, &ids.join("\n"));
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn report(world: &World, code: i32) -> Value {
    let report: Value =
        serde_json::from_slice(&ends_with(code, ["report", world.path("run").to_str().unwrap(), "--json"]).stdout)
            .unwrap();
    shape::holds("report.json", &report);
    let status = json(["status", world.path("run").to_str().unwrap(), "--json"]);
    shape::holds("status.json", &status);
    assert_eq!(status["doubts"], report["in_doubt"], "status lists what the report lists");
    report
}

/// By message id: how often it was accepted, and the digests of its requests.
fn requests(world: &World) -> BTreeMap<String, (u32, Vec<String>)> {
    let mut requests: BTreeMap<String, (u32, Vec<String>)> = BTreeMap::new();
    for line in world.ledger() {
        let of = requests.entry(line["message_id"].as_str().unwrap().to_owned()).or_default();
        of.0 += u32::from(line["accepted"] == true);
        of.1.push(line["sha256"].as_str().unwrap().to_owned());
    }
    requests
}

#[test]
fn what_is_in_doubt_is_settled_by_the_operators_word() {
    let mut world = World::new(&[]);
    let rule = scenario(&world.path("."), "play = \"close\"\nshare = 0.2\naccepted = 0.5\n");
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rule]);
    let export = world.export("export.xml", 200, &[]);
    let sent = world.send(&export, "run", 1);
    let doubts = sent["in_doubt"].as_array().unwrap();
    let id = |doubt: &Value| doubt["message_id"].as_str().unwrap().to_owned();
    let seen = requests(&world);
    let (arrived, lost): (Vec<&Value>, Vec<&Value>) = doubts.iter().partition(|doubt| seen[&id(doubt)].0 > 0);
    assert!(arrived.len() > 2 && lost.len() > 3, "{sent}");

    let listed = String::from_utf8(resolve(&world, 0, &["--list"], &[]).stdout).unwrap();
    assert_eq!(listed.lines().count(), doubts.len());
    assert!(doubts.iter().all(|doubt| listed.contains(&id(doubt))), "{listed}");
    // One id that is not in doubt: it is named, and nothing is settled.
    let first = id(arrived[0]);
    let delivered = seen.keys().find(|id| !doubts.iter().any(|doubt| doubt["message_id"] == **id)).unwrap();
    let refused = resolve(&world, 64, &["--as", "delivered"], &[&first, delivered, "999999"]);
    let refused = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.contains(delivered) && refused.contains("999999") && !refused.contains(&first), "{refused}");
    resolve(&world, 64, &["--as", "delivered", "--operator", "nobody"], &[]);
    assert_eq!(report(&world, 1)["in_doubt"].as_array().unwrap().len(), doubts.len());
    assert!(world.path("run/exports").is_dir(), "a statement in doubt may be sent again");

    // The operator's word: by message id, and by ordinal.
    let ids: Vec<String> = arrived.iter().map(|doubt| id(doubt)).collect();
    resolve(&world, 0, &["--as", "delivered"], &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let ordinals: Vec<String> = lost.iter().map(|doubt| doubt["ordinal"].to_string()).collect();
    let (anew, again) = ordinals.split_at(lost.len() / 2);
    resolve(&world, 0, &["--as", "not-delivered"], &anew.iter().map(String::as_str).collect::<Vec<_>>());
    resolve(&world, 0, &["--as", "resend"], &again.iter().map(String::as_str).collect::<Vec<_>>());
    let before = report(&world, 2);
    assert_eq!(count(&before, "delivered"), count(&sent, "delivered") + arrived.len() as u64, "{before}");
    assert_eq!(before["sent_again"], 0, "ordered, and not yet sent");
    // What is ordered is told as such, with its first cause.
    let listed = String::from_utf8(resolve(&world, 0, &["--list"], &[]).stdout).unwrap();
    assert_eq!(listed.matches("to be sent again by order").count(), again.len(), "{listed}");
    let cause = |report: &Value, ordinal: &String| -> Value {
        let all = report["in_doubt"].as_array().unwrap();
        let ordinal: u64 = ordinal.parse().unwrap();
        all.iter().find(|doubt| doubt["ordinal"] == ordinal).unwrap()["reason"].clone()
    };
    assert!(again.iter().all(|ordinal| cause(&before, ordinal) == cause(&sent, ordinal)), "{before}");
    // Whoever thinks better of it has sent nothing again.
    let (thought_better, again) = again.split_at(1);
    resolve(&world, 0, &["--as", "not-delivered"], &[&thought_better[0]]);
    assert_eq!(report(&world, 2)["sent_again"], 0);

    // While a process is at the run nobody settles anything.
    ends_with(0, ["control", world.path("run").to_str().unwrap(), "pause"]);
    let mut process =
        utskick(["resume"]).arg(world.path("run")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status =
        || -> Value { serde_json::from_slice(&on_run(&world, "status", &["--json"], "").stdout).unwrap_or_default() };
    while status()["running"] != true {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let busy = on_run(&world, "resolve", &["--as", "delivered"], "");
    assert!(String::from_utf8(busy.stderr).unwrap().contains("in use by another process"));
    ends_with(0, ["control", world.path("run").to_str().unwrap(), "drain"]);
    assert_eq!(process.wait().unwrap().code(), Some(2), "what is to be sent again still waits");
    ends_with(0, ["control", world.path("run").to_str().unwrap(), "resume"]);

    world.restart_sandbox(&["--no-mailbox", "0"]);
    let done = world.resume("run", 0);
    assert_eq!(count(&done, "in_doubt") + count(&done, "pending") + count(&done, "failed"), 0, "{done}");
    let requests = requests(&world);
    assert!(requests.values().all(|(accepted, _)| *accepted == 1), "each arrived once");
    assert_eq!(requests.len() as u64, count(&done, "delivered"));
    assert_eq!(done["sent_again"], again.len(), "{done}");
    for doubt in &lost {
        let digests: BTreeSet<&String> = requests[&id(doubt)].1.iter().collect();
        assert!(!again.contains(&doubt["ordinal"].to_string()) || digests.len() == 1, "a resend has other bytes");
        assert_eq!(requests[&id(doubt)].1.len(), 2);
    }
    let audit = done["audit"].as_array().unwrap();
    let settled: Vec<&Value> = audit.iter().filter(|event| event["kind"] == "settled").collect();
    assert_eq!(settled.len(), 4, "{audit:?}");
    let page = world.path("report.html");
    utskick(["report", world.path("run").to_str().unwrap(), "--html", page.to_str().unwrap()]).status().unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    for event in &settled {
        assert!(page.contains(&event["text"].as_str().unwrap().replace('&', "&amp;")), "not on the page: {event}");
    }
    assert!(settled.iter().all(|event| event["text"].as_str().unwrap().contains("uid")));
    let lines = std::fs::read_to_string(world.path("sandbox/state/audit.ndjson")).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("resolve: run")).count(), 4);
    assert!(!world.path("run/exports").exists(), "nothing needs the copies any more");
}

#[test]
fn the_resend_policy_is_bounded_by_its_attempts_and_the_report_counts_the_risk() {
    let mut world = World::new(&[]);
    let rule = scenario(&world.path("."), "play = \"close\"\nshare = 1.0\naccepted = 0.0\n");
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rule]);
    world.configure(|settings| {
        settings.replace("\nservice_address", "\nin_doubt = \"resend\"\nattempts = 3\nservice_address")
    });
    let export = world.export("export.xml", 3, &[]);
    let report = world.send(&export, "run", 1);
    assert!(count(&report, "in_doubt") > 0, "{report}");
    let requests = requests(&world);
    assert_eq!(requests.len() as u64, count(&report, "in_doubt"));
    for (digests, attempts) in requests.values().map(|(_, all)| (all.iter().collect::<BTreeSet<_>>().len(), all.len()))
    {
        assert_eq!((digests, attempts), (1, 3), "three attempts, the same bytes");
    }
    assert_eq!(report["sent_again"], requests.len() * 2);
    let before = world.ledger().len();
    world.resume("run", 1);
    assert_eq!(world.ledger().len(), before, "a resume goes on beyond the attempts");
}

/// Every file below a folder with its bytes.
fn files(folder: PathBuf) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path))
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()))
        }
    }
    found
}

/// What an export says of people: identities, names and whole records.
fn payload(export: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(export).unwrap();
    let mut said: BTreeSet<&str> = BTreeSet::new();
    for field in ["215", "216", "217", "218"] {
        for value in text.split(&format!("faltkod=\"{field}\">")).skip(1) {
            said.extend(value.split('<').next().filter(|value| value.len() > 5));
        }
    }
    said.insert("<ku:Inkomsttagare");
    assert!(said.len() > 20, "the export names too few");
    said.into_iter().map(|value| value.as_bytes().to_vec()).collect()
}

fn holds(bytes: &[u8], what: &[Vec<u8>]) -> bool {
    what.iter().any(|said| bytes.windows(said.len()).any(|window| window == said.as_slice()))
}

fn secrets(world: &World) -> i64 {
    let journal = rusqlite::Connection::open(world.path("run/journal.sqlite")).unwrap();
    journal.query_row("SELECT count(*) FROM secret", [], |row| row.get(0)).unwrap()
}

#[test]
fn payload_goes_by_itself_or_by_decision_and_the_account_stays() {
    let world = World::new(&["--no-mailbox", "0.2"]);
    world.configure(|settings| format!("{settings}\n[run]\nkeep_export = true\n"));
    let export = world.export("export.xml", 120, &["--seed", "3"]);
    let payload = payload(&export);
    world.send(&export, "run", 0);
    let kept = files(world.path("run"));
    assert!(kept.iter().any(|(_, bytes)| holds(bytes, &payload)), "the scan sees what is kept");
    assert!(secrets(&world) > 0, "encrypted letters can be made again");

    // Nobody agrees: nothing is removed.
    let refused = on_run(&world, "purge", &[], "");
    assert_eq!(refused.status.code(), Some(64));
    assert!(world.path("run/exports").exists());
    let before = report(&world, 0);
    assert_eq!(on_run(&world, "purge", &["--yes"], "").status.code(), Some(0));
    for (file, bytes) in files(world.path("run")) {
        assert!(!holds(&bytes, &payload), "{} holds payload", file.display());
    }
    assert_eq!(secrets(&world), 0);
    let after = report(&world, 0);
    assert_eq!(before["outcomes"], after["outcomes"]);
    let purged = after["audit"].as_array().unwrap().iter().filter(|event| event["kind"] == "purged").count();
    assert_eq!(purged, 1, "{after}");
    let person = world.ledger()[0]["recipient"].as_str().unwrap().to_owned();
    assert_eq!(on_run(&world, "find", &["--person-id", "-"], &person).status.code(), Some(0));

    // By itself, at the end of a run that keeps nothing.
    let world = World::new(&["--no-mailbox", "0.2"]);
    let export = world.export("export.xml", 120, &["--seed", "3"]);
    world.send(&export, "run", 0);
    for (file, bytes) in files(world.path("run")) {
        assert!(!holds(&bytes, &payload), "{} holds payload", file.display());
    }
    assert!(secrets(&world) == 0 && !world.path("run/exports").exists());
}

#[test]
fn a_run_that_still_needs_its_payload_is_purged_only_by_decision() {
    let mut world = World::new(&[]);
    let rule = scenario(&world.path("."), "play = \"close\"\nshare = 0.3\naccepted = 0.5\n");
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rule]);
    let export = world.export("export.xml", 60, &[]);
    let sent = world.send(&export, "run", 1);
    assert!(count(&sent, "in_doubt") > 3, "{sent}");
    let refused = on_run(&world, "purge", &["--yes"], "");
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("in doubt"));
    assert!(world.path("run/exports").exists());
    assert_eq!(on_run(&world, "purge", &["--yes", "--even-pending"], "").status.code(), Some(0));
    assert_eq!(report(&world, 1)["in_doubt"], sent["in_doubt"]);
    // What is gone cannot be sent again, and that is said before anything is settled.
    let refused = resolve(&world, 64, &["--as", "resend"], &[]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("purged"));
    resolve(&world, 0, &["--as", "delivered"], &[]);
    assert_eq!(count(&report(&world, 0), "in_doubt"), 0);
}

#[test]
fn what_is_in_doubt_is_sent_anew_after_the_run_was_moved_and_its_copies_were_lost() {
    let mut world = World::new(&[]);
    let rule = scenario(&world.path("."), "play = \"close\"\nshare = 0.3\n");
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rule]);
    let export = world.export("export.xml", 60, &[]);
    let doubts = count(&world.send(&export, "first", 1), "in_doubt");
    assert!(doubts > 3);
    world.restart_sandbox(&["--no-mailbox", "0"]);
    std::fs::rename(world.path("first"), world.path("run")).unwrap();
    let half = world.path("some");
    let listed = String::from_utf8(resolve(&world, 0, &["--list"], &[]).stdout).unwrap();
    std::fs::write(
        &half,
        listed
            .lines()
            .take(2)
            .map(|line| line.split_whitespace().next().unwrap().to_owned() + "\n")
            .collect::<String>(),
    )
    .unwrap();
    resolve(&world, 0, &["--as", "not-delivered", "--ids", half.to_str().unwrap()], &[]);
    std::fs::remove_dir_all(world.path("run/exports")).unwrap();
    resolve(&world, 0, &["--as", "not-delivered"], &[]);
    let report = world.resume("run", 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"), "{report}");
    assert!(world.accepted().values().all(|times| *times == 1));
    // Neither copy nor original: it is said before anything is settled.
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rule]);
    let export = world.export("export.xml", 60, &["--seed", "5"]);
    std::fs::remove_dir_all(world.path("run")).unwrap();
    world.send(&export, "run", 1);
    std::fs::remove_dir_all(world.path("run/exports")).unwrap();
    std::fs::write(&export, "another").unwrap();
    let refused = resolve(&world, 64, &["--as", "not-delivered"], &[]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("lost"));
}

/// Puts whatever still waits for its look-up in doubt, as if it had been sent and its connection lost: a copy of one that
/// was. Returns how many are in doubt then.
fn all_in_doubt(journal: &Path) -> u64 {
    let journal = rusqlite::Connection::open(journal).unwrap();
    journal
        .execute_batch("BEGIN; CREATE TEMP TABLE waits(ordinal INTEGER PRIMARY KEY, paper INT, intent INT)")
        .unwrap();
    {
        let mut blocks = journal.prepare("SELECT block, places FROM place").unwrap();
        let blocks = blocks.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))).unwrap();
        let blocks: Vec<_> = blocks.map(Result::unwrap).collect();
        let mut wait = journal.prepare("INSERT INTO waits VALUES (?1, ?2, NULL)").unwrap();
        let mut left = journal.prepare("UPDATE place SET places = ?2 WHERE block = ?1").unwrap();
        for (block, places) in blocks {
            let mut places = logs::without_sum(block, places);
            for (at, bytes) in (0..).zip(places.chunks_exact_mut(4)) {
                let place = u32::from_le_bytes((&*bytes).try_into().unwrap());
                // For its look-up.
                if place >> 30 == 1 {
                    wait.execute([block * 1000 + at, i64::from(place >> 27 & 3)]).unwrap();
                    bytes.fill(0);
                }
            }
            left.execute((block, logs::with_sum(block, places))).unwrap();
        }
    }
    let waiting: i64 = journal.query_row("SELECT count(*) FROM waits", [], |row| row.get(0)).unwrap();
    copy_an_intent(&journal);
    let ordinals: Vec<u64> = {
        let mut waits = journal.prepare("SELECT ordinal FROM waits").unwrap();
        waits.query_map([], |row| row.get::<_, i64>(0)).unwrap().map(|ordinal| ordinal.unwrap() as u64).collect()
    };
    logs::put_in_doubt(&journal, &ordinals);
    journal
        .execute_batch(&format!(
            "CREATE TEMP TABLE one AS SELECT r.operator, d.reason, d.route FROM doubt d
                 JOIN route r ON r.number = d.route LIMIT 1;
             INSERT INTO doubt SELECT w.ordinal, w.intent, one.route, 1, 0, w.paper, one.reason FROM waits w, one;
             UPDATE tally SET count = count + {waiting} WHERE kind = 11
                 AND (operator, reason) = (SELECT operator, reason FROM one);
             UPDATE tally SET count = count - {waiting} WHERE kind IN (12, 101) AND operator = -1
                 AND (kind = 101 OR reason = 62);
             COMMIT;"
        ))
        .unwrap();
    journal.query_row("SELECT count(*) FROM doubt", [], |row| row.get::<_, i64>(0)).unwrap() as u64
}

/// Gives whatever is in `waits` an intent: that of one in doubt, but for the ordinal.
fn copy_an_intent(journal: &rusqlite::Connection) {
    const BYTES: usize = 72;
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let doubt = "SELECT i.first, i.entries, d.intent FROM doubt d JOIN intent i ON i.first <= d.intent ORDER BY i.first DESC LIMIT 1";
    let ((first, entries), number) =
        journal.query_row(doubt, [], |row| Ok((pair(row)?, row.get::<_, i64>(2)?))).unwrap();
    let one = logs::without_sum(first, entries).chunks_exact(BYTES).nth((number - first) as usize).unwrap().to_vec();
    let last = "SELECT first, entries FROM intent ORDER BY first DESC LIMIT 1";
    let (first, entries) = journal.query_row(last, [], pair).unwrap();
    let mut next = first + (entries.len() / BYTES) as i64;
    let mut waits = journal.prepare("SELECT ordinal FROM waits").unwrap();
    let ordinals: Vec<i64> = waits.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for group in ordinals.chunks(100) {
        let mut row = Vec::new();
        for (number, ordinal) in (next..).zip(group) {
            let mut entry = one.clone();
            entry[..8].copy_from_slice(&ordinal.to_le_bytes());
            row.extend(entry);
            journal.execute("UPDATE waits SET intent = ?2 WHERE ordinal = ?1", [*ordinal, number]).unwrap();
        }
        journal.execute("INSERT INTO intent VALUES (?1, ?2)", (next, logs::with_sum(next, row))).unwrap();
        next += group.len() as i64;
    }
}

#[test]
fn many_are_settled_in_groups_and_a_kill_between_them_loses_nothing() {
    let statements = 25_000;
    let mut world = World::new(&[]);
    let rule = scenario(&world.path("."), "play = \"close\"\naccepted = 0.0\n");
    world.restart_sandbox(&["--no-mailbox", "0", "--scenario", &rule]);
    // Few calls to FaR before it is asked to stop.
    world.configure(|settings| settings.replacen("rate_per_s = \"unlimited\"", "rate_per_s = 1\nbatch = 20", 1));
    let export = world.export("export.xml", statements, &[]);
    let mut sending = world.send_command(&export, "run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while world.ledger().is_empty() {
        assert!(sending.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    ends_with(0, ["control", world.path("run").to_str().unwrap(), "drain"]);
    assert_eq!(sending.wait().unwrap().code(), Some(2));
    // What goes on paper may wait or have ended: the exit code is of no matter here.
    let seen = || -> Value { serde_json::from_slice(&on_run(&world, "report", &["--json"], "").stdout).unwrap() };
    let journal = world.path("run/journal.sqlite");
    let in_doubt = all_in_doubt(&journal);
    assert!(in_doubt > statements / 2);
    assert_eq!(count(&seen(), "in_doubt"), in_doubt);

    let settled = || {
        let journal = rusqlite::Connection::open(&journal).unwrap();
        journal.query_row("SELECT count(*) FROM event WHERE kind = 'settled'", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let mut resolving = utskick(["resolve", "--as", "delivered"])
        .arg(world.path("run"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while settled() == 0 {
        assert!(resolving.try_wait().unwrap().is_none(), "it ended and told nothing");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    resolving.kill().unwrap();
    assert!(!resolving.wait().unwrap().success());
    // The lines tell what was settled, no more and no less: before, between and after.
    let told = |report: &Value| -> u64 {
        let lines = report["audit"].as_array().unwrap().iter().filter(|event| event["kind"] == "settled");
        let number = |event: &Value| -> u64 {
            let text = event["text"].as_str().unwrap();
            assert!(text.contains(" statements as delivered, by ") && text.contains("uid"), "{text}");
            text.split(' ').next().unwrap().parse().unwrap()
        };
        lines.map(number).sum()
    };
    let between = seen();
    let left = count(&between, "in_doubt");
    assert_eq!((left > 0, told(&between)), (true, in_doubt - left), "killed in the middle");
    resolve(&world, 0, &["--as", "delivered"], &[]);
    let after = seen();
    assert_eq!((count(&after, "in_doubt"), told(&after)), (0, in_doubt));
    assert_eq!((count(&after, "delivered"), &after["balanced"]), (in_doubt, &true.into()), "{after}");
}

/// Its sums and its rows tell different stories: nobody is told to go on with it.
#[test]
fn a_run_that_does_not_balance_ends_with_74() {
    let world = World::new(&["--no-mailbox", "0"]);
    let export = world.export("export.xml", 40, &[]);
    world.send(&export, "run", 0);
    let journal = rusqlite::Connection::open(world.path("run/journal.sqlite")).unwrap();
    logs::forget_delivery(&journal, 7);
    drop(journal);
    let resumed = on_run(&world, "resume", &[], "");
    assert_eq!(resumed.status.code(), Some(74));
    assert!(!String::from_utf8_lossy(&resumed.stderr).contains("go on"));
}

#[test]
fn find_says_that_it_does_not_know_before_the_exports_are_read() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 2000, &[]);
    let mut send = world.send_command(&export, "run");
    let died = send.env("UTSKICK_CRASH", "parsed:1500").output().unwrap();
    assert_eq!(died.status.code(), None);
    let found = on_run(&world, "find", &["--json", "--person-id", "195111232079"], "");
    assert_eq!(found.status.code(), Some(2));
    let answer: Value = serde_json::from_slice(&found.stdout).unwrap();
    shape::holds("find.json", &answer);
    assert_eq!((&answer["phase"], &answer["found"]), (&"intake".into(), &false.into()));
    let found = on_run(&world, "find", &["--person-id", "195111232079"], "");
    assert!(String::from_utf8_lossy(&found.stdout).contains("is not known yet"));
}
