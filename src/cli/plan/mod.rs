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
use crate::outputs::Outputs;
use crate::pipeline::{LETTERS_AHEAD, LOOKED_UP_TOGETHER};
use crate::plan::forecast::{Forecast, Volumes};
use crate::plan::model::{Habits, Load, Model};
use crate::plan::timeline::timeline;
use crate::plan::volumes::Counted;
use crate::plan::{Measured, Outlook, Spreads};
use crate::track::{GROUP_ENOUGH, GROUP_WINDOW, GROUP_WINDOWS};
use assume::{Named, Shares, Times};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Say what a send will take, before anything is sent.
///
/// Reads the exports in place, as check does, and simulates the send: FaR and operators at their rates, their delivery
/// windows, answers and retries, letters on this machine's processor. Says when it ends, with a range; whether the
/// deadline holds; what limits it, and what would move that; what if; and every assumption. What it needs and nobody has
/// measured or agreed is assumed, and said so. Nothing is sent; --ask-far asks FaR who has a mailbox, at its agreed
/// rate, and sends nothing else.
///
/// From volumes instead of exports (--forecast): documents a year, how many go digitally, and what that saves. With
/// --config too, the send of each year's volumes is simulated: whether it fits, without an export.
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
    #[arg(long, value_name = "FILE", conflicts_with_all = ["exports", "ask_far", "digital_share", "protected"])]
    forecast: Option<PathBuf>,
    /// The forecast's year whose send is planned in full, as that of an export is. Default: all years, a line each
    #[arg(long, value_name = "YEAR", requires = "forecast", requires = "config")]
    year: Option<i16>,
    /// Documents a head that go in one send, where a forecast's send is planned: 1 is a round of kontrolluppgifter.
    /// Default: all that a head gets in the year
    #[arg(long, value_name = "N", requires = "forecast", requires = "config")]
    per_head: Option<u64>,
    /// Print as JSON (testdata/schemas/plan.json and forecast.json)
    #[arg(long)]
    json: bool,
}

impl Plan {
    /// Reads, simulates, and prints what it came to.
    pub fn run(self) -> Result<Exit> {
        match (&self.forecast, &self.config) {
            (Some(file), config) => self.forecast(file, config.as_deref()),
            (None, Some(config)) => self.plan(config),
            // clap asks for one of them.
            (None, None) => Err(Error::new(Exit::Usage, "the settings are not named").remedy("add --config FILE")),
        }
    }

    fn plan(&self, config: &Path) -> Result<Exit> {
        let settings = Settings::read(self, config)?;
        let config = &settings.config;
        let mut intake = intake::take_in(&self.exports, config, self.protected.as_ref(), self.ask_far)?;
        if self.ask_far {
            ask::ask(&mut intake, config)?;
        }
        let (batch, operators) = (config.far.batch, config.operators.len());
        let (counted, mut load) = intake.counter.finish(&config.senders, LOOKED_UP_TOGETHER, batch, operators);
        load.bytes = intake.bytes;
        let known = self.ask_far.then(|| known(&counted.all.known, operators));
        let volume = Volume {
            counted,
            load,
            digital: self.digital_share,
            known,
            faults_of_exports: intake.faults_of_exports,
            words: vec!["what earlier runs have sent is not looked at".into()],
        };
        let planned = self.simulate(&settings, volume)?;
        self.draw(&planned, config)?;
        print(&if self.json { format!("{}\n", as_json(&planned.told)?) } else { planned.told.text(&planned.outlook) })?;
        Ok(intake.exit())
    }

