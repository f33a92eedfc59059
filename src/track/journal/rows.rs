//! What goes into a journal and comes out of it, as values.

use crate::domain::{
    ContentDigest, Form, MessageId, Organisation, Outcome, PersonDigest, Reason, RecordDigest, Span, StatementKey,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a run is, as it was started. The names of exports and of the list of protected recipients are sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Name of the run, unique within the installation.
    pub run_id: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its settings; `find` and `resume` read them again.
    pub config_file: PathBuf,
    /// List of protected recipients given on the command line.
    pub protected_file: Option<PathBuf>,
    /// The exports in the order given. Their numbers are filled in at release.
    pub exports: Vec<RunExport>,
    /// Operators by the number that the journal knows them by: their place. Only ever added to.
    pub operators: Vec<RunOperator>,
    /// When everything must have left.
    pub deadline: Option<Timestamp>,
    /// Whatever else a resumed run must know, sealed.
    #[serde(default)]
    pub remembered: serde_json::Value,
}

/// One export of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunExport {
    /// What makes it recognisable: path, size, time, digest.
    pub fingerprint: serde_json::Value,
    /// Ordinal of its first statement.
    pub first_ordinal: u64,
    /// How many statements it has.
    pub statements: u64,
}

/// One operator of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunOperator {
    /// Its organisation number.
    pub id: String,
    /// Its name in reports.
    pub name: String,
    /// Agreed rate in requests a second; `None`: unlimited.
    pub rate_per_s: Option<f64>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Pass 1: statements are read; nothing may be sent.
    Intake,
    /// Pass 2: what pass 1 released is sent.
    Released,
    /// Nothing waits any more.
    Finished,
}

impl Phase {
    /// As written in journals and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Released => "released",
            Self::Finished => "finished",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A statement as pass 1 found it.
#[derive(Clone, Debug, PartialEq)]
pub struct StatementRow {
    /// Where its record lies, and its ordinal.
    pub span: Span,
    /// Number of the export.
    pub export: u16,
    /// Digest of the record's bytes.
    pub record: RecordDigest,
    /// Form, where it could be read.
    pub form: Option<Form>,
    /// Uppgiftslämnare, where it could be read.
    pub uppgiftslamnare: Option<Organisation>,
    /// Whom it is about, for `find`.
    pub person: Option<PersonDigest>,
    /// By which other identities its record names the person, for `find`.
    pub also: Vec<PersonDigest>,
    /// What makes it one and the same in every run.
    pub key: Option<StatementKey>,
    /// What it says.
    pub content: Option<ContentDigest>,
    /// It corrects what an earlier run sent, and its letter says so.
    pub correction: bool,
    /// What becomes of it.
    pub fate: Fate,
}

/// What pass 1 decides about a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has its outcome already.
    Ended(Outcome, Reason),
    /// It is to leave. A statement with the digital half unreachable and no paper half ends as held.
    Send {
        /// Digitally: off, waiting or unreachable.
        digital: Half,
        /// On paper: off, waiting or fallback.
        paper: Half,
    },
}

/// One way out, as pass 1 leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Not wanted.
    Off,
    /// Wanted.
    Waiting,
    /// Paper only: wanted if the digital half turns out unreachable.
    Fallback,
    /// Digital only: known already not to be reachable.
    Unreachable(Reason),
}

/// A change of mind of pass 1, once it has seen all exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amend {
    /// Which statement.
    pub ordinal: u64,
    /// Its outcome.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
}

/// A statement that waits, with what is needed to go on with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Where its record lies, and its ordinal.
    pub span: Span,
    /// Number of the export.
    pub export: u16,
    /// Digest that the record's bytes must still have.
    pub record: RecordDigest,
    /// Form.
    pub form: Form,
    /// Uppgiftslämnare.
    pub uppgiftslamnare: Organisation,
    /// What makes it one and the same.
    pub key: StatementKey,
    /// What it says.
    pub content: ContentDigest,
    /// Its letter says that it corrects an earlier one.
    pub correction: bool,
    /// The answer about another statement of the run tells that this person is protected: it goes on no paper. Only
    /// [`super::Journal::paper_waiting`] asks.
    pub protected: bool,
}

/// A statement that waits at an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    /// The statement.
    pub work: Work,
    /// Where FaR says that it goes.
    pub address: String,
    /// When FaR said so.
    pub looked_up: Timestamp,
    /// Attempts used; the next is one more.
    pub attempts: u32,
    /// Not to be tried before.
    pub not_before: Option<Timestamp>,
    /// How often the operator has answered Delivered = false ([`super::Journal::look_up_again`]).
    pub not_delivered: u32,
}

