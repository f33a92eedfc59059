//! Who the synthetic statements are about: recipients and employers.
//!
//! A recipient is a place in the pool of its kind; identity, name and address follow from the place and the seed, so
//! the same place is the same person in every statement, and none has to be remembered. A [`Scatter`] visits every
//! place of a pool once before it starts again, in an order that looks random: that makes statement keys unique
//! without a list of those used.

use super::names;
use crate::domain::{Identity, Organisation, check_digit_holds};
use fastrand::Rng;
use std::borrow::Cow;

/// What identifies a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A personnummer of somebody who is of age in the year after the income year.
    Personnummer,
    /// A personnummer of somebody who is under age in the year after the income year.
    Minor,
    /// A samordningsnummer.
    Samordningsnummer,
    /// An organisationsnummer.
    Organisationsnummer,
    /// A date of birth and three digits (fältkod 222).
    Fodelsetid,
    /// Another identity (fältkod 224).
    AnnatId,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 6] = [
        Self::Personnummer,
        Self::Minor,
        Self::Samordningsnummer,
        Self::Organisationsnummer,
        Self::Fodelsetid,
        Self::AnnatId,
    ];

    /// How many recipients of this kind there are.
    pub(super) fn pool(self, year: u16) -> u64 {
        match self {
            Self::Personnummer | Self::Samordningsnummer => days(adults(year)) * INDIVIDUAL_NUMBERS,
            Self::Minor => days(minors(year)) * INDIVIDUAL_NUMBERS,
            Self::Organisationsnummer => 1_000_000,
            Self::Fodelsetid => days(adults(year)) * 1000,
            Self::AnnatId => 26 * 26 * 10_000_000,
        }
    }
}

/// A recipient: a place in the pool of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Recipient {
    pub kind: Kind,
    pub place: u64,
}

impl Recipient {
    /// The identity as written in fältkod 215, 222 or 224.
    pub(super) fn identity(self, year: u16) -> String {
        match self.kind {
            Kind::Personnummer => person(adults(year), self.place, 0),
            Kind::Samordningsnummer => person(adults(year), self.place, 60),
            Kind::Minor => person(minors(year), self.place, 0),
            Kind::Organisationsnummer => with_check_digit(format!("16556{:06}", self.place)),
            Kind::Fodelsetid => {
                let (birth, number) = (birth(adults(year), self.place / 1000), self.place % 1000);
                format!("{:04}{:02}{:02}{number:03}", birth.year(), birth.month(), birth.day())
            }
            Kind::AnnatId => {
                let letter = |n: u64| char::from(b'A' + (n % 26) as u8);
                let series = self.place / 10_000_000;
                format!("{}{}{:07}", letter(series / 26), letter(series), self.place % 10_000_000)
            }
        }
    }

    /// The random numbers of this recipient's own: name and address are the same in every statement.
    pub(super) fn rng(self, seed: u64) -> Rng {
        rng(seed, &[stream::RECIPIENT, self.kind as u64, self.place])
    }

    /// The identity of a person who has one that FaR takes.
    pub(super) fn person(self, year: u16) -> Option<Identity> {
        self.is_person().then(|| Identity::parse(&self.identity(year)).ok()).flatten()
    }

    fn is_person(self) -> bool {
        matches!(self.kind, Kind::Personnummer | Kind::Minor | Kind::Samordningsnummer)
    }

    /// Whether the recipient's data are protected: one person in [`PROTECTED_ONE_IN`].
    pub(super) fn is_protected(self, seed: u64) -> bool {
        self.is_person()
            && mix(seed, &[stream::PROTECTED, self.kind as u64, self.place]).is_multiple_of(PROTECTED_ONE_IN)
    }
}

/// One person in this many has protected data.
pub const PROTECTED_ONE_IN: u64 = 200;

/// One person in this many has a name beyond Latin Extended-A.
pub const RARE_ONE_IN: u64 = 2000;

/// One person in this many has a name with letters of Latin Extended-A.
const EASTERN_ONE_IN: u64 = 50;

/// Individual numbers 980 to 999, commonly described as a series for tests, which keeps clear of living people.
const INDIVIDUAL_NUMBERS: u64 = 20;

/// Years of birth of those of age: 19 to 85 years in the income year.
fn adults(year: u16) -> (i16, i16) {
    (year as i16 - 85, year as i16 - 19)
}

