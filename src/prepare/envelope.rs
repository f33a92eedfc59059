//! The envelope: a delivery in, a signed and sealed SOAP message out.
//!
//! What is signed is not what goes over the wire. Receivers take an element out of the message, drop all prefixes and
//! canonicalise it; so the digests are of prefix-free text with default namespaces, while the wire form has a prefix on
//! every element (protocol sheet, sections 2.2 and 2.3). This writer knows every element that can occur and has both
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

use super::sign::{SignError, Signer};
use super::twin::Hash;
use crate::domain::{self, Begun, Sealed};
use arrayvec::ArrayVec;
use md5::{Digest as _, Md5};

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

/// The text from the end of a signature value to the end of the Signature: constant for a certificate.
pub(super) struct KeyInfo {
    wire: String,
    canonical: String,
}

impl KeyInfo {
    pub(super) fn new(subject: &str, der: &[u8]) -> Self {
        let mut escaped = Vec::with_capacity(subject.len());
        // A subject in the form of RFC 2253 is printable ASCII.
        _ = escape("X509SubjectName", subject, &mut escaped);
        let subject = String::from_utf8_lossy(&escaped);
        let certificate = base64_simd::STANDARD.encode_to_string(der);
        let spell = |p: &str| {
            format!(
                "</{p}SignatureValue><{p}KeyInfo><{p}X509Data><{p}X509SubjectName>{subject}</{p}X509SubjectName>\
                 <{p}X509Certificate>{certificate}</{p}X509Certificate></{p}X509Data></{p}KeyInfo></{p}Signature>"
            )
        };
        Self { wire: spell("ds:"), canonical: spell("") }
    }
}

/// What a signature adds to the message, as base64.
struct Signed {
    digest: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    /// The message from the outer signature to its end.
    fn pieces<'a>(&'a self, mediator: &'a dyn Signer) -> [&'a [u8]; 9] {
        [
            SIGNATURE_WIRE.as_bytes(),
            SIGNED_INFO_WIRE.as_bytes(),
            SIGNED_INFO_START_WIRE.as_bytes(),
            &self.digest,
            SIGNED_INFO_END_WIRE.as_bytes(),
            SIGNATURE_VALUE_WIRE.as_bytes(),
            &self.signature,
            mediator.certificate().key_info().wire.as_bytes(),
            WIRE_CLOSE.as_bytes(),
        ]
    }
}

/// Writes the wire form and hashes the canonical form.
struct Writer {
    wire: Vec<u8>,
    canonical: Canonical,
}

/// The canonical form on its way into the hashes.
struct Canonical {
    /// Gathers short pieces, so that a hash is called some ten times a message and not some hundred.
    gathered: ArrayVec<u8, GATHER_BYTES>,
    /// Hash of innerOctets, until the inner signature is made.
    inner: Option<Hash>,
    /// Hash of outerOctets.
    outer: Hash,
    /// What went into `outer`, where it is to be kept.
    kept: Option<Vec<u8>>,
}

/// Size at which gathered pieces are hashed: fits the first-level cache beside the piece of wire form it comes from.
const GATHER_BYTES: usize = 8 * 1024;

impl Canonical {
    fn push(&mut self, piece: &[u8]) {
        if piece.len() >= GATHER_BYTES {
            self.flush();
            // Both hashes over a part that is still in the cache, then the next.
            let Self { inner, outer, kept, .. } = self;
            piece.chunks(GATHER_BYTES).for_each(|part| hash(inner, outer, kept, part));
            return;
        }
        if self.gathered.len() + piece.len() > GATHER_BYTES {
            self.flush();
        }
        // There is room: it was made above.
        let _ = self.gathered.try_extend_from_slice(piece);
    }

    fn flush(&mut self) {
        let Self { gathered, inner, outer, kept } = self;
        hash(inner, outer, kept, gathered);
        gathered.clear();
    }

    /// The digest of innerOctets as base64; from here on only the outer hash goes on.
    fn finish_inner(&mut self) -> Vec<u8> {
        self.flush();
        self.inner.take().map(|inner| finish(inner, INNER_CLOSE)).unwrap_or_default()
    }
}

fn hash(inner: &mut Option<Hash>, outer: &mut Hash, kept: &mut Option<Vec<u8>>, piece: &[u8]) {
    match inner {
        Some(inner) => inner.update_both(outer, piece),
        None => outer.update(piece),
    }
    if let Some(kept) = kept {
        kept.extend_from_slice(piece);
    }
}

