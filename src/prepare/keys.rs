//! Keys and certificates: read from files, checked before anything is sent.
//!
//! In: PKCS#12, or PEM of a certificate (and its chain) and of a private key. Out: a [`Credential`] whose key belongs to
//! its certificate, and from it a [`KeySigner`] for messages or a key for mutual TLS. It does not ask whether a
//! certificate is trusted or revoked; that is the receiver's business.
//!
//! *Secrets*: file contents, passwords and decrypted keys are wiped when they are dropped, and no type here shows them in
//! Debug. What aws-lc holds of a key it wipes itself. The PKCS#12 reader keeps a copy of its own for the moment of
//! reading that it does not wipe.

mod certificate;
mod error;
mod file;
mod subject;

pub use certificate::Certificate;
pub use error::{KeyError, KeyWarning};

use super::sign::KeySigner;
use crate::config::KeySource;
use aws_lc_rs::rsa;
use certificate::{chain_of, in_file};
use file::{KeyDer, Section, decrypt_pkcs8, open_to_others, pem_sections, pkcs12_error, read_file, read_password};
use jiff::Timestamp;
use p12_keystore::Pkcs12Archive;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};
use zeroize::Zeroizing;

/// Least size of an RSA key that signs or that is encrypted to, in bits.
///
/// The certificates of the infrastructure's test authority have 2048; a 1024-bit key of 2013 is no longer acceptable.
pub const LEAST_RSA_BITS: u32 = 2048;

/// A private key that belongs to its certificate, with the certificate's chain.
///
/// Both halves were checked against each other when it was read. Debug shows the certificate only.
pub struct Credential {
    certificate: Certificate,
    chain: Vec<Certificate>,
    tls: Arc<dyn SigningKey>,
    rsa: Option<Arc<rsa::KeyPair>>,
    warnings: Vec<KeyWarning>,
}

