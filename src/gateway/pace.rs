//! The pace: absolute slots at the rate in force, so that every window holds what was agreed and no more.
//!
//! A slot is a point in time, start + k/R, given to one attempt; a slot that nobody takes is lost, and a late one does
//! not move the next. At the slots every window of length W therefore holds at most ⌊R·W⌋ + 1 attempts. When the rate
//! changes, slots are counted anew from the last one given, so two are never closer than the higher rate allows.
//!
//! Attempts take slots one after another, each a little ahead ([`Pacer::permit`]: the intent must be on disk before the
//! first byte) and no earlier: whatever changes meanwhile (a pause, a closing window, a gateway that asks for patience,
//! a lower rate) holds for all that have no slot yet. An attempt waits for its slot's time on a thread that sleeps
//! precisely, and starts its request there. One that comes later than half a slot gives its slot up and takes another,
//! so that at the gateway at most one more falls into a window. `governor` judges every slot by its own algorithm
//! before it is handed out.

use super::gate::{Gate, Shut};
use super::lead::Lead;
use super::timer::Timer;
use crate::config::Rate;
use crate::domain::Windows;
use governor::clock::FakeRelativeClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much earlier than its lead a slot may be taken: several at a thousand a second share one wake-up.
const SLACK: Duration = Duration::from_millis(2);

/// A point in time at which one request may start; `None` at an unlimited gateway: at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    at: Option<Instant>,
    /// How late is too late.
    grace: Duration,
}

/// The pace of one gateway, and its gate.
#[derive(Debug)]
pub struct Pacer {
    gate: Gate,
    state: Mutex<State>,
    /// Whoever has the turn takes the next slot; the others wait in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    lead: Lead,
    timer: Arc<Timer>,
}

#[derive(Debug)]
struct State {
    grid: Option<Grid>,
    /// The last slot given.
    last: Option<Instant>,
    held: Option<Instant>,
}

type Judge = RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<Nanos>>;

struct Grid {
    start: Instant,
    period: Duration,
    /// The next slot that is free.
    next: u64,
    judge: Judge,
    /// The judge's own time: it follows the slots handed out.
    clock: FakeRelativeClock,
    judged_until: Duration,
}

impl std::fmt::Debug for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grid").field("period", &self.period).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Pacer {
    /// A pace that starts now: the first slot is one period away, so that a run that is stopped and started again
    /// doesn't begin with a burst.
    pub fn new(rate: Rate, windows: Windows, now: Instant) -> Self {
        Self {
            gate: Gate::new(windows),
            state: Mutex::new(State { grid: Grid::new(rate, now), last: None, held: None }),
            turn: tokio::sync::Mutex::new(()),
            lead: Lead::default(),
            timer: Timer::shared(),
        }
    }

    /// How long before its slot an attempt takes it.
    pub const fn lead(&self) -> &Lead {
        &self.lead
    }

    /// Whether anything may leave at all.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Waits until the next slot is no more than the lead away, and takes it: `least` away or more.
    ///
    /// Nobody else takes a slot meanwhile. So who is ready already takes one as early as the others, and waits for its
    /// time without the turn: were it later, those behind it would find the slots that they need gone by.
    ///
    /// *Errors*: the gate is shut, or will be at the slot. Dropping the future gives up the turn, and no slot is lost.
    pub async fn permit(&self, least: Duration) -> Result<Slot, Shut> {
        let _turn = self.turn.lock().await;
        loop {
            let changed = self.gate.changed();
            let (now, lead) = (Instant::now(), self.lead.now());
            let next = self.state().next(now, least.min(lead));
            let wait = next.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
            if let Some(shut) = self.gate.shut_in(wait) {
                return Err(shut);
            }
            let Some(at) = next else { return Ok(Slot { at: None, grace: Duration::MAX }) };
            if wait <= lead + SLACK {
                match self.state().take(at) {
                    Some(slot) => return Ok(slot),
                    None => continue,
                }
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.timer.sleep_until(at.checked_sub(lead + SLACK).unwrap_or(now)) => {}
            }
        }
    }

    /// Waits for a slot; tells whether it is still good, or passed while others had the processor, or nothing may start
    /// at it any more since the gateway has asked for patience.
    pub async fn wait(&self, slot: Slot) -> bool {
        let Some(at) = slot.at else { return true };
        if at > Instant::now() {
            self.timer.sleep_until(at).await;
        }
        Instant::now().saturating_duration_since(at) <= slot.grace && self.held().is_none_or(|until| until <= at)
    }

    /// Whether a slot has passed.
    pub fn has_passed(&self, slot: Slot) -> bool {
        slot.at.is_some_and(|at| Instant::now().saturating_duration_since(at) > slot.grace)
    }

    /// Nothing starts before this time: the gateway asked for it.
    pub fn hold_until(&self, until: Instant) {
        let mut state = self.state();
        if state.held.is_none_or(|earlier| earlier < until) {
            state.held = Some(until);
        }
        drop(state);
        self.gate.change();
    }

    /// Until when the gateway has asked for patience, if it has.
    pub fn held(&self) -> Option<Instant> {
        self.state().held
    }

    /// Another rate, from the last slot on.
    pub fn set_rate(&self, rate: Rate, now: Instant) {
        let mut state = self.state();
        state.grid = Grid::new(rate, state.last.unwrap_or(now));
        drop(state);
        self.gate.change();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first free slot that is at least `lead` away and not before a hold ends; `None`: at once.
    fn next(&self, now: Instant, lead: Duration) -> Option<Instant> {
        let held = self.held.filter(|until| *until > now);
        match &self.grid {
            None => held,
            Some(grid) => Some(grid.next(held.map_or(now + lead, |until| until.max(now + lead)))),
        }
    }

    /// Takes a slot; `None` where the judge refuses it.
    fn take(&mut self, at: Instant) -> Option<Slot> {
        let grace = match &mut self.grid {
            None => Duration::MAX,
            Some(grid) => grid.take(at).then_some(grid.period / 2)?,
        };
        self.last = Some(at);
        Some(Slot { at: Some(at), grace })
    }
}

