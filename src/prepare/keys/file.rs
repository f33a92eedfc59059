//! Files of keys: PEM, PKCS#8 and its encryption, passwords. What is secret in them is wiped on drop.

use super::certificate::bits;
use super::error::{KeyError, KeyWarning};
use aws_lc_rs::rsa;
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Header, SliceReader, Tag};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// A private key in one of the three encodings, wiped on drop.
pub(super) enum KeyDer {
    Pkcs8(Zeroizing<Vec<u8>>),
    Pkcs1(Zeroizing<Vec<u8>>),
    Sec1(Zeroizing<Vec<u8>>),
}

impl KeyDer {
    pub(super) fn borrow(&self) -> PrivateKeyDer<'_> {
        match self {
            Self::Pkcs8(der) => PrivatePkcs8KeyDer::from(der.as_slice()).into(),
            Self::Pkcs1(der) => PrivatePkcs1KeyDer::from(der.as_slice()).into(),
            Self::Sec1(der) => PrivateSec1KeyDer::from(der.as_slice()).into(),
        }
    }

    /// Size of the modulus; `None` where it is not an RSA key.
    pub(super) fn rsa_bits(&self) -> Result<Option<u32>, der::Error> {
        /// rsaEncryption, RFC 8017 appendix A.1.
        const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
        match self {
            Self::Sec1(_) => Ok(None),
            Self::Pkcs1(der) => modulus_bits(der).map(Some),
            Self::Pkcs8(der) => {
                let info = PrivateKeyInfoRef::from_der(der)?;
                if info.algorithm.oid != RSA_ENCRYPTION {
                    return Ok(None);
                }
                modulus_bits(info.private_key.as_bytes()).map(Some)
            }
        }
    }

    pub(super) fn key_pair(&self) -> Result<rsa::KeyPair, aws_lc_rs::error::KeyRejected> {
        match self {
            Self::Pkcs1(der) => rsa::KeyPair::from_der(der),
            Self::Pkcs8(der) | Self::Sec1(der) => rsa::KeyPair::from_pkcs8(der),
        }
    }
}

/// Bits of the modulus of an RSAPrivateKey (RFC 8017 appendix A.1.2).
fn modulus_bits(rsa_private_key: &[u8]) -> Result<u32, der::Error> {
    let mut reader = SliceReader::new(rsa_private_key)?;
    Header::decode(&mut reader)?;
    u8::decode(&mut reader)?;
    UintRef::decode(&mut reader).map(|modulus| bits(modulus.as_bytes()))
}

pub(super) fn decrypt_pkcs8(file: &Path, der: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let damaged = |error: der::Error| KeyError::Damaged { file: file.to_path_buf(), reason: error.to_string() };
    let unsupported = |reason: String| KeyError::Unsupported { file: file.to_path_buf(), reason };
    let info = match EncryptedPrivateKeyInfoRef::from_der(der) {
        Ok(info) => info,
        // Well-formed, but with an algorithm that the types do not know, as those of PKCS#12 and PKCS#5 version 1.
        Err(error)
            if matches!(
                error.kind(),
                der::ErrorKind::OidUnknown { .. } | der::ErrorKind::Value { tag: Tag::ObjectIdentifier }
            ) =>
        {
            return Err(unsupported(error.to_string()));
        }
        Err(error) => return Err(damaged(error)),
    };
    match info.decrypt(password) {
        Ok(document) => Ok(Zeroizing::new(document.as_bytes().to_vec())),
        Err(pkcs8::Error::EncryptedPrivateKey(
            error @ (pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs8::pkcs5::Error::NoPbes1CryptSupport
            | pkcs8::pkcs5::Error::AlgorithmParametersInvalid { .. }),
        )) => Err(unsupported(error.to_string())),
        // A wrong password shows as bad padding, or as padding that is right by chance over bytes that are no key.
        Err(_) => Err(KeyError::WrongPassword { file: file.to_path_buf() }),
    }
}

pub(super) fn pkcs12_error(file: &Path, error: &p12_keystore::error::Error) -> KeyError {
    use p12_keystore::error::Error;
    let file = file.to_path_buf();
    match error {
        // The integrity code is computed from the password; where a file has none, decryption fails.
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError | Error::InvalidPrivateKey => {
            KeyError::WrongPassword { file }
        }
        Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::UnsupportedContentType
        | Error::UnsupportedCertificateType
        | Error::InvalidVersion
        | Error::InvalidParameters => KeyError::Unsupported { file, reason: error.to_string().to_lowercase() },
        _ => KeyError::Damaged { file, reason: format!("not PKCS#12: {error}") },
    }
}

pub(super) fn read_file(what: &'static str, file: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    std::fs::read(file).map(Zeroizing::new).map_err(|source| KeyError::Unreadable {
        what,
        file: file.to_path_buf(),
        source,
    })
}

/// The password, without a last line end.
pub(super) fn read_password(file: &Path) -> Result<Zeroizing<String>, KeyError> {
    let bytes = read_file("password file", file)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| KeyError::Damaged { file: file.to_path_buf(), reason: "a password is UTF-8 text".into() })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

pub(super) fn open_to_others(file: &Path) -> Option<KeyWarning> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then(|| KeyWarning::OpenToOthers { file: file.to_path_buf(), mode })
}

/// A section of a PEM file (RFC 7468), wiped on drop.
pub(super) struct Section {
    pub(super) label: String,
    pub(super) contents: Zeroizing<Vec<u8>>,
    /// `Proc-Type` and `DEK-Info`: the contents are encrypted in the way of RFC 1421.
    pub(super) has_headers: bool,
}

/// The sections of a PEM file; text between them is passed over.
///
/// Not by a library: those at hand leave copies of a private key behind, and know no encrypted one.
pub(super) fn pem_sections(file: &[u8]) -> Result<Vec<Section>, String> {
    let mut sections = Vec::new();
    let mut open: Option<(String, Zeroizing<Vec<u8>>, bool)> = None;
    for line in file.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        let marker = |word: &str| {
            let text = std::str::from_utf8(line).ok()?;
            text.strip_prefix("-----")?.strip_prefix(word)?.strip_prefix(' ')?.strip_suffix("-----").map(str::to_owned)
        };
        match open.take() {
            None => {
                // Room for the whole file: a buffer that grew would leave parts of a key behind.
                open = marker("BEGIN").map(|label| (label, Zeroizing::new(Vec::with_capacity(file.len())), false));
            }
            Some((label, text, has_headers)) if marker("END").as_deref() == Some(&label) => {
                let contents = if has_headers {
                    Vec::new()
                } else {
                    base64_simd::STANDARD
                        .decode_to_vec(text.as_slice())
                        .map_err(|_| format!("the section {label} is not base64"))?
                };
                sections.push(Section { label, contents: Zeroizing::new(contents), has_headers });
            }
            Some((label, _, _)) if line.starts_with(b"-----") => return Err(format!("the section {label} has no end")),
            Some((label, mut text, has_headers)) => {
                let is_header = line.contains(&b':');
                if !is_header {
                    text.extend_from_slice(line);
                }
                open = Some((label, text, has_headers || is_header));
            }
        }
    }
    match open {
        Some((label, _, _)) => Err(format!("the section {label} has no end")),
        None => Ok(sections),
    }
}