impl Credential {
    /// Reads key and certificate from the files that the settings name.
    ///
    /// *Shape*: PKCS#12 (current algorithms, and the RC2 and 3DES of older exports); or PEM with PKCS#8, PKCS#8 encrypted
    /// by PBES2, PKCS#1 or SEC 1. Exactly one key; of the certificates the one that belongs to the key is taken, and
    /// those that issued it become its chain. *Errors*: one variant of [`KeyError`] for each thing that can be wrong.
    /// *Cost*: about half a millisecond, and the password's key derivation; load once.
    pub fn load(source: &KeySource) -> Result<Self, KeyError> {
        match source {
            KeySource::Pkcs12 { pkcs12, password_file } => Self::load_pkcs12(pkcs12, password_file),
            KeySource::Pem { certificate, private_key, password_file } => {
                Self::load_pem(certificate, private_key, password_file.as_deref())
            }
        }
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The certificates that issued it, nearest first, without a self-signed root.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// What the operator should be told about the files.
    pub fn warnings(&self) -> &[KeyWarning] {
        &self.warnings
    }

    /// Whether certificate and chain are valid now and until the planned end; see [`Certificate::validity`].
    pub fn validity(&self, now: Timestamp, until: Timestamp) -> Result<(), KeyError> {
        std::iter::once(&self.certificate).chain(&self.chain).try_for_each(|one| one.validity(now, until))
    }

    /// The signer of messages.
    ///
    /// *Errors*: [`KeyError::NotRsa`]; a weak key was refused when it was loaded.
    pub fn signer(&self) -> Result<KeySigner, KeyError> {
        match &self.rsa {
            Some(key) => Ok(KeySigner::new(self.certificate.clone(), Arc::clone(key))),
            None => Err(KeyError::NotRsa { subject: self.certificate.subject().to_owned() }),
        }
    }

    /// The key and chain for mutual TLS; here the key may be of another kind than RSA.
    ///
    /// *Errors*: none today; a key in a token may be away.
    pub fn certified_key(&self) -> Result<Arc<CertifiedKey>, KeyError> {
        let chain = std::iter::once(&self.certificate)
            .chain(&self.chain)
            .map(|one| CertificateDer::from(one.der().to_vec()))
            .collect();
        Ok(Arc::new(CertifiedKey::new(chain, Arc::clone(&self.tls))))
    }

    fn load_pkcs12(file: &Path, password_file: &Path) -> Result<Self, KeyError> {
        let bytes = read_file("key file", file)?;
        let password = read_password(password_file)?;
        let archive = Pkcs12Archive::from_pkcs12(&bytes, &password).map_err(|error| pkcs12_error(file, &error))?;
        let key = match archive.keys.as_slice() {
            [] => return Err(KeyError::NoKey { file: file.to_path_buf() }),
            [one] => one,
            several => return Err(KeyError::SeveralKeys { file: file.to_path_buf(), count: several.len() }),
        };
        let der = Zeroizing::new(key.key.as_der().to_vec());
        // A certificate with the key's own id comes first: an export may hold its predecessor for the same key.
        let id = key.local_key_id.as_ref().map(|id| &id.0);
        let (own, others): (Vec<_>, Vec<_>) =
            archive.certs.iter().partition(|certificate| id.is_some() && certificate.local_key_id.as_ref() == id);
        let read = |bags: Vec<&p12_keystore::CertificateBag>| -> Result<Vec<Certificate>, KeyError> {
            bags.into_iter().map(|bag| in_file(file, Certificate::from_der(bag.cert.as_der()))).collect()
        };
        let (own, others) = (read(own)?, read(others)?);
        let warnings = [file, password_file].into_iter().filter_map(open_to_others).collect();
        Self::assemble(&KeyDer::Pkcs8(der), own, others, file, file, warnings)
    }

    fn load_pem(certificate: &Path, key: &Path, password_file: Option<&Path>) -> Result<Self, KeyError> {
        let bytes = read_file("key file", key)?;
        let damaged = |reason| KeyError::Damaged { file: key.to_path_buf(), reason };
        let mut keys: Vec<Section> = pem_sections(&bytes)
            .map_err(damaged)?
            .into_iter()
            .filter(|section| section.label.ends_with("PRIVATE KEY"))
            .collect();
        if keys.len() > 1 {
            return Err(KeyError::SeveralKeys { file: key.to_path_buf(), count: keys.len() });
        }
        let section = keys.pop().ok_or_else(|| KeyError::NoKey { file: key.to_path_buf() })?;
        if section.has_headers {
            return Err(KeyError::Unsupported {
                file: key.to_path_buf(),
                reason: "the PEM encryption of before PKCS#8".into(),
            });
        }
        let mut warnings: Vec<KeyWarning> = open_to_others(key).into_iter().collect();
        let der = match section.label.as_str() {
            "PRIVATE KEY" => KeyDer::Pkcs8(section.contents),
            "RSA PRIVATE KEY" => KeyDer::Pkcs1(section.contents),
            "EC PRIVATE KEY" => KeyDer::Sec1(section.contents),
            "ENCRYPTED PRIVATE KEY" => {
                let password_file =
                    password_file.ok_or_else(|| KeyError::PasswordMissing { file: key.to_path_buf() })?;
                warnings.extend(open_to_others(password_file));
                let password = read_password(password_file)?;
                KeyDer::Pkcs8(decrypt_pkcs8(key, &section.contents, &password)?)
            }
            other => {
                return Err(KeyError::Unsupported { file: key.to_path_buf(), reason: format!("PEM of {other}") });
            }
        };
        Self::assemble(&der, Vec::new(), Certificate::read_pem_bundle(certificate)?, certificate, key, warnings)
    }

    /// Joins the key with the certificate that belongs to it. Certificates in `own` are preferred to those in `others`.
    fn assemble(
        der: &KeyDer,
        own: Vec<Certificate>,
        others: Vec<Certificate>,
        certificate_file: &Path,
        key_file: &Path,
        warnings: Vec<KeyWarning>,
    ) -> Result<Self, KeyError> {
        let rejected = |reason: String| KeyError::Rejected { file: key_file.to_path_buf(), reason };
        let rsa_bits = der.rsa_bits().map_err(|error| rejected(error.to_string()))?;
        if let Some(bits) = rsa_bits.filter(|bits| *bits < LEAST_RSA_BITS) {
            return Err(KeyError::WeakKey { subject: key_file.display().to_string(), bits });
        }
        let tls = any_supported_type(&der.borrow()).map_err(|error| rejected(error.to_string()))?;
        let rsa = match rsa_bits {
            Some(_) => Some(Arc::new(der.key_pair().map_err(|error| rejected(error.to_string()))?)),
            None => None,
        };
        let public_key = tls.public_key().ok_or_else(|| rejected("its public half is not known".into()))?;
        let (_, info) = SubjectPublicKeyInfo::from_der(&public_key).map_err(|error| rejected(error.to_string()))?;
        let public_key: &[u8] = &info.subject_public_key.data;

        if own.is_empty() && others.is_empty() {
            return Err(KeyError::NoCertificate { file: certificate_file.to_path_buf() });
        }
        let matching = |certificates: &[Certificate]| {
            let mut found: Vec<Certificate> = Vec::new();
            for certificate in certificates.iter().filter(|one| one.public_key() == public_key) {
                if !found.contains(certificate) {
                    found.push(certificate.clone());
                }
            }
            found
        };
        let mut leaves = matching(&own);
        if leaves.is_empty() {
            leaves = matching(&others);
        }
        if leaves.len() > 1 {
            return Err(KeyError::SeveralCertificates { file: certificate_file.to_path_buf(), count: leaves.len() });
        }
        let certificate = leaves.pop().ok_or_else(|| KeyError::Mismatch {
            certificate: certificate_file.to_path_buf(),
            key: key_file.to_path_buf(),
        })?;
        let chain = chain_of(&certificate, &[own, others].concat());
        Ok(Self { certificate, chain, tls, rsa, warnings })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
