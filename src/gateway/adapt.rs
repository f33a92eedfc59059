//! How much a gateway takes: pure rules, no clock of their own. Additive up, multiplicative down.
//!
//! In: for each answer when its request began, and whether it pushed back (429, 503) or how long it took. Out: how much
//! of the ceiling may be used, as changes with their cause. The ceiling is a rate, or where none is agreed a number of
//! requests at once.
//!
//! Each attempt counts alone, never the wait between two of them; an answer that pushes back says nothing about how long
//! answers take; and what began before the last change says nothing about it. A second's answers are weighed together:
//! the share that pushed back takes half of itself away (all of them halve the rate, one in twenty takes a fortieth), and
//! the rest gives a thirtieth of the ceiling back. Answers that take much longer than they did take a quarter away, once;
//! where a lower rate does not make them faster, the gateway is slow whatever we do, and that is its new measure.

use std::fmt;
use std::time::{Duration, Instant};

/// Answers of this time are weighed together.
const WEIGH: Duration = Duration::from_secs(1);
/// Times of answers are compared over this time and at least this many answers.
const COMPARE: Duration = Duration::from_secs(5);
const COMPARED: usize = 16;
/// Most times that are kept between two comparisons.
const KEPT: usize = 1024;
/// Share of the ceiling that a second without push-back gives back: half a minute from nothing to all.
const UP: f64 = 1.0 / 30.0;
/// What is always left of the ceiling; the breaker stops what must be stopped.
const LEAST: f64 = 1.0 / 20.0;
/// Answers count as slow from four times what they took, and half a second more than it.
const SLOW_TIMES: f64 = 4.0;
const SLOW_MORE_S: f64 = 0.5;
/// What slow answers leave of the rate.
const SLOWED: f64 = 0.75;
/// A change is made when it is worth a tenth of the ceiling; smaller ones add up.
const WORTH: f64 = 0.1;

/// Why more or less is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// This share of the last answers pushed back.
    PushedBack(f64),
    /// Answers take so many seconds, and took so many.
    Slow(f64, f64),
    /// It takes more again.
    Recovers,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PushedBack(share) => write!(f, "it answers 429 or 503 to {:.0} % of requests", share * 100.0),
            Self::Slow(now_s, before_s) => write!(f, "its answers take {now_s:.2} s, and took {before_s:.2} s"),
            Self::Recovers => f.write_str("it takes more again"),
        }
    }
}

/// A change of what is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// What was used.
    pub from: f64,
    /// What is used from now on.
    pub to: f64,
    /// Why.
    pub cause: Cause,
}

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    /// An answer, after this time.
    Answer(Duration),
    /// 429 or 503.
    PushedBack,
}

#[derive(Debug)]
pub(crate) struct Adapt {
    ceiling: f64,
    /// What the rules have come to.
    wanted: f64,
    /// What is in force.
    used: f64,
    /// Attempts that began before say nothing any more.
    since: Instant,
    weighed_from: Instant,
    answered: u32,
    pushed_back: u32,
    compared_from: Instant,
    took_s: Vec<f64>,
    /// What answers usually take.
    usual_s: Option<f64>,
    /// What they took when they were found slow.
    slow_s: Option<f64>,
}

impl Adapt {
    pub(crate) fn new(ceiling: f64, now: Instant) -> Self {
        Self {
            ceiling,
            wanted: ceiling,
            used: ceiling,
            since: now,
            weighed_from: now,
            answered: 0,
            pushed_back: 0,
            compared_from: now,
            took_s: Vec::new(),
            usual_s: None,
            slow_s: None,
        }
    }

    /// How much is used.
    pub(super) const fn used(&self) -> f64 {
        self.used
    }

    /// Takes an attempt into account; tells whether that changes what is used.
    pub(crate) fn learn(&mut self, began: Instant, now: Instant, said: Said) -> Option<Change> {
        if began < self.since {
            return None;
        }
        match said {
            Said::PushedBack => self.pushed_back += 1,
            Said::Answer(took) => {
                self.answered += 1;
                if self.took_s.len() < KEPT {
                    self.took_s.push(took.as_secs_f64());
                }
            }
        }
        let mut cause = None;
        if now.saturating_duration_since(self.weighed_from) >= WEIGH {
            let share = f64::from(self.pushed_back) / f64::from(self.pushed_back + self.answered);
            self.wanted = self.wanted * (1.0 - share / 2.0) + self.ceiling * UP * (1.0 - share);
            cause = (share > 0.0).then_some(Cause::PushedBack(share));
            (self.weighed_from, self.answered, self.pushed_back) = (now, 0, 0);
        }
        if now.saturating_duration_since(self.compared_from) >= COMPARE && self.took_s.len() >= COMPARED {
            cause = self.compare(now).or(cause);
        }
        self.wanted = self.wanted.clamp(self.ceiling * LEAST, self.ceiling);
        self.change(now, cause)
    }

    /// Holds the times of the last answers against what they usually are.
    fn compare(&mut self, now: Instant) -> Option<Cause> {
        self.took_s.sort_unstable_by(f64::total_cmp);
        let median_s = self.took_s.get(self.took_s.len() / 2).copied().unwrap_or_default();
        self.took_s.clear();
        self.compared_from = now;
        let usual_s = *self.usual_s.get_or_insert(median_s);
        let slow = median_s > (usual_s * SLOW_TIMES).max(usual_s + SLOW_MORE_S);
        match self.slow_s {
            // At a lower rate it is no faster: it is not we who slow it down.
            Some(before_s) if slow && median_s > before_s * 0.8 => {
                self.usual_s = Some(median_s);
                self.slow_s = None;
                None
            }
            _ if slow => {
                self.slow_s = Some(median_s);
                self.wanted *= SLOWED;
                Some(Cause::Slow(median_s, usual_s))
            }
            _ => {
                self.slow_s = None;
                // Down at once, up slowly.
                self.usual_s = Some(if median_s < usual_s { median_s } else { usual_s + 0.1 * (median_s - usual_s) });
                None
            }
        }
    }

