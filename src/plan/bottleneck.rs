//! What a send waits for: the limit without which it would end first, and what would move it.
//!
//! Each limit is lifted in turn and the send simulated again; the one that moves the end most is named. A limit of operators
//! is lifted for all of them, since to lift one of two equal ones moves nothing; of those that end last, or after the
//! deadline, the ones whose own end it moves are named.

use super::model::{Model, Nanos, Opening};
use super::simulate::{Keep, Simulated, simulate};
use rayon::prelude::*;
use serde::Serialize;

/// What may limit a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// An operator's agreed rate.
    Rate,
    /// How fast an operator answers, with so many requests under way as its concurrency allows.
    Answers,
    /// An operator's delivery windows, and FaR's where it has any: what may not be asked cannot be sent either.
    Window,
    /// FaR's agreed rate.
    FarRate,
    /// How fast FaR answers, with so many calls under way as its concurrency allows.
    FarAnswers,
    /// FaR's windows.
    FarWindow,
    /// Making letters and sending them: the processor.
    Processor,
    /// Making letters for paper: the processor.
    Paper,
    /// The start of the program and pass 1.
    Reading,
}

/// The limit that matters.
#[derive(Clone, Debug, PartialEq)]
pub struct Bottleneck {
    /// Which.
    pub limit: Limit,
    /// Of which operators, by their place in the settings; empty where it is none of theirs.
    pub operators: Vec<usize>,
    /// When the send would end if nothing of this kind limited it; `None`: never.
    pub without: Option<Nanos>,
    /// A change that moves the end.
    pub remedy: Option<Remedy>,
}

/// A change that moves the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Remedy {
    /// The rate a second of each of the operators, or its concurrency, in the order of the operators; else one value: that
    /// of FaR, or cores. By the limit.
    pub values: Vec<f64>,
    /// When the send would end then.
    pub end: Nanos,
}

/// All limits, in the order in which the first of equals is named.
const LIMITS: [Limit; 9] = [
    Limit::Rate,
    Limit::Answers,
    Limit::FarRate,
    Limit::FarAnswers,
    Limit::FarWindow,
    Limit::Window,
    Limit::Processor,
    Limit::Paper,
    Limit::Reading,
];
/// Operators whose ends are no further apart than this part of the send end together, and an end that moves no further
/// stays.
const TOGETHER: f64 = 0.1;
/// A change that comes so near to what lifting the limit would save is as good.
const NEAR: f64 = 0.02;
/// A change is proposed up to this factor, unless the deadline needs more: nobody agrees to a hundredfold rate.
const MODEST: f64 = 2.0;
/// What a deadline may need at most.
const BOLD: f64 = 1000.0;

impl Bottleneck {
    /// The bottleneck of a send that was simulated; with a deadline that is missed, the remedy is what would hold it.
    pub fn of(model: &Model, simulated: &Simulated, deadline: Option<Nanos>) -> Self {
        // What has passed before the send starts cannot be held by any change.
        let deadline = deadline.filter(|deadline| *deadline > 0);
        let operators = deciding(simulated, deadline);
        let all: Vec<usize> = (0..model.desks.len()).collect();
        let end = |limit| simulate(&lifted(model, limit, &all), Keep::default()).end;
        let ends: Vec<(Limit, Option<Nanos>)> = LIMITS.par_iter().map(|limit| (*limit, end(*limit))).collect();
        // The first of those that end first. What goes before the sending limits it only where it takes longer.
        let whole = simulated.end.unwrap_or(Nanos::MAX);
        let reads = simulated.reading_end > whole / 2;
        let moves = |(limit, end): &(Limit, Option<Nanos>)| {
            (*limit != Limit::Reading || reads) && end.is_some_and(|end| end < whole)
        };
        let reading = (Limit::Reading, ends.last().and_then(|(_, end)| *end));
        let best = ends.into_iter().filter(moves).min_by_key(|(_, end)| end.unwrap_or(Nanos::MAX));
        let (limit, without) = best.unwrap_or(reading);
        let has = |place: &usize| {
            limit != Limit::Rate || model.desks.get(*place).is_some_and(|desk| desk.gate.rate.is_some())
        };
        let mut operators: Vec<usize> = operators.into_iter().filter(has).collect();
        if limit.is_of_operators() {
            // Of those that end last, something else may hold up some: such a one ends as late where the limit is lifted
            // for it too.
            let desks = |lifted_of: &[usize]| simulate(&lifted(model, limit, lifted_of), Keep::default()).desks;
            let free = desks(&all);
            let held_up = |place: &usize| {
                let others: Vec<usize> = all.iter().copied().filter(|other| other != place).collect();
                let held = desks(&others);
                let ends = held.get(*place).zip(free.get(*place));
                ends.is_some_and(|(held, free)| (free.end as f64) < held.end as f64 * (1.0 - TOGETHER))
            };
            let held: Vec<usize> = operators.par_iter().copied().filter(held_up).collect();
            operators = if held.is_empty() { operators } else { held };
        }
        let remedy = remedy(model, limit, &operators, simulated.end, without, deadline);
        let operators = if limit.is_of_operators() { operators } else { Vec::new() };
        Self { limit, operators, without, remedy }
    }

