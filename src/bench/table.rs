//! The figures as tables for people. They change; scripts read the JSON.

use super::whole::{Mix, Whole};
use super::{Bench, signatures, slope};
use std::collections::BTreeSet;
use std::fmt::Write;

/// All tables.
pub fn text(bench: &Bench) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(bench, &mut out);
    out
}

fn write(bench: &Bench, out: &mut String) -> std::fmt::Result {
    let at = &bench.measured;
    writeln!(
        out,
        "utskick {} on {}, {}, {}",
        at.commit,
        at.machine.cpu,
        processors(at.machine.cores),
        bench.measured_at.strftime("%Y-%m-%d %H:%M UTC")
    )?;
    floors(bench, out)?;
    stages(bench, out)?;
    threads_of_sends(bench, out)?;
    scaling(bench, out)?;
    noise(bench, out)
}

fn floors(bench: &Bench, out: &mut String) -> std::fmt::Result {
    let (floors, more) = (&bench.measured.floors, &bench.more_floors);
    writeln!(out, "\nFloors: what no program can do without here")?;
    let line = |out: &mut String, what: &str, cost: String, note: String| {
        writeln!(out, "  {what:<34}{cost:>12}{}{note}", if note.is_empty() { "" } else { "   " })
    };
    let all = format!("{} each while all processors sign", time(more.rsa2048_sign_all_s));
    line(out, "RSA-2048 signature", time(floors.rsa2048_sign_s), all)?;
    line(out, "RSA-3072 signature", time(floors.rsa3072_sign_s), String::new())?;
    line(out, "RSA-2048 wrap of a content key", time(more.rsa2048_wrap_s), String::new())?;
    line(out, "SHA-256", rate(floors.sha256_bytes_per_s), String::new())?;
    line(out, "AES-256-GCM", rate(more.aes256_gcm_bytes_per_s), String::new())?;
    line(out, "memchr scan", rate(floors.memchr_bytes_per_s), String::new())?;
    line(out, "append and fsync", time(floors.fsync_s), "on the wall".to_owned())
}

/// A stage beside its floor.
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Processor time per statement.
    pub cost_s: f64,
    /// What it cannot do without, and what that costs; nothing where it is all our own.
    pub floor: Option<(&'static str, f64)>,
    /// Whether every statement that goes to a mailbox passes it.
    pub always: bool,
}

/// The stages in the order of a statement's way.
pub fn stages_of(bench: &Bench) -> Vec<Stage> {
    let (at, floors, more) = (&bench.measured.stages, &bench.measured.floors, &bench.more_floors);
    let (record, message) = (bench.statement_bytes, bench.measured.message_bytes);
    let stage = |name, cost_s, floor| Stage { name, cost_s, floor, always: true };
    let wrapped = more.rsa2048_wrap_s + bench.attachment_bytes / more.aes256_gcm_bytes_per_s;
    vec![
        stage(
            "check",
            at.check_s_per_byte * record,
            Some(("a memchr scan of the record", record / floors.memchr_bytes_per_s)),
        ),
        stage(
            "release",
            at.release_s_per_statement,
            Some(("SHA-256 of the record", record / floors.sha256_bytes_per_s)),
        ),
        stage("look-up", at.lookup_s_per_statement, None),
        stage("compose", at.compose_s, None),
        stage("sign", at.sign_s, Some(("an RSA-2048 signature", floors.rsa2048_sign_s))),
        stage("seal", at.seal_s, Some(("an RSA-2048 signature", floors.rsa2048_sign_s))),
        stage(
            "submit",
            at.submit_s_per_request + at.submit_s_per_byte * message,
            Some(("AES-256-GCM of the request", message / more.aes256_gcm_bytes_per_s)),
        ),
        stage("journal", at.journal_s_per_statement, None),
        Stage { always: false, ..stage("encrypt", at.encrypt_s, Some(("a wrapped key, AES-256-GCM", wrapped))) },
        Stage { always: false, ..stage("paper", at.paper_s_per_statement, None) },
    ]
}

