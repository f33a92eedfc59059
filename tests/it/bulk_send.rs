//! Operations sends the year's statements, and every one of them is accounted for, on both sides.

use crate::world::{World, count};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeSet;
use tempfile::TempPath;

#[test]
fn every_statement_ends_and_the_gateways_agree() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 600, &["--faulty", "0.01", "--removals", "0.01"]);
    let report = world.send(&export, "run", 1);
    assert_eq!(report["statements"], 600);
    let delivered = count(&report, "delivered") + count(&report, "delivered_and_paper");
    assert!(delivered > 300, "{report}");
    assert!(count(&report, "paper") > 50, "{report}");
    assert!(count(&report, "rejected") > 0 && count(&report, "removal") > 0, "{report}");
    for none in ["in_doubt", "pending", "failed"] {
        assert_eq!(count(&report, none), 0, "{none}: {report}");
    }
    let accepted = world.accepted();
    assert_eq!(accepted.len() as u64, delivered);
    assert!(accepted.values().all(|times| *times == 1));
    // Connections live long: each carries many requests.
    let shaken: u64 = report["handshakes"]
        .as_object()
        .expect("handshakes by gateway")
        .values()
        .map(|of| of["full"].as_u64().unwrap_or(0) + of["resumed"].as_u64().unwrap_or(0))
        .sum();
    assert!((4..delivered).contains(&shaken), "{shaken} handshakes: {report}");
}

#[test]
fn the_same_export_again_sends_nothing_and_says_so() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 200, &[]);
    let first = world.send(&export, "first", 0);
    let sent = count(&first, "delivered") + count(&first, "paper");
    let before = world.ledger().len();
    let second = world.send(&export, "second", 0);
    assert_eq!(count(&second, "already_sent"), sent, "{second}");
    assert_eq!(count(&second, "delivered") + count(&second, "paper"), 0, "{second}");
    assert_eq!(world.ledger().len(), before);
}

#[test]
fn protected_recipients_are_held() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 400, &[]);
    let list = world.path("export.xml.protected");
    let protected: Vec<String> = std::fs::read_to_string(&list).expect("a list").lines().map(str::to_owned).collect();
    assert!(!protected.is_empty());
    let output = world.send_command(&export, "run").arg("--protected").arg(&list).output().expect("send starts");
    let report = world.report_of(output, 0);
    assert!(count(&report, "held") >= protected.len() as u64, "{report}");
    let reached: Vec<_> =
        world.ledger().iter().map(|line| line["recipient"].as_str().unwrap_or("").to_owned()).collect();
    assert!(protected.iter().all(|id| !reached.contains(id)), "a protected recipient was sent to");
}

/// Whoever is on the list by any of their identities gets nothing, neither in a mailbox nor on paper, whether the run
/// is sent at one go or resumed; and a plan knows it.
#[test]
fn protected_recipients_are_held_whatever_identity_is_listed() {
    let world = World::new(&["--no-mailbox", "0.2"]);
    world.configure(|settings| settings.replace("digital-else-paper", "digital-and-paper"));
    let export = world.export("export.xml", 400, &["--forms", "KU10", "--employers", "3"]);
    let several = with_several_identities(&std::fs::read_to_string(&export).expect("an export"));
    std::fs::write(&export, &several.export).expect("written");
    let list = world.path("list");
    std::fs::write(&list, several.listed.iter().map(|one| format!("{}\n", one.line)).collect::<String>()).unwrap();
    assert!(several.listed.len() > 30 && several.unlisted.len() > 30);

    let plan = crate::run::utskick(["plan", "--json", "--digital-share", "50%", "--protected"])
        .args([&list, &export])
        .arg("--config")
        .arg(world.config())
        .output()
        .expect("plan starts");
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).expect("a plan");
    assert_eq!(plan["all"]["held"], several.listed.len(), "{plan}");

    // It dies while it reads the export, and is resumed.
    let mut send = world.send_command(&export, "run");
    let died = send.arg("--protected").arg(&list).env("UTSKICK_CRASH", "parsed:200").output().expect("send starts");
    assert_eq!(died.status.code(), None, "{}", String::from_utf8_lossy(&died.stderr));
    let report = world.resume("run", 0);
    assert_eq!(count(&report, "held"), several.listed.len() as u64, "{report}");
    let letters = ordinals_in_bundles(&world, "run");
    let ledger = world.ledger();
    let reached: BTreeSet<&str> = ledger.iter().filter_map(|line| line["recipient"].as_str()).collect();
    for one in &several.listed {
        assert!(!reached.contains(one.number.as_str()), "{} was sent", one.line);
        assert!(!letters.contains(&one.ordinal), "{} was printed", one.line);
    }
    for one in &several.unlisted {
        assert!(letters.contains(&one.ordinal), "who is not on the list gets a letter: {}", one.line);
    }
    for one in several.listed.iter().take(14).chain(several.unlisted.iter().take(14)) {
        let id = one.line.trim_start_matches('=').split('#').next().expect("an id").trim();
        let found = crate::run::utskick(["find", "--json", "--person-id", id]).arg(world.path("run")).output().unwrap();
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).expect("an answer");
        let ordinals: Vec<_> = found["statements"].as_array().unwrap().iter().map(|of| &of["ordinal"]).collect();
        assert_eq!(ordinals, [one.ordinal], "who is in the record as {id} is found by it");
    }
}

