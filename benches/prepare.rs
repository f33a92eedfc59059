//! How much does a letter cost beyond its two RSA signatures?
//!
//! Floors: `floor/rsa-2048`, `floor/rsa-3072`, one bare signature each, and `floor/sha-256`. `seal` is the whole request
//! with both signatures, at both sizes of key; `envelope` the same with a signer that does nothing, so what is left is ours:
//! writing, two SHA-256 passes, MD5 and base64; `hashes-alone` is the part of it that the contract prescribes. Letters
//! are an HTML body of 2 KB and an attachment, 6 KB and 25 KB in all; throughput is bytes of request. `statement` is
//! everything that a CPU thread does for a real statement, letter and all, in statements a second: as it is and with its
//! attachment encrypted (CMS), at both sizes of key; two signatures of that size are its floor.
//!
//! All figures are processor time of one thread, so that other work on the machine does not count.

#![allow(clippy::unwrap_used, missing_docs)]

use aws_lc_rs::digest::{SHA256, digest};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use letter::with_letter;
use md5::{Digest as _, Md5};
use std::borrow::Cow;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use support::ProcessorTime;
use utskick::config::{KeySource, Sender};
use utskick::domain::{FieldIndex, Form, Identity, Kontrolluppgift, MessageId, Organisation};
use utskick::prepare::encrypt::CmsRecipient;
use utskick::prepare::envelope::seal;
use utskick::prepare::keys::{Certificate, Credential};
use utskick::prepare::sign::{KeySigner, SignError, Signer};
use utskick::prepare::{Job, Workshop};

#[path = "support/letter.rs"]
mod letter;
mod support;

