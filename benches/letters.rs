//! What does a letter cost beside the two signatures that it needs in any case, and how big is it?
//!
//! Times are CPU times of the thread, so that a busy machine does not count. `signature` is the floor: one bare RSA-2048
//! signature by aws-lc-rs in the same run. A letter is words, HTML and PDF of one
//! statement; throughput is its size. `fast` is an ordinary letter, `latin` one with a character of Latin-1 and one of Latin
//! Extended-A, `full` a KU14 with every field, `slow` one with a name in Cyrillic, `paper` the ordinary one to print.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::{rand, signature};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::borrow::Cow;
use std::hint::black_box;
use support::ProcessorTime;
use utskick::config::Sender;
use utskick::domain::{FieldIndex, Form, KodLista, Kontrolluppgift, SchemaVersion, Type};
use utskick::prepare::compose::{Composer, Sheet};

mod support;

fn record(form: Form, fields: &[(u16, &str)]) -> Kontrolluppgift<'static> {
    let mut record =
        Kontrolluppgift::new(form, Cow::Borrowed(form.nummer()), Cow::Borrowed("165021680250"), Cow::Borrowed("2022"));
    for (code, value) in fields {
        record.insert(FieldIndex::of(*code).expect("a fältkod"), Cow::Owned((*value).to_owned()));
    }
    record
}

fn ordinary(first_name: &str) -> Kontrolluppgift<'static> {
    record(
        Form::KU10,
        &[
            (11, "335000"),
            (12, "12400"),
            (13, "51200"),
            (50, "1"),
            (93, "1"),
            (203, "2022"),
            (570, "1"),
            (215, "195111232079"),
            (216, first_name),
            (217, "Öberg Lindström"),
            (218, "Storgatan 12 lgh 1203"),
            (219, "85230"),
            (220, "Sundsvall"),
            (201, "165021680250"),
            (202, "Länsstyrelsen i Västernorrland"),
        ],
    )
}

fn full(form: Form) -> Kontrolluppgift<'static> {
    let table = form.table();
    let fields: Vec<(u16, String)> = [table.sender, table.recipient, table.body]
        .into_iter()
        .flatten()
        .map(|place| place.index().field())
        .filter(|field| ![205, 222, 224, 226, 230].contains(&field.faltkod))
        .map(|field| {
            let value = match field.kind {
                Type::Belopp { max, .. } | Type::Antal { max, .. } => max.to_string(),
                Type::Kod(KodLista::Landskod) => "NO".to_owned(),
                Type::Kod(list) => list.values(SchemaVersion::V8).first().copied().unwrap_or_default().to_owned(),
                Type::Kryss => "1".to_owned(),
                Type::Inkomstar => "2022".to_owned(),
                Type::Identitet => "165021680250".to_owned(),
                _ => "Exempel".to_owned(),
            };
            (field.faltkod, value)
        })
        .collect();
    let fields: Vec<(u16, &str)> = fields.iter().map(|(code, value)| (*code, value.as_str())).collect();
    record(form, &fields)
}

fn letters(c: &mut Criterion<ProcessorTime>) {
    let composer = Composer::new();
    let sender = Sender {
        id: None,
        name: "Statens servicecenter".into(),
        names: None,
        support_text: "Har du frågor om kontrolluppgiften? Kontakta löneavdelningen.".into(),
        support_url: Some("https://www.example.se/kontrolluppgift".into()),
        support_phone: Some("0771-00 00 00".into()),
        support_email: None,
    };
    let mut group = c.benchmark_group("letters");

    let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let mut signed = vec![0; key.public_modulus_len()];
    let random = rand::SystemRandom::new();
    group.bench_function("signature", |b| {
        b.iter(|| {
            key.sign(&signature::RSA_PKCS1_SHA256, &random, black_box(b"a digest's worth of bytes, 32"), &mut signed)
        });
    });

    let cases = [
        ("fast", ordinary("Åsa")),
        ("latin", ordinary("Łucía")),
        ("full", full(Form::KU14)),
        ("slow", ordinary("Анна")),
    ];
    for (name, record) in &cases {
        let sheet = Sheet { statement: record, sender: &sender, correction: false };
        let letter = composer.letter(&sheet).expect("a letter");
        let size = letter.body.text.len() + letter.attachment.map_or(0, |attachment| attachment.bytes.len());
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(*name, |b| b.iter(|| composer.letter(black_box(&sheet))));
    }
    if let Some((_, record)) = cases.first() {
        let sheet = Sheet { statement: record, sender: &sender, correction: false };
        let size = composer.paper(&sheet).expect("a paper letter").len();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function("paper", |b| b.iter(|| composer.paper(black_box(&sheet))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = letters
}
criterion_main!(benches);
