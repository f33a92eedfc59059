//! The statements of a run: 89 bytes each, in blocks that fill a page each.
//!
//! As a row of fifteen columns a statement cost pass 1 three times what its bytes do, and whoever read it as much again. So
//! the statements 1 to 45 are one row, 46 to 90 the next, and so on: block `b` has the ordinals from `45 b + 1` on, each at
//! its place, all blocks of one length. 45, since 45 entries and a sum are 4,009 bytes, and 4,061 are the most of a row that a
//! leaf of 4,096 bytes holds. A place where no statement was admitted is all zero; the last block mostly has some.
//!
//! Pass 1 admits in any order, changes its mind about some, and ends with a release; after that nothing here is written. What
//! it changes gathers in memory by block and is written, ascending, at each commit: a block that is complete by then is written
//! once, and one that is not is read back when more of it comes.
//!
//! What happens to a statement in pass 2 does not stand here, but in `place` and the logs.

use super::pages;
use crate::domain::{ContentDigest, Outcome, PersonDigest, Reason, StatementKey};
use crate::track::summed::{self, damaged};
use rusqlite::{Connection, OptionalExtension, Row, ffi, params};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::ops::ControlFlow;

/// Statements of a block: as many as fit into one page of the database.
const BLOCK: u64 = 45;
/// Bytes of an entry.
const BYTES: usize = 89;
/// Bytes of a block.
const BLOCK_BYTES: usize = BLOCK as usize * BYTES;
/// The greatest ordinal: the index by person has four bytes for one.
const MOST: u64 = u32::MAX as u64;
/// Changed blocks that may gather, 8 MiB of them. In order, what is admitted between two commits is half as many.
const GATHERED: usize = 2048;

/// Its digital half is to be looked up.
pub(super) const LOOKED_UP: u8 = 1;
/// Its digital half is known to be unreachable already; the reason tells why.
pub(super) const UNREACHABLE: u8 = 2;

const PRESENT: u8 = 1;
const PERSON: u8 = 2;
const KEY: u8 = 4;
const CONTENT: u8 = 8;
const CORRECTION: u8 = 16;
const FLAGS: u8 = PRESENT | PERSON | KEY | CONTENT | CORRECTION;

/// Where no statement was admitted.
const ABSENT: [u8; BYTES] = [0; BYTES];

/// In place of an employer's number, where there is none.
const NO_EMPLOYER: u32 = u32::MAX;

/// A statement as pass 1 has left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// First byte of its record.
    pub offset: u64,
    /// Length of its record in bytes.
    pub length: u32,
    /// Number of its export.
    pub export: u16,
    /// Number of its form.
    pub form: Option<u16>,
    /// Number of its uppgiftslämnare.
    pub employer: Option<u32>,
    /// Digest of its record, covered.
    pub record: [u8; 16],
    pub person: Option<PersonDigest>,
    pub key: Option<StatementKey>,
    pub content: Option<ContentDigest>,
    pub correction: bool,
    /// 0 where it does not leave digitally, [`LOOKED_UP`], [`UNREACHABLE`].
    pub digital: u8,
    /// How its paper half is wished for: `WISH_` of `places`.
    pub paper: u8,
    pub outcome: Outcome,
    pub reason: Reason,
}

impl Entry {
    /// *Shape*: flags in a byte, offset in 8, length in 4, export and form in 2 each, employer in 4, the lowest byte first;
    /// record, person, key and content in 16 each; digital, paper, outcome and reason in a byte each. What there is none of is
    /// zero, an employer all ones.
    fn put(&self, bytes: &mut [u8]) {
        let flag = |there: bool, flag: u8| if there { flag } else { 0 };
        let flags = PRESENT
            | flag(self.person.is_some(), PERSON)
            | flag(self.key.is_some(), KEY)
            | flag(self.content.is_some(), CONTENT)
            | flag(self.correction, CORRECTION);
        let mut rest = bytes;
        let mut put = |field: &[u8]| {
            if let Some(to) = rest.split_off_mut(..field.len()) {
                to.copy_from_slice(field);
            }
        };
        put(&[flags]);
        put(&self.offset.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&self.export.to_le_bytes());
        put(&self.form.unwrap_or(0).to_le_bytes());
        put(&self.employer.unwrap_or(NO_EMPLOYER).to_le_bytes());
        put(&self.record);
        put(&self.person.as_ref().map_or([0; 16], |digest| digest.0));
        put(&self.key.as_ref().map_or([0; 16], |digest| digest.0));
        put(&self.content.as_ref().map_or([0; 16], |digest| digest.0));
        put(&[self.digital, self.paper, self.outcome as u8, self.reason as u8]);
        debug_assert!(rest.is_empty());
    }

