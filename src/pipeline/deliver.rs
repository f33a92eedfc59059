//! An operator's desk: pulls what waits for the operator, has letters made just ahead of need, and sends them.
//!
//! Per statement: journal row → letter on the CPU pool → connection → permit → intent → first byte → verdict → outcome.
//! A desk that is stopped, slow or waiting holds up nobody else.

use super::open::Run;
use super::route;
use crate::config::{InDoubt, Operator, Rate};
use crate::domain::Reason;
use crate::error::Error;
use crate::gateway::{Address, CallError, Gateway};
use crate::prepare::{Made, PrepareError};
use crate::submit::{self, Attempt, Attempted, Verdict, retry};
use crate::track::{AttemptOver, DigitalEnd, End, Found, Intent, OpenIntent, RouteRow, Routed, TrackError};
use hyper::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Rows of one query.
pub(super) const PAGE: usize = 512;
/// Sealed letters ahead of the concurrency bound: enough for two cores to sign while requests fly.
pub const AHEAD: usize = 16;
/// Statements of one operator that wait for another try before nothing else of it is tried.
pub(super) const LATER: usize = 10_000;
/// The longest that an earlier process put a statement off: what a gateway may ask for, and the longest back-off.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(3600 + 300);

/// An operator and what its desk keeps.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) index: usize,
    pub(super) gateway: Gateway,
    pub(super) settings: Operator,
    budget: Mutex<retry::Budget>,
    /// The last address that FaR gave, read; an operator has one.
    address: Mutex<Option<(String, Arc<Address>)>>,
    /// Why statements in doubt could not be sent again, each told of in the journal once.
    told: Mutex<HashSet<String>>,
    /// Room for statements that FaR is asked about again.
    asks: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(index: usize, gateway: Gateway, settings: Operator) -> Self {
        Self {
            index,
            gateway,
            settings,
            budget: Mutex::default(),
            address: Mutex::default(),
            told: Mutex::default(),
            asks: Arc::new(Semaphore::new(LATER)),
        }
    }

    fn address(&self, text: &str) -> Option<Arc<Address>> {
        let mut last = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, address)) = last.as_ref()
            && known == text
        {
            return Some(Arc::clone(address));
        }
        let address = Arc::new(Address::parse(text)?);
        *last = Some((text.to_owned(), Arc::clone(&address)));
        Some(address)
    }

    fn wait_before_retry(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let wait = retry::wait_before_next(attempt, asked, fastrand::f64());
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).spend(wait)
    }

    fn success(&self) {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).success();
    }
}

/// A statement at a desk.
#[derive(Debug)]
struct Item {
    routed: Routed,
    /// A request of it may have arrived already: then only the same bytes may be sent, and only a delivery settles it.
    doubt: Option<(Arc<Intent>, Reason)>,
    /// Attempts of this process that never reached the operator.
    unheard: u32,
}

/// What became of a statement that was given out.
enum Back {
    /// It has its end, or is no longer this desk's.
    Settled(u64),
    /// It is to be tried again from this time.
    Later(Box<Item>, Instant),
    /// Nothing may leave to its operator now: it is the first to go when something may.
    Again(Box<Item>),
    /// It stays as it is: the run drains, or the desk is stopped.
    Left(u64),
}

/// Runs a desk until everything is settled, the run drains, or the operator refuses us.
pub(super) async fn run(run: Arc<Run>, desk: Arc<Desk>, doubtful: Vec<OpenIntent>) {
    if let Err(error) = pull(&run, &desk, doubtful).await {
        run.play.fail(error);
    }
}