    /// What is told of it: the limit, and what would move it. `at` writes a time of the send as people read it.
    pub fn words(&self, model: &Model, at: impl Fn(Nanos) -> String) -> String {
        let desks: Vec<_> = self.operators.iter().filter_map(|place| model.desks.get(*place)).collect();
        let names = listed(&desks.iter().map(|desk| desk.name.clone()).collect::<Vec<_>>());
        let each = if desks.len() > 1 { " each" } else { "" };
        let rates: Vec<String> =
            desks.iter().map(|desk| desk.gate.rate.map_or("no limit".into(), per_second)).collect();
        let same = |texts: &[String]| texts.windows(2).all(|pair| pair.first() == pair.last());
        let rates = if same(&rates) { rates.into_iter().take(1).collect() } else { rates };
        let answers = |concurrency: usize, latency_s: f64| {
            format!("{concurrency} requests at a time, answered in {}", milliseconds(latency_s))
        };
        let what = match self.limit {
            Limit::Rate => {
                let each = if rates.len() > 1 { "" } else { each };
                format!("the agreed rate of {names}, {}{each}", listed(&rates))
            }
            Limit::Answers => {
                let of: Vec<String> =
                    desks.iter().map(|desk| answers(desk.gate.concurrency, desk.gate.latency_s)).collect();
                let of = if same(&of) { of.into_iter().take(1).collect() } else { of };
                format!("the answers of {names}: {}", of.join("; "))
            }
            Limit::Window if model.far.opening == Opening(None) => format!("the delivery windows of {names}"),
            Limit::Window => format!("the delivery windows of {names}, and FaR's"),
            Limit::FarRate => format!("FaR's agreed rate, {}", model.far.rate.map_or("no limit".into(), per_second)),
            Limit::FarAnswers => {
                format!("FaR's answers: {}", answers(model.far.concurrency, model.far.latency_s))
            }
            Limit::FarWindow => "FaR's windows".into(),
            Limit::Processor => format!("the processor: {} for letters, signatures and requests", cores(model.cores)),
            Limit::Paper => format!("the processor: {} for letters on paper", cores(model.cores)),
            Limit::Reading => "the start of the program and reading the exports".into(),
        };
        let then = match (&self.remedy, self.without) {
            (None, None) => String::new(),
            (None, Some(end)) => format!("; without it the send would end {}", at(end)),
            (Some(Remedy { values, end }), _) => {
                let values: Vec<String> = values.iter().map(|value| self.limit.value(*value)).collect();
                let (values, each) =
                    if same(&values) { (values.into_iter().take(1).collect(), each) } else { (values, "") };
                let of =
                    if matches!(self.limit, Limit::Answers | Limit::FarAnswers) { "a concurrency of " } else { "" };
                format!("; {of}{}{each} would end {}", listed(&values), at(*end))
            }
        };
        format!("{what}{then}")
    }
}

