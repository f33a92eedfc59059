//! Reading a journal: pages of what waits, and the few facts of a run.

use super::super::checkpoint::Checkpoint;
use super::super::error::TrackError;
use super::super::installation::Installation;
use super::codes::reason_of;
use super::intents::Intended;
use super::log;
use super::places::{self, At, Place};
use super::routes::Routes;
use super::schema::FILE;
use super::sealed::context;
use super::statements::{self, Neighbours};
use super::{Counts, Intent, OpenIntent, Phase, Routed, RunHeader, Work};
use crate::domain::{ContentDigest, Form, Organisation, Outcome, Reason, Span, StatementKey};
use crate::track::summed;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// What opens sealed columns and turns numbers into employers.
pub(super) struct Keys<'a> {
    pub installation: &'a Installation,
    pub employers: &'a Arc<RwLock<Vec<Organisation>>>,
    pub run: &'a Path,
    /// Pages ask for statements in order.
    pub neighbours: RefCell<Neighbours>,
}

pub(super) fn unreadable(what: &'static str) -> impl Fn(rusqlite::Error) -> TrackError {
    move |error| TrackError::storage(format!("read {what} from the journal"), error)
}

impl Keys<'_> {
    fn work(&self, ordinal: u64, entry: &statements::Entry) -> rusqlite::Result<Work> {
        let lacks = |what| statements::lacks(ordinal, what);
        let employers = self.employers.read().unwrap_or_else(PoisonError::into_inner);
        let employer = entry.employer.and_then(|number| employers.get(number as usize));
        Ok(Work {
            span: Span { ordinal, offset: entry.offset, length: entry.length },
            export: entry.export,
            record: self.installation.uncover(entry.record),
            form: entry.form.and_then(Form::by_number).ok_or_else(|| lacks("form"))?,
            uppgiftslamnare: *employer.ok_or_else(|| lacks("uppgiftslämnare"))?,
            key: entry.key.ok_or_else(|| lacks("key"))?,
            content: entry.content.ok_or_else(|| lacks("content"))?,
            correction: entry.correction,
            protected: false,
        })
    }

    /// The statement of this ordinal.
    fn work_of(&self, conn: &Connection, ordinal: u64) -> rusqlite::Result<Work> {
        self.work(ordinal, &self.neighbours.borrow_mut().of(conn, ordinal)?)
    }

    fn damaged(&self, what: &str) -> TrackError {
        TrackError::Damaged { file: self.run.join(FILE), what: what.to_owned() }
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    moment_of(row.get(column)?)
}

fn moment_of(ms: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, ms))
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(|_| time(row, column)).transpose()
}

pub(super) fn leaving(
    conn: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, StatementKey, ContentDigest)>, TrackError> {
    let query = || {
        let (mut found, mut whole) = (Vec::new(), Ok(()));
        statements::each(conn, after, |ordinal, entry| {
            if found.len() == limit || whole.is_err() {
                return ControlFlow::Break(());
            }
            if entry.digital != 0 || entry.paper != 0 {
                match (entry.key, entry.content) {
                    (Some(key), Some(content)) => found.push((ordinal, key, content)),
                    _ => whole = Err(statements::lacks(ordinal, "key or content")),
                }
            }
            ControlFlow::Continue(())
        })?;
        whole.map(|()| found)
    };
    query().map_err(unreadable("what is to leave"))
}