/// What FaR said about a statement's recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteRow {
    /// Which statement.
    pub ordinal: u64,
    /// When it was asked.
    pub looked_up: Timestamp,
    /// The answer.
    pub found: Found,
}

/// Where a statement goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// To a mailbox.
    Mailbox {
        /// The operator's place in [`RunHeader::operators`].
        operator: u16,
        /// Its service address.
        address: String,
    },
    /// There is none that takes it. Ends the digital half; where the paper half is fallback, it now waits.
    Unreachable(Reason),
}

/// What is about to be sent, and all that makes the same bytes again.
#[derive(Clone, PartialEq)]
pub struct Intent {
    /// Which statement.
    pub ordinal: u64,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The operator's place in [`RunHeader::operators`].
    pub operator: u16,
    /// Its service address.
    pub address: String,
    /// When.
    pub at: Timestamp,
    /// ReceivedTime of the seal, `YYYY-MM-DD`.
    pub seal_date: String,
    /// SHA-256 of the sender's certificate.
    pub sender_cert: [u8; 32],
    /// SHA-256 of the mediator's certificate.
    pub mediator_cert: [u8; 32],
    /// Version of the letter's renderer.
    pub renderer: u32,
    /// Content key, IV and wrapped key of an encrypted letter. The journal seals them.
    pub content_secrets: Option<Vec<u8>>,
    /// What tells the request body from all others ([`crate::domain::Sealed::digest`]).
    pub request_digest: [u8; 32],
    /// Id of the message.
    pub message_id: MessageId,
}

impl std::fmt::Debug for Intent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intent")
            .field("ordinal", &self.ordinal)
            .field("attempt", &self.attempt)
            .field("operator", &self.operator)
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}

/// A statement whose request may have arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIntent {
    /// The statement.
    pub work: Work,
    /// The request that left, or was about to.
    pub intent: Intent,
    /// Why it is in doubt, or was when its resend was ordered; [`Reason::None`] where it has no outcome at all.
    pub reason: Reason,
}

/// An attempt that surely was not accepted; the statement waits again.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptOver {
    /// Which statement.
    pub ordinal: u64,
    /// Which attempt.
    pub attempt: u32,
    /// What happened. The journal seals it.
    pub cause: String,
    /// The fault's ErrorCode.
    pub fault_code: Option<u32>,
    /// The fault's CallId.
    pub call_id: Option<String>,
    /// Not to be tried before.
    pub not_before: Option<Timestamp>,
}

/// The end of a digital half.
#[derive(Clone, Debug, PartialEq)]
pub struct DigitalEnd {
    /// Which statement.
    pub ordinal: u64,
    /// Which attempt; 0 where none was made.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// How.
    pub end: End,
    /// The fault's ErrorCode.
    pub fault_code: Option<u32>,
    /// The fault's CallId.
    pub call_id: Option<String>,
    /// What else is known. The journal seals it.
    pub detail: Option<String>,
}

/// How a digital half ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Delivered = true.
    Delivered {
        /// The operator's TransId.
        trans_id: String,
    },
    /// Paper, where the policy has it.
    Unreachable(Reason),
    /// Refused for good, or given up.
    Failed(Reason),
    /// A request left and its answer is unknown.
    InDoubt(Reason),
    /// Kept back.
    Held(Reason),
}

/// The end of a paper half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaperEnd {
    /// Which statement.
    pub ordinal: u64,
    /// How.
    pub end: PaperFate,
}

/// How a paper half ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaperFate {
    /// Its bundle is on disk, synced.
    Bundled {
        /// Number of the bundle.
        bundle: u32,
    },
    /// Kept back.
    Held(Reason),
    /// The letter could not be made.
    Failed(Reason),
}

/// A print bundle that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleRow {
    /// Its number within the run, from 1.
    pub number: u32,
    /// Name of its file.
    pub file_name: String,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Letters in it.
    pub letters: u32,
    /// Size of the file.
    pub bytes: u64,
}

/// What a person decides about a statement in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The operator confirms that it has it.
    Delivered,
    /// The operator confirms that it has not: it is looked up and sent anew.
    NotDelivered,
    /// Nobody knows, and it is to be sent again with the same id and bytes: it may arrive twice.
    Resend,
}

/// How many statements have which outcome; values sum to all statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By outcome and reason.
    pub by: std::collections::BTreeMap<(Outcome, Reason), u64>,
}

impl Counts {
    /// Statements in all.
    pub fn statements(&self) -> u64 {
        self.by.values().sum()
    }

    /// Statements with this outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.by.iter().filter(|((of, _), _)| *of == outcome).map(|(_, count)| count).sum()
    }
}
