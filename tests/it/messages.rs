//! What a real send leaves convinces independent programs: schema, signatures, encryption, document.

use crate::referee;
use crate::run;
use crate::sandbox::{BODY_CHILD, valid_by_schema};
use crate::world::{World, count};
use std::path::Path;
use std::process::Command;

#[test]
fn every_kept_message_convinces_the_referees() {
    let world = World::new(&["--keep", "40", "--no-mailbox", "0.1"]);
    let export = world.export("export.xml", 70, &["--profile", "full"]);
    let report = world.send(&export, "run", 0);
    let pki = world.path("sandbox/pki");
    let out = world.path("unsealed");
    let kept: Vec<_> = std::fs::read_dir(world.path("sandbox/kept"))
        .expect("kept")
        .map(|entry| entry.expect("a file").path())
        .collect();
    assert_eq!(kept.len() as u64, count(&report, "delivered").min(40));
    let mut encrypted = 0;
    for message in &kept {
        let authority = pki.join("authority.pem");
        let arguments =
            ["unseal".as_ref(), message.as_os_str(), "--strict".as_ref(), "--out".as_ref(), out.as_os_str()];
        run::ends_with(0, arguments.map(|argument: &std::ffi::OsStr| argument.to_str().expect("a path")));
        let stem = message.file_stem().expect("a name").to_str().expect("a name").to_owned();
        for document in ["SignedDelivery", "SealedDelivery"] {
            if let Some(mut xmlsec1) = referee::command("xmlsec1") {
                xmlsec1.args(["--verify", "--node-xpath", "/*/*[local-name()='Signature']", "--trusted-pem"]);
                xmlsec1.arg(&authority).arg(out.join(format!("{stem}.{document}.xml")));
                succeeds(&mut xmlsec1);
            }
        }
        if let (Some(schema), Some(_)) =
            (referee::shared("spec/mina-meddelanden/schemas/mm-v3-body.xsd"), referee::command("xmllint"))
        {
            let copy = out.join(format!("{stem}.soap"));
            std::fs::copy(message, &copy).expect("copied");
            valid_by_schema(&schema, &copy, BODY_CHILD);
        }
        encrypted += u32::from(document_opens(&std::fs::read_to_string(message).expect("a message"), &pki, &out));
    }
    assert!(encrypted > 3, "one operator of three takes encrypted attachments");
    if let (Some(mut python), Some(verifier)) =
        (referee::command("python3"), referee::shared("spec/mina-meddelanden/vectors/mmverify.py"))
    {
        let said = String::from_utf8(python.arg(verifier).args(&kept).output().expect("runs").stdout).expect("text");
        let good = said.matches("inner digest ok Verified OK | outer digest ok Verified OK").count();
        assert_eq!(good, kept.len(), "{said}");
    }
}

/// The attachment is a document that qpdf finds nothing wrong with, after openssl has decrypted it where it is
/// encrypted; tells whether it was.
fn document_opens(message: &str, pki: &Path, out: &Path) -> bool {
    let between = |text: &str, before: &str, after: &str| {
        text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map(|(value, _)| value.to_owned())
    };
    let attachment = between(message, "<m3:Attachment>", "</m3:Attachment>").expect("an attachment");
    let encrypted = attachment.contains("application/pkcs7-mime");
    let base64 = between(&attachment, "<m1:Body>", "</m1:Body>").expect("a body");
    let bytes = base64_simd::STANDARD.decode_to_vec(base64).expect("base64");
    let (sealed, pdf) = (out.join("attachment.p7m"), out.join("attachment.pdf"));
    if encrypted {
        std::fs::write(&sealed, bytes).expect("written");
        let Some(mut openssl) = referee::command("openssl") else { return encrypted };
        openssl.args(["cms", "-decrypt", "-inform", "DER", "-binary", "-in"]).arg(&sealed).arg("-out").arg(&pdf);
        openssl.arg("-inkey").arg(pki.join("operator-c.key.pem")).arg("-recip").arg(pki.join("operator-c.pem"));
        succeeds(&mut openssl);
    } else {
        std::fs::write(&pdf, bytes).expect("written");
    }
    if let Some(mut qpdf) = referee::command("qpdf") {
        succeeds(qpdf.arg("--check").arg(&pdf));
    }
    encrypted
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().expect("the referee starts");
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
