//! A recipient opens the letter: in the mailbox, as a document, on paper.

use crate::referee;
use proptest::prelude::*;
use std::borrow::Cow;
use std::path::Path;
use std::process::Command;
use utskick::config::Sender;
use utskick::domain::{FieldIndex, Form, KodLista, Kontrolluppgift, Letter, SchemaVersion, Type, faltkod};
use utskick::prepare::compose::{ComposeError, Composer, Sheet, neutral_body};

fn sender() -> Sender {
    Sender {
        id: None,
        name: "Statens servicecenter".into(),
        support_text: "Har du frågor om kontrolluppgiften? Kontakta löneavdelningen på Statens servicecenter.".into(),
        support_url: Some("https://www.example.se/kontrolluppgift?fraga=lön&ar=2022".replace('ö', "o")),
        support_phone: Some("0771-00 00 00".into()),
        support_email: Some("lon@example.se".into()),
    }
}

fn record(form: Form, fields: &[(u16, &str)]) -> Kontrolluppgift<'static> {
    let mut record =
        Kontrolluppgift::new(form, Cow::Borrowed(form.nummer()), Cow::Borrowed("165021680250"), Cow::Borrowed("2022"));
    for (code, value) in fields {
        let field = FieldIndex::of(*code).expect("a fältkod");
        assert!(record.insert(field, Cow::Owned((*value).to_owned())), "{code}");
    }
    record
}

/// What most letters are: an employee with an address and a handful of amounts.
fn ordinary() -> Kontrolluppgift<'static> {
    record(
        Form::KU10,
        &[
            (11, "335000"),
            (12, "12400"),
            (13, "51200"),
            (18, "9870"),
            (50, "1"),
            (51, "1"),
            (93, "1"),
            (203, "2022"),
            (570, "1"),
            (215, "195111232079"),
            (216, "Åsa"),
            (217, "Öberg Lindström"),
            (218, "Storgatan 12 lgh 1203"),
            (219, "85230"),
            (220, "Sundsvall"),
            (201, "165021680250"),
            (202, "Länsstyrelsen i Västernorrland"),
        ],
    )
}

/// Every field of a form that can stand together, with a value of its type.
fn full(form: Form) -> Kontrolluppgift<'static> {
    let table = form.table();
    let skipped = [205, 222, 224, 226, 230];
    let fields: Vec<(u16, String)> = [table.sender, table.recipient, table.body]
        .into_iter()
        .flatten()
        .map(|place| (place.index().field().faltkod, place.index().field().kind))
        .filter(|(code, _)| !skipped.contains(code))
        .map(|(code, kind)| (code, example(code, kind)))
        .collect();
    let borrowed: Vec<(u16, &str)> = fields.iter().map(|(code, value)| (*code, value.as_str())).collect();
    record(form, &borrowed)
}

fn example(code: u16, kind: Type) -> String {
    let text = match (code, kind) {
        (215, _) => "195111232079",
        (_, Type::Identitet) => "165021680250",
        (216, _) => "Åsa André",
        (217, _) => "Öberg & <Lindström>",
        (218, _) => "Storgatan 12",
        (219, _) => "85230",
        (220, _) => "Sundsvall",
        (221, _) => "NO",
        (228, _) => "c/o Ek",
        (202, _) => "Länsstyrelsen i Västernorrland",
        (26, _) => "SABC",
        (_, Type::Text { .. }) => "Exempel 1",
        (_, Type::Kryss) => "1",
        (_, Type::Inkomstar) => "2022",
        (_, Type::Fodelsetid) => "19511123001",
        (_, Type::Datum) => "20220331",
        (_, Type::Isin) => "SE0000000001",
        (_, Type::AnlId) => "735999000000000001",
        (_, Type::Verksamhetsomrade) => "621",
        (_, Type::Decimal { .. }) => "33.5",
        (570, _) => "1",
        (_, Type::Belopp { min, max }) => return (if min < 0 { min } else { max - i64::from(code) }).to_string(),
        (_, Type::Antal { max, .. }) => return (max - 1).to_string(),
        (_, Type::Kod(list)) => list.values(SchemaVersion::V8)[0],
    };
    text.to_owned()
}

fn compose(composer: &Composer, record: &Kontrolluppgift<'_>, correction: bool) -> Letter {
    let sender = sender();
    composer.letter(&Sheet { statement: record, sender: &sender, correction }).expect("a letter")
}

