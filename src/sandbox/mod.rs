//! The sandbox: a FaR and three mailbox operators to send to, with mutual TLS, real verification, bad manners on
//! request, and a ledger of what they were sent.
//!
//! In: options and a folder. Out: four listeners; in the folder a PKI, a complete `utskick.toml`, `ledger.ndjson`
//! (deliveries), `far.ndjson` (calls to FaR), `connections.ndjson` (faults played on connections) and, on request, the
//! requests themselves. It shares no code with what it
//! judges: envelopes, signatures and encryption are read by its own reader.
//!
//! - [`population`]: who has a mailbox, and where: a pure function of the seed
//! - [`verify`]: the verifier, which `utskick unseal` uses too
//! - [`manners`]: scenario files
//! - [`ledger`]: the two ledgers
//! - [`generate`]: synthetic exports to send to it

mod answer;
pub mod certificate;
pub mod cms;
mod contract;
pub mod draw;
mod far;
pub mod generate;
pub mod ledger;
pub mod manners;
mod operator;
pub mod pki;
pub mod population;
mod server;
mod settings;
pub mod verify;
mod xml;

use certificate::Trust;
use ledger::Ledger;
use manners::{Accepted, Place, Play, Rule, Scenario};
use pki::Pki;
use population::{OPERATORS, Shares};
use server::Gateway;
use std::fs::{File, TryLockError};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use verify::Manner;

/// Organisation numbers of the operators A, B and C; C has an encryption certificate.
pub const OPERATOR_IDS: [&str; OPERATORS] = ["165599000006", "165599000105", "165599000204"];
/// Their names.
pub const OPERATOR_NAMES: [&str; OPERATORS] = ["Sandlådan Ett", "Sandlådan Två", "Sandlådan Tre"];
/// An operator that FaR names and the settings do not list.
const UNKNOWN_OPERATOR: (&str, &str) = ("165599000907", "Sandlådan Okänd");
const FAR_PATH: &str = "/webservice/Recipient/v3";
const OPERATOR_PATH: &str = "/service/v3";

/// Why the sandbox cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// A file or folder.
    #[error("cannot {what} {path}")]
    Io {
        /// The verb.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An address that cannot be listened to.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Keys and certificates.
    #[error("{0}")]
    Pki(String),
    /// A ledger that is not one.
    #[error("{0}")]
    Ledger(String),
    /// A scenario file.
    #[error("{0}")]
    Scenario(String),
    /// Another sandbox has the folder.
    #[error("another sandbox serves from {0}")]
    Taken(PathBuf),
    /// Options that do not fit together.
    #[error("{0}")]
    Options(&'static str),
}

impl SandboxError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { what, path: path.to_owned(), source }
    }
}

/// How the sandbox behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder for everything it writes.
    pub dir: PathBuf,
    /// Where to listen; port 0 lets the system choose, any other is FaR's and the operators have the three after it.
    pub listen: SocketAddr,
    /// Takes messages without verifying them, for measuring the sender.
    pub trusting: bool,
    /// Whose habits the verifier has.
    pub manner: Manner,
    /// Shares of recipients.
    pub shares: Shares,
    /// Time between the verdict and the answer.
    pub latency: Duration,
    /// Spread of that time, to either side.
    pub jitter: Duration,
    /// Requests a second that an operator takes; above it the answer is 429.
    pub rate: Option<f64>,
    /// Calls a second that FaR takes; above it the answer is 429.
    pub far_rate: Option<f64>,
    /// Share of deliveries answered 429.
    pub share_429: f64,
    /// Share of deliveries answered 503.
    pub share_503: f64,
    /// How many requests are stored, deliveries under `kept`, calls to FaR under `kept-far`.
    pub keep: u64,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Senders that FaR knows besides the one in the settings; empty and `any_sender` false: only that one.
    pub senders: Vec<String>,
    /// Whether every sender is known.
    pub any_sender: bool,
    /// Bad manners.
    pub scenario: Scenario,
}

