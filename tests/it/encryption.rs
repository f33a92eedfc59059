//! A recipient decrypts what we encrypted: an operator an attachment, the print supplier a bundle, both with openssl.

use crate::{referee, vectors};
use std::path::Path;
use tempfile::TempDir;
use utskick::prepare::encrypt::CmsRecipient;
use utskick::prepare::keys::Certificate;

/// Decrypts with `openssl cms`; its exit code and what it wrote.
fn decrypt(folder: &TempDir, cms: &[u8], key: &Path, certificate: &Path) -> Option<(Option<i32>, Vec<u8>)> {
    let [encrypted, plain] = ["encrypted.p7m", "plain"].map(|name| folder.path().join(name));
    std::fs::write(&encrypted, cms).unwrap();
    _ = std::fs::remove_file(&plain);
    let mut openssl = referee::command("openssl")?;
    openssl.args(["cms", "-decrypt", "-binary", "-inform", "DER"]).arg("-in").arg(encrypted);
    let output = openssl.arg("-inkey").arg(key).arg("-recip").arg(certificate).arg("-out").arg(&plain).output();
    Some((output.unwrap().status.code(), std::fs::read(&plain).unwrap_or_default()))
}

#[test]
fn openssl_decrypts_what_it_was_sent_and_refuses_what_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (vectors::key_pem(&folder, "mediator"), vectors::file("mediator.crt.pem"));
    let recipient = CmsRecipient::new(&Certificate::read_pem(&certificate).unwrap()).unwrap();
    for length in [0, 1, 100, 130, 16_000, 65_530, 40_000_000] {
        let plain: Vec<u8> = (0..length).map(|place| (place * 7 % 256) as u8).collect();
        let secrets = recipient.fresh().unwrap();
        let mut cms = recipient.encrypt(&plain, &secrets).unwrap();
        let Some((code, decrypted)) = decrypt(&folder, &cms, &key, &certificate) else { return };
        assert_eq!(code, Some(0), "{length} bytes");
        assert!(decrypted == plain, "{length} bytes come out different");

        // openssl writes the plaintext even then; only its exit code tells.
        let last = cms.len() - 1;
        cms[last] ^= 1;
        let Some((code, _)) = decrypt(&folder, &cms, &key, &certificate) else { return };
        assert_eq!(code, Some(4), "{length} bytes, a changed tag");
    }
}

/// Keys of other sizes, and a serial number whose first bit is set.
#[test]
fn openssl_decrypts_for_keys_of_every_size() {
    let folder = tempfile::tempdir().unwrap();
    for (bits, serial) in [("2048", "0xff00000000000000000000000000000000000001"), ("3072", "1"), ("4096", "0x7f")] {
        let [key, certificate] = ["key.pem", "cert.pem"].map(|name| folder.path().join(name));
        let Some(mut openssl) = referee::command("openssl") else { return };
        openssl.args(["req", "-x509", "-nodes", "-newkey", &format!("rsa:{bits}"), "-set_serial", serial]);
        openssl.args(["-utf8", "-subj", "/C=SE/O=Tryckeri Å & B/CN=print.test", "-days", "30"]);
        let made = openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let recipient = CmsRecipient::new(&Certificate::read_pem(&certificate).unwrap()).unwrap();
        let cms = recipient.encrypt(b"hemligt", &recipient.fresh().unwrap()).unwrap();
        let Some((code, decrypted)) = decrypt(&folder, &cms, &key, &certificate) else { return };
        assert_eq!((code, decrypted.as_slice()), (Some(0), b"hemligt".as_slice()), "{bits} bits");
    }
}
