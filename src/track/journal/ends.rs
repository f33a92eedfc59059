//! The logs of ends: how each attempt and each digital half ended, and how each paper half did.
//!
//! A TransId that is a UUID, as most are, goes along in the entry. What few entries have is a row of its own in `more`, by
//! the entry's number: another TransId, a fault's code and CallId, a sealed detail.

use super::codes::{digital_of, reason_of};
use super::log::{Entry, Log};
use super::schema::kind;
use crate::domain::Reason;
use crate::track::halves::Digital;
use crate::track::trans_id::TransId;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use std::borrow::Cow;

/// What the log has of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub ordinal: u64,
    /// Number of its kind, see [`kind`].
    pub kind: u8,
    pub reason: Reason,
    /// Where; `None` without an operator.
    pub operator: Option<u16>,
    /// Which attempt; 0 where none was made.
    pub attempt: u32,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The TransId, where it is a UUID.
    pub uuid: Option<[u8; 16]>,
    /// Table `more` has a row for it.
    pub more: bool,
}

/// Bits of an entry's marks.
const UUID: u8 = 1;
const MORE: u8 = 2;
/// The number in the place of an operator's where there is none.
const NO_OPERATOR: u16 = u16::MAX;

impl Ended {
    /// An end at no operator, without an attempt.
    pub(super) fn new(ordinal: u64, kind: u8, reason: Reason, at: Timestamp) -> Self {
        let at = at.as_millisecond();
        Self { ordinal, kind, reason, operator: None, attempt: 0, at, uuid: None, more: false }
    }

    /// The same of this attempt at this operator, by their numbers; at none where that is negative.
    pub(super) fn by(self, operator: i64, attempt: i64) -> Self {
        Self { operator: u16::try_from(operator).ok(), attempt: u32::try_from(attempt).unwrap_or(u32::MAX), ..self }
    }

    /// The half ended so; otherwise it waits again.
    pub(super) const fn is_final(&self) -> bool {
        !matches!(self.kind, kind::OVER | kind::AGAIN | kind::ORDERED)
    }

    /// The state of the half after it.
    pub(super) fn digital(&self) -> Digital {
        digital_of(self.kind, self.reason)
    }
}

impl Entry for Ended {
    const TABLE: &'static str = "digital";
    const BYTES: usize = 41;

    /// *Shape*: ordinal in 8 bytes; kind, reason and marks in one each; operator in 2, attempt in 4, time in 8, the lowest
    /// byte first; 16 of the UUID.
    fn put(&self, bytes: &mut Vec<u8>) {
        let marks = if self.uuid.is_some() { UUID } else { 0 } | if self.more { MORE } else { 0 };
        bytes.extend_from_slice(&self.ordinal.to_le_bytes());
        bytes.extend_from_slice(&[self.kind, self.reason as u8, marks]);
        bytes.extend_from_slice(&self.operator.unwrap_or(NO_OPERATOR).to_le_bytes());
        bytes.extend_from_slice(&self.attempt.to_le_bytes());
        bytes.extend_from_slice(&self.at.to_le_bytes());
        bytes.extend_from_slice(&self.uuid.unwrap_or_default());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (ordinal, bytes) = bytes.split_first_chunk()?;
        let ([kind, reason, marks], bytes) = bytes.split_first_chunk()?;
        let (operator, bytes) = bytes.split_first_chunk()?;
        let (attempt, bytes) = bytes.split_first_chunk()?;
        let (at, bytes) = bytes.split_first_chunk()?;
        let uuid: [u8; 16] = bytes.try_into().ok()?;
        Some(Self {
            ordinal: u64::from_le_bytes(*ordinal),
            kind: *kind,
            reason: reason_of((*reason).into()),
            operator: Some(u16::from_le_bytes(*operator)).filter(|operator| *operator != NO_OPERATOR),
            attempt: u32::from_le_bytes(*attempt),
            at: i64::from_le_bytes(*at),
            uuid: (marks & UUID != 0).then_some(uuid),
            more: marks & MORE != 0,
        })
    }
}

/// What the log has of the end of a paper half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PaperEnded {
    pub ordinal: u64,
    /// Number of its kind, see [`kind`].
    pub kind: u8,
    pub reason: Reason,
    /// Number of its bundle; 0 where it is in none.
    pub bundle: u32,
    /// Milliseconds since 1970.
    pub at: i64,
}

impl Entry for PaperEnded {
    const TABLE: &'static str = "paper";
    const BYTES: usize = 22;

    /// *Shape*: ordinal in 8 bytes; kind and reason in one each; bundle in 4, time in 8, the lowest byte first.
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.ordinal.to_le_bytes());
        bytes.extend_from_slice(&[self.kind, self.reason as u8]);
        bytes.extend_from_slice(&self.bundle.to_le_bytes());
        bytes.extend_from_slice(&self.at.to_le_bytes());
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (ordinal, bytes) = bytes.split_first_chunk()?;
        let ([kind, reason], bytes) = bytes.split_first_chunk()?;
        let (bundle, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            ordinal: u64::from_le_bytes(*ordinal),
            kind: *kind,
            reason: reason_of((*reason).into()),
            bundle: u32::from_le_bytes(*bundle),
            at: i64::from_le_bytes(bytes.try_into().ok()?),
        })
    }
}

