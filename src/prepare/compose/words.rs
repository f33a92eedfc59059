//! What a letter says, in Swedish, before it has any look: the same words for HTML, PDF and paper.
//!
//! In: a statement and its sender's settings. Out: blocks in reading order, whose texts are clean: no control
//! characters, whitespace collapsed, composed (NFC). It escapes nothing and lays nothing out.

use super::Sheet;
use super::countries::country;
use crate::domain::{
    Form, FormTable, Identity, IdentityKind, KodLista, Kontrolluppgift, Place, Type, XML_SPACE, faltkod,
};
use arrayvec::ArrayString;
use std::borrow::Cow;
use std::fmt::Write as _;
use unicode_normalization::UnicodeNormalization;

/// A letter's words.
pub(super) struct Words<'a> {
    /// Title of the document and its first heading.
    pub title: String,
    /// What follows the title.
    pub blocks: Vec<Block<'a>>,
}

/// A part of a letter.
pub(super) enum Block<'a> {
    /// A heading of the second level.
    Heading(&'static str),
    /// A paragraph.
    Paragraph(Cow<'a, str>),
    /// A web address of the sender, with the words before it.
    Link(&'static str, Cow<'a, str>),
    /// Fields; the heading before it is its name.
    Table(Vec<Row<'a>>),
}

/// A field of the record.
pub(super) struct Row<'a> {
    /// Fältkod, the number of the box on the form: three digits, and a blank that parts it from the label.
    pub code: ArrayString<6>,
    /// The form's own label, less how the form wants a date written.
    pub label: &'static str,
    /// What stands there, as people read it. Lines of a free address are parted by `\n`.
    pub value: Cow<'a, str>,
    /// Whether it is a number that wants to stand under other numbers.
    pub number: bool,
}

/// Column headings of a table; the first with the blank that parts it from the second.
pub(super) const COLUMNS: [&str; 3] = ["Ruta ", "Uppgift", "Värde"];

/// The words of the letter.
pub(super) fn letter<'a>(sheet: &Sheet<'a>) -> Words<'a> {
    let statement = sheet.statement;
    let table = statement.form.table();
    let year = year(statement);
    let payer = Payer::of(sheet);
    let mut blocks = Vec::with_capacity(20);
    blocks.push(Block::Paragraph(Cow::Borrowed(form_heading(statement.form))));
    if sheet.correction {
        blocks.push(Block::Paragraph(Cow::Owned(format!(
            "Det här är en rättad kontrolluppgift. Den ersätter den tidigare kontrolluppgiften från {} för \
             inkomståret {year} med samma specifikationsnummer. Den tidigare kontrolluppgiften gäller inte längre.",
            payer.within()
        ))));
    }
    if let Some(notice) = notice(statement.form) {
        blocks.push(Block::Paragraph(Cow::Borrowed(notice)));
    }
    let says = format!("{} lämnar samma uppgifter till Skatteverket.", payer.first());
    blocks.push(Block::Paragraph(Cow::Owned(says)));
    let parts = [
        ("Uppgiftslämnare", table.sender),
        ("Inkomsttagare", table.recipient),
        ("Uppgifter i kontrolluppgiften", table.body),
    ];
    for (heading, places) in parts {
        let mut rows = rows(statement, places);
        if std::ptr::eq(places, table.body) {
            rows.extend(strays(statement, table));
        }
        if !rows.is_empty() {
            blocks.push(Block::Heading(heading));
            blocks.push(Block::Table(rows));
        }
    }
    blocks.push(Block::Heading("Det här behöver du göra"));
    blocks.push(Block::Paragraph(Cow::Borrowed("Kontrollera att uppgifterna stämmer, och spara kontrolluppgiften.")));
    let rest = match payer {
        Payer::Named(_) => ". Det är uppgiftslämnaren som rättar uppgifterna hos Skatteverket.",
        Payer::Numbered(_) | Payer::Unnamed => ", som rättar uppgifterna hos Skatteverket.",
    };
    let whom = format!("Om något är fel, kontakta {}{rest}", payer.within());
    blocks.push(Block::Paragraph(Cow::Owned(whom)));
    contact(sheet, &mut blocks);
    Words { title: title(sheet, &year), blocks }
}