/// Years of birth of minors: 4 to 13 years in the income year, so that they stay minors for some years to come.
fn minors(year: u16) -> (i16, i16) {
    (year as i16 - 13, year as i16 - 4)
}

fn days((first, last): (i16, i16)) -> u64 {
    (first..=last).map(|year| jiff::civil::date(year, 1, 1).days_in_year() as u64).sum()
}

fn birth((first, _): (i16, i16), day: u64) -> jiff::civil::Date {
    // Saturating: a place of a pool is always a date of the calendar.
    jiff::civil::date(first, 1, 1).saturating_add(jiff::Span::new().days(day as i64))
}

fn person(years: (i16, i16), place: u64, added: i8) -> String {
    let (birth, number) = (birth(years, place / INDIVIDUAL_NUMBERS), 980 + place % INDIVIDUAL_NUMBERS);
    with_check_digit(format!("{:04}{:02}{:02}{number:03}", birth.year(), birth.month(), birth.day() + added))
}

/// Adds the one digit that makes eleven digits an identity.
pub(super) fn with_check_digit(eleven: String) -> String {
    let mut identity = eleven;
    for digit in '0'..='9' {
        identity.push(digit);
        if check_digit_holds(&identity) {
            break;
        }
        identity.pop();
    }
    identity
}

/// First name and surname.
pub(super) fn name(rng: &mut Rng) -> (Cow<'static, str>, Cow<'static, str>) {
    if one_in(rng, RARE_ONE_IN) {
        let (first, last) = pick(rng, names::RARE);
        return (first.into(), last.into());
    }
    if one_in(rng, EASTERN_ONE_IN) {
        let (first, last) = pick(rng, names::EASTERN);
        return (first.into(), last.into());
    }
    (pick(rng, names::FORNAMN).into(), pick(rng, names::EFTERNAMN).into())
}

/// Name of an organisation.
pub(super) fn organisation_name(rng: &mut Rng) -> String {
    format!("{} {}", pick(rng, names::EFTERNAMN), pick(rng, names::BOLAG))
}

/// An employer of the export.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Employer {
    /// Organisationsnummer, twelve digits.
    #[serde(serialize_with = "digits")]
    pub id: Organisation,
    /// Invented name.
    pub name: String,
    /// Whether it is a foreign employer with a socialavgiftsavtal (rule 190).
    pub agreement: bool,
    /// Statements of it in the export.
    pub statements: u64,
}

fn digits<S: serde::Serializer>(id: &Organisation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(id.identity().expose())
}

/// The employers of an export: every fourth, from the second on, is a foreign one with a socialavgiftsavtal.
pub(super) fn employers(seed: u64, count: u32) -> Vec<Employer> {
    /// Beginnings that rule 190 takes for foreign employers, of twelve digits.
    const FOREIGN: &[&str] = &["16302", "16502", "16902", "16934"];
    let domestic = Scatter::new(seed, &[stream::DOMESTIC], 100_000);
    let foreign = Scatter::new(seed, &[stream::FOREIGN], 1_000_000);
    (0..u64::from(count))
        .filter_map(|number| {
            let agreement = number % 4 == 1;
            let (eleven, names) = if agreement {
                let prefix = FOREIGN.get((number / 4 % 4) as usize)?;
                (format!("{prefix}{:06}", foreign.place(number)), names::UTLANDSKA)
            } else {
                (format!("162120{:05}", domestic.place(number)), names::ARBETSGIVARE)
            };
            let turn = if agreement { number / 4 } else { number - (number + 2) / 4 };
            let name = names.get((turn % names.len() as u64) as usize)?;
            let round = turn / names.len() as u64;
            let name = if round == 0 { (*name).to_owned() } else { format!("{name} {}", round + 1) };
            Some(Employer { id: Organisation::parse(&with_check_digit(eleven)).ok()?, name, agreement, statements: 0 })
        })
        .collect()
}

/// An order of all places below a size that looks random: an affine map, whose step shares no factor with the size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scatter {
    size: u64,
    step: u64,
    start: u64,
}

impl Scatter {
    pub(super) fn new(seed: u64, purpose: &[u64], size: u64) -> Self {
        let mut rng = rng(seed, purpose);
        let start = rng.u64(..size);
        let mut step = rng.u64(1..size.max(2));
        while common_factor(step, size) != 1 {
            step = step % size + 1;
        }
        Self { size, step, start }
    }

    /// The place of a turn; turns beyond the size start again.
    pub(super) fn place(&self, turn: u64) -> u64 {
        let place = u128::from(turn % self.size) * u128::from(self.step) + u128::from(self.start);
        (place % u128::from(self.size)) as u64
    }

