//! A span of bytes becomes a record that borrows from it.
//!
//! Two ways lead to the same record. [`fast`] takes what nearly every record is: the prefix that the root declares,
//! one attribute in double quotes, text without markup, every element known, in place and once. It gives up at the
//! first thing that is not so, and then [`slow`] reads the span with the strict reader and tells every fault of
//! structure. What values may be is not looked at here: `validate` judges the record, whichever way it came.

mod fast;
mod slow;

pub use fast::Scratch;

use super::findings::Faults;
use super::xml::{Binding, Malformed, Space};
use crate::domain::{FIELDS_PER_RECORD, FieldIndex, FieldSet, Form, Kontrolluppgift, SchemaVersion, Value};
use crate::watch::crash;
use arrayvec::ArrayVec;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// How an export is written: its version and the namespace declarations of its root.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// Tells it from those of other exports.
    pub id: u64,
    /// The version of its namespaces.
    pub version: SchemaVersion,
    /// The root's declarations.
    pub bindings: Vec<Binding>,
    /// Name of the root as written, prefix included.
    pub root: String,
    /// Tags as the fast path expects them; none where the root declares no prefix for the komponent namespace.
    tags: Option<fast::Tags>,
}

impl Dialect {
    /// A dialect; `record` is the name of the first Blankett as written.
    pub fn new(version: SchemaVersion, bindings: Vec<Binding>, root: String, record: &str) -> Self {
        let prefix = record.split_once(':').map_or("", |(prefix, _)| prefix);
        let declared = bindings.iter().rev().find(|binding| binding.prefix == prefix);
        let known = declared.is_some_and(|binding| binding.space == Space::Komponent(Some(version)));
        let tags = known.then(|| fast::Tags::new(prefix));
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), version, bindings, root, tags }
    }
}

/// A record and where its parts stand.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The record itself.
    pub statement: Kontrolluppgift<'a>,
    /// Where its fields stand, in the order of its values; offsets within the span.
    pub places: ArrayVec<u32, FIELDS_PER_RECORD>,
    /// Where the element of Arendeagare stands.
    pub arendeagare_at: u32,
    /// Where the element of Period stands.
    pub period_at: u32,
    /// Arendenummer, where there is one.
    pub arendenummer: Option<(Value<'a>, u32)>,
    /// Whether Arendeagare and Period are there; without them the record has empty texts in their place.
    pub has_arendeagare: bool,
    /// As [`Record::has_arendeagare`].
    pub has_period: bool,
    /// Whether the attribute `nummer` is there.
    pub has_nummer: bool,
}

impl Record<'_> {
    /// A record of nothing, to be read into.
    pub fn empty() -> Self {
        Self {
            statement: Kontrolluppgift::new(Form::KU10, "".into(), "".into(), "".into()),
            places: ArrayVec::new(),
            arendeagare_at: 0,
            period_at: 0,
            arendenummer: None,
            has_arendeagare: true,
            has_period: true,
            has_nummer: true,
        }
    }

    /// Forgets the fields, and keeps the room.
    fn clear(&mut self) {
        self.statement.clear();
        self.places.clear();
        self.arendenummer = None;
        (self.has_arendeagare, self.has_period, self.has_nummer) = (true, true, true);
    }
}

/// What a span turned out to be.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A record, perhaps with faults of structure.
    Record(Box<Record<'a>>),
    /// No record: the faults say why. The form, where there is one.
    None(Option<Form>),
    /// Not well-formed.
    Malformed(Malformed),
}

/// Reads a span, the fast way where it can.
pub fn parse<'a>(bytes: &'a [u8], dialect: &'a Dialect, scratch: &mut Scratch, faults: &mut Faults) -> Parsed<'a> {
    let mut record = Record::empty();
    let text = simdutf8::basic::from_utf8(bytes).ok();
    let parsed = match text.and_then(|text| fast(text, dialect, scratch, &mut record)) {
        Some(()) => Parsed::Record(Box::new(record)),
        None => slow(bytes, dialect, faults),
    };
    crash::point("parsed");
    parsed
}

/// The fast way, into `record`; `None` says nothing but that the slow way must be taken.
#[inline]
pub fn fast<'a>(text: &'a str, dialect: &Dialect, scratch: &mut Scratch, record: &mut Record<'a>) -> Option<()> {
    fast::parse(text, dialect, dialect.tags.as_ref()?, scratch, record)
}

