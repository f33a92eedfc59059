//! Draws what each record is: form, employer, recipient, and whether it is faulty, a correction or a removal.

// Employers and pools have one entry an employer, and employers are drawn below their number.
#![allow(clippy::indexing_slicing)]

use super::draft::{Common, Draft, Subject};
use super::faults;
use super::people::{self, Kind, Recipient, Scatter, below, one_in, pick, rng, stream};
use super::{Options, Summary};
use crate::domain::{Form, Identity};
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// How many earlier statements are remembered as possible targets of corrections.
const RECENT: usize = 1024;

/// Makes the records one after the other and keeps the count.
pub(super) struct Mill {
    common: Common,
    forms: Weights,
    employers: Weights,
    /// Per employer and kind of recipient: the order of its recipients, and the next turn.
    pools: Vec<[(Scatter, u64); Kind::ALL.len()]>,
    /// Records not made yet, and how many of them are of each sort.
    left: u64,
    faulty_left: u64,
    removals_left: u64,
    corrections_left: u64,
    recent: Vec<Subject>,
    first_person: Option<Identity>,
    addressable: bool,
    pub(super) summary: Summary,
}

impl Mill {
    pub(super) fn new(options: &Options) -> Self {
        let (seed, year) = (options.seed, options.version.income_year());
        let numbers = 0..u64::from(options.employers);
        let pool =
            |employer, kind: Kind| (Scatter::new(seed, &[stream::POOL, employer, kind as u64], kind.pool(year)), 0);
        let share = |share: f64| (share * options.statements as f64).round() as u64;
        Self {
            common: Common { seed, version: options.version, profile: options.profile },
            forms: Weights::new(
                Form::EMPLOYER.map(|form| if options.forms.contains(&form) { weight(form) } else { 0 }),
            ),
            // One large employer and many small ones: the n-th has weight 1/n.
            employers: Weights::new(numbers.clone().map(|number| 1_000_000 / (number + 1))),
            pools: numbers.map(|number| Kind::ALL.map(|kind| pool(number, kind))).collect(),
            left: options.statements,
            faulty_left: share(options.faulty),
            removals_left: share(options.removals),
            corrections_left: share(options.corrections),
            recent: Vec::with_capacity(RECENT),
            first_person: None,
            addressable: options.addressable,
            summary: Summary {
                statements: options.statements,
                bytes: 0,
                seed,
                schema_version: options.version.as_str(),
                income_year: year,
                encoding: options.encoding,
                profile: options.profile,
                forms: BTreeMap::new(),
                recipients: BTreeMap::new(),
                with_address: 0,
                employers: people::employers(seed, options.employers),
                corrections: 0,
                removals: 0,
                faulty: 0,
                faults: BTreeMap::new(),
                protected: BTreeSet::new(),
            },
        }
    }

    /// The record with this number, counted from 0, in ascending order.
    ///
    /// What it is is drawn without replacement, so that the shares come out exactly.
    pub(super) fn next(&mut self, record: u64) -> Draft {
        let rng = &mut rng(self.common.seed, &[stream::RECORD, record]);
        let mut drawn = rng.u64(..self.left.max(1));
        self.left = self.left.saturating_sub(1);
        let mut is = |left: &mut u64| {
            let hit = drawn < *left;
            drawn = drawn.wrapping_sub(*left); // of no use after a hit
            *left -= u64::from(hit);
            hit
        };
        if is(&mut self.faulty_left) {
            let subject = self.subject(rng);
            let mut draft = self.statement(&subject, rng);
            let rule = faults::spoil(&mut draft, &self.summary.employers[subject.employer], rng.u64(..));
            self.summary.faulty += 1;
            *self.summary.faults.entry(rule).or_default() += 1;
            return draft;
        }
        if is(&mut self.removals_left) {
            let subject = self.subject(rng);
            self.summary.removals += 1;
            self.count(&subject);
            return Draft::removal(&self.common, &subject, &self.summary.employers[subject.employer]);
        }
        // There is nothing to correct before the first statement.
        if is(&mut self.corrections_left) && !self.recent.is_empty() {
            let subject = pick(rng, &self.recent);
            self.summary.corrections += 1;
            return self.statement(&subject, rng);
        }
        let subject = self.subject(rng);
        if self.recent.len() < RECENT {
            self.recent.push(subject);
        } else {
            self.recent[below(rng, RECENT)] = subject;
        }
        self.statement(&subject, rng)
    }