    /// `None` where these are no bytes of a statement.
    fn get(bytes: &[u8]) -> Option<Self> {
        let ([flags], bytes) = bytes.split_first_chunk()?;
        let (offset, bytes) = bytes.split_first_chunk()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (export, bytes) = bytes.split_first_chunk()?;
        let (form, bytes) = bytes.split_first_chunk()?;
        let (employer, bytes) = bytes.split_first_chunk()?;
        let (record, bytes) = bytes.split_first_chunk()?;
        let (person, bytes) = bytes.split_first_chunk()?;
        let (key, bytes) = bytes.split_first_chunk()?;
        let (content, bytes) = bytes.split_first_chunk()?;
        let [digital, paper, outcome, reason] = bytes.try_into().ok()?;
        let has = |flag: u8| flags & flag != 0;
        if !has(PRESENT) || flags & !FLAGS != 0 || digital > UNREACHABLE || i64::from(paper) > WISHES {
            return None;
        }
        Some(Self {
            offset: u64::from_le_bytes(*offset),
            length: u32::from_le_bytes(*length),
            export: u16::from_le_bytes(*export),
            form: Some(u16::from_le_bytes(*form)).filter(|form| *form != 0),
            employer: Some(u32::from_le_bytes(*employer)).filter(|employer| *employer != NO_EMPLOYER),
            record: *record,
            person: has(PERSON).then_some(PersonDigest(*person)),
            key: has(KEY).then_some(StatementKey(*key)),
            content: has(CONTENT).then_some(ContentDigest(*content)),
            correction: has(CORRECTION),
            digital,
            paper,
            outcome: Outcome::from_number(outcome)?,
            reason: Reason::from_number(reason)?,
        })
    }
}

/// The greatest wish for paper.
const WISHES: i64 = super::places::WISH_FALLBACK;

/// What has changed since the last commit, as the writing thread gathers it.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// By number of the block.
    changed: BTreeMap<u64, Vec<u8>>,
}

impl Statements {
    /// A statement is there from now on.
    ///
    /// *Errors*: one that is there already, and an ordinal that no statement has.
    pub(super) fn admit(&mut self, conn: &Connection, ordinal: u64, entry: &Entry) -> rusqlite::Result<()> {
        let place = self.place(conn, ordinal)?;
        if !is_absent(place) {
            let twice = ffi::Error::new(ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
            return Err(rusqlite::Error::SqliteFailure(twice, Some(format!("statement {ordinal} is there already"))));
        }
        entry.put(place);
        Ok(())
    }

    /// Changes a statement that is there.
    ///
    /// *Errors*: one that is not: the journal would not hold what pass 1 thinks it holds.
    pub(super) fn change(
        &mut self,
        conn: &Connection,
        ordinal: u64,
        change: impl FnOnce(&mut Entry),
    ) -> rusqlite::Result<()> {
        let place = self.place(conn, ordinal)?;
        if is_absent(place) {
            return Err(rusqlite::Error::StatementChangedRows(0));
        }
        let mut entry = Entry::get(place).ok_or_else(|| unreadable(ordinal))?;
        change(&mut entry);
        entry.put(place);
        Ok(())
    }

    /// Writes what has changed, in the transaction under way.
    pub(super) fn write(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let mut put = conn.prepare_cached("INSERT OR REPLACE INTO statement(block, entries) VALUES (?1, ?2)")?;
        for (block, mut bytes) in std::mem::take(&mut self.changed) {
            summed::add(block as i64, &mut bytes);
            put.execute(params![block as i64, bytes])?;
        }
        Ok(())
    }

    /// The bytes of a statement, which are about to be changed.
    fn place(&mut self, conn: &Connection, ordinal: u64) -> rusqlite::Result<&mut [u8]> {
        let out_of_range = || rusqlite::Error::IntegralValueOutOfRange(0, i64::try_from(ordinal).unwrap_or(i64::MAX));
        let (block, place) = place_of(ordinal).ok_or_else(out_of_range)?;
        if self.changed.len() >= GATHERED && !self.changed.contains_key(&block) {
            self.write(conn)?;
        }
        let bytes = match self.changed.entry(block) {
            Slot::Occupied(known) => known.into_mut(),
            Slot::Vacant(unknown) => {
                let bytes = read(conn, block, |bytes| Ok(bytes.to_vec()))?;
                unknown.insert(bytes.unwrap_or_else(empty))
            }
        };
        bytes.chunks_exact_mut(BYTES).nth(place).ok_or_else(out_of_range)
    }
}

/// A block without statements, and with room for its sum.
fn empty() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BLOCK_BYTES + 4);
    bytes.resize(BLOCK_BYTES, 0);
    bytes
}

