//! Logs: what happens to halves in pass 2, appended; a row for the entries of a group.
//!
//! The entries of a log are of one size, and numbered from 1. Those that become durable together are one row, keyed by the
//! number of its first: a row for each made the whole journal a tenth dearer, log by log.

use crate::track::summed;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::slice::ChunksExact;

/// What a log holds.
pub(super) trait Entry: Sized {
    /// The log's table: `first`, the number of the row's first entry, and `entries`.
    const TABLE: &'static str;
    /// Bytes of an entry.
    const BYTES: usize;

    fn put(&self, bytes: &mut Vec<u8>);

    /// Of [`Entry::BYTES`] bytes.
    fn get(bytes: &[u8]) -> Option<Self>;
}

/// A log as the writing thread adds to it.
#[derive(Debug)]
pub(super) struct Log<E> {
    /// Number of the last.
    last: i64,
    /// Those of the group under way.
    group: Vec<u8>,
    of: PhantomData<E>,
}

impl<E> Default for Log<E> {
    fn default() -> Self {
        Self { last: 0, group: Vec::new(), of: PhantomData }
    }
}

impl<E: Entry> Log<E> {
    /// The log of a journal.
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { last: last::<E>(conn)?, ..Self::default() })
    }

    /// Number of the last, the group's included.
    pub(super) const fn last(&self) -> i64 {
        self.last
    }

    /// Adds one to the group's; its number.
    pub(super) fn note(&mut self, entry: &E) -> i64 {
        entry.put(&mut self.group);
        self.last += 1;
        self.last
    }

    /// Forgets those of the group that came after this one.
    pub(super) fn take_back(&mut self, last: i64) {
        let kept = usize::try_from(last + 1 - self.first_of_group()).unwrap_or(0);
        self.group.truncate(kept * E::BYTES);
        self.last = last;
    }

    /// Writes the group's.
    pub(super) fn write(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if self.group.is_empty() {
            return Ok(());
        }
        let first = self.first_of_group();
        summed::add(first, &mut self.group);
        conn.prepare_cached(&format!("INSERT INTO {}(first, entries) VALUES (?1, ?2)", E::TABLE))?
            .execute(params![first, self.group])?;
        self.group.clear();
        Ok(())
    }

    /// The one of this number, the group's included.
    pub(super) fn get(&self, conn: &Connection, number: i64) -> rusqlite::Result<Option<E>> {
        match usize::try_from(number - self.first_of_group()) {
            Ok(place) => Ok(self.group.chunks_exact(E::BYTES).nth(place).and_then(E::get)),
            Err(_) => entry(conn, number),
        }
    }

    fn first_of_group(&self) -> i64 {
        self.last - (self.group.len() / E::BYTES) as i64 + 1
    }
}

/// Number of the last entry of a journal's log, 0 where there is none.
pub(super) fn last<E: Entry>(conn: &Connection) -> rusqlite::Result<i64> {
    let last = conn
        .prepare_cached(&format!("SELECT first, entries FROM {} ORDER BY first DESC LIMIT 1", E::TABLE))?
        .query_row([], |row| entries::<E>(row).map(|(first, entries)| first + entries.len() as i64 - 1))
        .optional()?;
    Ok(last.unwrap_or(0))
}

/// The entry of this number.
pub(super) fn entry<E: Entry>(conn: &Connection, number: i64) -> rusqlite::Result<Option<E>> {
    let table = E::TABLE;
    conn.prepare_cached(&format!("SELECT first, entries FROM {table} WHERE first <= ?1 ORDER BY first DESC LIMIT 1"))?
        .query_row([number], |row| {
            let (first, mut entries) = entries::<E>(row)?;
            Ok(usize::try_from(number - first).ok().and_then(|place| entries.nth(place)).and_then(E::get))
        })
        .optional()
        .map(Option::flatten)
}

/// Gives all entries with their numbers, in order, or from the last back, until told to stop.
///
/// *Errors*: storage, and a row that is not what was written.
pub(super) fn each<E: Entry>(
    conn: &Connection,
    back: bool,
    mut sink: impl FnMut(i64, E) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let (table, order) = (E::TABLE, if back { "DESC" } else { "ASC" });
    let mut select = conn.prepare_cached(&format!("SELECT first, entries FROM {table} ORDER BY first {order}"))?;
    let mut rows = select.query([])?;
    // Numbers go on from row to row: a row that is missing among others is told too.
    let mut beyond: Option<i64> = (!back).then_some(1);
    while let Some(row) = rows.next()? {
        let (first, entries) = entries::<E>(row)?;
        let after = first + entries.len() as i64;
        if beyond.is_some_and(|beyond| beyond != if back { after } else { first }) {
            return Err(missing(first));
        }
        beyond = Some(if back { first } else { after });
        let numbered = |(place, entry)| E::get(entry).is_some_and(|entry| sink(first + place, entry).is_break());
        let stopped = match back {
            true => {
                let count = entries.len() as i64;
                (0..count).rev().zip(entries.rev()).any(numbered)
            }
            false => (0..).zip(entries).any(numbered),
        };
        if stopped {
            return Ok(());
        }
    }
    if back && beyond.is_some_and(|first| first != 1) { Err(missing(1)) } else { Ok(()) }
}

