//! The simulation: the same queues and limits as a send, with a clock of its own.
//!
//! In: a [`Model`]. Out: when what is done. Deterministic: the same model has the same times, in whole nanoseconds.
//!
//! Each statement takes the steps that it takes in `pipeline`: read, asked about in a call, pulled by its operator's
//! desk when there is room ahead, made on the CPU pool, given a place under the operator's concurrency and a slot of its
//! rate, sent when its intent is durable, answered, journalled. All queues are first in, first out, and within an operator
//! every statement costs the same, so a statement's times follow from those before it; the one queue that operators
//! share, the CPU pool, takes them in the order in which they are pulled. That is why two million statements take a
//! second, and none is left out.
//!
//! An attempt that is answered with try again is a push-back (429, 503), and the operator is asked for less by the rules
//! that the send has ([`Adapt`]), from what was answered before the next slot on. Which attempts those are follows from
//! their numbers alone, scattered as chance scatters them: evenly spread ones would slow a send down less.
//!
//! What is not simulated: faults beyond the share of retries, a Retry-After, answers that grow slower, push-back of FaR,
//! and that the processor's other users are not even.

use super::model::{Desk, Gate, Model, Nanos, Opening};
use crate::gateway::{Adapt, Said};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

/// What a send came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulated {
    /// When everything has its end; `None` where a gateway never opens again.
    pub end: Option<Nanos>,
    /// When pass 1 is over and the first call leaves.
    pub reading_end: Nanos,
    /// When the last call to FaR of the look-up desk is answered.
    pub looked_up: Nanos,
    /// Calls to FaR.
    pub calls: u64,
    /// Statements that FaR is asked about once more, their answers having grown old.
    pub asked_again: u64,
    /// By operator.
    pub desks: Vec<DeskSimulated>,
    /// When the last bundle is on disk; 0 without any.
    pub paper_end: Nanos,
    /// Letters on paper.
    pub sheets: u64,
    /// Print bundles.
    pub bundles: u64,
    /// Processor time of the sending process in seconds.
    pub cpu_s: f64,
}

/// One operator's part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeskSimulated {
    /// Statements that were delivered.
    pub delivered: u64,
    /// Requests, retries included.
    pub attempts: u64,
    /// First byte of the first request.
    pub first: Nanos,
    /// The last outcome is journalled.
    pub end: Nanos,
    /// The least part of its rate, or where it has none of its concurrency, that was used: 1 where it never pushed back
    /// enough to be asked for less.
    pub least_used: f64,
    /// What waited and what was sent over time, where that was asked for.
    pub series: Series,
    /// First byte of every request, where that was asked for.
    pub sends: Vec<Nanos>,
}

/// Counts over time, in bins that widen as time goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Width of a bin.
    pub width: Nanos,
    /// Statements that came to the queue, by bin.
    pub routed: Vec<u64>,
    /// Statements that were delivered, by bin.
    pub delivered: Vec<u64>,
}

/// What is kept beside the ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// What waited and what was sent over time.
    pub series: bool,
    /// The time of every request.
    pub sends: bool,
}

const SECOND: f64 = 1e9;
/// Bins of a series: more than a plot has room for.
const BINS: usize = 1024;
/// Mean wait before a second attempt: half of the first step of `submit::retry`.
const PAUSE: Nanos = 500_000_000;
/// The wait when the budget of retries is used up.
const LONG_PAUSE: Nanos = 30_000_000_000;
/// The budget in tenths of a retry, as `submit::retry` has it: at first, for each success, at most, a retry's price.
const BUDGET: (u64, u64, u64, u64) = (200, 1, 2000, 10);
/// Shares are counted in millionths.
const MILLION: u64 = 1_000_000;

/// Takes a send from its start to its end.
pub fn simulate(model: &Model, keep: Keep) -> Simulated {
    let mut simulated = Simulated::default();
    simulated.end = Simulation::new(model, keep, &mut simulated).and_then(|mut simulation| simulation.run());
    simulated
}

impl Default for Series {
    fn default() -> Self {
        Self { width: 1_000_000, routed: Vec::new(), delivered: Vec::new() }
    }
}

