//! The workshop: all that makes a sealed message of a statement, in one place.
//!
//! In: a parsed statement, who it is from, to whom, where. Out: the request body and what makes the same bytes again.

use super::compose::{ComposeError, Composer, RENDERER_VERSION, Sheet, neutral_body};
use super::encrypt::{CmsRecipient, ContentSecrets, EncryptError};
use super::envelope::{self, Content, Delivery, Document, EnvelopeError, Message, Support};
use super::sign::Signer;
use crate::config;
use crate::domain::{Attachment, Identity, Kontrolluppgift, Letter, MessageId, Organisation, Sealed};
use crate::watch::crash;
use jiff::Timestamp;
use std::sync::{Arc, PoisonError, RwLock};

/// Why a statement could not be made into a message. Free of personal data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The statement has no identity that a message can be addressed to.
    #[error("the statement has no recipient that can be addressed")]
    NotAddressable,
    /// The letter cannot be composed.
    #[error("the letter cannot be composed")]
    Compose(#[from] ComposeError),
    /// The attachment cannot be encrypted.
    #[error("the attachment cannot be encrypted")]
    Encrypt(#[from] EncryptError),
    /// The message cannot be signed and sealed.
    #[error("the message cannot be sealed")]
    Envelope(#[from] EnvelopeError),
    /// The message is larger than the infrastructure takes.
    #[error("the message has {bytes} bytes, and at most {limit} are sent")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit of the settings.
        limit: usize,
    },
}

impl PrepareError {
    /// Whether the message is too large.
    pub const fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}

/// Keys, templates and recipients of encryption. Shared by all threads.
pub struct Workshop {
    composer: Composer,
    signers: RwLock<Known>,
    /// By operator: whom attachments are encrypted to.
    recipients: Vec<Option<CmsRecipient>>,
    limit_bytes: usize,
}

/// Who signs: sender and mediator.
#[derive(Clone)]
struct Signers {
    sender: Arc<dyn Signer>,
    mediator: Arc<dyn Signer>,
}

/// The pair in force, and those before it, which make again what was sent with them.
struct Known {
    in_force: Signers,
    earlier: Vec<Signers>,
}

/// Whose signatures a message had: SHA-256 of the certificates of sender and mediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The sender's.
    pub sender: [u8; 32],
    /// The mediator's.
    pub mediator: [u8; 32],
}

impl Signers {
    fn certificates(&self) -> SignedBy {
        SignedBy {
            sender: *self.sender.certificate().fingerprint(),
            mediator: *self.mediator.certificate().fingerprint(),
        }
    }
}

/// What is to be made.
#[derive(Debug)]
pub struct Job<'a> {
    /// The statement.
    pub statement: &'a Kontrolluppgift<'a>,
    /// Who it is from, as the recipient reads it.
    pub sender: &'a config::Sender,
    /// Who it is from, as the infrastructure knows it.
    pub sender_id: Organisation,
    /// To whom.
    pub recipient: Identity,
    /// Its id.
    pub message_id: MessageId,
    /// The operator's place in the settings.
    pub operator: usize,
    /// Whether it replaces an earlier letter.
    pub correction: bool,
    /// ReceivedTime of the seal, `YYYY-MM-DD`.
    pub seal_date: &'a str,
    /// For the same bytes again: the secrets of the first time.
    pub secrets: Option<&'a [u8]>,
    /// For the same bytes again: who signed the first time.
    pub signed_by: Option<SignedBy>,
}

/// A message that is ready to leave, and what makes its bytes again.
#[derive(Debug)]
pub struct Made {
    /// The request body.
    pub sealed: Sealed,
    /// Content key, IV and wrapped key of an encrypted letter.
    pub secrets: Option<Vec<u8>>,
    /// ReceivedTime of the seal.
    pub seal_date: String,
    /// SHA-256 of the sender's certificate.
    pub sender_cert: [u8; 32],
    /// SHA-256 of the mediator's certificate.
    pub mediator_cert: [u8; 32],
    /// Version of the renderer.
    pub renderer: u32,
}

impl Workshop {
    /// A workshop with these signers and, by operator, certificates to encrypt to.
    pub fn new(
        sender: Arc<dyn Signer>,
        mediator: Arc<dyn Signer>,
        recipients: Vec<Option<CmsRecipient>>,
        limit_bytes: usize,
    ) -> Self {
        let signers = RwLock::new(Known { in_force: Signers { sender, mediator }, earlier: Vec::new() });
        Self { composer: Composer::new(), signers, recipients, limit_bytes }
    }

    /// New letters are signed by this sender from now on.
    pub fn replace_sender(&self, sender: Arc<dyn Signer>) {
        self.replace(|signers| signers.sender = sender);
    }

