//! Processor time: what is counted everywhere, since work beside ours on the machine does not change it.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Whose processor time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The calling thread's.
    Thread,
    /// That of all threads of the process, ended ones too.
    Process,
}

impl Whose {
    /// Processor time used so far, user and system.
    pub fn now(self) -> Duration {
        let time = clock_gettime(match self {
            Self::Thread => ClockId::ThreadCPUTime,
            Self::Process => ClockId::ProcessCPUTime,
        });
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
    }

    /// Does something once, and tells what it took.
    pub fn time<T>(self, work: impl FnOnce() -> T) -> (T, Took) {
        let (wall, cpu) = (Instant::now(), self.now());
        let done = work();
        let cpu_s = self.now().saturating_sub(cpu).as_secs_f64();
        (done, Took { cpu_s, wall_s: wall.elapsed().as_secs_f64() })
    }
}

/// What something took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// Processor time.
    pub cpu_s: f64,
    /// Time on the wall.
    pub wall_s: f64,
}

/// The middle of some figures; 0 of none.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let at = |place: usize| figures.get(place).copied().unwrap_or(0.0);
    if figures.len() % 2 == 1 || figures.is_empty() { at(middle) } else { (at(middle - 1) + at(middle)) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_middle() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_thread_that_sleeps_uses_no_processor_time_and_the_process_has_that_of_its_threads() {
        let work = || (0..2_000_000_u64).map(std::hint::black_box).fold(0, u64::wrapping_add);
        let (_, slept) = Whose::Thread.time(|| std::thread::sleep(Duration::from_millis(30)));
        assert!(slept.cpu_s < slept.wall_s, "{slept:?}");
        let (inner, outer) =
            Whose::Process.time(|| std::thread::spawn(move || Whose::Thread.time(work).1).join().unwrap());
        assert!(outer.cpu_s >= inner.cpu_s, "{inner:?} of {outer:?}");
    }
}
