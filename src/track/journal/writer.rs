//! The one thread that writes: applies changes in groups, commits, syncs, acknowledges.
//!
//! A group is what arrives within [`WINDOW`] of its first change, at most [`GROUP`] changes, in one transaction. While
//! nothing in it is urgent and each window brings more, it goes on gathering, for at most [`WINDOWS`] windows or until it
//! has [`ENOUGH`]: what makes letters as fast as it can loses nothing by waiting, and a sync costs as much as a hundred
//! changes. The thread sleeps while a group gathers, so that a change costs its sender no wake-up. The first storage
//! error ends it: it acknowledges nothing more, and closes without touching the files again.

use super::super::error::TrackError;
use super::super::halves::{Digital, OnPaper, outcome};
use super::super::installation::Installation;
use super::schema::{kind, queue};
use super::{
    Amend, AttemptOver, BundleRow, DigitalEnd, End, Fate, Found, Half, Intent, PaperEnd, PaperFate, Phase, RouteRow,
    RunExport, RunOperator, Settlement, StatementRow,
};
use crate::domain::{Organisation, Outcome, Reason, mask_identities};
use crate::told::{self, Waits};
use crate::watch::crash;
use crossbeam_channel::{Receiver, Sender, never, select};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Statement, params};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

/// How long a group gathers: the most that group commit adds to the latency of an intent, besides the sync itself.
/// 5 ms, since at 1 000 requests a second it makes groups of ten, and a request over a network takes longer.
pub const WINDOW: Duration = Duration::from_millis(5);
/// Most windows that a group gathers for while nothing in it is urgent.
pub const WINDOWS: usize = 4;
/// Changes after which a group gathers no longer: the sync is then a small part of it.
pub const ENOUGH: usize = 64;
/// Most changes in one group.
pub(super) const GROUP: usize = 512;
/// Rows of pass 1 between two commits.
const ADMITTED: usize = 50_000;

/// What pass 1 and the phases ask for; in order, one at a time.
pub(super) enum Bulk {
    Restart(Reply),
    Admit(Vec<StatementRow>),
    Amend(Vec<Amend>),
    Correct(Vec<u64>),
    Release(Vec<RunExport>, Reply),
    Finish(Sender<Result<Phase, TrackError>>),
    Operators(Vec<RunOperator>, Reply),
    ForgetSecrets(Reply),
    /// Waits until everything before it is committed.
    Sync(Reply),
    /// Makes the disk full.
    #[cfg(test)]
    Full(Reply),
}

pub(super) type Reply = Sender<Result<(), TrackError>>;

/// A change of pass 2 and who waits for it.
pub(super) struct Op {
    pub change: Change,
    /// Waits for one window at most: a slot of the agreed rate depends on it.
    pub urgent: bool,
    pub done: Option<Waits<Result<(), TrackError>>>,
    /// Room in the channel, given back with the change.
    pub _room: Option<tokio::sync::OwnedSemaphorePermit>,
}

pub(super) enum Change {
    Route(Vec<RouteRow>),
    Intend(Arc<Intent>),
    Over(Box<AttemptOver>),
    LookUpAgain(Box<AttemptOver>),
    End(Box<DigitalEnd>),
    Paper(Vec<PaperEnd>, Option<BundleRow>),
    Pend(Vec<(u64, Reason)>),
    Stopped(u16, bool),
    /// Which, how, and the line that tells of it.
    Settle(Vec<u64>, Settlement, String),
    Note(String, String),
    Pulse(String),
}

impl Change {
    /// The crash points where it is in the transaction, and where that is synced.
    fn boundaries(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Route(_) => Some(("route_appended", "route_synced")),
            Self::Intend(_) => Some(("intent_appended", "intent_synced")),
            Self::End(_) => Some(("outcome_appended", "outcome_synced")),
            Self::Paper(..) => Some(("paper_appended", "paper_synced")),
            _ => None,
        }
    }
}

/// A statement with an open intent.
#[derive(Clone, Copy, Debug)]
struct Flight {
    operator: i64,
    attempt: i64,
    intent: i64,
    paper: i64,
    /// Left open by an earlier process: nobody waits for its answer any more.
    left: bool,
}

/// How a statement's paper half was wished for, on queue rows.
const WISH_OFF: i64 = 0;
const WISH_BOTH: i64 = 1;
const WISH_FALLBACK: i64 = 2;

/// Everything the writing thread owns.
pub(super) struct Writer<'c> {
    conn: &'c Connection,
    hot: Hot<'c>,
    installation: Installation,
    run_id: String,
    phase: Phase,
    operators: i64,
    employers: Arc<RwLock<Vec<Organisation>>>,
    employer_numbers: HashMap<Organisation, i64>,
    words: HashMap<Vec<u8>, i64>,
    /// Number of the last intent.
    intents: i64,
    /// How the last statement's paper half was wished for: most likely the next one's too.
    usual: i64,
    flights: HashMap<u64, Flight>,
    /// Changes of `tally` by the group under way: (kind, operator, reason).
    tally: BTreeMap<(i64, i64, i64), i64>,
    /// Changes of `tempo` by the group under way: (second, operator) -> (delivered, other).
    tempo: BTreeMap<(i64, i64), (i64, i64)>,
    /// Rows of pass 1 in the open transaction.
    admitted: Option<usize>,
}

/// The statements that every letter needs: prepared once, since looking one up by its text costs as much as a seek.
struct Hot<'c> {
    take_usual: Statement<'c>,
    look_up: Statement<'c>,
    take_look_up: Statement<'c>,
    enqueue: Statement<'c>,
    waits: Statement<'c>,
    write_intent: Statement<'c>,
    fly: Statement<'c>,
    land: Statement<'c>,
    ended: Statement<'c>,
}

impl<'c> Hot<'c> {
    fn prepare(conn: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            // Nearly all wait as they were released: one step then tells that it waits, how, and takes it out.
            take_usual: conn.prepare(
                "DELETE FROM look_up WHERE ordinal = ?1 AND paper = ?2 AND attempts = 0 AND not_delivered = 0",
            )?,
            // Read, then deleted: RETURNING keeps its rows in a table of its own, which costs twice as much.
            look_up: conn.prepare("SELECT paper, attempts, not_delivered, NULL FROM look_up WHERE ordinal = ?1")?,
            take_look_up: conn.prepare("DELETE FROM look_up WHERE ordinal = ?1")?,
            enqueue: conn.prepare(
                "INSERT INTO queue(operator, ordinal, address, looked_up, attempts, not_before, not_delivered, paper)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            waits: conn.prepare(
                "SELECT paper FROM queue WHERE operator = ?1 AND ordinal = ?2 AND intent IS NULL AND attempts < ?3",
            )?,
            write_intent: conn.prepare(
                "INSERT INTO intent(ordinal, attempt, operator, address, at, seal_date, sender_cert, mediator_cert,
                 renderer, secrets, request_digest, message_id, number)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?,
            fly: conn.prepare(
                "UPDATE queue SET intent = ?3, attempts = ?4, not_before = NULL
                 WHERE operator = ?1 AND ordinal = ?2 AND intent IS NULL AND attempts < ?4 AND paper = ?5",
            )?,
            land: conn.prepare("DELETE FROM queue WHERE operator = ?1 AND ordinal = ?2")?,
            ended: conn.prepare(
                "INSERT INTO digital(ordinal, kind, reason, operator, at, attempt, intent, trans_id, fault_code,
                 call_id, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?,
        })
    }
}

