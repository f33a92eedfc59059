//! Fields of a kontrolluppgift: what they are called, what they may hold, in which form they stand.

// Tables are indexed by places that only this module makes, all below their length; constants are checked when built.
#![allow(clippy::indexing_slicing)]

use super::fields::{self, FIELDS};
use super::form::{Form, SchemaVersion};

/// A field of the schema: fältkod and element are one to one.
#[derive(Debug)]
pub struct Field {
    /// Fältkod as a number; written with three digits (`011`).
    pub faltkod: u16,
    /// Element name without prefix.
    pub element: &'static str,
    /// Swedish label, the commonest over the forms; [`Place::label`] has the form's own.
    pub label: &'static str,
    /// What its text may be.
    pub kind: Type,
}

/// A field's simple type (kontrolluppgift 8.0, component and common schemas).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Whole kronor (`Belopp6/7/10/12TYPE`, `BeloppNeg12TYPE`).
    Belopp {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// Another whole number: days, kilowatt-hours, number of a place of work, specifikationsnummer.
    Antal {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A checkbox (`KryssTYPE`, xs:boolean).
    Kryss,
    /// Income year, `20dd`.
    Inkomstar,
    /// Twelve-digit identity.
    Identitet,
    /// Eleven digits: a date and any three digits.
    Fodelsetid,
    /// Eight digits, a date of 19 or 20.
    Datum,
    /// International securities identification number.
    Isin,
    /// Eighteen digits that start with 735999.
    AnlId,
    /// Three digits.
    Verksamhetsomrade,
    /// A decimal with at most two decimals, from 0.01.
    Decimal {
        /// Greatest value in hundredths.
        max_hundredths: u32,
    },
    /// A value of a code list.
    Kod(KodLista),
    /// Free text; lengths in Unicode code points.
    Text {
        /// Least length.
        min: usize,
        /// Greatest length.
        max: usize,
    },
}

/// The code lists of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum KodLista {
    Landskod,
    Valutakod,
    Betalkod,
    Ersattningskod,
    SandUnderTid,
    KategoriKU14,
    NarfartFjarrfart,
    Region,
    TypOption,
    Redovisningsmetod,
    TypForsakring,
    GemensamIndividuell,
    Kontoslag,
}

impl KodLista {
    /// Its values in a schema version, sorted.
    pub fn values(self, version: SchemaVersion) -> &'static [&'static str] {
        match self {
            Self::Landskod => &fields::LANDSKOD,
            Self::Valutakod => &fields::VALUTAKOD,
            Self::Betalkod => &fields::BETALKOD,
            Self::Ersattningskod if version == SchemaVersion::V7 => &fields::ERSATTNINGSKOD_7,
            Self::Ersattningskod => &fields::ERSATTNINGSKOD_8,
            Self::SandUnderTid => &fields::SAND_UNDER_TID,
            Self::KategoriKU14 => &fields::KATEGORI_KU14,
            Self::NarfartFjarrfart => &fields::NARFART_FJARRFART,
            Self::Region => &fields::REGION,
            Self::TypOption => &fields::TYP_OPTION,
            Self::Redovisningsmetod => &fields::REDOVISNINGSMETOD,
            Self::TypForsakring => &fields::TYP_FORSAKRING,
            Self::GemensamIndividuell => &fields::GEMENSAM_INDIVIDUELL,
            Self::Kontoslag => &fields::KONTOSLAG,
        }
    }

    /// Whether the list is of integers (`xs:int`: `+5` and leading zeros are the same value).
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::Ersattningskod | Self::Betalkod)
    }
}

/// A place in [`FIELDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldIndex(pub(super) u8);

impl FieldIndex {
    /// The place of a fältkod. *Cost*: a binary search; use constants on hot paths.
    pub fn of(faltkod: u16) -> Option<Self> {
        FIELDS.binary_search_by_key(&faltkod, |field| field.faltkod).ok().map(|place| Self(place as u8))
    }

    /// The place with this number, below [`FIELDS`]'s length.
    pub fn new(place: usize) -> Option<Self> {
        (place < FIELDS.len()).then_some(Self(place as u8))
    }

    /// The place of a fältkod that exists, for constants.
    ///
    /// *Panics* (at compile time in a constant) when no field has it.
    pub const fn of_const(faltkod: u16) -> Self {
        let mut place = 0;
        while place < FIELDS_LEN {
            if CODES[place] == faltkod {
                return Self(place as u8);
            }
            place += 1;
        }
        panic!("no field has this fältkod")
    }