pub(super) fn to_look_up(
    conn: &Connection,
    keys: &Keys<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<Work>, TrackError> {
    let query = || {
        let moment = conn.unchecked_transaction()?;
        let waits = ordinals(conn, after, limit, |at| matches!(at, At::LookUp(_)))?;
        let all = waits.into_iter().map(|(ordinal, _)| keys.work_of(conn, ordinal)).collect();
        moment.finish().and(all)
    };
    query().map_err(unreadable("what must be looked up"))
}

pub(super) fn paper_waiting(
    conn: &Connection,
    keys: &Keys<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<Work>, TrackError> {
    let query = || {
        let moment = conn.unchecked_transaction()?;
        let mut select =
            conn.prepare_cached("SELECT ordinal FROM paper_queue WHERE ordinal > ?1 ORDER BY 1 LIMIT ?2")?;
        let mut protected = conn.prepare_cached("SELECT EXISTS(SELECT 1 FROM protected WHERE person = ?1)")?;
        let all = select
            .query_map([after as i64, limit as i64], |row| row.get::<_, i64>(0))?
            .map(|ordinal| {
                let ordinal = ordinal? as u64;
                let entry = keys.neighbours.borrow_mut().of(conn, ordinal)?;
                let protected = match &entry.person {
                    Some(person) => protected.query_row([person.0], |row| row.get(0))?,
                    None => false,
                };
                Ok(Work { protected, ..keys.work(ordinal, &entry)? })
            })
            .collect::<rusqlite::Result<_>>();
        drop((select, protected));
        moment.finish().and(all)
    };
    query().map_err(unreadable("what goes on paper"))
}

/// What waits in such a way, after this ordinal, ascending.
fn ordinals(
    conn: &Connection,
    after: u64,
    limit: usize,
    such: impl Fn(At) -> bool,
) -> rusqlite::Result<Vec<(u64, Place)>> {
    let mut found = Vec::new();
    places::each(conn, after + 1, |ordinal, place| {
        if such(place.at()) {
            found.push((ordinal, place));
        }
        if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found)
}

pub(super) fn routed(
    conn: &Connection,
    routes: &mut Routes,
    keys: &Keys<'_>,
    operator: u16,
    after: u64,
    limit: usize,
) -> Result<Vec<Routed>, TrackError> {
    let mut query = || {
        let moment = conn.unchecked_transaction()?;
        routes.read(conn)?;
        let here = |at| matches!(at, At::Operator(number) if routes.get(number).is_some_and(|route| route.operator == i64::from(operator)));
        let mut addresses: HashMap<i64, String> = HashMap::new();
        let waits = ordinals(conn, after, limit, here)?.into_iter().filter_map(|(ordinal, place)| match place.at() {
            At::Operator(number) => Some((ordinal, place, routes.get(number)?)),
            _ => None,
        });
        let mut found = Vec::with_capacity(waits.size_hint().0);
        for (ordinal, place, route) in waits {
            let address = match addresses.entry(route.address) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(text(conn, route.address)?),
            };
            let mut routed = Routed {
                work: keys.work_of(conn, ordinal)?,
                address: address.clone(),
                looked_up: moment_of(route.looked_up)?,
                attempts: 0,
                not_before: None,
                not_delivered: 0,
            };
            if place.tried() {
                (routed.attempts, routed.not_before, routed.not_delivered) = conn
                    .prepare_cached("SELECT attempts, not_before, not_delivered FROM tried WHERE ordinal = ?1")?
                    .query_row([ordinal as i64], |row| Ok((row.get(0)?, optional_time(row, 1)?, row.get(2)?)))?;
            }
            found.push(routed);
        }
        moment.finish()?;
        Ok(found)
    };
    query().map_err(unreadable("an operator's queue"))
}

/// The word of this number.
fn word(conn: &Connection, number: i64) -> rusqlite::Result<Vec<u8>> {
    conn.prepare_cached("SELECT value FROM word WHERE number = ?1")?
        .query_row([number], |row| Ok(summed::entries(number, row.get_ref(0)?.as_blob()?)?.to_vec()))
}

/// All words with their numbers.
pub(super) fn words(conn: &Connection) -> rusqlite::Result<HashMap<Vec<u8>, i64>> {
    let mut all = conn.prepare("SELECT number, value FROM word")?;
    let word = |row: &Row<'_>| {
        let number = row.get(0)?;
        Ok((summed::entries(number, row.get_ref(1)?.as_blob()?)?.to_vec(), number))
    };
    all.query_map([], word)?.collect()
}

/// A word that is a text.
fn text(conn: &Connection, number: i64) -> rusqlite::Result<String> {
    String::from_utf8(word(conn, number)?).map_err(|_| summed::damaged(format!("word {number} is no text")))
}

/// A word that is a digest.
fn digest(conn: &Connection, number: i64) -> rusqlite::Result<[u8; 32]> {
    word(conn, number)?.try_into().map_err(|_| summed::damaged(format!("word {number} is no digest")))
}

/// What an intent has in common with many: operator, and the words for address, date of the seal, certificates of sender
/// and mediator; version of the renderer.
pub(super) type Manner = [i64; 6];

const MANNER: &str =
    "SELECT number, operator, address, seal_date, sender_cert, mediator_cert, renderer, sum FROM manner";

/// A row of [`MANNER`].
fn manner_of(row: &Row<'_>) -> rusqlite::Result<(i64, Manner)> {
    let mut all = [0; 7];
    all.iter_mut().enumerate().try_for_each(|(column, to)| row.get(column).map(|number| *to = number))?;
    summed::check(&all, row.get(7)?)?;
    let [number, manner @ ..] = all;
    Ok((number, manner))
}

/// All manners with their numbers.
pub(super) fn manners(conn: &Connection) -> rusqlite::Result<HashMap<Manner, u32>> {
    let mut all = conn.prepare(MANNER)?;
    let numbered = |row: &Row<'_>| manner_of(row).and_then(|(_, manner)| Ok((manner, row.get(0)?)));
    all.query_map([], numbered)?.collect()
}

/// The manner of this number.
pub(super) fn manner(conn: &Connection, number: u32) -> rusqlite::Result<Manner> {
    conn.prepare_cached(&format!("{MANNER} WHERE number = ?1"))?.query_row([number], |row| Ok(manner_of(row)?.1))
}

/// The last request of a statement that has one under way.
pub(super) struct Flight {
    pub ordinal: u64,
    /// Number of its intent.
    pub intent: i64,
    pub attempt: i64,
}

/// What is under way, ascending by ordinal. *Cost*: reads the intents from the last back to the first of these.
pub(super) fn flights(conn: &Connection) -> rusqlite::Result<Vec<Flight>> {
    let open = ordinals(conn, 0, usize::MAX, |at| matches!(at, At::UnderWay(_)))?;
    let mut open: HashSet<u64> = open.into_iter().map(|(ordinal, _)| ordinal).collect();
    let mut found = Vec::with_capacity(open.len());
    if open.is_empty() {
        return Ok(found);
    }
    log::each(conn, true, |intent, entry: Intended| {
        if open.remove(&entry.ordinal) {
            found.push(Flight { ordinal: entry.ordinal, intent, attempt: entry.attempt.into() });
        }
        if open.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(ordinal) = open.into_iter().next() {
        return Err(summed::damaged(format!("statement {ordinal} is under way without an intent")));
    }
    found.sort_unstable_by_key(|flight| flight.ordinal);
    Ok(found)
}

pub(super) fn open_intents(conn: &Connection, keys: &Keys<'_>) -> Result<Vec<OpenIntent>, TrackError> {
    let query = || {
        let moment = conn.unchecked_transaction()?;
        let ordered = resends(conn)?;
        let all = flights(conn)?.into_iter().map(|flight| {
            let reason = ordered.get(&flight.ordinal).copied().unwrap_or(Reason::None);
            opened(conn, keys, flight.ordinal, flight.intent, reason)
        });
        let all = all.collect::<rusqlite::Result<Vec<_>>>();
        moment.finish().and(all)
    };
    unsealed(conn, keys, query().map_err(unreadable("what is under way"))?)
}

pub(super) fn in_doubt(
    conn: &Connection,
    keys: &Keys<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<OpenIntent>, TrackError> {
    let query = || {
        let moment = conn.unchecked_transaction()?;
        let mut select = conn
            .prepare_cached("SELECT ordinal, intent, reason FROM doubt WHERE ordinal > ?1 ORDER BY ordinal LIMIT ?2")?;
        let all = select
            .query_map([after as i64, limit as i64], |row| {
                Ok((row.get::<_, i64>(0)?, row.get(1)?, reason_of(row.get(2)?)))
            })?
            .map(|of| of.and_then(|(ordinal, intent, reason)| opened(conn, keys, ordinal as u64, intent, reason)))
            .collect::<rusqlite::Result<_>>();
        drop(select);
        moment.finish().and(all)
    };
    unsealed(conn, keys, query().map_err(unreadable("what is in doubt"))?)
}

/// The intent of this number, which is of this statement. *Errors*: it is missing, or another's.
pub(super) fn intent_of(ordinal: u64, number: i64, found: Option<Intended>) -> rusqlite::Result<Intended> {
    match found {
        Some(entry) if entry.ordinal == ordinal => Ok(entry),
        Some(_) => Err(summed::damaged(format!("intent {number} is not of statement {ordinal}"))),
        None => Err(log::missing(number)),
    }
}

/// The request of this number, its secrets still sealed, and its statement.
fn opened(
    conn: &Connection,
    keys: &Keys<'_>,
    ordinal: u64,
    number: i64,
    reason: Reason,
) -> rusqlite::Result<OpenIntent> {
    let entry = intent_of(ordinal, number, log::entry(conn, number)?)?;
    let sealed = conn
        .prepare_cached("SELECT sealed FROM secret WHERE intent = ?1")?
        .query_row([number], |row| row.get(0))
        .optional()?;
    let [operator, address, seal_date, sender_cert, mediator_cert, renderer] = manner(conn, entry.manner)?;
    let small = |number: i64| u32::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, number));
    let intent = Intent {
        ordinal: entry.ordinal,
        attempt: entry.attempt,
        operator: u16::try_from(operator).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, operator))?,
        address: text(conn, address)?,
        at: moment_of(entry.at)?,
        seal_date: text(conn, seal_date)?,
        sender_cert: digest(conn, sender_cert)?,
        mediator_cert: digest(conn, mediator_cert)?,
        renderer: small(renderer)?,
        content_secrets: sealed,
        request_digest: entry.request_digest,
        message_id: entry.message_id,
    };
    Ok(OpenIntent { work: keys.work_of(conn, entry.ordinal)?, intent, reason })
}

