//! One delivery attempt, and what its answer means.
//!
//! In: a sealed message, a gateway, and a hook that writes the intent. Out: a verdict. What is journalled and when an
//! attempt is made again is decided by the pipeline with the pure rules in [`retry`].

pub mod attempt;
pub mod retry;
mod verdict;

pub use attempt::{Attempt, Attempted, attempt};
pub use verdict::Verdict;
