//! The tables, and how a journal file is made, opened and checked.

use super::super::error::TrackError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::{Duration, Instant};

/// Version of the format, in SQLite's `user_version`. Another one is refused.
pub(super) const FORMAT: u32 = 4;

/// `utsk`, in SQLite's `application_id`: tells our files from others.
pub(in super::super) const APPLICATION: u32 = 0x7574_736b;

/// Name of the journal in the run's folder.
pub(super) const FILE: &str = "journal.sqlite";

/// What an entry of `digital` or `paper` tells.
pub(super) mod kind {
    /// Delivered = true.
    pub const DELIVERED: u8 = 1;
    /// No mailbox takes it.
    pub const UNREACHABLE: u8 = 2;
    /// Refused for good, or given up.
    pub const FAILED: u8 = 3;
    /// The answer is unknown.
    pub const IN_DOUBT: u8 = 4;
    /// Kept back.
    pub const HELD: u8 = 5;
    /// An attempt was surely not accepted; the half waits again.
    pub const OVER: u8 = 6;
    /// What was in doubt is sent again; the half waits again.
    pub const AGAIN: u8 = 7;
    /// A person has ordered that what is in doubt is sent again; the half waits again.
    pub const ORDERED: u8 = 9;
    /// `paper` only: the bundle is on disk.
    pub const BUNDLED: u8 = 8;
}

/// What a row of `tally` counts: an outcome by its number, or one of these.
pub(super) mod queue {
    /// Statements that wait for a look-up.
    pub const LOOK_UP: i64 = 101;
    /// Statements that wait at an operator.
    pub const QUEUED: i64 = 102;
    /// Statements with an open intent.
    pub const FLYING: i64 = 103;
    /// Statements that wait for a bundle.
    pub const PAPER: i64 = 104;
}