/// What few ends of digital halves have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct More<'a> {
    /// The operator's TransId. It goes along in the entry where that holds it.
    pub trans_id: Option<Cow<'a, str>>,
    /// The fault's ErrorCode.
    pub fault_code: Option<u32>,
    /// The fault's CallId.
    pub call_id: Option<Cow<'a, str>>,
    /// What else is known, sealed.
    pub detail: Option<Vec<u8>>,
}

/// Adds an end to the log, with what few have.
pub(super) fn note(
    log: &mut Log<Ended>,
    conn: &Connection,
    mut ended: Ended,
    mut more: More<'_>,
) -> rusqlite::Result<()> {
    ended.uuid = more.trans_id.as_deref().and_then(TransId::uuid);
    more.trans_id = more.trans_id.filter(|_| ended.uuid.is_none());
    ended.more = more != More::default();
    let number = log.note(&ended);
    if ended.more {
        conn.prepare_cached(
            "INSERT INTO more(number, trans_id, fault_code, call_id, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![number, more.trans_id, more.fault_code, more.call_id, more.detail])?;
    }
    Ok(())
}

/// What the entry of this number has beside itself, and its TransId in any case.
pub(super) fn more(conn: &Connection, number: i64, ended: &Ended) -> rusqlite::Result<More<'static>> {
    let mut more = match ended.more {
        false => More::default(),
        true => conn
            .prepare_cached("SELECT trans_id, fault_code, call_id, detail FROM more WHERE number = ?1")?
            .query_row([number], |row| {
                let text = |column| row.get::<_, Option<String>>(column).map(|text| text.map(Cow::Owned));
                Ok(More { trans_id: text(0)?, fault_code: row.get(1)?, call_id: text(2)?, detail: row.get(3)? })
            })?,
    };
    more.trans_id = ended.uuid.map(|uuid| Cow::Owned(TransId::Uuid(uuid).to_string())).or(more.trans_id);
    Ok(more)
}

/// The TransId of the entry of this number.
pub(super) fn trans_id(conn: &Connection, number: i64, ended: &Ended) -> rusqlite::Result<Option<TransId>> {
    match ended.uuid {
        Some(uuid) => Ok(Some(TransId::Uuid(uuid))),
        None => Ok(more(conn, number, ended)?.trans_id.map(|text| TransId::Text(text.into_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::log;
    use super::*;
    use proptest::prelude::*;
    use std::ops::ControlFlow;

    proptest! {
        #[test]
        fn what_is_noted_is_read(
            (ordinal, kind, reason) in (any::<u64>(), 1_u8..10, 0_u8..70),
            (operator, attempt, at) in (proptest::option::of(0..u16::MAX), any::<u32>(), any::<i64>()),
            receipt in proptest::option::of("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[ -~]{0,40}"),
            (fault_code, call_id) in any::<(Option<u32>, Option<String>)>(),
            detail in any::<Option<Vec<u8>>>(),
        ) {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(super::super::schema::TABLES).unwrap();
            let reason = reason_of(reason.into());
            let ended = Ended { ordinal, kind, reason, operator, attempt, at, uuid: None, more: false };
            let call_id = call_id.map(Cow::Owned);
            let wanted = More { trans_id: receipt.map(Cow::Owned), fault_code, call_id, detail };
            let mut log = Log::default();
            note(&mut log, &conn, ended, wanted.clone()).unwrap();
            log.write(&conn).unwrap();
            let mut seen = Vec::new();
            log::each(&conn, false, |number, entry: Ended| {
                seen.push((number, entry));
                ControlFlow::Continue(())
            }).unwrap();
            let (number, entry) = seen.pop().unwrap();
            prop_assert!(seen.is_empty());
            prop_assert_eq!(more(&conn, number, &entry).unwrap(), wanted.clone());
            let receipt = trans_id(&conn, number, &entry).unwrap();
            prop_assert_eq!(receipt, wanted.trans_id.map(|text| TransId::from(text.into_owned())));
            prop_assert_eq!(Ended { uuid: None, more: false, ..entry }, ended);
        }

        #[test]
        fn the_end_of_a_paper_half_is_read(
            (ordinal, kind, reason, bundle, at) in (any::<u64>(), any::<u8>(), 0_u8..70, any::<u32>(), any::<i64>()),
        ) {
            let ended = PaperEnded { ordinal, kind, reason: reason_of(reason.into()), bundle, at };
            let mut bytes = Vec::new();
            ended.put(&mut bytes);
            prop_assert_eq!(bytes.len(), PaperEnded::BYTES);
            prop_assert_eq!(PaperEnded::get(&bytes), Some(ended));
        }
    }
}
