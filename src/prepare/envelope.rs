//! The envelope: a delivery in, a signed and sealed SOAP message out.
//!
//! What is signed is not what goes over the wire. Receivers take an element out of the message, drop all prefixes and
//! canonicalise it; so the digests are of prefix-free text with default namespaces, while the wire form has a prefix on
//! every element (protocol sheet, sections 2.2 and 2.3). The writer knows every element that can occur and has both
//! spellings of each as constants. In one pass it appends the wire form to one buffer and feeds the canonical form to
//! the two hashes, of avsändare (inner) and förmedlare (outer), at once: no tree, no canonicalisation, no second look
//! at an attachment. What is canonical is so by construction:
//!
//! - no white space between elements, no empty-element tags, no comments, no line ends in base64;
//! - attributes occur only in constants, in canonical order;
//! - in text `& < >` are escaped and carriage returns become line feeds, so `&#xD;` never arises.
//!
//! The message's own digest costs no pass over it: the outer signature, which stands last, is over the digest of all that
//! is signed, and what is around it is constant. So the digest of that signature tells any two messages apart.
//!
//! It does not compose text, encrypt, or decide about the size of a message.

mod spelling;
mod text;
mod writer;

pub(super) use writer::KeyInfo;

use super::sign::{SignError, Signer};
use crate::domain::{self, Begun, Sealed};
use spelling::*;
use writer::{Signed, Writer};

/// Why a delivery cannot be an envelope. None shows a text; the element tells which it was.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Shorter or longer than the contract allows.
    #[error("{element} has {characters} characters, from {least} to {most} are allowed")]
    Length {
        /// Element of the contract.
        element: &'static str,
        /// Its length in Unicode code points, a line end as one.
        characters: usize,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// A character that XML 1.0 cannot carry.
    #[error("{element} holds U+{character:04X}, which XML cannot carry")]
    Forbidden {
        /// Element of the contract.
        element: &'static str,
        /// The code point.
        character: u32,
    },
    /// Not of the form that the contract demands.
    #[error("{element} is not {form}")]
    Form {
        /// Element of the contract.
        element: &'static str,
        /// What it must be.
        form: &'static str,
    },
    /// A delivery without a message.
    #[error("a delivery holds at least one message")]
    NoMessage,
    /// The avsändare's or the förmedlare's key could not sign.
    #[error("cannot sign the delivery")]
    Sign(#[from] Unsigned),
}

/// Whose signature is missing.
#[derive(Debug, thiserror::Error)]
#[error("signature of the {role}")]
pub struct Unsigned {
    role: &'static str,
    source: SignError,
}

impl PartialEq for Unsigned {
    fn eq(&self, other: &Self) -> bool {
        self.role == other.role
    }
}

/// A delivery to one recipient (`Message/v3` SecureDelivery, its header of `Message/v2`).
///
/// Without Debug: it holds what may not be printed.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// Sender/Id: `16` + organisation number.
    pub sender_id: &'a str,
    /// Sender/Name, 2 to 256 characters.
    pub sender_name: &'a str,
    /// Sender/Attention.
    pub sender_attention: Option<&'a str>,
    /// Recipient: twelve digits.
    pub recipient: &'a str,
    /// Reference.
    pub reference: Option<&'a str>,
    /// CorrelationId.
    pub correlation_id: Option<&'a str>,
    /// Attention.
    pub attention: Option<&'a str>,
    /// Messages; all senders send exactly one.
    pub messages: &'a [Message<'a>],
}

/// A message (`Message/v3` SecureMessage).
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Header/Id, not empty.
    pub id: &'a str,
    /// Header/Subject, at most 255 characters.
    pub subject: &'a str,
    /// Header/Supportinfo.
    pub support: Support<'a>,
    /// Header/Metadata: tags and values.
    pub metadata: &'a [(&'a str, &'a str)],
    /// Header/Language: everybody writes `svSE`.
    pub language: &'a str,
    /// Header/Reply.
    pub reply: Option<Reply>,
    /// Header/ReceiptRequest.
    pub receipt_request: Option<ReceiptRequest>,
    /// Body.
    pub body: Content<'a>,
    /// Attachment.
    pub attachments: &'a [Document<'a>],
}

