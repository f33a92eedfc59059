//! A gateway behaves badly, in every way that the sandbox can play: each statement ends as the answer deserves, the
//! gateways' ledger and our journal agree, and no gateway disturbs another.

use crate::logs;
use crate::run::utskick;
use crate::world::{World, count};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Stdio;
use utskick::sandbox::ledger::read_calls;
use utskick::sandbox::manners::{PLAYS, Play};

/// What an answer makes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Delivered,
    /// Surely not accepted, and tried again.
    Again,
    InDoubt,
    /// Refused for good.
    Failed,
    Held,
    /// Not at this operator: asked about again, then on paper.
    Unreachable,
    /// Every message would be refused: the queue stops, and what waits in it stays pending.
    Stop,
}

use Class::{Again, Delivered, Failed, Held, InDoubt, Stop, Unreachable};

/// Every fault code of the protocol sheet (§4.2), the ranges by their ends, and one that is in no list.
const CODES: [u32; 43] = [
    1, 2, 3, 4, 5, 6, 7, 777, 4999, 5000, 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008, 5009, 5010, 5011, 5012, 5013,
    5014, 5015, 5016, 5017, 5018, 5019, 6004, 6005, 6006, 6007, 6008, 7000, 7015, 8000, 8001, 8002, 8003, 8004, 9001,
    9998,
];

/// Faults that are played with status 200 too.
const CODES_WITH_OK: [u32; 4] = [1, 5000, 5005, 6006];

/// What the sheet (§4.3) and the design make of what the ledger says was played.
fn class(verdict: &str) -> Class {
    if let Some((_, code)) = verdict.split_once("fault-").filter(|(_, code)| code.parse::<u32>().is_ok()) {
        return match code {
            "1" | "5001" | "5005" | "5016" | "5019" | "6004" | "6007" => Failed,
            "3" | "5" | "5002" | "5012" | "5014" | "6005" => Stop,
            "6006" => Held,
            _ => Again,
        };
    }
    match verdict {
        "accepted" | "http-1.0" | "close-after" | "close-idle" | "stall" => Delivered,
        "429" | "503" => Again,
        "413" => Failed,
        "401" | "403" | "404" => Stop,
        "delivered-false" | "not-here" => Unreachable,
        "500"
        | "502"
        | "504"
        | "fault-without-detail"
        | "truncated"
        | "half"
        | "half-silent"
        | "garbage"
        | "empty"
        | "huge"
        | "slow"
        | "wrong-type"
        | "other-recipient"
        | "reset-before"
        | "reset-during"
        | "reset-after"
        | "silent"
        | "close"
        | "stall-reset" => InDoubt,
        "expired" | "not-yet-valid" | "wrong-name" | "wrong-authority" | "client-refused" => Stop,
        // On connections, before anything is sent.
        "reset-connect" | "close-connect" | "stall-connect" | "tls-alert" => Again,
        other => panic!("the play {other} has no class"),
    }
}

/// A rule of a scenario without its place and number.
struct Manner {
    play: String,
    more: &'static str,
}

/// Every manner on requests, but for those that only FaR has.
fn on_requests() -> Vec<Manner> {
    let mut manners = Vec::new();
    let mut add = |play: String, more| manners.push(Manner { play, more });
    for (name, play) in PLAYS.iter().filter(|(_, play)| !play.at_connection()) {
        match play {
            Play::Omit | Play::Repeat | Play::Reorder => {}
            Play::Stall => add((*name).into(), "delay = \"100ms\""),
            Play::StallReset => add((*name).into(), "delay = \"300ms\""),
            _ => add((*name).into(), ""),
        }
    }
    for status in ["429", "503"] {
        // An absurd one is bounded to an hour, and told of elsewhere.
        for retry_after in ["1", "date+1", "date-3600", "soon", "-3", "1.5"] {
            add(status.into(), Box::leak(format!("retry_after = \"{retry_after}\"").into_boxed_str()));
        }
    }
    for code in CODES {
        add(format!("fault-{code}"), "");
    }
    for code in CODES_WITH_OK {
        add(format!("ok-fault-{code}"), "");
    }
    manners
}

