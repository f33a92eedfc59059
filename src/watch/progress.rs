//! Counters of a run.

use super::waits::Waits;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Pass 1: reading and validating.
    Reading = 0,
    /// Pass 2: looking up and sending.
    Sending = 1,
    /// Waiting for what is under way; nothing new starts.
    Draining = 2,
}

/// Counters of a run. Shared; every method is cheap.
#[derive(Debug)]
pub struct Progress {
    stage: AtomicU8,
    /// Bytes of the exports, and how many of them are read.
    pub bytes_total: AtomicU64,
    /// Bytes read so far.
    pub bytes_read: AtomicU64,
    /// Records read so far.
    pub records: AtomicU64,
    /// Statements that this run has to settle in pass 2.
    pub total: AtomicU64,
    /// Of them, those that have an end.
    pub done: AtomicU64,
    /// Of them, those that FaR has answered.
    pub looked_up: AtomicU64,
    /// Operators, in the order of the settings.
    pub operators: Vec<OperatorProgress>,
    /// Ends a second over the last minute.
    recent: Mutex<Vec<(Instant, u64)>>,
}

/// Counters of one operator.
#[derive(Debug)]
pub struct OperatorProgress {
    /// Its name.
    pub name: String,
    /// The agreed rate, a second; `None`: unlimited.
    pub rate_per_s: Option<f64>,
    /// Delivered by this process.
    pub delivered: AtomicU64,
    /// Requests under way.
    pub under_way: AtomicU64,
    /// Where its statements wait.
    pub waits: Arc<Waits>,
    /// Whether its queue is stopped.
    pub stopped: std::sync::atomic::AtomicBool,
}

impl Progress {
    /// Nothing done yet.
    pub fn new(operators: impl IntoIterator<Item = (String, Option<f64>)>) -> Self {
        let operators = operators.into_iter().map(|(name, rate_per_s)| OperatorProgress {
            name,
            rate_per_s,
            delivered: AtomicU64::new(0),
            under_way: AtomicU64::new(0),
            waits: Arc::default(),
            stopped: false.into(),
        });
        Self {
            stage: AtomicU8::new(Stage::Reading as u8),
            bytes_total: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            records: AtomicU64::new(0),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            looked_up: AtomicU64::new(0),
            operators: operators.collect(),
            recent: Mutex::default(),
        }
    }

    /// Goes on to another stage.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.is_empty() && stage == Stage::Sending {
            recent.push((Instant::now(), self.done.load(Ordering::Relaxed)));
        }
    }

    /// Counts ends.
    pub fn ended(&self, statements: u64) {
        self.done.fetch_add(statements, Ordering::Relaxed);
    }

    /// The line that people see.
    pub fn line(&self, now: Instant) -> String {
        match self.stage.load(Ordering::Relaxed) {
            0 => self.reading(),
            stage => self.sending(now, stage == Stage::Draining as u8),
        }
    }

    fn reading(&self) -> String {
        let read = self.bytes_read.load(Ordering::Relaxed);
        let total = self.bytes_total.load(Ordering::Relaxed).max(1);
        let records = self.records.load(Ordering::Relaxed);
        format!("reading: {} records, {} % of {} MB", grouped(records), read * 100 / total, grouped(total / 1_000_000))
    }

    fn sending(&self, now: Instant, draining: bool) -> String {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        let rate = self.recent_rate(now, done);
        let mut line = format!("{}/{} settled, {rate:.0}/s", grouped(done), grouped(total));
        for operator in &self.operators {
            let delivered = operator.delivered.load(Ordering::Relaxed);
            let stopped = if operator.stopped.load(Ordering::Relaxed) { " (stopped)" } else { "" };
            line.push_str(&format!(" · {} {}{stopped}", operator.name, grouped(delivered)));
        }
        if draining {
            let under_way: u64 = self.operators.iter().map(|at| at.under_way.load(Ordering::Relaxed)).sum();
            line.push_str(&format!(" · stopping, {under_way} under way; stopping at once may leave them in doubt"));
        } else if rate > 0.0 && done < total {
            let left = Duration::from_secs_f64((total - done) as f64 / rate);
            line.push_str(&format!(" · {} left", minutes(left)));
        }
        line
    }

    /// Ends a second since the last line that is a minute old, or since the start where none is.
    fn recent_rate(&self, now: Instant, done: u64) -> f64 {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push((now, done));
        let old = recent.iter().take_while(|(at, _)| now.duration_since(*at) >= Duration::from_secs(60)).count();
        recent.drain(..old.saturating_sub(1));
        match recent.first() {
            Some((at, before)) if now > *at => (done - before) as f64 / now.duration_since(*at).as_secs_f64(),
            _ => 0.0,
        }
    }
}

/// `1 234 567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 h 04 min`, `3 min 20 s`, `12 s`.
fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(minutes(Duration::from_secs(3840)), "1 h 04 min");
        assert_eq!(minutes(Duration::from_secs(200)), "3 min 20 s");
    }

    #[test]
    fn the_line_tells_what_is_left() {
        let progress = Progress::new([("Kivra".to_owned(), Some(20.0))]);
        progress.enter(Stage::Sending);
        progress.total.store(100, Ordering::Relaxed);
        progress.ended(40);
        let line = progress.line(Instant::now() + Duration::from_secs(1));
        assert!(line.starts_with("40/100 settled"), "{line}");
        assert!(line.contains("left"), "{line}");
    }

    #[test]
    fn lines_that_are_minutes_apart_tell_the_rate_between_them() {
        let progress = Progress::new([]);
        progress.enter(Stage::Sending);
        progress.total.store(100_000, Ordering::Relaxed);
        let start = Instant::now();
        for minute in 1..=5_u64 {
            progress.ended(600 * minute);
            let line = progress.line(start + Duration::from_secs(61 * minute));
            let rate = format!(" settled, {:.0}/s", 600.0 * minute as f64 / 61.0);
            assert!(line.contains(&rate), "{line}");
        }
        // Of lines that are closer the oldest within the minute counts.
        for second in 1..=120_u64 {
            progress.ended(20);
            let line = progress.line(start + Duration::from_secs(305 + second));
            assert!(second < 61 || line.contains(" settled, 20/s"), "{line}");
        }
    }
}
