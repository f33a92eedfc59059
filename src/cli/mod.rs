//! The commands, one file each: arguments, what is printed, the exit code.

mod bench;
mod check;
mod control;
mod demo;
mod find;
mod generate;
mod plan;
mod purge;
mod report;
mod resolve;
mod resume;
mod sandbox;
mod send;
mod status;
mod unseal;

use crate::domain::mask_people;
use crate::error::{Error, Exit, Result};
use crate::watch::{Log, crash};
use clap::{Parser, Subcommand};

/// Sends kontrolluppgifter to the secure digital mailboxes of Mina meddelanden.
#[derive(Debug, Parser)]
#[command(name = "utskick", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What is logged on stderr.
    #[command(flatten)]
    log: Log,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)] // each command's own documentation is its help
pub enum Command {
    Demo(demo::Demo),
    Check(check::Check),
    Plan(plan::Plan),
    Send(send::Send),
    Resume(resume::Resume),
    Status(status::Status),
    Control(control::Control),
    Report(report::Report),
    Find(find::Find),
    Resolve(resolve::Resolve),
    Purge(purge::Purge),
    Generate(generate::Generate),
    Sandbox(sandbox::Sandbox),
    Unseal(unseal::Unseal),
    Bench(bench::Bench),
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<Exit> {
        crash::arm().map_err(|wrong| Error::new(Exit::Usage, wrong))?;
        self.log.start();
        let exit = self.command.run();
        for (name, times) in crash::passed().into_iter().flatten() {
            say(&format!("{name} {times}"));
        }
        exit
    }
}

impl Command {
    fn run(self) -> Result<Exit> {
        match self {
            Self::Demo(command) => command.run(),
            Self::Check(command) => command.run(),
            Self::Plan(command) => command.run(),
            Self::Send(command) => command.run(),
            Self::Resume(command) => command.run(),
            Self::Status(command) => command.run(),
            Self::Control(command) => command.run(),
            Self::Report(command) => command.run(),
            Self::Find(command) => command.run(),
            Self::Resolve(command) => command.run(),
            Self::Purge(command) => command.run(),
            Self::Generate(command) => command.run(),
            Self::Sandbox(command) => command.run(),
            Self::Unseal(command) => command.run(),
            Self::Bench(command) => command.run(),
        }
    }
}

/// Prints to stdout; a reader that has gone away is success.
pub(crate) fn print(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::because(Exit::Storage, "cannot write to standard output", error))
        }
        _ => Ok(()),
    }
}

/// Says something to the person at the terminal, on stderr. Identities of people are masked: an export may be named
/// after one.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    // Nobody to tell is no reason to stop.
    let _ = writeln!(std::io::stderr().lock(), "{}", mask_people(text));
}

/// Says what is wrong with the command line, which may name a person.
pub fn misused(message: &clap::Error) {
    say(message.render().to_string().trim_end());
}

/// A path as it may be shown on stdout: identities of people are masked.
pub(crate) fn shown(path: &std::path::Path) -> String {
    mask_people(&path.display().to_string()).into_owned()
}

/// Prints the error of a command, its causes and its remedy, on stderr.
pub fn complain(error: &Error) {
    say(&format!("utskick: {error}"));
}
