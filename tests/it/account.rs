//! Every statement is accounted for, and customer service gets an answer: `report`, `status` and `find` over runs that
//! were written through the journal.

use crate::{logs, run, shape};
use serde_json::Value;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use utskick::config;
use utskick::domain::{
    ContentDigest, Form, MessageId, Organisation, Outcome, Reason, RecordDigest, Span, StatementKey,
};
use utskick::track::{
    AttemptOver, BundleRow, DigitalEnd, End, Fate, Found, Half, Installation, Intent, Journal, PaperEnd, PaperFate,
    RouteRow, RunExport, RunHeader, RunOperator, StatementRow,
};

/// People of the fixture; nobody's, with correct check digits.
const PEOPLE: [&str; 10] = [
    "195111232079",
    "197010632391",
    "198001019994",
    "198001029993",
    "198001039992",
    "198001049991",
    "198001059990",
    "198001069999",
    "198001079998",
    "198001089997",
];
const KIVRA: &str = "165567849594";
const OTHER: &str = "162021003898";
const ELSE_PAPER: Fate = Fate::Send { digital: Half::Waiting, paper: Half::Fallback };

struct Place {
    folder: tempfile::TempDir,
    installation: Installation,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = "
            [installation]
            state = \"state\"
            key_file = \"installation.key\"
            [keys]
            sender = { certificate = \"s.pem\", private_key = \"s.key\" }
            mediator = { certificate = \"m.pem\", private_key = \"m.key\" }
            tls = { certificate = \"t.pem\", private_key = \"t.key\" }
            trusted_roots = \"roots.pem\"
            [far]
            address = \"https://far.example/\"
            rate_per_s = \"unlimited\"
            [senders.default]
            name = \"Myndigheten\"
            support_text = \"Ring oss\"
        ";
        std::fs::write(folder.path().join("utskick.toml"), settings).unwrap();
        let installation = Installation::open(&config::Installation {
            state: folder.path().join("state"),
            key_file: folder.path().join("installation.key"),
        });
        Self { installation: installation.unwrap(), folder }
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn header(&self) -> RunHeader {
        let operator = |id: &str, name: &str, rate| RunOperator { id: id.into(), name: name.into(), rate_per_s: rate };
        RunHeader {
            run_id: "2027-01-12".into(),
            created: jiff::Timestamp::now(),
            config_file: self.folder.path().join("utskick.toml"),
            protected_file: None,
            exports: Vec::new(),
            operators: vec![operator(KIVRA, "Kivra", Some(20.0)), operator(OTHER, "Min myndighetspost", None)],
            deadline: Some("2099-01-31T23:00:00Z".parse().unwrap()),
            remembered: Value::Null,
        }
    }

    fn journal(&self, fates: &[Fate]) -> Journal {
        let journal = Journal::create(&self.run(), &self.installation, &self.header()).unwrap();
        let rows = fates.iter().enumerate().map(|(at, fate)| self.row(at as u64 + 1, *fate));
        journal.admit(rows.collect()).unwrap();
        let statements = fates.len() as u64;
        journal.release(vec![RunExport { fingerprint: Value::Null, first_ordinal: 1, statements }]).unwrap();
        journal
    }

    fn row(&self, ordinal: u64, fate: Fate) -> StatementRow {
        let digest = |kind: u8| [kind, ordinal as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let employer = if ordinal == 2 { PEOPLE[0] } else { "165021680250" };
        StatementRow {
            span: Span { ordinal, offset: 0, length: 0 },
            export: 0,
            record: RecordDigest(digest(1)),
            form: Some(if ordinal == 3 { Form::KU14 } else { Form::KU10 }),
            uppgiftslamnare: Some(Organisation::parse(employer).unwrap()),
            person: Some(self.installation.person_digest(PEOPLE[ordinal as usize - 1])),
            also: Vec::new(),
            key: Some(StatementKey(digest(3))),
            content: Some(ContentDigest(digest(4))),
            correction: ordinal == 1,
            fate,
        }
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn routed(ordinal: u64, operator: u16) -> RouteRow {
    let found = Found::Mailbox { operator, address: "https://operator.example/".into() };
    RouteRow { ordinal, looked_up: jiff::Timestamp::now(), found }
}

fn intent(ordinal: u64, attempt: u32, operator: u16) -> Intent {
    Intent {
        ordinal,
        attempt,
        operator,
        address: "https://operator.example/".into(),
        at: jiff::Timestamp::now(),
        seal_date: "2027-01-12".into(),
        sender_cert: [1; 32],
        mediator_cert: [2; 32],
        renderer: 1,
        content_secrets: None,
        request_digest: [3; 32],
        message_id: MessageId([ordinal as u8; 16]),
    }
}

fn ended(ordinal: u64, attempt: u32, end: End) -> DigitalEnd {
    let at = jiff::Timestamp::now();
    DigitalEnd { ordinal, attempt, at, end, fault_code: None, call_id: None, detail: None }
}

/// 1 delivered after a retry, 2 on paper (opted out), 3 delivered and paper, 4 rejected, 5 in doubt, 6 failed, 7 held for
/// want of an address, 8 already sent, 9 under way, 10 waits for its look-up.
fn eventful(place: &Place) -> Journal {
    let ended_in_pass_one = |outcome, reason| Fate::Ended(outcome, reason);
    let journal = place.journal(&[
        ELSE_PAPER,
        ELSE_PAPER,
        Fate::Send { digital: Half::Waiting, paper: Half::Waiting },
        ended_in_pass_one(Outcome::Rejected, Reason::Faulty),
        ELSE_PAPER,
        ELSE_PAPER,
        ELSE_PAPER,
        ended_in_pass_one(Outcome::AlreadySent, Reason::None),
        ELSE_PAPER,
        ELSE_PAPER,
    ]);
    wait(async {
        let unreachable = |ordinal, reason| RouteRow { found: Found::Unreachable(reason), ..routed(ordinal, 0) };
        journal.route(vec![routed(1, 0), routed(3, 1), routed(5, 0), routed(6, 1), routed(9, 0)]).await.unwrap();
        journal.route(vec![unreachable(2, Reason::OptedOut), unreachable(7, Reason::NoMailbox)]).await.unwrap();
        for (ordinal, operator) in [(1, 0), (3, 1), (5, 0), (6, 1), (9, 0)] {
            journal.intend(intent(ordinal, 1, operator)).await.unwrap();
        }
        let over = AttemptOver {
            ordinal: 1,
            attempt: 1,
            cause: format!("503 for {}", PEOPLE[0]),
            fault_code: Some(5001),
            call_id: Some("call-1".into()),
            not_before: None,
        };
        journal.attempt_over(over).await.unwrap();
        journal.intend(intent(1, 2, 0)).await.unwrap();
        journal.end_digital(ended(1, 2, End::Delivered { trans_id: "TRANS-1".into() })).await.unwrap();
        journal.end_digital(ended(3, 1, End::Delivered { trans_id: "TRANS-3".into() })).await.unwrap();
        journal.end_digital(ended(5, 1, End::InDoubt(Reason::TimedOut))).await.unwrap();
        journal.end_digital(ended(6, 1, End::Failed(Reason::RefusedForGood))).await.unwrap();
        let bundled = |ordinal| PaperEnd { ordinal, end: PaperFate::Bundled { bundle: 1 } };
        let held = PaperEnd { ordinal: 7, end: PaperFate::Held(Reason::NoAddress) };
        let bundle =
            BundleRow { number: 1, file_name: "bundle-1.zip.p7m".into(), sha256: [0; 32], letters: 2, bytes: 20_000 };
        journal.end_paper(vec![bundled(2), bundled(3), held], Some(bundle)).await.unwrap();
    });
    journal
}

/// Settles what [`eventful`] left.
fn settle(journal: &Journal) {
    wait(async {
        journal.end_digital(ended(9, 1, End::Delivered { trans_id: "TRANS-9".into() })).await.unwrap();
        journal.end_digital(ended(10, 0, End::Held(Reason::Protected))).await.unwrap();
    });
    journal.finish().unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn report(run: &Path, code: i32) -> Value {
    let report = json(&run::ends_with(code, ["report", run.to_str().unwrap(), "--json"]));
    shape::holds("report.json", &report);
    let sum = |counts: &Value| counts.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert_eq!(Value::from(sum(&report["outcomes"])), report["statements"]);
    for by in ["by_form", "by_employer", "by_operator"] {
        for part in report[by].as_object().unwrap().values() {
            assert_eq!(Value::from(sum(&part["outcomes"])), part["statements"], "{by}");
        }
    }
    for by in ["by_form", "by_employer"] {
        let parts: u64 =
            report[by].as_object().unwrap().values().map(|part| part["statements"].as_u64().unwrap()).sum();
        assert_eq!(Value::from(parts), report["statements"], "{by}");
    }
    report
}

#[track_caller]
fn nobody_is_named(text: &str) {
    for person in PEOPLE {
        for form in [person, &person[2..], &format!("{}-{}", &person[..8], &person[8..])] {
            assert!(!text.contains(form), "{form} in {text}");
        }
    }
}

/// What is told of a run once no process is at it: one that another test is starting has inherited the run's lock for a
/// moment.
fn left_alone(told: impl Fn() -> Value) -> Value {
    loop {
        match told() {
            running if running["running"] == true => std::thread::sleep(std::time::Duration::from_millis(20)),
            told => return told,
        }
    }
}

#[test]
fn a_report_accounts_for_every_statement_while_the_run_goes_on_and_after() {
    let place = Place::new();
    let journal = eventful(&place);
    let outcomes = |report: &Value| {
        let mut some = report["outcomes"].as_object().unwrap().clone();
        some.retain(|_, count| count != 0);
        Value::from(some)
    };
    let going_on = report(&place.run(), 2);
    let wanted = serde_json::json!({"delivered": 1, "paper": 1, "delivered_and_paper": 1, "rejected": 1, "in_doubt": 1,
        "failed": 1, "held": 1, "already_sent": 1, "pending": 2});
    assert_eq!(
        (outcomes(&going_on), &going_on["running"], &going_on["balanced"]),
        (wanted, &true.into(), &true.into())
    );
    assert_eq!(going_on["by_operator"][KIVRA]["statements"], 3, "delivered, in doubt, under way");

    drop(journal);
    let stopped = left_alone(|| report(&place.run(), 2));
    assert_eq!((&stopped["outcomes"]["in_doubt"], &stopped["outcomes"]["pending"]), (&2.into(), &1.into()));
    let doubt = stopped["in_doubt"].as_array().unwrap();
    let listed: Vec<_> =
        doubt.iter().map(|of| (of["ordinal"].as_u64().unwrap(), of["reason"].as_str().unwrap())).collect();
    assert_eq!(listed, [(5, "timed_out"), (9, "interrupted")]);
    assert_eq!(doubt[0]["operator"], KIVRA);
    assert_eq!(doubt[0]["message_id"], "05050505-0505-0505-0505-050505050505");

    let journal = Journal::open(&place.run(), &place.installation).unwrap();
    settle(&journal);
    drop(journal);
    let after = report(&place.run(), 1);
    assert_eq!((&after["phase"], &after["outcomes"]["pending"]), (&"finished".into(), &0.into()));
    assert_eq!((&after["requests"], &after["retries"]), (&6.into(), &1.into()));
    assert_eq!(after["by_channel"]["paper"], serde_json::json!({"bundled": 2, "held": 1}));
    assert_eq!(after["by_form"]["KU14"]["outcomes"], serde_json::json!({"delivered_and_paper": 1}));
    assert_eq!(after["by_employer"]["************ (2)"]["statements"], 1, "a private employer is masked");
    let told = text(&run::ends_with(1, ["report", place.run().to_str().unwrap()]).stdout);
    for part in ["every one is accounted for", "05050505-0505-0505-0505-050505050505", "opted out", "Kivra"] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
    nobody_is_named(&told);
    nobody_is_named(&after.to_string());
}

#[test]
fn a_run_of_less_than_a_minute_has_no_best_minute() {
    let place = Place::new();
    let journal = eventful(&place);
    settle(&journal);
    drop(journal);
    let file = place.folder.path().join("report.html");
    let told = run::ends_with(1, ["report", place.run().to_str().unwrap(), "--html", file.to_str().unwrap()]);
    for told in [text(&told.stdout), std::fs::read_to_string(&file).unwrap()] {
        assert!(told.contains(" letters/s delivered") && !told.contains("best minute"), "{told}");
    }
}

#[test]
fn a_report_is_also_a_page_that_stands_alone() {
    let place = Place::new();
    let journal = eventful(&place);
    settle(&journal);
    drop(journal);
    let file = place.folder.path().join("report.html");
    run::ends_with(1, ["report", place.run().to_str().unwrap(), "--html", file.to_str().unwrap()]);
    let page = std::fs::read_to_string(&file).unwrap();
    for part in ["<html lang=\"en\">", "<title>", "<h1>", "<svg role=\"img\"", "<caption>", "scope=\"row\"", "In doubt"]
    {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<script", "http://", "https://", "src=", "url(", "@import"] {
        assert!(!page.contains(part), "{part} would fetch something");
    }
    nobody_is_named(&page);
    // Well-formed, so that a browser has nothing to guess.
    let mut reader = quick_xml::Reader::from_str(page.split_once('\n').unwrap().1);
    reader.config_mut().check_end_names = false;
    let mut open: Vec<String> = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(start) => open.push(start.name().as_ref().to_owned()),
            quick_xml::events::Event::End(end) => {
                // `meta` has no end in HTML.
                while open.last().is_some_and(|name| name == "meta") {
                    open.pop();
                }
                assert_eq!(open.pop(), Some(end.name().as_ref().to_owned()));
            }
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!place.folder.path().join("report.html.draft").exists());
}

#[test]
fn a_deadline_that_was_missed_is_told_after_the_end() {
    let place = Place::new();
    let deadline = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_mins(90)).unwrap();
    let header = RunHeader { deadline: Some(deadline), ..place.header() };
    let journal = Journal::create(&place.run(), &place.installation, &header).unwrap();
    journal.admit((1..=3).map(|ordinal| place.row(ordinal, ELSE_PAPER)).collect()).unwrap();
    journal.release(vec![RunExport { fingerprint: Value::Null, first_ordinal: 1, statements: 3 }]).unwrap();
    let told = |command: &str, code: i32| {
        let run = place.run();
        let told = json(&run::ends_with(code, [command, run.to_str().unwrap(), "--json"]));
        shape::holds(&format!("{command}.json"), &told);
        let text = text(&run::ends_with(code, [command, run.to_str().unwrap()]).stdout);
        (told["late"].clone(), text.contains("WAS MISSED: 2 letters left later, the last 1 h 30 min too late"))
    };
    assert_eq!(told("report", 2), (Value::Null, false));
    wait(async {
        journal.route((1..=3).map(|ordinal| routed(ordinal, 0)).collect()).await.unwrap();
        for ordinal in 1..=3 {
            journal.intend(intent(ordinal, 1, 0)).await.unwrap();
            let end = match ordinal {
                3 => End::Failed(Reason::RefusedForGood),
                _ => End::Delivered { trans_id: "t".into() },
            };
            journal.end_digital(ended(ordinal, 1, end)).await.unwrap();
        }
    });
    journal.finish().unwrap();
    drop(journal);
    for (command, code) in [("report", 1), ("status", 0)] {
        let (late, said) = told(command, code);
        let by_s = late["by_s"].as_i64().unwrap();
        assert!(late["letters"] == 2 && (5399..5460).contains(&by_s) && said, "{late}");
    }
}

#[test]
fn a_journal_that_contradicts_itself_is_told() {
    let place = Place::new();
    drop(eventful(&place));
    let conn = rusqlite::Connection::open(place.run().join("journal.sqlite")).unwrap();
    logs::forget_delivery(&conn, 1);
    drop(conn);
    let output = run::ends_with(74, ["report", place.run().to_str().unwrap(), "--json"]);
    assert_eq!(json(&output)["balanced"], false);
}

#[test]
fn status_tells_where_a_run_is_and_works_beside_it() {
    let place = Place::new();
    let journal = eventful(&place);
    let folder = place.run();
    let status = || {
        let status = json(&run::ends_with(0, ["status", folder.to_str().unwrap(), "--json"]));
        shape::holds("status.json", &status);
        status
    };
    let now = status();
    assert_eq!((&now["running"], &now["in_flight"], &now["waits_for_look_up"]), (&true.into(), &1.into(), &1.into()));
    assert_eq!(now["checkpoint"], serde_json::json!({"statements": 10, "through": 8, "beyond": 0}));
    assert_eq!(now["operators"][0]["delivered"], 1);
    assert_eq!(now["deadline_holds"], true);
    wait(journal.operator_stopped(0, true)).unwrap();
    let stopped = status();
    assert_eq!(stopped["operators"][0]["stopped"], true);
    assert!(stopped["limited_by"].as_str().unwrap().contains("credentials"));
    assert!(now["expected_end"].is_string() && stopped["expected_end"].is_null(), "a stopped queue has no end");
    let told = text(&run::ends_with(0, ["status", folder.to_str().unwrap()]).stdout);
    assert!(told.contains("Kivra") && told.contains("a process is at it"), "{told}");
    drop(journal);
    let dead = left_alone(status);
    assert_eq!((&dead["running"], &dead["in_flight"], &dead["in_doubt"]), (&false.into(), &0.into(), &2.into()));
    assert_eq!(json(&run::ends_with(2, ["report", folder.to_str().unwrap(), "--json"]))["outcomes"], dead["outcomes"]);
}

fn find(place: &Place, code: i32, id: &str) -> Value {
    let folder = place.run();
    let output = run::ends_with(code, ["find", folder.to_str().unwrap(), "--person-id", id, "--json"]);
    let answer = json(&output);
    shape::holds("find.json", &answer);
    assert_eq!(answer["found"], code == 0);
    nobody_is_named(&answer.to_string());
    nobody_is_named(&text(&output.stderr));
    answer
}

#[test]
fn customer_service_gets_an_answer_for_every_outcome() {
    let place = Place::new();
    let journal = eventful(&place);
    let said =
        |ordinal: usize| find(&place, 0, PEOPLE[ordinal - 1])["statements"][0]["answer"].as_str().unwrap().to_owned();
    let wanted = [
        (1, vec!["Delivered to Kivra on", "TransId TRANS-1"]),
        (2, vec!["In print bundle 1", "does not take digital mail"]),
        (3, vec!["Delivered to Min myndighetspost", "TransId TRANS-3", "In print bundle 1"]),
        (4, vec!["Not sent", "breaks a rule"]),
        (5, vec!["may have arrived at Kivra", "no answer came in time"]),
        (6, vec!["Failed at Min myndighetspost", "refused for good"]),
        (7, vec!["Held back", "no usable postal address"]),
        (8, vec!["Not sent again", "earlier run"]),
        (9, vec!["Not sent yet", "at Kivra"]),
        (10, vec!["Not sent yet"]),
    ];
    for (ordinal, parts) in wanted {
        let answer = said(ordinal);
        for part in parts {
            assert!(answer.contains(part), "{ordinal}: {part} in {answer}");
        }
    }
    drop(journal);
    assert!(said(9).contains("the process ended while the request was under way"));
    let journal = Journal::open(&place.run(), &place.installation).unwrap();
    settle(&journal);
    assert!(said(9).contains("TransId TRANS-9"), "the same through the indexes of a finished run");
    let one = &find(&place, 0, PEOPLE[0])["statements"][0];
    assert_eq!(one["history"][0]["fault_code"], 5001);
    assert_eq!(one["history"][0]["detail"], "503 for ************");
    assert_eq!(one["correction"], true);
    let told = run::ends_with(0, ["find", place.run().to_str().unwrap(), "--person-id", PEOPLE[0]]);
    assert!(text(&told.stdout).contains("TransId TRANS-1"));
}

#[test]
fn what_is_delivered_is_not_told_as_held_for_its_paper() {
    let place = Place::new();
    let both = Fate::Send { digital: Half::Waiting, paper: Half::Waiting };
    let journal = place.journal(&[both, both, both]);
    wait(async {
        journal.route((1..=3).map(|ordinal| routed(ordinal, 0)).collect()).await.unwrap();
        for ordinal in 1..=3 {
            journal.intend(intent(ordinal, 1, 0)).await.unwrap();
            let end = End::Delivered { trans_id: format!("TRANS-{ordinal}") };
            journal.end_digital(ended(ordinal, 1, end)).await.unwrap();
        }
        let ends = [(1, PaperFate::Held(Reason::NoAddress)), (2, PaperFate::Failed(Reason::PrepareFailed))];
        let ends = ends.into_iter().map(|(ordinal, end)| PaperEnd { ordinal, end }).collect();
        journal.end_paper(ends, None).await.unwrap();
    });
    let wanted = [
        (1, "held", ": delivered, on paper held\n", "Not on paper: there is no usable postal address."),
        (2, "failed", ": delivered, on paper failed\n", "Not on paper: the letter could not be made."),
        (3, "pending", ": delivered, on paper pending\n", "Not on paper yet: its turn has not come."),
    ];
    for (ordinal, outcome, headline, sentence) in wanted {
        let found = &find(&place, 0, PEOPLE[ordinal - 1])["statements"][0];
        assert_eq!(found["outcome"], outcome, "the worse half names it");
        let told = run::ends_with(0, ["find", place.run().to_str().unwrap(), "--person-id", PEOPLE[ordinal - 1]]);
        let told = text(&told.stdout);
        for part in [headline, "Delivered to Kivra on ", sentence] {
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
        assert!(!told.contains("ot sent"), "{told}");
    }
}

#[test]
fn an_identity_is_taken_in_every_form_and_from_standard_input() {
    let place = Place::new();
    drop(eventful(&place));
    for form in ["19511123-2079", "511123-2079", "5111232079"] {
        assert_eq!(find(&place, 0, form)["statements"][0]["ordinal"], 1, "{form}");
    }
    assert_eq!(find(&place, 0, "701063-2391")["statements"][0]["ordinal"], 2, "a samordningsnummer");
    find(&place, 1, "511123+2079");
    find(&place, 1, "165021680250");
    let folder = place.run();
    let mut child = run::utskick(["find", folder.to_str().unwrap(), "--person-id", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"195111232079\n").unwrap();
    assert_eq!(json(&child.wait_with_output().unwrap())["statements"][0]["ordinal"], 1);
    let wrong = run::ends_with(64, ["find", folder.to_str().unwrap(), "--person-id", "195111232078"]);
    assert!(text(&wrong.stderr).contains("check digit") && !text(&wrong.stderr).contains("195111232078"));
    let audit = std::fs::read_to_string(place.installation.state().join("audit.ndjson")).unwrap();
    assert!(audit.lines().count() >= 7, "each question is noted");
    nobody_is_named(&audit);
}

#[test]
fn find_needs_the_key_of_the_installation() {
    let place = Place::new();
    drop(eventful(&place));
    let folder = place.run();
    let arguments = ["find", folder.to_str().unwrap(), "--person-id", PEOPLE[0]];
    let key = place.folder.path().join("installation.key");
    std::fs::write(&key, "0".repeat(64)).unwrap();
    let other = run::ends_with(78, arguments);
    assert!(text(&other.stderr).contains("another key"));
    std::fs::remove_file(&key).unwrap();
    run::ends_with(78, arguments);
    assert!(!key.exists(), "a reading command makes no key");
    run::ends_with(64, ["report", place.folder.path().to_str().unwrap()]);
}

#[test]
fn what_an_earlier_run_sent_is_answered_from_the_register() {
    let place = Place::new();
    let journal = eventful(&place);
    settle(&journal);
    drop(journal);
    // Purged, or moved to an archive: the register answers alone.
    std::fs::rename(place.run(), place.folder.path().join("archived")).unwrap();
    let header = RunHeader { run_id: "second".into(), ..place.header() };
    let journal = Journal::create(&place.run(), &place.installation, &header).unwrap();
    journal.admit(vec![place.row(1, Fate::Ended(Outcome::AlreadySent, Reason::None))]).unwrap();
    journal.release(vec![RunExport { fingerprint: Value::Null, first_ordinal: 1, statements: 1 }]).unwrap();
    let statement = &find(&place, 0, PEOPLE[0])["statements"][0];
    assert_eq!(statement["other_runs"][0]["trans_id"], "TRANS-1");
    let answer = statement["answer"].as_str().unwrap();
    assert!(answer.contains("Run 2027-01-12 sent it on") && answer.contains("TransId TRANS-1"), "{answer}");
}
