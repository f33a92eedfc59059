//! Where a run is now, and when it will have ended.
//!
//! In: the journal's sums, not its rows, so that asking is cheap at any size. Out: [`Status`], which serialises to the JSON
//! of `testdata/schemas/status.json`. The time left comes from the limits that hold, not from history alone: what waits
//! at an operator over the lesser of its agreed rate and what it has lately done.

use super::checkpoint::Checkpoint;
use super::error::TrackError;
use super::journal::{Event, JournalReader, Phase, Tempo};
use crate::domain::{Outcome, Reason};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Over how many seconds rates are measured.
const MINUTE_S: i64 = 60;

/// A run at this moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Id of the run.
    pub run: String,
    /// How far it is.
    pub phase: Phase,
    /// A process is at it now.
    pub running: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Statements read so far, and after release those of the exports.
    pub statements: u64,
    /// How many have which outcome; all twelve are here. What a killed process left under way is in doubt.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// A contiguous prefix and what ended beyond it.
    pub checkpoint: Checkpoint,
    /// Requests under way.
    pub in_flight: u64,
    /// Requests whose fate is not known.
    pub in_doubt: u64,
    /// Statements that wait for their look-up.
    pub waits_for_look_up: u64,
    /// Statements that wait for a print bundle.
    pub waits_for_paper: u64,
    /// Statements that ended in the last minute, a second.
    pub ended_per_s: f64,
    /// Letters delivered in the last minute, a second.
    pub delivered_per_s: f64,
    /// The operators.
    pub operators: Vec<OperatorStatus>,
    /// When it will have ended; `null` where nothing tells.
    pub expected_end: Option<Timestamp>,
    /// What sets that time, in words.
    pub limited_by: Option<String>,
    /// When everything must have left.
    pub deadline: Option<Timestamp>,
    /// Whether it will hold; `null` where nothing tells.
    pub deadline_holds: Option<bool>,
    /// The latest events.
    pub events: Vec<Event>,
}

/// One operator at this moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperatorStatus {
    /// Its organisation number.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Agreed rate in requests a second; `null`: unlimited.
    pub rate_per_s: Option<f64>,
    /// Statements that wait there.
    pub queued: u64,
    /// Requests under way.
    pub in_flight: u64,
    /// Letters delivered.
    pub delivered: u64,
    /// Refused for good or given up.
    pub failed: u64,
    /// In doubt.
    pub in_doubt: u64,
    /// Letters delivered in the last minute, a second.
    pub delivered_per_s: f64,
    /// Seconds until its queue is empty; `null` where nothing tells.
    pub left_s: Option<f64>,
    /// Its queue is stopped: it refuses our credentials.
    pub stopped: bool,
}

impl Status {
    /// Asks a run where it is. *Errors*: no run there, another format, storage. *Cost*: milliseconds after release.
    pub fn read(run: &Path) -> Result<Self, TrackError> {
        let reader = JournalReader::open(run)?;
        let running = reader.is_running();
        reader.at_once(|reader| Self::of(reader, running, Timestamp::now()))
    }