    /// The summary, when all records are made.
    pub(super) fn finish(mut self, bytes: u64) -> Summary {
        if self.summary.protected.is_empty() {
            self.summary.protected.extend(self.first_person);
        }
        self.summary.bytes = bytes;
        self.summary
    }

    fn statement(&mut self, subject: &Subject, rng: &mut Rng) -> Draft {
        self.count(subject);
        let draft = Draft::new(&self.common, subject, &self.summary.employers[subject.employer], rng);
        self.summary.with_address += u64::from(draft.of_recipient(218).or(draft.of_recipient(230)).is_some());
        draft
    }

    /// A new statement, whose key no other has.
    fn subject(&mut self, rng: &mut Rng) -> Subject {
        let form = Form::EMPLOYER[self.forms.draw(rng)];
        let employer = self.employers.draw(rng);
        let kind = match kind(form, rng) {
            Kind::Fodelsetid | Kind::AnnatId | Kind::Minor if self.addressable => Kind::Personnummer,
            kind => kind,
        };
        let (scatter, turn) = &mut self.pools[employer][kind as usize];
        let place = scatter.place(*turn);
        // Who comes again when all have had one gets the next number.
        let specifikationsnummer = scatter.round(*turn) + 1;
        *turn += 1;
        Subject { form, employer, recipient: Recipient { kind, place }, specifikationsnummer }
    }

    fn count(&mut self, subject: &Subject) {
        let summary = &mut self.summary;
        *summary.forms.entry(subject.form.element()).or_default() += 1;
        *summary.recipients.entry(subject.recipient.kind).or_default() += 1;
        summary.employers[subject.employer].statements += 1;
        if self.first_person.is_none() || subject.recipient.is_protected(self.common.seed) {
            let person = subject.recipient.person(self.common.year());
            if subject.recipient.is_protected(self.common.seed) {
                summary.protected.extend(person);
            }
            self.first_person = self.first_person.or(person);
        }
    }
}

/// What identifies the recipient of a form: SINK (KU13, 17, 19) is for people who live abroad.
fn kind(form: Form, rng: &mut Rng) -> Kind {
    use Kind::{AnnatId, Fodelsetid, Minor, Organisationsnummer, Personnummer, Samordningsnummer};
    let shares: &[(u64, Kind)] = match form {
        Form::KU10 => &[(87, Personnummer), (1, Minor), (5, Samordningsnummer), (3, Organisationsnummer)],
        Form::KU18 => &[(94, Personnummer), (2, Minor), (2, Samordningsnummer)],
        Form::KU13 | Form::KU17 | Form::KU19 => &[(45, Personnummer), (30, Samordningsnummer), (10, AnnatId)],
        _ => &[(88, Personnummer), (8, Samordningsnummer)],
    };
    let mut drawn = rng.u64(..100);
    for (share, kind) in shares {
        if drawn < *share {
            return *kind;
        }
        drawn -= share;
    }
    if one_in(rng, 2) { Fodelsetid } else { AnnatId }
}

/// How common a form is in the mix.
fn weight(form: Form) -> u64 {
    match form {
        Form::KU10 => 80,
        Form::KU18 => 7,
        Form::KU14 => 4,
        Form::KU13 => 3,
        Form::KU16 | Form::KU17 | Form::KU19 => 2,
        _ => 0,
    }
}

/// Chances of places, as running sums.
struct Weights(Vec<u64>);

impl Weights {
    fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let mut sum = 0;
        Self(
            weights
                .into_iter()
                .map(|weight| {
                    sum += weight;
                    sum
                })
                .collect(),
        )
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let drawn = rng.u64(..self.0.last().copied().unwrap_or(1));
        self.0.partition_point(|sum| *sum <= drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_statements_have_the_same_key_even_when_all_persons_have_one() {
        // More persons than one employer's pool holds.
        let year = Options::default().version.income_year();
        let count = Kind::Personnummer.pool(year) + 100_000;
        let options = Options { statements: count, employers: 1, forms: vec![Form::KU18], ..Options::default() };
        let mut mill = Mill::new(&options);
        let mut keys = HashSet::new();
        let mut most = 1;
        for record in 0..count {
            let subject = mill.subject(&mut rng(1, &[record]));
            most = most.max(subject.specifikationsnummer);
            assert!(keys.insert((subject.recipient, subject.specifikationsnummer)), "{subject:?}");
        }
        assert_eq!(most, 2);
    }
}
