//! The workshop: all that makes a sealed message of a statement, in one place.
//!
//! In: a parsed statement, who it is from, to whom, where. Out: the request body and what makes the same bytes again.

use super::compose::{ComposeError, Composer, RENDERER_VERSION, Sheet, neutral_body};
use super::encrypt::{CmsRecipient, ContentSecrets, EncryptError};
use super::envelope::{self, Content, Delivery, Document, EnvelopeError, Message, Support};
use super::keys::Certificate;
use super::sign::{SignError, Signer};
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
    /// For the same bytes again: the certificate that the attachment was encrypted to is not here any more.
    #[error("it was encrypted to a certificate that is no longer in use")]
    OtherCertificate,
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
    /// By operator.
    recipients: RwLock<Vec<Recipients>>,
    limit_bytes: usize,
    /// Whether a thread steps aside before each signature.
    yields: bool,
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

/// To whom an operator's attachments are encrypted: the certificate in force last, before it those that make again what
/// was encrypted to them; none where they are not encrypted.
type Recipients = Vec<Arc<CmsRecipient>>;

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
    /// The message's id.
    pub message_id: MessageId,
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
        let recipients = recipients.into_iter().map(|one| one.into_iter().map(Arc::new).collect()).collect();
        Self { composer: Composer::new(), signers, recipients: RwLock::new(recipients), limit_bytes, yields: false }
    }

    /// Whether its threads step aside before each signature, for who waits for a processor: at an agreed rate a slot is
    /// lost while three milliseconds of letters are made before anybody is let in. A machine whose processors are
    /// wanted by other programs then gives the letters less of them.
    #[must_use]
    pub const fn yielding(mut self, yields: bool) -> Self {
        self.yields = yields;
        self
    }

    /// New letters are signed by this sender from now on.
    pub fn replace_sender(&self, sender: Arc<dyn Signer>) {
        self.replace(|signers| signers.sender = sender);
    }

    /// New letters are sealed by this mediator from now on.
    pub fn replace_mediator(&self, mediator: Arc<dyn Signer>) {
        self.replace(|signers| signers.mediator = mediator);
    }

    /// New letters to an operator are encrypted to this certificate from now on.
    pub fn replace_recipient(&self, operator: usize, recipient: CmsRecipient) {
        let mut recipients = self.recipients.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = recipients.get_mut(operator) {
            known.retain(|one| one.certificate() != recipient.certificate());
            known.push(Arc::new(recipient));
        }
    }

    /// Forgets earlier keys and certificates that have ended: what they sign would be taken no more, and nothing more is
    /// encrypted to them.
    pub fn forget_ended(&self, now: Timestamp) {
        let valid = |certificate: &Certificate| certificate.validity(now, now).is_ok();
        let mut known = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        known.earlier.retain(|one| valid(one.sender.certificate()) && valid(one.mediator.certificate()));
        drop(known);
        let mut recipients = self.recipients.write().unwrap_or_else(PoisonError::into_inner);
        for known in recipients.iter_mut() {
            let in_force = known.pop();
            known.retain(|one| valid(one.certificate()));
            known.extend(in_force);
        }
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

    /// To whom a letter is encrypted: as its secrets say, else to the certificate in force.
    ///
    /// *Errors*: [`PrepareError::OtherCertificate`] where what the secrets say is not here any more.
    fn recipient(
        &self,
        operator: usize,
        secrets: Option<&ContentSecrets>,
    ) -> Result<Option<Arc<CmsRecipient>>, PrepareError> {
        let recipients = self.recipients.read().unwrap_or_else(PoisonError::into_inner);
        let known = recipients.get(operator).map(Vec::as_slice).unwrap_or_default();
        let Some(secrets) = secrets else { return Ok(known.last().cloned()) };
        let found = known.iter().find(|one| one.certificate().fingerprint() == secrets.to());
        Ok(Some(Arc::clone(found.ok_or(PrepareError::OtherCertificate)?)))
    }

    /// Composes, encrypts where the operator has a certificate, signs and seals.
    ///
    /// *Cost*: two RSA signatures, and little beside them. The same job gives the same bytes, but for fresh secrets.
    pub fn make(&self, job: &Job<'_>) -> Result<Made, PrepareError> {
        let signers = self.signers(job.signed_by);
        let sheet = Sheet { statement: job.statement, sender: job.sender, correction: job.correction };
        let letter = self.composer.letter(&sheet)?;
        crash::point("composed");
        let secrets = job.secrets.map(ContentSecrets::from_bytes).transpose()?;
        let (letter, secrets) = match self.recipient(job.operator, secrets.as_ref())? {
            Some(recipient) => self.encrypt(&sheet, letter, &recipient, secrets)?,
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
        let sender = Yielding { signer: &*signers.sender, yields: self.yields };
        let mediator = Yielding { signer: &*signers.mediator, yields: self.yields };
        let sealed = envelope::seal(&delivery, &sender, &mediator, job.seal_date)?;
        crash::point("signed");
        if sealed.bytes.len() > self.limit_bytes {
            return Err(PrepareError::TooLarge { bytes: sealed.bytes.len(), limit: self.limit_bytes });
        }
        let SignedBy { sender: sender_cert, mediator: mediator_cert } = signers.certificates();
        Ok(Made {
            message_id: job.message_id,
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
        secrets: Option<ContentSecrets>,
    ) -> Result<(Letter, Option<Vec<u8>>), PrepareError> {
        let Some(attachment) = letter.attachment else {
            return Ok((letter, None));
        };
        let secrets = match secrets {
            Some(secrets) => secrets,
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

/// A signer that steps aside before it signs.
struct Yielding<'a> {
    signer: &'a dyn Signer,
    yields: bool,
}

impl Signer for Yielding<'_> {
    fn certificate(&self) -> &Certificate {
        self.signer.certificate()
    }

    fn sign_digest(&self, sha256: &[u8; 32], signature: &mut Vec<u8>) -> Result<(), SignError> {
        if self.yields {
            std::thread::yield_now();
        }
        self.signer.sign_digest(sha256, signature)
    }
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{credential, signer};
    use super::*;
    use crate::domain::{FieldIndex, Form};
    use std::borrow::Cow;

    fn recipient(name: &str) -> CmsRecipient {
        CmsRecipient::new(credential(name).certificate()).unwrap()
    }

    fn make(workshop: &Workshop, secrets: Option<&[u8]>) -> Result<Made, PrepareError> {
        let mut statement = Kontrolluppgift::new(Form::KU10, "2310".into(), "165021680250".into(), "2026".into());
        for (faltkod, value) in [(201, "165021680250"), (203, "2026"), (215, "191212121212"), (570, "1"), (11, "4321")]
        {
            statement.insert(FieldIndex::of(faltkod).unwrap(), Cow::Borrowed(value));
        }
        let sender = config::Sender {
            id: None,
            name: "Kommun A".into(),
            names: None,
            support_text: "Fråga oss.".into(),
            support_url: None,
            support_phone: None,
            support_email: None,
        };
        workshop.make(&Job {
            statement: &statement,
            sender: &sender,
            sender_id: Organisation::parse("162021004748").unwrap(),
            recipient: Identity::parse("191212121212").unwrap(),
            message_id: MessageId([7; 16]),
            operator: 0,
            correction: false,
            seal_date: "2027-01-31",
            secrets,
            signed_by: None,
        })
    }

    #[test]
    fn a_replaced_encryption_certificate_makes_new_letters_and_the_earlier_one_the_same_bytes_again() {
        let [sender, mediator] = ["sender", "mediator"].map(|name| Arc::new(signer(name)));
        let workshop = Workshop::new(sender, mediator, vec![Some(recipient("sender"))], 2_000_000);
        let secrets_of = |made: &Made| ContentSecrets::from_bytes(made.secrets.as_deref().unwrap()).unwrap();
        let first = make(&workshop, None).unwrap();
        workshop.replace_recipient(0, recipient("mediator"));
        let second = make(&workshop, None).unwrap();
        let [to_first, to_second] = [&first, &second].map(|made| *secrets_of(made).to());
        assert_eq!(to_first, *credential("sender").certificate().fingerprint());
        assert_eq!(to_second, *credential("mediator").certificate().fingerprint());
        for made in [&first, &second] {
            let again = make(&workshop, made.secrets.as_deref()).unwrap();
            assert_eq!((again.sealed.digest, &again.secrets), (made.sealed.digest, &made.secrets));
        }
        // Put back as it was: once only, and in force.
        workshop.replace_recipient(0, recipient("sender"));
        assert_eq!(secrets_of(&make(&workshop, None).unwrap()).to(), &to_first);

        // One that has ended is encrypted to no more; the one in force stays, whatever its dates.
        workshop.forget_ended(Timestamp::MAX);
        assert!(matches!(make(&workshop, second.secrets.as_deref()), Err(PrepareError::OtherCertificate)));
        assert_eq!(make(&workshop, first.secrets.as_deref()).unwrap().sealed.digest, first.sealed.digest);
        // Nor is what was encrypted sent in the clear where an operator's certificate is gone.
        let [sender, mediator] = ["sender", "mediator"].map(|name| Arc::new(signer(name)));
        let plain = Workshop::new(sender, mediator, vec![None], 2_000_000);
        assert!(matches!(make(&plain, first.secrets.as_deref()), Err(PrepareError::OtherCertificate)));
    }
}
