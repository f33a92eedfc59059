//! A certificate ends in the middle of the season: its successor is put in place while a run goes on.

use crate::referee;
use crate::run::utskick;
use crate::world::{World, count, whole_lines};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use utskick::sandbox::pki::{self, Identity, MEDIATOR, Purpose, SENDER, SUPPLIER, Subject, Validity};
use utskick::sandbox::{OPERATOR_IDS, cms};

/// A certificate by the sandbox's authority, with a key of its own.
pub fn issue(world: &World, number: &str, validity: Validity) -> Identity {
    let authority = pki::Pki::open(&world.path("sandbox"), &[]).unwrap().authority;
    let subject = Subject { organisation: "Kommun A", number, common_name: "fornyad.kommun-a.test" };
    pki::issue(&authority, &subject, Purpose::Organisation, &[], validity).unwrap()
}

/// Writes a file in place, as a careless script does.
fn put(world: &World, name: &str, label: &str, der: &[u8]) {
    std::fs::write(world.path("sandbox/pki").join(name), pki::pem(label, der)).unwrap();
}

pub fn put_certificate(world: &World, name: &str, identity: &Identity) {
    put(world, &format!("{name}.pem"), "CERTIFICATE", &identity.certificate);
}

pub fn put_key(world: &World, name: &str, identity: &Identity) {
    put(world, &format!("{name}.key.pem"), "PRIVATE KEY", identity.key.secret_der());
}