async fn pull(run: &Arc<Run>, desk: &Arc<Desk>, doubtful: Vec<OpenIntent>) -> Result<(), Error> {
    let ahead = desk.settings.concurrency + AHEAD;
    let permits = Arc::new(Semaphore::new(ahead));
    let (back, mut returned) = mpsc::channel(ahead);
    let mut queue = Queue { again: doubtful.into_iter().map(doubtful_item).collect(), ..Queue::default() };
    let mut was_shut = false;
    loop {
        while let Ok(item) = returned.try_recv() {
            queue.take_back(item);
        }
        if run.play.drain.is_cancelled() || run.play.settled.is_cancelled() || run.play.is_stopped(desk.index) {
            break;
        }
        let shut = desk.gateway.pacer().gate().shut();
        if shut.is_none() && std::mem::take(&mut was_shut) {
            desk.gateway.breaker().start_anew(Instant::now());
        }
        was_shut |= shut.is_some();
        if !was_shut
            && desk.gateway.breaker().failing_for(Instant::now()).is_some_and(|at| at > desk.settings.give_up_after)
        {
            let why = format!("{} has not answered for {:?}", desk.settings.name, desk.settings.give_up_after);
            let last = desk.gateway.last_failure().map(|last| format!("; {last}"));
            stop(run, desk, why + &last.unwrap_or_default()).await?;
            break;
        }
        if let Some(from) = run.play.take_routed(desk.index) {
            queue.look_from(from);
        }
        let changed = run.play.change_seen();
        let next = queue.next(run, desk)?;
        let Some(item) = next else {
            if queue.out.is_empty() && queue.waiting.is_empty() {
                run.play.idle(desk.index);
                // Who is asked nothing leaves nothing unanswered.
                desk.gateway.breaker().start_anew(Instant::now());
            }
            let due = queue.next_due().unwrap_or_else(|| Instant::now() + Duration::from_secs(1));
            tokio::select! {
                Some(item) = returned.recv() => queue.take_back(item),
                () = changed => {}
                () = tokio::time::sleep_until(due.into()) => {}
                () = run.play.drain.cancelled() => {}
                () = run.play.settled.cancelled() => {}
            }
            continue;
        };
        // While nothing may leave no letter is made: it would be of another day, and its look-up grow old, by then.
        if shut.is_some() {
            queue.again.push_front(item);
            let _wait = desk.gateway.waits().window.enter();
            tokio::select! {
                _ = desk.gateway.pacer().gate().opened() => {}
                Some(item) = returned.recv() => queue.take_back(item),
                () = run.play.drain.cancelled() => {}
                () = run.play.settled.cancelled() => {}
            }
            continue;
        }
        // Wait for room ahead of the operator; the statement is put back if the run ends meanwhile.
        let permit = loop {
            tokio::select! {
                biased;
                () = run.play.drain.cancelled() => break None,
                Some(item) = returned.recv() => queue.take_back(item),
                permit = Arc::clone(&permits).acquire_owned() => break permit.ok(),
            }
        };
        let Some(permit) = permit else { break };
        queue.out.insert(item.routed.work.span.ordinal);
        let (run, desk, back) = (Arc::clone(run), Arc::clone(desk), back.clone());
        run.clone().tasks.spawn(async move {
            let ordinal = item.routed.work.span.ordinal;
            let end = match deliver(&run, &desk, item, permit).await {
                Ok(end) => end,
                Err(error) => {
                    run.play.fail(error);
                    Back::Left(ordinal)
                }
            };
            // A desk that has stopped pulling no longer listens.
            let _ = back.send(end).await;
        });
    }
    // Attempts under way go on to their outcome; taking their ends keeps them from waiting for us.
    drop(back);
    while returned.recv().await.is_some() {}
    Ok(())
}

/// Stops the desk, once, whoever of its statements is refused first: the others give up what they wait for.
async fn stop(run: &Run, desk: &Desk, why: String) -> Result<(), Error> {
    if !run.play.stop_desk(desk.index, why.clone()) {
        return Ok(());
    }
    tracing::error!(operator = desk.settings.name, why, "the operator's queue stops; its statements stay pending");
    run.note("operator_stopped", &why);
    if let Some(seen) = run.progress.operators.get(desk.index) {
        seen.stopped.store(true, Ordering::Relaxed);
    }
    Ok(run.journal.operator_stopped(run.number(desk.index), true).await?)
}

/// Stops the desk for what was said of one of its statements: it may be its address alone that is wrong.
async fn refused(run: &Run, desk: &Desk, ordinal: u64, address: &Address, cause: &str) -> Result<(), Error> {
    let (name, place) = (&desk.settings.name, address.place());
    stop(run, desk, format!("{name}: {cause} (statement {ordinal}, {place})")).await
}

fn doubtful_item(open: OpenIntent) -> Item {
    let OpenIntent { work, intent, reason } = open;
    let routed = Routed {
        address: intent.address.clone(),
        looked_up: intent.at,
        attempts: intent.attempt,
        not_before: None,
        not_delivered: 0,
        work,
    };
    Item { routed, doubt: Some((Arc::new(intent), reason)), unheard: 0 }
}

