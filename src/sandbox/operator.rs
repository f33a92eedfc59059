//! What a mailbox operator makes of a delivery.
//!
//! In: a request body. Out: whether it is taken, refused (with which fault code, protocol sheet §4.2 and §9), or for
//! somebody without a mailbox here. It does no I/O.

use super::World;
use super::contract::{is_recipient_id, ns};
use super::pki;
use super::population::Mailbox;
use super::verify::{self, Envelope, Manner, SignatureFault};
use super::xml::Element;
use md5::{Digest, Md5};
use memchr::memmem;
use rustls::pki_types::UnixTime;

/// The infrastructure's 2 MB, counted strictly.
pub(crate) const MESSAGE_LIMIT: usize = 2_000_000;

/// Which operator has an encryption certificate: the last.
pub(crate) const ENCRYPTING: usize = super::population::OPERATORS - 1;

/// What is said of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// Delivered = true.
    Accepted,
    /// Delivered = false.
    NotHere(&'static str),
    /// An applicationFault.
    Fault(u32, String),
}

/// Recipient and message id, found by search alone: in order, and before anything large. For the ledger, and for
/// `--trusting`.
pub(crate) fn search(body: &[u8]) -> Option<(&str, &str)> {
    let (recipient, at) = find(body, 0, b"Recipient")?;
    let message = start_tag(body, at, b"Message")?;
    let (id, _) = find(body, message, b"Id")?;
    Some((recipient, id))
}

/// The text of the next element with this local name, and where it ends.
pub(crate) fn find<'b>(body: &'b [u8], from: usize, local: &[u8]) -> Option<(&'b str, usize)> {
    let start = start_tag(body, from, local)?;
    let length = memchr::memchr(b'<', body.get(start..)?)?;
    let text = std::str::from_utf8(body.get(start..start + length)?).ok()?;
    Some((text, start + length))
}

/// Where the content of the next element with this local name begins.
fn start_tag(body: &[u8], from: usize, local: &[u8]) -> Option<usize> {
    memmem::find_iter(body.get(from..)?, local).map(|place| from + place).find_map(|place| {
        let before = body.get(..place)?;
        let is_tag = match before.last()? {
            b'<' => true,
            b':' => {
                let prefix = before.iter().rev().skip(1).position(|byte| matches!(byte, b'<' | b'>' | b'/' | b' '))?;
                before.get(before.len().checked_sub(prefix + 2)?) == Some(&b'<')
            }
            _ => false,
        };
        let after = place + local.len();
        let end = match body.get(after)? {
            b'>' => after,
            b' ' | b'\t' | b'\n' | b'\r' => after + memchr::memchr(b'>', body.get(after..)?)?,
            _ => return None,
        };
        is_tag.then_some(end + 1)
    })
}

/// Judges a delivery to the operator with this number. `client` is the organisation in the TLS client's certificate.
pub(crate) fn judge(world: &World, operator: usize, body: &[u8], client: Option<&str>) -> Say {
    if body.len() > MESSAGE_LIMIT {
        return Say::Fault(5005, format!("the message has {} bytes, at most {MESSAGE_LIMIT} are taken", body.len()));
    }
    if world.options.trusting {
        return match search(body) {
            Some((recipient, id)) if is_recipient_id(recipient) && !id.is_empty() => {
                at_home(world, operator, recipient)
            }
            _ => Say::Fault(5001, "no recipient or message id found".into()),
        };
    }
    match examine(world, operator, body, client) {
        Ok(recipient) => at_home(world, operator, &recipient),
        Err(refused) => refused,
    }
}

/// Whether the recipient has a mailbox here.
fn at_home(world: &World, operator: usize, recipient: &str) -> Say {
    match Mailbox::of(world.options.seed, &world.options.shares, recipient) {
        Mailbox::At(here) if here == operator => Say::Accepted,
        Mailbox::Protected(here) if here == operator => Say::Fault(6006, "protected identity".into()),
        Mailbox::OptedOut(here) if here == operator => Say::NotHere("the recipient does not accept the sender"),
        Mailbox::Pending(here) if here == operator => Say::NotHere("the recipient's registration is pending"),
        _ => Say::NotHere("the recipient has no mailbox here"),
    }
}