    /// The place as a number.
    pub const fn place(self) -> usize {
        self.0 as usize
    }

    /// The field itself.
    pub fn field(self) -> &'static Field {
        &FIELDS[self.0 as usize] // constructors let only places of the table through
    }
}

const FIELDS_LEN: usize = FIELDS.len();

/// The fältkoder of [`FIELDS`], for constants.
const CODES: [u16; FIELDS_LEN] = {
    let mut codes = [0; FIELDS_LEN];
    let mut place = 0;
    while place < FIELDS_LEN {
        codes[place] = FIELDS[place].faltkod;
        place += 1;
    }
    codes
};

/// A set of fields: which are present in a record, which a rule names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldSet([u64; 3]);

impl FieldSet {
    /// No field.
    pub const EMPTY: Self = Self([0; 3]);

    /// Every place: it shares a field with whatever has one.
    pub const ALL: Self = Self([u64::MAX; 3]);

    /// The set of these fältkoder, for constants. *Panics* (at compile time) on an unknown fältkod.
    pub const fn of(codes: &[u16]) -> Self {
        let mut set = [0; 3];
        let mut at = 0;
        while at < codes.len() {
            let place = FieldIndex::of_const(codes[at]).place();
            set[place / 64] |= 1 << (place % 64);
            at += 1;
        }
        Self(set)
    }

    /// Adds a field; tells whether it was absent before.
    pub fn insert(&mut self, field: FieldIndex) -> bool {
        let place = field.place();
        let word = &mut self.0[place / 64]; // 176 places in 192 bits
        let bit = 1 << (place % 64);
        let absent = *word & bit == 0;
        *word |= bit;
        absent
    }

    /// Whether it holds the field.
    pub const fn contains(&self, field: FieldIndex) -> bool {
        let place = field.place();
        self.0[place / 64] & (1 << (place % 64)) != 0
    }

    /// Whether the two share a field.
    pub const fn intersects(&self, other: &Self) -> bool {
        (self.0[0] & other.0[0]) | (self.0[1] & other.0[1]) | (self.0[2] & other.0[2]) != 0
    }

    /// Whether it holds every field of the other.
    pub const fn contains_all(&self, other: &Self) -> bool {
        (self.0[0] & other.0[0] == other.0[0])
            && (self.0[1] & other.0[1] == other.0[1])
            && (self.0[2] & other.0[2] == other.0[2])
    }

    /// The fields of this set that are not in the other.
    pub const fn without(&self, other: &Self) -> Self {
        Self([self.0[0] & !other.0[0], self.0[1] & !other.0[1], self.0[2] & !other.0[2]])
    }

    /// Whether it holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.0[0] | self.0[1] | self.0[2] == 0
    }

    /// Its fields, ascending by fältkod. *Cost*: by how many they are.
    pub fn iter(&self) -> impl Iterator<Item = FieldIndex> + '_ {
        self.0.iter().zip([0u8, 64, 128]).flat_map(|(word, base)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as u8;
                rest &= rest.wrapping_sub(1);
                (bit < 64).then_some(FieldIndex(base + bit))
            })
        })
    }
}

/// Where a field stands in a form.
#[derive(Debug)]
pub struct Place {
    /// Place in [`FIELDS`].
    pub field: u8,
    /// Whether the schema demands it.
    pub required: bool,
    /// The form's own Swedish label.
    pub label: &'static str,
}

impl Place {
    /// The field's place in the table.
    pub const fn index(&self) -> FieldIndex {
        FieldIndex(self.field)
    }
}

/// A form with its fields, in the order of the field list.
#[derive(Debug)]
pub struct FormTable {
    /// Which form.
    pub form: Form,
    /// Element name; recipient and sender are `Inkomsttagare` + it and `Uppgiftslamnare` + it.
    pub element: &'static str,
    /// Blankettnummer.
    pub nummer: &'static str,
    /// Swedish name.
    pub name: &'static str,
    /// Fields of the form's own element.
    pub body: &'static [Place],
    /// Fields of the recipient (inkomsttagare); none for KupongS.
    pub recipient: &'static [Place],
    /// Fields of the uppgiftslämnare.
    pub sender: &'static [Place],
}

impl FormTable {
    /// Where a field stands in this form.
    pub fn place(&self, field: FieldIndex) -> Option<&'static Place> {
        self.body.iter().chain(self.recipient).chain(self.sender).find(|place| place.index() == field)
    }
}
