//! The journal of one run: an SQLite database, `journal.sqlite` in the run's folder.
//!
//! # What is on disk
//!
//! Format 4 (`user_version` 4, `application_id` `utsk`), WAL, one writing process (an exclusive `flock` on `run.lock`),
//! one writing thread, any number of readers. Folder 0700, files 0600. Times are milliseconds since 1970, digests and
//! ids blobs, outcomes and reasons the numbers of [`Outcome`] and [`Reason`].
//!
//! | table | key | what |
//! |---|---|---|
//! | `meta` | name | run id, key check, phase, settings' file, deadline, operators, `stopped:N`; sealed: exports, the rest of the header |
//! | `statement` | block | span, digests, form, employer, fate of 45 statements (`statements.rs`); written by pass 1, never after release |
//! | `also` | ordinal, person | by which other identities a record names its person |
//! | `person` | place in the order | which statements a person may be in (`persons.rs`); made at release |
//! | `place` | block | where the digital halves of a thousand statements wait: for a look-up, at an operator, under way, or nowhere |
//! | `route` | number | where FaR has said that statements go, and when; one row for all that one answer sends to one address |
//! | `tried` | ordinal | digital halves that wait with attempts behind them |
//! | `protected` | person | who is protected, by an operator's or FaR's answer: nothing more about them goes on paper |
//! | `paper_queue` | ordinal | paper halves that wait for a bundle; of a statement that goes both ways once the digital half has ended |
//! | `doubt` | ordinal | digital halves in doubt, with what a resend needs |
//! | `resend` | ordinal | in doubt, and a person has ordered that they are sent again; until they are |
//! | `both` | ordinal | the two halves of a statement that goes both ways, from its first end on |
//! | `intent` | number of the first | log: what was about to be sent, and all that makes the same bytes again; a row for those of a group (`log.rs`, `intents.rs`) |
//! | `secret` | intent | content keys of encrypted letters, sealed; gone when the run has ended |
//! | `manner` | number | what many intents have in common: operator, address, date, certificates, renderer |
//! | `digital` | number of the first | log: how each attempt and each digital half ended; a row for those of a group (`log.rs`, `ends.rs`) |
//! | `more` | number | what few ends have: a TransId that is no UUID, a fault's code and CallId, a sealed detail |
//! | `paper` | number of the first | log: how each paper half ended; a row for those of a group (`log.rs`, `ends.rs`) |
//! | `bundle` | number | print bundles |
//! | `tally` | kind, operator, reason | how many statements have which outcome, how long each queue is |
//! | `tempo` | second, operator | how many ended in which second (operator -1: look-up, -2: paper) |
//! | `event` | number | audit lines: starts, stops, changes of rate |
//! | `employer`, `word` | number | uppgiftslämnare; addresses and certificate digests, each once |
//!
//! **Blocks, not rows.** What a statement is stands in 89 bytes among its neighbours' (`statements.rs`), a page of them a
//! row: neighbours are admitted together, and asked for together. **Places, not rows.** Where it waits is four bytes
//! (`places.rs`), changed in the transaction that records what came of it. A block in which nothing waits has no row, so what
//! is read is what waits, whether the run starts or resumes at a million. **Logs, not trees.** What happens in pass 2 is appended: a commit
//! touches the last page of each log, not a page a statement, though operators are at different places of the file. The
//! logs have no index by ordinal: the few questions about one person read them through. **Keys are ordinals**, since
//! random ones cost fifteen times as much; the index by person is sorted in memory, and written once, at release.
//!
//! **Sums.** Rows of packed entries end with a sum over their number and bytes (`summed.rs`): what a disk has changed is an
//! error for whoever reads it, not another statement.
//!
//! A digital half is what its last entry in `digital` says, or waits where it has a place: `OVER`,
//! `AGAIN` and `ORDERED` entries tell of attempts and leave the half waiting. `tally` and `tempo` are sums of the other tables, written in
//! the same transactions; `report` counts the rows themselves and compares.
//!
//! # What it promises
//!
//! In pass 2 every commit is synced before it is acknowledged. Changes gather for 5 ms, at most 512 of them: that, and one
//! sync, is what the journal adds to the latency of a request to a gateway with an agreed rate. Where no rate is agreed,
//! and for outcomes, they gather for up to 20 ms while more keep coming. In pass 1 nothing has left yet, so commits are synced
//! at release, in one go; a run killed before that starts pass 1 again. A storage error is final for the process. How far it
//! has come stands in `journal.mark` too, so that a journal which has lost acknowledged entries is refused.
//!
//! # Personal data
//!
//! There is none in the clear. Identities, statement keys and contents are keyed digests; record digests are encrypted
//! blocks; employers' digits, names of exports, content secrets and the texts of faults are sealed (AES-256-GCM, bound to
//! run, column and row). Employers that are organisations also stand there readably; private ones are masked.

