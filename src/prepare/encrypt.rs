//! Encryption to a certificate: CMS AuthEnvelopedData around an attachment or a print bundle.
//!
//! In: the plain bytes and the secrets they are encrypted with. Out: DER that `openssl cms -decrypt` opens. The public
//! contract of Mina meddelanden has no encryption; an operator or a print supplier that has agreed on it has a
//! certificate in the settings.
//!
//! *Source*: RFC 5083 (AuthEnvelopedData), RFC 5084 (AES-GCM in CMS), RFC 4055 and RFC 8017 (RSAES-OAEP), RFC 5652.

use super::keys::{Certificate, KeyError};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef, SetOfVec};
use der::{Decode, Encode, Header, Length, Sequence, Tag, TagNumber, ValueOrd};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Why something could not be encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// The recipient's certificate cannot be encrypted to.
    #[error("the certificate cannot be encrypted to")]
    Recipient(#[from] KeyError),
    /// The cryptographic library refused.
    #[error("cannot encrypt: {step}")]
    Failed {
        /// At which step.
        step: &'static str,
    },
    /// The secrets are damaged, or were made for another certificate.
    #[error("the recorded secrets are not of this certificate")]
    Secrets,
    /// CMS as written here holds less than 4 GiB.
    #[error("{bytes} bytes are too many for one encrypted file")]
    TooLong {
        /// Size of the plain bytes.
        bytes: usize,
    },
}

impl From<der::Error> for EncryptError {
    fn from(_: der::Error) -> Self {
        Self::Failed { step: "writing DER" }
    }
}

/// The secrets of one encrypted content: content key, IV, the key wrapped to the recipient, and to which certificate.
///
/// They belong to **one plaintext**: other bytes under the same secrets would give both away. With the same bytes they
/// give the same ciphertext, which is how a resend repeats a message. Wiped on drop, masked in Debug.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ContentSecrets {
    key: [u8; 32],
    iv: [u8; 12],
    /// SHA-256 of the certificate.
    to: [u8; 32],
    wrapped: Vec<u8>,
}

impl ContentSecrets {
    /// As bytes for a sealed column: key, IV, digest of the certificate, wrapped key, one after the other.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.key.as_slice(), &self.iv, &self.to, &self.wrapped].concat())
    }

    /// What [`Self::to_bytes`] gave. *Errors*: [`EncryptError::Secrets`] where they are too short.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncryptError> {
        let (key, rest) = bytes.split_first_chunk().ok_or(EncryptError::Secrets)?;
        let (iv, rest) = rest.split_first_chunk().ok_or(EncryptError::Secrets)?;
        let (to, wrapped) = rest.split_first_chunk().ok_or(EncryptError::Secrets)?;
        Ok(Self { key: *key, iv: *iv, to: *to, wrapped: wrapped.to_vec() })
    }

    /// Fingerprint of the certificate that they were made for.
    pub fn to(&self) -> &[u8; 32] {
        &self.to
    }
}

impl fmt::Debug for ContentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentSecrets(…)")
    }
}

/// One to whom things are encrypted. Made once per certificate, shared by all threads.
pub struct CmsRecipient {
    certificate: Certificate,
    key: OaepPublicEncryptingKey,
    /// recipientInfos, all but the wrapped key that it ends with.
    recipient_infos: Vec<u8>,
    wrapped_bytes: usize,
}

impl CmsRecipient {
    /// Takes a certificate to encrypt to.
    ///
    /// *Errors*: [`EncryptError::Recipient`] where its key is not RSA, or shorter than 2048 bits. Whether the certificate
    /// is valid today is asked by [`Certificate::validity`].
    pub fn new(certificate: &Certificate) -> Result<Self, EncryptError> {
        certificate.check_rsa()?;
        let key = PublicEncryptingKey::from_der(certificate.public_key_info())
            .map_err(|_| EncryptError::Failed { step: "reading the recipient's key" })?;
        let key = OaepPublicEncryptingKey::new(key)
            .map_err(|_| EncryptError::Failed { step: "reading the recipient's key" })?;
        let wrapped_bytes = key.ciphertext_size();
        let recipient_infos = recipient_infos(certificate, wrapped_bytes)?;
        Ok(Self { certificate: certificate.clone(), recipient_infos, wrapped_bytes, key })
    }

