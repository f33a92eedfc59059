//! Asking FaR.

use super::judge::{Found, judge};
use crate::config::Config;
use crate::domain::{Identity, Organisation, Reason};
use crate::error::{Error, Exit};
use crate::gateway::wire::{self, Answer, Fault, Reachability};
use crate::gateway::{Address, CallError, Gateway, GatewaySettings, Lease, Reply, Tls, Worth};
use hyper::body::Bytes;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// First wait before a question is asked again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often one question is asked before it is given up, whatever FaR answers.
const ATTEMPTS: u32 = 12;
/// How often while it answers others: then it is not FaR, but what it is asked.
const ATTEMPTS_BESIDE_OTHERS: u32 = 4;
/// How often a part of a question that was given up is asked: FaR had its time.
const ATTEMPTS_OF_PART: u32 = 3;
/// So many recipients without an answer, and none with one, and it is not about them.
const ALONE: usize = 3;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FarError {
    /// FaR does not accept us, or is not who it should be: the same for every question until somebody acts.
    #[error("FaR refuses us: {0}")]
    Refused(String),
    /// FaR does not accept this sender (UNKNOWN_SENDER, DISPATCHER_NOT_APPROVED).
    #[error("FaR does not accept the sender: fault {0}")]
    SenderRefused(u32),
    /// FaR has not answered for too long.
    #[error("FaR gives no answer: {0}")]
    Silent(String),
}

/// FaR as we know it: where, and which operators an answer may name.
#[derive(Debug)]
pub struct Far {
    /// The gateway to it.
    pub gateway: Gateway,
    /// Address of Recipient v3.
    pub address: Address,
    /// Operators of the settings, in their order.
    pub operators: Vec<Organisation>,
    /// How long it may fail without a single success.
    pub give_up_after: Duration,
    /// What it has answered so far.
    pub heard: Heard,
}

/// What FaR has answered so far: what it refuses meanwhile is about what it is asked, and not about FaR or us.
#[derive(Debug, Default)]
pub struct Heard {
    /// Questions that have an answer.
    answered: AtomicU64,
    /// Whether the last question has one.
    last: AtomicBool,
    asking: Mutex<Asking>,
}

/// Questions that are under way, and since when none is.
#[derive(Debug, Default)]
struct Asking {
    questions: usize,
    idle_since: Option<Instant>,
}

/// A question that is under way.
struct UnderWay<'a>(&'a Mutex<Asking>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asking.questions -= 1;
        asking.idle_since = (asking.questions == 0).then(Instant::now);
    }
}

impl Far {
    /// FaR as the settings have it.
    ///
    /// *Errors*: its address is none, 78.
    pub fn new(config: &Config, tls: Tls) -> Result<Self, Error> {
        let far = &config.far;
        let address = Address::parse(&far.address)
            .ok_or_else(|| Error::new(Exit::Settings, format!("far.address is no https address: {}", far.address)))?;
        let settings = GatewaySettings {
            name: "FaR".into(),
            rate: far.rate_per_s,
            windows: far.windows.clone(),
            waits: Arc::default(),
            concurrency: far.concurrency,
            connect_timeout: far.timeout,
            timeout: far.timeout,
        };
        Ok(Self {
            gateway: Gateway::new(settings, tls),
            address,
            operators: config.operators.iter().map(|operator| operator.id).collect(),
            give_up_after: far.give_up_after,
            heard: Heard::default(),
        })
    }