fn seed() -> u64 {
    let seed =
        std::env::var("UTSKICK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("UTSKICK_SEED={seed}");
    seed
}

/// Sandbox and settings for one round.
fn begin(world: &mut World, rules: &str, far: &str) {
    let scenario = world.path("scenario.toml");
    std::fs::write(&scenario, rules).unwrap();
    world.restart_sandbox(&["--no-mailbox", "0.05", "--scenario", scenario.to_str().unwrap()]);
    world.configure(|settings| {
        let patience = "timeout = \"8s\"\nconnect_timeout = \"2s\"\ngive_up_after = \"5m\"";
        settings.replace("\nservice_address", &format!("\n{patience}\nservice_address")).replacen(
            "[far]\n",
            &format!("[far]\ntimeout = \"8s\"\n{far}\n"),
            1,
        )
    });
}

fn rule(at: &str, manner: &Manner, when: &str) -> String {
    format!("[[rule]]\nat = \"{at}\"\nplay = \"{}\"\n{when}\n{}\n", manner.play, manner.more)
}

/// The last word of the journal on each message that was ever tried: kind of end, operator.
fn ends(world: &World, run: &str) -> BTreeMap<String, i64> {
    let conn = rusqlite::Connection::open(world.path(run).join("journal.sqlite")).unwrap();
    let last: BTreeMap<u64, i64> =
        logs::digital(&conn).into_iter().map(|(ordinal, kind)| (ordinal, kind.into())).collect();
    let mut ends = BTreeMap::new();
    utskick::track::JournalReader::open(&world.path(run))
        .unwrap()
        .requests(&mut |ordinal, id, _| {
            ends.insert(id.to_string().replace('-', ""), last.get(&ordinal).copied().unwrap_or(0));
        })
        .unwrap();
    ends
}

/// Journal and ledger tell the same story of every message, and each ended as its last answer deserves.
#[track_caller]
fn agree(world: &World, run: &str, lines: &[Value]) {
    let ends = ends(world, run);
    let mut stories: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    let mut nameless = 0;
    for line in lines {
        match line["message_id"].as_str().unwrap().replace('-', "") {
            id if id.is_empty() => nameless += 1,
            id => stories.entry(id).or_default().push(line),
        }
    }
    for (id, story) in &stories {
        let verdicts: Vec<&str> = story.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
        let accepted = story.iter().filter(|line| line["accepted"] == true).count();
        let (last, earlier) = verdicts.split_last().unwrap();
        assert!(
            earlier.iter().all(|verdict| class(verdict) == Again),
            "{id} was sent again after it may have arrived, or was refused: {verdicts:?}"
        );
        // What the journal knows last; 0 and 6 wait.
        let wanted: &[i64] = match class(last) {
            Delivered => &[1],
            InDoubt => &[4],
            Failed => &[3],
            Held => &[5],
            Unreachable => &[2],
            Again | Stop => &[0, 6],
        };
        let kind = ends.get(id).copied().expect("an intent before every request");
        // A request that was cut off before it could be read has no name in the ledger, and may be its last.
        let cut_off = nameless > 0 && kind == 4 && accepted == 0;
        assert!(wanted.contains(&kind) || cut_off, "{id} ended as {kind} after {verdicts:?}");
        assert!(accepted <= 1, "{id} was accepted {accepted} times");
        assert!(accepted == 1 || kind != 1, "{id} counts as delivered, and was not accepted: {verdicts:?}");
        assert!(accepted == 0 || matches!(kind, 1 | 4), "{id} was accepted and ended as {kind}: {verdicts:?}");
    }
    let untold = ends.iter().filter(|(id, kind)| !stories.contains_key(*id) && matches!(kind, 1..=3 | 5)).count();
    assert_eq!(untold, 0, "an end that no gateway knows of");
}

#[test]
fn every_answer_ends_its_statement_as_it_deserves() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 260, &[]);
    let seed = seed();
    for round in 0..2 {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(round));
        let mut manners: Vec<Manner> = on_requests().into_iter().filter(|manner| class(&manner.play) != Stop).collect();
        random.shuffle(&mut manners);
        let mut rules = String::new();
        for (number, manner) in manners.iter().enumerate() {
            let at = ["a", "b", "c"][number % 3];
            rules += &rule(at, manner, &format!("nth = [{}]", number / 3 + 1));
        }
        for (number, (name, _)) in
            PLAYS.iter().filter(|(name, play)| play.at_connection() && class(name) != Stop).enumerate()
        {
            let manner = Manner { play: (*name).into(), more: "delay = \"2500ms\"" };
            rules += &rule(["a", "b", "c"][number % 3], &manner, &format!("nth = [{}]", random.u32(1..4)));
        }
        begin(&mut world, &rules, "");
        let before = world.ledger().len();
        let run = format!("run-{round}");
        let output = world.send_command(&export, &run).arg("--again").output().unwrap();
        let report = world.report_of(output, 1);
        let ledger = world.ledger();
        let lines = &ledger[before..];
        for manner in &manners {
            assert!(lines.iter().any(|line| line["verdict"] == *manner.play), "{} was not played", manner.play);
        }
        agree(&world, &run, lines);
        assert_eq!(count(&report, "pending"), 0, "{report}");
        for outcome in ["delivered", "in_doubt", "failed", "held", "paper"] {
            assert!(count(&report, outcome) > 0, "{outcome}: {report}");
        }
    }
}