/// Ends a hash with the last tag; base64.
fn finish(mut hash: Hash, close: &str) -> Vec<u8> {
    hash.update(close.as_bytes());
    base64_simd::STANDARD.encode_type(hash.finish())
}

impl Writer {
    fn new(room: usize, kept: Option<Vec<u8>>) -> Self {
        let mut canonical = Canonical { gathered: ArrayVec::new(), inner: Some(Hash::new()), outer: Hash::new(), kept };
        // The only place where the two differ until the delivery ends.
        if let Some(inner) = &mut canonical.inner {
            inner.update(INNER_OPEN.as_bytes());
        }
        canonical.outer.update(OUTER_OPEN.as_bytes());
        if let Some(kept) = &mut canonical.kept {
            kept.extend_from_slice(OUTER_OPEN.as_bytes());
        }
        Self { wire: Vec::with_capacity(room), canonical }
    }

    /// The whole message; what the two signatures are.
    fn envelope(
        &mut self,
        delivery: &Delivery<'_>,
        sender: &dyn Signer,
        mediator: &dyn Signer,
        received: &str,
    ) -> Result<[Signed; 2], EnvelopeError> {
        self.wire.extend_from_slice(WIRE_OPEN.as_bytes());
        self.delivery(delivery)?;
        let digest = self.canonical.finish_inner();
        let inner = sign(digest, sender, "avsändare")?;
        self.both(SIGNATURE_WIRE, SIGNATURE);
        self.both(SIGNED_INFO_WIRE, SIGNED_INFO);
        self.both(SIGNED_INFO_START_WIRE, SIGNED_INFO_START);
        self.raw(&inner.digest);
        self.both(SIGNED_INFO_END_WIRE, SIGNED_INFO_END);
        self.both(SIGNATURE_VALUE_WIRE, SIGNATURE_VALUE);
        self.raw(&inner.signature);
        let KeyInfo { wire, canonical } = sender.certificate().key_info();
        self.both(wire, canonical);
        self.both("</m3:SignedDelivery>", INNER_CLOSE);
        self.seal(received)?;

        self.canonical.flush();
        let hash = std::mem::replace(&mut self.canonical.outer, Hash::new());
        if let Some(kept) = &mut self.canonical.kept {
            kept.extend_from_slice(OUTER_CLOSE.as_bytes());
        }
        let outer = sign(finish(hash, OUTER_CLOSE), mediator, "förmedlare")?;
        outer.pieces(mediator).into_iter().for_each(|piece| self.wire.extend_from_slice(piece));
        Ok([inner, outer])
    }

    /// The finished message. Its digest is over all that is not below the outer digest: the frame and the outer signature.
    fn sealed(self, outer: &Signed, mediator: &dyn Signer) -> Sealed {
        let mut digest = Hash::new();
        digest.update(WIRE_OPEN.as_bytes());
        outer.pieces(mediator).into_iter().for_each(|piece| digest.update(piece));
        Sealed { digest: digest.finish(), bytes: self.wire }
    }

    fn delivery(&mut self, delivery: &Delivery<'_>) -> Result<(), EnvelopeError> {
        self.open(&DELIVERY);
        self.open(&HEADER);
        self.open(&SENDER);
        self.leaf(&SENDER_ID, delivery.sender_id, Facet::Identity)?;
        self.leaf(&SENDER_NAME, delivery.sender_name, Facet::Length(2, 256))?;
        self.option(&SENDER_ATTENTION, delivery.sender_attention, Facet::Any)?;
        self.close(&SENDER);
        self.leaf(&RECIPIENT, delivery.recipient, Facet::Identity)?;
        self.option(&REFERENCE, delivery.reference, Facet::Any)?;
        self.option(&CORRELATION_ID, delivery.correlation_id, Facet::Any)?;
        self.option(&ATTENTION, delivery.attention, Facet::Any)?;
        self.close(&HEADER);
        if delivery.messages.is_empty() {
            return Err(EnvelopeError::NoMessage);
        }
        delivery.messages.iter().try_for_each(|message| self.message(message))?;
        self.close(&DELIVERY);
        Ok(())
    }

