//! The official rules (Schematron of kontrolluppgift 7.0 and 8.0), as data.
//!
//! A rule is broken when each of its `when` sets has a field present, none of `unless` is, and its predicate holds.
//! *Presence* is what counts, whatever the value: `<Borttag>0</Borttag>` is a removal. 055 and 190 are judged per
//! record, as the field list words them; the official style sheet counts over the whole document there, which is a
//! known defect. 048 and 049 ask for elements (250, 251) that the schema does not have, so no file can break them, and
//! they have no row here.
//!
//! Known in full for KU10, 13, 14, 16, 17, 18 and 19. Of the other forms the rules are known that all forms share, and
//! those of the envelope; their own ones are not in our sources and are not guessed.

// Sets of constants are built at compile time.
#![allow(clippy::indexing_slicing)]

use super::schema::Judged;
use crate::domain::{FieldIndex, FieldSet, Form, SchemaVersion, check_digit_holds, faltkod};
use crate::intake::findings::{Faults, named};
use crate::intake::parse::Record;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Official id, three or four digits.
    pub id: &'static str,
    /// The field that it is told of; for rules of the envelope that of the identity or year, where there is one.
    pub faltkod: Option<u16>,
    /// What it means that it is broken.
    pub meaning: &'static str,
    pub(super) when: [FieldSet; 2],
    pub(super) unless: FieldSet,
    pub(super) and: And,
}

/// What else must hold for a rule to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum And {
    /// Nothing.
    Nothing,
    /// A field that a removal may not have.
    MoreThanIdentity,
    /// 215 is a samordningsnummer: 12 characters, year above 1800, day above 60.
    Samordningsnummer,
    /// 215 = 201 as texts.
    SameParties,
    /// 215 begins with a century above 17, or 216, 217 or 222 is there.
    NaturalPerson,
    /// 215 has 12 characters from 16, and one of 011, 012, 013, 025 is not 0.
    SalaryToOrganisation,
    /// 201 does not begin as a foreign employer's does.
    NotForeignEmployer,
    /// The check digit of Arendeagare.
    ArendeagareDigit,
    /// The check digit of this field.
    CheckDigit(FieldIndex),
    /// The attribute nummer is not that of the form.
    Nummer,
    /// 203 and Period differ as texts, or one is missing.
    Period,
    /// 201 and Arendeagare differ as texts, or one is missing.
    Arendeagare,
}

impl And {
    /// Whether it holds the parties, the year or the number of the form against each other or their check digits.
    pub(super) const fn is_of_parties(self) -> bool {
        matches!(
            self,
            Self::SameParties
                | Self::ArendeagareDigit
                | Self::CheckDigit(_)
                | Self::Nummer
                | Self::Period
                | Self::Arendeagare
        )
    }
}

const fn set(codes: &[u16]) -> FieldSet {
    FieldSet::of(codes)
}

/// At most two sets; those that a rule does not need are there whatever the record has.
const fn when(sets: &[&[u16]]) -> [FieldSet; 2] {
    match sets {
        [] => [FieldSet::ALL, FieldSet::ALL],
        [one] => [set(one), FieldSet::ALL],
        [one, two] => [set(one), set(two)],
        _ => panic!("more than two sets"),
    }
}

macro_rules! rules {
    ($($name:ident = $id:literal, $faltkod:expr, when [$([$($when:literal),*]),*], unless [$($unless:literal),*], $and:expr, $meaning:literal;)*) => {
        $(static $name: Rule = Rule {
            id: $id,
            faltkod: $faltkod,
            meaning: $meaning,
            when: when(&[$(&[$($when),*]),*]),
            unless: set(&[$($unless),*]),
            and: $and,
        };)*
    };
}

const SVENSKT_REG_NR: FieldIndex = FieldIndex::of_const(683);

