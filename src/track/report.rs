//! The numbers of a run, counted from the rows of its journal.
//!
//! In: a [`JournalReader`], while the run goes on or after. Out: [`Report`], which serialises to the JSON that scripts
//! rely on (`testdata/schemas/report.json`). Every statement is counted in exactly one outcome; the sum is held against
//! the exports' count and against the journal's own sums. No personal data comes in here.

use super::control::CONTROL_EVENT;
use super::error::TrackError;
use super::halves::{Digital, OnPaper};
use super::journal::{BundleSeen, Counts, Event, InDoubtSeen, JournalReader, PURGED, Phase, STARTED};
use crate::domain::{Outcome, Reason};
use crate::error::Exit;
use crate::watch::Handshakes;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Most points of a throughput plot: one for every three pixels of its width.
const POINTS: i64 = 240;

/// Most audit lines in a report; the journal has them all.
const AUDITED: usize = 1000;

/// Kind of the event that so much is wrong with the exports that nothing is sent.
pub const AWAITS_ACCEPTANCE: &str = "awaits_acceptance";

/// A whole run in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Id of the run.
    pub run: String,
    /// How far it is.
    pub phase: Phase,
    /// A process is at it now.
    pub running: bool,
    /// A person decided that nothing more of it is sent.
    pub purged: bool,
    /// So much is wrong with the exports that nothing is sent until a person has looked, and accepts it.
    pub awaits_acceptance: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When the last thing happened; `null` before anything has.
    pub last: Option<Timestamp>,
    /// From the first to the last.
    pub duration_s: f64,
    /// When everything must have left.
    pub deadline: Option<Timestamp>,
    /// What left after that; `null` where nothing did.
    pub late: Option<Late>,
    /// Statements in the exports.
    pub statements: u64,
    /// How many have which outcome; all twelve are here.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// The outcomes sum to the statements, and the journal's own sums agree.
    pub balanced: bool,
    /// Outcomes with their reasons, most frequent first.
    pub reasons: Vec<ReasonCount>,
    /// By form; `unknown` where it could not be read.
    pub by_form: BTreeMap<String, Part>,
    /// By uppgiftslämnare; private ones are masked, `unknown` where it could not be read.
    pub by_employer: BTreeMap<String, Part>,
    /// By operator, for statements that went to one or wait there.
    pub by_operator: BTreeMap<String, OperatorPart>,
    /// By channel; a statement that goes both ways is in both.
    pub by_channel: Channels,
    /// Requests whose fate is not known.
    pub in_doubt: Vec<InDoubt>,
    /// Requests that left or were about to.
    pub requests: u64,
    /// Attempts that were surely not accepted, and were tried again or given up.
    pub retries: u64,
    /// TLS handshakes by the gateway's name, of the processes that came to an orderly end.
    pub handshakes: BTreeMap<String, Handshakes>,
    /// Requests that were sent again although an earlier one may have arrived, by policy or by order: each may have given
    /// its recipient the message twice.
    pub sent_again: u64,
    /// How fast it went.
    pub rates: Rates,
    /// What ended when.
    pub throughput: Throughput,
    /// What people ordered and settled, and how gateways changed the pace: the last [`AUDITED`].
    pub audit: Vec<Event>,
    /// Print bundles.
    pub bundles: Vec<BundleSeen>,
    #[serde(skip)]
    counts: Counts,
}

/// Letters that left after the deadline, print bundles counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Late {
    /// How many.
    pub letters: u64,
    /// Seconds from the deadline to the last of them.
    pub by_s: i64,
}

/// How many statements have an outcome for a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// The outcome.
    pub outcome: &'static str,
    /// Why.
    pub reason: &'static str,
    /// How many.
    pub statements: u64,
}

/// A part of the statements.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// How many.
    pub statements: u64,
    /// By outcome; those that none has are not here.
    pub outcomes: BTreeMap<&'static str, u64>,
}

/// The statements of one operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OperatorPart {
    /// Its name.
    pub name: String,
    /// Agreed rate in requests a second; `null`: unlimited.
    pub rate_per_s: Option<f64>,
    /// Its statements.
    #[serde(flatten)]
    pub part: Part,
}

/// What became of the two halves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Channels {
    /// The digital halves.
    pub digital: BTreeMap<&'static str, u64>,
    /// The paper halves.
    pub paper: BTreeMap<&'static str, u64>,
}

