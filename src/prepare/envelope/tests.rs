//! The envelope against the vectors, against a receiver that canonicalises, and at the contract's limits.

use super::text::{escape, is_date, is_email, is_identity};
use super::*;
use crate::prepare::sha256;
use crate::prepare::testing::{signer, vector};
use md5::{Digest as _, Md5};
use proptest::prelude::*;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;
use std::sync::OnceLock;

const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";

fn plain<'a>(id: &'a str, subject: &'a str, support: &'a str, body: &'a str) -> Message<'a> {
    Message {
        id,
        subject,
        support: Support { text: support, url: None, phone: None, email: None },
        metadata: &[],
        language: "svSE",
        reply: None,
        receipt_request: None,
        body: Content { content_type: "text/plain", bytes: body.as_bytes() },
        attachments: &[],
    }
}

fn delivery<'a>(messages: &'a [Message<'a>]) -> Delivery<'a> {
    Delivery {
        sender_id: "162021004748",
        sender_name: "Kommun A",
        sender_attention: None,
        recipient: "191212121212",
        reference: None,
        correlation_id: None,
        attention: None,
        messages,
    }
}

fn v1() -> Message<'static> {
    plain("5b0f0a7e-3d0b-4c55-9d7b-0b6f0a2f1c11", "Testmeddelande", "Kontakta Kommun A", "Hej på dig")
}

fn v2() -> [Message<'static>; 2] {
    let first = Message {
        id: "0f9d1f9e-1111-4222-8333-444455556666",
        subject: "Beslut & <test> \"åäö\" – 100 € 😀",
        support: Support {
            text: "Frågor? Ring & maila 'oss'",
            url: Some("https://www.kommun-a.test/?a=1&b=2"),
            phone: Some("08-121212"),
            email: Some("info@kommun-a.test"),
        },
        metadata: &[("tag1", "v>1")],
        language: "svSE",
        reply: Some(Reply::NotAllowed),
        receipt_request: Some(ReceiptRequest::Not),
        body: Content {
            content_type: "text/html",
            bytes: "<!DOCTYPE html><html lang=\"sv\"><head><meta charset=\"utf-8\"><title>Beslut</title></head><body><p>Hej åäö</p></body></html>"
                .as_bytes(),
        },
        attachments: &[Document { content_type: "application/pdf", filename: "beslut å 1.pdf", bytes: PDF, begun: None }],
    };
    [first, plain("0f9d1f9e-1111-4222-8333-444455556667", "Andra meddelandet", "x", "")]
}

fn signers() -> &'static (crate::prepare::sign::KeySigner, crate::prepare::sign::KeySigner) {
    static SIGNERS: OnceLock<(crate::prepare::sign::KeySigner, crate::prepare::sign::KeySigner)> = OnceLock::new();
    SIGNERS.get_or_init(|| (signer("sender"), signer("mediator")))
}

#[track_caller]
fn assert_vector(name: &str, delivery: &Delivery<'_>, received: &str) {
    let (sender, mediator) = signers();
    let (sealed, documents) = seal_with_documents(delivery, sender, mediator, received).unwrap();
    for (file, ours) in [
        ("1-inner-signed-octets.bin", &documents.inner_octets),
        ("2-inner-signedinfo-octets.bin", &documents.inner_signed_info),
        ("3-outer-signed-octets.bin", &documents.outer_octets),
        ("4-outer-signedinfo-octets.bin", &documents.outer_signed_info),
        ("5-SignedDelivery.xml", &documents.signed_delivery),
        ("6-SealedDelivery.xml", &documents.sealed_delivery),
        ("8-soap-prefixed.xml", &sealed.bytes),
    ] {
        let theirs = std::fs::read(vector(&format!("{name}.{file}"))).unwrap();
        assert_eq!(String::from_utf8_lossy(ours), String::from_utf8_lossy(&theirs), "{name}.{file}");
    }
    let values: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(vector("values.json")).unwrap()).unwrap();
    for (role, octets) in [("inner", &documents.inner_octets), ("outer", &documents.outer_octets)] {
        let of = &values[name][role];
        assert_eq!(of["signed_octets_sha256_b64"], base64_simd::STANDARD.encode_to_string(sha256(octets)));
        let signature = of["signature_value_b64"].as_str().unwrap();
        assert!(std::str::from_utf8(&sealed.bytes).unwrap().contains(&format!("{signature}</ds:SignatureValue>")));
    }
    // What is sent does not depend on whether the documents are kept.
    assert_eq!(seal(delivery, sender, mediator, received).unwrap(), sealed);
}

