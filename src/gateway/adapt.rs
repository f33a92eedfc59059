//! How much a gateway takes: pure rules, no clock of their own. Additive up, multiplicative down.
//!
//! In: for each answer when its request began, and whether it pushed back (429, 503) or how long it took. Out: how much
//! of the ceiling may be used, as changes with their cause. The ceiling is a rate, or where none is agreed a number of
//! requests at once.
//!
//! Each attempt counts alone, never the wait between two of them; an answer that pushes back says nothing about how long
//! answers take; and what began before the last change says nothing about it. The answers of a second or more, enough
//! to tell a share, are weighed together. Where more push back than chance has it, a little less is asked for than was
//! accepted, but no less than half. While it is left alone since it asked for that (Retry-After), nothing is accepted.
//!
//! **A lower rate is kept only if it helps.** Who has a limit accepts as much as before and pushes nothing back below it;
//! who pushes back at random does so at any rate, and to ask it for less only makes the send longer. So after a cut as
//! many answers are awaited as would tell the two apart. If it helped, what was asked for before is the known limit: the
//! rate climbs slowly, past the limit a minute later, and after that fast; a limit that is still there costs a few
//! refusals a minute, and nine tenths of it are used. If it did not help, everything is asked for again, and for a minute
//! or more that share counts as usual: only what goes beyond it is push-back.
//!
//! Answers that take much longer than they did take a quarter away, once, by the same thought: where a lower rate does not
//! make them faster, the gateway is slow whatever we do, and that is its new measure.

use std::fmt;
use std::time::{Duration, Instant};

/// Answers of this time are weighed together, and at least this many: fewer do not tell a share.
const WEIGH: Duration = Duration::from_secs(1);
const WEIGHED: u32 = 10;
/// Fewer that push back do not tell it either, until so many were asked. If all push back, three are enough.
const TELLING: u32 = 3;
const WEIGHED_AT_MOST: u32 = 100;
/// One in two hundred pushed back is nothing to slow down for.
const NOTHING: f64 = 1.0 / 200.0;
/// More than this many standard deviations beyond what is usual are no chance.
const DEVIATIONS: f64 = 3.0;
/// Who asks to be left alone for more than a fifth of the time is asked for less, however few it pushes back: after each
/// time it takes many at once. So much time is awaited for three times of it.
const ALONE: f64 = 0.2;
const ALONE_AT_MOST: Duration = Duration::from_secs(10);
/// What is asked for, of what was accepted. Below it, so that nothing is pushed back where there is a limit.
const BELOW: f64 = 0.95;
/// So many are awaited during a trial that four would be pushed back if it did not help, and it helped if there is less
/// than one. Of trials that cannot help one in fifty then seems to, more after an unlucky second; of gateways with a limit
/// few push back anything during a trial, and what they push back beyond the share before is noticed at once.
const EXPECTED: f64 = 4.0;
const LEFT: f64 = 0.25;
/// How long what a trial told is believed, limit or usual share; and the usual share for so many answers, since at a low
/// rate a trial takes long.
const BELIEVED: Duration = Duration::from_secs(60);
const BELIEVED_ANSWERS: u64 = 1000;
/// A known limit that was passed by this much is none.
const PASSED: f64 = 1.1;
/// Times of answers are compared over this time and at least this many answers.
const COMPARE: Duration = Duration::from_secs(5);
const COMPARED: usize = 16;
/// Most times that are kept between two comparisons.
const KEPT: usize = 1024;
/// From nothing to all where no limit is known.
const UP: Duration = Duration::from_secs(30);
/// What is always left of the ceiling; the breaker stops what must be stopped.
const LEAST: f64 = 1.0 / 20.0;
/// Answers count as slow from four times what they took, and half a second more than it.
const SLOW_TIMES: f64 = 4.0;
const SLOW_MORE_S: f64 = 0.5;
/// What slow answers leave of the rate.
const SLOWED: f64 = 0.75;
/// A rise is made when it is worth a tenth of the ceiling, or a twenty-fifth of a known limit; smaller ones add up.
const WORTH: f64 = 0.1;
const WORTH_OF_LIMIT: f64 = 0.04;

/// Why more or less is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// This share of the last answers pushed back.
    PushedBack(f64),
    /// Answers take so many seconds, and took so many.
    Slow(f64, f64),
    /// This share pushed back at the lower rate too: that is not for us to mend.
    Whatever(f64),
    /// It takes more again.
    Recovers,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PushedBack(share) => write!(f, "it answers 429 or 503 to {:.0} % of requests", share * 100.0),
            Self::Whatever(share) => {
                write!(f, "it answers 429 or 503 to {:.0} % of requests at a lower rate too", share * 100.0)
            }
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
    /// 429 or 503, and how long it asks to be left alone.
    PushedBack(Duration),
}

