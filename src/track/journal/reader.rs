//! The journal as reading commands see it: a connection of its own, while the run goes on and after.

use super::super::error::TrackError;
use super::super::installation::Installation;
use super::codes::{digital_of, paper_of, reason_of};
use super::ends::{self, Ended, PaperEnded};
use super::intents::Intended;
use super::log;
use super::mark;
use super::pages::{self, optional_time, unreadable};
use super::persons;
use super::places::{self, At, Place, WISH_FALLBACK, WISH_OFF};
use super::routes::Routes;
use super::schema::{self, FILE, kind, queue};
use super::sealed::context;
use super::statements::{self, Entry, UNREACHABLE};
use super::{Counts, Journal, Phase, RunHeader};
use crate::domain::{ContentDigest, Form, MessageId, Outcome, PersonDigest, Reason, StatementKey};
use crate::track::halves::{Digital, OnPaper, outcome};
use crate::track::summed;
use crate::track::{Checkpoint, Pulse};
use crate::watch::Handshakes;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A run's journal, open for reading. Never writes, also not to the run's folder where that cannot be written.
pub struct JournalReader {
    pub(super) conn: Connection,
    file: PathBuf,
    header: RunHeader,
}

/// Where a statement is, by the rows of the journal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Its ordinal.
    pub ordinal: u64,
    /// Number of its export.
    pub export: u16,
    /// Form, where it could be read.
    pub form: Option<Form>,
    /// Number of its uppgiftslämnare, see [`JournalReader::employers`].
    pub employer: Option<usize>,
    /// Its outcome; pending while a request is under way.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// Where the digital half was delivered, ended or waits.
    pub operator: Option<u16>,
    /// The digital half.
    pub digital: Digital,
    /// The paper half.
    pub paper: OnPaper,
    /// A request is under way, or was when the process ended, or is ordered to be sent again.
    pub under_way: bool,
}

impl Seen {
    /// The digital half where no process has the run: what was under way is in doubt, for the cause of before where it is
    /// ordered to be sent again.
    pub fn left(&self) -> Digital {
        match self.reason {
            _ if !self.under_way => self.digital,
            Reason::None | Reason::NotYet => Digital::InDoubt(Reason::Interrupted),
            before => Digital::InDoubt(before),
        }
    }
}

/// A request whose fate is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct InDoubtSeen {
    /// Which statement.
    pub ordinal: u64,
    /// Where it was sent.
    pub operator: u16,
    /// Which attempt.
    pub attempt: u32,
    /// Id of the message.
    pub message_id: MessageId,
    /// When the intent was written.
    pub at: Timestamp,
    /// Why it is in doubt.
    pub reason: Reason,
    /// A person has ordered that it is sent again, and it has not been yet.
    pub ordered: bool,
}

/// How requests went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Requests that were intended.
    pub intended: u64,
    /// Attempts that were surely not accepted.
    pub not_accepted: u64,
    /// Requests that were sent again although an earlier one may have arrived.
    pub sent_again: u64,
}

/// How many ended in one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tempo {
    /// Seconds since 1970.
    pub second: i64,
    /// Operator; -1: without one (look-ups, holds), -2: paper.
    pub operator: i64,
    /// Delivered, or bundled.
    pub delivered: u64,
    /// Ended otherwise.
    pub other: u64,
}

/// An audit line or event.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: String,
    /// What happened.
    pub text: String,
}

/// A print bundle.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BundleSeen {
    /// Its number.
    pub number: u32,
    /// Name of its file.
    pub file_name: String,
    /// Letters in it.
    pub letters: u32,
    /// Size of the file.
    pub bytes: u64,
    /// When it was on disk.
    pub at: Timestamp,
}

/// One operator's queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperatorTally {
    /// Statements that wait there.
    pub queued: u64,
    /// Requests under way.
    pub under_way: u64,
    /// Its queue is stopped: it refuses our credentials.
    pub stopped: bool,
}

/// The sums that the journal keeps beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By outcome, reason and operator.
    pub outcomes: BTreeMap<(Outcome, Reason, Option<u16>), u64>,
    /// Statements that wait for a look-up.
    pub look_up: u64,
    /// Statements that wait for a print bundle.
    pub paper: u64,
    /// By operator, in the order of the header.
    pub operators: Vec<OperatorTally>,
}