/// The slow way: any record that XML allows, with every fault of structure.
pub fn slow<'a>(bytes: &'a [u8], dialect: &'a Dialect, faults: &mut Faults) -> Parsed<'a> {
    slow::parse(bytes, dialect, faults)
}

/// Which fields stand where in a form.
pub struct FormSets {
    /// In the form's own element.
    pub body: FieldSet,
    /// In the recipient.
    pub recipient: FieldSet,
    /// In the uppgiftslämnare.
    pub sender: FieldSet,
    /// What the schema demands.
    pub required: FieldSet,
    /// Whether the form has a recipient element (KupongS has none).
    pub has_recipient: bool,
    /// [`Form::number`], looked up once.
    pub number: u16,
}

impl FormSets {
    /// Those of a form.
    pub fn of(form: Form) -> &'static FormSets {
        static SETS: LazyLock<Vec<FormSets>> = LazyLock::new(|| Form::all().map(FormSets::build).collect());
        static NOTHING: FormSets = FormSets {
            body: FieldSet::EMPTY,
            recipient: FieldSet::EMPTY,
            sender: FieldSet::EMPTY,
            required: FieldSet::EMPTY,
            has_recipient: false,
            number: 0,
        };
        SETS.get(form as usize).unwrap_or(&NOTHING) // one a form, in the order of the enum
    }

    fn build(form: Form) -> FormSets {
        let table = form.table();
        let set = |places: &[crate::domain::Place]| {
            places.iter().fold(FieldSet::EMPTY, |mut set, place| {
                set.insert(place.index());
                set
            })
        };
        let mut required = FieldSet::EMPTY;
        for place in table.body.iter().chain(table.recipient).chain(table.sender).filter(|place| place.required) {
            required.insert(place.index());
        }
        FormSets {
            body: set(table.body),
            recipient: set(table.recipient),
            sender: set(table.sender),
            required,
            has_recipient: !table.recipient.is_empty(),
            number: form.number(),
        }
    }
}

