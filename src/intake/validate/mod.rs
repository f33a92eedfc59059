//! Judges a parsed record: what its values may be ([`schema`]) and what the official rules demand ([`rules`]); [`sound`]
//! tells fast that nothing is wrong.
//!
//! One pass over the values; masks of presence for the rules; nothing is allocated where nothing is wrong. No second
//! record is looked at: that is `settle`'s.

pub mod rules;
mod schema;
mod sound;

pub use schema::explain;
pub use sound::{Employers, Recipient, sound};

use super::findings::Faults;
use super::parse::Record;
use crate::config::Severity;
use crate::domain::SchemaVersion;

/// What the head of the export and the settings say to each record.
#[derive(Clone, Debug)]
pub struct Context {
    /// The export's version.
    pub version: SchemaVersion,
    /// The identities of its Uppgiftslamnare, sorted.
    pub listed: Vec<String>,
    /// What an unlisted Arendeagare and another year than the version's are.
    pub cross_record: Severity,
}

/// Tells every fault of a record. Faults of structure that the parser found are in `faults` already.
pub fn validate(record: &Record<'_>, context: &Context, faults: &mut Faults) {
    let judged = schema::values(record, context, faults);
    if !faults.structural {
        rules::apply(record, &judged, context.version, faults);
    }
}
