//! What does a statement cost the journal?
//!
//! Processor time, not wall time: the journal shares its cores with the signatures. `statement` is everything from
//! admission to outcome at 64 requests under way, register and person index included; beside it its parts, and the floor
//! of durability, a bare append and fsync: one is paid for each group of changes. `resume` is what opening a run of a
//! million statements costs, 700,000 of which have ended, up to the first page of work.

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures::StreamExt;
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use utskick::config;
use utskick::domain::{ContentDigest, Form, MessageId, Organisation, PersonDigest, RecordDigest, Span, StatementKey};
use utskick::track::{
    DigitalEnd, End, Fate, Found, Half, Installation, Intent, Journal, RouteRow, RunExport, RunHeader, RunOperator,
    StatementRow,
};

/// Requests under way at once: the sum of the operators' concurrency bounds in a usual set-up.
const UNDER_WAY: usize = 64;
const OPERATORS: u16 = 3;
const PASS_ONE_BATCH: u64 = 2000;
const LOOK_UP_BATCH: u64 = 1000;

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
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn digest(kind: u8, number: u64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    for (to, from) in bytes.iter_mut().zip(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()) {
        *to = from;
    }
    bytes
}

fn row(ordinal: u64, employer: Option<Organisation>) -> StatementRow {
    StatementRow {
        span: Span { ordinal, offset: ordinal * 1500, length: 1450 },
        export: 0,
        record: RecordDigest(digest(1, ordinal)),
        form: Some(Form::KU10),
        uppgiftslamnare: employer,
        person: Some(PersonDigest(digest(2, ordinal))),
        key: Some(StatementKey(digest(3, ordinal))),
        content: Some(ContentDigest(digest(4, ordinal))),
        correction: false,
        fate: Fate::Send { digital: Half::Waiting, paper: Half::Fallback },
    }
}

fn header(run_id: String) -> RunHeader {
    let operators = (0..OPERATORS).map(|number| RunOperator {
        id: format!("16{number:010}"),
        name: format!("{number}"),
        rate_per_s: None,
    });
    RunHeader {
        run_id,
        created: jiff::Timestamp::now(),
        config_file: "utskick.toml".into(),
        protected_file: None,
        exports: Vec::new(),
        operators: operators.collect(),
        deadline: None,
        remembered: serde_json::Value::Null,
    }
}

type Outcome<T> = Result<T, utskick::track::TrackError>;

fn admit(journal: &Journal, statements: u64) -> Outcome<()> {
    let employer = Organisation::parse("165021680250").ok();
    let mut next = 1;
    while next <= statements {
        let last = statements.min(next + PASS_ONE_BATCH - 1);
        journal.admit((next..=last).map(|ordinal| row(ordinal, employer)).collect())?;
        next = last + 1;
    }
    journal.sync()
}

fn release(journal: &Journal, statements: u64) -> Outcome<()> {
    journal.release(vec![RunExport { fingerprint: serde_json::Value::Null, first_ordinal: 1, statements }])
}

async fn route(journal: &Journal, statements: u64) -> Outcome<()> {
    let at = jiff::Timestamp::now();
    let mut next = 1;
    while next <= statements {
        let last = statements.min(next + LOOK_UP_BATCH - 1);
        let rows = (next..=last).map(|ordinal| RouteRow {
            ordinal,
            looked_up: at,
            found: Found::Mailbox {
                operator: (ordinal % u64::from(OPERATORS)) as u16,
                address: "https://operator.example/service/v3".into(),
            },
        });
        journal.route(rows.collect()).await?;
        next = last + 1;
    }
    Ok(())
}

async fn send(journal: &Journal, ordinal: u64) -> Outcome<()> {
    let at = jiff::Timestamp::now();
    let intent = Intent {
        ordinal,
        attempt: 1,
        operator: (ordinal % u64::from(OPERATORS)) as u16,
        address: "https://operator.example/service/v3".into(),
        at,
        seal_date: "2027-01-12".into(),
        sender_cert: [1; 32],
        mediator_cert: [2; 32],
        renderer: 1,
        content_secrets: None,
        request_sha256: [3; 32],
        message_id: MessageId(digest(5, ordinal)),
    };
    journal.intend(intent).await?;
    let end = End::Delivered { trans_id: "00000000-0000-4000-8000-000000000000".into() };
    let end = DigitalEnd { ordinal, attempt: 1, at, end, fault_code: None, call_id: None, detail: None };
    journal.end_digital(end).await
}

fn send_all(journal: &Journal, statements: u64) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Ok(()) };
    runtime.block_on(async {
        route(journal, statements).await?;
        let mut sends =
            futures::stream::iter(1..=statements).map(|ordinal| send(journal, ordinal)).buffer_unordered(UNDER_WAY);
        while let Some(sent) = sends.next().await {
            sent?;
        }
        Ok(())
    })
}

fn installation(folder: &Path) -> Outcome<Installation> {
    Installation::open(&config::Installation { state: folder.join("state"), key_file: folder.join("installation.key") })
}

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
