//! The register: what any run of the installation has sent, by statement key.
//!
//! One SQLite database in the state folder, `register.sqlite`. What a run has sent comes into it sorted, when the run has
//! finished, and until then the register *names* the run, whose journal then counts. What was merged answers for itself: the
//! run's folder may go.
//!
//! Format 2 (`user_version` 2, `application_id` `utsk`); one of format 1 becomes one of format 2 when it is opened
//! (`migration.rs`).
//!
//! | table | key | what |
//! |---|---|---|
//! | `run` | number | id, folder, when begun, when merged (null: its journal counts), how many entries were taken over |
//! | `kept` | number; run and first key | by key and content: which halves left, when, TransId; blocks of entries (`blocks.rs`) |
//! | `receipt` | run, number | TransIds that are no UUIDs |
//! | `meta` | name | key check; `steps:RUN`: how often the run was gone on with; `given_up:RUN` |
//!
//! It holds keyed digests and TransIds only, no identity and no content.

mod blocks;
mod migration;

pub(super) use blocks::{Dispatch, Receipt};

use super::error::{Outdated, TrackError};
use super::installation::{Installation, private_folder};
use super::journal::{self, Journal, JournalReader, KeyState, Phase};
use super::summed;
use crate::domain::{ContentDigest, StatementKey};
use blocks::{Blocks, Merged};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 2;
const DIGITAL: u8 = 1;
const PAPER: u8 = 2;
const DOUBT: u8 = 4;
const WAITS: u8 = 8;

/// Where the register of a state folder lies.
pub(super) fn file(state: &Path) -> PathBuf {
    state.join("register.sqlite")
}