mod codes;
mod ends;
mod intents;
mod left;
mod log;
mod mark;
mod pages;
mod persons;
mod places;
mod reader;
mod routes;
mod rows;
mod schema;
mod sealed;
mod statements;
mod writer;

pub(in crate::track) use left::KeyState;
pub use reader::{
    AttemptSeen, Attempts, BundleSeen, Event, InDoubtSeen, JournalReader, OperatorTally, Seen, StatementSeen, Tally,
    Tempo,
};
pub use rows::*;
pub(in crate::track) use schema::{
    APPLICATION, check as check_format, connect, reading as read_only, take_over, use_wal,
};
pub use writer::{ENOUGH as GROUP_ENOUGH, WINDOW as GROUP_WINDOW, WINDOWS as GROUP_WINDOWS};

use super::error::{Cause, TrackError};
use super::installation::{Installation, open_lock, private_folder, try_lock};
use super::pulse::Pulse;
use super::register::Register;
use crate::domain::{ContentDigest, Organisation, Reason, StatementKey};
use crate::told::Told;
use crate::watch::crash;
use crossbeam_channel::{Sender, bounded};
use mark::Mark;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::cell::RefCell;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};
use writer::{Bulk, Change, Op, Writer};

/// Changes on their way to the writer. More than the concurrency of all operators together: who has to wait for room
/// here is not waiting for a gateway.
const CHANGES: usize = 4096;
/// Batches of pass 1 on their way to the writer.
const BATCHES: usize = 4;
/// How long commands that read a run may keep it from being gone on with.
const READERS: Duration = Duration::from_secs(120);
/// What the event is called by which a person settles what is in doubt.
pub(super) const SETTLED: &str = "settled";
/// What the event is called by which a process begins to send, or goes on.
pub const STARTED: &str = "start";
/// What the event is called by which a person gives up that the run ever sends what still waits.
pub const PURGED: &str = "purged";

/// A run's journal, open for writing: a handle, cheap to clone. The last one to go closes it.
///
/// Asynchronous calls resolve when what they say is durable. The others are for the threads of pass 1 and for starting
/// and stopping; they may wait for the disk. A storage error is final: every waiting and later call fails with it.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

/// A folder that this process alone may make a run in; free again on drop.
#[derive(Debug)]
pub struct Claim {
    run: PathBuf,
    lock: File,
}

/// What pages of work are read with.
struct Reading {
    conn: Connection,
    routes: routes::Routes,
}

struct Inner {
    run: PathBuf,
    installation: Installation,
    header: RwLock<Arc<RunHeader>>,
    phase: Mutex<Phase>,
    employers: Arc<RwLock<Vec<Organisation>>>,
    read: Mutex<Option<Reading>>,
    bulk: Option<Sender<Bulk>>,
    ops: Option<Sender<Op>>,
    room: Arc<Semaphore>,
    failed: Arc<OnceLock<TrackError>>,
    writer: Option<std::thread::JoinHandle<()>>,
    _lock: File,
}

