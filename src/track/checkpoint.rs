//! How far a run is: a contiguous prefix, and the finished set beyond it.
//!
//! The journal keeps what waits in queues, so the checkpoint is not written but read: the prefix ends before the least
//! ordinal that waits. It can therefore never pass a statement without an outcome, and is the same whatever the order of
//! completion.

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Checkpoint {
    /// Statements of the run; ordinals are 1 to this.
    pub statements: u64,
    /// Every statement up to this ordinal has its outcome.
    pub through: u64,
    /// How many have theirs beyond it.
    pub beyond: u64,
}

impl Checkpoint {
    /// Statements that have their outcome.
    pub const fn ended(&self) -> u64 {
        self.through + self.beyond
    }
}
