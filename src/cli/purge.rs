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
}

impl Purge {
    pub(super) fn run(self) -> Result<Exit> {
        must_be_a_run(&self.run)?;
        if !self.yes && !agreed(&shown(&self.run))? {
            return Err(Error::new(Exit::Usage, "nothing was removed"));
        }
        let purged = pipeline::purge(&self.run, self.even_pending)?;
        say(&format!("removed {} files, {} bytes", purged.files, purged.bytes));
        Ok(Exit::Done)
    }
}

/// Asks the person at the terminal.
fn agreed(run: &str) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::new(Exit::Usage, "nobody is there to agree: nothing was removed").remedy("give --yes"));
    }
    say(&format!("The statements of the run in {run} are removed for good. Type purge to go on:"));
    let mut answer = String::new();
    stdin
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::because(Exit::Usage, "cannot read the answer", error))?;
    Ok(answer.trim() == "purge")
}