/// Opens the secrets of these.
fn unsealed(conn: &Connection, keys: &Keys<'_>, mut found: Vec<OpenIntent>) -> Result<Vec<OpenIntent>, TrackError> {
    let run_id: String = meta(conn, "run_id").map_err(unreadable("the run's id"))?.unwrap_or_default();
    for open in &mut found {
        let place = context(&run_id, "secrets", open.intent.ordinal as i64, open.intent.attempt.into());
        if let Some(sealed) = open.intent.content_secrets.take() {
            let secrets =
                keys.installation.open_sealed(&sealed, &place).map_err(|_| keys.damaged("a sealed content key"))?;
            open.intent.content_secrets = Some(secrets.to_vec());
        }
    }
    Ok(found)
}

pub(super) fn counts(conn: &Connection) -> Result<Counts, TrackError> {
    let query = || -> rusqlite::Result<Counts> {
        let mut counts = Counts::default();
        if phase(conn)? == Phase::Intake {
            statements::each(conn, 0, |_, entry| {
                let pending = entry.outcome == Outcome::Pending;
                let reason = if pending { Reason::NotYet } else { entry.reason };
                *counts.by.entry((entry.outcome, reason)).or_default() += 1;
                ControlFlow::Continue(())
            })?;
            return Ok(counts);
        }
        let mut statement =
            conn.prepare_cached("SELECT kind, reason, sum(count) FROM tally WHERE kind < 100 GROUP BY 1, 2")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (outcome, count): (u8, i64) = (row.get(0)?, row.get(2)?);
            let outcome = Outcome::from_number(outcome).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, 0))?;
            if count != 0 {
                *counts.by.entry((outcome, reason_of(row.get(1)?))).or_default() += count as u64;
            }
        }
        Ok(counts)
    };
    query().map_err(unreadable("the counts"))
}