#[test]
fn whoever_refuses_us_is_left_alone_and_the_others_get_all_of_theirs() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 90, &[]);
    let mut manners: Vec<Manner> = on_requests().into_iter().filter(|manner| class(&manner.play) == Stop).collect();
    let connections = PLAYS.iter().filter(|(name, play)| play.at_connection() && class(name) == Stop);
    manners.extend(connections.map(|(name, _)| Manner { play: (*name).into(), more: "" }));
    let mut random = fastrand::Rng::with_seed(seed());
    random.shuffle(&mut manners);
    for (round, pair) in manners.chunks(2).enumerate() {
        let mut order = ["a", "b", "c"];
        random.shuffle(&mut order);
        let rules: String = pair.iter().zip(order).map(|(manner, at)| rule(at, manner, "from = 3")).collect();
        begin(&mut world, &rules, "");
        let before = world.ledger().len();
        let run = format!("run-{round}");
        let names: Vec<&str> = pair.iter().map(|manner| manner.play.as_str()).collect();
        eprintln!("{names:?}");
        let output = world.send_command(&export, &run).arg("--again").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = world.report_of(output, 69);
        assert_eq!(said.matches("refused: ").count(), pair.len(), "{names:?}: {said}");
        agree(&world, &run, &world.ledger()[before..]);
        // Which of its statements it was, and where that went.
        for at in order.iter().take(pair.len()) {
            let place = format!(", https://{}/service/v3)", server(&world, at));
            assert!(said.contains(" (statement ") && said.contains(&place), "{names:?} at {at}: {said}");
        }
        for none in ["failed", "in_doubt", "held"] {
            assert_eq!(count(&report, none), 0, "{names:?}: {report}");
        }
        let of = |at: &str| report["by_operator"][id(at)]["outcomes"].as_object().unwrap();
        let healthy: u64 =
            of(order[2]).iter().filter(|(outcome, _)| *outcome != "delivered").map(|(_, n)| n.as_u64().unwrap()).sum();
        assert_eq!(healthy, 0, "{names:?}: {report}");
        for at in order.iter().take(pair.len()) {
            assert!(of(at)["pending"].as_u64() > Some(0), "{names:?} at {at}: {report}");
        }
        // Once they take us again, nothing is missing and nothing came twice.
        begin(&mut world, "", "");
        let report = world.resume(&run, 0);
        let mut accepted: BTreeMap<&str, u32> = BTreeMap::new();
        let ledger = world.ledger();
        for line in ledger[before..].iter().filter(|line| line["accepted"] == true) {
            *accepted.entry(line["message_id"].as_str().unwrap()).or_default() += 1;
        }
        assert!(accepted.values().all(|times| *times == 1), "{names:?}");
        assert_eq!(accepted.len() as u64, count(&report, "delivered"), "{names:?}: {report}");
    }
}

