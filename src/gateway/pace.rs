//! The pace: absolute slots at the agreed rate, so that every window holds what was agreed and no more.
//!
//! A slot is a point in time, start + k/R, given to one attempt; a slot that nobody takes is lost, and a late one does
//! not move the next. At the slots every window of length W therefore holds at most ⌊R·W⌋ + 1 attempts. An attempt
//! takes its slot a little ahead (the intent must be on disk before the first byte), waits for the slot's time on a
//! thread that sleeps precisely, and starts its request there. One that comes later than half a slot gives its slot up
//! and takes another, so that at the gateway at most one more falls into a window. `governor` judges every slot by its
//! own algorithm before it is handed out.

use crate::config::Rate;
use governor::clock::FakeRelativeClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A point in time at which one request may start; `None` at an unlimited gateway: at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    at: Option<Instant>,
    /// How late is too late.
    grace: Duration,
}

/// The pace of one gateway. Cheap to share.
#[derive(Clone, Debug)]
pub struct Pacer {
    grid: Option<Arc<Mutex<Grid>>>,
    held: Arc<Mutex<Option<Instant>>>,
    timer: Arc<Timer>,
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
    pub fn new(rate: Rate, now: Instant) -> Self {
        let grid = match rate {
            Rate::Unlimited => None,
            Rate::PerSecond(rate) => {
                let period = Duration::from_secs_f64(1.0 / rate);
                let clock = FakeRelativeClock::default();
                // One at a time: what GCRA admits in a window W is then at most ⌊R·W⌋ + 1.
                let quota = Quota::with_period(period).map(|quota| quota.allow_burst(NonZeroU32::MIN));
                quota.map(|quota| Grid {
                    start: now,
                    period,
                    next: 1,
                    judge: RateLimiter::direct_with_clock(quota, clock.clone()),
                    clock,
                    judged_until: Duration::ZERO,
                })
            }
        };
        Self { grid: grid.map(|grid| Arc::new(Mutex::new(grid))), held: Arc::default(), timer: Timer::shared() }
    }

    /// Takes the first free slot that is not before `earliest`, nor before a hold ends.
    pub fn reserve(&self, earliest: Instant) -> Slot {
        let earliest = match *lock(&self.held) {
            Some(until) if until > earliest => until,
            _ => earliest,
        };
        match &self.grid {
            // Nothing to wait for, unless the gateway asked for it: the intent's sync is no reason.
            None => Slot { at: *lock(&self.held), grace: Duration::MAX },
            Some(grid) => lock(grid).reserve(earliest),
        }
    }

    /// Waits for a slot; tells whether it is still good, or passed while others had the processor.
    pub async fn wait(&self, slot: Slot) -> bool {
        let Some(at) = slot.at else { return true };
        if at > Instant::now() {
            self.timer.sleep_until(at).await;
        }
        Instant::now().saturating_duration_since(at) <= slot.grace
    }

    /// Nothing starts before this time: the gateway asked for it.
    pub fn hold_until(&self, until: Instant) {
        let mut held = lock(&self.held);
        if held.is_none_or(|earlier| earlier < until) {
            *held = Some(until);
        }
    }
}

impl Grid {
    fn reserve(&mut self, earliest: Instant) -> Slot {
        let since_start = earliest.saturating_duration_since(self.start);
        let first = since_start.as_nanos().div_ceil(self.period.as_nanos().max(1));
        self.next = self.next.max(u64::try_from(first).unwrap_or(u64::MAX));
        loop {
            let offset = nth(self.period, self.next);
            self.next += 1;
            self.clock.advance(offset.saturating_sub(self.judged_until));
            self.judged_until = self.judged_until.max(offset);
            if self.judge.check().is_ok() {
                return Slot { at: Some(self.start + offset), grace: self.period / 2 };
            }
        }
    }
}