/// What is told where a log lacks this entry, or those beside it.
pub(super) fn missing(number: i64) -> rusqlite::Error {
    summed::damaged(format!("entries of a log are missing, at number {number}"))
}

/// The entries of a row, and the number of its first.
fn entries<'r, E: Entry>(row: &'r Row<'_>) -> rusqlite::Result<(i64, ChunksExact<'r, u8>)> {
    let first = row.get(0)?;
    Ok((first, summed::entries(first, row.get_ref(1)?.as_blob()?)?.chunks_exact(E::BYTES)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Number(u64);

    impl Entry for Number {
        const TABLE: &'static str = "intent";
        const BYTES: usize = 8;

        fn put(&self, bytes: &mut Vec<u8>) {
            bytes.extend_from_slice(&self.0.to_le_bytes());
        }

        fn get(bytes: &[u8]) -> Option<Self> {
            bytes.try_into().ok().map(u64::from_le_bytes).map(Self)
        }
    }

    const fn numbered(number: u64) -> Number {
        Number(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn journal() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(super::super::schema::TABLES).unwrap();
        conn
    }

    proptest! {
        /// Whatever groups they come in, and whatever of a group is taken back: each is found by its number, before its
        /// group is written and after.
        #[test]
        fn each_is_found_by_its_number(
            groups in proptest::collection::vec((0_u64..9, 0_u64..4), 0..9),
            open in (0_u64..4, 0_u64..4),
        ) {
            let conn = journal();
            let mut log = Log::default();
            let mut count = 0;
            for (kept, taken_back) in groups.iter().chain([&open]) {
                log.write(&conn).unwrap();
                for _ in 0..*kept {
                    count += 1;
                    prop_assert_eq!(log.note(&numbered(count)), count as i64);
                }
                let last = log.last();
                (0..*taken_back).for_each(|_| _ = log.note(&Number(0)));
                log.take_back(last);
                prop_assert_eq!(log.last(), count as i64);
            }
            for number in 0..=count + 1 {
                let wanted = (1..=count).contains(&number).then(|| numbered(number));
                prop_assert_eq!(log.get(&conn, number as i64).unwrap(), wanted);
            }
            prop_assert_eq!(last::<Number>(&conn).unwrap(), (count - open.0) as i64);
            log.write(&conn).unwrap();
            prop_assert_eq!(Log::<Number>::read(&conn).unwrap().last(), count as i64);
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

    #[test]
    fn a_row_that_is_missing_is_an_error() {
        for (missing, back) in [(1, false), (4, false), (1, true), (4, true)] {
            let conn = journal();
            let mut log = Log::default();
            for number in 1..=9 {
                log.note(&numbered(number));
                if number % 3 == 0 {
                    log.write(&conn).unwrap();
                }
            }
            each(&conn, back, |_, _: Number| ControlFlow::Continue(())).unwrap();
            conn.execute("DELETE FROM intent WHERE first = ?1", [missing]).unwrap();
            each(&conn, back, |_, _: Number| ControlFlow::Continue(())).unwrap_err();
        }
    }

    #[test]
    fn a_row_that_was_changed_is_an_error() {
        let conn = journal();
        let mut log = Log::default();
        (1..=3).for_each(|number| _ = log.note(&numbered(number)));
        log.write(&conn).unwrap();
        for change in ["first = 2", "entries = substr(entries, 1, 23)", "entries = x''"] {
            conn.execute_batch(&format!("BEGIN; UPDATE intent SET {change}")).unwrap();
            each(&conn, false, |_, _: Number| ControlFlow::Continue(())).unwrap_err();
            entry::<Number>(&conn, 2).unwrap_err();
            last::<Number>(&conn).unwrap_err();
            conn.execute_batch("ROLLBACK").unwrap();
        }
        assert_eq!(last::<Number>(&conn).unwrap(), 3);
    }
}
