//! The error of a whole command: which stage, what happened, what to do, and the exit code.

use std::fmt;

/// How the process ends. Documented in the README; scripts rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything ended as delivered, paper, held by policy or protection, removal, replaced, not for sending or
    /// already sent.
    Done = 0,
    /// Finished, with statements to look at: rejected, failed, in doubt, or held for want of an address.
    LookAt = 1,
    /// Something is pending: resume.
    Pending = 2,
    /// The command line is wrong.
    Usage = 64,
    /// An input cannot be read.
    Input = 65,
    /// A gateway refused us.
    Refused = 69,
    /// Storage failed: disk, journal, fsync.
    Storage = 74,
    /// The settings are wrong, keys and certificates included.
    Settings = 78,
    /// A signal stopped it before there was a result, as a shell says of SIGINT.
    Interrupted = 130,
}

/// Why a command could not do its work.
///
/// *Shape*: one lower-case sentence without a full stop that names what was attempted, the source behind it, and the
/// remedy where there is one. Free of personal data.
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    message: String,
    remedy: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Result of a command's parts.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(at) = cause {
        text.push_str(&format!(": {at}"));
        cause = at.source();
    }
    text
}

impl Error {
    /// An error that ends the process with this code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), remedy: None, source: None }
    }

    /// The same, with what caused it.
    pub fn because(
        exit: Exit,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { exit, message: message.into(), remedy: None, source: Some(source.into()) }
    }

    /// Says what the operator can do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The exit code.
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "\n  {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