/// Host and port of a gateway by its name in scenarios.
fn server(world: &World, at: &str) -> String {
    let settings = std::fs::read_to_string(world.config()).unwrap();
    let mut addresses = settings.lines().filter_map(|line| line.split_once("address = \"https://"));
    let place = ["far", "a", "b", "c"].iter().position(|name| *name == at).unwrap();
    addresses.nth(place).unwrap().1.split('/').next().unwrap().to_owned()
}

/// An operator's organisation number by its letter.
fn id(letter: &str) -> &'static str {
    let place = usize::from(letter.as_bytes()[0] - b'a');
    utskick::sandbox::OPERATOR_IDS[place]
}

#[test]
fn whatever_far_answers_everyone_is_reached_as_by_a_far_that_answers_well() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 150, &[]);
    begin(&mut world, "", "");
    let well = world.send(&export, "well", 0);
    let seed = seed();
    for round in 0..2 {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(round));
        let operators_only = |play: &str| play == "delivered-false";
        // The same fault twice about one alone is believed: in each round it has one of its two forms.
        let other_form = |play: &str| {
            let form = if round == 0 { "ok-fault-" } else { "fault-" };
            CODES_WITH_OK.iter().any(|code| play == format!("{form}{code}"))
        };
        // What FaR says of a sender or of us stops it, and comes below; whom it says to be protected is held.
        let mut manners: Vec<Manner> = on_requests()
            .into_iter()
            .filter(|manner| !matches!(class(&manner.play), Stop | Held))
            .filter(|manner| !operators_only(&manner.play) && !other_form(&manner.play))
            .collect();
        manners.extend(["omit", "repeat", "reorder"].map(|play| Manner { play: play.into(), more: "" }));
        random.shuffle(&mut manners);
        let mut rules = String::new();
        for (number, manner) in manners.iter().enumerate() {
            rules += &rule("far", manner, &format!("nth = [{}]", number * 2 + 1));
        }
        for (number, (name, _)) in
            PLAYS.iter().filter(|(name, play)| play.at_connection() && class(name) != Stop).enumerate()
        {
            let manner = Manner { play: (*name).into(), more: "delay = \"4500ms\"" };
            rules += &rule("far", &manner, &format!("nth = [{}]", number * 2 + 1));
        }
        begin(&mut world, &rules, "batch = 1\nconcurrency = 16");
        let before = world.ledger().len();
        let run = format!("run-{round}");
        let mut output = world.send_command(&export, &run).arg("--again").output().unwrap();
        // A recipient that it says nothing about stays pending: never paper.
        let mut resumes = 0;
        while output.status.code() == Some(2) && resumes < 5 {
            output = utskick(["resume", "--json"]).arg(world.path(&run)).output().unwrap();
            resumes += 1;
        }
        let report = world.report_of(output, 0);
        agree(&world, &run, &world.ledger()[before..]);
        assert_eq!(report["outcomes"], well["outcomes"], "round {round}");
        let calls = std::fs::read_to_string(world.path("sandbox/far.ndjson")).unwrap();
        for manner in &manners {
            assert!(calls.contains(&format!("\"verdict\":\"{}\"", manner.play)), "{} was not played", manner.play);
        }
    }
}