impl Grid {
    /// Slots from one period after `start` on.
    fn new(rate: Rate, start: Instant) -> Option<Self> {
        let Rate::PerSecond(rate) = rate else { return None };
        // Rounded up: a nanosecond too little would be a slot too much some day.
        let period = Duration::from_nanos((1e9 / rate).ceil() as u64);
        let clock = FakeRelativeClock::default();
        // One at a time: what GCRA admits in a window W is then at most ⌊R·W⌋ + 1.
        let quota = Quota::with_period(period)?.allow_burst(NonZeroU32::MIN);
        let judge = RateLimiter::direct_with_clock(quota, clock.clone());
        // The start counts as a slot that is used.
        let _ = judge.check();
        Some(Self { start, period, next: 1, judge, clock, judged_until: Duration::ZERO })
    }

    fn next(&self, earliest: Instant) -> Instant {
        let since_start = earliest.saturating_duration_since(self.start);
        let first = since_start.as_nanos().div_ceil(self.period.as_nanos().max(1));
        self.start + nth(self.period, self.next.max(u64::try_from(first).unwrap_or(u64::MAX)))
    }

    /// Tells whether the judge agrees.
    fn take(&mut self, at: Instant) -> bool {
        let offset = at.saturating_duration_since(self.start);
        let number = offset.as_nanos() / self.period.as_nanos().max(1);
        self.next = self.next.max(u64::try_from(number).unwrap_or(u64::MAX).saturating_add(1));
        self.clock.advance(offset.saturating_sub(self.judged_until));
        self.judged_until = self.judged_until.max(offset);
        self.judge.check().is_ok()
    }
}

