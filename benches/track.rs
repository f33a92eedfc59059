//! What does a statement cost the journal?
//!
//! Processor time, not wall time: the journal shares its cores with the signatures. `statement` is everything from
//! admission to outcome at 64 requests under way, register and person index included; beside it its parts, and the floor
//! of durability, a bare append and fsync: one is paid for each group of changes. `resume` is what opening a run of a
//! million statements costs, 700,000 of which have ended, up to the first page of work.

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures::StreamExt;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use utskick::bench::clock::Whose;
use utskick::bench::stages::journal::{self, OPERATORS, admit, header, installation, release, route};
use utskick::track::{DigitalEnd, End, Installation, Journal};

/// Processor time of the whole process.
struct Processor;

impl Measurement for Processor {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        processor_time()
    }
    fn end(&self, start: Duration) -> Duration {
        processor_time() - start
    }
    fn add(&self, one: &Duration, two: &Duration) -> Duration {
        *one + *two
    }
    fn zero(&self) -> Duration {
        Duration::ZERO
    }
    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        &Format
    }
}

struct Format;

impl ValueFormatter for Format {
    fn scale_values(&self, _typical: f64, values: &mut [f64]) -> &'static str {
        values.iter_mut().for_each(|value| *value /= 1000.0);
        "µs CPU"
    }
    fn scale_throughputs(&self, _typical: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        let count = match throughput {
            Throughput::Elements(count) | Throughput::Bytes(count) => *count,
            _ => 1,
        };
        values.iter_mut().for_each(|value| *value = *value / 1000.0 / count as f64);
        "µs CPU each"
    }
    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "ns"
    }
}

fn processor_time() -> Duration {
    Whose::Process.now()
}

/// Where each goes, intents and outcomes, on a runtime of its own.
fn send_all(journal: &Journal, statements: u64) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Ok(()) };
    runtime.block_on(async {
        route(journal, statements).await?;
        journal::send_all(journal, statements).await
    })
}

type Outcome<T> = Result<T, utskick::track::TrackError>;

/// A run of a million statements that was stopped when 700,000 had ended.
fn stopped_run(folder: &Path) -> Outcome<Installation> {
    let installation = installation(folder)?;
    let journal = Journal::create(&folder.join("run"), &installation, &header("million".into()))?;
    let (statements, ended) = (1_000_000, 700_000);
    admit(&journal, statements)?;
    release(&journal, statements)?;
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Ok(installation);
    };
    runtime.block_on(async {
        route(&journal, statements).await?;
        let at = jiff::Timestamp::now();
        let mut ends = futures::stream::iter(1..=ended)
            .map(|ordinal| {
                let end = End::Held(utskick::domain::Reason::Protected);
                let end = DigitalEnd { ordinal, attempt: 0, at, end, fault_code: None, call_id: None, detail: None };
                journal.end_digital(end)
            })
            .buffer_unordered(2000);
        while let Some(end) = ends.next().await {
            end?;
        }
        Ok::<(), utskick::track::TrackError>(())
    })?;
    Ok(installation)
}

/// Opens the run and reads the first page of each queue.
fn resume(folder: &Path, installation: &Installation) -> Outcome<usize> {
    let journal = Journal::open(&folder.join("run"), installation)?;
    let mut found = journal.open_intents()?.len() + journal.to_look_up(0, 1000)?.len();
    for operator in 0..OPERATORS {
        found += journal.routed(operator, 0, 256)?.len();
    }
    Ok(found)
}

/// How far a run is taken inside the measurement.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Admit,
    Release,
    Send,
    Finish,
    Whole,
}

fn run(folder: &Path, statements: u64, part: Part) -> Outcome<Duration> {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let name = format!("run-{}", RUNS.fetch_add(1, Ordering::Relaxed));
    // A state folder of its own, so that the register is as large as the run.
    let installation = installation(&folder.join(&name))?;
    let journal = Journal::create(&folder.join(&name).join("run"), &installation, &header(name.clone()))?;
    let mut spent = Duration::ZERO;
    let mut measured = |of: Part, work: &dyn Fn() -> Outcome<()>| -> Outcome<()> {
        let start = processor_time();
        work()?;
        if part == of || part == Part::Whole {
            spent += processor_time() - start;
        }
        Ok(())
    };
    measured(Part::Admit, &|| admit(&journal, statements))?;
    measured(Part::Release, &|| release(&journal, statements))?;
    measured(Part::Send, &|| send_all(&journal, statements))?;
    measured(Part::Finish, &|| journal.finish().map(|_| ()))?;
    drop(journal);
    let _ = std::fs::remove_dir_all(folder.join(name));
    Ok(spent)
}

fn main() {
    let Ok(folder) = std::env::var("CARGO_TARGET_TMPDIR").map_or_else(|_| tempfile::tempdir(), tempfile::tempdir_in)
    else {
        return;
    };
    let mut criterion = Criterion::default()
        .with_measurement(Processor)
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(8))
        .configure_from_args();
    let mut group = criterion.benchmark_group("track");
    let statements = 20_000;
    group.throughput(Throughput::Elements(statements));
    let parts = [
        ("admit", Part::Admit),
        ("release", Part::Release),
        ("send", Part::Send),
        ("finish", Part::Finish),
        ("statement", Part::Whole),
    ];
    for (name, part) in parts {
        group.bench_function(BenchmarkId::new(name, statements), |bencher| {
            bencher.iter_custom(|times| {
                (0..times)
                    .map(|_| match run(folder.path(), statements, part) {
                        Ok(spent) => spent,
                        Err(error) => panic!("the journal failed: {error}"),
                    })
                    .sum()
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    let million = folder.path().join("million");
    let mut stopped = None;
    group.bench_function("resume/1000000", |bencher| {
        // Made when it is asked for: it takes a while.
        let installation = stopped.get_or_insert_with(|| stopped_run(&million));
        match installation {
            Ok(installation) => bencher.iter(|| match resume(&million, installation) {
                // A page of 256 at each operator; no intent is open, no look-up waits.
                Ok(768) => (),
                Ok(other) => panic!("{other} statements were found"),
                Err(error) => panic!("the journal failed: {error}"),
            }),
            Err(error) => panic!("the journal failed: {error}"),
        }
    });
    group.bench_function("floor/append 200 bytes and fsync", |bencher| {
        let Ok(mut file) = File::create(folder.path().join("floor")) else { return };
        bencher.iter(|| file.write_all(&[0; 200]).and_then(|()| file.sync_all()).is_ok());
    });
    group.finish();
    criterion.final_summary();
}
