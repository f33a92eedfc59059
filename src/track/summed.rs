//! Rows with a sum over their bytes: what a disk has changed is found by whoever reads it.
//!
//! The database keeps no sums of its own, and a blob in which a bit has turned reads as well as before: a digest that is
//! another's, a delivery that never was. The sum covers a number too, by which a row in another's place is found.

use rusqlite::ffi;

/// Bytes of a sum: CRC-32 (ISO 3309), which finds each turned bit, and of other damage all but one in four thousand million.
const BYTES: usize = 4;

/// Puts the sum of a row of this number behind its entries.
pub(super) fn add(number: i64, entries: &mut Vec<u8>) {
    entries.extend_from_slice(&sum(number, entries));
}

/// The entries of a row of this number. *Errors*: they are not what was written.
pub(super) fn entries(number: i64, row: &[u8]) -> rusqlite::Result<&[u8]> {
    let parts = row.split_last_chunk::<BYTES>();
    let whole = parts.filter(|(entries, written)| sum(number, entries) == **written);
    let changed = || damaged(format!("row {number} has been changed on the disk, or in memory"));
    whole.map(|(entries, _)| entries).ok_or_else(changed)
}

/// The sum of a row of numbers, its own among them.
pub(super) fn of(numbers: &[i64]) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    numbers.iter().for_each(|number| hasher.update(&number.to_le_bytes()));
    hasher.finalize().into()
}

/// Sees that a row of numbers is as it was written.
pub(super) fn check(numbers: &[i64], sum: i64) -> rusqlite::Result<()> {
    let changed = || damaged(format!("a row of numbers has been changed on the disk, or in memory: {numbers:?}"));
    if of(numbers) == sum { Ok(()) } else { Err(changed()) }
}

/// What is told where the disk does not give back what was written, as SQLite tells it of its own pages. It is free of
/// personal data.
pub(super) fn damaged(what: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(what))
}

fn sum(number: i64, entries: &[u8]) -> [u8; BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(entries);
    hasher.finalize().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_turned_bit_of_a_number_is_found(mut numbers in prop::collection::vec(any::<i64>(), 1..8), at: usize, bit in 0..64) {
            let sum = of(&numbers);
            prop_assert!(check(&numbers, sum).is_ok());
            prop_assert!(check(&numbers, sum ^ 1).is_err());
            let at = at % numbers.len();
            numbers[at] ^= 1_i64 << bit;
            prop_assert!(check(&numbers, sum).is_err());
        }

        #[test]
        fn what_was_written_is_read(number: i64, entries_ in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut row = entries_.clone();
            add(number, &mut row);
            prop_assert_eq!(entries(number, &row).unwrap(), entries_);
        }

        #[test]
        fn every_turned_bit_is_found(number: i64, mut row in prop::collection::vec(any::<u8>(), 0..100), bit in 0_usize..8 * 104) {
            add(number, &mut row);
            let bit = bit % (8 * row.len());
            row[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(entries(number, &row).is_err());
        }

        #[test]
        fn what_is_cut_or_elsewhere_is_found(number: i64, mut row in prop::collection::vec(any::<u8>(), 0..100), left in 0_usize..104) {
            add(number, &mut row);
            prop_assert!(entries(number ^ 1, &row).is_err());
            if left < row.len() && left >= BYTES {
                // All but one in four thousand million.
                prop_assert!(entries(number, &row[..left]).is_err());
            }
            prop_assert!(left >= BYTES || entries(number, &row[..left.min(row.len())]).is_err());
        }
    }
}
