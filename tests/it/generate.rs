//! Whoever wants to try or measure needs an export: `generate` makes one that is right, the same every time, at any
//! size.

use crate::{referee, run};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use utskick::domain::{Form, Identity};

/// Generates into a folder; returns the summary.
#[track_caller]
fn generate(folder: &Path, name: &str, options: &[&str]) -> Value {
    let out = folder.join(name);
    run::json(["generate", "--json", "--out", out.to_str().unwrap()].into_iter().chain(options.iter().copied()))
}

/// The texts of an element in an export, in order.
fn texts<'a>(export: &'a str, element: &str) -> Vec<&'a str> {
    let open = format!("<ku:{element}");
    export
        .match_indices(&open)
        .filter_map(|(place, _)| {
            let rest = &export[place + open.len()..];
            let start = matches!(rest.as_bytes()[0], b'>' | b' ').then(|| rest.find('>'))??;
            Some(&rest[start + 1..start + 1 + rest[start + 1..].find('<')?])
        })
        .collect()
}

#[test]
fn the_official_schema_accepts_every_form_profile_version_and_encoding() {
    let Some(_) = referee::command("xmllint") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut exports = Vec::new();
    for profile in ["lean", "typical", "full"] {
        exports.push((vec!["--profile", profile, "--statements", "10000", "--corrections", "0.1"], "8.0"));
    }
    for form in Form::EMPLOYER {
        let options = vec!["--forms", form.element(), "--statements", "1500", "--profile", "full", "--removals", "0.1"];
        exports.push((options, "8.0"));
    }
    exports.push((vec!["--statements", "2000", "--schema-version", "7.0", "--employers", "40"], "7.0"));
    for encoding in ["iso-8859-1", "windows-1252", "utf-16"] {
        exports.push((vec!["--statements", "2500", "--encoding", encoding, "--seed", "3"], "8.0"));
    }
    for (number, (options, version)) in exports.iter().enumerate() {
        let schema =
            format!("spec/kontrolluppgift/schemas/kontrolluppgifter_{version}/instans/Kontrolluppgifter_{version}.xsd");
        let Some(schema) = referee::shared(&schema) else { return };
        let name = format!("{number}.xml");
        generate(folder.path(), &name, options);
        let mut xmllint = referee::command("xmllint").unwrap();
        let verdict =
            xmllint.args(["--noout", "--stream", "--schema"]).arg(&schema).arg(folder.path().join(&name)).output();
        let verdict = verdict.unwrap();
        assert!(verdict.status.success(), "{options:?}\n{}", String::from_utf8_lossy(&verdict.stderr));
    }
}

#[test]
fn the_schema_refuses_an_export_with_faults() {
    let Some(mut xmllint) = referee::command("xmllint") else { return };
    let schema = "spec/kontrolluppgift/schemas/kontrolluppgifter_8.0/instans/Kontrolluppgifter_8.0.xsd";
    let Some(schema) = referee::shared(schema) else { return };
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(folder.path(), "a.xml", &["--statements", "2000", "--faulty", "0.5"]);
    assert!(summary["faults"]["schema"].as_u64() > Some(0));
    let verdict = xmllint.args(["--noout", "--schema"]).arg(schema).arg(folder.path().join("a.xml")).output().unwrap();
    assert_eq!(verdict.status.code(), Some(3), "{}", String::from_utf8_lossy(&verdict.stderr));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| {
        let path = folder.path().join(name);
        [std::fs::read(&path).unwrap(), std::fs::read(path.with_extension("xml.protected")).unwrap()]
    };
    let options = ["--statements", "3000", "--faulty", "0.1", "--corrections", "0.05", "--removals", "0.05"];
    let summary = generate(folder.path(), "a.xml", &options);
    generate(folder.path(), "b.xml", &options);
    assert_eq!(read("a.xml"), read("b.xml"));
    generate(folder.path(), "c.xml", &[&options[..], &["--seed", "2"]].concat());
    assert_ne!(read("a.xml"), read("c.xml"));

    // On any machine: this digest was taken once, and changes only with the generator itself.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &read("a.xml")[0]);
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "2b43c7a772c65547afc5a4563c74ab26c8bb6d321fadba02f3cdd3fc8a988e36", "{summary:#}");
}

#[test]
fn the_summary_counts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "--statements",
        "5000",
        "--employers",
        "9",
        "--seed",
        "11",
        "--faulty",
        "0.02",
        "--corrections",
        "0.03",
        "--removals",
        "0.01",
    ];
    let summary = generate(folder.path(), "a.xml", &options);
    let export = std::fs::read_to_string(folder.path().join("a.xml")).unwrap();
    assert_eq!(summary["bytes"], export.len());
    assert_eq!(summary["statements"], 5000);
    assert_eq!(texts(&export, "Blankett").len(), 5000);
    assert_eq!(
        [&summary["faulty"], &summary["corrections"], &summary["removals"]].map(Value::as_u64),
        [Some(100), Some(150), Some(50)]
    );
    // A fault of its own is a Borttag too many.
    let stray = summary["faults"]["055"].as_u64().unwrap_or_default();
    assert_eq!(texts(&export, "Borttag").len() as u64, 50 + stray);

    let sum = |of: &Value| of.as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!(sum(&summary["forms"]), 5000);
    assert_eq!(sum(&summary["recipients"]), 5000);
    assert_eq!(sum(&summary["faults"]), 100);
    for (form, count) in summary["forms"].as_object().unwrap() {
        assert_eq!(texts(&export, form).len() as u64, count.as_u64().unwrap(), "{form}");
    }
    assert!(summary["forms"]["KU10"].as_u64() > Some(3500), "mostly KU10");
    for kind in ["personnummer", "minor", "samordningsnummer", "organisationsnummer", "fodelsetid", "annat_id"] {
        assert!(summary["recipients"][kind].as_u64() > Some(0), "{kind}");
    }
    let employers = summary["employers"].as_array().unwrap();
    assert_eq!(employers.len(), 9);
    assert_eq!(employers.iter().filter_map(|employer| employer["statements"].as_u64()).sum::<u64>(), 5000);
    let ids: HashSet<&str> = texts(&export, "UppgiftslamnarId").into_iter().collect();
    assert_eq!(ids, employers.iter().filter_map(|employer| employer["id"].as_str()).collect());
}