/// One attempt of a statement, or what else happened to its digital half.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptSeen {
    /// When.
    pub at: Option<Timestamp>,
    /// Which attempt; 0 where none was made.
    pub attempt: u32,
    /// Where.
    pub operator: Option<u16>,
    /// What came of it: the half's state, waiting where it was tried again.
    pub digital: Digital,
    /// What was in doubt is sent again.
    pub again: bool,
    /// A person has ordered that.
    pub ordered: bool,
    /// The operator's TransId.
    pub trans_id: Option<String>,
    /// The fault's ErrorCode.
    pub fault_code: Option<u32>,
    /// The fault's CallId.
    pub call_id: Option<String>,
    /// What else was written down.
    pub detail: Option<String>,
}

/// All that the journal knows of one statement.
#[derive(Clone, Debug, PartialEq)]
pub struct StatementSeen {
    /// Where it is.
    pub seen: Seen,
    /// It corrects an earlier one.
    pub correction: bool,
    /// Its key and content, which give the message id.
    pub keys: Option<(StatementKey, ContentDigest)>,
    /// What happened to its digital half, in order.
    pub attempts: Vec<AttemptSeen>,
    /// Its print bundle, and when the paper half ended.
    pub bundle: Option<(BundleSeen, Timestamp)>,
}

impl JournalReader {
    /// Opens the journal of a run. The installation is not needed; without it, sealed columns stay closed.
    ///
    /// *Errors*: no run there, another format, storage, [`TrackError::Damaged`] where it has lost what was written.
    pub fn open(run: &Path) -> Result<Self, TrackError> {
        let file = run.join(FILE);
        if !Journal::exists(run)? {
            return Err(TrackError::NoRun { run: run.to_path_buf() });
        }
        let failed = |error| TrackError::storage(format!("open the journal {}", file.display()), error);
        // Before the journal, which is then at least so far.
        let marked = mark::read(run);
        let conn = schema::reading(&file, None).map_err(failed)?;
        schema::check(&conn, &file, schema::FORMAT)?;
        mark::check(&conn, run, marked)?;
        let header = pages::header(&conn, None)?;
        Ok(Self { conn, file, header })
    }

    /// What the run is. Exports and the list of protected recipients are sealed, and not here.
    pub const fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Name of the run.
    pub fn run_id(&self) -> &str {
        &self.header.run_id
    }

    /// The database.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How far the run is.
    pub fn phase(&self) -> Result<Phase, TrackError> {
        pages::phase(&self.conn).map_err(unreadable("the phase"))
    }

    /// The last pulse of a running send; `None` before there is one, and in a journal that another version writes.
    pub fn pulse(&self) -> Result<Option<Pulse>, TrackError> {
        let json = pages::meta::<String>(&self.conn, "pulse").map_err(unreadable("the pulse"))?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
    }

    /// Whether a process has the run open for writing.
    pub fn is_running(&self) -> bool {
        self.file.parent().is_some_and(super::is_running)
    }

    /// Sees that the run is of this installation.
    pub fn check_key(&self, installation: &Installation) -> Result<(), TrackError> {
        pages::key_check(&self.conn, &self.file, installation)
    }

    /// How many statements have which outcome, by the journal's sums. *Cost*: a few rows after release.
    pub fn counts(&self) -> Result<Counts, TrackError> {
        pages::counts(&self.conn)
    }

    /// How far the run is. *Cost*: a few seeks.
    pub fn checkpoint(&self) -> Result<Checkpoint, TrackError> {
        pages::checkpoint(&self.conn)
    }

    /// How many statements the exports have; `None` before release.
    pub fn statements(&self) -> Result<Option<u64>, TrackError> {
        pages::meta::<i64>(&self.conn, "statements")
            .map(|count| count.map(|count| count as u64))
            .map_err(unreadable("the count of statements"))
    }

    /// Uppgiftslämnare as they may be shown: organisation numbers, private ones masked and numbered.
    pub fn employers(&self) -> Result<Vec<String>, TrackError> {
        let query = || -> rusqlite::Result<Vec<String>> {
            self.conn
                .prepare("SELECT number, shown FROM employer ORDER BY number")?
                .query_map([], |row| {
                    let (number, shown): (i64, String) = (row.get(0)?, row.get(1)?);
                    Ok(if shown.starts_with('*') { format!("{shown} ({})", number + 1) } else { shown })
                })?
                .collect()
        };
        query().map_err(unreadable("the employers"))
    }