/// A request whose fate is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InDoubt {
    /// Which statement.
    pub ordinal: u64,
    /// Where it was sent.
    pub operator: String,
    /// The operator's name.
    pub operator_name: String,
    /// Id of the message, which the operator can look for.
    pub message_id: String,
    /// Which attempt; above 1, earlier ones may have arrived too.
    pub attempt: u32,
    /// When it was about to be sent.
    pub at: Timestamp,
    /// Why its fate is not known.
    pub reason: &'static str,
}

impl InDoubt {
    /// All of a run, ascending by ordinal; where no process has it, what was under way when it ended too.
    pub(super) fn all(reader: &JournalReader, running: bool) -> Result<Vec<Self>, TrackError> {
        let operators = &reader.header().operators;
        let of = |seen: InDoubtSeen| {
            let operator = operators.get(usize::from(seen.operator));
            Self {
                ordinal: seen.ordinal,
                operator: operator.map_or_else(String::new, |of| of.id.clone()),
                operator_name: operator.map_or_else(String::new, |of| of.name.clone()),
                message_id: seen.message_id.to_string(),
                attempt: seen.attempt,
                at: seen.at,
                reason: seen.reason.as_str(),
            }
        };
        Ok(reader.in_doubt(running)?.into_iter().map(of).collect())
    }
}

/// How fast a run went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Letters delivered a second, from the first to the last outcome of pass 2.
    pub delivered_per_s: f64,
    /// Statements that ended a second, likewise.
    pub ended_per_s: f64,
    /// The most letters delivered a second over a whole minute of the clock.
    pub best_minute_per_s: f64,
}

impl Rates {
    /// The best minute in words, where there is one to tell: a run that filled no minute of the clock has less in each than
    /// its average would give.
    pub fn best_minute_in_words(&self) -> Option<String> {
        let is_one = self.best_minute_per_s > 0.0 && self.best_minute_per_s >= self.delivered_per_s;
        is_one.then(|| format!("best minute {:.1} letters/s", self.best_minute_per_s))
    }
}

/// What ended when.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Throughput {
    /// Start of the first bucket; `null` where nothing has ended.
    pub start: Option<Timestamp>,
    /// Width of a bucket in seconds.
    pub bucket_s: u64,
    /// One for each operator and one for paper, where there is something.
    pub series: Vec<Series>,
}

/// One line of the plot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Series {
    /// The operator's name, or `paper`.
    pub name: String,
    /// Letters in each bucket.
    pub letters: Vec<u64>,
}

impl Report {
    /// Counts a run.
    ///
    /// *Errors*: no run there, another format, storage. *Cost*: reads the whole journal, about a second a million.
    pub fn read(run: &Path) -> Result<Self, TrackError> {
        let reader = JournalReader::open(run)?;
        // Before the moment that is reported: a run that ends in between has nothing under way in it.
        let running = reader.is_running();
        reader.at_once(|reader| Self::of(reader, running))
    }