/// Answers, how many of them pushed back, and for how long it was left alone since they asked for it.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: u32,
    pushed_back: u32,
    alone: Duration,
}

impl Count {
    /// Whether it tells a share, after this time.
    fn tells(self, over: Duration) -> bool {
        let Self { all, pushed_back, alone } = self;
        let at_most = if alone.is_zero() { all >= WEIGHED_AT_MOST } else { over >= ALONE_AT_MOST };
        over >= WEIGH && all >= WEIGHED && (pushed_back == 0 || pushed_back >= TELLING || at_most)
            || over >= WEIGH && all >= TELLING && all == pushed_back
    }

    fn share(self) -> f64 {
        f64::from(self.pushed_back) / f64::from(self.all.max(1))
    }

    /// Whether more pushed back than chance has it where this share is to be expected.
    fn is_beyond(self, expected: f64) -> bool {
        let (all, expected) = (f64::from(self.all), expected.max(NOTHING));
        let deviation = (all * expected * (1.0 - expected)).max(0.0).sqrt();
        f64::from(self.pushed_back) > all * expected + DEVIATIONS * deviation
    }
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    /// What was used before, and before the first of several cuts in a row.
    from: f64,
    first: f64,
    /// What pushed back then, and what was usual.
    share: f64,
    usual: f64,
    /// Whether it tells something where it does not help.
    tells: bool,
    seen: Count,
}

impl Trial {
    /// Whether it helped; `None` while too little is seen to tell.
    fn helped(&self) -> Option<bool> {
        let gone = self.share - self.usual;
        let enough = EXPECTED * self.share / (gone * gone);
        (f64::from(self.seen.all) >= enough.max(f64::from(WEIGHED)))
            .then(|| self.seen.share() < self.usual + gone * LEFT)
    }
}

