//! Wiring: how a run is opened, what its two passes are, and in which order it stops.
//!
//! Only this folder knows two stages. [`release`] is pass 1: every record of every export gets a row in the journal, and
//! nothing leaves. [`route`], [`deliver`] and [`paper`] are pass 2: a look-up desk that asks FaR, a desk per operator
//! that pulls what waits for it, and a paper desk; each works at its own speed, and they meet only in the journal.
//! [`copies`] are what a resumed run reads its exports from. [`keys`] are read and checked before; [`renew`] takes up those that are replaced on disk meanwhile.
//!
//! # Queues and their capacities
//!
//! | queue | capacity | why |
//! |---|---|---|
//! | statements read ahead by pass 1 | batches of the intake, twice the threads | both cores busy |
//! | a window of look-ups | [`route::WINDOW`] statements | full calls for many senders |
//! | a page of an operator's queue | [`deliver::PAGE`] rows | one query for many |
//! | sealed letters ahead of an operator | its concurrency + [`deliver::AHEAD`] | letters are ready when permits are |
//! | changes on their way to the journal, outcomes among them | 4096, `CHANGES` of the journal | an outcome on its way keeps nobody waiting |
//! | finished letters that wait for company | [`letters::HANDFUL`] | one wake-up for several |
//! | statements of an operator that wait for another try, and those that FaR is asked about again | [`deliver::LATER`] each | beyond it, only retries |
//! | letters of a bundle | `paper.letters_per_bundle` | one bundle in memory |
//!
//! # Order of stopping
//!
//! The first signal drains: desks take nothing new, attempts with an intent go on to their outcome, the journal takes
//! the last rows, and the run resumes later. The second stops at once; what then has an intent and no outcome is in
//! doubt. A storage error drains likewise, but nothing more is claimed.

mod copies;
mod deliver;
mod keys;
mod letters;
mod obey;
mod open;
mod paper;
mod play;
pub mod preflight;
mod protected;
mod pulse;
mod purge;
mod release;
mod renew;
mod resolve;
mod route;
mod space;

pub use deliver::AHEAD as LETTERS_AHEAD;
pub use open::{Ended, Order, resume, send};
pub use protected::protected;
pub use purge::{Purged, give_up_lost, purge};
pub use release::{FINDINGS, REJECTS, fate};
pub use resolve::{Selection, in_doubt, resolve};
pub use route::WINDOW as LOOKED_UP_TOGETHER;