impl Limit {
    /// Whether it is a limit of operators.
    pub const fn is_of_operators(self) -> bool {
        matches!(self, Self::Rate | Self::Answers | Self::Window)
    }

    /// A value of it as people read it.
    fn value(self, value: f64) -> String {
        match self {
            Self::Rate | Self::FarRate => per_second(value),
            Self::Answers | Self::FarAnswers => format!("{value:.0}"),
            _ => cores(value),
        }
    }
}

/// The same send without a limit.
pub fn lifted(model: &Model, limit: Limit, operators: &[usize]) -> Model {
    let mut model = model.clone();
    let mut gates: Vec<_> =
        model.desks.iter_mut().enumerate().filter(|(place, _)| operators.contains(place)).map(|(_, at)| at).collect();
    match limit {
        Limit::Rate => gates.iter_mut().for_each(|desk| desk.gate.rate = None),
        Limit::Answers => gates.iter_mut().for_each(|desk| desk.gate.concurrency *= 1024),
        Limit::Window => {
            gates.iter_mut().for_each(|desk| desk.gate.opening = Opening(None));
            model.far.opening = Opening(None);
        }
        Limit::FarRate => model.far.rate = None,
        Limit::FarAnswers => model.far.concurrency *= 1024,
        Limit::FarWindow => model.far.opening = Opening(None),
        Limit::Processor => {
            for desk in &mut model.desks {
                (desk.letter_s, desk.attempt_s) = (0.0, 0.0);
            }
            (model.lookup_s, model.beside_s) = (0.0, 0.0);
        }
        Limit::Paper => model.paper.letter_s = 0.0,
        Limit::Reading => {
            let reading = &mut model.reading;
            (reading.check_s_per_byte, reading.release_s_per_statement, reading.start_s) = (0.0, 0.0, 0.0);
        }
    }
    model
}

/// Operators that decide the end: those that end after the deadline, or else whose last statement ends with the last of all.
fn deciding(simulated: &Simulated, deadline: Option<Nanos>) -> Vec<usize> {
    // One that never gets to its end holds the send up more than any that does.
    let Some(_) = simulated.end else { return (0..simulated.desks.len()).collect() };
    let ending = |from: Nanos| {
        let ending = simulated.desks.iter().enumerate().filter(move |(_, desk)| desk.end > 0 && desk.end >= from);
        ending.map(|(place, _)| place).collect::<Vec<usize>>()
    };
    let late = deadline.map(|deadline| ending(deadline + 1)).unwrap_or_default();
    if !late.is_empty() {
        return late;
    }
    let last = simulated.desks.iter().map(|desk| desk.end).max().unwrap_or(0);
    ending((last as f64 * (1.0 - TOGETHER)) as Nanos)
}

