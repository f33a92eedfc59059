//! The fast way to judge a record: tells that nothing is wrong with it, where that is plain to see.
//!
//! Nearly every record of nearly every export is without a fault, written without padding, of a listed employer and of
//! the version's year. [`sound`] looks for just that, with tables made once per form and version, and gives up at
//! anything else: then [`super::validate`] judges the record and words what it finds. It must never accept a record of
//! which `validate` would tell something: a property test holds the two together.

// Tables have an entry for each field, form or version.
#![allow(clippy::indexing_slicing)]

use super::Context;
use super::rules::{And, is_foreign_employer, rules};
use super::schema::is_shown;
use crate::domain::{FIELDS, FORMS, FieldSet, Form, Identity, IdentityKind, SchemaVersion, Type, faltkod};
use crate::intake::lexical::{Remark, check};
use crate::intake::parse::{FormSets, Record};
use crate::prepare::compose::is_drawn;
use std::sync::OnceLock;

/// An employer with a valid identity.
#[derive(Clone, Copy, Debug)]
pub struct Employer {
    /// Who.
    pub identity: Identity,
    /// Whether it is among the Uppgiftslamnare of the export.
    listed: bool,
}

/// The employers that a thread met last: an export has few of them, in any order.
#[derive(Debug, Default)]
pub struct Employers {
    dialect: u64,
    met: [Option<Employer>; 16],
}

impl Employers {
    /// Forgets those of another export.
    pub fn of(&mut self, dialect: u64) {
        if self.dialect != dialect {
            *self = Self { dialect, ..Self::default() };
        }
    }

    /// The employer with this identity; `None` where it is not valid.
    #[inline]
    pub fn find(&mut self, id: &str, context: &Context) -> Option<Employer> {
        let last = id.len().checked_sub(2).map_or(0, |at| usize::from(id.as_bytes()[at]));
        let met = &mut self.met[last % 16];
        match met {
            Some(employer) if employer.identity.is(id) => Some(*employer),
            _ => {
                let identity = Identity::parse(id).ok()?;
                let listed = context.listed.binary_search_by(|listed| listed.as_str().cmp(id)).is_ok();
                *met = Some(Employer { identity, listed });
                *met
            }
        }
    }
}

/// The recipient of a sound record, where fältkod 215 is given.
#[derive(Clone, Copy, Debug)]
pub struct Recipient(pub Option<Identity>);

/// Whether a record is plainly without a fault or remark; `None` says only that it must be looked at.
///
/// `employer` is who the record's fältkod 201 names.
pub fn sound(record: &Record<'_>, context: &Context, employer: &Employer) -> Option<Recipient> {
    let statement = &record.statement;
    let table = Table::of(statement.form, context.version);
    let envelope = employer.listed
        && record.has_arendeagare
        && record.has_period
        && record.has_nummer
        && employer.identity.is(&statement.arendeagare)
        && statement.period.as_bytes() == table.year
        && statement.nummer == table.nummer
        && record.arendenummer.as_ref().is_none_or(|(text, _)| text.len() <= 50);
    if !envelope {
        return None;
    }
    let (mut present, mut recipient) = (0, None);
    for (field, text) in statement.values() {
        let (bit, test) = table.fields[field.place()];
        present |= 1 << bit;
        let bytes = text.as_bytes();
        let holds = match test {
            Test::Digits { zero, most } => {
                (1..=usize::from(most)).contains(&bytes.len())
                    && bytes.iter().all(u8::is_ascii_digit)
                    && (zero || bytes[0] != b'0')
            }
            Test::Text { least, most } => {
                (usize::from(least)..=usize::from(most)).contains(&bytes.len()) && is_drawn(text)
            }
            Test::Ticked => bytes == b"1",
            Test::Year => bytes == table.year,
            Test::Sender => true,
            Test::Recipient => {
                recipient = Identity::parse(text).ok();
                recipient.is_some() && !employer.identity.is(text)
            }
            Test::Identity => Identity::parse(text).is_ok(),
            Test::Full(kind) => check(kind, text, context.version) == Ok(Remark::None) && is_shown(kind, text),
        };
        if !holds {
            return None;
        }
    }
    if present & table.required != table.required {
        return None;
    }
    let kind = recipient.map(|identity: Identity| identity.kind());
    for rule in &table.rules {
        let stands = rule.when[0] & present != 0 && rule.when[1] & present != 0 && rule.unless & present == 0;
        if stands
            && match rule.and {
                And::SalaryToOrganisation => kind == Some(IdentityKind::Organisationsnummer),
                And::Samordningsnummer => kind == Some(IdentityKind::Samordningsnummer),
                And::NotForeignEmployer => !is_foreign_employer(employer.identity.expose()),
                _ => true,
            }
        {
            return None;
        }
    }
    Some(Recipient(recipient))
}