/// The words of a message whose letter is the encrypted attachment: nothing of the statement.
pub(super) fn neutral<'a>(sheet: &Sheet<'a>) -> Words<'a> {
    let mut blocks = vec![Block::Paragraph(Cow::Borrowed(if sheet.correction {
        "Du har fått en rättad kontrolluppgift, som ersätter en tidigare. Du läser den i det bifogade dokumentet."
    } else {
        "Du har fått en kontrolluppgift. Du läser den i det bifogade dokumentet."
    }))];
    contact(sheet, &mut blocks);
    Words { title: if sheet.correction { "Rättad kontrolluppgift" } else { "Kontrolluppgift" }.to_owned(), blocks }
}

/// Subject of the message: no name, amount, identity, form or year, since notices on locked screens show it.
pub(super) const fn subject(correction: bool) -> &'static str {
    if correction { "Du har fått en rättad kontrolluppgift" } else { "Du har fått en kontrolluppgift" }
}

/// The lines of a postal address; `None` where the record has no full one.
///
/// *Source*: fältkod 216, 217 or 226; 218, 228, 219, 220, or 230; 221 where it is abroad.
pub(super) fn address<'a>(statement: &'a Kontrolluppgift<'_>) -> Option<Vec<Cow<'a, str>>> {
    if !statement.has_postal_address() {
        return None;
    }
    let text = |field| statement.text(field).map(clean).filter(|text| !text.is_empty());
    let pair = |first: Option<Cow<'a, str>>, second: Option<Cow<'a, str>>| match (first, second) {
        (Some(first), Some(second)) => Some(Cow::Owned(format!("{first} {second}"))),
        (one, other) => one.or(other),
    };
    let mut lines = Vec::with_capacity(6);
    lines.extend(pair(text(faltkod::FORNAMN), text(faltkod::EFTERNAMN)));
    lines.extend(text(faltkod::ORG_NAMN));
    if let Some(free) = statement.text(faltkod::FRI_ADRESS) {
        lines.extend(free.split('\n').map(clean).filter(|line| !line.is_empty()));
    } else {
        lines.extend(text(faltkod::GATUADRESS));
        lines.extend(text(faltkod::GATUADRESS2));
        lines.extend(pair(text(faltkod::POSTNUMMER).map(postcode), text(faltkod::POSTORT)));
    }
    let abroad = text(faltkod::LANDSKOD_POSTORT).filter(|code| code != "SE");
    lines.extend(abroad.map(|code| match country(&code) {
        Some(name) => Cow::Owned(name.to_uppercase()),
        None => code,
    }));
    Some(lines)
}

/// A text made fit to read: control and formatting characters dropped, whitespace collapsed, composed.
///
/// Direction overrides go too: they could make an amount read as another. *Cost*: a scan where nothing is to do.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_matches(XML_SPACE);
    // Below U+0300, where combining marks begin, every character is composed.
    let plain = trimmed.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        || trimmed.chars().all(|c| matches!(c, ' '..='~' | '\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{2ff}'));
    if plain && !trimmed.as_bytes().windows(2).any(|pair| pair == b"  ") {
        return Cow::Borrowed(trimmed);
    }
    let mut out = String::with_capacity(trimmed.len());
    for c in trimmed.nfc() {
        match c {
            ' ' | '\t' | '\n' | '\r' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            _ if is_unfit(c) => {}
            _ => out.push(c),
        }
    }
    out.truncate(out.trim_end_matches(' ').len());
    if out == trimmed { Cow::Borrowed(trimmed) } else { Cow::Owned(out) }
}