impl Series {
    fn count(&mut self, at: Nanos, routed: u64, delivered: u64) {
        while at / self.width >= BINS as Nanos {
            self.width *= 2;
            for bins in [&mut self.routed, &mut self.delivered] {
                *bins = bins.chunks(2).map(|pair| pair.iter().sum()).collect();
            }
        }
        let bin = (at / self.width) as usize;
        for (bins, count) in [(&mut self.routed, routed), (&mut self.delivered, delivered)] {
            if count > 0 {
                bins.resize(bins.len().max(bin + 1), 0);
                bins.get_mut(bin).into_iter().for_each(|at| *at += count);
            }
        }
    }
}

/// Slots of a rate: start + k / R, those within an opening.
struct Slots<'a> {
    start: Nanos,
    period: Option<Nanos>,
    next: u64,
    /// The last slot that was taken.
    last: Nanos,
    /// Nothing leaves before it: the last slot when more or less came to be under way at once.
    floor: Nanos,
    opening: &'a Opening,
    /// Openings before this one are over.
    place: usize,
}

impl<'a> Slots<'a> {
    fn new(gate: &'a Gate, start: Nanos) -> Self {
        let period = gate.rate.map(period);
        Self { start, period, next: 1, last: start, floor: 0, opening: &gate.opening, place: 0 }
    }

    /// Takes the first free slot not before this time; `None` where there is none any more.
    fn reserve(&mut self, earliest: Nanos) -> Option<Nanos> {
        let slot = self.find(earliest)?;
        self.take(slot);
        Some(slot)
    }

    /// The first free slot not before this time.
    fn find(&mut self, earliest: Nanos) -> Option<Nanos> {
        // Whoever came first goes first, also where more may be under way from now on.
        let mut at = self.open(earliest.max(self.floor))?;
        let Some(period) = self.period else { return Some(at) };
        loop {
            self.next = self.next.max(at.saturating_sub(self.start).div_ceil(period));
            let slot = self.start + self.next * period;
            at = self.open(slot)?;
            if at == slot {
                return Some(slot);
            }
        }
    }

    /// Takes the slot that was found.
    const fn take(&mut self, slot: Nanos) {
        self.next += 1;
        self.last = slot;
    }

    /// Another rate: slots are counted anew from the last one that was taken.
    fn set_rate(&mut self, rate: f64) {
        (self.period, self.start, self.next) = (Some(period(rate)), self.last, 1);
    }

    /// The first moment not before this one at which a request may start.
    fn open(&mut self, at: Nanos) -> Option<Nanos> {
        let Opening(Some(intervals)) = self.opening else { return Some(at) };
        loop {
            let (opens, closes) = intervals.get(self.place)?;
            if at < *closes {
                return Some(at.max(*opens));
            }
            self.place += 1;
        }
    }
}

/// Places under a bound: each is free from a time on.
struct Places {
    most: usize,
    taken_until: BinaryHeap<Reverse<Nanos>>,
}

impl Places {
    fn new(most: usize) -> Self {
        Self { most: most.max(1), taken_until: BinaryHeap::new() }
    }

    /// From now on there are so many; those in use above it end as they are given back.
    fn set_bound(&mut self, most: usize) {
        self.most = most.max(1);
        while self.taken_until.len() > self.most {
            self.taken_until.pop();
        }
    }

    /// When there is a free one.
    fn free(&self) -> Nanos {
        match self.taken_until.peek() {
            Some(Reverse(until)) if self.taken_until.len() >= self.most => *until,
            _ => 0,
        }
    }

    /// Takes the one that is free first, until a time.
    fn take(&mut self, until: Nanos) {
        if self.taken_until.len() >= self.most {
            self.taken_until.pop();
        }
        self.taken_until.push(Reverse(until));
    }
}

/// A desk at work.
struct At<'a> {
    desk: &'a Desk,
    slots: Slots<'a>,
    /// What was routed here: when, how many.
    arrivals: VecDeque<(Nanos, u64)>,
    /// Statements that wait for another try: from when, and when FaR answered about them.
    later: BinaryHeap<Reverse<(Nanos, Nanos)>>,
    ahead: Places,
    leases: Places,
    /// Pool time of one letter, its share of what else runs on the cores included.
    letter: Nanos,
    latency: Nanos,
    /// Share of attempts that are pushed back, in millionths.
    retries: u64,
    adapt: Adapt,
    /// Attempts whose answers nothing was learnt from yet: sent, answered, whether pushed back.
    unheard: VecDeque<(Nanos, Nanos, bool)>,
    budget: u64,
    both_owed: u64,
    seen: &'a mut DeskSimulated,
}