/// The operator may yet say of what is in doubt that the recipient is protected.
#[test]
fn what_is_in_doubt_is_printed_once_it_is_settled_as_delivered() {
    let rule = scenario("at = \"operators\"\nplay = \"close\"\nshare = 0.3\naccepted = 0.5\n");
    let world = World::new(&["--no-mailbox", "0", "--protected-identity", "0.2", "--scenario", rule.to_str().unwrap()]);
    world.configure(|settings| settings.replace("digital-else-paper", "digital-and-paper"));
    let export = world.export("export.xml", 200, &["--addressable"]);
    let report = world.send(&export, "run", 1);
    let in_doubt: BTreeSet<u64> =
        report["in_doubt"].as_array().unwrap().iter().map(|of| of["ordinal"].as_u64().unwrap()).collect();
    assert_eq!((count(&report, "in_doubt"), in_doubt.len() > 9), (in_doubt.len() as u64, true));
    let printed = ordinals_in_bundles(&world, "run");
    assert!(printed.len() > 30 && printed.is_disjoint(&in_doubt), "{printed:?} and {in_doubt:?}");

    let run = world.path("run");
    // No later run prints what has left for a mailbox.
    let purge = |more: &[&str]| crate::run::utskick(["purge", "--yes"]).args(more).arg(&run).output().unwrap();
    let refused = purge(&["--even-pending"]);
    assert_eq!(refused.status.code(), Some(64));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains(&format!("{} letters on paper wait", in_doubt.len())), "{said}");
    let some = in_doubt.first().unwrap().to_string();
    let text = std::fs::read_to_string(&export).unwrap();
    let record = text.split("<ku:Blankett ").nth(some.parse().unwrap()).unwrap();
    let person = record.split_once("faltkod=\"215\">").unwrap().1.get(..12).unwrap();
    let found = crate::run::utskick(["find", "--person-id", person]).arg(&run).output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout);
    assert!(found.contains("Its letter on paper waits until that is settled."), "{found}");
    let settled = crate::run::utskick(["resolve", "--as", "delivered"]).arg(&run).output().unwrap();
    assert_eq!(settled.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&settled.stderr).contains("print what waits"), "{settled:?}");
    let report = world.resume("run", 0);
    assert_eq!((count(&report, "in_doubt"), count(&report, "pending")), (0, 0));
    let printed = ordinals_in_bundles(&world, "run");
    assert_eq!(count(&report, "delivered_and_paper") + count(&report, "paper"), printed.len() as u64);
    assert!(printed.is_superset(&in_doubt));
}

/// A recipient of an export.
struct Recipient {
    ordinal: u64,
    number: String,
    /// How they would stand in a list.
    line: String,
}

