//! The sandbox's own certificate authority and everything it certifies, made once in a folder and reused after.
//!
//! Private keys are written at run time with mode 0600. A restart finds the same authority, so that what trusted it
//! still does.

use super::{SandboxError, certificate::Facts};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The avsändare that the sandbox's settings send as (a fictitious municipality of the test FaR).
pub const SENDER: &str = "162021004748";
/// The förmedlare: seals, and is the TLS client.
pub const MEDIATOR: &str = "162021003898";
/// The print supplier.
pub const SUPPLIER: &str = "165599000808";

/// Name of the operators' key, which things are encrypted to.
pub(crate) const OPERATOR: &str = "operator-c";

/// A certificate and its private key.
#[derive(Debug)]
pub struct Identity {
    /// DER.
    pub certificate: CertificateDer<'static>,
    /// PKCS#8.
    pub key: PrivateKeyDer<'static>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self { certificate: self.certificate.clone(), key: self.key.clone_key() }
    }
}

/// The folder `DIR/pki`.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
    /// The authority.
    pub authority: Identity,
    /// FaR's and the operators' server certificate.
    pub server: Identity,
    /// What operator C's attachments are encrypted to.
    pub encryption: Identity,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A listener of the sandbox.
    Server,
    /// An organisation's certificate: signs, and is a TLS client.
    Organisation,
    /// Has things encrypted to it.
    Encryption,
}

/// Dates of a certificate in days from now.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// First day.
    pub from_days: i64,
    /// Last day.
    pub to_days: i64,
}

impl Validity {
    /// Two years, as the infrastructure's certificates; from yesterday, since clocks differ.
    pub const ORDINARY: Self = Self { from_days: -1, to_days: 730 };
}

/// Files that the settings name, relative to the sandbox's folder.
pub(crate) mod file {
    pub const AUTHORITY: &str = "pki/authority.pem";
    pub const SENDER_P12: &str = "pki/sender.p12";
    pub const SENDER_PASSWORD: &str = "pki/sender.password";
    pub const MEDIATOR: &str = "pki/mediator.pem";
    pub const MEDIATOR_KEY: &str = "pki/mediator.key.pem";
    pub const SUPPLIER: &str = "pki/print-supplier.pem";
    pub const ENCRYPTION: &str = "pki/operator-c.pem";
}

impl Pki {
    /// Reads the folder, making whatever is missing.
    pub fn open(dir: &Path, addresses: &[String]) -> Result<Self, SandboxError> {
        let folder = dir.join("pki");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(SandboxError::io("make", &folder))?;
        let authority = match read(&folder, "authority")? {
            Some(authority) => authority,
            None => {
                let made = make_authority()?;
                write(&folder, "authority", &made)?;
                made
            }
        };
        let issued = |name: &str, subject: &Subject<'_>, purpose: Purpose| -> Result<Identity, SandboxError> {
            if let Some(identity) = read(&folder, name)? {
                return Ok(identity);
            }
            let made = issue(&authority, subject, purpose, addresses, Validity::ORDINARY)?;
            write(&folder, name, &made)?;
            Ok(made)
        };
        let mut server = issued("server", &Subject::SANDBOX, Purpose::Server)?;
        if !is_for(&server.certificate, addresses) {
            // The folder listened elsewhere before.
            server = issue(&authority, &Subject::SANDBOX, Purpose::Server, addresses, Validity::ORDINARY)?;
            write(&folder, "server", &server)?;
        }
        let sender = Subject { organisation: "Kommun A", number: SENDER, common_name: "sender.kommun-a.test" };
        let sender = issued("sender", &sender, Purpose::Organisation)?;
        let mediator = Subject { organisation: "Kommun B", number: MEDIATOR, common_name: "formedlare.kommun-b.test" };
        issued("mediator", &mediator, Purpose::Organisation)?;
        let supplier = Subject { organisation: "Sandlådans tryckeri", number: SUPPLIER, common_name: "tryckeri.test" };
        issued("print-supplier", &supplier, Purpose::Encryption)?;
        let operator = Subject { common_name: "operator-c.test", ..Subject::SANDBOX };
        let encryption = issued(OPERATOR, &operator, Purpose::Encryption)?;
        write_pkcs12(dir, &sender, &authority)?;
        Ok(Self { folder, authority, server, encryption })
    }

    /// A certificate of this authority that is only held in memory.
    pub(crate) fn issue(
        &self,
        subject: &Subject<'_>,
        names: &[String],
        validity: Validity,
    ) -> Result<Identity, SandboxError> {
        issue(&self.authority, subject, Purpose::Server, names, validity)
    }

    /// A certificate and key that the folder holds, by name.
    pub fn identity(&self, name: &str) -> Result<Identity, SandboxError> {
        read(&self.folder, name)?
            .ok_or_else(|| SandboxError::Pki(format!("{name} is missing in {}", self.folder.display())))
    }
}

