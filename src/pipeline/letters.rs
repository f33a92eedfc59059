//! The CPU pool that makes letters, and how they come back from it: a few at a time.
//!
//! Waking the runtime costs a letter's thread more than it looks: the thread that wakes takes its core. While others are
//! being made, a finished letter therefore waits for company; the one that ends last, comes in late or makes a handful
//! takes all with it. Who asks for one letter alone gets it at once.

use crate::told::{self, Told, Waits};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Letters that come back together at most.
pub(super) const HANDFUL: usize = 8;
/// After this, the next letter that is finished takes the others with it: as long as the journal's group gathers.
const PATIENCE: Duration = Duration::from_millis(5);

/// Niceness of the pool's threads.
const BEHIND: i32 = 5;

/// A pool of CPU threads, and what is finished on it.
pub(super) struct Letters<T> {
    pool: rayon::ThreadPool,
    finished: Arc<Mutex<Finished<T>>>,
}

struct Finished<T> {
    /// Letters asked for and not finished.
    under_way: usize,
    letters: Vec<(Waits<T>, T)>,
    /// When the first of them was finished.
    since: Instant,
}

impl<T: Send + 'static> Letters<T> {
    /// A pool of so many threads, 0 for one a core.
    pub(super) fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("prepare-{number}"))
            // Behind slots, intents and answers, which need little time and need it now. The thread's own priority; where
            // it cannot be set, slots are missed now and then.
            .start_handler(|_| _ = rustix::process::setpriority_process(None, BEHIND))
            .build()?;
        let finished = Finished { under_way: 0, letters: Vec::new(), since: Instant::now() };
        Ok(Self { pool, finished: Arc::new(Mutex::new(finished)) })
    }

    /// The pool itself, for work that is waited for on it.
    pub(super) fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// Has one letter made.
    pub(super) fn ask(&self, make: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<Told<T>> {
        let (asks, answer) = oneshot::channel();
        lock(&self.finished).under_way += 1;
        let finished = Arc::clone(&self.finished);
        self.pool.spawn(move || {
            let letter = make();
            let together = lock(&finished).add(asks, letter);
            told::tell(together);
        });
        answer
    }
}

impl<T> Finished<T> {
    /// Adds a letter; gives those that go back now.
    fn add(&mut self, asks: Waits<T>, letter: T) -> Vec<(Waits<T>, T)> {
        let now = Instant::now();
        self.under_way -= 1;
        if self.letters.is_empty() {
            self.since = now;
        }
        self.letters.push((asks, letter));
        let early = now.saturating_duration_since(self.since) < PATIENCE;
        if self.under_way > 0 && self.letters.len() < HANDFUL && early {
            return Vec::new();
        }
        std::mem::take(&mut self.letters)
    }
}

fn lock<T>(finished: &Mutex<T>) -> MutexGuard<'_, T> {
    finished.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_letter_comes_back_however_many_are_asked_for() {
        for (threads, count) in [(1, 1), (1, 20), (3, 1000)] {
            let letters = Letters::new(threads).expect("a pool");
            let asked = (0..count).map(|number| letters.ask(move || number));
            let told = futures::future::join_all(asked.map(async |answer| answer.await.map(Told::take))).await;
            assert_eq!(told, (0..count).map(Ok).collect::<Vec<_>>());
        }
    }
}
