//! The ledger: what the operators were sent and what they said, one JSON object a line.
//!
//! A line is written with one `write` before the first byte of its answer, so that a killed sandbox has told nobody
//! of a message that the ledger does not have. It is not synced: it outlives the process, not the machine.

use super::SandboxError;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What an operator says of a message that it plays no fault on.
pub mod verdict {
    /// Delivered = true.
    pub const ACCEPTED: &str = "accepted";
    /// Delivered = false: the recipient has no mailbox there.
    pub const NOT_HERE: &str = "not-here";
    /// Refused with a fault or an HTTP status.
    pub const REFUSED: &str = "refused";
}

/// A line of `ledger.ndjson`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Monotonic seconds from the start of the sandbox to the request's first byte.
    pub t: f64,
    /// The same moment, RFC 3339.
    pub time: String,
    /// The operator's organisation number.
    pub operator: String,
    /// The recipient, twelve digits; empty where the request could not be read.
    pub recipient: String,
    /// Message/Header/Id; empty where the request could not be read.
    pub message_id: String,
    /// SHA-256 of the request body, hexadecimal.
    pub sha256: String,
    /// `accepted`, `not-here`, `refused`, or the name of the fault that was played.
    pub verdict: String,
    /// Why, in words.
    pub reason: String,
    /// Whether this message id had been accepted before, in any life of the sandbox.
    pub again: bool,
    /// Whether the message was accepted; under a fault this is what the sender cannot know.
    pub accepted: bool,
    /// Bytes of the request body.
    pub bytes: usize,
    /// Which request it was at this operator in this life of the sandbox, from 1.
    pub request: u64,
    /// SHA-256 of the TLS client's certificate, hexadecimal.
    #[serde(default)]
    pub client: String,
}

/// A line of `far.ndjson`: a call to FaR.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// As in [`Line`].
    pub t: f64,
    /// As in [`Line`].
    pub time: String,
    /// senderOrgNr; empty where the request could not be read.
    pub sender: String,
    /// Ids asked for.
    pub ids: usize,
    /// Ids answered for.
    pub answered: usize,
    /// `answered`, `refused`, or the name of the fault that was played.
    pub verdict: String,
    /// Why, in words.
    pub reason: String,
    /// Which call it was in this life of the sandbox, from 1.
    pub request: u64,
}

/// A line of `connections.ndjson`: a fault that was played on a connection, before any request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Monotonic seconds from the start of the sandbox.
    pub t: f64,
    /// The same moment, RFC 3339.
    pub time: String,
    /// `far`, or the operator's organisation number.
    pub gateway: String,
    /// The name of the fault.
    pub verdict: String,
    /// Which connection it was at this gateway in this life of the sandbox, from 1.
    pub connection: u64,
}

/// The open ledger of a sandbox.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    state: Mutex<State>,
    calls: Other,
    connections: Other,
}

/// A file that is only appended to.
#[derive(Debug)]
struct Other {
    path: PathBuf,
    file: Mutex<File>,
}

impl Other {
    fn open(path: PathBuf) -> Result<Self, SandboxError> {
        Ok(Self { file: Mutex::new(append(&path)?), path })
    }

    fn write<T: Serialize>(&self, line: &T) -> Result<(), SandboxError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&json_line(line)).map_err(SandboxError::io("write", &self.path))
    }

    fn sync(&self) -> Result<(), SandboxError> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_data().map_err(SandboxError::io("sync", &self.path))
    }
}

#[derive(Debug)]
struct State {
    file: File,
    /// First half of the SHA-256 of each accepted message id: 16 bytes a message.
    accepted: HashSet<u128>,
}

impl Ledger {
    /// Opens the ledgers of a folder for appending, and reads which messages were accepted before.
    pub fn open(dir: &Path) -> Result<Self, SandboxError> {
        let path = dir.join("ledger.ndjson");
        let mut accepted = HashSet::new();
        if path.exists() {
            for line in read(&path)? {
                if line.accepted {
                    accepted.insert(digest(&line.message_id));
                }
            }
        }
        Ok(Self {
            state: Mutex::new(State { file: append(&path)?, accepted }),
            path,
            calls: Other::open(dir.join("far.ndjson"))?,
            connections: Other::open(dir.join("connections.ndjson"))?,
        })
    }

    /// Writes a line. `again` is filled in here, and an accepted id is remembered.
    pub fn write(&self, mut line: Line) -> Result<(), SandboxError> {
        let id = digest(&line.message_id);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        line.again = !line.message_id.is_empty() && state.accepted.contains(&id);
        let bytes = json_line(&line);
        state.file.write_all(&bytes).map_err(SandboxError::io("write", &self.path))?;
        if line.accepted {
            state.accepted.insert(id);
        }
        Ok(())
    }

    /// Writes a call to FaR.
    pub fn write_call(&self, call: &Call) -> Result<(), SandboxError> {
        self.calls.write(call)
    }

    /// Writes a fault that is played on a connection.
    pub fn write_connection(&self, connection: &Connection) -> Result<(), SandboxError> {
        self.connections.write(connection)
    }

    /// Makes the files durable, at the end.
    pub fn sync(&self) -> Result<(), SandboxError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.sync_data().map_err(SandboxError::io("sync", &self.path))?;
        self.calls.sync()?;
        self.connections.sync()
    }
}

/// Reads a ledger. A line that a kill cut short is left out.
pub fn read(path: &Path) -> Result<Vec<Line>, SandboxError> {
    lines(path)
}

/// Reads the calls to FaR, `far.ndjson`.
pub fn read_calls(path: &Path) -> Result<Vec<Call>, SandboxError> {
    lines(path)
}

/// Reads the faults played on connections, `connections.ndjson`.
pub fn read_connections(path: &Path) -> Result<Vec<Connection>, SandboxError> {
    lines(path)
}

fn lines<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, SandboxError> {
    let file = File::open(path).map_err(SandboxError::io("read", path))?;
    let mut lines = Vec::new();
    for (number, text) in BufReader::new(file).split(b'\n').enumerate() {
        let text = text.map_err(SandboxError::io("read", path))?;
        // A line that a kill cut short has no closing brace, since no value holds an object.
        if text.last() == Some(&b'}') {
            lines.push(
                serde_json::from_slice(&text).map_err(|error| {
                    SandboxError::Ledger(format!("{}: line {}: {error}", path.display(), number + 1))
                })?,
            );
        }
    }
    Ok(lines)
}

fn append(path: &Path) -> Result<File, SandboxError> {
    let mut file = OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(SandboxError::io("open", path))?;
    // What a kill cut short gets its line end, so that the next line is whole.
    let length = file.metadata().map_err(SandboxError::io("read", path))?.len();
    if length > 0 {
        let mut last = [0];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut last, length - 1)
            .map_err(SandboxError::io("read", path))?;
        if last != [b'\n'] {
            file.write_all(b"\n").map_err(SandboxError::io("write", path))?;
        }
    }
    Ok(file)
}

fn json_line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    // Numbers, booleans and strings into memory: nothing that can fail.
    if serde_json::to_writer(&mut bytes, value).is_ok() {
        bytes.push(b'\n');
    }
    bytes
}

fn digest(message_id: &str) -> u128 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, message_id.as_bytes());
    digest.as_ref().first_chunk().map_or(0, |half| u128::from_le_bytes(*half))
}