/// An export with recipients that have more than one identity, or their number in 224; some of them are listed.
struct Several {
    export: String,
    listed: Vec<Recipient>,
    unlisted: Vec<Recipient>,
}

fn with_several_identities(export: &str) -> Several {
    let given =
        |faltkod: &str, element: &str, id: &str| format!("<ku:{element} faltkod=\"{faltkod}\">{id}</ku:{element}>");
    let other = |id: &str| given("224", "AnnatIDNr", id);
    let mut pieces = export.split("<ku:Blankett ");
    let mut several =
        Several { export: pieces.next().expect("a head").to_owned(), listed: Vec::new(), unlisted: Vec::new() };
    let mut turn = 0;
    for (ordinal, record) in (1..).zip(pieces) {
        let number = record.split_once("faltkod=\"215\">").and_then(|(_, rest)| rest.get(..12)).unwrap_or_default();
        // People with one statement, and with an address, which the rules want beside 222 and 224.
        let fit = number.starts_with("19") && number.get(6..7) < Some("4") && record.contains("faltkod=\"218\"");
        if !fit || export.matches(number).count() > 1 || record.contains("faltkod=\"252\"") {
            several.export += &format!("<ku:Blankett {record}");
            continue;
        }
        let (first, last) = number.split_at(8);
        let (short, id, pnr) = (&first[2..], format!("SE-{ordinal}"), given("215", "Inkomsttagare", number));
        let (identities, line) = match turn % 7 {
            0 => (pnr.clone() + &other(&id), format!("={id}")),
            1 => (given("222", "Fodelsetid", &number[..11]) + &other(&id), format!("= {} # remark", id.to_lowercase())),
            2 => (other(&format!("{first}-{last}")), number.to_owned()),
            3 => (other(&format!("{short}-{last}")), format!("={short}-{last}")),
            4 => (other(&format!(" {short}{last} ")), format!("{first}-{last}")),
            5 => (given("222", "Fodelsetid", &number[..11]) + &other(&id), number[..11].to_owned()),
            _ => {
                let tin = given("076", "LandskodTIN", "DK") + &given("252", "TIN", &id);
                (pnr.clone() + &tin, format!("={id}"))
            }
        };
        several.export += &format!("<ku:Blankett {}", record.replace(&pnr, &identities));
        let of = if turn / 7 % 2 == 0 { &mut several.listed } else { &mut several.unlisted };
        of.push(Recipient { ordinal, number: number.to_owned(), line });
        turn += 1;
    }
    several
}

#[test]
fn a_run_that_is_finished_does_nothing_when_resumed() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 50, &[]);
    let first = world.send(&export, "run", 0);
    let before = world.ledger().len();
    let again = world.resume("run", 0);
    assert_eq!(first["outcomes"], again["outcomes"]);
    assert_eq!(world.ledger().len(), before);
}

#[test]
fn both_ways_and_never_a_protected_recipient() {
    // A tenth of the recipients is protected by the operator's word (fault 6006), which no list of ours knows.
    let world = World::new(&["--protected-identity", "0.1", "--no-mailbox", "0.1"]);
    world.configure(|settings| settings.replace("digital-else-paper", "digital-and-paper"));
    let export = world.export("export.xml", 300, &[]);
    let report = world.send(&export, "run", 0);
    let both = count(&report, "delivered_and_paper");
    assert!(both > 100, "{report}");
    assert_eq!(world.accepted().len() as u64, both);
    let protected: u64 =
        world.ledger().iter().filter(|line| line["reason"].to_string().contains("6006")).count() as u64;
    assert!(protected > 5, "{report}");
    assert_eq!(count(&report, "held"), protected, "{report}");
    let letters = both + count(&report, "paper");
    assert_eq!(letters_in_bundles(&world, "run"), letters, "a letter is in a bundle that should not be, or is not");
}

