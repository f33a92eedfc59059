//! What can be seen of a run while it goes on: handles to count with, and the line that shows them.
//!
//! A leaf: stages and pipeline hold a [`Progress`] and add to it; [`show`] reads it at its own pace, a line that renews
//! itself on a terminal, a line a minute elsewhere. [`Log`] says at which level and in which shape the process logs;
//! [`guard`](guard()) sees that nothing about people is seen beside that. Nothing here decides anything; [`mod@crash`]
//! lets a test decide where the process dies.

pub mod crash;
mod guard;
mod handshakes;
mod line;
mod log;
mod progress;
mod waits;

pub use guard::{guard, outlive_terminal};
pub use handshakes::Handshakes;
pub use line::show;
pub use log::Log;
pub use progress::{OperatorProgress, Progress, Stage};
pub use waits::{Edge, Wait, Waits};
