//! The breaker: stops asking a gateway that does not answer, and probes whether it is back.
//!
//! Closed, it lets everyone through. After [`OPEN_AFTER`] failures in a row it opens; after a wait that doubles up to
//! [`LONGEST_WAIT`] it lets one probe through. A success closes it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open it. Five: fewer opens on the odd reset of a busy night, more hammers a gateway that is
/// down with every connection of its bound.
const OPEN_AFTER: u32 = 5;
/// First wait.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait between probes.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A breaker of one gateway.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// When failures in a row began.
    failing_since: Option<Instant>,
    open_until: Option<Instant>,
    wait: Duration,
    probing: bool,
}

impl Breaker {
    /// Whether a request may go now; otherwise how long to wait before asking again.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(until) = state.open_until else { return Ok(()) };
        if now < until {
            return Err(until - now);
        }
        if state.probing {
            // Somebody else probes; ask again soon.
            return Err(FIRST_WAIT);
        }
        state.probing = true;
        Ok(())
    }

    /// The gateway answered. Tells whether that closed the breaker.
    pub fn success(&self) -> bool {
        let was_open = self.state().open_until.is_some();
        *self.state() = State::default();
        was_open
    }

    /// The gateway did not answer. Tells whether that opened the breaker, and for how long.
    pub fn failure(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        state.failing_since.get_or_insert(now);
        state.probing = false;
        if state.failures < OPEN_AFTER {
            return None;
        }
        // One opening for all requests that fail while it is open.
        if state.open_until.is_some_and(|until| now < until) {
            return None;
        }
        state.wait = (state.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
        state.open_until = Some(now + state.wait);
        Some(state.wait)
    }

    /// A probe ended without telling anything about the gateway; another may probe.
    pub fn release(&self) {
        self.state().probing = false;
    }

    /// Time without requests, since nothing might leave, is no time without an answer.
    pub fn start_anew(&self, now: Instant) {
        if let Some(since) = &mut self.state().failing_since {
            *since = now;
        }
    }

    /// Nor is this time, in which nobody asked.
    pub fn rested(&self, idle: Duration) {
        if let Some(since) = &mut self.state().failing_since {
            *since += idle;
        }
    }

    /// How long the gateway has failed without a single success.
    pub fn failing_for(&self, now: Instant) -> Option<Duration> {
        self.state().failing_since.map(|since| now.saturating_duration_since(since))
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.state().open_until.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_probes_one_at_a_time() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 1..OPEN_AFTER {
            assert_eq!(breaker.failure(start), None);
            assert!(breaker.admit(start).is_ok());
        }
        assert_eq!(breaker.failure(start), Some(FIRST_WAIT));
        assert!(breaker.admit(start).is_err());
        let later = start + FIRST_WAIT;
        assert!(breaker.admit(later).is_ok(), "one probe");
        assert!(breaker.admit(later).is_err(), "not two");
        assert_eq!(breaker.failure(later), Some(FIRST_WAIT * 2), "the wait doubles");
        assert!(breaker.admit(later + FIRST_WAIT).is_err());
        assert!(breaker.admit(later + FIRST_WAIT * 2).is_ok());
        assert!(breaker.success());
        assert!(breaker.admit(later).is_ok());
        assert_eq!(breaker.failing_for(later), None);
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..100 {
            assert_eq!(breaker.failure(now), None);
            breaker.success();
        }
        assert!(!breaker.is_open());
    }
}