    /// The certificate that is encrypted to.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// New secrets for one content. *Cost*: one RSA encryption, about a fiftieth of a millisecond.
    pub fn fresh(&self) -> Result<ContentSecrets, EncryptError> {
        let to = *self.certificate.fingerprint();
        let mut secrets = ContentSecrets { key: [0; 32], iv: [0; 12], to, wrapped: vec![0; self.wrapped_bytes] };
        rand::fill(&mut secrets.key).map_err(|_| EncryptError::Failed { step: "drawing a content key" })?;
        rand::fill(&mut secrets.iv).map_err(|_| EncryptError::Failed { step: "drawing an IV" })?;
        let ContentSecrets { key, wrapped, .. } = &mut secrets;
        let wrapped = self
            .key
            .encrypt(&OAEP_SHA256_MGF1SHA256, key.as_slice(), wrapped, None)
            .map_err(|_| EncryptError::Failed { step: "wrapping the content key" })?;
        if wrapped.len() != self.wrapped_bytes {
            return Err(EncryptError::Failed { step: "wrapping the content key" });
        }
        Ok(secrets)
    }

    /// Encrypts; the same bytes and secrets give the same result.
    ///
    /// *Shape*: ContentInfo of AuthEnvelopedData, DER, with one recipient by issuer and serial number and a tag of 16
    /// bytes. *Cost*: one copy of the plaintext, encrypted in place.
    pub fn encrypt(&self, plain: &[u8], secrets: &ContentSecrets) -> Result<Vec<u8>, EncryptError> {
        if secrets.to != *self.certificate.fingerprint() || secrets.wrapped.len() != self.wrapped_bytes {
            return Err(EncryptError::Secrets);
        }
        let too_long = |_| EncryptError::TooLong { bytes: plain.len() };
        let length = |bytes: usize| Length::try_from(bytes).map_err(too_long);

        let algorithm = ContentEncryptionAlgorithm {
            algorithm: AES256_GCM,
            parameters: GcmParameters { nonce: OctetStringRef::new(&secrets.iv)?, icv_length: TAG_BYTES as u8 },
        };
        let content = Header::new(context(0, false), length(plain.len())?);
        // EncryptedContentInfo, but for the ciphertext.
        let mut content_info = DATA.to_der()?;
        algorithm.encode_to_vec(&mut content_info)?;
        content.encode_to_vec(&mut content_info)?;
        let content_info_header = Header::new(Tag::Sequence, length(content_info.len() + plain.len())?).to_der()?;
        let mac_header = Header::new(Tag::OctetString, length(TAG_BYTES)?).to_der()?;

        let version = 0u8.to_der()?;
        let inside = version.len()
            + self.recipient_infos.len()
            + self.wrapped_bytes
            + content_info_header.len()
            + content_info.len()
            + plain.len()
            + mac_header.len()
            + TAG_BYTES;
        let enveloped = Header::new(Tag::Sequence, length(inside)?).to_der()?;
        let explicit = Header::new(context(0, true), length(enveloped.len() + inside)?).to_der()?;
        let kind = AUTH_ENVELOPED_DATA.to_der()?;
        let whole = kind.len() + explicit.len() + enveloped.len() + inside;
        let root = Header::new(Tag::Sequence, length(whole)?).to_der()?;

        let mut out = Vec::with_capacity(root.len() + whole);
        for part in [
            &root,
            &kind,
            &explicit,
            &enveloped,
            &version,
            &self.recipient_infos,
            &secrets.wrapped,
            &content_info_header,
            &content_info,
        ] {
            out.extend_from_slice(part);
        }
        let start = out.len();
        out.extend_from_slice(plain);
        let key = UnboundKey::new(&AES_256_GCM, &secrets.key).map_err(|_| EncryptError::Failed { step: "AES-GCM" })?;
        let ciphertext = out.get_mut(start..).unwrap_or_default();
        let tag = LessSafeKey::new(key)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(secrets.iv), Aad::empty(), ciphertext)
            .map_err(|_| EncryptError::Failed { step: "AES-GCM" })?;
        out.extend_from_slice(&mac_header);
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }
}

impl fmt::Debug for CmsRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CmsRecipient").finish_non_exhaustive()
    }
}

/// aes-ICVlen. Written always, also since its default is 12: openssl 3.0 decrypts only what says 16.
const TAG_BYTES: usize = 16;