/// Whom to ask (`Message/v3` SupportInfo).
#[derive(Clone, Copy)]
pub struct Support<'a> {
    /// Text, at most 1024 characters.
    pub text: &'a str,
    /// URL, at most 255 characters, without white space.
    pub url: Option<&'a str>,
    /// PhoneNumber, at most 255 characters.
    pub phone: Option<&'a str>,
    /// EmailAdress, 5 to 256 characters, `a@b.c`.
    pub email: Option<&'a str>,
}

/// A body (`Message` MessageBody).
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// `text/html` or `text/plain`.
    pub content_type: &'a str,
    /// The text, UTF-8; may be empty.
    pub bytes: &'a [u8],
}

/// An attachment (`Message` Attachment); its checksum is computed here, from where it was begun.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    /// Media type.
    pub content_type: &'a str,
    /// File name.
    pub filename: &'a str,
    /// The document.
    pub bytes: &'a [u8],
    /// MD5 of its first bytes, where that is known.
    pub begun: Option<&'a Begun>,
}

impl<'a> From<&'a domain::Body> for Content<'a> {
    fn from(body: &'a domain::Body) -> Self {
        Self { content_type: body.content_type, bytes: body.text.as_bytes() }
    }
}

impl<'a> From<&'a domain::Attachment> for Document<'a> {
    fn from(attachment: &'a domain::Attachment) -> Self {
        Self {
            content_type: attachment.content_type,
            filename: &attachment.filename,
            bytes: &attachment.bytes,
            begun: attachment.begun.as_ref(),
        }
    }
}

/// Whether the recipient may answer (`Reply` ReplyOptions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An answer is asked for.
    Requested,
    /// An answer is accepted.
    Accepted,
    /// No answers.
    NotAllowed,
}

/// Whether a receipt is asked for (`Receipt` ReceiptOptions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptRequest {
    /// None.
    Not,
    /// A plain one.
    Simple,
    /// A signed one.
    Signed,
}

/// The documents behind a message: for evidence, and to hold them against other implementations.
///
/// *Source*: protocol sheet section 2.2, whose names the fields have.
#[derive(Clone, PartialEq, Eq)]
pub struct Documents {
    /// innerOctets: what the avsändare's DigestValue is of.
    pub inner_octets: Vec<u8>,
    /// innerSI: what the avsändare signed.
    pub inner_signed_info: Vec<u8>,
    /// outerOctets: what the förmedlare's DigestValue is of.
    pub outer_octets: Vec<u8>,
    /// outerSI: what the förmedlare signed.
    pub outer_signed_info: Vec<u8>,
    /// The SignedDelivery with its signature, a document of its own.
    pub signed_delivery: Vec<u8>,
    /// The SealedDelivery with both signatures, a document of its own.
    pub sealed_delivery: Vec<u8>,
}

/// Signs as avsändare, seals as förmedlare, and gives the whole request body.
///
/// *Shape*: the delivery's texts are any Unicode that XML 1.0 can carry; CR LF and CR become LF. `received` is an
/// xs:date, and ought to be a plain `YYYY-MM-DD`: a zone is allowed by the schema, and lost by some receivers. Out comes
/// UTF-8 XML, every element with a prefix, all prefixes declared on `soap:Envelope`. The same arguments give the same
/// bytes.
///
/// *Errors*: a text that the contract or XML forbids, or a key that cannot sign. *Cost*: two signatures, two SHA-256
/// passes over the message, one MD5 over each attachment, one base64 pass; one buffer, reserved once.
///
/// *Source*: `Service/v3` deliverSecure; protocol sheet, sections 1.6 and 2.
pub fn seal(
    delivery: &Delivery<'_>,
    sender: &dyn Signer,
    mediator: &dyn Signer,
    received: &str,
) -> Result<Sealed, EnvelopeError> {
    let mut writer = Writer::new(room(delivery, sender, mediator), None);
    let [_, outer] = writer.envelope(delivery, sender, mediator, received)?;
    Ok(writer.sealed(&outer, mediator))
}