/// The prefix ends before the least ordinal that stands in a queue; everything else has its outcome.
pub(super) fn checkpoint(conn: &Connection) -> Result<Checkpoint, TrackError> {
    let query = || -> rusqlite::Result<Checkpoint> {
        let statements = statements::last(conn)? as i64;
        if phase(conn)? == Phase::Intake {
            return Ok(Checkpoint { statements: statements as u64, through: 0, beyond: 0 });
        }
        let on_paper: Option<i64> = conn.query_row("SELECT min(ordinal) FROM paper_queue", [], |row| row.get(0))?;
        let first = places::first(conn)?.map(|ordinal| ordinal as i64).into_iter().chain(on_paper).min();
        let pending: i64 = conn.query_row(
            "SELECT coalesce(sum(count), 0) FROM tally WHERE kind = ?1",
            [Outcome::Pending as u8],
            |row| row.get(0),
        )?;
        let through = first.map_or(statements, |first| first - 1);
        Ok(Checkpoint {
            statements: statements as u64,
            through: through as u64,
            beyond: (statements - pending - through).max(0) as u64,
        })
    };
    query().map_err(unreadable("the checkpoint"))
}

pub(super) fn meta<T: rusqlite::types::FromSql>(conn: &Connection, name: &str) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get::<_, Option<T>>(0))
        .optional()
        .map(Option::flatten)
}

