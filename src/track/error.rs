//! Why the record of a run could not be read or written.

use crate::error::{Error, Exit};
use rusqlite::ErrorCode;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why something could not be recorded or looked up.
///
/// Variants are split by what the caller does: stop ([`TrackError::Storage`]), tell the operator what to change, or,
/// for the refusals that name an ordinal, leave that statement as it is and go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// Disk, SQLite or fsync failed. After the first one from the journal's writer, every later call gives it too:
    /// what was not acknowledged may or may not be on disk, and the run must end (architecture, *Decisions*).
    #[error("cannot {doing}")]
    Storage {
        /// What was attempted, in the infinitive.
        doing: String,
        /// What the storage said.
        #[source]
        source: Cause,
    },
    /// Another process has the run.
    #[error("the run in {} is in use by another process", run.display())]
    Locked {
        /// Folder of the run.
        run: PathBuf,
    },
    /// Another run of the installation is sending to this gateway.
    #[error("another run of this installation is using {gateway}, and two would double its agreed rate")]
    GatewayBusy {
        /// Operator id, or the name of FaR.
        gateway: String,
    },
    /// There is a run already where one was to be made.
    #[error("{} holds a run already", run.display())]
    Exists {
        /// Folder of the run.
        run: PathBuf,
    },
    /// There is no run.
    #[error("{} holds no run", run.display())]
    NoRun {
        /// Folder that was looked in.
        run: PathBuf,
    },
    /// Whether there is a run cannot be seen.
    #[error("cannot look into {}: {cause}", run.display())]
    Unreadable {
        /// Folder that was to be looked in.
        run: PathBuf,
        /// What the system said.
        cause: Cause,
    },
    /// A file of another version of the format, or no file of ours.
    #[error("{} has format {found}, and this program reads format {expected}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What it says it is.
        found: String,
        /// What is read.
        expected: u32,
    },
    /// A file of ours whose content contradicts itself.
    #[error("{} is damaged: {what}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong, free of personal data.
        what: String,
    },
    /// The installation's key file can be read by others, or the state folder entered.
    #[error("{} is open to others (mode {mode:03o})", file.display())]
    Open {
        /// The file or folder.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is no key.
    #[error("{} is not a key: it must hold exactly 64 hexadecimal digits", file.display())]
    KeyMalformed {
        /// The file.
        file: PathBuf,
    },
    /// The key file is missing, but the state folder has been used with a key.
    #[error("the installation's key file {} is missing, and {} was made with it", file.display(), state.display())]
    KeyLost {
        /// The key file.
        file: PathBuf,
        /// What needs it.
        state: PathBuf,
    },
    /// The register is missing or empty, but the state folder has been used with one.
    #[error("the register {} is missing or empty: nobody can tell what earlier runs have sent", file.display())]
    RegisterLost {
        /// The register.
        file: PathBuf,
    },
    /// The key is not the one that a run or the register was made with.
    #[error("{} was made with another key than this installation's", file.display())]
    KeyOther {
        /// The database.
        file: PathBuf,
    },
    /// A sealed column does not open.
    #[error("a sealed column cannot be opened: it was altered, or sealed with another key")]
    Sealed,
    /// A statement that does not wait was to be sent, routed or ended. Nothing was written for it.
    #[error("statement {ordinal} does not wait: it has its outcome, is under way, or was never released")]
    NotWaiting {
        /// Its ordinal.
        ordinal: u64,
    },
    /// A statement whose earlier request may have arrived was to be sent with other bytes or another id.
    #[error("statement {ordinal} cannot be sent again: its request would not be the same bytes")]
    BytesDiffer {
        /// Its ordinal.
        ordinal: u64,
    },
    /// Something was to be done that the phase of the run does not allow.
    #[error("cannot {doing}: the run is {phase}")]
    Phase {
        /// What was attempted, in the infinitive.
        doing: &'static str,
        /// Where the run is.
        phase: super::Phase,
    },
    /// The statements of the journal are not those of the exports.
    #[error("the exports have {exports} statements and the journal {journal}")]
    Unbalanced {
        /// By the exports.
        exports: u64,
        /// By the journal.
        journal: u64,
    },
    /// The register knows more of a run than the folder that was opened: nothing of it may leave.
    #[error("{} is not run {id} as it is now: {why}", run.display())]
    Outdated {
        /// Folder of the run.
        run: PathBuf,
        /// Id of the run.
        id: String,
        /// What the register knows.
        why: Outdated,
    },
    /// A run that may have sent something is named by the register, and its folder is gone.
    #[error("the register names run {run} as unfinished, and its folder {} cannot be read", folder.display())]
    RunGone {
        /// Id of the run.
        run: String,
        /// Where it was.
        folder: PathBuf,
    },
}

/// How the register knows that a folder is not the run as it is now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Outdated {
    /// The register has taken the run's statements over.
    #[error("the run has finished since this copy was made, and what it sent is in the register")]
    Finished,
    /// A person gave the run up as lost.
    #[error("the run was given up as lost (`purge --lost`), and others may have sent what waits here")]
    GivenUp,
    /// A process has gone on with the run, or purged it, elsewhere or since.
    #[error("a process has gone on with the run since this copy was made, and may have sent what waits here")]
    GoneOn,
    /// The run lies elsewhere as well.
    #[error("it is a copy, and the run lies in {}", .0.display())]
    Elsewhere(PathBuf),
}