    fn of(reader: &JournalReader, running: bool, now: Timestamp) -> Result<Self, TrackError> {
        let header = reader.header();
        let phase = reader.phase()?;
        let tally = reader.tally()?;
        let mut counts = reader.counts()?;
        let in_flight: u64 = tally.operators.iter().map(|of| of.under_way).sum();
        if !running && in_flight > 0 {
            // Nobody waits for these answers any more.
            if let Some(pending) = counts.by.get_mut(&(Outcome::Pending, Reason::NotYet)) {
                *pending = pending.saturating_sub(in_flight);
            }
            *counts.by.entry((Outcome::InDoubt, Reason::Interrupted)).or_default() += in_flight;
        }
        let lately = if running { reader.tempo(now.as_second() - MINUTE_S)? } else { Vec::new() };
        // A run that started a moment ago is measured over its own time.
        let measured_s =
            lately.first().map_or(MINUTE_S, |first| now.as_second() - first.second).clamp(1, MINUTE_S) as f64;
        let per_s = |count: &dyn Fn(&Tempo) -> u64| lately.iter().map(count).sum::<u64>() as f64 / measured_s;
        let of = |outcome: Outcome, operator: u16| {
            let same = |(of, _, at): &&(Outcome, Reason, Option<u16>)| *of == outcome && *at == Some(operator);
            tally.outcomes.keys().filter(same).filter_map(|key| tally.outcomes.get(key)).sum::<u64>()
        };
        let operators = header.operators.iter().zip(&tally.operators).enumerate().map(|(place, (known, queue))| {
            let number = place as u16;
            let delivered_per_s = per_s(&|row| if row.operator == i64::from(number) { row.delivered } else { 0 });
            OperatorStatus {
                id: known.id.clone(),
                name: known.name.clone(),
                rate_per_s: known.rate_per_s,
                queued: queue.queued,
                in_flight: if running { queue.under_way } else { 0 },
                delivered: of(Outcome::Delivered, number) + of(Outcome::DeliveredAndPaper, number),
                failed: of(Outcome::Failed, number),
                in_doubt: of(Outcome::InDoubt, number) + if running { 0 } else { queue.under_way },
                delivered_per_s,
                left_s: None,
                stopped: queue.stopped,
            }
        });
        let mut operators: Vec<_> = operators.collect();
        share_out(&mut operators, tally.look_up);
        let pending = counts.of(Outcome::Pending);
        let left = operators.iter().max_by(|one, two| one.left_s.unwrap_or(0.0).total_cmp(&two.left_s.unwrap_or(0.0)));
        let known = running && pending > 0 && operators.iter().all(|of| of.left_s.is_some());
        let end = left.and_then(|of| of.left_s).filter(|left_s| known && *left_s > 0.0);
        let expected_end = end.and_then(|left_s| now.checked_add(SignedDuration::try_from_secs_f64(left_s).ok()?).ok());
        let deadline_holds = match (header.deadline, expected_end) {
            (Some(deadline), _) if pending > 0 && now > deadline => Some(false),
            (Some(deadline), Some(end)) => Some(end <= deadline),
            _ => None,
        };
        Ok(Self {
            run: header.run_id.clone(),
            phase,
            running,
            created: header.created,
            statements: reader.statements()?.unwrap_or_else(|| counts.statements()),
            outcomes: Outcome::ALL.iter().map(|outcome| (outcome.as_str(), counts.of(*outcome))).collect(),
            checkpoint: reader.checkpoint()?,
            in_flight: if running { in_flight } else { 0 },
            in_doubt: counts.of(Outcome::InDoubt),
            waits_for_look_up: tally.look_up,
            waits_for_paper: tally.paper,
            ended_per_s: per_s(&|row| row.delivered + row.other),
            delivered_per_s: per_s(&|row| if row.operator >= 0 { row.delivered } else { 0 }),
            expected_end,
            limited_by: limit(&operators, left, tally.look_up, tally.paper).filter(|_| running && pending > 0),
            operators,
            deadline: header.deadline,
            deadline_holds,
            events: reader.events(10)?,
        })
    }
}

/// How long each operator needs, given that what waits for its look-up will spread as what has been looked up.
fn share_out(operators: &mut [OperatorStatus], look_up: u64) {
    let had = |of: &OperatorStatus| of.queued + of.in_flight + of.delivered + of.failed + of.in_doubt;
    let all: u64 = operators.iter().map(had).sum();
    for of in operators {
        let to_come = if all == 0 { 0.0 } else { look_up as f64 * had(of) as f64 / all as f64 };
        let left = (of.queued + of.in_flight) as f64 + to_come;
        let measured = Some(of.delivered_per_s).filter(|rate| *rate > 0.0);
        let rate = match (of.rate_per_s, measured) {
            (Some(agreed), Some(measured)) => Some(agreed.min(measured)),
            (agreed, measured) => agreed.or(measured),
        };
        of.left_s = match rate {
            _ if left == 0.0 => Some(0.0),
            _ if of.stopped => None,
            Some(rate) => Some(left / rate),
            None => None,
        };
    }
}

fn limit(operators: &[OperatorStatus], slowest: Option<&OperatorStatus>, look_up: u64, paper: u64) -> Option<String> {
    if let Some(stopped) = operators.iter().find(|of| of.stopped) {
        return Some(format!("{} refuses our credentials; its queue is stopped", stopped.name));
    }
    let slowest = slowest.filter(|of| of.queued + of.in_flight > 0);
    match slowest {
        Some(of) => Some(match of.rate_per_s {
            // Within a twentieth of the agreed rate: the agreement is what limits.
            Some(agreed) if of.delivered_per_s >= agreed * 0.95 => format!("{}'s agreed rate of {agreed}/s", of.name),
            _ => format!("{}, which takes {:.1}/s", of.name, of.delivered_per_s),
        }),
        None if look_up > 0 => Some("look-ups in FaR".into()),
        None if paper > 0 => Some("print bundles".into()),
        None => None,
    }
}