impl Options {
    /// Good manners in this folder.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            trusting: false,
            manner: Manner::Reference,
            shares: Shares::default(),
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            far_rate: None,
            share_429: 0.0,
            share_503: 0.0,
            keep: 0,
            seed: 1,
            senders: Vec::new(),
            any_sender: false,
            scenario: Scenario::default(),
        }
    }
}

/// What all gateways share.
pub(crate) struct World {
    options: Options,
    pki: Pki,
    trust: Trust,
    ledger: Ledger,
    scenario: Scenario,
    /// Names and addresses in the server's certificate.
    names: Vec<String>,
    start: Instant,
    start_time: jiff::Timestamp,
    addresses: Vec<String>,
    kept: [AtomicU64; 2],
}

impl World {
    fn knows_sender(&self, id: &str) -> bool {
        self.options.any_sender || id == pki::SENDER || self.options.senders.iter().any(|sender| sender == id)
    }

    fn knows_mediator(&self, organisation: &str) -> bool {
        organisation == pki::MEDIATOR || self.knows_sender(organisation)
    }

    fn operator_address(&self, operator: usize) -> &str {
        self.addresses.get(operator + 1).map_or("", String::as_str)
    }

    /// The wall time of a moment after the start, RFC 3339.
    fn moment(&self, at: Duration) -> String {
        self.start_time.saturating_add(at).unwrap_or(jiff::Timestamp::MAX).to_string()
    }

    fn latency(&self, place: Place, number: u64) -> Duration {
        let spread = draw::share(self.options.seed, &[b"latency", &place.bytes(), &number.to_le_bytes()]) * 2.0 - 1.0;
        let wanted = self.options.latency.as_secs_f64() + spread * self.options.jitter.as_secs_f64();
        Duration::from_secs_f64(wanted.max(0.0))
    }

    /// Stores a request while there is room.
    fn keep(&self, place: Place, body: &[u8]) -> Result<(), SandboxError> {
        let [deliveries, calls] = &self.kept;
        let (count, folder) = if place == Place::Far { (calls, "kept-far") } else { (deliveries, "kept") };
        if count.load(Ordering::Relaxed) >= self.options.keep {
            return Ok(());
        }
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        if number > self.options.keep {
            return Ok(());
        }
        pki::write_private(&self.options.dir.join(folder).join(format!("{number:06}.xml")), body)
    }
}

/// A running sandbox. Dropping it stops it; [`Sandbox::stop`] also says whether the ledger is whole.
#[derive(Debug)]
pub struct Sandbox {
    dir: PathBuf,
    addresses: Vec<String>,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), SandboxError>>>,
}

