//! A key or certificate replaced on disk while a run goes on: taken up without losing a message.
//!
//! Every [`EVERY`] the files of the settings are read again. Where their contents differ, the key or certificate is loaded
//! and checked as at the start; one that does not fit together, is half written, has ended, is weak, or is another
//! organisation's is passed over with a warning and looked at again, and the earlier one stays in use. A good one takes
//! its place: letters that are made from then on are signed with it, or encrypted to it, print bundles that are closed
//! from then on are encrypted to it, connections that are made from then on show it. A letter that is already made
//! leaves as it is, and what is in doubt is sent again only with the bytes that it was sent with first.

use super::keys::{Role, Which, needed_until, recipient};
use super::open::Run;
use crate::config::{Config, KeySource};
use crate::error::chain;
use crate::prepare::keys::{Certificate, KeyError};
use aws_lc_rs::digest::{Context, SHA256};
use jiff::Timestamp;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// How often files are looked at: a few kilobytes each time.
const EVERY: Duration = Duration::from_secs(1);

/// SHA-256 of what the files of a key or certificate hold.
type Contents = [u8; 32];

/// A key or certificate whose files are watched.
#[derive(Debug)]
pub(super) struct Watched {
    which: Which,
    /// What the files held when what is in use was read.
    seen: Contents,
    in_use: Certificate,
    /// The last warning about it, so that it is given once.
    complaint: Option<String>,
}

impl Watched {
    pub(super) const fn new(which: Which, seen: Contents, in_use: Certificate) -> Self {
        Self { which, seen, in_use, complaint: None }
    }
}

/// Why a replacement is passed over.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Key(#[from] KeyError),
    /// With its causes.
    #[error("{0}")]
    Recipient(String),
    #[error("it is of another organisation than the one that the run began with: start a new run with it")]
    Foreign,
}

/// Looks at the files until the run ends.
pub(super) async fn run(run: Arc<Run>) {
    loop {
        tokio::time::sleep(EVERY).await;
        tokio::task::block_in_place(|| look(&run));
    }
}

fn look(run: &Run) {
    let now = Timestamp::now();
    run.workshop.forget_ended(now);
    let mut watched = run.watched.lock().unwrap_or_else(PoisonError::into_inner);
    for one in watched.iter_mut() {
        let contents = contents(one.which, &run.config);
        if contents == one.seen {
            // Put back as it was, or never touched.
            one.complaint = None;
            continue;
        }
        let (role, file) = (one.which.name(&run.config), one.which.file(&run.config).display());
        match replacement(run, one, now) {
            Ok(certificate) => {
                if certificate != one.in_use {
                    let (subject, until) = (certificate.subject(), certificate.not_after());
                    tracing::info!(role, %file, subject, %until, "a certificate was replaced: the new one is in use");
                    run.note("certificate_replaced", &format!("{role}: {subject}, valid until {until}"));
                    one.in_use = certificate;
                }
                (one.seen, one.complaint) = (contents, None);
            }
            Err(error) => {
                let complaint = error.to_string();
                if one.complaint.as_ref() != Some(&complaint) {
                    tracing::warn!(role, %file, %error, "a certificate was changed and is not taken up: the earlier one stays in use");
                    run.note("certificate_not_taken", &format!("{role}: {complaint}"));
                    one.complaint = Some(complaint);
                }
            }
        }
    }
}

/// Loads what took the place of a key or certificate, and puts it to use where it is another.
fn replacement(run: &Run, one: &Watched, now: Timestamp) -> Result<Certificate, NotTaken> {
    let until = needed_until(&run.config, now);
    let is_new = |certificate: &Certificate| match certificate {
        same if *same == one.in_use => Ok(false),
        other if other.organisation() != one.in_use.organisation() => Err(NotTaken::Foreign),
        _ => Ok(true),
    };
    if let Which::Own(role) = one.which {
        let credential = role.load(role.source(&run.config), now, until)?;
        let certificate = credential.certificate().clone();
        if is_new(&certificate)? {
            match role {
                Role::Sender => run.workshop.replace_sender(Arc::new(credential.signer()?)),
                Role::Mediator => run.workshop.replace_mediator(Arc::new(credential.signer()?)),
                // FaR and all operators share it.
                Role::Tls => run.far.gateway.tls().replace(credential.certified_key()?),
            }
        }
        return Ok(certificate);
    }
    let (certificate, recipient) =
        recipient(one.which.file(&run.config), now, until).map_err(|error| NotTaken::Recipient(chain(&*error)))?;
    if is_new(&certificate)? {
        match one.which {
            Which::Operator(index) => run.workshop.replace_recipient(index, recipient),
            Which::Own(_) | Which::Printer => run.replace_printer(recipient),
        }
    }
    Ok(certificate)
}

/// What the files of a key or certificate hold now; a file that cannot be read counts as holding nothing.
pub(super) fn contents(which: Which, config: &Config) -> Contents {
    let files: [Option<&Path>; 3] = match which {
        Which::Own(role) => match role.source(config) {
            KeySource::Pkcs12 { pkcs12, password_file } => [Some(pkcs12), Some(password_file), None],
            KeySource::Pem { certificate, private_key, password_file } => {
                [Some(certificate), Some(private_key), password_file.as_deref()]
            }
        },
        Which::Operator(_) | Which::Printer => [Some(which.file(config)), None, None],
    };
    let mut hash = Context::new(&SHA256);
    for file in files.into_iter().flatten() {
        let bytes = Zeroizing::new(std::fs::read(file).unwrap_or_default());
        hash.update(&bytes.len().to_le_bytes());
        hash.update(&bytes);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    digest
}