/// id-ct-authEnvelopedData, RFC 5083.
const AUTH_ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.23");
/// id-data, RFC 5652.
const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
/// id-aes256-GCM, RFC 5084.
const AES256_GCM: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.46");
/// id-RSAES-OAEP, RFC 4055.
const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
/// id-mgf1, RFC 4055.
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
/// id-sha256, RFC 4055.
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// A context-specific tag.
fn context(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific { constructed, number: TagNumber(number) }
}

/// RFC 5652 section 6.2.1, version 0: the recipient by issuer and serial number.
#[derive(Sequence, ValueOrd)]
struct KeyTransRecipientInfo<'a> {
    version: u8,
    rid: IssuerAndSerialNumber<'a>,
    key_encryption_algorithm: KeyEncryptionAlgorithm<'a>,
    encrypted_key: &'a OctetStringRef,
}

/// RFC 5652 section 10.2.4.
#[derive(Sequence, ValueOrd)]
struct IssuerAndSerialNumber<'a> {
    issuer: AnyRef<'a>,
    serial_number: AnyRef<'a>,
}

/// AlgorithmIdentifier with RSAES-OAEP-params, RFC 4055 section 4.1; pSourceAlgorithm is the default, the empty label.
#[derive(Sequence, ValueOrd)]
struct KeyEncryptionAlgorithm<'a> {
    algorithm: ObjectIdentifier,
    parameters: OaepParameters<'a>,
}

#[derive(Sequence, ValueOrd)]
struct OaepParameters<'a> {
    #[asn1(context_specific = "0")]
    hash: Algorithm<'a>,
    #[asn1(context_specific = "1")]
    mask_generation: MaskGeneration<'a>,
}

#[derive(Sequence, ValueOrd)]
struct MaskGeneration<'a> {
    algorithm: ObjectIdentifier,
    hash: Algorithm<'a>,
}

#[derive(Sequence, ValueOrd)]
struct Algorithm<'a> {
    algorithm: ObjectIdentifier,
    parameters: AnyRef<'a>,
}

/// AlgorithmIdentifier with GCMParameters, RFC 5084 section 3.2.
#[derive(Sequence)]
struct ContentEncryptionAlgorithm<'a> {
    algorithm: ObjectIdentifier,
    parameters: GcmParameters<'a>,
}

#[derive(Sequence)]
struct GcmParameters<'a> {
    nonce: &'a OctetStringRef,
    icv_length: u8,
}

