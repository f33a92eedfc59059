//! The look-up desk: asks FaR about every statement that has a digital half, and routes it.

use super::open::Run;
use crate::domain::{Identity, Organisation, Reason};
use crate::error::Error;
use crate::gateway::wire::Fault;
use crate::lookup::{self, FarError};
use crate::track::{DigitalEnd, End, Found, RouteRow, Work};
use crate::watch::crash;
use futures::StreamExt;
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Statements that are looked up together. With 84 senders in one export it gives each about 200 ids a call; with a few,
/// full calls of a thousand. 20 000 rows are about two megabytes.
pub const WINDOW: usize = 20_000;

/// Statements whose recipients FaR is asked about in one call.
struct Question {
    sender: Organisation,
    /// Ordinals by recipient: one recipient may have several statements.
    recipients: BTreeMap<Identity, Vec<u64>>,
}

/// Looks everything up that waits for it, window by window, until nothing does or the run drains.
pub(super) async fn run(run: &Arc<Run>) {
    let refused = match ask_everything(run).await {
        Ok(()) => None,
        Err(Ended::Refused(why)) => {
            tracing::error!(why, "look-ups stop; what is not looked up stays pending");
            Some(why)
        }
        Err(Ended::Fatal(error)) => {
            run.play.fail(error);
            None
        }
    };
    run.play.looked_up(refused);
}

enum Ended {
    Refused(String),
    Fatal(Error),
}

async fn ask_everything(run: &Arc<Run>) -> Result<(), Ended> {
    let mut after = 0;
    let mut refused = None;
    while !run.play.drain.is_cancelled() {
        let page = run.on_pool(move |run| run.journal.to_look_up(after, WINDOW)).await.map_err(Ended::Fatal)?;
        let Some(last) = page.last() else { break };
        after = last.span.ordinal;
        let (questions, known) = sort(run, &page).map_err(Ended::Fatal)?;
        if !known.is_empty() {
            settle(run, known).await.map_err(Ended::Fatal)?;
        }
        let mut asked: FuturesUnordered<_> = FuturesUnordered::new();
        let mut waiting = questions.into_iter();
        loop {
            // As many as FaR's own bound lets through; the gateway holds the permits.
            while asked.len() < run.config.far.concurrency
                && !run.play.drain.is_cancelled()
                && let Some(question) = waiting.next()
            {
                asked.push(ask(run, question));
            }
            match asked.next().await {
                None => break,
                Some(Ok(())) => {}
                // The same for every question: no need to ask the rest.
                Some(Err(Ended::Refused(why))) => return Err(Ended::Refused(why)),
                Some(Err(Ended::Fatal(error))) => return Err(Ended::Fatal(error)),
            }
        }
        refused = refused.or_else(|| run.take_refused_sender());
    }
    refused.map_or(Ok(()), |why| Err(Ended::Refused(why)))
}

/// Groups a page by sender into calls; recipients who are known not to be reachable need no call.
fn sort(run: &Run, page: &[Work]) -> Result<(Vec<Question>, Vec<RouteRow>), Error> {
    let mut by_sender: BTreeMap<Organisation, Vec<Question>> = BTreeMap::new();
    let mut known = Vec::new();
    let looked_up = jiff::Timestamp::now();
    for work in page {
        let recipient = run.recipient(work)?;
        let unreachable = match &recipient {
            None => Some(Reason::NotAddressable),
            Some(recipient) if lookup::is_minor(recipient, run.day) => Some(Reason::Minor),
            Some(_) => None,
        };
        if let Some(reason) = unreachable {
            known.push(RouteRow { ordinal: work.span.ordinal, looked_up, found: Found::Unreachable(reason) });
        }
        let (Some(recipient), None) = (recipient, unreachable) else { continue };
        let sender = run.config.senders.id_of(&work.uppgiftslamnare);
        let questions = by_sender.entry(sender).or_default();
        if questions.last().is_none_or(|question| question.recipients.len() >= run.config.far.batch) {
            questions.push(Question { sender, recipients: BTreeMap::new() });
        }
        if let Some(question) = questions.last_mut() {
            question.recipients.entry(recipient).or_default().push(work.span.ordinal);
        }
    }
    Ok((by_sender.into_values().flatten().collect(), known))
}

