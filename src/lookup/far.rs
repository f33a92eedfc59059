//! Asking FaR.

use super::judge::{Found, judge};
use crate::config::Config;
use crate::domain::{Identity, Organisation};
use crate::error::{Error, Exit};
use crate::gateway::wire::{self, Answer, Fault, Reachability};
use crate::gateway::{Address, CallError, Gateway, GatewaySettings, Lease, Reply, Tls};
use hyper::body::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// First wait before a question is asked again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often one question is asked before it is given up, whatever FaR answers.
const ATTEMPTS: u32 = 12;

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
    /// FaR refuses an id (INVALID_INPUT, PROTECTED_IDENTITY, NOT_EXIST_IDENTITY…), and there is nothing left to split.
    #[error("FaR refuses the question: fault {0}")]
    QuestionRefused(u32),
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
        })
    }

    /// Asks about recipients of one sender; ids that FaR leaves out, or contradicts itself about, are asked about once
    /// more and then are absent from the answer.
    ///
    /// *Shape*: recipients are distinct, at most 1000. *Errors*: none of the recipients has an answer then.
    pub async fn ask(
        &self,
        sender: &Organisation,
        recipients: &[Identity],
    ) -> Result<BTreeMap<Identity, Found>, FarError> {
        let mut found = self.ask_splitting(sender, recipients).await?;
        let missing: Vec<Identity> = recipients.iter().filter(|id| !found.contains_key(id)).copied().collect();
        if !missing.is_empty() {
            found.extend(self.ask_splitting(sender, &missing).await?);
        }
        Ok(found)
    }

    /// Halves a question that is refused for one of its ids, or for its size.
    async fn ask_splitting(
        &self,
        sender: &Organisation,
        recipients: &[Identity],
    ) -> Result<BTreeMap<Identity, Found>, FarError> {
        let mut found = BTreeMap::new();
        let mut questions = vec![recipients];
        while let Some(question) = questions.pop() {
            match self.ask_until_answered(sender, question).await {
                Ok(entries) => self.take(question, entries, &mut found),
                Err(FarError::QuestionRefused(_)) if question.len() > 1 => {
                    let (first, second) = question.split_at(question.len() / 2);
                    questions.extend([second, first]);
                }
                // One id alone that FaR takes for invalid: it says nothing about it.
                Err(FarError::QuestionRefused(code)) => {
                    tracing::warn!(code, "FaR refuses a question about a single recipient");
                }
                Err(error) => return Err(error),
            }
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
    ) -> Result<Vec<Reachability>, FarError> {
        let body = Bytes::from(wire::is_reachable(sender, recipients));
        let mut last = String::new();
        for attempt in 0..ATTEMPTS {
            if self.gateway.breaker().failing_for(Instant::now()).is_some_and(|failing| failing > self.give_up_after) {
                break;
            }
            let wait = match self.ask_once(&body).await? {
                Said::Entries(entries) => return Ok(entries),
                Said::Again { cause, wait } => {
                    tracing::debug!(attempt, cause, "FaR is asked again");
                    last = cause;
                    wait
                }
            };
            let step = FIRST_WAIT.saturating_mul(1 << attempt).min(LONGEST_WAIT);
            let jittered = step.mul_f64(fastrand::f64());
            if let Some(asked) = wait {
                self.gateway.pacer().hold_until(Instant::now() + asked);
            }
            tokio::time::sleep(wait.unwrap_or_default() + jittered).await;
        }
        Err(FarError::Silent(last))
    }

    async fn ask_once(&self, body: &Bytes) -> Result<Said, FarError> {
        let end = match self.lease_with_permit().await {
            Ok(lease) => self.gateway.post(lease, &self.address, body.clone()).await,
            Err(error) => Err(error),
        };
        match end {
            Ok(reply) => self.read(&reply),
            Err(error @ (CallError::Untrusted(_) | CallError::CertificateRefused(_))) => {
                Err(FarError::Refused(error.to_string()))
            }
            Err(error) => Ok(Said::Again { cause: error.to_string(), wait: None }),
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
                        if pacer.wait(slot).await {
                            return Ok(lease);
                        }
                        // It passed; the next one.
                    }
                    Err(_) => break self.gateway.give_back(lease),
                }
            }
        }
    }

    fn read(&self, reply: &Reply) -> Result<Said, FarError> {
        let status = reply.status.as_u16();
        match status {
            401 | 403 | 404 | 405 | 410 | 300..=399 => return Err(FarError::Refused(format!("HTTP {status}"))),
            429 | 503 => return Ok(Said::Again { cause: format!("HTTP {status}"), wait: reply.retry_after }),
            _ => {}
        }
        let Ok(body) = &reply.body else {
            return Ok(Said::Again { cause: format!("HTTP {status} with a broken body"), wait: None });
        };
        if let Some(Fault { code, .. }) = wire::fault(body) {
            return match code {
                Some(code @ (5014 | 6005)) => Err(FarError::SenderRefused(code)),
                Some(code @ (3 | 5 | 5002 | 5012)) => Err(FarError::Refused(format!("fault {code}"))),
                // What §4.3 has as permanent, and is about an id or the size.
                Some(code @ (1 | 5001 | 5005 | 5016 | 5019 | 6004 | 6006 | 6007)) => {
                    Err(FarError::QuestionRefused(code))
                }
                Some(code) => Ok(Said::Again { cause: format!("fault {code}"), wait: reply.retry_after }),
                None => Ok(Said::Again { cause: "fault without a code".into(), wait: reply.retry_after }),
            };
        }
        match wire::reachability(body) {
            Ok(Answer::Response(entries)) if status == 200 => Ok(Said::Entries(entries)),
            _ => Ok(Said::Again { cause: format!("HTTP {status} without a readable answer"), wait: None }),
        }
    }
}

enum Said {
    Entries(Vec<Reachability>),
    Again { cause: String, wait: Option<Duration> },
}
