//! Opening a run, taking it through its two passes, and closing it.

use super::copies::{self, COPIES};
use super::deliver::{self, Desk};
use super::keys::Keys;
use super::letters::Letters;
use super::obey::{self, Orders};
use super::play::Play;
use super::purge::remove_payload;
use super::renew::{self, Watched};
use super::{paper, pulse, release, route, space};
use crate::config::{Config, InDoubt, Rate};
use crate::disk::{Disk, folder_of};
use crate::domain::{Identity, Kontrolluppgift, Outcome, PersonDigest, Reason, stockholm};
use crate::error::{Error, Exit, Result};
use crate::gateway::{Gateway, GatewaySettings};
use crate::intake::{self, Access, Export, ExportFingerprint, IntakeError, Stop};
use crate::lookup::Far;
use crate::prepare::encrypt::CmsRecipient;
use crate::prepare::{Job, Made, PrepareError, SignedBy, Workshop};
use crate::track::{
    DigitalEnd, End, GatewayLocks, Installation, Intent, Journal, JournalReader, OpenIntent, Phase, Register,
    RunExport, RunHeader, RunOperator, STARTED, TrackError, Work, control,
};
use crate::watch::{self, Handshakes, Progress, Stage};
use futures::future::try_join_all;
use jiff::Timestamp;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What `send` was asked to do.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The exports, in the order that gives the ordinals.
    pub exports: Vec<PathBuf>,
    /// The settings.
    pub config: PathBuf,
    /// Folder of the run.
    pub run: PathBuf,
    /// Identities to hold back, one a line, beside those of the settings.
    pub protected: Option<PathBuf>,
    /// Sends although more statements are rejected than the settings allow.
    pub accept_rejects: bool,
    /// Sends although an earlier run has sent the same statement.
    pub again: bool,
    /// Maps the exports where they lie, without a private copy.
    pub in_place: bool,
}

/// Everything that the two passes share.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) config: Config,
    pub(super) installation: Arc<Installation>,
    pub(super) journal: Journal,
    pub(super) exports: Vec<Export>,
    pub(super) intake: intake::Options,
    pub(super) protected: HashSet<PersonDigest>,
    pub(super) workshop: Workshop,
    printer: RwLock<Option<Arc<CmsRecipient>>>,
    pub(super) paper_folder: PathBuf,
    pub(super) far: Far,
    /// By the operator's place in the settings: the number that the journal knows it by.
    numbers: Vec<u16>,
    pub(super) letters: Letters<Result<Result<(Made, Identity), PrepareError>>>,
    pub(super) progress: Arc<Progress>,
    pub(super) play: Play,
    pub(super) paper_waits: Notify,
    pub(super) tasks: TaskTracker,
    /// The day by which people are of age: when the run was made, in Sweden.
    pub(super) day: jiff::civil::Date,
    /// Orders that were given before this process had the run. One that comes while it reads is for it.
    pub(super) orders_before: usize,
    bundles: AtomicU32,
    refused_sender: Mutex<Option<String>>,
    /// Keys and certificates as they were read, to see whether others take their place.
    pub(super) watched: Mutex<Vec<Watched>>,
    _locks: GatewayLocks,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub exit: Exit,
    /// Gateways that refused us, and why, for operations.
    pub refusals: Vec<String>,
    /// Whether it was asked to stop before everything was settled.
    pub drained: bool,
}

/// What a run must know when it is resumed, beside its header.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Remembered {
    accept_rejects: bool,
    again: bool,
    in_place: bool,
}

