//! How much does a letter cost beyond its two RSA signatures?
//!
//! `signature/rsa-2048` is the floor: one bare signature. `seal` is the whole request with both; `envelope` the same with
//! a signer that does nothing, so what is left is ours: writing, three SHA-256 passes, MD5 and base64; `hashes-alone` is
//! the part of it that the contract prescribes. Letters are an HTML
//! body of 2 KB and an attachment, 6 KB and 25 KB in all. Throughput is bytes of request.
//!
//! All figures are processor time of one thread, so that other work on the machine does not count.

#![allow(clippy::unwrap_used, missing_docs)]

use aws_lc_rs::digest::{SHA256, digest};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use md5::{Digest as _, Md5};
use std::hint::black_box;
use std::path::Path;
use support::ProcessorTime;
use utskick::config::KeySource;
use utskick::prepare::encrypt::CmsRecipient;
use utskick::prepare::envelope::{Content, Delivery, Document, Message, Support, seal};
use utskick::prepare::keys::{Certificate, Credential};
use utskick::prepare::sign::{KeySigner, SignError, Signer};

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

fn with_letter<T>(bytes: usize, run: impl FnOnce(&Delivery<'_>) -> T) -> T {
    let body = "<p>Kontrolluppgift för inkomståret: läs & spara.</p>".repeat(40);
    let attachment: Vec<u8> = (0..bytes - body.len()).map(|place| (place * 31 % 251) as u8).collect();
    let attachments =
        [Document { content_type: "application/pdf", filename: "kontrolluppgift.pdf", bytes: &attachment }];
    let messages = [Message {
        id: "5b0f0a7e-3d0b-4c55-9d7b-0b6f0a2f1c11",
        subject: "Kontrolluppgift 2026",
        support: Support {
            text: "Frågor besvaras av lönekontoret.",
            url: Some("https://www.kommun-a.test/lon"),
            phone: Some("08-12 12 12"),
            email: Some("lon@kommun-a.test"),
        },
        metadata: &[],
        language: "svSE",
        reply: None,
        receipt_request: None,
        body: Content { content_type: "text/html", bytes: body.as_bytes() },
        attachments: &attachments,
    }];
    run(&Delivery {
        sender_id: "162021004748",
        sender_name: "Kommun A",
        sender_attention: None,
        recipient: "191212121212",
        reference: None,
        correlation_id: None,
        attention: None,
        messages: &messages,
    })
}

fn prepare(criterion: &mut Criterion<ProcessorTime>) {
    let [sender, mediator] = ["sender", "mediator"].map(|name| credential(name).signer().unwrap());
    criterion.bench_function("signature/rsa-2048", |bencher| {
        let mut signature = Vec::new();
        bencher.iter(|| sender.sign_digest(black_box(&[7; 32]), &mut signature).unwrap());
    });

    let nothing = [sender.clone(), mediator.clone()].map(Nothing);
    for (name, bytes) in [("6-kb", 6 * 1024), ("25-kb", 25 * 1024)] {
        with_letter(bytes, |letter| {
            let size = seal(letter, &sender, &mediator, "2027-01-31").unwrap().bytes.len();
            let mut group = criterion.benchmark_group("envelope");
            group.throughput(Throughput::Bytes(size as u64));
            // What the contract makes us hash, whatever the writer: two digests of the delivery, one of the request, a checksum.
            let bytes = vec![0x5a; size];
            group.bench_function(format!("{name}-hashes-alone"), |bencher| {
                bencher.iter(|| {
                    let hashes: [_; 3] = std::array::from_fn(|_| digest(&SHA256, black_box(&bytes)));
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
