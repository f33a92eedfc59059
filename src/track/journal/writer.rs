//! The one thread that writes: applies changes in groups, commits, syncs, acknowledges.
//!
//! A group is what arrives within [`WINDOW`] of its first change, at most [`GROUP`] changes, in one transaction. While
//! nothing in it is urgent and each window brings more, it goes on gathering, for at most [`WINDOWS`] windows or until it
//! has [`ENOUGH`]: what makes letters as fast as it can loses nothing by waiting, and a sync costs as much as a hundred
//! changes. The thread sleeps while a group gathers, so that a change costs its sender no wake-up. The first storage
//! error ends it: it acknowledges nothing more, and closes without touching the files again.
//!
//! Here are the thread, its groups and the phases; what a change writes stands in `intake`, `digital`, `paper` and
//! `counters`.

mod counters;
mod digital;
mod intake;
mod paper;

use super::super::error::TrackError;
use super::super::installation::Installation;
use super::ends::{self, Ended, More, PaperEnded};
use super::intents::Intended;
use super::log::Log;
use super::mark::Mark;
use super::pages::{self, Manner};
use super::places::{At, Place, Places};
use super::routes::Routes;
use super::schema::queue;
use super::statements::Statements;
use super::{
    Amend, AttemptOver, BundleRow, DigitalEnd, Intent, PaperEnd, Phase, RouteRow, RunExport, RunOperator, SETTLED,
    Settlement, StatementRow,
};
use crate::domain::{Organisation, Reason, mask_identities};
use crate::told::{self, Waits};
use crate::watch::crash;
use crossbeam_channel::{Receiver, Sender, never, select};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, Params, params};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

/// How long a group gathers: the most that group commit adds to the latency of an intent, besides the sync itself.
/// 5 ms, since at 1 000 requests a second it makes groups of ten, and a request over a network takes longer.
pub const WINDOW: Duration = Duration::from_millis(5);
/// Most windows that a group gathers for while nothing in it is urgent.
pub const WINDOWS: usize = 4;
/// Changes after which a group gathers no longer: the sync is then a small part of it.
pub const ENOUGH: usize = 128;
/// Most changes in one group.
pub(super) const GROUP: usize = 512;

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

/// A request that is under way, or whose answer is unknown.
#[derive(Clone, Copy, Debug)]
struct Flight {
    route: u32,
    attempt: i64,
    intent: i64,
    /// How the statement's paper half is wished for.
    wish: i64,
    /// Left open by an earlier process: nobody waits for its answer any more.
    left: bool,
}

/// The manner of an operator's last intent, as intents have it: comparing is cheaper than looking four words up.
struct LastManner {
    address: String,
    seal_date: String,
    sender_cert: [u8; 32],
    mediator_cert: [u8; 32],
    renderer: u32,
}

impl LastManner {
    fn of(intent: &Intent) -> Self {
        Self {
            address: intent.address.clone(),
            seal_date: intent.seal_date.clone(),
            sender_cert: intent.sender_cert,
            mediator_cert: intent.mediator_cert,
            renderer: intent.renderer,
        }
    }

    fn is_of(&self, intent: &Intent) -> bool {
        self.renderer == intent.renderer
            && self.seal_date == intent.seal_date
            && self.address == intent.address
            && self.sender_cert == intent.sender_cert
            && self.mediator_cert == intent.mediator_cert
    }
}

/// Everything the writing thread owns.
pub(super) struct Writer<'c> {
    conn: &'c Connection,
    mark: Mark,
    installation: Installation,
    run_id: String,
    phase: Phase,
    employers: Arc<RwLock<Vec<Organisation>>>,
    employer_numbers: HashMap<Organisation, i64>,
    words: HashMap<Vec<u8>, i64>,
    manners: HashMap<Manner, u32>,
    /// By operator.
    last_manners: Vec<Option<(LastManner, u32)>>,
    intents: Log<Intended>,
    ends: Log<Ended>,
    paper_ends: Log<PaperEnded>,
    places: Places,
    routes: Routes,
    flights: HashMap<u64, Flight>,
    /// Changes of `tally` by the group under way: (kind, operator, reason).
    tally: BTreeMap<(i64, i64, i64), i64>,
    /// Changes of `tempo` by the group under way: (second, operator) -> (delivered, other).
    tempo: BTreeMap<(i64, i64), (i64, i64)>,
    /// What pass 1 has changed in the open transaction.
    statements: Statements,
    /// Rows of pass 1 in the open transaction.
    admitted: Option<usize>,
}