/// Starts a run, or goes on with the one that the folder has.
pub fn send(order: &Order) -> Result<Ended> {
    if Journal::exists(&order.run)? {
        return go_on(order);
    }
    let config = Config::read(&order.config)?;
    let keys = Keys::load(&config)?;
    let installation = Arc::new(Installation::open(&config.installation)?);
    let locks = match lock(&config, &installation) {
        // Another process was faster with this very run: that its gateways are taken says less.
        Err(_) if Journal::is_taken(&order.run) => return Err(TrackError::Locked { run: order.run.clone() }.into()),
        locks => locks?,
    };
    space::before_copying(order, &config)?;
    let claim = Journal::claim(&order.run, &installation)?;
    let copies = order.run.join(COPIES);
    make_folder(installation.disk(), &copies)?;
    let access = match order.in_place {
        true => Access::InPlace,
        false => Access::Staged(copies),
    };
    let open = |path: &PathBuf| Export::open(&place(path), &access).map_err(unreadable);
    let exports = order.exports.iter().map(open).collect::<Result<Vec<_>>>()?;
    let remembered = Remembered { accept_rejects: order.accept_rejects, again: order.again, in_place: order.in_place };
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let header = RunHeader {
        run_id: new_run_id(),
        created: Timestamp::now(),
        config_file: absolute(&order.config),
        protected_file: order.protected.as_deref().map(absolute),
        exports: exports
            .iter()
            .map(|export| {
                let fingerprint = serde_json::to_value(export.fingerprint()).unwrap_or_default();
                RunExport { fingerprint, first_ordinal: 0, statements: 0 }
            })
            .collect(),
        operators: config.operators.iter().map(run_operator).collect(),
        deadline: config.run.deadline,
        remembered: serde_json::to_value(remembered).unwrap_or_default(),
    };
    let orders = control::read(&order.run)?.len();
    let journal = Journal::create_in(claim, &installation, &header)?;
    let run = Run::new(order.run.clone(), config, keys, installation, journal, exports, locks)?;
    take_through(Run { orders_before: orders, ..run }, remembered)
}

/// Goes on with a run.
pub fn resume(folder: &Path, accept_rejects: bool) -> Result<Ended> {
    go_on(&Order { run: folder.to_path_buf(), accept_rejects, ..Order::default() })
}

/// A run goes on by the settings that it began with, wherever it is gone on with from: others would be passed by.
fn same_settings(named: &Path, of_run: &Path) -> Result<()> {
    let which = |path: &Path| std::fs::metadata(path).map(|facts| (facts.dev(), facts.ino())).ok();
    // None is named by `resume`.
    if named.as_os_str().is_empty()
        || place(named) == place(of_run)
        || which(named).is_some_and(|at| which(of_run) == Some(at))
    {
        return Ok(());
    }
    let message = format!("the run goes on by the settings {}, not by {}", of_run.display(), named.display());
    Err(Error::new(Exit::Usage, message)
        .remedy("change those, or begin a new run in another folder; `utskick resume` needs no settings named"))
}

/// Who is protected is settled with the run's beginning: another list than that would be passed by.
fn same_list(named: Option<&Path>, of_run: Option<&Path>) -> Result<()> {
    let whole = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    match (named.map(whole), of_run.map(whole)) {
        (Some(named), of_run) if of_run.as_ref() != Some(&named) => {
            let message = format!("the run began without the protected recipients {}", named.display());
            Err(Error::new(Exit::Usage, message).remedy("begin a new run, in another folder"))
        }
        _ => Ok(()),
    }
}

