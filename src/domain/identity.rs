//! Swedish identities: twelve digits, century first, no separator.
//!
//! In: raw bytes of a field. Out: a type that cannot be printed by accident. It does not look anything up.

use arrayvec::ArrayVec;
use std::fmt;

/// What kind of identity twelve digits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// `SSÅÅMMDDNNNK`, a real calendar date.
    Personnummer,
    /// As a personnummer with 60 added to the day.
    Samordningsnummer,
    /// `16` and a ten-digit organisationsnummer whose third digit is at least 2.
    Organisationsnummer,
}

/// Why twelve characters are no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not twelve ASCII digits.
    #[error("not twelve digits")]
    Shape,
    /// None of the three patterns of `IdentitetsbeteckningForPersonTYPE` fits (century, calendar date, third digit).
    #[error("neither a personnummer, a samordningsnummer nor an organisationsnummer")]
    Pattern,
    /// The check digit is wrong (rules 1000, 1001, 1002).
    #[error("wrong check digit")]
    CheckDigit,
}

/// A person's or an organisation's identity, twelve ASCII digits with a correct check digit.
///
/// *Shape*: `SSÅÅMMDDNNNK`, `SSÅÅMM(DD+60)NNNK` or `16NNNNNNNNNK`. *Source*: kontrolluppgift 8.0,
/// `IdentitetsbeteckningForPersonTYPE` and rules 1000–1002. It is also the `RecipientId` of Mina meddelanden.
/// Debug and Display print it masked; [`Identity::expose`] is the only way to the digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 12]);

/// The identity of an authority or employer (uppgiftslämnare, sender, operator).
///
/// Not secret when it is an organisationsnummer: Display prints the digits then, and masks a personnummer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Organisation(Identity);

impl Identity {
    /// Reads twelve digits, checking pattern and check digit.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let identity = Self::pattern(text)?;
        if check_digit(&identity.0) { Ok(identity) } else { Err(IdentityError::CheckDigit) }
    }

    /// Whether the text is this identity's digits.
    pub fn is(&self, text: &str) -> bool {
        text.len() == 12 && text.as_bytes() == self.0
    }

    /// Reads twelve digits by the schema's pattern alone, whatever the check digit.
    pub fn pattern(text: &str) -> Result<Self, IdentityError> {
        let digits: [u8; 12] = text.as_bytes().try_into().map_err(|_| IdentityError::Shape)?;
        if !digits.iter().fold(true, |all, digit| all & digit.is_ascii_digit()) {
            return Err(IdentityError::Shape);
        }
        let identity = Self(digits);
        identity.kind_by_pattern().map(|_| identity).ok_or(IdentityError::Pattern)
    }

    /// The identities that ten or twelve ASCII digits can mean; of ten the century is open.
    pub(super) fn readings(digits: &[u8]) -> impl Iterator<Item = Self> + use<> {
        const CENTURIES: [&[u8]; 4] = [b"16", b"18", b"19", b"20"];
        let centuries: &[&[u8]] = match digits.len() {
            12 => &[b""],
            10 => &CENTURIES,
            _ => &[],
        };
        let digits: ArrayVec<u8, 12> = digits.iter().copied().take(12).collect();
        centuries.iter().filter_map(move |century| {
            let mut whole = [0; 12];
            whole.iter_mut().zip(century.iter().chain(&digits)).for_each(|(to, from)| *to = *from);
            Self::parse(std::str::from_utf8(&whole).ok()?).ok()
        })
    }

    /// Which of the three kinds it is.
    pub fn kind(&self) -> IdentityKind {
        // The constructors let only patterns through.
        self.kind_by_pattern().unwrap_or(IdentityKind::Organisationsnummer)
    }

    /// The digits themselves, for the payload and for keyed digests. Never for a log, an error or a file name.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Year, month and day of birth of a person; `None` for an organisation.
    pub fn birth_date(&self) -> Option<(u16, u8, u8)> {
        let [year, month, day] = self.date_parts();
        match self.kind() {
            IdentityKind::Personnummer => Some((year, month as u8, day as u8)),
            IdentityKind::Samordningsnummer => Some((year, month as u8, (day - 60) as u8)),
            IdentityKind::Organisationsnummer => None,
        }
    }

    fn date_parts(&self) -> [u16; 3] {
        let [y1, y2, y3, y4, m1, m2, d1, d2, ..] = self.0;
        let two = |tens: u8, ones: u8| u16::from(tens - b'0') * 10 + u16::from(ones - b'0');
        [two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2)]
    }

    fn kind_by_pattern(&self) -> Option<IdentityKind> {
        let [year, month, day] = self.date_parts();
        let [_, _, _, _, third, ..] = self.0;
        if year / 100 == 16 {
            return (third >= b'2').then_some(IdentityKind::Organisationsnummer);
        }
        if !(1800..2100).contains(&year) || self.0.get(8..11) == Some(b"000") {
            return None;
        }
        match day {
            1..=31 if day <= days_in(year, month) => Some(IdentityKind::Personnummer),
            61..=91 if day - 60 <= days_in(year, month) => Some(IdentityKind::Samordningsnummer),
            _ => None,
        }
    }
}

