//! Where the statements of one gateway wait, and for how long: which edge of the pipeline holds it up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The edges of one gateway, in the order in which a statement passes them.
#[derive(Debug, Default)]
pub struct Waits {
    /// Something is there to be sent, and the gateway is shut.
    pub window: Edge,
    /// A letter is being made, or waits for a processor.
    pub letters: Edge,
    /// A letter waits for a connection: as many requests as may be are under way.
    pub concurrency: Edge,
    /// A connection waits for a slot of the rate.
    pub permit: Edge,
    /// An intent waits for the disk.
    pub journal: Edge,
    /// A request waits for its answer.
    pub answers: Edge,
}

/// One edge: who waits there, how many have come, how long all have waited. Cheap to pass.
#[derive(Debug, Default)]
pub struct Edge(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    now: u32,
    came: u64,
    spent: Duration,
    counted_until: Option<Instant>,
}

/// Somebody who waits at an edge, until it is dropped.
#[derive(Debug)]
pub struct Wait<'a>(&'a Edge);

impl Edge {
    /// Somebody comes to wait.
    pub fn enter(&self) -> Wait<'_> {
        let mut inside = self.counted(Instant::now());
        inside.now += 1;
        inside.came += 1;
        Wait(self)
    }

    /// How long all together have waited until now, and how many have come.
    pub fn spent(&self, now: Instant) -> (Duration, u64) {
        let inside = self.counted(now);
        (inside.spent, inside.came)
    }

    fn counted(&self, now: Instant) -> MutexGuard<'_, Inside> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = inside.counted_until.map_or(Duration::ZERO, |until| now.saturating_duration_since(until));
        let waited = since * inside.now;
        inside.spent += waited;
        inside.counted_until = Some(inside.counted_until.map_or(now, |until| until.max(now)));
        inside
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut inside = self.0.counted(Instant::now());
        inside.now = inside.now.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_inside_are_counted_as_long_as_they_are() {
        let edge = Edge::default();
        let start = Instant::now();
        let one = edge.enter();
        let two = edge.enter();
        let (spent, came) = edge.spent(start + Duration::from_secs(10));
        assert_eq!(came, 2);
        assert!(spent <= Duration::from_secs(20) && spent > Duration::from_secs(19), "{spent:?}");
        drop((one, two));
        assert_eq!(edge.spent(start + Duration::from_secs(30)), (spent, 2), "nobody is there any more");
    }
}