pub(super) const TABLES: &str = "
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE employer(number INTEGER PRIMARY KEY, sealed BLOB NOT NULL, shown TEXT NOT NULL);
CREATE TABLE word(number INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE statement(block INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE also(ordinal INT, person BLOB, PRIMARY KEY(ordinal, person)) WITHOUT ROWID;
CREATE TABLE person(first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE protected(person BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE place(block INTEGER PRIMARY KEY, places BLOB NOT NULL);
CREATE TABLE route(number INTEGER PRIMARY KEY, operator INT, address INT, looked_up INT, sum INT);
CREATE TABLE tried(ordinal INTEGER PRIMARY KEY, attempts INT, not_before INT, not_delivered INT);
CREATE TABLE manner(
    number INTEGER PRIMARY KEY, operator INT, address INT, seal_date INT, sender_cert INT, mediator_cert INT,
    renderer INT, sum INT);
CREATE TABLE intent(first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE secret(intent INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
CREATE TABLE digital(first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE more(number INTEGER PRIMARY KEY, trans_id TEXT, fault_code INT, call_id TEXT, detail BLOB);
CREATE TABLE doubt(
    ordinal INTEGER PRIMARY KEY, intent INT, route INT, attempts INT, not_delivered INT, paper INT, reason INT);
CREATE TABLE paper_queue(ordinal INTEGER PRIMARY KEY, why INT, both INT);
CREATE TABLE paper(first INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE both(
    ordinal INTEGER PRIMARY KEY, digital INT, digital_reason INT, operator INT, paper INT, paper_reason INT);
CREATE TABLE bundle(number INTEGER PRIMARY KEY, file_name TEXT, sha256 BLOB, letters INT, bytes INT, at INT);
CREATE TABLE tally(kind INT, operator INT, reason INT, count INT, PRIMARY KEY(kind, operator, reason)) WITHOUT ROWID;
CREATE TABLE tempo(second INT, operator INT, delivered INT, other INT, PRIMARY KEY(second, operator)) WITHOUT ROWID;
CREATE TABLE resend(ordinal INTEGER PRIMARY KEY, reason INT);
CREATE TABLE event(number INTEGER PRIMARY KEY, at INT, kind TEXT, text TEXT);
";

/// A connection by the disk's own VFS, if it has one.
pub(in super::super) fn connect(file: &Path, flags: OpenFlags, vfs: Option<&str>) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(file, flags, vfs),
        None => Connection::open_with_flags(file, flags),
    }?;
    // Otherwise SQLite plans some statements anew for each value that is bound to them, at six times their cost.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

/// A connection that writes.
pub(super) fn writing(file: &Path, vfs: Option<&str>) -> Result<Connection, rusqlite::Error> {
    let conn = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE, vfs)?;
    // 16 MiB of cache holds the ends of all tables many times over. 4096 pages of WAL: each hot page is copied into the
    // database once per 16 MiB instead of once per 4 MiB. A WAL that a long read let grow is cut back to 64 MiB.
    use_wal(&conn)?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA cache_size = -16384; PRAGMA mmap_size = 0;
         PRAGMA wal_autocheckpoint = 4096; PRAGMA journal_size_limit = 67108864; PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF; PRAGMA busy_timeout = 10000;",
    )?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Puts a database into WAL mode, or sees that it is.
///
/// Where the disk refuses, SQLite goes on in the mode it had: it answers with the mode's name, or the answer is right and
/// the commit after it fails, which only who steps on sees. In that mode a power failure before the folder's next sync
/// undoes a commit.
///
/// Where two processes do it at once, SQLite tells one of them that the database is busy, and does not wait.
pub(in super::super) fn use_wal(conn: &Connection) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        match into_wal(conn) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < MOMENT => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// How long another process may take to put a database into WAL mode.
const MOMENT: Duration = Duration::from_secs(10);

fn into_wal(conn: &Connection) -> rusqlite::Result<()> {
    let mut change = conn.prepare("PRAGMA journal_mode = WAL")?;
    let mut answer = change.query([])?;
    let mode: Option<String> = answer.next()?.map(|row| row.get(0)).transpose()?;
    while answer.next()?.is_some() {}
    if mode.as_deref() == Some("wal") {
        return Ok(());
    }
    let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
    Err(rusqlite::Error::SqliteFailure(error, Some("it cannot be put into WAL mode".into())))
}

/// Copies what an earlier process has left in the WAL into the database, durably, and begins a new WAL. `false` where
/// another connection kept that from being done.
///
/// The earlier process may have ended on a failed sync. What that sync did not write is then in memory only, looks
/// whole, and is never written by a later sync; the next power failure would take it, and with it every commit behind
/// it, acknowledged ones included. The WAL was written again before, so that it is whole while it is copied.
pub(in super::super) fn take_over(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0)).map(|busy| !busy)
}

/// A connection that only reads, also where the folder cannot be written.
pub(in super::super) fn reading(file: &Path, vfs: Option<&str>) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let open = |flags, name: &Path| {
        let conn = connect(name, flags, vfs)?;
        conn.execute_batch(
            "PRAGMA query_only = ON; PRAGMA cache_size = -4096; PRAGMA mmap_size = 0; PRAGMA busy_timeout = 10000;
             PRAGMA trusted_schema = OFF;",
        )?;
        conn.set_prepared_statement_cache_capacity(32);
        // The first read is what opens the WAL.
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(conn)
    };
    match open(flags, file) {
        Err(error) => {
            // WAL wants a shared-memory file, which a folder that is read-only cannot get; a journal without a WAL
            // is whole as it lies.
            let wal = std::fs::metadata(with_suffix(file, "-wal")).map_or(0, |facts| facts.len());
            let name = immutable(file);
            if wal > 0 {
                return Err(error);
            }
            open(flags | OpenFlags::SQLITE_OPEN_URI, Path::new(&name)).map_err(|_| error)
        }
        opened => opened,
    }
}

pub(super) fn with_suffix(file: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The name by which SQLite opens a file that nobody changes.
fn immutable(file: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let escaped: String = file
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("file:{escaped}?immutable=1")
}

/// Sees that a file is ours and of this version.
pub(in super::super) fn check(conn: &Connection, file: &Path, format: u32) -> Result<(), TrackError> {
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let not_ours = || TrackError::Format { file: file.to_path_buf(), found: "of no journal".into(), expected: format };
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_ours(),
        _ => TrackError::storage(format!("read {}", file.display()), error),
    };
    let application = number("application_id").map_err(failed)?;
    let version = number("user_version").map_err(failed)?;
    if application != i64::from(APPLICATION) {
        return Err(not_ours());
    }
    if version != i64::from(format) {
        return Err(TrackError::Format { file: file.to_path_buf(), found: version.to_string(), expected: format });
    }
    Ok(())
}