    /// Asks about recipients of one sender; ids that FaR leaves out, or contradicts itself about, are asked about once
    /// more and then are absent from the answer. So are those that it refuses for a reason that may be FaR's or ours, where
    /// it answers nobody else.
    ///
    /// *Shape*: recipients are distinct, at most 1000. *Errors*: none of the recipients has an answer then.
    pub async fn ask(
        &self,
        sender: &Organisation,
        recipients: &[Identity],
    ) -> Result<BTreeMap<Identity, Found>, FarError> {
        let _under_way = self.begin();
        let (answered, answers) = (self.answered(), self.heard.last.load(Ordering::Relaxed));
        let answers_others = || self.answered() > answered;
        let given_up = |found: &Found| matches!(found, Found::Refused(Reason::AttemptsUsedUp, _));
        let is_theirs = |found: &Found| match found {
            Found::Refused(reason, fault) => {
                answers_others() || !given_up(found) && answers || is_about_an_identity(*reason, fault)
            }
            _ => true,
        };
        let mut found = self.ask_splitting(sender, recipients, answered).await?;
        if found.values().any(given_up) && !answers_others() {
            return Err(FarError::Silent("a fault that stays".into()));
        }
        // Also those that it refused alone: it may have been FaR's bad moment, unless it says the same again. Who is said to be
        // protected stays it.
        let mut said: BTreeMap<Identity, Option<u32>> = BTreeMap::new();
        found.retain(|id, found| match found {
            Found::Refused(reason, fault) if *reason != Reason::Protected => {
                said.insert(*id, fault.code);
                false
            }
            _ => true,
        });
        let missing: Vec<Identity> = recipients.iter().filter(|id| !found.contains_key(id)).copied().collect();
        if !missing.is_empty() {
            found.extend(self.ask_splitting(sender, &missing, answered).await?);
        }
        let says_again = |id: &Identity, found: &Found| match found {
            Found::Refused(Reason::Protected, _) => true,
            Found::Refused(_, fault) => said.get(id) == Some(&fault.code),
            _ => true,
        };
        found.retain(|id, found| says_again(id, found) && is_theirs(found));
        Ok(found)
    }

