//! What a run has sent, in sorted blocks.
//!
//! Keys are digests, so random: to sort a row for each into a tree that all runs share cost 9,800 instructions a statement.
//! A run's own blocks are written from the first to the last, a page of the database each. Whoever asks looks once into each
//! run.
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
//! Behind the entries stand the first key of the next block, all ones in the last, and a sum over both and the run's number
//! (`summed.rs`). The first block of a run begins at the least key there could be. So a run's blocks tell what to find for
//! any key: one that is missing, or found in the place of another, is told, and what it has is not sent again.
//!
//! All entries of one key are in one block, so a run has one block for a key, and no two blocks begin with the same.

use super::{Earlier, halves_left, what};
use crate::domain::{ContentDigest, StatementKey};
use crate::track::summed;
use crate::track::trans_id::TransId;
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

/// Bytes of the next block's first key.
const NEXT: usize = 16;
const LEAST: [u8; 16] = [0; 16];
const GREATEST: [u8; 16] = [0xff; 16];

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

    /// Whether nothing left, nor may have.
    pub(in crate::track) const fn is_none(self) -> bool {
        self.halves == 0
    }

    /// Whether the digital half left.
    pub(in crate::track) const fn is_digital(self) -> bool {
        self.halves & halves_left::DIGITAL != 0
    }

    /// Bits of [`halves_left`].
    pub(in crate::track) const fn halves(self) -> u8 {
        self.halves
    }

    pub(in crate::track) fn at_ms(self) -> Option<i64> {
        (self.there & TIME != 0).then(|| i64::from_le_bytes(self.at))
    }

    pub(in crate::track) fn receipt(self) -> Option<Receipt> {
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

/// The blocks of a run while they are written, in a transaction of the caller's.
pub(super) struct Blocks<'a> {
    conn: &'a Connection,
    run: i64,
    /// The entries of the block under way, the key that it begins at, and its last.
    entries: Vec<u8>,
    first: [u8; 16],
    last: Option<StatementKey>,
    kept: u64,
    receipts: u64,
}

impl<'a> Blocks<'a> {
    /// Begins those of a run, in place of what it had.
    pub(super) fn anew(conn: &'a Connection, run: i64) -> rusqlite::Result<Self> {
        conn.execute("DELETE FROM kept WHERE run = ?1", [run])?;
        conn.execute("DELETE FROM receipt WHERE run = ?1", [run])?;
        let entries = Vec::with_capacity(ENTRIES * BYTES + NEXT + 4);
        Ok(Self { conn, run, entries, first: LEAST, last: None, kept: 0, receipts: 0 })
    }

    /// What stands for a TransId; where it is no UUID, that is a row.
    pub(super) fn receipt(&mut self, trans_id: TransId) -> rusqlite::Result<Receipt> {
        let text = match trans_id {
            TransId::Uuid(uuid) => return Ok(Receipt::Uuid(uuid)),
            TransId::Text(text) => text,
        };
        self.receipts += 1;
        self.conn
            .prepare_cached("INSERT INTO receipt(run, number, trans_id) VALUES (?1, ?2, ?3)")?
            .execute(params![self.run, self.receipts as i64, text])?;
        Ok(Receipt::Numbered(self.receipts))
    }

    /// Adds an entry. They come ascending by key and content, each once.
    pub(super) fn add(
        &mut self,
        key: StatementKey,
        content: ContentDigest,
        dispatch: Dispatch,
    ) -> rusqlite::Result<()> {
        debug_assert!(self.last.is_none_or(|last| last <= key));
        let is_full = self.entries.len() >= ENTRIES * BYTES;
        if is_full && self.last.is_some_and(|last| last != key) {
            self.write(key.0)?;
            self.first = key.0;
        }
        self.last = Some(key);
        self.entries.extend_from_slice(&key.0);
        self.entries.extend_from_slice(&content.0);
        dispatch.put(&mut self.entries);
        self.kept += 1;
        Ok(())
    }

    /// Writes the last block; how many entries there are.
    pub(super) fn finish(mut self) -> rusqlite::Result<u64> {
        if self.kept > 0 {
            self.write(GREATEST)?;
        }
        Ok(self.kept)
    }

