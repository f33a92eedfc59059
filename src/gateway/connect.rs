//! Connections: a small pool per gateway, one request at a time on each.
//!
//! The pool is used last in, first out, so that a slow night keeps few connections and a busy one as many as its bound.
//! Nothing is ever sent twice from here: a request that could not be written is handed back as surely not sent.
//!
//! A gateway closes a connection that has been idle for some seconds, and a request that it meets on its way is in doubt.
//! So a connection is used again only while it is surely younger than that.
//!
//! What a gateway says on a connection before it is asked would be taken for the answer to the next request. The HTTP
//! library closes one on which something comes between two exchanges, if there is a moment between them: an answer that
//! was given twice comes right behind itself.

use super::adapt::Said;
use super::boundary::Boundary;
use super::breaker::Breaker;
use super::keep_alive::{UNSAID, keep_alive};
use super::pace::Pacer;
use super::places::{Place, Places};
use super::retry_after::retry_after;
use super::throttle::Throttle;
use super::tls::{self, Tls};
use super::wire;
use crate::config::Rate;
use crate::domain::{Reason, Windows, mask_identities};
use crate::error::chain;
use crate::watch::{Handshakes, Waits, crash};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsConnector;

/// Largest answer that is read. isReachable with 1000 recipients is well under a megabyte.
const ANSWER_LIMIT_BYTES: usize = 4 << 20;

/// How long a connection rests after an answer. Of a server that answers everything twice, with up to 3 ms between, half
/// of all requests without a rest had the second answer to the one before. An intent takes as long to become durable.
pub const REST: Duration = Duration::from_millis(5);

/// Connections that are made at once to a gateway. All together, a cold start would have each wait for the handshakes of
/// all others; a few at a time, the first are soon there, and the rest resume their sessions or are not needed.
const AT_ONCE: usize = 8;

/// An https address: host, port and path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    host: String,
    port: u16,
    /// Path and query, and the host as HTTP has it: made once, since every request needs them.
    path: Uri,
    host_header: HeaderValue,
}

impl Address {
    /// Reads an address; `None` when it is not https or has no host.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.trim().parse().ok()?;
        if uri.scheme_str() != Some("https") {
            return None;
        }
        let host = uri.host().filter(|host| !host.is_empty())?.to_owned();
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).parse().ok()?;
        let port = uri.port_u16().unwrap_or(443);
        let named = if port == 443 { host.clone() } else { format!("{host}:{port}") };
        Some(Self { host_header: HeaderValue::try_from(named).ok()?, host, port, path })
    }

    /// Host and port, for logs and reports.
    pub fn server(&self) -> String {
        mask_identities(&format!("{}:{}", self.host, self.port)).into_owned()
    }

    /// Without what may follow a question mark, for logs and reports.
    pub fn place(&self) -> String {
        mask_identities(&format!("https://{}:{}{}", self.host, self.port, self.path.path())).into_owned()
    }

    fn same_server(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}{}", self.host, self.port, self.path)
    }
}

/// What a gateway is like, from the settings.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// How it is called in logs and reports.
    pub name: String,
    /// Agreed rate.
    pub rate: Rate,
    /// When anything may leave to it.
    pub windows: Windows,
    /// Where those who wait for it are counted.
    pub waits: Arc<Waits>,
    /// Requests under way at once.
    pub concurrency: usize,
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest wait from the first byte of the request to the last of the answer.
    pub timeout: Duration,
}

/// A gateway: pool, pace and breaker.
#[derive(Debug)]
pub struct Gateway {
    settings: GatewaySettings,
    tls: Tls,
    places: Places,
    throttle: Throttle,
    idle: Mutex<Vec<Connection>>,
    /// Told when a connection has become idle.
    returned: Notify,
    /// Who may make a connection.
    connecting: Semaphore,
    pacer: Pacer,
    breaker: Breaker,
    /// What went wrong last, where, in words.
    last_failure: Mutex<Option<String>>,
    handshakes: AtomicU64,
    resumed: AtomicU64,
}

#[derive(Debug)]
struct Connection {
    address: Address,
    /// Which client certificate it was made with.
    generation: u64,
    /// When it was made, or last answered.
    used: Instant,
    /// How long after that it may be used again.
    keeps: Duration,
    /// And not before.
    rests_until: Instant,
    /// Whether the gateway has taken our certificate: it has answered here, or the handshake was over for both sides.
    taken: bool,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn rest(&self) {
        if Instant::now() < self.rests_until {
            tokio::time::sleep_until(self.rests_until.into()).await;
        }
    }
}

