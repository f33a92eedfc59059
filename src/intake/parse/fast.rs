//! The fast way: a record as nearly every program writes it, without allocation.
//!
//! It knows one prefix, double quotes and the bare tags, and gives up (`None`) at anything else: another prefix, a
//! declaration, an attribute out of place, CDATA, a comment, a carriage return in a value, an element
//! that is unknown, doubled, missing or in the wrong place. A reference in a value is resolved here, since `&amp;` is
//! in many a company's name. It must never accept what the slow way would read
//! differently: a property test holds the two together.

// Tables have an entry for each field or form; places come from their enums.
#![allow(clippy::indexing_slicing)]

use super::{Dialect, FormSets, Record};
use crate::domain::{FIELDS, FORMS, FieldIndex, Form, SchemaVersion, Value};
use crate::intake::xml::reference;
use std::borrow::Cow;

/// The tags of an export, as its prefix writes them.
#[derive(Clone, Debug)]
pub struct Tags {
    /// Bytes of the prefix, its colon included.
    prefix: usize,
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
            prefix: prefix.len(),
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

/// Where a value stands: a field by its place, or one of these.
type Slot = usize;
/// Before the record.
const START: Slot = FIELDS.len();
/// The attribute nummer.
const NUMMER: Slot = START + 1;
const ARENDEAGARE: Slot = START + 2;
const PERIOD: Slot = START + 3;
const ARENDENUMMER: Slot = START + 4;
/// After the record.
const END: Slot = START + 5;
const SLOTS: usize = END + 1;

/// How far a record has come; with the bytes ahead it decides what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    form: Form,
    part: Part,
    /// What can come once: Arendeagare, Period, Arendenummer, then the recipient and the uppgiftslämnare.
    seen: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Envelope,
    Body,
    Recipient,
    Sender,
}

const SEEN_ARENDEAGARE: u8 = 1;
const SEEN_PERIOD: u8 = 2;
const SEEN_ARENDENUMMER: u8 = 4;
const SEEN_RECIPIENT: u8 = 8;
const SEEN_SENDER: u8 = 16;

/// What stands between two values, read once: the end tag of the first, tags of structure, the start tag of the second,
/// and the whitespace around them.
#[derive(Clone, Debug)]
struct Gap {
    before: State,
    after: State,
    slot: u8,
    /// From the start of the second value's tag to the end of the gap.
    back: u8,
    length: u8,
    bytes: [u8; LONGEST],
}

impl Gap {
    /// Whether `rest` begins with it. Its last bytes are looked at first: there stands the fältkod.
    #[inline]
    fn begins(&self, rest: &[u8]) -> bool {
        let length = usize::from(self.length);
        let (Some(here), known) = (rest.get(..length), &self.bytes[..length]) else { return false };
        if here.last_chunk::<BLOCK>() != known.last_chunk() {
            return false;
        }
        let (here, known) = (here.as_chunks::<BLOCK>().0, known.as_chunks().0);
        here.iter().zip(known).all(|(here, known)| here == known)
    }
}

/// Bytes that are compared at once. A gap is longer: it has at least a tag with a fältkod.
const BLOCK: usize = 16;
/// The longest gap that is remembered: the end of a record is some 140 bytes with the indentation of the samples.
const LONGEST: usize = 224;
/// What a thread remembers between records: the gaps that it met, so that the next one is compared and not read. What a
/// gap means depends on nothing but its bytes, the state before it and the value that it follows; so only speed depends
/// on this memory, and it holds whatever layout the export has.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// Whose gaps they are.
    dialect: u64,
    gaps: Vec<Gap>,
    after: Box<[After; SLOTS]>,
}

/// Where the gaps stand that follow a value. They are found by the name of the tag that comes next, so that what comes
/// next need not be guessed.
#[derive(Clone, Copy, Debug)]
struct After {
    /// Where that name stands in a gap.
    name_at: u8,
    /// Places in `gaps` by the form and that name, two a bucket.
    buckets: [[u16; 2]; BUCKETS],
}

