//! Listeners, TLS, HTTP, and the course of a request: read, count, play or judge, write the ledger, answer.

use super::answer::{self, AnswerBody, Ending, Style};
use super::certificate::{Facts, Trust, provider};
use super::draw::draw;
use super::ledger::{self, verdict};
use super::manners::{Place, Play, Turn};
use super::operator::{self, Say};
use super::pki::{self, Identity, Pki, Subject, Validity};
use super::{SandboxError, World, far};
use futures::TryFutureExt;
use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Bytes of a request that are read at most; beyond that the answer is 413.
const READ_LIMIT: usize = 16 * 1024 * 1024;

/// How long requests under way may take once the sandbox is stopping.
pub(crate) const DRAIN: Duration = Duration::from_secs(2);

/// A gateway: FaR or an operator.
pub(crate) struct Gateway {
    pub place: Place,
    /// Path of its service.
    pub path: &'static str,
    requests: AtomicU64,
    connections: AtomicU64,
    limiter: Option<DefaultDirectRateLimiter>,
    ordinary: TlsAcceptor,
    /// Acceptors that bad manners need.
    odd: Vec<(Play, TlsAcceptor)>,
}

impl Gateway {
    pub fn new(world: &World, place: Place, rate: Option<f64>) -> Result<Self, SandboxError> {
        let acceptor = |server: &Identity, trust: &Trust| -> Result<TlsAcceptor, SandboxError> {
            let config = ServerConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .and_then(|builder| {
                    builder
                        .with_client_cert_verifier(trust.client_verifier())
                        .with_single_cert(vec![server.certificate.clone()], server.key.clone_key())
                })
                .map_err(|error| SandboxError::Pki(format!("cannot set up TLS: {error}")))?;
            Ok(TlsAcceptor::from(Arc::new(config)))
        };
        let mut odd = Vec::new();
        for play in [Play::Expired, Play::NotYetValid, Play::WrongName, Play::WrongAuthority, Play::ClientRefused] {
            if world.scenario.plays(|other| other == play) {
                let (server, trust) = odd_identity(&world.pki, &world.names, play)?;
                odd.push((play, acceptor(&server, trust.as_ref().unwrap_or(&world.trust))?));
            }
        }
        Ok(Self {
            place,
            path: if place == Place::Far { super::FAR_PATH } else { super::OPERATOR_PATH },
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            limiter: rate.and_then(limiter),
            ordinary: acceptor(&world.pki.server, &world.trust)?,
            odd,
        })
    }
}

impl Gateway {
    /// `far`, or the operator's number.
    fn id(&self) -> &'static str {
        match self.place {
            Place::Far => "far",
            Place::Operator(operator) => super::OPERATOR_IDS.get(operator).copied().unwrap_or_default(),
        }
    }
}

/// At most `rate` requests a second; a tenth of a second's worth, and at least five, may come at once.
fn limiter(rate: f64) -> Option<DefaultDirectRateLimiter> {
    let burst = NonZeroU32::new((rate / 10.0).ceil().max(5.0) as u32)?;
    Some(RateLimiter::direct(Quota::with_period(Duration::from_secs_f64(1.0 / rate))?.allow_burst(burst)))
}

/// A server certificate with a flaw, and whom its listener trusts where that is the flaw.
fn odd_identity(pki: &Pki, names: &[String], play: Play) -> Result<(Identity, Option<Trust>), SandboxError> {
    let ordinary = Validity::ORDINARY;
    Ok(match play {
        Play::Expired => (pki.issue(&Subject::SANDBOX, names, Validity { from_days: -800, to_days: -2 })?, None),
        Play::NotYetValid => (pki.issue(&Subject::SANDBOX, names, Validity { from_days: 2, to_days: 800 })?, None),
        Play::WrongName => (pki.issue(&Subject::SANDBOX, &["operator.invalid".to_owned()], ordinary)?, None),
        _ => {
            let stranger = pki::make_authority()?;
            if play == Play::ClientRefused {
                (pki.server.clone(), Some(Trust::new([stranger.certificate]).map_err(SandboxError::Pki)?))
            } else {
                (pki::issue(&stranger, &Subject::SANDBOX, pki::Purpose::Server, names, ordinary)?, None)
            }
        }
    })
}

