//! What a plan assumes: given on the command line, or not known and said so.

use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::plan::model::Assumptions;
use std::time::Duration;

/// Time of an answer where none is given: a round trip in Sweden and a careful gateway's work. Nothing is published.
const LATENCY: Duration = Duration::from_millis(300);
/// Attempts in a thousand that are to be made again, where nothing is given.
const RETRIES: f64 = 0.005;
/// Share of push-back above which a plan warns of it.
pub(super) const SLOWS: f64 = 1.0 / 16.0;

/// A value, of one gateway or of all.
#[derive(Clone, Debug)]
pub(super) struct Named<T> {
    name: Option<String>,
    value: T,
}

/// Who has a mailbox where.
pub(super) struct Shares<'a> {
    /// Of those who are looked up.
    pub(super) digital: Option<f64>,
    /// Whether that is a forecast's.
    pub(super) forecast: bool,
    /// Of the mailboxes.
    pub(super) operators: &'a [Named<f64>],
    /// By operator, where FaR was asked.
    pub(super) known: Option<&'a [u64]>,
}

/// How long things take.
pub(super) struct Times<'a> {
    pub(super) latency: &'a [Named<Duration>],
    pub(super) retries: Option<f64>,
    pub(super) cores: Option<f64>,
}

/// The assumptions of a plan, and what is said of them.
///
/// *Errors*: exit 64, for a name that the settings do not have, or shares beyond the whole.
pub(super) fn assumptions(
    config: &Config,
    shares: &Shares<'_>,
    times: &Times<'_>,
    looked_up: u64,
) -> Result<(Assumptions, Vec<String>)> {
    let mut words = Vec::new();
    let operator_shares = match shares.known {
        Some(known) => {
            words.push("who has a mailbox, and where, is what FaR said just now".to_owned());
            known.iter().map(|known| *known as f64 / looked_up.max(1) as f64).collect()
        }
        None => assumed_shares(config, shares, &mut words)?,
    };
    let (mut latency, mut far_latency) = (vec![LATENCY; config.operators.len()], LATENCY);
    for Named { name, value } in times.latency.iter().filter(|at| at.name.is_none()) {
        debug_assert!(name.is_none());
        (latency, far_latency) = (vec![*value; config.operators.len()], *value);
    }
    for Named { name, value } in times.latency {
        match name.as_deref() {
            None => {}
            Some(name) if name.eq_ignore_ascii_case("far") => far_latency = *value,
            Some(name) => latency.get_mut(operator(config, name)?).into_iter().for_each(|at| *at = *value),
        }
    }
    if times.latency.is_empty() {
        words.push(format!("every answer takes {LATENCY:?}: how fast gateways answer is not published (--latency)"));
    }
    let retries = times.retries.unwrap_or(RETRIES);
    let given = if times.retries.is_some() { "as given" } else { "assumed (--retries)" };
    words.push(format!(
        "{} % of an operator's answers are push-back (429, 503), {given}, whatever its rate; they slow it as they slow a send",
        percent(retries)
    ));
    let here = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = times.cores.unwrap_or(here as f64);
    let given = if times.cores.is_some() { "as given" } else { "all of this machine (--cores)" };
    words.push(format!("the send has {cores} cores, {given}"));
    Ok((Assumptions { operator_shares, latency, far_latency, retries, cores, beside_s: 0.0 }, words))
}

fn assumed_shares(config: &Config, shares: &Shares<'_>, words: &mut Vec<String>) -> Result<Vec<f64>> {
    let digital = shares.digital.unwrap_or(1.0);
    words.push(match shares.digital {
        Some(_) if shares.forecast => {
            format!("{} % of those who are looked up have a mailbox, as the forecast has it", percent(digital))
        }
        Some(_) => format!("{} % of those who are looked up have a mailbox, as given", percent(digital)),
        None => "everyone who is looked up has a mailbox: the most that operators can get (--digital-share, --ask-far)"
            .to_owned(),
    });
    let mut of_operator: Vec<Option<f64>> = vec![None; config.operators.len()];
    for Named { name, value } in shares.operators {
        let name = name.as_deref().unwrap_or_default();
        let place = operator(config, name)?;
        if of_operator.get_mut(place).is_some_and(|at| at.replace(*value).is_some()) {
            return Err(Error::new(Exit::Usage, format!("the share of {name} is given twice"))
                .remedy("give each operator's share once"));
        }
    }
    let named: f64 = of_operator.iter().flatten().sum();
    let unnamed = of_operator.iter().filter(|at| at.is_none()).count();
    if named > 1.0 + 1e-9 || unnamed == 0 && !of_operator.is_empty() && named < 1.0 - 1e-9 {
        return Err(Error::new(Exit::Usage, format!("the shares of the operators sum to {} %", percent(named)))
            .remedy("shares of all operators sum to 100 %; leave one out, and it has the rest"));
    }
    let rest = (1.0 - named).max(0.0) / unnamed.max(1) as f64;
    match (shares.operators.is_empty(), config.operators.len()) {
        (true, 2..) => {
            words.push("the operators have equal parts of the mailboxes (--operator-share, --ask-far)".into())
        }
        (false, _) if unnamed > 1 => words.push("operators without a share have equal parts of the rest".into()),
        _ => {}
    }
    Ok(of_operator.into_iter().map(|share| share.unwrap_or(rest) * digital).collect())
}

/// An operator's place in the settings, by its name or id.
fn operator(config: &Config, name: &str) -> Result<usize> {
    let found = config
        .operators
        .iter()
        .position(|operator| operator.name.eq_ignore_ascii_case(name) || operator.id.to_string() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = config.operators.iter().map(|operator| operator.name.as_str()).collect();
        Error::new(Exit::Usage, format!("the settings have no operator {name:?}"))
            .remedy(format!("they have {}", names.join(", ")))
    })
}

pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `0.4`, `40%`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    let wrong = || "a share is from 0 to 1, or from 0% to 100%".to_owned();
    number.ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong)
}

/// `Kivra=0.6`.
pub(super) fn named_share(text: &str) -> Result<Named<f64>, String> {
    let (name, value) = text.rsplit_once('=').ok_or("an operator's share is NAME=SHARE")?;
    Ok(Named { name: Some(name.to_owned()), value: share(value)? })
}

/// `250ms`, `Kivra=2s`.
pub(super) fn named_time(text: &str) -> Result<Named<Duration>, String> {
    let (name, value) = match text.rsplit_once('=') {
        Some((name, value)) => (Some(name.to_owned()), value),
        None => (None, text),
    };
    let (number, scale_ms) = match (value.strip_suffix("ms"), value.strip_suffix('s'), value.strip_suffix('m')) {
        (Some(number), ..) => (number, 1),
        (None, Some(number), _) => (number, 1_000),
        (None, None, Some(number)) => (number, 60_000),
        _ => ("", 0),
    };
    let number: Option<u64> = number.parse().ok();
    match number.and_then(|number| number.checked_mul(scale_ms)).filter(|time| *time <= 3_600_000) {
        Some(time) => Ok(Named { name, value: Duration::from_millis(time) }),
        None => Err("a time of an answer is a whole number and ms, s or m, as 250ms, and at most an hour".to_owned()),
    }
}

/// A number of cores, not always whole.
pub(super) fn cores(text: &str) -> Result<f64, String> {
    let cores: Option<f64> = text.parse().ok();
    cores.filter(|cores| (0.01..=4096.0).contains(cores)).ok_or_else(|| "cores are from 0.01 to 4096".to_owned())
}