/// A power of two.
const BUCKETS: usize = 64;
const NOTHING: After = After { name_at: 0, buckets: [[u16::MAX; 2]; BUCKETS] };

impl Default for Scratch {
    fn default() -> Self {
        Self { dialect: 0, gaps: Vec::new(), after: Box::new([NOTHING; SLOTS]) }
    }
}

impl After {
    #[inline]
    fn bucket(&self, form: Form, rest: &[u8]) -> usize {
        let name = rest.get(usize::from(self.name_at)..).and_then(<[u8]>::first_chunk);
        let name = name.map_or(0, |name: &[u8; BLOCK]| u128::from_le_bytes(*name));
        // Fibonacci hashing of the two halves.
        let mixed = (name as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (name >> 64) as u64 ^ form as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BUCKETS.ilog2())) as usize
    }
}

impl Scratch {
    /// Forgets what was learned of another export.
    fn of(&mut self, dialect: &Dialect) {
        if self.dialect != dialect.id {
            self.dialect = dialect.id;
            self.gaps.clear();
            self.after.fill(NOTHING);
        }
    }

    /// The gap that `rest` begins with, where it was met before.
    #[inline]
    fn known(&self, before: Slot, state: State, rest: &[u8]) -> Option<&Gap> {
        let after = &self.after[before];
        after.buckets[after.bucket(state.form, rest)].iter().find_map(|place| {
            let gap = self.gaps.get(usize::from(*place))?;
            (gap.begins(rest) && gap.before == state).then_some(gap)
        })
    }