    fn message(&mut self, message: &Message<'_>) -> Result<(), EnvelopeError> {
        self.open(&MESSAGE);
        self.open(&HEADER);
        self.leaf(&ID, message.id, Facet::Given)?;
        self.leaf(&SUBJECT, message.subject, Facet::Length(0, 255))?;
        self.open(&SUPPORTINFO);
        self.leaf(&TEXT, message.support.text, Facet::Length(0, 1024))?;
        self.option(&URL, message.support.url, Facet::Uri)?;
        self.option(&PHONE_NUMBER, message.support.phone, Facet::Length(0, 255))?;
        self.option(&EMAIL_ADRESS, message.support.email, Facet::Email)?;
        self.close(&SUPPORTINFO);
        for (tag, value) in message.metadata {
            self.open(&METADATA);
            self.leaf(&TAG, tag, Facet::Any)?;
            self.leaf(&VALUE, value, Facet::Any)?;
            self.close(&METADATA);
        }
        self.leaf(&LANGUAGE, message.language, Facet::Language)?;
        let reply = message.reply.map(|reply| match reply {
            Reply::Requested => "REQUESTED",
            Reply::Accepted => "ACCEPTED",
            Reply::NotAllowed => "NOT_ALLOWED",
        });
        self.option(&REPLY, reply, Facet::Any)?;
        let receipt = message.receipt_request.map(|receipt| match receipt {
            ReceiptRequest::Not => "NOT",
            ReceiptRequest::Simple => "SIMPLE",
            ReceiptRequest::Signed => "SIGNED",
        });
        self.option(&RECEIPT_REQUEST, receipt, Facet::Any)?;
        self.close(&HEADER);

        self.open(&BODY);
        self.leaf(&CONTENT_TYPE, message.body.content_type, Facet::Given)?;
        self.base64(&CONTENT, message.body.bytes);
        self.close(&BODY);
        for document in message.attachments {
            self.open(&ATTACHMENT);
            self.leaf(&CONTENT_TYPE, document.content_type, Facet::Given)?;
            self.base64(&CONTENT, document.bytes);
            self.open(&CHECKSUM);
            self.raw(&checksum(document));
            self.close(&CHECKSUM);
            self.leaf(&FILENAME, document.filename, Facet::Given)?;
            self.close(&ATTACHMENT);
        }
        self.close(&MESSAGE);
        Ok(())
    }

    fn seal(&mut self, received: &str) -> Result<(), EnvelopeError> {
        self.open(&SEAL);
        self.leaf(&RECEIVED_TIME, received, Facet::Date)?;
        self.leaf(&SIGNATURES_OK, "true", Facet::Any)?;
        self.close(&SEAL);
        Ok(())
    }

    fn both(&mut self, wire: &str, canonical: &str) {
        self.wire.extend_from_slice(wire.as_bytes());
        self.canonical.push(canonical.as_bytes());
    }

    /// Text that needs no escaping and is the same in both forms.
    fn raw(&mut self, text: &[u8]) {
        self.wire.extend_from_slice(text);
        self.canonical.push(text);
    }

    fn open(&mut self, element: &Element) {
        self.both(element.open, element.canonical_open);
    }

    fn close(&mut self, element: &Element) {
        self.both(element.close, element.canonical_close);
    }

    fn option(&mut self, element: &Element, text: Option<&str>, facet: Facet) -> Result<(), EnvelopeError> {
        text.map_or(Ok(()), |text| self.leaf(element, text, facet))
    }

    fn leaf(&mut self, element: &Element, text: &str, facet: Facet) -> Result<(), EnvelopeError> {
        facet.check(element.name, text)?;
        self.open(element);
        let start = self.wire.len();
        escape(element.name, text, &mut self.wire)?;
        self.canonical.push(self.wire.get(start..).unwrap_or_default());
        self.close(element);
        Ok(())
    }

    fn base64(&mut self, element: &Element, bytes: &[u8]) {
        self.open(element);
        let start = self.wire.len();
        base64_simd::STANDARD.encode_append(bytes, &mut self.wire);
        self.canonical.push(self.wire.get(start..).unwrap_or_default());
        self.close(element);
    }
}

