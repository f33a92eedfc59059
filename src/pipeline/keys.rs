//! The keys and certificates of the settings, fit for use: read and checked before anything is sent.

use super::renew::Watched;
use crate::config::{Config, KeySource};
use crate::error::{Error, Exit, Result};
use crate::gateway::Tls;
use crate::prepare::encrypt::CmsRecipient;
use crate::prepare::keys::{Certificate, Credential, KeyError};
use crate::prepare::sign::Signer;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// What a key of the settings is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Signs the inner SignedDelivery.
    Sender,
    /// Signs the outer SealedDelivery.
    Mediator,
    /// Is shown to FaR and operators.
    Tls,
}

impl Role {
    pub(super) const ALL: [Self; 3] = [Self::Sender, Self::Mediator, Self::Tls];

    /// Its name in the settings.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Mediator => "mediator",
            Self::Tls => "tls",
        }
    }

    /// Where the settings have it.
    pub(super) const fn source(self, config: &Config) -> &KeySource {
        match self {
            Self::Sender => &config.keys.sender,
            Self::Mediator => &config.keys.mediator,
            Self::Tls => &config.keys.tls,
        }
    }

    /// Reads and checks its key: a pair that belongs together, valid now and until the planned end, and RSA where
    /// messages are signed with it.
    pub(super) fn load(self, source: &KeySource, now: Timestamp, until: Timestamp) -> Result<Credential, KeyError> {
        let credential = Credential::load(source)?;
        credential.validity(now, until)?;
        if self != Self::Tls {
            credential.signer()?;
        }
        Ok(credential)
    }
}

/// A key or a certificate of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// One of our keys.
    Own(Role),
    /// What attachments to an operator are encrypted to, by its place in the settings.
    Operator(usize),
    /// What print bundles are encrypted to.
    Printer,
}

impl Which {
    /// What it is called in the log.
    pub(super) fn name(self, config: &Config) -> String {
        match self {
            Self::Own(role) => role.name().to_owned(),
            Self::Operator(index) => {
                format!("encryption {}", config.operators.get(index).map_or("", |operator| operator.name.as_str()))
            }
            Self::Printer => PRINTER.to_owned(),
        }
    }

    /// The file that its certificate is in.
    pub(super) fn file(self, config: &Config) -> &Path {
        let file = match self {
            Self::Own(role) => return certificate_file(role.source(config)),
            Self::Operator(index) => config.operators.get(index).and_then(|of| of.encryption_certificate.as_deref()),
            Self::Printer => config.paper.as_ref().map(|paper| paper.supplier_certificate.as_path()),
        };
        // Only what the settings name is watched.
        file.unwrap_or(Path::new(""))
    }
}

/// What the print supplier's certificate is called.
pub(super) const PRINTER: &str = "encryption print supplier";

/// The file that a key's certificate is in.
pub(super) fn certificate_file(source: &KeySource) -> &Path {
    match source {
        KeySource::Pkcs12 { pkcs12, .. } => pkcs12,
        KeySource::Pem { certificate, .. } => certificate,
    }
}

/// Until when certificates are needed: a certificate that ends before the deadline ends before the run can.
pub(super) fn needed_until(config: &Config, now: Timestamp) -> Timestamp {
    config.run.deadline.map_or(now, |deadline| deadline.max(now))
}

/// A certificate to encrypt to, valid now and until the planned end.
pub(super) fn recipient(
    file: &Path,
    now: Timestamp,
    until: Timestamp,
) -> Result<(Certificate, CmsRecipient), Box<dyn std::error::Error + Send + Sync>> {
    let certificate = Certificate::read_pem(file)?;
    certificate.validity(now, until)?;
    let recipient = CmsRecipient::new(&certificate)?;
    Ok((certificate, recipient))
}

/// Keys that are fit for use.
pub(super) struct Keys {
    pub(super) sender: Arc<dyn Signer>,
    pub(super) mediator: Arc<dyn Signer>,
    pub(super) tls: Tls,
    pub(super) recipients: Vec<Option<CmsRecipient>>,
    pub(super) printer: Option<CmsRecipient>,
    pub(super) watched: Vec<Watched>,
}

impl Keys {
    /// Loads and checks every key and certificate of the settings, before anything is sent.
    pub(super) fn load(config: &Config) -> Result<Self> {
        let now = Timestamp::now();
        let until = needed_until(config, now);
        let mut watched = Vec::new();
        let mut load = |role: Role| -> Result<Credential> {
            let (name, source) = (role.name(), role.source(config));
            // Told from its files before they are read: what changes from now on is seen later.
            let seen = super::renew::contents(Which::Own(role), config);
            let credential = role.load(source, now, until).map_err(|error| {
                let file = certificate_file(source).display();
                Error::because(Exit::Settings, format!("the {name} key in {file}"), error)
            })?;
            for warning in credential.warnings() {
                tracing::warn!(role = name, %warning, "a key should be looked at");
            }
            watched.push(Watched::new(Which::Own(role), seen, credential.certificate().clone()));
            Ok(credential)
        };
        let unusable = |error: KeyError| Error::because(Exit::Settings, "a key of the settings", error);
        let sender = load(Role::Sender)?.signer().map_err(unusable)?;
        let mediator = load(Role::Mediator)?.signer().map_err(unusable)?;
        let client = load(Role::Tls)?.certified_key().map_err(unusable)?;
        let tls = Tls::new(client, &config.keys.trusted_roots)
            .map_err(|error| Error::because(Exit::Settings, "TLS", error))?;
        let mut encrypt_to = |which: Which, whose: &str| -> Result<CmsRecipient> {
            let (seen, file) = (super::renew::contents(which, config), which.file(config));
            let wrong = |error| {
                Error::because(Exit::Settings, format!("the certificate of {whose} in {}", file.display()), error)
            };
            let (certificate, recipient) = recipient(file, now, until).map_err(wrong)?;
            watched.push(Watched::new(which, seen, certificate));
            Ok(recipient)
        };
        let recipients = config
            .operators
            .iter()
            .enumerate()
            .map(|(index, operator)| {
                let encrypted = operator.encryption_certificate.is_some();
                encrypted.then(|| encrypt_to(Which::Operator(index), &operator.name)).transpose()
            })
            .collect::<Result<_>>()?;
        let printer = config.paper.is_some().then(|| encrypt_to(Which::Printer, "the print supplier")).transpose()?;
        Ok(Self { sender: Arc::new(sender), mediator: Arc::new(mediator), tls, recipients, printer, watched })
    }
}
