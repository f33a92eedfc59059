//! `plan`: what a send will take, before anything is sent.

mod ask;
mod assume;
mod forecast;
mod intake;
mod told;

use super::report::as_json;
use super::{print, say};
use crate::config::Config;
use crate::domain::stockholm;
use crate::error::{Error, Exit, Result};
use crate::gateway::Lead;
use crate::pipeline::{LETTERS_AHEAD, LOOKED_UP_TOGETHER};
use crate::plan::forecast::{Forecast, Volumes};
use crate::plan::model::{Habits, Model};
use crate::plan::timeline::timeline;
use crate::plan::{Measured, Outlook, Spreads};
use crate::track::{GROUP_ENOUGH, GROUP_WINDOW, GROUP_WINDOWS};
use assume::{Named, Shares, Times};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;
use std::path::{Path, PathBuf};

/// Say what a send will take, before anything is sent.
///
/// Reads the exports in place, as check does, and simulates the send: FaR and operators at their rates, their delivery
/// windows, answers and retries, letters on this machine's processor. Says when it ends, with a range; whether the
/// deadline holds; what limits it, and what would move that; what if; and every assumption. What it needs and nobody has
/// measured or agreed is assumed, and said so. Nothing is sent; --ask-far asks FaR who has a mailbox, at its agreed
/// rate, and sends nothing else.
///
/// From volumes instead of exports (--forecast): documents a year, how many go digitally, and what that saves.
///
/// Ends with 0 when no finding is an error, whatever the deadline, 1 when there are errors, 65 when an export or a record
/// cannot be read, 78 when the settings are wrong, 69 when FaR refuses us.
#[derive(Debug, Args)]
pub struct Plan {
    /// Exports of kontrolluppgifter, in the order in which they would be sent
    #[arg(value_name = "EXPORT", required_unless_present = "forecast", requires = "config")]
    exports: Vec<PathBuf>,
    /// Settings: rates, windows, policies, deadline
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Costs that `utskick bench --json` measured on this machine; without it, those of a slow reference machine
    #[arg(long, value_name = "FILE")]
    measured: Option<PathBuf>,
    /// When the send starts: 2027-01-11T18:00+01:00, or 2027-01-11T18:00 by the clocks in Sweden. Default: now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    start: Option<Timestamp>,
    /// Ask FaR who has a mailbox, instead of assuming it
    #[arg(long, conflicts_with_all = ["digital_share", "operator_shares"])]
    ask_far: bool,
    /// Share of those who are looked up that have a mailbox, 0.4 or 40%. Default: all of them, the most there can be
    #[arg(long, value_name = "SHARE", value_parser = assume::share)]
    digital_share: Option<f64>,
    /// Share of the mailboxes that an operator has, NAME=SHARE, by its name or id; may be repeated. Those that are not
    /// named have equal parts of the rest
    #[arg(long = "operator-share", value_name = "NAME=SHARE", value_parser = assume::named_share)]
    operator_shares: Vec<Named<f64>>,
    /// Time of an answer, as 250ms or 2s, of all gateways; or NAME=TIME of an operator or far. May be repeated. Default:
    /// 300ms
    #[arg(long, value_name = "TIME", value_parser = assume::named_time)]
    latency: Vec<Named<std::time::Duration>>,
    /// Share of attempts that an operator answers with try again. Default: 0.005
    #[arg(long, value_name = "SHARE", value_parser = assume::share)]
    retries: Option<f64>,
    /// Cores that the send has; not whole where something else takes its part. Default: those of this machine
    #[arg(long, value_name = "N", value_parser = assume::cores)]
    cores: Option<f64>,
    /// The gateways run on this machine, as a sandbox does: what they take of the processor is counted
    #[arg(long)]
    gateways_here: bool,
    /// Identities that are held back whatever the policy says, one a line
    #[arg(long, value_name = "FILE")]
    protected: Option<PathBuf>,
    /// Writes a timeline: what waits and what is delivered at each operator
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Volumes and costs to compute from, a TOML file; testdata/statens-servicecenter-2017.toml is one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["exports", "config", "svg"])]
    forecast: Option<PathBuf>,
    /// Print as JSON (testdata/schemas/plan.json and forecast.json)
    #[arg(long)]
    json: bool,
}

