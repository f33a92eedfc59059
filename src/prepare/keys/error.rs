//! What can be wrong with a key or a certificate, or be worth a warning.

use super::LEAST_RSA_BITS;
use jiff::Timestamp;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a key or a certificate cannot be used. All of them are faults of the settings; none names a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A file is missing, or may not be read.
    #[error("cannot read the {what} {}", file.display())]
    Unreadable {
        /// `key file`, `certificate` or `password file`.
        what: &'static str,
        /// Which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No private key in it.
    #[error("no private key in {}: export it together with its key", file.display())]
    NoKey {
        /// Which file.
        file: PathBuf,
    },
    /// More than one private key in it: which is meant cannot be known.
    #[error("{count} private keys in {}: keep one", file.display())]
    SeveralKeys {
        /// Which file.
        file: PathBuf,
        /// How many.
        count: usize,
    },
    /// No certificate in it.
    #[error("no certificate in {}", file.display())]
    NoCertificate {
        /// Which file.
        file: PathBuf,
    },
    /// More than one certificate belongs to the key: which is meant cannot be known.
    #[error("{count} certificates in {} belong to the same key: keep the one in force", file.display())]
    SeveralCertificates {
        /// Which file.
        file: PathBuf,
        /// How many.
        count: usize,
    },
    /// The private key is encrypted and the settings name no password file.
    #[error("the private key {} is encrypted: name its password_file in the settings", file.display())]
    PasswordMissing {
        /// Which file.
        file: PathBuf,
    },
    /// The password does not open the file.
    #[error("wrong password for {}: see its password_file", file.display())]
    WrongPassword {
        /// Which file.
        file: PathBuf,
    },
    /// Encrypted or packed in a way that is not supported.
    #[error(
        "{} is protected in an unsupported way ({reason}): convert it, with `openssl pkcs12 -legacy` or `openssl pkcs8 -topk8`",
        file.display()
    )]
    Unsupported {
        /// Which file.
        file: PathBuf,
        /// What is not supported.
        reason: String,
    },
    /// Not what it should be, inside.
    #[error("{} is damaged: {reason}", file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// Where it is wrong.
        reason: String,
    },
    /// Not an X.509 certificate in DER.
    #[error("not a certificate: {reason}")]
    Certificate {
        /// Where it is wrong.
        reason: String,
    },
    /// The certificate is about another key.
    #[error("the certificate {} does not belong to the private key {}: name the two that were issued together", certificate.display(), key.display())]
    Mismatch {
        /// Certificate file.
        certificate: PathBuf,
        /// Key file; the same file for PKCS#12.
        key: PathBuf,
    },
    /// Messages are signed, and attachments encrypted, with RSA only.
    #[error("the key of {subject} is not an RSA key, and the contract knows only RSA")]
    NotRsa {
        /// Subject of the certificate.
        subject: String,
    },
    /// An RSA key that is too short.
    #[error("the key of {subject} has {bits} bits, {LEAST_RSA_BITS} is the least: have another issued")]
    WeakKey {
        /// Subject of the certificate, or the file where the certificate is not read yet.
        subject: String,
        /// Its size.
        bits: u32,
    },
    /// The cryptographic library refuses the key.
    #[error("the private key {} cannot be used: {reason}", file.display())]
    Rejected {
        /// Which file.
        file: PathBuf,
        /// What it said.
        reason: String,
    },
    /// Its time is over.
    #[error("the certificate of {subject} ended {not_after}: renew it")]
    Expired {
        /// Subject of the certificate.
        subject: String,
        /// Its last moment.
        not_after: Timestamp,
    },
    /// Its time has not come.
    #[error("the certificate of {subject} is valid only from {not_before}: use the one in force until then")]
    NotYetValid {
        /// Subject of the certificate.
        subject: String,
        /// Its first moment.
        not_before: Timestamp,
    },
    /// Valid now, and over before the run can end.
    #[error("the certificate of {subject} ends {not_after}, before the run can end ({until}): renew it first")]
    EndsTooSoon {
        /// Subject of the certificate.
        subject: String,
        /// Its last moment.
        not_after: Timestamp,
        /// Until when it is needed.
        until: Timestamp,
    },
}

/// What an operator should know about a key that can be used all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyWarning {
    /// Others than its owner may read or write the file.
    OpenToOthers {
        /// The key or password file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for KeyWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenToOthers { file, mode } => {
                write!(f, "{} is open to others than its owner (mode {mode:04o}): chmod 600", file.display())
            }
        }
    }
}
