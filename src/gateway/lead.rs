//! How long before its slot an attempt takes it: as long as its intent needs to become durable, and a new connection to
//! be made where the gateway closes those that wait.
//!
//! A lead that is too short costs slots whenever the disk is slow for a moment; one that is too long keeps connections
//! waiting. So it follows what intents and connections took: up at once, down slowly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The lead of one gateway.
#[derive(Debug)]
pub struct Lead {
    intent: AtomicU64,
    connection: AtomicU64,
}

impl Lead {
    /// The journal's group window, a sync, and a thread that is woken late.
    pub const SHORTEST: Duration = Duration::from_millis(12);
    /// A disk that is slower than this loses slots.
    pub const LONGEST: Duration = Duration::from_millis(60);
    /// Beyond what an intent took: waking its attempt up.
    const MARGIN: Duration = Duration::from_millis(3);
    /// A change for the shorter is spread over so many intents.
    const INTENTS: u64 = 512;

    /// A gateway that takes longer than this to connect to loses slots.
    pub const LONGEST_CONNECTION: Duration = Duration::from_secs(2);

    /// How long it is now.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.intent.load(Ordering::Relaxed)) + self.for_connection()
    }

    /// The part of it in which a connection is made.
    pub fn for_connection(&self) -> Duration {
        Duration::from_micros(self.connection.load(Ordering::Relaxed))
    }

    /// An intent took so long to become durable.
    pub fn took(&self, time: Duration) {
        follow(&self.intent, (time + Self::MARGIN).min(Self::LONGEST), Self::SHORTEST);
    }

    /// A connection that had waited for a slot had to be replaced, and that took so long; no time where it was good.
    pub fn took_connection(&self, time: Duration) {
        follow(&self.connection, time.min(Self::LONGEST_CONNECTION), Duration::ZERO);
    }
}

impl Default for Lead {
    fn default() -> Self {
        Self { intent: AtomicU64::new(micros(Self::SHORTEST)), connection: AtomicU64::new(0) }
    }
}

fn follow(lead: &AtomicU64, needed: Duration, shortest: Duration) {
    let now = lead.load(Ordering::Relaxed);
    let shorter = now - (now - micros(shortest)).div_ceil(Lead::INTENTS);
    // Two at once may overwrite each other: the next one mends it.
    lead.store(micros(needed).max(shorter), Ordering::Relaxed);
}

const fn micros(time: Duration) -> u64 {
    time.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::Lead;
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn it_covers_what_was_just_needed_and_comes_back(times in prop::collection::vec(0_u64..200_000, 1..50)) {
            let lead = Lead::default();
            for time in times {
                let time = Duration::from_micros(time);
                lead.took(time);
                prop_assert!(lead.now() >= time.min(Lead::LONGEST));
                prop_assert!((Lead::SHORTEST..=Lead::LONGEST).contains(&lead.now()));
            }
            for _ in 0..10_000 {
                lead.took(Duration::ZERO);
            }
            prop_assert_eq!(lead.now(), Lead::SHORTEST);
        }

        #[test]
        fn it_covers_the_connections_that_had_to_be_made(times in prop::collection::vec(0_u64..4_000_000, 1..50)) {
            let lead = Lead::default();
            for time in times {
                let time = Duration::from_micros(time);
                lead.took_connection(time);
                prop_assert!(lead.for_connection() >= time.min(Lead::LONGEST_CONNECTION));
                prop_assert_eq!(lead.now(), Lead::SHORTEST + lead.for_connection());
            }
            for _ in 0..20_000 {
                lead.took_connection(Duration::ZERO);
            }
            prop_assert_eq!(lead.now(), Lead::SHORTEST);
        }
    }
}