/// What is wrong with one recipient holds up no other: the question is halved at once, not asked again as it was.
#[test]
fn a_question_that_far_refuses_for_one_recipient_is_split() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 60, &["--addressable", "--employers", "1"]);
    for (round, code) in [1, 5001, 5005, 5016, 5019, 6004, 6006, 6007].into_iter().enumerate() {
        let manner = Manner { play: format!("fault-{code}"), more: "" };
        begin(&mut world, &rule("far", &manner, "nth = [1]"), "");
        let calls = world.path("sandbox/far.ndjson");
        let before = read_calls(&calls).unwrap().len();
        let output = world.send_command(&export, &format!("run-{round}")).arg("--again").output().unwrap();
        world.report_of(output, 0);
        let asked: Vec<usize> = read_calls(&calls).unwrap()[before..].iter().map(|call| call.ids).collect();
        assert!(asked.len() >= 3 && asked[1] == asked[0] / 2 && asked[1] + asked[2] == asked[0], "{code}: {asked:?}");
    }
}

/// An answer of FaR says what it says, whatever type it is said to have.
#[test]
fn a_far_that_names_another_type_is_no_failing_one() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 60, &[]);
    begin(&mut world, &rule("far", &Manner { play: "wrong-type".into(), more: "" }, ""), "batch = 2");
    let output = world.send_command(&export, "run").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("gateway does not answer"), "{said}");
    let report = world.report_of(output, 0);
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"), "{report}");
    assert!(count(&report, "delivered") > 20, "{report}");
}

/// As when it answers one question twice, and every later one with the answer to the one before.
#[test]
fn a_far_that_answers_another_question_is_asked_again() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 30, &["--addressable", "--employers", "1"]);
    begin(&mut world, &rule("far", &Manner { play: "other-recipient".into(), more: "" }, "from = 1\nto = 3"), "");
    let report = world.send(&export, "run", 0);
    assert_eq!(count(&report, "pending"), 0, "{report}");
    assert!(count(&report, "delivered") > 10, "{report}");
}

/// What FaR answers again and again about some recipients alone is theirs: they end, named, never sent and never on paper,
/// and all others are reached.
#[test]
fn whom_far_refuses_ends_and_holds_up_nobody_else() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 120, &["--addressable"]);
    // Protected; not there; invalid; transient in the sheet; in no list.
    for (code, outcome, reason) in [
        (6006, "held", "protected"),
        (6007, "failed", "refused_for_good"),
        (5001, "failed", "refused_for_good"),
        (5017, "failed", "attempts_used_up"),
        (9001, "failed", "attempts_used_up"),
    ] {
        let manner = Manner { play: format!("fault-{code}"), more: "" };
        begin(&mut world, &rule("far", &manner, "about = 0.03"), "concurrency = 8\nbatch = 10");
        let before = world.ledger().len();
        let run = format!("run-{code}");
        let output = world.send_command(&export, &run).arg("--again").output().unwrap();
        let report = world.report_of(output, if outcome == "held" { 0 } else { 1 });
        let of = |wanted: &str| {
            let reasons = report["reasons"].as_array().unwrap().iter();
            let of = reasons
                .filter(|of| of["reason"] == wanted)
                .map(|of| (of["outcome"].clone(), of["statements"].as_u64().unwrap()));
            of.collect::<Vec<_>>()
        };
        let [(ended, refused)] = &of(reason)[..] else { panic!("{code}: {report}") };
        assert_eq!(*ended, outcome, "{code}");
        assert!((1..20).contains(refused), "{code}: {report}");
        assert_eq!(count(&report, "pending"), 0, "{code}: {report}");
        assert_eq!(count(&report, outcome), *refused, "{code}: {report}");
        assert_eq!(world.ledger().len() - before, count(&report, "delivered") as usize, "{code}: {report}");
        let told = utskick(["report"]).arg(world.path(&run)).output().unwrap();
        assert!(String::from_utf8_lossy(&told.stdout).contains(&reason.replace("_", " ")), "{code} {report}");
    }
    // Where it answers nobody, it is not about them.
    for (code, exit) in [(5001, 2), (6004, 1)] {
        begin(&mut world, &rule("far", &Manner { play: format!("fault-{code}"), more: "" }, ""), "");
        let output = world.send_command(&export, &format!("all-{code}")).arg("--again").output().unwrap();
        let report = world.report_of(output, exit);
        assert_eq!(count(&report, "failed") > 0, exit == 1, "{code}: {report}");
        assert_eq!(count(&report, "pending") > 0, exit == 2, "{code}: {report}");
        assert_eq!(count(&report, "delivered"), 0, "{code}: {report}");
    }
}

