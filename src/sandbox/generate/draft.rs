//! A statement before it is written: valid by construction, so that a fault is a change of it.
//!
//! *Source* of what may stand together: kontrolluppgift 8.0, schema and rules (fältkoder are named by number, as the
//! rules do). 7.0 differs only in its list of ersättningskoder.

use super::Profile;
use super::names;
use super::people::{self, Employer, Kind, Recipient, below, one_in, percent, pick, shuffle};
use crate::domain::{Form, KodLista, SchemaVersion};
use fastrand::Rng;
use std::borrow::Cow;

/// What makes a statement one and the same; small, so that a correction can name an earlier one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub form: Form,
    pub employer: usize,
    pub recipient: Recipient,
    pub specifikationsnummer: u64,
}

/// A field: fältkod and text, not yet escaped.
pub(super) type Entry = (u16, Cow<'static, str>);

/// A record as it will be written.
#[derive(Debug)]
pub(super) struct Draft {
    pub form: Form,
    pub nummer: &'static str,
    pub arendeagare: String,
    pub period: u16,
    /// Fields of the form's own element.
    pub body: Vec<Entry>,
    pub recipient: Vec<Entry>,
    pub sender: Vec<Entry>,
    /// What no draft can say and only a fault asks of the writer.
    pub oddity: Option<Oddity>,
}

/// Ways to break the schema beyond the values of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    /// The first field has no attribute `faltkod`.
    NoFaltkod,
    /// The first field has the `faltkod` of another.
    WrongFaltkod,
    /// An element of the field list that the schema does not have (Rattelse, 210).
    Rattelse,
}

/// What is the same in all records of an export.
#[derive(Debug)]
pub(super) struct Common {
    pub seed: u64,
    pub version: SchemaVersion,
    pub profile: Profile,
}

impl Common {
    pub(super) fn year(&self) -> u16 {
        self.version.income_year()
    }
}

impl Draft {
    /// A valid statement. `rng` decides about pay; name and address are the recipient's own.
    pub(super) fn new(common: &Common, subject: &Subject, employer: &Employer, rng: &mut Rng) -> Self {
        let mut draft = Self::bare(common, subject, employer);
        match subject.form {
            Form::KU18 | Form::KU19 => draft.pension(common, rng),
            form => draft.pay(common, form, subject.recipient.kind, employer.agreement, rng),
        }
        draft.body.push((203, common.year().to_string().into()));
        draft.body.push((570, subject.specifikationsnummer.to_string().into()));
        draft.describe(common, subject, &mut subject.recipient.rng(common.seed));
        if common.profile != Profile::Lean {
            draft.sender.push((202, employer.name.clone().into()));
        }
        if common.profile == Profile::Full {
            // The schema lets fields stand in any order.
            shuffle(rng, &mut draft.body);
            shuffle(rng, &mut draft.recipient);
            shuffle(rng, &mut draft.sender);
        }
        draft
    }

    /// The removal (Borttag) of a statement: identifiers and nothing else (rule 055).
    pub(super) fn removal(common: &Common, subject: &Subject, employer: &Employer) -> Self {
        let mut draft = Self::bare(common, subject, employer);
        draft.body.push((203, common.year().to_string().into()));
        draft.body.push((205, "1".into()));
        draft.body.push((570, subject.specifikationsnummer.to_string().into()));
        draft
    }

    fn bare(common: &Common, subject: &Subject, employer: &Employer) -> Self {
        let id = employer.id.identity().expose().to_owned();
        let identity = subject.recipient.identity(common.year());
        let faltkod = match subject.recipient.kind {
            Kind::Fodelsetid => 222,
            Kind::AnnatId => 224,
            _ => 215,
        };
        Self {
            form: subject.form,
            nummer: subject.form.nummer(),
            arendeagare: id.clone(),
            period: common.year(),
            body: Vec::with_capacity(24),
            recipient: vec![(faltkod, identity.into())],
            sender: vec![(201, id.into())],
            oddity: None,
        }
    }