fn fingerprint(certificate: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is said of a certificate until it is said this often.
fn until_said(process: &mut std::process::Child, log: &Path, words: &str, times: usize) {
    loop {
        let text = whole_lines(log);
        if text.matches(words).count() >= times {
            return;
        }
        assert!(process.try_wait().unwrap().is_none(), "it ended before it said {words:?} {times} times:\n{text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_certificate_replaced_during_a_run_is_taken_up_without_losing_a_message() {
    let mut world = World::new(&[]);
    let rule = "[[rule]]\nat = \"operators\"\nplay = \"close\"\nshare = 0.1\naccepted = 0.5\n";
    let scenario = world.path("scenario.toml");
    std::fs::write(&scenario, rule).unwrap();
    world.restart_sandbox(&["--keep", "100000", "--no-mailbox", "0", "--scenario", scenario.to_str().unwrap()]);
    world.configure(|settings| {
        settings
            .replace(
                "pkcs12 = \"pki/sender.p12\"\npassword_file = \"pki/sender.password\"",
                "certificate = \"pki/sender.pem\"\nprivate_key = \"pki/sender.key.pem\"",
            )
            .replace("\nrate_per_s = \"unlimited\"\n", "\nrate_per_s = 10\nin_doubt = \"resend\"\n")
            .replacen("rate_per_s = 10\nin_doubt = \"resend\"", "rate_per_s = \"unlimited\"", 1)
    });
    let pki = pki::Pki::open(&world.path("sandbox"), &[]).unwrap();
    let earlier = ["sender", "mediator"].map(|name| pki.identity(name).unwrap());
    let [sender, mediator] = [SENDER, MEDIATOR].map(|number| issue(&world, number, Validity::ORDINARY));

    let ended = Validity { from_days: -800, to_days: -2 };
    let unfit = [("165599000907", Validity::ORDINARY), (SENDER, ended)].map(|(of, valid)| issue(&world, of, valid));
    let export = world.export("export.xml", 600, &[]);
    let (log, out) = (world.path("log"), world.path("out"));
    let mut sending = world.send_command(&export, "run");
    sending.args(["--log", "info"]);
    sending.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&log).unwrap());
    let mut sending = sending.spawn().unwrap();
    while world.ledger().len() < 20 {
        std::thread::sleep(Duration::from_millis(20));
    }
    // What does not fit is passed over: half a file, another's certificate, one that has ended, half a pair.
    let passed_over = "the earlier one stays in use";
    let good = std::fs::read(world.path("sandbox/pki/sender.pem")).unwrap();
    std::fs::write(world.path("sandbox/pki/sender.pem"), &good[..good.len() / 2]).unwrap();
    until_said(&mut sending, &log, passed_over, 1);
    for (said, other) in (2..).zip(&unfit) {
        put_key(&world, "sender", other);
        put_certificate(&world, "sender", other);
        until_said(&mut sending, &log, passed_over, said);
    }
    put_certificate(&world, "sender", &sender);
    until_said(&mut sending, &log, "does not belong to the private key", 1);
    let in_use = "the new one is in use";
    assert!(!whole_lines(&log).contains(in_use));
    put_key(&world, "sender", &sender);
    until_said(&mut sending, &log, in_use, 1);
    put_key(&world, "mediator", &mediator);
    put_certificate(&world, "mediator", &mediator);
    // As the mediator, and as the client of TLS.
    until_said(&mut sending, &log, in_use, 3);
    let before = world.ledger().len();

    let code = sending.wait().unwrap().code();
    let text = whole_lines(&log);
    assert_eq!(code, Some(0), "{text}");
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let ledger = world.ledger();
    assert!(ledger.len() > before, "letters left with the new certificates");

    // Nothing lost, nothing with other bytes, nothing left in doubt.
    let mut bytes = BTreeMap::new();
    for line in &ledger {
        let id = line["message_id"].as_str().unwrap().to_owned();
        assert_eq!(*bytes.entry(id).or_insert(line["sha256"].clone()), line["sha256"], "a resend has other bytes");
        let refused = ["accepted", "close"].iter().all(|verdict| line["verdict"] != *verdict);
        assert!(!refused, "{line}");
    }
    assert_eq!(bytes.len() as u64, count(&report, "delivered"), "{report}");
    assert_eq!(count(&report, "in_doubt") + count(&report, "pending") + count(&report, "failed"), 0, "{report}");
    assert!(world.accepted().values().all(|times| *times == 1));

    // Both certificates of each were seen at the gateways, and from some request on only the new one of TLS.
    let clients: Vec<&str> = ledger.iter().map(|line| line["client"].as_str().unwrap()).collect();
    let [old, new] = [&earlier[1], &mediator].map(|one| fingerprint(&one.certificate));
    assert_eq!(clients.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([old.as_str(), new.as_str()]));
    assert_eq!(clients.last(), Some(&new.as_str()));
    let kept: Vec<String> = std::fs::read_dir(world.path("sandbox/kept"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for identity in [&earlier[0], &earlier[1], &sender, &mediator] {
        let certificate = base64_simd::STANDARD.encode_to_string(&identity.certificate);
        let signed = kept.iter().filter(|message| message.replace('\n', "").contains(&certificate)).count();
        assert!(signed > 0 && signed < kept.len(), "{signed} of {}", kept.len());
    }
    let conn = rusqlite::Connection::open(world.path("run/journal.sqlite")).unwrap();
    let events = |kind: &str| -> i64 {
        conn.query_row("SELECT count(*) FROM event WHERE kind = ?1", [kind], |row| row.get(0)).unwrap()
    };
    assert_eq!((events("certificate_replaced"), events("certificate_not_taken") >= 4), (3, true));
}

/// The program that was interrupted goes on with the successor; what was in doubt under the earlier key stays so.
#[test]
fn a_resume_with_another_key_sends_nothing_in_doubt_with_other_bytes() {
    let world = World::new(&["--latency", "400", "--no-mailbox", "0"]);
    world.configure(|settings| settings.replace("\nservice_address", "\nin_doubt = \"resend\"\nservice_address"));
    let export = world.export("export.xml", 200, &[]);
    let mut sending = world.send_command(&export, "run").stdout(std::process::Stdio::null()).spawn().unwrap();
    while world.ledger().len() < 10 {
        std::thread::sleep(Duration::from_millis(10));
    }
    sending.kill().unwrap();
    sending.wait().unwrap();
    let new = issue(&world, MEDIATOR, Validity::ORDINARY);
    put_key(&world, "mediator", &new);
    put_certificate(&world, "mediator", &new);
    let report = world.resume("run", 1);
    let in_doubt = count(&report, "in_doubt");
    assert!(in_doubt > 0, "{report}");
    assert!(report["in_doubt"].as_array().unwrap().iter().all(|one| one["reason"] == "bytes_differ"), "{report}");
    let accepted = world.accepted();
    assert!(accepted.values().all(|times| *times == 1), "sent twice");
    let delivered = count(&report, "delivered");
    assert!((delivered..=delivered + in_doubt).contains(&(accepted.len() as u64)), "{report}");
    let told = utskick(["report"]).arg(world.path("run")).output().unwrap();
    assert_eq!(told.status.code(), Some(1));
}

/// Whose certificate attachments to operator C are encrypted to.
const OPERATOR: &str = Subject::SANDBOX.number;

/// A certificate with a key that is too short, where openssl is there to make one.
fn put_weak(world: &World, name: &str) -> bool {
    let Some(mut openssl) = referee::command("openssl") else { return false };
    openssl
        .current_dir(world.path("sandbox"))
        .args(["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak"]);
    let made = openssl.args(["-keyout", "weak.key.pem", "-out"]).arg(format!("pki/{name}.pem")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    true
}

/// Attachments to operator C in the messages that the gateways kept, as they were sent.
fn encrypted(world: &World) -> Vec<Vec<u8>> {
    let kept = std::fs::read_dir(world.path("sandbox/kept")).unwrap();
    let kept = kept.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let attachment = |message: String| {
        let (_, after) = message.split_once("application/pkcs7-mime<")?;
        let (base64, _) = after.split_once("Body>")?.1.split_once('<')?;
        Some(base64_simd::forgiving_decode_to_vec(base64.as_bytes()).unwrap())
    };
    kept.filter_map(attachment).collect()
}

/// How many open with each of two keys; each opens with one of them.
#[track_caller]
fn opened(all: &[Vec<u8>], keys: [&Identity; 2], starts: &[u8]) -> [usize; 2] {
    let mut count = [0, 0];
    for one in all {
        let open = |key: &Identity| cms::open(one, &key.certificate, key.key.secret_der()).ok();
        let plain = keys.map(open);
        assert!(plain[0].is_some() != plain[1].is_some(), "one of the two keys opens it");
        for (count, plain) in count.iter_mut().zip(plain) {
            *count += usize::from(plain.is_some_and(|plain| plain.starts_with(starts)));
        }
    }
    assert_eq!(count.iter().sum::<usize>(), all.len(), "what was encrypted is what it should be");
    count
}

#[test]
fn an_encryption_certificate_replaced_during_a_run_is_taken_up_without_losing_a_message() {
    let mut world = World::new(&[]);
    let rule = "[[rule]]\nat = \"c\"\nplay = \"close\"\nshare = 0.08\naccepted = 0.5\n";
    let scenario = world.path("scenario.toml");
    std::fs::write(&scenario, rule).unwrap();
    world.restart_sandbox(&["--keep", "100000", "--no-mailbox", "0.4", "--scenario", scenario.to_str().unwrap()]);
    // FaR is asked little by little, so that letters and bundles are made until the end.
    world.configure(|settings| {
        settings
            .replacen("rate_per_s = \"unlimited\"", "rate_per_s = 4\nbatch = 5", 1)
            .replace("\nservice_address", "\nin_doubt = \"resend\"\nservice_address")
            .replace("\nsupplier_addresses", "\nletters_per_bundle = 10\nsupplier_addresses")
    });
    let pki = pki::Pki::open(&world.path("sandbox"), &[]).unwrap();
    let earlier = ["operator-c", "print-supplier"].map(|name| pki.identity(name).unwrap());
    let new = [OPERATOR, SUPPLIER].map(|number| issue(&world, number, Validity::ORDINARY));
    let (ended, not_yet) = (Validity { from_days: -800, to_days: -2 }, Validity { from_days: 2, to_days: 800 });
    let unfit = [OPERATOR, SUPPLIER].map(|number| {
        [(number, ended), (number, not_yet), (MEDIATOR, Validity::ORDINARY)].map(|(of, valid)| issue(&world, of, valid))
    });
    let export = world.export("export.xml", 400, &[]);
    let (log, out) = (world.path("log"), world.path("out"));
    let mut sending = world.send_command(&export, "run");
    sending.args(["--log", "info"]);
    sending.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&log).unwrap());
    let mut sending = sending.spawn().unwrap();
    let bundles = || std::fs::read_dir(world.path("run/paper")).map_or(0, |all| all.flatten().count());
    while world.ledger().iter().filter(|line| line["operator"] == OPERATOR_IDS[2]).count() < 5 || bundles() < 1 {
        assert!(sending.try_wait().unwrap().is_none(), "{}", whole_lines(&log));
        std::thread::sleep(Duration::from_millis(20));
    }
    // What does not fit is passed over: gone, half a file, ended, not valid yet, another's, too short a key.
    let passed_over = "the earlier one stays in use";
    let mut said = 0;
    for (name, unfit) in ["operator-c", "print-supplier"].iter().zip(&unfit) {
        let file = world.path(&format!("sandbox/pki/{name}.pem"));
        let good = std::fs::read(&file).unwrap();
        let mut is_passed_over = |words: &str| {
            said += 1;
            until_said(&mut sending, &log, passed_over, said);
            let text = whole_lines(&log);
            let line = text.lines().rfind(|line| line.contains(passed_over)).unwrap();
            assert!(line.contains(words) && line.contains(&format!("{name}.pem")), "{words:?}: {line}");
        };
        std::fs::remove_file(&file).unwrap();
        is_passed_over("cannot read");
        std::fs::write(&file, &good[..good.len() / 2]).unwrap();
        is_passed_over("damaged");
        for (identity, words) in unfit.iter().zip(["ended", "valid only from", "another organisation"]) {
            put_certificate(&world, name, identity);
            is_passed_over(words);
        }
        if put_weak(&world, name) {
            is_passed_over("1024 bits");
        }
    }
    let in_use = "the new one is in use";
    assert!(!whole_lines(&log).contains(in_use));
    for (name, identity) in ["operator-c", "print-supplier"].iter().zip(&new) {
        put_key(&world, name, identity);
        put_certificate(&world, name, identity);
    }
    until_said(&mut sending, &log, in_use, 2);
    let before = (world.ledger().len(), bundles());

    let code = sending.wait().unwrap().code();
    let text = whole_lines(&log);
    assert_eq!(code, Some(0), "{text}");
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let ledger = world.ledger();
    assert!(ledger.len() > before.0 && bundles() > before.1, "letters and bundles left with the new certificates");

    // Nothing lost, nothing with other bytes, nothing left in doubt.
    let mut bytes = BTreeMap::new();
    for line in &ledger {
        let id = line["message_id"].as_str().unwrap().to_owned();
        assert_eq!(*bytes.entry(id).or_insert(line["sha256"].clone()), line["sha256"], "a resend has other bytes");
        assert!(line["verdict"] == "accepted" || line["verdict"] == "close", "{line}");
    }
    assert!(ledger.iter().any(|line| line["verdict"] == "close"), "nothing was ever in doubt");
    assert_eq!(bytes.len() as u64, count(&report, "delivered"), "{report}");
    assert_eq!(bytes.len() as u64 + count(&report, "paper"), 400, "{report}");
    assert!(world.accepted().values().all(|times| *times == 1));

    // Some letters and bundles open with the earlier key, the others with the new one, and none with both.
    let [to_earlier, to_new] = opened(&encrypted(&world), [&earlier[0], &new[0]], b"%PDF-");
    assert!(to_earlier >= 5 && to_new > 0, "{to_earlier} and {to_new}");
    let bundles = std::fs::read_dir(world.path("run/paper")).unwrap();
    let bundles: Vec<_> = bundles.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
    let [to_earlier, to_new] = opened(&bundles, [&earlier[1], &new[1]], b"PK");
    assert!(to_earlier > 0 && to_new > 0, "{to_earlier} and {to_new}");
}

/// In doubt when the process died, some of it on record as such: with another certificate it cannot be the same bytes.
#[test]
fn a_resume_with_another_encryption_certificate_sends_nothing_in_doubt_with_other_bytes() {
    let mut world = World::new(&[]);
    let scenario = world.path("scenario.toml");
    let rules = "[[rule]]\nat = \"c\"\nplay = \"close\"\nshare = 0.5\naccepted = 1.0\n";
    std::fs::write(&scenario, rules).unwrap();
    world.restart_sandbox(&["--latency", "400", "--no-mailbox", "0", "--scenario", scenario.to_str().unwrap()]);
    // The sandbox writes its settings anew whenever it starts.
    let resend = |settings: String| settings.replace("\nservice_address", "\nin_doubt = \"resend\"\nservice_address");
    world.configure(resend);
    let export = world.export("export.xml", 200, &[]);
    let mut sending = world.send_command(&export, "run").stdout(std::process::Stdio::null()).spawn().unwrap();
    let ask = |sql: &str| -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let journal = rusqlite::Connection::open_with_flags(world.path("run/journal.sqlite"), flags);
        journal.and_then(|journal| journal.query_row(sql, [], |row| row.get(0))).unwrap_or(0)
    };
    let doubts =
        || ["SELECT count(*) FROM doubt", "SELECT sum(count) FROM tally WHERE kind = 103 AND operator = 2"].map(ask);
    while doubts().iter().any(|count| *count < 3) {
        assert!(sending.try_wait().unwrap().is_none(), "it ended before enough was in doubt");
        std::thread::sleep(Duration::from_millis(5));
    }
    sending.kill().unwrap();
    sending.wait().unwrap();
    let [on_record, under_way] = doubts();
    assert!(on_record > 0 && under_way > 0, "{on_record} and {under_way}");
    let requests = |world: &World| {
        let mut requests: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in world.ledger() {
            let of = requests.entry(line["message_id"].as_str().unwrap().to_owned()).or_default();
            of.push(line["sha256"].to_string());
        }
        requests
    };
    // With the sandbox ends what it had under way.
    world.restart_sandbox(&["--no-mailbox", "0"]);
    world.configure(resend);
    let before = requests(&world);
    let new = issue(&world, OPERATOR, Validity::ORDINARY);
    put_key(&world, "operator-c", &new);
    put_certificate(&world, "operator-c", &new);
    let output = utskick(["resume", "--json"]).arg(world.path("run")).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = world.report_of(output, 1);
    let why = "it was encrypted to a certificate that is no longer in use";
    assert!(log.contains(why), "{log}");
    assert!(
        report["audit"].as_array().unwrap().iter().any(|event| event["text"].to_string().contains(why)),
        "{report}"
    );
    // The other operators' were sent again; these stay, and the rest is delivered.
    let in_doubt = report["in_doubt"].as_array().unwrap();
    assert_eq!(in_doubt.len() as i64, on_record + under_way, "{report}");
    assert!(in_doubt.iter().any(|one| one["reason"] == "bytes_differ"), "{report}");
    assert_eq!(count(&report, "delivered") + count(&report, "paper") + in_doubt.len() as u64, 200, "{report}");
    let after = requests(&world);
    for one in in_doubt {
        let id = one["message_id"].as_str().unwrap();
        assert_eq!(after.get(id), before.get(id), "something left for a statement in doubt");
    }
    assert!(after.values().all(|sent| sent.iter().collect::<BTreeSet<_>>().len() == 1), "sent again with other bytes");
}