/// The time of slot `k` after the start. Multiplied, not added up, so that errors of rounding don't grow.
fn nth(period: Duration, k: u64) -> Duration {
    let nanos = period.as_nanos() * u128::from(k);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pacer(rate: Rate, now: Instant) -> Pacer {
        Pacer::new(rate, Windows::default(), now)
    }

    /// Takes the next slot as an attempt does that comes at `now`.
    fn reserve(pacer: &Pacer, now: Instant) -> Option<Instant> {
        let mut state = pacer.state();
        loop {
            let at = state.next(now, Duration::ZERO)?;
            if let Some(slot) = state.take(at) {
                return slot.at;
            }
        }
    }

    /// The most slots that any window of this length holds.
    fn most_in_window(slots: &[Instant], window: Duration) -> usize {
        (0..slots.len())
            .map(|first| slots[first..].iter().take_while(|slot| **slot - slots[first] < window).count())
            .max()
            .unwrap_or(0)
    }

    proptest! {
        /// However late and unevenly slots are asked for, and however the rate goes down and up again meanwhile, every
        /// window holds at most ⌊R·W⌋ + 1.
        #[test]
        fn every_window_holds_what_was_agreed(
            rate in 0.5f64..2000.0,
            steps in proptest::collection::vec(
                (prop_oneof![Just(0u64), 0..50_000u64, 0..2_000_000u64], proptest::option::weighted(0.1, 0.05f64..=1.0)),
                1..300,
            ),
        ) {
            let start = Instant::now();
            let pacer = pacer(Rate::PerSecond(rate), start);
            let mut now = start;
            let mut slots = Vec::new();
            for (gap, share) in steps {
                now += Duration::from_micros(gap);
                if let Some(share) = share {
                    pacer.set_rate(Rate::PerSecond(rate * share), now);
                }
                let slot = reserve(&pacer, now).expect("a paced slot");
                prop_assert!(slot >= now, "never in the past");
                slots.push(slot);
            }
            prop_assert!(slots.is_sorted());
            for window in [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(60)] {
                let most = (rate * window.as_secs_f64()).floor() as usize + 1;
                prop_assert!(most_in_window(&slots, window) <= most);
            }
        }

        /// Asked for in time, no slot is lost: the agreed rate is used.
        #[test]
        fn a_busy_sender_uses_every_slot(rate in 1f64..2000.0) {
            let start = Instant::now();
            let pacer = pacer(Rate::PerSecond(rate), start);
            let slots: Vec<Instant> = (0..500).filter_map(|_| reserve(&pacer, start)).collect();
            let took = slots[499] - start;
            prop_assert!((took.as_secs_f64() - 500.0 / rate).abs() < 1e-3 * 500.0 / rate + 1e-6);
        }
    }

    #[test]
    fn a_hold_keeps_everyone_back() {
        let now = Instant::now();
        for rate in [Rate::Unlimited, Rate::PerSecond(100.0)] {
            let pacer = pacer(rate, now);
            pacer.hold_until(now + Duration::from_secs(5));
            pacer.hold_until(now + Duration::from_secs(3));
            assert!(reserve(&pacer, now).is_some_and(|at| at >= now + Duration::from_secs(5)));
        }
    }

    #[tokio::test]
    async fn a_slot_is_waited_for_and_a_late_one_is_given_up() {
        let now = Instant::now();
        let pacer = pacer(Rate::PerSecond(50.0), now);
        let slot = pacer.permit(Duration::from_millis(5)).await.expect("open");
        assert!(pacer.wait(slot).await || slot.at.is_some_and(|at| Instant::now() > at));
        assert!(slot.at.is_some_and(|at| Instant::now() >= at));
        let missed = Slot { at: Some(now), grace: Duration::from_millis(1) };
        assert!(!pacer.wait(missed).await);
    }

    #[tokio::test]
    async fn slots_come_however_far_away_they_must_be() {
        let pacer = pacer(Rate::PerSecond(20.0), Instant::now());
        let mut slots = Vec::new();
        for least_ms in [0, 5, 40, 0, 200, 0] {
            slots.extend(pacer.permit(Duration::from_millis(least_ms)).await.expect("open").at);
        }
        assert!(slots.len() == 6 && slots.is_sorted_by(|one, two| one < two), "{slots:?}");
    }

    #[tokio::test]
    async fn who_waits_for_a_slot_learns_of_a_pause_a_hold_and_another_rate() {
        // The next slot is a hundred seconds away: whoever gets an answer has been woken.
        let now = Instant::now();
        let pacer = Arc::new(pacer(Rate::PerSecond(0.01), now));
        let ask = || {
            let pacer = Arc::clone(&pacer);
            tokio::spawn(async move { pacer.permit(Duration::from_millis(5)).await })
        };
        let waiting = [ask(), ask()];
        tokio::task::yield_now().await;
        pacer.gate().pause(true);
        for waiting in waiting {
            assert_eq!(waiting.await.unwrap(), Err(Shut::Paused));
        }
        pacer.gate().pause(false);
        let waiting = ask();
        tokio::task::yield_now().await;
        pacer.set_rate(Rate::PerSecond(100.0), Instant::now());
        assert!(waiting.await.unwrap().is_ok());
        let slot = pacer.permit(Duration::from_millis(5)).await.expect("open");
        pacer.hold_until(Instant::now() + Duration::from_secs(60));
        assert!(!pacer.wait(slot).await, "a slot before the end of a hold is not used");
    }
}