/// The field with this element name.
pub fn field_by_name(name: &str) -> Option<FieldIndex> {
    use std::collections::HashMap;
    static NAMES: LazyLock<HashMap<&'static str, FieldIndex>> = LazyLock::new(|| {
        let fields = crate::domain::FIELDS.iter().enumerate();
        fields.filter_map(|(place, field)| Some((field.element, FieldIndex::new(place)?))).collect()
    });
    NAMES.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::testing::{KOMPONENT, record, trouble};
    use proptest::prelude::*;

    fn dialect(prefix: &str) -> Dialect {
        let record = if prefix.is_empty() { "Blankett".to_owned() } else { format!("{prefix}:Blankett") };
        Dialect::new(SchemaVersion::V8, vec![Binding::new(prefix, KOMPONENT)], "Skatteverket".into(), &record)
    }

    /// Everything of a record, to compare.
    fn whole(record: &Record<'_>) -> impl PartialEq + std::fmt::Debug {
        let statement = &record.statement;
        let values: Vec<_> = statement.values().map(|(field, text)| (field, text.to_owned())).collect();
        (
            (
                statement.form,
                statement.nummer.to_string(),
                statement.arendeagare.to_string(),
                statement.period.to_string(),
            ),
            (
                values,
                record.places.clone(),
                record.arendeagare_at,
                record.period_at,
                record.arendenummer.clone().map(|(v, at)| (v.into_owned(), at)),
            ),
            (record.has_arendeagare, record.has_period, record.has_nummer),
        )
    }

    /// Whatever the fast way accepts, the slow way reads the same, without a fault of structure.
    fn agree(text: &str, dialect: &Dialect, scratch: &mut Scratch) -> Option<()> {
        let mut fast = Record::empty();
        super::fast(text, dialect, scratch, &mut fast)?;
        let mut faults = Faults::default();
        match slow(text.as_bytes(), dialect, &mut faults) {
            Parsed::Record(slow) => assert!(whole(&fast) == whole(&slow), "{:?}\n{:?}", whole(&fast), whole(&slow)),
            other => panic!("the slow way says {other:?} of\n{text}"),
        }
        assert!(faults.is_empty(), "{faults:?}");
        Some(())
    }

    /// Twice: the second time what stands between the values was met before.
    fn taken(text: &str, prefix: &str) -> bool {
        let (dialect, mut scratch) = (dialect(prefix), Scratch::default());
        let first = agree(text, &dialect, &mut scratch).is_some();
        assert_eq!(agree(text, &dialect, &mut scratch).is_some(), first);
        first
    }

    #[test]
    fn an_ordinary_record_takes_the_fast_way_with_any_prefix_and_layout() {
        let text = record(7, "Åsa");
        assert!(taken(&text, "ku"));
        assert!(taken(&text.replace("ku:", ""), ""));
        assert!(taken(&text.replace("ku:", "skv-1:"), "skv-1"));
        assert!(taken(&text.replace('\n', ""), "ku"));
        assert!(taken(&text.replace('\n', "\r\n\t"), "ku"));
        assert!(taken(&text.replace('\n', &" ".repeat(300)), "ku"), "gaps beyond what is remembered");
        assert!(!taken(&text.replace(">2022</ku:Period>", ">2022</ku:Period><ku:Arendenummer/>"), "ku"));
        let numbered = text
            .replace("<ku:Period>2022</ku:Period>", "<ku:Arendenummer></ku:Arendenummer><ku:Period>2022</ku:Period>");
        assert!(taken(&numbered, "ku"));
        // What XML forbids is the slow way's to tell, wherever it stands.
        for forbidden in ['\u{fffe}', '\u{ffff}'] {
            assert!(!taken(&text.replace("nummer=\"", &format!("nummer=\"{forbidden}")), "ku"));
            assert!(!taken(&text.replace("Åsa", &format!("Å{forbidden}")), "ku"));
        }
    }

    #[test]
    fn what_was_learned_of_one_export_does_not_hold_in_another() {
        let (text, mut scratch) = (record(7, "Åsa"), Scratch::default());
        assert!(agree(&text, &dialect("ku"), &mut scratch).is_some());
        assert!(agree(&text, &dialect("other"), &mut scratch).is_none());
        let of_8 = text.replace("KU10", "KU68");
        let _ = agree(&of_8, &dialect("ku"), &mut scratch);
        let of_7 = Dialect::new(
            SchemaVersion::V7,
            vec![Binding::new("ku", &KOMPONENT.replace("8.0", "7.0"))],
            "Skatteverket".into(),
            "ku:Blankett",
        );
        assert!(agree(&of_8, &of_7, &mut scratch).is_none());
    }

    #[test]
    fn borrowed_values_point_into_the_span() {
        let text = record(7, "Åsa");
        let dialect = dialect("ku");
        let mut record = Record::empty();
        fast(&text, &dialect, &mut Scratch::default(), &mut record).expect("ordinary");
        let name = record.statement.text(crate::domain::faltkod::FORNAMN).expect("there");
        assert!(text.as_bytes().as_ptr_range().contains(&name.as_ptr()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn fast_and_slow_give_the_same_record(
            edits in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..12, trouble()), 0..4),
            swap in any::<prop::sample::Index>(),
            layout in prop::sample::select(vec!["\n", "", "\r\n", "\n\t\t", "  "]),
        ) {
            let mut text = record(7, "Zo\u{eb}").replace('\n', layout);
            let (dialect, mut scratch) = (dialect("ku"), Scratch::default());
            assert!(agree(&text, &dialect, &mut scratch).is_some());
            // Move one field elsewhere, then edit at will.
            let fields: Vec<(usize, usize)> = text.match_indices(" faltkod=").filter_map(|(at, _)| {
                let start = text[..at].rfind('<')?;
                let name = &text[start + 1..at];
                let end = text[at..].find(&format!("</{name}>"))? + at + name.len() + 3;
                Some((start, end))
            }).collect();
            let (start, end) = fields[swap.index(fields.len())];
            let moved = text[start..end].to_owned();
            text.replace_range(start..end, "");
            let target = text.find("<ku:KU10>").expect("there") + "<ku:KU10>".len();
            text.insert_str(target, &moved);
            for (at, cut, piece) in &edits {
                let mut at = at.index(text.len());
                while !text.is_char_boundary(at) { at -= 1; }
                let mut end = (at + cut).min(text.len());
                while !text.is_char_boundary(end) { end += 1; }
                if cut % 3 == 0 { text.insert_str(at, piece) } else { text.replace_range(at..end, if cut % 3 == 1 { "" } else { piece }) }
            }
            let first = agree(&text, &dialect, &mut scratch);
            prop_assert_eq!(agree(&text, &dialect, &mut scratch), first);
            prop_assert_eq!(agree(&text, &dialect, &mut Scratch::default()), first);
        }
    }
}
