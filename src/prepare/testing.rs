//! Keys of the signature vectors, for the tests of this folder.

use super::keys::Credential;
use super::sign::KeySigner;
use crate::config::KeySource;
use std::path::{Path, PathBuf};

/// A file of the signature vectors.
pub fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors").join(name)
}

/// The private key `sender`, `mediator` or `ca`, PKCS#8 DER.
pub fn key_der(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(vector(&format!("{name}.key.pkcs8.b64"))).unwrap();
    base64_simd::forgiving_decode_to_vec(text.as_bytes()).unwrap()
}

/// Puts PEM armour on.
pub fn pem(label: &str, der: &[u8]) -> String {
    let base64 = base64_simd::STANDARD.encode_to_string(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// `sender` or `mediator`, with its certificate.
pub fn credential(name: &str) -> Credential {
    let folder = tempfile::tempdir().unwrap();
    let private_key = folder.path().join("key.pem");
    std::fs::write(&private_key, pem("PRIVATE KEY", &key_der(name))).unwrap();
    let certificate = vector(&format!("{name}.crt.pem"));
    Credential::load(&KeySource::Pem { certificate, private_key, password_file: None }).unwrap()
}

/// The signer of `sender` or `mediator`.
pub fn signer(name: &str) -> KeySigner {
    credential(name).signer().unwrap()
}
