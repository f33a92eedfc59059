//! How a receiver verifies a message (protocol sheet §2.4), used by the sandbox's operators and by `unseal`.
//!
//! In: a SOAP message as it came over the wire. Out: what is wrong with it, and the two signed documents in the form
//! that other tools verify. It shares no code with the writer of envelopes: it strips prefixes from a tree, makes it
//! canonical, digests, and verifies RSA with the certificate that the message carries.

use super::certificate::{Facts, Trust};
use super::contract::{self, Violation, ns};
use super::xml::{self, Element, Node, XmlError};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::UnixTime;

/// Exclusive C14N 1.0 without comments.
const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256_URI: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Whose habits a verifier has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// The Java reference way: any prefixes.
    #[default]
    Reference,
    /// Also the form that Kivra's published verifier needs (protocol sheet §2.3, right column).
    Strict,
}

/// Why bytes are no SOAP 1.1 message with one body child.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Not XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// XML, but no SOAP 1.1 envelope.
    #[error("no SOAP 1.1 message: {0}")]
    Soap(&'static str),
    /// SOAP of another version.
    #[error("SOAP 1.2, where the contract has SOAP 1.1")]
    Version,
}

/// A SOAP 1.1 message.
#[derive(Debug)]
pub struct Envelope {
    root: Element,
}

/// A deliverSecure request whose structure holds.
#[derive(Debug)]
pub struct Delivery<'e> {
    envelope: &'e Envelope,
    pub(crate) sealed: &'e Element,
    pub(crate) signed: &'e Element,
}

/// What a signature turned out to be.
#[derive(Debug)]
pub struct Signature {
    /// The certificate that the message carries, where there is one.
    pub certificate: Option<Facts>,
    /// What is wrong; `None` where digest, signature, and (where authorities are known) certificate hold.
    pub fault: Option<SignatureFault>,
}

/// Why a signature is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// The Signature element is not shaped as the infrastructure has it (protocol sheet §2.1).
    #[error("the signature's form: {0}")]
    Form(String),
    /// The digest over the canonical octets is another.
    #[error("the digest does not match the signed octets")]
    Digest,
    /// The RSA signature over SignedInfo is wrong.
    #[error("the signature value does not match")]
    Value,
    /// The certificate cannot be read.
    #[error("the certificate: {0}")]
    Certificate(String),
    /// The certificate does not chain to a trusted authority, or is not in date.
    #[error("the certificate is not trusted: {0}")]
    Untrusted(String),
}

impl Envelope {
    /// Reads a message.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let root = xml::parse(bytes)?;
        if root.is(ns::SOAP_12, "Envelope") {
            return Err(Unreadable::Version);
        }
        if !root.is(ns::SOAP, "Envelope") {
            return Err(Unreadable::Soap("the root is no Envelope"));
        }
        let inside: Vec<&Element> = root.elements().collect();
        let body = match inside.as_slice() {
            [header, body] if header.is(ns::SOAP, "Header") => body,
            [body] => body,
            _ => return Err(Unreadable::Soap("not one Body")),
        };
        if !body.is(ns::SOAP, "Body") || body.elements().count() != 1 {
            return Err(Unreadable::Soap("not one Body with one element"));
        }
        Ok(Self { root })
    }

    /// The child of the body.
    pub(crate) fn payload(&self) -> Option<&Element> {
        self.body()?.elements().next()
    }

    fn body(&self) -> Option<&Element> {
        self.root.child(ns::SOAP, "Body")
    }

    /// The deliverSecure request in it, structure checked.
    pub fn delivery(&self) -> Result<Delivery<'_>, Violation> {
        let missing = |path: &str, what: &str| Violation { path: path.into(), what: what.into() };
        let payload = self.payload().ok_or_else(|| missing("/", "nothing in the body"))?;
        if !payload.is(ns::S3, "deliverSecure") {
            return Err(missing("/", "the body holds no deliverSecure"));
        }
        contract::check(payload, &contract::DELIVER_SECURE)?;
        let sealed = payload.child(ns::S3, "deliverSecure");
        let signed = sealed.and_then(|sealed| sealed.child(ns::M3, "SignedDelivery"));
        match (sealed, signed) {
            (Some(sealed), Some(signed)) => Ok(Delivery { envelope: self, sealed, signed }),
            _ => Err(missing("/deliverSecure", "no SignedDelivery")),
        }
    }
}

