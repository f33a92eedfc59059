//! The fast way: a record as nearly every program writes it, without allocation.
//!
//! It knows one prefix, double quotes and the bare tags, and gives up (`None`) at anything else: another prefix, a
//! declaration, an attribute out of place, CDATA, a comment, a carriage return in a value, an element
//! that is unknown, doubled, missing or in the wrong place. A reference in a value is resolved here, since `&amp;` is
//! in many a company's name. It must never accept what the slow way would read
//! differently: a property test holds the two together.

// Tables have an entry for each field or form; places come from their enums.
#![allow(clippy::indexing_slicing)]

use super::{FormSets, Record};
use crate::domain::{
    FIELDS, FIELDS_PER_RECORD, FORMS, FieldIndex, FieldSet, Form, Kontrolluppgift, SchemaVersion, Value,
};
use crate::intake::xml::reference;
use arrayvec::ArrayVec;
use std::borrow::Cow;

/// The tags of an export, as its prefix writes them.
#[derive(Clone, Debug)]
pub struct Tags {
    /// `<ku:Name faltkod="011">` and `</ku:Name>` by field.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    forms: Vec<FormTags>,
    blankett: [Vec<u8>; 2],
    arendeinformation: [Vec<u8>; 2],
    arendeagare: [Vec<u8>; 2],
    period: [Vec<u8>; 2],
    arendenummer: [Vec<u8>; 2],
    blankettinnehall: [Vec<u8>; 2],
}

#[derive(Clone, Debug)]
struct FormTags {
    form: [Vec<u8>; 2],
    recipient: [Vec<u8>; 2],
    sender: [Vec<u8>; 2],
}

impl Tags {
    /// Those of a prefix, empty for the default namespace.
    pub fn new(prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}:") };
        let pair = |name: &str| [format!("<{prefix}{name}>").into_bytes(), format!("</{prefix}{name}>").into_bytes()];
        let field = |field: &crate::domain::Field| {
            let open = format!("<{prefix}{} faltkod=\"{:03}\">", field.element, field.faltkod);
            (open.into_bytes(), format!("</{prefix}{}>", field.element).into_bytes())
        };
        let form = |table: &crate::domain::FormTable| FormTags {
            form: pair(table.element),
            recipient: pair(&format!("Inkomsttagare{}", table.element)),
            sender: pair(&format!("Uppgiftslamnare{}", table.element)),
        };
        Self {
            fields: FIELDS.iter().map(field).collect(),
            forms: FORMS.iter().map(form).collect(),
            blankett: [
                format!("<{prefix}Blankett nummer=\"").into_bytes(),
                format!("</{prefix}Blankett>").into_bytes(),
            ],
            arendeinformation: pair("Arendeinformation"),
            arendeagare: pair("Arendeagare"),
            period: pair("Period"),
            arendenummer: pair("Arendenummer"),
            blankettinnehall: pair("Blankettinnehall"),
        }
    }
}

/// What a thread remembers between records: which field followed which, so that the next tag is compared and not
/// looked up. Only speed depends on it.
#[derive(Clone, Debug)]
pub struct Scratch {
    next: [u8; FIELDS.len() + 1],
    form: Form,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { next: [0; FIELDS.len() + 1], form: Form::KU10 }
    }
}

/// The place in [`FIELDS`] by fältkod, 255 where there is none.
static BY_CODE: [u8; 1000] = {
    let mut table = [255; 1000];
    let mut place = 0;
    while place < FIELDS.len() {
        table[FIELDS[place].faltkod as usize] = place as u8;
        place += 1;
    }
    table
};

