//! Pass 1: statements are admitted, and released together.

use super::super::persons::Persons;
use super::super::places::{At, Place, Places, WISH_BOTH, WISH_FALLBACK, WISH_OFF};
use super::super::schema::queue;
use super::super::sealed::{context, sealed_json};
use super::super::{Amend, Fate, Half, Phase, RunExport, StatementRow};
use super::Writer;
use crate::domain::{Organisation, Outcome, Reason};
use crate::track::TrackError;
use crate::track::halves::{Digital, OnPaper, outcome};
use crate::watch::crash;
use rusqlite::params;
use std::collections::BTreeMap;

/// Rows of pass 1 between two commits.
const ADMITTED: usize = 50_000;

impl Writer<'_> {
    fn begin_admission(&mut self) -> rusqlite::Result<()> {
        if self.admitted.is_none() {
            self.conn.execute_batch("BEGIN IMMEDIATE")?;
            self.admitted = Some(0);
        }
        Ok(())
    }

    pub(super) fn restart(&mut self) -> Result<(), TrackError> {
        self.demand("start pass 1 again", Phase::Intake)?;
        let empty = |writer: &mut Self| {
            writer.commit_admitted()?;
            writer.conn.execute_batch("BEGIN IMMEDIATE; DELETE FROM statement; DELETE FROM also; COMMIT")
        };
        empty(self).map_err(|error| TrackError::storage("empty the journal for a new pass 1", error))
    }

    pub(super) fn admit(&mut self, rows: &[StatementRow]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        // Employers first, since a statement that is being executed borrows the connection.
        for row in rows {
            if let Some(employer) = row.uppgiftslamnare {
                self.employer_number(employer)?;
            }
        }
        let mut insert = self.conn.prepare_cached(
            "INSERT INTO statement(ordinal, export, start, length, record, form, employer, person, key, content,
             correction, digital, paper, outcome, reason) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
        )?;
        for row in rows {
            let (digital, paper, outcome, reason) = fate_codes(row.fate);
            let employer = row.uppgiftslamnare.and_then(|of| self.employer_numbers.get(&of));
            insert.execute(params![
                row.span.ordinal as i64,
                row.export,
                row.span.offset as i64,
                row.span.length,
                self.installation.cover(&row.record),
                row.form.map(|form| form.number()),
                employer,
                row.person.as_ref().map(|digest| digest.0),
                row.key.as_ref().map(|digest| digest.0),
                row.content.as_ref().map(|digest| digest.0),
                row.correction,
                digital,
                paper,
                outcome as u8,
                reason as u8,
            ])?;
        }
        drop(insert);
        for row in rows.iter().filter(|row| !row.also.is_empty()) {
            let mut insert = self.conn.prepare_cached("INSERT OR IGNORE INTO also(ordinal, person) VALUES (?1, ?2)")?;
            for person in &row.also {
                insert.execute(params![row.span.ordinal as i64, person.0])?;
            }
        }
        crash::point("admitted");
        let admitted = self.admitted.unwrap_or(0) + rows.len();
        self.admitted = Some(admitted);
        if admitted >= ADMITTED { self.commit_admitted() } else { Ok(()) }
    }

    fn employer_number(&mut self, employer: Organisation) -> rusqlite::Result<i64> {
        if let Some(number) = self.employer_numbers.get(&employer) {
            return Ok(*number);
        }
        let number = self.employer_numbers.len() as i64;
        let digits = employer.identity();
        let sealed = self.installation.seal(digits.expose().as_bytes(), &context(&self.run_id, "employer", number, 0));
        self.conn.execute(
            "INSERT INTO employer(number, sealed, shown) VALUES (?1, ?2, ?3)",
            params![number, sealed, employer.to_string()],
        )?;
        self.employer_numbers.insert(employer, number);
        if let Ok(mut employers) = self.employers.write() {
            employers.push(employer);
        }
        Ok(number)
    }

    pub(super) fn amend(&mut self, rows: &[Amend]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        let mut update = self.conn.prepare_cached(
            "UPDATE statement SET digital = 0, paper = 0, outcome = ?2, reason = ?3 WHERE ordinal = ?1",
        )?;
        for row in rows {
            match update.execute(params![row.ordinal as i64, row.outcome as u8, row.reason as u8])? {
                1 => (),
                // Never admitted: the journal would not hold what pass 1 thinks it holds.
                changed => return Err(rusqlite::Error::StatementChangedRows(changed)),
            }
        }
        Ok(())
    }

    pub(super) fn correct(&mut self, ordinals: &[u64]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        let mut update = self.conn.prepare_cached("UPDATE statement SET correction = 1 WHERE ordinal = ?1")?;
        for ordinal in ordinals {
            match update.execute([*ordinal as i64])? {
                1 => (),
                changed => return Err(rusqlite::Error::StatementChangedRows(changed)),
            }
        }
        Ok(())
    }

    pub(super) fn release(&mut self, exports: &[RunExport]) -> Result<(), TrackError> {
        self.demand("release the run", Phase::Intake)?;
        let failed = |error| TrackError::storage("release the run", error);
        self.commit_admitted().map_err(failed)?;
        let named: u64 = exports.iter().map(|export| export.statements).sum();
        let mut found = self.first_places(named).map_err(failed)?;
        let count = found.statements as i64;
        if found.statements != named || !found.in_order {
            return Err(TrackError::Unbalanced { exports: named, journal: found.statements });
        }
        self.places = found.places;
        self.tally = found.tally;
        let mut all = || -> rusqlite::Result<()> {
            self.conn.execute_batch("PRAGMA synchronous = FULL; BEGIN IMMEDIATE;")?;
            self.places.write(self.conn)?;
            self.write_counters()?;
            if found.on_paper {
                self.conn.execute_batch(
                    "INSERT INTO paper_queue SELECT ordinal, CASE digital WHEN 2 THEN reason ELSE 0 END, 0
                     FROM statement WHERE (paper = 1 AND digital <> 1) OR (paper = 2 AND digital = 2)",
                )?;
            }
            std::mem::take(&mut found.persons).write(self.conn)?;
            self.put_meta("exports", &sealed_json(&self.installation, &self.run_id, "exports", exports)?)?;
            self.put_meta("statements", &count)?;
            self.put_meta("phase", &Phase::Released.as_str())?;
            self.event("released", &format!("{count} statements"))?;
            self.conn.execute_batch("COMMIT")?;
            crash::point("released");
            // The WAL keeps its size: what is written over costs a sync less than what makes a file longer.
            self.conn.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
        };
        all().map_err(failed)?;
        self.phase = Phase::Released;
        Ok(())
    }

    /// Reads once through what was admitted: where each statement waits first, and the sums.
    fn first_places(&self, expected: u64) -> rusqlite::Result<Found> {
        let mut found = Found {
            statements: 0,
            in_order: true,
            places: Places::of(expected),
            persons: Persons::default(),
            tally: BTreeMap::new(),
            on_paper: false,
        };
        let mut select = self
            .conn
            .prepare("SELECT ordinal, digital, paper, outcome, reason, person FROM statement ORDER BY ordinal")?;
        let mut rows = select.query([])?;
        let mut count = |kind: i64, reason: i64| *found.tally.entry((kind, -1, reason)).or_default() += 1;
        while let Some(row) = rows.next()? {
            let (digital, wish, outcome): (i64, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            found.statements += 1;
            found.in_order &= row.get::<_, i64>(0)? as u64 == found.statements;
            if let Some(person) = row.get(5)? {
                found.persons.add(person, found.statements)?;
            }
            // Why it is unreachable already is for its paper half; the statement is pending like others.
            let pending = outcome == Outcome::Pending as i64;
            count(outcome, if pending { Reason::NotYet as i64 } else { row.get(4)? });
            let on_paper =
                (wish == WISH_BOTH && digital != LOOKED_UP) || (wish == WISH_FALLBACK && digital == UNREACHABLE);
            if digital == LOOKED_UP {
                found.places.set(found.statements, Place::new(At::LookUp(Reason::None), wish, false));
                count(queue::LOOK_UP, 0);
            } else if on_paper {
                found.on_paper = true;
                count(queue::PAPER, 0);
            }
        }
        let mut also = self.conn.prepare("SELECT ordinal, person FROM also")?;
        let mut rows = also.query([])?;
        while let Some(row) = rows.next()? {
            found.persons.add(row.get(1)?, row.get::<_, i64>(0)? as u64)?;
        }
        Ok(found)
    }
}

