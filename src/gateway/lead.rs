//! How long before its slot an attempt takes it: as long as its intent needs to become durable.
//!
//! A lead that is too short costs slots whenever the disk is slow for a moment; one that is too long keeps connections
//! waiting. So it follows what intents took: up at once, down slowly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The lead of one gateway.
#[derive(Debug)]
pub struct Lead(AtomicU64);

impl Lead {
    /// The journal's group window, a sync, and a thread that is woken late.
    pub const SHORTEST: Duration = Duration::from_millis(12);
    /// A disk that is slower than this loses slots.
    pub const LONGEST: Duration = Duration::from_millis(60);
    /// Beyond what an intent took: waking its attempt up.
    const MARGIN: Duration = Duration::from_millis(3);
    /// A change for the shorter is spread over so many intents.
    const INTENTS: u64 = 512;

    /// How long it is now.
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// An intent took so long, from its slot's being taken until it was durable.
    pub fn took(&self, time: Duration) {
        let needed = micros((time + Self::MARGIN).clamp(Self::SHORTEST, Self::LONGEST));
        let lead = self.0.load(Ordering::Relaxed);
        let shorter = lead - (lead - micros(Self::SHORTEST)).div_ceil(Self::INTENTS);
        // Two at once may overwrite each other: the next one mends it.
        self.0.store(needed.max(shorter), Ordering::Relaxed);
    }
}

impl Default for Lead {
    fn default() -> Self {
        Self(AtomicU64::new(micros(Self::SHORTEST)))
    }
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
    }
}
