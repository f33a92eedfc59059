//! When an attempt is made again: pure rules, no clock of their own.

use std::time::Duration;

/// First step of the back-off.
const FIRST: Duration = Duration::from_secs(1);
/// Longest step.
const LONGEST: Duration = Duration::from_secs(300);
/// Retries that are granted before the first success.
const CREDIT: f64 = 20.0;
/// Retries granted for each success: one for ten, so that a sick gateway is not asked twice as much as a healthy one.
const PER_SUCCESS: f64 = 0.1;
/// The most that is saved up.
const MOST: f64 = 200.0;

/// How long to wait before the attempt after this one: full jitter, a random part (0 to 1) of a step that doubles. What
/// the gateway asked for is never undercut.
pub fn wait_before_next(attempt: u32, asked: Option<Duration>, random: f64) -> Duration {
    let step = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(LONGEST);
    let jittered = step.mul_f64(random.clamp(0.0, 1.0));
    asked.map_or(jittered, |asked| asked + jittered.min(FIRST))
}

/// An operator's retry budget: when it is used up, retries wait the longest step instead of being lost.
#[derive(Clone, Copy, Debug)]
pub struct Budget(f64);

impl Default for Budget {
    fn default() -> Self {
        Self(CREDIT)
    }
}

impl Budget {
    /// A delivery succeeded.
    pub fn success(&mut self) {
        self.0 = (self.0 + PER_SUCCESS).min(MOST);
    }

    /// How long to wait before a retry that would wait this long.
    pub fn spend(&mut self, wait: Duration) -> Duration {
        if self.0 >= 1.0 {
            self.0 -= 1.0;
            wait
        } else {
            wait.max(LONGEST / 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_bounded_and_never_undercuts_the_gateway(attempt in 0u32..1000, asked in 0u64..3600, random in 0.0f64..1.0) {
            let free = wait_before_next(attempt, None, random);
            prop_assert!(free <= LONGEST);
            let asked = Duration::from_secs(asked);
            let bound = wait_before_next(attempt, Some(asked), random);
            prop_assert!(bound >= asked && bound <= asked + FIRST);
        }
    }

    #[test]
    fn a_sick_gateway_is_asked_little_more_than_a_healthy_one() {
        let mut budget = Budget::default();
        let mut quick = 0;
        for _ in 0..1000 {
            budget.success();
            if budget.spend(FIRST) == FIRST {
                quick += 1;
            }
        }
        assert!((100..=125).contains(&quick), "{quick}");
    }
}
