//! `sandbox`: serves a FaR and three mailbox operators.

use super::{print, say};
use crate::error::{Error, Exit, Result};
use crate::sandbox::manners::Scenario;
use crate::sandbox::population::Shares;
use crate::sandbox::verify::Manner;
use crate::sandbox::{self, Options, SandboxError};
use crate::watch::outlive_terminal;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Serve a FaR and three mailbox operators to send to.
///
/// Writes into DIR: a certificate authority of its own with everything that it certifies (pki/), a complete
/// utskick.toml, ledger.ndjson with every delivery and its verdict, far.ndjson with every call to FaR, and
/// connections.ndjson with every fault played on a connection. Prints a
/// line with the word ready once it serves and the settings are complete. A restart in the same folder keeps
/// authority, ports (where they are free) and ledgers. SIGTERM or Ctrl-C ends it.
///
/// It verifies as a careful gateway does: client certificate, structure against the contract, both signatures, dates
/// and issuers of certificates, checksums, sizes; operator C's attachments are encrypted and it decrypts them. Answers
/// come in the forms that real gateways use: odd prefixes, unused namespaces, empty headers, chunks.
///
/// Who has a mailbox, and where, depends on --seed and the recipient alone.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// Folder for everything it writes; made where it is missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where to listen; with a port, FaR has that one and the operators the three after it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Take messages without verifying them, for measuring the sender
    #[arg(long, conflicts_with = "strict")]
    trusting: bool,
    /// Take only the form that Kivra's verifier needs: every element prefixed, Message/v3 in scope at deliverSecure
    #[arg(long)]
    strict: bool,
    /// Share of recipients without a mailbox
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().no_mailbox)]
    no_mailbox: f64,
    /// Share that does not accept the sender
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().opted_out)]
    opted_out: f64,
    /// Share whose registration is pending
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().pending)]
    pending: f64,
    /// Share whose mailbox is at an operator that the settings do not list
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().unknown_operator)]
    unknown_operator: f64,
    /// Share for whom FaR has no usable address
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().blank_address)]
    blank_address: f64,
    /// Share whose mailbox is of type Anonymous
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().anonymous)]
    anonymous: f64,
    /// Share that the operator refuses as protected identity (fault 6006)
    #[arg(long, value_name = "SHARE", default_value_t = Shares::default().protected)]
    protected_identity: f64,
    /// Milliseconds between the verdict and the answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Spread of that time in milliseconds, to either side
    #[arg(long, value_name = "MS", default_value_t = 0)]
    jitter: u64,
    /// Deliveries a second that each operator takes; above it the answer is 429 with Retry-After. Default: no limit.
    /// The settings have the same rate
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Calls a second that FaR takes. Default: no limit
    #[arg(long, value_name = "N")]
    far_rate: Option<f64>,
    /// Share of deliveries answered 429, without Retry-After
    #[arg(long = "share-429", value_name = "SHARE", default_value_t = 0.0)]
    share_429: f64,
    /// Share of deliveries answered 503, without Retry-After
    #[arg(long = "share-503", value_name = "SHARE", default_value_t = 0.0)]
    share_503: f64,
    /// Store the first N deliveries as they came, a file each in DIR/kept, and the first N calls to FaR in DIR/kept-far
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep: u64,
    /// Decides everything that is left to chance
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// A sender that FaR knows besides the one in the settings, twelve digits, or `any`; may be repeated
    #[arg(long = "sender", value_name = "ID")]
    senders: Vec<String>,
    /// Bad manners: a file of rules, which gateway plays what, when
    #[arg(long, value_name = "FILE", long_help = SCENARIO_HELP)]
    scenario: Option<PathBuf>,
    /// Serve until standard input ends, for a parent that may be killed
    #[arg(long)]
    until_stdin_closes: bool,
}

