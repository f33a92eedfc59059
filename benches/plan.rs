//! How near is a plan to what a send then does? `cargo bench --bench plan [-- [--measured FILE] [MIX…]]`
//!
//! For each mix: a sandbox in a process of its own, `utskick plan` before the send, the send, and how far the planned time
//! was from the real one; and the bottleneck that the plan named beside the one that `utskick status` saw most of the
//! time while the send ran. Eight mixes are bound by a rate, by answers or by a window, and may be a tenth off; two are
//! bound by the processor, which other work on the machine disturbs, and may be a quarter off. Ends with 1 where one is
//! further off, or another bottleneck was named.
//!
//! Without `--measured` the machine is measured first (`utskick bench`), which takes half a minute, and again just before
//! each mix that is bound by the processor. Each mix takes 10 to 60 seconds, since windows open on the minute. The plan is
//! told of the cores that the machine gives to four spinning threads just before, the sandbox's share among them. Where
//! others use more than a tenth of the machine, that says little of the seconds after; the plan of a mix that is bound by
//! the processor is then made again with the cores that the send and the sandbox got, marked with a star.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The program that is planned with and sent with; another build of it by the environment variable `UTSKICK`.
fn utskick() -> Command {
    Command::new(std::env::var_os("UTSKICK").unwrap_or_else(|| env!("CARGO_BIN_EXE_utskick").into()))
}

/// Everyone has a mailbox.
const EVERYONE: [&str; 10] =
    ["--no-mailbox", "0", "--opted-out", "0", "--pending", "0", "--unknown-operator", "0", "--blank-address", "0"];

/// A send and what it is like.
struct Mix {
    name: &'static str,
    /// Of a mix that is bound by the processor: where a letter takes two milliseconds of it. A faster machine gets more.
    statements: u64,
    /// Of every answer of the sandbox, and their spread.
    latency_ms: u64,
    jitter_ms: u64,
    /// Whether everyone has a mailbox; else the sandbox's usual population.
    everyone: bool,
    /// The bottleneck that it was made for.
    limit: &'static str,
    settings: fn(&mut toml::Table, &Opening),
    /// Whether it is about a window that opens soon.
    opens: bool,
}

/// A window that opens on the next minute.
struct Opening {
    windows: String,
}

const MIXES: [Mix; 10] = [
    Mix {
        name: "one rate for all",
        statements: 1500,
        latency_ms: 20,
        jitter_ms: 5,
        everyone: true,
        limit: "rate",
        settings: |settings, _| operators(settings, |_, operator| set(operator, "rate_per_s", 40.0)),
        opens: false,
    },
    Mix {
        name: "three rates",
        statements: 750,
        latency_ms: 50,
        jitter_ms: 20,
        everyone: true,
        limit: "rate",
        settings: |settings, _| {
            operators(settings, |place, operator| set(operator, "rate_per_s", [20.0, 40.0, 80.0][place]));
        },
        opens: false,
    },
    Mix {
        name: "FaR's rate",
        statements: 600,
        latency_ms: 20,
        jitter_ms: 0,
        everyone: true,
        limit: "far_rate",
        settings: |settings, _| {
            set(far(settings), "rate_per_s", 1.0);
            set(far(settings), "batch", 50);
        },
        opens: false,
    },
    Mix {
        name: "slow answers, few at once",
        statements: 600,
        latency_ms: 250,
        jitter_ms: 0,
        everyone: true,
        limit: "answers",
        settings: |settings, _| operators(settings, |_, operator| set(operator, "concurrency", 4)),
        opens: false,
    },
    Mix {
        name: "slow answers under a rate",
        statements: 900,
        latency_ms: 300,
        jitter_ms: 100,
        everyone: false,
        limit: "answers",
        settings: |settings, _| {
            operators(settings, |_, operator| {
                set(operator, "rate_per_s", 100.0);
                set(operator, "concurrency", 6);
            });
        },
        opens: false,
    },
    Mix {
        name: "FaR's answers",
        statements: 600,
        latency_ms: 400,
        jitter_ms: 50,
        everyone: true,
        limit: "far_answers",
        settings: |settings, _| {
            set(far(settings), "concurrency", 1);
            set(far(settings), "batch", 20);
        },
        opens: false,
    },
    Mix {
        name: "a window that opens",
        statements: 450,
        latency_ms: 20,
        jitter_ms: 0,
        everyone: true,
        limit: "window",
        settings: |settings, opening| {
            operators(settings, |_, operator| {
                set(operator, "rate_per_s", 50.0);
                set(operator, "windows", vec![opening.windows.clone()]);
            });
        },
        opens: true,
    },
    Mix {
        name: "FaR's window",
        statements: 600,
        latency_ms: 20,
        jitter_ms: 0,
        everyone: false,
        limit: "far_window",
        settings: |settings, opening| {
            set(far(settings), "windows", vec![opening.windows.clone()]);
            operators(settings, |_, operator| set(operator, "rate_per_s", 100.0));
        },
        opens: true,
    },
    Mix {
        name: "the processor, all digital",
        statements: 6000,
        latency_ms: 0,
        jitter_ms: 0,
        everyone: true,
        limit: "processor",
        settings: |settings, _| operators(settings, |_, operator| set(operator, "concurrency", 64)),
        opens: false,
    },
    Mix {
        name: "the processor, one thread",
        statements: 4000,
        latency_ms: 0,
        jitter_ms: 0,
        everyone: false,
        limit: "processor",
        settings: |settings, _| {
            let run = settings.entry("run").or_insert_with(|| toml::Table::new().into());
            set(run.as_table_mut().unwrap(), "threads", 1);
            operators(settings, |_, operator| set(operator, "concurrency", 64));
        },
        opens: false,
    },
];