/// Block and place of a statement; `None` where no statement has this ordinal.
fn place_of(ordinal: u64) -> Option<(u64, usize)> {
    let at = ordinal.checked_sub(1).filter(|_| ordinal <= MOST)?;
    Some((at / BLOCK, (at % BLOCK) as usize))
}

/// Whether no statement was admitted here. A byte of one that lacks its flag is damage.
fn is_absent(bytes: &[u8]) -> bool {
    bytes == ABSENT
}

fn missing(ordinal: u64) -> rusqlite::Error {
    damaged(format!("statement {ordinal} is missing"))
}

fn unreadable(ordinal: u64) -> rusqlite::Error {
    damaged(format!("statement {ordinal} cannot be read"))
}

/// A statement that leaves has all that its letter needs, and this one does not.
pub(super) fn lacks(ordinal: u64, what: &str) -> rusqlite::Error {
    damaged(format!("statement {ordinal} has no {what} that is known"))
}

/// The number of a row's block.
fn block_of(row: &Row<'_>) -> rusqlite::Result<u64> {
    let block: i64 = row.get(0)?;
    let known = u64::try_from(block).ok().filter(|block| *block <= (MOST - 1) / BLOCK);
    known.ok_or_else(|| damaged(format!("there is no block {block} of statements")))
}

/// The entries of a row. *Errors*: what was not written so is damage.
fn entries_of<'r>(row: &'r Row<'_>) -> rusqlite::Result<&'r [u8]> {
    let entries = summed::entries(row.get(0)?, row.get_ref(1)?.as_blob()?)?;
    if entries.len() == BLOCK_BYTES {
        Ok(entries)
    } else {
        Err(damaged(format!("{} bytes are no block", entries.len())))
    }
}

/// What stands in a block; `None` where it has no row.
fn read<T>(
    conn: &Connection,
    block: u64,
    of: impl FnOnce(&[u8]) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    conn.prepare_cached("SELECT block, entries FROM statement WHERE block = ?1")?
        .query_row([block as i64], |row| of(entries_of(row)?))
        .optional()
}

/// The statement at this place of its block. *Errors*: it is missing, or cannot be read.
fn entry(bytes: &[u8], ordinal: u64, place: usize) -> rusqlite::Result<Entry> {
    let bytes = bytes.chunks_exact(BYTES).nth(place).filter(|bytes| !is_absent(bytes));
    Entry::get(bytes.ok_or_else(|| missing(ordinal))?).ok_or_else(|| unreadable(ordinal))
}

/// One statement.
///
/// *Errors*: it is missing, or cannot be read.
pub(super) fn of(conn: &Connection, ordinal: u64) -> rusqlite::Result<Entry> {
    let (block, place) = place_of(ordinal).ok_or_else(|| missing(ordinal))?;
    read(conn, block, |bytes| entry(bytes, ordinal, place))?.ok_or_else(|| missing(ordinal))
}

/// Statements by ordinal, as [`of`], where the next is mostly of the last one's block. For one moment of a journal, or for
/// one that was released.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Number and entries of the last block; no entries before there is one.
    block: u64,
    entries: Vec<u8>,
}