fn go_on(order: &Order) -> Result<Ended> {
    // The header names the settings, and the settings the installation that opens the journal.
    let config_file = JournalReader::open(&order.run)?.header().config_file.clone();
    same_settings(&order.config, &config_file)?;
    let config = Config::read(&config_file)?;
    let installation = Arc::new(Installation::open(&config.installation)?);
    let orders = control::read(&order.run)?.len();
    // The run before its gateways: who has both is told that the run is taken.
    let journal = Journal::open(&order.run, &installation)?;
    let locks = lock(&config, &installation)?;
    // With the gateways, so that nobody goes on with another copy of the run.
    Register::open(&installation)?.is_current(&journal)?;
    let header = journal.header();
    let fingerprints = fingerprints(&header)?;
    same_exports(&order.exports, &fingerprints)?;
    same_list(order.protected.as_deref(), header.protected_file.as_deref())?;
    let mut remembered: Remembered = serde_json::from_value(header.remembered.clone()).unwrap_or_default();
    remembered.accept_rejects |= order.accept_rejects;
    if journal.phase() == Phase::Finished {
        let counts = journal.counts()?;
        // Killed between the last row and the removal.
        remove_payload(&order.run, &config, &journal, &counts)?;
        return Ok(Ended { exit: crate::track::exit(&counts), refusals: Vec::new(), drained: false });
    }
    let keys = Keys::load(&config)?;
    let operators: Vec<RunOperator> = config.operators.iter().map(run_operator).collect();
    journal.know_operators(&operators)?;
    let exports = copies::open(&order.run, installation.disk(), &journal, &fingerprints)?;
    let run = Run::new(order.run.clone(), config, keys, installation, journal, exports, locks)?;
    take_through(Run { orders_before: orders, ..run }, remembered)
}

/// What the run's exports were when it began.
pub(super) fn fingerprints(header: &RunHeader) -> Result<Vec<ExportFingerprint>> {
    let read = |export: &RunExport| {
        serde_json::from_value(export.fingerprint.clone())
            .map_err(|error| Error::because(Exit::Storage, "the journal's note of an export cannot be read", error))
    };
    header.exports.iter().map(read).collect()
}

/// Where a file lies, whatever the working directory: its name in its folder, which is there even where the file is not.
fn place(path: &Path) -> PathBuf {
    let folder = folder_of(path).canonicalize();
    match (folder, path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()),
    }
}

/// Exports named on the command line must be those that the run began with, and hold what they held. One that is gone
/// is not missed: the run has its own copy.
fn same_exports(named: &[PathBuf], exports: &[ExportFingerprint]) -> Result<()> {
    let one_file = |one: &Path, other: &Path| match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    };
    let is_of = |named: &PathBuf, export: &ExportFingerprint| {
        place(named) == place(&export.path) || one_file(named, &export.path)
    };
    let same = named.is_empty()
        || named.len() == exports.len() && named.iter().zip(exports).all(|(named, export)| is_of(named, export));
    if !same {
        return Err(Error::new(Exit::Usage, "the run folder holds a run of other exports")
            .remedy("name a new run folder, or go on with this run by `utskick resume`"));
    }
    for (named, export) in named.iter().zip(exports) {
        let unreadable = |error| Error::because(Exit::Input, format!("cannot read {}", named.display()), error);
        if named.exists() && !export.is_of(named).map_err(unreadable)? {
            let message = format!("{} has changed since the run began with it", named.display());
            return Err(Error::new(Exit::Input, message).remedy(
                "name a new run folder to send what it holds now, or go on with what the run began with by `utskick resume`",
            ));
        }
    }
    Ok(())
}

fn take_through(run: Run, remembered: Remembered) -> Result<Ended> {
    let line = watch::show(Arc::clone(&run.progress));
    // Both before anything leaves: older copies of the run are known by it.
    futures::executor::block_on(run.journal.note_durably(STARTED, env!("CARGO_PKG_VERSION")))?;
    Register::open(&run.installation)?.note_step(&run.journal)?;
    if run.journal.phase() == Phase::Intake {
        let released = release::read(&run)?;
        release::brake(&run, &released, remembered.accept_rejects)?;
        release::settle_earlier(&run, remembered.again)?;
        space::before_release(&run.folder, &run.paper_folder, released.load)?;
        run.journal.release(released.exports)?;
    }
    let ended = second_pass(run);
    drop(line);
    ended
}

/// Whether slots are to be met: an operator's rate is agreed.
fn is_paced(config: &Config) -> bool {
    config.operators.iter().any(|operator| operator.rate_per_s != Rate::Unlimited)
}

