//! The run's private copies of its exports, when it is gone on with: opened again, and taken anew where one is missing
//! and its original still has the same bytes. One that is there and altered is refused: somebody did that, and is told.

use super::open::{make_folder, unreadable};
use super::{purge, space};
use crate::disk::Disk;
use crate::error::{Error, Exit, Result};
use crate::intake::{Export, ExportFingerprint, IntakeError};
use crate::track::Journal;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where they lie, in the run's folder.
pub(super) const COPIES: &str = "exports";

/// What the journal's event of a copy that was taken anew is called.
const STAGED_AGAIN: &str = "staged_again";

/// Opens the exports of a run again.
///
/// *Errors*: the run is purged; a copy is altered; one is missing and cannot be taken anew; storage.
pub(super) fn open(
    run: &Path,
    disk: &dyn Disk,
    journal: &Journal,
    exports: &[ExportFingerprint],
) -> Result<Vec<Export>> {
    if purge::is_purged(journal)? {
        // Another run may have its statements by now.
        return Err(Error::new(Exit::Input, "the run is purged: nothing of it is sent any more").remedy(
            "send the export in a new run: what waited here goes with it, what was sent or is in doubt does not",
        ));
    }
    let missing: Vec<_> = exports.iter().enumerate().filter(|(_, export)| is_missing(run, export)).collect();
    if !missing.is_empty() {
        space::before_copying_again(run, missing.iter().map(|(_, export)| export.size).sum())?;
        make_folder(disk, &run.join(COPIES))?;
        for (index, export) in missing {
            take_again(run, export)?;
            let text = format!(
                "the private copy of export {} of {} was missing and is taken anew from the original, which is unchanged",
                index + 1,
                exports.len()
            );
            tracing::warn!(original = %export.path.display(), "{text}");
            journal.note(STAGED_AGAIN, &text)?;
        }
    }
    exports.iter().map(|export| reopen(run, export)).collect()
}

/// Whether letters of the run can still be made: what it reads its statements from is there, or can be had again.
pub(super) fn can_be_had(run: &Path, journal: &Journal, exports: &[ExportFingerprint]) -> Result<bool> {
    let is_there = |export: &ExportFingerprint| !is_missing(run, export) && of_run(run, export).exists();
    let can_be_taken = |export: &ExportFingerprint| export.is_of(&export.path).unwrap_or(false);
    Ok(!purge::is_purged(journal)? && exports.iter().all(|export| is_there(export) || can_be_taken(export)))
}

/// Where an export's private copy is now: in this run's folder, from wherever it is named and wherever it was moved. What
/// is read in place has none, and lies where it lay.
pub(super) fn of_run(run: &Path, export: &ExportFingerprint) -> PathBuf {
    match export.staged.file_name().filter(|_| export.sha256.is_some()) {
        Some(name) => run.join(COPIES).join(name),
        None => export.staged.clone(),
    }
}

/// Whether there was a copy and there is none any more.
fn is_missing(run: &Path, export: &ExportFingerprint) -> bool {
    let looked = std::fs::symlink_metadata(of_run(run, export));
    export.sha256.is_some() && looked.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

fn take_again(run: &Path, export: &ExportFingerprint) -> Result<()> {
    let (copy, original) = (of_run(run, export), export.path.display());
    Export::stage_again(&copy, export).map_err(|error| {
        let of_the_disk = matches!(error, IntakeError::Storage { .. });
        let error = Error::because(
            error.exit(),
            format!("the private copy {} is missing, and cannot be taken anew from {original}", copy.display()),
            error,
        );
        error.remedy(match of_the_disk {
            true => "see to space and permissions of the run's folder, and resume".into(),
            false => format!("put the copy back from a backup, or {original} as it was when the run began, and resume"),
        })
    })
}

fn reopen(run: &Path, export: &ExportFingerprint) -> Result<Export> {
    let copy = of_run(run, export);
    Export::reopen(&copy, export).map_err(|error| {
        let remedy = match export.sha256 {
            None => format!("put {} back as it was when the run began, and resume", copy.display()),
            Some(_) => format!(
                "move {} away and resume: the copy is taken anew from {} if that is unchanged; or put the copy back byte \
                 for byte",
                copy.display(),
                export.path.display()
            ),
        };
        unreadable(error).remedy(remedy)
    })
}
