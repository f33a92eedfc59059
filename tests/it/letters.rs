//! A recipient opens the letter: in the mailbox, as a document, on paper.

use crate::referee;
use md5::{Digest as _, Md5};
use proptest::prelude::*;
use std::borrow::Cow;
use std::path::Path;
use utskick::config::{Sender, Senders};
use utskick::domain::{
    FieldIndex, Form, Identity, Kontrolluppgift, Letter, Organisation, SchemaVersion, Type, faltkod,
};
use utskick::prepare::compose::{ComposeError, Composer, Sheet, neutral_body};

fn sender() -> Sender {
    Sender {
        id: None,
        name: "Statens servicecenter".into(),
        names: None,
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
    let unusual = with(&ordinary, &[(216, "Анна 🦊"), (217, "Ελένη 王 ﷽"), (220, "👩‍👩‍👧 Sundsvall")]);
    documents.push(("unusual".into(), pdf(&compose(&composer, &unusual, true)).to_vec()));
    let sheet = Sheet { statement: &unusual, sender: &sender, correction: false };
    documents.push(("unusual-paper".into(), composer.paper(&sheet).expect("a paper letter")));
    let long = with(&full(Form::KU14), &[(216, &"W".repeat(50)), (217, &"Å ".repeat(25)), (202, &"ж".repeat(50))]);
    documents.push(("long".into(), pdf(&compose(&composer, &long, true)).to_vec()));
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

#[test]
fn fonts_are_embedded() {
    let folder = tempfile::tempdir().unwrap();
    let composer = Composer::new();
    for (name, fonts) in [("Åsa", 1), ("François", 1), ("Łukasz", 2)] {
        let file = folder.path().join("letter.pdf");
        std::fs::write(&file, pdf(&compose(&composer, &with(&ordinary(), &[(216, name)]), false))).unwrap();
        let Some(mut pdffonts) = referee::command("pdffonts") else { return };
        let output = pdffonts.arg(&file).output().unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        // Embedded, a subset, with characters for its codes.
        let embedded = |line: &&str| line.contains("Type 1C") && words(line).contains("yes yes yes");
        assert_eq!(listed.lines().skip(2).filter(embedded).count(), fonts, "{listed}");
        assert_eq!(listed.lines().count(), 2 + fonts, "{listed}");
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

/// Organisations by number and name; the last is in no settings.
const ORGANISATIONS: [(&str, &str); 4] = [
    ("162021004748", "Kommun Alpha"),
    ("165021680250", "Bolaget Beta"),
    ("162021003898", "Region Gamma"),
    ("165599990602", "Stiftelsen Delta"),
];

/// Kommun Alpha sends for all; `id` is what the default sender says of itself.
fn senders(id: Option<&str>) -> Senders {
    let [(_, alpha), (beta_number, beta), (gamma_number, gamma), _] = ORGANISATIONS;
    let id = id.map(|id| format!("id = \"{id}\"")).unwrap_or_default();
    let table = |key: &str, name: &str| format!("[{key}]\nname = \"{name}\"\nsupport_text = \"Fråga oss.\"\n");
    let tables = [table("default", alpha) + &id + "\n", table(beta_number, beta), table(gamma_number, gamma)];
    toml::from_str(&tables.concat()).expect("settings")
}

/// The letter as the settings' sender for its uppgiftslämnare has it.
fn sheet<'a>(senders: &'a Senders, record: &'a Kontrolluppgift<'a>, correction: bool) -> Sheet<'a> {
    let number = record.text(faltkod::UPPGIFTSLAMNAR_ID).and_then(|number| Organisation::parse(number).ok());
    let sender = number.map_or(&senders.default, |number| senders.of(&number));
    Sheet { statement: record, sender, correction }
}

#[test]
fn a_letter_names_no_other_than_the_one_that_gives_the_statement() {
    let folder = tempfile::tempdir().unwrap();
    let unnamed = |number: &str| {
        let kept: Vec<(u16, String)> = ordinary()
            .values()
            .map(|(field, value)| (field.field().faltkod, value.to_owned()))
            .filter(|(code, _)| !matches!(code, 201 | 202))
            .collect();
        let kept: Vec<(u16, &str)> = kept.iter().map(|(code, value)| (*code, value.as_str())).collect();
        record(Form::KU10, &[kept.as_slice(), &[(201, number)]].concat())
    };
    let numbered = [
        "från uppgiftslämnaren (organisationsnummer 559999-0602) för inkomståret 2022",
        "Uppgiftslämnaren (organisationsnummer 559999-0602) lämnar samma uppgifter till Skatteverket.",
        "Om något är fel, kontakta uppgiftslämnaren (organisationsnummer 559999-0602), som rättar uppgifterna hos",
    ];
    let person = [
        "från uppgiftslämnaren för inkomståret 2022",
        "Uppgiftslämnaren lämnar samma uppgifter till Skatteverket.",
        "Om något är fel, kontakta uppgiftslämnaren, som rättar uppgifterna hos Skatteverket.",
    ];
    let alpha = [
        "från Kommun Alpha för inkomståret 2022",
        "Kommun Alpha lämnar samma uppgifter till Skatteverket.",
        "Om något är fel, kontakta Kommun Alpha. Det är uppgiftslämnaren som rättar uppgifterna hos Skatteverket.",
    ];
    let beta = alpha.map(|text| text.replace("Kommun Alpha", "Bolaget Beta"));
    let gamma = alpha.map(|text| text.replace("Kommun Alpha", "Gammas skola"));
    let owned = |texts: [&str; 3]| texts.map(str::to_owned);
    let stranger = unnamed("165599990602");
    let cases = [
        (senders(None), stranger.clone(), owned(numbered)),
        (senders(Some("162021004748")), stranger.clone(), owned(numbered)),
        (senders(None), with(&stranger, &[(202, " \t\u{a0}\u{200b} ")]), owned(numbered)),
        (senders(None), unnamed("195111232079"), owned(person)),
        // Only where the settings say that the default is that organisation.
        (senders(Some("162021004748")), unnamed("162021004748"), owned(alpha)),
        (senders(None), unnamed("165021680250"), beta),
        (senders(None), with(&unnamed("162021003898"), &[(202, "Gammas skola")]), gamma),
    ];
    let composer = Composer::new();
    for (senders, record, expected) in &cases {
        let sheet = sheet(senders, record, true);
        let letter = composer.letter(&sheet).unwrap();
        let mut texts = vec![words(&well_formed(&letter.body.text))];
        for document in [pdf(&letter), &composer.paper(&sheet).unwrap()] {
            texts.extend(text_of(document, folder.path()).map(|text| words(&text)));
        }
        for text in texts {
            for sentence in expected {
                assert!(text.contains(sentence.as_str()), "{sentence:?} is not in {text}");
            }
            assert!(text.contains(&format!("Avsändare: {}", sheet.sender.name)), "{text}");
            // The number of a person stands in its row and nowhere else.
            assert_eq!(text.matches("511123").count(), if expected[0] == person[0] { 2 } else { 1 }, "{text}");
        }
    }
    assert_eq!(composer.slow_letters(), 0);
}

#[test]
fn names_of_all_scripts_show() {
    let folder = tempfile::tempdir().unwrap();
    let composer = Composer::new();
    let unusual = with(&ordinary(), &[(216, "Анна 🦊"), (217, "Ελένη 王"), (220, "A\u{30a}bo\u{202e}x")]);
    let letter = compose(&composer, &unusual, false);
    assert_eq!(composer.slow_letters(), 1);
    for expected in ["Анна 🦊", "Ελένη 王", "Åbox"] {
        assert!(letter.body.text.contains(expected), "{expected}");
    }
    let Some(text) = text_of(pdf(&letter), folder.path()) else { return };
    let text = words(&text);
    for expected in ["216 Förnamn Анна 🦊", "217 Efternamn Ελένη U+738B", "220 Postort Åbox", "335 000 kr"]
    {
        assert!(text.contains(expected), "{expected:?} is not in {text}");
    }
}

#[test]
fn a_composed_name_is_an_ordinary_letter() {
    let composer = Composer::new();
    let decomposed = with(&ordinary(), &[(216, "A\u{30a}sa")]);
    assert_eq!(compose(&composer, &decomposed, false), compose(&composer, &ordinary(), false));
    assert_eq!(composer.slow_letters(), 0);
}

#[test]
fn paper_has_the_address_in_the_window() {
    let Some(mut pdftotext) = referee::command("pdftotext") else { return };
    let folder = tempfile::tempdir().unwrap();
    let composer = Composer::new();
    let sender = sender();
    let abroad = with(&ordinary(), &[(221, "NO"), (228, "c/o Ek")]);
    let free = with(
        &record(Form::KU10, &[(215, "195111232079"), (216, "Åsa"), (217, "Öberg"), (221, "DE")]),
        &[(230, "Unter den Linden 1\n10117 Berlin\n")],
    );
    let far = with(&free, &[(230, &"Långa gatan i den stora staden ".repeat(11))]);
    let none = record(Form::KU10, &[(215, "195111232079"), (216, "Åsa"), (217, "Öberg"), (31, "1000")]);
    // In points from the top left: 110 to 200 mm from the left, 48 to 85 mm from the top.
    let window = ["-x", "311", "-y", "136", "-W", "256", "-H", "105", "-layout"];
    for (record, expected) in [
        (&abroad, "Åsa Öberg Lindström Storgatan 12 lgh 1203 c/o Ek 852 30 Sundsvall NORGE"),
        (&free, "Åsa Öberg Unter den Linden 1 10117 Berlin TYSKLAND"),
        (&far, &format!("Åsa Öberg {} TYSKLAND", "Långa gatan i den stora staden ".repeat(11).trim())),
        (&none, ""),
    ] {
        let sheet = Sheet { statement: record, sender: &sender, correction: false };
        let file = folder.path().join("paper.pdf");
        std::fs::write(&file, composer.paper(&sheet).unwrap()).unwrap();
        let output = pdftotext.args(["-f", "1", "-l", "1"]).args(window).arg(&file).arg("-").output().unwrap();
        pdftotext = referee::command("pdftotext").unwrap();
        assert_eq!(words(&String::from_utf8(output.stdout).unwrap()), expected);
    }
}

#[test]
fn an_ordinary_letter_is_small() {
    let composer = Composer::new();
    let letter = compose(&composer, &ordinary(), false);
    assert!(pdf(&letter).len() <= 12 * 1024, "{}", pdf(&letter).len());
    for (name, limit) in [("François Muñoz Søndergård", 15 * 1024), ("Łukasz Żółć-Ğüneş", 17 * 1024)] {
        let letter = compose(&composer, &with(&ordinary(), &[(217, name)]), false);
        assert!(pdf(&letter).len() <= limit, "{name} {}", pdf(&letter).len());
    }
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
fn a_date_and_its_label_agree() {
    let composer = Composer::new();
    let html = |date| compose(&composer, &record(Form::KU55, &[(631, date), (640, "19990101")]), false).body.text;
    let body = html(" 20220228 ");
    assert!(body.contains("631 Överlåtelsedatum</th><td>2022-02-28</td>"), "{body}");
    assert!(body.contains("640 Förvärvsdatum</th><td>1999-01-01</td>"), "{body}");
    assert!(!body.contains("ÅÅÅÅ"), "{body}");
    // One that is shown as it was written.
    let body = html("2022022");
    assert!(body.contains("631 Överlåtelsedatum (ÅÅÅÅMMDD)</th><td>2022022</td>"), "{body}");
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

/// Any text of a field: mostly Latin, and anything that Unicode has.
fn any_text(max: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::string::string_regex(&format!("[A-Za-zÅÄÖåäöé .,'&<>/()\\\\-]{{1,{max}}}")).unwrap(),
        2 => proptest::string::string_regex(&format!("[ -ɏ]{{1,{max}}}")).unwrap(),
        1 => proptest::collection::vec(any::<char>(), 1..max).prop_map(|text| text.into_iter().collect()),
        1 => Just("<script>alert(1)</script> Manuscript".chars().take(max).collect()),
    ]
}

fn any_value(kind: Type) -> BoxedStrategy<String> {
    match kind {
        Type::Belopp { min, max } | Type::Antal { min, max } => {
            prop_oneof![9 => (min..=max).prop_map(|n| n.to_string()), 1 => Just(format!(" +000{max} "))].boxed()
        }
        Type::Kryss => prop_oneof![Just("1"), Just("0"), Just(" true"), Just("false")].prop_map(str::to_owned).boxed(),
        Type::Kod(list) => proptest::sample::select(list.values(SchemaVersion::V8)).prop_map(str::to_owned).boxed(),
        Type::Text { max, .. } => any_text(max).boxed(),
        other => Just(example(0, other)).boxed(),
    }
}

/// A record of any form with any of its fields.
fn any_record() -> impl Strategy<Value = Kontrolluppgift<'static>> {
    proptest::sample::select(Form::all().collect::<Vec<_>>()).prop_flat_map(|form| {
        let table = form.table();
        let places = [table.sender, table.recipient, table.body].into_iter().flatten();
        let values: Vec<_> = places
            .map(|place| place.index().field())
            .filter(|field| field.faltkod != 205)
            .map(|field| (Just(field.faltkod), proptest::option::of(any_value(field.kind))))
            .collect();
        values.prop_map(move |values| {
            let present: Vec<(u16, &str)> =
                values.iter().filter_map(|(code, value)| Some((*code, value.as_deref()?))).collect();
            record(form, &present)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_record_is_a_letter(record in any_record(), correction: bool) {
        let composer = composer();
        let sender = sender();
        let sheet = Sheet { statement: &record, sender: &sender, correction };
        let letter = composer.letter(&sheet).unwrap();
        let html = &letter.body.text;
        prop_assert!(!html.to_ascii_lowercase().contains("script"));
        let text = well_formed(html);
        for (field, value) in record.values() {
            let place = record.form.table().place(field).unwrap();
            let label = place.label.trim_end_matches(" (ÅÅÅÅMMDD)");
            prop_assert!(text.contains(label), "{}", label);
            if let (Type::Belopp { .. }, Ok(number)) = (field.field().kind, value.trim().parse::<i64>()) {
                let shown = if field == FieldIndex::of(523).unwrap() { number.to_string() } else { grouped(number) };
                prop_assert!(text.contains(&shown), "{shown}");
            }
        }
        let document = pdf(&letter);
        prop_assert!(document.starts_with(b"%PDF-1.7") && document.trim_ascii_end().ends_with(b"%%EOF"));
        prop_assert!(html.len() + document.len() < 200_000, "{}", html.len() + document.len());
        prop_assert_eq!(&composer.letter(&sheet).unwrap(), &letter);
        if let Some(begun) = &letter.attachment.as_ref().unwrap().begun {
            let whole = begun.md5.clone().chain_update(&document[begun.length..]).finalize();
            prop_assert_eq!(whole, Md5::digest(document));
        }
        prop_assert!(composer.paper(&sheet).unwrap().starts_with(b"%PDF-1.7"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_organisation_is_named_as_another(
        record in any_record(),
        payer in proptest::option::of(proptest::sample::select(ORGANISATIONS.map(|(number, _)| number).to_vec())),
        named in proptest::option::of(prop_oneof![Just(None), Just(Some(" ")), Just(Some("\u{a0}\n"))]),
        id in proptest::option::of(proptest::sample::select(ORGANISATIONS.map(|(number, _)| number).to_vec())),
        correction: bool,
    ) {
        // 202 is the right name, blank, or not there.
        let own = ORGANISATIONS.iter().find(|(number, _)| Some(*number) == payer).map(|(_, name)| *name);
        let named = named.and_then(|blank| blank.or(own));
        let kept = record.values().map(|(field, value)| (field.field().faltkod, value));
        let kept = kept.filter(|(code, _)| !matches!(code, 201 | 202));
        let fields: Vec<(u16, &str)> =
            kept.chain(payer.map(|number| (201, number))).chain(named.map(|name| (202, name))).collect();
        let record = self::record(record.form, &fields);
        // The default's name is that of the organisation whose number it has, where it has one.
        let mut senders = senders(id);
        if let Some((_, name)) = ORGANISATIONS.iter().find(|(number, _)| Some(*number) == id) {
            senders.default.name = (*name).to_owned();
        }
        let sheet = sheet(&senders, &record, correction);
        let text = words(&well_formed(&composer().letter(&sheet).unwrap().body.text));
        let said = text.replace(&format!("Avsändare: {}", sheet.sender.name), "");
        for (number, name) in ORGANISATIONS {
            prop_assert!(Some(number) == payer || !said.contains(name), "{} {}", name, said);
        }
        let number = record.uppgiftslamnare().map(|number: Identity| number.expose().to_owned());
        prop_assert_eq!(number.as_deref(), payer);
        if let Some(payer) = payer {
            let digits = format!("{}-{}", &payer[2..8], &payer[8..]);
            let called = [own.unwrap().to_owned(), format!("Uppgiftslämnaren (organisationsnummer {digits})")];
            let called = called.map(|who| format!("{who} lämnar samma uppgifter till Skatteverket."));
            prop_assert!(called.iter().any(|sentence| said.contains(sentence)), "{}", said);
        }
    }
}

fn composer() -> &'static Composer {
    static COMPOSER: std::sync::OnceLock<Composer> = std::sync::OnceLock::new();
    COMPOSER.get_or_init(Composer::new)
}

/// Thousands parted by no-break spaces, counted from the right.
fn grouped(number: i64) -> String {
    let digits: Vec<char> = number.unsigned_abs().to_string().chars().rev().collect();
    let parts: Vec<String> = digits.chunks(3).map(|part| part.iter().rev().collect()).rev().collect();
    format!("{}{}", if number < 0 { "–" } else { "" }, parts.join("\u{a0}"))
}

#[test]
fn composers_agree_to_the_byte() {
    let sender = sender();
    for record in [ordinary(), full(Form::KU14), with(&ordinary(), &[(216, "Анна 🦊")])] {
        let sheet = Sheet { statement: &record, sender: &sender, correction: false };
        let (one, other) = (Composer::new(), Composer::new());
        assert_eq!(one.letter(&sheet).unwrap(), other.letter(&sheet).unwrap());
        assert_eq!(one.paper(&sheet).unwrap(), other.paper(&sheet).unwrap());
    }
}
