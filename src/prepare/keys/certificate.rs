//! A certificate and the facts that are asked of it.

use super::LEAST_RSA_BITS;
use super::error::KeyError;
use super::file::{pem_sections, read_file};
use super::subject::{organisation, rfc2253};
use crate::domain::Organisation;
use crate::prepare::envelope::KeyInfo;
use crate::prepare::sha256;
use jiff::Timestamp;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// An X.509 certificate and the facts that are asked of it. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Facts>);

struct Facts {
    der: Vec<u8>,
    subject: String,
    organisation: Option<Organisation>,
    not_before: Timestamp,
    not_after: Timestamp,
    fingerprint: [u8; 32],
    rsa: bool,
    key_bits: u32,
    public_key_info: Vec<u8>,
    public_key: Vec<u8>,
    issuer_name: Vec<u8>,
    subject_name: Vec<u8>,
    serial: Vec<u8>,
    key_info: KeyInfo,
}

impl Certificate {
    /// Reads one certificate.
    ///
    /// *Shape*: DER, nothing after it. *Errors*: [`KeyError::Certificate`].
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let wrong = |reason: String| KeyError::Certificate { reason };
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| wrong(error.to_string()))?;
        if !rest.is_empty() {
            return Err(wrong(format!("{} bytes after its end", rest.len())));
        }
        let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| wrong(error.to_string()));
        let info = parsed.public_key();
        let (rsa, key_bits) = match info.parsed() {
            Ok(PublicKey::RSA(key)) => (true, bits(key.modulus)),
            Ok(other) => (false, u32::try_from(other.key_size()).unwrap_or(u32::MAX)),
            Err(_) => (false, 0),
        };
        let subject = rfc2253(parsed.subject()).map_err(wrong)?;
        Ok(Self(Arc::new(Facts {
            key_info: KeyInfo::new(&subject, der),
            subject,
            organisation: organisation(parsed.subject()),
            not_before: time(parsed.validity().not_before.timestamp())?,
            not_after: time(parsed.validity().not_after.timestamp())?,
            fingerprint: sha256(der),
            rsa,
            key_bits,
            public_key_info: info.raw.to_vec(),
            public_key: info.subject_public_key.data.to_vec(),
            issuer_name: parsed.issuer().as_raw().to_vec(),
            subject_name: parsed.subject().as_raw().to_vec(),
            serial: parsed.raw_serial().to_vec(),
            der: der.to_vec(),
        })))
    }

    /// Reads the first certificate of a PEM file.
    pub fn read_pem(file: &Path) -> Result<Self, KeyError> {
        let mut all = Self::read_pem_bundle(file)?;
        Ok(all.swap_remove(0)) // a bundle is never empty
    }

    /// Reads every certificate of a PEM file, in its order, at least one.
    pub fn read_pem_bundle(file: &Path) -> Result<Vec<Self>, KeyError> {
        let bytes = read_file("certificate", file)?;
        let certificates: Vec<Self> = pem_sections(&bytes)
            .map_err(|reason| KeyError::Damaged { file: file.to_path_buf(), reason })?
            .iter()
            .filter(|section| matches!(section.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE"))
            .map(|section| in_file(file, Self::from_der(&section.contents)))
            .collect::<Result<_, _>>()?;
        if certificates.is_empty() {
            return Err(KeyError::NoCertificate { file: file.to_path_buf() });
        }
        Ok(certificates)
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Its subject in the form of RFC 2253 that openssl prints (`-nameopt RFC2253`), as it stands in X509SubjectName:
    /// last name first, characters outside ASCII as `\C3\A5`, attributes without a known short name as number and DER.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The organisation in the subject's serialNumber, `16` and ten digits with a correct check digit.
    pub fn organisation(&self) -> Option<Organisation> {
        self.0.organisation
    }

    /// First moment of its validity.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// Last moment of its validity.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// SHA-256 of the DER.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.0.fingerprint
    }

    /// Size of its key: bits of an RSA modulus, or of a coordinate of an elliptic curve; 0 for a key of unknown kind.
    pub fn key_bits(&self) -> u32 {
        self.0.key_bits
    }

    /// Whether it is valid now and stays so until a moment, the planned end.
    ///
    /// *Errors*: [`KeyError::NotYetValid`], [`KeyError::Expired`], [`KeyError::EndsTooSoon`].
    pub fn validity(&self, now: Timestamp, until: Timestamp) -> Result<(), KeyError> {
        let subject = || self.subject().to_owned();
        if now < self.not_before() {
            return Err(KeyError::NotYetValid { subject: subject(), not_before: self.not_before() });
        }
        if now > self.not_after() {
            return Err(KeyError::Expired { subject: subject(), not_after: self.not_after() });
        }
        if until > self.not_after() {
            return Err(KeyError::EndsTooSoon { subject: subject(), not_after: self.not_after(), until });
        }
        Ok(())
    }

    /// That its key is RSA and long enough to sign with and to encrypt to.
    pub(in crate::prepare) fn check_rsa(&self) -> Result<(), KeyError> {
        if !self.0.rsa {
            return Err(KeyError::NotRsa { subject: self.subject().to_owned() });
        }
        if self.key_bits() < LEAST_RSA_BITS {
            return Err(KeyError::WeakKey { subject: self.subject().to_owned(), bits: self.key_bits() });
        }
        Ok(())
    }

    /// SubjectPublicKeyInfo, DER.
    pub(in crate::prepare) fn public_key_info(&self) -> &[u8] {
        &self.0.public_key_info
    }

    /// The issuer's Name, DER.
    pub(in crate::prepare) fn issuer_name(&self) -> &[u8] {
        &self.0.issuer_name
    }

    /// Contents of the serial number's INTEGER.
    pub(in crate::prepare) fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The constant text that follows a signature value by this certificate's key.
    pub(in crate::prepare) fn key_info(&self) -> &KeyInfo {
        &self.0.key_info
    }

    /// The key's own bytes.
    pub(super) fn public_key(&self) -> &[u8] {
        &self.0.public_key
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.0.issuer_name == self.0.subject_name
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("subject", &self.subject()).finish_non_exhaustive()
    }
}

/// Bits of an unsigned number, most significant byte first.
pub(super) fn bits(number: &[u8]) -> u32 {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let first = digits.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(digits.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(first)
}

/// Issuers of a certificate among others, nearest first, up to but without a self-issued root.
pub(super) fn chain_of(leaf: &Certificate, pool: &[Certificate]) -> Vec<Certificate> {
    let mut chain: Vec<Certificate> = Vec::new();
    let mut last = leaf.clone();
    while !last.is_self_issued() {
        let next = pool.iter().find(|one| {
            one.0.subject_name == last.0.issuer_name && !one.is_self_issued() && !chain.contains(one) && *one != leaf
        });
        let Some(next) = next else { break };
        chain.push(next.clone());
        last = next.clone();
    }
    chain
}

/// Puts the file's name to a certificate's fault.
pub(super) fn in_file(file: &Path, certificate: Result<Certificate, KeyError>) -> Result<Certificate, KeyError> {
    certificate.map_err(|error| match error {
        KeyError::Certificate { reason } => KeyError::Damaged { file: file.to_path_buf(), reason },
        other => other,
    })
}