/// What waits at a desk: a page of the journal, and statements that are to be tried again.
#[derive(Default)]
struct Queue {
    /// Everything up to this ordinal has been read.
    cursor: u64,
    page: VecDeque<Routed>,
    exhausted: bool,
    again: VecDeque<Item>,
    later: BinaryHeap<Reverse<(Instant, u64)>>,
    waiting: BTreeMap<u64, Item>,
    /// Statements that are given out.
    out: HashSet<u64>,
}

impl Queue {
    /// The next statement that may go now.
    fn next(&mut self, run: &Run, desk: &Desk) -> Result<Option<Item>, Error> {
        if let Some(item) = self.again.pop_front() {
            return Ok(Some(item));
        }
        if self.later.peek().is_some_and(|Reverse((at, _))| *at <= Instant::now())
            && let Some(Reverse((_, ordinal))) = self.later.pop()
            && let Some(item) = self.waiting.remove(&ordinal)
        {
            return Ok(Some(item));
        }
        if self.later.len() >= LATER {
            return Ok(None);
        }
        loop {
            if let Some(routed) = self.page.pop_front() {
                let ordinal = routed.work.span.ordinal;
                if self.out.contains(&ordinal) || self.waiting.contains_key(&ordinal) {
                    continue;
                }
                let item = Item { routed, doubt: None, unheard: 0 };
                match item.routed.not_before.map(|at| at.duration_since(Timestamp::now())) {
                    // Written by the wall clock: what is further ahead than any wait was written before it was set back.
                    Some(wait) if wait.is_positive() && wait <= LONGEST_WAIT => {
                        let wait = Duration::try_from(wait).unwrap_or_default();
                        self.put_off(item, Instant::now() + wait);
                    }
                    _ => return Ok(Some(item)),
                }
                continue;
            }
            if self.exhausted {
                return Ok(None);
            }
            // A millisecond on the runtime's own thread: handing it over would cost more.
            let page = run.journal.routed(run.number(desk.index), self.cursor, PAGE)?;
            self.exhausted = page.len() < PAGE;
            self.cursor = page.last().map_or(self.cursor, |last| last.work.span.ordinal);
            self.page.extend(page);
        }
    }

