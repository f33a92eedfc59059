//! What is in doubt, settled by a person.

use super::purge::remove_payload;
use crate::config::Config;
use crate::domain::{Outcome, Reason};
use crate::error::{Error, Exit, Result};
use crate::track::{
    DigitalEnd, End, InDoubtSeen, Installation, Journal, JournalReader, Phase, RunOperator, Settlement, control,
};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::Path;

/// Most ids that a refusal names.
const NAMED: usize = 20;

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
    let (chosen, _) = in_doubt_of(run, selection)?;
    if chosen.is_empty() {
        return Ok(0);
    }
    if settlement != Settlement::Delivered && !can_be_made(&journal) {
        return Err(Error::new(Exit::Usage, "the run's copies are purged: nothing of it can be sent again")
            .remedy("settle as delivered what has arrived, and send the rest in a new run with --again"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Error::because(Exit::Storage, "cannot start the runtime", error))?;
    let word = match settlement {
        Settlement::Delivered => "delivered",
        Settlement::NotDelivered => "not delivered, to be looked up and sent anew",
        Settlement::Resend => "to be sent again, although it may have arrived",
    };
    runtime.block_on(async {
        // What a killed process left under way has no outcome at all yet.
        let chosen: BTreeSet<u64> = chosen.iter().map(|of| of.ordinal).collect();
        let ordered = journal.ordered_again()?;
        for open in journal.open_intents()? {
            let (ordinal, attempt) = (open.intent.ordinal, open.intent.attempt);
            if chosen.contains(&ordinal) && !(ordered.contains(&ordinal) && settlement == Settlement::Resend) {
                let (at, end) = (Timestamp::now(), End::InDoubt(Reason::Interrupted));
                let row = DigitalEnd { ordinal, attempt, at, end, fault_code: None, call_id: None, detail: None };
                journal.end_digital(row).await?;
            }
        }
        for ordinal in &chosen {
            // Ordered before, and still to be sent: it stands as it is.
            if !(ordered.contains(ordinal) && settlement == Settlement::Resend) {
                journal.settle(*ordinal, settlement).await?;
            }
        }
        Ok::<(), Error>(())
    })?;
    let ordinals: Vec<String> = chosen.iter().take(NAMED).map(|of| of.ordinal.to_string()).collect();
    let more = chosen.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("{} statements as {word}, by {}: {}{more}", chosen.len(), control::user(), ordinals.join(", "));
    installation.audit(&format!("resolve: run {}: {text}", journal.header().run_id))?;
    journal.note("settled", &text)?;
    let counts = journal.counts()?;
    if counts.of(Outcome::Pending) == 0 && journal.phase() != Phase::Intake {
        journal.finish()?;
        remove_payload(run, &config, &journal, &counts)?;
    }
    Ok(chosen.len())
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
    let is = |of: &InDoubtSeen, id: &str| match id.parse::<u64>() {
        Ok(ordinal) => of.ordinal == ordinal,
        Err(_) => of.message_id.to_string().eq_ignore_ascii_case(id),
    };
    let mut places = BTreeSet::new();
    let mut unknown = Vec::new();
    for id in ids {
        match chosen.iter().position(|of| is(of, id)) {
            Some(place) => _ = places.insert(place),
            None => unknown.push(id.as_str()),
        }
    }
    if !unknown.is_empty() {
        let named: Vec<&str> = unknown.iter().take(NAMED).copied().collect();
        let more = unknown.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Err(Error::new(
            Exit::Usage,
            format!("not in doubt here: {}{more}; nothing was settled", named.join(", ")),
        )
        .remedy("`utskick report` lists what is in doubt, by ordinal and message id"));
    }
    Ok(chosen.into_iter().enumerate().filter(|(place, _)| places.contains(place)).map(|(_, of)| of).collect())
}

/// Whether letters of the run can still be made: what it reads its statements from is there.
fn can_be_made(journal: &Journal) -> bool {
    let there = |staged: &serde_json::Value| staged.as_str().is_some_and(|path| Path::new(path).exists());
    journal.header().exports.iter().all(|export| export.fingerprint.get("staged").is_some_and(there))
}