/// Days of a month by the schema's leap rule: every fourth year, and of the century years only 2000.
pub(crate) fn days_in(year: u16, month: u16) -> u16 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year == 2000) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Whether the check digit of a twelve-digit identity holds: digits 3 to 12, weights 2,1,2,…, digit sums, modulo 10.
///
/// Anything but twelve ASCII digits does not hold, as in the official rules 1000–1002. *Cost*: a few nanoseconds.
pub fn check_digit_holds(identity: &str) -> bool {
    let Ok(digits) = <&[u8; 12]>::try_from(identity.as_bytes()) else { return false };
    digits.iter().fold(true, |all, digit| all & digit.is_ascii_digit()) && check_digit(digits)
}

/// As [`check_digit_holds`], of what is known to be digits.
fn check_digit(digits: &[u8; 12]) -> bool {
    /// Digit sums of the doubled digits.
    const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let [_, _, a, b, c, d, e, f, g, h, i, j] = digits.map(|digit| digit - b'0');
    let doubled = |digit: u8| DOUBLED.get(usize::from(digit)).copied().unwrap_or(0);
    let sum = doubled(a) + b + doubled(c) + d + doubled(e) + f + doubled(g) + h + doubled(i) + j;
    sum.is_multiple_of(10)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(************)")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("************")
    }
}

impl Organisation {
    /// Reads the identity of an authority or employer.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        Identity::parse(text).map(Self)
    }

    /// Takes an identity that has been read already.
    pub const fn new(identity: Identity) -> Self {
        Self(identity)
    }

    /// The identity behind it.
    pub const fn identity(&self) -> Identity {
        self.0
    }
}

impl fmt::Debug for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Organisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            IdentityKind::Organisationsnummer => f.write_str(self.0.expose()),
            // A private employer: the first digits would tell the birth date.
            IdentityKind::Personnummer | IdentityKind::Samordningsnummer => f.write_str("************"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn official_examples_hold() {
        assert_eq!(Identity::parse("195111232079").map(|i| i.kind()), Ok(IdentityKind::Personnummer));
        assert_eq!(Identity::parse("165021680250").map(|i| i.kind()), Ok(IdentityKind::Organisationsnummer));
        assert_eq!(Identity::parse("197010632391").map(|i| i.kind()), Ok(IdentityKind::Samordningsnummer));
        assert_eq!(Identity::parse("195111232078"), Err(IdentityError::CheckDigit));
    }

    #[test]
    fn calendar_follows_the_schema() {
        assert_eq!(Identity::pattern("190002292079"), Err(IdentityError::Pattern));
        assert!(Identity::pattern("200002292079").is_ok());
        assert_eq!(Identity::pattern("195102302079"), Err(IdentityError::Pattern));
        assert_eq!(Identity::pattern("195111230009"), Err(IdentityError::Pattern));
        assert_eq!(Identity::pattern("195111٣32079"), Err(IdentityError::Shape));
    }

    #[test]
    fn debug_and_display_are_masked() {
        let identity = Identity::parse("195111232079").map(|i| format!("{i:?} {i}"));
        assert_eq!(identity.as_deref(), Ok("Identity(************) ************"));
    }
}
