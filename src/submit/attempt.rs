//! One attempt: connection, permit, intent on disk, first byte, verdict. In this order and no other.

use super::verdict::{Verdict, verdict};
use crate::domain::Identity;
use crate::gateway::{Address, CallError, Gateway, Lease};
use hyper::body::Bytes;
use std::time::{Duration, Instant};

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
    /// How long before its slot the intent is written: about as long as a sync takes.
    pub lead: Duration,
}

/// Makes one attempt on a connection that is ready.
///
/// `intend` makes the intent durable; it is called once the permit is held, and the first byte leaves only after it
/// returned `Ok`. Its error ends the attempt before anything was sent and is given back.
pub async fn attempt<E>(
    lease: Lease,
    what: Attempt<'_>,
    intend: impl AsyncFnOnce() -> Result<(), E>,
) -> Result<Verdict, E> {
    let pacer = what.gateway.pacer();
    let mut slot = pacer.reserve(Instant::now() + what.lead);
    intend().await?;
    // A slot that passed while the intent was synced is given up; the intent holds for the next one too.
    while !pacer.wait(slot).await {
        slot = pacer.reserve(Instant::now());
    }
    let end: Result<_, CallError> = what.gateway.post(lease, what.address, what.body).await;
    Ok(verdict(what.recipient, &end))
}