    /// A question begins. Time in which there was none is no time without an answer.
    fn begin(&self) -> UnderWay<'_> {
        let mut asking = self.heard.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.questions += 1;
        if let Some(idle) = asking.idle_since.take() {
            self.gateway.breaker().rested(idle.elapsed());
        }
        UnderWay(&self.heard.asking)
    }

    /// How many questions have an answer.
    fn answered(&self) -> u64 {
        self.heard.answered.load(Ordering::Relaxed)
    }

    /// Halves a question that is refused for one of its ids, or for its size, until it is about one alone.
    async fn ask_splitting(
        &self,
        sender: &Organisation,
        recipients: &[Identity],
        answered: u64,
    ) -> Result<BTreeMap<Identity, Found>, FarError> {
        let mut found = BTreeMap::new();
        let mut questions = vec![(recipients, ATTEMPTS)];
        let mut given_up = 0;
        while let Some((question, attempts)) = questions.pop() {
            let (reason, fault) = match self.ask_until_answered(sender, question, attempts, answered).await? {
                Answered::Entries(entries) => {
                    self.take(question, entries, &mut found);
                    continue;
                }
                Answered::Refused(reason, fault) => (reason, fault),
            };
            let gives_up = reason == Reason::AttemptsUsedUp;
            if let [alone] = question {
                given_up += usize::from(gives_up);
                if given_up >= ALONE && self.answered() == answered {
                    return Err(FarError::Silent("a fault that stays".into()));
                }
                found.insert(*alone, Found::Refused(reason, fault));
                continue;
            }
            let (first, second) = question.split_at(question.len() / 2);
            let attempts = if gives_up { ATTEMPTS_OF_PART } else { attempts };
            questions.extend([(second, attempts), (first, attempts)]);
        }
        Ok(found)
    }

    /// Matches entries on id; those nobody asked about are passed over, those that contradict each other count as no
    /// answer.
    fn take(&self, question: &[Identity], entries: Vec<Reachability>, found: &mut BTreeMap<Identity, Found>) {
        let mut judged: BTreeMap<Identity, Option<Found>> = BTreeMap::new();
        for entry in entries {
            let verdict = judge(&entry, &self.operators);
            judged
                .entry(entry.recipient)
                .and_modify(|earlier| {
                    if earlier.as_ref() != Some(&verdict) {
                        *earlier = None;
                    }
                })
                .or_insert(Some(verdict));
        }
        found.extend(question.iter().filter_map(|id| Some((*id, judged.remove(id)??))));
    }

    async fn ask_until_answered(
        &self,
        sender: &Organisation,
        recipients: &[Identity],
        attempts: u32,
        answered: u64,
    ) -> Result<Answered, FarError> {
        let body = Bytes::from(wire::is_reachable(sender, recipients));
        let asked: HashSet<Identity> = recipients.iter().copied().collect();
        let mut last = (String::new(), None);
        for attempt in 0..attempts {
            // Not before it is asked at all: it may be back since it was given up.
            let fails = self.gateway.breaker().failing_for(Instant::now());
            if attempt > 0 && fails.is_some_and(|failing| failing > self.give_up_after) {
                break;
            }
            let wait = match self.ask_once(&asked, &body).await? {
                Said::At(Answered::Entries(entries)) => {
                    self.heard.answered.fetch_add(1, Ordering::Relaxed);
                    self.heard.last.store(true, Ordering::Relaxed);
                    return Ok(Answered::Entries(entries));
                }
                Said::At(Answered::Refused(reason, fault)) => {
                    if !is_about_an_identity(reason, &fault) {
                        self.heard.last.store(false, Ordering::Relaxed);
                    }
                    return Ok(Answered::Refused(reason, fault));
                }
                Said::Again { cause, fault, wait } => {
                    tracing::debug!(attempt, cause, "FaR is asked again");
                    last = (cause, fault);
                    wait
                }
            };
            if last.1.is_some() && attempt + 1 >= ATTEMPTS_BESIDE_OTHERS && self.answered() > answered {
                break;
            }
            let step = FIRST_WAIT.saturating_mul(1 << attempt).min(LONGEST_WAIT);
            let jittered = step.mul_f64(fastrand::f64());
            if let Some(asked) = wait {
                self.gateway.pacer().hold_until(Instant::now() + asked);
            }
            tokio::time::sleep(wait.unwrap_or_default() + jittered).await;
        }
        match last {
            // It answers, and this is what it answers.
            (_, Some(fault)) => Ok(Answered::Refused(Reason::AttemptsUsedUp, fault)),
            (cause, None) => {
                let fails = self.gateway.breaker().failing_for(Instant::now());
                let last = fails.and_then(|_| self.gateway.last_failure());
                Err(FarError::Silent(last.unwrap_or_else(|| format!("{}: {cause}", self.address.server()))))
            }
        }
    }

    async fn ask_once(&self, asked: &HashSet<Identity>, body: &Bytes) -> Result<Said, FarError> {
        let judge = |reply: &Reply| weigh(asked, reply);
        let answered = match self.lease_with_permit().await {
            Ok(lease) => self.gateway.post(lease, &self.address, body.clone(), judge).await.0,
            Err(error) => Err(error),
        };
        match answered {
            Ok(said) => said,
            Err(error @ (CallError::Untrusted(_) | CallError::CertificateRefused(_))) => {
                Err(FarError::Refused(error.to_string()))
            }
            Err(error) => Ok(Said::again(error.to_string(), None)),
        }
    }

    /// A connection that may be used now: FaR's window is open, and the slot's time has come.
    async fn lease_with_permit(&self) -> Result<Lease, CallError> {
        let pacer = self.gateway.pacer();
        loop {
            if pacer.gate().opened().await {
                self.gateway.breaker().start_anew(Instant::now());
            }
            let mut lease = self.gateway.lease(&self.address).await?;
            loop {
                match pacer.permit(pacer.lead().for_connection() / 2).await {
                    Ok(slot) => {
                        self.gateway.refresh(&mut lease, &self.address).await?;
                        self.gateway.rest(&lease).await;
                        if pacer.wait(slot).await {
                            return Ok(lease);
                        }
                        // It passed; the next one.
                    }
                    Err(_) => break drop(self.gateway.give_back(lease)),
                }
            }
        }
    }
}

