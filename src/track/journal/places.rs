//! Where the digital half of each statement waits: four bytes a statement, in blocks that fill a page each.
//!
//! Nearly every statement changes its place four times, as its neighbours do at the same time: to the look-up, to its
//! operator, under way, away. As rows of queues that would be the dearest thing the journal does; as bytes of a page that
//! they share, it is the cheapest. The writing thread has all places in memory and writes the blocks that a group has
//! changed in the group's own transaction, so the database always says exactly where everything waits. A block in which
//! nothing waits has no row: what is read is what waits.

use super::codes::reason_of;
use crate::domain::Reason;
use crate::track::summed;
use rusqlite::{Connection, params};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Statements of a block: as many as fit into one page of the database.
const BLOCK: u64 = 1000;
/// Bytes of a block.
const BYTES: usize = BLOCK as usize * size_of::<u32>();

/// The most routes that a place can tell apart.
pub(super) const ROUTES: u32 = NUMBER;

const NUMBER: u32 = (1 << 27) - 1;
const WISH: u32 = 27;
const TRIED: u32 = 1 << 29;
const KIND: u32 = 30;

/// How a statement's paper half is wished for.
pub(super) const WISH_OFF: i64 = 0;
pub(super) const WISH_BOTH: i64 = 1;
pub(super) const WISH_FALLBACK: i64 = 2;

/// Where one digital half waits, and what goes along with it.
///
/// *Shape*: from the low end 27 bits of number (the route, or why it still waits for its look-up), 2 of the wish for paper,
/// 1 where `tried` has a row, 2 of kind. All zero: nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(u32);

/// Where a digital half waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// It does not: it has ended, or there is none.
    Nowhere,
    /// For its look-up; the reason where FaR was asked and gave none.
    LookUp(Reason),
    /// At an operator, by the route of this number.
    Operator(u32),
    /// At an operator, with a request under way.
    UnderWay(u32),
}

impl Place {
    pub(super) const NOWHERE: Self = Self(0);

    pub(super) fn new(at: At, wish: i64, tried: bool) -> Self {
        let (kind, number) = match at {
            At::Nowhere => return Self::NOWHERE,
            At::LookUp(reason) => (1, u32::from(reason as u8)),
            At::Operator(route) => (2, route),
            At::UnderWay(route) => (3, route),
        };
        debug_assert!(number <= NUMBER && (0..=WISH_FALLBACK).contains(&wish));
        Self(number | (wish as u32) << WISH | if tried { TRIED } else { 0 } | kind << KIND)
    }

    /// The same statement elsewhere.
    pub(super) fn moved(self, at: At) -> Self {
        Self::new(at, self.wish(), self.tried())
    }

    pub(super) fn at(self) -> At {
        let number = self.0 & NUMBER;
        match self.0 >> KIND {
            0 => At::Nowhere,
            1 => At::LookUp(reason_of(number.into())),
            2 => At::Operator(number),
            _ => At::UnderWay(number),
        }
    }

    /// How its paper half is wished for.
    pub(super) fn wish(self) -> i64 {
        i64::from(self.0 >> WISH & 3)
    }

    /// Something is known of earlier attempts: `tried` has a row.
    pub(super) const fn tried(self) -> bool {
        self.0 & TRIED != 0
    }
}

/// The places of all statements, as the writing thread has them.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By ordinal, to the end of the last block.
    all: Vec<Place>,
    changed: BTreeSet<u64>,
    /// What stood in places that are changed by what may yet be taken back.
    before: Option<Vec<(u64, Place)>>,
}

impl Places {
    /// Places of so many statements, none of which waits.
    pub(super) fn of(statements: u64) -> Self {
        let blocks = statements / BLOCK + 1;
        Self { all: vec![Place::NOWHERE; (blocks * BLOCK) as usize], ..Self::default() }
    }

    /// The places that stand in a journal of so many statements.
    pub(super) fn read(conn: &Connection, statements: u64) -> rusqlite::Result<Self> {
        let mut places = Self::of(statements);
        each(conn, 0, |ordinal, place| {
            if let Some(of) = places.all.get_mut(ordinal as usize) {
                *of = place;
            }
            ControlFlow::Continue(())
        })?;
        Ok(places)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Place> + '_ {
        self.all.iter().copied()
    }

    pub(super) fn get(&self, ordinal: u64) -> Place {
        usize::try_from(ordinal).ok().and_then(|at| self.all.get(at)).copied().unwrap_or_default()
    }

    /// Puts a statement that [`Places::get`] has found somewhere, or nowhere.
    pub(super) fn set(&mut self, ordinal: u64, place: Place) {
        if let Some(of) = self.all.get_mut(ordinal as usize) {
            let before = std::mem::replace(of, place);
            self.changed.insert(ordinal / BLOCK);
            if let Some(all) = &mut self.before {
                all.push((ordinal, before));
            }
        }
    }

    /// From here on changes may be taken back, until [`Places::keep`] or [`Places::take_back`].
    pub(super) fn try_out(&mut self) {
        self.before = Some(Vec::new());
    }

    pub(super) fn keep(&mut self) {
        self.before = None;
    }

    pub(super) fn take_back(&mut self) {
        for (ordinal, place) in self.before.take().into_iter().flatten().rev() {
            self.set(ordinal, place);
        }
    }