fn second_pass(run: Run) -> Result<Ended> {
    run.progress.enter(Stage::Sending);
    run.progress.total.store(run.journal.counts()?.of(Outcome::Pending), Ordering::Relaxed);
    let run = Arc::new(run);
    // Connections need little beside signatures: a request costs its thread some tenth of what its letter costs the CPU
    // pool. One thread for four cores; more only wake each other and take the cores from the letters. Where a rate is
    // agreed two at least: a slot must not pass because the one thread is reading a page or an answer.
    let paced = is_paced(&run.config);
    let threads = run.letters.pool().current_num_threads().div_ceil(4).max(if paced { 2 } else { 1 });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Error::because(Exit::Storage, "cannot start the runtime", error))?;
    runtime.block_on(desks(&run))?;
    drop(runtime);
    if let Some(error) = run.play.take_fatal() {
        return Err(error);
    }
    let drained = run.play.drain.is_cancelled();
    let counts = run.journal.counts()?;
    run.note(if drained { "drained" } else { "end" }, &format!("{} statements", counts.statements()));
    let settled = counts.of(Outcome::Pending) == 0;
    if settled {
        run.journal.finish()?;
        remove_payload(&run.folder, &run.config, &run.journal, &counts)?;
    }
    let mut refusals = run.play.refusals();
    refusals.sort_unstable();
    let exit = match crate::track::exit(&counts) {
        Exit::Pending if !refusals.is_empty() && !drained => Exit::Refused,
        exit => exit,
    };
    Ok(Ended { exit, refusals, drained })
}

/// Starts the desks of pass 2 and waits until the last has come to rest.
async fn desks(run: &Arc<Run>) -> Result<()> {
    let tls = run.far.gateway.tls().clone();
    let desks: Vec<Arc<Desk>> = run
        .config
        .operators
        .iter()
        .enumerate()
        .map(|(index, operator)| {
            let settings = GatewaySettings {
                name: operator.name.clone(),
                rate: operator.rate_per_s,
                windows: operator.windows.clone(),
                waits: run.progress.operators.get(index).map(|seen| Arc::clone(&seen.waits)).unwrap_or_default(),
                concurrency: operator.concurrency,
                connect_timeout: operator.connect_timeout,
                timeout: operator.timeout,
            };
            Arc::new(Desk::new(index, Gateway::new(settings, tls.clone()), operator.clone()))
        })
        .collect();
    let mut doubtful = settle_doubts(run).await?;
    let orders = Orders::start(run, &desks)?;
    let signals = tokio::spawn(heed_signals(Arc::clone(run)));
    let renewal = tokio::spawn(renew::run(Arc::clone(run)));
    let ended = CancellationToken::new();
    let keeper = tokio::spawn(keep(Arc::clone(run), desks.clone(), orders, ended.clone()));
    let at_work = TaskTracker::new();
    for desk in &desks {
        run.journal.operator_stopped(run.number(desk.index), false).await?;
        let own = doubtful.get_mut(desk.index).map(std::mem::take).unwrap_or_default();
        // Whatever an earlier process routed waits in the journal from the first ordinal on.
        run.play.routed(desk.index, 1);
        at_work.spawn(deliver::run(Arc::clone(run), Arc::clone(desk), own));
    }
    let (lookups, papers) = (Arc::clone(run), Arc::clone(run));
    at_work.spawn(async move { route::run(&lookups).await });
    at_work.spawn(async move { paper::run(&papers).await });
    at_work.close();
    at_work.wait().await;
    run.tasks.close();
    run.tasks.wait().await;
    signals.abort();
    renewal.abort();
    ended.cancel();
    keeper.await.map_err(|error| Error::because(Exit::Storage, "the pulse stopped", error))?;
    for gateway in desks.iter().map(|desk| &desk.gateway).chain([&run.far.gateway]) {
        let seen = gateway.handshakes();
        run.note(Handshakes::EVENT, &seen.text(gateway.name()));
    }
    Ok(())
}

