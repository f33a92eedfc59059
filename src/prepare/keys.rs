//! Keys and certificates: read from files, checked before anything is sent.
//!
//! In: PKCS#12, or PEM of a certificate (and its chain) and of a private key. Out: a [`Credential`] whose key belongs to
//! its certificate, and from it a [`KeySigner`] for messages or a key for mutual TLS. It does not ask whether a
//! certificate is trusted or revoked; that is the receiver's business.
//!
//! *Secrets*: file contents, passwords and decrypted keys are wiped when they are dropped, and no type here shows them in
//! Debug. What aws-lc holds of a key it wipes itself. The PKCS#12 reader keeps a copy of its own for the moment of
//! reading that it does not wipe.

use super::envelope::KeyInfo;
use super::sign::KeySigner;
use crate::config::KeySource;
use crate::domain::{IdentityKind, Organisation};
use aws_lc_rs::{digest, rsa};
use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Header, SliceReader, Tag};
use jiff::Timestamp;
use p12_keystore::Pkcs12Archive;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_parser::asn1_rs::ToDer;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;
use zeroize::Zeroizing;

/// Least size of an RSA key that signs or that is encrypted to, in bits.
///
/// The certificates of the infrastructure's test authority have 2048; a 1024-bit key of 2013 is no longer acceptable.
pub const LEAST_RSA_BITS: u32 = 2048;

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
    pub(super) fn check_rsa(&self) -> Result<(), KeyError> {
        if !self.0.rsa {
            return Err(KeyError::NotRsa { subject: self.subject().to_owned() });
        }
        if self.key_bits() < LEAST_RSA_BITS {
            return Err(KeyError::WeakKey { subject: self.subject().to_owned(), bits: self.key_bits() });
        }
        Ok(())
    }

    /// SubjectPublicKeyInfo, DER.
    pub(super) fn public_key_info(&self) -> &[u8] {
        &self.0.public_key_info
    }

    /// The issuer's Name, DER.
    pub(super) fn issuer_name(&self) -> &[u8] {
        &self.0.issuer_name
    }

    /// Contents of the serial number's INTEGER.
    pub(super) fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The constant text that follows a signature value by this certificate's key.
    pub(super) fn key_info(&self) -> &KeyInfo {
        &self.0.key_info
    }

    fn is_self_issued(&self) -> bool {
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
            for certificate in certificates.iter().filter(|one| one.0.public_key == public_key) {
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

/// Issuers of a certificate among others, nearest first, up to but without a self-issued root.
fn chain_of(leaf: &Certificate, pool: &[Certificate]) -> Vec<Certificate> {
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

/// A private key in one of the three encodings, wiped on drop.
enum KeyDer {
    Pkcs8(Zeroizing<Vec<u8>>),
    Pkcs1(Zeroizing<Vec<u8>>),
    Sec1(Zeroizing<Vec<u8>>),
}

impl KeyDer {
    fn borrow(&self) -> PrivateKeyDer<'_> {
        match self {
            Self::Pkcs8(der) => PrivatePkcs8KeyDer::from(der.as_slice()).into(),
            Self::Pkcs1(der) => PrivatePkcs1KeyDer::from(der.as_slice()).into(),
            Self::Sec1(der) => PrivateSec1KeyDer::from(der.as_slice()).into(),
        }
    }

    /// Size of the modulus; `None` where it is not an RSA key.
    fn rsa_bits(&self) -> Result<Option<u32>, der::Error> {
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

    fn key_pair(&self) -> Result<rsa::KeyPair, aws_lc_rs::error::KeyRejected> {
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

/// Bits of an unsigned number, most significant byte first.
fn bits(number: &[u8]) -> u32 {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let first = digits.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(digits.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(first)
}

fn decrypt_pkcs8(file: &Path, der: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
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

fn pkcs12_error(file: &Path, error: &p12_keystore::error::Error) -> KeyError {
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

/// Puts the file's name to a certificate's fault.
fn in_file(file: &Path, certificate: Result<Certificate, KeyError>) -> Result<Certificate, KeyError> {
    certificate.map_err(|error| match error {
        KeyError::Certificate { reason } => KeyError::Damaged { file: file.to_path_buf(), reason },
        other => other,
    })
}

fn read_file(what: &'static str, file: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    std::fs::read(file).map(Zeroizing::new).map_err(|source| KeyError::Unreadable {
        what,
        file: file.to_path_buf(),
        source,
    })
}

/// The password, without a last line end.
fn read_password(file: &Path) -> Result<Zeroizing<String>, KeyError> {
    let bytes = read_file("password file", file)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| KeyError::Damaged { file: file.to_path_buf(), reason: "a password is UTF-8 text".into() })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

fn open_to_others(file: &Path) -> Option<KeyWarning> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then(|| KeyWarning::OpenToOthers { file: file.to_path_buf(), mode })
}

/// A section of a PEM file (RFC 7468), wiped on drop.
struct Section {
    label: String,
    contents: Zeroizing<Vec<u8>>,
    /// `Proc-Type` and `DEK-Info`: the contents are encrypted in the way of RFC 1421.
    has_headers: bool,
}

/// The sections of a PEM file; text between them is passed over.
///
/// Not by a library: those at hand leave copies of a private key behind, and know no encrypted one.
fn pem_sections(file: &[u8]) -> Result<Vec<Section>, String> {
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

/// SHA-256 of some bytes.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

fn organisation(subject: &X509Name<'_>) -> Option<Organisation> {
    /// id-at-serialNumber.
    const SERIAL_NUMBER: &str = "2.5.4.5";
    subject.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == SERIAL_NUMBER).find_map(
        |attribute| {
            let organisation = Organisation::parse(attribute.as_str().ok()?).ok()?;
            (organisation.identity().kind() == IdentityKind::Organisationsnummer).then_some(organisation)
        },
    )
}

/// A name as `openssl x509 -nameopt RFC2253` prints it: relative names and the attributes in them last to first.
fn rfc2253(name: &X509Name<'_>) -> Result<String, String> {
    let mut out = String::new();
    let mut relative: Vec<_> = name.iter().collect();
    relative.reverse();
    for (place, attributes) in relative.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        let mut attributes: Vec<_> = attributes.iter().collect();
        attributes.reverse();
        for (place, attribute) in attributes.iter().enumerate() {
            if place > 0 {
                out.push('+');
            }
            let value = attribute.attr_value();
            let oid = attribute.attr_type().to_id_string();
            let short = SHORT_NAMES.iter().find(|(number, _)| *number == oid).map(|(_, short)| *short);
            out.push_str(short.unwrap_or(&oid));
            out.push('=');
            match short.and_then(|_| directory_string(value.header.tag().0, value.data)) {
                Some(text) => escape_2253(&text, &mut out),
                None => {
                    out.push('#');
                    let der = value.to_der_vec().map_err(|error| error.to_string())?;
                    der.iter().for_each(|byte| _ = write!(out, "{byte:02X}"));
                }
            }
        }
    }
    Ok(out)
}

/// The text of an ASN.1 string type by its tag; `None` for any other type, and where the bytes do not fit the type.
fn directory_string(tag: u32, bytes: &[u8]) -> Option<String> {
    match tag {
        12 => std::str::from_utf8(bytes).ok().map(str::to_owned), // UTF8String
        // NumericString, PrintableString, T61String (as Latin-1, like openssl), IA5String, VisibleString.
        18 | 19 | 20 | 22 | 26 => Some(bytes.iter().copied().map(char::from).collect()),
        // UniversalString, BMPString.
        28 => bytes.chunks(4).map(|c| char::from_u32(u32::from_be_bytes(c.try_into().ok()?))).collect(),
        30 => {
            let units: Option<Vec<u16>> = bytes.chunks(2).map(|c| c.try_into().ok().map(u16::from_be_bytes)).collect();
            String::from_utf16(&units?).ok()
        }
        _ => None,
    }
}

/// RFC 2253 section 2.4, and `\XX` for controls and bytes outside ASCII.
fn escape_2253(text: &str, out: &mut String) {
    let last = text.len().saturating_sub(1);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'#' if place == 0 => out.push_str("\\#"),
            b' ' if place == 0 || place == last => out.push_str("\\ "),
            0x20..0x7f => out.push(char::from(byte)),
            _ => _ = write!(out, "\\{byte:02X}"),
        }
    }
}

/// Short names of attributes, as openssl has them.
const SHORT_NAMES: [(&str, &str); 36] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.19", "physicalDeliveryOfficeName"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.49", "distinguishedName"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.72", "role"),
    ("2.5.4.97", "organizationIdentifier"),
    ("2.5.4.98", "c3"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
];

#[cfg(test)]
mod tests {
    use super::super::sign::Signer;
    use super::super::testing::{credential, key_der, pem, vector};
    use super::*;
    use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
    use pkcs8::pkcs5::pbes2;
    use rcgen::{CertificateParams, DnType, DnValue, Issuer, KeyPair, date_time_ymd};
    use std::fs;
    use tempfile::TempDir;

    fn rsa_pair(name: &str) -> KeyPair {
        let der = key_der(name);
        KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &rcgen::PKCS_RSA_SHA256).unwrap()
    }

    fn named(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2028, 1, 1));
        params
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A folder with files that the settings name.
    struct Files(TempDir);

    impl Files {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
            let file = self.0.path().join(name);
            fs::write(&file, bytes).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            file
        }

        fn pem(&self, key: &str, certificate: PathBuf, password: Option<&str>) -> KeySource {
            KeySource::Pem {
                certificate,
                private_key: self.write("key.pem", key),
                password_file: password.map(|password| self.write("password", password)),
            }
        }

        fn pkcs12(&self, bytes: &[u8], password: &str) -> KeySource {
            KeySource::Pkcs12 { pkcs12: self.write("key.p12", bytes), password_file: self.write("password", password) }
        }
    }

    fn sender_pem() -> String {
        pem("PRIVATE KEY", &key_der("sender"))
    }

    fn sender_certificate() -> PathBuf {
        vector("sender.crt.pem")
    }

    fn p12_certificate(name: &str) -> p12_keystore::Certificate {
        let certificate = Certificate::read_pem(&vector(&format!("{name}.crt.pem"))).unwrap();
        p12_keystore::Certificate::from_der(certificate.der()).unwrap()
    }

    fn pkcs12(entries: &[(&str, &[&str])], password: &str) -> Vec<u8> {
        let mut store = KeyStore::new();
        for (key, certificates) in entries {
            let chain = PrivateKeyChain::new(
                *key,
                PrivateKey::from_der(&key_der(key)).unwrap(),
                certificates.iter().map(|name| p12_certificate(name)),
            );
            store.add_entry(key, KeyStoreEntry::PrivateKeyChain(chain));
        }
        store.writer(password).write().unwrap()
    }

    /// The same key by every way of storing it signs alike.
    #[track_caller]
    fn assert_is_sender(source: &KeySource) -> Credential {
        let loaded = Credential::load(source).unwrap();
        assert_eq!(loaded.certificate(), credential("sender").certificate());
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        loaded.signer().unwrap().sign_digest(&[7; 32], &mut ours).unwrap();
        credential("sender").signer().unwrap().sign_digest(&[7; 32], &mut theirs).unwrap();
        assert_eq!(ours, theirs);
        loaded
    }

    #[test]
    fn certificate_facts_are_those_of_the_vectors() {
        let certificate = Certificate::read_pem(&sender_certificate()).unwrap();
        assert_eq!(certificate.subject(), "CN=sender.kommun-a.test+serialNumber=162021004748,O=Kommun A,C=SE");
        assert_eq!(certificate.organisation(), Some(Organisation::parse("162021004748").unwrap()));
        assert_eq!(certificate.key_bits(), 2048);
        assert_eq!(certificate.not_before(), time("2026-11-24T21:35:47Z"));
        assert_eq!(certificate.not_after(), time("2046-11-19T21:35:47Z"));
        let authority = Certificate::read_pem(&vector("ca.crt.pem")).unwrap();
        assert_eq!(authority.organisation(), None);
        assert_eq!(authority.der(), Certificate::from_der(authority.der()).unwrap().der());
    }

    #[test]
    fn a_certificate_is_der_to_its_last_byte() {
        let mut der = Certificate::read_pem(&sender_certificate()).unwrap().der().to_vec();
        der.push(0);
        assert!(matches!(Certificate::from_der(&der), Err(KeyError::Certificate { .. })));
        for cut in [0, 1, 10, der.len() / 2, der.len() - 2] {
            assert!(matches!(Certificate::from_der(&der[..cut]), Err(KeyError::Certificate { .. })), "{cut}");
        }
    }

    #[test]
    fn pem_in_all_its_encodings() {
        let files = Files::new();
        let loaded = assert_is_sender(&files.pem(&sender_pem(), sender_certificate(), None));
        assert_eq!(loaded.warnings(), []);
        assert_eq!(loaded.certified_key().unwrap().cert.len(), 1);

        let der = key_der("sender");
        let pkcs1 = PrivateKeyInfoRef::from_der(&der).unwrap().private_key.as_bytes().to_vec();
        assert_is_sender(&files.pem(&pem("RSA PRIVATE KEY", &pkcs1), sender_certificate(), None));

        // As `openssl pkcs12` writes it: text around, Windows line ends, key and certificates in one file.
        let certificate = fs::read_to_string(sender_certificate()).unwrap();
        let both = format!(
            "Bag Attributes\n    localKeyID: 01 02\nKey Attributes: <No Attributes>\n{}subject=å\n{certificate}",
            sender_pem()
        );
        let both = files.write("both.pem", both.replace('\n', "\r\n"));
        assert_is_sender(&KeySource::Pem { certificate: both.clone(), private_key: both, password_file: None });
    }

    #[test]
    fn encrypted_pem_needs_its_password() {
        let files = Files::new();
        let (salt, iv) = ([3; 16], [5; 16]);
        let encrypted = |parameters: pbes2::Parameters| {
            let encrypted_data = parameters.encrypt("hemligt åäö", &key_der("sender")).unwrap();
            let info = pkcs8::EncryptedPrivateKeyInfoOwned {
                encryption_algorithm: parameters.into(),
                encrypted_data: der::asn1::OctetString::new(encrypted_data).unwrap(),
            };
            pem("ENCRYPTED PRIVATE KEY", &der::Encode::to_der(&info).unwrap())
        };
        let sha256 = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(2048, &salt, iv).unwrap();
        let text = encrypted(sha256);
        for password in ["hemligt åäö", "hemligt åäö\n", "hemligt åäö\r\n"] {
            assert_is_sender(&files.pem(&text, sender_certificate(), Some(password)));
        }
        // A blank is part of a password.
        for password in ["hemligt", "hemligt åäö ", "", "hemligt åäö\n\n"] {
            let error = Credential::load(&files.pem(&text, sender_certificate(), Some(password))).unwrap_err();
            assert!(matches!(error, KeyError::WrongPassword { .. }), "{error}");
        }
        let error = Credential::load(&files.pem(&text, sender_certificate(), None)).unwrap_err();
        assert!(matches!(error, KeyError::PasswordMissing { .. }), "{error}");
        let error = Credential::load(&files.pem(&text, sender_certificate(), Some("\u{0}"))).unwrap_err();
        assert!(!error.to_string().contains('\u{0}'));
        files.write("password", [0xff, 0xfe]);
        let source = KeySource::Pem {
            certificate: sender_certificate(),
            private_key: files.write("key.pem", &text),
            password_file: Some(files.0.path().join("password")),
        };
        assert!(matches!(Credential::load(&source), Err(KeyError::Damaged { .. })));
    }

    #[test]
    fn pkcs12_is_opened_by_its_password_only() {
        let files = Files::new();
        let bytes = pkcs12(&[("sender", &["sender", "ca"])], "hemligt");
        let loaded = assert_is_sender(&files.pkcs12(&bytes, "hemligt\n"));
        assert_eq!(loaded.chain(), [], "a root is not sent along");
        for password in ["", "Hemligt", "hemligt "] {
            let error = Credential::load(&files.pkcs12(&bytes, password)).unwrap_err();
            assert!(matches!(error, KeyError::WrongPassword { .. }), "{error}");
        }
        for damage in [&bytes[..bytes.len() - 1], b"", b"not a key file", sender_pem().as_bytes()] {
            let error = Credential::load(&files.pkcs12(damage, "hemligt")).unwrap_err();
            assert!(matches!(error, KeyError::Damaged { .. }), "{error}");
        }
    }

    #[test]
    fn pkcs12_holds_one_key_and_its_certificate() {
        let files = Files::new();
        let load = |bytes: &[u8]| Credential::load(&files.pkcs12(bytes, "x")).unwrap_err();
        let error = load(&pkcs12(&[("sender", &["sender"]), ("mediator", &["mediator"])], "x"));
        assert!(matches!(error, KeyError::SeveralKeys { count: 2, .. }), "{error}");
        let error = load(&pkcs12(&[("sender", &["mediator"])], "x"));
        assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
        let error = load(&pkcs12(&[("sender", &[])], "x"));
        assert!(matches!(error, KeyError::NoCertificate { .. }), "{error}");
        let mut store = KeyStore::new();
        store.add_entry("ca", KeyStoreEntry::Certificate(p12_certificate("ca")));
        let error = load(&store.writer("x").write().unwrap());
        assert!(matches!(error, KeyError::NoKey { .. }), "{error}");
    }

    #[test]
    fn each_fault_of_pem_files_has_its_own_error() {
        let files = Files::new();
        let certificate = sender_certificate;
        let load = |source: KeySource| Credential::load(&source).unwrap_err();

        let error = load(files.pem(&sender_pem(), vector("mediator.crt.pem"), None));
        assert!(matches!(error, KeyError::Mismatch { .. }), "{error}");
        let error = load(files.pem(&(sender_pem() + &sender_pem()), certificate(), None));
        assert!(matches!(error, KeyError::SeveralKeys { count: 2, .. }), "{error}");
        for none in [String::new(), fs::read_to_string(certificate()).unwrap()] {
            let error = load(files.pem(&none, certificate(), None));
            assert!(matches!(error, KeyError::NoKey { .. }), "{error}");
        }
        let error = load(files.pem(&sender_pem(), files.write("empty.pem", "no certificate here"), None));
        assert!(matches!(error, KeyError::NoCertificate { .. }), "{error}");
        let error = load(files.pem(&sender_pem(), files.0.path().join("missing.pem"), None));
        assert!(matches!(error, KeyError::Unreadable { what: "certificate", .. }), "{error}");
        let missing = files.0.path().join("missing.pem");
        let error = load(KeySource::Pem { certificate: certificate(), private_key: missing, password_file: None });
        assert!(matches!(&error, KeyError::Unreadable { what: "key file", .. }), "{error}");
        assert!(error.to_string().ends_with("missing.pem"), "{error}");

        let cut = sender_pem().replace("-----END PRIVATE KEY-----\n", "");
        let error = load(files.pem(&cut, certificate(), None));
        assert!(matches!(error, KeyError::Damaged { .. }), "{error}");
        let error = load(files.pem(&sender_pem().replace("MII", "M!!"), certificate(), None));
        assert!(matches!(error, KeyError::Damaged { .. }), "{error}");
        let error = load(files.pem(&pem("PRIVATE KEY", &key_der("sender")[..900]), certificate(), None));
        assert!(matches!(error, KeyError::Rejected { .. }), "{error}");
        let old =
            pem("RSA PRIVATE KEY", b"x").replacen("\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1);
        let error = load(files.pem(&old, certificate(), None));
        assert!(matches!(error, KeyError::Unsupported { .. }), "{error}");
        let error = load(files.pem(&pem("OPENSSH PRIVATE KEY", b"x"), certificate(), None));
        assert!(matches!(error, KeyError::Unsupported { .. }), "{error}");
    }

    #[test]
    fn weak_keys_are_refused() {
        // RSAPrivateKey up to its modulus of 1024 bits; the rest is never looked at.
        let mut body = vec![2, 1, 0, 2, 0x81, 0x81, 0, 0xff];
        body.extend([1; 127]);
        let mut der = vec![0x30, 0x81, u8::try_from(body.len()).unwrap()];
        der.extend(body);
        let error = Credential::load(&Files::new().pem(&pem("RSA PRIVATE KEY", &der), sender_certificate(), None));
        assert!(matches!(error, Err(KeyError::WeakKey { bits: 1024, .. })), "{error:?}");
    }

    #[test]
    fn other_keys_than_rsa_serve_tls_only() {
        let key = KeyPair::generate().unwrap();
        let certificate = named("tls only").self_signed(&key).unwrap();
        let files = Files::new();
        let source = files.pem(&key.serialize_pem(), files.write("cert.pem", certificate.pem()), None);
        let loaded = Credential::load(&source).unwrap();
        assert!(matches!(loaded.signer(), Err(KeyError::NotRsa { .. })));
        assert_eq!(loaded.certificate().key_bits(), 256);
        assert!(loaded.certified_key().is_ok());
        assert!(matches!(loaded.certificate().check_rsa(), Err(KeyError::NotRsa { .. })));
    }

    #[test]
    fn chain_runs_from_the_nearest_issuer_and_leaves_strangers_out() {
        let [root_key, middle_key] = [rsa_pair("ca"), rsa_pair("mediator")];
        let root = named("root").self_signed(&root_key).unwrap();
        let middle = named("middle").signed_by(&middle_key, &Issuer::new(named("root"), &root_key)).unwrap();
        let lower =
            named("lower").signed_by(&rsa_pair("mediator"), &Issuer::new(named("middle"), &middle_key)).unwrap();
        let leaf = named("leaf").signed_by(&rsa_pair("sender"), &Issuer::new(named("lower"), &rsa_pair("mediator")));
        let (stranger, leaf) = (named("stranger").self_signed(&middle_key).unwrap(), leaf.unwrap());
        let files = Files::new();
        let bundle: String = [&root, &stranger, &middle, &leaf, &lower, &leaf].map(|one| one.pem()).concat();
        let loaded = Credential::load(&files.pem(&sender_pem(), files.write("bundle.pem", bundle), None)).unwrap();
        assert_eq!(loaded.certificate().subject(), "CN=leaf");
        let subjects: Vec<_> = loaded.chain().iter().map(Certificate::subject).collect();
        assert_eq!(subjects, ["CN=lower", "CN=middle"]);

        let renewed = named("renewed").self_signed(&rsa_pair("sender")).unwrap();
        let two = files.write("two.pem", leaf.pem() + &renewed.pem());
        let error = Credential::load(&files.pem(&sender_pem(), two, None)).unwrap_err();
        assert!(matches!(error, KeyError::SeveralCertificates { count: 2, .. }), "{error}");
    }

    #[test]
    fn validity_looks_at_now_and_at_the_planned_end() {
        let certificate = Certificate::from_der(named("x").self_signed(&rsa_pair("ca")).unwrap().der()).unwrap();
        let check = |now: &str, until: &str| certificate.validity(time(now), time(until));
        assert!(check("2027-01-05T00:00:00Z", "2027-01-31T23:59:59Z").is_ok());
        assert!(check("2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z").is_ok());
        let early = check("2025-12-31T23:59:59Z", "2027-01-31T00:00:00Z");
        assert!(matches!(early, Err(KeyError::NotYetValid { .. })), "{early:?}");
        let late = check("2028-01-01T00:00:01Z", "2028-01-01T00:00:02Z");
        assert!(matches!(late, Err(KeyError::Expired { .. })), "{late:?}");
        let short = check("2027-12-30T00:00:00Z", "2028-01-31T00:00:00Z").unwrap_err();
        assert!(matches!(short, KeyError::EndsTooSoon { .. }));
        assert_eq!(
            short.to_string(),
            "the certificate of CN=x ends 2028-01-01T00:00:00Z, before the run can end (2028-01-31T00:00:00Z): renew it first"
        );
    }

    #[test]
    fn files_open_to_others_are_told() {
        let files = Files::new();
        let source = files.pem(&sender_pem(), sender_certificate(), None);
        let key = files.0.path().join("key.pem");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let warnings = Credential::load(&source).unwrap().warnings().to_vec();
        assert_eq!(warnings, [KeyWarning::OpenToOthers { file: key.clone(), mode: 0o644 }]);
        let text = format!("{} is open to others than its owner (mode 0644): chmod 600", key.display());
        assert_eq!(warnings[0].to_string(), text);
    }

    #[test]
    fn debug_shows_no_key() {
        let credential = credential("sender");
        let shown = format!("{credential:?} {:?}", credential.signer().unwrap());
        let subject =
            "Certificate { subject: \"CN=sender.kommun-a.test+serialNumber=162021004748,O=Kommun A,C=SE\", .. }";
        assert_eq!(
            shown,
            format!("Credential {{ certificate: {subject}, .. }} KeySigner {{ certificate: {subject}, .. }}")
        );
    }

    #[test]
    fn names_are_escaped() {
        let subject = |value: DnValue| {
            let mut params = named("x");
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, value);
            let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
            Certificate::from_der(&der).unwrap().subject().to_owned()
        };
        let utf8 = |text: &str| subject(DnValue::Utf8String(text.into()));
        assert_eq!(utf8(" #a,b+c\"d\\e<f>g;h=i "), r#"CN=\ #a\,b\+c\"d\\e\<f\>g\;h=i\ "#);
        assert_eq!(utf8("#1"), r"CN=\#1");
        assert_eq!(utf8(" "), r"CN=\ ");
        assert_eq!(utf8("Åre\n\u{7f}"), r"CN=\C3\85re\0A\7F");
        assert_eq!(utf8(""), "CN=");
        assert_eq!(subject(DnValue::BmpString("Ö€".try_into().unwrap())), r"CN=\C3\96\E2\82\AC");
        assert_eq!(subject(DnValue::UniversalString("å😀".try_into().unwrap())), r"CN=\C3\A5\F0\9F\98\80");

        let mut params = named("x");
        params.distinguished_name.push(DnType::CustomDnType(vec![1, 2, 752, 99, 1]), "y");
        params
            .distinguished_name
            .push(DnType::CustomDnType(CustomDn::EMAIL.to_vec()), DnValue::Ia5String("a@b.se".try_into().unwrap()));
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        assert_eq!(Certificate::from_der(&der).unwrap().subject(), "emailAddress=a@b.se,1.2.752.99.1=#0C0179,CN=x");
    }

    struct CustomDn;

    impl CustomDn {
        const EMAIL: [u64; 7] = [1, 2, 840, 113_549, 1, 9, 1];
    }

    #[test]
    fn organisation_is_sixteen_and_a_right_check_digit() {
        let of = |serial: &str| {
            let mut params = named("x");
            params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial);
            let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
            Certificate::from_der(&der).unwrap().organisation().map(|organisation| organisation.to_string())
        };
        assert_eq!(of("162021004748").as_deref(), Some("162021004748"));
        for other in ["162021004749", "2021004748", "191212121212", "SE2021004748"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
