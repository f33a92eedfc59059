//! Whoever tries the product out generates an export and checks it: what is made without faults passes, and of what is
//! made with faults exactly the faulty records are rejected, for the rule that was broken.

use crate::{run, validation};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use utskick::config::Severity;
use utskick::domain::{Digester, Form, Purpose, SchemaVersion};
use utskick::intake::{self, Access, Export};
use utskick::sandbox::generate::SCHEMA;

/// Generates an export; returns what `generate` says of it.
fn generate(path: &Path, options: &[&str]) -> Value {
    run::json(["generate", "--json", "--out", path.to_str().unwrap()].into_iter().chain(options.iter().copied()))
}

fn check(path: &Path, code: i32) -> Value {
    let output = run::ends_with(code, ["check", "--json", path.to_str().unwrap()]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_made_without_faults_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.xml");
    for version in SchemaVersion::ALL.map(SchemaVersion::as_str) {
        for profile in ["lean", "typical", "full"] {
            let options = ["--schema-version", version, "--profile", profile, "--statements", "2000", "--removals"];
            let made = generate(&path, &[&options[..], &["0.05", "--employers", "6"]].concat());
            let checked = check(&path, 0);
            assert_eq!([&checked["records"], &checked["valid"], &checked["removals"]], [2000, 1900, 100]);
            for (form, count) in made["forms"].as_object().unwrap() {
                assert_eq!(&checked["by_form"][form]["records"], count, "{form}");
            }
            assert_eq!(checked["bytes"], made["bytes"]);
            // The one thing said: that the tables of 9.0 and later are those of 8.0.
            let rules: Vec<&str> =
                checked["by_rule"].as_array().unwrap().iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
            let borrows = SchemaVersion::parse(version).unwrap().borrows_tables();
            assert_eq!(rules, if borrows { vec!["utskick.borrowed-tables"] } else { vec![] }, "{version} {profile}");
        }
    }
    // Rare forms on their own, so that each is met often.
    for form in Form::EMPLOYER.map(Form::element) {
        for profile in ["lean", "full"] {
            generate(&path, &["--forms", form, "--profile", profile, "--statements", "1000", "--seed", "7"]);
            assert_eq!(check(&path, 0)["by_rule"], serde_json::json!([]), "{form} {profile}");
        }
    }
}

#[test]
fn exactly_the_faulty_records_are_rejected_for_what_was_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.xml");
    let mut met = BTreeSet::new();
    for (seed, profile) in [("1", "lean"), ("2", "typical"), ("3", "full")] {
        let options = ["--seed", seed, "--profile", profile, "--statements", "6000", "--faulty", "0.2"];
        let made = generate(&path, &options);
        let checked = check(&path, 1);
        assert_eq!([&made["faulty"], &checked["rejected"], &checked["valid"]], [1200, 1200, 4800], "{profile}");

        let mut broken: BTreeMap<&str, u64> = BTreeMap::new();
        let said = validation::check(&path);
        for (ordinal, rules) in &said.rules {
            // What is our own comes on top: an Arendeagare that is another's (1005) is one that nobody listed.
            let rules = rules.iter().map(String::as_str).filter(|rule| !rule.starts_with("utskick."));
            let rules: BTreeSet<&str> =
                rules.map(|rule| if validation::is_schema(rule) { SCHEMA } else { rule }).collect();
            assert_eq!(rules.len(), 1, "record {ordinal} breaks {rules:?}");
            *broken.entry(rules.first().unwrap()).or_default() += 1;
        }
        assert_eq!(serde_json::json!(broken), made["faults"], "{profile}");
        met.extend(made["faults"].as_object().unwrap().keys().cloned());
    }
    assert!(met.len() > 25, "{met:?}");
}

#[test]
fn a_correction_replaces_one_earlier_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.xml");
    let made = generate(&path, &["--statements", "5000", "--corrections", "0.1"]);
    let checked = check(&path, 0);
    assert_eq!([&made["corrections"], &checked["replaced"], &checked["records"]], [500, 500, 5000]);
}

/// A digester for tests: not secret, not slow.
struct Plain;

impl Digester for Plain {
    fn digest(&self, purpose: Purpose, bytes: &[u8]) -> [u8; 16] {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        context.update(&[purpose as u8]);
        context.update(bytes);
        context.finish().as_ref()[..16].try_into().unwrap()
    }
}

#[test]
fn the_same_statements_are_read_from_every_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.xml");
    let limits =
        intake::Options { record_limit_bytes: 65_536, cross_record: Severity::Warning, threads: None, digests: true };
    let statements = |encoding: &str| {
        generate(&path, &["--statements", "2500", "--encoding", encoding]);
        let export = Export::open(&path, &Access::InPlace).unwrap();
        let mut statements = Vec::new();
        intake::read(&export, 0, 1, &limits, &Plain, &mut |batch, findings| {
            assert_eq!(findings, [], "{encoding}");
            statements.extend(batch.items.iter().map(|record| (record.key, record.content)));
            Ok(())
        })
        .unwrap();
        statements
    };
    let expected = statements("utf-8");
    assert_eq!(expected.len(), 2500);
    for encoding in ["iso-8859-1", "windows-1252", "utf-16"] {
        assert!(statements(encoding) == expected, "{encoding}");
    }
}