    fn change(&mut self, now: Instant, cause: Option<Cause>) -> Option<Change> {
        let change = self.wanted - self.used;
        let whole = self.wanted >= self.ceiling && self.used < self.ceiling;
        if !whole && change.abs() < self.ceiling * WORTH && self.wanted > self.used * 0.7 {
            return None;
        }
        let from = std::mem::replace(&mut self.used, self.wanted);
        if change < 0.0 {
            self.since = now;
            (self.weighed_from, self.answered, self.pushed_back) = (now, 0, 0);
            self.took_s.clear();
            self.compared_from = now;
        }
        let cause = if change < 0.0 { cause.unwrap_or(Cause::PushedBack(0.0)) } else { Cause::Recovers };
        Some(Change { from, to: self.used, cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A gateway that takes `capacity` a second and pushes the rest back, and answers after `took`, over some seconds;
    /// gives what was used at the end, and the changes.
    fn play(adapt: &mut Adapt, start: Instant, seconds: u32, capacity: f64, took: Duration) -> (Instant, Vec<Change>) {
        let (mut now, mut changes) = (start, Vec::new());
        let mut room: f64 = 0.0;
        while now < start + Duration::from_secs(seconds.into()) {
            let gap = 1.0 / adapt.used();
            now += Duration::from_secs_f64(gap);
            room = (room + capacity * gap).min(capacity);
            let said = if room >= 1.0 { Said::Answer(took) } else { Said::PushedBack };
            if said != Said::PushedBack {
                room -= 1.0;
            }
            changes.extend(adapt.learn(now, now + took, said));
        }
        (now, changes)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// With a gateway that takes what was agreed, nothing ever slows.
        #[test]
        fn a_healthy_gateway_is_used_in_full(rate in 0.2f64..1000.0, took_ms in 1u64..2000, noise in 0u64..200) {
            let start = Instant::now();
            let mut adapt = Adapt::new(rate, start);
            let mut now = start;
            for number in 0..2000u64 {
                now += Duration::from_secs_f64(1.0 / rate);
                let took = Duration::from_millis(took_ms + number * 7919 % (noise + 1));
                prop_assert_eq!(adapt.learn(now, now + took, Said::Answer(took)), None);
            }
            prop_assert_eq!(adapt.used(), rate);
        }

        /// What is used never leaves its bounds, whatever is said.
        #[test]
        fn what_is_used_stays_in_its_bounds(
            rate in 0.2f64..1000.0,
            said in proptest::collection::vec((0u64..3000, proptest::option::of(0u64..10_000)), 1..400),
        ) {
            let start = Instant::now();
            let mut adapt = Adapt::new(rate, start);
            let mut now = start;
            for (gap_ms, took_ms) in said {
                now += Duration::from_millis(gap_ms);
                let said = took_ms.map_or(Said::PushedBack, |took| Said::Answer(Duration::from_millis(took)));
                adapt.learn(now, now, said);
                prop_assert!(adapt.used() <= rate && adapt.used() >= rate * LEAST * 0.999);
            }
        }

        /// A gateway that takes only a part is asked for about as much, and for everything once it takes it again.
        #[test]
        fn it_finds_what_a_gateway_takes_and_comes_back(rate in 20f64..200.0, part in 0.2f64..0.7) {
            let start = Instant::now();
            let mut adapt = Adapt::new(rate, start);
            let (now, changes) = play(&mut adapt, start, 120, rate * part, Duration::from_millis(20));
            prop_assert!(matches!(changes.first(), Some(Change { cause: Cause::PushedBack(_), .. })), "{:?}", changes);
            prop_assert!(adapt.used() < rate * (part + 0.35), "{} of {rate}, {part}", adapt.used());
            let (_, changes) = play(&mut adapt, now, 120, rate * 2.0, Duration::from_millis(20));
            prop_assert_eq!(adapt.used(), rate);
            // The second under way began with what it pushed back before.
            prop_assert!(changes.iter().skip(1).all(|change| change.cause == Cause::Recovers), "{:?}", changes);
        }
    }

    #[test]
    fn slow_answers_slow_us_down_and_a_gateway_that_is_slow_anyway_does_not() {
        let start = Instant::now();
        let mut adapt = Adapt::new(100.0, start);
        let (now, changes) = play(&mut adapt, start, 20, 1000.0, Duration::from_millis(50));
        assert_eq!(changes, []);
        let (now, changes) = play(&mut adapt, now, 8, 1000.0, Duration::from_secs(2));
        assert!(matches!(changes.first(), Some(Change { cause: Cause::Slow(..), .. })), "{changes:?}");
        assert!(adapt.used() < 100.0);
        // As slow at the lower rate: everything again, and the measure is the new one.
        let (_, changes) = play(&mut adapt, now, 120, 1000.0, Duration::from_secs(2));
        assert_eq!(adapt.used(), 100.0, "{changes:?}");
    }

    #[test]
    fn what_began_before_a_change_says_nothing_about_it() {
        let start = Instant::now();
        let mut adapt = Adapt::new(100.0, start);
        let later = start + Duration::from_secs(2);
        assert!(adapt.learn(start, later, Said::PushedBack).is_some());
        let used = adapt.used();
        // A hundred that were under way come back pushed as well: one overload, not a hundred.
        for number in 0..100u64 {
            assert_eq!(adapt.learn(start, later + Duration::from_millis(number * 50), Said::PushedBack), None);
        }
        assert_eq!(adapt.used(), used);
    }
}
