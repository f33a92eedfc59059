//! `report`: the numbers of a run, as text, JSON or a page.

mod page;

use super::{print, say};
use crate::disk::{Disk, Machine};
use crate::error::{Error, Exit, Result};
use crate::track::{Late, Part, Phase, Report as Numbers};
use clap::Args;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Of a run that sends nothing yet, and why.
const AWAITS_ACCEPTANCE: &str = ", nothing is sent until a person has looked at the findings: --accept-rejects goes on";

/// Most audit lines in the text.
const AUDIT_SHOWN: usize = 40;

/// Account for every statement of a run
///
/// Counts statements by outcome, reason, form, employer, operator and channel, lists what is in doubt, and sees that the
/// outcomes sum to the statements of the exports. Works while the run goes on, and after. No personal data comes in.
///
/// Exit code 0: all delivered, on paper, or rightly not sent. 1: finished, with statements rejected, failed, in doubt, or
/// held for want of an address, or purged before it had finished; or so many rejected that nothing is sent until a person
/// has looked. 2: not finished, resume. 74: it does not balance.
#[derive(Debug, Args)]
pub struct Report {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    run: PathBuf,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Also write a page for a browser, all in one file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(self) -> Result<Exit> {
        let report = Numbers::read(&self.run)?;
        if let Some(file) = &self.html {
            page_or_nothing(file)?;
            write_page(&report, file)?;
        }
        show(&report, self.json)
    }
}

/// Prints the report of a run; returns its exit code.
#[allow(dead_code)] // `send` and `demo` end with it
pub(super) fn print_report(run: &Path, json: bool) -> Result<Exit> {
    show(&Numbers::read(run)?, json)
}

/// Writes the report of a run as a page.
#[allow(dead_code)] // `demo` ends with it
pub(super) fn write_html(run: &Path, file: &Path) -> Result<()> {
    write_page(&Numbers::read(run)?, file)
}

fn show(report: &Numbers, json: bool) -> Result<Exit> {
    if json {
        print(&format!("{}\n", as_json(report)?))?;
    } else {
        print(&text(report))?;
    }
    if !report.balanced {
        say("utskick: the outcomes do not sum to the statements of the exports; keep the run's folder and its log");
    }
    Ok(report.exit())
}

pub(super) fn as_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|error| Error::because(Exit::Storage, "cannot write JSON", error))
}

/// A page is written over nothing but a page or an empty file, under a name that no file of a run has.
fn page_or_nothing(file: &Path) -> Result<()> {
    let is_else = match std::fs::metadata(file) {
        Ok(facts) if facts.is_file() => {
            let mut beginning = Vec::new();
            let read =
                File::open(file).and_then(|at| at.take(page::BEGINNING.len() as u64).read_to_end(&mut beginning));
            // What may not be read is something all the same.
            read.is_err() || !beginning.is_empty() && beginning != page::BEGINNING.as_bytes()
        }
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    let of_a_run = ["sqlite", "sqlite-wal", "sqlite-shm", "ndjson", "tsv", "mark", "lock"];
    let what = match file.extension() {
        Some(ending) if of_a_run.iter().any(|of| ending == *of) => "is no name for a page",
        _ if is_else => "is there, and is no page",
        _ => return Ok(()),
    };
    Err(Error::new(Exit::Usage, format!("{} {what}", file.display())).remedy("name another file, which ends in .html"))
}

/// Whole or not at all: written beside it, synced, renamed, and the folder synced.
fn write_page(report: &Numbers, file: &Path) -> Result<()> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".draft");
    let disk: &dyn Disk = &Machine;
    disk.replace(file, draft.as_ref(), page::page(report).as_bytes(), ["report_written", "report_renamed"])
        .map_err(|(step, error)| Error::because(Exit::Storage, format!("cannot {step} {}", file.display()), error))
}