rules! {
    R1000 = "1000", None, when [], unless [], And::ArendeagareDigit, "the number of the case owner (Arendeagare) is not formally correct";
    R1001 = "1001", Some(201), when [[201]], unless [], And::CheckDigit(faltkod::UPPGIFTSLAMNAR_ID), "the number of the uppgiftslämnare is not formally correct";
    R1002 = "1002", Some(215), when [[215]], unless [], And::CheckDigit(faltkod::INKOMSTTAGARE), "the number of the recipient is not formally correct";
    R1003 = "1003", None, when [], unless [], And::Nummer, "the form does not match the blankettnummer";
    R1004 = "1004", Some(203), when [], unless [], And::Period, "the income year differs from Period";
    R1005 = "1005", Some(201), when [], unless [], And::Arendeagare, "the number of the uppgiftslämnare differs from Arendeagare";
    R1006 = "1006", Some(683), when [[683]], unless [], And::CheckDigit(SVENSKT_REG_NR), "the Swedish registration number is not formally correct";

    R001 = "001", Some(1), when [], unless [1, 205, 4, 5], And::Nothing, "neither deducted tax nor compensation is given: too incomplete to submit";
    R007 = "007", Some(5), when [[5]], unless [4], And::Nothing, "an amount of compensation needs its type (004)";
    R008 = "008", Some(4), when [[4]], unless [5], And::Nothing, "a type of compensation needs its amount (005)";
    R010 = "010", Some(11), when [], unless [205, 11, 12, 13, 20, 25, 30, 31, 32, 35, 39, 50, 51], And::Nothing, "no compensation at all is given: too incomplete to submit";
    R011 = "011", Some(11), when [], unless [205, 12, 13, 30, 31, 36, 11], And::Nothing, "no compensation at all is given: too incomplete to submit";
    R012 = "012", Some(11), when [], unless [205, 12, 13, 20, 25, 30, 31, 35, 50, 51, 11], And::Nothing, "no compensation at all is given: too incomplete to submit";
    R013 = "013", Some(11), when [], unless [205, 12, 20, 31, 51, 11], And::Nothing, "no compensation at all is given: too incomplete to submit";
    R014 = "014", Some(11), when [], unless [205, 12, 31, 11], And::Nothing, "no compensation at all is given: too incomplete to submit";
    R015 = "015", Some(41), when [[41, 43]], unless [12, 31, 25], And::Nothing, "housing is ticked (041 or 043) without an amount of benefit (012, 031 or 025)";
    R016 = "016", Some(41), when [[41, 43]], unless [12, 31], And::Nothing, "housing is ticked (041 or 043) without an amount of benefit (012 or 031)";
    R017 = "017", Some(21), when [[21, 22]], unless [12, 31, 25], And::Nothing, "a basis for rut or rot work (021 or 022) without an amount of benefit (012, 031 or 025)";
    R031 = "031", Some(26), when [], unless [205, 26], And::Nothing, "the ship's signal letters are missing";
    R032 = "032", Some(27), when [], unless [205, 27], And::Nothing, "the number of days with income at sea is missing";
    R033 = "033", Some(28), when [], unless [205, 28], And::Nothing, "near or distant trade (närfart or fjärrfart) is missing";
    R038 = "038", Some(48), when [[48]], unless [12, 13, 31, 25], And::Nothing, "a benefit is said to be adjusted, but no amount of benefit is given (012, 013, 031 or 025)";
    R039 = "039", Some(48), when [[48]], unless [12, 13, 31], And::Nothing, "a benefit is said to be adjusted, but no amount of benefit is given (012, 013 or 031)";
    R040 = "040", Some(49), when [[49]], unless [12, 13], And::Nothing, "a benefit is said to be a pension, but no benefit is given (012 or 013)";
    R045 = "045", Some(252), when [[252]], unless [76], And::Nothing, "a foreign tax number (TIN) needs its country (076)";
    R050 = "050", Some(92), when [], unless [92, 205], And::Nothing, "one of the categories A to F must be given";
    R053 = "053", Some(215), when [[215], [201]], unless [], And::SameParties, "payer and recipient can never be the same";
    R055 = "055", Some(205), when [[205]], unless [], And::MoreThanIdentity, "a removal may hold nothing but what identifies the record (201, 203, 205, 570, 215, 222, 224)";
    R056 = "056", Some(215), when [], unless [215, 222, 224], And::Nothing, "the recipient has no identity (215, 222 or 224)";
    R057 = "057", Some(216), when [[222]], unless [205, 216], And::Nothing, "a födelsetid needs the recipient's first name";
    R058 = "058", Some(217), when [[222]], unless [205, 217], And::Nothing, "a födelsetid needs the recipient's last name";
    R059 = "059", Some(218), when [[222]], unless [205, 230, 218], And::Nothing, "a födelsetid needs the street, or an address in free form (230)";
    R060 = "060", Some(219), when [[222]], unless [205, 230, 219], And::Nothing, "a födelsetid needs the postcode, or an address in free form (230)";
    R061 = "061", Some(220), when [[222]], unless [205, 230, 220], And::Nothing, "a födelsetid needs the town, or an address in free form (230)";
    R063 = "063", Some(222), when [[215], [222]], unless [], And::Nothing, "a födelsetid may not stand together with a person or organisation number (215)";
    R064 = "064", Some(223), when [], unless [205, 223], And::Nothing, "the ship's name is missing";
    R065 = "065", Some(226), when [[226]], unless [], And::NaturalPerson, "an organisation's name may not stand together with a natural person";
    R066 = "066", Some(76), when [[76]], unless [252], And::Nothing, "a country of a foreign tax number needs the number (252)";
    R139 = "139", Some(25), when [[93], [25]], unless [], And::Nothing, "under a social fee agreement (093) there can be no compensation with own contributions (025)";
    R142 = "142", Some(216), when [[215]], unless [205, 216], And::Samordningsnummer, "a samordningsnummer needs the recipient's first name";
    R143 = "143", Some(217), when [[215]], unless [205, 217], And::Samordningsnummer, "a samordningsnummer needs the recipient's last name";
    R144 = "144", Some(218), when [[215]], unless [205, 230, 218], And::Samordningsnummer, "a samordningsnummer needs the street, or an address in free form (230)";
    R145 = "145", Some(219), when [[215]], unless [205, 230, 219], And::Samordningsnummer, "a samordningsnummer needs the postcode, or an address in free form (230)";
    R146 = "146", Some(220), when [[215]], unless [205, 230, 220], And::Samordningsnummer, "a samordningsnummer needs the town, or an address in free form (230)";
    R151 = "151", Some(224), when [[224]], unless [226, 205, 215, 216, 217, 222], And::Nothing, "an other id number needs the name of an organisation or a person";
    R152 = "152", Some(218), when [[224]], unless [205, 215, 222, 230, 218], And::Nothing, "an other id number needs the street, or an address in free form (230)";
    R153 = "153", Some(219), when [[224]], unless [205, 215, 222, 230, 219], And::Nothing, "an other id number needs the postcode, or an address in free form (230)";
    R154 = "154", Some(220), when [[224]], unless [205, 215, 222, 230, 220], And::Nothing, "an other id number needs the town, or an address in free form (230)";
    R166 = "166", Some(221), when [[230]], unless [221], And::Nothing, "an address in free form (230) needs its country";
    R173 = "173", Some(215), when [[215], [11, 12, 13, 25]], unless [], And::SalaryToOrganisation, "salary and benefits (011, 012, 013, 025) cannot be paid to an organisation; use 031";
    R183 = "183", Some(11), when [[11]], unless [93], And::Nothing, "the field is only for a social fee agreement (093); otherwise use 031";
    R184 = "184", Some(12), when [[12]], unless [93], And::Nothing, "the field is only for a social fee agreement (093); otherwise use 031";
    R185 = "185", Some(13), when [[13]], unless [93], And::Nothing, "the field is only for a social fee agreement (093); otherwise use 031";
    R186 = "186", Some(18), when [[18]], unless [93], And::Nothing, "the field is only for a social fee agreement (093); otherwise use 031";
    R190 = "190", Some(93), when [[93]], unless [], And::NotForeignEmployer, "a social fee agreement is only for a foreign employer, and the uppgiftslämnare's number is not one's (16302, 16502, 16902, 16934)";
}

