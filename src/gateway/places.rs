//! Places for requests under way at once: a bound that can be lowered and raised while they are.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of one gateway.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    bound: Mutex<usize>,
    /// Places that go away when they are given back.
    owed: Arc<Mutex<usize>>,
}

/// One place, until it is dropped: the right to have one request under way, until what came of it is on its way to the
/// journal.
#[derive(Debug)]
pub struct Place {
    permit: Option<OwnedSemaphorePermit>,
    owed: Arc<Mutex<usize>>,
}

impl Places {
    pub(super) fn new(bound: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(bound)), bound: Mutex::new(bound), owed: Arc::default() }
    }

    /// Waits for a place. `None`: there are none any more.
    pub(super) async fn take(&self) -> Option<Place> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Place { permit: Some(permit), owed: Arc::clone(&self.owed) })
    }

    /// How many there are.
    pub(super) fn bound(&self) -> usize {
        *lock(&self.bound)
    }

    /// From now on there are so many, at least one; those in use above it end as they are given back.
    pub(super) fn set_bound(&self, bound: usize) {
        let bound = bound.max(1);
        let mut before = lock(&self.bound);
        let mut owed = lock(&self.owed);
        if bound < *before {
            let fewer = *before - bound;
            *owed += fewer - self.free.forget_permits(fewer);
        } else {
            let more = bound - *before;
            let kept = more.min(*owed);
            *owed -= kept;
            self.free.add_permits(more - kept);
        }
        *before = bound;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut owed = lock(&self.owed);
        if *owed > 0
            && let Some(permit) = self.permit.take()
        {
            *owed -= 1;
            permit.forget();
        }
    }
}

fn lock(number: &Mutex<usize>) -> MutexGuard<'_, usize> {
    number.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is taken, given back and bounded in between: no more are taken than the bound lets, and when all
        /// are given back as many can be taken as the bound says.
        #[test]
        fn never_more_than_the_bound(steps in proptest::collection::vec((0u8..3, 1usize..20), 1..60)) {
            let places = Places::new(8);
            let mut taken = Vec::new();
            for (what, number) in steps {
                match what {
                    0 => {
                        if let Some(Some(place)) = places.take().now_or_never() {
                            taken.push(place);
                            prop_assert!(taken.len() <= places.bound());
                        } else {
                            prop_assert!(taken.len() >= places.bound());
                        }
                    }
                    1 => drop(taken.pop()),
                    _ => places.set_bound(number),
                }
            }
            taken.clear();
            let all: Vec<_> = std::iter::from_fn(|| places.take().now_or_never().flatten()).collect();
            prop_assert_eq!(all.len(), places.bound());
        }
    }
}
