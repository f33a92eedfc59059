//! The journal as reading commands see it: a connection of its own, while the run goes on and after.

use super::super::error::TrackError;
use super::super::installation::Installation;
use super::super::register::halves_left;
use super::pages::{self, unreadable};
use super::schema::{self, FILE, kind};
use super::{Phase, RunHeader};
use crate::domain::{ContentDigest, StatementKey};
use rusqlite::Connection;
use std::path::{Path, PathBuf};

/// A run's journal, open for reading. Never writes, also not to the run's folder where that cannot be written.
pub struct JournalReader {
    pub(super) conn: Connection,
    file: PathBuf,
    header: RunHeader,
}

/// A statement of a released run that has left or waits to.
pub(in crate::track) struct KeyState {
    pub key: StatementKey,
    pub content: ContentDigest,
    /// Bits of [`halves_left`].
    pub halves: u8,
}

impl JournalReader {
    /// Opens the journal of a run. The installation is not needed; without it, sealed columns stay closed.
    ///
    /// *Errors*: no run there, another format, storage.
    pub fn open(run: &Path) -> Result<Self, TrackError> {
        let file = run.join(FILE);
        if !file.exists() {
            return Err(TrackError::NoRun { run: run.to_path_buf() });
        }
        let failed = |error| TrackError::storage(format!("open the journal {}", file.display()), error);
        let conn = schema::reading(&file).map_err(failed)?;
        schema::check(&conn, &file, schema::FORMAT)?;
        let header = pages::header(&conn, None)?;
        Ok(Self { conn, file, header })
    }

    /// What the run is. Exports and the list of protected recipients are sealed, and not here.
    pub const fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Name of the run.
    pub fn run_id(&self) -> &str {
        &self.header.run_id
    }

    /// The database.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How far the run is.
    pub fn phase(&self) -> Result<Phase, TrackError> {
        pages::phase(&self.conn).map_err(unreadable("the phase"))
    }

    /// Whether a process has the run open for writing.
    pub fn is_running(&self) -> bool {
        self.file.parent().is_some_and(super::is_running)
    }

    /// Sees that the run is of this installation.
    pub fn check_key(&self, installation: &Installation) -> Result<(), TrackError> {
        pages::key_check(&self.conn, &self.file, installation)
    }

    /// Gives every statement that has left, or waits to, in the order of ordinals. *Cost*: reads all logs, and a byte
    /// of memory a statement.
    pub(in crate::track) fn statements_by_key(&self, sink: &mut dyn FnMut(KeyState)) -> Result<(), TrackError> {
        let mut query = || -> rusqlite::Result<()> {
            self.conn.execute_batch("BEGIN")?;
            let most: i64 = self.conn.query_row("SELECT coalesce(max(ordinal), 0) FROM statement", [], |r| r.get(0))?;
            let mut halves = vec![0_u8; most as usize + 1];
            let marks = [
                (format!("SELECT ordinal FROM digital WHERE kind = {}", kind::DELIVERED), halves_left::DIGITAL),
                (format!("SELECT ordinal FROM paper WHERE kind = {}", kind::BUNDLED), halves_left::PAPER),
                ("SELECT ordinal FROM doubt".into(), halves_left::DOUBT),
                ("SELECT ordinal FROM queue WHERE intent IS NOT NULL".into(), halves_left::DOUBT),
                ("SELECT ordinal FROM queue".into(), halves_left::WAITS),
                ("SELECT ordinal FROM look_up".into(), halves_left::WAITS),
                ("SELECT ordinal FROM paper_queue".into(), halves_left::WAITS),
            ];
            for (sql, mark) in marks {
                let mut statement = self.conn.prepare(&sql)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    if let Some(of) = halves.get_mut(row.get::<_, i64>(0)? as usize) {
                        *of |= mark;
                    }
                }
            }
            let mut statement = self
                .conn
                .prepare("SELECT ordinal, key, content FROM statement WHERE key IS NOT NULL ORDER BY ordinal")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let of = halves.get(row.get::<_, i64>(0)? as usize).copied().unwrap_or_default();
                if of != 0 {
                    sink(KeyState { key: StatementKey(row.get(1)?), content: ContentDigest(row.get(2)?), halves: of });
                }
            }
            Ok(())
        };
        let result = query();
        let _ = self.conn.execute_batch("COMMIT");
        result.map_err(unreadable("the statements"))
    }
}

impl std::fmt::Debug for JournalReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalReader").field("file", &self.file).finish_non_exhaustive()
    }
}