/// Whether there is nothing in a register: no file, or one that was emptied.
pub(super) fn is_missing(file: &Path) -> bool {
    match std::fs::metadata(file) {
        Ok(facts) => facts.len() == 0,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Whether no run was ever made with a state folder, whatever else lies there: it has no audit log and no operator's lock.
/// That of FaR an earlier version's `plan` took before there was a register.
pub(super) fn is_unused(state: &Path) -> bool {
    let locks = match std::fs::read_dir(state.join("gateways")) {
        Ok(mut entries) => entries.any(|entry| entry.map_or(true, |entry| entry.file_name() != "far.lock")),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    !locks && !state.join("audit.ndjson").exists()
}

/// Sees, without changing anything, that a register is what was written, and that the runs which it asks can be asked.
pub(super) fn examine(file: &Path, key_check: &str) -> Result<(), TrackError> {
    let failed = |error| TrackError::storage(format!("read the register {}", file.display()), error);
    let conn = journal::read_only(file, None).map_err(failed)?;
    let is_old = journal::check_format(&conn, file, migration::FROM).is_ok();
    if !is_old {
        journal::check_format(&conn, file, FORMAT)?;
    }
    let said: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if said != "ok" {
        return Err(failed(summed::damaged(said)));
    }
    let known: Option<String> = conn
        .query_row("SELECT value FROM meta WHERE name = 'key_check'", [], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    if known.as_deref() != Some(key_check) {
        return Err(TrackError::KeyOther { file: file.to_path_buf() });
    }
    if is_old {
        needs_no_earlier_version(&conn)?;
    } else {
        blocks::examine(&conn).map_err(failed)?;
    }
    for run in unmerged(&conn)? {
        run.journal()?;
    }
    Ok(())
}

/// What an earlier run knows of a statement key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The key.
    pub key: StatementKey,
    /// What it said then.
    pub content: ContentDigest,
    /// What became of it.
    pub what: What,
    /// Which run.
    pub run: String,
    /// When it left.
    pub at: Option<Timestamp>,
    /// The operator's TransId.
    pub trans_id: Option<String>,
}

/// What became of a statement in an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Delivered, or on paper.
    Sent,
    /// A request left and its answer is unknown.
    InDoubt,
    /// A run that is not finished still has it to send.
    OtherRun,
}

/// What follows for a statement from what earlier runs know of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No earlier run has sent it.
    New,
    /// The same content was sent.
    AlreadySent,
    /// The same content may have been sent.
    InDoubt,
    /// A run that is not finished has the statement.
    OtherRun,
    /// An earlier content was, or may have been, sent: this one corrects it.
    Correction,
}

/// What earlier runs know of a statement, in a byte: millions of statements are judged together.
#[derive(Clone, Copy, Default)]
struct Known(u8);

impl Known {
    const SENT: u8 = 1;
    const IN_DOUBT: u8 = 2;
    const OTHER_RUN: u8 = 4;
    const OTHER_CONTENT: u8 = 8;

    fn note(&mut self, what: What, same_content: bool) {
        self.0 |= match (what, same_content) {
            (What::Sent, true) => Self::SENT,
            (What::InDoubt, true) => Self::IN_DOUBT,
            (What::OtherRun, _) => Self::OTHER_RUN,
            (What::Sent | What::InDoubt, false) => Self::OTHER_CONTENT,
        };
    }

    /// A content that was sent once is a repeat, also where another was sent after it: its message has the same id.
    const fn verdict(self) -> Verdict {
        if self.0 & Self::SENT != 0 {
            Verdict::AlreadySent
        } else if self.0 & Self::IN_DOUBT != 0 {
            Verdict::InDoubt
        } else if self.0 & Self::OTHER_RUN != 0 {
            Verdict::OtherRun
        } else if self.0 & Self::OTHER_CONTENT != 0 {
            Verdict::Correction
        } else {
            Verdict::New
        }
    }
}

/// The register of an installation, opened.
pub struct Register {
    conn: Connection,
    installation: Installation,
}

struct Named {
    run_id: String,
    folder: PathBuf,
}

impl Named {
    /// Its journal. *Errors*: [`TrackError::RunGone`] where its folder does not hold it.
    fn journal(&self) -> Result<JournalReader, TrackError> {
        let gone = || TrackError::RunGone { run: self.run_id.clone(), folder: self.folder.clone() };
        let journal = JournalReader::open(&self.folder).map_err(|error| match error {
            TrackError::NoRun { .. } => gone(),
            other => other,
        })?;
        if journal.run_id() == self.run_id { Ok(journal) } else { Err(gone()) }
    }
}

impl Register {
    /// Opens the register, making it at first use. One of format 1 becomes one of this format.
    ///
    /// *Errors*: [`TrackError::RegisterLost`] where it is missing or empty and the state folder has been used; another
    /// format, of it or, where it is of format 1, of a run that it still names; another installation's key, storage.
    pub fn open(installation: &Installation) -> Result<Self, TrackError> {
        private_folder(installation.state(), installation.disk())?;
        // Before the register is looked at: a faster process makes it before anything else in the folder.
        let unused = is_unused(installation.state());
        let file = file(installation.state());
        if !unused && is_missing(&file) {
            return Err(TrackError::RegisterLost { file });
        }
        let failed =
            |error: rusqlite::Error| TrackError::storage(format!("open the register {}", file.display()), error);
        match installation.disk().write_new(&file, b"") {
            // Made before, or by a faster process.
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(TrackError::storage(format!("make the register {}", file.display()), error));
            }
            Err(_) => {}
            Ok(()) => installation
                .disk()
                .sync_folder(installation.state())
                .map_err(|error| TrackError::storage(format!("make the register {}", file.display()), error))?,
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let conn = journal::connect(&file, flags, installation.disk().vfs()).map_err(failed)?;
        conn.execute_batch(
            "PRAGMA busy_timeout = 60000; PRAGMA synchronous = FULL;
             PRAGMA cache_size = -16384; PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF;",
        )
        .map_err(failed)?;
        journal::use_wal(&conn).map_err(failed)?;
        let register = Self { conn, installation: installation.clone() };
        if !register.make(installation.key_check(), unused).map_err(failed)? {
            return Err(TrackError::RegisterLost { file });
        }
        // Where another process is at it, that process has done it.
        journal::take_over(&register.conn).map_err(failed)?;
        let format = journal::check_format(&register.conn, &file, FORMAT);
        let is_old = format.is_err() && journal::check_format(&register.conn, &file, migration::FROM).is_ok();
        if !is_old {
            format?;
        }
        let check: Option<String> = register
            .conn
            .query_row("SELECT value FROM meta WHERE name = 'key_check'", [], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        if check.as_deref() != Some(installation.key_check()) {
            return Err(TrackError::KeyOther { file });
        }
        if is_old {
            needs_no_earlier_version(&register.conn)?;
            migration::take_over(&register.conn).map_err(|error| {
                TrackError::storage(format!("bring the register {} to its new format", file.display()), error)
            })?;
            journal::check_format(&register.conn, &file, FORMAT)?;
        }
        Ok(register)
    }

    /// Makes the tables of a file that has none, where that may be; two processes may come here at once. Whether there
    /// are tables now.
    fn make(&self, key_check: &str, may: bool) -> rusqlite::Result<bool> {
        let count = || self.conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        if count()? > 0 {
            return Ok(true);
        }
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let tables = count()?;
        if tables == 0 && may {
            self.conn.execute_batch(&format!(
                "PRAGMA application_id = {}; PRAGMA user_version = {FORMAT};
                 CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
                 CREATE TABLE run(number INTEGER PRIMARY KEY, run_id TEXT UNIQUE NOT NULL, folder BLOB NOT NULL,
                     begun INT NOT NULL, merged INT, taken INT NOT NULL DEFAULT 0);
                 {}",
                journal::APPLICATION,
                blocks::TABLES
            ))?;
            self.conn.execute("INSERT INTO meta VALUES ('key_check', ?1)", [key_check])?;
        }
        self.conn.execute_batch("COMMIT")?;
        Ok(tables > 0 || may)
    }

    /// Names a run, durably, before anything of it is sent: from now on its journal counts, until it is merged.
    pub fn begin(&self, run_id: &str, folder: &Path) -> Result<(), TrackError> {
        let failed = |error: rusqlite::Error| TrackError::storage("name the run in the register", error);
        let folder = std::fs::canonicalize(folder)
            .map_err(|error| TrackError::storage("name the run in the register", error))?;
        let name = || -> rusqlite::Result<()> {
            let all = self.conn.unchecked_transaction()?;
            all.execute(
                "INSERT INTO run(run_id, folder, begun) VALUES (?1, ?2, ?3)
                 ON CONFLICT(run_id) DO UPDATE SET folder = excluded.folder, merged = NULL",
                params![run_id, folder.as_os_str().as_bytes(), Timestamp::now().as_millisecond()],
            )?;
            all.execute("DELETE FROM meta WHERE name = 'given_up:' || ?1", [run_id])?;
            all.commit()
        };
        name().map_err(failed)
    }

    /// Sees that a folder is its run as it is now, before anything of it is sent or settled. Whoever asks holds the locks
    /// of the gateways, so that nobody goes on with another copy meanwhile.
    ///
    /// *Errors*: [`TrackError::Outdated`] where the run has finished, was given up, or was gone on with from another copy,
    /// and where the folder that the register names holds it as well. A folder that was moved is none of these.
    pub fn is_current(&self, journal: &Journal) -> Result<(), TrackError> {
        let (run, id) = (journal.run().to_path_buf(), journal.header().run_id.clone());
        let failed = |error| TrackError::storage("ask the register about the run", error);
        let finished = journal.phase() == Phase::Finished;
        let named = self
            .conn
            .query_row("SELECT folder, merged IS NOT NULL FROM run WHERE run_id = ?1", [&id], |row| {
                Ok((PathBuf::from(OsString::from_vec(row.get(0)?)), row.get(1)?))
            })
            .optional()
            .map_err(failed)?;
        let steps: Option<i64> = self
            .conn
            .query_row("SELECT value FROM meta WHERE name = 'steps:' || ?1", [&id], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        let seen = journal.steps()?;
        let why = match named {
            // Nothing of it leaves; but what is in doubt may have been settled since.
            _ if finished && steps.unwrap_or(0) as u64 <= seen => return Ok(()),
            _ if finished => Outdated::GoneOn,
            Some((_, true)) if self.is_given_up(&id)? => Outdated::GivenUp,
            Some((_, true)) => Outdated::Finished,
            Some((folder, false)) if is_other_copy(&folder, &run, &id) => Outdated::Elsewhere(folder),
            _ if steps.unwrap_or(0) as u64 > seen => Outdated::GoneOn,
            _ => return Ok(()),
        };
        Err(TrackError::Outdated { run, id, why })
    }

    /// Notes that a run is gone on with, or purged, and where, durably, before anything leaves: every older copy of its
    /// folder is known by that.
    pub fn note_step(&self, journal: &Journal) -> Result<(), TrackError> {
        let id = journal.header().run_id.clone();
        let steps = journal.steps()? as i64;
        let failed = |error: rusqlite::Error| TrackError::storage("note in the register that the run goes on", error);
        let folder = std::fs::canonicalize(journal.run())
            .map_err(|error| TrackError::storage("note in the register that the run goes on", error))?;
        let note = || -> rusqlite::Result<()> {
            let all = self.conn.unchecked_transaction()?;
            all.execute(
                "INSERT INTO meta VALUES ('steps:' || ?1, ?2)
                 ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)",
                params![id, steps],
            )?;
            // It may have been moved.
            all.execute("UPDATE run SET folder = ?2 WHERE run_id = ?1", params![id, folder.as_os_str().as_bytes()])?;
            all.commit()
        };
        note().map_err(failed)
    }

    /// Whether a person gave this run up as lost.
    pub fn is_given_up(&self, run_id: &str) -> Result<bool, TrackError> {
        self.conn
            .query_row("SELECT count(*) FROM meta WHERE name = 'given_up:' || ?1", [run_id], |row| row.get(0))
            .map_err(|error| TrackError::storage("ask the register about the run", error))
    }

    /// Judges statements by what earlier runs, other than `run_id`, know of them.
    ///
    /// *Shape*: `statements` ascending by key; a verdict for each, in the same order. *Errors*: [`TrackError::RunGone`]
    /// where a run that may have sent something cannot be asked. *Cost*: for each merged run a seek for each of its blocks
    /// that a statement falls into, and one reading of the journal of each unmerged run; a byte a statement.
    pub fn judge(
        &self,
        run_id: &str,
        statements: &[(StatementKey, ContentDigest)],
    ) -> Result<Vec<Verdict>, TrackError> {
        debug_assert!(statements.is_sorted_by_key(|of| of.0));
        let mut known = vec![Known::default(); statements.len()];
        let failed = |error| TrackError::storage("ask the register what was sent", error);
        let runs = merged(&self.conn, run_id).map_err(failed)?;
        let mut note = |key: StatementKey, content: ContentDigest, what: What| {
            let from = statements.partition_point(|of| of.0 < key);
            let of_key = statements.iter().zip(&mut known).skip(from).take_while(|(of, _)| of.0 == key);
            of_key.for_each(|(of, known)| known.note(what, of.1 == content));
        };
        self.unmerged_statements(run_id, &mut |_, state| note(state.key, state.content, state.what()))?;
        self.merged_statements(run_id, runs, statements, &mut known).map_err(failed)?;
        Ok(known.into_iter().map(Known::verdict).collect())
    }

    /// What earlier runs, other than `run_id`, know of one statement, whatever its content.
    ///
    /// *Errors*: as [`Register::judge`]. *Cost*: a seek for each merged run, and one reading of the journal of each unmerged.
    pub fn earlier(&self, run_id: &str, key: &StatementKey) -> Result<Vec<Earlier>, TrackError> {
        let mut found = Vec::new();
        let failed = |error| TrackError::storage("ask the register what was sent", error);
        let mut runs = merged(&self.conn, run_id).map_err(failed)?;
        self.unmerged_statements(run_id, &mut |run, state| {
            if state.key == *key {
                let (run, what) = (run.to_owned(), state.what());
                found.push(Earlier { key: *key, content: state.content, what, run, at: None, trans_id: None });
            }
        })?;
        runs.extend(merged(&self.conn, run_id).map_err(failed)?);
        for (id, run) in runs {
            blocks::of_key(&self.conn, run, &id, key, &mut |earlier| found.push(earlier)).map_err(failed)?;
        }
        Ok(found)
    }

    /// Gives the statements that unmerged runs have sent or still have to. Runs that have finished are merged first.
    fn unmerged_statements(&self, run_id: &str, sink: &mut dyn FnMut(&str, &KeyState)) -> Result<(), TrackError> {
        for run in unmerged(&self.conn)?.into_iter().filter(|run| run.run_id != run_id) {
            let journal = run.journal()?;
            match journal.phase()? {
                // Nothing of it has left.
                Phase::Intake => (),
                // Killed before it came here.
                Phase::Finished => self.merge(&run.folder)?,
                Phase::Released => {
                    // What waits in a purged run will never leave; what has left, or may have, stays so.
                    let given_up = journal.events_of(journal::PURGED)? > 0;
                    journal.statements_by_key(&mut |state| {
                        if !given_up || state.what() != What::OtherRun {
                            sink(&run.run_id, &state);
                        }
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Notes what merged runs, these and those of now, have sent of these statements.
    fn merged_statements(
        &self,
        run_id: &str,
        mut runs: BTreeMap<String, Merged>,
        statements: &[(StatementKey, ContentDigest)],
        known: &mut [Known],
    ) -> rusqlite::Result<()> {
        // All in one read: beginning one costs as much as ten seeks.
        let read = self.conn.unchecked_transaction()?;
        runs.extend(merged(&read, run_id)?);
        for run in runs.into_values() {
            blocks::of_statements(&read, run, statements, &mut |place, halves, same_content| {
                if let Some(known) = known.get_mut(place) {
                    known.note(what(halves), same_content);
                }
            })?;
        }
        read.finish()
    }

    /// Takes over what a finished run has sent, in one transaction. Doing it again changes nothing.
    pub fn merge(&self, run: &Path) -> Result<(), TrackError> {
        let journal = JournalReader::open(run)?;
        journal.check_key(&self.installation)?;
        let failed = |error| TrackError::storage("merge the run into the register", error);
        let is_merged = || {
            let mut select = self.conn.prepare("SELECT merged IS NOT NULL FROM run WHERE run_id = ?1")?;
            select.query_row([journal.run_id()], |row| row.get(0)).optional().map(|merged| merged == Some(true))
        };
        let finished = || match journal.phase()? {
            Phase::Finished => Ok(()),
            phase => Err(TrackError::Phase { doing: "merge the run into the register", phase }),
        };
        finished()?;
        if is_merged().map_err(failed)? {
            return Ok(());
        }
        // Before the journal is looked at: whoever reopens a run tells the register before and after.
        let all = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate).map_err(failed)?;
        if is_merged().map_err(failed)? {
            // By a faster process.
            return Ok(());
        }
        journal.at_once(|journal| {
            finished()?;
            self.take_over(all, journal).map_err(failed)
        })
    }

    fn take_over(&self, all: Transaction<'_>, journal: &JournalReader) -> rusqlite::Result<()> {
        let run_id = journal.run_id();
        let now = Timestamp::now().as_millisecond();
        all.execute(
            "INSERT INTO run(run_id, folder, begun) VALUES (?1, x'', ?2) ON CONFLICT(run_id) DO NOTHING",
            params![run_id, now],
        )?;
        let number = all.query_row("SELECT number FROM run WHERE run_id = ?1", [run_id], |row| row.get(0))?;
        // One that was merged, and reopened to settle what was in doubt, comes anew.
        let mut blocks = Blocks::anew(&all, number)?;
        let left = journal.left(&mut |trans_id| blocks.receipt(trans_id))?;
        left.by_key(left.together(), &mut |key, content, dispatch| blocks.add(key, content, dispatch))?;
        let taken = blocks.finish()?;
        all.execute("UPDATE run SET merged = ?2, taken = ?3 WHERE number = ?1", params![number, now, taken as i64])?;
        all.commit()
    }

    /// Stops asking the run that lay in this folder, by a person's decision: what it sent may be sent again. Its id;
    /// `None` where no unfinished run is named there.
    pub fn forget(&self, folder: &Path) -> Result<Option<String>, TrackError> {
        let Some(run) = unmerged(&self.conn)?.into_iter().find(|run| run.folder == folder) else { return Ok(None) };
        let now = Timestamp::now().as_millisecond();
        let forget = || -> rusqlite::Result<()> {
            let all = self.conn.unchecked_transaction()?;
            all.execute("UPDATE run SET merged = ?2 WHERE run_id = ?1 AND merged IS NULL", params![run.run_id, now])?;
            all.execute("INSERT OR REPLACE INTO meta VALUES ('given_up:' || ?1, ?2)", params![run.run_id, now])?;
            all.commit()
        };
        forget().map_err(|error| TrackError::storage("forget a run in the register", error))?;
        Ok(Some(run.run_id))
    }
}

/// Sees that no run of an earlier version has anything left to do: that version alone can do it, and must be able to open
/// the register then. Such runs are those that have not ended, and those with something in doubt that a person may
/// settle yet.
fn needs_no_earlier_version(conn: &Connection) -> Result<(), TrackError> {
    let failed = |error| TrackError::storage("read the runs of the register", error);
    let doubts = || -> rusqlite::Result<Vec<PathBuf>> {
        conn.prepare("SELECT DISTINCT r.folder FROM sent s JOIN run r ON r.number = s.run WHERE s.what = ?1")?
            .query_map([DOUBT], |row| Ok(OsString::from_vec(row.get(0)?).into()))?
            .collect()
    };
    let unmerged = unmerged(conn)?.into_iter().map(|run| run.folder);
    for folder in unmerged.chain(doubts().map_err(failed)?) {
        if let Err(error @ TrackError::Format { .. }) = JournalReader::open(&folder) {
            return Err(error);
        }
    }
    Ok(())
}

/// The runs that were merged, by their id.
///
/// Whoever asks takes them twice: before the unmerged ones are listed and after. One that is merged meanwhile is among
/// the latter; one that is reopened meanwhile is among the former, and what it has sent before still stands in its blocks.
fn merged(conn: &Connection, run_id: &str) -> rusqlite::Result<BTreeMap<String, Merged>> {
    // What a reopened run took over before is its journal's to say now.
    conn.prepare_cached("SELECT run_id, number, taken FROM run WHERE merged IS NOT NULL AND run_id <> ?1")?
        .query_map([run_id], |row| Ok((row.get(0)?, Merged { number: row.get(1)?, taken: row.get(2)? })))?
        .collect()
}

/// The runs that are not merged.
fn unmerged(conn: &Connection) -> Result<Vec<Named>, TrackError> {
    let query = || -> rusqlite::Result<Vec<Named>> {
        conn.prepare("SELECT run_id, folder FROM run WHERE merged IS NULL ORDER BY number")?
            .query_map([], |row| Ok(Named { run_id: row.get(0)?, folder: OsString::from_vec(row.get(1)?).into() }))?
            .collect()
    };
    query().map_err(|error| TrackError::storage("read the runs of the register", error))
}

/// Whether this folder is another one than the run's, and holds the run too.
fn is_other_copy(folder: &Path, run: &Path, id: &str) -> bool {
    let place = |folder: &Path| std::fs::metadata(folder).ok().map(|facts| (facts.dev(), facts.ino()));
    place(folder).is_some_and(|named| Some(named) != place(run))
        && JournalReader::open(folder).is_ok_and(|journal| journal.run_id() == id)
}

impl std::fmt::Debug for Register {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("installation", &self.installation).finish_non_exhaustive()
    }
}

/// From the halves that left.
fn what(halves: u8) -> What {
    if halves & (DIGITAL | PAPER) != 0 {
        What::Sent
    } else if halves & DOUBT != 0 {
        What::InDoubt
    } else {
        What::OtherRun
    }
}

impl KeyState {
    fn what(&self) -> What {
        what(self.halves)
    }
}

/// Which halves of a statement left, or wait, from the rows of a journal.
pub(super) mod halves_left {
    pub const DIGITAL: u8 = super::DIGITAL;
    pub const PAPER: u8 = super::PAPER;
    pub const DOUBT: u8 = super::DOUBT;
    pub const WAITS: u8 = super::WAITS;
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::{
        AND_PAPER, ELSE_PAPER, Place, delivered, digest, end, intent, mailbox, unreachable, wait,
    };
    use super::super::{End, Journal, PaperEnd, PaperFate, Settlement};
    use super::*;
    use crate::domain::Reason;

    fn known(place: &Place, ordinals: impl IntoIterator<Item = u64>) -> Vec<(u64, What)> {
        let register = Register::open(&place.installation).unwrap();
        let of = |ordinal: u64| register.earlier("new", &StatementKey(digest(3, ordinal))).unwrap();
        let known: Vec<_> = ordinals.into_iter().collect();
        let asked = known.iter().flat_map(|ordinal| of(*ordinal).into_iter().map(|of| (*ordinal, of.what)));
        let found: Vec<_> = asked.collect();
        // All at once, with the content that was sent and with another.
        for same in [true, false] {
            let mut statements: Vec<_> = known
                .iter()
                .map(|ordinal| {
                    let content = ContentDigest(digest(if same { 4 } else { 9 }, *ordinal));
                    (StatementKey(digest(3, *ordinal)), content, *ordinal)
                })
                .collect();
            statements.sort_unstable();
            let asked: Vec<_> = statements.iter().map(|(key, content, _)| (*key, *content)).collect();
            let verdicts = register.judge("new", &asked).unwrap();
            for ((_, _, ordinal), verdict) in statements.iter().zip(verdicts) {
                let wanted = match (found.iter().find(|of| of.0 == *ordinal), same) {
                    (None, _) => Verdict::New,
                    (Some((_, What::OtherRun)), _) => Verdict::OtherRun,
                    (Some(_), false) => Verdict::Correction,
                    (Some((_, What::Sent)), true) => Verdict::AlreadySent,
                    (Some((_, What::InDoubt)), true) => Verdict::InDoubt,
                };
                assert_eq!(verdict, wanted, "{ordinal}");
            }
        }
        found
    }

    /// 1 delivered, 2 in doubt, 3 paper, 4 failed, 5 held, 6 under way, 7 waits, 8 delivered and waits for paper.
    fn half_way(place: &Place) -> Journal {
        let fates = [ELSE_PAPER, ELSE_PAPER, ELSE_PAPER, ELSE_PAPER, ELSE_PAPER, ELSE_PAPER, ELSE_PAPER, AND_PAPER];
        let journal = place.released("run", &fates);
        wait(async {
            let routes = [1, 2, 4, 6, 8].map(|ordinal| mailbox(ordinal, 0));
            journal.route(routes.to_vec()).await.unwrap();
            journal.route(vec![unreachable(3, Reason::NoMailbox)]).await.unwrap();
            for ordinal in [1, 2, 4, 6, 8] {
                journal.intend(intent(ordinal, 1, 0)).await.unwrap();
            }
            journal.end_digital(end(1, 1, delivered(1))).await.unwrap();
            journal.end_digital(end(8, 1, delivered(8))).await.unwrap();
            journal.end_digital(end(2, 1, End::InDoubt(Reason::TimedOut))).await.unwrap();
            journal.end_digital(end(4, 1, End::Failed(Reason::RefusedForGood))).await.unwrap();
            journal.end_digital(end(5, 0, End::Held(Reason::Protected))).await.unwrap();
            let paper = PaperEnd { ordinal: 3, end: PaperFate::Bundled { bundle: 1 } };
            journal.end_paper(vec![paper], None).await.unwrap();
        });
        journal
    }

    #[test]
    fn an_unmerged_run_answers_by_its_journal() {
        let place = Place::new();
        let journal = half_way(&place);
        let wanted = vec![
            (1, What::Sent),
            (2, What::InDoubt),
            (3, What::Sent),
            (6, What::InDoubt),
            (7, What::OtherRun),
            (8, What::Sent),
        ];
        assert_eq!(known(&place, 1..=9), wanted, "while it goes on");
        drop(journal);
        assert_eq!(known(&place, 1..=9), wanted, "after it was stopped");
        let register = Register::open(&place.installation).unwrap();
        let one = StatementKey(digest(3, 1));
        assert!(register.earlier("run", &one).unwrap().is_empty(), "a run does not stand in its own way");
        std::fs::remove_dir_all(place.run("run")).unwrap();
        assert!(matches!(register.earlier("new", &one), Err(TrackError::RunGone { run, .. }) if run == "run"));
        assert_eq!(register.forget(&place.run("other")).unwrap(), None);
        assert_eq!(register.forget(&place.run("run")).unwrap().as_deref(), Some("run"));
        assert!(register.earlier("new", &one).unwrap().is_empty());
    }

    fn finish(journal: &Journal) {
        wait(async {
            journal.end_digital(end(6, 1, delivered(6))).await.unwrap();
            journal.end_digital(end(7, 0, End::Held(Reason::Protected))).await.unwrap();
            let paper = PaperEnd { ordinal: 8, end: PaperFate::Held(Reason::NoAddress) };
            journal.end_paper(vec![paper], None).await.unwrap();
        });
        assert_eq!(journal.finish().unwrap(), Phase::Finished);
    }

    #[test]
    fn a_merged_run_answers_by_the_register_alone() {
        let place = Place::new();
        let journal = half_way(&place);
        finish(&journal);
        drop(journal);
        std::fs::remove_dir_all(place.run("run")).unwrap();
        let wanted = vec![(1, What::Sent), (2, What::InDoubt), (3, What::Sent), (6, What::Sent), (8, What::Sent)];
        assert_eq!(known(&place, 1..=9), wanted);
        let register = Register::open(&place.installation).unwrap();
        let of_one = register.earlier("new", &StatementKey(digest(3, 1))).unwrap();
        assert_eq!(of_one[0].trans_id.as_deref(), Some("T-1"));
        assert_eq!(of_one[0].content, ContentDigest(digest(4, 1)));
        assert_eq!(of_one[0].run, "run");
    }

    #[test]
    fn a_kill_between_the_last_commit_and_the_register_loses_nothing() {
        let place = Place::new();
        let journal = half_way(&place);
        finish(&journal);
        drop(journal);
        // As if the process had ended before the merge.
        let register = Register::open(&place.installation).unwrap();
        register.conn.execute_batch("DELETE FROM kept; UPDATE run SET merged = NULL, taken = 0").unwrap();
        let wanted = vec![(1, What::Sent), (2, What::InDoubt), (3, What::Sent), (6, What::Sent), (8, What::Sent)];
        assert_eq!(known(&place, 1..=9), wanted, "the next run merges it");
        register.conn.execute_batch("DELETE FROM kept; UPDATE run SET merged = NULL, taken = 0").unwrap();
        drop(place.open("run"));
        let rows = |register: &Register| -> i64 {
            register.conn.query_row("SELECT sum(length(entries)) / 58 FROM kept", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(rows(&register), 5, "opening the run merges it");
        register.merge(&place.run("run")).unwrap();
        assert_eq!((rows(&register), known(&place, 1..=9)), (5, wanted), "again changes nothing");
    }

    /// What a register answers about the run of [`half_way`] that has finished, and about others.
    fn answers(register: &Register) -> (Vec<Earlier>, Vec<Verdict>) {
        let keys = (0..=9).map(|ordinal| StatementKey(digest(3, ordinal)));
        let mut found: Vec<_> = keys.clone().flat_map(|key| register.earlier("new", &key).unwrap()).collect();
        found.sort_by(|a, b| (a.key, a.content, &a.run).cmp(&(b.key, b.content, &b.run)));
        let mut asked: Vec<_> = keys
            .flat_map(|key| [3_u64, 4, 9].map(|of| (key, ContentDigest(digest(4, of)))))
            .chain(found.iter().map(|of| (of.key, of.content)))
            .collect();
        asked.sort_unstable();
        let verdicts = register.judge("new", &asked).unwrap();
        (found, verdicts)
    }

    /// Makes it one of format 1: as that version made it, with the rows that stand for what is in it.
    fn back_to_format_1(register: &Register) {
        let (found, _) = answers(register);
        let conn = &register.conn;
        conn.execute_batch(
            "DROP TABLE kept; DROP TABLE receipt; PRAGMA user_version = 1;
             CREATE TABLE sent(key BLOB, content BLOB, run INT, what INT, at INT, trans_id TEXT,
                 PRIMARY KEY(key, content, run)) WITHOUT ROWID;",
        )
        .unwrap();
        for of in found {
            let number: i64 =
                conn.query_row("SELECT number FROM run WHERE run_id = ?1", [&of.run], |row| row.get(0)).unwrap();
            let what = if of.what == What::Sent { DIGITAL } else { DOUBT };
            let at = of.at.map(Timestamp::as_millisecond);
            conn.execute(
                "INSERT INTO sent VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![of.key.0, of.content.0, number, what, at, of.trans_id],
            )
            .unwrap();
        }
    }

    /// That version alone can finish it, and must be able to open the register then.
    #[test]
    fn a_register_that_names_a_run_of_an_earlier_version_stays_as_it_is() {
        let place = Place::new();
        drop(half_way(&place));
        let file = place.run("run").join("journal.sqlite");
        let register = Register::open(&place.installation).unwrap();
        back_to_format_1(&register);
        drop(register);
        let format = |file: &Path, format: Option<u32>| -> u32 {
            let conn = Connection::open(file).unwrap();
            if let Some(format) = format {
                conn.pragma_update(None, "user_version", format).unwrap();
            }
            conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
        };
        let now = format(&file, None);
        format(&file, Some(now - 1));
        for _ in 0..2 {
            let refused = Register::open(&place.installation).map(|_| ());
            assert!(matches!(refused, Err(TrackError::Format { file: of, .. }) if of == file.canonicalize().unwrap()));
            assert_eq!(format(&super::file(place.installation.state()), None), migration::FROM);
        }
        format(&file, Some(now));
        // It ends, with one in doubt that nobody has settled.
        finish(&place.open("run"));
        back_to_format_1(&Register::open(&place.installation).unwrap());
        format(&file, Some(now - 1));
        assert!(matches!(Register::open(&place.installation), Err(TrackError::Format { .. })));
        format(&file, Some(now));
        wait(place.open("run").settle(vec![2], Settlement::Delivered, String::new())).unwrap();
        place.open("run").finish().unwrap();
        back_to_format_1(&Register::open(&place.installation).unwrap());
        format(&file, Some(now - 1));
        Register::open(&place.installation).unwrap();
        assert_eq!(format(&super::file(place.installation.state()), None), FORMAT);
    }

    #[test]
    fn a_register_of_format_1_is_taken_over() {
        let place = Place::new();
        for name in ["run", "other"] {
            let journal = match name {
                "run" => half_way(&place),
                _ => place.released("other", &[ELSE_PAPER; 9]),
            };
            if name == "run" {
                finish(&journal);
                continue;
            }
            wait(async {
                for ordinal in 1..=9 {
                    journal.route(vec![mailbox(ordinal, 0)]).await.unwrap();
                    journal.intend(intent(ordinal, 1, 0)).await.unwrap();
                    let trans_id = format!("00000000-0000-4000-8000-00000000000{ordinal}");
                    journal.end_digital(end(ordinal, 1, End::Delivered { trans_id })).await.unwrap();
                }
            });
            assert_eq!(journal.finish().unwrap(), Phase::Finished);
        }
        let register = Register::open(&place.installation).unwrap();
        let before = answers(&register);
        assert_eq!(before.0.len(), 5 + 9);
        let ids: Vec<_> = before.0.iter().filter_map(|of| of.trans_id.as_deref()).collect();
        assert_eq!(ids.iter().filter(|id| id.starts_with("T-")).count(), 3);
        assert_eq!(ids.iter().filter(|id| id.starts_with("00000000-0000-4000-8000-")).count(), 9);
        back_to_format_1(&register);
        drop(register);
        // Several processes come to it at once.
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| answers(&Register::open(&place.installation).unwrap()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|answers| *answers == before));
        let register = Register::open(&place.installation).unwrap();
        assert_eq!(answers(&register), before);
        let tables: Vec<String> = register
            .conn
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(tables, ["kept", "meta", "receipt", "run"]);
        // Who has seen format 1 before another process took it over.
        migration::take_over(&register.conn).unwrap();
        assert_eq!(answers(&register), before);
        // A run that was taken over is one as any other.
        drop(register);
        let journal = place.open("run");
        wait(journal.settle(vec![2], Settlement::NotDelivered, String::new())).unwrap();
        wait(journal.end_digital(end(2, 0, End::Held(Reason::Protected)))).unwrap();
        journal.finish().unwrap();
        assert_eq!(answers(&Register::open(&place.installation).unwrap()).0.len(), 4 + 9);
    }

    #[test]
    fn another_format_is_refused_and_left_as_it_is() {
        let place = Place::new();
        for version in [0, FORMAT + 1] {
            let conn = Connection::open(file(place.installation.state())).unwrap();
            conn.pragma_update(None, "user_version", version).unwrap();
            let refused = Register::open(&place.installation).unwrap_err();
            assert!(matches!(refused, TrackError::Format { expected: FORMAT, .. }), "{refused}");
            let found: u32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(found, version);
        }
        // The key is looked at before anything of it is changed.
        let other = Place::new();
        let conn = Connection::open(file(place.installation.state())).unwrap();
        conn.pragma_update(None, "user_version", migration::FROM).unwrap();
        conn.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
        drop(conn);
        std::fs::copy(file(place.installation.state()), file(other.installation.state())).unwrap();
        assert!(matches!(Register::open(&other.installation), Err(TrackError::KeyOther { .. })));
    }

    #[test]
    fn only_what_has_finished_is_merged() {
        let place = Place::new();
        let journal = half_way(&place);
        let register = Register::open(&place.installation).unwrap();
        let before = answers(&register);
        let refused = register.merge(&place.run("run")).unwrap_err();
        assert!(matches!(refused, TrackError::Phase { phase: Phase::Released, .. }), "{refused}");
        assert_eq!(answers(&register), before);
        drop(journal);
        let other = Place::new();
        let refused = Register::open(&other.installation).unwrap().merge(&place.run("run")).unwrap_err();
        assert!(matches!(refused, TrackError::KeyOther { .. }), "{refused}");
    }

    /// What the journal of a run that was reopened says stands in place of what was taken over before, receipts included.
    #[test]
    fn merging_again_replaces() {
        let place = Place::new();
        let journal = half_way(&place);
        finish(&journal);
        let register = Register::open(&place.installation).unwrap();
        let before = answers(&register);
        let count = || {
            let one = |sql| register.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
            (one("SELECT count(*) FROM kept"), one("SELECT count(*) FROM receipt"), one("SELECT taken FROM run"))
        };
        assert_eq!(count(), (1, 3, 5));
        for _ in 0..2 {
            register.begin("run", &place.run("run")).unwrap();
            register.merge(&place.run("run")).unwrap();
            assert_eq!((count(), answers(&register)), ((1, 3, 5), before.clone()));
        }
    }

    #[test]
    fn a_run_is_current_unless_the_register_knows_more_of_it() {
        let place = Place::new();
        let why = |journal: &Journal| match Register::open(&place.installation).unwrap().is_current(journal) {
            Err(TrackError::Outdated { why, .. }) => Some(why),
            other => other.map(|()| None).unwrap(),
        };
        let go_on = |journal: &Journal| {
            wait(journal.note_durably(journal::STARTED, "")).unwrap();
            Register::open(&place.installation).unwrap().note_step(journal).unwrap();
        };
        let copy = |from: &str, to: &str| {
            let _ = std::fs::remove_dir_all(place.run(to));
            std::fs::create_dir(place.run(to)).unwrap();
            std::fs::copy(place.run(from).join("journal.sqlite"), place.run(to).join("journal.sqlite")).unwrap();
        };
        // In pass 1 too.
        let journal = place.create("run");
        assert_eq!(why(&journal), None);
        drop(journal);
        copy("run", "intake");
        go_on(&place.open("run"));
        assert_eq!(why(&place.open("intake")), Some(Outdated::GoneOn));
        std::fs::remove_dir_all(place.run("run")).unwrap();

        let journal = half_way(&place);
        go_on(&journal);
        assert_eq!(why(&journal), None);
        drop(journal);
        copy("run", "copy");
        assert_eq!(why(&place.open("copy")), Some(Outdated::Elsewhere(place.run("run").canonicalize().unwrap())));
        // Moved, it is the same run.
        std::fs::rename(place.run("run"), place.run("moved")).unwrap();
        let journal = place.open("moved");
        assert_eq!(why(&journal), None);
        go_on(&journal);
        assert_eq!(why(&journal), None);
        drop(journal);
        copy("moved", "aside");
        std::fs::rename(place.run("copy"), place.run("run")).unwrap();
        assert!(matches!(why(&place.open("run")), Some(Outdated::Elsewhere(_))));
        std::fs::rename(place.run("moved"), place.run("elsewhere")).unwrap();
        assert_eq!(why(&place.open("run")), Some(Outdated::GoneOn));
        // Finished, and reopened by a person who settles something: a copy of before knows less of it still.
        let journal = place.open("elsewhere");
        finish(&journal);
        assert_eq!(why(&journal), None);
        assert_eq!(why(&place.open("aside")), Some(Outdated::Finished));
        wait(journal.settle(vec![2], Settlement::NotDelivered, String::new())).unwrap();
        assert_eq!(why(&journal), None);
        drop(journal);
        let journal = place.open("elsewhere");
        assert_eq!(why(&journal), None);
        let register = Register::open(&place.installation).unwrap();
        std::fs::rename(place.run("elsewhere"), place.run("run2")).unwrap();
        assert!(
            register
                .forget(&place.run("elsewhere").parent().unwrap().canonicalize().unwrap().join("elsewhere"))
                .unwrap()
                .is_some()
        );
        assert_eq!(why(&journal), Some(Outdated::GivenUp));
        register.begin("run", &place.run("run2")).unwrap();
        assert!(!register.is_given_up("run").unwrap());
    }

    #[test]
    fn what_is_settled_after_the_merge_is_taken_over() {
        let place = Place::new();
        let journal = half_way(&place);
        finish(&journal);
        wait(journal.settle(vec![2], Settlement::NotDelivered, String::new())).unwrap();
        assert_eq!(known(&place, [2]), [(2, What::OtherRun)], "it waits again");
        wait(journal.end_digital(end(2, 0, End::Held(Reason::Protected)))).unwrap();
        journal.finish().unwrap();
        assert!(known(&place, [2]).is_empty());
        assert_eq!(known(&place, [1]), [(1, What::Sent)]);
    }

    #[test]
    fn content_decides_between_repeat_and_correction() {
        let of = |facts: &[(What, bool)]| {
            let mut known = Known::default();
            facts.iter().for_each(|(what, same_content)| known.note(*what, *same_content));
            known.verdict()
        };
        let (same, other) = (true, false);
        assert_eq!(of(&[]), Verdict::New);
        assert_eq!(of(&[(What::Sent, same)]), Verdict::AlreadySent);
        assert_eq!(of(&[(What::InDoubt, same)]), Verdict::InDoubt);
        assert_eq!(of(&[(What::Sent, other)]), Verdict::Correction);
        assert_eq!(of(&[(What::InDoubt, other)]), Verdict::Correction);
        assert_eq!(of(&[(What::OtherRun, other)]), Verdict::OtherRun);
        assert_eq!(of(&[(What::Sent, other), (What::Sent, same)]), Verdict::AlreadySent);
        assert_eq!(of(&[(What::InDoubt, same), (What::Sent, same)]), Verdict::AlreadySent);
        assert_eq!(of(&[(What::Sent, other), (What::OtherRun, same)]), Verdict::OtherRun);
    }

    /// A volume of its own, the settings' own folder, the key in it: first use is first use.
    #[test]
    fn what_else_lies_in_a_new_state_folder_is_of_no_matter() {
        for other in ["lost+found", "runs", ".gitkeep", "utskick.toml"] {
            let folder = tempfile::tempdir().unwrap();
            let state = folder.path().join("state");
            std::fs::create_dir_all(state.join(other)).unwrap();
            let settings = crate::config::Installation { key_file: state.join("installation.key"), state };
            for _ in 0..2 {
                let installation = Installation::open(&settings).unwrap();
                drop(installation.lock_gateways(&["165021680250", "far"]).unwrap());
                Register::open(&installation).unwrap();
            }
        }
    }

    #[test]
    fn a_register_is_made_once_and_not_anew_beside_what_was_used() {
        for emptied in [false, true] {
            let place = Place::new();
            let file = file(place.installation.state());
            assert!(!is_missing(&file), "it is made together with the key");
            let lose = || match emptied {
                true => std::fs::write(&file, "").unwrap(),
                false => std::fs::remove_file(&file).unwrap(),
            };
            let settings = place.settings();
            // Nothing was done with it: as if its maker had been killed.
            lose();
            Installation::open(&settings).unwrap();
            assert!(!is_missing(&file));
            lose();
            // Its maker was killed before it had tables.
            journal::use_wal(&Connection::open(&file).unwrap()).unwrap();
            Installation::open(&settings).unwrap();
            let conn = Connection::open(&file).unwrap();
            let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
            assert!(tables > 0);
            drop(conn);
            // FaR alone was asked.
            drop(place.installation.lock_gateways(&["far"]).unwrap());
            lose();
            Installation::open(&settings).unwrap();
            drop(place.installation.lock_gateways(&["165021680250", "far"]).unwrap());
            lose();
            let lost = |error: TrackError| matches!(error, TrackError::RegisterLost { .. });
            assert!(lost(Installation::open(&settings).unwrap_err()));
            assert!(lost(Register::open(&place.installation).unwrap_err()));
            assert!(is_missing(&file), "none was made");
            // The whole folder is gone, and the key is there.
            std::fs::remove_dir_all(place.installation.state()).unwrap();
            assert!(lost(Installation::open(&settings).unwrap_err()));
        }
        // Without tables it is empty, whatever its size.
        let place = Place::new();
        let conn = Connection::open(file(place.installation.state())).unwrap();
        conn.execute_batch("DROP TABLE meta; DROP TABLE run; DROP TABLE kept; DROP TABLE receipt").unwrap();
        drop(conn);
        place.installation.audit("used").unwrap();
        assert!(matches!(Register::open(&place.installation), Err(TrackError::RegisterLost { .. })));
    }

    #[test]
    fn another_key_is_refused() {
        let place = Place::new();
        Register::open(&place.installation).unwrap().begin("run", place.folder.path()).unwrap();
        let other = Place::new();
        std::fs::copy(file(place.installation.state()), file(other.installation.state())).unwrap();
        assert!(matches!(Register::open(&other.installation), Err(TrackError::KeyOther { .. })));
    }
}