#[test]
fn a_far_that_refuses_us_leaves_everything_pending_and_nothing_on_paper() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 40, &[]);
    let refusals = ["401", "fault-5002", "fault-5014", "ok-fault-6005", "expired", "wrong-authority", "client-refused"];
    for (round, play) in refusals.into_iter().enumerate() {
        begin(&mut world, &rule("far", &Manner { play: play.into(), more: "" }, ""), "");
        let before = world.ledger().len();
        let run = format!("run-{round}");
        let output = world.send_command(&export, &run).arg("--again").output().unwrap();
        let code = output.status.code();
        assert!(matches!(code, Some(69 | 2)), "{play}: {}", String::from_utf8_lossy(&output.stderr));
        let report = world.report_of(output, code.unwrap());
        assert_eq!(count(&report, "delivered") + count(&report, "failed"), 0, "{play}: {report}");
        // On paper is only who has no id to ask about, or is too young to be asked about.
        let reasons = report["reasons"].as_array().unwrap();
        for of in reasons.iter().filter(|of| of["outcome"] == "paper") {
            assert!(of["reason"] == "minor" || of["reason"] == "not_addressable", "{play}: {report}");
        }
        assert!(count(&report, "pending") > 20, "{play}: {report}");
        assert_eq!(world.ledger().len(), before);
        if round % 3 == 0 {
            begin(&mut world, "", "");
            assert_eq!(count(&world.resume(&run, 0), "pending"), 0, "{play}");
        }
    }
}

#[test]
fn the_breaker_opens_and_probes_and_nothing_is_lost_by_it() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 60, &[]);
    let rules: String = ["far", "a", "b", "c"]
        .into_iter()
        .zip(["close-connect", "reset-connect", "tls-alert", "close-connect"])
        .map(|(at, play)| rule(at, &Manner { play: play.into(), more: "" }, "from = 1\nto = 6"))
        .collect();
    begin(&mut world, &rules, "");
    let output = world.send_command(&export, "run").args(["--log", "info"]).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = world.report_of(output, 0);
    for (at, name) in [("far", "FaR"), ("a", "Sandlådan Ett"), ("b", "Sandlådan Två"), ("c", "Sandlådan Tre")] {
        let about = |words: &str| log.lines().any(|line| line.contains(words) && line.contains(name));
        let opens = log.lines().find(|line| {
            line.contains("gateway does not answer, waiting before the next probe") && line.contains(name)
        });
        let opens = opens.unwrap_or_else(|| panic!("{at} opens: {log}"));
        assert!(opens.contains(&server(&world, at)) && opens.contains("no connection: "), "{at} says why: {opens}");
        assert!(about("gateway answers again"), "{at} closes: {log}");
    }
    assert_eq!(world.accepted().len() as u64, count(&report, "delivered"));
    assert!(world.accepted().values().all(|times| *times == 1));
    agree(&world, "run", &world.ledger());
}