impl<'c> Writer<'c> {
    /// Works on the connection of a journal.
    pub(super) fn new(
        conn: &'c Connection,
        installation: Installation,
        run_id: String,
        phase: Phase,
        operators: usize,
        employers: Arc<RwLock<Vec<Organisation>>>,
    ) -> Result<Self, TrackError> {
        let failed = |error| TrackError::storage("read what the journal has under way", error);
        let mut writer = Self {
            conn,
            hot: Hot::prepare(conn).map_err(failed)?,
            installation,
            run_id,
            phase,
            operators: operators as i64,
            employer_numbers: HashMap::new(),
            employers,
            words: HashMap::new(),
            intents: 0,
            usual: WISH_OFF,
            flights: HashMap::new(),
            tally: BTreeMap::new(),
            tempo: BTreeMap::new(),
            admitted: None,
        };
        writer.load().map_err(failed)?;
        Ok(writer)
    }

    fn load(&mut self) -> rusqlite::Result<()> {
        if let Ok(employers) = self.employers.read() {
            self.employer_numbers = employers.iter().enumerate().map(|(at, of)| (*of, at as i64)).collect();
        }
        // What an earlier process did tells nothing of this one.
        self.conn.execute("DELETE FROM meta WHERE name = 'pulse'", [])?;
        let mut words = self.conn.prepare("SELECT value, number FROM word")?;
        self.words = words.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        self.intents = self.conn.query_row("SELECT coalesce(max(number), 0) FROM intent", [], |row| row.get(0))?;
        let mut open = self
            .conn
            .prepare("SELECT ordinal, operator, attempts, intent, paper FROM queue WHERE intent IS NOT NULL")?;
        let flights = open.query_map([], |row| {
            let flight = Flight {
                operator: row.get(1)?,
                attempt: row.get(2)?,
                intent: row.get(3)?,
                paper: row.get(4)?,
                left: true,
            };
            Ok((row.get::<_, i64>(0)? as u64, flight))
        })?;
        self.flights = flights.collect::<Result<_, _>>()?;
        if self.phase == Phase::Intake {
            // Until release nothing has left: a power failure costs at most the pass.
            self.conn.execute_batch("PRAGMA synchronous = NORMAL")?;
        }
        Ok(())
    }