#[test]
fn minimal_vector_is_byte_identical() {
    assert_vector("v1", &delivery(&[v1()]), "2026-11-24+01:00");
}

#[test]
fn full_vector_is_byte_identical() {
    let messages = v2();
    let delivery = Delivery {
        reference: Some("ref-2026-1"),
        correlation_id: Some("c0ffee00-0000-4000-8000-000000000001"),
        attention: Some(""),
        ..delivery(&messages)
    };
    assert_vector("v2", &delivery, "2026-11-24");
}

/// The buffer is reserved once, for small and for big deliveries.
#[test]
fn buffer_never_moves() {
    let (sender, mediator) = signers();
    let big = vec![7; 1_400_000];
    let document = [Document { content_type: "application/pdf", filename: "stor.pdf", bytes: &big, begun: None }];
    let big = [Message { attachments: &document, ..v1() }];
    for messages in [&[v1()][..], &v2()[..], &big[..]] {
        let delivery = delivery(messages);
        let room = room(&delivery, sender, mediator);
        let length = seal(&delivery, sender, mediator, "2027-01-31").unwrap().bytes.len();
        assert!(length <= room && room < length + 8 * 1024, "{length} in {room}");
    }
}

// --- an independent reader: the message as a tree, and canonical XML of a subtree without prefixes ---

#[derive(Clone, Debug, PartialEq)]
struct Node {
    namespace: String,
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Child>,
}

#[derive(Clone, Debug, PartialEq)]
enum Child {
    Node(Node),
    Text(String),
}

impl Node {
    fn parse(xml: &[u8]) -> Node {
        let mut reader = NsReader::from_reader(xml);
        let mut open: Vec<Node> = Vec::new();
        loop {
            let text = match reader.read_event().unwrap() {
                Event::Start(start) => {
                    let (ResolveResult::Bound(namespace), name) = reader.resolver().resolve_element(start.name())
                    else {
                        panic!("an element without a namespace");
                    };
                    let attributes = start
                        .attributes()
                        .map(|attribute| attribute.unwrap())
                        .filter(|attribute| attribute.key.as_namespace_binding().is_none())
                        .map(|attribute| {
                            let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).unwrap();
                            (attribute.key.as_ref().to_owned(), value.into_owned())
                        })
                        .collect();
                    open.push(Node {
                        namespace: namespace.as_ref().to_owned(),
                        name: name.as_ref().to_owned(),
                        attributes,
                        children: Vec::new(),
                    });
                    continue;
                }
                Event::End(_) => {
                    let node = open.pop().unwrap();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(Child::Node(node)),
                        None => return node,
                    }
                    continue;
                }
                Event::Text(text) => {
                    let text = text.to_string();
                    assert!(!text.contains('\r'), "a carriage return on the wire");
                    text
                }
                Event::GeneralRef(entity) => match &*entity {
                    "amp" => "&".to_owned(),
                    "lt" => "<".to_owned(),
                    "gt" => ">".to_owned(),
                    other => panic!("an unexpected entity {other}"),
                },
                Event::Decl(_) => continue,
                other => panic!("an unexpected {other:?}"),
            };
            let parent = open.last_mut().unwrap();
            match parent.children.last_mut() {
                Some(Child::Text(before)) => before.push_str(&text),
                _ => parent.children.push(Child::Text(text)),
            }
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.children.iter().filter_map(|child| match child {
            Child::Node(node) => Some(node),
            Child::Text(_) => None,
        })
    }

    fn at(&self, path: &[&str]) -> &Node {
        path.iter().fold(self, |node, name| {
            node.nodes().find(|one| one.name == **name).unwrap_or_else(|| panic!("no {name} in {}", node.name))
        })
    }

    fn text(&self) -> String {
        self.children
            .iter()
            .map(|child| match child {
                Child::Text(text) => text.clone(),
                Child::Node(node) => panic!("{} has the child {}", self.name, node.name),
            })
            .collect()
    }

    fn canonical(&self, parent: &str) -> String {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let mut out = format!("<{}", self.name);
        if self.namespace != parent {
            out += &format!(" xmlns=\"{}\"", self.namespace);
        }
        for (name, value) in &self.attributes {
            out += &format!(" {name}=\"{value}\"");
        }
        out += ">";
        for child in &self.children {
            match child {
                Child::Node(node) => out += &node.canonical(&self.namespace),
                Child::Text(text) => out += &escape(text),
            }
        }
        out + &format!("</{}>", self.name)
    }

    /// As its receiver takes it out: renamed, without its own signature.
    fn signed_octets(&self, name: &str) -> String {
        let mut root = self.clone();
        (root.namespace, root.name) = ("http://minameddelanden.gov.se/schema/Message/v3".into(), name.into());
        let signature = root.children.pop();
        assert!(matches!(signature, Some(Child::Node(node)) if node.name == "Signature"));
        root.canonical("")
    }

    fn assert_digest_and_signature(&self, name: &str) {
        let digest = base64_simd::STANDARD.encode_to_string(sha256(self.signed_octets(name).as_bytes()));
        let signature = self.at(&["Signature"]);
        assert_eq!(signature.at(&["SignedInfo", "Reference", "DigestValue"]).text(), digest);
        let certificate = signature.at(&["KeyInfo", "X509Data", "X509Certificate"]).text();
        let certificate = base64_simd::STANDARD.decode_to_vec(certificate).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        let value = signature.at(&["SignatureValue"]).text();
        aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
            &certificate.public_key().subject_public_key.data,
        )
        .verify(
            signature.at(&["SignedInfo"]).canonical("").as_bytes(),
            &base64_simd::STANDARD.decode_to_vec(value).unwrap(),
        )
        .unwrap();
    }
}