impl At<'_> {
    /// When the desk pulls its next statement; `None` when nothing waits.
    fn pull(&self) -> Option<Nanos> {
        let arrival = self.arrivals.front().map(|(at, _)| *at);
        let later = self.later.peek().map(|Reverse((at, _))| *at);
        let item = match (arrival, later) {
            (Some(arrival), Some(later)) => arrival.min(later),
            (one, other) => one.or(other)?,
        };
        Some(item.max(self.ahead.free()))
    }

    /// The statement that is pulled at this time: when FaR answered about it.
    fn take(&mut self, at: Nanos) -> Option<Nanos> {
        if self.later.peek().is_some_and(|Reverse((due, _))| *due <= at) {
            // Who was just asked about goes on: otherwise two that take turns would be asked about for ever.
            let fresh = |due: Nanos, answered: Nanos| if due == answered { at } else { answered };
            return self.later.pop().map(|Reverse((due, answered))| fresh(due, answered));
        }
        let (answered, left) = self.arrivals.front_mut()?;
        let answered = *answered;
        *left -= 1;
        if *left == 0 {
            self.arrivals.pop_front();
        }
        Some(answered)
    }

    /// Whether the operator asks for another try of the attempt that was made last.
    const fn asks_again(&self) -> bool {
        scattered(self.seen.attempts) % MILLION < self.retries
    }

    /// Learns from what was answered until a time, as far as the first change of what is used; tells whether there is one.
    fn heeds(&mut self, epoch: Instant, until: Nanos) -> bool {
        let at = |nanos: Nanos| epoch + Duration::from_nanos(nanos);
        while let Some((sent, answered, pushed)) = self.unheard.front().copied().filter(|(_, at, _)| *at <= until) {
            self.unheard.pop_front();
            let said = if pushed {
                Said::PushedBack(Duration::ZERO)
            } else {
                Said::Answer(Duration::from_nanos(answered - sent))
            };
            let Some(change) = self.adapt.learn(at(sent), at(answered), said) else { continue };
            match self.desk.gate.rate {
                Some(_) => self.slots.set_rate(change.to),
                None => {
                    self.slots.floor = self.slots.last;
                    self.leases.set_bound(change.to.round() as usize);
                }
            }
            self.seen.least_used = self.seen.least_used.min(change.to / ceiling(&self.desk.gate));
            return true;
        }
        false
    }

    fn pause(&mut self) -> Nanos {
        if self.budget >= BUDGET.3 {
            self.budget -= BUDGET.3;
            PAUSE
        } else {
            LONG_PAUSE
        }
    }
}

struct Simulation<'a> {
    model: &'a Model,
    /// What times are counted from where a point in time is asked for: only their differences matter.
    epoch: Instant,
    keep: Keep,
    desks: Vec<At<'a>>,
    far: Slots<'a>,
    far_leases: Places,
    /// Threads that make letters.
    pool: Places,
    /// From a change's arrival at the journal to its being durable: urgent, and not.
    urgent: Nanos,
    patient: Nanos,
    lead: Nanos,
    /// Letters that come to wait for paper: when, how many.
    paper: BinaryHeap<Reverse<(Nanos, u64)>>,
    waiting: u64,
    /// When the last of those that wait came.
    waiting_since: Nanos,
    paper_free: Nanos,
    /// Share of what is delivered that goes on paper too, in millionths.
    both: u64,
    totals: Totals<'a>,
}

/// Where sums go.
struct Totals<'a> {
    reading_end: Nanos,
    looked_up: &'a mut Nanos,
    calls: &'a mut u64,
    asked_again: &'a mut u64,
    paper_end: &'a mut Nanos,
    sheets: &'a mut u64,
    bundles: &'a mut u64,
    cpu_s: &'a mut f64,
}