    /// Writes the block under way, after which the next begins with this key.
    fn write(&mut self, next: [u8; 16]) -> rusqlite::Result<()> {
        self.entries.extend_from_slice(&next);
        summed::add(self.run, &mut self.entries);
        self.conn.prepare_cached("INSERT INTO kept(run, first, entries) VALUES (?1, ?2, ?3)")?.execute(params![
            self.run,
            self.first,
            self.entries
        ])?;
        self.entries.clear();
        Ok(())
    }
}

/// A run that was merged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merged {
    pub number: i64,
    /// How many entries it has.
    pub taken: i64,
}

/// One of a run's blocks, as it lies on disk.
struct Block(Vec<u8>);

impl Block {
    /// The block that has this key's entries, if there are any; `None` for a run that has nothing.
    ///
    /// *Errors*: it is missing, or not what was written.
    fn of(conn: &Connection, run: Merged, key: &StatementKey) -> rusqlite::Result<Option<Self>> {
        let found = conn
            .prepare_cached(
                "SELECT first, entries FROM kept WHERE run = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
            )?
            .query_row(params![run.number, key.0], |row| {
                let block = Self(summed::entries(run.number, row.get_ref(1)?.as_blob()?)?.to_vec());
                Ok((row.get::<_, [u8; 16]>(0)?, block))
            })
            .optional()?;
        let Some((first, block)) = found else {
            return if run.taken == 0 { Ok(None) } else { Err(missing(run.number)) };
        };
        let begins = first == LEAST || block.entries().first().and_then(key_of) == Some(&first);
        if begins && block.is_before_next(key) { Ok(Some(block)) } else { Err(missing(run.number)) }
    }

    fn entries(&self) -> &[[u8; BYTES]] {
        let entries = self.0.len().saturating_sub(NEXT);
        self.0.get(..entries).unwrap_or_default().as_chunks().0
    }

    /// Whether a key that is not before this block is not in a later one either.
    fn is_before_next(&self, key: &StatementKey) -> bool {
        self.next().is_some_and(|next| key.0 < *next || *next == GREATEST)
    }

    /// The key that the next block begins with.
    fn next(&self) -> Option<&[u8; NEXT]> {
        self.0.last_chunk()
    }
}

/// Sees that every run's blocks are there, one after the other, as they were written.
pub(super) fn examine(conn: &Connection) -> rusqlite::Result<()> {
    let mut runs = conn.prepare("SELECT number, taken FROM run WHERE taken > 0")?;
    let runs = runs.query_map([], |row| Ok(Merged { number: row.get(0)?, taken: row.get(1)? }))?;
    for run in runs {
        let run = run?;
        let mut at = StatementKey(LEAST);
        loop {
            let block = Block::of(conn, run, &at)?.ok_or_else(|| missing(run.number))?;
            match block.next() {
                None => return Err(missing(run.number)),
                Some(&GREATEST) => break,
                // Blocks ascend; one that does not would be found again and again.
                Some(next) if *next > at.0 => at = StatementKey(*next),
                Some(_) => return Err(missing(run.number)),
            }
        }
    }
    Ok(())
}

fn missing(run: i64) -> rusqlite::Error {
    summed::damaged(format!("a block of run {run} is missing, or in another's place"))
}

