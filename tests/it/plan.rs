//! Will it fit? A planner is told beforehand what a send takes.

use crate::run::{ends_with, json, utskick};
use crate::shape;
use crate::world::World;
use serde_json::Value;
use std::path::Path;

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/statens-servicecenter-2017.toml");

/// The government report that this product answers, to the krona.
#[test]
fn the_report_of_2017_is_reproduced() {
    let forecast = json(["plan", "--forecast", REPORT, "--json"]);
    shape::holds("forecast.json", &forecast);
    let years: Vec<(u64, u64)> = forecast["years"]
        .as_array()
        .unwrap()
        .iter()
        .map(|year| (year["year"].as_u64().unwrap(), year["digital"].as_u64().unwrap()))
        .collect();
    assert_eq!(years, [(2017, 130_000), (2018, 338_000), (2019, 780_000)]);
    let savings = &forecast["savings"];
    let kronor = |of: &serde_json::Value| {
        let ore = of.as_u64().unwrap();
        assert_eq!(ore % 100, 0);
        ore / 100
    };
    // Documents, postage, internal time, total: the report's own table.
    let table: Vec<[u64; 4]> = savings["categories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|at| {
            [at["documents"].as_u64().unwrap(), kronor(&at["postage"]), kronor(&at["internal"]), kronor(&at["total"])]
        })
        .collect();
    assert_eq!(
        table,
        [
            [940_000, 0, 0, 0],
            [77_500, 503_750, 0, 503_750],
            [10_000, 65_000, 300_000, 365_000],
            [7_290, 47_385, 145_800, 193_185],
            [3_000, 19_500, 60_000, 79_500],
            [1_000, 6_500, 20_000, 26_500],
        ]
    );
    assert_eq!(savings["documents"], 1_038_790);
    assert_eq!(kronor(&savings["total"]), 1_167_935);
    assert_eq!(kronor(&savings["running_cost"]), 50_000);
    assert_eq!(kronor(&savings["net"]), 1_117_935);
}

/// Where the report differs from itself, that is said and not smoothed over.
#[test]
fn what_the_report_prints_otherwise_is_said() {
    let output = ends_with(0, ["plan", "--forecast", REPORT]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("prints 340 000 documents sent digitally; 13 for each of 26 000 are 338 000"), "{text}");
    assert!(text.contains("4 minutes are 24 kr, not 20 kr"), "{text}");
    // 4 kr more for each of 11 290 documents.
    assert!(text.contains("with the minutes the net would be 1 163 095 kr"), "{text}");
    assert!(text.contains("1 117 935 kr"), "{text}");
    // Its digital volumes of the other two years and its table are as its figures give them.
    assert_eq!(text.matches("\n- ").count(), 5, "{text}");
}

#[test]
fn volumes_that_cannot_be_read_end_with_65() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("volumes.toml");
    let path = file.to_str().unwrap();
    ends_with(65, ["plan", "--forecast", path]);
    for text in ["", "title = 1", "title = \"x\"\ndocuments_per_head = 13\npostage = 6.50\n"] {
        std::fs::write(&file, text).unwrap();
        let output = utskick(["plan", "--forecast", path]).output().unwrap();
        assert_eq!(output.status.code(), Some(65), "{text}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("volumes.toml"), "the file is named");
    }
}

