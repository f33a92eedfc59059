//! Whom a record is about: every identity that it gives, in the forms in which identities are compared.
//!
//! In: the fields 215, 222, 224 and 252. Out: texts for keyed digests. A record may give several (kontrolluppgift 8.0,
//! rule 063 excludes only 215 with 222), and a Swedish number may stand in 224, written in any way.

use super::field::FieldIndex;
use super::identity::Identity;
use super::kontrolluppgift::{Kontrolluppgift, XML_SPACE, field};
use arrayvec::ArrayVec;
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The identities of a record's recipient, none of them twice. Debug shows how many, and none of them.
pub struct Identities<'a> {
    first: Option<&'a str>,
    further: Vec<Zeroizing<String>>,
}

impl<'a> Identities<'a> {
    /// Of a record, valid or not.
    ///
    /// *Cost*: some nanoseconds, and no allocation, where it gives one identity of eleven or twelve digits.
    pub fn of(statement: &'a Kontrolluppgift<'_>) -> Self {
        const GIVEN: [FieldIndex; 3] = [field::INKOMSTTAGARE, field::FODELSETID, field::ANNAT_ID_NR];
        let text = |field| statement.text(field).map(|text| text.trim_matches(XML_SPACE));
        let mut given = GIVEN.into_iter().filter_map(text);
        let mut all = Self { first: given.next(), further: Vec::new() };
        if let Some(first) = all.first.filter(|first| !is_in_one_form(first)) {
            all.add(first);
        }
        given.for_each(|id| all.add(id));
        if let Some(tin) = text(field::TIN) {
            // Ten digits of another country's are no Swedish number.
            match text(field::LANDSKOD_TIN) {
                Some("SE") => all.add(tin),
                _ => all.push(&compared(tin)),
            }
        }
        all
    }

    /// Whichever of 215, 222 and 224 the record gives first, as it stands there.
    pub const fn first(&self) -> Option<&'a str> {
        self.first
    }

    /// All others, each in the form that [`compared`] gives: the first one where it is not in that form, the other fields,
    /// and the Swedish numbers that any of them can be read as, twelve digits. Mostly none.
    pub fn further(&self) -> impl ExactSizeIterator<Item = &str> {
        self.further.iter().map(|id| id.as_str())
    }

    fn add(&mut self, id: &str) {
        self.push(&compared(id));
        for identity in swedish_numbers(id) {
            self.push(identity.expose());
        }
    }

    fn push(&mut self, id: &str) {
        if !id.is_empty() && self.first != Some(id) && self.further().all(|known| known != id) {
            self.further.push(Zeroizing::new(id.to_owned()));
        }
    }
}

/// An id in the form in which two are compared: no white space around it, capitals, letters with their marks composed.
/// Twelve digits stay what they are.
pub fn compared(id: &str) -> Zeroizing<String> {
    let id = id.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    // No capital takes more than three times the bytes: the text is not moved, and no copy is left behind.
    let mut compared = Zeroizing::new(String::with_capacity(id.len() * 3));
    compared.extend(id.nfc().flat_map(char::to_uppercase));
    compared
}

/// The Swedish numbers that a text can mean: twelve digits, or ten of which the century is open, with nothing but
/// separators between them; the country's code may stand before them.
pub fn swedish_numbers(id: &str) -> impl Iterator<Item = Identity> + use<> {
    let (before, after) = id.trim_start().split_at_checked(2).unwrap_or_default();
    let number = if before.eq_ignore_ascii_case("SE") { after } else { id };
    let mut digits = ArrayVec::<u8, 12>::new();
    let fits = number.chars().all(|c| match u8::try_from(c) {
        Ok(digit) if digit.is_ascii_digit() => digits.try_push(digit).is_ok(),
        _ => !c.is_alphanumeric(),
    });
    Identity::readings(if fits { &digits } else { &[] })
}