    /// Pay and benefits of KU10, 13, 14, 16 and 17.
    fn pay(&mut self, common: &Common, form: Form, kind: Kind, foreign: bool, rng: &mut Rng) {
        let full = common.profile == Profile::Full;
        let organisation = kind == Kind::Organisationsnummer;
        // Salary and benefits stand in 011-018 only under a socialavgiftsavtal (183-186), and never for an
        // organisation (173).
        let agreement = foreign && !organisation && percent(rng, 80);
        if agreement {
            self.amount(11, common, rng);
            if full || percent(rng, 30) {
                self.amount(12, common, rng);
            }
            if has_car(form) && (full || percent(rng, 15)) {
                self.amount(13, common, rng);
                if full || percent(rng, 33) {
                    self.amount(18, common, rng);
                }
            }
        }
        let mut kinds: Vec<u16> = carriers(form).to_vec();
        // 025 stands neither with an agreement (139) nor for an organisation (173).
        kinds.retain(|faltkod| *faltkod != 25 || !(agreement || organisation));
        let wanted = match common.profile {
            Profile::Lean => usize::from(!agreement),
            Profile::Typical => pick(rng, &[1, 1, 2, 2, 3]) - usize::from(agreement),
            Profile::Full => kinds.len(),
        };
        for turn in 0..wanted.min(kinds.len()) {
            // 031, the first, is the commonest.
            let place = if turn == 0 && percent(rng, 60) { 0 } else { below(rng, kinds.len()) };
            let faltkod = kinds.swap_remove(place);
            self.amount(faltkod, common, rng);
        }
        if form == Form::KU10 && (full || percent(rng, 5)) && common.profile != Profile::Lean {
            self.amount(37, common, rng);
        }
        if common.profile != Profile::Lean {
            self.extras(common, form, rng);
        }
        if percent(rng, if common.profile == Profile::Lean { 30 } else { 90 }) {
            self.body.push((60, rng.u32(1..100_000).to_string().into()));
        }
        if agreement {
            self.body.push((93, "1".into()));
        }
        match form {
            Form::KU14 => {
                self.body.push((92, pick(rng, &["A", "B", "C", "D", "E", "F"]).into()));
                self.body.push((90, pick(rng, names::UTLAND).0.into()));
                if percent(rng, 70) {
                    self.body.push((91, pick(rng, &["A", "B", "C"]).into()));
                }
            }
            Form::KU16 | Form::KU17 => {
                let ship = below(rng, names::FARTYG.len());
                let signal = [0, 1, 2].map(|turn| char::from(b'A' + ((ship * 7 + turn * 5) % 26) as u8));
                self.body.push((26, format!("S{}", String::from_iter(signal)).into()));
                self.body.push((27, rng.u16(1..=366).to_string().into()));
                self.body.push((28, pick(rng, &["N", "F"]).into()));
                self.body.push((223, names::FARTYG.get(ship).copied().unwrap_or_default().into()));
            }
            _ => {}
        }
    }

    /// Bases and boxes that need an amount to stand on.
    fn extras(&mut self, common: &Common, form: Form, rng: &mut Rng) {
        let full = common.profile == Profile::Full;
        let some = |rng: &mut Rng, typical: u64| percent(rng, if full { 50 } else { typical });
        let rut_rot = matches!(form, Form::KU10 | Form::KU14 | Form::KU16);
        let housing = matches!(form, Form::KU10 | Form::KU13 | Form::KU14);
        // 015, 016, 017: housing, rut and rot need 012, 031 or 025; KU13 has no 025.
        if self.has_any(&[12, 31, 25]) {
            if rut_rot && some(rng, 5) {
                self.amount(21, common, rng);
            }
            if rut_rot && some(rng, 3) {
                self.amount(22, common, rng);
            }
            for faltkod in [41, 43] {
                if housing && some(rng, 3) {
                    self.body.push((faltkod, "1".into()));
                }
            }
        }
        if housing && self.has_any(&[12, 13, 31, 25]) && some(rng, 3) {
            self.body.push((48, "1".into())); // 038, 039
        }
        if matches!(form, Form::KU10 | Form::KU14) {
            if self.has_any(&[12, 13]) && some(rng, 5) {
                self.body.push((49, "1".into())); // 040
            }
            if some(rng, 10) {
                self.body.push((50, "1".into()));
            }
        }
        if matches!(form, Form::KU10 | Form::KU14 | Form::KU16) && some(rng, 10) {
            self.body.push((51, "1".into()));
        }
        if housing && some(rng, 1) {
            self.body.push((59, "1".into()));
        }
        if some(rng, 2) {
            self.body.push((61, "1".into()));
        }
    }

    /// Pension and insurance payments of KU18 and KU19: 004 and 005 stand together (007, 008).
    fn pension(&mut self, common: &Common, rng: &mut Rng) {
        if percent(rng, 90) {
            self.amount(1, common, rng);
        }
        self.body.push((4, pick(rng, KodLista::Ersattningskod.values(common.version)).into()));
        self.amount(5, common, rng);
    }