impl Outdated {
    fn remedy(&self, run: &Path) -> String {
        let run = run.display();
        match self {
            Self::Finished => "send the export in a new run: what was not sent goes with it, and nothing else".into(),
            Self::GivenUp => format!(
                "`utskick purge --even-pending {run}` lets the register know again what this run sent; then send the export \
                 in a new run: what nobody sent goes with it"
            ),
            Self::GoneOn => format!(
                "bring the folder back as it was last; if that is lost, ask the operators what has arrived, give up what \
                 waits here by `utskick purge --even-pending {run}`, and send the export in a new run: what left since this \
                 copy was made may then be sent twice"
            ),
            Self::Elsewhere(folder) => format!(
                "resume {}; to go on with the run here, remove that folder or move it away first",
                folder.display()
            ),
        }
    }
}

/// What a storage operation failed with; shared by all who waited for it.
#[derive(Clone)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl Cause {
    /// Takes any error.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Arc::from(source.into()))
    }

    /// Whether the disk does not give back what was written.
    fn is_damage(&self) -> bool {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows, Utf8Error,
        };
        let Some(error) = self.0.downcast_ref::<rusqlite::Error>() else { return false };
        match error.sqlite_error_code() {
            Some(code) => {
                matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation)
            }
            None => matches!(
                error,
                FromSqlConversionFailure(..)
                    | IntegralValueOutOfRange(..)
                    | InvalidColumnType(..)
                    | QueryReturnedNoRows
                    | Utf8Error(..)
            ),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.0.downcast_ref() {
            // Its text says what its source would say again.
            Some(rusqlite::Error::SqliteFailure(_, Some(_))) => None,
            _ => self.0.source(),
        }
    }
}

impl TrackError {
    pub(super) fn storage(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Storage { doing: doing.into(), source: Cause::new(source) }
    }

    /// Whether this concerns one statement and the run can go on.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::NotWaiting { .. } | Self::BytesDiffer { .. })
    }

    /// The exit code of a command that ends with it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::NoRun { .. } | Self::Exists { .. } | Self::Locked { .. } | Self::Outdated { .. } => Exit::Usage,
            Self::Open { .. }
            | Self::KeyMalformed { .. }
            | Self::KeyLost { .. }
            | Self::RegisterLost { .. }
            | Self::KeyOther { .. }
            | Self::GatewayBusy { .. } => Exit::Settings,
            _ => Exit::Storage,
        }
    }

    fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Storage { source, .. } if !source.is_damage() => {
                "see that the disk is whole and has space, then resume: nothing is claimed that was not synced".into()
            }
            Self::Locked { .. } => "wait for it, or stop it with Ctrl-C or `control`".into(),
            Self::GatewayBusy { .. } => "wait until the other run has ended".into(),
            Self::Exists { .. } => "name an empty folder for a new run, or `resume` this one".into(),
            Self::NoRun { .. } => "name the folder that `send` was given as --run".into(),
            Self::Outdated { run, why, .. } => why.remedy(run),
            Self::Unreadable { .. } => {
                "see to the folder's permissions, or do this as the user whom the run belongs to".into()
            }
            Self::Format { .. } => "use the version of utskick that made it; a run must be finished by the version that began it".into(),
            Self::Storage { .. } => {
                "keep it as it is: the disk does not give back what was written. The register's backup can take its place, or a \
                 copy of a run's whole folder, made after the last process at it had ended"
                    .into()
            }
            Self::Damaged { .. } => {
                "keep the folder as it is: nothing of this run is sent any more. A copy of the whole folder, made after the \
                 last process at it had ended, can take its place. Otherwise ask the operators what they have before \
                 anything of it is sent anew; then move the folder away and let `utskick purge --lost` give the run up"
                    .into()
            }
            Self::Open { file, .. } => format!("chmod go-rwx {}", file.display()),
            Self::KeyMalformed { .. } | Self::KeyLost { .. } | Self::KeyOther { .. } => {
                "restore the key file from its backup; with another key no earlier statement is known again".into()
            }
            Self::RegisterLost { .. } => {
                "bring it back from its backup; to begin anew on purpose, and send everything again, name a new state folder \
                 and a new key file under [installation]"
                    .into()
            }
            Self::RunGone { .. } => {
                "bring the folder back, from a backup if need be, and finish the run; if it was moved, `utskick resume` at its \
                 new place tells the register, and `utskick purge --even-pending` does of a run that is purged; if it is \
                 lost for good, `utskick purge --lost` lets others go on without it, and what it sent may then be sent twice"
                    .into()
            }
            _ => return None,
        })
    }
}

impl From<TrackError> for Error {
    fn from(error: TrackError) -> Self {
        let exit = error.exit();
        let remedy = error.remedy();
        let whole = match error {
            TrackError::Storage { doing, source } => Error::because(exit, format!("cannot {doing}"), source),
            other => Error::new(exit, other.to_string()),
        };
        match remedy {
            Some(remedy) => whole.remedy(remedy),
            None => whole,
        }
    }
}
