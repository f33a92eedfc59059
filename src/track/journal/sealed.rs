//! Columns that are sealed.

use crate::track::Installation;

/// What a sealed column is bound to: its run and its place.
pub(super) fn context(run_id: &str, column: &str, row: i64, attempt: i64) -> Vec<u8> {
    format!("{run_id}\n{column}\n{row}\n{attempt}").into_bytes()
}

pub(super) fn sealed_json<T: serde::Serialize + ?Sized>(
    installation: &Installation,
    run_id: &str,
    name: &str,
    value: &T,
) -> rusqlite::Result<Vec<u8>> {
    let text = serde_json::to_vec(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(installation.seal(&text, &context(run_id, name, 0, 0)))
}
