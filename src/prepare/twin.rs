//! Two SHA-256 over one text: the digests of avsändare and förmedlare, whose octets differ in how they begin and end.
//!
//! A processor's SHA instructions wait for one another within a hash. Where it has them, both hashes take a block in
//! turn and the processor works on both: three quarters of what one after the other takes. Elsewhere the provider of all
//! other cryptography hashes them, one after the other.

use aws_lc_rs::digest::{Context, SHA256};
use sha2::{Digest as _, Sha256};

/// Bytes of a block of SHA-256 (FIPS 180-4 section 1).
const BLOCK_BYTES: usize = 64;

/// A SHA-256 that can take its blocks in turn with another.
#[derive(Clone)]
pub(super) enum Hash {
    /// By the processor's instructions: the hash, and how much of a block it holds.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "measured on this kind of processor only"))]
    InTurn(Sha256, usize),
    /// By itself.
    Alone(Context),
}

impl Hash {
    /// The hash of nothing yet, as suits this processor.
    pub(super) fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("sha") && std::arch::is_x86_feature_detected!("sse4.1") {
            return Self::InTurn(Sha256::new(), 0);
        }
        Self::Alone(Context::new(&SHA256))
    }

    /// Hashes a piece.
    pub(super) fn update(&mut self, piece: &[u8]) {
        match self {
            Self::InTurn(hash, held) => {
                hash.update(piece);
                *held = (*held + piece.len()) % BLOCK_BYTES;
            }
            Self::Alone(hash) => hash.update(piece),
        }
    }

    /// Hashes a piece by both.
    pub(super) fn update_both(&mut self, other: &mut Self, piece: &[u8]) {
        let [mut ours, mut theirs] = [self.fill(piece).chunks(BLOCK_BYTES), other.fill(piece).chunks(BLOCK_BYTES)];
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return,
                (one, two) => {
                    self.update(one.unwrap_or_default());
                    other.update(two.unwrap_or_default());
                }
            }
        }
    }

    /// Fills the block that is begun, and gives what is left; alone, it takes everything.
    fn fill<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let to_the_block = match self {
            Self::InTurn(_, held) => (BLOCK_BYTES - *held) % BLOCK_BYTES,
            Self::Alone(_) => piece.len(),
        };
        let (filling, rest) = piece.split_at(to_the_block.min(piece.len()));
        self.update(filling);
        rest
    }

    /// The digest.
    pub(super) fn finish(self) -> [u8; 32] {
        match self {
            Self::InTurn(hash, _) => hash.finalize().into(),
            // SHA-256 is 32 bytes long.
            Self::Alone(hash) => hash.finish().as_ref().try_into().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(text: &[u8]) -> [u8; 32] {
        aws_lc_rs::digest::digest(&SHA256, text).as_ref().try_into().unwrap()
    }

    /// However they begin, and whatever pieces the text comes in.
    #[test]
    fn both_are_what_each_is_by_itself() {
        let piece =
            || prop_oneof![prop::collection::vec(any::<u8>(), 0..200), prop::collection::vec(any::<u8>(), 0..9000)];
        let beginning = || prop::collection::vec(any::<u8>(), 0..130);
        proptest!(|(
            begin in [beginning(), beginning()],
            pieces in prop::collection::vec(piece(), 0..6),
            end in [beginning(), beginning()],
        )| {
            let text = pieces.concat();
            let expected = [0, 1].map(|which| digest(&[&begin[which][..], &text, &end[which]].concat()));
            for new in [Hash::new, || Hash::Alone(Context::new(&SHA256)), || Hash::InTurn(Sha256::new(), 0)] {
                let [mut one, mut two] = [new(), new()];
                one.update(&begin[0]);
                two.update(&begin[1]);
                pieces.iter().for_each(|piece| one.update_both(&mut two, piece));
                one.update(&end[0]);
                two.update(&end[1]);
                prop_assert_eq!([one.finish(), two.finish()], expected);
            }
        });
    }
}
