//! Identities as people type them: with ten or twelve digits, a separator or none.

use super::identity::{Identity, IdentityError};
use zeroize::Zeroizing;

/// Why a text is no identity; it never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistyped {
    /// There is nothing.
    #[error("empty")]
    Empty,
    /// The digits fit, and the last one does not.
    #[error("mistyped: its check digit is wrong")]
    CheckDigit,
    /// Ten or twelve digits that are none of the three kinds.
    #[error("neither a personnummer, a samordningsnummer nor an organisationsnummer")]
    Pattern,
}

/// The identities that a typed id can mean, as exports have them: twelve digits, or a text as it is (a födelsetid, an id
/// of another country). `year` is the present one.
pub fn as_typed(typed: &str, year: i32) -> Result<Vec<Zeroizing<String>>, Mistyped> {
    // A byte order mark is no white space, and comes with lists from some editors.
    let typed = typed.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if typed.is_empty() {
        return Err(Mistyped::Empty);
    }
    let (first, separator, last) = match typed.len().checked_sub(5).and_then(|at| typed.split_at_checked(at)) {
        Some((first, rest)) if rest.starts_with(['-', '+']) => match rest.split_at_checked(1) {
            Some((separator, last)) => (first, separator, last),
            None => (typed, "", ""),
        },
        _ => (typed, "", ""),
    };
    let digits = Zeroizing::new(format!("{first}{last}"));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(digits.len(), 10 | 12) {
        return Ok(vec![Zeroizing::new(typed.to_owned())]);
    }
    let mut meant = if digits.len() == 12 { vec![digits] } else { with_century(&digits, separator, year) };
    let mut fault = Mistyped::Pattern;
    meant.retain(|identity| match Identity::parse(identity) {
        Ok(_) => true,
        Err(IdentityError::CheckDigit) => {
            fault = Mistyped::CheckDigit;
            false
        }
        Err(_) => false,
    });
    if meant.is_empty() { Err(fault) } else { Ok(meant) }
}

/// Ten digits with the centuries that they can have: `16` for an organisation; for a person `-` means under a hundred
/// years old, `+` from the year in which they turn a hundred, and neither leaves both open.
fn with_century(digits: &str, separator: &str, year: i32) -> Vec<Zeroizing<String>> {
    let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|part| part.parse::<i32>().ok());
    let (Some(two), Some(month)) = (number(0..2), number(2..4)) else { return Vec::new() };
    if month >= 20 {
        return vec![Zeroizing::new(format!("16{digits}"))];
    }
    // The last year that ends so and is not to come.
    let latest = year - (year - two).rem_euclid(100);
    let born: &[i32] = match separator {
        "-" => &[latest],
        "+" => &[latest - 100],
        _ => &[latest, latest - 100],
    };
    born.iter().map(|born| Zeroizing::new(format!("{:02}{digits}", born / 100))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(typed: &str) -> Vec<String> {
        as_typed(typed, 2027).unwrap().iter().map(|of| of.to_string()).collect()
    }

    #[test]
    fn every_way_to_write_an_identity_is_understood() {
        assert_eq!(meant("195111232079"), ["195111232079"]);
        assert_eq!(meant(" 19511123-2079\n"), ["195111232079"]);
        assert_eq!(meant("\u{feff}511123-2079"), ["195111232079"]);
        assert_eq!(meant("511123+2079"), ["185111232079"]);
        assert_eq!(meant("5111232079"), ["195111232079", "185111232079"]);
        assert_eq!(meant("701063-2391"), ["197010632391"]);
        assert_eq!(meant("502168-0250"), ["165021680250"]);
        assert_eq!(meant("20010203"), ["20010203"], "a födelsetid");
        assert_eq!(meant("X-12345"), ["X-12345"]);
    }

    #[test]
    fn a_separator_tells_the_century() {
        assert_eq!(with_century("2611232079", "-", 2027)[0].as_str(), "202611232079");
        assert_eq!(with_century("2811232079", "-", 2027)[0].as_str(), "192811232079");
        assert_eq!(with_century("2611232079", "+", 2027)[0].as_str(), "192611232079");
    }

    #[test]
    fn what_is_mistyped_is_told_apart() {
        let wrong = |typed: &str| as_typed(typed, 2027).unwrap_err();
        assert_eq!(wrong("195111232078"), Mistyped::CheckDigit);
        assert_eq!(wrong("511123-2078"), Mistyped::CheckDigit);
        assert_eq!(wrong("191313132079"), Mistyped::Pattern);
        assert_eq!(wrong(" \u{feff}"), Mistyped::Empty);
    }
}
