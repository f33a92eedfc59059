//! Waking at a point in time, precisely.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A thread that wakes sleepers at their time. The runtime's own timer counts in milliseconds, which at a thousand
/// requests a second is a whole slot.
#[derive(Debug, Default)]
pub(super) struct Timer {
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
    pub(super) fn shared() -> Arc<Self> {
        static TIMER: std::sync::OnceLock<Arc<Timer>> = std::sync::OnceLock::new();
        Arc::clone(TIMER.get_or_init(|| {
            let timer = Arc::new(Timer::default());
            let running = Arc::clone(&timer);
            // Should the thread not start, sleepers fall back on the runtime's timer (see `sleep_until`).
            let _ = std::thread::Builder::new().name("pace".into()).spawn(move || running.run());
            timer
        }))
    }

    pub(super) async fn sleep_until(&self, at: Instant) {
        let (wake, woken) = oneshot::channel();
        self.sleepers().push(Reverse(Sleeper { at, wake }));
        self.changed.notify_one();
        let fallback = tokio::time::sleep_until((at + Duration::from_millis(2)).into());
        tokio::select! {
            _ = woken => {}
            () = fallback => {}
        }
    }

    fn sleepers(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Sleeper>>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut sleepers = self.sleepers();
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