/// A rate at which it pushed back, and below which it did not.
#[derive(Clone, Copy, Debug)]
struct Limit {
    at: f64,
    /// How fast the rate climbs until it is passed.
    up_per_s: f64,
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
    weighed: Count,
    /// From when, of the time until then for which it asked to be left alone, nothing is counted yet.
    alone_from: Instant,
    alone_until: Instant,
    /// What was used before the first of the cuts that no trial has judged.
    first: Option<f64>,
    /// A cut that is to show whether it helps.
    trial: Option<Trial>,
    /// The share that pushes back at any rate, and since when and after how many answers that is believed.
    usual: Option<(f64, Instant, u64)>,
    answers: u64,
    limit: Option<Limit>,
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
            weighed: Count::default(),
            alone_from: now,
            alone_until: now,
            first: None,
            trial: None,
            usual: None,
            answers: 0,
            limit: None,
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
        self.weighed.all += 1;
        self.answers += 1;
        self.weighed.alone += self.alone_until.min(now).saturating_duration_since(self.alone_from);
        self.alone_from = self.alone_from.max(now);
        match said {
            Said::PushedBack(wait) => {
                self.weighed.pushed_back += 1;
                self.alone_until = self.alone_until.max(now + wait);
            }
            Said::Answer(took) => {
                if self.took_s.len() < KEPT {
                    self.took_s.push(took.as_secs_f64());
                }
            }
        }
        let over = now.saturating_duration_since(self.weighed_from);
        let weighed = self.weighed;
        let mut cause = None;
        if weighed.tells(over) {
            (self.weighed_from, self.weighed) = (now, Count::default());
            cause = self.weigh(weighed, over, now);
        }
        if now.saturating_duration_since(self.compared_from) >= COMPARE && self.took_s.len() >= COMPARED {
            cause = self.compare(now).or(cause);
        }
        self.wanted = self.wanted.clamp(self.ceiling * LEAST, self.ceiling);
        self.change(now, cause)
    }

    /// Takes the last answers into account.
    fn weigh(&mut self, weighed: Count, over: Duration, now: Instant) -> Option<Cause> {
        let usual = self.usual.filter(|(_, since, answers)| {
            now.saturating_duration_since(*since) < BELIEVED || self.answers - answers < BELIEVED_ANSWERS
        });
        let usual_share = usual.map_or(0.0, |(share, ..)| share);
        // During a trial what was pushed back before it is to be expected.
        let alone = weighed.alone.div_duration_f64(over);
        let is_beyond = weighed.is_beyond(self.trial.map_or(usual_share, |trial| trial.share));
        let is_tried = self.trial.is_some_and(|trial| trial.tells);
        if is_beyond || alone > ALONE && weighed.pushed_back > 0 && !is_tried {
            return self.cut(weighed.share(), usual_share, 1.0 - alone);
        }
        if let Some(trial) = &mut self.trial {
            trial.seen.all += weighed.all;
            trial.seen.pushed_back += weighed.pushed_back;
            let trial = *trial;
            let helped = trial.helped()?;
            self.trial = None;
            if helped {
                self.first = None;
                let up_per_s = (trial.from * PASSED - self.wanted).max(0.0) / BELIEVED.as_secs_f64();
                self.limit = Some(Limit { at: trial.from, up_per_s });
                return None;
            }
            if !trial.tells {
                return self.cut(trial.seen.share(), usual_share, 1.0 - alone);
            }
            (self.usual, self.limit) = (Some((trial.seen.share(), now, self.answers)), None);
            (self.wanted, self.first) = (trial.first, None);
            return Some(Cause::Whatever(trial.seen.share()));
        }
        self.first = None;
        let up_per_s = self.limit.map_or(self.ceiling / UP.as_secs_f64(), |limit| limit.up_per_s);
        self.wanted += up_per_s * over.min(BELIEVED).as_secs_f64();
        self.limit = self.limit.filter(|limit| self.wanted < limit.at * PASSED);
        None
    }

    /// Asks for a little less than was accepted in the whole time, of which this part was used.
    fn cut(&mut self, share: f64, usual: f64, at_work: f64) -> Option<Cause> {
        let before = self.wanted;
        let accepted = (1.0 - share) / (1.0 - usual) * at_work;
        self.wanted = (before * (accepted * BELOW).max(0.5)).max(self.ceiling * LEAST);
        let first = *self.first.get_or_insert(before);
        // Where still more is asked for than was accepted, it may go on pushing back although it has a limit: then it tells
        // nothing that it does. Who pushes nearly everything back has no limit, but is out of order.
        let tells = self.wanted <= before * accepted;
        let trial = Trial { from: before, first, share, usual, tells, seen: Count::default() };
        self.trial = (share > usual && share <= 0.5).then_some(trial);
        self.limit = None;
        (self.wanted < before).then_some(Cause::PushedBack(share))
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
        let worth = self.limit.map_or(self.ceiling * WORTH, |limit| limit.at * WORTH_OF_LIMIT);
        let whole = self.wanted >= self.ceiling && self.used < self.ceiling;
        if cause.is_none() && !whole && change < worth || change == 0.0 {
            return None;
        }
        let from = std::mem::replace(&mut self.used, self.wanted);
        if cause.is_some() {
            self.since = now;
            (self.weighed_from, self.weighed) = (now, Count::default());
            self.took_s.clear();
            self.compared_from = now;
        }
        Some(Change { from, to: self.used, cause: cause.unwrap_or(Cause::Recovers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What came of some minutes.
    #[derive(Debug, Default)]
    struct Played {
        accepted: f64,
        refused: f64,
        changes: Vec<Change>,
    }

    /// A gateway that answers after `took`, and pushes back what `judge` says, over some seconds.
    fn play(
        adapt: &mut Adapt,
        now: &mut Instant,
        seconds: u64,
        took: Duration,
        pushes_back: impl FnMut(f64) -> bool,
    ) -> Played {
        play_asking(adapt, now, seconds, took, Duration::ZERO, pushes_back)
    }

    /// The same, and it asks to be left alone when it pushes back.
    fn play_asking(
        adapt: &mut Adapt,
        now: &mut Instant,
        seconds: u64,
        took: Duration,
        wait: Duration,
        mut pushes_back: impl FnMut(f64) -> bool,
    ) -> Played {
        let end = *now + Duration::from_secs(seconds);
        let mut played = Played::default();
        let mut left_alone = Duration::ZERO;
        while *now < end {
            let gap = Duration::from_secs_f64(1.0 / adapt.used()) + left_alone;
            *now += gap;
            let gap = gap.as_secs_f64();
            let said = if pushes_back(gap) { Said::PushedBack(wait) } else { Said::Answer(took) };
            left_alone = Duration::ZERO;
            match said {
                Said::PushedBack(wait) => {
                    played.refused += 1.0;
                    left_alone = wait;
                }
                Said::Answer(_) => played.accepted += 1.0,
            }
            played.changes.extend(adapt.learn(*now, *now + took, said));
        }
        played
    }

    /// Takes so many a second, and those of this part of a second at once, but five at least.
    fn limited(per_s: f64, burst: f64) -> impl FnMut(f64) -> bool {
        let mut room: f64 = 0.0;
        move |gap| {
            room = (room + per_s * gap).min((per_s * burst).max(5.0));
            let pushes_back = room < 1.0;
            if !pushes_back {
                room -= 1.0;
            }
            pushes_back
        }
    }

    fn at_random(share: f64, seed: u64) -> impl FnMut(f64) -> bool {
        let mut random = fastrand::Rng::with_seed(seed);
        move |_| random.f64() < share
    }

    const SOON: Duration = Duration::from_millis(20);

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
                let said = took_ms.map_or(Said::PushedBack(Duration::from_secs(1)), |took| Said::Answer(Duration::from_millis(took)));
                adapt.learn(now, now, said);
                prop_assert!(adapt.used() <= rate && adapt.used() >= rate * LEAST * 0.999);
            }
        }

        /// A gateway that takes only a part is asked for nearly that, with a few refusals a minute, and for everything once
        /// it takes it again.
        #[test]
        fn it_finds_what_a_gateway_takes_and_comes_back(rate in 20f64..200.0, part in 0.15f64..0.9) {
            let mut now = Instant::now();
            let mut adapt = Adapt::new(rate, now);
            let found = play(&mut adapt, &mut now, 180, SOON, limited(rate * part, 1.0));
            prop_assert!(matches!(found.changes.first(), Some(Change { cause: Cause::PushedBack(_), .. })), "{:?}", found);
            let steady = play(&mut adapt, &mut now, 300, SOON, limited(rate * part, 1.0));
            prop_assert!(found.accepted > 0.9 * 180.0 * rate * part, "{:?}", found);
            prop_assert!(steady.accepted > 0.95 * 300.0 * rate * part, "{:?}", steady);
            prop_assert!(steady.refused / 5.0 < 6.0 + rate * part / 4.0, "{:?}", steady);
            let back = play(&mut adapt, &mut now, 120, SOON, |_| false);
            prop_assert_eq!(adapt.used(), rate);
            // The second under way began with what it pushed back before.
            prop_assert!(back.changes.iter().skip(1).all(|change| change.cause == Cause::Recovers), "{:?}", back);
        }

        /// The same of one that asks to be left alone for a while each time: it takes a burst after it.
        #[test]
        fn it_finds_what_a_gateway_takes_that_asks_to_be_left_alone(rate in 20f64..200.0, part in 0.15f64..0.8, burst in 0.1f64..1.0) {
            let mut now = Instant::now();
            let mut adapt = Adapt::new(rate, now);
            let second = Duration::from_secs(1);
            play_asking(&mut adapt, &mut now, 120, SOON, second, limited(rate * part, burst));
            let steady = play_asking(&mut adapt, &mut now, 600, SOON, second, limited(rate * part, burst));
            prop_assert!(steady.accepted > 0.5 * 600.0 * rate * part, "{:?}", steady);
            prop_assert!(steady.refused / 10.0 < 40.0, "{:?}", steady);
        }

        /// Who pushes back a share of requests, however few there are, is asked for nearly everything.
        #[test]
        fn push_back_that_does_not_follow_the_rate_hardly_slows(rate in 10f64..150.0, share in 0.002f64..0.35, seed: u64) {
            const NIGHTS: u64 = 8;
            let mut asked = 0.0;
            for night in 0..NIGHTS {
                let mut now = Instant::now();
                let mut adapt = Adapt::new(rate, now);
                let played = play(&mut adapt, &mut now, 300, SOON, at_random(share, seed ^ night));
                asked += played.accepted + played.refused;
            }
            let used = asked / (NIGHTS as f64 * 300.0 * rate);
            prop_assert!(used > 0.8, "{used} of {rate}");
        }
    }

    #[test]
    fn slow_answers_slow_us_down_and_a_gateway_that_is_slow_anyway_does_not() {
        let mut now = Instant::now();
        let mut adapt = Adapt::new(100.0, now);
        assert_eq!(play(&mut adapt, &mut now, 20, Duration::from_millis(50), |_| false).changes, []);
        let changes = play(&mut adapt, &mut now, 8, Duration::from_secs(2), |_| false).changes;
        assert!(matches!(changes.first(), Some(Change { cause: Cause::Slow(..), .. })), "{changes:?}");
        assert!(adapt.used() < 100.0);
        // As slow at the lower rate: everything again, and the measure is the new one.
        let changes = play(&mut adapt, &mut now, 120, Duration::from_secs(2), |_| false).changes;
        assert_eq!(adapt.used(), 100.0, "{changes:?}");
    }

    #[test]
    fn what_began_before_a_change_says_nothing_about_it() {
        let start = Instant::now();
        let mut adapt = Adapt::new(100.0, start);
        let later = start + Duration::from_secs(2);
        assert!((0..TELLING).filter_map(|_| adapt.learn(start, later, Said::PushedBack(Duration::ZERO))).count() == 1);
        let used = adapt.used();
        // A hundred that were under way come back pushed as well: one overload, not a hundred.
        for number in 0..100u64 {
            assert_eq!(
                adapt.learn(start, later + Duration::from_millis(number * 50), Said::PushedBack(Duration::ZERO)),
                None
            );
        }
        assert_eq!(adapt.used(), used);
    }
}
