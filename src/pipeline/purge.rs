//! What of a run holds payload, and its end: by itself when nothing waits any more, or by a person's decision.
//!
//! Payload are the private copies of the exports, and in the journal the sealed keys with which encrypted letters are made
//! again byte for byte. Journal and findings know nobody and no amount without the installation's key, and stay: `find` and
//! `report` live by them. Print bundles are what the run has made; they are encrypted to the supplier, and theirs to fetch.

use super::copies::COPIES;
use crate::config::Config;
use crate::domain::Outcome;
use crate::error::{Error, Exit, Result};
use crate::track::{Counts, Installation, Journal, JournalReader, PURGED, Phase, Register, TrackError, control};
use crate::watch::crash;
use std::path::Path;

/// What a purge removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Files of the run's folder.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

/// Removes what of a run holds payload, by a person's decision, with an audit line.
///
/// *Errors*: a process is at the run; something is pending or in doubt and `even_pending` is not set; letters on paper would be
/// printed by no run and `even_unprinted` is not set; storage.
pub fn purge(run: &Path, even_pending: bool, even_unprinted: bool) -> Result<Purged> {
    let config = Config::read(&JournalReader::open(run)?.header().config_file)?;
    let installation = Installation::existing(&config.installation)?;
    let journal = Journal::open(run, &installation)?;
    let counts = journal.counts()?;
    let (pending, in_doubt) = (counts.of(Outcome::Pending), counts.of(Outcome::InDoubt));
    let waits = journal.phase() == Phase::Intake || pending + in_doubt > 0;
    if waits && !even_pending {
        let message =
            format!("the run needs its copies: it is {}, {pending} pending, {in_doubt} in doubt", journal.phase());
        return Err(Error::new(Exit::Usage, message)
            .remedy("resume it, and settle what is in doubt; --even-pending gives up that this run ever sends them"));
    }
    let unprinted = JournalReader::open(run)?.unprinted()?;
    if unprinted > 0 && !even_unprinted {
        let message = format!(
            "{unprinted} letters on paper wait whose messages were delivered, or may have been: no new run prints them"
        );
        return Err(Error::new(Exit::Usage, message).remedy(
            "resume it, and settle what is in doubt, so that they are printed; --even-unprinted gives them up",
        ));
    }
    let register = Register::open(&installation)?;
    let found = register.is_given_up(&journal.header().run_id)?;
    let current = match register.is_current(&journal) {
        Ok(()) => true,
        Err(_) if found => true,
        Err(error @ TrackError::Outdated { .. }) => {
            tracing::warn!(%error, "what is purged is an older copy: it does not know all that the run has sent");
            false
        }
        Err(error) => return Err(error.into()),
    };
    let purged = measure(&run.join(COPIES));
    let text = format!(
        "{} files, {} bytes, {pending} pending and {in_doubt} in doubt, {unprinted} letters unprinted, by {}",
        purged.files,
        purged.bytes,
        control::user()
    );
    installation.audit(&format!("purge: run {}: {text}", journal.header().run_id))?;
    // Before it is done: what is missing afterwards is known to be missing by decision.
    futures::executor::block_on(journal.note_durably(PURGED, &text))?;
    if found {
        // It was given up as lost and is there again: what it sent is known again, and nothing of it waits any more.
        register.begin(&journal.header().run_id, run)?;
    }
    if current {
        register.note_step(&journal)?;
    }
    remove(run, &journal)?;
    Ok(purged)
}

/// Gives up a run whose folder is gone, by a person's decision, with an audit line: others no longer ask its journal what
/// it has sent. Its id.
///
/// *Errors*: the folder holds a run; none that is unfinished lay there; storage.
pub fn give_up_lost(run: &Path, config: &Path) -> Result<String> {
    let config = Config::read(config)?;
    let folder = std::path::absolute(run).unwrap_or_else(|_| run.to_path_buf());
    if Journal::exists(&folder)? {
        return Err(Error::new(Exit::Usage, format!("{} holds a run: it is not lost", folder.display()))
            .remedy("resume it, or purge it without --lost"));
    }
    let installation = Installation::existing(&config.installation)?;
    let lost = Register::open(&installation)?.forget(&folder)?;
    let run_id = lost.ok_or_else(|| {
        Error::new(Exit::Usage, format!("no unfinished run of this installation lay in {}", folder.display()))
            .remedy("name the folder as the refused send names it")
    })?;
    let (folder, user) = (folder.display(), control::user());
    installation.audit(&format!("purge: run {run_id} in {folder} is lost and given up, by {user}"))?;
    Ok(run_id)
}

/// Whether a person decided that nothing of the run is to be sent any more.
pub(super) fn is_purged(journal: &Journal) -> Result<bool> {
    Ok(journal.events_of(PURGED)? > 0)
}

/// Removes the payload of a run that is finished, where nothing needs it any more: a statement in doubt may be sent again
/// from it, and the settings may keep it.
pub(super) fn remove_payload(run: &Path, config: &Config, journal: &Journal, counts: &Counts) -> Result<()> {
    if counts.of(Outcome::InDoubt) > 0 || config.run.keep_export {
        return Ok(());
    }
    remove(run, journal)
}

fn remove(run: &Path, journal: &Journal) -> Result<()> {
    journal.forget_secrets()?;
    let folder = run.join(COPIES);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::because(Exit::Storage, format!("cannot remove {}", folder.display()), error))
        }
        _ => {
            crash::point("copies_removed");
            Ok(())
        }
    }
}

fn measure(folder: &Path) -> Purged {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.metadata().ok())
        .fold(Purged::default(), |sum, facts| Purged { files: sum.files + 1, bytes: sum.bytes + facts.len() })
}
