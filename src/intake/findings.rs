//! What is wrong with an export, told so that a person can mend it.
//!
//! A [`Finding`] names the place (export, ordinal, byte offset, fältkod) and the rule, and says in plain English what
//! the rule means. It never holds a value, a name or an identity.

use crate::config::Severity;
use crate::domain::{FieldIndex, Form};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// One fault of a record, or of the export around the records.
///
/// *Shape*: as JSON one object with `export`, `ordinal`, `form`, `rule`, `faltkod`, `offset`, `message`, `severity`.
/// `rule` is the official id where there is one (three or four digits), else `schema.` and what the XSD forbids, or
/// `utskick.` and what is our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Number of the export within the run, from 1 in JSON (0 in memory, as everywhere).
    #[serde(serialize_with = "from_one")]
    pub export: u16,
    /// Ordinal of the record, from 1 through all exports; 0 for the export as a whole (`null` in JSON).
    #[serde(serialize_with = "null_for_zero")]
    pub ordinal: u64,
    /// The record's form, where it is known.
    #[serde(serialize_with = "form_name")]
    pub form: Option<Form>,
    /// Which rule.
    pub rule: Cow<'static, str>,
    /// The field it is about, three digits in JSON.
    #[serde(serialize_with = "three_digits")]
    pub faltkod: Option<u16>,
    /// Byte offset in the original file, of the element where there is one.
    pub offset: u64,
    /// What the rule means; lower case, without a full stop.
    pub message: Cow<'static, str>,
    /// Whether the statement is rejected for it.
    #[serde(serialize_with = "severity_name")]
    pub severity: Severity,
}

impl Finding {
    /// Whether it is a fault and no mere warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A finding before it knows its record: the offset is within the span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// As [`Finding::rule`].
    pub rule: &'static str,
    /// The field.
    pub faltkod: Option<u16>,
    /// Byte offset from the start of the span.
    pub at: u32,
    /// As [`Finding::message`].
    pub message: Cow<'static, str>,
    /// As [`Finding::severity`].
    pub severity: Severity,
}

/// The most faults that are told of one record; a last one says that there are more.
pub const FAULTS_PER_RECORD: usize = 100;

/// The faults of one record, bounded.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    list: Vec<Fault>,
    /// Whether a fault makes presence or place of fields uncertain, so that rules would judge garbage.
    pub structural: bool,
}

impl Faults {
    /// Adds an error.
    pub fn error(
        &mut self,
        rule: &'static str,
        field: Option<FieldIndex>,
        at: usize,
        what: impl Into<Cow<'static, str>>,
    ) {
        self.push(rule, field.map(|field| field.field().faltkod), at, what.into(), Severity::Error);
    }

    /// Adds an error about where elements stand: rules are not asked then.
    pub fn structure(
        &mut self,
        rule: &'static str,
        field: Option<FieldIndex>,
        at: usize,
        what: impl Into<Cow<'static, str>>,
    ) {
        self.structural = true;
        self.error(rule, field, at, what);
    }

    /// Adds a fault.
    pub fn push(
        &mut self,
        rule: &'static str,
        faltkod: Option<u16>,
        at: usize,
        message: Cow<'static, str>,
        severity: Severity,
    ) {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        if self.list.len() < FAULTS_PER_RECORD {
            self.list.push(Fault { rule, faltkod, at, message, severity });
        } else if self.list.len() == FAULTS_PER_RECORD {
            let message = "the record has more faults than are listed".into();
            self.list.push(Fault {
                rule: "schema.too-many-faults",
                faltkod: None,
                at,
                message,
                severity: Severity::Error,
            });
        }
    }

    /// The faults, in the order found.
    #[cfg(test)]
    pub fn list(&self) -> &[Fault] {
        &self.list
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them rejects the record.
    pub fn any_error(&self) -> bool {
        self.list.iter().any(|fault| fault.severity == Severity::Error)
    }

    /// Forgets them all, and keeps the room.
    pub fn clear(&mut self) {
        self.list.clear();
        self.structural = false;
    }

    /// Takes the faults out.
    pub fn drain(&mut self) -> impl Iterator<Item = Fault> + '_ {
        self.structural = false;
        self.list.drain(..)
    }
}

/// How a field is named in messages: fältkod and Swedish label.
pub fn named(field: FieldIndex, form: Option<Form>) -> String {
    let table = form.and_then(|form| form.table().place(field));
    let label = table.map_or(field.field().label, |place| place.label);
    format!("{:03} {label}", field.field().faltkod)
}

fn from_one<S: Serializer>(export: &u16, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u32(u32::from(*export) + 1)
}

fn null_for_zero<S: Serializer>(ordinal: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    (*ordinal != 0).then_some(*ordinal).serialize(serializer)
}

fn form_name<S: Serializer>(form: &Option<Form>, serializer: S) -> Result<S::Ok, S::Error> {
    form.map(Form::element).serialize(serializer)
}

fn three_digits<S: Serializer>(faltkod: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    faltkod.map(|code| format!("{code:03}")).serialize(serializer)
}

fn severity_name<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_promised_shape() {
        let finding = Finding {
            export: 0,
            ordinal: 7,
            form: Some(Form::KU10),
            rule: "010".into(),
            faltkod: Some(11),
            offset: 4_294_967_296,
            message: "no compensation at all".into(),
            severity: Severity::Error,
        };
        assert_eq!(
            serde_json::to_string(&finding).expect("plain"),
            r#"{"export":1,"ordinal":7,"form":"KU10","rule":"010","faltkod":"011","offset":4294967296,"message":"no compensation at all","severity":"error"}"#
        );
    }

    #[test]
    fn faults_of_one_record_are_bounded() {
        let mut faults = Faults::default();
        (0..10_000).for_each(|at| faults.error("schema.text", None, at, "text between elements"));
        assert_eq!(faults.list().len(), FAULTS_PER_RECORD + 1);
    }
}