/// Whether a server certificate is for all these names.
fn is_for(certificate: &CertificateDer<'_>, names: &[String]) -> bool {
    names.iter().all(|name| {
        let certificate = rustls::server::ParsedCertificate::try_from(certificate);
        let name = ServerName::try_from(name.as_str());
        certificate.is_ok_and(|certificate| {
            name.is_ok_and(|name| rustls::client::verify_server_name(&certificate, &name).is_ok())
        })
    })
}

/// Whose certificate it is.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its name.
    pub organisation: &'a str,
    /// Twelve digits, in the subject's serialNumber.
    pub number: &'a str,
    /// CN.
    pub common_name: &'a str,
}

impl Subject<'_> {
    /// The sandbox itself.
    pub const SANDBOX: Subject<'static> =
        Subject { organisation: "Utskick sandbox", number: "165599000907", common_name: "localhost" };
}

/// What every authority here is called: two of them differ by their key alone, as a forged one would.
const fn authority_subject() -> Subject<'static> {
    Subject { common_name: "Utskick sandbox CA", ..Subject::SANDBOX }
}

/// A new authority.
pub(crate) fn make_authority() -> Result<Identity, SandboxError> {
    let key = new_key()?;
    let mut params = params(&authority_subject(), Validity { to_days: 3650, ..Validity::ORDINARY })?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(pki("make an authority"))?;
    Ok(Identity { certificate: certificate.into(), key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() })
}

/// A certificate by an authority, with a new key.
pub fn issue(
    authority: &Identity,
    subject: &Subject<'_>,
    purpose: Purpose,
    names: &[String],
    validity: Validity,
) -> Result<Identity, SandboxError> {
    let signing = KeyPair::try_from(&authority.key).map_err(pki("use the authority's key"))?;
    let issuer = Issuer::new(params(&authority_subject(), Validity::ORDINARY)?, signing);
    let key = new_key()?;
    let mut params = params(subject, validity)?;
    params.use_authority_key_identifier_extension = true;
    match purpose {
        Purpose::Server => {
            params.subject_alt_names = CertificateParams::new(names).map_err(pki("name the server"))?.subject_alt_names;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }
        Purpose::Organisation => {
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        }
        Purpose::Encryption => params.key_usages = vec![KeyUsagePurpose::KeyEncipherment],
    }
    let certificate = params.signed_by(&key, &issuer).map_err(pki("certify"))?;
    Ok(Identity { certificate: certificate.into(), key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() })
}

fn new_key() -> Result<KeyPair, SandboxError> {
    KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(pki("make an RSA key"))
}

