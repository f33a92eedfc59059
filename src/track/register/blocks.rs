//! What a run has sent, in sorted blocks.
//!
//! Keys are digests, so random: a row for each, in the order of a tree that all runs share, cost five times what a run's own
//! order costs, which is written from its first block to its last, a page of the database each. Whoever asks looks once into
//! each run.
//!
//! | table | key | what |
//! |---|---|---|
//! | `kept` | number; run and first key | the entries of a block, ascending by key and content |
//! | `receipt` | run, number | TransIds that are no UUIDs |
//!
//! An entry is 58 bytes:
//!
//! | bytes | what |
//! |---|---|
//! | 16 | key |
//! | 16 | content |
//! | 16 | receipt: the TransId's UUID, or the number of its row in `receipt`, the lowest byte first |
//! | 8 | when it left, milliseconds since 1970, the lowest byte first |
//! | 1 | which halves left: 1 digital, 2 paper, 4 in doubt |
//! | 1 | what there is: 1 a time, 2 a UUID, 4 a row in `receipt` |
//!
//! All entries of one key are in one block, so a run has one block for a key, and no two blocks begin with the same.

use super::{Earlier, halves_left, what};
use crate::domain::{ContentDigest, StatementKey};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

pub(super) const TABLES: &str = "
CREATE TABLE kept(number INTEGER PRIMARY KEY, run INT NOT NULL, first BLOB NOT NULL, entries BLOB NOT NULL);
CREATE UNIQUE INDEX kept_first ON kept(run, first);
CREATE TABLE receipt(run INT, number INT, trans_id TEXT NOT NULL, PRIMARY KEY(run, number)) WITHOUT ROWID;
";

/// Entries of a block: as many as leave its row in one page of the database, 4,061 bytes.
const ENTRIES: usize = 69;
/// Bytes of an entry.
const BYTES: usize = 58;

const TIME: u8 = 1;
const UUID: u8 = 2;
const NUMBERED: u8 = 4;

/// What left of a statement: which halves, when, and the operator's receipt.
///
/// *Shape*: 26 bytes without gaps, as they stand in an entry, since a run that is merged has one of each statement in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::track) struct Dispatch {
    receipt: [u8; 16],
    at: [u8; 8],
    halves: u8,
    there: u8,
}

/// The TransId that an operator has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::track) enum Receipt {
    /// As they come: a UUID in its lower-case form.
    Uuid([u8; 16]),
    /// Another text, by its number in `receipt`.
    Numbered(u64),
}

impl Dispatch {
    /// One that left by this half, or may have.
    pub(in crate::track) fn new(half: u8, at_ms: Option<i64>, receipt: Option<Receipt>) -> Self {
        let mut dispatch = Self { halves: half, ..Self::default() };
        if let Some(at) = at_ms {
            dispatch.at = at.to_le_bytes();
            dispatch.there |= TIME;
        }
        match receipt {
            Some(Receipt::Uuid(uuid)) => {
                dispatch.receipt = uuid;
                dispatch.there |= UUID;
            }
            Some(Receipt::Numbered(number)) => {
                dispatch.receipt = u128::from(number).to_le_bytes();
                dispatch.there |= NUMBERED;
            }
            None => {}
        }
        dispatch
    }

    /// Takes what another knows beside it: its halves, and its time and receipt where there were none.
    pub(in crate::track) fn join(&mut self, other: Self) {
        self.halves |= other.halves;
        if self.there & TIME == 0 {
            self.at = other.at;
            self.there |= other.there & TIME;
        }
        if self.there & (UUID | NUMBERED) == 0 {
            self.receipt = other.receipt;
            self.there |= other.there & (UUID | NUMBERED);
        }
    }

    /// Whether nothing left, and nothing may have.
    pub(in crate::track) const fn is_none(self) -> bool {
        self.halves == 0
    }

    /// Whether the digital half left.
    pub(in crate::track) const fn is_digital(self) -> bool {
        self.halves & halves_left::DIGITAL != 0
    }

    pub(super) fn at_ms(self) -> Option<i64> {
        (self.there & TIME != 0).then(|| i64::from_le_bytes(self.at))
    }

