//! One kontrolluppgift, borrowed from the map.

use super::field::{FieldIndex, FieldSet};
use super::form::Form;
use super::identity::Identity;
use arrayvec::ArrayVec;
use std::borrow::Cow;
use std::fmt;

/// The text of a field: borrowed where it stands in the map as it is, owned where CDATA, a character reference or a
/// comment inside had to be resolved. Whitespace is kept; the accessors of [`Kontrolluppgift`] collapse it by type.
pub type Value<'a> = Cow<'a, str>;

/// The most fields that one record can have: KU14 has 44, no form more.
pub const FIELDS_PER_RECORD: usize = 48;

/// A parsed record (Blankett), which borrows from the export.
///
/// *Shape*: fields in the order of the document, each at most once (a second one is a schema fault and is not here).
/// *Source*: kontrolluppgift 8.0, `Blankett`. Debug shows the form and which fields are present, never a value.
#[derive(Clone)]
pub struct Kontrolluppgift<'a> {
    /// The element inside Blankettinnehall.
    pub form: Form,
    /// Attribute `nummer` of the Blankett.
    pub nummer: Value<'a>,
    /// Arendeagare, the uppgiftslämnare's identity.
    pub arendeagare: Value<'a>,
    /// Period, the income year.
    pub period: Value<'a>,
    present: FieldSet,
    values: ArrayVec<(FieldIndex, Value<'a>), FIELDS_PER_RECORD>,
}

impl<'a> Kontrolluppgift<'a> {
    /// An empty record of a form.
    pub fn new(form: Form, nummer: Value<'a>, arendeagare: Value<'a>, period: Value<'a>) -> Self {
        Self { form, nummer, arendeagare, period, present: FieldSet::EMPTY, values: ArrayVec::new() }
    }

    /// Adds a field; `false` when the record has it already or is full, and then it stays as it was.
    #[inline]
    pub fn insert(&mut self, field: FieldIndex, value: Value<'a>) -> bool {
        if self.values.is_full() || !self.present.insert(field) {
            return false;
        }
        self.values.push((field, value));
        true
    }

    /// Takes all fields out, and keeps the room.
    pub fn clear(&mut self) {
        self.present = FieldSet::EMPTY;
        self.values.clear();
    }

    /// Which fields are present, whatever their value.
    pub const fn present(&self) -> &FieldSet {
        &self.present
    }

    /// Fields with their texts, in the order of the document.
    pub fn values(&self) -> impl Iterator<Item = (FieldIndex, &str)> {
        self.values.iter().map(|(field, value)| (*field, value.as_ref()))
    }

    /// The field at this place of the document's order, from 0.
    pub fn value_at(&self, place: usize) -> Option<(FieldIndex, &str)> {
        self.values.get(place).map(|(field, value)| (*field, value.as_ref()))
    }

    /// The text of a field as written, whitespace kept.
    pub fn text(&self, field: FieldIndex) -> Option<&str> {
        if !self.present.contains(field) {
            return None;
        }
        self.values.iter().find(|(present, _)| *present == field).map(|(_, value)| value.as_ref())
    }

    /// The value of an integer field: whitespace around, `+`, leading zeros and `-0` as xs:integer has them.
    pub fn integer(&self, field: FieldIndex) -> Option<i64> {
        self.text(field)?.trim_matches(XML_SPACE).parse().ok()
    }

    /// The value of a checkbox: `1` or `true`.
    pub fn kryss(&self, field: FieldIndex) -> bool {
        self.text(field).is_some_and(|text| matches!(text.trim_matches(XML_SPACE), "1" | "true"))
    }

    /// The recipient's identity (fältkod 215), where there is a valid one.
    pub fn recipient(&self) -> Option<Identity> {
        Identity::parse(self.text(field::INKOMSTTAGARE)?).ok()
    }

    /// The uppgiftslämnare's identity (fältkod 201), where there is a valid one.
    pub fn uppgiftslamnare(&self) -> Option<Identity> {
        Identity::parse(self.text(field::UPPGIFTSLAMNAR_ID)?).ok()
    }

    /// Whether Borttag is present, whatever its value (as the official rules have it).
    pub fn is_removal(&self) -> bool {
        self.present.contains(field::BORTTAG)
    }

    /// Whether a paper letter can be addressed: a name (216 and 217, or 226) and 218, 219 and 220, or 230.
    pub fn has_postal_address(&self) -> bool {
        let named = self.present.contains_all(&PERSON_NAME) || self.present.contains_all(&ORGANISATION_NAME);
        named && (self.present.contains_all(&STREET_ADDRESS) || self.present.contains_all(&FREE_ADDRESS))
    }
}

/// Whitespace of XML 1.0, which `collapse` removes at both ends.
pub const XML_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

const PERSON_NAME: FieldSet = FieldSet::of(&[216, 217]);
const ORGANISATION_NAME: FieldSet = FieldSet::of(&[226]);
const STREET_ADDRESS: FieldSet = FieldSet::of(&[218, 219, 220]);
const FREE_ADDRESS: FieldSet = FieldSet::of(&[230]);

/// Places of the fields that code names.
pub mod field {
    use super::FieldIndex;

    macro_rules! places {
        ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
            $($(#[$doc])* pub const $name: FieldIndex = FieldIndex::of_const($code);)*
        };
    }
    places! {
        /// LandskodTIN, the country of the TIN.
        LANDSKOD_TIN = 76;
        /// UppgiftslamnarId.
        UPPGIFTSLAMNAR_ID = 201;
        /// NamnUppgiftslamnare.
        NAMN_UPPGIFTSLAMNARE = 202;
        /// Inkomstar.
        INKOMSTAR = 203;
        /// Borttag.
        BORTTAG = 205;
        /// Inkomsttagare, the recipient's twelve digits.
        INKOMSTTAGARE = 215;
        /// Fornamn.
        FORNAMN = 216;
        /// Efternamn.
        EFTERNAMN = 217;
        /// Gatuadress.
        GATUADRESS = 218;
        /// Postnummer.
        POSTNUMMER = 219;
        /// Postort.
        POSTORT = 220;
        /// LandskodPostort.
        LANDSKOD_POSTORT = 221;
        /// Fodelsetid.
        FODELSETID = 222;
        /// AnnatIDNr.
        ANNAT_ID_NR = 224;
        /// OrgNamn.
        ORG_NAMN = 226;
        /// Gatuadress2.
        GATUADRESS2 = 228;
        /// FriAdress.
        FRI_ADRESS = 230;
        /// TIN, the recipient's number at another country's tax authority.
        TIN = 252;
        /// Specifikationsnummer.
        SPECIFIKATIONSNUMMER = 570;
    }
}

impl fmt::Debug for Kontrolluppgift<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<u16> = self.present.iter().map(|field| field.field().faltkod).collect();
        f.debug_struct("Kontrolluppgift").field("form", &self.form).field("present", &codes).finish_non_exhaustive()
    }
}
