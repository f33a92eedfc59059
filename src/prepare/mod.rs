//! From a checked statement to the bytes that leave: on CPU threads only, no network, no clock, no journal.
//!
//! | step | in | out |
//! |---|---|---|
//! | [`compose`] | a statement and its sender's settings | the letter: HTML body, tagged PDF; or paper |
//! | [`bundle`] | rendered letters | a print bundle, encrypted and durable |
//! | [`encrypt`] | an attachment, or a print bundle, and a recipient's certificate | CMS AuthEnvelopedData |
//! | [`sign`] | a SHA-256 digest | the signature of avsändare or förmedlare |
//! | [`envelope`] | a delivery: header, body, attachments | the whole request body, signed and sealed |
//! | `twin` | the text that both sign | its two digests, which the envelope takes |
//! | [`keys`] | files named by the settings | certificates and keys that belong together |
//!
//! The same input gives the same bytes, so that a message can be made again after a failure: what is random
//! ([`encrypt::ContentSecrets`]) is drawn apart from its use, dates are arguments, and RSASSA-PKCS1-v1_5 has no salt.
//!
//! Nothing here knows where a letter goes, whether it has left, or what came back.

pub mod bundle;
pub mod compose;
pub mod encrypt;
pub mod envelope;
pub mod keys;
pub mod sign;
mod twin;
mod workshop;

pub use workshop::{Job, Made, PrepareError, SignedBy, Workshop};

/// SHA-256 of some bytes.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    use aws_lc_rs::digest::{SHA256, digest};
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod testing;
