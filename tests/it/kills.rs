//! The process is killed at any moment, also while it goes on after a kill: nothing lost, nothing sent twice.
//!
//! `UTSKICK_ROUNDS` is the number of kills; `UTSKICK_SEED` repeats the plan, though not the moments.

use crate::nights::{Night, Policy, Season, seed, setting};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: u64 = 10;
const STATEMENTS: u64 = 120;

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After this time.
    After(Duration),
    /// So long after the journal is there: in pass 1, mostly.
    Reading(Duration),
    /// When about so many statements have left.
    Sent(u64),
    /// So long after the first print bundle is begun.
    Bundling(Duration),
}

impl Moment {
    fn draw(random: &mut fastrand::Rng, undisturbed: Duration) -> Self {
        let short = Duration::from_micros(random.u64(0..20_000));
        match random.u8(0..8) {
            0 => Self::Reading(short),
            1 => Self::Bundling(short),
            2..5 => Self::Sent(random.u64(1..STATEMENTS / 2)),
            _ => Self::After(undisturbed.mul_f64(random.f64() * 1.1)),
        }
    }

    fn has_come(self, night: &Night<'_>, began: Instant, since: &mut Option<Instant>) -> bool {
        let mut from = |there: bool, wait: Duration| {
            if there {
                since.get_or_insert_with(Instant::now);
            }
            since.is_some_and(|since| since.elapsed() >= wait)
        };
        match self {
            Self::After(time) => began.elapsed() >= time,
            Self::Reading(wait) => from(night.folder().join("journal.sqlite").exists(), wait),
            Self::Bundling(wait) => from(night.folder().join("paper").exists(), wait),
            Self::Sent(count) => night.requests() >= count,
        }
    }
}

#[test]
fn killed_at_random_moments_and_resumed() {
    let mut random = fastrand::Rng::with_seed(seed());
    let mut rounds = setting("UTSKICK_ROUNDS", ROUNDS);
    let season = Season::new(STATEMENTS, &["--latency", "15", "--jitter", "10"]);
    let mut nights = Vec::new();
    while rounds > 0 {
        // One kill, two, or three in a row.
        let kills = random.u64(1..=3).min(rounds);
        rounds -= kills;
        let policy = if random.u8(0..3) > 0 { Policy::Hold } else { Policy::Resend };
        let moments: Vec<_> = (0..kills).map(|_| Moment::draw(&mut random, season.took)).collect();
        nights.push((nights.len(), policy, moments));
    }
    let deaths = std::sync::atomic::AtomicU64::new(0);
    season.side_by_side(nights, |(number, policy, moments)| {
        let mut night = season.night(&format!("kills-{number}"), policy);
        let plan = format!("{number}: {policy:?} {moments:?}");
        for moment in moments {
            let process = quiet(night.go_on());
            kill(&mut night, process, moment);
        }
        night.settle();
        eprintln!("{plan}: {} deaths, {} in doubt", night.deaths, night.hold_to_account());
        night.reports_whole();
        deaths.fetch_add(night.deaths, std::sync::atomic::Ordering::Relaxed);
        night.clear();
    });
    assert!(deaths.into_inner() > 0, "no kill met a running process");
    season.close();
}

/// Kills the process when the moment has come, unless it has ended before.
fn kill(night: &mut Night<'_>, mut process: Child, moment: Moment) {
    let (began, mut since) = (Instant::now(), None);
    while process.try_wait().expect("waits").is_none() && !moment.has_come(night, began, &mut since) {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Killed, not asked: nothing is flushed or closed.
    process.kill().expect("killed");
    night.ended(process.wait_with_output().expect("gone"));
}

fn quiet(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts")
}