    pub(super) fn receipt(self) -> Option<Receipt> {
        match self.there & (UUID | NUMBERED) {
            0 => None,
            UUID => Some(Receipt::Uuid(self.receipt)),
            _ => Some(Receipt::Numbered(u128::from_le_bytes(self.receipt) as u64)),
        }
    }

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.receipt);
        bytes.extend_from_slice(&self.at);
        bytes.extend_from_slice(&[self.halves, self.there]);
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (receipt, bytes) = bytes.split_first_chunk()?;
        let (at, bytes) = bytes.split_first_chunk()?;
        let [halves, there] = bytes.try_into().ok()?;
        Some(Self { receipt: *receipt, at: *at, halves, there })
    }
}

/// The bytes of a UUID in its lower-case form with hyphens, which gives the same text again.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let (mut uuid, mut digits) = ([0; 16], 0);
    for (place, byte) in text.iter().enumerate() {
        let digit = match (byte, place) {
            (b'-', 8 | 13 | 18 | 23) => continue,
            (_, 8 | 13 | 18 | 23) => return None,
            (b'0'..=b'9', _) => byte - b'0',
            (b'a'..=b'f', _) => byte - b'a' + 10,
            _ => return None,
        };
        let of: &mut u8 = uuid.get_mut(digits / 2)?;
        *of = *of << 4 | digit;
        digits += 1;
    }
    Some(uuid)
}

fn uuid_text(uuid: [u8; 16]) -> String {
    let mut text = format!("{:032x}", u128::from_be_bytes(uuid));
    [20, 16, 12, 8].into_iter().for_each(|place| text.insert(place, '-'));
    text
}

/// The blocks of a run while they are written, in a transaction of the caller's.
pub(super) struct Blocks<'a> {
    conn: &'a Connection,
    run: i64,
    /// The entries of the block under way, its first key, and its last.
    entries: Vec<u8>,
    keys: Option<(StatementKey, StatementKey)>,
    kept: u64,
    receipts: u64,
}

impl<'a> Blocks<'a> {
    /// Begins those of a run, in place of what it had.
    pub(super) fn anew(conn: &'a Connection, run: i64) -> rusqlite::Result<Self> {
        conn.execute("DELETE FROM kept WHERE run = ?1", [run])?;
        conn.execute("DELETE FROM receipt WHERE run = ?1", [run])?;
        Ok(Self { conn, run, entries: Vec::with_capacity(ENTRIES * BYTES), keys: None, kept: 0, receipts: 0 })
    }

    /// What stands for a TransId; where it is no UUID, that is a row.
    pub(super) fn receipt(&mut self, trans_id: &str) -> rusqlite::Result<Receipt> {
        if let Some(uuid) = uuid(trans_id) {
            return Ok(Receipt::Uuid(uuid));
        }
        self.receipts += 1;
        self.conn
            .prepare_cached("INSERT INTO receipt(run, number, trans_id) VALUES (?1, ?2, ?3)")?
            .execute(params![self.run, self.receipts as i64, trans_id])?;
        Ok(Receipt::Numbered(self.receipts))
    }

    /// Adds an entry. They come ascending by key and content, each once.
    pub(super) fn add(
        &mut self,
        key: StatementKey,
        content: ContentDigest,
        dispatch: Dispatch,
    ) -> rusqlite::Result<()> {
        debug_assert!(self.keys.is_none_or(|(_, last)| last <= key));
        let is_full = self.entries.len() >= ENTRIES * BYTES;
        if is_full && self.keys.is_some_and(|(_, last)| last != key) {
            self.write()?;
        }
        self.keys = Some((self.keys.map_or(key, |(first, _)| first), key));
        self.entries.extend_from_slice(&key.0);
        self.entries.extend_from_slice(&content.0);
        dispatch.put(&mut self.entries);
        self.kept += 1;
        Ok(())
    }

    /// Writes the last block; how many entries there are.
    pub(super) fn finish(mut self) -> rusqlite::Result<u64> {
        self.write()?;
        Ok(self.kept)
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        let Some((first, _)) = self.keys.take() else { return Ok(()) };
        self.conn.prepare_cached("INSERT INTO kept(run, first, entries) VALUES (?1, ?2, ?3)")?.execute(params![
            self.run,
            first.0,
            self.entries
        ])?;
        self.entries.clear();
        Ok(())
    }
}