/// The time of slot `k` after the start. Multiplied, not added up, so that errors of rounding don't grow.
fn nth(period: Duration, k: u64) -> Duration {
    let nanos = period.as_nanos() * u128::from(k);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread that wakes sleepers at their time. The runtime's own timer counts in milliseconds, which at a thousand
/// requests a second is a whole slot.
#[derive(Debug, Default)]
struct Timer {
    sleepers: Mutex<BinaryHeap<Reverse<Sleeper>>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Sleeper {
    at: Instant,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Sleeper {}
impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl Timer {
    /// The process's timer: one thread for all gateways.
    fn shared() -> Arc<Self> {
        static TIMER: std::sync::OnceLock<Arc<Timer>> = std::sync::OnceLock::new();
        Arc::clone(TIMER.get_or_init(|| {
            let timer = Arc::new(Timer::default());
            let running = Arc::clone(&timer);
            // Should the thread not start, sleepers fall back on the runtime's timer (see `sleep_until`).
            let _ = std::thread::Builder::new().name("pace".into()).spawn(move || running.run());
            timer
        }))
    }

    async fn sleep_until(&self, at: Instant) {
        let (wake, woken) = oneshot::channel();
        lock(&self.sleepers).push(Reverse(Sleeper { at, wake }));
        self.changed.notify_one();
        let fallback = tokio::time::sleep_until((at + Duration::from_millis(2)).into());
        tokio::select! {
            _ = woken => {}
            () = fallback => {}
        }
    }

    fn run(&self) {
        let mut sleepers = lock(&self.sleepers);
        loop {
            let now = Instant::now();
            while sleepers.peek().is_some_and(|Reverse(first)| first.at <= now) {
                if let Some(Reverse(first)) = sleepers.pop() {
                    // A sleeper that has gone away needs no waking.
                    let _ = first.wake.send(());
                }
            }
            sleepers = match sleepers.peek().map(|Reverse(first)| first.at.saturating_duration_since(now)) {
                Some(wait) => self.changed.wait_timeout(sleepers, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(sleepers).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The most slots that any window of this length holds.
    fn most_in_window(slots: &[Instant], window: Duration) -> usize {
        (0..slots.len())
            .map(|first| slots[first..].iter().take_while(|slot| **slot - slots[first] < window).count())
            .max()
            .unwrap_or(0)
    }

    proptest! {
        /// However late and unevenly slots are asked for, every window holds at most ⌊R·W⌋ + 1.
        #[test]
        fn every_window_holds_what_was_agreed(
            rate in 0.5f64..2000.0,
            gaps_us in proptest::collection::vec(prop_oneof![Just(0u64), 0..50_000u64, 0..2_000_000u64], 1..300),
        ) {
            let start = Instant::now();
            let pacer = Pacer::new(Rate::PerSecond(rate), start);
            let mut now = start;
            let mut slots = Vec::new();
            for gap in gaps_us {
                now += Duration::from_micros(gap);
                let slot = pacer.reserve(now).at.expect("a paced slot");
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
            let pacer = Pacer::new(Rate::PerSecond(rate), start);
            let slots: Vec<Instant> = (0..500).filter_map(|_| pacer.reserve(start).at).collect();
            let took = slots[499] - start;
            prop_assert!((took.as_secs_f64() - 500.0 / rate).abs() < 1e-3 * 500.0 / rate + 1e-6);
        }
    }

    #[test]
    fn a_hold_keeps_everyone_back() {
        let now = Instant::now();
        for rate in [Rate::Unlimited, Rate::PerSecond(100.0)] {
            let pacer = Pacer::new(rate, now);
            pacer.hold_until(now + Duration::from_secs(5));
            pacer.hold_until(now + Duration::from_secs(3));
            assert!(pacer.reserve(now).at.is_some_and(|at| at >= now + Duration::from_secs(5)));
        }
    }

    #[tokio::test]
    async fn a_slot_is_waited_for_and_a_late_one_is_given_up() {
        let now = Instant::now();
        let pacer = Pacer::new(Rate::PerSecond(50.0), now);
        let slot = pacer.reserve(now + Duration::from_millis(30));
        pacer.wait(slot).await;
        assert!(slot.at.is_some_and(|at| Instant::now() >= at));
        let missed = Slot { at: Some(now), grace: Duration::from_millis(1) };
        assert!(!pacer.wait(missed).await);
    }
}
