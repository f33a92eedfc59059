//! The timeline of a send as an SVG picture: for each operator what waits and what has been delivered, its closed hours
//! shaded, and the deadline. Written by hand; it reads in light and in dark.

use super::model::{Model, Nanos, Opening};
use super::outlook::Outlook;
use crate::domain::stockholm;
use std::fmt::Write;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 76.0;
const PANEL: f64 = 120.0;
const GAP: f64 = 34.0;
const BOTTOM: f64 = 64.0;
const SECOND: Nanos = 1_000_000_000;
/// Steps of the time axis in seconds.
const STEPS: [u64; 17] = [
    1,
    2,
    5,
    10,
    30,
    60,
    120,
    300,
    900,
    1800,
    3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    24 * 3600,
    2 * 24 * 3600,
    7 * 24 * 3600,
];
const STYLE: &str = "\
svg{--ink:#1a1a1a;--dim:#5c5c5c;--rule:#d0d0d0;--paper:#ffffff;--closed:#e9e9ee;--wait:#f0b35a;--sent:#1f5fa8;--late:#b3261e;\
background:var(--paper);font:12px system-ui,sans-serif;fill:var(--ink)}\
@media (prefers-color-scheme:dark){svg{--ink:#ececec;--dim:#a8a8a8;--rule:#444444;--paper:#161616;--closed:#2a2a30;\
--wait:#a8742a;--sent:#7db4f0;--late:#ff8a80}}\
.title{font-size:16px;font-weight:600}.dim{fill:var(--dim)}.rule{stroke:var(--rule)}.closed{fill:var(--closed)}\
.wait{fill:var(--wait);fill-opacity:.75}.sent{fill:none;stroke:var(--sent);stroke-width:2}\
.late{stroke:var(--late);stroke-width:1.5;stroke-dasharray:5 3}.end{stroke:var(--ink);stroke-width:1.5}\
.latetext{fill:var(--late)}.senttext{fill:var(--sent)}";

/// Draws the timeline of a send.
pub fn timeline(model: &Model, outlook: &Outlook) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = draw(&mut out, model, outlook);
    out
}

fn draw(out: &mut String, model: &Model, outlook: &Outlook) -> std::fmt::Result {
    let simulated = &outlook.likely;
    let last = simulated.desks.iter().map(|desk| desk.end).max().unwrap_or(0);
    let end = simulated.end.unwrap_or(last).max(SECOND);
    let deadline = outlook
        .deadline
        .and_then(|deadline| Nanos::try_from(deadline.duration_since(outlook.start).as_nanos()).ok())
        // A deadline far away would leave nothing to see of the send.
        .filter(|deadline| *deadline <= end.saturating_mul(2));
    let span = (end.max(deadline.unwrap_or(0)) as f64) * 1.02;
    let x = |at: Nanos| LEFT + (at as f64 / span).min(1.0) * (WIDTH - LEFT - RIGHT);
    let panels: Vec<_> = model.desks.iter().zip(&simulated.desks).filter(|(desk, _)| desk.statements > 0).collect();
    let height = TOP + panels.len().max(1) as f64 * (PANEL + GAP) - GAP + BOTTOM;
    let foot = height - BOTTOM;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"t d\">\
         <title id=\"t\">Timeline of the send</title><desc id=\"d\">Statements over time, a panel for each operator: what \
         waits, what has been delivered, closed hours, deadline and expected end.</desc><style>{STYLE}</style>"
    )?;
    writeln!(out, "<text x=\"{LEFT}\" y=\"26\" class=\"title\">Timeline of the send</text>")?;
    legend(out)?;
    for (place, (desk, seen)) in panels.iter().enumerate() {
        let top = TOP + place as f64 * (PANEL + GAP);
        let y = |count: u64| top + PANEL - count as f64 / desk.statements.max(1) as f64 * PANEL;
        if let Opening(Some(intervals)) = &desk.gate.opening {
            let mut from = 0;
            for (opens, closes) in intervals.iter().chain([&(Nanos::MAX, Nanos::MAX)]) {
                if from as f64 > span {
                    break;
                }
                if *opens > from {
                    let (left, right) = (x(from), x((*opens).min(span as Nanos)));
                    writeln!(
                        out,
                        "<rect class=\"closed\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{PANEL}\"/>",
                        right - left
                    )?;
                }
                from = *closes;
            }
        }
        writeln!(out, "<text x=\"{LEFT}\" y=\"{:.1}\">{}</text>", top - 7.0, escaped(&desk.name))?;
        let (mut waiting, mut delivered) = (0_u64, 0_u64);
        let (mut area, mut line) = (format!("{LEFT:.1},{:.1}", top + PANEL), format!("{LEFT:.1},{:.1}", top + PANEL));
        let bins = seen.series.routed.len().max(seen.series.delivered.len());
        for bin in 0..bins {
            let count = |of: &[u64]| of.get(bin).copied().unwrap_or(0);
            let (routed, sent) = (count(&seen.series.routed), count(&seen.series.delivered));
            waiting = (waiting + routed).saturating_sub(sent);
            delivered += sent;
            let at = x((bin as Nanos + 1) * seen.series.width);
            write!(area, " {at:.1},{:.1}", y(waiting))?;
            write!(line, " {at:.1},{:.1}", y(delivered))?;
        }
        let last = x(bins as Nanos * seen.series.width);
        writeln!(out, "<polygon class=\"wait\" points=\"{area} {last:.1},{:.1}\"/>", top + PANEL)?;
        writeln!(out, "<polyline class=\"sent\" points=\"{line}\"/>")?;
        let base = top + PANEL;
        writeln!(out, "<line class=\"rule\" x1=\"{LEFT}\" y1=\"{base}\" x2=\"{}\" y2=\"{base}\"/>", WIDTH - RIGHT)?;
        writeln!(out, "<line class=\"rule\" x1=\"{LEFT}\" y1=\"{top}\" x2=\"{LEFT}\" y2=\"{base}\"/>")?;
        for (count, at) in [(desk.statements, top + 4.0), (0, base + 4.0)] {
            writeln!(out, "<text class=\"dim\" x=\"{}\" y=\"{at}\" text-anchor=\"end\">{count}</text>", LEFT - 8.0)?;
        }
        let middle = top + PANEL / 2.0;
        writeln!(
            out,
            "<text class=\"dim\" x=\"26\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 26 {middle})\">statements</text>"
        )?;
    }
    axis(out, outlook, span, foot, &x)?;
    let marks = [
        simulated.end.map(|end| (end, "end", "end", "")),
        deadline.map(|deadline| (deadline, "deadline", "late", "latetext")),
    ];
    for (at, words, class, text) in marks.into_iter().flatten() {
        let at = x(at);
        writeln!(out, "<line class=\"{class}\" x1=\"{at:.1}\" y1=\"{}\" x2=\"{at:.1}\" y2=\"{foot}\"/>", TOP - 4.0)?;
        writeln!(
            out,
            "<text class=\"{text}\" x=\"{:.1}\" y=\"{}\" text-anchor=\"end\">{words}</text>",
            at - 4.0,
            TOP + 10.0
        )?;
    }
    writeln!(out, "</svg>")
}