/// Accepts connections until the token is cancelled.
pub(crate) async fn listen(
    world: Arc<World>,
    gateway: Arc<Gateway>,
    listener: TcpListener,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (world, gateway, stop) = (world.clone(), gateway.clone(), stop.clone());
                tasks.spawn(async move { connection(world, gateway, stream, stop).await });
            }
            // Out of file descriptors, or a connection that was gone before it was taken: the next may do better.
            Err(error) => {
                tracing::warn!(%error, "the sandbox could not take a connection");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// What the service of a connection tells the connection.
struct Link {
    start: Instant,
    /// SHA-256 of the client's certificate, hexadecimal.
    client: String,
    /// Nanoseconds from the start to the first byte of the request that is being read, plus one; 0 before it.
    first_byte: AtomicU64,
    /// Drop with a reset.
    reset: AtomicBool,
    /// A request is under way.
    busy: AtomicBool,
    /// Close once idle, after this many milliseconds.
    close_after_ms: AtomicU64,
    close: Notify,
}

async fn connection(world: Arc<World>, gateway: Arc<Gateway>, stream: TcpStream, stop: CancellationToken) {
    let number = gateway.connections.fetch_add(1, Ordering::Relaxed) + 1;
    let turn = world.scenario.turn(world.options.seed, gateway.place, number, world.start.elapsed(), true);
    // Answers are small and wait for nothing.
    let _ = stream.set_nodelay(true);
    let play = turn.as_ref().map(|turn| turn.play);
    if let Some(play) = play
        && let Err(error) = world.ledger.write_connection(&ledger::Connection {
            t: world.start.elapsed().as_secs_f64(),
            time: jiff::Timestamp::now().to_string(),
            gateway: gateway.id().to_owned(),
            verdict: play.name(),
            connection: number,
        })
    {
        tracing::error!(%error, "the sandbox cannot write what it plays");
        return;
    }
    let acceptor = match play {
        Some(Play::ResetConnect) => {
            let _ = stream.set_zero_linger();
            return;
        }
        Some(Play::CloseConnect) => return,
        Some(Play::StallConnect) => {
            let delay = turn.and_then(|turn| turn.delay).unwrap_or(Duration::from_secs(600));
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stop.cancelled() => {}
            }
            return;
        }
        Some(Play::TlsAlert) => return alert(stream).await,
        Some(play) => {
            gateway.odd.iter().find(|(odd, _)| *odd == play).map_or(&gateway.ordinary, |(_, acceptor)| acceptor)
        }
        None => &gateway.ordinary,
    };
    // A client that does not finish its handshake is let go; one that refuses us tells it to its own operator.
    let handshake = tokio::time::timeout(Duration::from_secs(30), acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else { return };
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let client = shown.and_then(|certificate| Facts::read(certificate).ok().and_then(|facts| facts.organisation));
    let fingerprint = shown.map(|certificate| sha256_hex(certificate)).unwrap_or_default();
    let link = Arc::new(Link {
        start: world.start,
        client: fingerprint,
        first_byte: AtomicU64::new(0),
        reset: AtomicBool::new(false),
        busy: AtomicBool::new(false),
        close_after_ms: AtomicU64::new(0),
        close: Notify::new(),
    });
    let io = TokioIo::new(Watched { stream, link: link.clone() });
    let service = service_fn(|request| {
        let served = serve(world.clone(), gateway.clone(), link.clone(), client.clone(), request);
        served.inspect_err(|error| {
            if let GivenUp::Ledger(error) = error {
                tracing::error!(%error, "the sandbox cannot write its ledger");
            }
        })
    });
    let mut served = pin!(http1::Builder::new().half_close(false).serve_connection(io, service));
    let mut idle = pin!(close_idle(&link));
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            _ = served.as_mut() => return,
            () = idle.as_mut() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Waits until the connection is to be closed under the client.
async fn close_idle(link: &Link) {
    loop {
        link.close.notified().await;
        tokio::time::sleep(Duration::from_millis(link.close_after_ms.load(Ordering::Relaxed))).await;
        if !link.busy.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// Waits for the client's hello and answers with a fatal alert (handshake_failure).
async fn alert(mut stream: TcpStream) {
    let mut hello = [0; 1024];
    let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await;
    let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await;
    let _ = stream.shutdown().await;
}

/// A TLS stream that notes when the first byte of a request came, and is dropped with a reset where asked for.
struct Watched {
    stream: TlsStream<TcpStream>,
    link: Arc<Link>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.link.reset.load(Ordering::Relaxed) {
            let _ = self.stream.get_ref().0.set_zero_linger();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before && this.link.first_byte.load(Ordering::Relaxed) == 0 {
            let nanos = this.link.start.elapsed().as_nanos() as u64;
            this.link.first_byte.store(nanos + 1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Why a connection is given up instead of answered.
#[derive(Debug, thiserror::Error)]
enum GivenUp {
    #[error("on purpose")]
    OnPurpose,
    #[error(transparent)]
    Ledger(#[from] SandboxError),
}

/// A request as it came.
struct Arrived {
    number: u64,
    /// From the start to its first byte.
    at: Duration,
    body: Bytes,
    sha256: String,
    client: String,
}

async fn serve(
    world: Arc<World>,
    gateway: Arc<Gateway>,
    link: Arc<Link>,
    client: Option<String>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, GivenUp> {
    link.busy.store(true, Ordering::Relaxed);
    let number = gateway.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let turn = world.scenario.turn(world.options.seed, gateway.place, number, world.start.elapsed(), false);
    let wrong_http = wrong_http(&gateway, &request);
    let mut body = request.into_body();

    // What is cut off before the request is whole.
    if let Some(play @ (Play::ResetBefore | Play::ResetDuring)) = turn.as_ref().map(|turn| turn.play) {
        let mut seen = Vec::new();
        if play == Play::ResetDuring
            && let Some(Ok(frame)) = body.frame().await
            && let Ok(data) = frame.into_data()
        {
            seen.extend_from_slice(&data);
        }
        let arrived = arrived(&link, number, seen.into());
        write_ledger(&world, &gateway, &arrived, &play.name(), "played", false)?;
        link.reset.store(true, Ordering::Relaxed);
        return Err(GivenUp::OnPurpose);
    }

    let (whole, too_large) = match Limited::new(body, READ_LIMIT).collect().await {
        Ok(collected) => (collected.to_bytes(), false),
        Err(error) => {
            let too_large = error.is::<LengthLimitError>();
            let arrived = arrived(&link, number, Bytes::new());
            let reason = if too_large { "larger than the sandbox reads" } else { "the request broke off" };
            write_ledger(&world, &gateway, &arrived, verdict::REFUSED, reason, false)?;
            if !too_large {
                return Err(GivenUp::OnPurpose);
            }
            (Bytes::new(), true)
        }
    };
    if too_large {
        return Ok(page(StatusCode::PAYLOAD_TOO_LARGE, None));
    }
    let arrived = arrived(&link, number, whole);
    let turn = turn.filter(|turn| turn.is_for(world.options.seed, &arrived.body));
    world.keep(gateway.place, &arrived.body)?;
    if let Some((status, reason)) = wrong_http {
        write_ledger(&world, &gateway, &arrived, verdict::REFUSED, reason, false)?;
        return Ok(page(status, None));
    }
    if let Some(limiter) = &gateway.limiter
        && let Err(early) = limiter.check()
    {
        let wait = early.wait_time_from(governor::clock::DefaultClock::default().now());
        write_ledger(&world, &gateway, &arrived, "429", "above the rate", false)?;
        return Ok(page(StatusCode::TOO_MANY_REQUESTS, Some(&wait.as_secs_f64().ceil().max(1.0).to_string())));
    }
    let style = Style::new(draw(world.options.seed, &[b"style", &gateway.place.bytes(), &number.to_le_bytes()]));
    let response = match gateway.place {
        Place::Far => at_far(&world, &gateway, &arrived, turn.as_ref(), style, client.as_deref())?,
        Place::Operator(operator) => {
            at_operator(&world, &gateway, operator, &arrived, turn.as_ref(), style, client.as_deref())?
        }
    };
    let latency = world.latency(gateway.place, number);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let response = match turn {
        Some(turn) => {
            let said = turn.text.as_deref().map(|text| about_recipient(gateway.place, &arrived.body, text));
            play(&world, &link, &turn, said.as_deref(), response, number, style).await?
        }
        None => response,
    };
    Ok(response.map(|body| {
        let link = link.clone();
        body.then(move || link.busy.store(false, Ordering::Relaxed))
    }))
}

fn arrived(link: &Link, number: u64, body: Bytes) -> Arrived {
    let nanos = match link.first_byte.swap(0, Ordering::Relaxed) {
        0 => link.start.elapsed().as_nanos() as u64,
        noted => noted - 1,
    };
    let sha256 = sha256_hex(&body);
    Arrived { number, at: Duration::from_nanos(nanos), body, sha256, client: link.client.clone() }
}

fn sha256_hex(bytes: &[u8]) -> String {
    base16(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}

fn base16(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// What is wrong with the request as HTTP (protocol sheet §1.3 and §5).
fn wrong_http(gateway: &Gateway, request: &Request<Incoming>) -> Option<(StatusCode, &'static str)> {
    if request.uri().path() != gateway.path {
        return Some((StatusCode::NOT_FOUND, "another path"));
    }
    if request.method() != Method::POST {
        return Some((StatusCode::METHOD_NOT_ALLOWED, "not POST"));
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut media = header("content-type").unwrap_or_default().split(';').map(str::trim);
    let xml = media.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/xml"));
    let utf8 = media.all(|parameter| {
        !parameter.to_ascii_lowercase().starts_with("charset=")
            || parameter.get(8..).is_some_and(|charset| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"))
    });
    if !xml || !utf8 || request.headers().contains_key("content-encoding") {
        return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, "not text/xml in UTF-8"));
    }
    if header("soapaction") != Some("\"\"") {
        return Some((StatusCode::BAD_REQUEST, "SOAPAction is not \"\""));
    }
    None
}

/// An HTTP status with a page, as proxies in front of gateways answer.
fn page(status: StatusCode, retry_after: Option<&str>) -> Response<AnswerBody> {
    let html = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
    let mut response = Response::new(AnswerBody::whole(html.into_bytes(), false));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if let Some(value) = retry_after.and_then(|value| HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// A SOAP answer.
fn soap(status: StatusCode, style: Style, xml: Vec<u8>) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::whole(xml, style.chunked()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(style.content_type()));
    response
}

fn soap_fault(
    world: &World,
    place: Place,
    number: u64,
    style: Style,
    code: Option<u32>,
    text: &str,
) -> Response<AnswerBody> {
    let about = |what: &[u8]| draw(world.options.seed, &[what, &place.bytes(), &number.to_le_bytes()]);
    let call_id = answer::uuid(about(b"call"), about(b"call id"));
    soap(StatusCode::INTERNAL_SERVER_ERROR, style, answer::fault(style, code, text, &call_id))
}

fn at_far(
    world: &World,
    gateway: &Gateway,
    arrived: &Arrived,
    turn: Option<&Turn>,
    style: Style,
    client: Option<&str>,
) -> Result<Response<AnswerBody>, SandboxError> {
    let call = far::read(world, &arrived.body, client);
    if let Some((code, text)) = &call.refusal {
        world.ledger.write_call(&line_far(world, arrived, &call, 0, verdict::REFUSED, &format!("{code} {text}")))?;
        return Ok(soap_fault(world, gateway.place, arrived.number, style, Some(*code), text));
    }
    let play = turn.map(|turn| turn.play);
    let (xml, answered) = far::answer(world, &call, style, arrived.number, play);
    let (name, reason) = play.map_or(("answered".to_owned(), ""), |play| (play.name(), "played"));
    world.ledger.write_call(&line_far(world, arrived, &call, answered, &name, reason))?;
    Ok(soap(StatusCode::OK, style, xml))
}

fn at_operator(
    world: &World,
    gateway: &Gateway,
    operator: usize,
    arrived: &Arrived,
    turn: Option<&Turn>,
    style: Style,
    client: Option<&str>,
) -> Result<Response<AnswerBody>, SandboxError> {
    let (recipient, _) = operator::search(&arrived.body).unwrap_or_default();
    // A play that takes nothing does not look at the message.
    let say = match turn {
        Some(turn) if !turn.accepted => Say::NotHere("not looked at"),
        _ => operator::judge(world, operator, &arrived.body, client),
    };
    let (name, reason, accepted) = match &say {
        Say::Accepted => (verdict::ACCEPTED, String::new(), true),
        Say::NotHere(reason) => (verdict::NOT_HERE, (*reason).to_owned(), false),
        Say::Fault(code, text) => (verdict::REFUSED, format!("{code} {text}"), false),
    };
    let played = turn.map(|turn| turn.play.name());
    write_ledger(world, gateway, arrived, played.as_deref().unwrap_or(name), &reason, accepted)?;
    let about = |what: &[u8]| draw(world.options.seed, &[what, &gateway.place.bytes(), &arrived.number.to_le_bytes()]);
    let trans_id = answer::uuid(about(b"trans"), about(b"trans id"));
    if let Say::Fault(code, text) = &say {
        return Ok(soap_fault(world, gateway.place, arrived.number, style, Some(*code), text));
    }
    let recipient = if turn.is_some_and(|turn| turn.play == Play::OtherRecipient) { "191212121212" } else { recipient };
    Ok(soap(StatusCode::OK, style, answer::delivery(style, &trans_id, recipient, say == Say::Accepted)))
}

/// Writes what became of a request: a delivery to the ledger, a call to FaR to its own.
fn write_ledger(
    world: &World,
    gateway: &Gateway,
    arrived: &Arrived,
    verdict: &str,
    reason: &str,
    accepted: bool,
) -> Result<(), SandboxError> {
    let Place::Operator(operator) = gateway.place else {
        return world.ledger.write_call(&line_far(world, arrived, &far::Call::default(), 0, verdict, reason));
    };
    let (recipient, message_id) = operator::search(&arrived.body).unwrap_or_default();
    world.ledger.write(ledger::Line {
        t: arrived.at.as_secs_f64(),
        time: world.moment(arrived.at),
        operator: super::OPERATOR_IDS.get(operator).copied().unwrap_or_default().to_owned(),
        recipient: recipient.to_owned(),
        message_id: message_id.to_owned(),
        sha256: arrived.sha256.clone(),
        verdict: verdict.to_owned(),
        reason: reason.to_owned(),
        again: false,
        accepted,
        bytes: arrived.body.len(),
        request: arrived.number,
        client: arrived.client.clone(),
    })
}

fn line_far(
    world: &World,
    arrived: &Arrived,
    call: &far::Call,
    answered: usize,
    verdict: &str,
    reason: &str,
) -> ledger::Call {
    ledger::Call {
        t: arrived.at.as_secs_f64(),
        time: world.moment(arrived.at),
        sender: call.sender.clone(),
        ids: call.ids.len(),
        answered,
        verdict: verdict.to_owned(),
        reason: reason.to_owned(),
        request: arrived.number,
    }
}

/// A scenario's text about the recipient of this request.
fn about_recipient(place: Place, body: &[u8], text: &str) -> String {
    let recipient = match place {
        Place::Far => operator::find(body, 0, b"recipientId").map(|(id, _)| id),
        Place::Operator(_) => operator::search(body).map(|(id, _)| id),
    };
    text.replace("{recipient}", recipient.unwrap_or_default())
}

/// Plays a fault in place of, or on top of, the right answer.
async fn play(
    world: &World,
    link: &Arc<Link>,
    turn: &Turn,
    said: Option<&str>,
    right: Response<AnswerBody>,
    number: u64,
    style: Style,
) -> Result<Response<AnswerBody>, GivenUp> {
    let delay = |otherwise: Duration| turn.delay.unwrap_or(otherwise);
    let reset = || {
        link.reset.store(true, Ordering::Relaxed);
        Err(GivenUp::OnPurpose)
    };
    let fault = |status: StatusCode, code: Option<u32>| {
        let text = said.unwrap_or_else(|| code.map_or("Internal error", fault_text));
        let call_id = answer::uuid(draw(world.options.seed, &[b"played", &number.to_le_bytes()]), number);
        soap(status, style, answer::fault(style, code, text, said.unwrap_or(&call_id)))
    };
    let status = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(match turn.play {
        Play::Status(code) => page(status(code), turn.retry_after.as_deref().map(retry_after).as_deref()),
        Play::Fault(code) => fault(StatusCode::INTERNAL_SERVER_ERROR, Some(code)),
        Play::OkFault(code) => fault(StatusCode::OK, Some(code)),
        Play::FaultWithoutDetail => fault(StatusCode::INTERNAL_SERVER_ERROR, None),
        Play::Truncated => {
            let bytes = whole(right).await;
            let half = bytes.slice(..bytes.len() / 2);
            // A wait lets the half leave before the end.
            let pieces = VecDeque::from([(Duration::ZERO, half), (Duration::from_millis(20), Bytes::new())]);
            let mut response = soap(StatusCode::OK, style, Vec::new());
            response.headers_mut().insert(CONTENT_LENGTH, bytes.len().into());
            *response.body_mut() = AnswerBody::pieces(pieces, None, Ending::Broken);
            response
        }
        Play::Half => {
            let bytes = whole(right).await;
            soap(StatusCode::OK, style, bytes.slice(..bytes.len() / 2).to_vec())
        }
        Play::HalfSilent => {
            let bytes = whole(right).await;
            let pieces = VecDeque::from([(Duration::ZERO, bytes.slice(..bytes.len() / 2))]);
            let mut response = soap(StatusCode::OK, style, Vec::new());
            *response.body_mut() = AnswerBody::pieces(pieces, Some(bytes.len() as u64), Ending::Silent);
            response
        }
        Play::Garbage => {
            let mut noise = vec![0; 2048];
            fastrand::Rng::with_seed(draw(world.options.seed, &[b"garbage", &number.to_le_bytes()])).fill(&mut noise);
            soap(StatusCode::OK, style, noise)
        }
        Play::Empty => soap(StatusCode::OK, style, Vec::new()),
        Play::Huge => {
            let start =
                Bytes::from_static(b"<S:Envelope xmlns:S=\"http://schemas.xmlsoap.org/soap/envelope/\"><S:Body>");
            let block = Bytes::from(vec![b' '; 64 * 1024]);
            let pieces = std::iter::once(start).chain(std::iter::repeat_n(block, 1024));
            let mut response = soap(StatusCode::OK, style, Vec::new());
            let pieces = pieces.map(|bytes| (Duration::ZERO, bytes)).collect();
            *response.body_mut() = AnswerBody::pieces(pieces, None, Ending::Clean);
            response
        }
        Play::Slow => {
            let wait = delay(Duration::from_secs(1));
            let bytes = whole(right).await;
            let pieces = (0..bytes.len()).map(|at| (wait, bytes.slice(at..=at))).collect();
            let mut response = soap(StatusCode::OK, style, Vec::new());
            *response.body_mut() = AnswerBody::pieces(pieces, Some(bytes.len() as u64), Ending::Clean);
            response
        }
        Play::WrongType => {
            let mut right = right;
            right.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            right
        }
        Play::ResetBefore | Play::ResetDuring | Play::ResetAfter => return reset(),
        Play::Silent => std::future::pending().await,
        Play::Close => return Err(GivenUp::OnPurpose),
        Play::Http10 => {
            let mut right = soap(right.status(), style, whole(right).await.to_vec());
            *right.version_mut() = Version::HTTP_10;
            right
        }
        Play::CloseAfter => {
            let mut right = right;
            right.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            right
        }
        Play::CloseIdle => {
            let link = link.clone();
            let after_ms = delay(Duration::ZERO).as_millis() as u64;
            right.map(|body| {
                body.then(move || {
                    link.busy.store(false, Ordering::Relaxed);
                    link.close_after_ms.store(after_ms, Ordering::Relaxed);
                    link.close.notify_one();
                })
            })
        }
        Play::Stall => {
            tokio::time::sleep(delay(Duration::from_secs(30))).await;
            right
        }
        Play::StallReset => {
            tokio::time::sleep(delay(Duration::from_secs(30))).await;
            return reset();
        }
        // Played where the answer was made, or where the connection was taken.
        Play::NotDelivered | Play::OtherRecipient | Play::Omit | Play::Repeat | Play::Reorder => right,
        Play::ResetConnect
        | Play::CloseConnect
        | Play::StallConnect
        | Play::TlsAlert
        | Play::Expired
        | Play::NotYetValid
        | Play::WrongName
        | Play::WrongAuthority
        | Play::ClientRefused => right,
    })
}

/// The bytes of an answer that is whole.
async fn whole(response: Response<AnswerBody>) -> Bytes {
    response.into_body().collect().await.map(|collected| collected.to_bytes()).unwrap_or_default()
}

/// A Retry-After as the scenario has it: `date+N` and `date-N` become an HTTP date.
fn retry_after(text: &str) -> String {
    let date = text.strip_prefix("date").and_then(|seconds| seconds.parse::<i64>().ok());
    date.map_or_else(
        || text.to_owned(),
        |seconds| {
            let at = jiff::Timestamp::now()
                .saturating_add(jiff::SignedDuration::from_secs(seconds))
                .unwrap_or(jiff::Timestamp::MAX);
            at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        },
    )
}

/// The names of the reference library (protocol sheet §4.2).
fn fault_text(code: u32) -> &'static str {
    match code {
        1 | 5001 => "Invalid input",
        2 => "Invalid config",
        3 => "Certificate error",
        4 => "Sign noun error",
        5 => "Not authorized",
        6 => "Non unique",
        7 | 5018 => "Bolagsverket error",
        5002 => "Access denied",
        5003 => "Object not found",
        5004 => "Job not complete",
        5005 => "Max exceeded",
        5011 => "Illegal state",
        5012 => "Signature error",
        5014 => "Unknown sender",
        5016 => "Null value",
        5017 => "SPAR error",
        5019 => "Unsupported MIME type",
        6004 => "Company form not supported",
        6005 => "Dispatcher not approved",
        6006 => "Protected identity",
        6007 => "Identity does not exist",
        8003 => "User not authorized",
        _ => "Unknown error",
    }
}
