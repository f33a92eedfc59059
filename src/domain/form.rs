//! Forms (blanketter) and schema versions.

use super::field::FormTable;
use super::fields::FORMS;
use std::fmt;

/// Every kind of kontrolluppgift of schema 8.0, in the order of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // each is named by its table, see `Form::name`
#[repr(u8)]
pub enum Form {
    KU10,
    KU13,
    KU14,
    KU16,
    KU17,
    KU18,
    KU19,
    KU20,
    KU21,
    KU25,
    KU26,
    KU28,
    KU30,
    KU31,
    KU32,
    KU34,
    KU35,
    KU40,
    KU41,
    KU50,
    KU52,
    KU53,
    KU55,
    KU65,
    KU66,
    KU68,
    KU70,
    KU71,
    KU72,
    KU73,
    KU80,
    KU81,
    KupongS,
}

impl Form {
    /// All forms, in the order of the schema.
    pub fn all() -> impl Iterator<Item = Form> {
        FORMS.iter().map(|table| table.form)
    }

    /// The forms of employers and pension payers, which are letters unless the settings say otherwise.
    pub const EMPLOYER: [Form; 7] =
        [Form::KU10, Form::KU13, Form::KU14, Form::KU16, Form::KU17, Form::KU18, Form::KU19];

    /// Its fields and names.
    #[allow(clippy::indexing_slicing)] // one entry a variant, in its order: a test holds it
    pub fn table(self) -> &'static FormTable {
        &FORMS[self as usize]
    }

    /// The element's name, `KU10`; also how the form is written in settings and reports.
    pub fn element(self) -> &'static str {
        self.table().element
    }

    /// Blankettnummer, as in the attribute `nummer`.
    pub fn nummer(self) -> &'static str {
        self.table().nummer
    }

    /// The form with this element name.
    pub fn by_element(element: &str) -> Option<Form> {
        FORMS.iter().find(|table| table.element == element).map(|table| table.form)
    }

    /// Whether employers and pension payers use it.
    pub fn is_employer(self) -> bool {
        Self::EMPLOYER.contains(&self)
    }

    /// A small number for the journal, stable over versions: the digits of the element, 999 for KupongS.
    pub fn number(self) -> u16 {
        self.element().trim_start_matches("KU").parse().unwrap_or(999)
    }

    /// The form with this [`Form::number`].
    pub fn by_number(number: u16) -> Option<Form> {
        Form::all().find(|form| form.number() == number)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.element())
    }
}

/// The version in the namespaces of an export, 7.0 to 12.0.
///
/// Fields and rules are tables keyed by version: 7.0 and 8.0 have their own, 9.0 to 12.0 use the table of 8.0, since
/// their schemas are not published where we could read them (`UNKNOWN` in our sources).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum SchemaVersion {
    V7,
    V8,
    V9,
    V10,
    V11,
    V12,
}

impl SchemaVersion {
    /// All versions that are read.
    pub const ALL: [SchemaVersion; 6] = [Self::V7, Self::V8, Self::V9, Self::V10, Self::V11, Self::V12];

    /// As written in the namespaces, `8.0`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V7 => "7.0",
            Self::V8 => "8.0",
            Self::V9 => "9.0",
            Self::V10 => "10.0",
            Self::V11 => "11.0",
            Self::V12 => "12.0",
        }
    }

    /// The version written like this.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// The income year that belongs to it: 2014 + version (7.0 is 2021, 8.0 is 2022).
    pub const fn income_year(self) -> u16 {
        match self {
            Self::V7 => 2021,
            Self::V8 => 2022,
            Self::V9 => 2023,
            Self::V10 => 2024,
            Self::V11 => 2025,
            Self::V12 => 2026,
        }
    }

    /// Whether its tables are those of another version (8.0), which the user is told once.
    pub const fn borrows_tables(self) -> bool {
        !matches!(self, Self::V7 | Self::V8)
    }

    /// Whether the schema of this version has the form (KU68 came with 8.0).
    pub fn has(self, form: Form) -> bool {
        !(self == Self::V7 && form == Form::KU68)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stand_in_the_order_of_the_enum() {
        for (place, table) in FORMS.iter().enumerate() {
            assert_eq!(table.form as usize, place);
            assert_eq!(Form::by_element(table.element), Some(table.form));
            assert_eq!(Form::by_number(table.form.number()), Some(table.form));
        }
    }
}