/// On every Blankett.
static ENVELOPE: [&Rule; 7] = [&R1000, &R1001, &R1002, &R1003, &R1004, &R1005, &R1006];

/// In every form but KupongS.
static SHARED: [&Rule; 14] =
    [&R055, &R057, &R058, &R059, &R060, &R061, &R063, &R065, &R142, &R143, &R144, &R145, &R146, &R166];

/// In the forms of employers and pension payers besides the shared ones.
static COMMON: [&Rule; 8] = [&R045, &R053, &R056, &R066, &R151, &R152, &R153, &R154];

static KU10: [&Rule; 11] = [&R010, &R183, &R184, &R185, &R186, &R139, &R015, &R017, &R038, &R040, &R173];
static KU13: [&Rule; 7] = [&R011, &R183, &R184, &R185, &R186, &R016, &R039];
static KU14: [&Rule; 11] = [&R012, &R183, &R184, &R185, &R186, &R139, &R015, &R017, &R038, &R040, &R050];
static KU16: [&Rule; 7] = [&R013, &R183, &R184, &R031, &R032, &R033, &R064];
static KU17: [&Rule; 7] = [&R014, &R183, &R184, &R031, &R032, &R033, &R064];
static KU18_19: [&Rule; 3] = [&R001, &R007, &R008];
static FOREIGN_EMPLOYER: [&Rule; 1] = [&R190];

