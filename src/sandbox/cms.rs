//! Opens what is encrypted to an operator: CMS AuthEnvelopedData (RFC 5083) with AES-256-GCM (RFC 5084) and RSAES-OAEP
//! with SHA-256 and MGF1-SHA256 (RFC 8017).
//!
//! In: DER and the private key. Out: the plaintext, or why there is none. It shares no code with what encrypts.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, SetOfVec, UintRef};
use der::{Decode, Encode, Sequence};

const AUTH_ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.23");
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const AES256_GCM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.46");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

#[derive(Sequence)]
struct ContentInfo<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: AuthEnvelopedData<'a>,
}

#[derive(Sequence)]
struct AuthEnvelopedData<'a> {
    version: u8,
    recipients: SetOfVec<AnyRef<'a>>,
    content: EncryptedContentInfo<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    attributes: Option<SetOfVec<AnyRef<'a>>>,
    mac: &'a OctetStringRef,
}

#[derive(Sequence)]
struct KeyTransRecipientInfo<'a> {
    version: u8,
    recipient: AnyRef<'a>,
    algorithm: Algorithm<'a>,
    encrypted_key: &'a OctetStringRef,
}

#[derive(Sequence)]
struct Algorithm<'a> {
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct EncryptedContentInfo<'a> {
    content_type: ObjectIdentifier,
    algorithm: Algorithm<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    content: &'a OctetStringRef,
}

#[derive(Sequence)]
struct GcmParameters<'a> {
    nonce: &'a OctetStringRef,
    #[asn1(default = "default_length")]
    tag_length: u8,
}

fn default_length() -> u8 {
    12
}

#[derive(Sequence)]
struct OaepParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    hash: Algorithm<'a>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT")]
    mask: Mask<'a>,
}

#[derive(Sequence)]
struct Mask<'a> {
    oid: ObjectIdentifier,
    hash: Algorithm<'a>,
}

#[derive(Sequence)]
struct IssuerAndSerial<'a> {
    issuer: AnyRef<'a>,
    serial: UintRef<'a>,
}

/// Decrypts with the private key (PKCS#8) of the certificate (both DER) that the content is encrypted to.
///
/// *Errors*: what is wrong with it.
pub fn open(der: &[u8], certificate: &[u8], pkcs8: &[u8]) -> Result<Vec<u8>, &'static str> {
    let info = ContentInfo::from_der(der).map_err(|_| "no CMS AuthEnvelopedData")?;
    let data = &info.content;
    if info.content_type != AUTH_ENVELOPED_DATA || data.version != 0 || data.content.content_type != DATA {
        return Err("no CMS AuthEnvelopedData of version 0 around data");
    }
    if data.attributes.is_some() {
        return Err("authenticated attributes, which data needs none of");
    }
    let [recipient] = data.recipients.as_slice() else { return Err("not one recipient") };
    let recipient: KeyTransRecipientInfo<'_> = recipient.decode_as().map_err(|_| "no KeyTransRecipientInfo")?;
    if recipient.version != 0 || !names(&recipient.recipient, certificate) {
        return Err("encrypted to another certificate");
    }
    let oaep: OaepParameters<'_> =
        recipient.algorithm.parameters.and_then(|any| any.decode_as().ok()).ok_or("no RSAES-OAEP parameters")?;
    if recipient.algorithm.oid != RSAES_OAEP
        || oaep.hash.oid != SHA256
        || oaep.mask.oid != MGF1
        || oaep.mask.hash.oid != SHA256
    {
        return Err("not RSAES-OAEP with SHA-256 and MGF1-SHA256");
    }
    let private = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| "the operator's own key is unusable")?;
    let private = OaepPrivateDecryptingKey::new(private).map_err(|_| "the operator's own key is unusable")?;
    let mut room = vec![0; private.min_output_size()];
    let key = private
        .decrypt(&OAEP_SHA256_MGF1SHA256, recipient.encrypted_key.as_bytes(), &mut room, None)
        .map_err(|_| "the wrapped key does not open")?;

    let algorithm = &data.content.algorithm;
    let gcm: GcmParameters<'_> =
        algorithm.parameters.and_then(|any| any.decode_as().ok()).ok_or("no GCM parameters")?;
    if algorithm.oid != AES256_GCM || gcm.tag_length != 16 || data.mac.as_bytes().len() != 16 {
        return Err("not AES-256-GCM with a tag of 16 bytes");
    }
    let nonce = Nonce::try_assume_unique_for_key(gcm.nonce.as_bytes()).map_err(|_| "a nonce that is not 12 bytes")?;
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| "a content key that is not 32 bytes")?;
    let mut sealed = data.content.content.as_bytes().to_vec();
    sealed.extend_from_slice(data.mac.as_bytes());
    let plain = LessSafeKey::new(key).open_in_place(nonce, Aad::empty(), &mut sealed).map_err(|_| "a wrong tag")?.len();
    sealed.truncate(plain);
    Ok(sealed)
}

/// Whether IssuerAndSerialNumber names this certificate.
fn names(recipient: &AnyRef<'_>, certificate: &[u8]) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return false };
    let Ok(named) = recipient.decode_as::<IssuerAndSerial<'_>>() else { return false };
    named.issuer.to_der().is_ok_and(|issuer| issuer == parsed.issuer().as_raw())
        && named.serial.as_bytes() == parsed.raw_serial().strip_prefix(&[0]).unwrap_or(parsed.raw_serial())
}
