//! What is simulated: the queues of a send, the limits of its gateways, and what its steps cost. Plain numbers, so that a
//! plan can change one and see what moves.

use super::Measured;
use crate::config::{Config, Rate};
use crate::domain::Windows;
use crate::gateway::MARGIN;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Time in a simulation: nanoseconds since the send starts.
pub type Nanos = u64;

/// How far ahead openings are looked for: a send that takes longer has no end that anyone could plan with.
pub const HORIZON_DAYS: i64 = 400;

/// A send before it is made.
#[derive(Clone, Debug)]
pub struct Model {
    /// Pass 1.
    pub reading: Reading,
    /// Cores that the process has to itself; not whole where another takes its share.
    pub cores: f64,
    /// Threads that make letters.
    pub threads: usize,
    /// Processor time that something else on the same cores takes for each request: a sandbox that verifies.
    pub beside_s: f64,
    /// What the pipeline does whatever the settings say.
    pub habits: Habits,
    /// What the journal takes to write a group and sync it.
    pub journal_s: f64,
    /// The look-up desk's own time for a statement, one after the other.
    pub lookup_s: f64,
    /// An answer of FaR that is older is asked for again, one statement a call.
    pub lookup_max_age_s: f64,
    /// FaR.
    pub far: Gate,
    /// Sizes of the calls to FaR, by what is looked up together.
    pub questions: Arc<Vec<Vec<u32>>>,
    /// Operators.
    pub desks: Vec<Desk>,
    /// Letters on paper.
    pub paper: Paper,
}

/// What pass 1 has to do.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Of all exports.
    pub bytes: u64,
    /// In all exports.
    pub statements: u64,
    /// Processor time, shared by the threads.
    pub check_s_per_byte: f64,
    /// Time of the journal's one thread.
    pub release_s_per_statement: f64,
    /// From the start of the process until it reads.
    pub start_s: f64,
}

/// What the pipeline does whatever the settings say.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Letters that are made ahead, beside those that a gateway's concurrency takes.
    pub letters_ahead: usize,
    /// How long before its slot a request's intent is written.
    pub lead: Duration,
    /// Statements that are looked up together: all calls about them are answered before the next are read.
    pub lookups_together: usize,
    /// How long the journal gathers changes before it writes them.
    pub journal_group: Duration,
    /// How many such times it goes on gathering at most, while each brings more and none of it is urgent. The intent of
    /// a request that waits for a slot is urgent.
    pub journal_groups: u32,
    /// With so many changes it gathers no longer.
    pub journal_enough: u32,
}

/// A gateway's limits.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Requests a second; `None`: unlimited.
    pub rate: Option<f64>,
    /// Requests under way at once.
    pub concurrency: usize,
    /// From a request's first byte to its answer.
    pub latency_s: f64,
    /// When requests may start.
    pub opening: Opening,
}

/// An operator's desk.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The operator's name.
    pub name: String,
    /// Its limits.
    pub gate: Gate,
    /// Statements that will be found to have a mailbox there.
    pub statements: u64,
    /// Processor time of making one letter.
    pub letter_s: f64,
    /// Processor time of one attempt beside that.
    pub attempt_s: f64,
    /// Share of attempts that are answered with a request to try again.
    pub retries: f64,
}

/// Letters on paper.
#[derive(Clone, Debug)]
pub struct Paper {
    /// Statements whose policy is paper, or that cannot be looked up.
    pub at_once: u64,
    /// Statements that go both ways, among those that are looked up.
    pub both: u64,
    /// Whether what has no mailbox goes on paper.
    pub fallback: bool,
    /// Letters of a bundle.
    pub per_bundle: u64,
    /// Processor time of one.
    pub letter_s: f64,
}

/// When a gateway may be sent to: intervals in their order, the end not included; `None` is always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening(pub Option<Arc<Vec<(Nanos, Nanos)>>>);

impl Opening {
    /// The openings of delivery windows from a moment on, for a year and a month, without what a send leaves unused at
    /// their ends ([`MARGIN`]).
    pub fn of(windows: &Windows, start: Timestamp) -> Self {
        if windows.closes(start).is_none() && windows.is_open(start) {
            return Self(None);
        }
        let since = |at: Timestamp| Nanos::try_from(at.duration_since(start).as_nanos()).unwrap_or(0);
        let last = start.checked_add(jiff::Span::new().hours(HORIZON_DAYS * 24)).unwrap_or(Timestamp::MAX);
        let mut intervals = Vec::new();
        let mut at = start;
        while let Some(opens) = windows.next_open(at).filter(|opens| *opens < last) {
            let Some(closes) = windows.closes(opens) else {
                intervals.push((since(opens), Nanos::MAX));
                break;
            };
            let left = Nanos::try_from(MARGIN.as_nanos()).unwrap_or(0);
            let used = (since(opens), since(closes).saturating_sub(left));
            intervals.extend((used.0 < used.1).then_some(used));
            at = closes;
        }
        Self(Some(Arc::new(intervals)))
    }
}

