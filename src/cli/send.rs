//! `send`: the bulk send, started or gone on with.

use super::{report, say};
use crate::error::{Error, Exit, Result};
use crate::pipeline::{self, Ended, Order};
use clap::Args;
use std::path::{Path, PathBuf};

/// Send every statement of the exports: to its mailbox, or onto paper, as the settings have it.
///
/// Starts the run, or goes on with it where the folder has one. First everything is read, validated and entered in the
/// run's journal, and nothing leaves; then what was released is looked up, prepared and sent at the agreed rates.
///
/// Ctrl-C (or SIGTERM) stops after what is under way; a second one stops at once, and what was under way is then in
/// doubt. Both leave a run that `utskick resume` goes on with. A terminal that is closed (SIGHUP) stops nothing.
///
/// Exit codes: 0 everything ended well; 1 finished, with rejected, failed, in doubt, or held for want of an address;
/// 2 something is pending, resume; 64 wrong usage; 65 an export cannot be read; 69 a gateway refused us; 74 storage;
/// 78 settings, keys and certificates included.
#[derive(Debug, Args)]
pub struct Send {
    /// The exports, in the order that numbers their statements
    #[arg(value_name = "EXPORT", required = true)]
    exports: Vec<PathBuf>,
    /// The settings
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Folder of the run: journal, findings, print bundles
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Identities that are held back whatever the policy says, one a line
    #[arg(long, value_name = "FILE")]
    protected: Option<PathBuf>,
    /// Send although more statements are rejected than run.max_rejected_share allows
    #[arg(long)]
    accept_rejects: bool,
    /// Send again what an earlier run of the installation has sent
    #[arg(long)]
    again: bool,
    /// Read the exports where they lie, without a private copy; they must not change while the run lasts
    #[arg(long)]
    in_place: bool,
    /// Print the report as JSON when the run ends
    #[arg(long)]
    json: bool,
}

impl Send {
    /// Sends, and prints the report.
    pub fn run(self) -> Result<Exit> {
        crate::watch::outlive_terminal();
        let order = Order {
            exports: self.exports,
            config: self.config,
            run: self.run,
            protected: self.protected,
            accept_rejects: self.accept_rejects,
            again: self.again,
            in_place: self.in_place,
        };
        finish(&order.run, &pipeline::send(&order)?, self.json)
    }
}

/// Prints how a run ended: its report on stdout, what to do next on stderr.
pub(super) fn finish(run: &Path, ended: &Ended, json: bool) -> Result<Exit> {
    if report::print_report(run, json)? == Exit::Storage {
        // To go on would send by an account that is wrong.
        return Ok(Exit::Storage);
    }
    for refusal in &ended.refusals {
        say(&format!("refused: {refusal}"));
    }
    match ended.exit {
        Exit::Pending | Exit::Refused => {
            say(&format!("something is pending: go on with `utskick resume {}`", run.display()));
        }
        Exit::LookAt => say(&format!(
            "some statements need to be looked at: `utskick report {}` and {}",
            run.display(),
            run.join(pipeline::REJECTS).display()
        )),
        _ => {}
    }
    Ok(ended.exit)
}

/// A run must be there before it can be gone on with.
pub(super) fn must_be_a_run(run: &Path) -> Result<()> {
    if crate::track::Journal::exists(run)? {
        return Ok(());
    }
    Err(Error::new(Exit::Usage, format!("{} holds no run", run.display()))
        .remedy("name the folder that was given to `utskick send --run`"))
}