    /// Remembers the gap that `rest` begins with, in place of the older one of its bucket.
    fn learn(&mut self, before: Slot, gap: Gap, rest: &[u8], prefix: usize) {
        let after = &mut self.after[before];
        if after.name_at == 0 {
            // After a field, its end tag comes first, and the next tag tells what follows. In the envelope tags of
            // structure come before the one that does.
            let second = gap.bytes.iter().skip(1).position(|byte| *byte == b'<').map_or(0, |place| place + 1);
            let tag = if before < START { second } else { usize::from(gap.length - gap.back) };
            after.name_at = (tag + 1 + prefix) as u8; // a gap is at most LONGEST
        }
        let bucket = after.bucket(gap.before.form, rest);
        let places = &mut after.buckets[bucket];
        places.swap(0, 1);
        match self.gaps.get_mut(usize::from(places[0])) {
            Some(old) => *old = gap,
            None => {
                places[0] = self.gaps.len() as u16; // at most one for each place
                self.gaps.push(gap);
            }
        }
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

/// Reads a span into `record`; where it gives up, what `record` holds means nothing.
pub fn parse<'a>(
    text: &'a str,
    dialect: &Dialect,
    tags: &Tags,
    scratch: &mut Scratch,
    record: &mut Record<'a>,
) -> Option<()> {
    scratch.of(dialect);
    record.clear();
    let mut at = Cursor { bytes: text.as_bytes(), text, at: 0 };
    let mut state = State { form: Form::KU10, part: Part::Envelope, seen: 0 };
    let mut slot = START;
    loop {
        let here;
        (slot, here) = at.gap(slot, &mut state, tags, dialect.version, scratch)?;
        match slot {
            NUMMER => record.statement.nummer = at.until(b'"')?.into(),
            ARENDEAGARE => (record.statement.arendeagare, record.arendeagare_at) = (at.value()?, here),
            PERIOD => (record.statement.period, record.period_at) = (at.value()?, here),
            ARENDENUMMER => record.arendenummer = Some((at.value()?, here)),
            END => break,
            place => {
                if !record.statement.insert(FieldIndex::new(place)?, at.value()?) {
                    return None;
                }
                record.places.push(here);
            }
        }
    }
    record.statement.form = state.form;
    (at.at == text.len()).then_some(())
}

/// This byte sixteen times.
const fn repeated(byte: u8) -> u128 {
    0x0101_0101_0101_0101_0101_0101_0101_0101 * byte as u128
}

/// The lowest bit set is that of the first byte of the block that is this one; above it others may be.
const fn holds(block: u128, byte: u8) -> u128 {
    let same = block ^ repeated(byte);
    same.wrapping_sub(repeated(1)) & !same & repeated(0x80)
}

/// As [`holds`], of the first byte below a space.
const fn holds_control(block: u128) -> u128 {
    block.wrapping_sub(repeated(b' ')) & !block & repeated(0x80)
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

    /// The next bytes, the first one lowest.
    fn block(&self) -> Option<u128> {
        self.bytes.get(self.at..)?.first_chunk().map(|bytes: &[u8; BLOCK]| u128::from_le_bytes(*bytes))
    }

    fn space(&mut self) {
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
                // U+FFFE and U+FFFF begin with the last of these.
                b'<' | b'&' | 0..b' ' | 0xef => return None,
                _ => self.at += 1,
            }
        }
    }

    /// A value up to the next `<`, plain but for references.
    #[inline]
    fn value(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        let ascii = self.plain();
        let value = match *self.bytes.get(self.at)? {
            b'<' => Cow::Borrowed(self.text.get(start..self.at)?),
            b'&' => Cow::Owned(self.resolved(start)?),
            _ => return None,
        };
        // U+FFFE and U+FFFF begin with this byte.
        let beyond = !ascii && memchr::memchr(0xef, self.bytes.get(start..self.at)?).is_some();
        (!beyond).then_some(value)
    }

    /// Passes over what needs no look: up to `<`, `&`, a control character other than tab and line feed, or `]`, which
    /// could be of the `]]>` that character data may not hold. Tells whether all of it was ASCII (`false` may be wrong).
    #[inline]
    fn plain(&mut self) -> bool {
        let mut bits = 0;
        while let Some(block) = self.block() {
            let found = holds(block, b'<') | holds(block, b'&') | holds(block, b']') | holds_control(block);
            // Below the lowest bit found; everything where there is none.
            bits |= block & (found & found.wrapping_neg()).wrapping_sub(1);
            if found == 0 {
                self.at += BLOCK;
                continue;
            }
            self.at += (found.trailing_zeros() / 8) as usize;
            if !matches!(self.bytes.get(self.at), Some(b'\t' | b'\n')) {
                return bits & repeated(0x80) == 0;
            }
            self.at += 1;
        }
        while self.bytes.get(self.at).is_some_and(|byte| !matches!(byte, b'<' | b'&' | b']' | 0..=8 | 11..=31)) {
            self.at += 1;
        }
        false
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

    /// Passes from one value to the next: gives back which that is and where its tag begins.
    #[inline]
    fn gap(
        &mut self,
        before: Slot,
        state: &mut State,
        tags: &Tags,
        version: SchemaVersion,
        scratch: &mut Scratch,
    ) -> Option<(Slot, u32)> {
        let rest = self.bytes.get(self.at..)?;
        if let Some(gap) = scratch.known(before, *state, rest) {
            self.at += usize::from(gap.length);
            *state = gap.after;
            return Some((usize::from(gap.slot), (self.at - usize::from(gap.back)) as u32));
        }
        self.new_gap(before, state, tags, version, scratch)
    }

    #[cold]
    fn new_gap(
        &mut self,
        before: Slot,
        state: &mut State,
        tags: &Tags,
        version: SchemaVersion,
        scratch: &mut Scratch,
    ) -> Option<(Slot, u32)> {
        let (start, was) = (self.at, *state);
        let (slot, here) = self.step(before, state, tags, version)?;
        let passed = self.bytes.get(start..self.at)?;
        let mut bytes = [0; LONGEST];
        if let Some(room) = bytes.get_mut(..passed.len()).filter(|room| room.len() >= BLOCK) {
            room.copy_from_slice(passed);
            let (length, back) = (passed.len() as u8, (self.at - here) as u8); // both at most LONGEST
            let gap = Gap { before: was, after: *state, slot: slot as u8, back, length, bytes };
            scratch.learn(before, gap, self.bytes.get(start..)?, tags.prefix);
        }
        Some((slot, here as u32))
    }

    /// The grammar: what follows the value of `before`, read tag by tag.
    fn step(&mut self, before: Slot, state: &mut State, tags: &Tags, version: SchemaVersion) -> Option<(Slot, usize)> {
        match before {
            START => {
                let here = self.at;
                self.expect(&tags.blankett[0])?;
                return Some((NUMMER, here));
            }
            NUMMER => {
                self.expect(b"\">")?;
                self.space();
                self.expect(&tags.arendeinformation[0])?;
            }
            ARENDEAGARE => self.expect(&tags.arendeagare[1])?,
            PERIOD => self.expect(&tags.period[1])?,
            ARENDENUMMER => self.expect(&tags.arendenummer[1])?,
            field => {
                self.expect(&tags.fields.get(field)?.1)?;
                return self.inside(state, tags);
            }
        }
        self.space();
        let here = self.at;
        for (slot, bit, tag) in [
            (ARENDEAGARE, SEEN_ARENDEAGARE, &tags.arendeagare[0]),
            (PERIOD, SEEN_PERIOD, &tags.period[0]),
            (ARENDENUMMER, SEEN_ARENDENUMMER, &tags.arendenummer[0]),
        ] {
            if self.take(tag) {
                let doubled = state.seen & bit != 0;
                state.seen |= bit;
                return (!doubled).then_some((slot, here));
            }
        }
        const BOTH: u8 = SEEN_ARENDEAGARE | SEEN_PERIOD;
        if state.seen & BOTH != BOTH {
            return None;
        }
        self.expect(&tags.arendeinformation[1])?;
        self.space();
        self.expect(&tags.blankettinnehall[0])?;
        self.space();
        let mut forms = FORMS.iter().map(|table| table.form);
        let form = forms.find(|form| self.take(&tags.forms[*form as usize].form[0]))?;
        *state = State { form, part: Part::Body, seen: state.seen };
        if !version.has(form) {
            return None;
        }
        self.inside(state, tags)
    }

    /// Inside the form's element: the next field, or the end of the record.
    fn inside(&mut self, state: &mut State, tags: &Tags) -> Option<(Slot, usize)> {
        let (sets, of_form) = (FormSets::of(state.form), &tags.forms[state.form as usize]);
        loop {
            self.space();
            let here = self.at;
            if let Some(place) = self.field(tags)? {
                let allowed = match state.part {
                    Part::Envelope => return None,
                    Part::Body => &sets.body,
                    Part::Recipient => &sets.recipient,
                    Part::Sender => &sets.sender,
                };
                return allowed.contains(FieldIndex::new(place)?).then_some((place, here));
            }
            match state.part {
                Part::Envelope => return None,
                Part::Recipient => {
                    self.expect(&of_form.recipient[1])?;
                    state.part = Part::Body;
                }
                Part::Sender => {
                    self.expect(&of_form.sender[1])?;
                    state.part = Part::Body;
                }
                Part::Body => {
                    let (part, bit) = if sets.has_recipient && self.take(&of_form.recipient[0]) {
                        (Part::Recipient, SEEN_RECIPIENT)
                    } else if self.take(&of_form.sender[0]) {
                        (Part::Sender, SEEN_SENDER)
                    } else {
                        break;
                    };
                    if state.seen & bit != 0 {
                        return None;
                    }
                    (state.part, state.seen) = (part, state.seen | bit);
                }
            }
        }
        let here = self.at;
        self.expect(&of_form.form[1])?;
        self.space();
        self.expect(&tags.blankettinnehall[1])?;
        self.space();
        self.expect(&tags.blankett[1])?;
        let recipient = state.seen & SEEN_RECIPIENT != 0;
        (state.seen & SEEN_SENDER != 0 && recipient == sets.has_recipient).then_some((END, here))
    }

    /// Passes over a name, up to a space or `>`.
    fn name(&mut self) {
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