impl<'a> Simulation<'a> {
    /// Pass 1, and everything in its place. `None` where there is nothing to simulate with.
    fn new(model: &'a Model, keep: Keep, simulated: &'a mut Simulated) -> Option<Self> {
        let Simulated { reading_end, looked_up, calls, asked_again, desks, paper_end, sheets, bundles, cpu_s, .. } =
            simulated;
        let reading = &model.reading;
        let parallel = (model.threads as f64).min(model.cores).max(f64::MIN_POSITIVE);
        let check_s = reading.bytes as f64 * reading.check_s_per_byte;
        let release_s = reading.statements as f64 * reading.release_s_per_statement;
        // The journal's thread writes what the others have read; with one core they take turns.
        let reading_s = (check_s / parallel).max(release_s).max((check_s + release_s) / model.cores);
        *reading_end = nanos(reading.start_s + reading_s);
        *cpu_s = check_s + release_s;
        let start = *reading_end;
        let epoch = Instant::now();
        desks.resize_with(model.desks.len(), || DeskSimulated { least_used: 1.0, ..DeskSimulated::default() });
        // What a letter's thread takes when all are busy: its own time, or its share of the cores with all that runs
        // beside it.
        let pool_s = |desk: &Desk| {
            let all = desk.letter_s + desk.attempt_s + model.lookup_s + model.beside_s;
            desk.letter_s.max(all * model.threads as f64 / model.cores)
        };
        let looked_up_statements = model.looked_up().max(1);
        let at = model.desks.iter().zip(desks).map(|(desk, seen)| At {
            desk,
            slots: Slots::new(&desk.gate, start),
            arrivals: VecDeque::new(),
            later: BinaryHeap::new(),
            ahead: Places::new(desk.gate.concurrency + model.habits.letters_ahead),
            leases: Places::new(desk.gate.concurrency),
            letter: nanos(pool_s(desk)),
            latency: nanos(desk.gate.latency_s),
            unheard: VecDeque::new(),
            adapt: Adapt::new(ceiling(&desk.gate), epoch),
            retries: (desk.retries.clamp(0.0, 0.99) * MILLION as f64).round() as u64,
            budget: BUDGET.0,
            both_owed: 0,
            seen,
        });
        Some(Self {
            epoch,
            keep,
            desks: at.collect(),
            // FaR's pace begins with the process.
            far: Slots::new(&model.far, 0),
            far_leases: Places::new(model.far.concurrency),
            pool: Places::new(model.threads),
            urgent: nanos(model.urgent_s()),
            patient: nanos(model.patient_s()),
            lead: u64::try_from(model.habits.lead.as_nanos()).unwrap_or(Nanos::MAX),
            paper: BinaryHeap::new(),
            waiting: 0,
            waiting_since: start,
            paper_free: start,
            both: (model.paper.both.min(looked_up_statements) * MILLION).div_ceil(looked_up_statements),
            totals: Totals { reading_end: start, looked_up, calls, asked_again, paper_end, sheets, bundles, cpu_s },
            model,
        })
    }

    fn run(&mut self) -> Option<Nanos> {
        self.paper.push(Reverse((self.totals.reading_end, self.model.paper.at_once)));
        self.look_up()?;
        // The desk that pulls first goes first, so that the CPU pool is given work in the order of time.
        let mut pulls: Vec<Option<Nanos>> = self.desks.iter().map(At::pull).collect();
        loop {
            let first = pulls.iter().enumerate().filter_map(|(place, at)| at.map(|at| (at, place))).min();
            let full = self.bundle_full();
            match (first, full) {
                (Some((at, _)), Some(full)) if full <= at => self.bundle(full, self.model.paper.per_bundle),
                (Some((at, place)), _) => {
                    self.deliver(place, at)?;
                    if let (Some(pull), Some(desk)) = (pulls.get_mut(place), self.desks.get(place)) {
                        *pull = desk.pull();
                    }
                }
                (None, Some(full)) => self.bundle(full, self.model.paper.per_bundle),
                (None, None) => break,
            }
        }
        let desks = self.desks.iter().map(|desk| desk.seen.end).max().unwrap_or(0);
        let settled = desks.max(*self.totals.looked_up).max(self.totals.reading_end);
        // The last bundle is closed when nothing can come any more.
        while let Some(Reverse((at, count))) = self.paper.pop() {
            self.waiting += count;
            self.waiting_since = self.waiting_since.max(at);
        }
        if self.waiting > 0 {
            self.bundle(settled, self.waiting);
        }
        Some(settled.max(*self.totals.paper_end))
    }