/// What an answer to a question about these says, and what that is worth.
fn weigh(asked: &HashSet<Identity>, reply: &Reply) -> (Result<Said, FarError>, Worth) {
    let said = read(asked, reply);
    let worth = match &said {
        // 429 is a working FaR that asks for patience.
        Ok(Said::Again { fault: None, .. }) if reply.status != 429 => Worth::Unclear,
        Ok(Said::At(Answered::Entries(entries))) if !entries.iter().all(|entry| asked.contains(&entry.recipient)) => {
            Worth::Beside
        }
        _ => Worth::Clear,
    };
    (said, worth)
}

fn read(asked: &HashSet<Identity>, reply: &Reply) -> Result<Said, FarError> {
    let status = reply.status.as_u16();
    match status {
        401 | 403 | 404 | 405 | 410 | 300..=399 => return Err(FarError::Refused(format!("HTTP {status}"))),
        429 | 503 => return Ok(Said::again(format!("HTTP {status}"), reply.retry_after)),
        _ => {}
    }
    let Ok(body) = &reply.body else {
        return Ok(Said::again(format!("HTTP {status} with a broken body"), None));
    };
    if let Some(fault) = wire::fault(body) {
        return match fault.code {
            Some(code @ (5014 | 6005)) => Err(FarError::SenderRefused(code)),
            Some(code @ (3 | 5 | 5002 | 5012)) => Err(FarError::Refused(format!("fault {code}"))),
            Some(PROTECTED_IDENTITY) => Ok(Said::At(Answered::Refused(Reason::Protected, fault))),
            // What §4.3 has as permanent, and is about an id or the size.
            Some(1 | 5001 | 5005 | 5016 | 5019 | COMPANY_FORM | NOT_EXIST_IDENTITY) => {
                Ok(Said::At(Answered::Refused(Reason::RefusedForGood, fault)))
            }
            // What it has as transient, and what it has not.
            Some(code) => {
                let cause = format!("fault {code}");
                Ok(Said::Again { cause, fault: Some(fault), wait: reply.retry_after })
            }
            None => Ok(Said::again("fault without a code".into(), reply.retry_after)),
        };
    }
    match wire::reachability(body) {
        // As it would be of another question.
        Ok(Answer::Response(entries))
            if !entries.is_empty() && !entries.iter().any(|entry| asked.contains(&entry.recipient)) =>
        {
            Ok(Said::again("an answer about others".into(), None))
        }
        Ok(Answer::Response(entries)) if status == 200 => Ok(Said::At(Answered::Entries(entries))),
        _ => Ok(Said::again(format!("HTTP {status} without a readable answer"), None)),
    }
}

/// Faults that are about the identity asked for, whatever else FaR has answered (protocol sheet §4.2).
const COMPANY_FORM: u32 = 6004;
const PROTECTED_IDENTITY: u32 = 6006;
const NOT_EXIST_IDENTITY: u32 = 6007;

fn is_about_an_identity(reason: Reason, fault: &Fault) -> bool {
    reason != Reason::AttemptsUsedUp
        && matches!(fault.code, Some(COMPANY_FORM | PROTECTED_IDENTITY | NOT_EXIST_IDENTITY))
}

/// What a question came to.
enum Answered {
    Entries(Vec<Reachability>),
    /// A fault that stays, and what it means where the question is about one recipient.
    Refused(Reason, Fault),
}

enum Said {
    At(Answered),
    Again { cause: String, fault: Option<Fault>, wait: Option<Duration> },
}

