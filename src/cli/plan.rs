//! `plan`: what a send will take, before anything is sent.

use super::print;
use super::report::{as_json, grouped};
use crate::error::{Exit, Result};
use crate::plan::forecast::{Forecast, Volumes};
use clap::Args;
use std::fmt::Write;
use std::path::PathBuf;

/// Say what a send will take, before anything is sent.
///
/// From volumes instead of exports (--forecast): documents a year, how many go digitally, and what that saves.
///
/// Ends with 0, or with 65 when a file cannot be read.
#[derive(Debug, Args)]
pub struct Plan {
    /// Volumes and costs to compute from, a TOML file; testdata/statens-servicecenter-2017.toml is one
    #[arg(long, value_name = "FILE", required = true)]
    forecast: PathBuf,
    /// Print as JSON (testdata/schemas/forecast.json)
    #[arg(long)]
    json: bool,
}

impl Plan {
    /// Computes, and prints what it came to.
    pub fn run(self) -> Result<Exit> {
        let forecast = Forecast::of(&Volumes::read(&self.forecast)?)?;
        if self.json {
            print(&format!("{}\n", as_json(&forecast)?))?;
        } else {
            print(&forecast_text(&forecast))?;
        }
        Ok(Exit::Done)
    }
}

fn forecast_text(forecast: &Forecast) -> String {
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
