//! The log of intents: what was about to be sent, and all that makes the same bytes again; a row for those of a group.
//!
//! An intent is 72 bytes, and what it has in common with many others stands in `manner`. Those that become durable together
//! are one row, keyed by the number of its first: a row for each made the whole journal a tenth dearer.
//! The sealed content keys of encrypted letters are rows of their own, since they are forgotten when the run ends.

use crate::domain::MessageId;
use rusqlite::{Connection, OptionalExtension, params};
use std::ops::ControlFlow;

/// Bytes of an intent.
const BYTES: usize = 72;

/// What the log has of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub ordinal: u64,
    pub attempt: u32,
    /// Number of what it has in common with others.
    pub manner: u32,
    /// Milliseconds since 1970.
    pub at: i64,
    pub request_digest: [u8; 32],
    pub message_id: MessageId,
}

impl Entry {
    /// *Shape*: ordinal in 8 bytes, attempt and manner in 4 each, time in 8, the lowest byte first; 32 of the digest, 16 of the
    /// id.
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.ordinal.to_le_bytes());
        bytes.extend_from_slice(&self.attempt.to_le_bytes());
        bytes.extend_from_slice(&self.manner.to_le_bytes());
        bytes.extend_from_slice(&self.at.to_le_bytes());
        bytes.extend_from_slice(&self.request_digest);
        bytes.extend_from_slice(&self.message_id.0);
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (ordinal, bytes) = bytes.split_first_chunk()?;
        let (attempt, bytes) = bytes.split_first_chunk()?;
        let (manner, bytes) = bytes.split_first_chunk()?;
        let (at, bytes) = bytes.split_first_chunk()?;
        let (request_digest, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            ordinal: u64::from_le_bytes(*ordinal),
            attempt: u32::from_le_bytes(*attempt),
            manner: u32::from_le_bytes(*manner),
            at: i64::from_le_bytes(*at),
            request_digest: *request_digest,
            message_id: MessageId(bytes.try_into().ok()?),
        })
    }
}

/// The log as the writing thread adds to it.
#[derive(Debug, Default)]
pub(super) struct Intents {
    /// Number of the last.
    last: i64,
    /// Those of the group under way.
    group: Vec<u8>,
}

impl Intents {
    /// The log of a journal.
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { last: last(conn)?, group: Vec::new() })
    }

    /// Adds one to the group's; its number.
    pub(super) fn note(&mut self, entry: &Entry) -> i64 {
        entry.put(&mut self.group);
        self.last += 1;
        self.last
    }

    /// Writes the group's.
    pub(super) fn write(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if self.group.is_empty() {
            return Ok(());
        }
        let first = self.first_of_group();
        conn.prepare_cached("INSERT INTO intent(first, entries) VALUES (?1, ?2)")?
            .execute(params![first, self.group])?;
        self.group.clear();
        Ok(())
    }

    /// The one of this number, the group's included.
    pub(super) fn get(&self, conn: &Connection, number: i64) -> rusqlite::Result<Option<Entry>> {
        match usize::try_from(number - self.first_of_group()) {
            Ok(place) => Ok(self.group.chunks_exact(BYTES).nth(place).and_then(Entry::get)),
            Err(_) => entry(conn, number),
        }
    }

    fn first_of_group(&self) -> i64 {
        self.last - (self.group.len() / BYTES) as i64 + 1
    }
}

/// Number of the last intent of a journal, 0 where there is none.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<i64> {
    let last = conn
        .prepare_cached("SELECT first, length(entries) FROM intent ORDER BY first DESC LIMIT 1")?
        .query_row([], |row| Ok(row.get::<_, i64>(0)? + row.get::<_, i64>(1)? / BYTES as i64 - 1))
        .optional()?;
    Ok(last.unwrap_or(0))
}

/// The intent of this number.
pub(super) fn entry(conn: &Connection, number: i64) -> rusqlite::Result<Option<Entry>> {
    conn.prepare_cached("SELECT first, entries FROM intent WHERE first <= ?1 ORDER BY first DESC LIMIT 1")?
        .query_row([number], |row| {
            let place = usize::try_from(number - row.get::<_, i64>(0)?).unwrap_or(usize::MAX);
            Ok(row.get_ref(1)?.as_blob()?.chunks_exact(BYTES).nth(place).and_then(Entry::get))
        })
        .optional()
        .map(Option::flatten)
}

/// Gives all intents with their numbers, in order, or from the last back, until told to stop.
pub(super) fn each(
    conn: &Connection,
    back: bool,
    mut sink: impl FnMut(i64, Entry) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let order = if back { "DESC" } else { "ASC" };
    let mut select = conn.prepare_cached(&format!("SELECT first, entries FROM intent ORDER BY first {order}"))?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let first: i64 = row.get(0)?;
        let entries = row.get_ref(1)?.as_blob()?.chunks_exact(BYTES);
        let numbered = |(place, entry)| Entry::get(entry).is_some_and(|entry| sink(first + place, entry).is_break());
        let stopped = match back {
            true => {
                let count = entries.len() as i64;
                (0..count).rev().zip(entries.rev()).any(numbered)
            }
            false => (0..).zip(entries).any(numbered),
        };
        if stopped {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbered(number: u64) -> Entry {
        Entry {
            ordinal: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            attempt: number as u32 ^ 0x8000_0000,
            manner: (number as u32).wrapping_mul(77),
            at: -(number as i64),
            request_digest: [number as u8; 32],
            message_id: MessageId([number as u8 ^ 0xff; 16]),
        }
    }

    proptest! {
        /// Whatever groups they come in: each is found by its number, before its group is written and after.
        #[test]
        fn each_is_found_by_its_number(groups in proptest::collection::vec(0_u64..9, 0..9), open in 0_u64..4) {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(super::super::schema::TABLES).unwrap();
            let mut intents = Intents::default();
            let mut count = 0;
            for group in groups.iter().chain([&open]).enumerate() {
                intents.write(&conn).unwrap();
                for _ in 0..*group.1 {
                    count += 1;
                    prop_assert_eq!(intents.note(&numbered(count)), count as i64);
                }
            }
            for number in 0..=count + 1 {
                let wanted = (1..=count).contains(&number).then(|| numbered(number));
                prop_assert_eq!(intents.get(&conn, number as i64).unwrap(), wanted);
            }
            prop_assert_eq!(last(&conn).unwrap(), (count - open) as i64);
            intents.write(&conn).unwrap();
            prop_assert_eq!(Intents::read(&conn).unwrap().last, count as i64);
            for number in 0..=count + 1 {
                let wanted = (1..=count).contains(&number).then(|| numbered(number));
                prop_assert_eq!(entry(&conn, number as i64).unwrap(), wanted);
            }
            for back in [false, true] {
                let mut seen = Vec::new();
                each(&conn, back, |number, entry| {
                    seen.push((number, entry));
                    ControlFlow::Continue(())
                }).unwrap();
                if back {
                    seen.reverse();
                }
                prop_assert_eq!(seen, (1..=count).map(|number| (number as i64, numbered(number))).collect::<Vec<_>>());
            }
        }
    }
}