/// As [`seal`], and keeps the documents that were signed.
pub fn seal_with_documents(
    delivery: &Delivery<'_>,
    sender: &dyn Signer,
    mediator: &dyn Signer,
    received: &str,
) -> Result<(Sealed, Documents), EnvelopeError> {
    let mut writer = Writer::new(room(delivery, sender, mediator), Some(Vec::new()));
    let signed = writer.envelope(delivery, sender, mediator, received)?;
    let outer_octets = writer.canonical.kept.take().unwrap_or_default();

    // outerOctets = root, `<SignedDelivery>` … inner signature, `</SignedDelivery>`, seal, end of the root.
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let outer = text(&outer_octets);
    let (delivery, _) = outer.split_once("</Delivery>").unwrap_or_default();
    let delivery = delivery.strip_prefix(OUTER_OPEN).unwrap_or_default();
    let delivery = format!("{INNER_OPEN}{delivery}</Delivery>");
    let canonical_signature = |signed: &Signed, signer: &dyn Signer| {
        let [digest, signature] = [&signed.digest, &signed.signature].map(|base64| text(base64));
        format!(
            "{SIGNATURE}{SIGNED_INFO}{SIGNED_INFO_START}{digest}{SIGNED_INFO_END}{SIGNATURE_VALUE}{signature}{}",
            signer.certificate().key_info().canonical
        )
    };
    let signed_info = |signed: &Signed| {
        format!("{SIGNED_INFO_APEX}{SIGNED_INFO_START}{}{SIGNED_INFO_END}", text(&signed.digest)).into_bytes()
    };
    let [inner, sealed] = &signed;
    let documents = Documents {
        inner_octets: format!("{delivery}{INNER_CLOSE}").into_bytes(),
        inner_signed_info: signed_info(inner),
        outer_signed_info: signed_info(sealed),
        signed_delivery: format!("{delivery}{}{INNER_CLOSE}", canonical_signature(inner, sender)).into_bytes(),
        sealed_delivery: format!(
            "{}{}{OUTER_CLOSE}",
            outer.strip_suffix(OUTER_CLOSE).unwrap_or_default(),
            canonical_signature(sealed, mediator)
        )
        .into_bytes(),
        outer_octets,
    };
    let sealed = writer.sealed(sealed, mediator);
    Ok((sealed, documents))
}

/// What a message is about to need, so that the buffer never moves: generous for texts, exact for what is big.
fn room(delivery: &Delivery<'_>, sender: &dyn Signer, mediator: &dyn Signer) -> usize {
    let base64 = |bytes: &[u8]| bytes.len().div_ceil(3) * 4;
    let text = |text: &str| text.len() + text.len() / 4;
    let option = |value: Option<&str>| value.map_or(0, |value| 60 + text(value));
    let mut room = 6 * 1024; // the frame, two signatures of up to 4096 bits
    room += sender.certificate().key_info().wire.len() + mediator.certificate().key_info().wire.len();
    room += text(delivery.sender_name) + option(delivery.sender_attention) + option(delivery.attention);
    room += option(delivery.reference) + option(delivery.correlation_id);
    for message in delivery.messages {
        room += 1024 + text(message.id) + text(message.subject) + text(message.support.text);
        room += option(message.support.url) + option(message.support.phone) + option(message.support.email);
        room += message.metadata.iter().map(|(tag, value)| 120 + text(tag) + text(value)).sum::<usize>();
        room += base64(message.body.bytes);
        room += message
            .attachments
            .iter()
            .map(|one| 360 + base64(one.bytes) + text(one.filename) + one.content_type.len())
            .sum::<usize>();
    }
    room
}

#[cfg(test)]
mod tests;
