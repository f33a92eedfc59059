//! What the sandbox reads in a certificate: whose it is, its key, its dates, and whether it chains to an authority.

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Facts of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The subject as text.
    pub subject: String,
    /// The subject's serialNumber: `16` and the organisation number.
    pub organisation: Option<String>,
    /// First moment of validity.
    pub not_before: jiff::Timestamp,
    /// Last moment of validity.
    pub not_after: jiff::Timestamp,
    /// The RSA public key (RSAPublicKey, DER).
    pub(crate) public_key: Vec<u8>,
}

impl Facts {
    /// Reads a DER certificate.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| format!("no certificate: {error}"))?;
        if !rest.is_empty() {
            return Err("no certificate: bytes after it".into());
        }
        let organisation = certificate
            .subject()
            .iter_by_oid(&x509_parser::oid_registry::OID_X509_SERIALNUMBER)
            .find_map(|value| value.as_str().ok())
            .map(str::to_owned);
        let time = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap_or_default();
        Ok(Self {
            subject: certificate.subject().to_string(),
            organisation,
            not_before: time(certificate.validity().not_before.timestamp()),
            not_after: time(certificate.validity().not_after.timestamp()),
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
        })
    }
}

/// The authorities that certificates must chain to.
#[derive(Clone, Debug)]
pub struct Trust(Arc<dyn ClientCertVerifier>);

impl Trust {
    /// Trusts these authorities.
    pub fn new(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root).map_err(|error| format!("an authority's certificate cannot be used: {error}"))?;
        }
        WebPkiClientVerifier::builder_with_provider(store.into(), provider())
            .build()
            .map(Self)
            .map_err(|error| format!("the authorities cannot be used: {error}"))
    }

    /// Whether a certificate chains to an authority and is in date at this moment.
    pub fn check(&self, certificate: &[u8], now: UnixTime) -> Result<(), String> {
        self.0
            .verify_client_cert(&CertificateDer::from_slice(certificate), &[], now)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// The same authorities as a judge of TLS clients.
    pub(crate) fn client_verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.0.clone()
    }
}

/// The one provider of cryptography.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