    /// Writes the blocks that have changed.
    pub(super) fn write(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let mut put = conn.prepare_cached("INSERT OR REPLACE INTO place(block, places) VALUES (?1, ?2)")?;
        let mut bytes = Vec::with_capacity(BYTES + size_of::<u32>());
        for block in std::mem::take(&mut self.changed) {
            let from = (block * BLOCK) as usize;
            let places = self.all.get(from..from + BLOCK as usize).unwrap_or_default();
            if places.iter().all(|place| *place == Place::NOWHERE) {
                conn.prepare_cached("DELETE FROM place WHERE block = ?1")?.execute([block as i64])?;
                continue;
            }
            bytes.clear();
            places.iter().for_each(|place| bytes.extend_from_slice(&place.0.to_le_bytes()));
            summed::add(block as i64, &mut bytes);
            put.execute(params![block as i64, bytes])?;
        }
        Ok(())
    }
}

/// Gives what waits from an ordinal on, ascending, until told to stop.
///
/// *Errors*: a block that is not what was written is damage, and told as such.
pub(super) fn each(
    conn: &Connection,
    from: u64,
    mut sink: impl FnMut(u64, Place) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached("SELECT block, places FROM place WHERE block >= ?1 ORDER BY block")?;
    let mut rows = select.query([(from / BLOCK) as i64])?;
    while let Some(row) = rows.next()? {
        let block: i64 = row.get(0)?;
        let bytes = summed::entries(block, row.get_ref(1)?.as_blob()?)?;
        if bytes.len() != BYTES {
            return Err(summed::damaged(format!("{} bytes are no block of places", bytes.len())));
        }
        let first = block as u64 * BLOCK;
        let places = bytes.chunks_exact(size_of::<u32>()).filter_map(|place| place.try_into().ok());
        for (ordinal, place) in (first..).zip(places.map(u32::from_le_bytes)) {
            if place != 0 && ordinal >= from && sink(ordinal, Place(place)).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Where one statement waits.
pub(super) fn of(conn: &Connection, ordinal: u64) -> rusqlite::Result<Place> {
    let mut found = Place::NOWHERE;
    each(conn, ordinal, |first, place| {
        if first == ordinal {
            found = place;
        }
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// The least ordinal that waits.
pub(super) fn first(conn: &Connection) -> rusqlite::Result<Option<u64>> {
    let mut first = None;
    each(conn, 0, |ordinal, _| {
        first = Some(ordinal);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_place() -> impl Strategy<Value = (At, i64, bool)> {
        let at = prop_oneof![
            (0_u8..=60).prop_map(|reason| At::LookUp(reason_of(reason.into()))),
            (0..=ROUTES).prop_map(At::Operator),
            (0..=ROUTES).prop_map(At::UnderWay),
        ];
        (at, WISH_OFF..=WISH_FALLBACK, any::<bool>())
    }

    proptest! {
        #[test]
        fn a_place_says_what_was_put_into_it((at, wish, tried) in any_place()) {
            let place = Place::new(at, wish, tried);
            prop_assert_eq!((place.at(), place.wish(), place.tried()), (at, wish, tried));
            prop_assert_ne!(place, Place::NOWHERE);
        }

        /// What is written is what is there, whatever moves where and is taken back between.
        #[test]
        fn the_database_has_the_places(
            steps in proptest::collection::vec((1_u64..4500, proptest::option::of(any_place()), any::<bool>()), 0..60),
            from in 0_u64..4600,
        ) {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(super::super::schema::TABLES).unwrap();
            let mut places = Places::of(4500);
            let mut model = std::collections::BTreeMap::new();
            for (ordinal, place, kept) in steps {
                let to = place.map_or(Place::NOWHERE, |(at, wish, tried)| Place::new(at, wish, tried));
                places.try_out();
                places.set(ordinal, to);
                places.set(ordinal + 1, Place::NOWHERE);
                places.set(ordinal, to);
                if kept {
                    places.keep();
                    model.remove(&(ordinal + 1));
                    model.remove(&ordinal);
                    if to != Place::NOWHERE {
                        model.insert(ordinal, to);
                    }
                } else {
                    places.take_back();
                }
                places.write(&conn).unwrap();
            }
            let waiting = |places: &Places| {
                let all = (0..).zip(places.all.clone());
                all.filter(|of| of.1 != Place::NOWHERE).collect::<std::collections::BTreeMap<_, _>>()
            };
            prop_assert_eq!(&waiting(&places), &model);
            prop_assert_eq!(&waiting(&Places::read(&conn, 4500).unwrap()), &model);
            let mut seen = Vec::new();
            each(&conn, from, |ordinal, place| {
                seen.push((ordinal, place));
                ControlFlow::Continue(())
            }).unwrap();
            prop_assert_eq!(seen, model.range(from..).map(|(at, place)| (*at, *place)).collect::<Vec<_>>());
            prop_assert_eq!(first(&conn).unwrap(), model.keys().next().copied());
            let rows: i64 = conn.query_row("SELECT count(*) FROM place", [], |row| row.get(0)).unwrap();
            let blocks: BTreeSet<u64> = model.keys().map(|ordinal| ordinal / BLOCK).collect();
            prop_assert_eq!(rows as usize, blocks.len(), "a block in which nothing waits has no row");
        }
    }
}