    fn of(reader: &JournalReader, running: bool) -> Result<Self, TrackError> {
        let header = reader.header();
        let phase = reader.phase()?;
        let employers = reader.employers()?;
        let mut rows = Rows::default();
        reader.statements_seen(&mut |seen| rows.add(seen, running))?;
        let statements = reader.statements()?.unwrap_or(rows.statements);
        let sum: u64 = rows.counts.statements();
        let balanced = statements == sum && (phase == Phase::Intake || same_outcomes(&rows.by_rows, &reader.counts()?));
        let name = |number: Option<usize>| {
            number.and_then(|number| employers.get(number)).cloned().unwrap_or_else(|| "unknown".into())
        };
        let in_doubt = InDoubt::all(reader, running)?;
        let mut reasons: Vec<_> = rows
            .counts
            .by
            .iter()
            .map(|((outcome, reason), statements)| ReasonCount {
                outcome: outcome.as_str(),
                reason: reason.as_str(),
                statements: *statements,
            })
            .collect();
        reasons.sort_by_key(|of| (std::cmp::Reverse(of.statements), of.outcome, of.reason));
        let attempts = reader.attempts()?;
        let (rates, throughput, last_end) = tempo(reader)?;
        let last_event = reader.events(1)?.last().map(|event| event.at);
        let last = last_end.into_iter().chain(last_event).max();
        let until = if running { Some(Timestamp::now()) } else { last };
        Ok(Self {
            run: header.run_id.clone(),
            phase,
            running,
            purged: reader.events_of(PURGED)? > 0,
            awaits_acceptance: awaits_acceptance(reader, phase, running)?,
            created: header.created,
            last,
            duration_s: until.map_or(0.0, |until| (until - header.created).as_secs_f64()),
            deadline: header.deadline,
            late: late(reader)?,
            statements,
            outcomes: Outcome::ALL.iter().map(|outcome| (outcome.as_str(), rows.counts.of(*outcome))).collect(),
            balanced,
            reasons,
            by_form: rows
                .forms
                .into_iter()
                .map(|(form, part)| (form.map_or_else(|| "unknown".into(), |form| form.element().to_owned()), part))
                .collect(),
            by_employer: rows.employers.into_iter().map(|(number, part)| (name(number), part)).collect(),
            by_operator: header
                .operators
                .iter()
                .enumerate()
                .map(|(place, of)| {
                    let part = rows.operators.remove(&(place as u16)).unwrap_or_default();
                    (of.id.clone(), OperatorPart { name: of.name.clone(), rate_per_s: of.rate_per_s, part })
                })
                .collect(),
            by_channel: rows.channels,
            in_doubt,
            requests: attempts.intended,
            retries: attempts.not_accepted,
            handshakes: reader.handshakes()?,
            sent_again: attempts.sent_again,
            rates,
            throughput,
            audit: reader.events_among(
                &[
                    CONTROL_EVENT,
                    "settled",
                    "not_sent_again",
                    AWAITS_ACCEPTANCE,
                    PURGED,
                    "staged_again",
                    "pace",
                    "operator_asks_to_wait",
                ],
                AUDITED,
            )?,
            bundles: reader.bundles()?,
            counts: rows.counts,
        })
    }

    /// How many have which outcome for which reason.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The exit code of a command that reports it: as [`super::exit`]; 2 while the run is not finished, and 1 where it never
    /// will be, since it is purged, or not before a person has looked at it; 74 where it does not balance.
    pub fn exit(&self) -> Exit {
        if !self.balanced {
            Exit::Storage
        } else if self.phase == Phase::Finished {
            super::exit(&self.counts)
        } else if self.purged || self.awaits_acceptance {
            Exit::LookAt
        } else {
            Exit::Pending
        }
    }
}

/// Whether the last process ended since so much is wrong with the exports that nothing is sent.
pub(super) fn awaits_acceptance(reader: &JournalReader, phase: Phase, running: bool) -> Result<bool, TrackError> {
    if running || phase != Phase::Intake {
        return Ok(false);
    }
    let last = reader.events_among(&[STARTED, AWAITS_ACCEPTANCE], 1)?;
    Ok(last.first().is_some_and(|event| event.kind == AWAITS_ACCEPTANCE))
}

/// By the seconds in which letters were delivered or bundled: what a person settles later has no part in it.
pub(super) fn late(reader: &JournalReader) -> Result<Option<Late>, TrackError> {
    let Some(deadline) = reader.header().deadline.map(Timestamp::as_second) else { return Ok(None) };
    let mut late = None;
    for row in reader.tempo(deadline + 1)?.iter().filter(|row| row.delivered > 0) {
        let Late { letters, by_s } = late.get_or_insert(Late { letters: 0, by_s: 0 });
        *letters += row.delivered;
        *by_s = row.second - deadline;
    }
    Ok(late)
}

/// What is counted while the rows go by.
#[derive(Default)]
struct Rows {
    statements: u64,
    counts: Counts,
    /// As the journal's sums have it: what is under way is pending, whether or not a process is at it.
    by_rows: Counts,
    forms: BTreeMap<Option<crate::domain::Form>, Part>,
    employers: BTreeMap<Option<usize>, Part>,
    operators: BTreeMap<u16, Part>,
    channels: Channels,
}