    /// Works until both channels are closed and empty.
    pub(super) fn run(mut self, mut bulk: Receiver<Bulk>, mut ops: Receiver<Op>, failed: &OnceLock<TrackError>) {
        let mut open = 2;
        while open > 0 {
            select! {
                recv(bulk) -> message => match message {
                    Ok(message) => self.bulk(message, failed),
                    Err(_) => { bulk = never(); open -= 1; }
                },
                recv(ops) -> message => match message {
                    Ok(first) => self.group(first, &ops, failed),
                    Err(_) => { ops = never(); open -= 1; }
                },
            }
        }
        if failed.get().is_some() {
            // What a failed sync left in the WAL must not be taken for durable, nor copied.
            let _ = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            return;
        }
        let close = || -> rusqlite::Result<()> {
            if self.admitted.is_some() {
                self.conn.execute_batch("COMMIT")?;
            }
            // A tidy end: the WAL is copied into the database, so that the folder can be read or moved as it is.
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        // Everything acknowledged is in the WAL already; if copying fails, it stays there.
        let _ = close();
    }

    fn poison(&mut self, error: TrackError, failed: &OnceLock<TrackError>) -> TrackError {
        let error = failed.get_or_init(|| error).clone();
        // Whether it works or not: nothing of the group is acknowledged.
        let _ = self.conn.execute_batch("ROLLBACK");
        let _ = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        self.admitted = None;
        error
    }

    // Pass 1 and phases.

    fn bulk(&mut self, message: Bulk, failed: &OnceLock<TrackError>) {
        let settle = |writer: &mut Self, result: Result<(), TrackError>| match result {
            Err(error) if matches!(error, TrackError::Storage { .. }) => Err(writer.poison(error, failed)),
            other => other,
        };
        let refused = failed.get().cloned();
        match message {
            Bulk::Restart(reply) => {
                let result = refused.map_or_else(|| self.restart(), Err);
                let _ = reply.send(settle(self, result));
            }
            Bulk::Admit(rows) => {
                if refused.is_none() {
                    let result = self.admit(&rows).map_err(|error| TrackError::storage("record statements", error));
                    let _ = settle(self, result);
                }
            }
            Bulk::Amend(rows) => {
                if refused.is_none() {
                    let result = self.amend(&rows).map_err(|error| TrackError::storage("settle statements", error));
                    let _ = settle(self, result);
                }
            }
            Bulk::Correct(ordinals) => {
                if refused.is_none() {
                    let result =
                        self.correct(&ordinals).map_err(|error| TrackError::storage("mark corrections", error));
                    let _ = settle(self, result);
                }
            }
            Bulk::Release(exports, reply) => {
                let result = refused.map_or_else(|| self.release(&exports), Err);
                let _ = reply.send(settle(self, result));
            }
            Bulk::Finish(reply) => {
                let result = refused.map_or_else(|| self.finish(), Err);
                let phase = self.phase;
                let _ = reply.send(settle(self, result).map(|()| phase));
            }
            Bulk::ForgetSecrets(reply) => {
                let result = refused.map_or_else(
                    || self.forget_secrets().map_err(|error| TrackError::storage("forget content keys", error)),
                    Err,
                );
                let _ = reply.send(settle(self, result));
            }
            Bulk::Operators(operators, reply) => {
                let result = refused.map_or_else(|| self.set_operators(&operators), Err);
                let _ = reply.send(settle(self, result));
            }
            #[cfg(test)]
            Bulk::Full(reply) => {
                let sql = "PRAGMA max_page_count = 1";
                let _ = reply
                    .send(self.conn.query_row(sql, [], |_| Ok(())).map_err(|error| TrackError::storage("", error)));
            }
            Bulk::Sync(reply) => {
                let result = refused.map_or_else(
                    || self.commit_admitted().map_err(|error| TrackError::storage("commit statements", error)),
                    Err,
                );
                let _ = reply.send(settle(self, result));
            }
        }
    }

    fn commit_admitted(&mut self) -> rusqlite::Result<()> {
        match self.admitted.take() {
            Some(_) => self.conn.execute_batch("COMMIT"),
            None => Ok(()),
        }
    }

    fn begin_admission(&mut self) -> rusqlite::Result<()> {
        if self.admitted.is_none() {
            self.conn.execute_batch("BEGIN IMMEDIATE")?;
            self.admitted = Some(0);
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), TrackError> {
        self.demand("start pass 1 again", Phase::Intake)?;
        let empty = |writer: &mut Self| {
            writer.commit_admitted()?;
            writer.conn.execute_batch("BEGIN IMMEDIATE; DELETE FROM statement; COMMIT")
        };
        empty(self).map_err(|error| TrackError::storage("empty the journal for a new pass 1", error))
    }

    fn forget_secrets(&mut self) -> rusqlite::Result<()> {
        self.commit_admitted()?;
        // The WAL's copies go when it is cut back, at the latest when the journal is closed.
        self.conn.execute_batch(
            "PRAGMA secure_delete = ON; UPDATE intent SET secrets = NULL WHERE secrets IS NOT NULL;
             PRAGMA secure_delete = OFF",
        )
    }

    fn demand(&self, doing: &'static str, phase: Phase) -> Result<(), TrackError> {
        if self.phase == phase { Ok(()) } else { Err(TrackError::Phase { doing, phase: self.phase }) }
    }

    fn admit(&mut self, rows: &[StatementRow]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        // Employers first, since a statement that is being executed borrows the connection.
        for row in rows {
            if let Some(employer) = row.uppgiftslamnare {
                self.employer_number(employer)?;
            }
        }
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO statement(ordinal, export, start, length, record, form, employer, person, key, content,
             correction, digital, paper, outcome, reason) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
        )?;
        for row in rows {
            let (digital, paper, outcome, reason) = fate_codes(row.fate);
            let employer = row.uppgiftslamnare.and_then(|of| self.employer_numbers.get(&of));
            insert.execute(params![
                row.span.ordinal as i64,
                row.export,
                row.span.offset as i64,
                row.span.length,
                self.installation.cover(&row.record),
                row.form.map(|form| form.number()),
                employer,
                row.person.as_ref().map(|digest| digest.0),
                row.key.as_ref().map(|digest| digest.0),
                row.content.as_ref().map(|digest| digest.0),
                row.correction,
                digital,
                paper,
                outcome as u8,
                reason as u8,
            ])?;
        }
        drop(insert);
        crash::point("admitted");
        let admitted = self.admitted.unwrap_or(0) + rows.len();
        self.admitted = Some(admitted);
        if admitted >= ADMITTED { self.commit_admitted() } else { Ok(()) }
    }

    fn employer_number(&mut self, employer: Organisation) -> rusqlite::Result<i64> {
        if let Some(number) = self.employer_numbers.get(&employer) {
            return Ok(*number);
        }
        let number = self.employer_numbers.len() as i64;
        let digits = employer.identity();
        let sealed = self.installation.seal(digits.expose().as_bytes(), &context(&self.run_id, "employer", number, 0));
        self.conn.execute(
            "INSERT INTO employer(number, sealed, shown) VALUES (?1, ?2, ?3)",
            params![number, sealed, employer.to_string()],
        )?;
        self.employer_numbers.insert(employer, number);
        if let Ok(mut employers) = self.employers.write() {
            employers.push(employer);
        }
        Ok(number)
    }

    fn amend(&mut self, rows: &[Amend]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        let mut update = self.conn.prepare_cached(
            "UPDATE statement SET digital = 0, paper = 0, outcome = ?2, reason = ?3 WHERE ordinal = ?1",
        )?;
        for row in rows {
            match update.execute(params![row.ordinal as i64, row.outcome as u8, row.reason as u8])? {
                1 => (),
                // Never admitted: the journal would not hold what pass 1 thinks it holds.
                changed => return Err(rusqlite::Error::StatementChangedRows(changed)),
            }
        }
        Ok(())
    }

    fn correct(&mut self, ordinals: &[u64]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        let mut update = self.conn.prepare_cached("UPDATE statement SET correction = 1 WHERE ordinal = ?1")?;
        for ordinal in ordinals {
            match update.execute([*ordinal as i64])? {
                1 => (),
                changed => return Err(rusqlite::Error::StatementChangedRows(changed)),
            }
        }
        Ok(())
    }

    fn release(&mut self, exports: &[RunExport]) -> Result<(), TrackError> {
        self.demand("release the run", Phase::Intake)?;
        let failed = |error| TrackError::storage("release the run", error);
        self.commit_admitted().map_err(failed)?;
        let (count, least, most) = self
            .conn
            .query_row(
                "SELECT count(*), coalesce(min(ordinal), 1), coalesce(max(ordinal), 0) FROM statement",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
            )
            .map_err(failed)?;
        let named: u64 = exports.iter().map(|export| export.statements).sum();
        if named != count as u64 || least != 1 || most != count {
            return Err(TrackError::Unbalanced { exports: named, journal: count as u64 });
        }
        let all = || -> rusqlite::Result<()> {
            self.conn.execute_batch("PRAGMA synchronous = FULL; BEGIN IMMEDIATE;")?;
            // The queues are filled, and the person index built, each in one pass: `CREATE INDEX` sorts in runs of at
            // most the cache's size, so that random keys cost no random writes.
            self.conn.execute_batch(
                "INSERT INTO look_up SELECT ordinal, paper, 0, 0, 0 FROM statement WHERE digital = 1;
                 INSERT INTO paper_queue SELECT ordinal, CASE digital WHEN 2 THEN reason ELSE 0 END, 0
                     FROM statement WHERE (paper = 1 AND digital <> 1) OR (paper = 2 AND digital = 2);
                 INSERT INTO tally SELECT outcome, -1, CASE outcome WHEN 12 THEN 62 ELSE reason END, count(*)
                     FROM statement GROUP BY 1, 3;
                 INSERT INTO tally SELECT 101, -1, 0, count(*) FROM look_up;
                 INSERT INTO tally SELECT 104, -1, 0, count(*) FROM paper_queue;
                 CREATE INDEX statement_person ON statement(person) WHERE person IS NOT NULL;",
            )?;
            self.put_meta("exports", &sealed_json(&self.installation, &self.run_id, "exports", exports)?)?;
            self.put_meta("statements", &count)?;
            self.put_meta("phase", &Phase::Released.as_str())?;
            self.event("released", &format!("{count} statements"))?;
            self.conn.execute_batch("COMMIT")?;
            crash::point("released");
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        all().map_err(failed)?;
        self.phase = Phase::Released;
        Ok(())
    }

    /// Finishes the run if nothing waits.
    fn finish(&mut self) -> Result<(), TrackError> {
        if self.phase == Phase::Intake {
            return Err(TrackError::Phase { doing: "finish the run", phase: self.phase });
        }
        let all = || -> rusqlite::Result<bool> {
            let waits: bool = self.conn.query_row(
                "SELECT EXISTS(SELECT 1 FROM look_up) OR EXISTS(SELECT 1 FROM queue) OR EXISTS(SELECT 1 FROM paper_queue)",
                [],
                |row| row.get(0),
            )?;
            if waits || self.phase == Phase::Finished {
                return Ok(!waits);
            }
            self.conn.execute_batch(
                "BEGIN IMMEDIATE;
                 CREATE INDEX IF NOT EXISTS digital_ordinal ON digital(ordinal);
                 CREATE INDEX IF NOT EXISTS paper_ordinal ON paper(ordinal);",
            )?;
            self.put_meta("phase", &Phase::Finished.as_str())?;
            self.event("finished", "")?;
            self.conn.execute_batch("COMMIT")?;
            crash::point("finished");
            Ok(true)
        };
        if all().map_err(|error| TrackError::storage("finish the run", error))? {
            self.phase = Phase::Finished;
        }
        Ok(())
    }

    fn set_operators(&mut self, operators: &[RunOperator]) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("record the operators", error);
        self.commit_admitted().map_err(failed)?;
        let text = serde_json::to_string(operators).unwrap_or_default();
        self.put_meta("operators", &text).map_err(failed)?;
        self.operators = operators.len() as i64;
        Ok(())
    }

    fn put_meta(&self, name: &str, value: &dyn rusqlite::ToSql) -> rusqlite::Result<()> {
        self.conn.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?1, ?2)", params![name, value]).map(|_| ())
    }