    /// Name, address and tax residence of the recipient, as their identity demands.
    fn describe(&mut self, common: &Common, subject: &Subject, rng: &mut Rng) {
        let kind = subject.recipient.kind;
        let year_round_abroad = matches!(subject.form, Form::KU13 | Form::KU17 | Form::KU19);
        // Drawn whatever the form and profile, so that the same person stays the same.
        let (first, last) = people::name(rng);
        let is_company = kind == Kind::Organisationsnummer || (kind == Kind::AnnatId && one_in(rng, 4));
        let company = people::organisation_name(rng);
        let has_address = percent(rng, 85);
        let emigrant = percent(rng, 80);
        // A samordningsnummer (142-146), a födelsetid (057-061) and another id (151-154) need name and address.
        let needed = matches!(kind, Kind::Samordningsnummer | Kind::Fodelsetid | Kind::AnnatId);
        if needed || common.profile != Profile::Lean {
            if is_company {
                self.recipient.push((226, company.into()));
            } else {
                self.recipient.push((216, first));
                self.recipient.push((217, last));
            }
        }
        let abroad = matches!(kind, Kind::Fodelsetid | Kind::AnnatId)
            || (year_round_abroad && kind != Kind::Organisationsnummer && emigrant);
        let home = pick(rng, names::UTLAND);
        if needed || (common.profile != Profile::Lean && has_address) {
            self.address(common, abroad.then_some(home), rng);
        }
        if abroad {
            let country = home.0;
            if common.profile != Profile::Lean && percent(rng, 60) {
                // TIN and its country stand together (045, 066).
                self.recipient.push((76, country.into()));
                self.recipient.push((252, format!("{country}{:09}", rng.u32(..1_000_000_000)).into()));
            }
            if matches!(subject.form, Form::KU13 | Form::KU14 | Form::KU17 | Form::KU19) && percent(rng, 80) {
                self.recipient.push((81, country.into()));
            }
        }
    }

    /// A Swedish address, or one at this place abroad.
    fn address(&mut self, common: &Common, abroad: Option<names::Abroad>, rng: &mut Rng) {
        let number = rng.u16(1..200);
        let Some((country, postcode, town, street)) = abroad else {
            let (area, town) = pick(rng, names::ORTER);
            self.recipient.push((218, format!("{} {number}", pick(rng, names::GATOR)).into()));
            let flat = rng.u16(1001..1800);
            if common.profile == Profile::Full || percent(rng, 8) {
                self.recipient.push((228, format!("lgh {flat}").into()));
            }
            self.recipient.push((219, format!("{area}{:02}", rng.u8(10..100)).into()));
            self.recipient.push((220, town.into()));
            return;
        };
        if percent(rng, 30) {
            // An address in free form needs its country (166).
            self.recipient.push((230, format!("{street} {number}, {postcode} {town}").into()));
        } else {
            self.recipient.push((218, format!("{street} {number}").into()));
            self.recipient.push((219, postcode.into()));
            self.recipient.push((220, town.into()));
        }
        self.recipient.push((221, country.into()));
    }

    /// Adds an amount in whole kronor within the field's range.
    fn amount(&mut self, faltkod: u16, common: &Common, rng: &mut Rng) {
        let max = greatest(faltkod);
        let amount = match rng.u64(..200) {
            0 => 0,
            1 if common.profile == Profile::Full => max,
            _ => {
                let scale = pick(rng, scales(faltkod));
                rng.u64(scale / 5..scale).min(max)
            }
        };
        self.body.push((faltkod, amount.to_string().into()));
    }

    /// Whether any of these stands in the form's own element.
    pub(super) fn has_any(&self, faltkoder: &[u16]) -> bool {
        self.body.iter().any(|(faltkod, _)| faltkoder.contains(faltkod))
    }

    /// The text of a field of the recipient.
    pub(super) fn of_recipient(&self, faltkod: u16) -> Option<&str> {
        self.recipient.iter().find(|(present, _)| *present == faltkod).map(|(_, text)| text.as_ref())
    }
}

/// The amounts any one of which makes a statement complete enough (010–014), the commonest first.
pub(super) fn carriers(form: Form) -> &'static [u16] {
    match form {
        Form::KU10 => &[31, 25, 20, 30, 32, 35, 39],
        Form::KU13 => &[31, 30, 36],
        Form::KU14 => &[31, 25, 20, 30, 35],
        Form::KU16 => &[31, 20],
        _ => &[31],
    }
}

fn has_car(form: Form) -> bool {
    matches!(form, Form::KU10 | Form::KU13 | Form::KU14)
}

/// The greatest amount of a field: Belopp6, Belopp7 or Belopp10.
fn greatest(faltkod: u16) -> u64 {
    match faltkod {
        36 | 37 => 999_999,
        13 | 18 | 20 | 21 | 22 | 39 => 9_999_999,
        _ => 9_999_999_999,
    }
}

/// Upper ends, in kronor a year, of what a field usually holds.
fn scales(faltkod: u16) -> &'static [u64] {
    match faltkod {
        5 | 11 | 30 | 31 | 32 => &[8_000, 90_000, 250_000, 420_000, 420_000, 560_000, 980_000],
        1 => &[3_000, 40_000, 90_000, 160_000, 320_000],
        25 | 35 => &[15_000, 80_000, 300_000],
        _ => &[2_000, 9_000, 30_000, 90_000],
    }
}