impl Rows {
    fn add(&mut self, seen: super::Seen, running: bool) {
        self.statements += 1;
        *self.by_rows.by.entry((seen.outcome, seen.reason)).or_default() += 1;
        // Nobody waits for its answer any more.
        let lost = seen.under_way && !running;
        let digital = if lost { seen.left() } else { seen.digital };
        let (outcome, reason) = match lost {
            true => super::halves::outcome(digital, seen.paper),
            false => (seen.outcome, seen.reason),
        };
        *self.counts.by.entry((outcome, reason)).or_default() += 1;
        let count = |part: &mut Part| {
            part.statements += 1;
            *part.outcomes.entry(outcome.as_str()).or_default() += 1;
        };
        count(self.forms.entry(seen.form).or_default());
        count(self.employers.entry(seen.employer).or_default());
        if let Some(operator) = seen.operator {
            count(self.operators.entry(operator).or_default());
        }
        let digital = match digital {
            Digital::Off => None,
            Digital::Waiting => Some("pending"),
            Digital::Unreachable(_) => Some("unreachable"),
            Digital::Delivered => Some("delivered"),
            Digital::Failed(_) => Some("failed"),
            Digital::InDoubt(_) => Some("in_doubt"),
            Digital::Held(_) => Some("held"),
        };
        let paper = match seen.paper {
            OnPaper::Off => None,
            OnPaper::Fallback if !matches!(seen.digital, Digital::Unreachable(_)) => None,
            OnPaper::Waiting | OnPaper::Fallback => Some("pending"),
            OnPaper::Bundled => Some("bundled"),
            OnPaper::Held(_) => Some("held"),
            OnPaper::Failed(_) => Some("failed"),
        };
        for (half, counts) in [(digital, &mut self.channels.digital), (paper, &mut self.channels.paper)] {
            if let Some(half) = half {
                *counts.entry(half).or_default() += 1;
            }
        }
    }
}

/// Reasons of what is pending are not among the journal's sums: they change with every look-up and stop.
fn same_outcomes(rows: &Counts, sums: &Counts) -> bool {
    let settled = |counts: &Counts| -> BTreeMap<_, u64> {
        let mut by = BTreeMap::new();
        for ((outcome, reason), count) in &counts.by {
            let reason = if *outcome == Outcome::Pending { Reason::NotYet } else { *reason };
            *by.entry((*outcome, reason)).or_default() += count;
        }
        by
    };
    settled(rows) == settled(sums)
}

fn tempo(reader: &JournalReader) -> Result<(Rates, Throughput, Option<Timestamp>), TrackError> {
    let Some((first, last)) = reader.tempo_span()? else { return Ok(Default::default()) };
    let span_s = last - first + 1;
    let bucket_s = (span_s + POINTS - 1) / POINTS;
    let names = reader.header().operators.iter().map(|of| of.name.clone()).chain(["paper".into()]);
    let buckets = ((span_s + bucket_s - 1) / bucket_s) as usize;
    let mut series: Vec<_> = names.map(|name| Series { name, letters: vec![0; buckets] }).collect();
    let paper = series.len() - 1;
    let (mut delivered, mut ended) = (0, 0);
    for row in reader.tempo_buckets(first, bucket_s)? {
        ended += row.delivered + row.other;
        let line = if row.operator == -2 { paper } else { row.operator as usize };
        if row.operator >= 0 {
            delivered += row.delivered;
        }
        if let Some(count) = series.get_mut(line).and_then(|line| line.letters.get_mut(row.second as usize)) {
            *count += row.delivered;
        }
    }
    series.retain(|line| line.letters.iter().any(|count| *count > 0));
    let rates = Rates {
        delivered_per_s: delivered as f64 / span_s as f64,
        ended_per_s: ended as f64 / span_s as f64,
        best_minute_per_s: reader.best_minute()? as f64 / 60.0,
    };
    let moment = |second| Timestamp::from_second(second).ok();
    Ok((rates, Throughput { start: moment(first), bucket_s: bucket_s as u64, series }, moment(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_best_minute_is_never_below_the_average() {
        let told = |delivered_per_s, best_minute_per_s| {
            Rates { delivered_per_s, ended_per_s: delivered_per_s, best_minute_per_s }.best_minute_in_words()
        };
        assert_eq!(told(2.0, 3.25).as_deref(), Some("best minute 3.2 letters/s"));
        assert_eq!(told(2.0, 2.0).as_deref(), Some("best minute 2.0 letters/s"));
        assert_eq!(told(20.0, 3.0), None);
        assert_eq!(told(0.0, 0.0), None);
    }
}