/// Characters that are not to be shown: controls, direction marks and overrides, separators, noncharacters.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff9}'..='\u{fffb}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// A whole number with its thousands parted by no-break spaces, as Swedish is written: `335 000`.
pub(super) fn grouped(number: i64) -> String {
    let mut digits = ArrayString::<20>::new();
    // Twenty digits hold every number of 64 bits.
    let _ = write!(digits, "{}", number.unsigned_abs());
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 2 + 4);
    if number < 0 {
        out.push('–'); // as Swedish is typeset; the letters' font has no minus sign
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{a0}');
        }
        out.push(digit);
    }
    out
}

/// An identity as people write it: `19511123-2079`, `502168-0250`.
pub(super) fn identity_text(twelve: &str) -> Option<String> {
    let identity = Identity::pattern(twelve).ok()?;
    let digits = identity.expose();
    let (head, tail) = digits.split_at_checked(8)?;
    let head = match identity.kind() {
        IdentityKind::Organisationsnummer => head.get(2..)?,
        IdentityKind::Personnummer | IdentityKind::Samordningsnummer => head,
    };
    Some(format!("{head}-{tail}"))
}

fn title(sheet: &Sheet<'_>, year: &str) -> String {
    let what = if sheet.correction { "Rättad kontrolluppgift" } else { "Kontrolluppgift" };
    if year.is_empty() { what.to_owned() } else { format!("{what} för inkomståret {year}") }
}

/// The income year: fältkod 203, else the Period of the record.
fn year<'a>(statement: &'a Kontrolluppgift<'_>) -> Cow<'a, str> {
    clean(statement.text(faltkod::INKOMSTAR).unwrap_or(&statement.period))
}

/// Who gives the uppgifter, as the letter's sentences name it.
enum Payer<'a> {
    /// By name.
    Named(Cow<'a, str>),
    /// An organisation without a known name, by its number.
    Numbered(String),
    /// Without either: a private person's number stands in its row of the table and nowhere else.
    Unnamed,
}

impl<'a> Payer<'a> {
    /// The name in the record, else the name that the settings have for its number, else the number. The sender of a letter
    /// may be another organisation, whose name never stands in for it.
    fn of(sheet: &Sheet<'a>) -> Self {
        let shows = |name: &Cow<'_, str>| !name.chars().all(char::is_whitespace);
        let in_record = sheet.statement.text(faltkod::NAMN_UPPGIFTSLAMNARE).map(clean).filter(shows);
        if let Some(name) = in_record {
            return Self::Named(name);
        }
        let Some(number) = sheet.statement.uppgiftslamnare() else { return Self::Unnamed };
        if sheet.sender.names.is_some_and(|named| named.identity() == number) {
            return Self::Named(clean(&sheet.sender.name));
        }
        match (number.kind(), identity_text(number.expose())) {
            (IdentityKind::Organisationsnummer, Some(text)) => Self::Numbered(text),
            _ => Self::Unnamed,
        }
    }

    /// Where a sentence begins with it.
    fn first(&self) -> Cow<'_, str> {
        match self {
            Self::Named(name) => Cow::Borrowed(name),
            Self::Numbered(number) => Cow::Owned(format!("Uppgiftslämnaren (organisationsnummer {number})")),
            Self::Unnamed => Cow::Borrowed("Uppgiftslämnaren"),
        }
    }

    /// Within a sentence.
    fn within(&self) -> Cow<'_, str> {
        match self {
            Self::Named(name) => Cow::Borrowed(name),
            Self::Numbered(number) => Cow::Owned(format!("uppgiftslämnaren (organisationsnummer {number})")),
            Self::Unnamed => Cow::Borrowed("uppgiftslämnaren"),
        }
    }
}

fn contact<'a>(sheet: &Sheet<'a>, blocks: &mut Vec<Block<'a>>) {
    let sender = sheet.sender;
    blocks.push(Block::Heading("Frågor"));
    blocks.push(Block::Paragraph(clean(&sender.support_text)));
    let line = |what: &str, value: &str| Block::Paragraph(Cow::Owned(format!("{what}: {}", clean(value))));
    blocks.extend(sender.support_phone.as_deref().map(|phone| line("Telefon", phone)));
    blocks.extend(sender.support_email.as_deref().map(|email| line("E-post", email)));
    blocks.extend(sender.support_url.as_deref().map(|url| Block::Link("Webbplats: ", clean(url))));
    blocks.push(Block::Paragraph(Cow::Owned(format!("Avsändare: {}", clean(&sender.name)))));
}

