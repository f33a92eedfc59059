//! Intake: the bytes of an export become valid statements (steps 1 to 3 of a statement's path).
//!
//! In: a file. Out: batches of [`Checked`] in the order of their ordinals, each with its span, its verdict and its
//! digests, and the [`Finding`]s that say why a record was rejected. Spans leave here, never borrowed records: pass 2
//! parses a record again from its span ([`Export::record`]). Nothing is sent, looked up or written down here, but for
//! the private copy of the export.
//!
//! The order of the files is the order of the work: [`sniff`] tells what the file is, `stage` takes a private copy of
//! it as UTF-8, `map` maps that, `head` reads what stands before the records, `split` finds the records, `parse` reads
//! one, `validate` judges it, and [`settle`] looks across records. Schema and rules are tables keyed by version.

mod findings;
mod head;
mod lexical;
mod map;
mod parse;
mod read;
mod rejects;
mod settle;
mod sniff;
mod split;
mod stage;
#[doc(hidden)]
pub mod stages;
#[cfg(test)]
pub(crate) mod testing;
mod validate;
mod xml;

pub use findings::{FAULTS_PER_RECORD, Fault, Finding};
pub use read::{Checked, Options, RecipientKind, Stop, Summary, Verdict, read};
pub use rejects::Rejects;
pub use settle::{Amendment, Settler};

use crate::domain::{ContentDigest, Digester, Kontrolluppgift, RecordDigest, SchemaVersion, Span};
use crate::error::{Error, Exit};
use head::{Head, HeadError};
use map::{Map, Stamp};
use serde::{Deserialize, Serialize};
use sniff::{Beginning, Encoding, Unreadable};
use split::careful_end;
use stage::Places;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use xml::Malformed;

/// How an export is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// As it lies, nothing copied (but for encodings other than UTF-8, whose UTF-8 copy has no name and vanishes with
    /// the process).
    InPlace,
    /// A private copy in this folder.
    Staged(PathBuf),
}

/// Why an export cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// Not a regular file.
    #[error("{} is {what}, not a file", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// Nothing in it.
    #[error("{} is empty", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// Another kind of file.
    #[error("{} is not an XML file: it looks like {what}", path.display())]
    NotXml {
        /// Which.
        path: PathBuf,
        /// What it looks like.
        what: &'static str,
    },
    /// An encoding that is not read, or that the bytes are not in.
    #[error("{} at byte {offset}: {what}", path.display())]
    Encoding {
        /// Which.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// XML, but of something else, or of a version that is not read.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Not well-formed, where no boundary of records is certain any more.
    #[error("{} is not well-formed at byte {offset}: {what}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where, in the original.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Refused by policy or limit, whatever XML says.
    #[error("{} is refused at byte {offset}: {what}", path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Where, in the original.
        offset: u64,
        /// Why.
        what: &'static str,
    },
    /// Reading failed.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file changed while it was read, or since.
    #[error("{} changed while it was read, or since; nothing is decided on it", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// Writing the private copy failed.
    #[error("cannot {what} {}", path.display())]
    Storage {
        /// What was attempted.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The worker threads could not be started.
    #[error("cannot start the threads of the intake")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// More records than ordinals, or a span beyond what a record may be.
    #[error("{}: record {ordinal} cannot be read again from its span", path.display())]
    Span {
        /// Which.
        path: PathBuf,
        /// Whose.
        ordinal: u64,
    },
    /// The receiver of the batches stopped.
    #[error("the intake was stopped")]
    Stopped(#[source] Stop),
}

/// Result of the intake.
pub type Result<T, E = IntakeError> = std::result::Result<T, E>;

impl IntakeError {
    /// The exit code that it means.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Storage { .. } | Self::Threads(_) | Self::Stopped(_) => Exit::Storage,
            _ => Exit::Input,
        }
    }

    /// What can be done about it, where that is known.
    pub const fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Malformed { .. } | Self::Refused { .. } => {
                Some("have the program that wrote the export write it again; nothing after this place was read")
            }
            Self::Foreign { .. } => Some("schema versions 7.0 to 12.0 of Skatteverket's kontrolluppgifter are read"),
            Self::Changed { .. } => Some("start again when nothing writes to the file any more"),
            Self::Storage { .. } => Some("see to space and permissions of the folder, and start again"),
            _ => None,
        }
    }

    /// The error of the command that needed the export.
    pub fn into_error(self) -> Error {
        let (exit, remedy) = (self.exit(), self.remedy());
        let whole = Error::because(exit, "cannot read an export", self);
        match remedy {
            Some(remedy) => whole.remedy(remedy),
            None => whole,
        }
    }
}