impl Neighbours {
    pub(super) fn of(&mut self, conn: &Connection, ordinal: u64) -> rusqlite::Result<Entry> {
        let (block, place) = place_of(ordinal).ok_or_else(|| missing(ordinal))?;
        if self.block != block || self.entries.is_empty() {
            self.entries.clear();
            self.block = block;
            read(conn, block, |bytes| {
                self.entries.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        entry(&self.entries, ordinal, place)
    }
}

/// Gives the statements after an ordinal, ascending, until told to stop.
///
/// *Errors*: what cannot be read is damage.
pub(super) fn each(
    conn: &Connection,
    after: u64,
    mut sink: impl FnMut(u64, Entry) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    // The first after it is the one of this place, counted from nought.
    let from = (after / BLOCK) as i64;
    let mut select = conn.prepare_cached("SELECT block, entries FROM statement WHERE block >= ?1 ORDER BY block")?;
    let mut rows = select.query([from])?;
    while let Some(row) = rows.next()? {
        let first = block_of(row)? * BLOCK + 1;
        for (ordinal, bytes) in (first..).zip(entries_of(row)?.chunks_exact(BYTES)) {
            if ordinal <= after || is_absent(bytes) {
                continue;
            }
            let entry = Entry::get(bytes).ok_or_else(|| unreadable(ordinal))?;
            if sink(ordinal, entry).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The greatest ordinal of a statement, 0 where there is none. *Cost*: a seek.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<u64> {
    let mut select = conn.prepare_cached("SELECT block, entries FROM statement ORDER BY block DESC")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let first = block_of(row)? * BLOCK + 1;
        if let Some(place) = entries_of(row)?.chunks_exact(BYTES).rposition(|bytes| !is_absent(bytes)) {
            return Ok(first + place as u64);
        }
    }
    Ok(0)
}

/// The greatest ordinal, by which memory is taken. *Errors*: of a released run it is not the number of its statements.
pub(super) fn most(conn: &Connection) -> rusqlite::Result<u64> {
    let released = pages::meta::<i64>(conn, "statements")?;
    let last = last(conn)?;
    match released {
        Some(count) if count as u64 != last => Err(damaged(format!("statement {last} is the last of {count}"))),
        _ => Ok(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn journal() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(super::super::schema::TABLES).unwrap();
        conn
    }

    /// One that differs from its neighbours in every field.
    fn numbered(number: u64) -> Entry {
        let digest = |salt: u8| [number as u8 ^ salt; 16];
        let some = |bit: u64| (number & bit != 0).then_some(());
        Entry {
            offset: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            length: (number as u32).wrapping_mul(0x9e37_79b9),
            export: (number as u16).wrapping_mul(0x9e37),
            form: some(1).map(|()| number as u16 | 1),
            employer: some(2).map(|()| number as u32 ^ 1),
            record: digest(1),
            person: some(4).map(|()| PersonDigest(digest(2))),
            key: some(8).map(|()| StatementKey(digest(3))),
            content: some(16).map(|()| ContentDigest(digest(4))),
            correction: number & 32 != 0,
            digital: (number % 3) as u8,
            paper: (number / 3 % 3) as u8,
            outcome: *Outcome::ALL.get(number as usize % Outcome::ALL.len()).unwrap(),
            reason: *Reason::ALL.get(number as usize % Reason::ALL.len()).unwrap(),
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// From this ordinal on, so many.
        Admit(u64, u64, u64),
        Amend(u64, Outcome, Reason),
        Correct(u64),
        /// And whether another process goes on.
        Commit(bool),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        let fate = (0..Outcome::ALL.len(), 0..Reason::ALL.len());
        prop_oneof![
            4 => (1_u64..250, 1_u64..60, any::<u64>()).prop_map(|(from, count, seed)| Step::Admit(from, count, seed)),
            2 => (0_u64..300, fate).prop_map(|(ordinal, (outcome, reason))| {
                Step::Amend(ordinal, Outcome::ALL[outcome], Reason::ALL[reason])
            }),
            2 => (0_u64..300).prop_map(Step::Correct),
            2 => any::<bool>().prop_map(Step::Commit),
        ]
    }

    proptest! {
        /// In any order, over several commits, by one process or by the next.
        #[test]
        fn what_was_put_is_read_back(
            steps in proptest::collection::vec(any_step(), 0..40), asked in proptest::collection::vec(0_u64..350, 30), after in 0_u64..350,
        ) {
            let conn = journal();
            let mut statements = Statements::default();
            let mut model = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Admit(from, count, seed) => for ordinal in from..from + count {
                        let entry = numbered(ordinal ^ seed);
                        let admitted = statements.admit(&conn, ordinal, &entry);
                        prop_assert_eq!(admitted.is_ok(), !model.contains_key(&ordinal), "twice is an error");
                        model.entry(ordinal).or_insert(entry);
                    },
                    Step::Amend(ordinal, outcome, reason) => {
                        let amend = |entry: &mut Entry| (entry.digital, entry.outcome, entry.reason) = (0, outcome, reason);
                        let amended = statements.change(&conn, ordinal, amend);
                        prop_assert_eq!(amended.is_ok(), model.contains_key(&ordinal), "only what is there is amended");
                        model.entry(ordinal).and_modify(amend);
                    }
                    Step::Correct(ordinal) => {
                        let corrected = statements.change(&conn, ordinal, |entry| entry.correction = true);
                        prop_assert_eq!(corrected.is_ok(), model.contains_key(&ordinal));
                        model.entry(ordinal).and_modify(|entry| entry.correction = true);
                    }
                    Step::Commit(reopened) => {
                        statements.write(&conn).unwrap();
                        if reopened {
                            statements = Statements::default();
                        }
                    }
                }
            }
            statements.write(&conn).unwrap();
            let mut neighbours = Neighbours::default();
            for ordinal in (0..350).chain(asked) {
                let wanted = model.get(&ordinal);
                for found in [of(&conn, ordinal), neighbours.of(&conn, ordinal)] {
                    match found {
                        Ok(found) => prop_assert_eq!(Some(&found), wanted),
                        Err(error) => prop_assert!(
                            wanted.is_none() && error.to_string().contains("is missing"), "{ordinal}: {error}"
                        ),
                    }
                }
            }
            let mut seen = Vec::new();
            each(&conn, after, |ordinal, entry| {
                seen.push((ordinal, entry));
                ControlFlow::Continue(())
            }).unwrap();
            let wanted: Vec<_> = model.range(after + 1..).map(|(ordinal, entry)| (*ordinal, entry.clone())).collect();
            prop_assert_eq!(&seen, &wanted);
            let mut first = None;
            each(&conn, after, |ordinal, _| {
                assert_eq!(first.replace(ordinal), None, "told to stop");
                ControlFlow::Break(())
            }).unwrap();
            prop_assert_eq!(first, wanted.first().map(|of| of.0));
            prop_assert_eq!(last(&conn).unwrap(), model.keys().next_back().copied().unwrap_or(0));
        }

        /// Whatever bytes a block has, its sum being right: reading it ends without a panic, and what is read was put so.
        #[test]
        fn other_bytes_are_damage(place in 0_usize..BLOCK as usize, at in 0_usize..BYTES, byte: u8) {
            let conn = journal();
            let mut statements = Statements::default();
            for ordinal in 1..=BLOCK {
                statements.admit(&conn, ordinal, &numbered(ordinal)).unwrap();
            }
            statements.write(&conn).unwrap();
            let mut bytes: Vec<u8> = conn.query_row("SELECT entries FROM statement", [], |row| row.get(0)).unwrap();
            bytes.truncate(BLOCK_BYTES);
            bytes[place * BYTES + at] = byte;
            put(&conn, 0, bytes.clone());
            let ordinal = place as u64 + 1;
            let (mut count, mut damaged) = (0, false);
            let read = each(&conn, 0, |_, _| {
                count += 1;
                ControlFlow::Continue(())
            });
            match of(&conn, ordinal) {
                Ok(entry) => {
                    let mut again = [0; BYTES];
                    entry.put(&mut again);
                    // A digest that is not there says nothing.
                    let flags = again[0];
                    for (flag, from) in [(PERSON, 37), (KEY, 53), (CONTENT, 69)] {
                        if flags & flag == 0 {
                            bytes[place * BYTES + from..][..16].fill(0);
                        }
                    }
                    prop_assert_eq!(&again[..], &bytes[place * BYTES..][..BYTES]);
                }
                Err(error) => {
                    prop_assert!(error.to_string().contains(&format!("statement {ordinal} cannot be read")), "{error}");
                    damaged = true;
                }
            }
            prop_assert_eq!((read.is_err(), count), (damaged, if damaged { place } else { BLOCK as usize }));
            prop_assert_eq!(statements.change(&conn, ordinal, |_| ()).is_err(), damaged);
            prop_assert!(statements.admit(&conn, ordinal, &numbered(1)).is_err());
        }
    }

    fn put(conn: &Connection, block: i64, mut bytes: Vec<u8>) {
        summed::add(block, &mut bytes);
        conn.execute("INSERT OR REPLACE INTO statement VALUES (?1, ?2)", params![block, bytes]).unwrap();
    }

    /// On disk as the doc says: another version of the program reads it.
    #[test]
    fn the_bytes_of_an_entry() {
        let mut bytes = [0xaa; BYTES];
        let entry = Entry {
            offset: 0x0102_0304_0506_0708,
            length: 0x1112_1314,
            export: 0x2122,
            form: Some(0x3132),
            employer: Some(0x4142_4344),
            record: [5; 16],
            person: Some(PersonDigest([6; 16])),
            key: Some(StatementKey([7; 16])),
            content: Some(ContentDigest([8; 16])),
            correction: true,
            digital: LOOKED_UP,
            paper: 2,
            outcome: Outcome::Pending,
            reason: Reason::Minor,
        };
        entry.put(&mut bytes);
        let mut wanted = vec![0x1f, 8, 7, 6, 5, 4, 3, 2, 1, 0x14, 0x13, 0x12, 0x11, 0x22, 0x21, 0x32, 0x31];
        wanted.extend([0x44, 0x43, 0x42, 0x41]);
        (5..=8).for_each(|of| wanted.extend([of; 16]));
        wanted.extend([1, 2, 12, 6]);
        assert_eq!(bytes[..], wanted[..]);
        let none =
            Entry { form: None, employer: None, person: None, key: None, content: None, correction: false, ..entry };
        none.put(&mut bytes);
        wanted[0] = 1;
        wanted[15..17].fill(0);
        wanted[17..21].fill(0xff);
        wanted[37..85].fill(0);
        assert_eq!(bytes[..], wanted[..]);
        assert_eq!(Entry::get(&bytes), Some(none));
    }

    /// One row lies in one page, and pages hold nothing else.
    #[test]
    fn a_block_is_a_page() {
        let conn = journal();
        let pages = || conn.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap();
        let mut statements = Statements::default();
        let before = pages();
        for ordinal in 1..=100 * BLOCK {
            statements.admit(&conn, ordinal, &numbered(ordinal)).unwrap();
        }
        statements.write(&conn).unwrap();
        assert_eq!(conn.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)).unwrap(), 4096);
        // The table's first page becomes the one above the others.
        assert_eq!(pages() - before, 100);
    }

    #[test]
    fn a_block_of_another_length_or_number_is_damage() {
        let conn = journal();
        for entries in [4004, 0, 4006] {
            put(&conn, 0, vec![0; entries]);
            assert!(of(&conn, 7).is_err_and(|error| !error.to_string().contains("is missing")), "{entries}");
            assert!(each(&conn, 0, |_, _| ControlFlow::Continue(())).is_err(), "{entries}");
            assert!(last(&conn).is_err(), "{entries}");
            assert!(Neighbours::default().of(&conn, 7).is_err(), "{entries}");
            assert!(Statements::default().admit(&conn, 7, &numbered(7)).is_err(), "{entries}");
        }
        for block in [i64::MAX, (MOST / BLOCK) as i64 + 1] {
            conn.execute_batch("DELETE FROM statement").unwrap();
            put(&conn, block, vec![0; BLOCK_BYTES]);
            assert!(each(&conn, 0, |_, _| ControlFlow::Continue(())).is_err(), "{block}");
            assert!(last(&conn).is_err(), "{block}");
        }
    }

    #[test]
    fn an_ordinal_that_no_statement_has_is_refused() {
        let conn = journal();
        let mut statements = Statements::default();
        for (ordinal, fits) in [(0, false), (1, true), (MOST, true), (MOST + 1, false), (u64::MAX, false)] {
            assert_eq!(statements.admit(&conn, ordinal, &numbered(1)).is_ok(), fits, "{ordinal}");
            statements.write(&conn).unwrap();
            assert_eq!(of(&conn, ordinal).is_ok(), fits, "{ordinal}");
            assert!(each(&conn, ordinal, |_, _| ControlFlow::Continue(())).is_ok(), "{ordinal}");
        }
        assert_eq!(last(&conn).unwrap(), MOST);
    }

    /// Far from any order: memory is bounded, and nothing is lost or taken twice.
    #[test]
    fn what_gathers_is_bounded() {
        let conn = journal();
        let mut statements = Statements::default();
        let each_first = || (0..GATHERED as u64 + 10).map(|block| block * BLOCK + 1);
        for ordinal in each_first() {
            statements.admit(&conn, ordinal, &numbered(ordinal)).unwrap();
            assert!(statements.changed.len() <= GATHERED);
        }
        for ordinal in each_first() {
            assert!(statements.admit(&conn, ordinal, &numbered(ordinal)).is_err());
            statements.admit(&conn, ordinal + 1, &numbered(ordinal)).unwrap();
        }
        statements.write(&conn).unwrap();
        let mut count = 0;
        each(&conn, 0, |_, _| {
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(count, 2 * each_first().count());
    }
}
