//! Sums that are kept beside the rows: outcomes, queues, and how many ended in which second.

use super::super::codes::{digital_code, digital_of, paper_code, paper_of, reason_of};
use super::super::places::{WISH_BOTH, WISH_FALLBACK};
use super::super::schema::queue;
use super::Writer;
use crate::domain::Outcome;
use crate::track::halves::{Digital, OnPaper, outcome};
use rusqlite::{OptionalExtension, params};

impl Writer<'_> {
    pub(super) fn count(&mut self, kind: i64, operator: i64, reason: i64, change: i64) {
        *self.tally.entry((kind, operator, reason)).or_default() += change;
    }

    pub(super) fn write_counters(&mut self) -> rusqlite::Result<()> {
        let mut tally = self.conn.prepare_cached(
            "INSERT INTO tally VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(kind, operator, reason) DO UPDATE SET count = count + excluded.count",
        )?;
        for ((kind, operator, reason), change) in
            std::mem::take(&mut self.tally).into_iter().filter(|(_, change)| *change != 0)
        {
            tally.execute(params![kind, operator, reason, change])?;
        }
        let mut tempo = self.conn.prepare_cached(
            "INSERT INTO tempo VALUES (?1, ?2, ?3, ?4) ON CONFLICT(second, operator)
             DO UPDATE SET delivered = delivered + excluded.delivered, other = other + excluded.other",
        )?;
        for ((second, operator), (delivered, other)) in std::mem::take(&mut self.tempo) {
            tempo.execute(params![second, operator, delivered, other])?;
        }
        Ok(())
    }

    /// Counts a digital half that moves, and wakes a paper half that waited for it to be unreachable.
    pub(super) fn digital_moves(
        &mut self,
        ordinal: u64,
        wish: i64,
        from: (Digital, i64),
        to: (Digital, i64),
    ) -> rusqlite::Result<()> {
        match wish {
            WISH_BOTH => {
                let (_, _, paper) = self.both(ordinal as i64)?;
                let after = self.paper_follows(ordinal as i64, to.0, paper)?;
                self.both_move(ordinal, (from.0, from.1, paper), (to.0, to.1, after))
            }
            wish => {
                let paper = if wish == WISH_FALLBACK { OnPaper::Fallback } else { OnPaper::Off };
                self.outcome_moves((from.0, from.1, paper), (to.0, to.1, paper));
                if let (WISH_FALLBACK, Digital::Unreachable(why)) = (wish, to.0) {
                    self.count(queue::PAPER, -1, 0, 1);
                    self.run_cached(
                        "INSERT INTO paper_queue(ordinal, why, both) VALUES (?1, ?2, 0)",
                        params![ordinal as i64, why as u8],
                    )?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn outcome_moves(&mut self, from: (Digital, i64, OnPaper), to: (Digital, i64, OnPaper)) {
        for ((digital, operator, paper), change) in [(from, -1), (to, 1)] {
            let (outcome, reason) = outcome(digital, paper);
            let operator = if outcome == Outcome::Pending { -1 } else { operator };
            self.count(outcome as i64, operator, reason as i64, change);
        }
    }

    /// The halves of a statement that wants both ways.
    pub(super) fn both(&self, ordinal: i64) -> rusqlite::Result<(Digital, i64, OnPaper)> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT digital, digital_reason, operator, paper, paper_reason FROM both WHERE ordinal = ?1",
            )?
            .query_row([ordinal], |row| {
                Ok((
                    digital_of(row.get(0)?, reason_of(row.get(1)?)),
                    row.get(2)?,
                    paper_of(row.get(3)?, reason_of(row.get(4)?)),
                ))
            })
            .optional()?;
        Ok(found.unwrap_or((Digital::Waiting, -1, OnPaper::Waiting)))
    }

    pub(super) fn both_move(
        &mut self,
        ordinal: u64,
        from: (Digital, i64, OnPaper),
        to: (Digital, i64, OnPaper),
    ) -> rusqlite::Result<()> {
        let ((digital, digital_reason), (paper, paper_reason)) = (digital_code(to.0), paper_code(to.2));
        self.run_cached(
            "INSERT OR REPLACE INTO both(ordinal, digital, digital_reason, operator, paper, paper_reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![ordinal as i64, digital, digital_reason as u8, to.1, paper, paper_reason as u8],
        )?;
        self.outcome_moves(from, to);
        Ok(())
    }
}