/// Whether [`compared`] and [`swedish_numbers`] can add nothing: a twelve-digit number or a födelsetid without anything around.
fn is_in_one_form(id: &str) -> bool {
    matches!(id.len(), 11 | 12) && id.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Debug for Identities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = usize::from(self.first.is_some());
        write!(f, "Identities({} of them)", first + self.further.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Form;

    fn identities(fields: &[(FieldIndex, &str)]) -> (Option<String>, Vec<String>) {
        let mut statement = Kontrolluppgift::new(Form::KU10, "2300".into(), "163021231224".into(), "2022".into());
        for (field, text) in fields {
            assert!(statement.insert(*field, (*text).to_owned().into()));
        }
        let all = Identities::of(&statement);
        (all.first().map(str::to_owned), all.further().map(str::to_owned).collect())
    }

    fn of(fields: &[(FieldIndex, &str)]) -> (String, Vec<String>) {
        let (first, further) = identities(fields);
        (first.unwrap(), further)
    }

    const FOUR: [FieldIndex; 4] = [field::INKOMSTTAGARE, field::FODELSETID, field::ANNAT_ID_NR, field::TIN];

    #[test]
    fn an_ordinary_record_has_one() {
        let [pnr, birth, other, _] = FOUR;
        assert_eq!(of(&[(pnr, "195111232079")]), ("195111232079".into(), vec![]));
        assert_eq!(of(&[(pnr, "\n195111232079 ")]), ("195111232079".into(), vec![]));
        assert_eq!(of(&[(birth, "19511123207")]), ("19511123207".into(), vec![]));
        assert_eq!(of(&[(other, "SE-99")]), ("SE-99".into(), vec![]));
        assert_eq!(identities(&[]), (None, vec![]));
    }

    #[test]
    fn every_identity_of_a_record_counts() {
        let [pnr, birth, other, tin] = FOUR;
        assert_eq!(of(&[(other, "se-99 "), (pnr, "195111232079")]), ("195111232079".into(), vec!["SE-99".into()]));
        assert_eq!(of(&[(birth, "19511123207"), (other, "SE-98")]).1, ["SE-98"]);
        assert_eq!(of(&[(other, " åb\u{a0}")]), ("åb\u{a0}".into(), vec!["ÅB".into()]));
        assert_eq!(of(&[(pnr, "195111232079"), (tin, "dk-1"), (field::LANDSKOD_TIN, "DK")]).1, ["DK-1"]);
        assert_eq!(of(&[(pnr, "195111232079"), (other, "19511123-2079")]).1, ["19511123-2079"], "the same person");
    }

    #[test]
    fn a_swedish_number_is_one_however_it_stands_in_another_field() {
        let [_, birth, other, tin] = FOUR;
        for written in
            ["19511123-2079", "19511123 2079", "1951\u{2013}11\u{2013}23.2079", "SE195111232079", "se 195111232079"]
        {
            let (_, further) = of(&[(other, written)]);
            assert!(further.contains(&"195111232079".to_owned()), "{written}: {further:?}");
        }
        for written in ["5111232079", "511123-2079", "511123+2079"] {
            let (_, further) = of(&[(birth, "19000101001"), (other, written)]);
            for century in ["18", "19", "20"] {
                assert!(further.contains(&format!("{century}5111232079")), "{written}: {further:?}");
            }
        }
        assert!(of(&[(other, "502168-0250")]).1.contains(&"165021680250".to_owned()));
        for none in ["195111232078", "X195111232079", "1951112320791", "511123207", "1951112320\u{663}9"] {
            assert!(of(&[(other, none)]).1.iter().all(|id| *id == *compared(none)), "{none}");
        }
        let country = |code| of(&[(birth, "19000101001"), (tin, "511123-2079"), (field::LANDSKOD_TIN, code)]).1;
        assert!(country(" SE ").contains(&"195111232079".to_owned()));
        assert_eq!(country("DK"), ["511123-2079"]);
    }

    #[test]
    fn ids_are_compared_without_case_and_space() {
        for written in ["SE-99", " se-99\n", "\u{feff}Se-99\u{a0}"] {
            assert_eq!(compared(written).as_str(), "SE-99");
        }
        assert_eq!(compared("a\u{30a}-1").as_str(), "\u{c5}-1");
        for c in '\0'..='\u{2ffff}' {
            let grown: usize = c.to_string().nfc().flat_map(char::to_uppercase).map(char::len_utf8).sum();
            assert!(grown <= c.len_utf8() * 3, "{c:?}");
        }
    }

    #[test]
    fn debug_shows_no_identity() {
        let mut statement = Kontrolluppgift::new(Form::KU10, "2300".into(), "163021231224".into(), "2022".into());
        statement.insert(field::ANNAT_ID_NR, "19511123-2079".into());
        let shown = format!("{:?}", Identities::of(&statement));
        assert!(!shown.contains("2079") && shown.contains("2 of them"), "{shown}");
    }
}