    /// New letters are sealed by this mediator from now on.
    pub fn replace_mediator(&self, mediator: Arc<dyn Signer>) {
        self.replace(|signers| signers.mediator = mediator);
    }

    /// Forgets earlier keys whose certificate has ended: what they sign would be taken no more.
    pub fn forget_ended(&self, now: Timestamp) {
        let valid = |signer: &Arc<dyn Signer>| signer.certificate().validity(now, now).is_ok();
        let mut known = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        known.earlier.retain(|one| valid(&one.sender) && valid(&one.mediator));
    }

    fn replace(&self, change: impl FnOnce(&mut Signers)) {
        let mut known = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        let replaced = known.in_force.clone();
        change(&mut known.in_force);
        known.earlier.push(replaced);
    }

    /// The pair that signed an earlier request, where it is still here; otherwise the one in force.
    fn signers(&self, by: Option<SignedBy>) -> Signers {
        let known = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        let earlier = by.and_then(|by| known.earlier.iter().find(|one| one.certificates() == by));
        earlier.unwrap_or(&known.in_force).clone()
    }

    /// Composes, encrypts where the operator has a certificate, signs and seals.
    ///
    /// *Cost*: two RSA signatures, and little beside them. The same job gives the same bytes, but for fresh secrets.
    pub fn make(&self, job: &Job<'_>) -> Result<Made, PrepareError> {
        let signers = self.signers(job.signed_by);
        let sheet = Sheet { statement: job.statement, sender: job.sender, correction: job.correction };
        let letter = self.composer.letter(&sheet)?;
        crash::point("composed");
        let (letter, secrets) = match self.recipients.get(job.operator).and_then(Option::as_ref) {
            Some(recipient) => self.encrypt(&sheet, letter, recipient, job.secrets)?,
            None => (letter, None),
        };
        let message_id = job.message_id.to_string();
        let sender_id = job.sender_id.identity();
        let documents: Vec<Document<'_>> = letter.attachment.iter().map(Document::from).collect();
        let message = Message {
            id: &message_id,
            subject: &letter.subject,
            support: Support {
                text: &job.sender.support_text,
                url: job.sender.support_url.as_deref(),
                phone: job.sender.support_phone.as_deref(),
                email: job.sender.support_email.as_deref(),
            },
            metadata: &[],
            language: "svSE",
            reply: None,
            receipt_request: None,
            body: Content::from(&letter.body),
            attachments: &documents,
        };
        let delivery = Delivery {
            sender_id: sender_id.expose(),
            sender_name: &job.sender.name,
            sender_attention: None,
            recipient: job.recipient.expose(),
            reference: None,
            correlation_id: Some(&message_id),
            attention: None,
            messages: &[message],
        };
        let sealed = envelope::seal(&delivery, &*signers.sender, &*signers.mediator, job.seal_date)?;
        crash::point("signed");
        if sealed.bytes.len() > self.limit_bytes {
            return Err(PrepareError::TooLarge { bytes: sealed.bytes.len(), limit: self.limit_bytes });
        }
        let SignedBy { sender: sender_cert, mediator: mediator_cert } = signers.certificates();
        Ok(Made {
            sealed,
            secrets,
            seal_date: job.seal_date.to_owned(),
            sender_cert,
            mediator_cert,
            renderer: RENDERER_VERSION,
        })
    }

    /// The letter as a document to print.
    pub fn paper(
        &self,
        statement: &Kontrolluppgift<'_>,
        sender: &config::Sender,
        correction: bool,
    ) -> Result<Vec<u8>, PrepareError> {
        Ok(self.composer.paper(&Sheet { statement, sender, correction })?)
    }

    /// Letters that held a character outside the prepared fonts, and so took the slow path.
    pub fn slow_letters(&self) -> u64 {
        self.composer.slow_letters()
    }

    /// Encrypts the attachment; the body says no more than that there is one.
    fn encrypt(
        &self,
        sheet: &Sheet<'_>,
        letter: Letter,
        recipient: &CmsRecipient,
        secrets: Option<&[u8]>,
    ) -> Result<(Letter, Option<Vec<u8>>), PrepareError> {
        let Some(attachment) = letter.attachment else {
            return Ok((letter, None));
        };
        let secrets = match secrets {
            Some(bytes) => ContentSecrets::from_bytes(bytes)?,
            None => recipient.fresh()?,
        };
        let bytes = recipient.encrypt(&attachment.bytes, &secrets)?;
        let attachment = Attachment {
            content_type: "application/pkcs7-mime",
            filename: format!("{}.p7m", attachment.filename),
            bytes,
            begun: None,
        };
        let letter = Letter { subject: letter.subject, body: neutral_body(sheet), attachment: Some(attachment) };
        Ok((letter, Some(secrets.to_bytes().to_vec())))
    }
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").field("operators", &self.recipients.len()).finish_non_exhaustive()
    }
}
