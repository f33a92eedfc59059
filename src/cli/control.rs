//! `control`: orders to a running send.

use super::say;
use super::send::must_be_a_run;
use crate::config::{Config, Rate};
use crate::error::{Error, Exit, Result};
use crate::track::control::{self, CONTROL_EVENT, FAR, Order, Standing, What};
use crate::track::{JournalReader, PURGED, Phase, RunOperator};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the sending process is waited for. It looks for orders four times a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// Order a running send to pause, go on, slow down or end
///
/// An order is taken up within a second, without stopping the process, and holds across restarts until another one takes
/// its place: a run that was paused stays so when `utskick resume` starts it again. Without a process it holds from the next
/// start on. Who ordered what and when is in the run's journal: `status` shows what stands, `report` all of it.
///
/// `control DIR resume` ends a pause of a process that runs; `utskick resume DIR` starts a process.
///
/// Exit code 0: the order stands. 64: it makes no sense for this run, and nothing was ordered.
#[derive(Debug, Args)]
pub struct Control {
    /// Folder of the run
    #[arg(value_name = "DIR")]
    run: PathBuf,
    /// What to order
    #[command(subcommand)]
    order: Ordered,
}

#[derive(Debug, Subcommand)]
enum Ordered {
    /// Let nothing leave any more: no letters, and for the whole run no look-ups and print bundles either
    ///
    /// Requests under way go on to their answer. The process waits.
    Pause(Whom),
    /// End a pause; without --operator every pause
    Resume(Whom),
    /// End the process after what is under way, as Ctrl-C does (exit code 2); `utskick resume` goes on
    Drain,
    /// Send no more than so many requests a second to one operator, or to FaR
    ///
    /// Never more than was agreed: to raise a rate, write the new agreement into the settings, drain, and resume.
    Rate {
        /// Organisation number or name of the operator, or `far`
        #[arg(long, value_name = "OPERATOR")]
        operator: String,
        /// Requests a second, above 0; `agreed` takes an earlier order back
        #[arg(long, value_name = "R")]
        per_second: PerSecond,
    },
}

#[derive(Debug, Args)]
struct Whom {
    /// Only this operator: organisation number or name, or `far`
    #[arg(long, value_name = "OPERATOR")]
    operator: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct PerSecond(Option<f64>);

impl std::str::FromStr for PerSecond {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "agreed" {
            return Ok(Self(None));
        }
        match text.parse::<f64>() {
            Ok(rate) if rate > 0.0 && rate <= 100_000.0 => Ok(Self(Some(rate))),
            _ => Err("a rate is a number above 0 and at most 100000, or agreed".into()),
        }
    }
}

impl Control {
    pub(super) fn run(self) -> Result<Exit> {
        let Self { run, order } = self;
        must_be_a_run(&run)?;
        let journal = JournalReader::open(&run)?;
        if journal.phase()? == Phase::Finished {
            return Err(Error::new(Exit::Usage, "the run is finished: there is nothing left to control"));
        }
        if journal.events_of(PURGED)? > 0 {
            return Err(Error::new(Exit::Usage, "the run is purged: nothing of it is sent any more")
                .remedy("what waited goes with a new run of the export: control that one"));
        }
        let running = journal.is_running();
        let operators = &journal.header().operators;
        let (what, whom) = match order {
            Ordered::Pause(whom) => (What::Pause, whom.operator),
            Ordered::Resume(whom) => (What::Resume, whom.operator),
            Ordered::Drain if !running => {
                return Err(Error::new(Exit::Usage, "no process is at the run: there is nothing to drain"));
            }
            Ordered::Drain => (What::Drain, None),
            Ordered::Rate { operator, per_second } => (What::Rate(per_second.0), Some(operator)),
        };
        let gateway = whom.map(|whom| gateway(operators, &whom)).transpose()?;
        if let (What::Rate(Some(rate)), Some(id)) = (what, &gateway) {
            within(agreed(&journal, id)?, rate)?;
        }
        let order = Order::now(what, gateway);
        let number = order.give(&run)?;
        say(&format!("ordered: {}", order.told(operators)));
        if running {
            wait_for(&journal, number)?;
        } else {
            say(&format!(
                "no process is at the run: this holds from the next `utskick resume {}` on",
                super::shown(&run)
            ));
        }
        let standing = Standing::of(&control::read(&run)?);
        if let (What::Resume, Some(id)) = (what, &order.gateway)
            && standing.pauses(id)
        {
            say(&format!("{id} stays paused, since the whole run is: order resume without --operator"));
        }
        Ok(Exit::Done)
    }
}

/// Waits until the sending process has taken the order up.
fn wait_for(journal: &JournalReader, number: usize) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && journal.is_running() {
        if journal.events_of(CONTROL_EVENT)? >= number as u64 {
            say("the sending process has taken it up");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    say(match journal.is_running() {
        true => "the sending process has not taken it up yet; it does when it sends, or at its next start",
        false => "the sending process has ended",
    });
    Ok(())
}

/// The id of the gateway that somebody named.
fn gateway(operators: &[RunOperator], whom: &str) -> Result<String> {
    if whom.eq_ignore_ascii_case(FAR) {
        return Ok(FAR.to_owned());
    }
    let known = operators.iter().find(|of| of.id == whom || of.name.to_lowercase() == whom.to_lowercase());
    known.map(|of| of.id.clone()).ok_or_else(|| {
        let all: Vec<String> = operators.iter().map(|of| format!("{} ({})", of.name, of.id)).collect();
        Error::new(Exit::Usage, format!("the run has no operator {whom:?}"))
            .remedy(format!("name one of {}, or far", all.join(", ")))
    })
}

/// The rate that was agreed with a gateway; `None`: unlimited. An operator's stands in the journal, FaR's in the settings.
fn agreed(journal: &JournalReader, id: &str) -> Result<Option<f64>> {
    let header = journal.header();
    if id != FAR {
        return Ok(header.operators.iter().find(|of| of.id == id).and_then(|of| of.rate_per_s));
    }
    Ok(match Config::read(&header.config_file)?.far.rate_per_s {
        Rate::PerSecond(rate) => Some(rate),
        Rate::Unlimited => None,
    })
}

/// A rate above the agreed one is not for an order to give.
fn within(agreed: Option<f64>, rate: f64) -> Result<()> {
    match agreed {
        Some(agreed) if rate > agreed => {
            Err(Error::new(Exit::Usage, format!("{rate}/s is above the agreed rate of {agreed}/s"))
                .remedy("where a higher rate was agreed, write it into the settings, drain, and resume"))
        }
        _ => Ok(()),
    }
}