/// Text that XML can carry, rich in what has to be escaped or normalised.
fn text(most: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::sample::select(vec!['&', '<', '>', '"', '\'', '\r', '\n', '\t', ' ', ']', 'å', 'ö', '€', '😀', '\u{fffd}', '\u{efff}', '\u{85}', '\u{2028}', '\u{7f}']),
        4 => proptest::char::range(' ', '~'),
        1 => any::<char>().prop_filter("XML cannot carry it", |c| {
            matches!(c, '\t' | '\n' | '\r' | ' '..) && !matches!(c, '\u{fffe}' | '\u{ffff}')
        }),
    ];
    proptest::collection::vec(character, 0..=most).prop_map(|characters| characters.into_iter().collect())
}

fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Few enough to be equal now and then.
fn few() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["", "a"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever the texts: a receiver finds both digests and signatures right, and reads the texts as they were.
    #[test]
    fn receivers_agree(
        subject in text(200),
        support in text(400),
        name in text(60).prop_map(|name| format!("AB{name}")),
        attention in proptest::option::of(text(40)),
        reference in proptest::option::of(text(40)),
        tags in proptest::collection::vec((text(20), text(20)), 0..3),
        filename in text(40).prop_map(|name| format!("f{name}")),
        body in text(300),
        attachment in proptest::collection::vec(any::<u8>(), 0..30_000),
        known in proptest::option::of(0usize..30_000),
        copies in 0usize..3,
    ) {
        let begun = known.map(|known| {
            let length = known.min(attachment.len());
            Begun { md5: Md5::new().chain_update(&attachment[..length]), length }
        });
        let metadata: Vec<(&str, &str)> = tags.iter().map(|(tag, value)| (tag.as_str(), value.as_str())).collect();
        let document = Document {
            content_type: "application/pdf",
            filename: &filename,
            bytes: &attachment,
            begun: begun.as_ref(),
        };
        let attachments = vec![document; copies];
        let message = Message {
            subject: &subject,
            support: Support { text: &support, ..v1().support },
            metadata: &metadata,
            body: Content { content_type: "text/html", bytes: body.as_bytes() },
            attachments: &attachments,
            ..v1()
        };
        let messages = [message];
        let delivery = Delivery {
            sender_name: &name,
            sender_attention: attention.as_deref(),
            reference: reference.as_deref(),
            ..delivery(&messages)
        };
        let (sender, mediator) = signers();
        let (sealed, documents) = seal_with_documents(&delivery, sender, mediator, "2027-01-31").unwrap();

        let root = Node::parse(&sealed.bytes);
        let outer = root.at(&["Body", "deliverSecure", "deliverSecure"]);
        let inner = outer.at(&["SignedDelivery"]);
        inner.assert_digest_and_signature("SignedDelivery");
        outer.assert_digest_and_signature("SealedDelivery");
        prop_assert_eq!(inner.signed_octets("SignedDelivery").into_bytes(), documents.inner_octets);
        prop_assert_eq!(outer.signed_octets("SealedDelivery").into_bytes(), documents.outer_octets);
        prop_assert_eq!(inner.canonical("").into_bytes(), documents.signed_delivery);

        let header = inner.at(&["Delivery", "Header"]);
        prop_assert_eq!(header.at(&["Sender", "Name"]).text(), normalised(&name));
        prop_assert_eq!(header.nodes().any(|node| node.name == "Reference"), reference.is_some());
        let message = inner.at(&["Delivery", "Message"]);
        prop_assert_eq!(message.at(&["Header", "Subject"]).text(), normalised(&subject));
        prop_assert_eq!(message.at(&["Header", "Supportinfo", "Text"]).text(), normalised(&support));
        let decode = |node: &Node| base64_simd::STANDARD.decode_to_vec(node.text()).unwrap();
        prop_assert_eq!(decode(message.at(&["Body", "Body"])), body.as_bytes());
        prop_assert_eq!(message.nodes().filter(|node| node.name == "Attachment").count(), copies);
        for node in message.nodes().filter(|node| node.name == "Attachment") {
            prop_assert_eq!(&decode(node.at(&["Body"])), &attachment);
            prop_assert_eq!(node.at(&["Filename"]).text(), normalised(&filename));
            let md5: String = Md5::digest(&attachment).iter().map(|byte| format!("{byte:02X}")).collect();
            prop_assert_eq!(node.at(&["Checksum"]).text(), md5);
        }
    }

    /// Two messages have the same digest when they are the same, and only then.
    #[test]
    fn the_digest_tells_messages_apart(
        one in (few(), few(), 0usize..3, 0usize..2, 0usize..2),
        other in (few(), few(), 0usize..3, 0usize..2, 0usize..2),
    ) {
        let sealed = |of: &(&str, &str, usize, usize, usize)| {
            let (subject, name, attachment, day, signer) = of;
            let name = format!("AB{name}");
            let documents =
                [Document { content_type: "application/pdf", filename: "f", bytes: &[b'x'; 2][..*attachment], begun: None }];
            let messages = [Message { subject, attachments: &documents, ..v1() }];
            let delivery = Delivery { sender_name: &name, ..delivery(&messages) };
            let (sender, mediator) = signers();
            let mediator = if *signer == 0 { mediator } else { sender };
            seal(&delivery, sender, mediator, ["2027-01-30", "2027-01-31"][*day]).unwrap()
        };
        let (one, other) = (sealed(&one), sealed(&other));
        prop_assert_eq!(one.digest == other.digest, one.bytes == other.bytes);
    }

    /// A text is escaped, or refused for a character that XML 1.0 does not have.
    #[test]
    fn any_text_is_carried_or_refused(text in any::<String>()) {
        let mut out = Vec::new();
        let bad = text.chars().find(|c| {
            !matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        });
        let result = escape("Subject", &text, &mut out);
        match bad {
            Some(c) => prop_assert_eq!(
                result,
                Err(EnvelopeError::Forbidden { element: "Subject", character: u32::from(c) })
            ),
            None => {
                prop_assert_eq!(result, Ok(()));
                let back = String::from_utf8(out).unwrap();
                prop_assert!(!back.contains(['<', '>', '\r']));
                let back = back.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                prop_assert_eq!(back, normalised(&text));
            }
        }
    }
}

