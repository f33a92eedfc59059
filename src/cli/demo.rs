//! `demo`: the whole product on this machine, without any setting.

use super::{report, say, send};
use crate::domain::{Form, SchemaVersion};
use crate::error::{Error, Exit, Result};
use crate::pipeline::{self, Order};
use crate::sandbox::generate::{self, Encoding, Options, Profile};
use clap::Args;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Generate an export, start the sandbox on loopback, send everything to it, and show the report.
///
/// Everything lies in one new folder, whose place is printed: the export, the sandbox with its certificate authority
/// and its ledger, the run with its journal, print bundles and report. Nothing leaves the machine.
#[derive(Debug, Args)]
pub struct Demo {
    /// Statements of the export
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    statements: u64,
    /// Folder to make and use; default: a new one in the system's temporary folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Demo {
    /// Shows what the product does.
    pub fn run(self) -> Result<Exit> {
        crate::watch::outlive_terminal();
        let folder = self.dir.clone().unwrap_or_else(|| {
            let now = jiff::Timestamp::now().as_millisecond();
            std::env::temp_dir().join(format!("utskick-demo-{now}"))
        });
        make(&folder)?;
        let export = folder.join("export.xml");
        say(&format!("generating {} statements into {}", self.statements, export.display()));
        let options = Options {
            statements: self.statements,
            seed: 1,
            forms: Form::EMPLOYER.to_vec(),
            profile: Profile::Typical,
            faulty: 0.0,
            corrections: 0.0,
            removals: 0.0,
            addressable: false,
            employers: 4,
            version: SchemaVersion::V8,
            encoding: Encoding::Utf8,
        };
        generate::to_file(&options, &export, &mut |_| {})
            .map_err(|error| Error::because(Exit::Storage, format!("cannot write {}", export.display()), error))?;
        say("starting the sandbox: FaR and three mailbox operators on loopback");
        let _sandbox = Sandbox::start(&folder.join("sandbox"))?;
        let order = Order {
            protected: Some(protected(&export)),
            exports: vec![export],
            config: folder.join("sandbox").join("utskick.toml"),
            run: folder.join("run"),
            ..Order::default()
        };
        say("sending");
        let ended = pipeline::send(&order)?;
        let exit = send::finish(&order.run, &ended, false)?;
        let html = order.run.join("report.html");
        report::write_html(&order.run, &html)?;
        super::print(&format!("\n{}", places(&folder)))?;
        Ok(exit)
    }
}

/// The list of protected recipients that `generate` writes beside an export.
fn protected(export: &Path) -> PathBuf {
    let mut name = export.as_os_str().to_owned();
    name.push(".protected");
    name.into()
}

fn places(folder: &Path) -> String {
    let mut text = String::from("Where everything lies\n");
    for (what, place) in [
        ("export", "export.xml"),
        ("settings", "sandbox/utskick.toml"),
        ("what the gateways received", "sandbox/ledger.ndjson"),
        ("journal", "run"),
        ("print bundles (encrypted)", "run/paper"),
        ("report for a browser", "run/report.html"),
    ] {
        text.push_str(&format!("  {what:<28}{}\n", folder.join(place).display()));
    }
    text
}

fn make(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Error::because(Exit::Storage, format!("cannot make {}", folder.display()), error))
}

/// The sandbox as a process of its own; it ends when its standard input is closed.
struct Sandbox {
    process: Child,
}

impl Sandbox {
    fn start(folder: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::because(Exit::Storage, "cannot start the sandbox", error);
        let program = std::env::current_exe().map_err(failed)?;
        let mut process = Command::new(program)
            .args(["sandbox", "--until-stdin-closes", "--dir"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let stdout = process.stdout.take();
        let sandbox = Self { process };
        let ready = stdout.is_some_and(|stdout| {
            BufReader::new(stdout).lines().map_while(std::io::Result::ok).any(|line| line.contains("ready"))
        });
        if ready { Ok(sandbox) } else { Err(Error::new(Exit::Storage, "the sandbox ended before it was ready")) }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It has nothing to lose: its ledger is written line by line.
        let _ = self.process.wait();
    }
}
