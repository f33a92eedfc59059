//! One attempt: connection, permit, intent on disk, first byte, verdict. In this order and no other. A connection that
//! has become old while it waited for the permit is replaced before the intent.

use super::verdict::Verdict;
use crate::domain::Identity;
use crate::gateway::{Address, CallError, Gateway, Lease, Pacer, Place, Reply, Shut, Slot};
use hyper::body::Bytes;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long an intent may wait for another slot when its own has passed, before it is taken back.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is sent, where and about whom.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The operator.
    pub gateway: &'a Gateway,
    /// The operator's service address, as FaR gave it.
    pub address: &'a Address,
    /// Whose mailbox.
    pub recipient: &'a Identity,
    /// The whole SOAP envelope.
    pub body: Bytes,
    /// Nothing new starts once this is cancelled.
    pub drain: &'a CancellationToken,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum Attempted {
    /// It was made, or taken back once its intent was written. Who has the place gives it up when what came of it is on
    /// its way to the journal, and no earlier: intents without an outcome then never exceed the operator's bound.
    Made(Verdict, Place),
    /// Nothing may leave now: there was no intent.
    Shut(Shut),
    /// There is no connection any more: there was no intent.
    Unconnected(CallError),
}

/// Makes one attempt on a connection that was ready when it was leased.
///
/// `intend` makes the intent durable; it is called once the permit is held, and the first byte leaves only after it
/// returned `Ok`. Its error ends the attempt before anything was sent and is given back.
pub async fn attempt<E>(
    mut lease: Lease,
    what: Attempt<'_>,
    intend: impl AsyncFnOnce() -> Result<(), E>,
) -> Result<Attempted, E> {
    let pacer = what.gateway.pacer();
    let wait = what.gateway.waits().permit.enter();
    let slot = loop {
        // A slot may be long in coming: a gateway that has stopped answering meanwhile is left alone.
        if let Err(again) = what.gateway.admits(&mut lease) {
            tokio::select! {
                () = tokio::time::sleep(again) => continue,
                () = what.drain.cancelled() => {
                    drop(what.gateway.give_back(lease));
                    return Ok(Attempted::Shut(Shut::Draining));
                }
            }
        }
        // Who comes late, or is woken late, still tries a nearer slot: nobody else would take it.
        let shut = match permit(pacer, pacer.lead().now() / 2, what.drain).await {
            Ok(slot) => {
                let refreshed = tokio::select! {
                    biased;
                    refreshed = what.gateway.refresh(&mut lease, what.address) => Some(refreshed),
                    () = what.drain.cancelled() => None,
                };
                match refreshed {
                    Some(Ok(())) if pacer.has_passed(slot) || what.gateway.admits(&mut lease).is_err() => continue,
                    Some(Ok(())) => break slot,
                    Some(Err(error)) => return Ok(Attempted::Unconnected(error)),
                    None => Shut::Draining,
                }
            }
            Err(shut) => shut,
        };
        drop(what.gateway.give_back(lease));
        return Ok(Attempted::Shut(shut));
    };
    drop(wait);
    let wait = what.gateway.waits().journal.enter();
    let taken = Instant::now();
    intend().await?;
    what.gateway.rest(&lease).await;
    pacer.lead().took(taken.elapsed());
    drop(wait);
    // A slot that passed while the intent was synced is given up; the intent holds for the next one too, if it is soon.
    let mut good = pacer.wait(slot).await;
    while !good {
        let another = tokio::time::timeout(PATIENCE, permit(pacer, Duration::ZERO, what.drain));
        let cause = match another.await {
            Ok(Ok(_)) if !what.gateway.is_fresh(&lease) => "the connection has become old".into(),
            Ok(Ok(slot)) => {
                good = pacer.wait(slot).await;
                continue;
            }
            Ok(Err(shut)) => shut.to_string(),
            Err(_) => "no slot came soon enough".into(),
        };
        return Ok(Attempted::Made(Verdict::again(cause, None, false), what.gateway.give_back(lease)));
    }
    let judge = |reply: &Reply| Verdict::judge(what.recipient, reply);
    let (answered, place) = what.gateway.post(lease, what.address, what.body, judge).await;
    Ok(Attempted::Made(answered.unwrap_or_else(Verdict::without_answer), place))
}

async fn permit(pacer: &Pacer, least: Duration, drain: &CancellationToken) -> Result<Slot, Shut> {
    tokio::select! {
        biased;
        () = drain.cancelled() => Err(Shut::Draining),
        slot = pacer.permit(least) => slot,
    }
}