    /// The look-up desk: calls side by side, and the next window when all of one are answered.
    fn look_up(&mut self) -> Option<()> {
        let model = self.model;
        let mut now = self.totals.reading_end;
        let mut asked = 0;
        let all = model.looked_up();
        let not_found = all.saturating_sub(model.digital());
        let mut not_found_yet = 0;
        let mut routed = vec![0; model.desks.len()];
        let mut arrivals: Vec<Vec<(Nanos, u64)>> = vec![Vec::new(); model.desks.len()];
        for window in model.questions.iter() {
            let statements: u64 = window.iter().map(|size| u64::from(*size)).sum();
            now += nanos(statements as f64 * model.lookup_s);
            *self.totals.cpu_s += statements as f64 * model.lookup_s;
            let began = now;
            for size in window.iter().filter(|size| **size > 0) {
                let call = self.far.reserve(self.far_leases.free().max(began))?;
                // The call's place is free again when its answers are in the journal.
                let done = call + nanos(model.far.latency_s) + self.urgent;
                self.far_leases.take(done);
                *self.totals.calls += 1;
                asked += u64::from(*size);
                // What each call finds is its part of what all of them find, so that the sums come out.
                let due = |of: u64| (u128::from(of) * u128::from(asked) / u128::from(all.max(1))) as u64;
                for ((desk, routed), arrivals) in model.desks.iter().zip(&mut routed).zip(&mut arrivals) {
                    let here = due(desk.statements) - *routed;
                    *routed += here;
                    if here > 0 {
                        arrivals.push((done, here));
                    }
                }
                let here = due(not_found) - not_found_yet;
                not_found_yet += here;
                if model.paper.fallback && here > 0 {
                    self.paper.push(Reverse((done, here)));
                }
                now = now.max(done);
            }
        }
        *self.totals.looked_up = now;
        for (desk, mut arrivals) in self.desks.iter_mut().zip(arrivals) {
            arrivals.sort_unstable();
            if self.keep.series {
                arrivals.iter().for_each(|(at, count)| desk.seen.series.count(*at, *count, 0));
            }
            desk.arrivals = arrivals.into();
        }
        Some(())
    }

    /// Takes one statement of a desk from its pull to its outcome.
    fn deliver(&mut self, place: usize, pulled: Nanos) -> Option<()> {
        let model = self.model;
        let desk = self.desks.get_mut(place)?;
        let answered_about = desk.take(pulled)?;
        if (pulled - answered_about) as f64 > model.lookup_max_age_s * SECOND {
            // A call of its own, and back into the queue.
            let call = self.far.reserve(self.far_leases.free().max(pulled))?;
            let answered = call + nanos(model.far.latency_s);
            self.far_leases.take(answered);
            let routed = answered + self.urgent;
            desk.ahead.take(routed);
            desk.later.push(Reverse((routed, routed)));
            *self.totals.asked_again += 1;
            return Some(());
        }
        let made = self.pool.free().max(pulled) + desk.letter;
        self.pool.take(made);
        // A slot is reserved while the intent is written; without a rate the request waits for the intent alone.
        let ahead = if desk.slots.period.is_some() { self.lead.max(self.urgent) } else { self.patient };
        let sent = loop {
            let slot = desk.slots.find(made.max(desk.leases.free()) + ahead)?;
            if !desk.heeds(self.epoch, slot) {
                break slot;
            }
        };
        desk.slots.take(sent);
        let answered = sent + desk.latency;
        if desk.seen.attempts == 0 {
            desk.seen.first = sent;
        }
        desk.seen.attempts += 1;
        let (ended, again) = (answered + self.patient, desk.asks_again());
        // What is delivered makes room as it is answered; what is tried again when that is durable.
        desk.leases.take(if again { answered + self.urgent } else { answered });
        desk.ahead.take(if again { ended } else { answered });
        if self.keep.sends {
            desk.seen.sends.push(sent);
        }
        *self.totals.cpu_s += desk.desk.letter_s + desk.desk.attempt_s;
        if desk.retries > 0 {
            desk.unheard.push_back((sent, answered, again));
        }
        if again {
            let due = ended + desk.pause();
            desk.later.push(Reverse((due, answered_about)));
            return Some(());
        }
        desk.budget = (desk.budget + BUDGET.1).min(BUDGET.2);
        desk.seen.delivered += 1;
        desk.seen.end = desk.seen.end.max(ended);
        if self.keep.series {
            desk.seen.series.count(answered, 0, 1);
        }
        desk.both_owed += self.both;
        if desk.both_owed >= MILLION {
            desk.both_owed -= MILLION;
            self.paper.push(Reverse((ended, 1)));
        }
        Some(())
    }

