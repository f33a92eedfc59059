//! The report as a page: one file, no script, nothing fetched, readable by eye and by screen reader.

use super::{duration, grouped, missed, moment, spaced};
use crate::track::{Part, Phase, Report as Numbers, Throughput};
use std::fmt::Write;

/// Size of the plot's drawing area, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 12.0;

/// Told apart without colour too: each line has its own dashes. Colours keep 3:1 on white and on near-black.
const LINES: [(&str, &str); 6] = [
    ("#1f6feb", ""),
    ("#c2410c", "6 3"),
    ("#15803d", "2 3"),
    ("#7e22ce", "8 3 2 3"),
    ("#b91c1c", "10 4"),
    ("#57606a", "1 2"),
];

/// What every page begins with.
pub(super) const BEGINNING: &str = "<!DOCTYPE html>";

pub(super) fn page(report: &Numbers) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut out, report);
    out
}

fn write_page(out: &mut String, report: &Numbers) -> std::fmt::Result {
    let run = escaped(&report.run);
    write!(
        out,
        "{BEGINNING}\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Report of run {run}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Report of run {run}</h1>\n"
    )?;
    let state = match (report.running, report.purged && report.phase != Phase::Finished) {
        (true, _) => ", a process is at it",
        (false, true) => ", purged: nothing more of it is sent",
        (false, false) if report.awaits_acceptance => super::AWAITS_ACCEPTANCE,
        (false, false) => "",
    };
    writeln!(
        out,
        "<p>{}{state}. Made {}, {} from first to last.{}</p>",
        report.phase,
        moment(report.created),
        duration(report.duration_s),
        report
            .deadline
            .map(|deadline| format!(" Deadline {}{}.", moment(deadline), missed(report.late)))
            .unwrap_or_default()
    )?;
    let (class, said) = if report.balanced {
        ("good", "Every statement of the exports is accounted for.")
    } else {
        ("bad", "The outcomes do not sum to the statements of the exports.")
    };
    writeln!(out, "<p class=\"{class}\"><strong>{} statements.</strong> {said}</p>", grouped(report.statements))?;

    section(out, "outcomes", "Outcomes")?;
    table(
        out,
        "Statements by outcome",
        &["Outcome", "Statements", "Share"],
        report
            .outcomes
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(outcome, count)| vec![spaced(outcome), grouped(*count), share(*count, report.statements)]),
    )?;
    let reasons: Vec<_> = report.reasons.iter().filter(|of| of.reason != "none").collect();
    if !reasons.is_empty() {
        table(
            out,
            "Statements by reason",
            &["Outcome", "Reason", "Statements"],
            reasons.iter().map(|of| vec![spaced(of.outcome), spaced(of.reason), grouped(of.statements)]),
        )?;
    }
    writeln!(out, "</section>")?;

    section(out, "throughput", "Throughput")?;
    writeln!(
        out,
        "<p>{:.1} letters/s delivered, {:.1} statements/s ended{}. {} requests, of which {} were \
         surely not accepted.</p>",
        report.rates.delivered_per_s,
        report.rates.ended_per_s,
        report.rates.best_minute_in_words().map(|best| format!(", {best}")).unwrap_or_default(),
        grouped(report.requests),
        grouped(report.retries)
    )?;
    plot(out, &report.throughput)?;
    writeln!(out, "</section>")?;

    section(out, "parts", "Parts")?;
    parts(out, "By form", "Form", report.by_form.iter().map(|(name, part)| (name.clone(), part)))?;
    parts(out, "By employer", "Employer", report.by_employer.iter().map(|(name, part)| (name.clone(), part)))?;
    let operators = report.by_operator.iter().map(|(id, of)| (format!("{} ({id})", of.name), &of.part));
    parts(out, "By operator", "Operator", operators)?;
    let channels = [("digital", &report.by_channel.digital), ("paper", &report.by_channel.paper)];
    table(
        out,
        "By channel",
        &["Channel", "State", "Statements"],
        channels.into_iter().flat_map(|(name, halves)| {
            halves.iter().map(move |(state, count)| vec![name.to_owned(), spaced(state), grouped(*count)])
        }),
    )?;
    if !report.bundles.is_empty() {
        table(
            out,
            "Print bundles",
            &["Bundle", "Letters", "Bytes", "On disk"],
            report.bundles.iter().map(|bundle| {
                vec![bundle.file_name.clone(), grouped(bundle.letters.into()), grouped(bundle.bytes), moment(bundle.at)]
            }),
        )?;
    }
    writeln!(out, "</section>")?;

    section(out, "doubt", "In doubt")?;
    if report.in_doubt.is_empty() {
        writeln!(out, "<p>None.</p>")?;
    } else {
        table(
            out,
            "Requests whose fate is not known: ask the operator about the message, then settle it",
            &["Ordinal", "Operator", "Message id", "Attempt", "Sent", "Reason"],
            report.in_doubt.iter().map(|of| {
                vec![
                    of.ordinal.to_string(),
                    format!("{} ({})", of.operator_name, of.operator),
                    of.message_id.clone(),
                    of.attempt.to_string(),
                    moment(of.at),
                    spaced(of.reason),
                ]
            }),
        )?;
    }
    if report.sent_again > 0 {
        writeln!(
            out,
            "<p class=\"bad\">{} were sent again after doubt: as many may have arrived twice.</p>",
            grouped(report.sent_again)
        )?;
    }
    writeln!(out, "</section>")?;

    if !report.audit.is_empty() {
        section(out, "audit", "On record")?;
        table(
            out,
            "Orders, settlements and changes of pace",
            &["When", "What", "Said"],
            report.audit.iter().map(|event| vec![moment(event.at), spaced(&event.kind), event.text.clone()]),
        )?;
        writeln!(out, "</section>")?;
    }
    writeln!(out, "</main>\n</body>\n</html>")
}