fn params(subject: &Subject<'_>, validity: Validity) -> Result<CertificateParams, SandboxError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let number = subject.number.try_into().map(DnValue::PrintableString).map_err(pki("write a serialNumber"))?;
    params.distinguished_name.push(DnType::CountryName, "SE");
    params.distinguished_name.push(DnType::OrganizationName, subject.organisation);
    // 2.5.4.5 serialNumber: 16 and the organisation number, as organisation certificates have it.
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), number);
    params.distinguished_name.push(DnType::CommonName, subject.common_name);
    let now_s = jiff::Timestamp::now().as_second();
    let day = |days: i64| {
        let seconds = now_s.saturating_add(days.saturating_mul(24 * 3600)).unsigned_abs();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = day(validity.from_days);
    params.not_after = day(validity.to_days);
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| SandboxError::Pki("no random numbers".into()))?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40; // positive and of full length in DER
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn pki(what: &str) -> impl Fn(rcgen::Error) -> SandboxError {
    move |error| SandboxError::Pki(format!("cannot {what}: {error}"))
}

/// `NAME.pem` and `NAME.key.pem`; `None` where neither is there.
fn read(folder: &Path, name: &str) -> Result<Option<Identity>, SandboxError> {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key.pem")));
    if !certificate.exists() && !key.exists() {
        return Ok(None);
    }
    let wrong = |path: &Path, error: String| {
        SandboxError::Pki(format!("{}: {error}; remove the folder and it is made anew", path.display()))
    };
    let identity = Identity {
        certificate: CertificateDer::from_pem_file(&certificate)
            .map_err(|error| wrong(&certificate, error.to_string()))?,
        key: PrivateKeyDer::from_pem_file(&key).map_err(|error| wrong(&key, error.to_string()))?,
    };
    let facts = Facts::read(&identity.certificate).map_err(|error| wrong(&certificate, error))?;
    if facts.not_after < jiff::Timestamp::now() {
        return Err(wrong(&certificate, format!("ended {}", facts.not_after)));
    }
    Ok(Some(identity))
}

fn write(folder: &Path, name: &str, identity: &Identity) -> Result<(), SandboxError> {
    write_pem(&folder.join(format!("{name}.key.pem")), "PRIVATE KEY", identity.key.secret_der())?;
    write_pem(&folder.join(format!("{name}.pem")), "CERTIFICATE", &identity.certificate)
}

fn write_pem(path: &Path, label: &str, der: &[u8]) -> Result<(), SandboxError> {
    write_private(path, pem(label, der).as_bytes())
}

/// A section of a PEM file (RFC 7468).
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// Writes a file with mode 0600, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), SandboxError> {
    let half = path.with_extension("half");
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)
        .and_then(|mut out| out.write_all(bytes))
        .and_then(|()| fs::rename(&half, path));
    written.map_err(SandboxError::io("write", path))
}

/// The sender's key as PKCS#12 with a password file beside it, as organisation certificates are handed out.
fn write_pkcs12(dir: &Path, sender: &Identity, authority: &Identity) -> Result<(), SandboxError> {
    let path = dir.join(file::SENDER_P12);
    if path.exists() && dir.join(file::SENDER_PASSWORD).exists() {
        return Ok(());
    }
    let wrong =
        |error: p12_keystore::error::Error| SandboxError::Pki(format!("cannot write {}: {error}", path.display()));
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| SandboxError::Pki("no random numbers".into()))?;
    let password = base64_simd::URL_SAFE_NO_PAD.encode_to_string(random);
    let chain = p12_keystore::PrivateKeyChain::new(
        &b"sender"[..],
        p12_keystore::PrivateKey::from_der(sender.key.secret_der()).map_err(wrong)?,
        [
            p12_keystore::Certificate::from_der(&sender.certificate).map_err(wrong)?,
            p12_keystore::Certificate::from_der(&authority.certificate).map_err(wrong)?,
        ],
    );
    let mut store = p12_keystore::KeyStore::new();
    store.add_entry("sender", p12_keystore::KeyStoreEntry::PrivateKeyChain(chain));
    let bytes = store.writer(&password).write().map_err(wrong)?;
    write_private(&dir.join(file::SENDER_PASSWORD), format!("{password}\n").as_bytes())?;
    write_private(&path, &bytes)
}
