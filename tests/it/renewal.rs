//! A certificate ends in the middle of the season: its successor is put in place while a run goes on.

use crate::run::utskick;
use crate::world::{World, count};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use utskick::sandbox::pki::{self, Identity, MEDIATOR, Purpose, SENDER, Subject, Validity};

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
        let text = std::fs::read_to_string(log).unwrap();
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
    assert!(!std::fs::read_to_string(&log).unwrap().contains(in_use));
    put_key(&world, "sender", &sender);
    until_said(&mut sending, &log, in_use, 1);
    put_key(&world, "mediator", &mediator);
    put_certificate(&world, "mediator", &mediator);
    // As the mediator, and as the client of TLS.
    until_said(&mut sending, &log, in_use, 3);
    let before = world.ledger().len();

    let code = sending.wait().unwrap().code();
    let text = std::fs::read_to_string(&log).unwrap();
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