/// What nobody has measured or agreed: given on the command line, or assumed and said so.
#[derive(Clone, Debug)]
pub struct Assumptions {
    /// By operator, in the order of the settings: the share of what is looked up that has its mailbox there.
    pub operator_shares: Vec<f64>,
    /// By operator: time of an answer.
    pub latency: Vec<Duration>,
    /// The same of FaR.
    pub far_latency: Duration,
    /// Share of attempts that are answered with a request to try again.
    pub retries: f64,
    /// Cores.
    pub cores: f64,
    /// Processor time of something beside us on the same cores, per request.
    pub beside_s: f64,
}

/// How many statements there are of what.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Bytes of the exports.
    pub bytes: u64,
    /// Statements of the exports.
    pub statements: u64,
    /// Sizes of the calls to FaR, by what is looked up together.
    pub questions: Vec<Vec<u32>>,
    /// Statements that go on paper without being looked up.
    pub paper: u64,
    /// Statements that go both ways, among those that are looked up.
    pub both: u64,
}

impl Load {
    /// Statements that are looked up.
    pub fn looked_up(&self) -> u64 {
        self.questions.iter().flatten().map(|size| u64::from(*size)).sum()
    }
}

impl Model {
    /// A send with these settings, costs, statements and assumptions, started at this moment.
    pub fn new(
        config: &Config,
        measured: &Measured,
        load: &Load,
        assumed: &Assumptions,
        habits: Habits,
        start: Timestamp,
    ) -> Self {
        let stages = &measured.stages;
        // A whole send costs more than the sum of its stages by themselves: what is between them goes with the attempt.
        let between_s = measured.send.cpu_s_per_statement - measured.letter_s(false) - stages.lookup_s_per_statement;
        let attempt_s = measured.attempt_s().max(between_s);
        let looked_up = load.looked_up();
        let statements = parts(looked_up, &assumed.operator_shares);
        let desks = config.operators.iter().enumerate().map(|(place, operator)| Desk {
            name: operator.name.clone(),
            gate: Gate {
                rate: rate(operator.rate_per_s),
                concurrency: operator.concurrency,
                latency_s: assumed.latency.get(place).map_or(0.0, Duration::as_secs_f64),
                opening: Opening::of(&operator.windows, start),
            },
            statements: statements.get(place).copied().unwrap_or(0),
            letter_s: measured.letter_s(operator.encryption_certificate.is_some()),
            attempt_s,
            retries: assumed.retries,
        });
        Self {
            reading: Reading {
                bytes: load.bytes,
                statements: load.statements,
                check_s_per_byte: stages.check_s_per_byte,
                release_s_per_statement: stages.release_s_per_statement,
                start_s: measured.send.start_s,
            },
            cores: assumed.cores,
            threads: config.run.threads.unwrap_or_else(|| assumed.cores.ceil().max(1.0) as usize),
            beside_s: assumed.beside_s,
            habits,
            journal_s: measured.floors.fsync_s,
            lookup_s: stages.lookup_s_per_statement,
            lookup_max_age_s: config.run.lookup_max_age.as_secs_f64(),
            far: Gate {
                rate: rate(config.far.rate_per_s),
                concurrency: config.far.concurrency,
                latency_s: assumed.far_latency.as_secs_f64(),
                opening: Opening::of(&config.far.windows, start),
            },
            questions: Arc::new(load.questions.clone()),
            desks: desks.collect(),
            paper: Paper {
                // Without a print supplier it is held at once, and nothing is made.
                at_once: if config.paper.is_some() { load.paper } else { 0 },
                both: if config.paper.is_some() { load.both } else { 0 },
                fallback: config.paper.is_some(),
                per_bundle: config.paper.as_ref().map_or(1000, |paper| paper.letters_per_bundle as u64).max(1),
                letter_s: if config.paper.is_some() { stages.paper_s_per_statement } else { 0.0 },
            },
        }
    }

    /// Statements that are looked up.
    pub fn looked_up(&self) -> u64 {
        self.questions.iter().flatten().map(|size| u64::from(*size)).sum()
    }

    /// Statements that have a mailbox.
    pub fn digital(&self) -> u64 {
        self.desks.iter().map(|desk| desk.statements).sum()
    }

    /// From an urgent change's arrival at the journal to its being durable.
    pub fn urgent_s(&self) -> f64 {
        self.habits.journal_group.as_secs_f64() + self.journal_s
    }

    /// The same for a change that is not urgent: the journal goes on gathering while changes keep coming.
    pub fn patient_s(&self) -> f64 {
        let group_s = self.habits.journal_group.as_secs_f64();
        if self.desks.iter().any(|desk| desk.statements > 0 && desk.gate.rate.is_some()) {
            // Whose intents are urgent, and end the gathering for all.
            return self.urgent_s();
        }
        // Two changes a request, at the rate at which letters can be made and answers come.
        let made = |desk: &Desk| self.cores.min(self.threads as f64) / (desk.letter_s + desk.attempt_s + self.beside_s);
        let answered = |desk: &Desk| desk.gate.concurrency as f64 / (desk.gate.latency_s + 2.0 * group_s);
        let busy = || self.desks.iter().filter(|desk| desk.statements > 0);
        let rate = busy().map(answered).sum::<f64>().min(busy().map(made).fold(f64::INFINITY, f64::min)) * 2.0;
        // Whether a window brings another change, as chance has it.
        let more = 1.0 - (-rate * group_s).exp();
        let windows: f64 = (0..self.habits.journal_groups).map(|window| more.powi(window as i32)).sum();
        let enough = f64::from(self.habits.journal_enough) / (rate * group_s).max(f64::MIN_POSITIVE);
        windows.min(enough).max(1.0) * group_s + self.journal_s
    }

