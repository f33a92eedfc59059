//! Keys and certificates as they come, and each way in which they can be wrong.

use super::super::sign::Signer;
use super::super::testing::{credential, key_der, pem, vector};
use super::*;
use crate::domain::Organisation;
use der::Decode;
use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2;
use rcgen::{CertificateParams, DnType, DnValue, Issuer, KeyPair, date_time_ymd};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
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
    let old = pem("RSA PRIVATE KEY", b"x").replacen("\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1);
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
    let lower = named("lower").signed_by(&rsa_pair("mediator"), &Issuer::new(named("middle"), &middle_key)).unwrap();
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
    let subject = "Certificate { subject: \"CN=sender.kommun-a.test+serialNumber=162021004748,O=Kommun A,C=SE\", .. }";
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