/// Signs the SignedInfo that holds this digest (base64).
fn sign(digest: Vec<u8>, signer: &dyn Signer, role: &'static str) -> Result<Signed, EnvelopeError> {
    let mut signed_info = Hash::new();
    for piece in [SIGNED_INFO_APEX.as_bytes(), SIGNED_INFO_START.as_bytes(), &digest, SIGNED_INFO_END.as_bytes()] {
        signed_info.update(piece);
    }
    let mut signature = Vec::new();
    signer.sign_digest(&signed_info.finish(), &mut signature).map_err(|source| Unsigned { role, source })?;
    Ok(Signed { digest, signature: base64_simd::STANDARD.encode_type(signature) })
}

/// The contract's Checksum: MD5 in upper-case hexadecimal. A label against accidents; the signatures protect.
fn checksum(document: &Document<'_>) -> [u8; 32] {
    let begun = document.begun.filter(|begun| begun.length <= document.bytes.len());
    let (md5, known) = begun.map_or_else(|| (Md5::new(), 0), |begun| (begun.md5.clone(), begun.length));
    let md5 = md5.chain_update(document.bytes.get(known..).unwrap_or_default()).finalize();
    let mut hex = [0; 32];
    for (pair, byte) in hex.chunks_mut(2).zip(md5) {
        for (place, digit) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *place = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        }
    }
    hex
}

/// Appends text as canonical XML has it.
///
/// *Errors*: a character outside production 2 (`Char`) of XML 1.0.
fn escape(element: &'static str, text: &str, out: &mut Vec<u8>) -> Result<(), EnvelopeError> {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (place, byte) in bytes.iter().enumerate() {
        let replacement: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'\r' if bytes.get(place + 1) == Some(&b'\n') => b"",
            b'\r' => b"\n",
            b'\t' | b'\n' | 0x20..=0xee | 0xf0.. => continue,
            // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
            0xef => match bytes.get(place + 1..place + 3) {
                Some([0xbf, last @ 0xbe..=0xbf]) => {
                    return Err(EnvelopeError::Forbidden { element, character: 0xff00 | u32::from(last | 0x40) });
                }
                _ => continue,
            },
            control => return Err(EnvelopeError::Forbidden { element, character: u32::from(*control) }),
        };
        out.extend_from_slice(bytes.get(copied..place).unwrap_or_default());
        out.extend_from_slice(replacement);
        copied = place + 1;
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    Ok(())
}

/// What the contract's simple types demand of a text.
#[derive(Clone, Copy)]
enum Facet {
    /// Nothing.
    Any,
    /// Not empty. The schema does not ask for it; a receiver could do nothing with it.
    Given,
    /// From so many characters to so many.
    Length(usize, usize),
    /// RecipientId.
    Identity,
    /// anyURI, at most 255 characters. Without white space: a receiver's parser may collapse it and so break the digest.
    Uri,
    /// EMailAdress, 5 to 256 characters, `.+@.+\..+`.
    Email,
    /// xs:language.
    Language,
    /// xs:date of the years 0001 to 9999.
    Date,
}

impl Facet {
    fn check(self, element: &'static str, text: &str) -> Result<(), EnvelopeError> {
        let length = |least: usize, most: usize| {
            // Bytes are never fewer than characters: the usual text needs no count.
            if least == 0 && text.len() <= most {
                return Ok(());
            }
            let characters = text.chars().count() - text.matches("\r\n").count();
            if (least..=most).contains(&characters) {
                Ok(())
            } else {
                Err(EnvelopeError::Length { element, characters, least, most })
            }
        };
        let demand = |holds: bool, form: &'static str| {
            if holds { Ok(()) } else { Err(EnvelopeError::Form { element, form }) }
        };
        match self {
            Self::Any => Ok(()),
            Self::Given => demand(!text.is_empty(), "filled in"),
            Self::Length(least, most) => length(least, most),
            Self::Identity => demand(is_identity(text), "an identity of twelve digits"),
            Self::Uri => {
                length(0, 255)?;
                demand(!text.contains(char::is_whitespace), "an address without white space")
            }
            Self::Email => {
                length(5, 256)?;
                demand(is_email(text), "an e-mail address")
            }
            Self::Language => demand(is_language(text), "a language, as svSE"),
            Self::Date => demand(is_date(text), "a date, as 2027-01-31"),
        }
    }
}

/// RecipientId: `16` + ten digits, or a date whose day may be any two digits, and four digits.
fn is_identity(text: &str) -> bool {
    let digits = text.as_bytes();
    if digits.len() != 12 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    match text.get(..2) {
        Some("16") => true,
        Some("18" | "19" | "20") => matches!(text.get(4..6).map(str::parse), Some(Ok(1..=12))),
        _ => false,
    }
}