fn legend(out: &mut String) -> std::fmt::Result {
    let mut at = LEFT;
    for (mark, words) in [
        ("<rect class=\"wait\" width=\"14\" height=\"10\" y=\"-9\"/>", "waiting"),
        ("<line class=\"sent\" x1=\"0\" x2=\"14\" y1=\"-4\" y2=\"-4\"/>", "delivered"),
        ("<rect class=\"closed\" width=\"14\" height=\"10\" y=\"-9\"/>", "closed"),
    ] {
        writeln!(out, "<g transform=\"translate({at} 46)\">{mark}<text x=\"20\">{words}</text></g>")?;
        at += 96.0;
    }
    Ok(())
}

/// Time along the foot, as the clocks in Sweden show it.
fn axis(out: &mut String, outlook: &Outlook, span: f64, foot: f64, x: &impl Fn(Nanos) -> f64) -> std::fmt::Result {
    let seconds = span / SECOND as f64;
    let step = STEPS.iter().copied().find(|step| seconds / *step as f64 <= 9.0).unwrap_or(28 * 24 * 3600);
    let format = match step {
        0..60 => "%H:%M:%S",
        60..10_800 => "%H:%M",
        _ => "%a %H:%M",
    };
    let begin = outlook.start.to_zoned_datetime(stockholm());
    // Ticks at full steps of the clock, not of the send.
    let since_midnight =
        u64::try_from(i64::from(begin.hour()) * 3600 + i64::from(begin.minute()) * 60 + i64::from(begin.second()))
            .unwrap_or(0);
    let mut at = (step - since_midnight % step) % step;
    while (at as f64) < seconds {
        let place = x(at * SECOND);
        let shown = outlook.at(at * SECOND).to_zoned_datetime(stockholm()).strftime(format).to_string();
        writeln!(
            out,
            "<line class=\"rule\" x1=\"{place:.1}\" y1=\"{foot}\" x2=\"{place:.1}\" y2=\"{}\"/>",
            foot + 5.0
        )?;
        writeln!(
            out,
            "<text class=\"dim\" x=\"{place:.1}\" y=\"{}\" text-anchor=\"middle\">{shown}</text>",
            foot + 19.0
        )?;
        at += step;
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let day = begin.strftime("%-d %B %Y, %H:%M");
    writeln!(
        out,
        "<text class=\"dim\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">time in Sweden; the send starts {day}</text>",
        foot + 42.0
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
