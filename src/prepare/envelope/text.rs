//! Texts of the envelope: escaped as canonical XML has it, and held against the simple types of the contract.

use super::EnvelopeError;

/// Appends text as canonical XML has it.
///
/// *Errors*: a character outside production 2 (`Char`) of XML 1.0.
pub(super) fn escape(element: &'static str, text: &str, out: &mut Vec<u8>) -> Result<(), EnvelopeError> {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (place, byte) in bytes.iter().enumerate() {
        let replacement: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'\r' if bytes.get(place + 1) == Some(&b'\n') => b"",
            b'\r' => b"\n",
            b'\t' | b'\n' | 0x20..=0xee | 0xf0.. => continue,
            // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
            0xef => match bytes.get(place + 1..place + 3) {
                Some([0xbf, last @ 0xbe..=0xbf]) => {
                    return Err(EnvelopeError::Forbidden { element, character: 0xff00 | u32::from(last | 0x40) });
                }
                _ => continue,
            },
            control => return Err(EnvelopeError::Forbidden { element, character: u32::from(*control) }),
        };
        out.extend_from_slice(bytes.get(copied..place).unwrap_or_default());
        out.extend_from_slice(replacement);
        copied = place + 1;
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Ok(())
}

/// What the contract's simple types demand of a text.
#[derive(Clone, Copy)]
pub(super) enum Facet {
    /// Nothing.
    Any,
    /// Not empty. The schema does not ask for it; a receiver could do nothing with it.
    Given,
    /// From so many characters to so many.
    Length(usize, usize),
    /// RecipientId.
    Identity,
    /// anyURI, at most 255 characters. Without white space: a receiver's parser may collapse it and so break the digest.
    Uri,
    /// EMailAdress, 5 to 256 characters, `.+@.+\..+`.
    Email,
    /// xs:language.
    Language,
    /// xs:date of the years 0001 to 9999.
    Date,
}

impl Facet {
    pub(super) fn check(self, element: &'static str, text: &str) -> Result<(), EnvelopeError> {
        let length = |least: usize, most: usize| {
            // Bytes are never fewer than characters: the usual text needs no count.
            if least == 0 && text.len() <= most {
                return Ok(());
            }
            let characters = text.chars().count() - text.matches("\r\n").count();
            if (least..=most).contains(&characters) {
                Ok(())
            } else {
                Err(EnvelopeError::Length { element, characters, least, most })
            }
        };
        let demand = |holds: bool, form: &'static str| {
            if holds { Ok(()) } else { Err(EnvelopeError::Form { element, form }) }
        };
        match self {
            Self::Any => Ok(()),
            Self::Given => demand(!text.is_empty(), "filled in"),
            Self::Length(least, most) => length(least, most),
            Self::Identity => demand(is_identity(text), "an identity of twelve digits"),
            Self::Uri => {
                length(0, 255)?;
                demand(!text.contains(char::is_whitespace), "an address without white space")
            }
            Self::Email => {
                length(5, 256)?;
                demand(is_email(text), "an e-mail address")
            }
            Self::Language => demand(is_language(text), "a language, as svSE"),
            Self::Date => demand(is_date(text), "a date, as 2027-01-31"),
        }
    }
}

/// RecipientId: `16` + ten digits, or a date whose day may be any two digits, and four digits.
pub(super) fn is_identity(text: &str) -> bool {
    let digits = text.as_bytes();
    if digits.len() != 12 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    match text.get(..2) {
        Some("16") => true,
        Some("18" | "19" | "20") => matches!(text.get(4..6).map(str::parse), Some(Ok(1..=12))),
        _ => false,
    }
}

pub(super) fn is_email(text: &str) -> bool {
    // The first @ that something precedes leaves the most behind it.
    let at = text.char_indices().skip(1).find(|(_, character)| *character == '@');
    let domain = at.and_then(|(at, _)| text.get(at + 1..)).unwrap_or_default();
    let dot = domain.char_indices().skip(1).find(|(_, character)| *character == '.');
    !text.contains(['\n', '\r']) && dot.is_some_and(|(dot, _)| dot + 1 < domain.len())
}

/// `[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*`
fn is_language(text: &str) -> bool {
    text.split('-').enumerate().all(|(place, part)| {
        let fits = |c: u8| if place == 0 { c.is_ascii_alphabetic() } else { c.is_ascii_alphanumeric() };
        (1..=8).contains(&part.len()) && part.bytes().all(fits)
    })
}

pub(super) fn is_date(text: &str) -> bool {
    let Some((date, zone)) = text.split_at_checked(10) else { return false };
    let [year, month, day] = [date.get(..4), date.get(5..7), date.get(8..)].map(Option::unwrap_or_default);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let [hours, minutes] = [zone.get(1..3), zone.get(4..)].map(Option::unwrap_or_default);
    let zoned = matches!(zone.as_bytes(), [b'+' | b'-', _, _, b':', _, _])
        && digits(hours)
        && digits(minutes)
        && (hours < "14" && minutes < "60" || zone.ends_with("14:00"));
    let dated = matches!(date.as_bytes(), [_, _, _, _, b'-', _, _, b'-', _, _])
        && [year, month, day].into_iter().all(digits)
        && date.parse::<jiff::civil::Date>().is_ok_and(|date| date.year() >= 1);
    dated && (zone.is_empty() || zone == "Z" || zoned)
}