/// The rules of a form in a schema version, the envelope's among them.
pub fn rules(form: Form, version: SchemaVersion) -> [&'static [&'static Rule]; 5] {
    let shared: &[&Rule] = if form == Form::KupongS { &[] } else { &SHARED };
    let common: &[&Rule] = if form.is_employer() { &COMMON } else { &[] };
    let own: &[&Rule] = match form {
        Form::KU10 => &KU10,
        Form::KU13 => &KU13,
        Form::KU14 => &KU14,
        Form::KU16 => &KU16,
        Form::KU17 => &KU17,
        Form::KU18 | Form::KU19 => &KU18_19,
        _ => &[],
    };
    // 190 came to these forms with 8.0.
    let foreign: &[&Rule] = match form {
        Form::KU10 | Form::KU13 | Form::KU14 | Form::KU16 | Form::KU17 if version != SchemaVersion::V7 => {
            &FOREIGN_EMPLOYER
        }
        _ => &[],
    };
    [&ENVELOPE, own, foreign, common, shared]
}

/// What a removal may hold.
const OF_A_REMOVAL: FieldSet = set(&[201, 203, 205, 570, 215, 222, 224]);

/// Tells each rule that the record breaks. Rules on the value of a field that is not of its type are not asked.
pub fn apply(record: &Record<'_>, judged: &Judged, version: SchemaVersion, faults: &mut Faults) {
    let present = record.statement.present();
    let facts = Facts::of(record, judged);
    for group in rules(record.statement.form, version) {
        for rule in group {
            let [first, second] = &rule.when;
            let stands = first.intersects(present) && second.intersects(present) && !rule.unless.intersects(present);
            if stands && facts.hold(rule.and) {
                tell(rule, record, faults);
            }
        }
    }
}

#[cold]
fn tell(rule: &'static Rule, record: &Record<'_>, faults: &mut Faults) {
    let field = rule.faltkod.and_then(FieldIndex::of);
    let place = record.statement.values().zip(&record.places).find(|((at, _), _)| Some(*at) == field);
    let at = match (place, rule.and) {
        (Some((_, at)), _) => *at,
        (None, And::ArendeagareDigit) => record.arendeagare_at,
        _ => 0,
    };
    let message = match field {
        Some(field) => format!("{}: {}", named(field, Some(record.statement.form)), rule.meaning).into(),
        None => rule.meaning.into(),
    };
    faults.push(rule.id, rule.faltkod, at as usize, message, crate::config::Severity::Error);
}

/// The texts that rules read, looked up once.
struct Facts<'a> {
    record: &'a Record<'a>,
    judged: &'a Judged,
    sender: Option<&'a str>,
    recipient: Option<&'a str>,
    samordningsnummer: bool,
}

impl<'a> Facts<'a> {
    fn of(record: &'a Record<'a>, judged: &'a Judged) -> Self {
        let sound = |field: FieldIndex| record.statement.text(field).filter(|_| !judged.faulty.contains(field));
        let recipient = sound(faltkod::INKOMSTTAGARE);
        Self {
            record,
            judged,
            sender: sound(faltkod::UPPGIFTSLAMNAR_ID),
            recipient,
            samordningsnummer: recipient.is_some_and(is_samordningsnummer),
        }
    }