/// Whether a forecast's volumes fit, without an export: each year's send, or one in full.
#[test]
fn a_forecast_with_settings_says_whether_it_fits() {
    let world = World::new(&[]);
    world.configure(|text| format!("{}\n[run]\ndeadline = \"2027-01-29T17:06:40+01:00\"\n", settings(text, "4", "")));
    // A hundredth of the report's people.
    let volumes = world.path("volumes.toml");
    let of_people = |line: &str| line.starts_with("employees") || line.starts_with("reachable");
    let hundredth = |line: &str| line.strip_suffix("_000").filter(|_| of_people(line)).map(|line| format!("{line}0"));
    let report = std::fs::read_to_string(REPORT).unwrap();
    let lines: Vec<String> = report.lines().map(|line| hundredth(line).unwrap_or_else(|| line.to_owned())).collect();
    std::fs::write(&volumes, lines.join("\n")).unwrap();
    let config = world.config();
    let config = config.to_str().unwrap();
    let with = ["plan", "--forecast", volumes.to_str().unwrap(), "--config", config];
    fn joined<'a>(with: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [with, &START, more].concat()
    }
    let forecast = json(joined(&with, &["--json"]));
    shape::holds("forecast.json", &forecast);
    let sends = forecast["sends"].as_array().unwrap();
    let mut digital = Vec::new();
    for send in sends {
        let plan = &send["plan"];
        shape::holds("plan.json", plan);
        let operators = plan["operators"].as_array().unwrap();
        let there = operators.iter().map(|operator| number(&operator["statements"])).sum::<u64>();
        // The looked-up that have no mailbox go on paper.
        assert_eq!(number(&plan["statements"]), there + number(&plan["paper"]["letters"]));
        // Twelve a second: what is sent digitally decides.
        let least_s = there as f64 / 12.0;
        let took_s = plan["end"]["duration_s"].as_f64().unwrap();
        assert!(took_s > least_s && took_s < least_s * 1.05, "{took_s} s for {there}");
        assert_eq!(plan["bottleneck"]["limit"], "rate");
        digital.push((send["year"].as_i64().unwrap(), there, plan["deadline"]["holds"].as_bool().unwrap()));
    }
    assert_eq!(digital, [(2017, 1_300, true), (2018, 3_380, true), (2019, 7_800, false)]);
    // One document a head is what goes out in January, and what is said of a year is what all years say.
    let round = json(joined(&with, &["--year", "2019", "--per-head", "1", "--json"]));
    let plan = &round["sends"][0]["plan"];
    assert_eq!(number(&plan["statements"]), 1_500);
    assert_eq!(plan["operators"].as_array().unwrap().iter().map(|at| number(&at["statements"])).sum::<u64>(), 600);
    assert_eq!(plan["deadline"]["holds"], true);
    assert_eq!(json(joined(&with, &["--year", "2019", "--json"]))["sends"][0]["plan"], sends[2]["plan"]);
    // For people: a line a year, or the whole plan; the same each time.
    let text = |more: &[&str]| String::from_utf8(ends_with(0, joined(&with, more)).stdout).unwrap();
    let years = text(&[]);
    assert_eq!(years, text(&[]));
    for words in ["Will it fit?", "3 380", "IT IS MISSED", "it holds", "2019: the agreed rate of", "1 117 935 kr"] {
        assert!(years.contains(words), "{words} is missing\n{years}");
    }
    let svg = world.path("year.svg");
    let year = text(&["--year", "2018", "--svg", svg.to_str().unwrap()]);
    assert!(year.contains("Will 2018 fit?") && year.contains("what if") && svg.exists(), "{year}");
    // What it does not have is said with what it has.
    for (more, said) in [
        (&["--year", "2027"][..], "it has 2017, 2018, 2019"),
        (&["--per-head", "14"], "from 1 to the forecast's 13"),
        (&["--svg", "x.svg"], "--year"),
        (&["--operator-share", "Nobody=1"], "Sandlådan Ett"),
    ] {
        let output = ends_with(64, joined(&with, more));
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{said} is missing");
    }
    ends_with(64, ["plan", "--forecast", REPORT, "--year", "2017"]);
    assert!(world.ledger().is_empty(), "nothing is sent");
}

