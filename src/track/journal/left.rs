//! What has left of a run, by key: what other runs of the installation are told of it.
//!
//! While the run goes on, [`JournalReader::statements_by_key`] tells it from the journal. When it has finished, what
//! [`JournalReader::left`] gives goes into the register, sorted. Both read the same logs, once, and then the statements,
//! which have the keys.

use super::super::error::TrackError;
use super::super::register::{Dispatch, Receipt, halves_left};
use super::JournalReader;
use super::pages::unreadable;
use super::places::{self, At};
use super::schema::kind;
use crate::domain::{ContentDigest, StatementKey};
use std::ops::ControlFlow;

/// A statement of a released run that has left or waits to.
pub(in crate::track) struct KeyState {
    pub key: StatementKey,
    pub content: ContentDigest,
    /// Bits of [`halves_left`].
    pub halves: u8,
}

/// What has left of a run, by its logs: 26 bytes a statement.
pub(in crate::track) struct Left<'a> {
    journal: &'a JournalReader,
    by_ordinal: Vec<Dispatch>,
}

/// Statements that are sorted together, 48 bytes each, unless the run is much larger.
const SORTED_TOGETHER: usize = 500_000;
/// Parts of a run that is larger: each reads all statements, and the smaller it is, the less memory it takes beside the
/// 26 bytes a statement.
const PARTS: usize = 6;

impl JournalReader {
    /// Gives every statement that has left, or waits to, in the order of ordinals. *Cost*: reads all logs, and a byte
    /// of memory a statement.
    pub(in crate::track) fn statements_by_key(&self, sink: &mut dyn FnMut(KeyState)) -> Result<(), TrackError> {
        let mut query = || -> rusqlite::Result<()> {
            let mut halves = vec![0_u8; self.most()? + 1];
            let mut mark = |ordinal: u64, mark: u8| {
                if let Some(of) = halves.get_mut(ordinal as usize) {
                    *of |= mark;
                }
            };
            self.ends(&mut |ordinal, half, _, _| {
                mark(ordinal, half);
                Ok(())
            })?;
            let mut waits = self.conn.prepare("SELECT ordinal FROM paper_queue")?;
            let mut rows = waits.query([])?;
            while let Some(row) = rows.next()? {
                mark(row.get::<_, i64>(0)? as u64, halves_left::WAITS);
            }
            places::each(&self.conn, 0, |ordinal, place| {
                match place.at() {
                    At::UnderWay(_) => mark(ordinal, halves_left::WAITS | halves_left::DOUBT),
                    _ => mark(ordinal, halves_left::WAITS),
                }
                ControlFlow::Continue(())
            })?;
            self.keys(&mut |ordinal, key, content| {
                let halves = halves.get(ordinal as usize).copied().unwrap_or_default();
                if halves != 0 {
                    sink(KeyState { key, content, halves });
                }
            })
        };
        self.at_once(|_| query().map_err(unreadable("the statements")))
    }

    /// Reads what has left, or may have. What stands for a TransId is the caller's to say.
    ///
    /// *Errors*: the journal's, and the caller's.
    pub(in crate::track) fn left(
        &self,
        receipt: &mut dyn FnMut(&str) -> rusqlite::Result<Receipt>,
    ) -> rusqlite::Result<Left<'_>> {
        let mut by_ordinal = vec![Dispatch::default(); self.most()? + 1];
        self.ends(&mut |ordinal, half, at_ms, trans_id| {
            let receipt = trans_id.map(&mut *receipt).transpose()?;
            if let Some(of) = by_ordinal.get_mut(ordinal as usize) {
                of.join(Dispatch::new(half, at_ms, receipt));
            }
            Ok(())
        })?;
        Ok(Left { journal: self, by_ordinal })
    }

    /// Gives each half that has left, or may have, with when and the TransId: digital, then paper, then in doubt.
    fn ends(
        &self,
        sink: &mut dyn FnMut(u64, u8, Option<i64>, Option<&str>) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let logs = [
            (
                format!("SELECT ordinal, at, trans_id FROM digital WHERE kind = {} ORDER BY number", kind::DELIVERED),
                halves_left::DIGITAL,
            ),
            (
                format!("SELECT ordinal, at, NULL FROM paper WHERE kind = {} ORDER BY number", kind::BUNDLED),
                halves_left::PAPER,
            ),
            ("SELECT ordinal, NULL, NULL FROM doubt".into(), halves_left::DOUBT),
        ];
        for (sql, half) in logs {
            let mut select = self.conn.prepare(&sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                sink(row.get::<_, i64>(0)? as u64, half, row.get(1)?, row.get_ref(2)?.as_str_or_null()?)?;
            }
        }
        Ok(())
    }

    /// Gives the key and content of each statement that has one, in the order of ordinals.
    fn keys(&self, sink: &mut dyn FnMut(u64, StatementKey, ContentDigest)) -> rusqlite::Result<()> {
        let mut select =
            self.conn.prepare("SELECT ordinal, key, content FROM statement WHERE key IS NOT NULL ORDER BY ordinal")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            sink(row.get::<_, i64>(0)? as u64, StatementKey(row.get(1)?), ContentDigest(row.get(2)?));
        }
        Ok(())
    }
}

impl Left<'_> {
    /// How many statements are sorted together, at least and about.
    pub(in crate::track) fn together(&self) -> usize {
        SORTED_TOGETHER.max(self.by_ordinal.len() / PARTS)
    }

    /// Gives each key and content of what has left once, in ascending order.
    ///
    /// About `together` of them are sorted at a time: keys are digests, so a part of their range is as much of the
    /// statements. *Cost*: a reading of all statements for each part. *Errors*: the journal's, and the caller's.
    pub(in crate::track) fn by_key(
        &self,
        together: usize,
        sink: &mut dyn FnMut(StatementKey, ContentDigest, Dispatch) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let dispatch = |ordinal: u64| self.by_ordinal.get(ordinal as usize).copied().unwrap_or_default();
        let count = self.by_ordinal.iter().filter(|of| !of.is_none()).count();
        let parts = count.div_ceil(together.max(1));
        let mut sorted = Vec::with_capacity(count.min(together));
        for part in 0..parts {
            sorted.clear();
            self.journal.keys(&mut |ordinal, key, content| {
                let of = dispatch(ordinal);
                if !of.is_none() && part_of(&key, parts) == part {
                    // The digital half's time goes before the paper half's, also where they are two statements'.
                    sorted.push((
                        u128::from_be_bytes(key.0),
                        u128::from_be_bytes(content.0),
                        !of.is_digital(),
                        ordinal,
                    ));
                }
            })?;
            sorted.sort_unstable();
            for same in sorted.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
                let Some((key, content, ..)) = same.first() else { continue };
                let mut joined = Dispatch::default();
                same.iter().for_each(|(.., ordinal)| joined.join(dispatch(*ordinal)));
                sink(StatementKey(key.to_be_bytes()), ContentDigest(content.to_be_bytes()), joined)?;
            }
        }
        Ok(())
    }
}

/// Which of so many equal parts of their range a key is in; ascending with the key.
fn part_of(key: &StatementKey, parts: usize) -> usize {
    let [a, b, c, d, e, f, g, h, ..] = key.0;
    let leading = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (u128::from(leading) * parts as u128 >> u64::BITS) as usize
}