    /// The journal's sums.
    pub fn tally(&self) -> Result<Tally, TrackError> {
        let query = || -> rusqlite::Result<Tally> {
            let operators = vec![OperatorTally::default(); self.header.operators.len()];
            let mut tally = Tally { operators, ..Tally::default() };
            let mut statement =
                self.conn.prepare("SELECT kind, operator, reason, count FROM tally WHERE count <> 0")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (kind, operator, count): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(3)?);
                let (count, place) = (count as u64, u16::try_from(operator).ok());
                let of = place.and_then(|place| tally.operators.get_mut(usize::from(place)));
                match (kind, of) {
                    (queue::LOOK_UP, _) => tally.look_up = count,
                    (queue::PAPER, _) => tally.paper = count,
                    (queue::QUEUED, Some(of)) => of.queued = count,
                    (queue::FLYING, Some(of)) => of.under_way = count,
                    _ => {
                        if let Some(outcome) = u8::try_from(kind).ok().and_then(Outcome::from_number) {
                            tally.outcomes.insert((outcome, reason_of(row.get(2)?), place), count);
                        }
                    }
                }
            }
            for stopped in self.stopped()? {
                if let Some(of) = usize::try_from(stopped).ok().and_then(|place| tally.operators.get_mut(place)) {
                    of.stopped = true;
                }
            }
            Ok(tally)
        };
        query().map_err(unreadable("the sums"))
    }

    fn stopped(&self) -> rusqlite::Result<Vec<i64>> {
        self.conn
            .prepare("SELECT CAST(substr(name, 9) AS INTEGER) FROM meta WHERE name LIKE 'stopped:%' AND value = 1")?
            .query_map([], |row| row.get(0))?
            .collect()
    }

    /// How many ended in each second from `since` on, ascending.
    pub fn tempo(&self, since: i64) -> Result<Vec<Tempo>, TrackError> {
        let query = || -> rusqlite::Result<Vec<Tempo>> {
            self.conn
                .prepare("SELECT second, operator, delivered, other FROM tempo WHERE second >= ?1 ORDER BY 1, 2")?
                .query_map([since], tempo)?
                .collect()
        };
        query().map_err(unreadable("the tempo"))
    }

    /// First and last second in which something ended; `None` where nothing has.
    pub fn tempo_span(&self) -> Result<Option<(i64, i64)>, TrackError> {
        self.conn
            .query_row("SELECT min(second), max(second) FROM tempo", [], |row| {
                Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?))
            })
            .map_err(unreadable("the tempo"))
    }

    /// How many ended in each bucket from `first` on; [`Tempo::second`] is the number of the bucket.
    pub fn tempo_buckets(&self, first: i64, bucket_s: i64) -> Result<Vec<Tempo>, TrackError> {
        let query = || -> rusqlite::Result<Vec<Tempo>> {
            self.conn
                .prepare(
                    "SELECT (second - ?1) / ?2, operator, sum(delivered), sum(other) FROM tempo
                     WHERE second >= ?1 GROUP BY 1, 2",
                )?
                .query_map([first, bucket_s.max(1)], tempo)?
                .collect()
        };
        query().map_err(unreadable("the tempo"))
    }

    /// The most letters that operators took in one minute of the clock.
    pub fn best_minute(&self) -> Result<u64, TrackError> {
        self.conn
            .query_row(
                "SELECT coalesce(max(letters), 0) FROM (
                     SELECT sum(delivered) AS letters FROM tempo WHERE operator >= 0 GROUP BY second / 60)",
                [],
                |row| row.get::<_, i64>(0),
            )
            .map(|count| count as u64)
            .map_err(unreadable("the tempo"))
    }

    /// TLS handshakes by the gateway's name, summed over processes.
    pub fn handshakes(&self) -> Result<BTreeMap<String, Handshakes>, TrackError> {
        let query = || -> rusqlite::Result<BTreeMap<String, Handshakes>> {
            let mut all: BTreeMap<String, Handshakes> = BTreeMap::new();
            let mut statement = self.conn.prepare("SELECT text FROM event WHERE kind = ?1")?;
            let mut rows = statement.query([Handshakes::EVENT])?;
            while let Some(row) = rows.next()? {
                let text: String = row.get(0)?;
                if let Some((gateway, seen)) = Handshakes::read(&text) {
                    *all.entry(gateway.to_owned()).or_default() += seen;
                }
            }
            Ok(all)
        };
        query().map_err(unreadable("the handshakes"))
    }

    /// The last events, newest last.
    pub fn events(&self, limit: u32) -> Result<Vec<Event>, TrackError> {
        let query = || -> rusqlite::Result<Vec<Event>> {
            self.conn
                .prepare(
                    "SELECT at, kind, text FROM (SELECT * FROM event ORDER BY number DESC LIMIT ?1) ORDER BY number",
                )?
                .query_map([limit], |row| {
                    let at = optional_time(row, 0)?.unwrap_or_default();
                    Ok(Event { at, kind: row.get(1)?, text: row.get(2)? })
                })?
                .collect()
        };
        query().map_err(unreadable("the events"))
    }

    /// How many events of a kind there are.
    pub fn events_of(&self, kind: &str) -> Result<u64, TrackError> {
        pages::events_of(&self.conn, kind)
    }

    /// The last events of these kinds, newest last.
    pub fn events_among(&self, kinds: &[&str], limit: usize) -> Result<Vec<Event>, TrackError> {
        let mut found = self.events(u32::MAX)?;
        found.retain(|event| kinds.contains(&event.kind.as_str()));
        Ok(found.split_off(found.len().saturating_sub(limit)))
    }

    /// The print bundles.
    pub fn bundles(&self) -> Result<Vec<BundleSeen>, TrackError> {
        let query = || -> rusqlite::Result<Vec<BundleSeen>> {
            self.conn
                .prepare("SELECT number, file_name, letters, bytes, at FROM bundle ORDER BY number")?
                .query_map([], bundle)?
                .collect()
        };
        query().map_err(unreadable("the print bundles"))
    }

    /// Requests whose fate is not known: those that ended so, and where no process has the run (`running` false), those under way when it ended. Ascending by ordinal.
    pub fn in_doubt(&self, running: bool) -> Result<Vec<InDoubtSeen>, TrackError> {
        let query = || -> rusqlite::Result<Vec<InDoubtSeen>> {
            let ordered = pages::resends(&self.conn)?;
            let mut ended = self.conn.prepare("SELECT ordinal, intent, reason FROM doubt")?;
            let ended = ended.query_map([], |row| Ok((row.get(0)?, row.get(1)?, reason_of(row.get(2)?))))?;
            let mut all = ended.collect::<rusqlite::Result<Vec<(i64, i64, Reason)>>>()?;
            if !running {
                let left = pages::flights(&self.conn)?.into_iter();
                all.extend(left.map(|flight| {
                    let reason = ordered.get(&flight.ordinal).copied().unwrap_or(Reason::Interrupted);
                    (flight.ordinal as i64, flight.intent, reason)
                }));
            }
            all.sort_unstable_by_key(|of| of.0);
            let each = all.into_iter().map(|(ordinal, number, reason)| {
                let entry = pages::intent_of(ordinal as u64, number, log::entry(&self.conn, number)?)?;
                let [operator, ..] = pages::manner(&self.conn, entry.manner)?;
                Ok(InDoubtSeen {
                    ordinal: ordinal as u64,
                    operator: u16::try_from(operator)
                        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, operator))?,
                    attempt: entry.attempt,
                    message_id: entry.message_id,
                    at: Timestamp::from_millisecond(entry.at).unwrap_or_default(),
                    reason,
                    ordered: ordered.contains_key(&(ordinal as u64)),
                })
            });
            each.collect()
        };
        self.at_once(|_| query().map_err(unreadable("what is in doubt")))
    }

    /// Gives every request that was intended, in order: its statement, the message's id, and what tells the request from
    /// all others. *Cost*: reads the whole log.
    pub fn requests(&self, sink: &mut dyn FnMut(u64, MessageId, [u8; 32])) -> Result<(), TrackError> {
        log::each(&self.conn, false, |_, entry: Intended| {
            sink(entry.ordinal, entry.message_id, entry.request_digest);
            ControlFlow::Continue(())
        })
        .map_err(unreadable("the intents"))
    }

    /// How requests went. *Cost*: reads a log through.
    pub fn attempts(&self) -> Result<Attempts, TrackError> {
        let query = || -> rusqlite::Result<Attempts> {
            let intended = u64::try_from(log::last::<Intended>(&self.conn)?).unwrap_or(0);
            let mut attempts = Attempts { intended, ..Attempts::default() };
            log::each(&self.conn, false, |_, ended: Ended| {
                match ended.kind {
                    kind::OVER => attempts.not_accepted += 1,
                    kind::AGAIN => attempts.sent_again += 1,
                    _ => (),
                }
                ControlFlow::Continue(())
            })?;
            Ok(attempts)
        };
        query().map_err(unreadable("the attempts"))
    }

    /// Letters on paper of statements that have been delivered to a mailbox too, or may have been, and that are not
    /// printed: no other run prints them.
    pub fn unprinted(&self) -> Result<u64, TrackError> {
        self.conn
            .query_row(
                "SELECT count(*) FROM both WHERE digital IN (?1, ?2) AND paper = 0",
                [kind::DELIVERED, kind::IN_DOUBT],
                |row| row.get::<_, i64>(0),
            )
            .map(|count| count as u64)
            .map_err(unreadable("what is not printed"))
    }

    /// Reads several things as of one moment, although the run goes on.
    pub fn at_once<T>(&self, read: impl FnOnce(&Self) -> Result<T, TrackError>) -> Result<T, TrackError> {
        if !self.conn.is_autocommit() {
            // It is one already.
            return read(self);
        }
        self.conn.execute_batch("BEGIN").map_err(unreadable("a moment"))?;
        let result = read(self);
        let _ = self.conn.execute_batch("COMMIT");
        result
    }

    /// Gives every statement with where it is, by the rows themselves, in the order of ordinals.
    ///
    /// *Cost*: reads the whole journal; 8 bytes of memory a statement.
    pub fn statements_seen(&self, sink: &mut dyn FnMut(Seen)) -> Result<(), TrackError> {
        let states = self.states().map_err(unreadable("what happened"))?;
        let mut query = || -> rusqlite::Result<()> {
            self.each_statement(|ordinal, entry| {
                sink(seen(ordinal, &entry, &states.get(ordinal as usize).copied().unwrap_or_default()));
                ControlFlow::Continue(())
            })
        };
        query().map_err(unreadable("the statements"))
    }

    /// As [`statements::each`], all of them. *Errors*: as many as were released must be there.
    pub(super) fn each_statement(&self, mut sink: impl FnMut(u64, Entry) -> ControlFlow<()>) -> rusqlite::Result<()> {
        // Before: once a run is released, all of them are there.
        let released = pages::meta::<i64>(&self.conn, "statements")?;
        let (mut count, mut stopped) = (0, false);
        statements::each(&self.conn, 0, |ordinal, entry| {
            count += 1;
            let flow = sink(ordinal, entry);
            stopped = flow.is_break();
            flow
        })?;
        match released {
            Some(released) if !stopped && released != count => {
                Err(summed::damaged(format!("{count} statements are there of {released}")))
            }
            _ => Ok(()),
        }
    }

    /// What happened to each statement, by ordinal.
    fn states(&self) -> rusqlite::Result<Vec<State>> {
        let most = statements::most(&self.conn)?;
        let mut states = vec![State::default(); most as usize + 1];
        log::each(&self.conn, false, |_, ended: Ended| {
            if let Some(state) = states.get_mut(ended.ordinal as usize) {
                state.ended(&ended);
            }
            ControlFlow::Continue(())
        })?;
        log::each(&self.conn, false, |_, ended: PaperEnded| {
            if let Some(state) = states.get_mut(ended.ordinal as usize) {
                state.paper_ended(&ended);
            }
            ControlFlow::Continue(())
        })?;
        let waiting = self.waiting()?;
        places::each(&self.conn, 0, |ordinal, place| {
            if let Some(state) = states.get_mut(ordinal as usize) {
                state.waits(ordinal, place, &waiting);
            }
            ControlFlow::Continue(())
        })?;
        Ok(states)
    }

    fn waiting(&self) -> rusqlite::Result<Waiting> {
        let mut routes = Routes::default();
        routes.read(&self.conn)?;
        Ok(Waiting { routes, stopped: self.stopped()?, ordered: pages::resends(&self.conn)? })
    }

    /// The statements about a person, ascending by ordinal. With the installation, sealed details are opened.
    pub fn find(&self, person: &PersonDigest, installation: &Installation) -> Result<Vec<StatementSeen>, TrackError> {
        let query = || -> rusqlite::Result<Vec<StatementSeen>> {
            let candidates = match pages::phase(&self.conn)? {
                Phase::Intake => persons::unsorted(&self.conn, person)?,
                Phase::Released | Phase::Finished => persons::candidates(&self.conn, person)?,
            };
            let mut also = self.conn.prepare("SELECT EXISTS(SELECT 1 FROM also WHERE ordinal = ?1 AND person = ?2)")?;
            let (waiting, mut found) = (self.waiting()?, Vec::new());
            let happened = self.happened(&candidates)?;
            for (ordinal, (ends, paper_ends)) in candidates.into_iter().zip(happened) {
                let entry = statements::of(&self.conn, ordinal)?;
                if entry.person.as_ref() != Some(person)
                    && !also.query_row(params![ordinal as i64, person.0], |row| row.get(0))?
                {
                    continue;
                }
                let mut state = State::default();
                let attempts = ends.iter().map(|(number, ended)| {
                    state.ended(ended);
                    self.attempt(*number, ended, installation)
                });
                let attempts = attempts.collect::<rusqlite::Result<_>>()?;
                paper_ends.iter().for_each(|ended| state.paper_ended(ended));
                state.waits(ordinal, places::of(&self.conn, ordinal)?, &waiting);
                let bundle = paper_ends.iter().rev().find(|ended| ended.bundle != 0);
                let bundle = bundle.map(|ended| self.bundle(ended)).transpose()?.flatten();
                let (seen, keys) = (seen(ordinal, &entry, &state), entry.key.zip(entry.content));
                found.push(StatementSeen { seen, correction: entry.correction, keys, attempts, bundle });
            }
            Ok(found)
        };
        self.at_once(|_| query().map_err(unreadable("a person's statements")))
    }

    /// What the logs have of these statements, which ascend; one reading for all of them.
    fn happened(&self, ordinals: &[u64]) -> rusqlite::Result<Vec<Happened>> {
        let mut happened = vec![Happened::default(); ordinals.len()];
        if ordinals.is_empty() {
            return Ok(happened);
        }
        let place = |ordinal| ordinals.binary_search(&ordinal).ok();
        log::each(&self.conn, false, |number, ended: Ended| {
            if let Some(of) = place(ended.ordinal).and_then(|place| happened.get_mut(place)) {
                of.0.push((number, ended));
            }
            ControlFlow::Continue(())
        })?;
        log::each(&self.conn, false, |_, ended: PaperEnded| {
            if let Some(of) = place(ended.ordinal).and_then(|place| happened.get_mut(place)) {
                of.1.push(ended);
            }
            ControlFlow::Continue(())
        })?;
        Ok(happened)
    }

    fn attempt(&self, number: i64, ended: &Ended, installation: &Installation) -> rusqlite::Result<AttemptSeen> {
        let more = ends::more(&self.conn, number, ended)?;
        let place = context(&self.header.run_id, "detail", ended.ordinal as i64, ended.attempt.into());
        Ok(AttemptSeen {
            at: Timestamp::from_millisecond(ended.at).ok(),
            attempt: ended.attempt,
            operator: ended.operator,
            digital: ended.digital(),
            again: ended.kind == kind::AGAIN,
            ordered: ended.kind == kind::ORDERED,
            trans_id: more.trans_id.map(Cow::into_owned),
            fault_code: more.fault_code,
            call_id: more.call_id.map(Cow::into_owned),
            detail: more
                .detail
                .and_then(|sealed| installation.open_sealed(&sealed, &place).ok())
                .map(|text| String::from_utf8_lossy(&text).into_owned()),
        })
    }

    /// The bundle that a paper half ended in, and when.
    fn bundle(&self, ended: &PaperEnded) -> rusqlite::Result<Option<(BundleSeen, Timestamp)>> {
        let seen = self
            .conn
            .prepare_cached("SELECT number, file_name, letters, bytes, at FROM bundle WHERE number = ?1")?
            .query_row([ended.bundle], bundle)
            .optional()?;
        Ok(seen.map(|seen| (seen, Timestamp::from_millisecond(ended.at).unwrap_or_default())))
    }
}

