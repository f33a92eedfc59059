//! Whole sends, each in a process of its own, to the sandbox in another.
//!
//! Every send has an installation and a run folder of its own, so that nothing of an earlier one is known, and both
//! sides are held against each other: what the sender says is delivered must be what the sandbox took.

use super::children::{self, Ran, Sandbox};
use super::interrupt::Interrupt;
use crate::error::{Error, Exit, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Who has a mailbox, and what is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mix {
    /// Nothing leaves: every statement is read, validated, keyed, entered in the journal, and held.
    Held,
    /// Everyone has a mailbox, nothing is encrypted.
    Digital,
    /// Everyone has a mailbox, every attachment is encrypted.
    Encrypted,
    /// The sandbox's usual population: a fifth has no mailbox and gets paper, one operator of three wants attachments
    /// encrypted.
    Usual,
}

impl Mix {
    /// As tables name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "pass 1 alone, all held",
            Self::Digital => "all to mailboxes",
            Self::Encrypted => "all to mailboxes, encrypted",
            Self::Usual => "a fifth on paper, a third encrypted",
        }
    }

    /// What the sandbox is started with.
    pub const fn sandbox(self) -> &'static [&'static str] {
        const EVERYONE: [&str; 10] = [
            "--no-mailbox",
            "0",
            "--opted-out",
            "0",
            "--pending",
            "0",
            "--unknown-operator",
            "0",
            "--blank-address",
            "0",
        ];
        match self {
            Self::Held | Self::Digital | Self::Encrypted => &EVERYONE,
            Self::Usual => &[],
        }
    }
}

/// One whole send.
#[derive(Clone, Debug, Serialize)]
pub struct Whole {
    /// Who has a mailbox, and what is encrypted.
    pub mix: Mix,
    /// Statements of the export.
    pub statements: u64,
    /// Of them, delivered to a mailbox.
    pub delivered: u64,
    /// Of them, in print bundles.
    pub paper: u64,
    /// `run.threads`.
    pub threads: usize,
    /// From start to exit.
    pub wall_s: f64,
    /// Processor time of the sending process, user and system.
    pub cpu_s: f64,
    /// One bare RSA-2048 signature while all processors sign: the mean of just before and just after.
    pub signature_s: f64,
    /// `cpu_s` by what its threads are for; sums to it.
    pub cpu_s_by_thread: BTreeMap<String, f64>,
    /// Most anonymous and shared memory (RssAnon + RssShmem).
    pub peak_bytes: u64,
    /// Requests that the gateways took meanwhile: deliveries and calls to FaR.
    pub requests: u64,
    /// Processor time of the sandbox meanwhile.
    pub sandbox_cpu_s: f64,
}

impl Whole {
    /// Statements a second on the wall, start included.
    pub fn per_s(&self) -> f64 {
        self.statements as f64 / self.wall_s.max(1e-9)
    }
}

/// Where whole sends are made: a folder of ours with the sandbox's in it.
pub struct Place<'a> {
    /// This program.
    pub program: &'a Path,
    /// The folder.
    pub folder: &'a Path,
    /// Whether to stop.
    pub interrupt: &'a Interrupt,
}

