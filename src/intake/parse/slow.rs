//! The slow way: the strict reader over the span, every fault of structure told.

use super::{Dialect, FormSets, Parsed, Record, field_by_name};
use crate::domain::{FieldIndex, FieldSet, Form, Kontrolluppgift, SchemaVersion, Value};
use crate::intake::findings::{Faults, named};
use crate::intake::xml::{Element, Malformed, Reader, Space, Token, forbidden, is_space};
use arrayvec::ArrayVec;
use std::borrow::Cow;

/// Reads a span that is one element.
pub fn parse<'a>(bytes: &'a [u8], dialect: &'a Dialect, faults: &mut Faults) -> Parsed<'a> {
    if let Some(malformed) = forbidden(bytes) {
        return Parsed::Malformed(malformed);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Parsed::Malformed(Malformed::new(0, "bytes that are not UTF-8"));
    };
    let mut walk = Walk { reader: Reader::new(text, &dialect.bindings), version: dialect.version, faults };
    match walk.blankett() {
        Ok(parsed) => parsed,
        Err(malformed) => Parsed::Malformed(malformed),
    }
}

/// What is known of a record while it is read.
#[derive(Default)]
struct Draft<'a> {
    nummer: Option<Value<'a>>,
    arendeagare: Option<(Value<'a>, usize)>,
    period: Option<(Value<'a>, usize)>,
    arendenummer: Option<(Value<'a>, u32)>,
    form: Option<Form>,
    fields: Vec<(FieldIndex, Value<'a>, usize)>,
    present: FieldSet,
}

struct Walk<'a, 'f> {
    reader: Reader<'a>,
    version: SchemaVersion,
    faults: &'f mut Faults,
}

type Walked<T = ()> = Result<T, Malformed>;

impl<'a> Walk<'a, '_> {
    fn blankett(&mut self) -> Walked<Parsed<'a>> {
        let mut draft = Draft::default();
        let Token::Start(element) = self.reader.next()? else {
            return Err(Malformed::new(0, "something else than an element"));
        };
        self.in_namespace(element);
        for place in 0..self.reader.attributes().len() {
            let Some(attribute) = self.reader.attributes().get(place).cloned() else { continue };
            if attribute.space == Space::None && attribute.local == "nummer" {
                draft.nummer = Some(attribute.value);
            } else if !attribute.is_location() {
                self.faults.error("schema.attribute", None, attribute.at, "an attribute that Blankett does not have");
            }
        }
        if draft.nummer.is_none() {
            self.faults.error("schema.nummer", None, element.at, "Blankett without the attribute nummer");
        }
        let mut seen: u8 = 0; // 1 Arendeinformation, 2 Blankettinnehall
        self.children(|walk, child| match child.local {
            "Arendeinformation" if walk.in_namespace(child) => {
                walk.once(child, seen & 1 != 0, "Arendeinformation")?;
                if seen & 2 != 0 {
                    walk.faults.structure(
                        "schema.order",
                        None,
                        child.at,
                        "Arendeinformation stands after Blankettinnehall",
                    );
                }
                seen |= 1;
                walk.no_attributes("Arendeinformation");
                walk.arendeinformation(&mut draft)
            }
            "Blankettinnehall" if walk.in_namespace(child) => {
                walk.once(child, seen & 2 != 0, "Blankettinnehall")?;
                seen |= 2;
                walk.no_attributes("Blankettinnehall");
                walk.blankettinnehall(child, &mut draft)
            }
            _ => walk.unknown(child, "Blankett"),
        })?;
        for (bit, name) in [(1, "Arendeinformation"), (2, "Blankettinnehall")] {
            if seen & bit == 0 {
                self.missing(element.at, name);
            }
        }
        let position = self.reader.position();
        match self.reader.next()? {
            Token::Eof => {}
            _ => return Err(Malformed::new(position, "something after the end of the record")),
        }
        Ok(record(draft))
    }

    fn arendeinformation(&mut self, draft: &mut Draft<'a>) -> Walked {
        let at = self.reader.position();
        self.children(|walk, child| {
            let name = match child.local {
                "Arendeagare" => "Arendeagare",
                "Period" => "Period",
                "Arendenummer" => "Arendenummer",
                _ => return walk.unknown(child, "Arendeinformation"),
            };
            if !walk.in_namespace(child) {
                return walk.skip();
            }
            let given = match name {
                "Arendeagare" => draft.arendeagare.is_some(),
                "Period" => draft.period.is_some(),
                _ => draft.arendenummer.is_some(),
            };
            walk.no_attributes(name);
            let value = walk.value()?;
            if given {
                walk.doubled(child, name);
                return Ok(());
            }
            match name {
                "Arendeagare" => draft.arendeagare = Some((value, child.at)),
                "Period" => draft.period = Some((value, child.at)),
                _ => draft.arendenummer = Some((value, place(child.at))),
            }
            Ok(())
        })?;
        if draft.arendeagare.is_none() {
            self.missing(at, "Arendeagare");
        }
        if draft.period.is_none() {
            self.missing(at, "Period");
        }
        Ok(())
    }

    fn blankettinnehall(&mut self, parent: Element<'a>, draft: &mut Draft<'a>) -> Walked {
        self.children(|walk, child| {
            let form = Form::by_element(child.local).filter(|form| walk.version.has(*form));
            match form {
                Some(form) if walk.in_namespace(child) => {
                    if draft.form.is_some() {
                        walk.faults.structure(
                            "schema.doubled-element",
                            None,
                            child.at,
                            "a second kontrolluppgift in one Blankett",
                        );
                        return walk.skip();
                    }
                    draft.form = Some(form);
                    walk.no_attributes(form.element());
                    walk.kontrolluppgift(form, child, draft)
                }
                _ => walk.unknown(child, "Blankettinnehall"),
            }
        })?;
        if draft.form.is_none() {
            self.missing(parent.at, "a kontrolluppgift (KU10, KU13, …)");
        }
        Ok(())
    }

    fn kontrolluppgift(&mut self, form: Form, parent: Element<'a>, draft: &mut Draft<'a>) -> Walked {
        let sets = FormSets::of(form);
        let (mut recipient, mut sender) = (false, false);
        self.children(|walk, child| {
            let party = child.local.strip_suffix(form.element());
            match party {
                Some("Inkomsttagare") if sets.has_recipient && walk.in_namespace(child) => {
                    walk.once(child, recipient, "the recipient (Inkomsttagare)")?;
                    recipient = true;
                    walk.no_attributes("Inkomsttagare");
                    walk.children(|walk, child| walk.field(form, &sets.recipient, child, draft))
                }
                Some("Uppgiftslamnare") if walk.in_namespace(child) => {
                    walk.once(child, sender, "the uppgiftslämnare (Uppgiftslamnare)")?;
                    sender = true;
                    walk.no_attributes("Uppgiftslamnare");
                    walk.children(|walk, child| walk.field(form, &sets.sender, child, draft))
                }
                _ => walk.field(form, &sets.body, child, draft),
            }
        })?;
        if sets.has_recipient && !recipient {
            self.missing(parent.at, "the recipient (Inkomsttagare)");
        }
        if !sender {
            self.missing(parent.at, "the uppgiftslämnare (Uppgiftslamnare)");
        }
        Ok(())
    }

    fn field(&mut self, form: Form, allowed: &FieldSet, child: Element<'a>, draft: &mut Draft<'a>) -> Walked {
        let Some(field) = field_by_name(child.local).filter(|field| allowed.contains(*field)) else {
            return self.unknown(child, form.element());
        };
        if !self.in_namespace(child) {
            return self.skip();
        }
        let mut faltkod = None;
        for place in 0..self.reader.attributes().len() {
            let Some(attribute) = self.reader.attributes().get(place).cloned() else { continue };
            if attribute.space == Space::None && attribute.local == "faltkod" {
                faltkod = Some(attribute.value);
            } else if !attribute.is_location() {
                let what = format!("{}: an attribute that the field does not have", named(field, Some(form)));
                self.faults.error("schema.attribute", Some(field), attribute.at, what);
            }
        }
        let expected = format!("{:03}", field.field().faltkod);
        if faltkod.as_deref() != Some(&expected) {
            let what = if faltkod.is_none() { "is missing" } else { "is another code" };
            let message = format!("{}: the attribute faltkod {what}; it must be {expected}", named(field, Some(form)));
            self.faults.error("schema.faltkod", Some(field), child.at, message);
        }
        let value = self.value()?;
        if draft.present.insert(field) {
            draft.fields.push((field, value, child.at));
        } else {
            let message = format!("{}: given twice", named(field, Some(form)));
            self.faults.structure("schema.doubled-element", Some(field), child.at, message);
        }
        Ok(())
    }

    /// Reads what stands in an element up to its end; text between the children is a fault.
    fn children(&mut self, mut child: impl FnMut(&mut Self, Element<'a>) -> Walked) -> Walked {
        let mut told = false;
        loop {
            let before = self.reader.position();
            match self.reader.next()? {
                Token::Start(element) => child(self, element)?,
                Token::End | Token::Eof => return Ok(()),
                Token::Text(text) => {
                    if !told && !text.chars().all(is_space) {
                        told = true;
                        self.faults.structure("schema.text", None, before, "text between elements");
                    }
                }
            }
        }
    }

    /// Reads the text of an element up to its end; borrowed where it is one piece.
    fn value(&mut self) -> Walked<Value<'a>> {
        let mut value = Cow::Borrowed("");
        loop {
            match self.reader.next()? {
                Token::Text(piece) if value.is_empty() => value = piece,
                Token::Text(piece) => value.to_mut().push_str(&piece),
                Token::Start(child) => {
                    self.faults.structure("schema.unknown-element", None, child.at, "an element inside a value");
                    self.skip()?;
                }
                Token::End | Token::Eof => return Ok(value),
            }
        }
    }

    /// Passes over what is left of the element just begun.
    fn skip(&mut self) -> Walked {
        let mut depth = 1usize;
        while depth > 0 {
            match self.reader.next()? {
                Token::Start(_) => depth += 1,
                Token::End => depth -= 1,
                Token::Text(_) => {}
                Token::Eof => return Ok(()),
            }
        }
        Ok(())
    }

    fn in_namespace(&mut self, element: Element<'a>) -> bool {
        let holds = element.space == Space::Komponent(Some(self.version));
        if !holds {
            let message = "an element outside the komponent namespace of the export's version";
            self.faults.structure("schema.namespace", None, element.at, message);
        }
        holds
    }

    fn no_attributes(&mut self, name: &'static str) {
        for place in 0..self.reader.attributes().len() {
            let Some(attribute) = self.reader.attributes().get(place).filter(|a| !a.is_location()) else { continue };
            let at = attribute.at;
            self.faults.error("schema.attribute", None, at, format!("an attribute that {name} does not have"));
        }
    }

    fn once(&mut self, element: Element<'a>, seen: bool, name: &'static str) -> Walked {
        if seen {
            self.doubled(element, name);
        }
        Ok(())
    }

    fn doubled(&mut self, element: Element<'a>, name: &'static str) {
        self.faults.structure("schema.doubled-element", None, element.at, format!("{name} given twice"));
    }

    fn missing(&mut self, at: usize, name: &'static str) {
        self.faults.structure("schema.missing-element", None, at, format!("{name} is missing"));
    }

    fn unknown(&mut self, element: Element<'a>, parent: &'static str) -> Walked {
        let known = field_by_name(element.local);
        let message = match known {
            Some(field) => format!("{}: the field does not stand in this part of {parent}", named(field, None)),
            None => format!("an element that {parent} does not have"),
        };
        self.faults.structure("schema.unknown-element", known, element.at, message);
        self.skip()
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn record(draft: Draft<'_>) -> Parsed<'_> {
    let Some(form) = draft.form else { return Parsed::None(None) };
    let (has_arendeagare, has_period) = (draft.arendeagare.is_some(), draft.period.is_some());
    let (arendeagare, arendeagare_at) = draft.arendeagare.unwrap_or_default();
    let (period, period_at) = draft.period.unwrap_or_default();
    let has_nummer = draft.nummer.is_some();
    let statement = Kontrolluppgift::new(form, draft.nummer.unwrap_or_default(), arendeagare, period);
    let mut record = Record {
        statement,
        places: ArrayVec::new(),
        arendeagare_at: place(arendeagare_at),
        period_at: place(period_at),
        arendenummer: draft.arendenummer,
        has_arendeagare,
        has_period,
        has_nummer,
    };
    for (field, value, at) in draft.fields {
        // Every form has fewer fields than there is room for, and each is here once.
        if record.statement.insert(field, value) {
            record.places.push(place(at));
        }
    }
    Parsed::Record(Box::new(record))
}