impl Plan {
    /// Reads, simulates, and prints what it came to.
    pub fn run(self) -> Result<Exit> {
        match (&self.forecast, &self.config) {
            (Some(file), _) => {
                let forecast = Forecast::of(&Volumes::read(file)?)?;
                let text = if self.json { format!("{}\n", as_json(&forecast)?) } else { forecast::text(&forecast) };
                print(&text)?;
                Ok(Exit::Done)
            }
            (None, Some(config)) => self.plan(config),
            // clap asks for one of them.
            (None, None) => Err(Error::new(Exit::Usage, "the settings are not named").remedy("add --config FILE")),
        }
    }

    fn plan(&self, config: &Path) -> Result<Exit> {
        let config = Config::read(config)?;
        intake::operators(&config)?;
        let measured = self.measured.as_deref().map(Measured::read).transpose()?;
        let mut intake = intake::take_in(&self.exports, &config, self.protected.as_ref(), self.ask_far)?;
        if self.ask_far {
            ask::ask(&mut intake, &config)?;
        }
        let (batch, operators) = (config.far.batch, config.operators.len());
        let (counted, mut load) = intake.counter.finish(&config.senders, LOOKED_UP_TOGETHER, batch, operators);
        load.bytes = intake.bytes;
        let start = self.start.unwrap_or_else(Timestamp::now);
        let known = self.ask_far.then(|| known(&counted.all.known, operators));
        let shares = Shares { digital: self.digital_share, operators: &self.operator_shares, known: known.as_deref() };
        let times = Times { latency: &self.latency, retries: self.retries, cores: self.cores };
        let (mut assumed, mut words) = assume::assumptions(&config, &shares, &times, load.looked_up())?;
        let costs = measured.clone().unwrap_or_else(Measured::reference);
        if self.gateways_here {
            assumed.beside_s = costs.sandbox_cpu_s_per_request;
            words.push("the gateways take their part of this machine's processor, as measured".into());
        }
        let habits = Habits {
            letters_ahead: LETTERS_AHEAD,
            lead: Lead::SHORTEST,
            lookups_together: LOOKED_UP_TOGETHER,
            journal_group: GROUP_WINDOW,
            journal_groups: GROUP_WINDOWS as u32,
            journal_enough: GROUP_ENOUGH as u32,
        };
        let mut model = Model::new(&config, &costs, &load, &assumed, habits, start);
        if let Some(known) = &known {
            model.desks.iter_mut().zip(known).for_each(|(desk, statements)| desk.statements = *statements);
        }
        let here = measured.as_ref().is_some_and(|measured| !measured.noisy);
        let spreads = Spreads::new(here, assumed.retries, self.ask_far);
        let outlook = Outlook::of(&model, start, config.run.deadline, spreads);
        let told = told::Told::new(told::Facts {
            config: &config,
            measured: measured.as_ref(),
            intake: &intake,
            counted,
            model: &model,
            outlook: &outlook,
            spreads,
            assumed: &assumed,
            assumptions: words,
            asked: self.ask_far,
        });
        if let Some(file) = &self.svg {
            std::fs::write(file, timeline(&model, &outlook)).map_err(|error| {
                Error::because(Exit::Storage, format!("cannot write the timeline {}", file.display()), error)
            })?;
            say(&format!("timeline in {}", file.display()));
        }
        print(&if self.json { format!("{}\n", as_json(&told)?) } else { told.text(&outlook) })?;
        Ok(intake.exit())
    }
}

/// By operator: how many statements FaR said to be there.
fn known(found: &[u64], operators: usize) -> Vec<u64> {
    let mut known = found.to_vec();
    known.resize(operators, 0);
    known
}

/// A moment: with its zone, or by the clocks in Sweden.
fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || "a time is 2027-01-11T18:00+01:00, or 2027-01-11T18:00 by the clocks in Sweden".to_owned();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local: DateTime = text.parse().map_err(|_| wrong())?;
    stockholm().to_timestamp(local).map_err(|_| wrong())
}