fn stages(bench: &Bench, out: &mut String) -> std::fmt::Result {
    let stages = stages_of(bench);
    let signatures = 2.0 * bench.measured.floors.rsa2048_sign_s;
    let sum: f64 = stages.iter().filter(|stage| stage.always).map(|stage| stage.cost_s).sum();
    writeln!(
        out,
        "\nStages by themselves: processor time of a statement of {:.0} bytes, sent as {:.0}",
        bench.statement_bytes, bench.measured.message_bytes
    )?;
    writeln!(out, "  {:<12}{:>10}{:>8}   {:<30}{:>10}{:>9}", "stage", "costs", "share", "its floor", "", "× floor")?;
    for stage in &stages {
        let share = if stage.always { percent(stage.cost_s / sum.max(1e-12)) } else { "beside".to_owned() };
        write!(out, "  {:<12}{:>10}{:>8}", stage.name, time(stage.cost_s), share)?;
        if let Some((name, cost)) = stage.floor {
            write!(out, "   {name:<30}{:>10}{:>9}", time(cost), figures(stage.cost_s / cost.max(1e-12)))?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "  {:<12}{:>10}{:>8}   {:<30}{:>10}{:>9}",
        "together",
        time(sum),
        percent(1.0),
        "two RSA-2048 signatures",
        time(signatures),
        figures(sum / signatures.max(1e-12))
    )
}

/// Whole sends by what threads are for.
fn threads_of_sends(bench: &Bench, out: &mut String) -> std::fmt::Result {
    let threads = bench.measured.threads;
    let runs: Vec<&Whole> = bench.runs.iter().filter(|run| run.threads == threads && run.statements > 1).collect();
    let mixes = [Mix::Held, Mix::Digital, Mix::Encrypted, Mix::Usual];
    let roles: BTreeSet<&String> = runs.iter().flat_map(|run| run.cpu_s_by_thread.keys()).collect();
    let cost = |mix: Mix, of: &dyn Fn(&Whole) -> f64| slope(&bench.runs, mix, threads, of);
    let cell = |cost: Option<f64>| cost.map_or("-".to_owned(), |cost| time(cost.max(0.0)));
    let mut rows: Vec<(&str, [Option<f64>; 4])> = roles
        .iter()
        .map(|role| {
            let of = |run: &Whole| run.cpu_s_by_thread.get(*role).copied().unwrap_or(0.0);
            (role.as_str(), mixes.map(|mix| cost(mix, &of)))
        })
        .collect();
    rows.sort_by(|(_, one), (_, two)| {
        let first = |[_, digital, ..]: &[Option<f64>; 4]| digital.unwrap_or(0.0);
        first(two).total_cmp(&first(one))
    });
    writeln!(
        out,
        "\nWhole sends, {}: processor time per statement, without what starting costs",
        self::threads(threads)
    )?;
    writeln!(
        out,
        "  {:<24}{:>14}{:>14}{:>14}{:>14}",
        "", "pass 1 alone", "to mailboxes", "encrypted", "a fifth paper"
    )?;
    for (role, costs) in rows {
        let [held, digital, encrypted, usual] = costs.map(cell);
        writeln!(out, "  {role:<24}{held:>14}{digital:>14}{encrypted:>14}{usual:>14}")?;
    }
    let total = mixes.map(|mix| cost(mix, &|run| run.cpu_s));
    let [held, digital, encrypted, usual] = total.map(cell);
    writeln!(out, "  {:<24}{held:>14}{digital:>14}{encrypted:>14}{usual:>14}", "together")?;
    let [held, digital, encrypted, usual] = mixes.map(|mix| {
        signatures(&bench.runs, mix, threads).map_or("-".to_owned(), |signatures| figures(signatures / 2.0))
    });
    writeln!(out, "  {:<24}{held:>14}{digital:>14}{encrypted:>14}{usual:>14}", "× two bare signatures")?;
    let sandbox = mixes.map(|mix| cell(cost(mix, &|run| run.sandbox_cpu_s)));
    let [held, digital, encrypted, usual] = sandbox;
    writeln!(out, "  {:<24}{held:>14}{digital:>14}{encrypted:>14}{usual:>14}", "beside it, the sandbox")
}

fn scaling(bench: &Bench, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\nWhole sends: sizes and threads")?;
    writeln!(
        out,
        "  {:<36}{:>10}{:>9}{:>9}{:>9}{:>10}{:>12}",
        "", "statements", "threads", "wall s", "CPU s", "per s", "peak memory"
    )?;
    for run in &bench.runs {
        writeln!(
            out,
            "  {:<36}{:>10}{:>9}{:>9.2}{:>9.2}{:>10.0}{:>9.0} MB",
            run.mix.name(),
            run.statements,
            run.threads,
            run.wall_s,
            run.cpu_s,
            run.per_s(),
            run.peak_bytes as f64 / 1e6
        )?;
    }
    Ok(())
}

fn noise(bench: &Bench, out: &mut String) -> std::fmt::Result {
    let noise = &bench.noise;
    writeln!(
        out,
        "\nNoise: the same {} repetitions differed by {}; other processes used {} of the processors, other guests {}",
        noise.repetitions,
        percent(noise.spread),
        percent(noise.others),
        percent(noise.stolen)
    )?;
    for warning in &bench.warnings {
        writeln!(out, "  warning: {warning}")?;
    }
    Ok(())
}

/// `1 thread`, `8 threads`.
pub fn threads(count: usize) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

/// `1 processor`, `8 processors`.
pub fn processors(count: usize) -> String {
    if count == 1 { "1 processor".to_owned() } else { format!("{count} processors") }
}

/// Seconds in the unit that suits them, three figures.
pub fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    format!("{} {unit}", figures(value))
}

/// Three figures.
pub fn figures(value: f64) -> String {
    let decimals = match value {
        0.0 => 0,
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// Bytes a second.
fn rate(bytes_per_s: f64) -> String {
    format!("{:.1} GB/s", bytes_per_s / 1e9)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_unit() {
        for (seconds, text) in [
            (0.0, "0 ns"),
            (71e-9, "71.0 ns"),
            (2.34e-6, "2.34 µs"),
            (0.000_771_4, "771 µs"),
            (0.001_54, "1.54 ms"),
            (12.345, "12.3 s"),
        ] {
            assert_eq!(time(seconds), text);
        }
    }
}
