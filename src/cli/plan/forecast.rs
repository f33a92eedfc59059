//! How a forecast is told.

use crate::cli::report::grouped;
use crate::plan::forecast::Forecast;
use std::fmt::Write;

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
