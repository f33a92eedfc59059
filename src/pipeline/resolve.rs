//! What is in doubt, settled by a person.

use super::copies;
use super::open::fingerprints;
use super::purge::{self, remove_payload};
use crate::config::Config;
use crate::domain::{Outcome, Reason};
use crate::error::{Error, Exit, Result};
use crate::track::{
    DigitalEnd, End, InDoubtSeen, Installation, Journal, JournalReader, Phase, Register, RunOperator, Settlement,
    control,
};
use futures::future::try_join_all;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Most ids that a refusal or an audit line names.
const NAMED: usize = 20;

/// Statements that are settled with one sync and one audit line: the sync is then nothing beside the rows, and a
/// transaction is still short.
const GROUP: usize = 10_000;

/// Which statements in doubt are meant; what is not given does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// An operator's organisation number or name.
    pub operator: Option<String>,
    /// Ordinals or message ids, as `report` lists them.
    pub ids: Option<Vec<String>>,
}

/// What of a run is in doubt and selected, ascending by ordinal, with the operators that its numbers refer to.
///
/// *Errors*: an operator that the run does not know; ids that are not in doubt, named.
pub fn in_doubt(run: &Path, selection: &Selection) -> Result<(Vec<InDoubtSeen>, Vec<RunOperator>)> {
    let reader = JournalReader::open(run)?;
    let operators = reader.header().operators.clone();
    let all = reader.in_doubt(reader.is_running())?;
    Ok((select(all, &operators, selection)?, operators))
}