fn rows<'a>(statement: &'a Kontrolluppgift<'_>, places: &'static [Place]) -> Vec<Row<'a>> {
    let present = statement.present();
    let mut rows = Vec::with_capacity(places.len());
    for place in places {
        let field = place.index();
        if present.contains(field)
            && let Some(text) = statement.text(field)
        {
            rows.push(row(field.field().faltkod, place.label, field.field().kind, text));
        }
    }
    rows
}

/// Fields that the form's table does not have; the schema forbids them, and still no field is left out of a letter.
fn strays<'a>(statement: &'a Kontrolluppgift<'_>, table: &'static FormTable) -> impl Iterator<Item = Row<'a>> {
    statement.values().filter(|(field, _)| table.place(*field).is_none()).map(|(field, text)| {
        let field = field.field();
        row(field.faltkod, field.label, field.kind, text)
    })
}

fn row<'a>(faltkod: u16, label: &'static str, kind: Type, text: &'a str) -> Row<'a> {
    let (value, number) = value(faltkod, label, kind, text);
    // How a form wants a date written is not how the letter writes it.
    let label = match kind {
        Type::Datum if date_text(text).is_some() => label.strip_suffix(" (ÅÅÅÅMMDD)").unwrap_or(label),
        _ => label,
    };
    let mut code = ArrayString::new();
    // Fältkoder have three digits; there is room for any number of their type.
    let _ = write!(code, "{faltkod:03} ");
    Row { code, label, value, number }
}

/// A field's value in words, and whether it is a number.
fn value<'a>(faltkod: u16, label: &str, kind: Type, text: &'a str) -> (Cow<'a, str>, bool) {
    let text_of = clean;
    let whole = || text.trim_matches(XML_SPACE).parse::<i64>().ok();
    match kind {
        Type::Belopp { .. } | Type::Antal { .. } => match whole() {
            Some(number) => match unit(faltkod, label, kind) {
                Unit::Kronor => (Cow::Owned(grouped(number) + "\u{a0}kr"), true),
                Unit::Count => (Cow::Owned(grouped(number)), true),
                Unit::Name => (Cow::Owned(number.to_string()), false),
            },
            None => (text_of(text), false),
        },
        Type::Kryss => match text.trim_matches(XML_SPACE) {
            "1" | "true" => (Cow::Borrowed("Ja"), false),
            "0" | "false" => (Cow::Borrowed("Nej"), false),
            _ => (text_of(text), false),
        },
        Type::Identitet => (identity_text(text).map_or_else(|| text_of(text), Cow::Owned), false),
        Type::Datum => (date_text(text).map_or_else(|| text_of(text), Cow::Owned), false),
        Type::Decimal { .. } => (Cow::Owned(text_of(text).replace('.', ",")), true),
        Type::Kod(list) => (code_text(list, text_of(text)), false),
        Type::Inkomstar | Type::Fodelsetid | Type::Isin | Type::AnlId | Type::Verksamhetsomrade => {
            (text_of(text), false)
        }
        Type::Text { .. } if faltkod == 230 && text.contains('\n') => {
            let lines: Vec<_> = text.split('\n').map(clean).filter(|line| !line.is_empty()).collect();
            // A page holds so many; more are set on as few lines as they need.
            (Cow::Owned(lines.join(if lines.len() <= 8 { "\n" } else { ", " })), false)
        }
        Type::Text { .. } if faltkod == 219 => (postcode(text_of(text)), false),
        Type::Text { .. } => (text_of(text), false),
    }
}

enum Unit {
    Kronor,
    Count,
    Name,
}