/// What the logs have of a statement: the ends of its digital half with their numbers, and those of its paper half.
type Happened = (Vec<(i64, Ended)>, Vec<PaperEnded>);

/// What tells where a statement waits, and why, beside its place.
struct Waiting {
    routes: Routes,
    /// Operators that refuse our credentials.
    stopped: Vec<i64>,
    /// What is to be sent again by order, and why it was in doubt.
    ordered: BTreeMap<u64, Reason>,
}

/// What pass 2 has made of a statement. Eight bytes, since a report holds one a statement.
#[derive(Clone, Copy)]
struct State {
    digital: u8,
    digital_reason: u8,
    paper: u8,
    paper_reason: u8,
    waits_because: u8,
    under_way: bool,
    operator: i16,
}

impl Default for State {
    fn default() -> Self {
        Self {
            digital: 0,
            digital_reason: 0,
            paper: 0,
            paper_reason: 0,
            waits_because: 0,
            under_way: false,
            operator: -1,
        }
    }
}

impl State {
    fn ended(&mut self, ended: &Ended) {
        let is_final = ended.is_final();
        self.digital = if is_final { ended.kind } else { 0 };
        self.digital_reason = ended.reason as u8;
        self.operator = ended.operator.filter(|_| is_final).map_or(-1, |operator| operator as i16);
    }

