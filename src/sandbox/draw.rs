//! Chance that can be told beforehand: a draw is a pure function of the seed and of what it is about.

/// 64 evenly spread bits from a seed and what the draw is about.
///
/// FNV-1a over the parts with their lengths, finished as SplitMix64 does; it never changes, since tests and scenario
/// files count on it.
pub fn draw(seed: u64, about: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for part in about {
        for byte in part.iter().chain(&(part.len() as u32).to_le_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The same as a number from 0 (included) to 1 (not included).
pub fn share(seed: u64, about: &[&[u8]]) -> f64 {
    // The 53 bits that a double holds exactly.
    (draw(seed, about) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_never_change() {
        assert_eq!(draw(1, &[b"mailbox", b"191212121212"]), 12_578_534_760_290_420_655);
        assert_ne!(draw(1, &[b"ab", b"c"]), draw(1, &[b"a", b"bc"]));
        assert_ne!(draw(1, &[b"ab"]), draw(2, &[b"ab"]));
    }
}
