//! Whether the machine can be trusted: the same work before, between and after, and who else was at work.
//!
//! The fixed piece of work is bare RSA-2048 signatures, so that the floor of a send is measured beside every part of
//! the run, and not once in the beginning.

use super::clock::{Took, median};
use super::floors::BareKey;
use crate::error::Result;
use aws_lc_rs::rsa::KeySize;
use serde::Serialize;

/// Signatures of one repetition.
const SIGNATURES: usize = 60;
/// Ticks a second in `/proc`: USER_HZ, which is 100 on every architecture that we are built for.
pub const TICKS_PER_S: f64 = 100.0;
/// Above this spread of the same work figures are not to be trusted: half of what a ratio may differ from its aim.
const SPREAD: f64 = 0.10;
/// Above this share of the processors, others disturb: they take caches and clock from us.
const OTHERS: f64 = 0.10;
/// Above this share, other guests of the host do.
const STOLEN: f64 = 0.02;

/// How far the same work differed, and who else was at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Noise {
    /// Repetitions of the fixed piece of work.
    pub repetitions: usize,
    /// (slowest − fastest) / fastest, in processor time.
    pub spread: f64,
    /// Middle of (wall − processor time) / wall: work that never waits stood in line for a processor.
    pub in_line: f64,
    /// Share of all processors that other guests of the host took.
    pub stolen: f64,
    /// Share of all processors that other processes of this machine used.
    pub others: f64,
}

impl Noise {
    /// Whether figures are not to be trusted.
    pub fn is_too_much(&self) -> bool {
        self.spread > SPREAD || self.others > OTHERS || self.stolen > STOLEN
    }

    /// What is wrong, in words; nothing where nothing is.
    pub fn in_words(&self) -> Vec<String> {
        let percent = |share: f64| (share * 100.0).round();
        let mut words = Vec::new();
        if self.spread > SPREAD {
            words.push(format!(
                "the same work differed by up to {} % of processor time between repetitions: figures are no better; \
                 repeat when the machine is quiet",
                percent(self.spread)
            ));
        }
        if self.others > OTHERS {
            words.push(format!(
                "other processes used {} % of this machine's processors meanwhile: times on the wall are too long, and \
                 processor times suffer from shared caches; repeat when it is quiet",
                percent(self.others)
            ));
        }
        if self.stolen > STOLEN {
            words.push(format!(
                "the host gave {} % of this machine's processors to other guests meanwhile: the night of the send may be \
                 as slow, or slower",
                percent(self.stolen)
            ));
        }
        words
    }
}

/// Watches for noise from its beginning on.
pub struct Watch {
    key: BareKey,
    took: Vec<Took>,
    start: Option<Usage>,
    start_own: f64,
}

impl Watch {
    /// Begins, with a first repetition.
    pub fn begin() -> Result<Self> {
        let mut watch = Self {
            key: BareKey::new(KeySize::Rsa2048)?,
            took: Vec::new(),
            start: Usage::of_machine(),
            start_own: own_and_children_s(),
        };
        // Caches and clock warm up.
        watch.key.sign_times(SIGNATURES);
        watch.again();
        Ok(watch)
    }

    /// Does the fixed piece of work once more.
    pub fn again(&mut self) {
        self.took.push(self.key.sign_times(SIGNATURES));
    }

    /// Processor time of one bare signature, over all repetitions.
    pub fn signature_s(&self) -> f64 {
        median(self.took.iter().map(|took| took.cpu_s)) / SIGNATURES as f64
    }

    /// What was seen; children count as ours once they have been waited for.
    pub fn end(&self) -> Noise {
        let cpu = || self.took.iter().map(|took| took.cpu_s);
        let (fastest, slowest) = (cpu().fold(f64::INFINITY, f64::min), cpu().fold(0.0, f64::max));
        let mut noise = Noise {
            repetitions: self.took.len(),
            spread: (slowest - fastest) / fastest.max(1e-9),
            in_line: median(self.took.iter().map(|took| (1.0 - took.cpu_s / took.wall_s.max(1e-9)).max(0.0))),
            ..Noise::default()
        };
        if let (Some(before), Some(after)) = (self.start, Usage::of_machine()) {
            let all = (after.all_s - before.all_s).max(0.01);
            noise.stolen = ((after.stolen_s - before.stolen_s) / all).clamp(0.0, 1.0);
            let ours = own_and_children_s() - self.start_own;
            noise.others = ((after.busy_s - before.busy_s - ours) / all).clamp(0.0, 1.0);
        }
        noise
    }
}

/// Seconds of all processors of the machine since it started.
#[derive(Clone, Copy)]
struct Usage {
    all_s: f64,
    busy_s: f64,
    stolen_s: f64,
}

impl Usage {
    /// From the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
    fn of_machine() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let ticks: Vec<f64> =
            text.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let [user, nice, system, idle, waiting, irq, softirq, stolen, ..] = *ticks.as_slice() else { return None };
        let busy = user + nice + system + irq + softirq;
        Some(Self {
            all_s: (busy + idle + waiting + stolen) / TICKS_PER_S,
            busy_s: busy / TICKS_PER_S,
            stolen_s: stolen / TICKS_PER_S,
        })
    }
}

/// Processor time of this process and of the children that it has waited for.
fn own_and_children_s() -> f64 {
    super::children::stat("self").map_or(0.0, |stat| stat.own_s + stat.children_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_says_nothing_and_each_disturbance_is_named() {
        let quiet = Noise { repetitions: 9, spread: 0.03, in_line: 0.0, stolen: 0.001, others: 0.02 };
        assert!(!quiet.is_too_much() && quiet.in_words().is_empty());
        for (noise, said) in [
            (Noise { spread: 0.23, ..quiet }, "by up to 23 %"),
            (Noise { others: 0.4, ..quiet }, "used 40 %"),
            (Noise { stolen: 0.05, ..quiet }, "gave 5 %"),
        ] {
            assert!(noise.is_too_much());
            assert!(matches!(noise.in_words().as_slice(), [words] if words.contains(said)), "{noise:?}");
        }
    }

    #[test]
    fn the_machine_says_what_it_does() {
        let usage = Usage::of_machine().unwrap();
        assert!(usage.all_s >= usage.busy_s && usage.busy_s > 0.0);
    }
}
