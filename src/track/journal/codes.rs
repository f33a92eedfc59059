//! The numbers by which rows tell what became of a half.

use super::schema::kind;
use crate::domain::Reason;
use crate::track::halves::{Digital, OnPaper};

pub(super) fn reason_of(number: i64) -> Reason {
    u8::try_from(number).ok().and_then(Reason::from_number).unwrap_or(Reason::None)
}

pub(super) fn digital_code(half: Digital) -> (u8, Reason) {
    match half {
        Digital::Off | Digital::Waiting => (0, Reason::None),
        Digital::Delivered => (kind::DELIVERED, Reason::None),
        Digital::Unreachable(reason) => (kind::UNREACHABLE, reason),
        Digital::Failed(reason) => (kind::FAILED, reason),
        Digital::InDoubt(reason) => (kind::IN_DOUBT, reason),
        Digital::Held(reason) => (kind::HELD, reason),
    }
}

/// The state of a digital half after a row of this kind.
pub(super) fn digital_of(kind: u8, reason: Reason) -> Digital {
    match kind {
        kind::DELIVERED => Digital::Delivered,
        kind::UNREACHABLE => Digital::Unreachable(reason),
        kind::FAILED => Digital::Failed(reason),
        kind::IN_DOUBT => Digital::InDoubt(reason),
        kind::HELD => Digital::Held(reason),
        _ => Digital::Waiting,
    }
}

pub(super) fn paper_code(half: OnPaper) -> (u8, Reason) {
    match half {
        OnPaper::Off | OnPaper::Waiting | OnPaper::Fallback => (0, Reason::None),
        OnPaper::Bundled => (kind::BUNDLED, Reason::None),
        OnPaper::Held(reason) => (kind::HELD, reason),
        OnPaper::Failed(reason) => (kind::FAILED, reason),
    }
}

/// The state of a paper half after a row of this kind.
pub(super) fn paper_of(kind: u8, reason: Reason) -> OnPaper {
    match kind {
        kind::BUNDLED => OnPaper::Bundled,
        kind::HELD => OnPaper::Held(reason),
        kind::FAILED => OnPaper::Failed(reason),
        _ => OnPaper::Waiting,
    }
}