fn is_email(text: &str) -> bool {
    // The first @ that something precedes leaves the most behind it.
    let at = text.char_indices().skip(1).find(|(_, character)| *character == '@');
    let domain = at.and_then(|(at, _)| text.get(at + 1..)).unwrap_or_default();
    let dot = domain.char_indices().skip(1).find(|(_, character)| *character == '.');
    !text.contains(['\n', '\r']) && dot.is_some_and(|(dot, _)| dot + 1 < domain.len())
}

/// `[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*`
fn is_language(text: &str) -> bool {
    text.split('-').enumerate().all(|(place, part)| {
        let fits = |c: u8| if place == 0 { c.is_ascii_alphabetic() } else { c.is_ascii_alphanumeric() };
        (1..=8).contains(&part.len()) && part.bytes().all(fits)
    })
}

fn is_date(text: &str) -> bool {
    let Some((date, zone)) = text.split_at_checked(10) else { return false };
    let [year, month, day] = [date.get(..4), date.get(5..7), date.get(8..)].map(Option::unwrap_or_default);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let [hours, minutes] = [zone.get(1..3), zone.get(4..)].map(Option::unwrap_or_default);
    let zoned = matches!(zone.as_bytes(), [b'+' | b'-', _, _, b':', _, _])
        && digits(hours)
        && digits(minutes)
        && (hours < "14" && minutes < "60" || zone.ends_with("14:00"));
    let dated = matches!(date.as_bytes(), [_, _, _, _, b'-', _, _, b'-', _, _])
        && [year, month, day].into_iter().all(digits)
        && date.parse::<jiff::civil::Date>().is_ok_and(|date| date.year() >= 1);
    dated && (zone.is_empty() || zone == "Z" || zoned)
}

/// An element in its two spellings.
struct Element {
    name: &'static str,
    open: &'static str,
    close: &'static str,
    canonical_open: &'static str,
    canonical_close: &'static str,
}

macro_rules! soap {
    () => {
        "http://schemas.xmlsoap.org/soap/envelope/"
    };
}
macro_rules! s3 {
    () => {
        "http://minameddelanden.gov.se/schema/Service/v3"
    };
}
macro_rules! m1 {
    () => {
        "http://minameddelanden.gov.se/schema/Message"
    };
}
macro_rules! m2 {
    () => {
        "http://minameddelanden.gov.se/schema/Message/v2"
    };
}
macro_rules! m3 {
    () => {
        "http://minameddelanden.gov.se/schema/Message/v3"
    };
}
macro_rules! se {
    () => {
        "http://minameddelanden.gov.se/schema/Sender"
    };
}
macro_rules! ds {
    () => {
        "http://www.w3.org/2000/09/xmldsig#"
    };
}

/// `NAME = prefix "Element", declares namespace;` where the namespace differs from the parent's and so is declared in the
/// canonical form.
macro_rules! elements {
    ($($constant:ident = $prefix:literal $name:literal $(, declares $namespace:ident)?;)*) => {$(
        const $constant: Element = Element {
            name: $name,
            open: concat!("<", $prefix, ":", $name, ">"),
            close: concat!("</", $prefix, ":", $name, ">"),
            canonical_open: concat!("<", $name $(, " xmlns=\"", $namespace!(), "\"")?, ">"),
            canonical_close: concat!("</", $name, ">"),
        };
    )*};
}

