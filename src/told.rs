//! What a thread tells tasks of the runtime: many of them at once, for one wake-up.
//!
//! Telling a task wakes the runtime where it sleeps, and that costs more than it looks: who wakes gives up its core, and
//! by the time it tells the next task the runtime sleeps again. So the first task is handed what the others wait for, and
//! tells them: the runtime is awake then.

use tokio::sync::oneshot;

/// Who waits to be told.
pub(crate) type Waits<T> = oneshot::Sender<Told<T>>;

/// What a task is told, and whom it tells in turn: also where it is dropped unread.
#[derive(Debug)]
pub(crate) struct Told<T> {
    what: T,
    others: Others<T>,
}

#[derive(Debug)]
struct Others<T>(Vec<(Waits<T>, T)>);

impl<T> Told<T> {
    /// What it is told; the others are told now.
    pub(crate) fn take(self) -> T {
        drop(self.others);
        self.what
    }
}

/// Tells all of these.
pub(crate) fn tell<T>(mut all: Vec<(Waits<T>, T)>) {
    while let Some((first, what)) = all.pop() {
        match first.send(Told { what, others: Others(all) }) {
            Ok(()) => return,
            // It no longer waits: its task has been dropped.
            Err(mut told) => all = std::mem::take(&mut told.others.0),
        }
    }
}

impl<T> Drop for Others<T> {
    fn drop(&mut self) {
        for (other, what) in self.0.drain(..) {
            let _ = other.send(Told { what, others: Self(Vec::new()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whoever has gone away, before it is told or with it unread, keeps nothing from the others.
        #[test]
        fn all_who_wait_are_told(waits in prop::collection::vec(0..3, 0..40)) {
            let (told, mut listening): (Vec<_>, Vec<_>) = waits
                .iter()
                .enumerate()
                .map(|(number, _)| {
                    let (tell, told) = oneshot::channel();
                    ((tell, number), Some(told))
                })
                .unzip();
            for (receiver, waits) in listening.iter_mut().zip(&waits) {
                if *waits == 0 {
                    *receiver = None;
                }
            }
            tell(told);
            // Last first, as they were told: what is dropped unread tells the others.
            for (receiver, waits) in listening.iter_mut().zip(&waits).rev() {
                if *waits == 1 {
                    *receiver = None;
                }
            }
            for (number, receiver) in listening.into_iter().enumerate().rev() {
                if let Some(mut receiver) = receiver {
                    prop_assert_eq!(receiver.try_recv().map(Told::take), Ok(number));
                }
            }
        }
    }
}
