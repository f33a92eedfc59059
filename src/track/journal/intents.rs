//! The log of intents: what was about to be sent, and all that makes the same bytes again.
//!
//! What an intent has in common with many others stands in `manner`. The sealed content keys of encrypted letters are rows
//! of their own, by the intent's number, since they are forgotten when the run ends.

use super::log::Entry;
use crate::domain::MessageId;

/// What the log has of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Intended {
    pub ordinal: u64,
    pub attempt: u32,
    /// Number of what it has in common with others.
    pub manner: u32,
    /// Milliseconds since 1970.
    pub at: i64,
    pub request_digest: [u8; 32],
    pub message_id: MessageId,
}

impl Entry for Intended {
    const TABLE: &'static str = "intent";
    const BYTES: usize = 72;

    /// *Shape*: ordinal in 8 bytes, attempt and manner in 4 each, time in 8, the lowest byte first; 32 of the digest, 16 of the
    /// id.
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.ordinal.to_le_bytes());
        bytes.extend_from_slice(&self.attempt.to_le_bytes());
        bytes.extend_from_slice(&self.manner.to_le_bytes());
        bytes.extend_from_slice(&self.at.to_le_bytes());
        bytes.extend_from_slice(&self.request_digest);
        bytes.extend_from_slice(&self.message_id.0);
    }

    fn get(bytes: &[u8]) -> Option<Self> {
        let (ordinal, bytes) = bytes.split_first_chunk()?;
        let (attempt, bytes) = bytes.split_first_chunk()?;
        let (manner, bytes) = bytes.split_first_chunk()?;
        let (at, bytes) = bytes.split_first_chunk()?;
        let (request_digest, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            ordinal: u64::from_le_bytes(*ordinal),
            attempt: u32::from_le_bytes(*attempt),
            manner: u32::from_le_bytes(*manner),
            at: i64::from_le_bytes(*at),
            request_digest: *request_digest,
            message_id: MessageId(bytes.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_got(
            (ordinal, attempt, manner, at) in any::<(u64, u32, u32, i64)>(),
            (request_digest, id) in any::<([u8; 32], [u8; 16])>(),
        ) {
            let intended = Intended { ordinal, attempt, manner, at, request_digest, message_id: MessageId(id) };
            let mut bytes = Vec::new();
            intended.put(&mut bytes);
            prop_assert_eq!(bytes.len(), Intended::BYTES);
            prop_assert_eq!(Intended::get(&bytes), Some(intended));
        }
    }
}
