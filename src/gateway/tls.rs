//! Mutual TLS: our client certificate, and only the roots that the settings name.

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The bundle of roots could not be read.
    #[error("cannot read the trusted roots {file}")]
    Roots {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// It holds no certificate.
    #[error("the trusted roots {0} hold no certificate")]
    NoRoots(PathBuf),
    /// rustls does not take what we give it.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// The client side of TLS for all gateways. The client certificate can be replaced while connections live: new ones
/// use the new certificate. A clone shares it.
#[derive(Clone, Debug)]
pub struct Tls {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: RwLock<Arc<ClientConfig>>,
    /// Which certificate it is, counted from 0.
    generation: AtomicU64,
}

impl Tls {
    /// TLS 1.2 and 1.3 with this certificate and key, trusting the roots in a PEM bundle. The system's store is not
    /// used: gateways have certificate authorities of their own.
    pub fn new(key: Arc<CertifiedKey>, trusted_roots: &Path) -> Result<Self, TlsError> {
        let unreadable = |source| TlsError::Roots { file: trusted_roots.to_path_buf(), source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(trusted_roots).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?)?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoRoots(trusted_roots.to_path_buf()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(ClientIdentity(key)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = RwLock::new(Arc::new(config));
        Ok(Self { shared: Arc::new(Shared { config, generation: AtomicU64::new(0) }) })
    }

    /// Uses another certificate and key from now on. Sessions are forgotten with the old one: to a server, a resumed
    /// session is the client that it was made with.
    pub fn replace(&self, key: Arc<CertifiedKey>) {
        let mut config = self.shared.config.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = ClientConfig::clone(&config);
        next.client_auth_cert_resolver = Arc::new(ClientIdentity(key));
        next.resumption = Resumption::default();
        *config = Arc::new(next);
        self.shared.generation.fetch_add(1, Ordering::Release);
    }

    /// The configuration for connections.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.shared.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which certificate is in use: grows by one when it is replaced.
    pub fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }
}

/// Whether an I/O error says that the other side refuses our certificate.
///
/// In a handshake of TLS 1.3 nothing that we wrote was read then: it is not over for a server that has not taken the
/// client's certificate. After it, and with TLS 1.2, it says nothing of what was read before.
pub(super) fn refuses_our_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        find_tls(error),
        Some(rustls::Error::AlertReceived(
            Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::CertificateRequired
                // What a server says whose authority of the same name did not sign our certificate.
                | Alert::DecryptError
        ))
    )
}

/// The TLS error behind an error, if there is one.
pub(super) fn find_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(at) = cause {
        if let Some(tls) = at.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An io::Error hides what it wraps from `source`.
        if let Some(io) = at.downcast_ref::<std::io::Error>()
            && let Some(inner) = io.get_ref()
            && let Some(tls) = find_tls(inner)
        {
            return Some(tls);
        }
        cause = at.source();
    }
    None
}

#[derive(Debug)]
struct ClientIdentity(Arc<CertifiedKey>);

impl ResolvesClientCert for ClientIdentity {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
