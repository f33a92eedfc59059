//! `bench`: what the job costs on this machine, with nothing but the program.
//!
//! In: how many statements, and a folder on the disk that a run would lie on. Out: a [`Bench`]: the floors, each stage
//! beside its floor, whole sends of several sizes to a sandbox in a process of its own, and how far the machine can be
//! trusted. [`plan::Measured`](crate::plan::Measured) is the part of it that `utskick plan --measured` reads.
//!
//! Everything is measured in one run, so that ratios hold although a machine's clock and neighbours change; processor
//! time is counted, since other work on the machine does not change it. What it starts ends with it, and its folder goes
//! with it, on every way out.
//!
//! | part | what |
//! |---|---|
//! | [`floors`] | primitives by themselves |
//! | [`stages`] | each stage by itself, in this process |
//! | [`whole`] | whole sends, in processes that [`children`] watches |
//! | [`noise`] | the same work before, between and after |
//! | [`table`], [`plot`] | the figures for people |

mod children;
pub mod clock;
pub mod floors;
mod folder;
mod interrupt;
pub mod noise;
pub mod plot;
pub mod stages;
pub mod table;
pub mod whole;

pub use interrupt::Interrupt;

use crate::error::Result;
use crate::plan::{Floors, Machine, Measured, Scale, SendCost, VERSION};
use clock::median;
use floors::{AllAtOnce, Bare};
use folder::Folder;
use noise::{Noise, Watch};
use serde::Serialize;
use std::path::PathBuf;
use whole::{Mix, Place, Whole};

/// How often each send is made that is held against bare signatures, which are made before and after each.
const ROUNDS: usize = 3;

/// The least that a whole run is worth measuring with.
pub const LEAST_STATEMENTS: u64 = 10;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Order {
    /// Statements of the largest run.
    pub statements: u64,
    /// The folder in which one of ours is made: on the disk that runs lie on.
    pub place: PathBuf,
    /// The program to start: this one.
    pub program: PathBuf,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Bench {
    /// What `plan` reads.
    #[serde(flatten)]
    pub measured: Measured,
    /// When.
    pub measured_at: jiff::Timestamp,
    /// What the reader should know before relying on the figures, in words.
    pub warnings: Vec<String>,
    /// How far the same work differed, and who else was at work.
    pub noise: Noise,
    /// Floors that `plan` has no use for.
    pub more_floors: MoreFloors,
    /// Mean bytes of a statement in the export.
    pub statement_bytes: f64,
    /// Mean bytes of an attachment.
    pub attachment_bytes: f64,
    /// Whole sends, in the order made.
    pub runs: Vec<Whole>,
}

/// Floors of encryption and of signing with all processors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MoreFloors {
    /// One RSA-2048 signature while all processors sign, as a send has them do, over all made before and after sends.
    pub rsa2048_sign_all_s: f64,
    /// One RSAES-OAEP wrap of a content key at 2048 bits.
    pub rsa2048_wrap_s: f64,
    /// AES-256-GCM.
    pub aes256_gcm_bytes_per_s: f64,
}

impl Bench {
    /// Processor time per delivered statement of a mix, by the slope between its smallest and its largest run with all
    /// threads; of a mix with a single run, that of the run without what starting costs.
    pub fn cpu_s_per_statement(&self, mix: Mix) -> Option<f64> {
        slope(&self.runs, mix, self.measured.threads, |run| run.cpu_s)
    }
}

/// Measures; `tell` hears what is being done.
///
/// *Errors*: [`Exit::Interrupted`](crate::error::Exit) after a signal; else what a child or the disk said.
pub fn run(order: &Order, interrupt: &Interrupt, tell: &dyn Fn(&str)) -> Result<Bench> {
    let folder = Folder::make(&order.place)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut watch = Watch::begin()?;
    tell("floors: signatures, digests, a scan, an fsync");
    let bare = floors::measure(folder.path(), interrupt)?;
    watch.again();

    let place = Place { program: &order.program, folder: folder.path(), interrupt };
    tell("starting the sandbox: FaR and three mailbox operators on loopback, in a process of its own");
    let mut sandbox = place.start(Mix::Digital)?;
    let sizes = sizes(order.statements);
    let exports = sizes.iter().map(|size| Ok((*size, place.export(*size)?))).collect::<Result<Vec<_>>>()?;
    let (_, largest) = exports.last().ok_or_else(nothing)?;
    tell("stages: check, compose, encrypt, sign, seal, submit, journal, paper");
    let config = crate::config::Config::read(&place.sandbox().join("utskick.toml"))?;
    let stages = stages::measure(largest, &config, folder.path(), interrupt)?;
    watch.again();

    let mut runs = Vec::new();
    let mut beside = AllAtOnce::new(cores)?;
    let mut before_s = beside.sign();
    let mut send = |sandbox: &_, mix: Mix, (size, export): &(u64, PathBuf), threads: usize| -> Result<()> {
        tell(&format!("a send of {size} statements, {}, {}", mix.name(), table::threads(threads)));
        let mut run = place.send(sandbox, mix, export, *size, threads)?;
        let after_s = beside.sign();
        run.signature_s = f64::midpoint(before_s, after_s);
        before_s = after_s;
        runs.push(run);
        watch.again();
        Ok(())
    };
    for _ in 0..ROUNDS {
        for export in &exports {
            send(&sandbox, Mix::Digital, export, cores)?;
        }
    }
    if cores > 1 {
        for export in exports.iter().skip(1) {
            send(&sandbox, Mix::Digital, export, 1)?;
        }
    }
    for export in exports.iter().skip(1) {
        send(&sandbox, Mix::Held, export, cores)?;
    }
    // A tenth and all: told by its slope alone.
    for _ in 0..ROUNDS {
        for export in exports.iter().skip(1).step_by(2) {
            send(&sandbox, Mix::Encrypted, export, cores)?;
        }
    }
    // Its folder takes one sandbox at a time.
    drop(sandbox);
    sandbox = place.start(Mix::Usual)?;
    // A single statement first: what the sandbox does for the first time is not a cost of the sizes after it.
    for export in exports.iter().take(3) {
        send(&sandbox, Mix::Usual, export, cores)?;
    }
    drop(sandbox);
    let noise = watch.end();
    Ok(put_together(cores, &folder, &bare, watch.signature_s(), noise, &stages, runs))
}