#[test]
fn without_faults_every_identity_is_right_and_no_key_comes_twice() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), "a.xml", &["--statements", "20000", "--removals", "0.05"]);
    let export = std::fs::read_to_string(folder.path().join("a.xml")).unwrap();
    let mut keys = HashSet::new();
    let mut named = 0;
    for record in export.split("<ku:Blankett ").skip(1) {
        let one = |element| texts(record, element).first().copied();
        if let Some(recipient) = one("Inkomsttagare") {
            Identity::parse(recipient).unwrap();
        }
        Identity::parse(one("UppgiftslamnarId").unwrap()).unwrap();
        assert_eq!(one("UppgiftslamnarId"), one("Arendeagare"));
        assert_eq!(one("Inkomstar"), one("Period"));
        named += usize::from(one("Efternamn").is_some());
        let identity = ["Inkomsttagare", "Fodelsetid", "AnnatIDNr"].map(one);
        assert_eq!(identity.iter().flatten().count(), 1);
        let form = record.split("<ku:Blankettinnehall>").nth(1).unwrap().trim_start().get(4..8).unwrap();
        assert!(keys.insert((one("UppgiftslamnarId"), form, identity, one("Specifikationsnummer"))), "{record}");
    }
    assert_eq!(keys.len(), 20_000);
    assert!(named > 15_000);
    for letters in ["åäö", "łšćžđ"] {
        assert!(texts(&export, "Efternamn").iter().any(|name| name.chars().any(|letter| letters.contains(letter))));
    }
    let rare = texts(&export, "Efternamn").iter().filter(|name| name.chars().any(|letter| letter > '\u{17f}')).count();
    assert!((1..100).contains(&rare), "{rare} names beyond Latin Extended-A");
}

#[test]
fn protected_recipients_are_listed_beside_the_export() {
    let folder = tempfile::tempdir().unwrap();
    for statements in ["30", "10000"] {
        let summary = generate(folder.path(), "a.xml", &["--statements", statements]);
        let export = std::fs::read_to_string(folder.path().join("a.xml")).unwrap();
        let listed = std::fs::read_to_string(folder.path().join("a.xml.protected")).unwrap();
        let recipients: HashSet<&str> = texts(&export, "Inkomsttagare").into_iter().collect();
        assert_eq!(summary["protected"], listed.lines().count());
        assert!(!listed.is_empty());
        assert!(listed.lines().all(|id| recipients.contains(id)));
    }
}

#[test]
fn memory_does_not_grow_with_the_statements() {
    let folder = tempfile::tempdir().unwrap();
    let peak = |statements: &str| {
        let out = folder.path().join("a.xml");
        let mut child = run::utskick(["generate", "--statements", statements, "--profile", "lean"])
            .args(["--employers", "50", "--out"])
            .arg(out)
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // The high-water mark as last seen before the end.
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
            peak = peak.max(kibibytes.unwrap_or(0_u64));
        }
        assert!(child.wait().unwrap().success());
        peak
    };
    let (few, many) = (peak("20000"), peak("200000"));
    // 180,000 statements more, and not as much as twelve bytes of each are remembered.
    assert!(many < few + 2048, "{few} KiB for 20,000 statements, {many} KiB for 200,000");
}

#[test]
fn an_export_takes_its_name_only_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.xml");
    std::fs::write(&out, "an older export").unwrap();
    generate(folder.path(), "a.xml", &["--statements", "10"]);
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("<?xml"));

    // The name of the second file is taken by a folder: neither file appears, nothing is left behind.
    std::fs::create_dir(folder.path().join("b.xml.protected")).unwrap();
    let blocked = folder.path().join("b.xml");
    let output = run::ends_with(74, ["generate", "--statements", "10", "--out", blocked.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.xml.protected"));
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.xml", "a.xml.protected", "b.xml.protected"]);

    let nowhere = folder.path().join("no-such-folder/a.xml");
    run::ends_with(74, ["generate", "--statements", "10", "--out", nowhere.to_str().unwrap()]);
}

#[test]
fn wrong_wishes_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.xml");
    for wrong in [
        &["--statements", "0"][..],
        &["--statements", "10", "--forms", "KU55"],
        &["--statements", "10", "--faulty", "1.5"],
        &["--statements", "10", "--faulty", "0.6", "--removals", "0.6"],
        &["--statements", "10", "--employers", "0"],
        &["--statements", "10", "--schema-version", "6.0"],
    ] {
        run::ends_with(64, ["generate", "--out", out.to_str().unwrap()].into_iter().chain(wrong.iter().copied()));
        assert!(!out.exists());
    }
}