/// `SET OF RecipientInfo` with one recipient, cut before the wrapped key that it ends with.
fn recipient_infos(certificate: &Certificate, wrapped_bytes: usize) -> Result<Vec<u8>, EncryptError> {
    let sha256 = || Algorithm { algorithm: SHA256, parameters: AnyRef::NULL };
    let placeholder = vec![0; wrapped_bytes];
    let info = KeyTransRecipientInfo {
        version: 0,
        rid: IssuerAndSerialNumber {
            issuer: AnyRef::from_der(certificate.issuer_name())?,
            serial_number: AnyRef::new(Tag::Integer, certificate.serial())?,
        },
        key_encryption_algorithm: KeyEncryptionAlgorithm {
            algorithm: RSAES_OAEP,
            parameters: OaepParameters {
                hash: sha256(),
                mask_generation: MaskGeneration { algorithm: MGF1, hash: sha256() },
            },
        },
        encrypted_key: OctetStringRef::new(&placeholder)?,
    };
    let mut der = SetOfVec::try_from(vec![info])?.to_der()?;
    der.truncate(der.len().saturating_sub(wrapped_bytes));
    Ok(der)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{credential, key_der};
    use super::*;
    use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
    use proptest::prelude::*;

    fn recipient(name: &str) -> CmsRecipient {
        CmsRecipient::new(credential(name).certificate()).unwrap()
    }

    /// Takes what [`CmsRecipient::encrypt`] gave apart by its lengths, and opens it with the private key.
    fn open(name: &str, cms: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let key = PrivateDecryptingKey::from_pkcs8(&key_der(name)).unwrap();
        let modulus = key.key_size_bytes();
        let at = cms.windows(4).position(|window| window == [0x04, 0x82, 1, 0]).unwrap() + 4;
        let wrapped = &cms[at..at + modulus];
        let mut content_key = vec![0; modulus];
        let content_key = OaepPrivateDecryptingKey::new(key).unwrap().decrypt(
            &OAEP_SHA256_MGF1SHA256,
            wrapped,
            &mut content_key,
            None,
        )?;
        // End of id-aes256-GCM, GCMParameters: the nonce of twelve bytes, then INTEGER 16.
        let rest = &cms[at + modulus..];
        let iv = rest.windows(6).position(|window| window == [1, 0x2e, 0x30, 0x11, 4, 12]).unwrap() + 6;
        let nonce = Nonce::try_assume_unique_for_key(&rest[iv..iv + 12]).unwrap();
        assert_eq!(rest[iv + 12..iv + 15], [2, 1, 16]);
        let header = &rest[iv + 15..];
        assert_eq!(header[0], 0x80);
        let (skip, length) = match header[1] {
            short @ 0..0x80 => (2, usize::from(short)),
            long => {
                let count = usize::from(long & 0x7f);
                (2 + count, header[2..2 + count].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
            }
        };
        let (ciphertext, mac) = header[skip..].split_at(length);
        assert_eq!(mac[..2], [4, 16]);
        assert_eq!(mac.len(), 18);
        let mut sealed = [ciphertext, &mac[2..]].concat();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key).unwrap());
        Ok(key.open_in_place(nonce, Aad::empty(), &mut sealed)?.to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn what_is_encrypted_comes_back(plain in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let recipient = recipient("mediator");
            let secrets = recipient.fresh().unwrap();
            let cms = recipient.encrypt(&plain, &secrets).unwrap();
            prop_assert_eq!(open("mediator", &cms).unwrap(), plain);
        }
    }

    /// Around each change in the size of a DER length.
    #[test]
    fn lengths_fit_their_headers() {
        let recipient = recipient("sender");
        let secrets = recipient.fresh().unwrap();
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536, 16_777_215, 16_777_216] {
            let plain = vec![0x5a; length];
            let cms = recipient.encrypt(&plain, &secrets).unwrap();
            let (rest, _) = x509_parser::der_parser::parse_der(&cms).unwrap();
            assert!(rest.is_empty(), "{length}");
            assert_eq!(open("sender", &cms).unwrap(), plain, "{length}");
        }
    }

    #[test]
    fn the_same_secrets_give_the_same_bytes() {
        let recipient = recipient("sender");
        let secrets = recipient.fresh().unwrap();
        let again = ContentSecrets::from_bytes(&secrets.to_bytes()).unwrap();
        let cms = recipient.encrypt(b"a letter", &secrets).unwrap();
        assert_eq!(recipient.encrypt(b"a letter", &again).unwrap(), cms);
        // Fresh ones share nothing, not even what is not secret.
        let other = recipient.fresh().unwrap();
        assert!(secrets.key != other.key && secrets.iv != other.iv && secrets.wrapped != other.wrapped);
        assert_ne!(recipient.encrypt(b"a letter", &other).unwrap(), cms);
        assert_eq!(format!("{secrets:?}"), "ContentSecrets(…)");
    }

    #[test]
    fn changed_bytes_do_not_open() {
        let recipient = recipient("sender");
        let cms = recipient.encrypt(b"a letter", &recipient.fresh().unwrap()).unwrap();
        let last = cms.len() - 1;
        for place in [last, last - 15, last - 20] {
            let mut forged = cms.clone();
            forged[place] ^= 1;
            assert!(open("sender", &forged).is_err(), "{place}");
        }
        assert!(open("mediator", &cms).is_err(), "another recipient");
    }

    #[test]
    fn damaged_secrets_are_refused() {
        let recipient = recipient("sender");
        let bytes = recipient.fresh().unwrap().to_bytes();
        for length in [0, 31, 43, 75] {
            assert!(matches!(ContentSecrets::from_bytes(&bytes[..length]), Err(EncryptError::Secrets)), "{length}");
        }
        let short = ContentSecrets::from_bytes(&bytes[..bytes.len() - 1]).unwrap();
        assert!(matches!(recipient.encrypt(b"x", &short), Err(EncryptError::Secrets)));
        // Another certificate of the same size would give other bytes.
        let (whole, other) = (ContentSecrets::from_bytes(&bytes).unwrap(), self::recipient("mediator"));
        assert!(matches!(other.encrypt(b"x", &whole), Err(EncryptError::Secrets)));
    }

    #[test]
    fn only_rsa_can_be_encrypted_to() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let certificate = Certificate::from_der(certificate.der()).unwrap();
        assert!(matches!(CmsRecipient::new(&certificate), Err(EncryptError::Recipient(KeyError::NotRsa { .. }))));
    }
}