/// What pass 1 has left.
struct Found {
    statements: u64,
    /// Their ordinals are 1, 2 and so on.
    in_order: bool,
    places: Places,
    persons: Persons,
    tally: BTreeMap<(i64, i64, i64), i64>,
    /// Something waits for a bundle already.
    on_paper: bool,
}

/// What column `digital` of a statement says: to be looked up, or known already to be unreachable.
const LOOKED_UP: i64 = 1;
const UNREACHABLE: i64 = 2;

/// Columns `digital`, `paper`, `outcome`, `reason` of a statement.
fn fate_codes(fate: Fate) -> (i64, i64, Outcome, Reason) {
    let (digital, paper) = match fate {
        Fate::Ended(outcome, reason) => return (0, 0, outcome, reason),
        Fate::Send { digital, paper } => (digital, paper),
    };
    let (code, half, unreachable) = match digital {
        Half::Off => (0, Digital::Off, Reason::None),
        Half::Waiting => (LOOKED_UP, Digital::Waiting, Reason::None),
        Half::Unreachable(reason) => (UNREACHABLE, Digital::Unreachable(reason), reason),
        Half::Fallback => unreachable!("only a paper half is a fallback"),
    };
    let (wish, on_paper) = match paper {
        Half::Off => (WISH_OFF, OnPaper::Off),
        Half::Waiting => (WISH_BOTH, OnPaper::Waiting),
        Half::Fallback => (WISH_FALLBACK, OnPaper::Fallback),
        Half::Unreachable(_) => unreachable!("only a digital half is unreachable"),
    };
    match outcome(half, on_paper) {
        // The reason of a half that is unreachable already goes along: paper tells it.
        (Outcome::Pending, _) => (code, wish, Outcome::Pending, unreachable),
        (outcome, reason) => (0, 0, outcome, reason),
    }
}
