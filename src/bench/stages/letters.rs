//! Letters: composing, encrypting, signing, sealing; and on paper.

use super::super::clock::{Whose, median};
use super::super::interrupt::Interrupt;
use super::{Known, ROUNDS};
use crate::config::Config;
use crate::disk::Machine;
use crate::domain::{Form, Identity, MessageId};
use crate::error::{Error, Exit, Result};
use crate::intake::{Export, IntakeError};
use crate::prepare::bundle::{PaperLetter, write_bundle};
use crate::prepare::compose::{Composer, Sheet};
use crate::prepare::encrypt::CmsRecipient;
use crate::prepare::keys::{Certificate, Credential, KeyError};
use crate::prepare::sign::{KeySigner, SignError, Signer};
use crate::prepare::{Job, Workshop};
use crate::track::Installation;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What letters cost, and some of them.
pub struct Letters {
    /// Reading the record again as often as a send does, HTML and PDF.
    pub compose_s: f64,
    /// Encrypting the attachment, wrapping its key included.
    pub encrypt_s: f64,
    /// The sender's part of the message.
    pub sign_s: f64,
    /// The mediator's part.
    pub seal_s: f64,
    /// A letter for print in its share of a bundle.
    pub paper_s: f64,
    /// Mean bytes of a request.
    pub message_bytes: f64,
    /// Mean bytes of an attachment.
    pub attachment_bytes: f64,
    /// Requests with their recipients.
    pub requests: Vec<(Identity, Vec<u8>)>,
}

/// Signs, and notes when it had.
struct Stopwatch {
    signer: KeySigner,
    signed: Mutex<Duration>,
}

impl Stopwatch {
    fn new(source: &crate::config::KeySource) -> Result<Arc<Self>> {
        let signer = Credential::load(source).and_then(|credential| credential.signer()).map_err(key)?;
        Ok(Arc::new(Self { signer, signed: Mutex::default() }))
    }

    fn signed(&self) -> Duration {
        *self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signer for Stopwatch {
    fn certificate(&self) -> &Certificate {
        self.signer.certificate()
    }

    fn sign_digest(&self, sha256: &[u8; 32], signature: &mut Vec<u8>) -> std::result::Result<(), SignError> {
        self.signer.sign_digest(sha256, signature)?;
        *self.signed.lock().unwrap_or_else(PoisonError::into_inner) = Whose::Thread.now();
        Ok(())
    }
}

/// Sums of one round over all its statements.
#[derive(Clone, Copy, Default)]
struct Sums {
    compose: f64,
    encrypt: f64,
    sign: f64,
    seal: f64,
    paper: f64,
}

/// Measures.
pub fn measure(
    export: &Export,
    known: &[Known],
    config: &Config,
    installation: &Installation,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Letters> {
    let supplier = config.paper.as_ref().ok_or_else(|| Error::new(Exit::Settings, "the settings have no [paper]"))?;
    let supplier = Certificate::read_pem(&supplier.supplier_certificate).map_err(key)?;
    let supplier = CmsRecipient::new(&supplier).map_err(|error| failed(error.into()))?;
    let (sender, mediator) = (Stopwatch::new(&config.keys.sender)?, Stopwatch::new(&config.keys.mediator)?);
    let workshop = Workshop::new(sender.clone(), mediator, vec![None], config.run.message_limit_bytes);
    let composer = Composer::new();
    let (mut rounds, mut requests, mut attachment_bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let (mut sums, mut papers) = (Sums::default(), Vec::new());
        for one in known {
            interrupt.check()?;
            let statement = || {
                export.record_digest(&one.span);
                export.record(&one.span).map_err(IntakeError::into_error)
            };
            // The look-up reads whom it is for, the pool reads it to make it.
            let (twice, reading) = Whose::Thread.time(|| statement().and_then(|_| statement()));
            let statement = twice?;
            let from = config.senders.of(&one.uppgiftslamnare);
            let sheet = Sheet { statement: &statement, sender: from, correction: false };
            let (letter, composing) = Whose::Thread.time(|| composer.letter(&sheet));
            let letter = letter.map_err(|error| failed(error.into()))?;
            sums.compose += reading.cpu_s + composing.cpu_s;
            let attachment = letter.attachment.map(|attachment| attachment.bytes).unwrap_or_default();
            let (encrypted, encrypting) =
                Whose::Thread.time(|| supplier.fresh().and_then(|secrets| supplier.encrypt(&attachment, &secrets)));
            encrypted.map_err(|error| failed(error.into()))?;
            sums.encrypt += encrypting.cpu_s;
            let message_id = installation.message_id(&one.key, &one.content);
            let job = Job {
                statement: &statement,
                sender: from,
                sender_id: config.senders.id_of(&one.uppgiftslamnare),
                recipient: one.recipient,
                message_id,
                operator: 0,
                correction: false,
                seal_date: "2027-01-12",
                secrets: None,
                signed_by: None,
            };
            let start = Whose::Thread.now();
            let made = workshop.make(&job);
            let end = Whose::Thread.now();
            let made = made.map_err(|error| failed(error.into()))?;
            sums.sign += sender.signed().saturating_sub(start).as_secs_f64() - composing.cpu_s;
            sums.seal += end.saturating_sub(sender.signed()).as_secs_f64();
            let (paper, printing) = Whose::Thread.time(|| workshop.paper(&statement, from, false));
            papers.push((one, message_id, statement.form, paper.map_err(|error| failed(error.into()))?));
            sums.paper += printing.cpu_s;
            if round == 0 {
                attachment_bytes += attachment.len();
                requests.push((one.recipient, made.sealed.bytes));
            }
        }
        let (bundled, bundling) = Whose::Thread.time(|| bundle(&papers, folder, round as u32 + 1, &supplier));
        bundled?;
        sums.paper += bundling.cpu_s;
        rounds.push(sums);
    }
    let count = known.len().max(1) as f64;
    let middle = |of: fn(&Sums) -> f64| median(rounds.iter().map(of)).max(0.0) / count;
    Ok(Letters {
        compose_s: middle(|sums| sums.compose),
        encrypt_s: middle(|sums| sums.encrypt),
        sign_s: middle(|sums| sums.sign),
        seal_s: middle(|sums| sums.seal),
        paper_s: middle(|sums| sums.paper),
        message_bytes: requests.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() as f64 / count,
        attachment_bytes: attachment_bytes as f64 / count,
        requests,
    })
}

type Printed<'a> = (&'a Known, MessageId, Form, Vec<u8>);

fn bundle(papers: &[Printed<'_>], folder: &Path, number: u32, supplier: &CmsRecipient) -> Result<()> {
    if papers.is_empty() {
        return Ok(());
    }
    let letters: Vec<PaperLetter<'_>> = papers
        .iter()
        .map(|(one, message_id, form, pdf)| PaperLetter {
            ordinal: one.span.ordinal,
            message_id: *message_id,
            form: *form,
            recipient_id: Some(one.recipient.expose()),
            pdf,
        })
        .collect();
    let written = write_bundle(&Machine, &folder.join("paper"), number, "bench", &letters, supplier);
    written.map(drop).map_err(|error| Error::because(Exit::Storage, "cannot write a print bundle", error))
}

fn key(error: KeyError) -> Error {
    Error::because(Exit::Settings, "a key of the sandbox", error)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::because(Exit::Input, "a generated statement cannot be made into a letter", error)
}
