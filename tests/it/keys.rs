//! An operator brings the key files that openssl made, in whatever form they are.

use crate::{referee, vectors};
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
use std::path::PathBuf;
use tempfile::TempDir;
use utskick::config::KeySource;
use utskick::prepare::keys::{Certificate, Credential, KeyError};

/// Files of an operator who has openssl.
struct Operator(TempDir);

impl Operator {
    fn new() -> Self {
        let operator = Self(tempfile::tempdir().unwrap());
        std::fs::write(operator.path("password"), "lösen ord\n").unwrap();
        vectors::key_pem(&operator.0, "sender");
        operator
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs openssl in the folder; `None` where there is none.
    #[track_caller]
    fn openssl(&self, arguments: &str) -> Option<String> {
        let mut openssl = referee::command("openssl")?;
        let output = openssl.current_dir(self.0.path()).args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8(output.stdout).unwrap())
    }

    fn pem(&self, key: &str, password: Option<&str>) -> Result<Credential, KeyError> {
        Credential::load(&KeySource::Pem {
            certificate: vectors::file("sender.crt.pem"),
            private_key: self.path(key),
            password_file: password.map(|name| self.path(name)),
        })
    }

    fn pkcs12(&self, file: &str, password: &str) -> Result<Credential, KeyError> {
        Credential::load(&KeySource::Pkcs12 { pkcs12: self.path(file), password_file: self.path(password) })
    }
}

#[test]
fn private_keys_in_pem_as_openssl_writes_them() {
    let operator = Operator::new();
    std::fs::write(operator.path("wrong"), "lösenord").unwrap();
    for options in [
        "-v2 aes-256-cbc",
        "-v2 aes-128-cbc",
        "-v2 aes-256-cbc -v2prf hmacWithSHA1",
        "-v2 aes-192-cbc -v2prf hmacWithSHA512",
        "-v2 des3",
        "-v2 des3 -v2prf hmacWithSHA1",
        "-scrypt",
        "-iter 100000",
        "",
    ] {
        let made = format!("pkcs8 -topk8 -in sender.key.pem -out encrypted.pem -passout file:password {options}");
        if operator.openssl(made.trim_end()).is_none() {
            return;
        }
        let loaded = operator.pem("encrypted.pem", Some("password"));
        assert!(loaded.is_ok(), "{options}: {:?}", loaded.unwrap_err());
        let wrong = operator.pem("encrypted.pem", Some("wrong"));
        assert!(matches!(wrong, Err(KeyError::WrongPassword { .. })), "{options}: {wrong:?}");
        let missing = operator.pem("encrypted.pem", None);
        assert!(matches!(missing, Err(KeyError::PasswordMissing { .. })), "{options}: {missing:?}");
    }

    operator.openssl("rsa -traditional -in sender.key.pem -out pkcs1.pem");
    assert!(operator.pem("pkcs1.pem", None).is_ok());
    operator.openssl("rsa -traditional -aes256 -in sender.key.pem -out old.pem -passout file:password");
    let old = operator.pem("old.pem", Some("password"));
    assert!(matches!(old, Err(KeyError::Unsupported { .. })), "{old:?}");
    operator.openssl("pkcs8 -topk8 -in sender.key.pem -out pbes1.pem -passout file:password -v1 PBE-SHA1-3DES");
    let pbes1 = operator.pem("pbes1.pem", Some("password"));
    assert!(matches!(pbes1, Err(KeyError::Unsupported { .. })), "{pbes1:?}");

    operator.openssl("genrsa -out weak.pem 1024");
    let weak = operator.pem("weak.pem", None);
    assert!(matches!(weak, Err(KeyError::WeakKey { bits: 1024, .. })), "{weak:?}");
    operator.openssl("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.pem");
    let pss = operator.pem("pss.pem", None);
    assert!(matches!(pss, Err(KeyError::Rejected { .. })), "{pss:?}");
}

