//! `resolve`: a person settles what is in doubt.

use super::report::{moment, spaced};
use super::send::must_be_a_run;
use super::{print, say, shown};
use crate::error::{Error, Exit, Result};
use crate::pipeline::{self, Selection};
use crate::track::{JournalReader, PURGED, Settlement};
use clap::{Args, ValueEnum};
use std::fmt::Write;
use std::io::Read;
use std::path::PathBuf;

/// Settle statements in doubt by the operator's word, or send them again
///
/// A statement is in doubt when its request left and no answer tells what became of it. Ask the operator about the
/// messages, by the ids that `report` and `--list` give, then settle them. Without --operator and --ids all that is in
/// doubt is meant. Either all that is named is in doubt, or nothing is settled. Who settled what and when is in the run's
/// journal (`report` shows it) and in the installation's audit log.
///
/// The run must not be going on: `utskick control DIR drain` ends it.
///
/// Exit code 0: settled, or listed. 64: something named is not in doubt, and nothing was settled.
#[derive(Debug, Args)]
pub struct Resolve {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    run: PathBuf,
    /// What is known of them
    #[arg(long = "as", value_enum, value_name = "WHAT", required_unless_present = "list")]
    settle_as: Option<As>,
    /// Only those at this operator: organisation number or name
    #[arg(long, value_name = "OPERATOR")]
    operator: Option<String>,
    /// Only these: a file of ordinals or message ids, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// List what would be settled, and settle nothing
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    /// The operator has them
    Delivered,
    /// The operator has them not: `resume` looks them up and sends them anew
    NotDelivered,
    /// Nobody knows: `resume` sends them again with the same id and bytes; they may arrive twice
    Resend,
}

impl Resolve {
    pub(super) fn run(self) -> Result<Exit> {
        must_be_a_run(&self.run)?;
        let ids = self.ids.as_deref().map(read_ids).transpose()?;
        let selection = Selection { operator: self.operator, ids };
        let (chosen, operators) = pipeline::in_doubt(&self.run, &selection)?;
        let mut table = String::new();
        for of in &chosen {
            let operator = operators.get(usize::from(of.operator)).map_or("", |operator| operator.name.as_str());
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "{:>12}  {}  {}  {:<16}  {operator}{}",
                of.ordinal,
                of.message_id,
                moment(of.at),
                spaced(of.reason.as_str()),
                if of.ordered { ", to be sent again by order" } else { "" }
            );
        }
        let settlement = match self.settle_as {
            Some(settle_as) if !self.list => match settle_as {
                As::Delivered => Settlement::Delivered,
                As::NotDelivered => Settlement::NotDelivered,
                As::Resend => Settlement::Resend,
            },
            _ => {
                print(&table)?;
                say(&format!("{} in doubt; nothing was settled", chosen.len()));
                return Ok(Exit::Done);
            }
        };
        let settled = pipeline::resolve(&self.run, &selection, settlement)?;
        print(&table)?;
        say(&format!("{settled} settled"));
        let reader = JournalReader::open(&self.run)?;
        let on_paper = reader.tally()?.paper > 0;
        if settled > 0 && (settlement != Settlement::Delivered || on_paper) {
            say(&match (reader.events_of(PURGED)?, settlement) {
                (0, Settlement::Delivered) => {
                    format!("print what waits for it with `utskick resume {}`", shown(&self.run))
                }
                (0, _) => format!("send them with `utskick resume {}`", shown(&self.run)),
                (_, Settlement::Delivered) => "the run is purged: no run prints their letters on paper".into(),
                _ => "the run is purged: they go with a new run of the export".into(),
            });
        }
        Ok(Exit::Done)
    }
}

fn read_ids(file: &std::path::Path) -> Result<Vec<String>> {
    let cannot = |error| Error::because(Exit::Usage, "cannot read the ids", error);
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(cannot)?;
        text
    } else {
        std::fs::read_to_string(file).map_err(cannot)?
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}
