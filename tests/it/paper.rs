//! The print supplier opens a bundle with its own tools.

use crate::{referee, vectors};
use std::process::Stdio;
use utskick::disk::Machine;
use utskick::domain::{Form, MessageId};
use utskick::prepare::bundle::{PaperLetter, write_bundle};
use utskick::prepare::encrypt::CmsRecipient;
use utskick::prepare::keys::Certificate;

#[test]
fn openssl_and_unzip_open_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = vectors::file("mediator.crt.pem");
    let supplier = CmsRecipient::new(&Certificate::read_pem(&certificate).unwrap()).unwrap();
    let pdfs: Vec<Vec<u8>> = (1..=500_usize).map(|n| format!("%PDF-1.7 {n} ").into_bytes().repeat(n)).collect();
    let letters: Vec<_> = pdfs
        .iter()
        .enumerate()
        .map(|(place, pdf)| PaperLetter {
            ordinal: 1_999_000 + place as u64,
            message_id: MessageId([place as u8; 16]),
            form: Form::EMPLOYER[place % 7],
            recipient_id: None,
            pdf,
        })
        .collect();
    let bundle = write_bundle(&Machine, folder.path(), 12, "run", &letters, &supplier).unwrap();
    assert_eq!(bundle.letters, 500);

    let zip = folder.path().join("bundle.zip");
    let Some(mut openssl) = referee::command("openssl") else { return };
    openssl.args(["cms", "-decrypt", "-binary", "-inform", "DER", "-in"]).arg(folder.path().join(&bundle.file_name));
    openssl.arg("-inkey").arg(vectors::key_pem(&folder, "mediator")).arg("-recip").arg(certificate);
    assert!(openssl.arg("-out").arg(&zip).status().unwrap().success());

    let Some(mut python) = referee::python_module("zipfile") else { return };
    assert!(python.arg("-t").arg(&zip).stdout(Stdio::null()).status().unwrap().success());
    let unpacked = folder.path().join("unpacked");
    let Some(mut python) = referee::python_module("zipfile") else { return };
    assert!(python.arg("-e").arg(&zip).arg(&unpacked).status().unwrap().success());

    let manifest = std::fs::read_to_string(unpacked.join("manifest.csv")).unwrap();
    assert_eq!(manifest.lines().count(), 501);
    // What the supplier's own tool computes of the files is what the manifest says.
    let sums: String = manifest
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            assert_eq!(columns[0], "run-00012");
            format!("{}  {}\n", columns[7], columns[2])
        })
        .collect();
    std::fs::write(unpacked.join("sums"), sums).unwrap();
    let Some(mut sha256sum) = referee::command("sha256sum") else { return };
    let checked = sha256sum.args(["--check", "--strict", "--quiet", "sums"]).current_dir(&unpacked).status();
    assert!(checked.unwrap().success());
    for (letter, pdf) in letters.iter().zip(&pdfs) {
        assert_eq!(&std::fs::read(unpacked.join(format!("{:09}.pdf", letter.ordinal))).unwrap(), pdf);
    }
}