#[test]
fn a_correction_of_what_an_earlier_run_sent_is_a_letter_of_its_own() {
    let world = World::new(&["--no-mailbox", "0"]);
    let first = world.export("first.xml", 120, &["--seed", "5"]);
    world.send(&first, "first", 0);
    let sent = world.accepted().len();
    // The same statements with another amount: what stood in the first kronor field of each is one krona more.
    let text = std::fs::read_to_string(&first).expect("an export");
    let corrected = text.replace("faltkod=\"031\">", "faltkod=\"031\">1");
    assert_ne!(text, corrected);
    let second = world.path("second.xml");
    std::fs::write(&second, corrected).expect("written");
    let report = world.send(&second, "second", 0);
    let again = world.accepted().len() - sent;
    assert!(again > 0, "{report}");
    assert!(count(&report, "already_sent") > 0, "{report}");
    assert!(world.accepted().values().all(|times| *times == 1), "a correction has an id of its own");
}

#[test]
fn too_many_rejects_stop_the_run_before_anything_is_sent() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 300, &["--faulty", "0.1"]);
    let output = world.send_command(&export, "run").output().expect("send starts");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--accept-rejects"));
    assert!(world.ledger().is_empty(), "something was sent");
    let rejects = std::fs::read_to_string(world.path("run/rejects.tsv")).expect("rejects");
    assert!(rejects.lines().count() > 30);
    // Who asks afterwards is told the same.
    let told = |command: &str, code: i32| {
        let (run, page) = (world.path("run"), world.path("report.html"));
        let [run, page] = [&run, &page].map(|path| path.to_str().unwrap());
        let json: serde_json::Value =
            serde_json::from_slice(&crate::run::ends_with(code, [command, run, "--json"]).stdout).unwrap();
        crate::shape::holds(&format!("{command}.json"), &json);
        assert_eq!(json["awaits_acceptance"], true, "{json}");
        let html = if command == "report" { &["--html", page][..] } else { &[] };
        let text = crate::run::ends_with(code, [&[command, run], html].concat()).stdout;
        assert!(String::from_utf8_lossy(&text).contains("--accept-rejects"));
    };
    told("status", 0);
    told("report", 1);
    assert!(std::fs::read_to_string(world.path("report.html")).unwrap().contains("--accept-rejects"));
    let output = world.send_command(&export, "run").arg("--accept-rejects").output().expect("send starts");
    let report = world.report_of(output, 1);
    assert_eq!(count(&report, "rejected"), 30, "{report}");
    assert_eq!(report["awaits_acceptance"], false);
    assert!(!world.ledger().is_empty());
}

#[test]
fn what_is_found_across_records_is_among_the_rejects() {
    let world = World::new(&[]);
    world.configure(|settings| settings + "\n[run]\ncross_record = \"error\"\n");
    let (first, second) = (world.export("first.xml", 5, &[]), world.export("second.xml", 5, &["--seed", "2"]));
    let text = std::fs::read_to_string(&second).expect("an export");
    let end = text.find("</ku:Blankett>").expect("a record") + "</ku:Blankett>".len();
    let begin = text.find("<ku:Blankett ").expect("a record");
    std::fs::write(&second, format!("{}{}", &text[..end], &text[begin..])).expect("written");
    let rejects = world.path("rejects.tsv");
    let mut check = crate::run::utskick(["check", "--config"]);
    check.arg(world.config()).arg("--rejects").arg(&rejects).args([&first, &second]);
    assert_eq!(check.output().expect("starts").status.code(), Some(1));
    let checked = std::fs::read_to_string(&rejects).expect("rejects");
    let lines: Vec<Vec<&str>> = checked.lines().map(|line| line.split('\t').collect()).collect();
    let [head, repeated, again] = &lines[..] else { panic!("{checked}") };
    assert_eq!((head[0], head[4], head[7], head[8]), ("ordinal", "rule", "export", "offset"));
    for (line, ordinal, record) in [(repeated, "6", begin), (again, "7", end)] {
        // Without what stands in a record.
        assert_eq!((line[0], line[1], line[3], line[7]), (ordinal, "", "", "2"), "{checked}");
        let offset: usize = line[8].parse().expect("an offset");
        assert!((record..record + 1000).contains(&offset), "{checked}");
    }
    let mut send = world.send_command(&first, "run");
    assert_eq!(send.arg(&second).output().expect("starts").status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(world.path("run/rejects.tsv")).expect("rejects"), checked);
}