    /// The statement of this ordinal waits there, or nowhere.
    fn waits(&mut self, ordinal: u64, place: Place, waiting: &Waiting) {
        let number = match place.at() {
            At::Nowhere => return,
            At::LookUp(reason) => {
                self.waits_because = reason as u8;
                return;
            }
            At::Operator(number) | At::UnderWay(number) => number,
        };
        let operator = waiting.routes.get(number).map_or(-1, |route| route.operator);
        self.operator = operator as i16;
        self.under_way = matches!(place.at(), At::UnderWay(_));
        if waiting.stopped.contains(&operator) && !self.under_way {
            self.waits_because = Reason::OperatorStopped as u8;
        }
        if let Some(reason) = waiting.ordered.get(&ordinal) {
            self.waits_because = *reason as u8;
        }
    }

    fn paper_ended(&mut self, ended: &PaperEnded) {
        self.paper = ended.kind;
        self.paper_reason = ended.reason as u8;
    }
}

fn seen(ordinal: u64, entry: &Entry, state: &State) -> Seen {
    let (fate, wish, reason) = (entry.digital, i64::from(entry.paper), entry.reason);
    let digital = match (fate, state.digital) {
        (0, _) => Digital::Off,
        (UNREACHABLE, _) => Digital::Unreachable(reason),
        (_, kind) => digital_of(kind, reason_of(state.digital_reason.into())),
    };
    let paper = match (wish, state.paper) {
        (WISH_OFF, _) => OnPaper::Off,
        (WISH_FALLBACK, 0) => OnPaper::Fallback,
        (_, kind) => paper_of(kind, reason_of(state.paper_reason.into())),
    };
    let (mut end, mut why) = match entry.outcome {
        Outcome::Pending => outcome(digital, paper),
        ended => (ended, reason),
    };
    if end == Outcome::Pending && digital == Digital::Waiting && state.waits_because != 0 {
        why = reason_of(state.waits_because.into());
    }
    if entry.outcome == Outcome::Pending && fate == 0 && wish == WISH_OFF {
        // A fate that no pass 1 gives: told rather than hidden.
        (end, why) = (Outcome::Pending, Reason::NotYet);
    }
    let at_operator = !matches!(digital, Digital::Off | Digital::Unreachable(_));
    Seen {
        ordinal,
        export: entry.export,
        form: entry.form.and_then(Form::by_number),
        employer: entry.employer.map(|number| number as usize),
        outcome: end,
        reason: why,
        operator: u16::try_from(state.operator).ok().filter(|_| at_operator),
        digital,
        paper,
        under_way: state.under_way,
    }
}

fn tempo(row: &rusqlite::Row<'_>) -> rusqlite::Result<Tempo> {
    Ok(Tempo {
        second: row.get(0)?,
        operator: row.get(1)?,
        delivered: row.get::<_, i64>(2)? as u64,
        other: row.get::<_, i64>(3)? as u64,
    })
}

fn bundle(row: &rusqlite::Row<'_>) -> rusqlite::Result<BundleSeen> {
    Ok(BundleSeen {
        number: row.get(0)?,
        file_name: row.get(1)?,
        letters: row.get(2)?,
        bytes: row.get::<_, i64>(3)? as u64,
        at: optional_time(row, 4)?.unwrap_or_default(),
    })
}

impl std::fmt::Debug for JournalReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalReader").field("file", &self.file).finish_non_exhaustive()
    }
}