/// Everything that a careful operator checks; gives the recipient.
fn examine(world: &World, operator: usize, body: &[u8], client: Option<&str>) -> Result<String, Say> {
    let fault = |code: u32, text: String| Say::Fault(code, text);
    let envelope = Envelope::read(body).map_err(|error| fault(5001, error.to_string()))?;
    let delivery = envelope.delivery().map_err(|error| fault(5001, error.to_string()))?;
    if world.options.manner == Manner::Strict
        && let Some(what) = delivery.strict_fault()
    {
        return Err(fault(5002, format!("Ogiltig signatur i dokument: {what}")));
    }
    let refuse = |which: &str, error: &SignatureFault| match error {
        SignatureFault::Untrusted(_) => fault(5002, format!("Utgivaren är inte betrodd ({which}): {error}")),
        _ => fault(5002, format!("Ogiltig signatur i dokument ({which}): {error}")),
    };
    let now = UnixTime::now();
    let inner = delivery.inner(Some(&world.trust), now);
    inner.fault.as_ref().map_or(Ok(()), |error| Err(refuse("SignedDelivery", error)))?;
    let outer = delivery.outer(Some(&world.trust), now);
    outer.fault.as_ref().map_or(Ok(()), |error| Err(refuse("SealedDelivery", error)))?;
    if delivery
        .sealed
        .descend(ns::M3, &["Seal"])
        .and_then(|seal| seal.child(ns::M1, "SignaturesOK"))
        .is_none_or(|ok| !matches!(ok.text().trim(), "true" | "1"))
    {
        return Err(fault(5012, "the mediator says that the sender's signature is not in order".into()));
    }

    let header = delivery.signed.descend(ns::M3, &["Delivery", "Header"]);
    let sender = header.and_then(|header| header.child(ns::M2, "Sender")).and_then(|sender| sender.child(ns::SE, "Id"));
    if !world.knows_sender(&sender.map(Element::text).unwrap_or_default()) {
        return Err(fault(5014, "the sender is not registered".into()));
    }
    let mediator = outer.certificate.as_ref().and_then(|facts| facts.organisation.as_deref());
    if !mediator.is_some_and(|organisation| world.knows_mediator(organisation)) {
        return Err(fault(6005, "the organisation of the outer signature is no approved mediator".into()));
    }
    if client != mediator {
        return Err(fault(6005, "the outer signature is by another organisation than the TLS client".into()));
    }
    for message in delivery.signed.descend(ns::M3, &["Delivery"]).into_iter().flat_map(Element::elements) {
        if message.local == "Message" {
            check_message(world, operator, message)?;
        }
    }
    Ok(header.and_then(|header| header.child(ns::M2, "Recipient")).map(Element::text).unwrap_or_default())
}

/// Content rules (protocol sheet §1.6, §1.9).
fn check_message(world: &World, operator: usize, message: &Element) -> Result<(), Say> {
    let text = |element: Option<&Element>, local: &str| {
        element.and_then(|element| element.child(ns::M1, local)).map(Element::text).unwrap_or_default()
    };
    let body = message.child(ns::M3, "Body");
    let content_type = text(body, "ContentType");
    let bytes = verify::base64(&text(body, "Body")).unwrap_or_default();
    let Ok(words) = String::from_utf8(bytes) else {
        return Err(Say::Fault(5001, "the body is not UTF-8".into()));
    };
    match content_type.as_str() {
        "text/plain" => {}
        "text/html" => {
            let lower = words.to_ascii_lowercase();
            if lower.contains("<script") {
                return Err(Say::Fault(5001, "a script in the body".into()));
            }
            if lower.contains("src=\"http") || lower.contains("src='http") {
                return Err(Say::Fault(5001, "an external image in the body".into()));
            }
        }
        _ => return Err(Say::Fault(5019, "the body is neither text/plain nor text/html".into())),
    }
    if words.trim().is_empty() {
        return Err(Say::Fault(5001, "an empty body: it must carry the message".into()));
    }
    for attachment in message.elements().filter(|element| element.local == "Attachment") {
        let attachment = Some(attachment);
        let bytes = verify::base64(&text(attachment, "Body")).unwrap_or_default();
        let md5: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02X}")).collect();
        if text(attachment, "Checksum") != md5 {
            return Err(Say::Fault(5001, "Checksum is not the MD5 of the attachment in upper case".into()));
        }
        let document = match text(attachment, "ContentType").as_str() {
            "application/pdf" => bytes,
            "application/pkcs7-mime" if operator == ENCRYPTING => {
                let own = &world.pki.encryption;
                // Renewed while we serve: letters to either certificate may come.
                let renewed = |what| {
                    let renewed = world.pki.identity(pki::OPERATOR).map_err(|_| what)?;
                    super::cms::open(&bytes, &renewed.certificate, renewed.key.secret_der())
                };
                super::cms::open(&bytes, &own.certificate, own.key.secret_der())
                    .or_else(renewed)
                    .map_err(|what| Say::Fault(5001, format!("the attachment does not decrypt: {what}")))?
            }
            _ => return Err(Say::Fault(5019, "an attachment of a type that is not taken".into())),
        };
        if !document.starts_with(b"%PDF-") {
            return Err(Say::Fault(5019, "the attachment is no PDF document".into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_finds_recipient_and_id_in_any_wire_form() {
        let prefixed = include_bytes!("../../testdata/vectors/v1.8-soap-prefixed.xml");
        let defaults = include_bytes!("../../testdata/vectors/v1.9-soap-default-ns.xml");
        let full = include_bytes!("../../testdata/vectors/v2.8-soap-prefixed.xml");
        let wanted = Some(("191212121212", "5b0f0a7e-3d0b-4c55-9d7b-0b6f0a2f1c11"));
        assert_eq!(search(prefixed), wanted);
        assert_eq!(search(defaults), wanted);
        assert_eq!(search(full).map(|(recipient, _)| recipient.len()), Some(12));
        assert_eq!(search(b"<a:RecipientX>1</a:RecipientX> :Recipient>2<"), None);
    }
}