/// Gives what this merged run, of this id, knows of one key. *Cost*: a few seeks.
pub(super) fn of_key(
    conn: &Connection,
    run: Merged,
    run_id: &str,
    key: &StatementKey,
    sink: &mut dyn FnMut(Earlier),
) -> rusqlite::Result<()> {
    let Some(block) = Block::of(conn, run, key)? else { return Ok(()) };
    let entries = block.entries();
    let from = entries.partition_point(|entry| key_of(entry) < Some(&key.0));
    for entry in entries.iter().skip(from).take_while(|entry| key_of(entry) == Some(&key.0)) {
        let Some((content, dispatch)) = rest_of(entry) else { continue };
        let trans_id = match dispatch.receipt() {
            Some(Receipt::Uuid(uuid)) => Some(TransId::Uuid(uuid).to_string()),
            Some(Receipt::Numbered(number)) => numbered(conn, run.number, number)?,
            None => None,
        };
        sink(Earlier {
            key: *key,
            content: ContentDigest(*content),
            run: run_id.to_owned(),
            what: what(dispatch.halves()),
            at: dispatch.at_ms().and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            trans_id,
        });
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
/// *Cost*: a seek for each block that one of them falls into.
pub(super) fn of_statements(
    conn: &Connection,
    run: Merged,
    statements: &[(StatementKey, ContentDigest)],
    sink: &mut dyn FnMut(usize, u8, bool),
) -> rusqlite::Result<()> {
    let mut from = 0;
    while let Some((key, _)) = statements.get(from) {
        let Some(block) = Block::of(conn, run, key)? else { return Ok(()) };
        let mut entries = block.entries();
        let asked = statements.iter().skip(from).take_while(|of| block.is_before_next(&of.0));
        for (place, (key, content)) in (from..).zip(asked) {
            let below = entries.iter().take_while(|entry| key_of(entry) < Some(&key.0)).count();
            entries = entries.get(below..).unwrap_or_default();
            // They stay for the next statement, whose key may be the same.
            for entry in entries.iter().take_while(|entry| key_of(entry) == Some(&key.0)) {
                if let Some((of, dispatch)) = rest_of(entry) {
                    sink(place, dispatch.halves(), *of == content.0);
                }
            }
            // The first is before the next block's, as was seen above.
            from = place + 1;
        }
    }
    Ok(())
}

fn key_of(entry: &[u8; BYTES]) -> Option<&[u8; 16]> {
    entry.first_chunk()
}

fn rest_of(entry: &[u8; BYTES]) -> Option<(&[u8; 16], Dispatch)> {
    let (_, rest) = entry.split_first_chunk::<16>()?;
    let (content, rest) = rest.split_first_chunk()?;
    Some((content, Dispatch::get(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What a run has sent, and its TransIds as texts.
    type Sent = BTreeMap<(StatementKey, ContentDigest), (u8, Option<i64>, Option<String>)>;

    /// Few, close together and far apart.
    fn key(number: u8) -> StatementKey {
        let mut key = [0; 16];
        (key[0], key[15]) = (number / 4 * 17, number % 4);
        StatementKey(key)
    }

    fn trans_id() -> impl Strategy<Value = Option<String>> {
        let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
        prop_oneof![
            Just(None),
            uuid.prop_map(Some),
            uuid.prop_map(|text| Some(text.to_uppercase())),
            "[ -~]{0,40}".prop_map(Some),
        ]
    }

    /// Up to five blocks, and now and then more contents of one key than a block has room for.
    fn sent() -> impl Strategy<Value = Sent> {
        let one = ((0_u8..61, any::<u8>()), (1_u8..8, any::<Option<i32>>(), trans_id()));
        let many = prop_oneof![4 => Just(0_u8), 1 => 1..200_u8];
        (proptest::collection::vec(one, 0..300), 0_u8..61, many).prop_map(|(all, crowded, many)| {
            let crowd = (0..many).map(|content| ((crowded, content), (1, None, None)));
            crowd
                .chain(all.into_iter().map(|(of, (halves, at, trans_id))| (of, (halves, at.map(i64::from), trans_id))))
                .map(|((of, content), what)| ((key(of), ContentDigest([content; 16])), what))
                .collect()
        })
    }

    pub(in crate::track::register) fn write(conn: &Connection, run: i64, sent: &Sent) {
        let mut blocks = Blocks::anew(conn, run).unwrap();
        for ((key, content), (halves, at, trans_id)) in sent {
            let receipt = trans_id.as_ref().map(|trans_id| blocks.receipt(trans_id.clone().into()).unwrap());
            blocks.add(*key, *content, Dispatch::new(*halves, *at, receipt)).unwrap();
        }
        assert_eq!(blocks.finish().unwrap(), sent.len() as u64);
    }

    fn register(runs: &[(bool, Sent)]) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(TABLES).unwrap();
        conn.execute_batch("CREATE TABLE run(number INTEGER PRIMARY KEY, run_id TEXT, merged INT, taken INT)").unwrap();
        for (number, (merged, sent)) in (1..).zip(runs) {
            let values = params![number, format!("run {number}"), merged.then_some(1), sent.len() as i64];
            conn.execute("INSERT INTO run VALUES (?1, ?2, ?3, ?4)", values).unwrap();
            write(&conn, number, sent);
        }
        conn
    }

    fn all(run: i64, runs: &[(bool, Sent)]) -> Merged {
        Merged { number: run, taken: runs[run as usize - 1].1.len() as i64 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever runs have sent, each key is answered as by a plain map: one at a time, and many together.
        #[test]
        fn what_was_sent_is_known(
            runs in proptest::collection::vec((prop::bool::weighted(0.8), sent()), 1..4),
            mut asked in proptest::collection::vec((0_u8..62, any::<u8>()), 0..80),
        ) {
            let conn = register(&runs);
            // The first run asks.
            for number in 0..62 {
                let mut found = Vec::new();
                for (run, _) in (1..).zip(&runs).skip(1).filter(|(_, (merged, _))| *merged) {
                    of_key(&conn, all(run, &runs), &format!("run {run}"), &key(number), &mut |earlier| found.push(earlier))
                        .unwrap();
                }
                let mut wanted = Vec::new();
                for (run, (_, sent)) in (1..).zip(&runs).skip(1).filter(|(_, (merged, _))| *merged) {
                    for ((key, content), (halves, at, trans_id)) in sent.iter().filter(|(of, _)| of.0 == key(number)) {
                        wanted.push(Earlier {
                            key: *key,
                            content: *content,
                            what: what(*halves),
                            run: format!("run {run}"),
                            at: at.map(|at| Timestamp::from_millisecond(at).unwrap()),
                            trans_id: trans_id.clone(),
                        });
                    }
                }
                prop_assert_eq!(found, wanted);
            }
            asked.sort_unstable();
            let asked: Vec<_> = asked.iter().map(|of| (key(of.0), ContentDigest([of.1; 16]))).collect();
            for (run, (_, sent)) in (1..).zip(&runs) {
                let mut found = Vec::new();
                of_statements(&conn, all(run, &runs), &asked, &mut |place, halves, same| found.push((place, halves, same))).unwrap();
                let mut wanted = Vec::new();
                for (place, of) in asked.iter().enumerate() {
                    let of_key = sent.iter().filter(|(sent, _)| sent.0 == of.0);
                    wanted.extend(of_key.map(|(sent, (halves, ..))| (place, *halves, sent.1 == of.1)));
                }
                prop_assert_eq!(found, wanted);
            }
        }

        /// No block is without entries, longer than a page unless all of it is one key's, or cut within a key.
        #[test]
        fn blocks_break_between_keys(sent in sent()) {
            let conn = register(&[(true, sent)]);
            let mut select = conn.prepare("SELECT first, entries FROM kept ORDER BY first").unwrap();
            let mut rows = select.query([]).unwrap();
            let mut before = None;
            while let Some(row) = rows.next().unwrap() {
                let block = Block(summed::entries(1, row.get_ref(1).unwrap().as_blob().unwrap()).unwrap().to_vec());
                let keys: Vec<[u8; 16]> = block.entries().iter().map(|entry| *key_of(entry).unwrap()).collect();
                let first = if before.is_none() { LEAST } else { keys[0] };
                prop_assert_eq!(first, row.get::<_, [u8; 16]>(0).unwrap());
                prop_assert!(before < keys.first().copied());
                let fits = keys.iter().take_while(|key| Some(*key) != keys.last()).count() < ENTRIES;
                prop_assert!(keys.is_sorted() && fits);
                before = keys.last().copied();
            }
        }

        /// Two that know of the same statement know together what either knows, the first before the second.
        #[test]
        fn what_two_know_is_joined(
            one in (1_u8..8, any::<Option<i64>>(), prop::option::of(any::<u64>())),
            other in (1_u8..8, any::<Option<i64>>(), prop::option::of(any::<[u8; 16]>())),
        ) {
            let (numbered, uuid) = (one.2.map(Receipt::Numbered), other.2.map(Receipt::Uuid));
            let mut joined = Dispatch::default();
            prop_assert!(joined.is_none());
            joined.join(Dispatch::new(one.0, one.1, numbered));
            joined.join(Dispatch::new(other.0, other.1, uuid));
            prop_assert_eq!(joined, Dispatch::new(one.0 | other.0, one.1.or(other.1), numbered.or(uuid)));
            prop_assert_eq!((joined.at_ms(), joined.receipt()), (one.1.or(other.1), numbered.or(uuid)));
        }
    }

    /// Else it would be sent again.
    #[test]
    fn what_a_disk_has_changed_is_told() {
        let numbered = |number: u8| StatementKey([number; 16]);
        let sent: Sent = (1..=200_u8).map(|of| ((numbered(of), ContentDigest([1; 16])), (1, None, None))).collect();
        let asked: Vec<_> = sent.keys().copied().collect();
        let known = |conn: &Connection| {
            let run = Merged { number: 1, taken: 200 };
            let (mut one_by_one, mut together) = (0, 0);
            asked.iter().try_for_each(|(key, _)| of_key(conn, run, "run 1", key, &mut |_| one_by_one += 1))?;
            of_statements(conn, run, &asked, &mut |_, _, same| together += usize::from(same))?;
            assert_eq!(one_by_one, together);
            Ok::<_, rusqlite::Error>(together)
        };
        let conn = register(&[(true, sent.clone())]);
        assert_eq!(known(&conn).unwrap(), asked.len());
        examine(&conn).unwrap();
        let blocks: i64 = conn.query_row("SELECT count(*) FROM kept", [], |row| row.get(0)).unwrap();
        assert_eq!(blocks, 3);
        let mut changes =
            vec!["run = 3 - run".to_owned(), "entries = x''".to_owned(), "number = 4 - number".to_owned()];
        changes.extend((0..4026).step_by(7).map(|at| {
            format!("entries = CAST(substr(entries, 1, {at}) || x'a5' || substr(entries, {at} + 2) AS BLOB)")
        }));
        changes.extend((0..16).flat_map(|at| {
            ["00", "7f", "ff"].map(|byte| {
                format!("first = CAST(substr(first, 1, {at}) || x'{byte}' || substr(first, {at} + 2) AS BLOB)")
            })
        }));
        for change in changes {
            for number in 1..=blocks {
                conn.execute_batch(&format!("BEGIN; UPDATE OR IGNORE kept SET {change} WHERE number = {number}"))
                    .unwrap();
                // Told, or without any consequence; and what is told to nobody who looks beforehand has none.
                assert!(examine(&conn).is_err() || known(&conn).unwrap() == asked.len(), "{change} of {number}");
                assert!(known(&conn).is_err() || known(&conn).unwrap() == asked.len(), "{change} of {number}");
                conn.execute_batch("ROLLBACK").unwrap();
            }
        }
        for number in 1..=blocks {
            conn.execute_batch(&format!("BEGIN; DELETE FROM kept WHERE number = {number}")).unwrap();
            assert!(known(&conn).is_err() && examine(&conn).is_err(), "{number}");
            conn.execute_batch("ROLLBACK").unwrap();
        }
        // Two exchanged.
        conn.execute_batch(
            "CREATE TEMP TABLE two AS SELECT number, entries FROM kept WHERE number > 1;
             UPDATE kept SET entries = (SELECT entries FROM two WHERE number = 5 - kept.number) WHERE number > 1",
        )
        .unwrap();
        assert!(known(&conn).is_err());
    }

    /// What makes a seek one page.
    #[test]
    fn a_full_block_takes_one_page() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let conn = Connection::open(file.path()).unwrap();
        conn.execute_batch(TABLES).unwrap();
        let pages = || conn.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0)).unwrap();
        let before = pages();
        // A number of the run, and of blocks, that takes as many bytes as there ever are.
        conn.execute_batch("INSERT INTO kept VALUES (200000000, 0, x'', x'')").unwrap();
        let blocks = 100_u32;
        let all = (0..blocks * ENTRIES as u32).map(|number| {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&number.to_be_bytes());
            ((StatementKey(key), ContentDigest([1; 16])), (1, Some(i64::MAX), None))
        });
        write(&conn, 1 << 30, &all.collect());
        let rows: u32 = conn.query_row("SELECT count(*) FROM kept", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, blocks + 1);
        // Beside them, the two trees' inner pages and the index.
        assert!(pages() - before < blocks + 10, "{} pages", pages() - before);
    }
}