// A local element has the namespace of the schema file that defines its type, not of its parent.
elements! {
    DELIVERY = "m3" "Delivery";
    HEADER = "m3" "Header";
    SENDER = "m2" "Sender", declares m2;
    SENDER_ID = "se" "Id", declares se;
    SENDER_NAME = "se" "Name", declares se;
    SENDER_ATTENTION = "se" "Attention", declares se;
    RECIPIENT = "m2" "Recipient", declares m2;
    REFERENCE = "m2" "Reference", declares m2;
    CORRELATION_ID = "m2" "CorrelationId", declares m2;
    ATTENTION = "m2" "Attention", declares m2;
    MESSAGE = "m3" "Message";
    ID = "m3" "Id";
    SUBJECT = "m3" "Subject";
    SUPPORTINFO = "m3" "Supportinfo";
    TEXT = "m3" "Text";
    URL = "m3" "URL";
    PHONE_NUMBER = "m3" "PhoneNumber";
    EMAIL_ADRESS = "m3" "EmailAdress";
    METADATA = "m3" "Metadata";
    TAG = "m1" "Tag", declares m1;
    VALUE = "m1" "Value", declares m1;
    LANGUAGE = "m3" "Language";
    REPLY = "m3" "Reply";
    RECEIPT_REQUEST = "m3" "ReceiptRequest";
    BODY = "m3" "Body";
    CONTENT_TYPE = "m1" "ContentType", declares m1;
    CONTENT = "m1" "Body", declares m1;
    ATTACHMENT = "m3" "Attachment";
    CHECKSUM = "m1" "Checksum", declares m1;
    FILENAME = "m1" "Filename", declares m1;
    SEAL = "m3" "Seal";
    RECEIVED_TIME = "m1" "ReceivedTime", declares m1;
    SIGNATURES_OK = "m1" "SignaturesOK", declares m1;
}

/// Everything before the Delivery on the wire: all prefixes are declared here, the form that every receiver takes.
const WIRE_OPEN: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns:soap=\"",
    soap!(),
    "\" xmlns:s3=\"",
    s3!(),
    "\" xmlns:m1=\"",
    m1!(),
    "\" xmlns:m2=\"",
    m2!(),
    "\" xmlns:m3=\"",
    m3!(),
    "\" xmlns:se=\"",
    se!(),
    "\" xmlns:ds=\"",
    ds!(),
    "\"><soap:Body><s3:deliverSecure><s3:deliverSecure><m3:SignedDelivery>"
);
const WIRE_CLOSE: &str = "</s3:deliverSecure></s3:deliverSecure></soap:Body></soap:Envelope>";

const INNER_OPEN: &str = concat!("<SignedDelivery xmlns=\"", m3!(), "\">");
const INNER_CLOSE: &str = "</SignedDelivery>";
/// The root is SealedDelivery of Message/v3 here, whatever the wire says.
const OUTER_OPEN: &str = concat!("<SealedDelivery xmlns=\"", m3!(), "\"><SignedDelivery>");
const OUTER_CLOSE: &str = "</SealedDelivery>";

macro_rules! signed_info_start {
    ($p:literal) => {
        concat!(
            "<",
            $p,
            "CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></",
            $p,
            "CanonicalizationMethod><",
            $p,
            "SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></",
            $p,
            "SignatureMethod><",
            $p,
            "Reference URI=\"\"><",
            $p,
            "Transforms><",
            $p,
            "Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></",
            $p,
            "Transform></",
            $p,
            "Transforms><",
            $p,
            "DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></",
            $p,
            "DigestMethod><",
            $p,
            "DigestValue>"
        )
    };
}

const SIGNATURE: &str = concat!("<Signature xmlns=\"", ds!(), "\">");
const SIGNATURE_WIRE: &str = "<ds:Signature>";
/// SignedInfo as the root of what is signed.
const SIGNED_INFO_APEX: &str = concat!("<SignedInfo xmlns=\"", ds!(), "\">");
const SIGNED_INFO: &str = "<SignedInfo>";
const SIGNED_INFO_WIRE: &str = "<ds:SignedInfo>";
const SIGNED_INFO_START: &str = signed_info_start!("");
const SIGNED_INFO_START_WIRE: &str = signed_info_start!("ds:");
const SIGNED_INFO_END: &str = "</DigestValue></Reference></SignedInfo>";
const SIGNED_INFO_END_WIRE: &str = "</ds:DigestValue></ds:Reference></ds:SignedInfo>";
const SIGNATURE_VALUE: &str = "<SignatureValue>";
const SIGNATURE_VALUE_WIRE: &str = "<ds:SignatureValue>";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::keys::sha256;
    use crate::prepare::testing::{signer, vector};
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
        for date in [
            "",
            "2026-11-4",
            "2026-02-29",
            "2026-13-01",
            "20261124",
            "2026-11-24T00:00:00",
            "2026-11-24+1",
            "0000-01-01",
        ] {
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
        assert!(
            matches!(&error, EnvelopeError::Sign(unsigned) if unsigned.to_string() == "signature of the förmedlare")
        );
        let source = std::error::Error::source(&error).unwrap().source().unwrap().to_string();
        assert_eq!(source, format!("the key of {} could not sign", mediator.certificate().subject()));
    }
}
