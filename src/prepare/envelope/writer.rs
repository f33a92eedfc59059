//! One pass over a delivery: the wire form into a buffer, the canonical form into the hashes, the signatures where they
//! belong.

use super::spelling::*;
use super::text::{Facet, escape};
use super::{Delivery, Document, EnvelopeError, Message, ReceiptRequest, Reply, Unsigned};
use crate::domain::Sealed;
use crate::prepare::sign::Signer;
use crate::prepare::twin::Hash;
use arrayvec::ArrayVec;
use md5::{Digest as _, Md5};

/// The text from the end of a signature value to the end of the Signature: constant for a certificate.
pub(in crate::prepare) struct KeyInfo {
    pub(super) wire: String,
    pub(super) canonical: String,
}

impl KeyInfo {
    pub(in crate::prepare) fn new(subject: &str, der: &[u8]) -> Self {
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
pub(super) struct Signed {
    pub(super) digest: Vec<u8>,
    pub(super) signature: Vec<u8>,
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
pub(super) struct Writer {
    wire: Vec<u8>,
    pub(super) canonical: Canonical,
}

/// The canonical form on its way into the hashes.
pub(super) struct Canonical {
    /// Gathers short pieces, so that a hash is called some ten times a message and not some hundred.
    gathered: ArrayVec<u8, GATHER_BYTES>,
    /// Hash of innerOctets, until the inner signature is made.
    inner: Option<Hash>,
    /// Hash of outerOctets.
    outer: Hash,
    /// What went into `outer`, where it is to be kept.
    pub(super) kept: Option<Vec<u8>>,
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
    pub(super) fn new(room: usize, kept: Option<Vec<u8>>) -> Self {
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
    pub(super) fn envelope(
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
    pub(super) fn sealed(self, outer: &Signed, mediator: &dyn Signer) -> Sealed {
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
