//! `resume`: goes on with a run.

use super::send;
use crate::error::{Exit, Result};
use crate::pipeline;
use clap::Args;
use std::path::PathBuf;

/// Go on with a run that stopped, was stopped, or failed, without naming its files.
///
/// Nothing that has its outcome is done again. What was under way when a process ended is in doubt, and is sent again
/// only where its operator's settings say `in_doubt = "resend"`, or a person said so (`utskick resolve --as resend`). A run
/// that was paused stays paused: `utskick control DIR resume` ends a pause. Exit codes as for `send`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    run: PathBuf,
    /// Send although more statements are rejected than run.max_rejected_share allows
    #[arg(long)]
    accept_rejects: bool,
    /// Print the report as JSON when the run ends
    #[arg(long)]
    json: bool,
}

impl Resume {
    /// Goes on, and prints the report.
    pub fn run(self) -> Result<Exit> {
        crate::watch::outlive_terminal();
        send::must_be_a_run(&self.run)?;
        let ended = pipeline::resume(&self.run, self.accept_rejects)?;
        send::finish(&self.run, &ended, self.json)
    }
}