    /// What a forecast comes to, and with settings its sends.
    fn forecast(&self, file: &Path, config: Option<&Path>) -> Result<Exit> {
        let volumes = Volumes::read(file)?;
        let forecast = Forecast::of(&volumes)?;
        let settings = config.map(|config| Settings::read(self, config)).transpose()?;
        let mut sends = Vec::new();
        if let Some(settings) = &settings {
            for (year, volume) in forecast::sends(&volumes, &forecast, self.year, self.per_head, &settings.config)? {
                sends.push((year, self.simulate(settings, volume)?));
            }
        }
        match (&settings, sends.as_slice(), self.year) {
            (Some(settings), [(_, planned)], Some(_)) => self.draw(planned, &settings.config)?,
            _ if self.svg.is_some() => {
                return Err(Error::new(Exit::Usage, "a timeline is of one send")
                    .remedy("add --config FILE and --year YEAR to --forecast"));
            }
            _ => {}
        }
        if self.json {
            let sends: Vec<_> = sends.iter().map(|(year, planned)| (*year, &planned.told)).collect();
            print(&format!("{}\n", as_json(&forecast::json(&forecast, &sends))?))?;
            return Ok(Exit::Done);
        }
        let mut text = forecast::text(&forecast);
        match (sends.as_slice(), self.year) {
            ([(year, planned)], Some(_)) => {
                text.push_str(&format!("\nWill {year} fit?\n"));
                text.push_str(&planned.told.text(&planned.outlook));
            }
            ([], _) => {}
            _ => text.push_str(&told::years(&sends)),
        }
        print(&text)?;
        Ok(Exit::Done)
    }

    /// Simulates the send of so many statements.
    fn simulate(&self, settings: &Settings, volume: Volume) -> Result<Planned> {
        let Settings { config, measured, start } = settings;
        let known = volume.known.as_deref();
        let forecast = self.forecast.is_some();
        let shares = Shares { digital: volume.digital, forecast, operators: &self.operator_shares, known };
        let times = Times { latency: &self.latency, retries: self.retries, cores: self.cores };
        let (mut assumed, mut words) = assume::assumptions(config, &shares, &times, volume.load.looked_up())?;
        words.extend(volume.words);
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
        let mut model = Model::new(config, &costs, &volume.load, &assumed, habits, *start);
        if let Some(known) = &volume.known {
            model.desks.iter_mut().zip(known).for_each(|(desk, statements)| desk.statements = *statements);
        }
        let here = measured.as_ref().is_some_and(|measured| !measured.noisy);
        let spreads = Spreads::new(here, assumed.retries, volume.known.is_some());
        let outlook = Outlook::of(&model, *start, config.run.deadline, spreads);
        let told = told::Told::new(told::Facts {
            config,
            measured: measured.as_ref(),
            bytes: volume.load.bytes,
            faults_of_exports: volume.faults_of_exports,
            counted: volume.counted,
            model: &model,
            outlook: &outlook,
            spreads,
            assumed: &assumed,
            assumptions: words,
            asked: volume.known.is_some(),
        });
        Ok(Planned { model, outlook, told })
    }

    fn draw(&self, planned: &Planned, config: &Config) -> Result<()> {
        let Some(file) = &self.svg else { return Ok(()) };
        let inputs = [&self.measured, &self.protected, &self.forecast].into_iter().flatten();
        let mut output = Outputs::beside(self.exports.iter().chain(inputs)).and(Some(config)).create(file)?;
        output.write_all(timeline(&planned.model, &planned.outlook).as_bytes()).map_err(|error| {
            Error::because(Exit::Storage, format!("cannot write the timeline {}", file.display()), error)
        })?;
        say(&format!("timeline in {}", file.display()));
        Ok(())
    }
}

/// What a plan is made with, whatever is sent.
struct Settings {
    config: Config,
    measured: Option<Measured>,
    start: Timestamp,
}

impl Settings {
    fn read(plan: &Plan, config: &Path) -> Result<Self> {
        let config = Config::read(config)?;
        intake::operators(&config)?;
        let measured = plan.measured.as_deref().map(Measured::read).transpose()?;
        Ok(Self { config, measured, start: plan.start.unwrap_or_else(Timestamp::now) })
    }
}

/// What is to be sent.
struct Volume {
    counted: Counted,
    load: Load,
    /// Share of those who are looked up that have a mailbox, where it is given.
    digital: Option<f64>,
    /// By operator, where FaR was asked.
    known: Option<Vec<u64>>,
    faults_of_exports: u64,
    /// What else is assumed of it.
    words: Vec<String>,
}

/// A send that was simulated.
struct Planned {
    model: Model,
    outlook: Outlook,
    told: told::Told,
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
