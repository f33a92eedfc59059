//! Reading a journal: pages of what waits, and the few facts of a run.

use super::super::checkpoint::Checkpoint;
use super::super::error::TrackError;
use super::super::installation::Installation;
use super::codes::reason_of;
use super::schema::FILE;
use super::sealed::context;
use super::{Counts, Intent, OpenIntent, Phase, Routed, RunHeader, Work};
use crate::domain::{ContentDigest, Form, MessageId, Organisation, Outcome, Span, StatementKey};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// What opens sealed columns and turns numbers into employers.
pub(super) struct Keys<'a> {
    pub installation: &'a Installation,
    pub employers: &'a Arc<RwLock<Vec<Organisation>>>,
    pub run: &'a Path,
}

/// Columns of [`Work`], in the order that [`Keys::work`] reads them.
const WORK: &str =
    "s.ordinal, s.export, s.start, s.length, s.record, s.form, s.employer, s.key, s.content, s.correction";

pub(super) fn unreadable(what: &'static str) -> impl Fn(rusqlite::Error) -> TrackError {
    move |error| TrackError::storage(format!("read {what} from the journal"), error)
}

impl Keys<'_> {
    fn work(&self, row: &Row<'_>) -> rusqlite::Result<Work> {
        let form: u16 = row.get(5)?;
        let employer: usize = row.get::<_, i64>(6)? as usize;
        let missing = |column| rusqlite::Error::IntegralValueOutOfRange(column, -1);
        Ok(Work {
            span: Span {
                ordinal: row.get::<_, i64>(0)? as u64,
                offset: row.get::<_, i64>(2)? as u64,
                length: row.get(3)?,
            },
            export: row.get(1)?,
            record: self.installation.uncover(row.get(4)?),
            form: Form::by_number(form).ok_or_else(|| missing(5))?,
            uppgiftslamnare: self
                .employers
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(employer)
                .copied()
                .ok_or_else(|| missing(6))?,
            key: StatementKey(row.get(7)?),
            content: ContentDigest(row.get(8)?),
            correction: row.get(9)?,
        })
    }

    fn damaged(&self, what: &str) -> TrackError {
        TrackError::Damaged { file: self.run.join(FILE), what: what.to_owned() }
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let ms: i64 = row.get(column)?;
    Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, ms))
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
        conn.prepare_cached(
            "SELECT ordinal, key, content FROM statement WHERE ordinal > ?1 AND (digital <> 0 OR paper <> 0)
             ORDER BY ordinal LIMIT ?2",
        )?
        .query_map([after as i64, limit as i64], |row| {
            Ok((row.get::<_, i64>(0)? as u64, StatementKey(row.get(1)?), ContentDigest(row.get(2)?)))
        })?
        .collect::<rusqlite::Result<_>>()
    };
    query().map_err(unreadable("what is to leave"))
}