/// A service is down and its server answers all the same, with pages or faults of its own or what it said before: what may have arrived is in doubt, and
/// the rest is not sent after it.
#[test]
fn a_service_that_is_down_behind_its_server_puts_little_in_doubt() {
    let mut world = World::new(&[]);
    let plays = ["500", "wrong-type", "truncated", "empty", "fault-without-detail", "other-recipient"];
    for (round, play) in plays.into_iter().enumerate() {
        let export = world.export("export.xml", 240, &["--addressable", "--seed", &(round + 1).to_string()]);
        begin(&mut world, &rule("b", &Manner { play: play.into(), more: "" }, "from = 3"), "");
        world.configure(|settings| settings.replace("give_up_after = \"5m\"", "give_up_after = \"3s\""));
        let before = world.ledger().len();
        let run = format!("run-{round}");
        let output = world.send_command(&export, &run).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = world.report_of(output, 69);
        let why = format!(
            "has not answered for 3s; {}: HTTP {}",
            server(&world, "b"),
            if matches!(play, "500" | "fault-without-detail") { 500 } else { 200 }
        );
        assert!(said.contains(&why), "{play}: {said}");
        agree(&world, &run, &world.ledger()[before..]);
        // What was under way when it began, and a probe now and then.
        let in_doubt = count(&report, "in_doubt");
        assert!((5..=32).contains(&in_doubt), "{play}: {report}");
        let of = |at: &str| report["by_operator"][id(at)]["outcomes"].as_object().unwrap();
        assert!(of("b")["pending"].as_u64() > Some(20), "{play}: {report}");
        assert!(["a", "c"].iter().all(|at| of(at).keys().all(|outcome| outcome == "delivered")), "{play}: {report}");
    }
}

/// At a low rate every place waits for its slot, taken while the operator still answered: they are held back with all
/// the others, and only probes leave.
#[test]
fn what_waits_for_its_slot_is_not_sent_to_an_operator_that_has_stopped_answering() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 150, &["--addressable"]);
    begin(&mut world, &rule("b", &Manner { play: "500".into(), more: "" }, "from = 1"), "");
    world.configure(|settings| {
        let settings = settings.replace("give_up_after = \"5m\"", "give_up_after = \"6s\"");
        settings.replace("rate_per_s = \"unlimited\"", "rate_per_s = 5")
    });
    let output = world.send_command(&export, "run").output().unwrap();
    let report = world.report_of(output, 69);
    agree(&world, "run", &world.ledger());
    // Five that open the breaker, one that was on its way, and probes after 0.5, 1, 2 and 4 s; 30 slots went by.
    let in_doubt = count(&report, "in_doubt");
    assert!((5..=14).contains(&in_doubt), "{report}");
}

/// A gateway asks for a wait that no night has; the others finish, and the run can be stopped at any time.
#[test]
fn an_absurd_wait_holds_up_nobody_else() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 90, &[]);
    let manner = Manner { play: "503".into(), more: "retry_after = \"99999999999999999999\"" };
    begin(&mut world, &rule("b", &manner, "nth = [3]"), "");
    let mut sending = world.send_command(&export, "run").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let status = || -> Value {
        let output = utskick(["status", "--json"]).arg(world.path("run")).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    };
    // All but what waits at the one operator has its end.
    loop {
        let now = status();
        let pending = now["outcomes"]["pending"].as_u64();
        let queued = now["operators"].as_array().into_iter().flatten().find(|at| at["name"] == "Sandlådan Två");
        let waits = queued.and_then(|at| Some(at["queued"].as_u64()? + now["waits_for_paper"].as_u64()?));
        if pending.is_some()
            && now["waits_for_look_up"] == 0
            && pending == waits
            && now["outcomes"]["delivered"].as_u64() > Some(40)
        {
            break;
        }
        assert!(sending.try_wait().unwrap().is_none(), "it ended although an operator asks it to wait");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &sending.id().to_string()]).status().unwrap().success());
    let output = sending.wait_with_output().unwrap();
    let report = world.report_of(output, 2);
    assert_eq!(count(&report, "in_doubt") + count(&report, "failed"), 0, "{report}");
    for at in ["a", "c"] {
        let outcomes = report["by_operator"][id(at)]["outcomes"].as_object().unwrap();
        assert!(outcomes.keys().all(|outcome| outcome == "delivered"), "{report}");
    }
    agree(&world, "run", &world.ledger());
}
