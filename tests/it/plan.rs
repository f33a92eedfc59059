//! Will it fit? A planner is told beforehand what a send takes.

use crate::run::{ends_with, json, utskick};
use crate::shape;

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