impl Delivery<'_> {
    /// The SignedDelivery as a document of its own, in the form that was signed.
    pub fn signed_delivery(&self) -> Vec<u8> {
        self.signed.canonical(None, None)
    }

    /// The SealedDelivery as a document of its own, in the form that was signed: the wire calls it deliverSecure.
    pub fn sealed_delivery(&self) -> Vec<u8> {
        self.sealed.canonical(Some(SEALED), None)
    }

    /// Verifies the inner signature, by the sender.
    pub fn inner(&self, trust: Option<&Trust>, now: UnixTime) -> Signature {
        verify(self.signed, None, trust, now)
    }

    /// Verifies the outer signature, by the mediator.
    pub fn outer(&self, trust: Option<&Trust>, now: UnixTime) -> Signature {
        verify(self.sealed, Some(SEALED), trust, now)
    }

    /// What Kivra's published verifier would stumble over; `None` where the form suits it.
    pub fn strict_fault(&self) -> Option<&'static str> {
        let around = [Some(&self.envelope.root), self.envelope.body(), self.envelope.payload(), Some(self.sealed)];
        let in_scope = around.into_iter().flatten().flat_map(|element| &element.declarations);
        if !in_scope.into_iter().any(|(prefix, namespace)| !prefix.is_empty() && &**namespace == ns::M3) {
            return Some("no prefix for Message/v3 is in scope at the inner deliverSecure");
        }
        if self.sealed.any(&|element| element.prefix.is_empty()) {
            return Some("an element without prefix (no_signature)");
        }
        if self.sealed.any(&|element| element.comments) {
            return Some("a comment");
        }
        if self
            .sealed
            .any(&|element| element.children.iter().any(|node| matches!(node, Node::Text(t) if t.value.contains('\r'))))
        {
            return Some("a carriage return");
        }
        let single = |element: &Element| matches!(element.children.as_slice(), [Node::Text(text)] if text.plain);
        let base64 = ["DigestValue", "SignatureValue", "X509Certificate"];
        if self
            .sealed
            .any(&|element| &*element.namespace == ns::DS && base64.contains(&&*element.local) && !single(element))
        {
            return Some("a digest, signature or certificate that is not one plain text");
        }
        None
    }
}

/// What the inner deliverSecure is called where it is signed.
const SEALED: (&str, &str) = (ns::M3, "SealedDelivery");

fn verify(parent: &Element, name: Option<(&str, &str)>, trust: Option<&Trust>, now: UnixTime) -> Signature {
    let mut certificate = None;
    let fault = verdict(parent, name, trust, now, &mut certificate).err();
    Signature { certificate, fault }
}

fn verdict(
    parent: &Element,
    name: Option<(&str, &str)>,
    trust: Option<&Trust>,
    now: UnixTime,
    certificate: &mut Option<Facts>,
) -> Result<(), SignatureFault> {
    let form = |what: &str| SignatureFault::Form(what.into());
    let signature = parent.child(ns::DS, "Signature").ok_or_else(|| form("no Signature"))?;
    let info = signature.child(ns::DS, "SignedInfo").ok_or_else(|| form("no SignedInfo"))?;

    // The certificate first: a report names whose signature it is even where that does not hold.
    let der = carried_certificate(signature)?;
    let facts = certificate.insert(Facts::read(&der).map_err(SignatureFault::Certificate)?);

    if parent.any(&|element| element.instructions) {
        return Err(form("a processing instruction among what is signed"));
    }
    if parent.any(&|element| element.attributes.iter().any(|attribute| !attribute.namespace.is_empty())) {
        return Err(form("an attribute in a namespace, which the form without prefixes cannot write"));
    }
    let algorithm = |path: &[&str], wanted: &str| match info.descend(ns::DS, path) {
        Some(method) if method.attribute("Algorithm") == Some(wanted) && method.children.is_empty() => Ok(()),
        _ => Err(form(&format!("{} is not {wanted}", path.last().copied().unwrap_or_default()))),
    };
    algorithm(&["CanonicalizationMethod"], EXCLUSIVE_C14N)?;
    algorithm(&["SignatureMethod"], RSA_SHA256)?;
    algorithm(&["Reference", "Transforms", "Transform"], ENVELOPED)?;
    algorithm(&["Reference", "DigestMethod"], SHA256_URI)?;
    let reference = info.child(ns::DS, "Reference").ok_or_else(|| form("no Reference"))?;
    if reference.attribute("URI") != Some("") || info.elements().filter(|e| e.local == "Reference").count() != 1 {
        return Err(form("not one Reference with URI=\"\""));
    }
    if reference.child(ns::DS, "Transforms").map_or(0, |transforms| transforms.elements().count()) != 1 {
        return Err(form("not one Transform"));
    }
    let wanted = reference.child(ns::DS, "DigestValue").map(Element::text).unwrap_or_default();
    let octets = parent.canonical(name, Some(signature));
    if base64(&wanted).as_deref() != Some(digest(&SHA256, &octets).as_ref()) {
        return Err(SignatureFault::Digest);
    }
    let value = signature.child(ns::DS, "SignatureValue").map(Element::text).unwrap_or_default();
    let value = base64(&value).ok_or_else(|| form("SignatureValue is not base64"))?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &facts.public_key)
        .verify(&info.canonical(None, None), &value)
        .map_err(|_| SignatureFault::Value)?;
    trust.map_or(Ok(()), |trust| trust.check(&der, now)).map_err(SignatureFault::Untrusted)
}