fn pdf(letter: &Letter) -> &[u8] {
    &letter.attachment.as_ref().expect("a document").bytes
}

fn documents() -> Vec<(String, Vec<u8>)> {
    let composer = Composer::new();
    let sender = sender();
    let mut documents = Vec::new();
    for form in Form::all() {
        documents.push((form.to_string(), pdf(&compose(&composer, &full(form), false)).to_vec()));
    }
    let ordinary = ordinary();
    documents.push(("ordinary".into(), pdf(&compose(&composer, &ordinary, false)).to_vec()));
    documents.push(("correction".into(), pdf(&compose(&composer, &ordinary, true)).to_vec()));
    let sheet = Sheet { statement: &ordinary, sender: &sender, correction: false };
    documents.push(("paper".into(), composer.paper(&sheet).expect("a paper letter")));
    let polish = with(&ordinary, &[(216, "Łukasz"), (217, "Żółć-Ğüneş (d\\y)")]);
    documents.push(("latin".into(), pdf(&compose(&composer, &polish, false)).to_vec()));
    documents
}

/// The same record with other fields.
fn with(record: &Kontrolluppgift<'_>, fields: &[(u16, &str)]) -> Kontrolluppgift<'static> {
    let kept = record.values().map(|(field, value)| (field.field().faltkod, value));
    let kept: Vec<(u16, &str)> = kept.filter(|(code, _)| !fields.iter().any(|(new, _)| new == code)).collect();
    self::record(record.form, &[kept.as_slice(), fields].concat())
}

#[test]
fn referees_take_the_documents() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = documents()
        .into_iter()
        .map(|(name, bytes)| {
            let file = folder.path().join(format!("{name}.pdf"));
            std::fs::write(&file, bytes).unwrap();
            file
        })
        .collect();
    if let Some(mut pdfua) = referee::python_module("pdfua") {
        let output = pdfua.args(["check", "--format", "json"]).args(&files).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    for file in &files {
        if let Some(mut qpdf) = referee::command("qpdf") {
            let output = qpdf.arg("--check").arg(file).output().unwrap();
            assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        }
    }
}

fn text_of(document: &[u8], folder: &Path) -> Option<String> {
    let file = folder.join("letter.pdf");
    std::fs::write(&file, document).unwrap();
    let output = referee::command("pdftotext")?.arg("-layout").arg(&file).arg("-").output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A text with its whitespace made single, since lines break anywhere.
fn words(text: &str) -> String {
    text.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_document_says_what_the_record_says() {
    let folder = tempfile::tempdir().unwrap();
    let composer = Composer::new();
    let polish = with(&ordinary(), &[(216, "Łukasz"), (217, "Żółć-Ğüneş (d\\y)")]);
    let Some(text) = text_of(pdf(&compose(&composer, &polish, true)), folder.path()) else { return };
    let text = words(&text);
    for expected in [
        "Rättad kontrolluppgift för inkomståret 2022",
        "Det här är en rättad kontrolluppgift.",
        "201 Person-/organisationsnummer 502168-0250",
        "Länsstyrelsen i Västernorrland",
        "215 Person-/organisationsnummer 19511123-2079",
        "216 Förnamn Łukasz",
        "217 Efternamn Żółć-Ğüneş (d\\y)",
        "219 Postnummer 852 30",
        "011 Kontant bruttolön m.m. 335 000 kr",
        "012 Skattepliktiga förmåner utom bilförmån och 12 400 kr drivmedel vid bilförmån",
        "050 Enligt schablon Bilersättning Ja",
        "Telefon: 0771-00 00 00",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
    if let Some(mut pdfinfo) = referee::command("pdfinfo") {
        let output = pdfinfo.arg("-struct-text").arg(folder.path().join("letter.pdf")).output().unwrap();
        let structure = String::from_utf8(output.stdout).unwrap();
        let structure = words(&structure);
        for expected in [
            "H1 (block) \"Rättad kontrolluppgift för inkomståret 2022\"",
            "TH: /Scope /Column \"Ruta Uppgift\"",
            "TH: /Scope /Row \"012 Skattepliktiga förmåner utom bilförmån och drivmedel vid bilförmån\" TD \"12 400 kr\"",
        ] {
            assert!(structure.contains(expected), "{expected:?} is not in {structure}");
        }
    }
}

#[test]
fn an_ordinary_letter_is_small() {
    let composer = Composer::new();
    let letter = compose(&composer, &ordinary(), false);
    assert!(pdf(&letter).len() <= 16 * 1024, "{}", pdf(&letter).len());
    let french = with(&ordinary(), &[(216, "François"), (217, "Muñoz Søndergård")]);
    assert!(pdf(&compose(&composer, &french, false)).len() <= 20 * 1024);
    assert_eq!(composer.slow_letters(), 0);
}

#[test]
fn bodies_are_as_agreed() {
    let composer = Composer::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/letters");
    let mut bodies: Vec<(String, String)> =
        Form::all().map(|form| (form.to_string(), compose(&composer, &full(form), false).body.text)).collect();
    bodies.push(("correction".into(), compose(&composer, &ordinary(), true).body.text));
    let sender = sender();
    bodies.push((
        "neutral".into(),
        neutral_body(&Sheet { statement: &ordinary(), sender: &sender, correction: false }).text,
    ));
    for (name, body) in bodies {
        let file = folder.join(format!("{name}.html"));
        if std::env::var_os("UTSKICK_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &body).unwrap();
        }
        let agreed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(agreed == body, "{} differs; UTSKICK_BLESS=1 takes the new text", file.display());
        well_formed(&body);
    }
}

/// The body's text by a real XML parser, which also finds what is not closed.
fn well_formed(html: &str) -> String {
    let mut reader = quick_xml::Reader::from_str(html);
    let mut text = String::new();
    let mut open = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Start(_) => open += 1,
            quick_xml::events::Event::End(_) => open -= 1,
            quick_xml::events::Event::Text(part) => text.push_str(&part.xml10_content()),
            quick_xml::events::Event::GeneralRef(name) => match (name.resolve_char_ref().unwrap(), &*name) {
                (Some(c), _) => text.push(c),
                (None, "amp") => text.push('&'),
                (None, "lt") => text.push('<'),
                (None, "gt") => text.push('>'),
                (None, "quot") => text.push('"'),
                (None, other) => panic!("entity {other:?}"),
            },
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0);
    text
}

#[test]
fn copies_of_ku13_and_ku14_say_that_nothing_is_to_be_declared() {
    let composer = Composer::new();
    let sink = compose(&composer, &full(Form::KU13), false).body.text;
    assert!(sink.contains("beslut om särskild inkomstskatt för utomlands bosatta"));
    assert!(sink.contains("inte ska deklareras i Sverige"));
    let special = compose(&composer, &full(Form::KU14), false).body.text;
    assert!(special.contains("särskild kontrolluppgift (pensionsgrundande inkomst och utbyte av kontrolluppgifter)"));
    assert!(special.contains("inte ska deklareras i Sverige"));
    assert!(!compose(&composer, &full(Form::KU10), false).body.text.contains("deklareras"));
}

#[test]
fn subjects_are_neutral() {
    let composer = Composer::new();
    for (correction, subject) in
        [(false, "Du har fått en kontrolluppgift"), (true, "Du har fått en rättad kontrolluppgift")]
    {
        let letter = compose(&composer, &ordinary(), correction);
        assert_eq!(letter.subject, subject);
        assert_eq!(letter.attachment.unwrap().filename, "kontrolluppgift.pdf");
    }
}

#[test]
fn a_neutral_body_says_nothing_of_the_statement() {
    let ordinary = ordinary();
    let sender = sender();
    let body = neutral_body(&Sheet { statement: &ordinary, sender: &sender, correction: true });
    for (field, value) in ordinary.values() {
        if value.len() > 2 && field != faltkod::INKOMSTAR {
            assert!(!body.text.contains(value), "{value}");
        }
    }
    assert!(body.text.contains("bifogade dokumentet") && body.text.contains("Statens servicecenter"));
}

#[test]
fn a_removal_is_no_letter() {
    let removal = record(Form::KU10, &[(201, "165021680250"), (203, "2022"), (570, "1"), (205, "1")]);
    let sender = sender();
    let sheet = Sheet { statement: &removal, sender: &sender, correction: false };
    assert!(matches!(Composer::new().letter(&sheet), Err(ComposeError::Removal)));
    assert!(matches!(Composer::new().paper(&sheet), Err(ComposeError::Removal)));
}
