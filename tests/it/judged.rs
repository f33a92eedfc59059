//! Generator and intake agree: what is made without faults is read without a finding, and of what is made with faults
//! exactly the faulty records are rejected, for the rule that was broken and for no other.

use std::collections::BTreeMap;
use std::path::Path;
use utskick::config::Severity;
use utskick::domain::{Digester, Form, Purpose, SchemaVersion};
use utskick::intake::{Access, Amendment, Checked, Export, Finding, Settler, Verdict, read};
use utskick::sandbox::generate::{self, Encoding, Options, Profile, SCHEMA, Summary};

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

struct Judged {
    made: Summary,
    records: Vec<Checked>,
    findings: Vec<Finding>,
    amendments: Vec<Amendment>,
}

impl Judged {
    fn count(&self, verdict: Verdict) -> u64 {
        self.records.iter().filter(|record| record.fate == verdict).count() as u64
    }
}

fn judge(folder: &Path, options: &Options) -> Judged {
    let path = folder.join("export.xml");
    let (made, _) = generate::to_file(options, &path, &mut |_| {}).unwrap();
    let export = Export::open(&path, &Access::InPlace).unwrap();
    let limits = utskick::intake::Options {
        record_limit_bytes: 65_536,
        cross_record: Severity::Warning,
        threads: None,
        digests: true,
    };
    let (mut records, mut findings) = (Vec::new(), Vec::new());
    let mut settler = Settler::new(Severity::Warning);
    let summary = read(&export, 0, 1, &limits, &Plain, &mut |batch, found| {
        batch.items.iter().for_each(|record| settler.push(0, record));
        records.extend(batch.items);
        findings.extend(found);
        Ok(())
    });
    assert_eq!(summary.unwrap().records, made.statements);
    let (amendments, across) = settler.finish();
    findings.extend(across);
    Judged { made, records, findings, amendments }
}

#[test]
fn nothing_is_found_in_what_is_made_without_faults() {
    let folder = tempfile::tempdir().unwrap();
    for version in SchemaVersion::ALL {
        for profile in [Profile::Lean, Profile::Typical, Profile::Full] {
            for form in Form::EMPLOYER {
                let options = Options {
                    statements: 200,
                    forms: vec![form],
                    profile,
                    removals: 0.05,
                    employers: 6,
                    seed: version as u64,
                    version,
                    ..Options::default()
                };
                let judged = judge(folder.path(), &options);
                // The one thing said: that the tables are those of another version.
                let said: Vec<&str> = judged.findings.iter().map(|finding| finding.rule.as_ref()).collect();
                let expected: &[&str] = if version.borrows_tables() { &["utskick.borrowed-tables"] } else { &[] };
                assert_eq!(said, expected, "{options:?}");
                assert_eq!((judged.count(Verdict::Removal), judged.count(Verdict::Valid)), (10, 190));
                assert_eq!(judged.amendments, []);
            }
        }
    }
}

#[test]
fn exactly_the_faulty_records_are_rejected_for_what_was_broken() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = BTreeMap::new();
    for (seed, profile) in [(1, Profile::Lean), (2, Profile::Typical), (3, Profile::Full)] {
        let options = Options { statements: 6000, seed, profile, faulty: 0.2, ..Options::default() };
        let judged = judge(folder.path(), &options);
        assert_eq!(judged.made.faulty, 1200);
        assert_eq!(judged.count(Verdict::Rejected), 1200, "{profile:?}");
        let mut rules: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        // What is our own comes on top: an Arendeagare that is another's (1005) is one that nobody listed.
        for finding in judged.findings.iter().filter(|finding| !finding.rule.starts_with("utskick.")) {
            let rule = if finding.rule.starts_with("schema.") { SCHEMA } else { &finding.rule };
            rules.entry(finding.ordinal).or_default().push(rule);
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (ordinal, rules) in rules {
            assert!(rules.iter().all(|rule| *rule == rules[0]), "record {ordinal} breaks {rules:?}");
            *counts.entry(rules[0]).or_default() += 1;
        }
        assert_eq!(counts, judged.made.faults, "{profile:?}");
        seen.extend(judged.made.faults);
    }
    assert!(seen.len() > 25, "{seen:?}");
}

#[test]
fn corrections_replace_one_earlier_record_each() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { statements: 5000, corrections: 0.1, ..Options::default() };
    let judged = judge(folder.path(), &options);
    assert_eq!(judged.made.corrections, 500);
    assert_eq!(judged.amendments.len(), 500);
}

#[test]
fn every_encoding_is_read_as_the_same_statements() {
    let folder = tempfile::tempdir().unwrap();
    let of = |encoding| {
        let judged = judge(folder.path(), &Options { statements: 3000, encoding, ..Options::default() });
        assert_eq!(judged.findings, []);
        judged.records.iter().map(|record| (record.key, record.content)).collect::<Vec<_>>()
    };
    let expected = of(Encoding::Utf8);
    for encoding in [Encoding::Latin1, Encoding::Windows1252, Encoding::Utf16] {
        assert!(of(encoding) == expected, "{encoding:?}");
    }
}
