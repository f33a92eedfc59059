//! A client of its own for the sandbox's gateways: one connection a request, or one that is kept; nothing is retried.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub type Failed = Box<dyn Error + Send + Sync>;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

/// A TLS client with, or without, a certificate.
#[derive(Clone)]
pub struct Client(TlsConnector);

impl Client {
    /// Trusts `DIR/pki/authority.pem`, and shows `DIR/pki/NAME.pem` where there is a name.
    pub fn new(dir: &Path, name: Option<&str>) -> Self {
        let pki = dir.join("pki");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pki.join("authority.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match name {
            None => builder.with_no_client_auth(),
            Some(name) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_file(pki.join(format!("{name}.pem"))).unwrap()],
                    PrivateKeyDer::from_pem_file(pki.join(format!("{name}.key.pem"))).unwrap(),
                )
                .unwrap(),
        };
        Self(TlsConnector::from(Arc::new(config)))
    }

    /// A connection to an address of the sandbox.
    pub async fn connect(&self, address: &str) -> Result<SendRequest<Full<Bytes>>, Failed> {
        let uri: hyper::Uri = address.parse()?;
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(443));
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.0.connect(ServerName::try_from(host.to_owned())?, stream).await?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Posts on a connection of its own.
    pub async fn post(&self, address: &str, body: impl Into<Bytes>) -> Result<Reply, Failed> {
        let mut connection = self.connect(address).await?;
        post(&mut connection, address, body).await
    }
}

/// A request as the contract has it.
pub fn request(address: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let uri: hyper::Uri = address.parse().unwrap();
    Request::post(uri.path())
        .header("host", uri.authority().unwrap().as_str())
        .header("content-type", "text/xml; charset=utf-8")
        .header("soapaction", "\"\"")
        .body(Full::new(body.into()))
        .unwrap()
}

/// Posts on a kept connection.
pub async fn post(
    connection: &mut SendRequest<Full<Bytes>>,
    address: &str,
    body: impl Into<Bytes>,
) -> Result<Reply, Failed> {
    connection.ready().await?;
    read(connection.send_request(request(address, body)).await?).await
}

/// Reads a whole reply.
pub async fn read(response: Response<Incoming>) -> Result<Reply, Failed> {
    let (head, body) = response.into_parts();
    let text = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Ok(Reply {
        status: head.status.as_u16(),
        content_type: text("content-type").unwrap_or_default(),
        retry_after: text("retry-after"),
        body: body.collect().await?.to_bytes().to_vec(),
    })
}
