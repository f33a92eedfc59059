//! How far the journal has come, beside the journal: what tells a run that lost some of it from one that never had it.
//!
//! A damaged or missing write-ahead log looks to SQLite like commits that were never finished: it goes on without them, and
//! what they acknowledged would be sent again. So the numbers of the last entries of the logs stand in `journal.mark` too,
//! written after each commit of pass 2. They are not synced: after a power failure they may be behind the journal, but they
//! are never ahead of it.

use super::ends::{Ended, PaperEnded};
use super::intents::Intended;
use super::log;
use super::pages::unreadable;
use super::schema::{FILE, with_suffix};
use crate::track::TrackError;
use rusqlite::Connection;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Numbers of the last entries of the logs: intents, digital halves, paper halves.
pub(super) type Numbers = [i64; 3];

/// The mark of a journal that is written to.
#[derive(Debug)]
pub(super) struct Mark(File);

fn file(run: &Path) -> PathBuf {
    run.join("journal.mark")
}

impl Mark {
    /// Of the run in this folder, whose lock is held.
    pub(super) fn open(run: &Path) -> Result<Self, TrackError> {
        let file = file(run);
        let options = File::options().write(true).create(true).truncate(false).mode(0o600).open(&file);
        options.map(Self).map_err(|error| TrackError::storage(format!("write {}", file.display()), error))
    }

    /// Tells what is durable now.
    pub(super) fn set(&self, [intents, digital, paper]: Numbers) {
        // In place, always of one length. Where it cannot be written the last one stands, which is only behind.
        let _ = self.0.write_all_at(format!("{intents:>20}{digital:>20}{paper:>20}\n").as_bytes(), 0);
    }
}

/// What the journal has.
pub(super) fn numbers(conn: &Connection) -> rusqlite::Result<Numbers> {
    Ok([log::last::<Intended>(conn)?, log::last::<Ended>(conn)?, log::last::<PaperEnded>(conn)?])
}

/// What a process at this run had made durable; nothing where it never came so far.
pub(super) fn read(run: &Path) -> Option<Numbers> {
    let text = std::fs::read_to_string(file(run)).ok()?;
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(intents)), Some(Ok(digital)), Some(Ok(paper)), None) => Some([intents, digital, paper]),
        _ => None,
    }
}

/// Sees that the journal has all that was marked before.
pub(super) fn check(conn: &Connection, run: &Path, marked: Option<Numbers>) -> Result<(), TrackError> {
    let has = numbers(conn).map_err(unreadable("how far the journal is"))?;
    let lost: i64 = marked.into_iter().flatten().zip(has).map(|(marked, has)| (marked - has).max(0)).sum();
    if lost == 0 {
        return Ok(());
    }
    let database = run.join(FILE);
    let what = format!(
        "it lacks {lost} entries that were written: {} has been changed or lost. To go on would send again what was sent",
        with_suffix(&database, "-wal").display()
    );
    Err(TrackError::Damaged { file: database, what })
}