#[test]
fn what_is_wrong_has_its_exit_code() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 20, &[]);
    let code = |mut command: std::process::Command| command.output().expect("starts").status.code();
    let not_xml = world.path("not.xml");
    std::fs::write(&not_xml, "#DATA_START\n#PROGRAM x\n").expect("written");
    assert_eq!(code(world.send_command(&not_xml, "unreadable")), Some(65));
    assert_eq!(code(world.send_command(&world.path("missing.xml"), "missing")), Some(65));
    assert_eq!(code(crate::run::utskick(["send", "--nonsense"])), Some(64));
    assert_eq!(code(crate::run::utskick(["resume", "/nonexistent"])), Some(64));
    world.configure(|settings| format!("surprise = 1\n{settings}"));
    assert_eq!(code(world.send_command(&export, "settings")), Some(78));
    assert!(world.ledger().is_empty());
}

#[test]
fn a_gateway_that_refuses_us_stops_its_queue_and_loses_nothing() {
    let world =
        World::new(&["--scenario", scenario("at = \"operators\"\nplay = \"fault-5002\"\n").to_str().expect("a path")]);
    let export = world.export("export.xml", 100, &[]);
    let report = world.send(&export, "run", 69);
    assert!(count(&report, "pending") > 20, "{report}");
    assert_eq!(count(&report, "failed"), 0, "{report}");
    assert!(world.accepted().is_empty());
    // It accepts us again: a resume sends the rest.
    let mut world = world;
    world.restart_sandbox(&[]);
    let report = world.resume("run", 0);
    let delivered = count(&report, "delivered");
    assert_eq!(world.accepted().len() as u64, delivered);
    assert!(delivered > 20, "{report}");
}

#[test]
fn answers_that_never_come_are_in_doubt_and_are_not_sent_again() {
    let rule = "at = \"operators\"\nplay = \"close\"\nshare = 0.1\naccepted = 0.5\n";
    let world = World::new(&["--scenario", scenario(rule).to_str().expect("a path")]);
    let export = world.export("export.xml", 200, &[]);
    let report = world.send(&export, "run", 1);
    let in_doubt = count(&report, "in_doubt");
    assert!(in_doubt > 3, "{report}");
    let mut ids: Vec<String> =
        world.ledger().iter().map(|line| line["message_id"].as_str().unwrap_or_default().to_owned()).collect();
    let requests = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), requests, "a statement in doubt was sent again");
}

#[test]
fn a_busy_operator_is_asked_again_until_everything_is_delivered() {
    let world = World::new(&["--share-429", "0.1", "--share-503", "0.1"]);
    let export = world.export("export.xml", 120, &[]);
    let report = world.send(&export, "run", 0);
    let delivered = count(&report, "delivered");
    assert!(delivered > 50, "{report}");
    let accepted = world.accepted();
    assert_eq!(accepted.len() as u64, delivered);
    assert!(accepted.values().all(|times| *times == 1));
}

/// A scenario of one rule, in a file that a sandbox reads when it starts.
fn scenario(rule: &str) -> TempPath {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    std::fs::write(file.path(), format!("[[rule]]\n{rule}")).expect("written");
    file.into_temp_path()
}

