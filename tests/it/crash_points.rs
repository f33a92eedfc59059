//! The process dies at every boundary of a statement's path, and a resume finishes what it began: nothing lost, nothing
//! sent twice, no letter in two bundles.
//!
//! `UTSKICK_ROUNDS` gives how many random passings of each boundary are tried beside its first and middle one;
//! `UTSKICK_SEED` repeats a walk.

use crate::nights::{Policy, Season, seed, setting};
use crate::run::utskick;
use std::collections::BTreeSet;
use std::path::Path;
use utskick::watch::crash::POINTS;

const STATEMENTS: u64 = 60;

#[test]
fn every_boundary_is_survived() {
    let mut random = fastrand::Rng::with_seed(seed());
    let rounds = setting("UTSKICK_ROUNDS", 1);
    // A little latency, so that requests are under way side by side when the process dies.
    let season = Season::new(STATEMENTS, &["--latency", "4", "--jitter", "4"]);
    let mut cases = Vec::new();
    for point in POINTS {
        let by_send = season.passed[0].get(*point).copied().unwrap_or(0);
        let by_report = season.passed[1].get(*point).copied().unwrap_or(0);
        let reporting = by_send == 0;
        let passings = by_send.max(if reporting { by_report } else { 0 });
        assert!(passings > 0, "{point} is a boundary that nothing passes");
        let mut counts = BTreeSet::from([1, passings.div_ceil(2)]);
        counts.extend((0..rounds).map(|_| random.u64(1..=passings)));
        for count in counts {
            let policy = if random.bool() { Policy::Hold } else { Policy::Resend };
            // Some die again at the same boundary when they are resumed.
            cases.push((*point, count, policy, random.bool(), reporting));
        }
    }
    eprintln!("{} nights over {} boundaries", cases.len(), POINTS.len());
    season.side_by_side(cases, |(point, count, policy, twice, reporting)| {
        let mut night = season.night(&format!("{point}-{count}"), policy);
        let plan = format!("{point}:{count}");
        if reporting {
            assert!(!night.died(night.send()));
            assert!(night.died(with(night.report(), &plan)), "{plan} was not reached");
            // It did not touch what it reports on.
            night.deaths = 0;
        } else {
            assert!(night.died(with(night.send(), &plan)), "{plan} was not reached");
            if twice {
                night.died(with(night.go_on(), &format!("{point}:1")));
            }
            night.settle();
        }
        night.hold_to_account();
        night.reports_whole();
        night.clear();
    });
    season.close();
}

fn with(mut command: std::process::Command, plan: &str) -> std::process::Command {
    command.env("UTSKICK_CRASH", plan);
    command
}

#[test]
fn a_crash_that_cannot_happen_is_refused() {
    for wrong in ["nowhere:1", "signed", "signed:0", ""] {
        let output = with(utskick(["status", "/nowhere"]), wrong).output().expect("starts");
        assert_eq!(output.status.code(), Some(64), "{wrong}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("intent_synced"), "the names are told");
    }
}

/// A boundary that the code passes and the list does not have would never be walked.
#[test]
fn the_list_of_boundaries_is_complete() {
    let mut passed = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let calls = text.split("crash::point(\"").skip(1);
                passed.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }
    assert!(passed.len() > 10, "{passed:?}");
    let unlisted: Vec<_> = passed.iter().filter(|name| !POINTS.contains(&name.as_str())).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
}
