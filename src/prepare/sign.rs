//! Signing: a digest in, a signature out.
//!
//! The envelope writer knows only the trait, so that a key in a token can take the place of a key in a file.

use super::keys::Certificate;
use aws_lc_rs::{digest, rsa, signature};
use std::fmt;
use std::sync::Arc;

/// Why a signature could not be made. The letter waits; nothing has left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key refused to sign.
    #[error("the key of {subject} could not sign")]
    Refused {
        /// Subject of its certificate.
        subject: String,
    },
}

/// Signs for an organisation.
///
/// May block (a token takes milliseconds): call it on a CPU thread, never in async code.
pub trait Signer: Send + Sync {
    /// The certificate whose key signs; it goes into the message.
    fn certificate(&self) -> &Certificate;

    /// Signs a SHA-256 digest by RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2) and puts the signature in the place of what
    /// `signature` held. The same digest and key always give the same signature.
    fn sign_digest(&self, sha256: &[u8; 32], signature: &mut Vec<u8>) -> Result<(), SignError>;
}

/// A signer whose key was read from a file, loaded once and shared by all threads.
///
/// *Cost*: one RSA operation, about a quarter of a millisecond at 2048 bits and three times that at 3072.
#[derive(Clone)]
pub struct KeySigner {
    certificate: Certificate,
    key: Arc<rsa::KeyPair>,
}

impl KeySigner {
    /// Joins a key with its certificate; [`super::keys::Credential`] has checked that they belong together.
    pub(super) fn new(certificate: Certificate, key: Arc<rsa::KeyPair>) -> Self {
        Self { certificate, key }
    }
}

impl Signer for KeySigner {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn sign_digest(&self, sha256: &[u8; 32], signature: &mut Vec<u8>) -> Result<(), SignError> {
        signature.resize(self.key.public_modulus_len(), 0);
        digest::Digest::import_less_safe(sha256, &digest::SHA256)
            .and_then(|digest| self.key.sign_digest(&signature::RSA_PKCS1_SHA256, &digest, signature))
            .map_err(|_| SignError::Refused { subject: self.certificate.subject().to_owned() })
    }
}

impl fmt::Debug for KeySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySigner").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}
