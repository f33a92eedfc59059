//! `bench`: what the job costs on this machine.

use super::{print, say};
use crate::bench::{self, Interrupt, Order, plot, table};
use crate::error::{Error, Exit, Result};
use crate::outputs::Outputs;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// Measure on this machine: floors, each stage beside its floor, and whole sends to a sandbox.
///
/// Needs nothing but this program: no settings, no network. Makes a folder of its own in --dir with a sandbox (in a
/// process of its own, on loopback), generated exports and runs, and removes it at the end; a minute on two processors
/// with the default size. Processor time is counted, so that other work on the machine changes little; the same work is
/// done before, between and after, and where it differs too much, that is said: repeat when the machine is quiet.
///
/// The tables are for people and change. --json and --out give what `utskick plan --measured` reads and scripts rely
/// on. Measure on the machine that will send, with --dir on the disk where runs will lie.
///
/// Exit codes: 0 measured, also where the machine was too noisy (`noisy` in the JSON); 64 wrong usage; 74 storage, or
/// a part that failed; 78 settings; 130 stopped by a signal.
#[derive(Debug, Args)]
pub struct Bench {
    /// Statements of the largest send; others have a third, a tenth, and one
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(bench::LEAST_STATEMENTS..))]
    statements: u64,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Write the JSON to a file, for `utskick plan --measured`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write a picture: stages beside their floors, whole sends by size
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Where to make the folder to measure in; default: the system's temporary folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Bench {
    /// Measures, and prints.
    pub fn run(self) -> Result<Exit> {
        let interrupt = Interrupt::heard()?;
        let program = std::env::current_exe()
            .map_err(|error| Error::because(Exit::Storage, "cannot find this program's own file", error))?;
        // Before minutes are spent on measuring what cannot be written.
        let mut outputs = Outputs::default();
        let mut create = |file: &Option<PathBuf>| file.as_deref().map(|file| outputs.create(file)).transpose();
        let (out, drawing) = (create(&self.out)?, create(&self.svg)?);
        let place = self.dir.unwrap_or_else(std::env::temp_dir);
        let order = Order { statements: self.statements, place, program };
        let bench = bench::run(&order, &interrupt, &|what| say(&format!("bench: {what}")))?;
        let json = serde_json::to_string_pretty(&bench)
            .map_err(|error| Error::because(Exit::Storage, "cannot write the figures", error))?;
        for (file, text) in [(out, format!("{json}\n")), (drawing, plot::svg(&bench))] {
            if let Some(mut file) = file {
                file.write_all(text.as_bytes())
                    .map_err(|error| Error::because(Exit::Storage, "cannot write the figures", error))?;
            }
        }
        for warning in &bench.warnings {
            say(&format!("bench: warning: {warning}"));
        }
        print(&if self.json { format!("{json}\n") } else { table::text(&bench) })?;
        Ok(Exit::Done)
    }
}