    /// When there are letters for a full bundle.
    fn bundle_full(&mut self) -> Option<Nanos> {
        while self.waiting < self.model.paper.per_bundle {
            let Reverse((at, count)) = self.paper.pop()?;
            self.waiting += count;
            self.waiting_since = self.waiting_since.max(at);
        }
        Some(self.waiting_since.max(self.paper_free))
    }

    /// Makes a bundle: its letters on all threads of the pool, behind what those have begun.
    fn bundle(&mut self, at: Nanos, letters: u64) {
        let parallel = (self.model.threads as f64).min(self.model.cores).max(f64::MIN_POSITIVE);
        let work_s = letters as f64 * self.model.paper.letter_s;
        let done = self.pool.free().max(at) + nanos(work_s / parallel);
        for _ in 0..if work_s > 0.0 { self.model.threads } else { 0 } {
            self.pool.take(done);
        }
        self.waiting -= letters;
        self.paper_free = done + self.urgent;
        *self.totals.paper_end = self.paper_free;
        *self.totals.sheets += letters;
        *self.totals.bundles += 1;
        *self.totals.cpu_s += work_s;
    }
}

fn period(rate: f64) -> Nanos {
    nanos(1.0 / rate).max(1)
}

/// What the most is that may be used of an operator: its rate, or where it has none its concurrency.
fn ceiling(gate: &Gate) -> f64 {
    gate.rate.unwrap_or(gate.concurrency as f64)
}

/// Numbers in their order to numbers in none (SplitMix64): chance that is the same each time.
const fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn nanos(seconds: f64) -> Nanos {
    // Beyond what fits it saturates, which is beyond any horizon.
    (seconds * SECOND).round() as Nanos
}

#[cfg(test)]
mod tests {
    use super::super::model::{Habits, Paper, Reading};
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn gate(rate: Option<f64>, concurrency: usize, latency_s: f64, opening: Opening) -> Gate {
        Gate { rate, concurrency, latency_s, opening }
    }

    fn opening() -> impl Strategy<Value = Opening> {
        let lengths = proptest::collection::vec((1u64..40, 1u64..40), 1..6);
        prop_oneof![
            2 => Just(Opening(None)),
            1 => lengths.prop_map(|lengths| {
                let (mut intervals, mut at) = (Vec::new(), 0);
                for (closed, open) in lengths {
                    intervals.push(((at + closed) * 1_000_000_000, (at + closed + open) * 1_000_000_000));
                    at += closed + open;
                }
                intervals.push(((at + 5) * 1_000_000_000, Nanos::MAX));
                Opening(Some(Arc::new(intervals)))
            })
        ]
    }

    fn any_gate() -> impl Strategy<Value = Gate> {
        (proptest::option::weighted(0.7, 1.0f64..500.0), 1usize..20, 0.0f64..0.5, opening())
            .prop_map(|(rate, concurrency, latency_s, opening)| gate(rate, concurrency, latency_s, opening))
    }

    prop_compose! {
        fn any_model()(
            far in any_gate(),
            desks in proptest::collection::vec((any_gate(), 0u64..400, 0.0f64..0.2), 1..4),
            questions in proptest::collection::vec(proptest::collection::vec(1u32..100, 1..6), 1..6),
            (cores, threads) in (0.5f64..8.0, 1usize..8),
            (at_once, both, fallback, per_bundle) in (0u64..200, 0u64..200, any::<bool>(), 1u64..300),
            max_age_s in prop_oneof![Just(86_400.0), 0.5f64..5.0],
        ) -> Model {
            let looked_up: u64 = questions.iter().flatten().map(|size| u64::from(*size)).sum();
            let wanted: u64 = desks.iter().map(|(_, statements, _)| *statements).sum::<u64>().max(1);
            let desks = desks.into_iter().enumerate().map(|(place, (gate, statements, retries))| Desk {
                name: format!("operator {place}"),
                gate,
                statements: statements * looked_up.min(wanted) / wanted,
                letter_s: 0.5e-3,
                attempt_s: 0.1e-3,
                retries,
            });
            Model {
                reading: Reading { bytes: 1_000_000, statements: looked_up + at_once, check_s_per_byte: 1e-9, release_s_per_statement: 1e-6, start_s: 0.1 },
                cores,
                threads,
                beside_s: 0.0,
                habits: Habits { letters_ahead: 16, lead: Duration::from_millis(12), lookups_together: 20_000, journal_group: Duration::from_millis(5), journal_groups: 4, journal_enough: 64 },
                journal_s: 0.001,
                lookup_s: 1e-5,
                lookup_max_age_s: max_age_s,
                far,
                desks: desks.collect(),
                paper: Paper { at_once, both: both.min(looked_up), fallback, per_bundle, letter_s: 1e-4 },
                questions: Arc::new(questions),
            }
        }
    }

