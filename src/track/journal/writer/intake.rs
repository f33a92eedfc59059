//! Pass 1: statements are admitted, and released together.

use super::super::persons::Persons;
use super::super::places::{At, Place, Places, WISH_BOTH, WISH_FALLBACK, WISH_OFF};
use super::super::schema::queue;
use super::super::sealed::{context, sealed_json};
use super::super::statements::{self, Entry, LOOKED_UP, UNREACHABLE};
use super::super::{Amend, Fate, Half, Phase, RunExport, StatementRow};
use super::Writer;
use crate::domain::{Organisation, Outcome, Reason};
use crate::track::TrackError;
use crate::track::halves::{Digital, OnPaper, outcome};
use crate::watch::crash;
use rusqlite::params;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

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
        for row in rows {
            let (digital, paper, outcome, reason) = fate_codes(row.fate);
            let employer = row.uppgiftslamnare.map(|employer| self.employer_number(employer)).transpose()?;
            let entry = Entry {
                offset: row.span.offset,
                length: row.span.length,
                export: row.export,
                form: row.form.map(|form| form.number()),
                employer,
                record: self.installation.cover(&row.record),
                person: row.person,
                key: row.key,
                content: row.content,
                correction: row.correction,
                digital,
                paper,
                outcome,
                reason,
            };
            self.statements.admit(self.conn, row.span.ordinal, &entry)?;
        }
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

    fn employer_number(&mut self, employer: Organisation) -> rusqlite::Result<u32> {
        let fits = |number: i64| u32::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, number));
        if let Some(number) = self.employer_numbers.get(&employer) {
            return fits(*number);
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
        fits(number)
    }

    pub(super) fn amend(&mut self, rows: &[Amend]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        rows.iter().try_for_each(|row| {
            self.statements.change(self.conn, row.ordinal, |entry| {
                (entry.digital, entry.paper, entry.outcome, entry.reason) = (0, 0, row.outcome, row.reason);
            })
        })
    }

    pub(super) fn correct(&mut self, ordinals: &[u64]) -> rusqlite::Result<()> {
        self.begin_admission()?;
        ordinals
            .iter()
            .try_for_each(|ordinal| self.statements.change(self.conn, *ordinal, |entry| entry.correction = true))
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
                self.first_on_paper()?;
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
        let mut count = |kind: i64, reason: i64| *found.tally.entry((kind, -1, reason)).or_default() += 1;
        let mut fits = Ok(());
        statements::each(self.conn, 0, |ordinal, entry| {
            found.statements += 1;
            found.in_order &= ordinal == found.statements;
            if let Some(person) = entry.person {
                fits = found.persons.add(person.0, found.statements);
            }
            // Why it is unreachable already is for its paper half; the statement is pending like others.
            let pending = entry.outcome == Outcome::Pending;
            count(entry.outcome as i64, if pending { Reason::NotYet } else { entry.reason } as i64);
            if entry.digital == LOOKED_UP {
                let place = Place::new(At::LookUp(Reason::None), entry.paper.into(), false);
                found.places.set(found.statements, place);
                count(queue::LOOK_UP, 0);
            } else if begins_on_paper(&entry) {
                found.on_paper = true;
                count(queue::PAPER, 0);
            }
            if fits.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        fits?;
        let mut also = self.conn.prepare("SELECT ordinal, person FROM also")?;
        let mut rows = also.query([])?;
        while let Some(row) = rows.next()? {
            found.persons.add(row.get(1)?, row.get::<_, i64>(0)? as u64)?;
        }
        Ok(found)
    }

    /// Puts what waits for a bundle from the start into its queue.
    fn first_on_paper(&self) -> rusqlite::Result<()> {
        let mut insert = self.conn.prepare("INSERT INTO paper_queue(ordinal, why, both) VALUES (?1, ?2, 0)")?;
        let mut inserted = Ok(1);
        statements::each(self.conn, 0, |ordinal, entry| {
            if begins_on_paper(&entry) {
                let why = if entry.digital == UNREACHABLE { entry.reason } else { Reason::None };
                inserted = insert.execute(params![ordinal as i64, why as u8]);
            }
            if inserted.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        inserted.map(|_| ())
    }
}

/// Whether a statement waits for a bundle as soon as the run is released.
fn begins_on_paper(entry: &Entry) -> bool {
    match entry.paper.into() {
        WISH_BOTH => entry.digital != LOOKED_UP,
        WISH_FALLBACK => entry.digital == UNREACHABLE,
        _ => false,
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

/// What an entry says of a statement's halves and its outcome: `digital`, `paper`, `outcome`, `reason`.
fn fate_codes(fate: Fate) -> (u8, u8, Outcome, Reason) {
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
        (Outcome::Pending, _) => (code, wish as u8, Outcome::Pending, unreachable),
        (outcome, reason) => (0, 0, outcome, reason),
    }
}