/// Reads a span.
pub fn parse<'a>(bytes: &'a [u8], tags: &Tags, version: SchemaVersion, scratch: &mut Scratch) -> Option<Record<'a>> {
    let text = simdutf8::basic::from_utf8(bytes).ok()?;
    if !text.is_ascii() && memchr::memchr(0xef, bytes).is_some() {
        return None; // U+FFFE and U+FFFF begin with this byte
    }
    let mut at = Cursor { bytes, text, at: 0 };
    at.expect(&tags.blankett[0])?;
    let nummer = at.until(b'"')?;
    at.expect(b"\">")?;
    at.space();
    at.expect(&tags.arendeinformation[0])?;
    let (mut arendeagare, mut period, mut arendenummer) = (None, None, None);
    loop {
        at.space();
        let here = at.at as u32;
        let (slot, end) = if at.take(&tags.arendeagare[0]) {
            (&mut arendeagare, &tags.arendeagare[1])
        } else if at.take(&tags.period[0]) {
            (&mut period, &tags.period[1])
        } else if at.take(&tags.arendenummer[0]) {
            (&mut arendenummer, &tags.arendenummer[1])
        } else {
            break;
        };
        let value = at.value()?;
        at.expect(end)?;
        if slot.replace((value, here)).is_some() {
            return None;
        }
    }
    let ((arendeagare, arendeagare_at), (period, period_at)) = (arendeagare?, period?);
    at.expect(&tags.arendeinformation[1])?;
    at.space();
    at.expect(&tags.blankettinnehall[0])?;
    at.space();
    let form = at.form(tags, scratch.form)?;
    if !version.has(form) {
        return None;
    }
    scratch.form = form;
    let (sets, form_tags) = (FormSets::of(form), &tags.forms[form as usize]);
    let mut record = Record {
        statement: Kontrolluppgift::new(form, nummer.into(), arendeagare, period),
        places: ArrayVec::<u32, FIELDS_PER_RECORD>::new(),
        arendeagare_at,
        period_at,
        arendenummer,
        has_arendeagare: true,
        has_period: true,
        has_nummer: true,
    };
    let (mut recipient, mut sender) = (false, false);
    let mut before = FIELDS.len();
    loop {
        at.fields(tags, &sets.body, &mut before, scratch, &mut record)?;
        if at.take(&form_tags.recipient[0]) {
            if recipient || !sets.has_recipient {
                return None;
            }
            recipient = true;
            at.fields(tags, &sets.recipient, &mut before, scratch, &mut record)?;
            at.expect(&form_tags.recipient[1])?;
        } else if at.take(&form_tags.sender[0]) {
            if sender {
                return None;
            }
            sender = true;
            at.fields(tags, &sets.sender, &mut before, scratch, &mut record)?;
            at.expect(&form_tags.sender[1])?;
        } else {
            break;
        }
    }
    at.expect(&form_tags.form[1])?;
    at.space();
    at.expect(&tags.blankettinnehall[1])?;
    at.space();
    at.expect(&tags.blankett[1])?;
    (at.at == bytes.len() && sender && recipient == sets.has_recipient).then_some(record)
}

/// A word of this byte eight times.
const fn repeated(byte: u8) -> u64 {
    0x0101_0101_0101_0101 * byte as u64
}

/// The lowest bit set is that of the first byte of the word that is this one; above it others may be.
const fn holds(word: u64, byte: u8) -> u64 {
    let same = word ^ repeated(byte);
    same.wrapping_sub(repeated(1)) & !same & repeated(0x80)
}