/// Gives what merged runs, other than `run_id`, know of one key. *Cost*: a few seeks a run.
pub(super) fn of_key(
    conn: &Connection,
    run_id: &str,
    key: &StatementKey,
    sink: &mut dyn FnMut(Earlier),
) -> rusqlite::Result<()> {
    // What a reopened run took over before is its journal's to say now.
    let mut select = conn.prepare_cached(
        "SELECT r.run_id, r.number, k.entries FROM run r CROSS JOIN kept k ON k.number =
             (SELECT number FROM kept WHERE run = r.number AND first <= ?1 ORDER BY first DESC LIMIT 1)
         WHERE r.merged IS NOT NULL AND r.run_id <> ?2 ORDER BY r.number",
    )?;
    let mut rows = select.query(params![key.0, run_id])?;
    while let Some(row) = rows.next()? {
        let entries = entries(row.get_ref(2)?.as_blob()?);
        let from = entries.partition_point(|entry| key_of(entry) < Some(&key.0));
        for entry in entries.iter().skip(from).take_while(|entry| key_of(entry) == Some(&key.0)) {
            let Some((content, dispatch)) = rest_of(entry) else { continue };
            let trans_id = match dispatch.receipt() {
                Some(Receipt::Uuid(uuid)) => Some(uuid_text(uuid)),
                Some(Receipt::Numbered(number)) => numbered(conn, row.get(1)?, number)?,
                None => None,
            };
            sink(Earlier {
                key: *key,
                content: ContentDigest(*content),
                run: row.get(0)?,
                what: what(dispatch.halves),
                at: dispatch.at_ms().and_then(|ms| Timestamp::from_millisecond(ms).ok()),
                trans_id,
            });
        }
    }
    Ok(())
}

fn numbered(conn: &Connection, run: i64, number: u64) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT trans_id FROM receipt WHERE run = ?1 AND number = ?2")?
        .query_row([run, number as i64], |row| row.get(0))
        .optional()
}

/// Gives what a run has for each of these statements, which are ascending by key: the statement's place, which halves
/// left, and whether its content is the same.
///
/// *Cost*: two seeks for each block that one of them falls into.
pub(super) fn of_statements(
    conn: &Connection,
    run: i64,
    statements: &[(StatementKey, ContentDigest)],
    sink: &mut dyn FnMut(usize, u8, bool),
) -> rusqlite::Result<()> {
    let mut least = conn.prepare_cached("SELECT min(first) FROM kept WHERE run = ?1")?;
    let Some(least) = least.query_row([run], |row| row.get::<_, Option<[u8; 16]>>(0))? else { return Ok(()) };
    let mut select = conn.prepare_cached(
        "SELECT entries, (SELECT min(first) FROM kept n WHERE n.run = ?1 AND n.first > k.first) FROM kept k
         WHERE run = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
    )?;
    let mut from = statements.partition_point(|of| of.0.0 < least);
    while let Some(asked) = statements.get(from..).filter(|left| !left.is_empty()) {
        let Some((key, _)) = asked.first() else { break };
        let mut rows = select.query(params![run, key.0])?;
        let Some(row) = rows.next()? else { break };
        let next: Option<[u8; 16]> = row.get(1)?;
        let count = next.map_or(asked.len(), |next| asked.partition_point(|of| of.0.0 < next));
        let mut entries = entries(row.get_ref(0)?.as_blob()?);
        for (place, (key, content)) in (from..).zip(asked.iter().take(count)) {
            let below = entries.iter().take_while(|entry| key_of(entry) < Some(&key.0)).count();
            entries = entries.get(below..).unwrap_or_default();
            // They stay for the next statement, whose key may be the same.
            for entry in entries.iter().take_while(|entry| key_of(entry) == Some(&key.0)) {
                if let Some((of, dispatch)) = rest_of(entry) {
                    sink(place, dispatch.halves, *of == content.0);
                }
            }
        }
        from += count;
    }
    Ok(())
}

fn entries(bytes: &[u8]) -> &[[u8; BYTES]] {
    bytes.as_chunks().0
}

fn key_of(entry: &[u8; BYTES]) -> Option<&[u8; 16]> {
    entry.first_chunk()
}

fn rest_of(entry: &[u8; BYTES]) -> Option<(&[u8; 16], Dispatch)> {
    let (_, rest) = entry.split_first_chunk::<16>()?;
    let (content, rest) = rest.split_first_chunk()?;
    Some((content, Dispatch::get(rest)?))
}