    fn event(&self, kind: &str, text: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached("INSERT INTO event(at, kind, text) VALUES (?1, ?2, ?3)")?
            .execute(params![Timestamp::now().as_millisecond(), kind, mask_identities(text)])
            .map(|_| ())
    }

    // Pass 2.

    fn group(&mut self, first: Op, ops: &Receiver<Op>, failed: &OnceLock<TrackError>) {
        let mut group = Vec::with_capacity(64);
        group.push(first);
        for _ in 0..WINDOWS {
            if failed.get().is_some() || group.len() + ops.len() >= GROUP {
                break;
            }
            std::thread::sleep(WINDOW);
            let before = group.len();
            group.extend(ops.try_iter().take(GROUP - before));
            // What is acknowledged next may be what everybody waits for.
            if group.len() == before || group.len() >= ENOUGH || group.iter().any(|op| op.urgent) {
                break;
            }
        }
        group.extend(ops.try_iter().take(GROUP - group.len()));
        let results = match failed.get() {
            Some(error) => Err(error.clone()),
            None => self.apply_all(&mut group).map_err(|error| self.poison(error, failed)),
        };
        let waiting = group.into_iter().map(|op| op.done);
        told::tell(match results {
            Ok(results) => waiting.zip(results).filter_map(|(done, result)| Some((done?, result))).collect(),
            Err(error) => waiting.filter_map(|done| Some((done?, Err(error.clone())))).collect(),
        });
    }

    fn apply_all(&mut self, group: &mut [Op]) -> Result<Vec<Result<(), TrackError>>, TrackError> {
        let failed = |error| TrackError::storage("write the journal", error);
        self.commit_admitted().map_err(failed)?;
        self.run_cached("BEGIN IMMEDIATE", []).map_err(failed)?;
        let mut results = Vec::with_capacity(group.len());
        for op in group.iter_mut() {
            let result = self.apply(&mut op.change);
            if let Some((appended, _)) = op.change.boundaries() {
                crash::point(appended);
            }
            match result {
                Err(error) if !error.is_refusal() && !matches!(error, TrackError::Phase { .. }) => return Err(error),
                other => results.push(other),
            }
        }
        self.write_counters().map_err(failed)?;
        self.run_cached("COMMIT", []).map_err(failed)?;
        group.iter().filter_map(|op| op.change.boundaries()).for_each(|(_, synced)| crash::point(synced));
        Ok(results)
    }

    fn write_counters(&mut self) -> rusqlite::Result<()> {
        let mut tally = self.conn.prepare_cached(
            "INSERT INTO tally VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(kind, operator, reason) DO UPDATE SET count = count + excluded.count",
        )?;
        for ((kind, operator, reason), change) in
            std::mem::take(&mut self.tally).into_iter().filter(|(_, change)| *change != 0)
        {
            tally.execute(params![kind, operator, reason, change])?;
        }
        let mut tempo = self.conn.prepare_cached(
            "INSERT INTO tempo VALUES (?1, ?2, ?3, ?4) ON CONFLICT(second, operator)
             DO UPDATE SET delivered = delivered + excluded.delivered, other = other + excluded.other",
        )?;
        for ((second, operator), (delivered, other)) in std::mem::take(&mut self.tempo) {
            tempo.execute(params![second, operator, delivered, other])?;
        }
        Ok(())
    }

    fn apply(&mut self, change: &mut Change) -> Result<(), TrackError> {
        if !matches!(change, Change::Note(..) | Change::Pulse(_)) && self.phase != Phase::Released {
            let settles = matches!(change, Change::Settle(..)) && self.phase == Phase::Finished;
            if !settles {
                return Err(TrackError::Phase { doing: "go on with a statement", phase: self.phase });
            }
        }
        let failed = |error: rusqlite::Error| TrackError::storage("write the journal", error);
        match change {
            Change::Route(rows) => {
                // Before the batch, so that a refused one leaves no number behind that is not in the table.
                for row in rows.iter() {
                    if let Found::Mailbox { address, .. } = &row.found {
                        self.word(address.as_bytes()).map_err(failed)?;
                    }
                }
                self.batch(|writer| rows.iter().try_for_each(|row| writer.route(row)))
            }
            Change::Intend(intent) => self.intend(intent),
            Change::Over(over) => self.over(over, false),
            Change::LookUpAgain(over) => self.over(over, true),
            Change::End(end) => self.end(end),
            Change::Paper(rows, bundle) => self.batch(|writer| writer.paper(rows, bundle.as_ref())),
            Change::Pend(rows) => rows
                .iter()
                .try_for_each(|(ordinal, reason)| {
                    let mut update = self.conn.prepare_cached("UPDATE look_up SET reason = ?2 WHERE ordinal = ?1")?;
                    update.execute(params![*ordinal as i64, *reason as u8]).map(|_| ())
                })
                .map_err(failed),
            Change::Stopped(operator, stopped) => {
                self.put_meta(&format!("stopped:{operator}"), stopped).map_err(failed)
            }
            Change::Settle(ordinals, settlement, told) => {
                // Before the batch: what a settlement changes in memory, no rollback takes back.
                for ordinal in ordinals.iter() {
                    if self.doubt(*ordinal as i64).map_err(failed)?.is_none() {
                        return Err(TrackError::NotWaiting { ordinal: *ordinal });
                    }
                }
                self.batch(|writer| {
                    ordinals.iter().try_for_each(|ordinal| writer.settle(*ordinal, *settlement))?;
                    writer.event("settled", told).map_err(failed)
                })
            }
            Change::Note(kind, text) => self.event(kind, text).map_err(failed),
            Change::Pulse(json) => self.put_meta("pulse", json).map_err(failed),
        }
    }