/// A plan of an export with these further arguments, held to its schema.
#[track_caller]
fn plan(export: &Path, config: &Path, more: &[&str]) -> Value {
    let mut arguments = vec!["plan", export.to_str().unwrap(), "--config", config.to_str().unwrap(), "--json"];
    arguments.extend(more);
    let plan = json(arguments);
    shape::holds("plan.json", &plan);
    plan
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn time(value: &Value) -> jiff::Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// The settings with this rate at every gateway, and more.
fn settings(text: String, rate: &str, more: &str) -> String {
    text.replace("rate_per_s = \"unlimited\"", &format!("rate_per_s = {rate}\n{more}"))
}

/// Friday evening before the deadline.
const START: [&str; 2] = ["--start", "2027-01-29T17:00:00+01:00"];

#[test]
fn every_statement_of_the_exports_is_in_the_plan() {
    let world = World::new(&[]);
    let exports = [
        world.export("a.xml", 700, &["--employers", "7", "--corrections", "0.1", "--removals", "0.05"]),
        world.export("b.xml", 300, &["--faulty", "0.01", "--seed", "2"]),
    ];
    world.configure(|text| settings(text, "50", ""));
    let protected = world.path("a.xml.protected");
    let [a, b] = [exports[0].to_str().unwrap(), exports[1].to_str().unwrap()];
    let config = world.config();
    let arguments = [
        "plan",
        a,
        b,
        "--config",
        config.to_str().unwrap(),
        "--protected",
        protected.to_str().unwrap(),
        "--json",
        "--digital-share",
        "35%",
    ];
    // Faulty statements end it as they end check.
    let output = ends_with(1, arguments);
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    shape::holds("plan.json", &plan);
    let parts: Vec<&Value> = [&plan["all"]]
        .into_iter()
        .chain(plan["by_form"].as_object().unwrap().values())
        .chain(plan["by_employer"].as_object().unwrap().values())
        .collect();
    for part in &parts {
        let ways = ["looked_up", "paper", "held", "rejected", "not_sent"].map(|way| number(&part[way]));
        assert_eq!(number(&part["statements"]), ways.iter().sum::<u64>(), "{part}");
    }
    let all = &plan["all"];
    for (key, table) in
        [("statements", "by_form"), ("looked_up", "by_form"), ("rejected", "by_employer"), ("paper", "by_employer")]
    {
        let sum: u64 = plan[table].as_object().unwrap().values().map(|part| number(&part[key])).sum();
        assert_eq!(sum, number(&all[key]), "{key} {table}");
    }
    assert_eq!(number(&all["statements"]), 1000);
    assert!(number(&all["rejected"]) > 0 && number(&all["held"]) > 0 && number(&all["not_sent"]) > 0, "{all}");
    let digital: u64 = plan["operators"].as_array().unwrap().iter().map(|at| number(&at["statements"])).sum();
    assert_eq!(digital, (number(&all["looked_up"]) as f64 * 0.35).round() as u64);
    // Nothing left, and nothing was written into the installation.
    assert!(world.ledger().is_empty());
    assert!(!world.path("sandbox/state").exists() && !world.path("sandbox/installation.key").exists());
}

/// What FaR was asked beforehand is what a send finds.
#[test]
fn a_plan_that_asked_far_knows_where_a_send_goes() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 600, &["--employers", "5"]);
    let plan = plan(&export, &world.config(), &["--ask-far"]);
    assert!(world.ledger().is_empty(), "nothing is sent");
    assert_eq!(plan["asked_far"], true);
    let mut planned: Vec<(String, u64)> = Vec::new();
    for (place, operator) in plan["operators"].as_array().unwrap().iter().enumerate() {
        assert_eq!(operator["statements"], plan["all"]["known"][place]);
        planned.push((operator["id"].as_str().unwrap().to_owned(), number(&operator["statements"])));
    }
    assert!(planned.iter().all(|(_, count)| *count > 0), "{planned:?}");
    let report = world.send(&export, "run", 0);
    for (id, count) in &planned {
        let sent = &report["by_operator"][id]["outcomes"]["delivered"];
        assert_eq!(sent.as_u64(), Some(*count), "{id}: {}", report["by_operator"]);
    }
    let letters = number(&plan["paper"]["letters"]);
    let paper = number(&report["outcomes"]["paper"]);
    assert_eq!(letters, paper);
}

#[test]
fn the_same_plan_comes_out_the_same() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 400, &[]);
    world.configure(|text| settings(text, "20", "windows = [\"mon-fri 18:00-06:00\"]"));
    let make = || plan(&export, &world.config(), &START);
    let plan = make();
    assert_eq!(plan, make());
    // Nothing starts while it is closed: Friday's window opens at 18:00 in Sweden.
    for operator in plan["operators"].as_array().unwrap() {
        assert!(time(&operator["first"]) >= "2027-01-29T18:00:00+01:00".parse().unwrap(), "{operator}");
    }
    assert_eq!(plan["bottleneck"]["limit"], "window");
    assert!(time(&plan["bottleneck"]["without"]) < time(&plan["end"]["likely"]));
}

