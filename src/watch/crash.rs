//! Crash points: boundaries on a statement's path at which the process can be made to die, by name and count.
//!
//! A crash point is passed by [`point`]; without a plan that is one relaxed load. A plan comes from the environment
//! variable `UTSKICK_CRASH`, read once by [`arm`]:
//!
//! | value | what happens |
//! |---|---|
//! | `NAME:N` | the process aborts at the N-th passing of NAME, from 1: nothing is flushed, closed or dropped |
//! | `count` | nothing dies; [`passed`] tells how often each point was passed |
//!
//! [`POINTS`] is the list of names, in the order of the path. A test walks all of it, and reads the source to see that
//! it is complete.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Names of the boundaries, in the order in which a run comes to them.
pub const POINTS: &[&str] = &[
    // Pass 1.
    "staged",
    "journal_made",
    "parsed",
    "admitted",
    "register_named",
    "released",
    // Pass 2, a statement that goes to a mailbox.
    "looked_up",
    "route_appended",
    "route_synced",
    "composed",
    "signed",
    "intent_appended",
    "intent_synced",
    "first_byte",
    "last_byte",
    "answer_headers",
    "answer_body",
    "outcome_appended",
    "outcome_synced",
    // A statement that goes on paper.
    "bundle_written",
    "bundle_renamed",
    "paper_appended",
    "paper_synced",
    // The end of the run, and after it.
    "finished",
    "merged",
    "copies_removed",
    "report_written",
    "report_renamed",
];

/// The environment variable with the plan.
pub const VARIABLE: &str = "UTSKICK_CRASH";

static ARMED: AtomicBool = AtomicBool::new(false);
static PLAN: OnceLock<Plan> = OnceLock::new();

#[derive(Debug)]
struct Plan {
    /// Which point, and at which passing; `None`: they are only counted.
    dies: Option<(&'static str, u64)>,
    passed: Vec<AtomicU64>,
}

/// Takes the plan of the environment, if there is one; once a process, before anything else.
///
/// *Errors*: what is wrong with it. A crash that was asked for and cannot happen would be taken for one survived.
pub fn arm() -> Result<(), String> {
    let Some(text) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let plan = Plan::read(&text.to_string_lossy())?;
    ARMED.store(PLAN.set(plan).is_ok() || ARMED.load(Ordering::Relaxed), Ordering::Release);
    Ok(())
}

/// Passes a boundary: the process dies here where the plan says so. `name` is one of [`POINTS`].
///
/// *Cost*: one relaxed load without a plan.
#[inline]
pub fn point(name: &'static str) {
    if ARMED.load(Ordering::Relaxed) {
        pass(name);
    }
}

#[cold]
fn pass(name: &str) {
    let Some(plan) = PLAN.get() else { return };
    let place = POINTS.iter().position(|point| *point == name);
    let Some(counter) = place.and_then(|place| plan.passed.get(place)) else { return };
    let passing = counter.fetch_add(1, Ordering::Relaxed) + 1;
    if plan.dies == Some((name, passing)) {
        std::process::abort();
    }
}

/// How often each point was passed, in the order of [`POINTS`]; `None` unless the plan is `count`.
pub fn passed() -> Option<Vec<(&'static str, u64)>> {
    let plan = PLAN.get().filter(|plan| plan.dies.is_none())?;
    Some(POINTS.iter().copied().zip(plan.passed.iter().map(|count| count.load(Ordering::Relaxed))).collect())
}

/// Whether the process is to die at this point: then it takes the smallest steps around it.
pub fn dies_at(name: &str) -> bool {
    ARMED.load(Ordering::Relaxed) && PLAN.get().is_some_and(|plan| plan.dies.is_some_and(|(point, _)| point == name))
}

impl Plan {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("{VARIABLE} is `NAME:N` with N from 1, or `count`; the names are {}", POINTS.join(", "));
        let dies = match text.split_once(':') {
            None if text == "count" => None,
            None => return Err(wrong()),
            Some((name, count)) => {
                let name = POINTS.iter().find(|point| **point == name).ok_or_else(wrong)?;
                Some((*name, count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?))
            }
        };
        Ok(Self { dies, passed: POINTS.iter().map(|_| AtomicU64::new(0)).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_a_point_that_there_is() {
        assert_eq!(Plan::read("signed:3").unwrap().dies, Some(("signed", 3)));
        assert_eq!(Plan::read("count").unwrap().dies, None);
        for wrong in ["", "signed", "signed:", "signed:0", "signed:x", "nowhere:1", "Signed:1"] {
            assert!(Plan::read(wrong).unwrap_err().contains("intent_synced"), "{wrong}");
        }
    }
}