/// A connection that is ready, and the right to one request on it.
#[derive(Debug)]
pub struct Lease {
    connection: Connection,
    place: Place,
    /// It was let through an open breaker, to see whether the gateway is back.
    probes: bool,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: StatusCode,
    /// Media type without parameters, lower case.
    pub media_type: String,
    /// How long the gateway asks us to wait.
    pub retry_after: Option<Duration>,
    /// The body, in UTF-8 if it is a text whose encoding is known; or that it broke off or was too large.
    pub body: Result<Bytes, Reason>,
}

impl Reply {
    /// Whether it says that it is XML.
    pub fn is_xml(&self) -> bool {
        matches!(self.media_type.as_str(), "text/xml" | "application/xml" | "application/soap+xml")
    }
}

/// What an answer is worth to whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It says what became of what was asked, a refusal included.
    Clear,
    /// So it does, and tells of what nobody asked beside: the next answer on its connection may be one to another question.
    Beside,
    /// Nobody knows what it means for what was asked. It may be the answer to another question, and who answers so again
    /// and again is as good as silent.
    Unclear,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Surely nothing was accepted: no connection, or it was gone before the request.
    #[error("not sent: {0}")]
    NotSent(String),
    /// The gateway's own certificate cannot be trusted; nothing was sent.
    #[error("the gateway's certificate is not trusted: {0}")]
    Untrusted(String),
    /// The gateway refuses our client certificate; nothing was read.
    #[error("the gateway refuses our certificate: {0}")]
    CertificateRefused(String),
    /// The request left, at least in part, and what became of it is unknown.
    #[error("unclear: {0}")]
    Unclear(Reason),
}

impl Gateway {
    /// A gateway that has not been called yet.
    pub fn new(settings: GatewaySettings, tls: Tls) -> Self {
        Self {
            places: Places::new(settings.concurrency),
            throttle: Throttle::new(settings.rate, settings.concurrency, Instant::now()),
            pacer: Pacer::new(settings.rate, settings.windows.clone(), Instant::now()),
            idle: Mutex::default(),
            returned: Notify::new(),
            connecting: Semaphore::new(AT_ONCE),
            breaker: Breaker::default(),
            last_failure: Mutex::default(),
            handshakes: AtomicU64::new(0),
            resumed: AtomicU64::new(0),
            settings,
            tls,
        }
    }

    /// Its name in logs and reports.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Its settings.
    pub fn settings(&self) -> &GatewaySettings {
        &self.settings
    }

    /// Its side of TLS, for other gateways of the same sender.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Its pace.
    pub fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    /// Where those who wait for it are counted.
    pub fn waits(&self) -> &Waits {
        &self.settings.waits
    }

    /// The rate in force: agreed, ordered, or what it takes without pushing back; `None`: unlimited.
    pub fn limit_per_s(&self) -> Option<f64> {
        self.throttle.limit_per_s()
    }

    /// The rate that somebody ordered, which holds where it is below the agreed one.
    pub fn ordered_per_s(&self) -> Option<f64> {
        self.throttle.ordered_per_s()
    }

    /// Orders a rate; `None` takes the order back.
    pub fn order_rate(&self, per_s: Option<f64>) {
        self.throttle.order(per_s, &self.pacer, &self.places);
    }

    /// Requests that may be under way at once now.
    pub fn concurrency(&self) -> usize {
        self.places.bound()
    }

    /// How its rate has changed since this was asked last, and why, in words.
    pub fn take_changes(&self) -> Vec<String> {
        self.throttle.take_changes()
    }

    /// Its breaker.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// What went wrong last, and at which server, in words without personal data.
    pub fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// TLS handshakes so far.
    pub fn handshakes(&self) -> Handshakes {
        let resumed = self.resumed.load(Ordering::Relaxed);
        Handshakes { full: self.handshakes.load(Ordering::Relaxed).saturating_sub(resumed), resumed }
    }

