//! Masks identities in text that others wrote, such as fault descriptions.

use super::identity::{Identity, IdentityKind};
use std::borrow::Cow;

/// Replaces every Swedish identity number in a text by asterisks.
///
/// *Shape*: ten or twelve digits, with or without `-` or `+` before the last four (also percent-encoded), not part of a
/// longer run of digits, whose pattern and check digit hold; other numbers stay. Organisation numbers of ten digits go
/// too, since they look alike. *Cost*: one pass, no allocation where nothing is found.
pub fn mask_identities(text: &str) -> Cow<'_, str> {
    mask(text, is_identity)
}

/// Replaces every identity of a person in a text by asterisks, and leaves organisation numbers: for what is told to
/// the operator, where file names and arguments may hold more than they should.
///
/// *Shape* and *cost*: as [`mask_identities`].
pub fn mask_people(text: &str) -> Cow<'_, str> {
    mask(text, is_person)
}

fn mask(text: &str, is_identity: fn(&[u8], &[u8]) -> bool) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut masked: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let first = digits(rest);
        if first == 0 {
            at += 1;
            continue;
        }
        let length = match first {
            10 | 12 => Some(first).filter(|_| is_identity(rest.get(..first).unwrap_or_default(), b"")),
            6 | 8 => {
                let after = rest.get(first..).unwrap_or_default();
                let separator = ["-", "+", "%2D", "%2d", "%2B", "%2b"]
                    .iter()
                    .find(|separator| after.starts_with(separator.as_bytes()))
                    .map_or(0, |separator| separator.len());
                let last = after.get(separator..).unwrap_or_default();
                let found = separator > 0
                    && digits(last) == 4
                    && is_identity(rest.get(..first).unwrap_or_default(), last.get(..4).unwrap_or_default());
                found.then_some(first + separator + 4)
            }
            _ => None,
        };
        if let Some(length) = length {
            let copy = masked.get_or_insert_with(|| bytes.to_vec());
            if let Some(place) = copy.get_mut(at..at + length) {
                place.fill(b'*');
            }
        }
        at += length.unwrap_or(first);
    }
    match masked.map(String::from_utf8) {
        Some(Ok(masked)) => Cow::Owned(masked),
        // Only whole runs of ASCII are replaced, so it stays UTF-8.
        _ => Cow::Borrowed(text),
    }
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn is_identity(first: &[u8], last: &[u8]) -> bool {
    Identity::readings(&[first, last].concat()).next().is_some()
}

fn is_person(first: &[u8], last: &[u8]) -> bool {
    Identity::readings(&[first, last].concat()).any(|identity| identity.kind() != IdentityKind::Organisationsnummer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_masked_in_every_form() {
        for identity in [
            "195111232079",
            "5111232079",
            "19511123-2079",
            "511123-2079",
            "511123+2079",
            "511123%2D2079",
            "197010632391",
            "701063-2391",
            "165021680250",
        ] {
            let text = format!("å fault for {identity}, sorry");
            let stars = "*".repeat(identity.len());
            assert_eq!(mask_identities(&text), format!("å fault for {stars}, sorry"), "{identity}");
        }
    }

    #[test]
    fn of_people_alone_organisations_stay() {
        assert_eq!(mask_people("ku_195111232079.xml of 165021680250"), "ku_************.xml of 165021680250");
        assert_eq!(mask_people("ku-511123-2079.xml of 502168-0250"), "ku-***********.xml of 502168-0250");
    }

    #[test]
    fn other_numbers_stay() {
        for text in ["", "6006", "CallId 5111232078", "1951112320791", "2027-01-31T04:10:00", "x511123-207", "å"] {
            assert!(matches!(mask_identities(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