    /// The same send where this share of what is looked up has a mailbox, among the operators as before.
    pub fn with_digital_share(mut self, share: f64) -> Self {
        let (looked_up, digital) = (self.looked_up() as f64, self.digital() as f64);
        let equal = 1.0 / self.desks.len().max(1) as f64;
        let shares: Vec<f64> = self
            .desks
            .iter()
            .map(|desk| if digital > 0.0 { desk.statements as f64 / digital } else { equal })
            .map(|of_digital| of_digital * share.clamp(0.0, 1.0))
            .collect();
        for (desk, statements) in self.desks.iter_mut().zip(parts(looked_up as u64, &shares)) {
            desk.statements = statements;
        }
        self
    }

    /// The same send where everything that the processor does costs so many times as much.
    pub fn with_costs(mut self, factor: f64) -> Self {
        self.reading.check_s_per_byte *= factor;
        self.reading.release_s_per_statement *= factor;
        self.lookup_s *= factor;
        self.paper.letter_s *= factor;
        self.beside_s *= factor;
        for desk in &mut self.desks {
            desk.letter_s *= factor;
            desk.attempt_s *= factor;
        }
        self
    }

    /// The same send where every answer takes so many times as long.
    pub fn with_latency(mut self, factor: f64) -> Self {
        self.far.latency_s *= factor;
        self.desks.iter_mut().for_each(|desk| desk.gate.latency_s *= factor);
        self
    }
}

/// So many statements by shares: whole numbers that sum to the rounded sum of the shares, the largest remainders up.
fn parts(whole: u64, shares: &[f64]) -> Vec<u64> {
    let all = shares.iter().sum::<f64>().clamp(0.0, 1.0);
    let total = (whole as f64 * all).round() as u64;
    let mut parts: Vec<u64> = shares.iter().map(|share| (whole as f64 * share).floor() as u64).collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    let remainder = |place: usize| shares.get(place).map_or(0.0, |share| (whole as f64 * share).fract());
    by_remainder.sort_by(|a, b| remainder(*b).total_cmp(&remainder(*a)).then(a.cmp(b)));
    let missing = total.saturating_sub(parts.iter().sum());
    for place in by_remainder.into_iter().cycle().take(if shares.is_empty() { 0 } else { missing as usize }) {
        parts.get_mut(place).into_iter().for_each(|part| *part += 1);
    }
    parts
}

const fn rate(rate: Rate) -> Option<f64> {
    match rate {
        Rate::PerSecond(rate) => Some(rate),
        Rate::Unlimited => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_sum_to_the_share(whole in 0u64..3_000_000, shares in proptest::collection::vec(0.0f64..1.0, 1..8)) {
            let sum: f64 = shares.iter().sum();
            let shares: Vec<f64> = shares.iter().map(|share| if sum > 1.0 { share / sum } else { *share }).collect();
            let parts = parts(whole, &shares);
            let wanted = (whole as f64 * shares.iter().sum::<f64>().min(1.0)).round() as u64;
            prop_assert_eq!(parts.iter().sum::<u64>(), wanted);
            prop_assert!(wanted <= whole);
            for (part, share) in parts.iter().zip(&shares) {
                prop_assert!((*part as f64 - whole as f64 * share).abs() <= 1.0 + 1e-6);
            }
        }

        #[test]
        fn openings_are_those_of_the_windows(start_h in 0i64..24 * 365, probe_min in 0i64..60 * 24 * 30) {
            let windows = Windows::parse(&["mon-fri 18:00-06:00", "sat 10:00-24:00"]).unwrap();
            let start = Timestamp::from_second(1_790_000_000 + start_h * 3600).unwrap();
            let intervals = Opening::of(&windows, start).0.unwrap();
            prop_assert!(intervals.is_sorted_by(|a, b| a.1 < b.0));
            let probe = Timestamp::from_second(start.as_second() + probe_min * 60).unwrap();
            let at = (probe_min * 60) as u64 * 1_000_000_000;
            let open = intervals.iter().any(|(opens, closes)| (*opens..*closes).contains(&at));
            let last = Timestamp::from_second(probe.as_second() + 1).unwrap();
            prop_assert_eq!(open, windows.is_open(probe) && windows.is_open(last));
        }
    }

    #[test]
    fn no_windows_are_always_open() {
        assert_eq!(Opening::of(&Windows::default(), Timestamp::UNIX_EPOCH), Opening(None));
    }
}