    const ALL: Keep = Keep { series: true, sends: true };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Nothing is lost, everything has its time, and the same send takes the same time.
        #[test]
        fn every_statement_is_accounted_for(model in any_model()) {
            let run = simulate(&model, ALL);
            prop_assert_eq!(&run, &simulate(&model, ALL));
            let end = run.end.unwrap();
            for (desk, seen) in model.desks.iter().zip(&run.desks) {
                prop_assert_eq!(seen.delivered, desk.statements);
                prop_assert_eq!(seen.sends.len() as u64, seen.attempts);
                prop_assert!(seen.attempts >= seen.delivered && seen.end <= end);
                prop_assert_eq!(seen.series.routed.iter().sum::<u64>(), desk.statements);
                prop_assert_eq!(seen.series.delivered.iter().sum::<u64>(), desk.statements);
                // Nothing is delivered before it was routed.
                let mut waiting = 0_i64;
                for bin in 0..seen.series.routed.len().max(seen.series.delivered.len()) {
                    let at = |bins: &[u64]| bins.get(bin).copied().unwrap_or(0) as i64;
                    waiting += at(&seen.series.routed) - at(&seen.series.delivered);
                    prop_assert!(waiting >= 0);
                }
            }
            let paper = &model.paper;
            let fallback = if paper.fallback { model.looked_up() - model.digital() } else { 0 };
            prop_assert!(run.sheets >= paper.at_once + fallback);
            prop_assert!(run.sheets <= paper.at_once + fallback + model.digital());
            prop_assert!(run.sheets == 0 || run.bundles >= run.sheets.div_ceil(paper.per_bundle));
        }

        /// No window holds more than was agreed, no request starts while its operator is closed, and no more are under
        /// way than may be.
        #[test]
        fn limits_are_kept(model in any_model()) {
            let run = simulate(&model, ALL);
            for (desk, seen) in model.desks.iter().zip(&run.desks) {
                let sends = &seen.sends;
                prop_assert!(sends.is_sorted());
                if let Some(rate) = desk.gate.rate {
                    for window in [0.1, 1.0, 10.0] {
                        let most = (rate * window).floor() as usize + 2;
                        let length = nanos(window);
                        for (place, first) in sends.iter().enumerate() {
                            prop_assert!(sends.get(place + most).is_none_or(|at| at - first >= length));
                        }
                    }
                }
                if let Opening(Some(intervals)) = &desk.gate.opening {
                    for sent in sends {
                        prop_assert!(intervals.iter().any(|(opens, closes)| (*opens..*closes).contains(sent)));
                    }
                }
                let latency = nanos(desk.gate.latency_s);
                for pair in sends.windows(desk.gate.concurrency + 1) {
                    prop_assert!(pair[desk.gate.concurrency] - pair[0] >= latency);
                }
            }
        }