impl Said {
    const fn again(cause: String, wait: Option<Duration>) -> Self {
        Self::Again { cause, fault: None, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: String) -> Reply {
        let status = hyper::StatusCode::from_u16(status).expect("a status");
        Reply { status, media_type: "text/xml".into(), retry_after: None, body: Ok(body.into()) }
    }

    fn answer(ids: &[&str]) -> String {
        let entries: String = ids
            .iter()
            .map(|id| {
                format!(
                    "<r3:return><AccountStatus><RecipientId>{id}</RecipientId><Type>Not</Type><Pending>false</Pending>\
                     </AccountStatus><SenderAccepted>false</SenderAccepted></r3:return>"
                )
            })
            .collect();
        format!(
            r#"<S:Envelope xmlns:S="{}" xmlns:r3="{}" xmlns="{}"><S:Body><r3:isReachableResponse>{entries}</r3:isReachableResponse></S:Body></S:Envelope>"#,
            wire::SOAP,
            wire::RECIPIENT_V3,
            wire::RECIPIENT
        )
    }

    /// A FaR that takes connections and closes them, and how many it has taken.
    fn closing(give_up_after: Duration) -> (Far, Arc<AtomicU64>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let taken = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&taken);
        std::thread::spawn(move || {
            listener.incoming().for_each(|_| {
                count.fetch_add(1, Ordering::Relaxed);
            })
        });
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::default().self_signed(&key).expect("a certificate");
        let mut trusted = tempfile::NamedTempFile::new().expect("a file");
        std::io::Write::write_all(&mut trusted, certificate.pem().as_bytes()).expect("written");
        let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let ours =
            rustls::sign::CertifiedKey::from_der(vec![certificate.der().clone()], key, &provider).expect("a pair");
        let settings = GatewaySettings {
            name: "FaR".into(),
            rate: crate::config::Rate::Unlimited,
            windows: crate::domain::Windows::default(),
            waits: Arc::default(),
            concurrency: 1,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        };
        let far = Far {
            gateway: Gateway::new(settings, Tls::new(Arc::new(ours), trusted.path()).expect("trust")),
            address: Address::parse(&format!("https://127.0.0.1:{port}/")).expect("an address"),
            operators: Vec::new(),
            give_up_after,
            heard: Heard::default(),
        };
        (far, taken)
    }

    #[tokio::test]
    async fn time_without_questions_is_none_without_answers_and_every_question_is_asked() {
        let sender = Organisation::parse("165021680250").expect("an organisation");
        let whom = [Identity::pattern("191212121212").expect("an identity")];
        let long = Duration::from_millis(500);
        let (mut far, taken) = closing(long);
        let taken = || taken.load(Ordering::Relaxed);
        // Dropped after its first attempt.
        let fails = || far.gateway.breaker().failing_for(Instant::now());
        let failed = async {
            while fails().is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! { _ = far.ask(&sender, &whom) => panic!("given up"), () = failed => {} }
        tokio::time::sleep(long).await;
        assert!(fails() >= Some(long));
        drop(far.begin());
        assert!(fails() < Some(long), "{:?}", fails());
        // And where it had failed for too long already.
        far.give_up_after = Duration::ZERO;
        for _ in 0..2 {
            let before = taken();
            assert!(matches!(far.ask(&sender, &whom).await, Err(FarError::Silent(_))));
            assert!(taken() > before, "it is asked");
        }
    }

    #[test]
    fn an_answer_to_another_question_is_none_and_one_about_more_is_taken() {
        let [a, b, c] = ["191212121212", "192705178354", "162021004748"];
        let asked = [a, b].map(|id| Identity::pattern(id).expect("an identity")).into();
        for (ids, taken, worth) in [
            (&[b, a][..], true, Worth::Clear),
            (&[b], true, Worth::Clear),
            (&[], true, Worth::Clear),
            (&[b, c], true, Worth::Beside),
            (&[c], false, Worth::Unclear),
        ] {
            let (said, of) = weigh(&asked, &reply(200, answer(ids)));
            assert_eq!(matches!(said, Ok(Said::At(Answered::Entries(_)))), taken, "{ids:?}");
            assert_eq!(of, worth, "{ids:?}");
        }
        for (status, worth) in [(429, Worth::Clear), (503, Worth::Unclear), (500, Worth::Unclear), (401, Worth::Clear)]
        {
            assert_eq!(weigh(&asked, &reply(status, String::new())).1, worth, "{status}");
        }
    }
}