/// Ordinals of the letters in all bundles of a run, as the print supplier finds them.
fn ordinals_in_bundles(world: &World, run: &str) -> BTreeSet<u64> {
    let read = |file: &str| std::fs::read(world.path("sandbox/pki").join(file)).expect("a key of the sandbox");
    let certificate = CertificateDer::from_pem_slice(&read("print-supplier.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&read("print-supplier.key.pem")).expect("a key");
    let mut ordinals = BTreeSet::new();
    for file in std::fs::read_dir(world.path(run).join("paper")).expect("bundles") {
        let bytes = std::fs::read(file.expect("a bundle").path()).expect("a bundle");
        let zip = utskick::sandbox::cms::open(&bytes, &certificate, key.secret_der()).expect("decrypts");
        let zip = zip::ZipArchive::new(std::io::Cursor::new(zip)).expect("a zip");
        ordinals.extend(
            zip.file_names().filter_map(|name| name.expect("a name").strip_suffix(".pdf")?.parse::<u64>().ok()),
        );
    }
    ordinals
}

/// Letters in all bundles of a run, counted by the report; each bundle that it names is there.
fn letters_in_bundles(world: &World, run: &str) -> u64 {
    let folder = world.path(run).join("paper");
    let files = std::fs::read_dir(&folder).map(|entries| entries.count()).unwrap_or(0);
    let report = crate::run::json(["report", "--json", world.path(run).to_str().expect("a path")]);
    let bundles = report["bundles"].as_array().expect("bundles");
    assert_eq!(bundles.len(), files, "{report}");
    bundles.iter().map(|bundle| bundle["letters"].as_u64().expect("letters")).sum()
}

#[test]
fn check_shakes_hands_with_every_gateway_before_anything_is_sent() {
    let mut world = World::new(&[]);
    let export = world.export("export.xml", 10, &[]);
    let check = |world: &World| {
        let mut command = crate::run::utskick(["check", "--json", "--config"]);
        let output = command.arg(world.config()).arg(&export).output().expect("check starts");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let (code, text) = check(&world);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("good: handshake").count(), 4, "FaR and three operators: {text}");
    assert_eq!(text.matches("good: key").count(), 3, "{text}");
    world.restart_sandbox(&["--scenario", scenario("at = \"b\"\nplay = \"expired\"\n").to_str().expect("a path")]);
    let (code, text) = check(&world);
    assert_eq!(code, Some(69), "{text}");
    assert_eq!(text.matches("WRONG: handshake").count(), 1, "{text}");
    assert!(world.ledger().is_empty());
}

#[test]
fn an_export_that_would_be_refused_whole_is_not_sent() {
    let world = World::new(&[]);
    let export = world.export("export.xml", 30, &[]);
    let text = std::fs::read_to_string(&export).expect("an export");
    let (before, after) = text.split_once("Epostadress>").expect("a sender's address");
    let (_, after) = after.split_once('<').expect("its end");
    std::fs::write(&export, format!("{before}Epostadress>nobody<{after}")).expect("written");
    let output = world.send_command(&export, "run").output().expect("send starts");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(world.ledger().is_empty(), "something was sent");
    let output = world.send_command(&export, "run").arg("--accept-rejects").output().expect("send starts");
    let report = world.report_of(output, 0);
    assert_eq!(count(&report, "rejected"), 0, "the records themselves are valid: {report}");
}

#[test]
fn in_doubt_is_sent_again_with_the_same_bytes_where_the_policy_says_so() {
    let rule = "at = \"operators\"\nplay = \"close\"\nshare = 0.2\naccepted = 0.5\n";
    let world = World::new(&["--scenario", scenario(rule).to_str().expect("a path")]);
    world.configure(|settings| {
        settings
            .replace("\nrate_per_s = \"unlimited\"\n", "\nrate_per_s = \"unlimited\"\nin_doubt = \"resend\"\n")
            .replacen("in_doubt = \"resend\"\n", "", 1)
    });
    let export = world.export("export.xml", 80, &[]);
    let report = world.send(&export, "run", 0);
    assert_eq!(count(&report, "in_doubt"), 0, "{report}");
    let mut bytes = std::collections::BTreeMap::new();
    let mut again = 0;
    for line in world.ledger() {
        let id = line["message_id"].as_str().expect("an id").to_owned();
        let sha256 = line["sha256"].clone();
        let first = bytes.entry(id).or_insert_with(|| sha256.clone());
        assert_eq!(*first, sha256, "a resend has other bytes");
        again += u32::from(line["again"] == true);
    }
    assert!(again > 0, "nothing was sent again that had arrived");
    assert_eq!(bytes.len() as u64, count(&report, "delivered"));
}