/// What makes an export the same when a run goes on: written in the journal's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFingerprint {
    /// The original.
    pub path: PathBuf,
    /// The private copy; the original where it was read in place.
    pub staged: PathBuf,
    /// Bytes of the original.
    pub size: u64,
    /// Modification time of the original, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// SHA-256 of the private copy, hexadecimal; `None` in place.
    pub sha256: Option<String>,
    /// The original's encoding, as an XML declaration names it.
    pub encoding: String,
    /// Bytes of the original's byte order mark.
    pub mark: usize,
    /// Whether UTF-16 has its big end first.
    #[serde(default)]
    pub big_end_first: bool,
}

impl ExportFingerprint {
    /// Whether a file still holds what the export was taken from: its size and time are the same, or all of its bytes.
    ///
    /// *Cost*: reads the file where only its time is another. Of an export that was turned into UTF-8 another time
    /// counts as another content.
    pub fn is_of(&self, file: &Path) -> io::Result<bool> {
        let file = File::open(file)?;
        let stamp = Stamp::of(&file)?;
        if stamp.size != self.size {
            return Ok(false);
        }
        if stamp.mtime_ns == i128::from(self.mtime_ns) {
            return Ok(true);
        }
        match &self.sha256 {
            Some(expected) if self.encoding == Encoding::Utf8.name() => Ok(hex(&stage::sha256(&file)?) == *expected),
            _ => Ok(false),
        }
    }

    fn beginning(&self) -> Beginning {
        let encoding = match (self.encoding.as_str(), self.big_end_first) {
            ("ISO-8859-1", _) => Encoding::Latin1,
            ("windows-1252", _) => Encoding::Windows1252,
            ("UTF-16", false) => Encoding::Utf16Le,
            ("UTF-16", true) => Encoding::Utf16Be,
            _ => Encoding::Utf8,
        };
        Beginning { encoding, mark: self.mark }
    }
}

/// An export that lies open: mapped, and its head read.
#[derive(Debug)]
pub struct Export {
    map: Map,
    head: Head,
    places: Places,
    encoding: Encoding,
    /// Open while the export is, to look at its stamp again.
    source: Option<File>,
    stamp: Stamp,
    fingerprint: ExportFingerprint,
    looks_windows_1252: bool,
}

impl Export {
    /// Opens an export: tells what the file is, takes the private copy if asked, maps it and reads its head.
    ///
    /// *Errors*: everything that makes the file unreadable as a whole, with the byte offset.
    pub fn open(path: &Path, access: &Access) -> Result<Self> {
        let (source, beginning) = begin(path)?;
        let reading = |source| IntakeError::Read { path: path.to_path_buf(), source };
        let stamp = Stamp::of(&source).map_err(reading)?;
        let copy = match access {
            Access::Staged(folder) => Some(stage::copy(&source, path, &beginning, folder)?),
            Access::InPlace if beginning.encoding != Encoding::Utf8 => {
                Some(stage::nameless(&source, path, &beginning)?)
            }
            Access::InPlace => None,
        };
        let mut fingerprint = ExportFingerprint {
            path: path.to_path_buf(),
            staged: path.to_path_buf(),
            size: stamp.size,
            mtime_ns: i64::try_from(stamp.mtime_ns).unwrap_or(i64::MAX),
            sha256: None,
            encoding: beginning.encoding.name().to_owned(),
            mark: beginning.mark,
            big_end_first: beginning.encoding == Encoding::Utf16Be,
        };
        match copy {
            None => {
                let map = Map::open(&source, path).map_err(reading)?;
                Self::mapped(map, &beginning, Some(source), stamp, fingerprint, false)
            }
            Some(copy) => {
                if let Some(staged) = &copy.path {
                    fingerprint.staged = staged.clone();
                    fingerprint.sha256 = Some(hex(&copy.sha256));
                }
                let map = Map::open(&copy.file, &fingerprint.staged).map_err(reading)?;
                Self::mapped(map, &beginning, None, stamp, fingerprint, copy.looks_windows_1252)
            }
        }
    }

