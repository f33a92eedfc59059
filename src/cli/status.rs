//! `status`: where a run is now, and when it will have ended.

use super::print;
use super::report::{as_json, grouped, missed, moment, spaced};
use crate::error::{Exit, Result};
use crate::track::{OperatorStatus, Phase, Status as Now};
use clap::Args;
use std::fmt::Write;
use std::path::PathBuf;

/// Most statements in doubt that the text lists.
const DOUBTS: usize = 20;

/// Say where a run is now
///
/// Counts by outcome, each operator's queue, rates over the last minute, what is under way and in doubt, when the run will
/// have ended, and whether the deadline holds. Works while the run goes on, and after.
///
/// Exit code 0: it could be read, whatever it says.
#[derive(Debug, Args)]
pub struct Status {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    run: PathBuf,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub(super) fn run(self) -> Result<Exit> {
        let now = Now::read(&self.run)?;
        if self.json {
            print(&format!("{}\n", as_json(&now)?))?;
        } else {
            print(&text(&now))?;
        }
        Ok(Exit::Done)
    }
}

/// The rate in force, and the agreed one where it is another.
fn limit(of: &OperatorStatus) -> String {
    let agreed = of.rate_per_s.map_or_else(|| "unlimited".into(), |rate| rate.to_string());
    match of.limit_per_s {
        Some(limit) if of.rate_per_s != Some(limit) => format!("{limit:.2} of {agreed}"),
        _ => agreed,
    }
}

fn margin(now: &Now) -> String {
    let Some(margin_s) = now.margin_s else { return String::new() };
    let minutes = (margin_s.abs() / 60.0).round() as u64;
    let side = if margin_s < 0.0 { "too late" } else { "to spare" };
    format!(", {} h {:02} min {side}", minutes / 60, minutes % 60)
}

fn text(now: &Now) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, now);
    out
}

fn write_text(out: &mut String, now: &Now) -> std::fmt::Result {
    let state = match (now.running, now.phase) {
        (true, _) => "a process is at it",
        (false, Phase::Finished) => "nothing waits",
        (false, _) if now.purged => {
            "purged: nothing more of it is sent, and what waits or was not delivered goes with a new run of the export"
        }
        (false, _) if now.awaits_acceptance => {
            "nothing is sent until a person has looked at the findings: `utskick resume --accept-rejects` goes on"
        }
        (false, _) => "no process is at it: `utskick resume` goes on with it",
    };
    writeln!(out, "Run {}: {}, {state}", now.run, now.phase)?;
    writeln!(
        out,
        "{} of {} ended; all through ordinal {}, and {} beyond",
        grouped(now.checkpoint.ended()),
        grouped(now.statements),
        grouped(now.checkpoint.through),
        grouped(now.checkpoint.beyond)
    )?;
    for (outcome, count) in now.outcomes.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "{:>12}  {}", grouped(*count), spaced(outcome))?;
    }
    writeln!(
        out,
        "Waiting: {} for look-up, {} for print bundles; {} under way, {} in doubt",
        grouped(now.waits_for_look_up),
        grouped(now.waits_for_paper),
        now.in_flight,
        grouped(now.in_doubt)
    )?;
    writeln!(
        out,
        "Last minute: {:.1} statements/s ended, {:.1} letters/s delivered",
        now.ended_per_s, now.delivered_per_s
    )?;
    let width = now.operators.iter().map(|of| of.name.chars().count()).max().unwrap_or(0).max(8);
    writeln!(
        out,
        "\n{:<width$}  {:>10}  {:>9}  {:>10}  {:>8}  {:>8}  {:>9}  {:>9}",
        "operator", "queued", "under way", "delivered", "failed", "in doubt", "rate/s", "limit/s"
    )?;
    for of in &now.operators {
        writeln!(
            out,
            "{:<width$}  {:>10}  {:>9}  {:>10}  {:>8}  {:>8}  {:>9.1}  {:>9}{}",
            of.name,
            grouped(of.queued),
            of.in_flight,
            grouped(of.delivered),
            grouped(of.failed),
            grouped(of.in_doubt),
            of.delivered_per_s,
            limit(of),
            if of.stopped { "  stopped: it refuses our credentials" } else { "" }
        )?;
    }
    for of in now.doubts.iter().take(DOUBTS) {
        let (at, reason) = (moment(of.at), spaced(of.reason));
        writeln!(out, "In doubt: {}, message {}, {}, {at}, {reason}", of.ordinal, of.message_id, of.operator_name)?;
    }
    if now.doubts.len() > DOUBTS {
        writeln!(out, "In doubt: {} more (`utskick report` lists them all)", now.doubts.len() - DOUBTS)?;
    }
    let ends = now.operators.iter().filter(|of| now.running && of.queued + of.in_flight > 0);
    for (place, of) in ends.enumerate() {
        let end = of.expected_end.map_or_else(|| "nobody knows when".into(), moment);
        let limit = of.limited_by.as_ref().map_or_else(String::new, |limit| format!(": {limit}"));
        writeln!(out, "{}{}: ends {end}{limit}", if place == 0 { "\n" } else { "" }, of.name)?;
    }
    if let Some(limit) = &now.look_ups_limited_by {
        writeln!(out, "Limited {}", limit.replacen("look-ups:", "in look-ups by", 1))?;
    }
    if let Some(limit) = &now.limited_by {
        writeln!(out, "\nWhat limits the run: {limit}")?;
    }
    if let Some(end) = now.expected_end {
        writeln!(out, "Expected end {}", moment(end))?;
    }
    match (now.deadline, now.deadline_holds) {
        (Some(deadline), _) if now.late.is_some() => {
            writeln!(out, "The deadline {}{}{}", moment(deadline), missed(now.late), margin(now))?
        }
        (Some(deadline), Some(true)) => writeln!(out, "The deadline {} holds{}", moment(deadline), margin(now))?,
        (Some(deadline), Some(false)) => {
            writeln!(out, "The deadline {} WILL NOT HOLD{}", moment(deadline), margin(now))?
        }
        (Some(deadline), None) => writeln!(out, "Deadline {}", moment(deadline))?,
        (None, _) => (),
    }
    for order in &now.orders {
        writeln!(out, "Stands: {order}")?;
    }
    if !now.events.is_empty() {
        writeln!(out, "\nLatest")?;
        for event in &now.events {
            writeln!(out, "  {}  {}  {}", moment(event.at), event.kind, event.text)?;
        }
    }
    Ok(())
}
