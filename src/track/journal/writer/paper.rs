//! Paper halves.

use super::super::codes::reason_of;
use super::super::ends::PaperEnded;
use super::super::schema::{kind, queue};
use super::super::{BundleRow, PaperEnd, PaperFate};
use super::Writer;
use crate::domain::Reason;
use crate::track::TrackError;
use crate::track::halves::{Digital, OnPaper};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

impl Writer<'_> {
    pub(super) fn paper(&mut self, rows: &[PaperEnd], bundle: Option<&BundleRow>) -> Result<(), TrackError> {
        let failed = |error| TrackError::storage("record paper letters", error);
        let now = Timestamp::now();
        for row in rows {
            self.paper_row(row, now).map_err(failed)?.ok_or(TrackError::NotWaiting { ordinal: row.ordinal })?;
        }
        if let Some(bundle) = bundle {
            self.run_cached(
                "INSERT INTO bundle(number, file_name, sha256, letters, bytes, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    bundle.number,
                    bundle.file_name,
                    bundle.sha256,
                    bundle.letters,
                    bundle.bytes as i64,
                    now.as_millisecond()
                ],
            )
            .map_err(failed)?;
        }
        Ok(())
    }

    fn paper_row(&mut self, row: &PaperEnd, now: Timestamp) -> rusqlite::Result<Option<()>> {
        let ordinal = row.ordinal as i64;
        let found: Option<(i64, bool)> = self
            .conn
            .prepare_cached("DELETE FROM paper_queue WHERE ordinal = ?1 RETURNING why, both")?
            .query_row([ordinal], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((why, both)) = found else { return Ok(None) };
        self.count(queue::PAPER, -1, 0, -1);
        let (kind, reason, bundle, state) = match row.end {
            PaperFate::Bundled { bundle } => (kind::BUNDLED, Reason::None, bundle, OnPaper::Bundled),
            PaperFate::Held(reason) => (kind::HELD, reason, 0, OnPaper::Held(reason)),
            PaperFate::Failed(reason) => (kind::FAILED, reason, 0, OnPaper::Failed(reason)),
        };
        self.paper_ends.note(&PaperEnded { ordinal: row.ordinal, kind, reason, bundle, at: now.as_millisecond() });
        let tempo = self.tempo.entry((now.as_second(), -2)).or_default();
        if kind == kind::BUNDLED {
            tempo.0 += 1
        } else {
            tempo.1 += 1
        }
        if both {
            let (digital, operator, before) = self.both(ordinal)?;
            self.both_move(row.ordinal, (digital, operator, before), (digital, operator, state))?;
        } else {
            let digital = match reason_of(why) {
                Reason::None => Digital::Off,
                why => Digital::Unreachable(why),
            };
            self.outcome_moves((digital, -1, OnPaper::Waiting), (digital, -1, state));
        }
        Ok(Some(()))
    }

    /// The paper half of a statement that goes both ways waits for the digital half's end, which may tell that the
    /// recipient is protected: who is kept back digitally is kept off paper too. In doubt is no end: a person settles it.
    pub(super) fn paper_follows(
        &mut self,
        ordinal: i64,
        digital: Digital,
        paper: OnPaper,
    ) -> rusqlite::Result<OnPaper> {
        match (digital, paper) {
            (Digital::Held(reason), OnPaper::Waiting) => {
                let queued = self.run_cached("DELETE FROM paper_queue WHERE ordinal = ?1", [ordinal])?;
                self.count(queue::PAPER, -1, 0, -(queued as i64));
                let (kind, at) = (kind::HELD, Timestamp::now().as_millisecond());
                self.paper_ends.note(&PaperEnded { ordinal: ordinal as u64, kind, reason, bundle: 0, at });
                Ok(OnPaper::Held(reason))
            }
            (Digital::Waiting | Digital::Off | Digital::InDoubt(_), _) => Ok(paper),
            (_, OnPaper::Waiting) => {
                let queued = self
                    .run_cached("INSERT OR IGNORE INTO paper_queue(ordinal, why, both) VALUES (?1, 0, 1)", [ordinal])?;
                self.count(queue::PAPER, -1, 0, queued as i64);
                Ok(paper)
            }
            _ => Ok(paper),
        }
    }
}