impl Journal {
    /// Whether a folder holds a run. *Errors*: [`TrackError::Unreadable`] where that cannot be seen.
    pub fn exists(run: &Path) -> Result<bool, TrackError> {
        match std::fs::metadata(run.join(schema::FILE)) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
            Err(error) => Err(TrackError::Unreadable { run: run.to_path_buf(), cause: Cause::new(error) }),
        }
    }

    /// Takes a folder for a run that is to be made there, and makes it (0700) where it is missing.
    ///
    /// *Errors*: [`TrackError::Locked`], storage.
    pub fn claim(run: &Path, installation: &Installation) -> Result<Claim, TrackError> {
        private_folder(run, installation.disk())?;
        Ok(Claim { run: run.to_path_buf(), lock: lock_run(run)? })
    }

    /// Whether a process has a run in this folder, or is about to make one.
    pub fn is_taken(run: &Path) -> bool {
        is_running(run)
    }

    /// Makes a journal in the run's folder, and the folder (0700) where it is missing.
    ///
    /// *Errors*: [`TrackError::Exists`] where there is one, [`TrackError::Locked`], storage.
    pub fn create(run: &Path, installation: &Installation, header: &RunHeader) -> Result<Self, TrackError> {
        Self::create_in(Self::claim(run, installation)?, installation, header)
    }

    /// As [`Journal::create`], in a folder that was taken before.
    pub fn create_in(claim: Claim, installation: &Installation, header: &RunHeader) -> Result<Self, TrackError> {
        let Claim { run, lock } = claim;
        let run = run.as_path();
        let file = run.join(schema::FILE);
        if file.exists() {
            return Err(TrackError::Exists { run: run.to_path_buf() });
        }
        // Made beside it and renamed, so that a journal is there whole or not at all.
        let draft = run.join("journal.draft");
        let failed = |error: std::io::Error| TrackError::storage(format!("make the journal {}", file.display()), error);
        let disk = installation.disk();
        disk.remove_if_there(&draft).and_then(|()| disk.write_new(&draft, b"")).map_err(failed)?;
        fill(&draft, installation, header)
            .map_err(|error| TrackError::storage(format!("make the journal {}", file.display()), error))?;
        disk.rename(&draft, &file).and_then(|()| disk.sync_folder(run)).map_err(failed)?;
        crash::point("journal_made");
        Self::start(run, installation, lock)
    }

    /// Opens the journal of a run, to go on with it.
    ///
    /// *Errors*: no run there, another process has it, another format, another installation's key, damage, storage.
    /// *Cost*: proportional to what waits, not to what has ended; below a second at a million statements.
    pub fn open(run: &Path, installation: &Installation) -> Result<Self, TrackError> {
        if !Self::exists(run)? {
            return Err(TrackError::NoRun { run: run.to_path_buf() });
        }
        private_folder(run, installation.disk())?;
        let lock = lock_run(run)?;
        let journal = Self::start(run, installation, lock)?;
        if journal.phase() == Phase::Finished {
            // Killed between the last commit and the register: again, which changes nothing where it was done. An older
            // copy says nothing of a run that was settled since.
            let register = Register::open(installation)?;
            if register.is_current(&journal).is_ok() {
                register.merge(run)?;
            }
        }
        Ok(journal)
    }

    fn start(run: &Path, installation: &Installation, lock: File) -> Result<Self, TrackError> {
        let file = run.join(schema::FILE);
        let failed = |error| TrackError::storage(format!("open the journal {}", file.display()), error);
        // Before anything of it is copied: see `schema::take_over`. Only who holds the run's lock writes to it.
        match installation.disk().write_again(&schema::with_suffix(&file, "-wal")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrackError::storage(format!("write again what {} holds", file.display()), error));
            }
            _ => {}
        }
        let conn = schema::writing(&file, installation.disk().vfs()).map_err(failed)?;
        schema::check(&conn, &file, schema::FORMAT)?;
        pages::key_check(&conn, &file, installation)?;
        quick_check(&conn, &file)?;
        mark::check(&conn, run, mark::read(run)).inspect_err(|_| {
            // What is left of it stays as it is, for whoever looks into it.
            let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        })?;
        let began = Instant::now();
        while !schema::take_over(&conn).map_err(failed)? {
            // Commands that read take turns in its way; each is at it for a moment.
            if began.elapsed() < READERS {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            return Err(failed(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                Some("a command that reads the run keeps it from being gone on with".into()),
            )));
        }
        let mark = Mark::open(run)?;
        let phase = pages::phase(&conn).map_err(failed)?;
        let header = pages::header(&conn, Some(installation))?;
        let employers = Arc::new(RwLock::new(pages::employers(&conn, installation, &header.run_id)?));
        let read = schema::reading(&file, installation.disk().vfs()).map_err(failed)?;
        let (bulk, bulk_work) = bounded(BATCHES);
        let (ops, ops_work) = bounded(CHANGES);
        let failed = Arc::new(OnceLock::new());
        let (told, known, opener) = (failed.clone(), employers.clone(), installation.clone());
        let run_id = header.run_id.clone();
        let (ready, started) = bounded(1);
        let work = move || match Writer::new(&conn, mark, opener, run_id, phase, known) {
            Ok(writer) => {
                // Who started it waits for this.
                let _ = ready.send(Ok(()));
                writer.run(bulk_work, ops_work, &told);
            }
            Err(error) => _ = ready.send(Err(error)),
        };
        let starting =
            |error: Box<dyn std::error::Error + Send + Sync>| TrackError::storage("start the journal's thread", error);
        let thread =
            std::thread::Builder::new().name("journal".into()).spawn(work).map_err(|error| starting(error.into()))?;
        started.recv().map_err(|error| starting(error.into()))??;
        Ok(Self {
            inner: Arc::new(Inner {
                run: run.to_path_buf(),
                installation: installation.clone(),
                header: RwLock::new(Arc::new(header)),
                phase: Mutex::new(phase),
                employers,
                read: Mutex::new(Some(Reading { conn: read, routes: routes::Routes::default() })),
                bulk: Some(bulk),
                ops: Some(ops),
                room: Arc::new(Semaphore::new(CHANGES)),
                failed,
                writer: Some(thread),
                _lock: lock,
            }),
        })
    }

    /// What the run is.
    pub fn header(&self) -> Arc<RunHeader> {
        self.inner.header.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Folder of the run.
    pub fn run(&self) -> &Path {
        &self.inner.run
    }

    /// How far the run is.
    pub fn phase(&self) -> Phase {
        *self.inner.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The storage error that ended the journal, if one has.
    pub fn failure(&self) -> Option<TrackError> {
        self.inner.failed.get().cloned()
    }

    // Pass 1.

    /// Empties what a killed pass 1 left.
    pub fn restart_intake(&self) -> Result<(), TrackError> {
        self.ask(Bulk::Restart)
    }

    /// Records statements, in any order of calls. Returns when they are on their way: a storage error shows in a later
    /// call, at the latest in [`Journal::release`]. *Cost*: below half a microsecond a statement on the writer's thread.
    ///
    /// *Panics* where a statement that is to leave has no form, uppgiftslämnare, key or content, or a half is given what
    /// only the other can be.
    pub fn admit(&self, rows: Vec<StatementRow>) -> Result<(), TrackError> {
        for row in &rows {
            if let Fate::Send { digital, paper } = row.fate {
                let known = row.form.is_some() && row.uppgiftslamnare.is_some();
                assert!(known && row.key.is_some() && row.content.is_some(), "{} cannot be sent", row.span.ordinal);
                assert!(digital != Half::Fallback && !matches!(paper, Half::Unreachable(_)), "halves are mixed up");
            }
        }
        self.bulk(Bulk::Admit(rows))
    }

    /// Changes the fate of statements admitted before. As [`Journal::admit`].
    pub fn amend(&self, rows: Vec<Amend>) -> Result<(), TrackError> {
        self.bulk(Bulk::Amend(rows))
    }

    /// Marks statements admitted before as corrections of what an earlier run sent. As [`Journal::admit`].
    pub fn correct(&self, ordinals: Vec<u64>) -> Result<(), TrackError> {
        self.bulk(Bulk::Correct(ordinals))
    }

    /// Statements after this ordinal that are to leave, of those admitted so far: ordinal, key and content, for the
    /// question what earlier runs know of them. Waits until what was admitted is committed.
    pub fn leaving(&self, after: u64, limit: usize) -> Result<Vec<(u64, StatementKey, ContentDigest)>, TrackError> {
        self.sync()?;
        self.read(|conn| pages::leaving(conn, after, limit))
    }

    /// Ends pass 1: queues and person index are made, everything is synced, the register names the run, and from now on
    /// statements may leave.
    ///
    /// *Errors*: [`TrackError::Unbalanced`] where the ordinals of the journal are not exactly 1 to the sum of the
    /// exports' statements.
    pub fn release(&self, exports: Vec<RunExport>) -> Result<(), TrackError> {
        let header = self.header();
        // The register first: a run that may have sent something is never unknown to it.
        Register::open(&self.inner.installation)?.begin(&header.run_id, &self.inner.run)?;
        crash::point("register_named");
        let kept = exports.clone();
        self.ask(|reply| Bulk::Release(exports, reply))?;
        let header = RunHeader { exports: kept, ..RunHeader::clone(&header) };
        *self.inner.header.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(header);
        self.set_phase(Phase::Released);
        Ok(())
    }

    /// Takes note of the operators that the settings now know. Those of before keep their places; others are added.
    /// Returns the list that numbers in routes and intents refer to.
    pub fn know_operators(&self, operators: &[RunOperator]) -> Result<Vec<RunOperator>, TrackError> {
        let header = self.header();
        let mut all = header.operators.clone();
        for operator in operators {
            match all.iter_mut().find(|known| known.id == operator.id) {
                Some(known) => *known = operator.clone(),
                None => all.push(operator.clone()),
            }
        }
        if all != header.operators {
            let kept = all.clone();
            self.ask(|reply| Bulk::Operators(kept, reply))?;
            let header = RunHeader { operators: all.clone(), ..RunHeader::clone(&header) };
            *self.inner.header.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(header);
        }
        Ok(all)
    }

    // Pass 2, reading: what is committed, ascending by ordinal.

    /// Statements after this ordinal whose recipient must be looked up.
    pub fn to_look_up(&self, after: u64, limit: usize) -> Result<Vec<Work>, TrackError> {
        self.read(|conn| pages::to_look_up(conn, &self.pages(), after, limit))
    }

    /// Statements after this ordinal that wait at an operator, without those under way.
    pub fn routed(&self, operator: u16, after: u64, limit: usize) -> Result<Vec<Routed>, TrackError> {
        self.read_with(|Reading { conn, routes }| pages::routed(conn, routes, &self.pages(), operator, after, limit))
    }

    /// Statements after this ordinal that wait for a print bundle. One that goes both ways waits once its digital half has
    /// ended, and not at all where that was held.
    pub fn paper_waiting(&self, after: u64, limit: usize) -> Result<Vec<Work>, TrackError> {
        self.read(|conn| pages::paper_waiting(conn, &self.pages(), after, limit))
    }

    /// Statements with an intent and without an end: right after [`Journal::open`], what a kill has left in doubt. The
    /// caller ends each as in doubt, or sends it again as its operator's policy says.
    pub fn open_intents(&self) -> Result<Vec<OpenIntent>, TrackError> {
        self.read(|conn| pages::open_intents(conn, &self.pages()))
    }

    /// Statements after this ordinal that ended in doubt, with what a resend needs.
    pub fn in_doubt(&self, after: u64, limit: usize) -> Result<Vec<OpenIntent>, TrackError> {
        self.read(|conn| pages::in_doubt(conn, &self.pages(), after, limit))
    }

    /// How many statements have which outcome. *Cost*: a few rows after release; before it, a count of all rows.
    pub fn counts(&self) -> Result<Counts, TrackError> {
        self.read(pages::counts)
    }

    /// How far the run is. *Cost*: a few seeks.
    pub fn checkpoint(&self) -> Result<super::Checkpoint, TrackError> {
        self.read(pages::checkpoint)
    }

    /// Number of the last print bundle, 0 where there is none.
    pub fn last_bundle(&self) -> Result<u32, TrackError> {
        self.read(|conn| {
            conn.query_row("SELECT coalesce(max(number), 0) FROM bundle", [], |row| row.get(0))
                .map_err(pages::unreadable("the print bundles"))
        })
    }

    // Pass 2, writing: durable when they resolve.

    /// What FaR said. All rows or none.
    ///
    /// A statement that has a route already gets the new one. *Errors*: [`TrackError::NotWaiting`].
    pub async fn route(&self, rows: Vec<RouteRow>) -> Result<(), TrackError> {
        self.change(Change::Route(rows)).await
    }

    /// A request is about to leave. The first byte may be written when this has returned `Ok`, never before.
    ///
    /// *Errors*: [`TrackError::NotWaiting`] where the statement does not wait at this operator, or the attempt is not
    /// above those used; a statement in doubt may be intended again (the resend policy), and then
    /// [`TrackError::BytesDiffer`] where request or id are not the same.
    pub async fn intend(&self, intent: impl Into<Arc<Intent>>) -> Result<(), TrackError> {
        self.change(Change::Intend(intent.into())).await
    }

    /// As [`Journal::intend`], for a gateway without an agreed rate: it may wait for a larger group.
    pub async fn intend_unpaced(&self, intent: impl Into<Arc<Intent>>) -> Result<(), TrackError> {
        self.change_with(Change::Intend(intent.into()), false).await
    }

    /// An attempt was surely not accepted: the statement waits at its operator again.
    pub async fn attempt_over(&self, over: AttemptOver) -> Result<(), TrackError> {
        self.change(Change::Over(Box::new(over))).await
    }

    /// An attempt was answered with Delivered = false: the statement waits for a new look-up, and
    /// [`Routed::not_delivered`] tells.
    pub async fn look_up_again(&self, over: AttemptOver) -> Result<(), TrackError> {
        self.change(Change::LookUpAgain(Box::new(over))).await
    }

    /// A digital half ends. Without an attempt it can only be unreachable, failed or held.
    pub async fn end_digital(&self, end: DigitalEnd) -> Result<(), TrackError> {
        self.hand_over(end).await?.durable().await
    }

    /// As [`Journal::end_digital`], in two steps. When this resolves, the end stands before every later change and is
    /// durable no later than they: an intent that takes its place is never on disk without it.
    pub async fn hand_over(&self, end: DigitalEnd) -> Result<HandedOver, TrackError> {
        self.send(Change::End(Box::new(end)), false).await
    }

    /// Paper halves end, with the bundle that they are in. All rows or none.
    pub async fn end_paper(&self, rows: Vec<PaperEnd>, bundle: Option<BundleRow>) -> Result<(), TrackError> {
        self.change(Change::Paper(rows, bundle)).await
    }

    /// Says why statements still wait for their look-up ([`Reason::FarSilent`]).
    pub async fn pend(&self, rows: Vec<(u64, Reason)>) -> Result<(), TrackError> {
        self.change(Change::Pend(rows)).await
    }

    /// Says that an operator's queue is stopped since it refuses our credentials, or goes again.
    pub async fn operator_stopped(&self, operator: u16, stopped: bool) -> Result<(), TrackError> {
        self.change(Change::Stopped(operator, stopped)).await
    }

    /// Statements in doubt that a person has ordered to be sent again, and that have not been yet.
    pub fn ordered_again(&self) -> Result<std::collections::HashSet<u64>, TrackError> {
        self.read(pages::ordered_again)
    }

    /// A person settles statements in doubt, all of these or none, and an audit line tells of them in the same
    /// transaction; [`Journal::finish`] after the last takes them over into the register.
    ///
    /// *Errors*: [`TrackError::NotWaiting`] with one that is not in doubt. *Cost*: one sync, and some 50 µs a statement.
    pub async fn settle(&self, mut ordinals: Vec<u64>, settlement: Settlement, told: String) -> Result<(), TrackError> {
        ordinals.sort_unstable();
        ordinals.dedup();
        let name_again = || {
            let run_id = self.header().run_id.clone();
            Register::open(&self.inner.installation)?.begin(&run_id, &self.inner.run)
        };
        if self.phase() == Phase::Finished {
            // The register first: it must ask the journal again before the journal says something else.
            name_again()?;
        }
        let was_finished = self.phase() == Phase::Finished;
        self.change(Change::Settle(ordinals, settlement, told)).await?;
        if was_finished {
            // And after: meanwhile somebody who asked about another run may have taken the run over as it was before.
            name_again()?;
        }
        // What waits again, or may now go on paper, has opened a finished run.
        self.set_phase(self.read(|conn| pages::phase(conn).map_err(pages::unreadable("the phase")))?);
        Ok(())
    }

    /// Writes an audit line or event, durable with the next group. Identities in the text are masked.
    pub fn note(&self, kind: &str, text: &str) -> Result<(), TrackError> {
        self.healthy()?;
        let op = Op { change: Change::Note(kind.to_owned(), text.to_owned()), urgent: false, done: None, _room: None };
        self.inner.ops.as_ref().and_then(|ops| ops.send(op).ok()).ok_or_else(|| self.gone())
    }

    /// As [`Journal::note`], durable when it resolves.
    pub async fn note_durably(&self, kind: &str, text: &str) -> Result<(), TrackError> {
        self.change(Change::Note(kind.to_owned(), text.to_owned())).await
    }

    /// How many events of a kind there are, of those committed.
    pub fn events_of(&self, kind: &str) -> Result<u64, TrackError> {
        self.read(|conn| pages::events_of(conn, kind))
    }

    /// How often a process has begun, or gone on, or purged the run, or a person has settled something of it: a copy that
    /// was made before has fewer.
    pub fn steps(&self) -> Result<u64, TrackError> {
        Ok(self.events_of(STARTED)? + self.events_of(PURGED)? + self.events_of(SETTLED)?)
    }

    /// Keeps the pulse of the running send, in place of the last one; durable with the next group.
    pub fn pulse(&self, pulse: &Pulse) -> Result<(), TrackError> {
        self.healthy()?;
        let json = serde_json::to_string(pulse).unwrap_or_default();
        let op = Op { change: Change::Pulse(json), done: None, _room: None, urgent: false };
        self.inner.ops.as_ref().and_then(|ops| ops.send(op).ok()).ok_or_else(|| self.gone())
    }

    /// Forgets the keys with which encrypted letters are made again byte for byte: nothing of this run is sent again.
    /// They are overwritten in the file.
    pub fn forget_secrets(&self) -> Result<(), TrackError> {
        self.ask(Bulk::ForgetSecrets)
    }

    /// Finishes the run if nothing waits, and merges it into the register. Returns the phase: a run with something
    /// pending stays released, and the register goes on naming it.
    pub fn finish(&self) -> Result<Phase, TrackError> {
        let (reply, answer) = bounded(1);
        self.bulk(Bulk::Finish(reply))?;
        let phase = answer.recv().map_err(|_| self.gone())??;
        self.set_phase(phase);
        if phase == Phase::Finished {
            Register::open(&self.inner.installation)?.merge(&self.inner.run)?;
            crash::point("merged");
        }
        Ok(phase)
    }

    /// Waits until everything admitted so far is committed.
    pub fn sync(&self) -> Result<(), TrackError> {
        self.ask(Bulk::Sync)
    }

    async fn change(&self, change: Change) -> Result<(), TrackError> {
        self.change_with(change, true).await
    }

    async fn change_with(&self, change: Change, urgent: bool) -> Result<(), TrackError> {
        self.send(change, urgent).await?.durable().await
    }

    async fn send(&self, change: Change, urgent: bool) -> Result<HandedOver, TrackError> {
        self.healthy()?;
        let room = self.inner.room.clone().acquire_owned().await.map_err(|_| self.gone())?;
        let (done, answer) = oneshot::channel();
        let op = Op { change, urgent, done: Some(done), _room: Some(room) };
        // Never waits: the channel has room for every permit, and notes.
        self.inner.ops.as_ref().and_then(|ops| ops.send(op).ok()).ok_or_else(|| self.gone())?;
        Ok(HandedOver { answer, failed: Arc::clone(&self.inner.failed) })
    }

    fn ask(&self, message: impl FnOnce(writer::Reply) -> Bulk) -> Result<(), TrackError> {
        let (reply, answer) = bounded(1);
        self.bulk(message(reply))?;
        answer.recv().map_err(|_| self.gone())?
    }

    fn bulk(&self, message: Bulk) -> Result<(), TrackError> {
        self.healthy()?;
        self.inner.bulk.as_ref().and_then(|bulk| bulk.send(message).ok()).ok_or_else(|| self.gone())
    }

    fn healthy(&self) -> Result<(), TrackError> {
        self.inner.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn gone(&self) -> TrackError {
        gone(&self.inner.failed)
    }

    fn set_phase(&self, phase: Phase) {
        *self.inner.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn pages(&self) -> pages::Keys<'_> {
        pages::Keys {
            installation: &self.inner.installation,
            employers: &self.inner.employers,
            run: &self.inner.run,
            neighbours: RefCell::default(),
        }
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, TrackError>) -> Result<T, TrackError> {
        self.read_with(|reading| query(&reading.conn))
    }

    fn read_with<T>(&self, query: impl FnOnce(&mut Reading) -> Result<T, TrackError>) -> Result<T, TrackError> {
        let mut read = self.inner.read.lock().unwrap_or_else(PoisonError::into_inner);
        query(read.as_mut().ok_or_else(|| self.gone())?)
    }
}

/// A change that is on its way to the writer.
#[derive(Debug)]
#[must_use = "whether it became durable is known from `durable` alone"]
pub struct HandedOver {
    answer: oneshot::Receiver<Told<Result<(), TrackError>>>,
    failed: Arc<OnceLock<TrackError>>,
}

impl HandedOver {
    /// Resolves when the change is durable, or was refused. Dropping it takes nothing back.
    pub async fn durable(self) -> Result<(), TrackError> {
        self.answer.await.map_err(|_| gone(&self.failed))?.take()
    }
}

/// Why nothing is written any more.
fn gone(failed: &OnceLock<TrackError>) -> TrackError {
    failed.get().cloned().unwrap_or_else(|| TrackError::storage("write the journal", "its thread has ended"))
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("run", &self.inner.run).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The reader first, so that the writer is the last connection and can tidy up. It ends when both channels are
        // closed and empty; the lock goes after it.
        self.read.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        self.bulk = None;
        self.ops = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Takes the run for this process.
fn lock_run(run: &Path) -> Result<File, TrackError> {
    let lock = open_lock(&run.join("run.lock"))?;
    match try_lock(&lock) {
        Ok(true) => Ok(lock),
        Ok(false) => Err(TrackError::Locked { run: run.to_path_buf() }),
        Err(error) => Err(TrackError::storage(format!("lock the run {}", run.display()), error)),
    }
}

/// Whether a process has the run open for writing. Takes the lock, shared, for a moment.
fn is_running(run: &Path) -> bool {
    match File::open(run.join("run.lock")) {
        Ok(lock) => lock.try_lock_shared().is_err(),
        Err(_) => false,
    }
}

fn fill(file: &Path, installation: &Installation, header: &RunHeader) -> rusqlite::Result<()> {
    let conn = schema::connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE, installation.disk().vfs())?;
    conn.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA application_id = {}; PRAGMA user_version = {}; BEGIN;",
        schema::APPLICATION,
        schema::FORMAT
    ))?;
    conn.execute_batch(schema::TABLES)?;
    let put = |name: &str, value: &dyn rusqlite::ToSql| {
        conn.execute("INSERT INTO meta(name, value) VALUES (?1, ?2)", rusqlite::params![name, value])
    };
    put("run_id", &header.run_id)?;
    put("key_check", &installation.key_check())?;
    put("phase", &Phase::Intake.as_str())?;
    put("created", &header.created.to_string())?;
    put("config_file", &header.config_file.as_os_str().as_bytes())?;
    put("deadline", &header.deadline.map(|deadline| deadline.to_string()))?;
    put("operators", &serde_json::to_string(&header.operators).unwrap_or_default())?;
    put("exports", &sealed::sealed_json(installation, &header.run_id, "exports", &header.exports)?)?;
    let rest = (&header.protected_file, &header.remembered);
    put("header", &sealed::sealed_json(installation, &header.run_id, "header", &rest)?)?;
    conn.execute_batch("COMMIT")?;
    conn.close().map_err(|(_, error)| error)
}

/// Sees that what the run goes on from is sound: the small tables whole, and that the last statement is there. The large
/// ones are not read through, which would take longer than starting may: their rows have sums that whoever reads them checks.
fn quick_check(conn: &Connection, file: &Path) -> Result<(), TrackError> {
    let damaged = |what: String| TrackError::Damaged { file: file.to_path_buf(), what };
    let small = [
        "meta",
        "employer",
        "word",
        "place",
        "route",
        "tried",
        "protected",
        "manner",
        "doubt",
        "resend",
        "paper_queue",
        "bundle",
        "event",
        "tally",
    ];
    for table in small {
        let said: Option<String> = conn
            .query_row(&format!("PRAGMA quick_check('{table}')"), [], |row| row.get(0))
            .optional()
            .map_err(|error| damaged(format!("table {table}: {error}")))?;
        if said.as_deref() != Some("ok") {
            return Err(damaged(format!("table {table}")));
        }
    }
    statements::most(conn).map(|_| ()).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
pub(in crate::track) mod tests;
