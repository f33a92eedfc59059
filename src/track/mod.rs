//! What is known to have happened: journal, register, checkpoint, report.
//!
//! In: decisions of pass 1, and of pass 2 every look-up, intent, answer and bundle. Out: what waits, what is in doubt,
//! what ended how — while the run goes on, after a kill, and for years after. It sends nothing and reads no export.
//!
//! | part | what |
//! |---|---|
//! | [`Installation`] | the key, the state folder, the gateway locks |
//! | [`Journal`] | one run: every statement, every intent, every end; written by one process |
//! | [`JournalReader`] | the same for reading commands, while the run goes on and after |
//! | [`Register`] | all runs: what was sent, by statement key |
//! | [`halves`] | how two halves make one outcome |
//! | [`control`] | orders to a running send |
//! | [`Pulse`] | the last seconds of a running send |
//! | [`Report`], [`Status`] | the numbers of a run: all of them, and those of the moment |
//! | [`Checkpoint`] | how far a run is: a contiguous prefix and what ended beyond it |
//!
//! The promise: what a call of [`Journal`] has returned `Ok` for is on disk and survives any crash. What it has not is
//! on disk whole or not at all. No statement leaves twice unless its operator's policy says so: the journal refuses an
//! intent for a statement that is under way or has its outcome, and a resend with other bytes.

mod checkpoint;
pub mod control;
mod error;
pub mod halves;
mod installation;
mod journal;
mod outlook;
mod pulse;
mod register;
mod report;
mod status;
mod summed;
mod trans_id;

pub use checkpoint::Checkpoint;
pub use error::{Cause, Outdated, TrackError};
pub use installation::{GatewayLocks, Installation};
pub use journal::*;
pub use pulse::{GatewayPulse, Pulse, Waiting};
pub use register::{Earlier, Register, Verdict, What};
pub use report::{
    AWAITS_ACCEPTANCE, Channels, InDoubt, Late, OperatorPart, Part, Rates, ReasonCount, Report, Series, Throughput,
};
pub use status::{OperatorStatus, Status};

use crate::domain::{Outcome, Reason};
use crate::error::Exit;

/// The exit code of a run with these counts: 2 while something is pending, 1 where something must be looked at
/// (rejected, failed, in doubt, or held for anything but policy or protection), else 0.
pub fn exit(counts: &Counts) -> Exit {
    if counts.of(Outcome::Pending) > 0 {
        return Exit::Pending;
    }
    let look_at = counts.by.iter().any(|((outcome, reason), count)| {
        *count > 0
            && match outcome {
                Outcome::Rejected | Outcome::Failed | Outcome::InDoubt => true,
                Outcome::Held => !matches!(reason, Reason::PolicyHold | Reason::Protected),
                _ => false,
            }
    });
    if look_at { Exit::LookAt } else { Exit::Done }
}
