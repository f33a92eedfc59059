//! The algebra of outcomes: a statement has a digital and a paper half, and the worse one names its outcome.
//!
//! Pure. In: where the two halves are. Out: the one [`Outcome`] with its [`Reason`]. *Source*: the channel policies,
//! and "under digital-and-paper the worse half names the outcome".

use crate::domain::{Outcome, Reason};

/// Where the digital half of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Digital {
    /// Not wanted by the policy.
    Off,
    /// Waits for its look-up, its turn or its answer.
    Waiting,
    /// There is no mailbox that takes it: paper, where the policy has it.
    Unreachable(Reason),
    /// Delivered = true.
    Delivered,
    /// Refused for good, or given up.
    Failed(Reason),
    /// A request left and its answer is unknown.
    InDoubt(Reason),
    /// Kept back, and never put on paper for that.
    Held(Reason),
}

/// Where the paper half of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnPaper {
    /// Not wanted by the policy.
    Off,
    /// Waits for its print bundle.
    Waiting,
    /// Wanted only where the digital half turns out unreachable.
    Fallback,
    /// Its print bundle is on disk.
    Bundled,
    /// Kept back.
    Held(Reason),
    /// The paper letter could not be made.
    Failed(Reason),
}

/// The outcome of a statement whose halves are there.
///
/// Pending comes before all, then in doubt, failed, held, success; of two equals the digital half's reason is told. A
/// paper letter that stands in for an unreachable mailbox carries the reason of that. The paper half of a statement in
/// doubt waits for a person to settle it, and for nothing else: the operator may yet say that the recipient is protected.
pub fn outcome(digital: Digital, paper: OnPaper) -> (Outcome, Reason) {
    let unreachable = match digital {
        Digital::Unreachable(reason) => Some(reason),
        _ => None,
    };
    let first = match digital {
        Digital::Off | Digital::Unreachable(_) => None,
        Digital::Waiting => Some((Outcome::Pending, Reason::NotYet)),
        Digital::Delivered => Some((Outcome::Delivered, Reason::None)),
        Digital::Failed(reason) => Some((Outcome::Failed, reason)),
        Digital::InDoubt(reason) => Some((Outcome::InDoubt, reason)),
        Digital::Held(reason) => Some((Outcome::Held, reason)),
    };
    let second = match paper {
        OnPaper::Off => None,
        OnPaper::Fallback if unreachable.is_none() => None,
        OnPaper::Waiting if matches!(digital, Digital::InDoubt(_)) => None,
        OnPaper::Fallback | OnPaper::Waiting => Some((Outcome::Pending, Reason::NotYet)),
        OnPaper::Bundled => Some((Outcome::Paper, unreachable.unwrap_or(Reason::None))),
        OnPaper::Held(reason) => Some((Outcome::Held, reason)),
        OnPaper::Failed(reason) => Some((Outcome::Failed, reason)),
    };
    match (first, second) {
        (Some((Outcome::Delivered, _)), Some((Outcome::Paper, _))) => (Outcome::DeliveredAndPaper, Reason::None),
        (Some(digital), Some(paper)) => {
            if badness(paper.0) > badness(digital.0) {
                paper
            } else {
                digital
            }
        }
        (Some(only), None) | (None, Some(only)) => only,
        // No channel is left: kept back, with the reason why.
        (None, None) => (Outcome::Held, unreachable.unwrap_or(Reason::PolicyHold)),
    }
}

const fn badness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pending => 5,
        Outcome::InDoubt => 4,
        Outcome::Failed => 3,
        Outcome::Rejected => 2,
        Outcome::Held => 1,
        Outcome::Delivered
        | Outcome::Paper
        | Outcome::DeliveredAndPaper
        | Outcome::Removal
        | Outcome::Replaced
        | Outcome::NotForSending
        | Outcome::AlreadySent => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITAL: [Digital; 7] = [
        Digital::Off,
        Digital::Waiting,
        Digital::Unreachable(Reason::NoMailbox),
        Digital::Delivered,
        Digital::Failed(Reason::RefusedForGood),
        Digital::InDoubt(Reason::TimedOut),
        Digital::Held(Reason::Protected),
    ];
    const PAPER: [OnPaper; 6] = [
        OnPaper::Off,
        OnPaper::Waiting,
        OnPaper::Fallback,
        OnPaper::Bundled,
        OnPaper::Held(Reason::NoAddress),
        OnPaper::Failed(Reason::PrepareFailed),
    ];

    /// Every pair, written out by hand: rows as `DIGITAL`, columns as `PAPER`.
    #[test]
    fn every_pair_has_the_outcome_that_the_policy_means() {
        use Outcome::*;
        let table = [
            [Held, Pending, Held, Paper, Held, Failed],
            [Pending, Pending, Pending, Pending, Pending, Pending],
            [Held, Pending, Pending, Paper, Held, Failed],
            [Delivered, Pending, Delivered, DeliveredAndPaper, Held, Failed],
            [Failed, Pending, Failed, Failed, Failed, Failed],
            [InDoubt, InDoubt, InDoubt, InDoubt, InDoubt, InDoubt],
            [Held, Pending, Held, Held, Held, Failed],
        ];
        for (digital, row) in DIGITAL.into_iter().zip(table) {
            for (paper, wanted) in PAPER.into_iter().zip(row) {
                assert_eq!(outcome(digital, paper).0, wanted, "{digital:?} {paper:?}");
            }
        }
    }

    #[test]
    fn it_is_pending_exactly_while_a_half_waits() {
        for digital in DIGITAL {
            for paper in PAPER {
                let waits = digital == Digital::Waiting
                    || (paper == OnPaper::Waiting && !matches!(digital, Digital::InDoubt(_)))
                    || (paper == OnPaper::Fallback && matches!(digital, Digital::Unreachable(_)));
                assert_eq!(outcome(digital, paper).0 == Outcome::Pending, waits, "{digital:?} {paper:?}");
            }
        }
    }

    #[test]
    fn reasons_follow_the_half_that_names_the_outcome() {
        assert_eq!(
            outcome(Digital::Unreachable(Reason::OptedOut), OnPaper::Bundled),
            (Outcome::Paper, Reason::OptedOut)
        );
        assert_eq!(outcome(Digital::Off, OnPaper::Bundled), (Outcome::Paper, Reason::None));
        assert_eq!(outcome(Digital::Delivered, OnPaper::Held(Reason::NoAddress)), (Outcome::Held, Reason::NoAddress));
        assert_eq!(
            outcome(Digital::Held(Reason::Protected), OnPaper::Held(Reason::NoAddress)),
            (Outcome::Held, Reason::Protected)
        );
        assert_eq!(outcome(Digital::Unreachable(Reason::Minor), OnPaper::Off), (Outcome::Held, Reason::Minor));
        // A letter that failed on paper is not told as a missing mailbox.
        assert_eq!(
            outcome(Digital::Unreachable(Reason::NoMailbox), OnPaper::Failed(Reason::PrepareFailed)),
            (Outcome::Failed, Reason::PrepareFailed)
        );
    }
}