/// Keeps watch while the desks work: takes orders up, and the pulse, a last time when they have come to rest.
async fn keep(run: Arc<Run>, desks: Vec<Arc<Desk>>, mut orders: Orders, ended: CancellationToken) {
    let mut wrist = pulse::Wrist::new(desks.len());
    // The first at once: it tells of windows and rates that `status` cannot know otherwise.
    let mut beat = Instant::now();
    while !ended.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(obey::LOOK) => {}
            () = ended.cancelled() => {}
        }
        orders.look(&run, &desks);
        if Instant::now() >= beat || ended.is_cancelled() {
            beat = Instant::now() + pulse::BEAT;
            wrist.take(&run, &desks);
        }
    }
}

/// What an earlier process left in doubt: held; or sent again, at its operator's desk, by a person's order, or while the
/// operator's policy and attempts allow it.
async fn settle_doubts(run: &Run) -> Result<Vec<Vec<OpenIntent>>> {
    let mut again: Vec<Vec<OpenIntent>> = run.config.operators.iter().map(|_| Vec::new()).collect();
    let ordered = run.journal.ordered_again()?;
    let resends = |index: usize, open: &OpenIntent| {
        let policy = run.config.operators.get(index);
        ordered.contains(&open.intent.ordinal)
            || policy.is_some_and(|at| at.in_doubt == InDoubt::Resend && open.intent.attempt < at.attempts)
    };
    let mut ends = Vec::new();
    for mut open in run.journal.open_intents()? {
        let index = run.desk(open.intent.operator).filter(|index| resends(*index, &open));
        if let Some(desk) = index.and_then(|index| again.get_mut(index)) {
            if open.reason == Reason::None {
                open.reason = Reason::Interrupted;
            }
            desk.push(open);
            continue;
        }
        let (ordinal, attempt) = (open.intent.ordinal, open.intent.attempt);
        tracing::error!(ordinal, "in doubt: the process ended between intent and outcome");
        let end = End::InDoubt(Reason::Interrupted);
        let at = Timestamp::now();
        let row = DigitalEnd { ordinal, attempt, at, end, fault_code: None, call_id: None, detail: None };
        ends.push(run.journal.end_digital(row));
    }
    // Together: the first request of the resume waits for them.
    let ended = ends.len();
    try_join_all(ends).await?;
    run.progress.ended(ended as u64);
    let mut after = 0;
    loop {
        let page = run.journal.in_doubt(after, deliver::PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.work.span.ordinal;
        for open in page {
            let index = run.desk(open.intent.operator).filter(|index| resends(*index, &open));
            if let Some(desk) = index.and_then(|index| again.get_mut(index)) {
                desk.push(open);
            }
        }
    }
    Ok(again)
}

/// The first signal drains, the second stops at once.
async fn heed_signals(run: Arc<Run>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be heeded; stopping the process will leave statements in doubt");
        return;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    run.progress.enter(Stage::Draining);
    run.play.drain.cancel();
    tracing::warn!("stopping: what is under way is finished first; a second signal stops at once");
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    std::process::exit(Exit::Pending as i32);
}

fn lock(config: &Config, installation: &Installation) -> Result<GatewayLocks> {
    let ids: Vec<String> = config.operators.iter().map(|operator| operator.id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).chain(["far"]).collect();
    Ok(installation.lock_gateways(&ids)?)
}

fn run_operator(operator: &crate::config::Operator) -> RunOperator {
    let rate_per_s = match operator.rate_per_s {
        Rate::PerSecond(rate) => Some(rate),
        Rate::Unlimited => None,
    };
    RunOperator { id: operator.id.to_string(), name: operator.name.clone(), rate_per_s }
}

/// An intake's error as the run ends with it; one of our own that stopped the intake comes out as it was.
pub(super) fn unreadable(error: IntakeError) -> Error {
    let (exit, remedy) = (error.exit(), error.remedy());
    let error = match error {
        IntakeError::Stopped(Stop(own)) => match own.downcast::<Error>() {
            Ok(own) => return *own,
            Err(other) => IntakeError::Stopped(Stop(other)),
        },
        error => error,
    };
    let error = Error::because(exit, "cannot read an export", error);
    match remedy {
        Some(remedy) => error.remedy(remedy),
        None => error,
    }
}

/// A name for a run that no other run of the installation has: when it was made, and chance.
fn new_run_id() -> String {
    let now = Timestamp::now().to_zoned_datetime(stockholm());
    format!("{}-{:08x}", now.strftime("%Y%m%d-%H%M%S"), fastrand::u32(..))
}

pub(super) fn make_folder(disk: &dyn Disk, folder: &Path) -> Result<()> {
    disk.make_folders(folder).map_err(|error| {
        Error::because(Exit::Storage, format!("cannot make the run folder {}", folder.display()), error)
    })
}

impl Run {
    fn new(
        folder: PathBuf,
        config: Config,
        keys: Keys,
        installation: Arc<Installation>,
        journal: Journal,
        exports: Vec<Export>,
        locks: GatewayLocks,
    ) -> Result<Self> {
        let letters = Letters::new(config.run.threads.unwrap_or(0))
            .map_err(|error| Error::because(Exit::Storage, "cannot start the CPU pool", error))?;
        let far = Far::new(&config, keys.tls)?;
        let intake = intake::Options {
            record_limit_bytes: config.run.record_limit_bytes,
            cross_record: config.run.cross_record,
            threads: config.run.threads,
            digests: true,
        };
        let operators: Vec<RunOperator> = config.operators.iter().map(run_operator).collect();
        let progress = Arc::new(Progress::new(operators.into_iter().map(|at| (at.name, at.rate_per_s))));
        progress.bytes_total.store(exports.iter().map(Export::size).sum(), Ordering::Relaxed);
        let header = journal.header();
        let paper_folder =
            config.paper.as_ref().and_then(|paper| paper.folder.clone()).unwrap_or_else(|| folder.join("paper"));
        Ok(Self {
            // Who is held is decided in pass 1, and stands in the journal.
            protected: match journal.phase() {
                Phase::Intake => {
                    super::protected(config.protected.iter().chain(&header.protected_file), &*installation)?
                }
                _ => HashSet::new(),
            },
            workshop: Workshop::new(keys.sender, keys.mediator, keys.recipients, config.run.message_limit_bytes)
                .yielding(is_paced(&config)),
            printer: RwLock::new(keys.printer.map(Arc::new)),
            numbers: config
                .operators
                .iter()
                .filter_map(|operator| {
                    let id = operator.id.to_string();
                    header.operators.iter().position(|known| known.id == id).map(|place| place as u16)
                })
                .collect(),
            day: header.created.to_zoned_datetime(stockholm()).date(),
            orders_before: 0,
            bundles: AtomicU32::new(journal.last_bundle()?),
            play: Play::new(config.operators.len()),
            paper_waits: Notify::new(),
            tasks: TaskTracker::new(),
            refused_sender: Mutex::default(),
            watched: Mutex::new(keys.watched),
            _locks: locks,
            folder,
            config,
            installation,
            journal,
            exports,
            intake,
            paper_folder,
            far,
            letters,
            progress,
        })
    }

    /// Runs something that waits for the disk or computes long, on the CPU pool: it holds up no connection. Not on more
    /// threads of the runtime, since every thread has a heap of its own, which keeps the most that it ever held.
    pub(super) async fn on_pool<T: Send + 'static, E: Into<Error> + Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, E> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = oneshot::channel();
        let run = Arc::clone(self);
        self.letters.pool().spawn(move || {
            // Whoever asked may have gone away.
            let _ = tell.send(work(&run));
        });
        let failed = |_| Error::new(Exit::Storage, "a thread of the CPU pool failed");
        told.await.map_err(failed)?.map_err(Into::into)
    }

    /// The journal's number of an operator of the settings: settings may be reordered between two processes of a run.
    pub(super) fn number(&self, desk: usize) -> u16 {
        self.numbers.get(desk).copied().unwrap_or(u16::MAX)
    }

    /// The operator's place in the settings; `None` where they have it no more.
    pub(super) fn desk(&self, number: u16) -> Option<usize> {
        self.numbers.iter().position(|known| *known == number)
    }

    /// Bytes of the exports before this one.
    pub(super) fn bytes_before(&self, export: u16) -> u64 {
        self.exports.iter().take(usize::from(export)).map(Export::size).sum()
    }

    /// The statement of a journal row, parsed anew; its bytes must still be those that pass 1 saw.
    pub(super) fn statement(&self, work: &Work) -> Result<Kontrolluppgift<'_>> {
        let changed = || {
            Error::new(
                Exit::Storage,
                format!("statement {} is not what pass 1 read: the staged export was altered", work.span.ordinal),
            )
            .remedy("do not touch the run's folder; `utskick resume` says what can be done")
        };
        let export = self.exports.get(usize::from(work.export)).ok_or_else(changed)?;
        if export.record_digest(&work.span) != work.record {
            return Err(changed());
        }
        export.record(&work.span).map_err(unreadable)
    }

    /// The recipient of a statement, where it has an identity that can be addressed.
    pub(super) fn recipient(&self, work: &Work) -> Result<Option<Identity>> {
        Ok(self.statement(work)?.recipient())
    }

    /// Makes the message of a statement on the CPU pool, and tells whose it is; with an earlier intent, the same bytes
    /// again.
    pub(super) async fn make(
        self: &Arc<Self>,
        operator: usize,
        work: &Work,
        earlier: Option<Arc<Intent>>,
    ) -> Result<Result<(Made, Identity), PrepareError>> {
        let (run, work) = (Arc::clone(self), work.clone());
        let made = self.letters.ask(move || run.make_here(operator, &work, earlier.as_deref()));
        let told =
            made.await.map_err(|_| Error::new(Exit::Storage, "a message could not be made: its thread failed"))?;
        told.take()
    }

    fn make_here(
        &self,
        operator: usize,
        work: &Work,
        earlier: Option<&Intent>,
    ) -> Result<Result<(Made, Identity), PrepareError>> {
        let statement = self.statement(work)?;
        let Some(recipient) = statement.recipient() else { return Ok(Err(PrepareError::NotAddressable)) };
        let today = || Timestamp::now().to_zoned_datetime(stockholm()).date().to_string();
        let seal_date = earlier.map_or_else(today, |intent| intent.seal_date.clone());
        let made = self.workshop.make(&Job {
            statement: &statement,
            sender: self.config.senders.of(&work.uppgiftslamnare),
            sender_id: self.config.senders.id_of(&work.uppgiftslamnare),
            recipient,
            message_id: self.installation.message_id(&work.key, &work.content),
            operator,
            correction: work.correction,
            seal_date: &seal_date,
            secrets: earlier.and_then(|intent| intent.content_secrets.as_deref()),
            signed_by: earlier.map(|at| SignedBy { sender: at.sender_cert, mediator: at.mediator_cert }),
        });
        Ok(made.map(|made| (made, recipient)))
    }

    /// To whom print bundles are encrypted; `None` without a print supplier.
    pub(super) fn printer(&self) -> Option<Arc<CmsRecipient>> {
        self.printer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Print bundles are encrypted to this certificate from now on.
    pub(super) fn replace_printer(&self, printer: CmsRecipient) {
        *self.printer.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(printer));
    }

    /// The number of the next print bundle.
    pub(super) fn next_bundle(&self) -> u32 {
        self.bundles.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An audit line in the journal. That it could not be written is a storage error, which the next row meets too.
    pub(super) fn note(&self, kind: &str, text: &str) {
        if let Err(error) = self.journal.note(kind, text) {
            tracing::error!(%error, kind, "an event could not be journalled");
        }
    }

    /// FaR does not accept a sender; the rest goes on.
    pub(super) fn refuse_sender(&self, why: String) {
        self.refused_sender.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    /// Whether FaR refused a sender since this was asked last.
    pub(super) fn take_refused_sender(&self) -> Option<String> {
        self.refused_sender.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