/// A change of the limit that moves the end: what the deadline needs; else as much as it takes until something else
/// limits, but no more than twofold.
fn remedy(
    model: &Model,
    limit: Limit,
    operators: &[usize],
    end: Option<Nanos>,
    without: Option<Nanos>,
    deadline: Option<Nanos>,
) -> Option<Remedy> {
    let (end, without) = (end?, without?);
    let desks = operators.iter().filter_map(|place| model.desks.get(*place));
    let now: Vec<f64> = match limit {
        Limit::Rate => desks.map(|desk| desk.gate.rate.unwrap_or_default()).collect(),
        Limit::Answers => desks.map(|desk| desk.gate.concurrency as f64).collect(),
        Limit::FarRate => vec![model.far.rate?],
        Limit::FarAnswers => vec![model.far.concurrency as f64],
        Limit::Processor | Limit::Paper => vec![model.cores],
        Limit::Window | Limit::FarWindow | Limit::Reading => return None,
    };
    let values = |factors: &[f64]| -> Vec<f64> {
        let of = |value: f64, factor: f64| if factor > 1.0 { round_up(limit, value * factor) } else { value };
        now.iter().zip(factors).map(|(value, factor)| of(*value, *factor)).collect()
    };
    let ends = |factors: &[f64]| simulate(&changed(model, limit, operators, &values(factors)), Keep::default()).end;
    let by = |factor: f64| vec![factor; now.len()];
    let missed = deadline.filter(|deadline| end > *deadline && without <= *deadline);
    let held = missed.filter(|deadline| ends(&by(BOLD)).is_some_and(|end| end <= *deadline));
    let (goal, most) = match held {
        Some(deadline) => (deadline, BOLD),
        None => {
            let moved = ends(&by(MODEST)).filter(|moved| *moved < end)?;
            (moved + ((end - moved) as f64 * NEAR) as Nanos, MODEST)
        }
    };
    let reached = |factors: &[f64]| ends(factors).is_some_and(|end| end <= goal);
    let mut least = by(halved(most, |factor| reached(&by(factor))));
    // Then no operator is asked for more than it needs.
    for place in 0..if now.len() > 1 { now.len() } else { 0 } {
        let with = |factor: f64| {
            let mut factors = least.clone();
            factors.get_mut(place).into_iter().for_each(|at| *at = factor);
            factors
        };
        let most = least.get(place).copied().unwrap_or(1.0);
        least = with(halved(most, |factor| reached(&with(factor))));
    }
    let end = ends(&least).filter(|moved| *moved < end)?;
    Some(Remedy { values: values(&least), end })
}

/// The least factor from 1 to this one that is enough, where this one is.
fn halved(most: f64, enough: impl Fn(f64) -> bool) -> f64 {
    if enough(1.0) {
        return 1.0;
    }
    let (mut low, mut high) = (1.0, most);
    // To a thousandth of what the lower end is.
    while high - low > low * 1e-3 {
        let middle = f64::midpoint(low, high);
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}

/// The same send with other values of a limit, in the order of the operators.
fn changed(model: &Model, limit: Limit, operators: &[usize], values: &[f64]) -> Model {
    let mut model = model.clone();
    for (place, value) in operators.iter().zip(values) {
        let Some(desk) = model.desks.get_mut(*place) else { continue };
        match limit {
            Limit::Rate => desk.gate.rate = Some(*value),
            Limit::Answers => desk.gate.concurrency = *value as usize,
            _ => {}
        }
    }
    let value = values.first().copied().unwrap_or(1.0);
    match limit {
        Limit::FarRate => model.far.rate = Some(value),
        Limit::FarAnswers => model.far.concurrency = value as usize,
        Limit::Processor | Limit::Paper => {
            model.threads = (model.threads as f64 * value / model.cores).ceil() as usize;
            model.cores = value;
        }
        _ => {}
    }
    model
}

/// A value that one can agree on: whole, or with a decimal or more where it is small.
fn round_up(limit: Limit, value: f64) -> f64 {
    match limit {
        Limit::Rate | Limit::FarRate if value < 0.1 => (value * 1000.0 - 1e-6).ceil() / 1000.0,
        Limit::Rate | Limit::FarRate if value < 1.0 => (value * 100.0 - 1e-6).ceil() / 100.0,
        Limit::Rate | Limit::FarRate if value < 10.0 => (value * 10.0 - 1e-6).ceil() / 10.0,
        _ => (value - 1e-6).ceil(),
    }
}

/// A rate as people read it: `20/s`, `0.75/s`.
pub(crate) fn per_second(rate: f64) -> String {
    // A fraction as small as a settings file may hold, and half of it.
    let text = format!("{rate:.6}");
    format!("{}/s", text.trim_end_matches('0').trim_end_matches('.'))
}

fn cores(cores: f64) -> String {
    match cores {
        1.0 => "1 core".into(),
        whole if whole.fract() == 0.0 => format!("{whole:.0} cores"),
        part => format!("{part:.1} cores"),
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.0} ms", seconds * 1e3)
}

fn listed(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