    /// Opens the private copy of an earlier pass again.
    ///
    /// *Errors*: [`IntakeError::Changed`] when it is not the same bytes any more.
    pub fn reopen(staged: &Path, fingerprint: &ExportFingerprint) -> Result<Self> {
        let reading = |source| IntakeError::Read { path: staged.to_path_buf(), source };
        let file = File::open(staged).map_err(reading)?;
        let changed = || IntakeError::Changed { path: staged.to_path_buf() };
        let stamp = Stamp::of(&file).map_err(reading)?;
        match &fingerprint.sha256 {
            Some(expected) if hex(&stage::sha256(&file).map_err(reading)?) != *expected => return Err(changed()),
            None if stamp.size != fingerprint.size || stamp.mtime_ns != i128::from(fingerprint.mtime_ns) => {
                return Err(changed());
            }
            _ => {}
        }
        let beginning = fingerprint.beginning();
        // Read in place, and not UTF-8: its UTF-8 copy went with the process that made it.
        let file = match fingerprint.sha256.is_none() && beginning.encoding != Encoding::Utf8 {
            true => stage::nameless(&file, staged, &beginning)?.file,
            false => file,
        };
        let map = Map::open(&file, staged).map_err(reading)?;
        Self::mapped(map, &beginning, None, stamp, fingerprint.clone(), false)
    }

    /// Takes the private copy of an earlier pass anew, from an original that still has the same bytes.
    ///
    /// *Errors*: [`IntakeError::Changed`] where it has others, and no copy is left then; those of [`Export::open`].
    pub fn stage_again(staged: &Path, fingerprint: &ExportFingerprint) -> Result<()> {
        let path = &fingerprint.path;
        let (source, beginning) = begin(path)?;
        let stamp = Stamp::of(&source).map_err(|source| IntakeError::Read { path: path.clone(), source })?;
        if stamp.size != fingerprint.size || beginning != fingerprint.beginning() {
            return Err(IntakeError::Changed { path: path.clone() });
        }
        stage::copy_as(&source, path, &beginning, staged, fingerprint.sha256.as_deref()).map(drop)
    }

    fn mapped(
        map: Map,
        beginning: &Beginning,
        source: Option<File>,
        stamp: Stamp,
        fingerprint: ExportFingerprint,
        looks_windows_1252: bool,
    ) -> Result<Self> {
        let places = Places::new(beginning);
        let bytes = map.bytes();
        // A mark stays in a copy of UTF-8; other encodings lose theirs.
        let mark = if beginning.encoding == Encoding::Utf8 { beginning.mark } else { 0 };
        let refuse =
            |malformed: Malformed| refused(&fingerprint.path, places.original(bytes, malformed.at as u64), &malformed);
        let declaration = sniff::declaration(bytes.get(mark..bytes.len().min(mark + sniff::HEAD)).unwrap_or_default())
            .map_err(|malformed| refuse(malformed.shifted(mark)))?;
        let start = mark + declaration.map_or(0, |declaration| declaration.end);
        let head = match head::read(bytes, start) {
            Ok(head) => head,
            Err(HeadError::Malformed(malformed)) => return Err(refuse(malformed)),
            Err(HeadError::Foreign(what)) => return Err(IntakeError::Foreign { path: fingerprint.path, what }),
        };
        Ok(Self { map, head, places, encoding: beginning.encoding, source, stamp, fingerprint, looks_windows_1252 })
    }

    /// The export's bytes in UTF-8, as spans count them.
    pub fn bytes(&self) -> &[u8] {
        self.map.bytes()
    }

    /// How many.
    pub fn size(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// The file as it was named.
    pub fn path(&self) -> &Path {
        &self.fingerprint.path
    }

    /// The version of its schema.
    pub fn version(&self) -> SchemaVersion {
        self.head.dialect.version
    }

    /// The encoding of the original.
    pub fn encoding(&self) -> &str {
        self.encoding.name()
    }

    /// An offset as the original counts.
    pub fn place(&self, offset: u64) -> u64 {
        self.places.original(self.bytes(), offset)
    }

    /// What makes it the same when a run goes on.
    pub fn fingerprint(&self) -> ExportFingerprint {
        self.fingerprint.clone()
    }

    /// Reads a record again (pass 2). It must be one that pass 1 found valid.
    ///
    /// *Errors*: [`IntakeError::Span`] where there is no such record. *Cost*: under a microsecond for an ordinary one.
    pub fn record(&self, span: &Span) -> Result<Kontrolluppgift<'_>> {
        let wrong = || IntakeError::Span { path: self.path().to_path_buf(), ordinal: span.ordinal };
        let bytes = self.span(span).ok_or_else(wrong)?;
        read::statement(bytes, &self.head.dialect).ok_or_else(wrong)
    }