    /// Waits for a place under the concurrency bound, for the breaker, and for a connection.
    ///
    /// *Errors*: all are surely-not-sent. Dropping the future gives everything back.
    pub async fn lease(&self, address: &Address) -> Result<Lease, CallError> {
        let _wait = self.waits().concurrency.enter();
        let place = self.places.take().await;
        let place = place.ok_or_else(|| CallError::NotSent("the gateway is closed".into()))?;
        while let Err(wait) = self.breaker.admit(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        let (probe, probes) = (Probe(Some(&self.breaker)), self.breaker.is_open());
        let connection = self.connection(address).await?;
        probe.keep();
        Ok(Lease { connection, place, probes })
    }

    /// Whether a lease that has waited may still send: the breaker may have opened meanwhile. Otherwise how long to wait
    /// before asking again; it may then be the one that probes.
    pub fn admits(&self, lease: &mut Lease) -> Result<(), Duration> {
        if lease.probes || !self.breaker.is_open() {
            return Ok(());
        }
        self.breaker.admit(Instant::now())?;
        lease.probes = self.breaker.is_open();
        Ok(())
    }

    /// Sees to it that a lease that has waited still has a connection that may be used. One that the gateway has closed
    /// meanwhile, or may be about to, is replaced, and the lead of the pace told how long that took.
    ///
    /// *Errors*: all are surely-not-sent. Dropping the future leaves the old connection.
    pub async fn refresh(&self, lease: &mut Lease, address: &Address) -> Result<(), CallError> {
        let began = Instant::now();
        // Until its slot it grows older still.
        let good = self.is_usable(&lease.connection, self.pacer.lead().now());
        if !good {
            lease.connection = self.connection(address).await?;
        }
        self.pacer.lead().took_connection(if good { Duration::ZERO } else { began.elapsed() });
        Ok(())
    }

    /// Waits until the connection of a lease has rested after its last answer. [`Gateway::post`] does so in any case.
    pub async fn rest(&self, lease: &Lease) {
        lease.connection.rest().await;
    }

    /// Whether the connection of a lease may still be used.
    pub fn is_fresh(&self, lease: &Lease) -> bool {
        self.is_usable(&lease.connection, Duration::ZERO)
    }

    /// A connection of the pool, or a new one.
    async fn connection(&self, address: &Address) -> Result<Connection, CallError> {
        let _turn = loop {
            let returned = self.returned.notified();
            if let Some(connection) = self.idle_connection(address).await {
                return Ok(connection);
            }
            tokio::select! {
                biased;
                turn = self.connecting.acquire() => match self.idle_connection(address).await {
                    Some(connection) => return Ok(connection),
                    None => break turn,
                },
                () = returned => {}
            }
        };
        let connected = tokio::time::timeout(self.settings.connect_timeout, self.connect(address)).await;
        let connected = connected.unwrap_or_else(|_| {
            Err(CallError::NotSent(format!("no connection within {:?}", self.settings.connect_timeout)))
        });
        connected.inspect_err(|error| self.failed(address, words(error)))
    }

    /// Posts a SOAP request, reads the answer and has it judged: what it means, and what that is worth, which the breaker
    /// goes by. The connection goes back to the pool where it can be used again, and surely carries the answer to the next
    /// request and not to an earlier one; the place is the caller's to keep until it has settled what the answer means.
    pub async fn post<T>(
        &self,
        lease: Lease,
        address: &Address,
        body: Bytes,
        judge: impl FnOnce(&Reply) -> (T, Worth),
    ) -> (Result<T, CallError>, Place) {
        let Lease { connection, place, .. } = lease;
        (self.exchange(connection, address, body, judge).await, place)
    }

    async fn exchange<T>(
        &self,
        mut connection: Connection,
        address: &Address,
        body: Bytes,
        judge: impl FnOnce(&Reply) -> (T, Worth),
    ) -> Result<T, CallError> {
        let request = request(address, body)?;
        connection.rest().await;
        // What the error does not say itself.
        let mut lost = None;
        let wait = self.waits().answers.enter();
        let began = Instant::now();
        let answered = tokio::time::timeout(self.settings.timeout, async {
            let response = connection.sender.try_send_request(request).await.map_err(|mut error| {
                let handed_back = error.take_message().is_some();
                let error = error.into_error();
                lost = Some(chain(&error));
                // Once it has taken our certificate, it may have read the request whatever it says of it later.
                if !connection.taken && tls::refuses_our_certificate(&error) {
                    CallError::CertificateRefused(tls::find_tls(&error).map(ToString::to_string).unwrap_or_default())
                } else if handed_back {
                    CallError::NotSent("the connection was closed before the request".into())
                } else if error.is_parse() {
                    CallError::Unclear(Reason::UnclearAnswer)
                } else {
                    CallError::Unclear(Reason::ConnectionLost)
                }
            })?;
            crash::point("answer_headers");
            connection.keeps = keeps(&response);
            connection.taken = true;
            let reply = read(response).await;
            crash::point("answer_body");
            connection.used = Instant::now();
            connection.rests_until = connection.used + REST;
            Ok(reply)
        })
        .await
        .unwrap_or(Err(CallError::Unclear(Reason::TimedOut)));
        drop(wait);
        if let Some(said) = said(&answered, began) {
            self.throttle.learn(self.name(), began, said, &self.pacer, &self.places);
        }
        match answered {
            Ok(reply) => {
                let (meaning, worth) = judge(&reply);
                // What stands before a service while it is down speaks for it with these.
                let is_down = matches!(reply.status.as_u16(), 502..=504);
                if is_down || worth == Worth::Unclear {
                    let status = reply.status.as_u16();
                    let unclear = if is_down { "" } else { ", an answer that says nothing about what was asked" };
                    self.failed(address, format!("HTTP {status}{unclear}"));
                } else {
                    self.succeeded();
                    if reply.body.is_ok() && worth == Worth::Clear {
                        self.keep(connection);
                    }
                }
                Ok(meaning)
            }
            Err(error) => {
                match error {
                    CallError::NotSent(_) => self.breaker.release(),
                    CallError::Unclear(Reason::TimedOut) => {
                        self.failed(address, format!("no answer within {:?}", self.settings.timeout));
                    }
                    _ => self.failed(address, lost.unwrap_or_else(|| words(&error))),
                }
                Err(error)
            }
        }
    }

    /// Takes back a connection that was not used. The place is the caller's still.
    pub fn give_back(&self, lease: Lease) -> Place {
        if lease.probes {
            self.breaker.release();
        }
        self.keep(lease.connection);
        lease.place
    }

    fn succeeded(&self) {
        if self.breaker.success() {
            tracing::info!(gateway = self.name(), "gateway answers again");
        }
    }

    fn failed(&self, address: &Address, cause: String) {
        let (server, cause) = (address.server(), mask_identities(&cause).into_owned());
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("{server}: {cause}"));
        if let Some(wait) = self.breaker.failure(Instant::now()) {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                gateway = self.name(),
                server,
                cause,
                wait_ms,
                "gateway does not answer, waiting before the next probe"
            );
        }
    }

    async fn idle_connection(&self, address: &Address) -> Option<Connection> {
        loop {
            let mut connection = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.retain(|connection| self.is_usable(connection, Duration::ZERO));
                let place = idle.iter().rposition(|connection| connection.address.same_server(address))?;
                idle.remove(place)
            };
            if connection.sender.ready().await.is_ok() && !connection.sender.is_closed() {
                return Some(connection);
            }
        }
    }

    /// Open, not about to be closed within this time, and by the client certificate that is in use now.
    fn is_usable(&self, connection: &Connection, within: Duration) -> bool {
        !connection.sender.is_closed()
            && connection.used.elapsed() + within < connection.keeps
            && connection.generation == self.tls.generation()
    }

    fn keep(&self, connection: Connection) {
        if self.is_usable(&connection, Duration::ZERO) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            self.returned.notify_one();
        }
    }

    async fn connect(&self, address: &Address) -> Result<Connection, CallError> {
        let not_sent = |error: std::io::Error| CallError::NotSent(format!("no connection: {error}"));
        let host = address.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let server = ServerName::try_from(host.clone())
            .map_err(|_| CallError::NotSent(format!("{host} is no name of a server")))?;
        let tcp = TcpStream::connect((host, address.port)).await.map_err(not_sent)?;
        tcp.set_nodelay(true).map_err(not_sent)?;
        let began = Instant::now();
        // Read before the configuration: a connection counts as older than it is rather than as newer.
        let generation = self.tls.generation();
        let mut stream = TlsConnector::from(self.tls.config()).connect(server, tcp).await.map_err(|error| {
            match tls::find_tls(&error) {
                Some(tls @ rustls::Error::InvalidCertificate(_)) => CallError::Untrusted(tls.to_string()),
                Some(tls) if tls::refuses_our_certificate(&error) => CallError::CertificateRefused(tls.to_string()),
                _ => not_sent(error),
            }
        })?;
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        let (_, session) = stream.get_ref();
        let resumed = session.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        if resumed {
            self.resumed.fetch_add(1, Ordering::Relaxed);
        }
        let is_1_3 = session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        if is_1_3 {
            // In TLS 1.3 the server judges our certificate after we believe the handshake to be over. Listen for as
            // long as the handshake took: a refusal that comes now is surely before any request.
            let patience = began.elapsed().clamp(Duration::from_millis(5), Duration::from_millis(500));
            match tokio::time::timeout(patience, stream.read(&mut [0; 1])).await {
                Err(_) => {}
                Ok(Err(error)) if tls::refuses_our_certificate(&error) => {
                    let alert = tls::find_tls(&error).map(ToString::to_string).unwrap_or_default();
                    return Err(CallError::CertificateRefused(alert));
                }
                Ok(Err(error)) => return Err(not_sent(error)),
                Ok(Ok(_)) => return Err(CallError::NotSent("the gateway closed the new connection".into())),
            }
        }
        let (mut sender, driver) = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(64 * 1024)
            .handshake(TokioIo::new(Boundary::new(stream)))
            .await
            .map_err(|error| CallError::NotSent(format!("no HTTP connection: {error}")))?;
        tokio::spawn(async move {
            // How it ends is told to whoever has a request on it.
            let _ = driver.await;
        });
        sender.ready().await.map_err(|error| CallError::NotSent(format!("no HTTP connection: {error}")))?;
        // A resumed session shows no certificate again.
        let taken = !is_1_3 || resumed;
        let now = Instant::now();
        let address = address.clone();
        Ok(Connection { address, generation, used: now, keeps: UNSAID, rests_until: now, taken, sender })
    }
}