/// What a number counts. The schema has types by width, so that a depånummer is a Belopp12 there.
fn unit(faltkod: u16, label: &str, kind: Type) -> Unit {
    match (faltkod, kind) {
        (60 | 523 | 570, _) => Unit::Name,
        (576 | 578, _) | (_, Type::Antal { .. }) => Unit::Count,
        _ if label.contains("valuta") => Unit::Count,
        _ => Unit::Kronor,
    }
}

fn date_text(text: &str) -> Option<String> {
    let digits = text.trim_matches(XML_SPACE);
    let all = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| Some(format!("{}-{}-{}", digits.get(..4)?, digits.get(4..6)?, digits.get(6..)?)))?
}

/// `12345` as `123 45`; anything else as it is.
fn postcode(text: Cow<'_, str>) -> Cow<'_, str> {
    match (text.len(), text.get(..3), text.get(3..)) {
        (5, Some(head), Some(tail)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Cow::Owned(format!("{head}\u{a0}{tail}"))
        }
        _ => text,
    }
}

/// A code and what it means, where the schema's own lists say it.
fn code_text(list: KodLista, code: Cow<'_, str>) -> Cow<'_, str> {
    let meaning = match list {
        KodLista::Landskod => country(&code),
        KodLista::SandUnderTid => choose(&code, &SAND_UNDER_TID),
        KodLista::KategoriKU14 => choose(&code, &KATEGORI_KU14),
        KodLista::NarfartFjarrfart => choose(&code, &[("N", "närfart"), ("F", "fjärrfart")]),
        KodLista::TypOption => choose(&code, &[("I", "innehavd"), ("U", "utfärdad")]),
        KodLista::Redovisningsmetod => choose(&code, &[("B", "brutto"), ("N", "netto")]),
        KodLista::TypForsakring => choose(&code, &[("P", "pensionsförsäkring"), ("K", "kapitalförsäkring")]),
        KodLista::GemensamIndividuell => {
            choose(&code, &[("G", "gemensamma för flera delägare"), ("I", "individuella")])
        }
        KodLista::Kontoslag => {
            choose(&code, &[("S", "skogskonto"), ("A", "skogsskadekonto"), ("U", "upphovsmannakonto")])
        }
        KodLista::Valutakod | KodLista::Betalkod | KodLista::Ersattningskod | KodLista::Region => None,
    };
    match meaning {
        Some(meaning) => Cow::Owned(format!("{code} – {meaning}")),
        None => code,
    }
}

fn choose(code: &str, of: &[(&str, &'static str)]) -> Option<&'static str> {
    of.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

/// *Source*: kontrolluppgift 8.0, Bilaga 1, `SandUnderTid`.
const SAND_UNDER_TID: [(&str, &str); 3] = [("A", "mindre än 6 månader"), ("B", "6–12 månader"), ("C", "mer än 1 år")];

/// *Source*: kontrolluppgift 8.0, Bilaga 1, `KategoriKU14`, shortened to its first sentences.
const KATEGORI_KU14: [(&str, &str); 6] = [
    ("A", "Arbetsgivare i Sverige. EU-förordningen är tillämplig."),
    ("B", "Arbetsgivare i annat medlemsland. EU-förordningen är tillämplig."),
    ("C", "Konventionsfall, arbetsgivare i Sverige. Utsänd för arbete i konventionsland."),
    (
        "D",
        "Arbetsgivare i Sverige. EU-förordningen eller konvention är inte tillämplig. Utsänd för arbete i annat land \
         i högst ett år.",
    ),
    ("E", "Anställd på utländsk beskickning i Sverige och ska betala skatt i beskickningslandet."),
    ("F", "Övriga fall. Utbetalare i Sverige, bosatt eller ska beskattas i utlandet."),
];

/// What a copy of the form must say about its income.
///
/// *Source*: Skatteverket's instructions as cited with the technical description; the wording is free.
const fn notice(form: Form) -> Option<&'static str> {
    match form {
        Form::KU13 => Some(
            "Kontrolluppgiften gäller inkomst som, enligt ett beslut om särskild inkomstskatt för utomlands bosatta \
             (SINK), inte ska deklareras i Sverige.",
        ),
        Form::KU14 => Some(
            "Det här är en särskild kontrolluppgift (pensionsgrundande inkomst och utbyte av kontrolluppgifter). Den \
             gäller inkomst som inte ska deklareras i Sverige.",
        ),
        _ => None,
    }
}

/// What kind of kontrolluppgift it is, in plain words; the schema's own names are headings of a form.
const fn form_heading(form: Form) -> &'static str {
    match form {
        Form::KU10 => "Kontrolluppgift från arbetsgivare m.fl. (KU10).",
        Form::KU13 => "Kontrolluppgift om särskild inkomstskatt för utomlands bosatta, SINK (KU13).",
        Form::KU14 => "Kontrolluppgift om pensionsgrundande inkomst och utbyte av kontrolluppgifter (KU14).",
        Form::KU16 => "Kontrolluppgift om sjöinkomst (KU16).",
        Form::KU17 => "Kontrolluppgift om sjöinkomst med särskild inkomstskatt för utomlands bosatta, SINK (KU17).",
        Form::KU18 => "Kontrolluppgift från pensions- och försäkringsutbetalare m.fl. (KU18).",
        Form::KU19 => {
            "Kontrolluppgift från pensions- och försäkringsutbetalare m.fl. om särskild inkomstskatt för utomlands \
             bosatta, SINK (KU19)."
        }
        Form::KU20 => "Kontrolluppgift om ränteinkomst (KU20).",
        Form::KU21 => "Kontrolluppgift om obligationer (KU21).",
        Form::KU25 => "Kontrolluppgift om ränteutgift (KU25).",
        Form::KU26 => "Kontrolluppgift om tomträttsavgäld (KU26).",
        Form::KU28 => "Kontrolluppgift om investeraravdrag (KU28).",
        Form::KU30 => "Kontrolluppgift om schablonintäkt på investeringssparkonto (KU30).",
        Form::KU31 => "Kontrolluppgift om utdelning m.m. på delägarrätter (KU31).",
        Form::KU32 => "Kontrolluppgift om avyttring av delägar- eller fordringsrätter (KU32).",
        Form::KU34 => "Kontrolluppgift om avyttring, utfärdande eller slutförande av optioner (KU34).",
        Form::KU35 => "Kontrolluppgift om slutförande av terminer (KU35).",
        Form::KU40 => "Kontrolluppgift om avyttring av fondandelar (KU40).",
        Form::KU41 => "Kontrolluppgift om schablonintäkt på fondandelar (KU41).",
        Form::KU50 => "Kontrolluppgift om pensionssparande (KU50).",
        Form::KU52 => "Kontrolluppgift om utländsk försäkring (KU52).",
        Form::KU53 => "Kontrolluppgift om förmedlad försäkring (KU53).",
        Form::KU55 => "Kontrolluppgift om överlåtelse av bostadsrätt (KU55).",
        Form::KU65 => "Kontrolluppgift om gåva (KU65).",
        Form::KU66 => "Kontrolluppgift om förnybar el (KU66).",
        Form::KU68 => "Kontrolluppgift om avgift till arbetslöshetskassa (KU68).",
        Form::KU70 => "Kontrolluppgift om näringsbidrag och royalty (KU70).",
        Form::KU71 => "Kontrolluppgift om uttag från bl.a. skogskonto (KU71).",
        Form::KU72 => "Kontrolluppgift om insättning på bl.a. skogskonto (KU72).",
        Form::KU73 => "Kontrolluppgift om utdelning m.m. från samfällighet (KU73).",
        Form::KU80 => "Kontrolluppgift om betalning från utlandet (KU80).",
        Form::KU81 => "Kontrolluppgift om betalning till utlandet (KU81).",
        Form::KupongS => "Redovisning av kupongskatt i avstämningsbolag (KupongS).",
    }
}