#[test]
fn noncharacters_are_refused() {
    for (text, character) in [("a\u{fffe}", 0xfffe), ("\u{ffff}b", 0xffff), ("\0", 0), ("\u{1f}", 0x1f)] {
        let refused = Err(EnvelopeError::Forbidden { element: "Subject", character });
        assert_eq!(escape("Subject", text, &mut Vec::new()), refused);
    }
    assert_eq!(escape("Subject", "\u{ffbe}\u{ffbf}\u{fffd}\u{1fffe}", &mut Vec::new()), Ok(()));
}

#[track_caller]
fn refusal(delivery: &Delivery<'_>) -> EnvelopeError {
    let (sender, mediator) = signers();
    seal(delivery, sender, mediator, "2027-01-31").unwrap_err()
}

#[test]
fn limits_of_the_contract_are_typed_errors() {
    let long = |count: usize| "å".repeat(count);
    let (sender, mediator) = signers();
    let of = |message: Message<'static>| refusal(&delivery(&[message]));
    let length = |element, characters, least, most| EnvelopeError::Length { element, characters, least, most };

    let (most, more) = (long(255), long(256));
    let fits = [Message { subject: &most, ..v1() }];
    assert!(seal(&delivery(&fits), sender, mediator, "2027-01-31").is_ok());
    assert_eq!(refusal(&delivery(&[Message { subject: &more, ..v1() }])), length("Subject", 256, 0, 255));
    // A line end counts as one character, as the receiver reads it.
    let ends = "\r\n".repeat(255);
    assert!(seal(&delivery(&[Message { subject: &ends, ..v1() }]), sender, mediator, "2027-01-31").is_ok());

    let more = long(1025);
    let support = Support { text: &more, ..v1().support };
    assert_eq!(refusal(&delivery(&[Message { support, ..v1() }])), length("Text", 1025, 0, 1024));
    let more = long(257);
    assert_eq!(refusal(&Delivery { sender_name: &more, ..delivery(&[v1()]) }), length("Name", 257, 2, 256));
    assert_eq!(refusal(&Delivery { sender_name: "A", ..delivery(&[v1()]) }), length("Name", 1, 2, 256));
    assert_eq!(of(Message { id: "", ..v1() }).to_string(), "Id is not filled in");
    assert_eq!(refusal(&delivery(&[])), EnvelopeError::NoMessage);

    let form = |error| match error {
        EnvelopeError::Form { element, .. } => element,
        other => panic!("{other}"),
    };
    for id in ["19121212121", "1912121212120", "191313121212", "211212121212", "19861003T010", "１６2021004748"] {
        assert_eq!(form(refusal(&Delivery { recipient: id, ..delivery(&[v1()]) })), "Recipient", "{id}");
    }
    for id in ["162021004748", "197010632391", "200001010000"] {
        assert!(is_identity(id), "{id}");
    }
    for url in ["https://a.test/a b", "https://a.test/\n"] {
        let support = Support { url: Some(url), ..v1().support };
        assert_eq!(form(of(Message { support, ..v1() })), "URL");
    }
    for email in ["@a.se.", "a@.b", "a@b.", "ab.se", "a@b\n.se"] {
        assert!(!is_email(email), "{email}");
    }
    for email in ["a@b.c", "@@b.c", "info@kommun-a.test", "å@ö.ä"] {
        assert!(is_email(email), "{email}");
    }
    for language in ["", "sv_SE", "sv-", "abcdefghi", "1a"] {
        assert_eq!(form(of(Message { language, ..v1() })), "Language");
    }
}