/// What an attempt tells about how much the gateway takes. One that fails tells the breaker.
fn said(answered: &Result<Reply, CallError>, began: Instant) -> Option<Said> {
    let reply = answered.as_ref().ok()?;
    match reply.status.as_u16() {
        429 | 503 => Some(Said::PushedBack(reply.retry_after.unwrap_or_default())),
        502 | 504 => None,
        _ => Some(Said::Answer(began.elapsed())),
    }
}

/// Gives a breaker's probe back when the attempt is dropped before it came to anything.
struct Probe<'a>(Option<&'a Breaker>);

impl Probe<'_> {
    /// The attempt goes on: its end tells the breaker.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        if let Some(breaker) = self.0 {
            breaker.release();
        }
    }
}

/// Why there is no answer, without saying that nothing was sent.
fn words(error: &CallError) -> String {
    match error {
        CallError::NotSent(cause) => cause.clone(),
        other => other.to_string(),
    }
}

fn request(address: &Address, body: Bytes) -> Result<Request<Full<Bytes>>, CallError> {
    Request::post(address.path.clone())
        .header(HOST, address.host_header.clone())
        .header(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"))
        .header("SOAPAction", HeaderValue::from_static("\"\""))
        .body(Full::new(body))
        .map_err(|error| CallError::NotSent(format!("no request can be made for {address}: {error}")))
}

fn keeps(response: &Response<Incoming>) -> Duration {
    let said = response.headers().get("keep-alive").and_then(|value| value.to_str().ok());
    said.and_then(keep_alive).unwrap_or(UNSAID)
}

async fn read(response: Response<Incoming>) -> Reply {
    let (head, body) = response.into_parts();
    let text = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let content_type = text(CONTENT_TYPE).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let retry_after = text(RETRY_AFTER).and_then(|value| retry_after(value, jiff::Timestamp::now()));
    let body = http_body_util::Limited::new(body, ANSWER_LIMIT_BYTES).collect().await;
    let body = body.map(|body| wire::in_utf8(body.to_bytes(), content_type)).map_err(|_| Reason::UnclearAnswer);
    Reply { status: head.status, media_type, retry_after, body }
}

#[cfg(test)]
mod tests;