    /// Something was routed from this ordinal on.
    fn look_from(&mut self, ordinal: u64) {
        self.exhausted = false;
        if ordinal <= self.cursor {
            // What stands in the page and was not given out is read again.
            let first = self.page.front().map_or(ordinal, |first| first.work.span.ordinal.min(ordinal));
            self.cursor = first - 1;
            self.page.clear();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    fn put_off(&mut self, item: Item, at: Instant) {
        let ordinal = item.routed.work.span.ordinal;
        self.later.push(Reverse((at, ordinal)));
        self.waiting.insert(ordinal, item);
    }

    fn take_back(&mut self, back: Back) {
        match back {
            Back::Settled(ordinal) | Back::Left(ordinal) => {
                self.out.remove(&ordinal);
                // A page that was read while it was given out still shows it as waiting.
                if self.page.front().is_some_and(|first| first.work.span.ordinal <= ordinal)
                    && let Ok(place) = self.page.binary_search_by_key(&ordinal, |routed| routed.work.span.ordinal)
                {
                    self.page.remove(place);
                }
            }
            Back::Again(item) => {
                self.out.remove(&item.routed.work.span.ordinal);
                self.again.push_back(*item);
            }
            Back::Later(item, at) => {
                self.out.remove(&item.routed.work.span.ordinal);
                self.put_off(*item, at);
            }
        }
    }
}

/// Takes one statement as far as it goes now. It has room ahead of the operator until its outcome is on its way.
async fn deliver(run: &Arc<Run>, desk: &Desk, mut item: Item, room: OwnedSemaphorePermit) -> Result<Back, Error> {
    let ordinal = item.routed.work.span.ordinal;
    let stays = Ok(Back::Left(ordinal));
    let closing = run.play.closing(desk.index);
    let age = Timestamp::now().duration_since(item.routed.looked_up);
    if item.doubt.is_none() && Duration::try_from(age).is_ok_and(|age| age > run.config.run.lookup_max_age) {
        return look_up_again(run, desk, &item, AskAgain::Stale).await;
    }
    let Some(address) = desk.address(&item.routed.address) else {
        return end(run, desk, &item, End::Unreachable(Reason::UnknownOperator), None).await;
    };
    let earlier = item.doubt.as_ref().map(|(intent, _)| Arc::clone(intent));
    let letter = desk.gateway.waits().letters.enter();
    let (mut made, recipient) = match run.make(desk.index, &item.routed.work, earlier).await? {
        Ok(made) => made,
        Err(PrepareError::NotAddressable) if item.doubt.is_none() => {
            return end(run, desk, &item, End::Unreachable(Reason::NotAddressable), None).await;
        }
        Err(error) => return cannot_be_made(run, desk, &item, &error).await,
    };
    drop(letter);
    if let Some((intent, _)) = &item.doubt
        && intent.request_digest != made.sealed.digest
    {
        return stays_in_doubt(run, desk, &item, other_bytes(intent, &made)).await;
    }
    let body = Bytes::from(std::mem::take(&mut made.sealed.bytes));
    loop {
        let lease = tokio::select! {
            biased;
            lease = desk.gateway.lease(&address) => lease,
            () = closing.cancelled() => return stays,
        };
        let lease = match lease {
            Ok(lease) => lease,
            Err(error) => return unconnected(run, desk, item, &address, error).await,
        };
        if closing.is_cancelled() {
            return stays;
        }
        item.routed.attempts += 1;
        let intent = Arc::new(intent(run, desk, &item, &made));
        let what = Attempt {
            gateway: &desk.gateway,
            address: &address,
            recipient: &recipient,
            body: body.clone(),
            drain: closing,
        };
        let seen = run.progress.operators.get(desk.index);
        seen.inspect(|seen| _ = seen.under_way.fetch_add(1, Ordering::Relaxed));
        let unpaced = desk.settings.rate_per_s == Rate::Unlimited;
        let attempted = submit::attempt(lease, what, async || match unpaced {
            true => run.journal.intend_unpaced(Arc::clone(&intent)).await,
            false => run.journal.intend(Arc::clone(&intent)).await,
        })
        .await;
        seen.inspect(|seen| _ = seen.under_way.fetch_sub(1, Ordering::Relaxed));
        let (verdict, place) = match attempted? {
            Attempted::Made(verdict, place) => (verdict, place),
            Attempted::Shut(_) => {
                item.routed.attempts -= 1;
                return Ok(Back::Again(Box::new(item)));
            }
            Attempted::Unconnected(error) => {
                item.routed.attempts -= 1;
                return unconnected(run, desk, item, &address, error).await;
            }
        };
        if let Verdict::Again { cause, wait: Some(asked), .. } = &verdict {
            desk.gateway.pacer().hold_until(Instant::now() + *asked);
            run.note("operator_asks_to_wait", &format!("{}: {cause}, {asked:?}", desk.settings.name));
        }
        match verdict {
            Verdict::Delivered { trans_id } => {
                desk.success();
                seen.inspect(|seen| _ = seen.delivered.fetch_add(1, Ordering::Relaxed));
                return delivered(run, &item, trans_id, (place, room)).await;
            }
            Verdict::InDoubt(reason) => return in_doubt(run, desk, item, intent, reason).await,
            Verdict::Stop { cause, .. } if item.doubt.is_some() => {
                refused(run, desk, ordinal, &address, &cause).await?;
                return in_doubt(run, desk, item, intent, Reason::UnclearAnswer).await;
            }
            // After a request that may have arrived, nothing but a delivery settles it.
            _ if item.doubt.is_some() => return in_doubt(run, desk, item, intent, Reason::UnclearAnswer).await,
            Verdict::Again { cause, code, call_id, wait, counts } => {
                item.unheard += u32::from(!counts);
                let used_up = item.routed.attempts - item.unheard >= desk.settings.attempts;
                if used_up && counts {
                    return end(
                        run,
                        desk,
                        &item,
                        End::Failed(Reason::AttemptsUsedUp),
                        Some(Fault { code, call_id, detail: cause }),
                    )
                    .await;
                }
                let pause = if counts { desk.wait_before_retry(item.routed.attempts, wait) } else { Duration::ZERO };
                over(run, &item, Fault { code, call_id, detail: cause }, pause).await?;
                if counts {
                    return Ok(Back::Later(Box::new(item), Instant::now() + pause));
                }
            }
            Verdict::Stop { cause, code, call_id } => {
                over(run, &item, Fault { code, call_id, detail: cause.clone() }, Duration::ZERO).await?;
                refused(run, desk, ordinal, &address, &cause).await?;
                return stays;
            }
            Verdict::NotDelivered => {
                run.journal.look_up_again(attempt_over(&item, Fault::said("Delivered = false"))).await?;
                drop(place);
                // FaR may be long in answering: the letters that are routed go on.
                let _asks = match Arc::clone(&desk.asks).try_acquire_owned() {
                    Ok(asks) => {
                        drop(room);
                        asks
                    }
                    Err(_) => room,
                };
                return look_up_again(run, desk, &item, AskAgain::NotDelivered).await;
            }
            Verdict::Refused { reason, code, call_id } => {
                let fault = Fault { code, call_id, detail: "refused for good".into() };
                return end(run, desk, &item, End::Failed(reason), Some(fault)).await;
            }
            Verdict::Protected { call_id } => {
                let fault = Fault { code: Some(6006), call_id, detail: "protected identity".into() };
                return end(run, desk, &item, End::Held(Reason::Protected), Some(fault)).await;
            }
        }
    }
}

/// There is no connection to the operator: somebody must act, or it is tried again soon.
async fn unconnected(run: &Run, desk: &Desk, item: Item, address: &Address, error: CallError) -> Result<Back, Error> {
    if matches!(error, CallError::Untrusted(_) | CallError::CertificateRefused(_)) {
        let ordinal = item.routed.work.span.ordinal;
        refused(run, desk, ordinal, address, &error.to_string()).await?;
        return Ok(Back::Left(ordinal));
    }
    tracing::debug!(operator = desk.settings.name, %error, "no connection");
    Ok(Back::Later(Box::new(item), Instant::now() + Duration::from_millis(100)))
}

/// A request may have arrived. The journal has it as in doubt; where the operator's policy says so, and attempts are
/// left, the same bytes are sent again. The first reason stays.
async fn in_doubt(run: &Run, desk: &Desk, mut item: Item, intent: Arc<Intent>, reason: Reason) -> Result<Back, Error> {
    let reason = item.doubt.as_ref().map_or(reason, |(_, first)| *first);
    let (ordinal, attempt) = (item.routed.work.span.ordinal, item.routed.attempts);
    let again = desk.settings.in_doubt == InDoubt::Resend && attempt < desk.settings.attempts;
    if !again {
        return end(run, desk, &item, End::InDoubt(reason), None).await;
    }
    let end = End::InDoubt(reason);
    let at = Timestamp::now();
    let row = DigitalEnd { ordinal, attempt, at, end, fault_code: None, call_id: None, detail: None };
    run.journal.end_digital(row).await?;
    tracing::warn!(ordinal, operator = desk.settings.name, %reason, "in doubt, sent again by the operator's policy");
    item.doubt = Some((intent, reason));
    let pause = desk.wait_before_retry(attempt, None);
    Ok(Back::Later(Box::new(item), Instant::now() + pause))
}

/// What is in doubt cannot be sent again with the same bytes: it stays in doubt, and nothing leaves.
async fn stays_in_doubt(run: &Run, desk: &Desk, item: &Item, why: &str) -> Result<Back, Error> {
    let (ordinal, attempt) = (item.routed.work.span.ordinal, item.routed.attempts);
    let operator = desk.settings.name.as_str();
    tracing::error!(ordinal, operator, why, "in doubt, and the same bytes cannot be made again: ask the operator");
    let first = desk.told.lock().unwrap_or_else(PoisonError::into_inner).insert(why.to_owned());
    if first {
        run.note("not_sent_again", &format!("{operator}: statements in doubt from {ordinal} on: {why}"));
    }
    let (end, detail) = (End::InDoubt(Reason::BytesDiffer), Some(why.to_owned()));
    let row = DigitalEnd { ordinal, attempt, at: Timestamp::now(), end, fault_code: None, call_id: None, detail };
    match run.journal.end_digital(row).await {
        // It has ended in doubt already, and stands so with its first reason.
        Ok(()) | Err(TrackError::NotWaiting { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    run.progress.ended(1);
    Ok(Back::Settled(ordinal))
}

/// Why a message that is made again has other bytes.
fn other_bytes(intent: &Intent, made: &Made) -> &'static str {
    if intent.sender_cert != made.sender_cert || intent.mediator_cert != made.mediator_cert {
        "it was signed with a key that is no longer in use"
    } else if intent.content_secrets.is_some() != made.secrets.is_some() {
        "its operator's settings have changed: letters were encrypted and are not, or the other way round"
    } else if intent.renderer != made.renderer {
        "it was composed by another version of this program"
    } else {
        "the settings have changed since it was made"
    }
}

/// What a gateway said beside its verdict.
struct Fault {
    code: Option<u32>,
    call_id: Option<String>,
    detail: String,
}

impl Fault {
    fn said(detail: &str) -> Self {
        Self { code: None, call_id: None, detail: detail.into() }
    }
}

fn intent(run: &Run, desk: &Desk, item: &Item, made: &Made) -> Intent {
    let work = &item.routed.work;
    Intent {
        ordinal: work.span.ordinal,
        attempt: item.routed.attempts,
        operator: run.number(desk.index),
        address: item.routed.address.clone(),
        at: Timestamp::now(),
        seal_date: made.seal_date.clone(),
        sender_cert: made.sender_cert,
        mediator_cert: made.mediator_cert,
        renderer: made.renderer,
        content_secrets: made.secrets.clone(),
        request_digest: made.sealed.digest,
        message_id: made.message_id,
    }
}

async fn end(run: &Run, desk: &Desk, item: &Item, end: End, fault: Option<Fault>) -> Result<Back, Error> {
    let ordinal = item.routed.work.span.ordinal;
    if matches!(end, End::InDoubt(_)) {
        tracing::error!(ordinal, operator = desk.settings.name, "in doubt: ask the operator, then settle it");
    }
    let to_paper = matches!(end, End::Unreachable(_));
    let (fault_code, call_id, detail) = fault.map_or((None, None, None), |at| (at.code, at.call_id, Some(at.detail)));
    let attempt = item.routed.attempts;
    run.journal
        .end_digital(DigitalEnd { ordinal, attempt, at: Timestamp::now(), end, fault_code, call_id, detail })
        .await?;
    run.progress.ended(1);
    if to_paper {
        run.paper_waits.notify_one();
    }
    Ok(Back::Settled(ordinal))
}

/// What it holds is free for the next one as soon as its outcome is on its way to the journal, which has both in this
/// order: there are no more intents without an outcome on disk at any time than places.
async fn delivered(run: &Run, item: &Item, trans_id: String, held: impl Send) -> Result<Back, Error> {
    let (ordinal, attempt) = (item.routed.work.span.ordinal, item.routed.attempts);
    let (end, at) = (End::Delivered { trans_id }, Timestamp::now());
    let row = DigitalEnd { ordinal, attempt, at, end, fault_code: None, call_id: None, detail: None };
    let outcome = run.journal.hand_over(row).await?;
    drop(held);
    outcome.durable().await?;
    run.progress.ended(1);
    Ok(Back::Settled(ordinal))
}

async fn over(run: &Run, item: &Item, fault: Fault, pause: Duration) -> Result<(), Error> {
    let mut over = attempt_over(item, fault);
    over.not_before = (!pause.is_zero()).then(|| Timestamp::now() + pause);
    Ok(run.journal.attempt_over(over).await?)
}

fn attempt_over(item: &Item, fault: Fault) -> AttemptOver {
    AttemptOver {
        ordinal: item.routed.work.span.ordinal,
        attempt: item.routed.attempts,
        cause: fault.detail,
        fault_code: fault.code,
        call_id: fault.call_id,
        not_before: None,
    }
}

/// Why FaR is asked about a recipient again.
enum AskAgain {
    /// Its answer is older than the settings allow.
    Stale,
    /// The operator answered Delivered = false. Happens once: whoever is still at the same address then, or is not
    /// taken at the second one either, is unreachable.
    NotDelivered,
}

async fn look_up_again(run: &Run, desk: &Desk, item: &Item, why: AskAgain) -> Result<Back, Error> {
    let Item { routed, .. } = item;
    let ordinal = routed.work.span.ordinal;
    let not_taken = matches!(why, AskAgain::NotDelivered);
    if not_taken && routed.not_delivered > 0 {
        return end(run, desk, item, End::Unreachable(Reason::NotDelivered), None).await;
    }
    let Some(recipient) = run.recipient(&routed.work)? else {
        return end(run, desk, item, End::Unreachable(Reason::NotAddressable), None).await;
    };
    let sender = run.config.senders.id_of(&routed.work.uppgiftslamnare);
    let answer = tokio::select! {
        answer = run.far.ask(&sender, std::slice::from_ref(&recipient)) => answer,
        () = run.play.drain.cancelled() => return Ok(Back::Left(ordinal)),
    };
    let found = match answer {
        Ok(mut found) => found.remove(&recipient).map(|found| route::row(run, found)),
        Err(error) => {
            tracing::warn!(ordinal, %error, "FaR cannot be asked again about a statement; it stays pending");
            None
        }
    };
    let found = match found.transpose() {
        Ok(found) => found,
        Err((reason, fault)) => {
            run.journal.end_digital(route::refusal(ordinal, routed.attempts, reason, &fault)).await?;
            run.progress.ended(1);
            return Ok(Back::Settled(ordinal));
        }
    };
    match found {
        None => Ok(Back::Left(ordinal)),
        Some(Found::Unreachable(reason)) => end(run, desk, item, End::Unreachable(reason), None).await,
        Some(Found::Mailbox { operator, address })
            if not_taken && run.desk(operator) == Some(desk.index) && address == routed.address =>
        {
            end(run, desk, item, End::Unreachable(Reason::NotDelivered), None).await
        }
        Some(found @ Found::Mailbox { operator, .. }) => {
            run.journal.route(vec![RouteRow { ordinal, looked_up: Timestamp::now(), found }]).await?;
            if let Some(desk) = run.desk(operator) {
                run.play.routed(desk, ordinal);
            }
            Ok(Back::Settled(ordinal))
        }
    }
}

async fn cannot_be_made(run: &Run, desk: &Desk, item: &Item, error: &PrepareError) -> Result<Back, Error> {
    if item.doubt.is_some() {
        return stays_in_doubt(run, desk, item, &error.to_string()).await;
    }
    let ordinal = item.routed.work.span.ordinal;
    tracing::error!(ordinal, %error, "the statement cannot be prepared");
    let ending = match error.is_too_large() {
        true => End::Failed(Reason::TooLarge),
        false => End::Failed(Reason::PrepareFailed),
    };
    end(run, desk, item, ending, Some(Fault::said(&error.to_string()))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ContentDigest, Form, Organisation, RecordDigest, Span, StatementKey};
    use crate::track::Work;
    use proptest::prelude::*;

    fn routed(ordinal: u64) -> Routed {
        Routed {
            work: Work {
                span: Span { ordinal, offset: 0, length: 1 },
                export: 0,
                record: RecordDigest([0; 16]),
                form: Form::KU10,
                uppgiftslamnare: Organisation::parse("165021680250").expect("an organisation"),
                key: StatementKey([0; 16]),
                content: ContentDigest([0; 16]),
                correction: false,
                protected: false,
            },
            address: String::new(),
            looked_up: Timestamp::UNIX_EPOCH,
            attempts: 0,
            not_before: None,
            not_delivered: 0,
        }
    }

    proptest! {
        /// Look-ups of many senders end in any order, and so does what they route: nothing that a page held is passed by.
        #[test]
        fn what_was_read_and_not_given_out_is_not_passed_by(
            page in proptest::collection::btree_set(1..500u64, 0..40),
            given_out in 0..40usize,
            later in proptest::collection::vec(1..600u64, 1..4),
        ) {
            let mut queue = Queue {
                cursor: page.last().copied().unwrap_or(0),
                page: page.iter().copied().map(routed).collect(),
                ..Queue::default()
            };
            queue.page.drain(..given_out.min(page.len()));
            let waiting: Vec<u64> = page.into_iter().skip(given_out).collect();
            for ordinal in &later {
                queue.look_from(*ordinal);
            }
            for ordinal in waiting.into_iter().chain(later) {
                let held = queue.page.iter().any(|routed| routed.work.span.ordinal == ordinal);
                prop_assert!(held || ordinal > queue.cursor, "{} is passed by", ordinal);
            }
        }
    }
}