/// What is plain to see of a value.
#[derive(Clone, Copy, Debug)]
enum Test {
    /// At most so many digits; a zero in front only where zero is allowed.
    Digits {
        zero: bool,
        most: u8,
    },
    /// So many bytes: characters are fewer, and one is enough.
    Text {
        least: u8,
        most: u16,
    },
    Ticked,
    Year,
    /// Known to be valid.
    Sender,
    Recipient,
    Identity,
    /// By the rules of its type.
    Full(Type),
}

impl Test {
    fn of(place: usize) -> Self {
        let kind = FIELDS[place].kind;
        match kind {
            Type::Belopp { min, max } | Type::Antal { min, max } if min <= 1 && max > 0 => {
                // As many digits as are all below the greatest value.
                let most = (1..18).take_while(|digits| 10_i64.pow(*digits) - 1 <= max).last().unwrap_or(0);
                Self::Digits { zero: min <= 0, most: most as u8 }
            }
            Type::Text { min, max } if min <= 1 => {
                Self::Text { least: min as u8, most: u16::try_from(max).unwrap_or(u16::MAX) }
            }
            Type::Kryss => Self::Ticked,
            Type::Inkomstar => Self::Year,
            Type::Identitet if place == faltkod::UPPGIFTSLAMNAR_ID.place() => Self::Sender,
            Type::Identitet if place == faltkod::INKOMSTTAGARE.place() => Self::Recipient,
            Type::Identitet => Self::Identity,
            _ => Self::Full(kind),
        }
    }
}

/// What a form and a version ask for, with a bit for each field of the form.
#[derive(Debug)]
struct Table {
    fields: [(u8, Test); FIELDS.len()],
    required: u64,
    year: [u8; 4],
    nummer: &'static str,
    rules: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    when: [u64; 2],
    unless: u64,
    and: And,
}