#[test]
fn received_time_is_a_date() {
    for date in ["2026-11-24", "2026-11-24+01:00", "2026-11-24Z", "2028-02-29-14:00", "2028-02-29+13:59"] {
        assert!(is_date(date), "{date}");
    }
    for date in
        ["", "2026-11-4", "2026-02-29", "2026-13-01", "20261124", "2026-11-24T00:00:00", "2026-11-24+1", "0000-01-01"]
    {
        assert!(!is_date(date), "{date}");
    }
    for date in ["2026-11-24+14:01", "2026-11-24+00:60", "2026-11-24 01:00", "2026-11-24é"] {
        assert!(!is_date(date), "{date}");
    }
}

struct Broken(crate::prepare::sign::KeySigner);

impl Signer for Broken {
    fn certificate(&self) -> &crate::prepare::keys::Certificate {
        self.0.certificate()
    }

    fn sign_digest(&self, _: &[u8; 32], _: &mut Vec<u8>) -> Result<(), SignError> {
        Err(SignError::Refused { subject: self.certificate().subject().to_owned() })
    }
}

#[test]
fn a_key_that_cannot_sign_is_named_by_its_role() {
    let (sender, mediator) = signers();
    let broken = Broken(mediator.clone());
    let error = seal(&delivery(&[v1()]), sender, &broken, "2027-01-31").unwrap_err();
    assert!(matches!(&error, EnvelopeError::Sign(unsigned) if unsigned.to_string() == "signature of the förmedlare"));
    let source = std::error::Error::source(&error).unwrap().source().unwrap().to_string();
    assert_eq!(source, format!("the key of {} could not sign", mediator.certificate().subject()));
}