    /// All of these, or none where one is refused.
    fn batch(&mut self, all: impl FnOnce(&mut Self) -> Result<(), TrackError>) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("write the journal", error);
        let counters = (self.tally.clone(), self.tempo.clone());
        self.conn.execute_batch("SAVEPOINT batch").map_err(failed)?;
        let result = all(self);
        if result.is_err() {
            (self.tally, self.tempo) = counters;
            self.conn.execute_batch("ROLLBACK TO batch").map_err(failed)?;
        }
        self.conn.execute_batch("RELEASE batch").map_err(failed)?;
        result
    }

    fn route(&mut self, row: &RouteRow) -> Result<(), TrackError> {
        self.route_row(row)
            .map_err(|error| TrackError::storage("record a look-up", error))?
            .ok_or(TrackError::NotWaiting { ordinal: row.ordinal })
    }

    fn route_row(&mut self, row: &RouteRow) -> rusqlite::Result<Option<()>> {
        let Some(wait) = self.take_waiting(row.ordinal)? else { return Ok(None) };
        match &row.found {
            Found::Mailbox { operator, address } => {
                let operator = i64::from(*operator);
                let address = self.word(address.as_bytes())?;
                self.hot.enqueue.execute(params![
                    operator,
                    row.ordinal as i64,
                    address,
                    row.looked_up.as_millisecond(),
                    wait.attempts,
                    wait.not_before,
                    wait.not_delivered,
                    wait.paper,
                ])?;
                self.count(queue::QUEUED, operator, 0, 1);
            }
            Found::Unreachable(reason) => {
                self.run_cached(
                    "INSERT INTO digital(ordinal, kind, reason, at) VALUES (?1, ?2, ?3, ?4)",
                    params![row.ordinal as i64, kind::UNREACHABLE, *reason as u8, row.looked_up.as_millisecond()],
                )?;
                self.tempo.entry((row.looked_up.as_second(), -1)).or_default().1 += 1;
                self.digital_moves(
                    row.ordinal,
                    wait.paper,
                    (Digital::Waiting, -1),
                    (Digital::Unreachable(*reason), -1),
                )?;
            }
        }
        Ok(Some(()))
    }

    /// Takes a statement out of the queue where its digital half waits; `None` where it does not wait.
    fn take_waiting(&mut self, ordinal: u64) -> rusqlite::Result<Option<Wait>> {
        if self.hot.take_usual.execute([ordinal as i64, self.usual])? == 1 {
            self.count(queue::LOOK_UP, -1, 0, -1);
            return Ok(Some(Wait { paper: self.usual, attempts: 0, not_delivered: 0, not_before: None }));
        }
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Wait { paper: row.get(0)?, attempts: row.get(1)?, not_delivered: row.get(2)?, not_before: row.get(3)? })
        };
        let found = self.hot.look_up.query_row([ordinal as i64], read).optional()?;
        if let Some(wait) = &found {
            self.usual = wait.paper;
            self.hot.take_look_up.execute([ordinal as i64])?;
            self.count(queue::LOOK_UP, -1, 0, -1);
            return Ok(found);
        }
        for operator in 0..self.operators {
            let found = self
                .conn
                .prepare_cached(
                    "DELETE FROM queue WHERE operator = ?1 AND ordinal = ?2 AND intent IS NULL
                     RETURNING paper, attempts, not_delivered, not_before",
                )?
                .query_row([operator, ordinal as i64], read)
                .optional()?;
            if found.is_some() {
                self.count(queue::QUEUED, operator, 0, -1);
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn intend(&mut self, intent: &Intent) -> Result<(), TrackError> {
        let refused = Err(TrackError::NotWaiting { ordinal: intent.ordinal });
        let failed = |error| TrackError::storage("record an intent", error);
        let (operator, ordinal, attempt) =
            (i64::from(intent.operator), intent.ordinal as i64, i64::from(intent.attempt));
        // A flight that this process started waits for its answer: it may not start again beside it.
        let earlier = match self.flights.get(&intent.ordinal).copied() {
            Some(flight) if !flight.left || attempt <= flight.attempt => return refused,
            Some(flight) => Some((flight, Reason::None)),
            None if self.fly(intent).map_err(failed)? => return Ok(()),
            None => self.doubt(ordinal).map_err(failed)?,
        };
        let Some((flight, reason)) = earlier else { return refused };
        let same = self.same_request(&flight, intent).map_err(failed)?;
        if !same {
            return Err(TrackError::BytesDiffer { ordinal: intent.ordinal });
        }
        if attempt <= flight.attempt || operator != flight.operator {
            return refused;
        }
        self.send_again(intent, flight, reason).map_err(failed)
    }

    /// A first request of a statement that waits at this operator. `false`, and nothing written, where it does not.
    fn fly(&mut self, intent: &Intent) -> rusqlite::Result<bool> {
        let (operator, ordinal, attempt) =
            (i64::from(intent.operator), intent.ordinal as i64, i64::from(intent.attempt));
        let number = self.intents + 1;
        if self.hot.fly.execute([operator, ordinal, number, attempt, self.usual])? == 0 {
            let paper = self.hot.waits.query_row([operator, ordinal, attempt], |row| row.get(0)).optional()?;
            let Some(paper) = paper else { return Ok(false) };
            self.usual = paper;
            self.hot.fly.execute([operator, ordinal, number, attempt, paper])?;
        }
        self.write_intent(intent)?;
        self.count(queue::QUEUED, operator, 0, -1);
        self.count(queue::FLYING, operator, 0, 1);
        let flight = Flight { operator, attempt, intent: number, paper: self.usual, left: false };
        self.flights.insert(intent.ordinal, flight);
        Ok(true)
    }

    /// The resend of a request that may have arrived.
    fn send_again(&mut self, intent: &Intent, before: Flight, reason: Reason) -> rusqlite::Result<()> {
        let (operator, ordinal, attempt) = (before.operator, intent.ordinal as i64, i64::from(intent.attempt));
        let number = self.write_intent(intent)?;
        self.run_cached(
            "INSERT INTO digital(ordinal, kind, reason, operator, at, attempt, intent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                ordinal,
                kind::AGAIN,
                if reason == Reason::None { Reason::Interrupted } else { reason } as u8,
                operator,
                intent.at.as_millisecond(),
                before.attempt,
                before.intent
            ],
        )?;
        if before.left {
            self.run_cached(
                "UPDATE queue SET intent = ?3, attempts = ?4 WHERE operator = ?1 AND ordinal = ?2",
                [operator, ordinal, number, attempt],
            )?;
        } else {
            self.run_cached(
                "INSERT INTO queue(operator, ordinal, address, looked_up, attempts, not_delivered, paper, intent)
                 SELECT operator, ordinal, address, looked_up, ?2, not_delivered, paper, ?3 FROM doubt WHERE ordinal = ?1",
                [ordinal, attempt, number],
            )?;
            self.run_cached("DELETE FROM doubt WHERE ordinal = ?1", [ordinal])?;
            self.count(queue::FLYING, operator, 0, 1);
            self.digital_moves(
                intent.ordinal,
                before.paper,
                (Digital::InDoubt(reason), operator),
                (Digital::Waiting, -1),
            )?;
        }
        self.run_cached("DELETE FROM resend WHERE ordinal = ?1", [ordinal])?;
        let flight = Flight { operator, attempt, intent: number, paper: before.paper, left: false };
        self.flights.insert(intent.ordinal, flight);
        Ok(())
    }

    /// A statement that ended in doubt.
    fn doubt(&self, ordinal: i64) -> rusqlite::Result<Option<(Flight, Reason)>> {
        self.conn
            .prepare_cached("SELECT operator, attempts, intent, paper, reason FROM doubt WHERE ordinal = ?1")?
            .query_row([ordinal], |row| {
                let flight = Flight {
                    operator: row.get(0)?,
                    attempt: row.get(1)?,
                    intent: row.get(2)?,
                    paper: row.get(3)?,
                    left: false,
                };
                Ok((flight, reason_of(row.get(4)?)))
            })
            .optional()
    }

    fn same_request(&self, flight: &Flight, intent: &Intent) -> rusqlite::Result<bool> {
        self.conn
            .prepare_cached("SELECT request_digest = ?2 AND message_id = ?3 FROM intent WHERE number = ?1")?
            .query_row(params![flight.intent, intent.request_digest, intent.message_id.0], |row| row.get(0))
            .optional()
            .map(|same| same == Some(true))
    }

    fn write_intent(&mut self, intent: &Intent) -> rusqlite::Result<i64> {
        let address = self.word(intent.address.as_bytes())?;
        let sender = self.word(&intent.sender_cert)?;
        let mediator = self.word(&intent.mediator_cert)?;
        let secrets = intent.content_secrets.as_ref().map(|secrets| {
            let context = context(&self.run_id, "secrets", intent.ordinal as i64, intent.attempt.into());
            self.installation.seal(secrets, &context)
        });
        self.intents += 1;
        self.hot.write_intent.execute(params![
            intent.ordinal as i64,
            intent.attempt,
            intent.operator,
            address,
            intent.at.as_millisecond(),
            intent.seal_date,
            sender,
            mediator,
            intent.renderer,
            secrets,
            intent.request_digest,
            intent.message_id.0,
            self.intents,
        ])?;
        Ok(self.intents)
    }

    fn over(&mut self, over: &AttemptOver, look_up: bool) -> Result<(), TrackError> {
        let flight = match self.flights.get(&over.ordinal) {
            Some(flight) if !flight.left && flight.attempt == i64::from(over.attempt) => *flight,
            _ => return Err(TrackError::NotWaiting { ordinal: over.ordinal }),
        };
        let mut all = || -> rusqlite::Result<()> {
            let (operator, ordinal) = (flight.operator, over.ordinal as i64);
            let not_before = over.not_before.map(|time| time.as_millisecond());
            if look_up {
                self.run_cached(
                    "INSERT INTO look_up(ordinal, paper, attempts, not_delivered, reason)
                     SELECT ordinal, paper, attempts, not_delivered + 1, 0 FROM queue WHERE operator = ?1 AND ordinal = ?2",
                    [operator, ordinal],
                )?;
                self.hot.land.execute([operator, ordinal])?;
                self.count(queue::LOOK_UP, -1, 0, 1);
            } else {
                self.run_cached(
                    "UPDATE queue SET intent = NULL, not_before = ?3 WHERE operator = ?1 AND ordinal = ?2",
                    params![operator, ordinal, not_before],
                )?;
                self.count(queue::QUEUED, operator, 0, 1);
            }
            self.count(queue::FLYING, operator, 0, -1);
            let context = context(&self.run_id, "detail", ordinal, over.attempt.into());
            let detail = self.installation.seal(over.cause.as_bytes(), &context);
            self.run_cached(
                "INSERT INTO digital(ordinal, kind, reason, operator, at, attempt, intent, fault_code, call_id, detail)
                 VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    ordinal,
                    kind::OVER,
                    operator,
                    Timestamp::now().as_millisecond(),
                    over.attempt,
                    flight.intent,
                    over.fault_code,
                    over.call_id,
                    detail
                ],
            )?;
            self.flights.remove(&over.ordinal);
            Ok(())
        };
        all().map_err(|error| TrackError::storage("record an attempt", error))
    }

    fn end(&mut self, end: &DigitalEnd) -> Result<(), TrackError> {
        let refused = Err(TrackError::NotWaiting { ordinal: end.ordinal });
        let failed = |error| TrackError::storage("record an outcome", error);
        let ordinal = end.ordinal as i64;
        let (paper, operator, intent) = match self.flights.get(&end.ordinal).copied() {
            Some(flight) if flight.attempt != i64::from(end.attempt) => return refused,
            Some(flight) => {
                let mut land = || -> rusqlite::Result<()> {
                    let place = [flight.operator, ordinal];
                    if let End::InDoubt(reason) = &end.end {
                        self.run_cached(
                            "INSERT INTO doubt(ordinal, intent, operator, address, looked_up, attempts, not_delivered,
                             paper, reason) SELECT ordinal, intent, operator, address, looked_up, attempts, not_delivered,
                             paper, ?3 FROM queue WHERE operator = ?1 AND ordinal = ?2",
                            params![flight.operator, ordinal, *reason as u8],
                        )?;
                    }
                    self.hot.land.execute(place)?;
                    self.count(queue::FLYING, flight.operator, 0, -1);
                    self.flights.remove(&end.ordinal);
                    Ok(())
                };
                land().map_err(failed)?;
                (flight.paper, flight.operator, Some(flight.intent))
            }
            // Nothing has left: it cannot be in doubt, nor delivered.
            None if matches!(end.end, End::InDoubt(_) | End::Delivered { .. }) => return refused,
            None => match self.take_waiting(end.ordinal).map_err(failed)? {
                Some(wait) => (wait.paper, -1, None),
                None => return refused,
            },
        };
        let mut record = || -> rusqlite::Result<()> {
            let (kind, reason, state, trans_id) = match &end.end {
                End::Delivered { trans_id } => {
                    (kind::DELIVERED, Reason::None, Digital::Delivered, Some(trans_id.as_str()))
                }
                End::Unreachable(reason) => (kind::UNREACHABLE, *reason, Digital::Unreachable(*reason), None),
                End::Failed(reason) => (kind::FAILED, *reason, Digital::Failed(*reason), None),
                End::InDoubt(reason) => (kind::IN_DOUBT, *reason, Digital::InDoubt(*reason), None),
                End::Held(reason) => (kind::HELD, *reason, Digital::Held(*reason), None),
            };
            let detail = end.detail.as_ref().map(|detail| {
                let context = context(&self.run_id, "detail", ordinal, end.attempt.into());
                self.installation.seal(detail.as_bytes(), &context)
            });
            let by = Some(operator).filter(|operator| *operator >= 0);
            self.hot.ended.execute(params![
                ordinal,
                kind,
                reason as u8,
                by,
                end.at.as_millisecond(),
                end.attempt,
                intent,
                trans_id,
                end.fault_code,
                end.call_id,
                detail
            ])?;
            let tempo = self.tempo.entry((end.at.as_second(), operator)).or_default();
            if kind == kind::DELIVERED {
                tempo.0 += 1
            } else {
                tempo.1 += 1
            }
            let place = if matches!(state, Digital::Unreachable(_)) { -1 } else { operator };
            self.digital_moves(end.ordinal, paper, (Digital::Waiting, -1), (state, place))
        };
        record().map_err(failed)
    }

    fn paper(&mut self, rows: &[PaperEnd], bundle: Option<&BundleRow>) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("record paper letters", error);
        let now = Timestamp::now();
        for row in rows {
            self.paper_row(row, now).map_err(failed)?.ok_or(TrackError::NotWaiting { ordinal: row.ordinal })?;
        }
        if let Some(bundle) = bundle {
            self.run_cached(
                "INSERT INTO bundle(number, file_name, sha256, letters, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    bundle.number,
                    bundle.file_name,
                    bundle.sha256,
                    bundle.letters,
                    bundle.bytes as i64,
                    now.as_millisecond()
                ],
            )
            .map_err(failed)?;
        }
        Ok(())
    }

    fn paper_row(&mut self, row: &PaperEnd, now: Timestamp) -> rusqlite::Result<Option<()>> {
        let ordinal = row.ordinal as i64;
        let found: Option<(i64, bool)> = self
            .conn
            .prepare_cached("DELETE FROM paper_queue WHERE ordinal = ?1 RETURNING why, both")?
            .query_row([ordinal], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((why, both)) = found else { return Ok(None) };
        self.count(queue::PAPER, -1, 0, -1);
        let (kind, reason, bundle, state) = match row.end {
            PaperFate::Bundled { bundle } => (kind::BUNDLED, Reason::None, Some(bundle), OnPaper::Bundled),
            PaperFate::Held(reason) => (kind::HELD, reason, None, OnPaper::Held(reason)),
            PaperFate::Failed(reason) => (kind::FAILED, reason, None, OnPaper::Failed(reason)),
        };
        self.run_cached(
            "INSERT INTO paper(ordinal, kind, reason, bundle, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![ordinal, kind, reason as u8, bundle, now.as_millisecond()],
        )?;
        let tempo = self.tempo.entry((now.as_second(), -2)).or_default();
        if kind == kind::BUNDLED {
            tempo.0 += 1
        } else {
            tempo.1 += 1
        }
        if both {
            let (digital, operator, before) = self.both(ordinal)?;
            self.both_move(row.ordinal, (digital, operator, before), (digital, operator, state))?;
        } else {
            let digital = match reason_of(why) {
                Reason::None => Digital::Off,
                why => Digital::Unreachable(why),
            };
            self.outcome_moves((digital, -1, OnPaper::Waiting), (digital, -1, state));
        }
        Ok(Some(()))
    }

    fn settle(&mut self, ordinal: u64, settlement: Settlement) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("settle a statement", error);
        let Some((flight, reason)) = self.doubt(ordinal as i64).map_err(failed)? else {
            return Err(TrackError::NotWaiting { ordinal });
        };
        let now = Timestamp::now();
        let mut all = || -> rusqlite::Result<()> {
            let (log, to) = match settlement {
                Settlement::Delivered => (kind::DELIVERED, (Digital::Delivered, flight.operator)),
                // The operator's word: surely not accepted.
                Settlement::NotDelivered => (kind::OVER, (Digital::Waiting, -1)),
                Settlement::Resend => (kind::AGAIN, (Digital::Waiting, -1)),
            };
            if settlement == Settlement::NotDelivered {
                self.run_cached(
                    "INSERT INTO look_up(ordinal, paper, attempts, not_delivered, reason)
                     SELECT ordinal, paper, attempts, not_delivered, 0 FROM doubt WHERE ordinal = ?1",
                    [ordinal as i64],
                )?;
                self.count(queue::LOOK_UP, -1, 0, 1);
            }
            if settlement == Settlement::Resend {
                // As if the process had ended under way: what is sent next must be the same request.
                self.run_cached(
                    "INSERT INTO queue(operator, ordinal, address, looked_up, attempts, not_delivered, paper, intent)
                     SELECT operator, ordinal, address, looked_up, attempts, not_delivered, paper, intent
                     FROM doubt WHERE ordinal = ?1",
                    [ordinal as i64],
                )?;
                self.run_cached("INSERT OR IGNORE INTO resend(ordinal) VALUES (?1)", [ordinal as i64])?;
                self.count(queue::FLYING, flight.operator, 0, 1);
                self.flights.insert(ordinal, Flight { left: true, ..flight });
            } else {
                self.run_cached("DELETE FROM resend WHERE ordinal = ?1", [ordinal as i64])?;
            }
            if settlement != Settlement::Delivered && self.phase == Phase::Finished {
                self.put_meta("phase", &Phase::Released.as_str())?;
                self.phase = Phase::Released;
            }
            self.run_cached("DELETE FROM doubt WHERE ordinal = ?1", [ordinal as i64])?;
            self.run_cached(
                "INSERT INTO digital(ordinal, kind, reason, operator, at, attempt, intent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    ordinal as i64,
                    log,
                    if log == kind::DELIVERED { Reason::None } else { reason } as u8,
                    flight.operator,
                    now.as_millisecond(),
                    flight.attempt,
                    flight.intent
                ],
            )?;
            self.digital_moves(ordinal, flight.paper, (Digital::InDoubt(reason), flight.operator), to)
        };
        all().map_err(failed)
    }

    // Counters.

    fn count(&mut self, kind: i64, operator: i64, reason: i64, change: i64) {
        *self.tally.entry((kind, operator, reason)).or_default() += change;
    }

    /// Counts a digital half that moves, and wakes a paper half that waited for it to be unreachable.
    fn digital_moves(
        &mut self,
        ordinal: u64,
        wish: i64,
        from: (Digital, i64),
        to: (Digital, i64),
    ) -> rusqlite::Result<()> {
        match wish {
            WISH_BOTH => {
                let (_, _, paper) = self.both(ordinal as i64)?;
                let after = self.paper_follows(ordinal as i64, to.0, paper)?;
                self.both_move(ordinal, (from.0, from.1, paper), (to.0, to.1, after))
            }
            wish => {
                let paper = if wish == WISH_FALLBACK { OnPaper::Fallback } else { OnPaper::Off };
                self.outcome_moves((from.0, from.1, paper), (to.0, to.1, paper));
                if let (WISH_FALLBACK, Digital::Unreachable(why)) = (wish, to.0) {
                    self.count(queue::PAPER, -1, 0, 1);
                    self.run_cached(
                        "INSERT INTO paper_queue(ordinal, why, both) VALUES (?1, ?2, 0)",
                        params![ordinal as i64, why as u8],
                    )?;
                }
                Ok(())
            }
        }
    }

    /// The paper half of a statement that goes both ways waits for the digital half's end, which may tell that the
    /// recipient is protected: who is kept back digitally is kept off paper too.
    fn paper_follows(&mut self, ordinal: i64, digital: Digital, paper: OnPaper) -> rusqlite::Result<OnPaper> {
        match (digital, paper) {
            (Digital::Held(reason), OnPaper::Waiting) => {
                let queued = self.run_cached("DELETE FROM paper_queue WHERE ordinal = ?1", [ordinal])?;
                self.count(queue::PAPER, -1, 0, -(queued as i64));
                self.run_cached(
                    "INSERT INTO paper(ordinal, kind, reason, at) VALUES (?1, ?2, ?3, ?4)",
                    params![ordinal, kind::HELD, reason as u8, Timestamp::now().as_millisecond()],
                )?;
                Ok(OnPaper::Held(reason))
            }
            (Digital::Waiting | Digital::Off, _) => Ok(paper),
            (_, OnPaper::Waiting) => {
                let queued = self
                    .run_cached("INSERT OR IGNORE INTO paper_queue(ordinal, why, both) VALUES (?1, 0, 1)", [ordinal])?;
                self.count(queue::PAPER, -1, 0, queued as i64);
                Ok(paper)
            }
            _ => Ok(paper),
        }
    }

    fn outcome_moves(&mut self, from: (Digital, i64, OnPaper), to: (Digital, i64, OnPaper)) {
        for ((digital, operator, paper), change) in [(from, -1), (to, 1)] {
            let (outcome, reason) = outcome(digital, paper);
            let operator = if outcome == Outcome::Pending { -1 } else { operator };
            self.count(outcome as i64, operator, reason as i64, change);
        }
    }

    /// The halves of a statement that wants both ways.
    fn both(&self, ordinal: i64) -> rusqlite::Result<(Digital, i64, OnPaper)> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT digital, digital_reason, operator, paper, paper_reason FROM both WHERE ordinal = ?1",
            )?
            .query_row([ordinal], |row| {
                Ok((
                    digital_of(row.get(0)?, reason_of(row.get(1)?)),
                    row.get(2)?,
                    paper_of(row.get(3)?, reason_of(row.get(4)?)),
                ))
            })
            .optional()?;
        Ok(found.unwrap_or((Digital::Waiting, -1, OnPaper::Waiting)))
    }

    fn both_move(
        &mut self,
        ordinal: u64,
        from: (Digital, i64, OnPaper),
        to: (Digital, i64, OnPaper),
    ) -> rusqlite::Result<()> {
        let ((digital, digital_reason), (paper, paper_reason)) = (digital_code(to.0), paper_code(to.2));
        self.run_cached(
            "INSERT OR REPLACE INTO both(ordinal, digital, digital_reason, operator, paper, paper_reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![ordinal as i64, digital, digital_reason as u8, to.1, paper, paper_reason as u8],
        )?;
        self.outcome_moves(from, to);
        Ok(())
    }

    fn word(&mut self, value: &[u8]) -> rusqlite::Result<i64> {
        if let Some(number) = self.words.get(value) {
            return Ok(*number);
        }
        self.run_cached("INSERT INTO word(value) VALUES (?1)", [Value::Blob(value.to_vec())])?;
        let number = self.conn.last_insert_rowid();
        self.words.insert(value.to_vec(), number);
        Ok(number)
    }

    fn run_cached(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        let mut statement: CachedStatement<'_> = self.conn.prepare_cached(sql)?;
        statement.execute(params)
    }
}