fn text(report: &Numbers) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &Numbers) -> std::fmt::Result {
    let state = match (report.running, report.purged, report.phase) {
        (true, ..) => ", a process is at it",
        (false, true, Phase::Intake | Phase::Released) => {
            ", purged: nothing more of it is sent, and what waits or was not delivered goes with a new run of the export"
        }
        _ if report.awaits_acceptance => AWAITS_ACCEPTANCE,
        _ => "",
    };
    writeln!(out, "Run {} ({}{state})", report.run, report.phase)?;
    writeln!(out, "Made {}, {} so far", moment(report.created), duration(report.duration_s))?;
    if let Some(deadline) = report.deadline {
        writeln!(out, "Deadline {}{}", moment(deadline), missed(report.late))?;
    }
    let balance = if report.balanced { "every one is accounted for" } else { "DOES NOT BALANCE" };
    writeln!(out, "\n{:>12}  statements, {balance}", grouped(report.statements))?;
    for (outcome, count) in report.outcomes.iter().filter(|(_, count)| **count > 0) {
        writeln!(out, "{:>12}  {}", grouped(*count), spaced(outcome))?;
    }
    let reasons: Vec<_> = report.reasons.iter().filter(|of| of.reason != "none").collect();
    if !reasons.is_empty() {
        writeln!(out, "\nReasons")?;
        for of in reasons {
            writeln!(out, "{:>12}  {}: {}", grouped(of.statements), spaced(of.outcome), spaced(of.reason))?;
        }
    }
    let operators: BTreeMap<_, _> = report
        .by_operator
        .iter()
        .filter(|(_, of)| of.part.statements > 0)
        .map(|(id, of)| (format!("{} ({id})", of.name), &of.part))
        .collect();
    parts(out, "Form", report.by_form.iter().map(|(name, part)| (name.as_str(), part)))?;
    parts(out, "Employer", report.by_employer.iter().map(|(name, part)| (name.as_str(), part)))?;
    parts(out, "Operator", operators.iter().map(|(name, part)| (name.as_str(), *part)))?;
    for (name, halves) in [("Digital", &report.by_channel.digital), ("Paper", &report.by_channel.paper)] {
        if !halves.is_empty() {
            let list: Vec<_> = halves.iter().map(|(of, count)| format!("{} {}", grouped(*count), spaced(of))).collect();
            writeln!(out, "\n{name}: {}", list.join(", "))?;
        }
    }
    writeln!(
        out,
        "\nRequests {}, of which {} were surely not accepted; {:.1} letters/s delivered{}",
        grouped(report.requests),
        grouped(report.retries),
        report.rates.delivered_per_s,
        report.rates.best_minute_in_words().map(|best| format!(", {best}")).unwrap_or_default()
    )?;
    let (full, resumed) = report.handshakes.values().fold((0, 0), |all, of| (all.0 + of.full, all.1 + of.resumed));
    if full + resumed > 0 {
        writeln!(out, "TLS handshakes {}, and {} that resumed a session", grouped(full), grouped(resumed))?;
    }
    if report.sent_again > 0 {
        writeln!(out, "Sent again after doubt {}: as many may have arrived twice", grouped(report.sent_again))?;
    }
    if !report.bundles.is_empty() {
        let letters: u64 = report.bundles.iter().map(|bundle| u64::from(bundle.letters)).sum();
        writeln!(out, "Print bundles {}, with {} letters", report.bundles.len(), grouped(letters))?;
    }
    if !report.audit.is_empty() {
        let shown = report.audit.len().saturating_sub(AUDIT_SHOWN);
        let more = if shown > 0 { format!(", the last {AUDIT_SHOWN} (all in --json)") } else { String::new() };
        writeln!(out, "\nOrders, settlements and changes of pace{more}")?;
        for event in report.audit.iter().skip(shown) {
            writeln!(out, "  {}  {}  {}", moment(event.at), spaced(&event.kind), event.text)?;
        }
    }
    if !report.in_doubt.is_empty() {
        writeln!(out, "\nIn doubt: ask the operator about the message, then settle it by `utskick resolve`")?;
        writeln!(out, "{:>12}  {:<36}  {:<20}  {:<16}  attempt  operator", "ordinal", "message id", "sent", "reason")?;
        for of in &report.in_doubt {
            writeln!(
                out,
                "{:>12}  {:<36}  {:<20}  {:<16}  {:>7}  {} ({})",
                of.ordinal,
                of.message_id,
                moment(of.at),
                spaced(of.reason),
                of.attempt,
                of.operator_name,
                of.operator
            )?;
        }
    }
    Ok(())
}

fn parts<'a>(out: &mut String, title: &str, rows: impl Iterator<Item = (&'a str, &'a Part)>) -> std::fmt::Result {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(title.len());
    writeln!(out, "\n{title:<width$}  {:>12}", "statements")?;
    for (name, part) in rows {
        let outcomes: Vec<_> =
            part.outcomes.iter().map(|(of, count)| format!("{} {}", grouped(*count), spaced(of))).collect();
        writeln!(out, "{name:<width$}  {:>12}  {}", grouped(part.statements), outcomes.join(", "))?;
    }
    Ok(())
}

/// `1 234 567`, with plain spaces.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let mut groups: Vec<&str> = Some(head).filter(|head| !head.is_empty()).into_iter().collect();
    groups.extend(tail.as_bytes().chunks(3).filter_map(|group| std::str::from_utf8(group).ok()));
    groups.join(" ")
}

/// `already sent` for `already_sent`.
pub(super) fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// That a deadline was missed, after it.
pub(super) fn missed(late: Option<Late>) -> String {
    let said = |late: Late| {
        let by = duration(late.by_s as f64);
        format!(" WAS MISSED: {} letters left later, the last {by} too late", grouped(late.letters))
    };
    late.map(said).unwrap_or_default()
}

/// To the second, in UTC, as logs have it.
pub(super) fn moment(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2 h 14 min`, `14 min 3 s`, `3.2 s`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (1234567, "1 234 567"), (100000, "100 000")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn durations_name_their_units() {
        assert_eq!(duration(3.21), "3.2 s");
        assert_eq!(duration(843.0), "14 min 3 s");
        assert_eq!(duration(8045.0), "2 h 14 min");
    }
}