    /// Whether a record can be found again by where it begins in the original ([`Export::content`]).
    fn is_found_again(&self) -> bool {
        self.encoding == Encoding::Utf8
    }

    /// The digest of the content of a valid record that begins at this byte, of an export in UTF-8.
    ///
    /// *Errors*: [`IntakeError::Span`] where there is no such record.
    pub fn content(&self, ordinal: u64, offset: u64, digester: &dyn Digester) -> Result<ContentDigest> {
        let wrong = || IntakeError::Span { path: self.path().to_path_buf(), ordinal };
        let rest = usize::try_from(offset).ok().and_then(|offset| self.bytes().get(offset..)).ok_or_else(wrong)?;
        let (length, _) = careful_end(rest, usize::MAX, &self.head.dialect.root).map_err(|_| wrong())?;
        let bytes = rest.get(..length).ok_or_else(wrong)?;
        let statement = read::statement(bytes, &self.head.dialect).ok_or_else(wrong)?;
        Ok(read::content_digest(&statement, digester))
    }

    /// The digest of a record's bytes: the first half of their SHA-256.
    pub fn record_digest(&self, span: &Span) -> RecordDigest {
        read::record_digest(self.span(span).unwrap_or_default())
    }

    /// Looks whether an export that is read in place is still the file that it was.
    ///
    /// *Errors*: [`IntakeError::Changed`].
    pub fn unchanged(&self) -> Result<()> {
        let Some(source) = &self.source else { return Ok(()) };
        let path = || self.path().to_path_buf();
        let open = Stamp::of(source).map_err(|source| IntakeError::Read { path: path(), source })?;
        let named = std::fs::metadata(self.path()).map(|metadata| Stamp::from(&metadata));
        match named {
            Ok(named) if named == self.stamp && open == self.stamp => Ok(()),
            _ => Err(IntakeError::Changed { path: path() }),
        }
    }

    fn span(&self, span: &Span) -> Option<&[u8]> {
        let start = usize::try_from(span.offset).ok()?;
        self.bytes().get(start..start.checked_add(span.length as usize)?)
    }

    /// The error of what is no XML, or is refused, at a place of the staged bytes.
    pub fn refused(&self, malformed: &Malformed) -> IntakeError {
        refused(self.path(), self.place(malformed.at as u64), malformed)
    }
}

fn refused(path: &Path, offset: u64, malformed: &Malformed) -> IntakeError {
    let (path, what) = (path.to_path_buf(), malformed.what);
    if malformed.refused {
        IntakeError::Refused { path, offset, what }
    } else {
        IntakeError::Malformed { path, offset, what }
    }
}

/// Opens a file and tells what it is.
fn begin(path: &Path) -> Result<(File, Beginning)> {
    use std::os::unix::fs::{FileExt, FileTypeExt};
    let reading = |source| IntakeError::Read { path: path.to_path_buf(), source };
    // Looked at before it is opened: opening a FIFO waits for a writer.
    let kind = std::fs::metadata(path).map_err(reading)?.file_type();
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe (FIFO)"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_file() {
        ""
    } else {
        "a device"
    };
    if !what.is_empty() {
        return Err(IntakeError::NotAFile { path: path.to_path_buf(), what });
    }
    use std::os::unix::fs::OpenOptionsExt;
    // Should it have become a pipe meanwhile, do not wait; a regular file does not mind.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(nonblocking).open(path).map_err(reading)?;
    if !file.metadata().map_err(reading)?.is_file() {
        return Err(IntakeError::NotAFile {
            path: path.to_path_buf(),
            what: "something else than it was a moment ago",
        });
    }
    let mut head = vec![0; sniff::HEAD];
    let mut count = 0;
    while count < head.len() {
        match file.read_at(head.get_mut(count..).unwrap_or_default(), count as u64).map_err(reading)? {
            0 => break,
            more => count += more,
        }
    }
    if count == 0 {
        return Err(IntakeError::Empty { path: path.to_path_buf() });
    }
    let path = path.to_path_buf();
    match sniff::sniff(head.get(..count).unwrap_or_default()) {
        Ok(beginning) => Ok((file, beginning)),
        Err(Unreadable::NotXml(what)) => Err(IntakeError::NotXml { path, what }),
        Err(Unreadable::Encoding(what)) => Err(IntakeError::Encoding { path, offset: 0, what }),
        Err(Unreadable::Malformed(malformed)) => Err(refused(&path, malformed.at as u64, &malformed)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