        /// What allows more never ends later: a higher rate by whole slots, more cores, faster answers.
        #[test]
        fn more_never_ends_later(model in any_model(), factor in 2u32..5, place: prop::sample::Index) {
            // What comes at another time when something changes is left out here: retries, old answers, a journal that
            // gathers for longer, and a request that another has overtaken and that just misses its window.
            let mut model = model;
            model.lookup_max_age_s = 1e9;
            model.habits.journal_groups = 1;
            let closed = model.clone();
            model.far.opening = Opening(None);
            for desk in &mut model.desks {
                desk.retries = 0.0;
                desk.gate.opening = Opening(None);
            }
            let end = simulate(&model, Keep::default()).end.unwrap();
            // A slot, a bundle, the journal's group before an intent and after an answer: what two grids may differ by, and
            // letters that change their order in the pool.
            let slack = |model: &Model| {
                let slot = model.desks.iter().chain([]).filter_map(|desk| desk.gate.rate).chain(model.far.rate).map(|rate| 1.0 / rate).fold(0.0, f64::max);
                let group = model.habits.journal_group.as_secs_f64() + model.journal_s;
                nanos(slot + 2.0 * group + 1e-3 * (model.threads as f64 + 1.0) + model.paper.per_bundle as f64 * model.paper.letter_s)
            };
            let allowance = slack(&model);
            prop_assert!(end <= simulate(&closed, Keep::default()).end.unwrap() + allowance, "always open");
            let mut faster = model.clone();
            let desk = place.index(faster.desks.len());
            if let Some(rate) = &mut faster.desks[desk].gate.rate {
                *rate *= f64::from(factor);
            }
            prop_assert!(simulate(&faster, Keep::default()).end.unwrap() <= end + allowance);
            let mut wider = model.clone();
            wider.desks.iter_mut().for_each(|desk| desk.gate.rate = None);
            wider.far.rate = None;
            prop_assert!(simulate(&wider, Keep::default()).end.unwrap() <= end + allowance);
            let mut stronger = model.clone();
            stronger.cores *= f64::from(factor);
            prop_assert!(simulate(&stronger, Keep::default()).end.unwrap() <= end + allowance);
            prop_assert!(simulate(&model.clone().with_latency(0.5), Keep::default()).end.unwrap() <= end + allowance);
        }
    }

    /// An operator that pushes much back is asked for less, as a send asks it for less, until that is seen not to help; one
    /// that pushes little back is not.
    #[test]
    fn push_back_slows_as_it_slows_a_send() {
        let with = |rate: Option<f64>, retries: f64| {
            let mut model = one_desk(Opening(None), 5000);
            for desk in &mut model.desks {
                (desk.gate.rate, desk.retries, desk.gate.latency_s) = (rate, retries, 0.05);
            }
            let run = simulate(&model, ALL);
            let last = run.desks[0].sends.last().unwrap() / 1_000_000_000;
            (run.desks[0].least_used, run.desks[0].attempts as f64 / last as f64)
        };
        assert_eq!(with(Some(50.0), 0.0).0, 1.0);
        assert!(with(Some(50.0), 0.005).0 > 0.85);
        // The share does not follow the rate: a lower one is tried, and given up.
        for share in [0.1, 0.2, 0.3] {
            for rate in [Some(50.0), None] {
                let (least, per_s) = with(rate, share);
                let whole = with(rate, 0.0).1;
                assert!(least < 1.0 - share * 0.8 && least > 0.2, "{rate:?} {share}: {least}");
                // The last retries wait long, their budget being used up.
                assert!(per_s > 0.3 * whole && per_s < 0.999 * whole, "{rate:?} {share}: {per_s} of {whole}");
            }
        }
    }

    #[test]
    fn a_gateway_that_never_opens_again_has_no_end() {
        let mut model = one_desk(Opening(Some(Arc::new(vec![(0, 1_000_000_000)]))), 100);
        let run = simulate(&model, ALL);
        assert_eq!(run.end, None);
        assert_eq!(run.desks[0].delivered, 9, "slots 0.1 s to 0.9 s");
        model.desks[0].gate.opening = Opening(None);
        assert_eq!(simulate(&model, ALL).end, Some(10_000_000_000), "a hundred slots at ten a second");
    }

    /// A send to one operator at ten a second, with nothing else that takes time.
    fn one_desk(opening: Opening, statements: u64) -> Model {
        let desk = Desk {
            name: "operator".into(),
            gate: gate(Some(10.0), 4, 0.0, opening),
            statements,
            letter_s: 0.0,
            attempt_s: 0.0,
            retries: 0.0,
        };
        Model {
            reading: Reading {
                bytes: 0,
                statements,
                check_s_per_byte: 0.0,
                release_s_per_statement: 0.0,
                start_s: 0.0,
            },
            cores: 2.0,
            threads: 2,
            beside_s: 0.0,
            habits: Habits {
                letters_ahead: 16,
                lead: Duration::ZERO,
                lookups_together: 20_000,
                journal_group: Duration::ZERO,
                journal_groups: 4,
                journal_enough: 64,
            },
            journal_s: 0.0,
            lookup_s: 0.0,
            lookup_max_age_s: 86_400.0,
            far: gate(None, 4, 0.0, Opening(None)),
            desks: vec![desk],
            paper: Paper { at_once: 0, both: 0, fallback: true, per_bundle: 500, letter_s: 0.0 },
            questions: Arc::new(vec![vec![statements as u32]]),
        }
    }
}