impl<'c> Writer<'c> {
    /// Works on the connection of a journal.
    pub(super) fn new(
        conn: &'c Connection,
        mark: Mark,
        installation: Installation,
        run_id: String,
        phase: Phase,
        employers: Arc<RwLock<Vec<Organisation>>>,
    ) -> Result<Self, TrackError> {
        let failed = |error| TrackError::storage("read what the journal has under way", error);
        let mut writer = Self {
            conn,
            mark,
            installation,
            run_id,
            phase,
            employer_numbers: HashMap::new(),
            employers,
            words: HashMap::new(),
            manners: HashMap::new(),
            last_manners: Vec::new(),
            intents: Log::default(),
            ends: Log::default(),
            paper_ends: Log::default(),
            places: Places::default(),
            routes: Routes::default(),
            flights: HashMap::new(),
            tally: BTreeMap::new(),
            tempo: BTreeMap::new(),
            statements: Statements::default(),
            admitted: None,
        };
        writer.load().map_err(failed)?;
        if writer.phase != Phase::Intake && !writer.agrees().map_err(failed)? {
            let file = conn.path().unwrap_or_default().into();
            return Err(TrackError::Damaged { file, what: "where statements wait is not what its sums say".into() });
        }
        Ok(writer)
    }

    /// Whether as many wait, and where, as the sums have it: a place has no other witness.
    fn agrees(&self) -> rusqlite::Result<bool> {
        let mut waits: BTreeMap<(i64, i64), i64> = BTreeMap::new();
        for place in self.places.all() {
            let (kind, operator) = match place.at() {
                At::Nowhere if place == Place::NOWHERE => continue,
                At::Nowhere => return Ok(false),
                At::LookUp(_) => (queue::LOOK_UP, Some(-1)),
                At::Operator(route) => (queue::QUEUED, self.routes.get(route).map(|route| route.operator)),
                At::UnderWay(route) => (queue::FLYING, self.routes.get(route).map(|route| route.operator)),
            };
            let Some(operator) = operator else { return Ok(false) };
            *waits.entry((kind, operator)).or_default() += 1;
        }
        let mut sums =
            self.conn.prepare("SELECT kind, operator, count FROM tally WHERE kind IN (?1, ?2, ?3) AND count <> 0")?;
        let sums = sums.query_map([queue::LOOK_UP, queue::QUEUED, queue::FLYING], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?;
        Ok(sums.collect::<rusqlite::Result<BTreeMap<_, _>>>()? == waits)
    }

    fn load(&mut self) -> rusqlite::Result<()> {
        if let Ok(employers) = self.employers.read() {
            self.employer_numbers = employers.iter().enumerate().map(|(at, of)| (*of, at as i64)).collect();
        }
        // What an earlier process did tells nothing of this one.
        self.conn.execute("DELETE FROM meta WHERE name = 'pulse'", [])?;
        self.words = pages::words(self.conn)?;
        self.intents = Log::read(self.conn)?;
        self.ends = Log::read(self.conn)?;
        self.paper_ends = Log::read(self.conn)?;
        self.manners = pages::manners(self.conn)?;
        self.routes.read(self.conn)?;
        if self.phase != Phase::Intake {
            let statements = pages::meta::<i64>(self.conn, "statements")?.unwrap_or(0);
            self.places = Places::read(self.conn, statements as u64)?;
        }
        for open in pages::flights(self.conn)? {
            let place = self.places.get(open.ordinal);
            let At::UnderWay(route) = place.at() else { continue };
            let flight = Flight { route, attempt: open.attempt, intent: open.intent, wish: place.wish(), left: true };
            self.flights.insert(open.ordinal, flight);
        }
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
        let mut close = || -> rusqlite::Result<()> {
            self.commit_admitted()?;
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
        if self.admitted.is_none() {
            return Ok(());
        }
        self.statements.write(self.conn)?;
        self.admitted = None;
        self.conn.execute_batch("COMMIT")
    }

    fn forget_secrets(&mut self) -> rusqlite::Result<()> {
        self.commit_admitted()?;
        // The WAL's copies go when it is cut back, at the latest when the journal is closed.
        self.conn.execute_batch(
            "PRAGMA secure_delete = ON; DELETE FROM secret;
             PRAGMA secure_delete = OFF",
        )
    }

    fn demand(&self, doing: &'static str, phase: Phase) -> Result<(), TrackError> {
        if self.phase == phase { Ok(()) } else { Err(TrackError::Phase { doing, phase: self.phase }) }
    }

    /// Whether something waits, the group under way included.
    fn waits(&mut self) -> rusqlite::Result<bool> {
        self.places.write(self.conn)?;
        self.conn
            .prepare_cached("SELECT EXISTS(SELECT 1 FROM place) OR EXISTS(SELECT 1 FROM paper_queue)")?
            .query_row([], |row| row.get(0))
    }

    /// Finishes the run if nothing waits.
    fn finish(&mut self) -> Result<(), TrackError> {
        if self.phase == Phase::Intake {
            return Err(TrackError::Phase { doing: "finish the run", phase: self.phase });
        }
        let mut all = || -> rusqlite::Result<bool> {
            let waits = self.waits()?;
            if waits || self.phase == Phase::Finished {
                return Ok(!waits);
            }
            self.conn.execute_batch("BEGIN IMMEDIATE")?;
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
        Ok(())
    }

    fn put_meta(&self, name: &str, value: &dyn rusqlite::ToSql) -> rusqlite::Result<()> {
        self.conn.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?1, ?2)", params![name, value]).map(|_| ())
    }

    fn event(&self, kind: &str, text: &str) -> rusqlite::Result<()> {
        let text = mask_identities(text);
        // The milestones of a run: what is on record of it is what the log has.
        tracing::info!(kind, %text, "on record");
        self.conn
            .prepare_cached("INSERT INTO event(at, kind, text) VALUES (?1, ?2, ?3)")?
            .execute(params![Timestamp::now().as_millisecond(), kind, text])
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
        self.intents.write(self.conn).map_err(failed)?;
        self.ends.write(self.conn).map_err(failed)?;
        self.paper_ends.write(self.conn).map_err(failed)?;
        self.places.write(self.conn).map_err(failed)?;
        self.write_counters().map_err(failed)?;
        self.run_cached("COMMIT", []).map_err(failed)?;
        self.mark.set([self.intents.last(), self.ends.last(), self.paper_ends.last()]);
        group.iter().filter_map(|op| op.change.boundaries()).for_each(|(_, synced)| crash::point(synced));
        Ok(results)
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
                let words = self.addresses(rows).map_err(failed)?;
                self.batch(|writer| writer.route(rows, &words))
            }
            Change::Intend(intent) => self.intend(intent),
            Change::Over(over) => self.over(over, false),
            Change::LookUpAgain(over) => self.over(over, true),
            Change::End(end) => self.end(end),
            Change::Paper(rows, bundle) => self.batch(|writer| writer.paper(rows, bundle.as_ref())),
            Change::Pend(rows) => {
                for (ordinal, reason) in rows.iter() {
                    let place = self.places.get(*ordinal);
                    if matches!(place.at(), At::LookUp(_)) {
                        self.places.set(*ordinal, place.moved(At::LookUp(*reason)));
                    }
                }
                Ok(())
            }
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
                    writer.event(SETTLED, told).map_err(failed)
                })
            }
            Change::Note(kind, text) => self.event(kind, text).map_err(failed),
            Change::Pulse(json) => self.put_meta("pulse", json).map_err(failed),
        }
    }

    /// All of these, or none where one is refused.
    fn batch(&mut self, all: impl FnOnce(&mut Self) -> Result<(), TrackError>) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("write the journal", error);
        let (counters, routes) = ((self.tally.clone(), self.tempo.clone()), self.routes.count());
        let (ends, paper_ends) = (self.ends.last(), self.paper_ends.last());
        self.places.try_out();
        self.conn.execute_batch("SAVEPOINT batch").map_err(failed)?;
        let result = all(self);
        if result.is_ok() {
            self.places.keep();
        } else {
            self.places.take_back();
            self.routes.take_back(routes);
            self.ends.take_back(ends);
            self.paper_ends.take_back(paper_ends);
            (self.tally, self.tempo) = counters;
            self.conn.execute_batch("ROLLBACK TO batch").map_err(failed)?;
        }
        self.conn.execute_batch("RELEASE batch").map_err(failed)?;
        result
    }

    /// Adds how an attempt or a digital half ended to the log.
    fn note_end(&mut self, ended: Ended, more: More<'_>) -> rusqlite::Result<()> {
        ends::note(&mut self.ends, self.conn, ended, more)
    }

    fn run_cached(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        let mut statement: CachedStatement<'_> = self.conn.prepare_cached(sql)?;
        statement.execute(params)
    }
}
