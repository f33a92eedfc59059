//! The gate of a gateway: whether anything may leave to it now. Delivery windows shut it, and a person's order does.
//!
//! It decides by wall clock, and looks at the clock each time: one that jumps does no harm beyond its jump.

use crate::domain::Windows;
use jiff::Timestamp;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// How often a shut gate is looked at anew, should the wall clock jump.
const LOOK: Duration = Duration::from_secs(1);

/// What leaves has this long to arrive before its window closes: the last second of a window is not used.
pub const MARGIN: Duration = Duration::from_secs(1);

/// Why nothing may leave to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shut {
    /// Its delivery window is closed, and opens then.
    Window(Option<Timestamp>),
    /// Somebody ordered a pause.
    Paused,
    /// The run stops; what has not left stays.
    Draining,
}

impl fmt::Display for Shut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(Some(opens)) => write!(f, "its delivery window is closed until {opens}"),
            Self::Window(None) => f.write_str("its delivery window is closed"),
            Self::Paused => f.write_str("it is paused"),
            Self::Draining => f.write_str("the run stops"),
        }
    }
}

/// A gate.
#[derive(Debug)]
pub struct Gate {
    windows: Windows,
    paused: AtomicBool,
    changed: Notify,
}

impl Gate {
    /// A gate that is open in these windows.
    pub(super) fn new(windows: Windows) -> Self {
        Self { windows, paused: AtomicBool::new(false), changed: Notify::new() }
    }

    /// Its delivery windows.
    pub const fn windows(&self) -> &Windows {
        &self.windows
    }

    /// Whether nothing may leave now, and why.
    pub fn shut(&self) -> Option<Shut> {
        self.shut_in(Duration::ZERO)
    }

    /// Whether something that waits for this long may not leave then.
    pub(super) fn shut_in(&self, wait: Duration) -> Option<Shut> {
        if self.is_paused() {
            return Some(Shut::Paused);
        }
        if self.windows.always() {
            return None;
        }
        let at = Timestamp::now().checked_add(wait).unwrap_or(Timestamp::MAX);
        let arrives = at.checked_add(MARGIN).unwrap_or(Timestamp::MAX);
        let closed = [at, arrives].into_iter().find(|moment| !self.windows.is_open(*moment))?;
        Some(Shut::Window(self.windows.next_open(closed)))
    }

    /// Whether somebody ordered a pause.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Orders a pause, or lifts it. Who waits for a slot learns of it at once.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
        self.change();
    }

    /// Waits until something may leave; tells whether it had to wait.
    pub async fn opened(&self) -> bool {
        let mut waited = false;
        loop {
            let changed = self.changed();
            let look = match self.shut() {
                None => return waited,
                Some(Shut::Window(Some(opens))) => {
                    let left = Duration::try_from(opens.duration_since(Timestamp::now())).unwrap_or_default();
                    left.min(LOOK)
                }
                Some(_) => LOOK,
            };
            waited = true;
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(look) => {}
            }
        }
    }

    /// Something that a waiting attempt must know has changed.
    pub(super) fn change(&self) {
        self.changed.notify_waiters();
    }

    /// Resolves at the next change after this call.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window that is open now for at least an hour, or closed for at least an hour.
    fn windows(open: bool) -> Windows {
        let now = Timestamp::now();
        let hour = |ahead: i64| {
            let then = now.checked_add(jiff::SignedDuration::from_hours(ahead)).unwrap();
            crate::domain::stockholm().to_datetime(then).strftime("%H:%M").to_string()
        };
        let text =
            if open { format!("mon-sun {}-{}", hour(-2), hour(2)) } else { format!("mon-sun {}-{}", hour(3), hour(5)) };
        Windows::parse(&[text]).unwrap()
    }

    #[test]
    fn windows_and_pauses_shut_it() {
        assert_eq!(Gate::new(Windows::default()).shut(), None);
        let gate = Gate::new(windows(true));
        assert_eq!(gate.shut(), None);
        gate.pause(true);
        assert_eq!(gate.shut(), Some(Shut::Paused));
        gate.pause(false);
        assert_eq!(gate.shut(), None);
        assert!(
            matches!(gate.shut_in(Duration::from_secs(5 * 3600)), Some(Shut::Window(Some(_)))),
            "a slot after closing"
        );
        let closed = Gate::new(windows(false));
        let Some(Shut::Window(Some(opens))) = closed.shut() else { panic!("open") };
        assert!(opens > Timestamp::now());
        assert_eq!(closed.shut_in(Duration::from_secs(4 * 3600)), None);
    }

    #[tokio::test]
    async fn who_waits_for_a_pause_to_end_is_woken() {
        let gate = std::sync::Arc::new(Gate::new(Windows::default()));
        assert!(!gate.opened().await);
        gate.pause(true);
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.opened().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        gate.pause(false);
        assert!(waiting.await.unwrap());
    }
}
