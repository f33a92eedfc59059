//! The pulse: every few seconds, what each gateway did and where its statements waited, into the journal.

use super::deliver::Desk;
use super::open::Run;
use crate::gateway::{Gateway, Shut};
use crate::track::{GatewayPulse, Pulse, Waiting};
use crate::watch::Waits;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often it is taken. Two seconds: an order or a change shows before one asks twice, and a commit more in that
/// time is nothing.
pub(super) const BEAT: Duration = Duration::from_secs(2);

/// Takes the pulse of a run, each time over what has happened since the last.
#[derive(Debug)]
pub(super) struct Wrist {
    at: Instant,
    cpu: Duration,
    looked_up: u64,
    far: Spent,
    operators: Vec<Spent>,
}

/// What the edges of a gateway had counted at the last pulse.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    window: Duration,
    letters: Duration,
    concurrency: Duration,
    permit: Duration,
    journal: Duration,
    answers: Duration,
    requests: u64,
}

impl Spent {
    fn read(waits: &Waits, now: Instant) -> Self {
        let (answers, requests) = waits.answers.spent(now);
        Self {
            window: waits.window.spent(now).0,
            letters: waits.letters.spent(now).0,
            concurrency: waits.concurrency.spent(now).0,
            permit: waits.permit.spent(now).0,
            journal: waits.journal.spent(now).0,
            answers,
            requests,
        }
    }
}

impl Wrist {
    pub(super) fn new(desks: usize) -> Self {
        let operators = vec![Spent::default(); desks];
        Self { at: Instant::now(), cpu: cpu(), looked_up: 0, far: Spent::default(), operators }
    }

    /// Writes what has happened since the last time into the journal.
    pub(super) fn take(&mut self, run: &Run, desks: &[Arc<Desk>]) {
        let now = Instant::now();
        let over_s = now.saturating_duration_since(self.at).as_secs_f64().max(1e-3);
        let spent_cpu = cpu();
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let looked_up = run.progress.looked_up.load(Ordering::Relaxed);
        let operators = desks.iter().zip(&mut self.operators).map(|(desk, before)| {
            let id = desk.settings.id.to_string();
            let mut pulse = gateway(&desk.gateway, id, before, now, over_s);
            pulse.agreed_per_s = per_s(desk.settings.rate_per_s);
            pulse
        });
        let operators = operators.collect();
        let mut far = gateway(&run.far.gateway, "far".into(), &mut self.far, now, over_s);
        far.agreed_per_s = per_s(run.config.far.rate_per_s);
        let pulse = Pulse {
            at: Timestamp::now(),
            over_s,
            cpu_share: spent_cpu.saturating_sub(self.cpu).as_secs_f64() / over_s / processors,
            looked_up_per_s: looked_up.saturating_sub(self.looked_up) as f64 / over_s,
            far,
            operators,
        };
        (self.at, self.cpu, self.looked_up) = (now, spent_cpu, looked_up);
        if let Err(error) = run.journal.pulse(&pulse) {
            // The next row meets the same error, and ends the run.
            tracing::debug!(%error, "the pulse could not be journalled");
        }
        for gateway in desks.iter().map(|desk| &desk.gateway).chain([&run.far.gateway]) {
            for change in gateway.take_changes() {
                run.note("pace", &change);
            }
        }
    }
}

fn per_s(rate: crate::config::Rate) -> Option<f64> {
    match rate {
        crate::config::Rate::PerSecond(rate) => Some(rate),
        crate::config::Rate::Unlimited => None,
    }
}

fn gateway(gateway: &Gateway, id: String, before: &mut Spent, now: Instant, over_s: f64) -> GatewayPulse {
    let spent = Spent::read(gateway.waits(), now);
    let last = std::mem::replace(before, spent);
    let mean = |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64() / over_s;
    let requests = spent.requests.saturating_sub(last.requests);
    let answers_s = spent.answers.saturating_sub(last.answers).as_secs_f64();
    let shut = gateway.pacer().gate().shut();
    let held = gateway
        .pacer()
        .held()
        .filter(|until| *until > now)
        .and_then(|until| Timestamp::now().checked_add(SignedDuration::try_from(until - now).ok()?).ok());
    GatewayPulse {
        id,
        agreed_per_s: None,
        limit_per_s: gateway.limit_per_s(),
        ordered_per_s: gateway.ordered_per_s(),
        concurrency: gateway.concurrency() as u64,
        requests_per_s: requests as f64 / over_s,
        answer_s: (requests > 0).then(|| answers_s / requests as f64),
        waiting: Waiting {
            window: mean(spent.window, last.window),
            letters: mean(spent.letters, last.letters),
            concurrency: mean(spent.concurrency, last.concurrency),
            permit: mean(spent.permit, last.permit),
            journal: mean(spent.journal, last.journal),
            answers: mean(spent.answers, last.answers),
        },
        windows: gateway.pacer().gate().windows().to_string(),
        closed_until: match shut {
            Some(Shut::Window(opens)) => Some(opens.unwrap_or(Timestamp::MAX)),
            _ => None,
        },
        asked_to_wait_until: held,
        silent: gateway.breaker().is_open(),
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}
