//! How a plan is told: as JSON (testdata/schemas/plan.json) and for people.

use super::Planned;
use super::assume::{SLOWS, percent};
use crate::cli::report::{duration, grouped};
use crate::config::Config;
use crate::domain::stockholm;
use crate::plan::bottleneck::{Limit, per_second};
use crate::plan::model::{Assumptions, Desk, Gate, HORIZON_DAYS, Model, Nanos};
use crate::plan::volumes::{Counted, Part};
use crate::plan::{Machine, Measured, Outlook, Spreads};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a plan is told from.
pub(super) struct Facts<'a> {
    pub(super) config: &'a Config,
    pub(super) measured: Option<&'a Measured>,
    pub(super) bytes: u64,
    pub(super) faults_of_exports: u64,
    pub(super) counted: Counted,
    pub(super) model: &'a Model,
    pub(super) outlook: &'a Outlook,
    pub(super) spreads: Spreads,
    pub(super) assumed: &'a Assumptions,
    pub(super) assumptions: Vec<String>,
    pub(super) asked: bool,
}

/// A plan.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    start: Timestamp,
    bytes: u64,
    /// Bodies of all requests to operators.
    bytes_sent: u64,
    statements: u64,
    all: Part,
    by_form: BTreeMap<&'static str, Part>,
    by_employer: BTreeMap<String, Part>,
    /// Whether FaR was asked; else who has a mailbox is assumed.
    asked_far: bool,
    operators: Vec<Operator>,
    far: Far,
    paper: Paper,
    processor: Processor,
    measured: Costs,
    retries: f64,
    end: End,
    deadline: Option<Deadline>,
    bottleneck: Bottleneck,
    sensitivity: Vec<Change>,
    assumptions: Vec<String>,
    spreads: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Operator {
    id: String,
    name: String,
    statements: u64,
    attempts: u64,
    rate_per_s: Option<f64>,
    concurrency: usize,
    latency_s: f64,
    /// What it takes a second while it is open: its rate, or what its answers allow.
    takes_per_s: Option<f64>,
    /// Which of the two that is; null without either.
    limited_by: Option<Limit>,
    /// The least part of its rate, or of its concurrency without one, that is used where it pushes back.
    least_used: f64,
    windows: String,
    first: Option<Timestamp>,
    end: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Far {
    statements: u64,
    calls: u64,
    asked_again: u64,
    rate_per_s: Option<f64>,
    concurrency: usize,
    latency_s: f64,
    /// Statements that it answers about in a second while it is open, with full calls.
    takes_per_s: Option<f64>,
    /// What that follows from: its rate, or its answers.
    limited_by: Option<Limit>,
    windows: String,
    end: Timestamp,
}

#[derive(Debug, Serialize)]
struct Paper {
    letters: u64,
    bundles: u64,
    end: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Processor {
    seconds: f64,
    cores: f64,
    threads: usize,
    /// What one letter takes, by operator the most.
    letter_s: f64,
}

#[derive(Debug, Serialize)]
struct Costs {
    /// Whether they were measured, or are those of the reference machine.
    measured: bool,
    commit: String,
    machine: Machine,
    noisy: bool,
}

#[derive(Debug, Serialize)]
struct End {
    best: Option<Timestamp>,
    likely: Option<Timestamp>,
    worst: Option<Timestamp>,
    /// From the start to the likely end.
    duration_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Deadline {
    at: Timestamp,
    holds: bool,
    /// From the likely end to the deadline, negative where it is missed; null where there is no end.
    margin_s: Option<f64>,
    holds_at_worst: bool,
    worst_margin_s: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Bottleneck {
    limit: Limit,
    operators: Vec<String>,
    words: String,
    without: Option<Timestamp>,
    remedy: Option<Remedy>,
}

#[derive(Debug, Serialize)]
struct Remedy {
    /// Of each of the operators, in their order; else of FaR, or cores.
    values: Vec<f64>,
    end: Timestamp,
}

#[derive(Debug, Serialize)]
struct Change {
    change: String,
    end: Option<Timestamp>,
    /// Against the likely end: positive is later.
    moves_s: Option<f64>,
}

impl Told {
    pub(super) fn new(facts: Facts<'_>) -> Self {
        let Facts { config, measured, counted, model, outlook, spreads, assumed, .. } = facts;
        let likely = &outlook.likely;
        let at = |nanos: Option<Nanos>| nanos.map(|nanos| outlook.at(nanos));
        let some = |nanos: Nanos| (nanos > 0).then(|| outlook.at(nanos));
        let lead_s = model.habits.lead.as_secs_f64().max(model.urgent_s());
        let operators = config.operators.iter().zip(&model.desks).zip(&likely.desks).map(|((settings, desk), seen)| {
            // A request holds its place while its intent is written and until it is answered.
            let (takes_per_s, limited_by) =
                takes(&desk.gate, if desk.gate.rate.is_some() { lead_s } else { model.patient_s() });
            Operator {
                id: settings.id.to_string(),
                name: settings.name.clone(),
                statements: desk.statements,
                attempts: seen.attempts,
                rate_per_s: desk.gate.rate,
                concurrency: desk.gate.concurrency,
                latency_s: desk.gate.latency_s,
                takes_per_s,
                limited_by,
                least_used: seen.least_used,
                windows: settings.windows.to_string(),
                first: some(seen.first),
                end: some(seen.end),
            }
        });
        // A call holds its place until its answers are in the journal.
        let (calls_per_s, far_limited_by) = takes(&model.far, model.urgent_s());
        let words = outlook.bottleneck.words(model, |nanos| moment(outlook, nanos));
        let seconds = |nanos: Nanos| nanos as f64 / 1e9;
        let moves = |end: Option<Nanos>| Some(seconds(end?) - seconds(likely.end?));
        let margin = |end: Option<Nanos>| end.and_then(|end| outlook.margin(Some(end))).map(|of| of.as_secs_f64());
        let attempts: u64 = likely.desks.iter().map(|desk| desk.attempts).sum();
        let reference = Measured::reference();
        let costs = measured.unwrap_or(&reference);
        let bytes_sent = (attempts as f64 * costs.message_bytes).round() as u64;
        let warnings = warnings(config, facts.faults_of_exports, &counted.all, model, outlook, measured);
        Self {
            start: outlook.start,
            bytes: facts.bytes,
            bytes_sent,
            statements: counted.all.statements,
            all: counted.all,
            by_form: counted.by_form,
            by_employer: counted.by_employer,
            asked_far: facts.asked,
            operators: operators.collect(),
            far: Far {
                statements: model.looked_up(),
                calls: likely.calls,
                asked_again: likely.asked_again,
                rate_per_s: model.far.rate,
                concurrency: model.far.concurrency,
                latency_s: model.far.latency_s,
                takes_per_s: calls_per_s.map(|calls| calls * config.far.batch as f64),
                limited_by: far_limited_by,
                windows: config.far.windows.to_string(),
                end: outlook.at(likely.looked_up),
            },
            paper: Paper { letters: likely.sheets, bundles: likely.bundles, end: some(likely.paper_end) },
            processor: Processor {
                seconds: likely.cpu_s,
                cores: model.cores,
                threads: model.threads,
                letter_s: model.desks.iter().map(|desk| desk.letter_s).fold(0.0, f64::max),
            },
            measured: Costs {
                measured: measured.is_some(),
                commit: costs.commit.clone(),
                machine: costs.machine.clone(),
                noisy: costs.noisy,
            },
            retries: assumed.retries,
            end: End {
                best: at(outlook.best),
                likely: at(likely.end),
                worst: at(outlook.worst),
                duration_s: likely.end.map(seconds),
            },
            deadline: outlook.deadline.map(|deadline| Deadline {
                at: deadline,
                holds: likely.end.is_some_and(|end| outlook.at(end) <= deadline),
                margin_s: margin(likely.end),
                holds_at_worst: outlook.worst.is_some_and(|end| outlook.at(end) <= deadline),
                worst_margin_s: margin(outlook.worst),
            }),
            bottleneck: Bottleneck {
                limit: outlook.bottleneck.limit,
                operators: outlook
                    .bottleneck
                    .operators
                    .iter()
                    .filter_map(|place| model.desks.get(*place))
                    .map(|desk| desk.name.clone())
                    .collect(),
                words,
                without: at(outlook.bottleneck.without),
                remedy: outlook
                    .bottleneck
                    .remedy
                    .as_ref()
                    .map(|remedy| Remedy { values: remedy.values.clone(), end: outlook.at(remedy.end) }),
            },
            sensitivity: outlook
                .sensitivity
                .iter()
                .map(|row| Change { change: row.change.clone(), end: at(row.end), moves_s: moves(row.end) })
                .collect(),
            assumptions: facts.assumptions,
            spreads: told_spreads(spreads),
            warnings,
        }
    }

    /// The plan for people.
    pub(super) fn text(&self, outlook: &Outlook) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out, outlook);
        out
    }

    fn write(&self, out: &mut String, outlook: &Outlook) -> std::fmt::Result {
        let megabytes = self.bytes as f64 / 1e6;
        let sent = self.bytes_sent as f64 / 1e6;
        writeln!(
            out,
            "{} statements, {megabytes:.1} MB of exports, {sent:.1} MB to operators; nothing was sent\n",
            grouped(self.statements)
        )?;
        self.write_parts(out)?;
        self.write_gateways(out, outlook)?;
        let time = |at: Option<Timestamp>| at.map_or("never".into(), |at| clock(outlook, at));
        writeln!(out)?;
        let zoned = self.start.to_zoned_datetime(stockholm());
        writeln!(out, "starts      {} {}, time in Sweden", clock(outlook, self.start), zoned.year())?;
        let took = self.end.duration_s.map_or(String::new(), |took| format!(", after {}", duration(took)));
        writeln!(out, "ends        {}{took}", time(self.end.likely))?;
        writeln!(out, "            between {} and {}", time(self.end.best), time(self.end.worst))?;
        if let Some(deadline) = &self.deadline {
            let words = self.deadline_words(deadline);
            writeln!(out, "deadline    {}: {words}", clock(outlook, deadline.at))?;
        }
        writeln!(out, "processor   {}", duration(self.processor.seconds))?;
        writeln!(out, "bottleneck  {}", self.bottleneck.words)?;
        let wide = self.sensitivity.iter().map(|row| row.change.chars().count()).max().unwrap_or(0).max(12);
        writeln!(out, "\n{:<wide$}  {:<22}", "what if", "ends")?;
        for row in &self.sensitivity {
            let moves = match row.moves_s {
                Some(moves) if moves.abs() < 0.05 => "no change".into(),
                Some(moves) if moves > 0.0 => format!("{} later", duration(moves)),
                Some(moves) => format!("{} earlier", duration(-moves)),
                None => String::new(),
            };
            writeln!(out, "{:<wide$}  {:<22}  {moves}", row.change, time(row.end))?;
        }
        self.write_lists(out)
    }

    fn deadline_words(&self, deadline: &Deadline) -> String {
        if deadline.at <= self.start {
            return "IT HAS PASSED when the send starts; give another start, or correct the settings".into();
        }
        deadline.words()
    }

    fn write_lists(&self, out: &mut String) -> std::fmt::Result {
        LISTS.iter().zip(self.lists()).try_for_each(|(head, lines)| write_list(out, head, lines))
    }

    const fn lists(&self) -> [&Vec<String>; 3] {
        [&self.assumptions, &self.spreads, &self.warnings]
    }

    fn write_parts(&self, out: &mut String) -> std::fmt::Result {
        const MOST: usize = 10;
        let head = |out: &mut String, what: &str| {
            writeln!(
                out,
                "{what:<16}{:>12}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}",
                "statements", "looked up", "mailbox", "on paper", "held", "rejected", "not sent"
            )
        };
        let part = |out: &mut String, name: &str, part: &Part| {
            let mailbox = self.mailboxes(part);
            writeln!(
                out,
                "{name:<16}{:>12}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}",
                grouped(part.statements),
                grouped(part.looked_up),
                mailbox,
                grouped(part.paper),
                grouped(part.held),
                grouped(part.rejected),
                grouped(part.not_sent)
            )
        };
        head(out, "form")?;
        for (form, counts) in &self.by_form {
            part(out, form, counts)?;
        }
        part(out, "all", &self.all)?;
        if self.by_employer.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        head(out, "employer")?;
        let mut employers: Vec<_> = self.by_employer.iter().collect();
        employers.sort_by(|a, b| b.1.statements.cmp(&a.1.statements).then(a.0.cmp(b.0)));
        for (employer, counts) in employers.iter().take(MOST) {
            part(out, employer, counts)?;
        }
        if employers.len() > MOST {
            writeln!(out, "and {} more employers (--json has them all)", employers.len() - MOST)?;
        }
        Ok(())
    }

    /// Who has a mailbox: what FaR said, or about so many.
    fn mailboxes(&self, part: &Part) -> String {
        if self.asked_far {
            return grouped(part.known.iter().sum());
        }
        let digital: u64 = self.operators.iter().map(|operator| operator.statements).sum();
        let share = digital as f64 / self.far.statements.max(1) as f64;
        format!("~{}", grouped((part.looked_up as f64 * share).round() as u64))
    }

    fn write_gateways(&self, out: &mut String, outlook: &Outlook) -> std::fmt::Result {
        let rate = |rate: Option<f64>| rate.map_or("unlimited".into(), |rate| format!("{rate}/s"));
        let takes = |takes: Option<f64>| match takes {
            Some(takes) if takes >= 100.0 => format!("{}/s", grouped(takes.round() as u64)),
            Some(takes) => per_second((takes * 100.0).round() / 100.0),
            None => String::new(),
        };
        let wide = self.operators.iter().map(|operator| operator.name.chars().count()).max().unwrap_or(0).max(8) + 2;
        writeln!(
            out,
            "\n{:<wide$}{:>12}{:>13}{:>12}  {:<32}{:<21}windows",
            "gateway", "statements", "rate", "takes", "limited by", "ends"
        )?;
        let far = &self.far;
        writeln!(
            out,
            "{:<wide$}{:>12}{:>13}{:>12}  {:<32}{:<21}{}",
            "FaR",
            grouped(far.statements),
            far.rate_per_s.map_or("unlimited".into(), |rate| format!("{rate} calls/s")),
            takes(far.takes_per_s),
            format!("{}; {} calls", limited(far.limited_by, far.concurrency, far.latency_s), grouped(far.calls)),
            clock(outlook, far.end),
            far.windows
        )?;
        for operator in &self.operators {
            let limited = limited(operator.limited_by, operator.concurrency, operator.latency_s);
            writeln!(
                out,
                "{:<wide$}{:>12}{:>13}{:>12}  {limited:<32}{:<21}{}",
                operator.name,
                grouped(operator.statements),
                rate(operator.rate_per_s),
                takes(operator.takes_per_s),
                operator.end.map_or(String::new(), |end| clock(outlook, end)),
                operator.windows
            )?;
        }
        if self.paper.letters > 0 {
            let bundles = format!("{} bundles", grouped(self.paper.bundles));
            let end = self.paper.end.map_or(String::new(), |end| clock(outlook, end));
            writeln!(
                out,
                "{:<wide$}{:>12}{:>13}{bundles:>12}  {:<32}{end}",
                "paper",
                grouped(self.paper.letters),
                "",
                ""
            )?;
        }
        Ok(())
    }
}

/// What a gateway takes in a second, and which of its limits that is, where a request holds its place so long beside its
/// answer.
fn takes(gate: &Gate, beside_s: f64) -> (Option<f64>, Option<Limit>) {
    let answers = gate.concurrency as f64 / (gate.latency_s + beside_s).max(f64::MIN_POSITIVE);
    match gate.rate {
        Some(rate) if rate <= answers => (Some(rate), Some(Limit::Rate)),
        _ if answers.is_finite() => (Some(answers), Some(Limit::Answers)),
        _ => (None, None),
    }
}

/// A limit of a gateway in a table.
fn limited(by: Option<Limit>, concurrency: usize, latency_s: f64) -> String {
    match by {
        Some(Limit::Rate) => "its rate".into(),
        Some(Limit::Answers) => format!("{concurrency} at once, {:.0} ms", latency_s * 1e3),
        _ => String::new(),
    }
}

/// Heads of what is said at the end.
const LISTS: [&str; 3] = ["Assumed", "Range", "Look at"];

fn write_list(out: &mut String, head: &str, lines: &[String]) -> std::fmt::Result {
    if !lines.is_empty() {
        writeln!(out, "\n{head}")?;
    }
    lines.iter().try_for_each(|line| writeln!(out, "- {line}"))
}

/// Sends of several years, a line each, with what each waits for.
pub(super) fn years(sends: &[(i16, Planned)]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_years(&mut out, sends);
    out
}

fn write_years(out: &mut String, sends: &[(i16, Planned)]) -> std::fmt::Result {
    let Some((_, first)) = sends.first() else { return Ok(()) };
    let start = clock(&first.outlook, first.told.start);
    writeln!(out, "\nWill it fit? Each year's send, started {start}; --year tells all of one")?;
    writeln!(out, "{:<6}{:>12}{:>12}  {:<22}{:<40}deadline", "year", "looked up", "digitally", "ends", "between")?;
    for (year, Planned { told, outlook, .. }) in sends {
        let time = |at: Option<Timestamp>| at.map_or("never".into(), |at| clock(outlook, at));
        let digital: u64 = told.operators.iter().map(|operator| operator.statements).sum();
        writeln!(
            out,
            "{year:<6}{:>12}{:>12}  {:<22}{:<40}{}",
            grouped(told.far.statements),
            grouped(digital),
            time(told.end.likely),
            format!("{} to {}", time(told.end.best), time(told.end.worst)),
            told.deadline.as_ref().map_or("none".into(), |deadline| told.deadline_words(deadline)),
        )?;
    }
    for (year, planned) in sends {
        writeln!(out, "{year}: {}", planned.told.bottleneck.words)?;
    }
    // What is said of all is said once.
    for list in 0..LISTS.len() {
        let lines = |told: &Told| told.lists().into_iter().nth(list).cloned().unwrap_or_default();
        let all = |line: &String| sends.iter().all(|(_, planned)| lines(&planned.told).contains(line));
        let mut said: Vec<String> = lines(&first.told).into_iter().filter(&all).collect();
        for (year, planned) in sends {
            said.extend(lines(&planned.told).iter().filter(|line| !all(line)).map(|line| format!("{year}: {line}")));
        }
        write_list(out, LISTS.get(list).copied().unwrap_or_default(), &said)?;
    }
    Ok(())
}

impl Deadline {
    fn words(&self) -> String {
        let margin = |margin: f64| days(margin.abs());
        let Some(likely) = self.margin_s else { return "IT IS MISSED: the send has no end".into() };
        if !self.holds {
            return format!("IT IS MISSED by {}", margin(likely));
        }
        let worst = match (self.holds_at_worst, self.worst_margin_s) {
            (true, Some(worst)) => format!("with {}", margin(worst)),
            (_, Some(worst)) => format!("it is missed by {}", margin(worst)),
            (_, None) => "it has no end".into(),
        };
        format!("it holds, with {} to spare; at the worst {worst}", margin(likely))
    }
}

fn warnings(
    config: &Config,
    faults_of_exports: u64,
    all: &Part,
    model: &Model,
    outlook: &Outlook,
    measured: Option<&Measured>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    match measured {
        None => warnings.push("costs not measured on this machine; run `utskick bench --out bench.json`".to_owned()),
        Some(measured) if measured.noisy => {
            warnings.push("the machine was too busy when its costs were measured; measure again".to_owned());
        }
        Some(_) => {}
    }
    let share = all.rejected as f64 / all.statements.max(1) as f64;
    if share > config.run.max_rejected_share {
        warnings.push(format!(
            "{} % are rejected, more than {} %: send would stop before anything leaves; `utskick check` says why",
            percent(share),
            percent(config.run.max_rejected_share)
        ));
    } else if all.rejected > 0 {
        warnings.push(format!("{} statements are rejected; `utskick check` says why", grouped(all.rejected)));
    }
    if faults_of_exports > 0 {
        warnings.push(format!("the exports have {faults_of_exports} faults outside their records: send would stop"));
    }
    // Fewer are nothing to act on.
    let lasts = |desk: &Desk| desk.retries > SLOWS;
    let slowed = model.desks.iter().zip(&outlook.likely.desks);
    for (desk, seen) in slowed.filter(|(desk, seen)| lasts(desk) && seen.least_used < 0.8) {
        let (least, whole) = match desk.gate.rate {
            Some(rate) => (per_second((rate * seen.least_used * 10.0).round() / 10.0), per_second(rate)),
            None => (
                format!("{:.0}", (desk.gate.concurrency as f64 * seen.least_used).max(1.0)),
                format!("{} requests at a time", desk.gate.concurrency),
            ),
        };
        warnings.push(format!(
            "{} pushes so much back that at times it is asked for as little as {least} of its {whole}",
            desk.name
        ));
    }
    if outlook.likely.asked_again > 0 {
        warnings.push(format!(
            "{} statements wait longer than lookup_max_age, and FaR is asked about each of them once more",
            grouped(outlook.likely.asked_again)
        ));
    }
    if outlook.likely.end.is_none() {
        warnings.push(format!(
            "with these rates and windows the send takes more than {HORIZON_DAYS} days: that is no end to plan with"
        ));
    }
    if config.paper.is_none() && (model.digital() < model.looked_up() || all.paper > 0) {
        warnings.push("the settings name no print supplier: what has no mailbox is held".to_owned());
    }
    warnings
}

fn told_spreads(spreads: Spreads) -> Vec<String> {
    let Spreads { costs, latency, retries, points } = spreads;
    let mut told = vec![
        format!("processor costs from {} to {} times as expected", costs.0, costs.1),
        format!("answers from {} to {} times as long", latency.0, latency.1),
        format!("retries from {} % to {} % of attempts", percent(retries.0), percent(retries.1)),
    ];
    if points > 0.0 {
        told.push(format!("{:.0} points more or fewer with a mailbox", points * 100.0));
    }
    told
}

/// A moment of the send by the clocks in Sweden: with seconds where the whole send takes less than an hour.
fn moment(outlook: &Outlook, nanos: Nanos) -> String {
    clock(outlook, outlook.at(nanos))
}

fn clock(outlook: &Outlook, at: Timestamp) -> String {
    let short = outlook.likely.end.is_some_and(|end| end < 3_600_000_000_000);
    let format = if short { "%a %-d %b %H:%M:%S" } else { "%a %-d %b %H:%M" };
    at.to_zoned_datetime(stockholm()).strftime(format).to_string()
}

/// `12 days 3 h`, and shorter times as elsewhere.
fn days(seconds: f64) -> String {
    const DAY: f64 = 24.0 * 3600.0;
    if seconds < 2.0 * DAY {
        return duration(seconds);
    }
    format!("{:.0} days {:.0} h", (seconds / DAY).floor(), (seconds % DAY / 3600.0).floor())
}
