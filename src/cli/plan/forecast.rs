//! How a forecast is told, and what is to be sent of it.

use super::Volume;
use super::told::Told;
use crate::cli::report::grouped;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::pipeline::LOOKED_UP_TOGETHER;
use crate::plan::forecast::{Forecast, Volumes, YearForecast};
use crate::plan::model::Load;
use crate::plan::volumes::{Counted, Part};
use serde::Serialize;
use std::fmt::Write;

/// Bytes of a statement in an export: the mean of those that `utskick generate` writes.
const STATEMENT_BYTES: u64 = 1_332;
/// A forecast's send beyond it is refused: no export is so large, and its calls would fill the memory.
const MOST: u64 = 100_000_000;

/// A forecast as JSON (testdata/schemas/forecast.json).
#[derive(Serialize)]
pub(super) struct Json<'a> {
    #[serde(flatten)]
    forecast: &'a Forecast,
    /// By year, where the settings are known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sends: Vec<Send<'a>>,
}

#[derive(Serialize)]
struct Send<'a> {
    year: i16,
    plan: &'a Told,
}

/// A forecast with its sends.
pub(super) fn json<'a>(forecast: &'a Forecast, sends: &[(i16, &'a Told)]) -> Json<'a> {
    Json { forecast, sends: sends.iter().map(|(year, plan)| Send { year: *year, plan }).collect() }
}

/// What is to be sent of each year, or of one.
///
/// *Errors*: exit 64 for a year or a number of documents that the forecast does not have, 65 for more than can be sent.
pub(super) fn sends(
    volumes: &Volumes,
    forecast: &Forecast,
    wanted: Option<i16>,
    per_head: Option<u64>,
    config: &Config,
) -> Result<Vec<(i16, Volume)>> {
    let all = volumes.documents_per_head;
    let per_head = per_head.unwrap_or(all);
    if per_head == 0 || per_head > all {
        return Err(Error::new(Exit::Usage, format!("a send of {per_head} documents a head"))
            .remedy(format!("--per-head is from 1 to the forecast's {all}")));
    }
    let years: Vec<&YearForecast> =
        forecast.years.iter().filter(|year| wanted.is_none_or(|wanted| year.year == wanted)).collect();
    if years.is_empty() {
        let has: Vec<String> = forecast.years.iter().map(|year| year.year.to_string()).collect();
        let has = if has.is_empty() { "it has no [[years]]".into() } else { format!("it has {}", has.join(", ")) };
        let what = wanted.map_or("there is no year to send".into(), |year| format!("the forecast has no year {year}"));
        return Err(Error::new(Exit::Usage, what).remedy(has));
    }
    years.into_iter().map(|year| Ok((year.year, volume(year, per_head, all, config)?))).collect()
}

/// A year's send: everyone is looked up, and has a mailbox as the forecast says.
fn volume(year: &YearForecast, per_head: u64, all: u64, config: &Config) -> Result<Volume> {
    let too_large = || Error::new(Exit::Input, format!("year {}: a send has at most {MOST} statements", year.year));
    let statements = year.employees.checked_mul(per_head).filter(|statements| *statements <= MOST);
    let statements = statements.ok_or_else(too_large)?;
    let together = LOOKED_UP_TOGETHER as u64;
    let batch = config.far.batch.max(1) as u64;
    // At most what is looked up together, which is far from what 32 bits hold.
    let calls = |of: u64| (0..of.div_ceil(batch)).map(|call| batch.min(of - call * batch) as u32).collect();
    let windows = (0..statements.div_ceil(together)).map(|window| together.min(statements - window * together));
    let load = Load {
        bytes: statements * STATEMENT_BYTES,
        statements,
        questions: windows.map(calls).collect(),
        paper: 0,
        both: 0,
    };
    let part = Part { statements, looked_up: statements, ..Part::default() };
    let sent = if per_head == all {
        format!("all {all} documents of a head's year go in one send (--per-head)")
    } else {
        format!("{per_head} of a head's {all} documents go in this send, as given")
    };
    Ok(Volume {
        counted: Counted { all: part, ..Counted::default() },
        load,
        digital: Some(year.reachable as f64 / year.employees.max(1) as f64),
        known: None,
        faults_of_exports: 0,
        words: vec![
            sent,
            "every document is looked up, on behalf of one sender, and goes on paper where the forecast has no mailbox"
                .into(),
            format!("a statement has {STATEMENT_BYTES} bytes in its export, as `utskick generate` writes them"),
        ],
    })
}

/// A forecast for people.
pub(super) fn text(forecast: &Forecast) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_forecast(&mut out, forecast);
    out
}

fn write_forecast(out: &mut String, forecast: &Forecast) -> std::fmt::Result {
    writeln!(out, "{}", forecast.title)?;
    if let Some(source) = &forecast.source {
        writeln!(out, "Source: {source}")?;
    }
    if !forecast.years.is_empty() {
        writeln!(
            out,
            "\n{:<8}{:>12}{:>12}{:>11}{:>14}{:>14}",
            "year", "employees", "reachable", "share", "documents", "digitally"
        )?;
    }
    for year in &forecast.years {
        writeln!(
            out,
            "{:<8}{:>12}{:>12}{:>11}{:>14}{:>14}",
            year.year,
            grouped(year.employees),
            grouped(year.reachable),
            year.digital_share,
            grouped(year.documents),
            grouped(year.digital)
        )?;
    }
    if let Some(savings) = &forecast.savings {
        let wide = savings.categories.iter().map(|at| at.name.chars().count()).max().unwrap_or(0).max(20) + 2;
        let head = "saved in a year";
        writeln!(out, "\n{head:<wide$}{:>12}{:>16}{:>16}{:>16}", "documents", "postage", "internal", "total")?;
        for at in &savings.categories {
            let documents = grouped(at.documents);
            writeln!(out, "{:<wide$}{documents:>12}{:>16}{:>16}{:>16}", at.name, at.postage, at.internal, at.total)?;
        }
        let documents = grouped(savings.documents);
        let (postage, internal, total) = (savings.postage, savings.internal, savings.total);
        writeln!(out, "{:<wide$}{documents:>12}{postage:>16}{internal:>16}{total:>16}", "sum")?;
        writeln!(out, "{:<wide$}{:>60}", "running cost", format!("-{}", savings.running_cost))?;
        writeln!(out, "{:<wide$}{:>60}", "net", savings.net)?;
        if let Some(months) = savings.paid_back_months {
            writeln!(out, "The project is paid back in {months} months.")?;
        }
    }
    if !forecast.disagreements.is_empty() {
        writeln!(out, "\nWhere the source differs from what its own figures give")?;
    }
    for disagreement in &forecast.disagreements {
        writeln!(out, "- {disagreement}")?;
    }
    Ok(())
}