const SCENARIO_HELP: &str = "\
Bad manners: a TOML file of rules. For each request, and for each connection, the first rule that fits is played, and
the ledger's verdict is its name.

  [[rule]]
  at = \"operators\"      # far, a, b, c, an operator's number, operators or all
  play = \"503\"
  share = 0.05          # or nth = [1, 7], or every = 100; none of them: always
  about = 0.02          # only requests about one of this share of recipients
  from = 1000           # requests (connections) are counted from 1 at each gateway
  to = 2000
  after = \"10s\"         # and by time from the sandbox's start
  before = \"1m\"
  retry_after = \"3\"     # of 429 and 503: seconds, date+3, date-3, or any text
  accepted = true       # whether the message is taken all the same; or a share
  delay = \"30s\"         # of plays that wait
  text = \"no {recipient}\"   # what faults say

Plays on requests: fault-N and ok-fault-N (HTTP 200) with any code, fault-without-detail, 401, 403, 404, 413, 429, 500,
502, 503, 504, truncated, half, half-silent, garbage, empty, huge, slow, wrong-type, delivered-false, other-recipient,
reset-before, reset-during, reset-after, silent, close,
close-after, close-idle, http-1.0, stall, stall-reset; at FaR also omit, repeat,
reorder. On connections: reset-connect, close-connect,
stall-connect, tls-alert, expired, not-yet-valid, wrong-name, wrong-authority,
client-refused.";

impl Sandbox {
    /// Serves until it is told to stop.
    pub fn run(self) -> Result<Exit> {
        let until_stdin_closes = self.until_stdin_closes;
        if until_stdin_closes {
            // It ends with its parent, which outlives a terminal.
            outlive_terminal();
        }
        let options = self.options().map_err(failed)?;
        let dir = options.dir.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::because(Exit::Storage, "cannot start the sandbox", error))?;
        runtime.block_on(async {
            // Signals are heard from here on: one that comes before ready is not lost.
            let hear =
                |kind| signal(kind).map_err(|error| Error::because(Exit::Storage, "cannot listen to signals", error));
            let (mut terminate, mut interrupt) = (hear(SignalKind::terminate())?, hear(SignalKind::interrupt())?);
            let running = sandbox::Sandbox::start(options).map_err(failed)?;
            print(&format!(
                "ready: settings in {}, ledger in {}\n",
                running.settings().display(),
                running.ledger().display()
            ))?;
            let eof = async {
                if !until_stdin_closes {
                    return std::future::pending().await;
                }
                let drained = || std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
                let _ = tokio::task::spawn_blocking(drained).await;
            };
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = eof => {}
            }
            running.stop().map_err(failed)?;
            say(&format!("sandbox: stopped, the ledger in {} is whole", dir.display()));
            Ok::<(), Error>(())
        })?;
        // A thread may still wait for standard input.
        runtime.shutdown_background();
        Ok(Exit::Done)
    }

    fn options(self) -> Result<Options, SandboxError> {
        let (any, senders): (Vec<String>, Vec<String>) = self.senders.into_iter().partition(|id| id == "any");
        Ok(Options {
            listen: self.listen,
            trusting: self.trusting,
            manner: if self.strict { Manner::Strict } else { Manner::Reference },
            shares: Shares {
                no_mailbox: self.no_mailbox,
                opted_out: self.opted_out,
                pending: self.pending,
                unknown_operator: self.unknown_operator,
                blank_address: self.blank_address,
                anonymous: self.anonymous,
                protected: self.protected_identity,
            },
            latency: Duration::from_millis(self.latency),
            jitter: Duration::from_millis(self.jitter),
            rate: self.rate,
            far_rate: self.far_rate,
            share_429: self.share_429,
            share_503: self.share_503,
            keep: self.keep,
            seed: self.seed,
            senders,
            any_sender: !any.is_empty(),
            scenario: self.scenario.as_deref().map_or(Ok(Scenario::default()), Scenario::read)?,
            ..Options::new(self.dir)
        })
    }
}

fn failed(error: SandboxError) -> Error {
    let exit = match &error {
        SandboxError::Options(_) | SandboxError::Listen { .. } | SandboxError::Taken(_) => Exit::Usage,
        SandboxError::Scenario(_) => Exit::Settings,
        _ => Exit::Storage,
    };
    Error::because(exit, "the sandbox cannot serve", error)
}