fn section(out: &mut String, id: &str, title: &str) -> std::fmt::Result {
    writeln!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>")
}

fn table(out: &mut String, caption: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> std::fmt::Result {
    writeln!(out, "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>", escaped(caption))?;
    for head in heads {
        write!(out, "<th scope=\"col\">{}</th>", escaped(head))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in rows {
        write!(out, "<tr>")?;
        for (at, cell) in row.iter().enumerate() {
            let cell = escaped(cell);
            if at == 0 {
                write!(out, "<th scope=\"row\">{cell}</th>")?;
            } else {
                write!(out, "<td>{cell}</td>")?;
            }
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn parts<'a>(
    out: &mut String,
    caption: &str,
    head: &str,
    rows: impl Iterator<Item = (String, &'a Part)>,
) -> std::fmt::Result {
    let rows = rows.map(|(name, part)| {
        let outcomes: Vec<_> =
            part.outcomes.iter().map(|(of, count)| format!("{} {}", grouped(*count), spaced(of))).collect();
        vec![name, grouped(part.statements), outcomes.join(", ")]
    });
    table(out, caption, &[head, "Statements", "Outcomes"], rows)
}

/// Letters a second over time, a line for each operator and one for paper; the same numbers follow in words.
fn plot(out: &mut String, throughput: &Throughput) -> std::fmt::Result {
    let Some(start) = throughput.start.filter(|_| !throughput.series.is_empty()) else {
        return writeln!(out, "<p>No letter has left yet.</p>");
    };
    let bucket_s = throughput.bucket_s.max(1) as f64;
    let buckets = throughput.series.iter().map(|line| line.letters.len()).max().unwrap_or(1);
    let most = throughput.series.iter().flat_map(|line| &line.letters).max().copied().unwrap_or(1) as f64 / bucket_s;
    let top = round_up(most);
    let x = |bucket: f64| LEFT + bucket / buckets as f64 * WIDTH;
    let y = |rate: f64| TOP + HEIGHT - rate / top * HEIGHT;
    let span_s = buckets as f64 * bucket_s;
    let told: Vec<_> = throughput
        .series
        .iter()
        .map(|line| {
            let peak = line.letters.iter().max().copied().unwrap_or(0) as f64 / bucket_s;
            let sum: u64 = line.letters.iter().sum();
            format!("{}: {} letters, at most {peak:.1} a second", line.name, grouped(sum))
        })
        .collect();
    writeln!(
        out,
        "<figure><svg role=\"img\" aria-labelledby=\"plot-title plot-text\" viewBox=\"0 0 {:.0} {:.0}\">\
         <title id=\"plot-title\">Letters a second over {}</title><desc id=\"plot-text\">{}</desc>",
        LEFT + WIDTH + 12.0,
        TOP + HEIGHT + 32.0,
        duration(span_s),
        escaped(&told.join("; "))
    )?;
    for step in 0..=4 {
        let rate = top * f64::from(step) / 4.0;
        writeln!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{rate:.1}</text>",
            LEFT + WIDTH,
            y(rate),
            y(rate),
            LEFT - 8.0,
            y(rate) + 4.0
        )?;
    }
    for step in 0..=4 {
        let part = f64::from(step) / 4.0;
        let at = start.checked_add(jiff::SignedDuration::from_secs((span_s * part) as i64)).unwrap_or(start);
        let anchor = ["start", "middle", "middle", "middle", "end"].get(step as usize).unwrap_or(&"middle");
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            LEFT + part * WIDTH,
            TOP + HEIGHT + 20.0,
            at.strftime("%H:%M:%S")
        )?;
    }
    for (line, (colour, dashes)) in throughput.series.iter().zip(LINES.iter().cycle()) {
        let mut path = String::new();
        for (bucket, letters) in line.letters.iter().enumerate() {
            let rate = y(*letters as f64 / bucket_s);
            let command = if bucket == 0 { 'M' } else { 'L' };
            write!(path, "{command}{:.1} {rate:.1}H{:.1}", x(bucket as f64), x(bucket as f64 + 1.0))?;
        }
        writeln!(out, "<path d=\"{path}\" stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"/>")?;
    }
    writeln!(out, "</svg>\n<figcaption>Letters a second, times in UTC.<ul>")?;
    for (said, (colour, dashes)) in told.iter().zip(LINES.iter().cycle()) {
        writeln!(
            out,
            "<li><svg class=\"key\" aria-hidden=\"true\" viewBox=\"0 0 32 8\"><path d=\"M0 4H32\" stroke=\"{colour}\" \
             stroke-dasharray=\"{dashes}\"/></svg> {}</li>",
            escaped(said)
        )?;
    }
    writeln!(out, "</ul></figcaption></figure>")
}

/// The next of 1, 2, 5, 10, 20, … at or above.
fn round_up(rate: f64) -> f64 {
    let scale = 10_f64.powf(rate.max(0.01).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * scale).find(|top| *top >= rate).unwrap_or(rate)
}

fn share(count: u64, of: u64) -> String {
    if of == 0 { "0 %".into() } else { format!("{:.2} %", count as f64 * 100.0 / of as f64) }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:0;padding:1rem}\
main{max-width:60rem;margin:0 auto}\
table{border-collapse:collapse;margin:0 0 1.5rem;min-width:50%}\
caption{text-align:left;font-weight:600;padding:.5rem 0}\
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8c959f;vertical-align:top;\
font-variant-numeric:tabular-nums}\
tbody th{font-weight:400}\
.wide{overflow-x:auto}\
.good::before{content:'\\2713 '}.bad::before{content:'\\26a0 '}.bad{font-weight:600}\
figure{margin:0}svg{width:100%;height:auto}svg path{fill:none;stroke-width:2}\
svg text{font-size:12px;fill:currentColor}.grid{stroke:#8c959f;stroke-width:.5}\
.key{width:2rem;height:.5rem}ul{list-style:none;padding:0}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (rate, top) in [(0.3, 0.5), (1.0, 1.0), (17.0, 20.0), (21.0, 50.0), (999.0, 1000.0)] {
            assert!((round_up(rate) - top).abs() < 1e-9, "{rate}");
        }
    }
}
