//! The figures as an SVG: each stage beside its floor, and whole sends over their size.
//!
//! Written by hand: a picture of two diagrams needs no library. Colours follow the reader's light or dark setting; what
//! a colour says is also said in words and in the table that [`table`](super::table) prints.

use super::Bench;
use super::table::{figures, processors, stages_of, threads, time};
use super::whole::Mix;
use std::collections::BTreeMap;
use std::fmt::Write;

const WIDTH: f64 = 860.0;
/// Room for names at the left of the bars, and for figures at their right.
const LEFT: f64 = 120.0;
const RIGHT: f64 = 170.0;
const ROW: f64 = 30.0;
const TOP: f64 = 112.0;
/// The diagram of sizes.
const HEIGHT: f64 = 220.0;

const STYLE: &str = "\
svg{color-scheme:light dark;background:#fff;color:#1f2328;font-family:system-ui,sans-serif}\
text{font-size:13px;fill:currentColor}.title{font-size:18px;font-weight:600}.head{font-size:15px;font-weight:600}\
.quiet{fill:#59636e}.cost{fill:#0969da}.floor{fill:#8c959f}.grid{stroke:#d1d9e0;stroke-width:1}\
.line{fill:none;stroke-width:2}.a{stroke:#0969da}.b{stroke:#bc4c00;stroke-dasharray:6 4}\
.a-dot{fill:#0969da}.b-dot{fill:#bc4c00}\
@media (prefers-color-scheme:dark){svg{background:#0d1117;color:#f0f6fc}.quiet{fill:#9198a1}.cost{fill:#4493f8}\
.floor{fill:#656c76}.grid{stroke:#3d444d}.a{stroke:#4493f8}.b{stroke:#f0883e}.a-dot{fill:#4493f8}.b-dot{fill:#f0883e}}";

/// The picture.
pub fn svg(bench: &Bench) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(bench, &mut out);
    out
}

fn write(bench: &Bench, out: &mut String) -> std::fmt::Result {
    let stages = stages_of(bench);
    let middle = TOP + stages.len() as f64 * ROW + 110.0;
    let height = middle + HEIGHT + 70.0;
    let at = &bench.measured;
    let machine =
        format!("{}, {}, {}", at.machine.cpu, processors(at.machine.cores), bench.measured_at.strftime("%Y-%m-%d"));
    let whole = format!(
        "A whole send costs {} of processor time per statement, {} × two bare RSA-2048 signatures.",
        time(at.send.cpu_s_per_statement),
        figures(at.send.floor_ratio)
    );
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-labelledby=\"title about\">\n<title id=\"title\">What a statement costs, by stage</title>\n\
         <desc id=\"about\">{1}</desc>\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"16\" y=\"30\">What a statement costs, by stage</text>\n\
         <text class=\"quiet\" x=\"16\" y=\"52\">{0}</text>\n<text x=\"16\" y=\"72\">{1}</text>",
        escaped(&machine),
        escaped(&whole)
    )?;
    if let Some(warning) = bench.warnings.first().filter(|_| at.noisy) {
        // What was seen; what it means takes more than a line.
        let (warning, _) = warning.split_once([':', ';']).unwrap_or((warning, ""));
        writeln!(out, "<text x=\"16\" y=\"92\">Not to be relied on: {}</text>", escaped(warning))?;
    }
    bars(bench, out)?;
    sizes(bench, middle, out)?;
    writeln!(out, "</svg>")
}

/// A bar a stage, its floor below it, on a scale of powers of ten.
fn bars(bench: &Bench, out: &mut String) -> std::fmt::Result {
    let stages = stages_of(bench);
    let costs = || stages.iter().flat_map(|stage| [Some(stage.cost_s), stage.floor.map(|(_, cost)| cost)]).flatten();
    let decade = |seconds: f64| seconds.max(1e-9).log10();
    let low = costs().map(decade).fold(f64::INFINITY, f64::min).floor();
    let high = costs().map(decade).fold(f64::NEG_INFINITY, f64::max).ceil().max(low + 1.0);
    let x = |seconds: f64| LEFT + (decade(seconds) - low) / (high - low) * (WIDTH - LEFT - RIGHT);
    let bottom = TOP + stages.len() as f64 * ROW;
    for step in low as i32..=high as i32 {
        let (at, label) = (x(10_f64.powi(step)), time(10_f64.powi(step)));
        writeln!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom:.1}\"/>\
             <text class=\"quiet\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            bottom + 18.0
        )?;
    }
    for (row, stage) in stages.iter().enumerate() {
        let y = TOP + row as f64 * ROW;
        let name = if stage.always { stage.name.to_owned() } else { format!("({})", stage.name) };
        let end = x(stage.cost_s);
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"cost\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\"/>",
            LEFT - 8.0,
            y + 17.0,
            y + 4.0,
            (end - LEFT).max(1.0)
        )?;
        let mut label = time(stage.cost_s);
        let mut right = end;
        if let Some((floor, cost)) = stage.floor {
            let end = x(cost);
            writeln!(
                out,
                "<rect class=\"floor\" x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"7\">\
                 <title>{floor}: {}</title></rect>",
                y + 18.0,
                (end - LEFT).max(1.0),
                time(cost)
            )?;
            right = right.max(end);
            write!(label, " ({} × floor)", figures(stage.cost_s / cost.max(1e-12)))?;
        }
        writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\">{label}</text>", right + 8.0, y + 17.0)?;
    }
    writeln!(
        out,
        "<text class=\"quiet\" x=\"{LEFT}\" y=\"{0:.1}\">processor time per statement, each step ten times the one \
         before; in parentheses: not every statement</text>\n\
         <rect class=\"cost\" x=\"{LEFT}\" y=\"{1:.1}\" width=\"14\" height=\"10\"/><text x=\"{2}\" y=\"{3:.1}\">the stage</text>\
         <rect class=\"floor\" x=\"{4}\" y=\"{1:.1}\" width=\"14\" height=\"10\"/><text x=\"{5}\" y=\"{3:.1}\">its floor: the bare \
         signature, digest or scan in it</text>",
        bottom + 38.0,
        bottom + 50.0,
        LEFT + 20.0,
        bottom + 60.0,
        LEFT + 110.0,
        LEFT + 130.0
    )
}