impl Sandbox {
    /// Starts the sandbox on a thread of its own; when this returns it serves, and `utskick.toml` is complete.
    pub fn start(options: Options) -> Result<Self, SandboxError> {
        if !options.shares.hold() || ![options.share_429, options.share_503].iter().all(|s| (0.0..=1.0).contains(s)) {
            return Err(SandboxError::Options("a share is from 0 to 1, and the shares of recipients sum to at most 1"));
        }
        if ![options.rate, options.far_rate]
            .into_iter()
            .flatten()
            .all(|rate| rate.is_finite() && rate > 0.0 && rate <= 100_000.0)
        {
            return Err(SandboxError::Options("a rate is above 0 and at most 100000 a second"));
        }
        let dir = options.dir.clone();
        let make = |path: &Path| {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(SandboxError::io("make", path))
        };
        make(&dir)?;
        let lock = lock(&dir)?;
        if options.keep > 0 {
            make(&dir.join("kept"))?;
            make(&dir.join("kept-far"))?;
        }
        // The address that clients are given.
        let ip = match options.listen.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let mut names = vec!["127.0.0.1".to_owned(), "::1".to_owned(), "localhost".to_owned()];
        if !names.contains(&ip.to_string()) {
            names.push(ip.to_string());
        }
        let pki = Pki::open(&dir, &names)?;
        let trust = Trust::new([pki.authority.certificate.clone()]).map_err(SandboxError::Pki)?;
        let listeners = settings::listeners(&dir, options.listen)?;
        let mut addresses = Vec::new();
        for (number, listener) in listeners.iter().enumerate() {
            let port = listener.local_addr().map_err(SandboxError::io("read the port in", &dir))?.port();
            let path = if number == 0 { FAR_PATH } else { OPERATOR_PATH };
            addresses.push(format!("https://{}{path}", SocketAddr::new(ip, port)));
        }
        let mut scenario = options.scenario.clone();
        for (play, share) in [(Play::Status(429), options.share_429), (Play::Status(503), options.share_503)] {
            if share > 0.0 {
                scenario.rules.push(Rule { accepted: Some(Accepted::Fixed(false)), ..Rule::share(play, share) });
            }
        }
        let world = Arc::new(World {
            ledger: Ledger::open(&dir)?,
            start: Instant::now(),
            start_time: jiff::Timestamp::now(),
            addresses: addresses.clone(),
            kept: [settings::files_in(&dir.join("kept")), settings::files_in(&dir.join("kept-far"))]
                .map(AtomicU64::new),
            options,
            pki,
            trust,
            scenario,
            names,
        });
        let mut gateways = Vec::new();
        for (number, listener) in listeners.into_iter().enumerate() {
            let place = number.checked_sub(1).map_or(Place::Far, Place::Operator);
            let rate = if place == Place::Far { world.options.far_rate } else { world.options.rate };
            gateways.push((Arc::new(Gateway::new(&world, place, rate)?), listener));
        }
        settings::write(&dir, &world)?;
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()
            .map_err(SandboxError::io("start threads for", &dir))?;
        let thread = std::thread::Builder::new()
            .name("sandbox".into())
            .spawn({
                let stop = stop.clone();
                move || {
                    let ended = runtime.block_on(serve(world, gateways, stop));
                    drop(lock);
                    ended
                }
            })
            .map_err(SandboxError::io("start a thread for", &dir))?;
        Ok(Self { dir, addresses, stop, thread: Some(thread) })
    }

    /// The settings that send to it.
    pub fn settings(&self) -> PathBuf {
        self.dir.join("utskick.toml")
    }

    /// The ledger of deliveries.
    pub fn ledger(&self) -> PathBuf {
        self.dir.join("ledger.ndjson")
    }

    /// FaR's address.
    pub fn far(&self) -> &str {
        self.addresses.first().map_or("", String::as_str)
    }

    /// An operator's address, by number from 0.
    pub fn operator(&self, number: usize) -> &str {
        self.addresses.get(number + 1).map_or("", String::as_str)
    }

    /// Stops taking connections, lets requests under way end (two seconds at most), and makes the ledger durable.
    pub fn stop(mut self) -> Result<(), SandboxError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), SandboxError> {
        self.stop.cancel();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Takes the folder for this process alone, until the file is dropped.
fn lock(dir: &Path) -> Result<File, SandboxError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(SandboxError::io("make", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SandboxError::Taken(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(SandboxError::io("lock", &path)(error)),
    }
}

async fn serve(
    world: Arc<World>,
    gateways: Vec<(Arc<Gateway>, std::net::TcpListener)>,
    stop: CancellationToken,
) -> Result<(), SandboxError> {
    let tasks = TaskTracker::new();
    let mut listening = Vec::new();
    for (gateway, listener) in gateways {
        let listener = TcpListener::from_std(listener).map_err(SandboxError::io("listen for", &world.options.dir))?;
        listening.push(tokio::spawn(server::listen(world.clone(), gateway, listener, stop.clone(), tasks.clone())));
    }
    stop.cancelled().await;
    for task in listening {
        let _ = task.await;
    }
    tasks.close();
    let _ = tokio::time::timeout(server::DRAIN, tasks.wait()).await;
    world.ledger.sync()
}