impl Table {
    fn of(form: Form, version: SchemaVersion) -> &'static Self {
        static TABLES: [[OnceLock<Table>; SchemaVersion::ALL.len()]; FORMS.len()] =
            [const { [const { OnceLock::new() }; SchemaVersion::ALL.len()] }; FORMS.len()];
        TABLES[form as usize][version as usize].get_or_init(|| Self::new(form, version))
    }

    fn new(form: Form, version: SchemaVersion) -> Self {
        let table = form.table();
        let mut fields: [(u8, Test); FIELDS.len()] = std::array::from_fn(|place| (63, Test::of(place)));
        // A form has fewer fields than a record has room for.
        for (bit, place) in (0..).zip(table.body.iter().chain(table.recipient).chain(table.sender)) {
            fields[place.index().place()].0 = bit;
        }
        let bits = |set: &FieldSet| {
            let fields = set.iter().filter_map(|field| fields.get(field.place())).filter(|(bit, _)| *bit < 63);
            fields.fold(0, |bits, (bit, _)| bits | 1 << bit)
        };
        let when = |set: &FieldSet| if *set == FieldSet::ALL { u64::MAX } else { bits(set) };
        let year = version.income_year();
        let digit = |place: u32| b'0' + (year / 10_u16.pow(place) % 10) as u8;
        let rules = rules(form, version).into_iter().flatten().filter(|rule| !rule.and.is_of_parties());
        Self {
            required: bits(&FormSets::of(form).required),
            year: [3, 2, 1, 0].map(digit),
            nummer: form.nummer(),
            rules: rules
                .map(|rule| Compiled {
                    when: [when(&rule.when[0]), when(&rule.when[1])],
                    unless: bits(&rule.unless),
                    and: rule.and,
                })
                .collect(),
            fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Severity;
    use crate::domain::{FieldIndex, KodLista, Kontrolluppgift};
    use crate::intake::findings::Faults;
    use crate::intake::validate::validate;
    use proptest::prelude::*;

    const EMPLOYER: &str = "165021680250";

    fn context(version: SchemaVersion) -> Context {
        Context { version, listed: vec![EMPLOYER.to_owned()], cross_record: Severity::Warning }
    }

    /// A value that the type allows, and one that it may not; `pick` chooses among several.
    fn value(field: FieldIndex, version: SchemaVersion, pick: usize) -> &'static str {
        let among = |values: &[&'static str]| values[pick % values.len()];
        match field.field().kind {
            Type::Belopp { .. } | Type::Antal { .. } => among(&[
                "1",
                "7",
                "12345",
                "0",
                "-1",
                "007",
                "+5",
                " 5",
                "",
                "999999999999",
                "9999999",
                "10000000",
                "1x",
                "٣",
            ]),
            Type::Kryss => among(&["1", "1", "true", "0", " 1", "2", ""]),
            Type::Inkomstar if version == SchemaVersion::V7 => among(&["2021", "2021", "2022", " 2021", "21"]),
            Type::Inkomstar => among(&["2022", "2022", "2021", " 2022", "22"]),
            Type::Identitet if field == faltkod::UPPGIFTSLAMNAR_ID => {
                among(&[EMPLOYER, EMPLOYER, "165021680251", "195111232079", "x"])
            }
            Type::Identitet => among(&[
                "195111232079",
                "195111232079",
                "197010632391",
                EMPLOYER,
                "195111232078",
                "195102302079",
                "",
                "16502168025٠",
            ]),
            Type::Kod(KodLista::Landskod) => among(&["SE", "DK", " SE", "se", "XX"]),
            Type::Kod(list) => among(&[list.values(version)[0], "100", "102", "", "Ö"]),
            Type::Text { .. } => {
                among(&["Anna", "Zoë", "12345", "A", "", "مريم", "Анна", "ööööööööööööööööööööööööööööööööööööööööö"])
            }
            Type::Datum => among(&["20240229", "20230229", ""]),
            Type::Fodelsetid => among(&["19511123207", "1951112320"]),
            _ => among(&["SE0000108656", "735999000000000000", "123", "0.5", ""]),
        }
    }

    /// What makes a record of any form complete, where the form has it.
    const USUAL: FieldSet = FieldSet::of(&[1, 26, 27, 28, 31, 92, 215, 216, 217, 218, 219, 220, 223]);

    /// A record with the usual fields; `picks` says of each field whether it is there after all, or not, and which value.
    fn record(version: SchemaVersion, form: Form, picks: &[(bool, usize)], envelope: [usize; 4]) -> Record<'static> {
        let year = if version == SchemaVersion::V7 { "2021" } else { "2022" };
        let other = |pick: usize, usual: &'static str, other: &'static str| if pick == 0 { other } else { usual };
        let mut record = Record::empty();
        record.statement = Kontrolluppgift::new(
            form,
            other(envelope[0], form.nummer(), "2399").into(),
            other(envelope[1], EMPLOYER, "195111232079").into(),
            other(envelope[2], year, "2019").into(),
        );
        record.arendenummer = (envelope[3] == 0).then(|| ("x".repeat(51).into(), 7));
        let table = form.table();
        let places = table.body.iter().chain(table.recipient).chain(table.sender);
        for (place, (changed, pick)) in places.zip(picks) {
            let usual = place.required || USUAL.contains(place.index());
            if usual != *changed {
                record.statement.insert(place.index(), value(place.index(), version, *pick).into());
                record.places.push(11);
            }
        }
        record
    }

    fn is_sound(record: &Record<'_>, context: &Context) -> bool {
        let sender = record.statement.text(faltkod::UPPGIFTSLAMNAR_ID);
        let employer = sender.and_then(|id| Employers::default().find(id, context));
        employer.is_some_and(|employer| sound(record, context, &employer).is_some())
    }

    #[test]
    fn an_ordinary_record_is_sound() {
        let context = context(SchemaVersion::V8);
        for form in Form::all() {
            let record = record(SchemaVersion::V8, form, &[(false, 0); 48], [1; 4]);
            assert!(is_sound(&record, &context), "{form}");
            let mut faults = Faults::default();
            validate(&record, &context, &mut faults);
            assert_eq!(faults.list(), []);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Of what is sound, `validate` tells nothing.
        #[test]
        fn what_is_sound_is_without_a_fault(
            form in prop::sample::select(Form::all().collect::<Vec<_>>()),
            version in prop::sample::select(vec![SchemaVersion::V7, SchemaVersion::V8, SchemaVersion::V11]),
            changed in proptest::collection::vec(0usize..48, 0..4),
            picked in proptest::collection::vec((0usize..48, 1usize..14), 0..3),
            envelope in prop::array::uniform4(0usize..40),
        ) {
            let mut picks = [(false, 0); 48];
            changed.iter().for_each(|place| picks[*place].0 = true);
            picked.iter().for_each(|(place, pick)| picks[*place].1 = *pick);
            let (record, context) = (record(version, form, &picks, envelope), context(version));
            let mut faults = Faults::default();
            validate(&record, &context, &mut faults);
            if is_sound(&record, &context) {
                prop_assert!(faults.is_empty(), "{:?}", faults.list());
            } else if faults.is_empty() {
                // Only what is written in another way than usual may be left to `validate`.
                prop_assert!(picks.iter().any(|(_, pick)| *pick > 0) || form_is_left_out(&record), "{record:?}");
            }
        }
    }

    /// Removals and names of organisations are few, and not decided here.
    fn form_is_left_out(record: &Record<'_>) -> bool {
        const LEFT_OUT: FieldSet = FieldSet::of(&[205, 226]);
        LEFT_OUT.intersects(record.statement.present())
    }
}
