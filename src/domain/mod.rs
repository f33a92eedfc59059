//! The vocabulary: what a statement is, who it is about, where it can end.
//!
//! No I/O, no async, and nothing of ours is imported from elsewhere. Types that hold what may not leak print masked.

mod digest;
mod field;
mod fields;
mod form;
mod identities;
mod identity;
mod kontrolluppgift;
mod letter;
mod mask;
mod outcome;
mod span;
mod typed;
mod window;

pub use digest::{ContentDigest, Digester, PersonDigest, Purpose, RecordDigest, StatementKey};
pub use field::{Field, FieldIndex, FieldSet, FormTable, KodLista, Place, Type};
pub use fields::{FIELDS, FORMS};
pub use form::{Form, SchemaVersion};
pub use identities::{Identities, compared, swedish_numbers};
pub(crate) use identity::days_in;
pub use identity::{Identity, IdentityError, IdentityKind, Organisation, check_digit_holds};
pub use kontrolluppgift::{FIELDS_PER_RECORD, Kontrolluppgift, Value, XML_SPACE, field as faltkod};
pub use letter::{Attachment, Begun, Body, Letter, MessageId, Sealed};
pub use mask::{mask_identities, mask_people};
pub use outcome::{Outcome, Reason};
pub use span::{Batch, Span};
pub use typed::{Mistyped, as_typed};
pub use window::{WindowError, Windows, stockholm};