impl Place<'_> {
    /// The sandbox's folder.
    pub fn sandbox(&self) -> PathBuf {
        self.folder.join("sandbox")
    }

    /// Generates an export of so many statements.
    pub fn export(&self, statements: u64) -> Result<PathBuf> {
        let export = self.folder.join(format!("{statements}.xml"));
        let count = statements.to_string();
        let arguments =
            ["generate", "--addressable", "--statements", &count, "--out"].map(Path::new).into_iter().chain([&*export]);
        let log = self.folder.join("generate.log");
        let ran = self.run(&arguments.collect::<Vec<_>>(), &self.folder.join("generate.out"), &log)?;
        if ran.status.success() { Ok(export) } else { Err(failed("generate an export", &log)) }
    }

    /// Starts the sandbox for a mix, with the keys and addresses that it had before.
    pub fn start(&self, mix: Mix) -> Result<Sandbox> {
        Sandbox::start(self.program, &self.sandbox(), mix.sandbox(), self.interrupt)
    }

    /// Writes the settings of a mix, with an installation in `state`; returns their place.
    pub fn settings(&self, mix: Mix, threads: usize, state: &Path) -> Result<PathBuf> {
        let file = self.sandbox().join("utskick.toml");
        let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::because(Exit::Settings, "the sandbox's settings", error)
        };
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.into()))?;
        let mut settings: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.into()))?;
        let mut installation = toml::Table::new();
        for (key, name) in [("state", "state"), ("key_file", "installation.key")] {
            installation.insert(key.into(), state.join(name).to_string_lossy().into_owned().into());
        }
        settings.insert("installation".into(), installation.into());
        let mut run = toml::Table::new();
        run.insert("threads".into(), (threads as i64).into());
        settings.insert("run".into(), run.into());
        if mix == Mix::Held {
            let mut channels = toml::Table::new();
            channels.insert("default".into(), "hold".into());
            settings.insert("channels".into(), channels.into());
        }
        // A sender that outlives us, after a kill that cannot be caught, soon finds nobody and ends.
        if let Some(far) = settings.get_mut("far").and_then(toml::Value::as_table_mut) {
            far.insert("give_up_after".into(), "10s".into());
        }
        let operators = settings.get_mut("operators").and_then(toml::Value::as_array_mut);
        let operators: Vec<&mut toml::Table> =
            operators.into_iter().flatten().filter_map(toml::Value::as_table_mut).collect();
        let certificate = operators.iter().find_map(|operator| operator.get("encryption_certificate").cloned());
        for operator in operators {
            operator.insert("give_up_after".into(), "10s".into());
            match (mix, &certificate) {
                (Mix::Held | Mix::Digital, _) => drop(operator.remove("encryption_certificate")),
                (Mix::Encrypted, Some(certificate)) => {
                    operator.insert("encryption_certificate".into(), certificate.clone());
                }
                _ => {}
            }
        }
        let place = self.sandbox().join("bench.toml");
        let text = toml::to_string(&settings).map_err(|error| wrong(error.into()))?;
        std::fs::write(&place, text).map_err(|error| wrong(error.into()))?;
        Ok(place)
    }

    /// Sends an export of so many statements to the running sandbox, and holds both sides against each other.
    pub fn send(&self, sandbox: &Sandbox, mix: Mix, export: &Path, statements: u64, threads: usize) -> Result<Whole> {
        let folder = self.folder.join("send");
        std::fs::create_dir(&folder)
            .map_err(|error| Error::because(Exit::Storage, format!("cannot make {}", folder.display()), error))?;
        let settings = self.settings(mix, threads, &folder)?;
        let (run, report, log) = (folder.join("run"), folder.join("report.json"), folder.join("send.log"));
        let arguments: [&Path; 7] = [
            Path::new("send"),
            export,
            Path::new("--config"),
            &settings,
            Path::new("--run"),
            &run,
            Path::new("--json"),
        ];
        let (before, sandbox_before) = (self.taken()?, sandbox.cpu_s());
        let ran = self.run(&arguments, &report, &log)?;
        let sandbox_cpu_s = sandbox.cpu_s() - sandbox_before;
        // A fault of the run itself: the log says which. Statements held for want of an address are none.
        if !matches!(ran.status.code(), Some(0 | 1)) {
            return Err(unfinished(&report, &log));
        }
        let after = self.taken()?;
        let text = std::fs::read_to_string(&report).unwrap_or_default();
        let report: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| Error::because(Exit::Storage, "cannot read the report of a send", error))?;
        let outcome = |name: &str| {
            report.get("outcomes").and_then(|of| of.get(name)).and_then(serde_json::Value::as_u64).unwrap_or(0)
        };
        let delivered = outcome("delivered") + outcome("delivered_and_paper");
        if delivered != after.accepted - before.accepted {
            let text = format!(
                "the sender says that {delivered} statements were delivered, and the sandbox took {}: no figure of this \
                 run can be trusted",
                after.accepted - before.accepted
            );
            return Err(Error::new(Exit::Storage, text));
        }
        let known = outcome("already_sent");
        if known > 0 {
            let text = format!(
                "{known} statements of a new installation were sent before: no figure of this run can be trusted"
            );
            return Err(Error::new(Exit::Storage, text));
        }
        std::fs::remove_dir_all(&folder)
            .map_err(|error| Error::because(Exit::Storage, format!("cannot remove {}", folder.display()), error))?;
        Ok(Whole {
            mix,
            statements,
            delivered,
            paper: outcome("paper") + outcome("delivered_and_paper"),
            threads,
            wall_s: ran.wall_s,
            cpu_s: ran.cpu_s,
            // Who orders the send signs around it.
            signature_s: 0.0,
            cpu_s_by_thread: ran.cpu_s_by_thread,
            peak_bytes: ran.peak_bytes,
            requests: after.requests - before.requests,
            sandbox_cpu_s,
        })
    }

    fn run(&self, arguments: &[&Path], out: &Path, log: &Path) -> Result<Ran> {
        let create = |path: &Path| {
            File::create(path)
                .map_err(|error| Error::because(Exit::Storage, format!("cannot write {}", path.display()), error))
        };
        children::run(self.program, arguments, create(out)?, create(log)?, self.interrupt)
    }

    /// What the gateways have taken so far, by their ledgers.
    fn taken(&self) -> Result<Taken> {
        let read = |name: &str| match std::fs::read_to_string(self.sandbox().join(name)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Error::because(Exit::Storage, format!("cannot read the sandbox's {name}"), error)),
        };
        let (deliveries, calls) = (read("ledger.ndjson")?, read("far.ndjson")?);
        let accepted = deliveries.lines().filter(|line| line.contains(r#""verdict":"accepted""#)).count() as u64;
        Ok(Taken { accepted, requests: (deliveries.lines().count() + calls.lines().count()) as u64 })
    }
}

struct Taken {
    accepted: u64,
    requests: u64,
}

/// A send that did not end: what became of its statements, and what it said.
fn unfinished(report: &Path, log: &Path) -> Error {
    let report = std::fs::read_to_string(report).unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap_or_default();
    match report.get("reasons") {
        Some(reasons) => failed(&format!("send to the sandbox ({reasons})"), log),
        None => failed("send to the sandbox", log),
    }
}

/// A child's failure, with the end of what it said.
fn failed(what: &str, log: &Path) -> Error {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n  ");
    Error::new(Exit::Storage, format!("cannot {what}; it said:\n  {last}"))
}
