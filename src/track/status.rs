//! Where a run is now, and when it will have ended.
//!
//! In: the journal's sums, not its rows, so that asking is cheap at any size. Out: [`Status`], which serialises to the JSON
//! of `testdata/schemas/status.json`; what is expected comes from [`super::outlook`].

use super::checkpoint::Checkpoint;
use super::control::{self, Standing};
use super::error::TrackError;
use super::journal::{Event, JournalReader, PURGED, Phase, Tempo};
use super::outlook;
use super::pulse::Waiting;
use super::report::{InDoubt, Late, awaits_acceptance, late};
use crate::domain::{Outcome, Reason};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Over how many seconds rates are measured.
const MINUTE_S: i64 = 60;
/// A pulse that is older tells nothing of now.
const STALE_S: i64 = 60;

/// A run at this moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
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
    /// Which they are, ascending by ordinal.
    pub doubts: Vec<InDoubt>,
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
    /// When everything will have been looked up; `null` where nothing tells, or nothing waits for it.
    pub look_ups_end: Option<Timestamp>,
    /// What holds look-ups up, in words.
    pub look_ups_limited_by: Option<String>,
    /// When everything must have left.
    pub deadline: Option<Timestamp>,
    /// What has left after that; `null` where nothing has.
    pub late: Option<Late>,
    /// Whether it will hold, or has; `null` where nothing tells.
    pub deadline_holds: Option<bool>,
    /// Seconds from the expected end to the deadline, negative where it will not hold; `null` where nothing tells.
    pub margin_s: Option<f64>,
    /// Orders that stand, oldest first, in words.
    pub orders: Vec<String>,
    /// The latest events.
    pub events: Vec<Event>,
}

/// One operator at this moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
    /// When that will be, its delivery windows counted in.
    pub expected_end: Option<Timestamp>,
    /// What holds it up, in words; `null` where nothing does, or nothing tells.
    pub limited_by: Option<String>,
    /// The rate in force: agreed, ordered, or what it takes without pushing back; `null`: unlimited, or nothing tells.
    pub limit_per_s: Option<f64>,
    /// Requests that may be under way at once; 0 where nothing tells.
    pub concurrency: u64,
    /// Somebody ordered a pause.
    pub paused: bool,
    /// Its delivery window is closed until then.
    pub closed_until: Option<Timestamp>,
    /// Its delivery windows, or `always`; `null` where nothing tells.
    pub windows: Option<String>,
    /// How many statements waited where, on average over the last seconds; `null` where nothing tells.
    pub waiting: Option<Waiting>,
    /// Its queue is stopped: it refuses our credentials.
    pub stopped: bool,
}

impl Status {
    /// Asks a run where it is. *Errors*: no run there, another format, storage. *Cost*: milliseconds after release.
    pub fn read(run: &Path) -> Result<Self, TrackError> {
        let reader = JournalReader::open(run)?;
        let running = reader.is_running();
        let standing = Standing::of(&control::read(run)?);
        let mut status = reader.at_once(|reader| Self::of(reader, running, &standing, Timestamp::now()))?;
        status.orders = standing.orders().into_iter().map(|order| order.told(&reader.header().operators)).collect();
        Ok(status)
    }

    fn of(reader: &JournalReader, running: bool, standing: &Standing, now: Timestamp) -> Result<Self, TrackError> {
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
                stopped: queue.stopped,
                ..OperatorStatus::default()
            }
        });
        let mut operators: Vec<_> = operators.collect();
        let pulse = if running { reader.pulse()? } else { None };
        let pulse = pulse.filter(|pulse| now.as_second() - pulse.at.as_second() <= STALE_S);
        let seen = outlook::outlook(&mut operators, tally.look_up, tally.paper, pulse.as_ref(), standing, now);
        // What nobody is at has no end.
        for of in operators.iter_mut().filter(|_| !running) {
            (of.expected_end, of.left_s) = (None, None);
        }
        let pending = counts.of(Outcome::Pending);
        let expected_end = seen.end.filter(|end| running && pending > 0 && *end > now);
        let margin_s =
            header.deadline.zip(expected_end).map(|(deadline, end)| deadline.duration_since(end).as_secs_f64());
        let late = late(reader)?;
        let deadline_holds = match (header.deadline, expected_end) {
            _ if late.is_some() => Some(false),
            (Some(deadline), _) if pending > 0 && now > deadline => Some(false),
            (Some(deadline), Some(end)) => Some(end <= deadline),
            _ => None,
        };
        Ok(Self {
            run: header.run_id.clone(),
            phase,
            running,
            purged: reader.events_of(PURGED)? > 0,
            awaits_acceptance: awaits_acceptance(reader, phase, running)?,
            created: header.created,
            statements: reader.statements()?.unwrap_or_else(|| counts.statements()),
            outcomes: Outcome::ALL.iter().map(|outcome| (outcome.as_str(), counts.of(*outcome))).collect(),
            checkpoint: reader.checkpoint()?,
            in_flight: if running { in_flight } else { 0 },
            in_doubt: counts.of(Outcome::InDoubt),
            doubts: InDoubt::all(reader, running)?,
            waits_for_look_up: tally.look_up,
            waits_for_paper: tally.paper,
            ended_per_s: per_s(&|row| row.delivered + row.other),
            delivered_per_s: per_s(&|row| if row.operator >= 0 { row.delivered } else { 0 }),
            expected_end,
            limited_by: seen.limited_by.filter(|_| running && pending > 0),
            look_ups_end: seen.look_ups_end.filter(|_| running),
            look_ups_limited_by: seen.look_ups_limited_by.filter(|_| running),
            margin_s,
            operators,
            deadline: header.deadline,
            late,
            deadline_holds,
            orders: Vec::new(),
            events: reader.events(10)?,
        })
    }
}
