//! The journal's packed rows, and its logs of ends, by their bytes: what the product's own reader says is not taken for granted.

use rusqlite::{Connection, Row};

/// Bytes of the entry of a digital half; its ordinal is the first eight, its kind the ninth.
const BYTES: usize = 41;
/// Bytes of the entry of a paper half; its bundle is the eleventh to the fourteenth.
const PAPER_BYTES: usize = 22;
/// Kinds of entries.
const DELIVERED: u8 = 1;
const IN_DOUBT: u8 = 4;
const OVER: u8 = 6;
const BUNDLED: u8 = 8;

fn rows(conn: &Connection, table: &str) -> Vec<(i64, Vec<u8>)> {
    let mut select = conn.prepare(&format!("SELECT first, entries FROM {table} ORDER BY first")).unwrap();
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let rows = select.query_map([], row).unwrap().map(Result::unwrap);
    rows.map(|(first, row): (i64, Vec<u8>)| (first, without_sum(first, row))).collect()
}

fn sum(number: i64, entries: &[u8]) -> [u8; 4] {
    crc32fast::hash(&[&number.to_le_bytes(), entries].concat()).to_le_bytes()
}

/// A row of packed entries, as it was written.
pub fn with_sum(number: i64, mut entries: Vec<u8>) -> Vec<u8> {
    entries.extend(sum(number, &entries));
    entries
}

/// The entries of a row.
pub fn without_sum(number: i64, mut row: Vec<u8>) -> Vec<u8> {
    let written = row.split_off(row.len() - 4);
    assert_eq!(written, sum(number, &row));
    row
}

fn ordinal(entry: &[u8]) -> u64 {
    u64::from_le_bytes(entry[..8].try_into().unwrap())
}

/// Ordinal and bundle of each letter that was bundled, in order.
pub fn bundled(conn: &Connection) -> Vec<(u64, u32)> {
    let entries = rows(conn, "paper").into_iter().flat_map(|(_, entries)| {
        assert!(entries.len() % PAPER_BYTES == 0);
        let bundled = entries.chunks(PAPER_BYTES).filter(|entry| entry[8] == BUNDLED);
        let bundle = |entry: &[u8]| u32::from_le_bytes(entry[10..14].try_into().unwrap());
        bundled.map(|entry| (ordinal(entry), bundle(entry))).collect::<Vec<_>>()
    });
    entries.collect()
}

/// Ordinal and kind of each end of a digital half, or of an attempt, in order.
pub fn digital(conn: &Connection) -> Vec<(u64, u8)> {
    let entries = rows(conn, "digital").into_iter().flat_map(|(_, entries)| {
        assert!(entries.len() % BYTES == 0);
        entries.chunks(BYTES).map(|entry| (ordinal(entry), entry[8])).collect::<Vec<_>>()
    });
    entries.collect()
}

/// Makes of a delivery an attempt that was not accepted, behind the back of the sums.
pub fn forget_delivery(conn: &Connection, of: u64) {
    let mut forgotten = 0;
    for (first, mut entries) in rows(conn, "digital") {
        for entry in entries.chunks_mut(BYTES).filter(|entry| ordinal(entry) == of && entry[8] == DELIVERED) {
            entry[8] = OVER;
            forgotten += 1;
        }
        conn.execute("UPDATE digital SET entries = ?2 WHERE first = ?1", (first, with_sum(first, entries))).unwrap();
    }
    assert_eq!(forgotten, 1);
}

/// Puts these in doubt as one is already.
pub fn put_in_doubt(conn: &Connection, ordinals: &[u64]) {
    let rows = rows(conn, "digital");
    let entries = rows.iter().flat_map(|(_, entries)| entries.chunks(BYTES));
    let one = entries.clone().find(|entry| entry[8] == IN_DOUBT).unwrap().to_vec();
    for (number, group) in (entries.count() + 1..).step_by(100).zip(ordinals.chunks(100)) {
        let entries =
            group.iter().flat_map(|ordinal| [&ordinal.to_le_bytes(), &one[8..]].concat()).collect::<Vec<u8>>();
        conn.execute("INSERT INTO digital VALUES (?1, ?2)", (number as i64, with_sum(number as i64, entries))).unwrap();
    }
}