/// The bottleneck that is named is one that moves the end, and what is said to move it does.
#[test]
fn what_is_said_to_move_the_end_moves_it() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 2000, &[]);
    let original = std::fs::read_to_string(world.config()).unwrap();
    let with = |change: &dyn Fn(String) -> String, more: &[&str]| {
        std::fs::write(world.config(), change(original.clone())).unwrap();
        plan(&export, &world.config(), &[&START, more].concat())
    };
    let likely = |plan: &Value| time(&plan["end"]["likely"]);
    let slow = |text: String| settings(text, "7", "");
    let before = with(&slow, &[]);
    assert_eq!(before["bottleneck"]["limit"], "rate", "{}", before["bottleneck"]);
    let rate = before["bottleneck"]["remedy"]["values"][0].as_f64().unwrap();
    let after = with(&|text| settings(text, &format!("{rate:?}"), ""), &[]);
    assert!(rate > 7.0 && likely(&after) < likely(&before));
    assert_eq!(
        likely(&after),
        time(&before["bottleneck"]["remedy"]["end"]),
        "the end that was promised is the end that comes"
    );

    let few = |text: String| settings(text, "\"unlimited\"", "concurrency = 2");
    let before = with(&few, &["--latency", "200ms"]);
    assert_eq!(before["bottleneck"]["limit"], "answers", "{}", before["bottleneck"]);
    let concurrency = before["bottleneck"]["remedy"]["values"][0].as_f64().unwrap();
    let after =
        with(&|text| settings(text, "\"unlimited\"", &format!("concurrency = {concurrency}")), &["--latency", "200ms"]);
    assert!(concurrency > 2.0 && likely(&after) < likely(&before));

    let far = |text: String| text.replacen("rate_per_s = \"unlimited\"", "rate_per_s = 0.1", 1);
    let before = with(&far, &["--latency", "10ms"]);
    assert_eq!(before["bottleneck"]["limit"], "far_rate", "{}", before["bottleneck"]);

    let before = with(&|text| text, &["--latency", "1ms", "--cores", "0.1"]);
    assert_eq!(before["bottleneck"]["limit"], "processor", "{}", before["bottleneck"]);
}

#[test]
fn a_deadline_that_is_missed_is_said_with_what_would_hold_it() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 2000, &[]);
    let original = std::fs::read_to_string(world.config()).unwrap();
    let with = |rate: &str| {
        let text =
            format!("{}\n[run]\ndeadline = \"2027-01-29T17:00:30+01:00\"\n", settings(original.clone(), rate, ""));
        std::fs::write(world.config(), text).unwrap();
        plan(&export, &world.config(), &START)
    };
    let plan = with("7");
    assert_eq!(plan["deadline"]["holds"], false);
    assert!(plan["deadline"]["margin_s"].as_f64().unwrap() < 0.0);
    let rate = plan["bottleneck"]["remedy"]["values"][0].as_f64().unwrap();
    let plan = with(&format!("{rate:?}"));
    assert_eq!(plan["deadline"]["holds"], true, "{rate}/s");
}

/// An operator that ends as late as the one with the low rate, but for its slow answers, is not asked for a higher rate.
#[test]
fn only_those_whom_the_limit_holds_up_are_named() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 2000, &[]);
    world.configure(|text| {
        let mut text = text.replacen("rate_per_s", "rate_of_far", 1);
        for gate in ["10.0", "100.0 \nconcurrency = 3", "100.0 "] {
            text = text.replacen("rate_per_s = \"unlimited\"", &format!("rate_per_s = {gate}"), 1);
        }
        text.replacen("rate_of_far", "rate_per_s", 1)
    });
    let plan = plan(&export, &world.config(), &[&START, &["--latency", "280ms", "--retries", "0"][..]].concat());
    let ends: Vec<_> = plan["operators"].as_array().unwrap().iter().map(|of| time(&of["end"])).collect();
    let [one, two, _] = ends.as_slice() else { panic!("{ends:?}") };
    let start = time(&plan["start"]);
    let (one, two) = (one.duration_since(start).as_secs_f64(), two.duration_since(start).as_secs_f64());
    assert!(two < one && two > 0.9 * one, "{one} {two}");
    assert_eq!(plan["operators"][1]["limited_by"], "answers");
    assert_eq!(plan["bottleneck"]["limit"], "rate", "{}", plan["bottleneck"]);
    assert_eq!(plan["bottleneck"]["operators"], serde_json::json!(["Sandlådan Ett"]));
}

