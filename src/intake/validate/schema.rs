//! What the schema demands of values and of presence, and the few remarks of our own on a single record.

use super::Context;
use crate::config::Severity;
use crate::domain::{FieldSet, SchemaVersion, Type, XML_SPACE, faltkod};
use crate::intake::findings::{Faults, named};
use crate::intake::lexical::{Remark, Wrong, check};
use crate::intake::parse::{FormSets, Record};
use crate::prepare::compose::is_drawn;

/// Fields whose check digit an official rule looks at (1001, 1002, 1006).
const CHECK_DIGIT: FieldSet = FieldSet::of(&[201, 215, 683]);

/// What the pass over the values leaves for the rules.
#[derive(Debug, Default)]
pub struct Judged {
    /// Fields whose value is not of their type.
    pub faulty: FieldSet,
    /// Whether Arendeagare is no identity.
    pub arendeagare_faulty: bool,
}

/// Holds every value against its type, and the record against what is demanded.
pub fn values(record: &Record<'_>, context: &Context, faults: &mut Faults) -> Judged {
    let statement = &record.statement;
    let (form, version) = (statement.form, context.version);
    let mut judged = Judged::default();
    // A removal is no letter, and of others the first such field is enough.
    let mut letter_shows_all = !statement.is_removal();
    for ((field, text), at) in statement.values().zip(&record.places) {
        if letter_shows_all && !is_shown(field.field().kind, text) {
            letter_shows_all = false;
            let message = format!(
                "{}: the fonts of letters lack a character of it; document and paper have its code point (U+…) in its \
                 place, the message's body has the character",
                named(field, Some(form))
            );
            let code = Some(field.field().faltkod);
            faults.push("utskick.character-not-printed", code, *at as usize, message.into(), Severity::Warning);
        }
        match check(field.field().kind, text, version) {
            Ok(Remark::None) => {}
            Ok(Remark::Padded) => {
                let message = format!(
                    "{}: whitespace around the value; valid, but not read everywhere",
                    named(field, Some(form))
                );
                faults.push(
                    "utskick.whitespace",
                    Some(field.field().faltkod),
                    *at as usize,
                    message.into(),
                    Severity::Warning,
                );
            }
            Ok(Remark::OtherDigits) => {
                // An identity of a rule 1001, 1002 or 1006 fails its check digit; elsewhere nothing official says no.
                if !CHECK_DIGIT.contains(field) {
                    let message = format!("{}: digits that are not 0 to 9", named(field, Some(form)));
                    faults.error("utskick.ascii-digits", Some(field), *at as usize, message);
                }
            }
            Err(wrong) => {
                judged.faulty.insert(field);
                let message = format!("{}: {}", named(field, Some(form)), explain(wrong, field.field().kind));
                faults.error(wrong.rule(), Some(field), *at as usize, message);
            }
        }
    }
    let sets = FormSets::of(form);
    let missing = sets.required.without(statement.present());
    if !missing.is_empty() {
        for field in missing.iter() {
            let message = format!("{}: missing, and the schema demands it", named(field, Some(form)));
            faults.error("schema.missing-element", Some(field), 0, message);
        }
    }
    envelope(record, context, &mut judged, faults);
    judged
}

/// Whether a letter shows a value as it is written; of what is no text the type says what it may hold.
pub(super) fn is_shown(kind: Type, text: &str) -> bool {
    !matches!(kind, Type::Text { .. }) || is_drawn(text)
}

fn envelope(record: &Record<'_>, context: &Context, judged: &mut Judged, faults: &mut Faults) {
    let statement = &record.statement;
    if record.has_arendeagare {
        let at = record.arendeagare_at as usize;
        match check(Type::Identitet, &statement.arendeagare, context.version) {
            Err(wrong) => {
                judged.arendeagare_faulty = true;
                faults.error(wrong.rule(), None, at, format!("Arendeagare: {}", explain(wrong, Type::Identitet)));
            }
            Ok(_) => {
                let listed = context.listed.binary_search_by(|listed| listed.as_str().cmp(&statement.arendeagare));
                if listed.is_err() {
                    let message = "Arendeagare is not among the Uppgiftslamnare of Blankettgemensamt";
                    faults.push("utskick.unlisted-arendeagare", None, at, message.into(), context.cross_record);
                }
            }
        }
    }
    let text = |max| Type::Text { min: 0, max };
    if record.has_period && check(text(20), &statement.period, context.version).is_err() {
        faults.error("schema.length", None, record.period_at as usize, "Period: more than 20 characters");
    }
    if let Some((arendenummer, at)) = &record.arendenummer
        && check(text(50), arendenummer, context.version).is_err()
    {
        faults.error("schema.length", None, *at as usize, "Arendenummer: more than 50 characters");
    }
    let year = statement.text(faltkod::INKOMSTAR).filter(|_| !judged.faulty.contains(faltkod::INKOMSTAR));
    if let Some(year) = year
        && !is_year(year.trim_matches(XML_SPACE), context.version)
    {
        let message = format!(
            "{}: not {}, the income year of schema version {}",
            named(faltkod::INKOMSTAR, Some(statement.form)),
            context.version.income_year(),
            context.version.as_str()
        );
        faults.push("utskick.income-year", Some(203), 0, message.into(), context.cross_record);
    }
}

fn is_year(year: &str, version: SchemaVersion) -> bool {
    year.parse() == Ok(version.income_year())
}

/// A fault of a value in words.
pub fn explain(wrong: Wrong, kind: Type) -> String {
    match (wrong, kind) {
        (Wrong::Integer, _) => "not a whole number".into(),
        (Wrong::Range, Type::Belopp { min, max } | Type::Antal { min, max }) => format!("not from {min} to {max}"),
        (Wrong::Range, _) => "outside its range".into(),
        (Wrong::Boolean, _) => "a checkbox is 1, 0, true or false".into(),
        (Wrong::Year, _) => "not a year 20xx".into(),
        (Wrong::Identity, _) => {
            "not twelve digits of a personnummer, a samordningsnummer or 16 and an organisationsnummer".into()
        }
        (Wrong::BirthTime, _) => "not a date of birth ÅÅÅÅMMDD and three digits".into(),
        (Wrong::Date, _) => "not a date ÅÅÅÅMMDD".into(),
        (Wrong::DateTime, _) => "not a date and time as 2023-01-31T12:00:00".into(),
        (Wrong::Isin, _) => "not an ISIN: two capitals, nine capitals or digits, a digit".into(),
        (Wrong::InstallationId, _) => "not 18 digits that begin with 735999".into(),
        (Wrong::BusinessArea, _) => "not three digits".into(),
        (Wrong::Decimal, Type::Decimal { max_hundredths }) => {
            format!(
                "not a number from 0.01 to {}.{:02} with at most two decimals",
                max_hundredths / 100,
                max_hundredths % 100
            )
        }
        (Wrong::Decimal, _) => "not a decimal number".into(),
        (Wrong::Code, _) => "not in the schema's list of codes".into(),
        (Wrong::Length, Type::Text { min, max }) if min == max => format!("not exactly {max} characters"),
        (Wrong::Length, Type::Text { min, max }) => format!("not from {min} to {max} characters"),
        (Wrong::Length, _) => "of the wrong length".into(),
        (Wrong::Email, _) => "not an e-mail address".into(),
    }
}
