//! The keys of the signature vectors as files, for tests that sign and decrypt.

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use utskick::config::KeySource;
use utskick::prepare::keys::Credential;

/// A file of the signature vectors.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors").join(name)
}

/// The private key `sender`, `mediator` or `ca` as PEM in a folder.
pub fn key_pem(folder: &TempDir, name: &str) -> PathBuf {
    let base64 = std::fs::read_to_string(file(&format!("{name}.key.pkcs8.b64"))).unwrap();
    let label = "PRIVATE KEY";
    let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64.trim());
    let path = folder.path().join(format!("{name}.key.pem"));
    std::fs::write(&path, pem).unwrap();
    path
}

/// `sender` or `mediator` with its certificate.
pub fn credential(name: &str) -> Credential {
    let folder = tempfile::tempdir().unwrap();
    let source = KeySource::Pem {
        certificate: file(&format!("{name}.crt.pem")),
        private_key: key_pem(&folder, name),
        password_file: None,
    };
    Credential::load(&source).unwrap()
}