/// The one certificate in `KeyInfo/X509Data`.
fn carried_certificate(signature: &Element) -> Result<Vec<u8>, SignatureFault> {
    let form = |what: &str| SignatureFault::Form(what.into());
    let data = signature.descend(ns::DS, &["KeyInfo", "X509Data"]).ok_or_else(|| form("no X509Data"))?;
    let mut certificates = data.elements().filter(|element| element.is(ns::DS, "X509Certificate"));
    match (certificates.next(), certificates.next()) {
        (Some(one), None) => base64(&one.text()).ok_or_else(|| form("X509Certificate is not base64")),
        _ => Err(form("not one X509Certificate")),
    }
}

/// Decodes base64; white space in it is skipped, as XSD has it.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.iter().any(u8::is_ascii_whitespace) {
        let kept: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        base64_simd::STANDARD.decode_to_vec(kept).ok()
    } else {
        base64_simd::STANDARD.decode_to_vec(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use std::time::Duration;

    const V18: &str = include_str!("../../testdata/vectors/v1.8-soap-prefixed.xml");
    const V19: &str = include_str!("../../testdata/vectors/v1.9-soap-default-ns.xml");
    const V28: &str = include_str!("../../testdata/vectors/v2.8-soap-prefixed.xml");
    const V29: &str = include_str!("../../testdata/vectors/v2.9-soap-default-ns.xml");

    fn trust() -> Trust {
        let root = CertificateDer::from_pem_slice(include_bytes!("../../testdata/vectors/ca.crt.pem")).unwrap();
        Trust::new([root]).unwrap()
    }

    /// A moment when the certificates of the vectors are in date: 2027-01-01.
    fn in_date() -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_798_761_600))
    }

    /// Whether a message is one that both signatures hold for.
    fn holds(message: &[u8]) -> bool {
        let Ok(envelope) = Envelope::read(message) else { return false };
        let Ok(delivery) = envelope.delivery() else { return false };
        let trust = trust();
        [delivery.inner(Some(&trust), in_date()), delivery.outer(Some(&trust), in_date())]
            .iter()
            .all(|signature| signature.fault.is_none())
    }

    fn strict(message: &str) -> Option<&'static str> {
        Envelope::read(message.as_bytes()).unwrap().delivery().unwrap().strict_fault()
    }

    #[test]
    fn vectors_hold_in_both_wire_forms() {
        for message in [V18, V19, V28, V29] {
            assert!(holds(message.as_bytes()));
        }
    }

    #[test]
    fn strict_takes_prefixed_and_refuses_default_namespaces() {
        assert_eq!(strict(V18), None);
        assert_eq!(strict(V28), None);
        assert!(strict(V19).is_some());
        assert!(strict(V29).is_some());
        // All namespaces on the outer deliverSecure instead of the envelope: still in scope.
        let declarations = V18.split_once(" xmlns:s3=").unwrap().1.split_once('>').unwrap().0;
        let declarations = format!(" xmlns:s3={declarations}");
        let moved = V18.replace(&declarations, "").replacen(
            "<s3:deliverSecure>",
            &format!("<s3:deliverSecure{declarations}>"),
            1,
        );
        assert_eq!(strict(&moved), None);
        assert!(holds(moved.as_bytes()));
        // Declared at first use: the reference way takes it, Kivra's does not.
        let m3 = " xmlns:m3=\"http://minameddelanden.gov.se/schema/Message/v3\"";
        let late = V18
            .replace(m3, "")
            .replacen("<m3:SignedDelivery>", &format!("<m3:SignedDelivery{m3}>"), 1)
            .replacen("<m3:Seal>", &format!("<m3:Seal{m3}>"), 1);
        assert!(holds(late.as_bytes()));
        assert!(strict(&late).is_some());
        // All prefixed but Signature.
        let ds = " xmlns=\"http://www.w3.org/2000/09/xmldsig#\"";
        let unprefixed = V18
            .replace("<ds:Signature>", &format!("<Signature{ds}>"))
            .replace("</ds:Signature>", "</Signature>")
            .replace("<ds:", "<")
            .replace("</ds:", "</");
        assert!(holds(unprefixed.as_bytes()));
        assert!(strict(&unprefixed).is_some());
    }

    #[test]
    fn the_table_of_wire_forms_holds() {
        // Empty elements closed at once.
        let closed = V18.replace("\"></ds:Transform>", "\"/>").replace("\"></ds:DigestMethod>", "\" />");
        assert_ne!(closed, V18);
        assert!(holds(closed.as_bytes()));
        // Line breaks in the outer certificate's text are covered by no digest, those in the inner one's are.
        let broken_line = |message: &str, which: usize| {
            let (at, _) = message.match_indices("<ds:X509Certificate>").nth(which).unwrap();
            let mut text = message.to_owned();
            text.insert(at + "<ds:X509Certificate>".len() + 64, '\n');
            text
        };
        assert!(holds(broken_line(V18, 1).as_bytes()));
        assert!(!holds(broken_line(V18, 0).as_bytes()));
        // White space between elements.
        assert!(!holds(V18.replace("<m3:Message>", "\n<m3:Message>").as_bytes()));
        assert!(!holds(V18.replace("<m3:Seal>", "<m3:Seal>\n ").as_bytes()));
    }

    #[test]
    fn any_changed_letter_of_what_is_signed_is_refused() {
        for message in [V18, V28] {
            let start = message.find("<s3:deliverSecure>").unwrap() + "<s3:deliverSecure>".len();
            let end = message.rfind("</s3:deliverSecure>").unwrap();
            // The outer X509SubjectName is covered by no digest; everything else is.
            let subject =
                message.rfind("<ds:X509SubjectName>").unwrap()..message.rfind("</ds:X509SubjectName>").unwrap();
            let mut bytes = message.as_bytes().to_vec();
            // Every letter of text would take minutes; every seventh, and each place once over the two messages.
            for at in (start..end).filter(|at| !subject.contains(at)).step_by(7) {
                let old = bytes[at];
                if !old.is_ascii_alphanumeric() {
                    continue;
                }
                bytes[at] = if old == b'A' { b'B' } else { b'A' };
                let found = holds(&bytes);
                bytes[at] = old;
                assert!(!found, "a change at byte {at} went through");
            }
            assert!(holds(&bytes));
        }
    }

    #[test]
    fn what_an_attacker_adds_is_refused() {
        let comment = V18.replace("191212121212", "1912<!-- x -->12121212");
        assert!(strict(&comment).is_some());
        assert!(!holds(V18.replace("Kommun A</se:Name>", "Kommun A<?x y?></se:Name>").as_bytes()));
        assert!(!holds(V18.replacen("<m3:SignedDelivery>", "<m3:SignedDelivery Id=\"x\">", 1).as_bytes()));
        // The whole signed part moved aside, another in its place.
        let start = V18.find("<m3:SignedDelivery>").unwrap();
        let end = V18.find("</m3:SignedDelivery>").unwrap() + "</m3:SignedDelivery>".len();
        let signed = &V18[start..end];
        let evil = signed.replace("191212121212", "198101032384");
        assert!(!holds(V18.replace(signed, &format!("{evil}{signed}")).as_bytes()));
        assert!(!holds(V18.replace(signed, &evil).as_bytes()));
        assert!(!holds(V18.replace("rsa-sha256", "rsa-sha1").as_bytes()));
        assert!(!holds(V18.replace("<ds:Reference URI=\"\">", "<ds:Reference URI=\"#x\">").as_bytes()));
    }

    #[test]
    fn certificates_must_chain_and_be_in_date() {
        let envelope = Envelope::read(V18.as_bytes()).unwrap();
        let delivery = envelope.delivery().unwrap();
        let untrusted = |signature: &Signature| matches!(signature.fault, Some(SignatureFault::Untrusted(_)));
        let late = UnixTime::since_unix_epoch(Duration::from_secs(3_000_000_000));
        let early = UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000));
        assert!(untrusted(&delivery.inner(Some(&trust()), late)));
        assert!(untrusted(&delivery.outer(Some(&trust()), early)));
        let stranger = super::super::pki::make_authority().unwrap();
        let stranger = Trust::new([stranger.certificate]).unwrap();
        assert!(untrusted(&delivery.inner(Some(&stranger), in_date())));
        let inner = delivery.inner(None, late);
        assert!(inner.fault.is_none());
        assert_eq!(inner.certificate.unwrap().organisation.as_deref(), Some("162021004748"));
    }

    #[test]
    fn documents_are_those_of_the_vectors() {
        for (message, signed, sealed) in [
            (
                V18,
                &include_bytes!("../../testdata/vectors/v1.5-SignedDelivery.xml")[..],
                &include_bytes!("../../testdata/vectors/v1.6-SealedDelivery.xml")[..],
            ),
            (
                V29,
                include_bytes!("../../testdata/vectors/v2.5-SignedDelivery.xml"),
                include_bytes!("../../testdata/vectors/v2.6-SealedDelivery.xml"),
            ),
        ] {
            let envelope = Envelope::read(message.as_bytes()).unwrap();
            let delivery = envelope.delivery().unwrap();
            assert!(delivery.signed_delivery() == signed);
            assert!(delivery.sealed_delivery() == sealed);
        }
    }

    #[test]
    fn structure_is_the_contracts() {
        let fault = |from: &str, to: &str| {
            let message = V28.replacen(from, to, 1);
            assert_ne!(message, V28, "{from}");
            Envelope::read(message.as_bytes()).unwrap().delivery().err().map(|violation| violation.to_string())
        };
        let id = V28.split_once("<m3:Id>").unwrap().1.split_once("</m3:Id>").unwrap().0;
        let id = format!("<m3:Id>{id}</m3:Id>");
        for (from, to) in [
            (&*id, ""),
            ("<se:Id>162021004748</se:Id>", "<se:Id>19861003T010</se:Id>"),
            ("<se:Id>162021004748</se:Id>", "<m2:Id>162021004748</m2:Id>"),
            ("<se:Name>Kommun A</se:Name>", "<se:Name>K</se:Name>"),
            ("<m2:Recipient>", "<m2:Recipient>191212121212</m2:Recipient><m2:Recipient>"),
            ("<m3:Language>svSE</m3:Language>", "<m3:Language>sv_SE</m3:Language>"),
            ("<m3:Language>", "<m3:Logo>x</m3:Logo><m3:Language>"),
            ("<m1:SignaturesOK>true", "<m1:SignaturesOK>yes"),
            ("<m1:ReceivedTime>2026", "<m1:ReceivedTime>26"),
            ("<m3:Seal>", "text<m3:Seal>"),
            ("<s3:deliverSecure><s3:deliverSecure>", "<s3:deliverSecure x=\"1\"><s3:deliverSecure>"),
            ("<ds:Reference URI=\"\">", "<ds:Reference Uri=\"\">"),
            ("<ds:DigestMethod Algorithm=", "<ds:DigestMethod Algo="),
            ("<ds:SignatureValue>", "<ds:SignatureValue>!"),
        ] {
            assert!(fault(from, to).is_some(), "{to}");
        }
        assert!(fault("<m3:Subject>", &format!("<m3:Subject>{}", "å".repeat(256))).unwrap().contains("/Subject"));
        // No value of the message in what is said.
        assert!(!fault("<se:Id>162021004748</se:Id>", "<se:Id>19861003T010</se:Id>").unwrap().contains("1986"));
    }

    #[test]
    fn only_soap_1_1_with_one_child_is_read() {
        assert!(
            Envelope::read(V18.replace("http://schemas.xmlsoap.org/soap/envelope/", ns::SOAP_12).as_bytes()).is_err()
        );
        assert!(Envelope::read(V18.replace("<soap:Body>", "<soap:Body><x/>").as_bytes()).is_err());
        assert!(Envelope::read(V18.replace("<soap:Body>", "<soap:Header/><soap:Body>").as_bytes()).is_ok());
        assert!(Envelope::read(b"<html>502</html>").is_err());
    }
}