    /// How often all places have been visited before this turn.
    pub(super) fn round(&self, turn: u64) -> u64 {
        turn / self.size
    }
}

fn common_factor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_factor(b, a % b) }
}

/// Purposes of random numbers: first of the parts of [`rng`].
pub(super) mod stream {
    pub const DOMESTIC: u64 = 1;
    pub const FOREIGN: u64 = 2;
    pub const RECIPIENT: u64 = 3;
    pub const PROTECTED: u64 = 4;
    pub const POOL: u64 = 5;
    pub const RECORD: u64 = 6;
}

/// Random numbers for a purpose: the same for the same seed and parts, whatever was drawn elsewhere.
pub(super) fn rng(seed: u64, parts: &[u64]) -> Rng {
    Rng::with_seed(mix(seed, parts))
}

/// Mixes a seed with numbers (the finaliser of SplitMix64, Steele and others 2014).
fn mix(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(seed, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// One of these; every list of ours has something.
#[allow(clippy::indexing_slicing)] // below the length by construction
pub(super) fn pick<T: Copy>(rng: &mut Rng, list: &[T]) -> T {
    list[below(rng, list.len())]
}

/// A place below this length: drawn as 64 bits, so that it is the same where `usize` is smaller.
pub(super) fn below(rng: &mut Rng, length: usize) -> usize {
    rng.u64(..length as u64) as usize
}

/// Puts a list in any order.
pub(super) fn shuffle<T>(rng: &mut Rng, list: &mut [T]) {
    for last in (1..list.len()).rev() {
        list.swap(below(rng, last + 1), last);
    }
}

/// True once in this many.
pub(super) fn one_in(rng: &mut Rng, many: u64) -> bool {
    rng.u64(..many) == 0
}

/// True in this many cases of a hundred.
pub(super) fn percent(rng: &mut Rng, share: u64) -> bool {
    rng.u64(..100) < share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::IdentityKind;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn a_scatter_visits_every_place_once_a_round(seed: u64, size in 1_u64..500) {
            let scatter = Scatter::new(seed, &[1], size);
            let places: HashSet<u64> = (0..size).map(|turn| scatter.place(turn)).collect();
            prop_assert_eq!(places.len() as u64, size);
            prop_assert!(places.iter().all(|place| *place < size));
            prop_assert_eq!(scatter.place(size), scatter.place(0));
            prop_assert_eq!(scatter.round(size), 1);
        }

        #[test]
        fn every_place_of_a_pool_is_an_identity_of_its_kind(share in 0.0..1.0_f64, year in 2021_u16..=2026) {
            for kind in Kind::ALL {
                let place = (kind.pool(year) as f64 * share) as u64;
                let text = Recipient { kind, place }.identity(year);
                let parsed = Identity::parse(&text).map(|identity| identity.kind());
                match kind {
                    Kind::Personnummer | Kind::Minor => prop_assert_eq!(parsed, Ok(IdentityKind::Personnummer)),
                    Kind::Samordningsnummer => prop_assert_eq!(parsed, Ok(IdentityKind::Samordningsnummer)),
                    Kind::Organisationsnummer => prop_assert_eq!(parsed, Ok(IdentityKind::Organisationsnummer)),
                    Kind::Fodelsetid => prop_assert_eq!(text.len(), 11),
                    Kind::AnnatId => prop_assert_eq!(text.len(), 9),
                }
            }
        }
    }

    #[test]
    fn pools_end_with_the_last_day_of_their_years() {
        for (kind, years) in [(Kind::Personnummer, adults(2022)), (Kind::Minor, minors(2022))] {
            let last = Recipient { kind, place: kind.pool(2022) - 1 }.identity(2022);
            assert!(last.starts_with(&format!("{}1231999", years.1)), "{last}");
        }
    }

    #[test]
    fn employers_are_distinct_and_every_fourth_is_foreign() {
        let employers = employers(1, 500);
        assert_eq!(employers.len(), 500);
        assert_eq!(employers.iter().map(|employer| employer.id).collect::<HashSet<_>>().len(), 500);
        assert_eq!(employers.iter().map(|employer| &employer.name).collect::<HashSet<_>>().len(), 500);
        assert_eq!(employers.iter().filter(|employer| employer.agreement).count(), 125);
        assert!(employers.iter().all(|employer| employer.name.chars().count() <= 50));
    }
}
