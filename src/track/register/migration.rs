//! A register of format 1 becomes one of this format, once, when it is opened.
//!
//! In format 1 each key and content that a run had sent was a row of `sent`, with the TransId as text.

use super::FORMAT;
use super::blocks::{self, Blocks, Dispatch};
use crate::domain::{ContentDigest, StatementKey};
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The format that is taken over.
pub(super) const FROM: u32 = 1;

/// Takes the rows of format 1 over into blocks, in one transaction. Two processes may come here at once: the second finds
/// it done.
pub(super) fn take_over(conn: &Connection) -> rusqlite::Result<()> {
    let all = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
    let version: u32 = all.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != FROM {
        return Ok(());
    }
    all.execute_batch(blocks::TABLES)?;
    {
        // The sorter works in pieces of the cache's size, so memory is bounded.
        let mut select =
            all.prepare("SELECT run, key, content, what, at, trans_id FROM sent ORDER BY run, key, content")?;
        let mut rows = select.query([])?;
        let mut of_run: Option<(i64, Blocks<'_>)> = None;
        while let Some(row) = rows.next()? {
            let run = row.get(0)?;
            let mut blocks = match of_run.take() {
                Some((same, blocks)) if same == run => blocks,
                before => {
                    before.map(|(_, blocks)| blocks.finish()).transpose()?;
                    Blocks::anew(&all, run)?
                }
            };
            let trans_id: Option<String> = row.get(5)?;
            let receipt = trans_id.map(|text| blocks.receipt(text.into())).transpose()?;
            let dispatch = Dispatch::new(row.get(3)?, row.get(4)?, receipt);
            blocks.add(StatementKey(row.get(1)?), ContentDigest(row.get(2)?), dispatch)?;
            of_run = Some((run, blocks));
        }
        of_run.map(|(_, blocks)| blocks.finish()).transpose()?;
    }
    all.execute_batch(&format!("DROP TABLE sent; PRAGMA user_version = {FORMAT}"))?;
    all.commit()
}