struct Wait {
    paper: i64,
    attempts: i64,
    not_delivered: i64,
    not_before: Option<i64>,
}

/// Columns `digital`, `paper`, `outcome`, `reason` of a statement.
fn fate_codes(fate: Fate) -> (i64, i64, Outcome, Reason) {
    let (digital, paper) = match fate {
        Fate::Ended(outcome, reason) => return (0, 0, outcome, reason),
        Fate::Send { digital, paper } => (digital, paper),
    };
    let (code, half, unreachable) = match digital {
        Half::Off => (0, Digital::Off, Reason::None),
        Half::Waiting => (1, Digital::Waiting, Reason::None),
        Half::Unreachable(reason) => (2, Digital::Unreachable(reason), reason),
        Half::Fallback => unreachable!("only a paper half is a fallback"),
    };
    let (wish, on_paper) = match paper {
        Half::Off => (WISH_OFF, OnPaper::Off),
        Half::Waiting => (WISH_BOTH, OnPaper::Waiting),
        Half::Fallback => (WISH_FALLBACK, OnPaper::Fallback),
        Half::Unreachable(_) => unreachable!("only a digital half is unreachable"),
    };
    match outcome(half, on_paper) {
        // The reason of a half that is unreachable already goes along: paper tells it.
        (Outcome::Pending, _) => (code, wish, Outcome::Pending, unreachable),
        (outcome, reason) => (0, 0, outcome, reason),
    }
}

