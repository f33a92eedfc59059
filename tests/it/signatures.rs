//! A receiver verifies what we signed: with xmlsec1, with the JDK, against the official schema, and with a verifier in
//! Python that reads the message as it goes over the wire.

use crate::{referee, vectors};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use utskick::prepare::envelope::{
    Content, Delivery, Document, Documents, Message, Reply, Support, seal_with_documents,
};

/// Texts with everything that signatures have stumbled over.
const AWKWARD: &str = "Åsa & Öjvind <\"kontroll\">: 'åäö' é € 😀 ]]> &amp; &#13; \t slut\r\nrad 2\rrad 3";

/// A message as it goes out, and the documents behind it, in files.
struct Fresh {
    folder: TempDir,
}

impl Fresh {
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn new(attachment_bytes: usize) -> Self {
        let attachment: Vec<u8> = (0..attachment_bytes).map(|place| (place * 31 % 251) as u8).collect();
        let documents = [
            Document { content_type: "application/pdf", filename: AWKWARD, bytes: &attachment, begun: None },
            Document { content_type: "application/pkcs7-mime", filename: "tom.p7m", bytes: b"", begun: None },
        ];
        let messages = [Message {
            id: "7f2c7b1e-0c1d-4e6f-8a9b-000000000001",
            subject: AWKWARD,
            support: Support {
                text: AWKWARD,
                url: Some("https://www.kommun-a.test/?a=1&b=å"),
                phone: Some("08-12 12 12"),
                email: Some("lön@kommun-a.test"),
            },
            metadata: &[("inkomstår", "<2026>"), ("", "")],
            language: "svSE",
            reply: Some(Reply::NotAllowed),
            receipt_request: None,
            body: Content { content_type: "text/html", bytes: AWKWARD.as_bytes() },
            attachments: &documents,
        }];
        let delivery = Delivery {
            sender_id: "162021004748",
            sender_name: AWKWARD,
            sender_attention: Some(AWKWARD),
            recipient: "191212121212",
            reference: Some(AWKWARD),
            correlation_id: Some(AWKWARD),
            attention: Some(""),
            messages: &messages,
        };
        let [sender, mediator] = ["sender", "mediator"].map(|name| vectors::credential(name).signer().unwrap());
        let (sealed, documents) = seal_with_documents(&delivery, &sender, &mediator, "2027-01-31").unwrap();
        let Documents { signed_delivery, sealed_delivery, .. } = documents;
        let fresh = Self { folder: tempfile::tempdir().unwrap() };
        fresh.write("message.xml", &sealed.bytes);
        fresh.write("SignedDelivery.xml", &signed_delivery);
        fresh.write("SealedDelivery.xml", &sealed_delivery);
        // The same with one character changed, deep inside.
        for name in ["SignedDelivery.xml", "SealedDelivery.xml", "message.xml"] {
            let text = std::fs::read_to_string(fresh.path(name)).unwrap();
            fresh.write(&format!("forged-{name}"), text.replace("svSE", "svSF").as_bytes());
        }
        fresh
    }
}

#[track_caller]
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn xmlsec1_verifies_both_signatures() {
    let verify = |file: &Path| {
        let mut xmlsec1 = referee::command("xmlsec1")?;
        xmlsec1.args(["--verify", "--trusted-pem"]).arg(vectors::file("ca.crt.pem"));
        Some(run(xmlsec1.args(["--node-xpath", "/*/*[local-name()='Signature']"]).arg(file)))
    };
    for attachment_bytes in [0, 10, 20_000, 300_000] {
        let fresh = Fresh::new(attachment_bytes);
        for name in ["SignedDelivery.xml", "SealedDelivery.xml"] {
            let Some((verified, said)) = verify(&fresh.path(name)) else { return };
            assert!(verified, "{name}: {said}");
            let Some((verified, said)) = verify(&fresh.path(&format!("forged-{name}"))) else { return };
            assert!(!verified, "forged {name}: {said}");
        }
    }
}

#[test]
fn the_jdk_verifies_both_signatures() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/VerifySignature.java");
    let small = Fresh::new(10);
    let large = Fresh::new(40_000);
    let names = ["SignedDelivery.xml", "SealedDelivery.xml"];
    let Some(mut java) = referee::command("java") else { return };
    let (verified, said) =
        run(java.arg(&program).args(names.map(|name| small.path(name))).args(names.map(|name| large.path(name))));
    assert!(verified, "{said}");
    let (verified, said) =
        run(referee::command("java").unwrap().arg(&program).arg(small.path("forged-SealedDelivery.xml")));
    assert!(!verified && said.contains("not valid"), "{said}");
}

/// A receiver that extracts, drops prefixes and verifies, as the reference library does.
#[test]
fn a_reader_of_the_wire_form_verifies_both_signatures() {
    let Some(program) = referee::shared("spec/mina-meddelanden/vectors/mmverify.py") else { return };
    for attachment_bytes in [0, 40_000] {
        let fresh = Fresh::new(attachment_bytes);
        let verify = |name: &str| {
            let mut python = referee::command("python3")?;
            Some(run(python.arg(&program).arg(fresh.path(name))).1)
        };
        let Some(said) = verify("message.xml") else { return };
        assert!(said.contains("inner digest ok Verified OK | outer digest ok Verified OK"), "{said}");
        let Some(said) = verify("forged-message.xml") else { return };
        assert!(said.contains("inner DIGEST MISMATCH") && said.contains("outer DIGEST MISMATCH"), "{said}");
    }
}

#[test]
fn the_official_schema_accepts_the_body() {
    let Some(schema) = referee::shared("spec/mina-meddelanden/schemas/mm-v3-body.xsd") else { return };
    let fresh = Fresh::new(5_000);
    let message = std::fs::read_to_string(fresh.path("message.xml")).unwrap();
    let (head, rest) = message.split_once("<soap:Body>").unwrap();
    let declared = head.split_once("<soap:Envelope").unwrap().1.trim_end_matches('>');
    let body = rest.split_once("</soap:Body>").unwrap().0.replacen(">", &format!("{declared}>"), 1);
    let validate = |body: &str| {
        let file = fresh.write("body.xml", body.as_bytes());
        let mut xmllint = referee::command("xmllint")?;
        Some(run(xmllint.args(["--noout", "--schema"]).arg(&schema).arg(file)))
    };
    let Some((valid, said)) = validate(&body) else { return };
    assert!(valid, "{said}");
    let Some((valid, _)) = validate(&body.replace("m2:Recipient>", "m3:Recipient>")) else { return };
    assert!(!valid, "the referee accepts anything");
}