/// Settles what is selected, with an audit line. Returns how many.
///
/// *Errors*: a process is at the run; the selection is wrong, and nothing was settled; what is to be sent again cannot
/// be, since the copies are purged; storage.
pub fn resolve(run: &Path, selection: &Selection, settlement: Settlement) -> Result<usize> {
    let config = Config::read(&JournalReader::open(run)?.header().config_file)?;
    let installation = Installation::existing(&config.installation)?;
    // From here on nobody else changes what is in doubt.
    let journal = Journal::open(run, &installation)?;
    Register::open(&installation)?.is_current(&journal)?;
    let (chosen, _) = in_doubt_of(run, selection)?;
    let exports = fingerprints(&journal.header())?;
    // From a purged run what was not delivered goes with a new run.
    let needs_copies = match settlement {
        Settlement::Delivered => false,
        Settlement::NotDelivered => !purge::is_purged(&journal)?,
        Settlement::Resend => true,
    };
    if !chosen.is_empty() && needs_copies && !copies::can_be_had(run, &journal, &exports)? {
        return Err(Error::new(Exit::Usage, "the run's copies are purged or lost: nothing of it can be sent again")
            .remedy(
                "purge the run (--even-pending), settle as delivered what has arrived and as not-delivered what has not, \
                 and send the export in a new run: what waited or was not delivered goes with it",
            ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Error::because(Exit::Storage, "cannot start the runtime", error))?;
    let word = match settlement {
        Settlement::Delivered => "delivered",
        Settlement::NotDelivered => "not delivered, to be looked up and sent anew",
        Settlement::Resend => "to be sent again, although it may have arrived",
    };
    let (user, run_id) = (control::user(), journal.header().run_id.clone());
    let settled = runtime.block_on(async {
        // What a killed process left under way has no outcome at all yet.
        let chosen: BTreeSet<u64> = chosen.iter().map(|of| of.ordinal).collect();
        let ordered = journal.ordered_again()?;
        let mut left = journal.open_intents()?;
        // Ordered before, and still to be sent: it stands as it is. What came back in doubt is ordered anew.
        let open: BTreeSet<u64> = left.iter().map(|open| open.intent.ordinal).collect();
        let stands =
            |ordinal: &u64| settlement == Settlement::Resend && ordered.contains(ordinal) && open.contains(ordinal);
        let chosen: BTreeSet<u64> = chosen.into_iter().filter(|ordinal| !stands(ordinal)).collect();
        left.retain(|open| chosen.contains(&open.intent.ordinal));
        for group in left.chunks(GROUP) {
            let ends = group.iter().map(|open| {
                let (ordinal, attempt) = (open.intent.ordinal, open.intent.attempt);
                let (at, end) = (Timestamp::now(), End::InDoubt(Reason::Interrupted));
                let row = DigitalEnd { ordinal, attempt, at, end, fault_code: None, call_id: None, detail: None };
                journal.end_digital(row)
            });
            try_join_all(ends).await?;
        }
        // What is killed between two groups has told of what it settled; the rest is still in doubt.
        let chosen: Vec<u64> = chosen.into_iter().collect();
        for group in chosen.chunks(GROUP) {
            let ordinals: Vec<String> = group.iter().take(NAMED).map(u64::to_string).collect();
            let more = and_more(group.len() - ordinals.len());
            let text = format!("{} statements as {word}, by {user}: {}{more}", group.len(), ordinals.join(", "));
            journal.settle(group.to_vec(), settlement, text.clone()).await?;
            installation.audit(&format!("resolve: run {run_id}: {text}"))?;
        }
        Ok::<usize, Error>(chosen.len())
    })?;
    // Copies of before are known by it.
    Register::open(&installation)?.note_step(&journal)?;
    // Also where an earlier process was killed before it came to this.
    let counts = journal.counts()?;
    if counts.of(Outcome::Pending) == 0 && journal.phase() != Phase::Intake {
        journal.finish()?;
        remove_payload(run, &config, &journal, &counts)?;
    }
    Ok(settled)
}

/// As [`in_doubt`], for the process that holds the run.
fn in_doubt_of(run: &Path, selection: &Selection) -> Result<(Vec<InDoubtSeen>, Vec<RunOperator>)> {
    let reader = JournalReader::open(run)?;
    let operators = reader.header().operators.clone();
    Ok((select(reader.in_doubt(false)?, &operators, selection)?, operators))
}

fn select(all: Vec<InDoubtSeen>, operators: &[RunOperator], selection: &Selection) -> Result<Vec<InDoubtSeen>> {
    let operator = match &selection.operator {
        None => None,
        Some(whom) => {
            let known = operators.iter().position(|of| of.id == *whom || of.name.to_lowercase() == whom.to_lowercase());
            let place = known.ok_or_else(|| Error::new(Exit::Usage, format!("the run has no operator {whom:?}")))?;
            Some(place as u16)
        }
    };
    let chosen: Vec<InDoubtSeen> = all.into_iter().filter(|of| operator.is_none_or(|at| at == of.operator)).collect();
    let Some(ids) = &selection.ids else { return Ok(chosen) };
    let by_ordinal: HashMap<u64, usize> = chosen.iter().enumerate().map(|(place, of)| (of.ordinal, place)).collect();
    // The first of those that have one id.
    let by_id: HashMap<String, usize> =
        chosen.iter().enumerate().rev().map(|(place, of)| (of.message_id.to_string(), place)).collect();
    let mut places = BTreeSet::new();
    let mut unknown = Vec::new();
    for id in ids {
        let place = match id.parse::<u64>() {
            Ok(ordinal) => by_ordinal.get(&ordinal),
            Err(_) => by_id.get(&id.to_ascii_lowercase()),
        };
        match place {
            Some(place) => _ = places.insert(*place),
            None => unknown.push(id.as_str()),
        }
    }
    if !unknown.is_empty() {
        let named: Vec<&str> = unknown.iter().take(NAMED).copied().collect();
        let more = and_more(unknown.len() - named.len());
        return Err(Error::new(
            Exit::Usage,
            format!("not in doubt here: {}{more}; nothing was settled", named.join(", ")),
        )
        .remedy("`utskick report` lists what is in doubt, by ordinal and message id"));
    }
    Ok(chosen.into_iter().enumerate().filter(|(place, _)| places.contains(place)).map(|(_, of)| of).collect())
}

fn and_more(count: usize) -> String {
    if count > 0 { format!(" and {count} more") } else { String::new() }
}