/// `sender` or `mediator` of the signature vectors.
fn credential(name: &str) -> Credential {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors");
    let base64 = std::fs::read_to_string(vectors.join(format!("{name}.key.pkcs8.b64"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let private_key = folder.path().join("key.pem");
    let label = "PRIVATE KEY";
    std::fs::write(&private_key, format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")).unwrap();
    let certificate = vectors.join(format!("{name}.crt.pem"));
    Credential::load(&KeySource::Pem { certificate, private_key, password_file: None }).unwrap()
}

/// A key of 3072 bits with a certificate of its own, made for the bench.
fn credential_3072() -> Credential {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, private_key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_3072).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "bench");
    std::fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&private_key, key.serialize_pem()).unwrap();
    Credential::load(&KeySource::Pem { certificate, private_key, password_file: None }).unwrap()
}

/// What a CPU thread does for a statement: a KU10 of a synthetic employee, letter, signature and seal.
fn statement(criterion: &mut Criterion<ProcessorTime>, signers: &[(&str, [Arc<dyn Signer>; 2])]) {
    let mut statement = Kontrolluppgift::new(Form::KU10, "2310".into(), "165021680250".into(), "2026".into());
    for (faltkod, value) in [
        (201, "165021680250"),
        (203, "2026"),
        (215, "191212121212"),
        (216, "Åsa"),
        (217, "Öberg Lindström"),
        (218, "Storgatan 12 lgh 1101"),
        (219, "85230"),
        (220, "Sundsvall"),
        (570, "1234567"),
        (11, "431250"),
        (1, "98765"),
        (12, "13600"),
        (13, "2400"),
        (50, "12345"),
    ] {
        let field = FieldIndex::of(faltkod).unwrap();
        statement.insert(field, Cow::Borrowed(value));
    }
    let sender = Sender {
        id: None,
        name: "Kommun A".into(),
        names: None,
        support_text: "Har du frågor om din kontrolluppgift? Kontakta löneavdelningen hos din arbetsgivare.".into(),
        support_url: Some("https://www.kommun-a.test/kontrolluppgift".into()),
        support_phone: Some("010-000 00 00".into()),
        support_email: Some("lon@kommun-a.test".into()),
    };
    let mut group = criterion.benchmark_group("statement");
    group.throughput(Throughput::Elements(1));
    for (size, [inner, outer]) in signers {
        let recipient = CmsRecipient::new(credential("mediator").certificate()).unwrap();
        let workshop = Workshop::new(Arc::clone(inner), Arc::clone(outer), vec![None, Some(recipient)], 2_000_000);
        for (operator, how) in ["plain", "encrypted"].into_iter().enumerate() {
            group.bench_function(format!("{size}-{how}"), |bencher| {
                bencher.iter(|| {
                    let job = Job {
                        statement: black_box(&statement),
                        sender: &sender,
                        sender_id: Organisation::parse("162021004748").unwrap(),
                        recipient: Identity::parse("191212121212").unwrap(),
                        message_id: MessageId([7; 16]),
                        operator,
                        correction: false,
                        seal_date: "2027-01-31",
                        secrets: None,
                        signed_by: None,
                    };
                    workshop.make(&job).unwrap()
                });
            });
        }
    }
    group.finish();
}

/// Signs with zeros.
struct Nothing(KeySigner);

impl Signer for Nothing {
    fn certificate(&self) -> &Certificate {
        self.0.certificate()
    }

    fn sign_digest(&self, _: &[u8; 32], signature: &mut Vec<u8>) -> Result<(), SignError> {
        signature.resize(256, 0);
        Ok(())
    }
}

fn prepare(criterion: &mut Criterion<ProcessorTime>) {
    let [sender, mediator] = ["sender", "mediator"].map(|name| credential(name).signer().unwrap());
    let large = credential_3072().signer().unwrap();
    let mut group = criterion.benchmark_group("floor");
    for (name, signer) in [("rsa-2048", &sender), ("rsa-3072", &large)] {
        group.bench_function(name, |bencher| {
            let mut signature = Vec::new();
            bencher.iter(|| signer.sign_digest(black_box(&[7; 32]), &mut signature).unwrap());
        });
    }
    let bytes = vec![0x5a; 32 * 1024];
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("sha-256", |bencher| bencher.iter(|| digest(&SHA256, black_box(&bytes))));
    group.finish();
    let shared = |signer: &KeySigner| -> Arc<dyn Signer> { Arc::new(signer.clone()) };
    let signers = [("rsa-2048", [shared(&sender), shared(&mediator)]), ("rsa-3072", [shared(&large), shared(&large)])];
    statement(criterion, &signers);

    let nothing = [sender.clone(), mediator.clone()].map(Nothing);
    for (name, bytes) in [("6-kb", 6 * 1024), ("25-kb", 25 * 1024)] {
        with_letter(bytes, 1, |letter| {
            let size = seal(letter, &sender, &mediator, "2027-01-31").unwrap().bytes.len();
            let mut group = criterion.benchmark_group("envelope");
            group.throughput(Throughput::Bytes(size as u64));
            // What the contract makes us hash, whatever the writer: two digests of the delivery, a checksum.
            let bytes = vec![0x5a; size];
            group.bench_function(format!("{name}-hashes-alone"), |bencher| {
                bencher.iter(|| {
                    let hashes: [_; 2] = std::array::from_fn(|_| digest(&SHA256, black_box(&bytes)));
                    (hashes, Md5::digest(letter.messages.first().unwrap().attachments.first().unwrap().bytes))
                });
            });
            let [no_sender, no_mediator] = &nothing;
            group.bench_function(name, |bencher| {
                bencher.iter(|| seal(black_box(letter), no_sender, no_mediator, "2027-01-31").unwrap());
            });
            group.finish();
            let mut group = criterion.benchmark_group("seal");
            group.throughput(Throughput::Bytes(size as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| seal(black_box(letter), &sender, &mediator, "2027-01-31").unwrap());
            });
            group.bench_function(format!("{name}-rsa-3072"), |bencher| {
                bencher.iter(|| seal(black_box(letter), &large, &large, "2027-01-31").unwrap());
            });
            group.finish();
        });
    }

    let recipient = CmsRecipient::new(credential("mediator").certificate()).unwrap();
    let secrets = recipient.fresh().unwrap();
    criterion.bench_function("encrypt/wrap-a-new-key", |bencher| bencher.iter(|| recipient.fresh().unwrap()));
    let mut group = criterion.benchmark_group("encrypt");
    for (name, bytes) in [("16-kb", 16 * 1024), ("16-mb", 16 * 1024 * 1024)] {
        let plain = vec![0x5a; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| recipient.encrypt(black_box(&plain), &secrets).unwrap());
        });
    }
    group.finish();
}

criterion_group!(name = benches; config = Criterion::default().with_measurement(ProcessorTime); targets = prepare);
criterion_main!(benches);