/// Statements a second over the size of a send, a line for each number of threads.
fn sizes(bench: &Bench, top: f64, out: &mut String) -> std::fmt::Result {
    let mut lines: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for run in bench.runs.iter().filter(|run| run.mix == Mix::Digital && run.statements > 1) {
        lines.entry(run.threads).or_default().push((run.statements as f64, run.per_s()));
    }
    let points = || lines.values().flatten();
    let most = points().map(|(size, _)| *size).fold(1.0, f64::max);
    let fastest = nice(points().map(|(_, per_s)| *per_s).fold(1.0, f64::max));
    let (left, right, bottom) = (LEFT, WIDTH - RIGHT, top + HEIGHT);
    let x = |size: f64| left + size / most * (right - left);
    let y = |per_s: f64| bottom - per_s / fastest * (HEIGHT - 30.0);
    writeln!(
        out,
        "<text class=\"head\" x=\"16\" y=\"{:.1}\">Whole sends: statements a second on the wall, by size and threads</text>",
        top
    )?;
    for step in 0..=4_u8 {
        let value = fastest * f64::from(step) / 4.0;
        writeln!(
            out,
            "<path class=\"grid\" d=\"M{left} {0:.1}H{right}\"/>\
             <text class=\"quiet\" x=\"{1:.1}\" y=\"{2:.1}\" text-anchor=\"end\">{value:.0}/s</text>",
            y(value),
            left - 8.0,
            y(value) + 4.0
        )?;
    }
    let mut labels: Vec<f64> = Vec::new();
    for (place, (count, points)) in lines.iter().rev().enumerate() {
        let class = if place == 0 { "a" } else { "b" };
        let path: Vec<String> =
            points.iter().map(|(size, per_s)| format!("{:.1} {:.1}", x(*size), y(*per_s))).collect();
        writeln!(out, "<path class=\"line {class}\" d=\"M{}\"/>", path.join("L"))?;
        for (size, per_s) in points {
            writeln!(
                out,
                "<circle class=\"{class}-dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"><title>{size:.0} statements, {per_s:.0}/s</title></circle>",
                x(*size),
                y(*per_s)
            )?;
        }
        if let Some((size, per_s)) = points.last() {
            let label = threads(*count);
            let mut at = y(*per_s) + 4.0;
            // Lines that end at nearly the same height have their labels one above the other.
            while labels.iter().any(|taken| (taken - at).abs() < 15.0) {
                at += 1.0;
            }
            labels.push(at);
            writeln!(out, "<text x=\"{:.1}\" y=\"{at:.1}\">{label}, {per_s:.0}/s</text>", x(*size) + 10.0)?;
        }
    }
    for (size, _) in lines.values().next().into_iter().flatten() {
        writeln!(
            out,
            "<text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{size:.0}</text>",
            x(*size),
            bottom + 20.0
        )?;
    }
    writeln!(
        out,
        "<text class=\"quiet\" x=\"{left}\" y=\"{:.1}\">statements of the send; everyone has a mailbox, nothing is encrypted</text>",
        bottom + 42.0
    )
}

/// The next figure of one digit above.
fn nice(figure: f64) -> f64 {
    let power = 10_f64.powf(figure.max(1.0).log10().floor());
    (figure / power).ceil() * power
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_a_figure_of_one_digit() {
        for (figure, end) in [(0.2, 1.0), (7.0, 7.0), (861.0, 900.0), (1_230.0, 2_000.0)] {
            assert_eq!(nice(figure), end);
        }
    }

    #[test]
    fn what_a_processor_calls_itself_does_not_break_the_picture() {
        assert_eq!(escaped("A<B> & C"), "A&lt;B&gt; &amp; C");
    }
}