    fn hold(&self, and: And) -> bool {
        let statement = &self.record.statement;
        match and {
            And::Nothing => true,
            And::MoreThanIdentity => !statement.present().without(&OF_A_REMOVAL).is_empty(),
            And::Samordningsnummer => self.samordningsnummer,
            And::SameParties => self.recipient.is_some() && self.recipient == self.sender,
            And::NaturalPerson => {
                const NAMES: FieldSet = set(&[222, 216, 217]);
                let person = self.recipient.and_then(|id| id.get(..2)).is_some_and(|century| century > "17");
                person || NAMES.intersects(statement.present())
            }
            And::SalaryToOrganisation => {
                let organisation = self.recipient.is_some_and(|id| id.starts_with("16"));
                organisation && SALARY.iter().any(|field| statement.integer(*field).is_some_and(|amount| amount != 0))
            }
            And::NotForeignEmployer => self.sender.is_some_and(|id| !is_foreign_employer(id)),
            And::ArendeagareDigit => {
                self.record.has_arendeagare
                    && !self.judged.arendeagare_faulty
                    && !check_digit_holds(&statement.arendeagare)
            }
            And::CheckDigit(field) => {
                let text = match field {
                    faltkod::INKOMSTTAGARE => self.recipient,
                    faltkod::UPPGIFTSLAMNAR_ID => self.sender,
                    _ => statement.text(field).filter(|_| !self.judged.faulty.contains(field)),
                };
                text.is_some_and(|text| !check_digit_holds(text))
            }
            And::Nummer => self.record.has_nummer && statement.nummer != statement.form.nummer(),
            And::Period => {
                !self.judged.faulty.contains(faltkod::INKOMSTAR)
                    && self.record.has_period
                    && statement.text(faltkod::INKOMSTAR).is_some_and(|year| year != statement.period)
            }
            And::Arendeagare => {
                self.record.has_arendeagare
                    && !self.judged.arendeagare_faulty
                    && self.sender.is_some_and(|sender| sender != statement.arendeagare)
            }
        }
    }
}

/// Whether an identity begins as those of foreign employers do.
pub(super) fn is_foreign_employer(id: &str) -> bool {
    ["16302", "16502", "16902", "16934"].iter().any(|prefix| id.starts_with(prefix))
}

/// What a legal person cannot get (rule 173).
const SALARY: [FieldIndex; 4] =
    [FieldIndex::of_const(11), FieldIndex::of_const(12), FieldIndex::of_const(13), FieldIndex::of_const(25)];

/// `string-length(.) = 12 and number(substring(., 1, 4)) > 1800 and number(substring(., 7, 2)) > 60`, on a text that
/// is an identity by the schema.
fn is_samordningsnummer(id: &str) -> bool {
    let part = |from: usize, to: usize| id.get(from..to).and_then(|part| part.parse::<u16>().ok());
    id.len() == 12 && part(0, 4) > Some(1800) && part(6, 8) > Some(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Totals of the fact sheet, less the dead rules 048 (KU13, 14, 17, 19) and 049 (KU14).
    #[test]
    fn forms_have_as_many_rules_as_the_official_ones() {
        let totals = [
            (Form::KU10, 34),
            (Form::KU13, 31 - 1),
            (Form::KU14, 36 - 2),
            (Form::KU16, 30),
            (Form::KU17, 31 - 1),
            (Form::KU18, 25),
            (Form::KU19, 26 - 1),
        ];
        for (form, total) in totals {
            let own = |version| rules(form, version).into_iter().flatten().count() - ENVELOPE.len();
            assert_eq!(own(SchemaVersion::V8), total, "{form}");
            let without_190 = if matches!(form, Form::KU18 | Form::KU19) { 0 } else { 1 };
            assert_eq!(own(SchemaVersion::V7), total - without_190, "{form} in 7.0");
        }
    }

    #[test]
    fn ids_are_unique_within_a_form_and_fields_exist() {
        for form in Form::all() {
            let mut ids: Vec<_> = rules(form, SchemaVersion::V8).into_iter().flatten().map(|rule| rule.id).collect();
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count);
            for rule in rules(form, SchemaVersion::V8).into_iter().flatten() {
                assert!(rule.faltkod.is_none_or(|code| FieldIndex::of(code).is_some()), "{}", rule.id);
            }
        }
    }
}
