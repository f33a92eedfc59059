//! The index by person: which statements a person may be in, eight bytes for each.
//!
//! An index of the database over random digests costs more than all else that releases a run. So pass 1's end sorts the
//! first half of each digest's first eight bytes together with the ordinal, in memory, and writes them in that order, a page
//! of the database in a row. Whoever asks reads the page or two where the digest would stand, and sees by the statements
//! themselves which of the few they name are meant.

use super::statements;
use crate::domain::PersonDigest;
use crate::track::summed;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Entries of a row: as many as fit into one page of the database.
const ENTRIES: usize = 500;
/// Bytes of an entry: the digest's first four, and the ordinal, both with the highest byte first.
const BYTES: usize = 8;

/// The index while it is made.
#[derive(Debug, Default)]
pub(super) struct Persons(Vec<u64>);

impl Persons {
    /// A statement names a person.
    ///
    /// *Errors*: an ordinal above 2³² - 1, which no run has.
    pub(super) fn add(&mut self, person: [u8; 16], ordinal: u64) -> rusqlite::Result<()> {
        let ordinal = u32::try_from(ordinal)
            .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, i64::try_from(ordinal).unwrap_or(i64::MAX)))?;
        self.0.push(u64::from(first(person)) << 32 | u64::from(ordinal));
        Ok(())
    }

    /// Writes it.
    pub(super) fn write(mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.0.sort_unstable();
        self.0.dedup();
        let mut put = conn.prepare("INSERT INTO person(first, entries) VALUES (?1, ?2)")?;
        let mut bytes = Vec::with_capacity(ENTRIES * BYTES);
        for row in self.0.chunks(ENTRIES) {
            bytes.clear();
            row.iter().for_each(|entry| bytes.extend_from_slice(&entry.to_be_bytes()));
            // As it is sorted, since the database's numbers have a sign.
            let first = row.first().map_or(0, |entry| (entry >> 1) as i64);
            summed::add(first, &mut bytes);
            put.execute(params![first, bytes])?;
        }
        Ok(())
    }
}

fn first(person: [u8; 16]) -> u32 {
    let [a, b, c, d, ..] = person;
    u32::from_be_bytes([a, b, c, d])
}

/// As [`candidates`], before there is the index: by reading all statements.
pub(super) fn unsorted(conn: &Connection, person: &PersonDigest) -> rusqlite::Result<Vec<u64>> {
    let mut found = conn
        .prepare("SELECT ordinal FROM also WHERE person = ?1")?
        .query_map([person.0], |row| row.get::<_, i64>(0).map(|ordinal| ordinal as u64))?
        .collect::<rusqlite::Result<BTreeSet<_>>>()?;
    statements::each(conn, 0, |ordinal, entry| {
        if entry.person.as_ref() == Some(person) {
            found.insert(ordinal);
        }
        ControlFlow::Continue(())
    })?;
    Ok(found.into_iter().collect())
}

/// Ordinals of the statements that may be about a person, ascending; all that are, and hardly ever another.
pub(super) fn candidates(conn: &Connection, person: &PersonDigest) -> rusqlite::Result<Vec<u64>> {
    let wanted = first(person.0);
    let (least, most) = (u64::from(wanted) << 32, u64::from(wanted) << 32 | u64::from(u32::MAX));
    // The last row that begins before the least of them, and those that begin among them.
    let mut select = conn.prepare_cached(
        "SELECT first, entries FROM person WHERE first >= coalesce((SELECT max(first) FROM person WHERE first <= ?1), 0)
         AND first <= ?2 ORDER BY first",
    )?;
    let mut rows = select.query([(least >> 1) as i64, (most >> 1) as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let entries = summed::entries(row.get(0)?, row.get_ref(1)?.as_blob()?)?;
        let entries = entries.chunks_exact(BYTES).filter_map(|entry| entry.try_into().ok());
        let entries = entries.map(u64::from_be_bytes).filter(|entry| (least..=most).contains(entry));
        found.extend(entries.map(|entry| entry & u64::from(u32::MAX)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few first bytes, so that many share them, over several rows.
        #[test]
        fn everyone_is_found(people in proptest::collection::vec((0_u8..6, 0_u8..3), 0..2000), asked in (0_u8..7, 0_u8..3)) {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(super::super::schema::TABLES).unwrap();
            let digest = |(high, low): (u8, u8)| [high.wrapping_mul(51), 0, 0, low, high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let mut persons = Persons::default();
            for (ordinal, person) in (1..).zip(&people) {
                persons.add(digest(*person), ordinal).unwrap();
            }
            persons.write(&conn).unwrap();
            let found = candidates(&conn, &PersonDigest(digest(asked))).unwrap();
            let wanted: Vec<u64> = (1..).zip(&people).filter(|of| *of.1 == asked).map(|of| of.0).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn an_ordinal_that_does_not_fit_is_refused() {
        assert!(Persons::default().add([1; 16], u64::from(u32::MAX)).is_ok());
        assert!(Persons::default().add([1; 16], u64::from(u32::MAX) + 1).is_err());
    }
}