#[test]
fn pkcs12_files_as_openssl_writes_them() {
    let operator = Operator::new();
    let [certificate, authority] = ["sender.crt.pem", "ca.crt.pem"].map(vectors::file);
    std::fs::copy(certificate, operator.path("sender.crt.pem")).unwrap();
    std::fs::copy(authority, operator.path("ca.crt.pem")).unwrap();
    std::fs::write(operator.path("wrong"), "lösen  ord").unwrap();
    std::fs::write(operator.path("empty"), "").unwrap();
    let export = "pkcs12 -export -inkey sender.key.pem -in sender.crt.pem -certfile ca.crt.pem -out key.p12";
    for options in [
        "",
        "-legacy",
        "-name kommun",
        "-descert -keypbe PBE-SHA1-3DES -macalg sha1",
        "-keypbe AES-128-CBC -certpbe NONE",
        "-keypbe NONE -certpbe NONE",
        "-nomac",
        "-iter 200000 -macalg sha512",
    ] {
        // Passwords with letters outside ASCII are spelled in different ways by PKCS#12 and PBES2; openssl knows both.
        let made = format!("{export} -passout file:password {options}");
        if operator.openssl(made.trim_end()).is_none() {
            return;
        }
        let loaded = operator.pkcs12("key.p12", "password");
        assert!(loaded.is_ok(), "{options}: {:?}", loaded.unwrap_err());
        assert!(loaded.unwrap().signer().is_ok());
        let wrong = operator.pkcs12("key.p12", "wrong");
        assert!(matches!(wrong, Err(KeyError::WrongPassword { .. })), "{options}: {wrong:?}");
    }
    operator.openssl(&format!("{export} -passout pass:"));
    assert!(operator.pkcs12("key.p12", "empty").is_ok());
    operator.openssl("pkcs12 -export -nokeys -in sender.crt.pem -out none.p12 -passout file:password");
    let none = operator.pkcs12("none.p12", "password");
    assert!(matches!(none, Err(KeyError::NoKey { .. })), "{none:?}");
}

/// Whatever an authority puts into a subject, X509SubjectName says it as openssl does.
#[test]
fn subjects_are_spelled_as_openssl_spells_them() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut random = fastrand::Rng::with_seed(2253);
    let alphabet: Vec<char> = " #,+\"\\<>;=/aZ09.-'()\t\n\u{1}\u{7f}åÖé\u{a0}€œ😀".chars().collect();
    let types: [&[u64]; 12] = [
        &[2, 5, 4, 3],
        &[2, 5, 4, 5],
        &[2, 5, 4, 8],
        &[2, 5, 4, 11],
        &[2, 5, 4, 15],
        &[2, 5, 4, 17],
        &[2, 5, 4, 42],
        &[2, 5, 4, 97],
        &[1, 2, 840, 113_549, 1, 9, 1],
        &[0, 9, 2342, 19_200_300, 100, 1, 25],
        &[1, 3, 6, 1, 4, 1, 311, 60, 2, 1, 3],
        &[1, 2, 752, 4711],
    ];
    for round in 0..60 {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for _ in 0..random.usize(0..6) {
            let text: String = (0..random.usize(0..12)).map(|_| alphabet[random.usize(0..alphabet.len())]).collect();
            let ascii: String = text.chars().filter(char::is_ascii).collect();
            let value = match random.u8(0..5) {
                0 => DnValue::PrintableString("Kommun A 12-3".try_into().unwrap()),
                1 => DnValue::Ia5String(ascii.as_str().try_into().unwrap()),
                2 => DnValue::UniversalString(text.as_str().try_into().unwrap()),
                3 => text.as_str().try_into().map_or(DnValue::Utf8String(ascii), DnValue::BmpString),
                _ => DnValue::Utf8String(text),
            };
            params.distinguished_name.push(DnType::from_oid(types[random.usize(0..types.len())]), value);
        }
        let certificate = params.self_signed(&key).unwrap();
        let file = folder.path().join("subject.der");
        std::fs::write(&file, certificate.der()).unwrap();
        let Some(mut openssl) = referee::command("openssl") else { return };
        openssl.args(["x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253", "-in"]);
        let said = String::from_utf8(openssl.arg(&file).output().unwrap().stdout).unwrap();
        let ours = Certificate::from_der(certificate.der()).unwrap();
        assert_eq!(ours.subject(), said.strip_prefix("subject=").unwrap().trim_end_matches('\n'), "round {round}");
    }
}
