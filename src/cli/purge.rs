//! `purge`: what of a run holds payload is removed.

use super::send::must_be_a_run;
use super::{say, shown};
use crate::error::{Error, Exit, Result};
use crate::pipeline;
use clap::Args;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

/// Remove what of a run holds the statements themselves
///
/// Removes the private copies of the exports, and from the journal the keys with which encrypted letters are made again.
/// `report`, `status` and `find` work as before; nothing of the run can be sent again. A run that ends with nothing pending
/// or in doubt does this by itself, unless its settings say `keep_export = true`. Print bundles stay: they are encrypted to
/// the print supplier. Who did it and when is in the run's journal and the installation's audit log.
///
/// With --even-pending the run gives up what still waits: it can't be gone on with, and a new run of the same export takes
/// those statements along. What was sent or is in doubt stays with this run; `resolve` settles the latter.
///
/// A run whose folder is lost for good keeps every other send from starting, since nobody can tell what it sent. --lost
/// gives it up: what it sent may then be sent again. Ask the operators first.
///
/// Asks before it removes anything, unless --yes is given.
///
/// Exit code 0: removed. 64: the run still needs its copies, or nobody agreed; nothing was removed.
#[derive(Debug, Args)]
pub struct Purge {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    run: PathBuf,
    /// Remove without asking
    #[arg(long)]
    yes: bool,
    /// Also where statements are pending or in doubt: they can then never be sent from this run
    #[arg(long)]
    even_pending: bool,
    /// With --even-pending: give up letters on paper of statements that were delivered to a mailbox too, or may have been; a new
    /// run does not print them
    #[arg(long, requires = "even_pending")]
    even_unprinted: bool,
    /// The folder is gone for good: let others go on without it
    #[arg(long, requires = "config", conflicts_with = "even_pending")]
    lost: bool,
    /// With --lost: settings that name the installation
    #[arg(long, value_name = "FILE", requires = "lost")]
    config: Option<PathBuf>,
}

impl Purge {
    pub(super) fn run(self) -> Result<Exit> {
        if let Some(config) = &self.config {
            if !self.yes && !agreed(&format!("What the run in {} sent may be sent again.", shown(&self.run)))? {
                return Err(Error::new(Exit::Usage, "nothing was given up"));
            }
            let run_id = pipeline::give_up_lost(&self.run, config)?;
            say(&format!("run {run_id} is given up: what it sent since it began is not known any more"));
            return Ok(Exit::Done);
        }
        must_be_a_run(&self.run)?;
        let what = format!("The statements of the run in {} are removed for good.", shown(&self.run));
        if !self.yes && !agreed(&what)? {
            return Err(Error::new(Exit::Usage, "nothing was removed"));
        }
        let purged = pipeline::purge(&self.run, self.even_pending, self.even_unprinted)?;
        say(&format!("removed {} files, {} bytes", purged.files, purged.bytes));
        Ok(Exit::Done)
    }
}

/// Asks the person at the terminal.
fn agreed(what: &str) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::new(Exit::Usage, "nobody is there to agree: nothing was done").remedy("give --yes"));
    }
    say(&format!("{what} Type purge to go on:"));
    let mut answer = String::new();
    stdin
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::because(Exit::Usage, "cannot read the answer", error))?;
    Ok(answer.trim() == "purge")
}