/// Nearly nothing, a tenth, a third, and all.
fn sizes(statements: u64) -> Vec<u64> {
    let mut sizes = vec![1, (statements / 10).max(2), (statements / 3).max(2), statements];
    sizes.dedup();
    sizes
}

fn put_together(
    cores: usize,
    folder: &Folder,
    bare: &Bare,
    signature_s: f64,
    noise: Noise,
    at: &stages::Measured,
    runs: Vec<Whole>,
) -> Bench {
    let digital = |run: &&Whole| run.mix == Mix::Digital;
    let with_all = |run: &&Whole| digital(run) && run.threads == cores;
    let per_statement = slope(&runs, Mix::Digital, cores, |run| run.cpu_s).unwrap_or(0.0).max(0.0);
    let largest = runs.iter().filter(with_all).max_by_key(|run| run.statements);
    let share = largest.map_or(0.0, |run| run.sandbox_cpu_s / (run.sandbox_cpu_s + run.cpu_s).max(1e-9));
    let requests = runs.iter().map(|run| run.requests).sum::<u64>().max(1) as f64;
    let sandbox_cpu_s = runs.iter().map(|run| run.sandbox_cpu_s).sum::<f64>() / requests;
    let beside_s = runs.iter().map(|run| run.signature_s).sum::<f64>() / runs.len().max(1) as f64;
    let mut warnings = noise.in_words();
    if cfg!(debug_assertions) {
        warnings.push("this program was built without optimisation: no figure of its own code counts".to_owned());
    }
    if folder.is_in_memory() {
        warnings.push(
            "the folder lies in memory, where an fsync costs nothing: name one on the disk of your runs with --dir"
                .to_owned(),
        );
    }
    let scale = |run: &Whole| Scale {
        statements: run.statements,
        threads: run.threads,
        wall_s: run.wall_s,
        cpu_s: run.cpu_s,
        per_s: run.per_s(),
        peak_bytes: run.peak_bytes,
    };
    Bench {
        measured: Measured {
            version: VERSION,
            commit: option_env!("UTSKICK_COMMIT").unwrap_or(env!("CARGO_PKG_VERSION")).to_owned(),
            machine: Machine { cpu: processor(), cores },
            noisy: noise.is_too_much() || cfg!(debug_assertions),
            floors: Floors {
                rsa2048_sign_s: signature_s,
                rsa3072_sign_s: bare.rsa3072_sign_s,
                sha256_bytes_per_s: bare.sha256_bytes_per_s,
                memchr_bytes_per_s: bare.memchr_bytes_per_s,
                fsync_s: bare.fsync_s,
            },
            threads: cores,
            wall_share_sandbox: share,
            stages: at.stages.clone(),
            send: SendCost {
                cpu_s_per_statement: per_statement,
                floor_ratio: signatures(&runs, Mix::Digital, cores).unwrap_or(0.0).max(0.0) / 2.0,
                start_s: runs.iter().find(with_all).map_or(0.0, |run| run.wall_s),
            },
            message_bytes: at.message_bytes,
            scaling: runs.iter().filter(digital).map(scale).collect(),
            sandbox_cpu_s_per_request: sandbox_cpu_s,
        },
        measured_at: jiff::Timestamp::now(),
        warnings,
        noise,
        more_floors: MoreFloors {
            rsa2048_sign_all_s: beside_s,
            rsa2048_wrap_s: bare.rsa2048_wrap_s,
            aes256_gcm_bytes_per_s: bare.aes256_gcm_bytes_per_s,
        },
        statement_bytes: at.statement_bytes,
        attachment_bytes: at.attachment_bytes,
        runs,
    }
}

/// What a further statement takes, by the second smallest size and the largest of a mix: what starting costs is in both.
/// Of sends that were made several times, the middle one counts.
fn slope(runs: &[Whole], mix: Mix, threads: usize, of: impl Fn(&Whole) -> f64) -> Option<f64> {
    let of_mix = || runs.iter().filter(|run| run.mix == mix && run.threads == threads && run.statements > 1);
    let sizes = || of_mix().map(|run| run.statements);
    let (small, large) = (sizes().min()?, sizes().max()?);
    let more = large.checked_sub(small).filter(|more| *more > 0)?;
    let cost = |size: u64| median(of_mix().filter(|run| run.statements == size).map(&of));
    Some((cost(large) - cost(small)) / more as f64)
}

/// The same in bare signatures, of which each send has its own: a machine that is slow meanwhile is slow to both.
fn signatures(runs: &[Whole], mix: Mix, threads: usize) -> Option<f64> {
    slope(runs, mix, threads, |run| run.cpu_s / run.signature_s.max(1e-9))
}

/// The processor's name, as the system has it.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn nothing() -> crate::error::Error {
    crate::error::Error::new(crate::error::Exit::Usage, "there is nothing to send")
}