pub(super) fn reason_of(number: i64) -> Reason {
    u8::try_from(number).ok().and_then(Reason::from_number).unwrap_or(Reason::None)
}

fn digital_code(half: Digital) -> (i64, Reason) {
    match half {
        Digital::Off | Digital::Waiting => (0, Reason::None),
        Digital::Delivered => (kind::DELIVERED, Reason::None),
        Digital::Unreachable(reason) => (kind::UNREACHABLE, reason),
        Digital::Failed(reason) => (kind::FAILED, reason),
        Digital::InDoubt(reason) => (kind::IN_DOUBT, reason),
        Digital::Held(reason) => (kind::HELD, reason),
    }
}

/// The state of a digital half after a row of this kind.
pub(super) fn digital_of(kind: i64, reason: Reason) -> Digital {
    match kind {
        kind::DELIVERED => Digital::Delivered,
        kind::UNREACHABLE => Digital::Unreachable(reason),
        kind::FAILED => Digital::Failed(reason),
        kind::IN_DOUBT => Digital::InDoubt(reason),
        kind::HELD => Digital::Held(reason),
        _ => Digital::Waiting,
    }
}

fn paper_code(half: OnPaper) -> (i64, Reason) {
    match half {
        OnPaper::Off | OnPaper::Waiting | OnPaper::Fallback => (0, Reason::None),
        OnPaper::Bundled => (kind::BUNDLED, Reason::None),
        OnPaper::Held(reason) => (kind::HELD, reason),
        OnPaper::Failed(reason) => (kind::FAILED, reason),
    }
}

/// The state of a paper half after a row of this kind.
pub(super) fn paper_of(kind: i64, reason: Reason) -> OnPaper {
    match kind {
        kind::BUNDLED => OnPaper::Bundled,
        kind::HELD => OnPaper::Held(reason),
        kind::FAILED => OnPaper::Failed(reason),
        _ => OnPaper::Waiting,
    }
}

/// What a sealed column is bound to: its run and its place.
pub(super) fn context(run_id: &str, column: &str, row: i64, attempt: i64) -> Vec<u8> {
    format!("{run_id}\n{column}\n{row}\n{attempt}").into_bytes()
}

pub(super) fn sealed_json<T: serde::Serialize + ?Sized>(
    installation: &Installation,
    run_id: &str,
    name: &str,
    value: &T,
) -> rusqlite::Result<Vec<u8>> {
    let text = serde_json::to_vec(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(installation.seal(&text, &context(run_id, name, 0, 0)))
}