/// What came of a mix.
struct Outcome {
    cores: f64,
    /// Whether those are the cores that the send got, and not those that it might have.
    got: bool,
    planned_s: f64,
    real_s: f64,
    planned: String,
    real: String,
}

fn main() -> ExitCode {
    let (mut given, mut wanted) = (None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--measured" => given = arguments.next().map(PathBuf::from),
            // What cargo and test runners add.
            flag if flag.starts_with("--") => {}
            _ => wanted.push(argument),
        }
    }
    let folder = std::env::temp_dir().join(format!("utskick-bench-plan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut measured = given.clone();
    println!(
        "{:<28}{:>6} {:>10}{:>10}{:>8}{:>8}  {:<14}{:<14}",
        "mix", "cores", "planned", "real", "error", "bound", "planned", "seen"
    );
    let mut held = true;
    for (number, mix) in MIXES.iter().enumerate() {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| mix.name.contains(wanted.as_str())) {
            continue;
        }
        let by_processor = mix.limit == "processor";
        let bound = if by_processor { 0.25 } else { 0.1 };
        if given.is_none() && (by_processor || measured.is_none()) {
            measured = Some(measure(&folder));
        }
        let seen = try_mix(mix, &folder.join(format!("mix-{number}")), measured.as_deref().unwrap());
        let error = seen.planned_s / seen.real_s - 1.0;
        let good = error.abs() <= bound && seen.planned == mix.limit && seen.real == mix.limit;
        held &= good;
        println!(
            "{:<28}{:>6.2}{}{:>8.2} s{:>8.2} s{:>7.1}%{:>7.0}%  {:<14}{:<14}{}",
            mix.name,
            seen.cores,
            if seen.got { "*" } else { " " },
            seen.planned_s,
            seen.real_s,
            error * 100.0,
            bound * 100.0,
            seen.planned,
            seen.real,
            if good { "" } else { "  OFF" }
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plans and sends a mix.
fn try_mix(mix: &Mix, folder: &Path, measured: &Path) -> Outcome {
    std::fs::create_dir_all(folder).unwrap();
    let export = folder.join("export.xml");
    let statements = match mix.limit {
        "processor" => (mix.statements as f64 * (0.002 / letter_s(measured)).max(1.0)) as u64,
        _ => mix.statements,
    };
    let statements = statements.to_string();
    let mut generate = vec!["generate", "--statements", &statements, "--out", export.to_str().unwrap()];
    generate.extend(mix.everyone.then_some("--addressable"));
    run(&generate);
    let (latency, jitter) = (mix.latency_ms.to_string(), mix.jitter_ms.to_string());
    let mut arguments = vec!["--trusting", "--latency", &latency, "--jitter", &jitter];
    arguments.extend(mix.everyone.then_some(EVERYONE).into_iter().flatten());
    let place = folder.join("sandbox");
    let sandbox = Sandbox::start(&place, &arguments);
    let config = place.join("utskick.toml");
    let original: toml::Table = std::fs::read_to_string(&config).unwrap().parse().unwrap();
    // FaR is asked while it is open; the answers are the same later.
    let share = known(&export, &config);
    let cores = cores();
    let opening = opening(mix.opens);
    let mut settings = original;
    (mix.settings)(&mut settings, &opening);
    std::fs::write(&config, toml::to_string(&settings).unwrap()).unwrap();
    let start = Timestamp::now() + SignedDuration::from_millis(2500);
    let plan = |cores: f64| -> Value {
        let (latency, cores, start) = (format!("{}ms", mix.latency_ms), cores.to_string(), start.to_string());
        let mut arguments = vec!["plan", export.to_str().unwrap(), "--config", config.to_str().unwrap(), "--json"];
        arguments.extend(["--measured", measured.to_str().unwrap(), "--gateways-here", "--retries", "0"]);
        arguments.extend(["--latency", &latency, "--cores", &cores, "--start", &start]);
        arguments.extend(share.iter().map(String::as_str));
        serde_json::from_str(&run(&arguments)).unwrap()
    };
    let mut planned = plan(cores);
    let wait = start.duration_since(Timestamp::now());
    std::thread::sleep(Duration::try_from(wait).unwrap_or_default());
    let before_s = cpu_s(sandbox.0.id());
    let sent = send(&export, &config, &folder.join("run"));
    let sandbox_s = cpu_s(sandbox.0.id()) - before_s;
    drop(sandbox);
    let machine = std::thread::available_parallelism().unwrap().get() as f64;
    let mut seen = Outcome {
        cores,
        got: mix.limit == "processor" && cores < 0.9 * machine,
        planned_s: 0.0,
        real_s: sent.real_s,
        planned: String::new(),
        real: sent.limit,
    };
    if seen.got {
        let measured: Value = serde_json::from_str(&std::fs::read_to_string(measured).unwrap()).unwrap();
        let sending_s = sent.real_s - measured["send"]["start_s"].as_f64().unwrap();
        seen.cores = (sent.cpu_s + sandbox_s) / sending_s;
        planned = plan(seen.cores);
    }
    seen.planned_s = planned["end"]["duration_s"].as_f64().expect("an end");
    seen.planned = planned["bottleneck"]["limit"].as_str().unwrap().to_owned();
    seen
}

/// Processor time of a process so far.
fn cpu_s(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name stands in brackets, and may hold blanks.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    // A hundred a second, as Linux counts for every reader of this file.
    ticks.sum::<f64>() / 100.0
}

/// A send that was made.
struct Sent {
    real_s: f64,
    /// Processor time of the sender.
    cpu_s: f64,
    /// What limited it most of the time.
    limit: String,
}

/// Who has a mailbox where, as arguments of a later plan.
fn known(export: &Path, config: &Path) -> Vec<String> {
    let plan: Value = serde_json::from_str(&run(&[
        "plan",
        export.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
        "--ask-far",
        "--json",
    ]))
    .unwrap();
    let counts: Vec<(String, f64)> = plan["operators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operator| (operator["id"].as_str().unwrap().to_owned(), operator["statements"].as_f64().unwrap()))
        .collect();
    let digital: f64 = counts.iter().map(|(_, count)| count).sum();
    let looked_up = plan["all"]["looked_up"].as_f64().unwrap();
    let mut arguments = vec!["--digital-share".to_owned(), (digital / looked_up).to_string()];
    // The last has the rest.
    for (id, count) in counts.iter().take(counts.len() - 1) {
        arguments.extend(["--operator-share".to_owned(), format!("{id}={}", count / digital)]);
    }
    arguments
}

/// Sends to the end.
fn send(export: &Path, config: &Path, folder: &Path) -> Sent {
    let began = Instant::now();
    let mut command = utskick();
    command.arg("send").arg(export).arg("--config").arg(config).arg("--run").arg(folder);
    let mut sender = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut next_look = began + Duration::from_secs(2);
    let mut sender_s = 0.0;
    let status = loop {
        // What has ended has no more than it had a moment before.
        sender_s = f64::max(sender_s, cpu_s(sender.id()));
        if let Some(status) = sender.try_wait().unwrap() {
            break status;
        }
        if Instant::now() >= next_look {
            next_look += Duration::from_secs(1);
            let output = utskick().args(["status", "--json"]).arg(folder).output().unwrap();
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if let Some(words) = status["limited_by"].as_str() {
                *seen.entry(limit(words)).or_default() += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let real_s = began.elapsed().as_secs_f64();
    assert!(status.success(), "the send ended with {status}");
    let most = seen.into_iter().max_by_key(|(_, times)| *times);
    Sent { real_s, cpu_s: sender_s, limit: most.map_or_else(|| "unseen".into(), |(limit, _)| limit) }
}

/// The limit that `status` means by its words.
fn limit(words: &str) -> String {
    let far = words.starts_with("look-ups");
    let limit = match words {
        words if words.contains("delivery window") && far => "far_window",
        words if words.contains("delivery window") => "window",
        words if words.contains("agreed rate") && far => "far_rate",
        words if words.contains("agreed rate") => "rate",
        words if words.contains("answers") && far => "far_answers",
        words if words.contains("answers") => "answers",
        words if words.contains("making and signing") => "processor",
        words => words,
    };
    limit.to_owned()
}

/// A window that opens 10 to 20 seconds from now, on the minute; waits until that is so.
fn opening(wanted: bool) -> Opening {
    loop {
        let now = Timestamp::now();
        let second = now.as_second();
        let opens = Timestamp::from_second(second - second % 60 + 60).unwrap();
        let left = 60 - second % 60;
        if !wanted || (10..=20).contains(&left) {
            let zone = TimeZone::get("Europe/Stockholm").unwrap();
            let (from, to) = (
                opens.to_zoned_datetime(zone.clone()),
                (opens + SignedDuration::from_hours(6)).to_zoned_datetime(zone),
            );
            let windows = format!("mon-sun {}-{}", from.strftime("%H:%M"), to.strftime("%H:%M"));
            return Opening { windows };
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Cores that the machine gives just now: the processor time of four threads that spin, over the time on the wall. Two
/// make letters, one sends, one is the sandbox's.
fn cores() -> f64 {
    let spin = || {
        let time = || {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        let (began, before) = (Instant::now(), time());
        while began.elapsed() < Duration::from_millis(1500) {
            std::hint::black_box(began);
        }
        (time() - before) / began.elapsed().as_secs_f64()
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(spin)).collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

/// Processor time of a letter.
fn letter_s(measured: &Path) -> f64 {
    let measured: Value = serde_json::from_slice(&std::fs::read(measured).unwrap()).unwrap();
    ["compose_s", "sign_s", "seal_s"].iter().map(|stage| measured["stages"][stage].as_f64().unwrap()).sum()
}

fn measure(folder: &Path) -> PathBuf {
    let file = folder.join("bench.json");
    eprintln!("measuring this machine");
    run(&["bench", "--statements", "3000", "--dir", folder.to_str().unwrap(), "--out", file.to_str().unwrap()]);
    file
}

fn run(arguments: &[&str]) -> String {
    let output = utskick().args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn far(settings: &mut toml::Table) -> &mut toml::Table {
    settings.get_mut("far").unwrap().as_table_mut().unwrap()
}

fn operators(settings: &mut toml::Table, mut change: impl FnMut(usize, &mut toml::Table)) {
    let operators = settings.get_mut("operators").unwrap().as_array_mut().unwrap();
    for (place, operator) in operators.iter_mut().enumerate() {
        change(place, operator.as_table_mut().unwrap());
    }
}

fn set(table: &mut toml::Table, key: &str, value: impl Into<toml::Value>) {
    table.insert(key.into(), value.into());
}

/// The sandbox in a process of its own.
struct Sandbox(Child);

impl Sandbox {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = utskick();
        command.args(["sandbox", "--until-stdin-closes", "--dir"]).arg(folder).args(arguments);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        assert!(stdout.lines().map_while(Result::ok).any(|line| line.contains("ready")), "the sandbox ended early");
        Self(process)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
