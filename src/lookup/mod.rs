//! Who has a mailbox, and where.
//!
//! In: a sender and up to 1000 recipients. Out: for each its mailbox (operator and address), the named reason why there
//! is none, or that FaR said nothing. Questions are paced, retried, and matched on id; a question that FaR refuses
//! because of one id is split until that id stands alone. It does not decide what becomes of the statement.

mod far;
mod judge;

pub use far::{Far, FarError, Heard};
pub use judge::{Found, is_minor, judge};