/// Each operator that would miss the deadline is named with the rate that it needs, and none with more.
#[test]
fn each_operator_is_asked_for_what_it_needs() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 2000, &[]);
    let original = std::fs::read_to_string(world.config()).unwrap();
    let with = |rates: [f64; 3], more: &[&str]| {
        let mut text = original.replacen("rate_per_s", "rate_of_far", 1);
        for rate in rates {
            text = text.replacen("rate_per_s = \"unlimited\"", &format!("rate_per_s = {rate:?} "), 1);
        }
        let text = format!(
            "{}\n[run]\ndeadline = \"2027-01-29T17:01:00+01:00\"\n",
            text.replacen("rate_of_far", "rate_per_s", 1)
        );
        std::fs::write(world.config(), text).unwrap();
        plan(&export, &world.config(), &[&START, more].concat())
    };
    let shares = ["--operator-share", "Sandlådan Ett=60%", "--operator-share", "Sandlådan Två=30%"];
    let before = with([8.0, 2.5, 50.0], &shares);
    assert_eq!(before["deadline"]["holds"], false);
    assert_eq!(before["bottleneck"]["operators"], serde_json::json!(["Sandlådan Ett", "Sandlådan Två"]));
    let values: Vec<f64> =
        before["bottleneck"]["remedy"]["values"].as_array().unwrap().iter().map(|at| at.as_f64().unwrap()).collect();
    let [one, two] = values.as_slice() else { panic!("{values:?}") };
    let after = with([*one, *two, 50.0], &shares);
    assert_eq!(after["deadline"]["holds"], true, "{values:?}");
    assert_eq!(time(&after["end"]["likely"]), time(&before["bottleneck"]["remedy"]["end"]));
    assert_eq!(with([one * 0.95, *two, 50.0], &shares)["deadline"]["holds"], false, "{values:?}");
    assert_eq!(with([*one, two * 0.95, 50.0], &shares)["deadline"]["holds"], false, "{values:?}");
    // Without a deadline that it could hold, a rate is proposed that moves the end, and not the double of it for nothing.
    let late = ["--operator-share", "Sandlådan Ett=60%", "--start", "2027-02-03T10:00"];
    let text = String::from_utf8(
        ends_with(
            0,
            [&["plan", export.to_str().unwrap(), "--config", world.config().to_str().unwrap()], &late[..]].concat(),
        )
        .stdout,
    )
    .unwrap();
    assert!(text.contains("IT HAS PASSED when the send starts"), "{text}");
}

#[test]
fn the_timeline_is_a_picture_with_its_words() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 300, &[]);
    world.configure(|text| {
        format!(
            "{}\n[run]\ndeadline = \"2027-01-29T19:10:00+01:00\"\n",
            settings(text, "20", "windows = [\"fri 18:00-06:00\"]")
        )
        .replace("Sandlådan Ett", "Ett & <Två>")
    });
    let svg = world.path("t.svg");
    let _ = plan(&export, &world.config(), &[&START[..], &["--svg", svg.to_str().unwrap()]].concat());
    let text = std::fs::read_to_string(svg).unwrap();
    let mut reader = quick_xml::Reader::from_str(&text);
    let mut depth = 0;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Start(_) => depth += 1,
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "whole");
    for words in [
        "<title",
        "<desc",
        "Ett &amp; &lt;Två&gt;",
        "deadline",
        "statements",
        "time in Sweden",
        "prefers-color-scheme:dark",
        "class=\"closed\" x",
    ] {
        assert!(text.contains(words), "{words} is missing");
    }
    assert!(!text.contains("NaN") && !text.contains("inf"));
}

#[test]
fn what_cannot_be_planned_says_why() {
    let world = World::new(&[]);
    let export = world.export("e.xml", 50, &[]);
    let (export, config) = (export.to_str().unwrap(), world.config());
    let config = config.to_str().unwrap();
    ends_with(64, ["plan"]);
    ends_with(64, ["plan", export]);
    ends_with(64, ["plan", export, "--config", config, "--digital-share", "1.5"]);
    ends_with(64, ["plan", export, "--config", config, "--digital-share", "0.5", "--ask-far"]);
    ends_with(64, ["plan", export, "--config", config, "--operator-share", "Nobody=0.5"]);
    let twice = ["--operator-share", "Sandlådan Ett=0.5", "--operator-share", "Sandlådan Ett=0.4"];
    let output = ends_with(64, [&["plan", export, "--config", config], &twice[..]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("given twice"));
    ends_with(64, ["plan", export, "--config", config, "--latency", "soon"]);
    ends_with(78, ["plan", export, "--config", export]);
    ends_with(65, ["plan", config, "--config", config]);
    ends_with(65, ["plan", export, "--config", config, "--measured", export]);
    // FaR has no sandbox at this address any more.
    world.configure(|text| {
        text.replace("https://127.0.0.1", "https://127.0.0.2")
            .replace("\n[far]\n", "\n[far]\ngive_up_after = \"1s\"\ntimeout = \"1s\"\n")
    });
    ends_with(69, ["plan", export, "--config", config, "--ask-far"]);
}