/// As [`holds`], of the first byte below a space.
const fn holds_control(word: u64) -> u64 {
    word.wrapping_sub(repeated(b' ')) & !word & repeated(0x80)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, tag: &[u8]) -> bool {
        let found = self.bytes.get(self.at..self.at + tag.len()) == Some(tag);
        self.at += if found { tag.len() } else { 0 };
        found
    }

    fn expect(&mut self, tag: &[u8]) -> Option<()> {
        self.take(tag).then_some(())
    }

    /// The next eight bytes, the first one lowest.
    fn word(&self) -> Option<u64> {
        self.bytes.get(self.at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn space(&mut self) {
        // Indentation: a line end, then spaces, eight at a time.
        while let Some(word) = self.word() {
            let other = word ^ repeated(b' ');
            if other == 0 {
                self.at += 8;
                continue;
            }
            self.at += (other.trailing_zeros() / 8) as usize;
            match self.bytes.get(self.at) {
                Some(b'\n' | b'\t' | b'\r') => self.at += 1,
                _ => return,
            }
        }
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// An attribute's value up to its quote, which must be plain.
    fn until(&mut self, quote: u8) -> Option<&'a str> {
        let start = self.at;
        loop {
            match *self.bytes.get(self.at)? {
                byte if byte == quote => return self.text.get(start..self.at),
                b'<' | b'&' | 0..b' ' => return None,
                _ => self.at += 1,
            }
        }
    }

    /// A value up to the next `<`, plain but for references.
    fn value(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        self.plain();
        match *self.bytes.get(self.at)? {
            b'<' => self.text.get(start..self.at).map(Cow::Borrowed),
            b'&' => self.resolved(start).map(Cow::Owned),
            _ => None,
        }
    }

    /// Passes over what needs no look: up to `<`, `&`, a control character other than tab and line feed, or `]`, which
    /// could be of the `]]>` that character data may not hold.
    fn plain(&mut self) {
        while let Some(word) = self.word() {
            let found = holds(word, b'<') | holds(word, b'&') | holds(word, b']') | holds_control(word);
            if found == 0 {
                self.at += 8;
                continue;
            }
            self.at += (found.trailing_zeros() / 8) as usize;
            if !matches!(self.bytes.get(self.at), Some(b'\t' | b'\n')) {
                return;
            }
            self.at += 1;
        }
        while self.bytes.get(self.at).is_some_and(|byte| !matches!(byte, b'<' | b'&' | b']' | 0..=8 | 11..=31)) {
            self.at += 1;
        }
    }

    #[cold]
    fn resolved(&mut self, start: usize) -> Option<String> {
        let mut value = self.text.get(start..self.at)?.to_owned();
        loop {
            let rest = self.text.get(self.at..)?;
            if rest.starts_with('<') {
                return Some(value);
            }
            let (name, _) = rest.strip_prefix('&')?.split_once(';')?;
            value.push(reference(name)?);
            self.at += name.len() + 2;
            let from = self.at;
            self.plain();
            value.push_str(self.text.get(from..self.at)?);
        }
    }

    fn form(&mut self, tags: &Tags, guess: Form) -> Option<Form> {
        if self.take(&tags.forms[guess as usize].form[0]) {
            return Some(guess);
        }
        FORMS.iter().map(|table| table.form).find(|form| self.take(&tags.forms[*form as usize].form[0]))
    }

    /// Fields of one element, up to a tag that is none.
    fn fields(
        &mut self,
        tags: &Tags,
        allowed: &FieldSet,
        before: &mut usize,
        scratch: &mut Scratch,
        record: &mut Record<'a>,
    ) -> Option<()> {
        loop {
            self.space();
            let here = self.at;
            let guess = scratch.next[*before] as usize;
            let place = if self.take(&tags.fields[guess].0) {
                guess
            } else {
                let Some(place) = self.field(tags)? else { return Some(()) };
                scratch.next[*before] = place as u8;
                place
            };
            *before = place;
            let field = FieldIndex::new(place)?;
            let value = self.value()?;
            self.expect(&tags.fields[place].1)?;
            if !allowed.contains(field) || !record.statement.insert(field, value) {
                return None;
            }
            record.places.push(here as u32);
        }
    }

    /// Passes over a name, up to a space or `>`.
    fn name(&mut self) {
        while let Some(word) = self.word() {
            let found = holds(word, b' ') | holds(word, b'>');
            if found != 0 {
                self.at += (found.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while self.bytes.get(self.at).is_some_and(|byte| !matches!(byte, b' ' | b'>')) {
            self.at += 1;
        }
    }

    /// A field's start tag, looked up by its fältkod; `Some(None)` where the tag has no attribute.
    fn field(&mut self, tags: &Tags) -> Option<Option<usize>> {
        let mut name = Cursor { bytes: self.bytes, text: self.text, at: self.at };
        name.name();
        if self.bytes.get(name.at) == Some(&b'>') {
            return Some(None);
        }
        let code = self.bytes.get(name.at..)?.strip_prefix(b" faltkod=\"")?.get(..3)?;
        let digit = |place: usize| usize::from(code[place].wrapping_sub(b'0'));
        let (hundreds, tens, ones) = (digit(0), digit(1), digit(2));
        if hundreds > 9 || tens > 9 || ones > 9 {
            return None;
        }
        let place = usize::from(BY_CODE[hundreds * 100 + tens * 10 + ones]);
        self.expect(&tags.fields.get(place)?.0)?;
        Some(Some(place))
    }
}
