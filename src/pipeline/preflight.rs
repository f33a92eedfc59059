//! What `check` says of the settings before a run: the installation's key and register, keys, certificates and their dates,
//! and a handshake with each gateway.
//!
//! Nothing is asked and nothing is sent: a connection is made, and closed.

use super::keys::{PRINTER, Role, certificate_file, needed_until, recipient};
use crate::config::{Config, KeySource};
use crate::error::{Error, Exit, Result, chain};
use crate::gateway::{Address, Gateway, GatewaySettings, Tls};
use crate::prepare::keys::{Certificate, Credential};
use crate::track::Installation;
use jiff::Timestamp;
use serde::Serialize;
use std::path::Path;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// What: `key sender`, `handshake FaR`.
    pub what: String,
    /// Whether it is ours to mend or a gateway's.
    pub of: Of,
    /// Whether a run could use it.
    pub state: State,
    /// What was found, or what is wrong and what to do.
    pub detail: String,
}

/// What a thing belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The settings, keys and certificates.
    Settings,
    /// A gateway and what lies on the way to it.
    Gateway,
}

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Fit for a run.
    Good,
    /// Fit, and should be looked at.
    Warning,
    /// A run would be refused.
    Wrong,
    /// Could not be looked at, for want of something that only a run knows.
    Unknown,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Wrong => "WRONG",
            Self::Unknown => "unknown",
        })
    }
}

impl Checked {
    fn new(of: Of, what: impl Into<String>, found: std::result::Result<String, String>) -> Self {
        let (state, detail) = match found {
            Ok(detail) => (State::Good, detail),
            Err(detail) => (State::Wrong, detail),
        };
        Self { what: what.into(), of, state, detail }
    }
}

/// Looks at everything that the settings name.
pub fn preflight(config: &Config) -> Result<Vec<Checked>> {
    let now = Timestamp::now();
    let until = needed_until(config, now);
    let mut checked = Vec::new();
    let made = Installation::is_made(&config.installation).map_err(|error| chain(&error)).map(|made| match made {
        true => "its key and its register are there".into(),
        false => "what is missing of its key and register is made at first use".into(),
    });
    checked.push(Checked::new(Of::Settings, "installation", made));
    let mut client = None;
    for role in Role::ALL {
        let credential = key(role, role.source(config), now, until, &mut checked);
        if role == Role::Tls {
            client = credential;
        }
    }
    for operator in &config.operators {
        if let Some(file) = &operator.encryption_certificate {
            checked.push(Checked::new(
                Of::Settings,
                format!("encryption {}", operator.name),
                encryption(file, now, until),
            ));
        }
    }
    if let Some(paper) = &config.paper {
        checked.push(Checked::new(Of::Settings, PRINTER, encryption(&paper.supplier_certificate, now, until)));
    }
    let tls = client.ok_or_else(|| "there is no usable client certificate".to_owned()).and_then(|credential| {
        let key = credential.certified_key().map_err(|error| chain(&error))?;
        Tls::new(key, &config.keys.trusted_roots).map_err(|error| chain(&error))
    });
    match tls {
        Ok(tls) => checked.extend(handshakes(config, &tls)?),
        Err(why) => checked.push(Checked::new(Of::Settings, "handshakes", Err(why))),
    }
    Ok(checked)
}

fn key(
    role: Role,
    source: &KeySource,
    now: Timestamp,
    until: Timestamp,
    checked: &mut Vec<Checked>,
) -> Option<Credential> {
    let what = format!("key {}", role.name());
    let credential = match role.load(source, now, until) {
        Ok(credential) => credential,
        Err(error) => {
            let wrong = format!("in {}: {}", certificate_file(source).display(), chain(&error));
            checked.push(Checked::new(Of::Settings, what, Err(wrong)));
            return None;
        }
    };
    checked.push(Checked::new(Of::Settings, what.clone(), Ok(describe(credential.certificate()))));
    checked.extend(credential.warnings().iter().map(|warning| Checked {
        what: what.clone(),
        of: Of::Settings,
        state: State::Warning,
        detail: warning.to_string(),
    }));
    Some(credential)
}

fn encryption(file: &Path, now: Timestamp, until: Timestamp) -> std::result::Result<String, String> {
    match recipient(file, now, until) {
        Ok((certificate, _)) => Ok(describe(&certificate)),
        Err(error) => Err(format!("in {}: {}", file.display(), chain(&*error))),
    }
}

fn describe(certificate: &Certificate) -> String {
    let (from, to) = (certificate.not_before(), certificate.not_after());
    format!("{}, RSA {}, valid {from} to {to}", certificate.subject(), certificate.key_bits())
}

fn handshakes(config: &Config, tls: &Tls) -> Result<Vec<Checked>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::because(Exit::Storage, "cannot start the runtime", error))?;
    let far = ("FaR", Some(config.far.address.as_str()), config.far.rate_per_s, config.far.timeout);
    let operators = config.operators.iter().map(|operator| {
        (operator.name.as_str(), operator.service_address.as_deref(), operator.rate_per_s, operator.connect_timeout)
    });
    let checked = std::iter::once(far).chain(operators).map(|(name, address, rate, connect_timeout)| {
        let what = format!("handshake {name}");
        let Some(address) = address else {
            let detail = "its address comes from FaR; name it in service_address to have it looked at here".into();
            return Checked { what, of: Of::Gateway, state: State::Unknown, detail };
        };
        let Some(address) = Address::parse(address) else {
            return Checked::new(Of::Settings, what, Err(format!("{address} is no https address")));
        };
        let settings = GatewaySettings {
            name: name.into(),
            rate,
            windows: crate::domain::Windows::default(),
            waits: std::sync::Arc::default(),
            concurrency: 1,
            connect_timeout,
            timeout: connect_timeout,
        };
        let gateway = Gateway::new(settings, tls.clone());
        let lease = runtime.block_on(gateway.lease(&address));
        Checked::new(Of::Gateway, what, lease.map(|_| format!("{address} answers")).map_err(|error| error.to_string()))
    });
    Ok(checked.collect())
}