async fn ask(run: &Run, question: Question) -> Result<(), Ended> {
    let recipients: Vec<Identity> = question.recipients.keys().copied().collect();
    let answer = tokio::select! {
        answer = run.far.ask(&question.sender, &recipients) => answer,
        () = run.play.drain.cancelled() => return Ok(()),
    };
    let mut found = match answer {
        Ok(found) => found,
        Err(FarError::SenderRefused(code)) => {
            let why = format!("FaR does not accept sender {} (fault {code})", question.sender);
            tracing::error!(sender = %question.sender, code, "FaR does not accept the sender; its statements stay pending");
            run.refuse_sender(why);
            return Ok(());
        }
        Err(error @ (FarError::Refused(_) | FarError::Silent(_))) => {
            return Err(Ended::Refused(error.to_string()));
        }
    };
    crash::point("looked_up");
    // An id that FaR is silent about, twice, stays pending and never goes to paper.
    let silent: Vec<(u64, Reason)> = question
        .recipients
        .iter()
        .filter(|(recipient, _)| !found.contains_key(recipient))
        .flat_map(|(_, ordinals)| ordinals.iter().map(|ordinal| (*ordinal, Reason::FarSilent)))
        .collect();
    let looked_up = jiff::Timestamp::now();
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for (recipient, ordinals) in &question.recipients {
        match found.remove(recipient).map(|found| row(run, found)) {
            None => {}
            Some(Err((reason, fault))) => {
                refused.extend(ordinals.iter().map(|ordinal| refusal(*ordinal, 0, reason, &fault)));
            }
            Some(Ok(found)) => {
                rows.extend(ordinals.iter().map(|ordinal| RouteRow {
                    ordinal: *ordinal,
                    looked_up,
                    found: found.clone(),
                }));
            }
        }
    }
    settle(run, rows).await.map_err(Ended::Fatal)?;
    let ended = refused.len() as u64;
    try_join_all(refused.into_iter().map(|end| run.journal.end_digital(end)))
        .await
        .map_err(|error| Ended::Fatal(error.into()))?;
    run.progress.looked_up.fetch_add(ended, Ordering::Relaxed);
    run.progress.ended(ended);
    run.journal.pend(silent).await.map_err(|error| Ended::Fatal(error.into()))
}

/// The end of a statement about whose recipient FaR answers with a fault that stays. Never paper: who is protected is held,
/// and of others FaR has not said that they have no mailbox.
pub(super) fn refusal(ordinal: u64, attempt: u32, reason: Reason, fault: &Fault) -> DigitalEnd {
    let end = match reason {
        Reason::Protected => End::Held(reason),
        _ => End::Failed(reason),
    };
    tracing::error!(ordinal, code = fault.code, %reason, "FaR answers with a fault about this recipient alone");
    let detail = Some("a fault of FaR about this recipient alone".into());
    let call_id = fault.call_id.clone();
    DigitalEnd { ordinal, attempt, at: jiff::Timestamp::now(), end, fault_code: fault.code, call_id, detail }
}

/// Writes routes, in their order in the journal, and tells the desks.
async fn settle(run: &Run, mut rows: Vec<RouteRow>) -> Result<(), Error> {
    rows.sort_unstable_by_key(|row| row.ordinal);
    let mut first: BTreeMap<u16, u64> = BTreeMap::new();
    let mut unreachable = 0;
    for row in &rows {
        match row.found {
            Found::Mailbox { operator, .. } => {
                first.entry(operator).and_modify(|at| *at = row.ordinal.min(*at)).or_insert(row.ordinal);
            }
            Found::Unreachable(_) => unreachable += 1,
        }
    }
    run.progress.looked_up.fetch_add(rows.len() as u64, Ordering::Relaxed);
    run.journal.route(rows).await?;
    run.progress.ended(unreachable);
    for (operator, ordinal) in first {
        if let Some(desk) = run.desk(operator) {
            run.play.routed(desk, ordinal);
        }
    }
    if unreachable > 0 {
        run.paper_waits.notify_one();
    }
    Ok(())
}

/// An answer of FaR as the journal writes it; one that is a refusal ends the statement instead ([`refusal`]).
pub(super) fn row(run: &Run, found: lookup::Found) -> Result<Found, (Reason, Fault)> {
    match found {
        lookup::Found::Mailbox { operator, address } => {
            Ok(Found::Mailbox { operator: run.number(operator), address: address.to_string() })
        }
        lookup::Found::Unreachable(reason) => Ok(Found::Unreachable(reason)),
        lookup::Found::Refused(reason, fault) => Err((reason, fault)),
    }
}