pub(super) fn ordered_again(conn: &Connection) -> Result<HashSet<u64>, TrackError> {
    resends(conn).map(|all| all.into_keys().collect()).map_err(unreadable("what is to be sent again"))
}

/// What a person has ordered to be sent again, and why it was in doubt.
pub(super) fn resends(conn: &Connection) -> rusqlite::Result<BTreeMap<u64, Reason>> {
    conn.prepare("SELECT ordinal, reason FROM resend")?
        .query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, reason_of(row.get(1)?))))?
        .collect()
}

pub(super) fn events_of(conn: &Connection, kind: &str) -> Result<u64, TrackError> {
    conn.query_row("SELECT count(*) FROM event WHERE kind = ?1", [kind], |row| row.get::<_, i64>(0))
        .map(|count| count as u64)
        .map_err(unreadable("the events"))
}

pub(super) fn phase(conn: &Connection) -> rusqlite::Result<Phase> {
    let phase: Option<String> = meta(conn, "phase")?;
    Ok(match phase.as_deref() {
        Some("finished") => Phase::Finished,
        Some("released") => Phase::Released,
        _ => Phase::Intake,
    })
}

pub(super) fn key_check(conn: &Connection, file: &Path, installation: &Installation) -> Result<(), TrackError> {
    let check: Option<String> = meta(conn, "key_check").map_err(unreadable("the key check"))?;
    if check.as_deref() == Some(installation.key_check()) {
        Ok(())
    } else {
        Err(TrackError::KeyOther { file: file.to_path_buf() })
    }
}

/// The header; without the installation its sealed parts stay empty.
pub(super) fn header(conn: &Connection, installation: Option<&Installation>) -> Result<RunHeader, TrackError> {
    let failed = unreadable("the run's header");
    let word = |name| meta::<String>(conn, name).map_err(&failed).map(Option::unwrap_or_default);
    let run_id = word("run_id")?;
    let bad = |error: serde_json::Error| TrackError::storage("read the run's header", error);
    let sealed = |name| -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, TrackError> {
        let Some(installation) = installation else { return Ok(None) };
        let sealed: Vec<u8> = meta(conn, name).map_err(&failed)?.unwrap_or_default();
        installation.open_sealed(&sealed, &context(&run_id, name, 0, 0)).map(Some)
    };
    let moment = |text: String| {
        text.parse::<Timestamp>().map_err(|error| TrackError::storage("read a time of the run's header", error))
    };
    let exports = match sealed("exports")? {
        Some(text) => serde_json::from_slice(&text).map_err(bad)?,
        None => Vec::new(),
    };
    let (protected_file, remembered) = match sealed("header")? {
        Some(text) => serde_json::from_slice(&text).map_err(bad)?,
        None => (None, serde_json::Value::Null),
    };
    let config: Vec<u8> = meta(conn, "config_file").map_err(&failed)?.unwrap_or_default();
    Ok(RunHeader {
        created: moment(word("created")?)?,
        config_file: OsString::from_vec(config).into(),
        protected_file,
        exports,
        operators: serde_json::from_str(&word("operators")?).map_err(bad)?,
        deadline: meta::<String>(conn, "deadline").map_err(&failed)?.map(moment).transpose()?,
        remembered,
        run_id,
    })
}

pub(super) fn employers(
    conn: &Connection,
    installation: &Installation,
    run_id: &str,
) -> Result<Vec<Organisation>, TrackError> {
    let failed = unreadable("the employers");
    let query = || -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        conn.prepare("SELECT number, sealed FROM employer ORDER BY number")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    query()
        .map_err(&failed)?
        .into_iter()
        .map(|(number, sealed)| {
            let digits = installation.open_sealed(&sealed, &context(run_id, "employer", number, 0))?;
            // Pattern only: an employer with a wrong check digit is rejected, and still counted by its number.
            std::str::from_utf8(&digits)
                .ok()
                .and_then(|digits| crate::domain::Identity::pattern(digits).ok())
                .map(Organisation::new)
                .ok_or(TrackError::Sealed)
        })
        .collect()
}