pub(super) fn to_look_up(
    conn: &Connection,
    keys: &Keys<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<Work>, TrackError> {
    waiting(conn, keys, "look_up", after, limit).map_err(unreadable("what must be looked up"))
}

pub(super) fn paper_waiting(
    conn: &Connection,
    keys: &Keys<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<Work>, TrackError> {
    waiting(conn, keys, "paper_queue", after, limit).map_err(unreadable("what goes on paper"))
}

fn waiting(conn: &Connection, keys: &Keys<'_>, queue: &str, after: u64, limit: usize) -> rusqlite::Result<Vec<Work>> {
    conn.prepare_cached(&format!(
        "SELECT {WORK} FROM {queue} q CROSS JOIN statement s ON s.ordinal = q.ordinal
         WHERE q.ordinal > ?1 ORDER BY q.ordinal LIMIT ?2"
    ))?
    .query_map([after as i64, limit as i64], |row| keys.work(row))?
    .collect()
}

pub(super) fn routed(
    conn: &Connection,
    keys: &Keys<'_>,
    operator: u16,
    after: u64,
    limit: usize,
) -> Result<Vec<Routed>, TrackError> {
    let query = || {
        conn.prepare_cached(&format!(
            "SELECT {WORK}, w.value, q.looked_up, q.attempts, q.not_before, q.not_delivered
             FROM queue q CROSS JOIN statement s ON s.ordinal = q.ordinal JOIN word w ON w.number = q.address
             WHERE q.operator = ?1 AND q.ordinal > ?2 AND q.intent IS NULL ORDER BY q.ordinal LIMIT ?3"
        ))?
        .query_map([i64::from(operator), after as i64, limit as i64], |row| {
            Ok(Routed {
                work: keys.work(row)?,
                address: text(row, 10)?,
                looked_up: time(row, 11)?,
                attempts: row.get(12)?,
                not_before: optional_time(row, 13)?,
                not_delivered: row.get(14)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
    };
    query().map_err(unreadable("an operator's queue"))
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    String::from_utf8(row.get(column)?).map_err(|error| rusqlite::Error::Utf8Error(column, error.utf8_error()))
}

const INTENT: &str =
    "i.ordinal, i.attempt, i.operator, a.value, i.at, i.seal_date, c.value, m.value, i.renderer, i.secrets,
    i.request_digest, i.message_id";

pub(super) fn open_intents(conn: &Connection, keys: &Keys<'_>) -> Result<Vec<OpenIntent>, TrackError> {
    intents(
        conn,
        keys,
        &format!(
            "SELECT {WORK}, 0, {INTENT} FROM queue q CROSS JOIN statement s ON s.ordinal = q.ordinal
             JOIN intent i ON i.number = q.intent JOIN word a ON a.number = i.address
             JOIN word c ON c.number = i.sender_cert JOIN word m ON m.number = i.mediator_cert
             WHERE q.intent IS NOT NULL AND q.ordinal > ?1 ORDER BY q.ordinal LIMIT ?2"
        ),
        [0, i64::MAX],
    )
}

pub(super) fn in_doubt(
    conn: &Connection,
    keys: &Keys<'_>,
    after: u64,
    limit: usize,
) -> Result<Vec<OpenIntent>, TrackError> {
    intents(
        conn,
        keys,
        &format!(
            "SELECT {WORK}, q.reason, {INTENT} FROM doubt q CROSS JOIN statement s ON s.ordinal = q.ordinal
             JOIN intent i ON i.number = q.intent JOIN word a ON a.number = i.address
             JOIN word c ON c.number = i.sender_cert JOIN word m ON m.number = i.mediator_cert
             WHERE q.ordinal > ?1 ORDER BY q.ordinal LIMIT ?2"
        ),
        [after as i64, limit as i64],
    )
}

fn intents(conn: &Connection, keys: &Keys<'_>, sql: &str, params: [i64; 2]) -> Result<Vec<OpenIntent>, TrackError> {
    let run_id: String = meta(conn, "run_id").map_err(unreadable("the run's id"))?.unwrap_or_default();
    let query = || {
        conn.prepare_cached(sql)?
            .query_map(params, |row| {
                let intent = Intent {
                    ordinal: row.get::<_, i64>(11)? as u64,
                    attempt: row.get(12)?,
                    operator: row.get(13)?,
                    address: text(row, 14)?,
                    at: time(row, 15)?,
                    seal_date: row.get(16)?,
                    sender_cert: row.get(17)?,
                    mediator_cert: row.get(18)?,
                    renderer: row.get(19)?,
                    content_secrets: row.get(20)?,
                    request_digest: row.get(21)?,
                    message_id: MessageId(row.get(22)?),
                };
                Ok(OpenIntent { work: keys.work(row)?, intent, reason: reason_of(row.get(10)?) })
            })?
            .collect::<Result<Vec<_>, _>>()
    };
    let mut found = query().map_err(unreadable("what is in doubt"))?;
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
        let sql = if phase(conn)? == Phase::Intake {
            "SELECT outcome, CASE outcome WHEN 12 THEN 62 ELSE reason END, count(*) FROM statement GROUP BY 1, 2"
        } else {
            "SELECT kind, reason, sum(count) FROM tally WHERE kind < 100 GROUP BY 1, 2"
        };
        let mut counts = Counts::default();
        let mut statement = conn.prepare_cached(sql)?;
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
        let statements: i64 =
            conn.query_row("SELECT coalesce(max(ordinal), 0) FROM statement", [], |row| row.get(0))?;
        if phase(conn)? == Phase::Intake {
            return Ok(Checkpoint { statements: statements as u64, through: 0, beyond: 0 });
        }
        let least = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let mut first = [least("SELECT min(ordinal) FROM look_up")?, least("SELECT min(ordinal) FROM paper_queue")?]
            .into_iter()
            .flatten()
            .min();
        // One seek an operator: the next operator after the last one seen.
        let mut operator: Option<i64> = conn.query_row("SELECT min(operator) FROM queue", [], |row| row.get(0))?;
        while let Some(number) = operator {
            let least = conn.query_row("SELECT min(ordinal) FROM queue WHERE operator = ?1", [number], |row| {
                row.get::<_, i64>(0)
            })?;
            first = Some(first.map_or(least, |first| first.min(least)));
            operator =
                conn.query_row("SELECT min(operator) FROM queue WHERE operator > ?1", [number], |row| row.get(0))?;
        }
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

pub(super) fn ordered_again(conn: &Connection) -> Result<std::collections::HashSet<u64>, TrackError> {
    let query = || -> rusqlite::Result<Vec<i64>> {
        conn.prepare("SELECT ordinal FROM resend")?.query_map([], |row| row.get(0))?.collect()
    };
    query()
        .map(|all| all.into_iter().map(|ordinal| ordinal as u64).collect())
        .map_err(unreadable("what is to be sent again"))
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
