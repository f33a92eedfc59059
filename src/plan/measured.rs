//! What the stages of a send cost on a machine: what `utskick bench --json` writes and `utskick plan --measured` reads.
//!
//! All costs are seconds of processor time unless their name says otherwise. Keys that are not named here are passed
//! over, so that the file may also hold what people want to see of a benchmark.

use crate::error::{Error, Exit, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The format that is written and read.
pub const VERSION: u32 = 1;

/// What a machine was measured to need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The format: 1.
    pub version: u32,
    /// The commit of the program that was measured; its version where that is not known.
    pub commit: String,
    /// Where it was measured.
    pub machine: Machine,
    /// Whether the machine was too busy for the figures to be trusted.
    pub noisy: bool,
    /// The least that the job needs here, whatever program does it.
    pub floors: Floors,
    /// CPU threads that the whole run was measured with.
    pub threads: usize,
    /// The sandbox's share of all processor time while the whole run was measured on one machine with it, 0 to 1.
    pub wall_share_sandbox: f64,
    /// What each stage costs.
    pub stages: Stages,
    /// What a whole send costs.
    pub send: SendCost,
    /// Mean size of a request in bytes.
    pub message_bytes: f64,
    /// Whole runs of several sizes and numbers of threads; may be empty.
    #[serde(default)]
    pub scaling: Vec<Scale>,
    /// Processor time that the sandbox takes for one request, its verification included.
    pub sandbox_cpu_s_per_request: f64,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its processor, as it names itself.
    pub cpu: String,
    /// Its cores, as the system counts them.
    pub cores: usize,
}

/// Floors: what no program can do without on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Floors {
    /// One bare RSA-2048 signature.
    pub rsa2048_sign_s: f64,
    /// One bare RSA-3072 signature.
    pub rsa3072_sign_s: f64,
    /// Bytes that bare SHA-256 digests in a second, on one core.
    pub sha256_bytes_per_s: f64,
    /// Bytes that a scan for one byte passes in a second, on one core.
    pub memchr_bytes_per_s: f64,
    /// Time on the wall of one bare fsync of a short append.
    pub fsync_s: f64,
}

/// Costs by stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    /// Reading and validating, per byte of export.
    pub check_s_per_byte: f64,
    /// Pass 1 beyond that: journal rows, the register's verdict; per statement of the export.
    pub release_s_per_statement: f64,
    /// Asking FaR and routing, per statement that is looked up.
    pub lookup_s_per_statement: f64,
    /// Composing a letter, HTML and PDF.
    pub compose_s: f64,
    /// Encrypting its attachment; only for operators that have a certificate.
    pub encrypt_s: f64,
    /// The sender's signature, its RSA included.
    pub sign_s: f64,
    /// The mediator's seal, its RSA included.
    pub seal_s: f64,
    /// One request, the size of its body left out.
    pub submit_s_per_request: f64,
    /// One byte of a request's body.
    pub submit_s_per_byte: f64,
    /// Intent and outcome in the journal, per statement that is sent.
    pub journal_s_per_statement: f64,
    /// A letter on paper: PDF, bundle, journal.
    pub paper_s_per_statement: f64,
}

/// What a whole send costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SendCost {
    /// The sending process, per delivered statement: the slope between two sizes, without start-up.
    pub cpu_s_per_statement: f64,
    /// The same over two bare signatures of the same run.
    pub floor_ratio: f64,
    /// Time on the wall from the start of the process to its end with next to nothing to send.
    pub start_s: f64,
}

/// One whole run of a scaling table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// Statements sent.
    pub statements: u64,
    /// CPU threads it had.
    pub threads: usize,
    /// Time on the wall.
    pub wall_s: f64,
    /// Processor time of the sending process.
    pub cpu_s: f64,
    /// Statements a second on the wall.
    pub per_s: f64,
    /// Peak memory (RssAnon + RssShmem).
    pub peak_bytes: u64,
}

impl Measured {
    /// Reads what `utskick bench --json` wrote.
    ///
    /// *Errors*: exit 65, where it cannot be read, is of another format, or holds a figure that no machine has.
    pub fn read(file: &Path) -> Result<Self> {
        let failed =
            |error| Error::because(Exit::Input, format!("cannot read the measured costs {}", file.display()), error);
        let text = std::fs::read_to_string(file).map_err(|error| failed(Box::from(error)))?;
        let measured: Self = serde_json::from_str(&text).map_err(|error| {
            failed(Box::<dyn std::error::Error + Send + Sync>::from(error))
                .remedy("write the file with `utskick bench --json`")
        })?;
        measured.check().map_err(|what| failed(what.into()).remedy("write the file with `utskick bench --json`"))?;
        Ok(measured)
    }

    /// What a slow but real machine needs, for a plan where nothing was measured.
    ///
    /// *Source*: `utskick bench --statements 1500` on a shared two-core virtual machine (AMD EPYC, no AVX512-IFMA, so that
    /// a signature takes three times as long as on a processor that has it) while others used nine tenths of it, 25
    /// November 2026, rounded up. A plan from these figures is cautious about the processor, and says that it is not about
    /// the machine at hand.
    pub fn reference() -> Self {
        Self {
            version: VERSION,
            commit: "reference".into(),
            machine: Machine { cpu: "reference: AMD EPYC, shared, without AVX512-IFMA".into(), cores: 2 },
            noisy: true,
            floors: Floors {
                rsa2048_sign_s: 780e-6,
                rsa3072_sign_s: 2_300e-6,
                sha256_bytes_per_s: 1.4e9,
                memchr_bytes_per_s: 40e9,
                fsync_s: 200e-6,
            },
            threads: 2,
            wall_share_sandbox: 0.2,
            stages: Stages {
                check_s_per_byte: 4e-9,
                release_s_per_statement: 10e-6,
                lookup_s_per_statement: 12e-6,
                compose_s: 70e-6,
                encrypt_s: 70e-6,
                sign_s: 900e-6,
                seal_s: 900e-6,
                submit_s_per_request: 50e-6,
                submit_s_per_byte: 1e-9,
                journal_s_per_statement: 40e-6,
                paper_s_per_statement: 170e-6,
            },
            send: SendCost { cpu_s_per_statement: 2.2e-3, floor_ratio: 1.4, start_s: 1.5 },
            message_bytes: 30_000.0,
            scaling: Vec::new(),
            sandbox_cpu_s_per_request: 150e-6,
        }
    }

    /// Processor time of one letter: composed, signed, sealed, and encrypted where the operator has a certificate.
    pub fn letter_s(&self, encrypted: bool) -> f64 {
        let Stages { compose_s, encrypt_s, sign_s, seal_s, .. } = self.stages;
        compose_s + sign_s + seal_s + if encrypted { encrypt_s } else { 0.0 }
    }

    /// Processor time of one attempt: its request, and what the journal writes about it.
    pub fn attempt_s(&self) -> f64 {
        let Stages { submit_s_per_request, submit_s_per_byte, journal_s_per_statement, .. } = self.stages;
        submit_s_per_request + submit_s_per_byte * self.message_bytes + journal_s_per_statement
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.version != VERSION {
            return Err(format!("it is of format {}, and format {VERSION} is read", self.version));
        }
        if self.machine.cores == 0 || self.threads == 0 {
            return Err("a machine has at least one core and one thread".into());
        }
        let Self { floors, stages, send, .. } = self;
        let figures = [
            ("wall_share_sandbox", self.wall_share_sandbox),
            ("message_bytes", self.message_bytes),
            ("sandbox_cpu_s_per_request", self.sandbox_cpu_s_per_request),
            ("floors.rsa2048_sign_s", floors.rsa2048_sign_s),
            ("floors.rsa3072_sign_s", floors.rsa3072_sign_s),
            ("floors.sha256_bytes_per_s", floors.sha256_bytes_per_s),
            ("floors.memchr_bytes_per_s", floors.memchr_bytes_per_s),
            ("floors.fsync_s", floors.fsync_s),
            ("stages.check_s_per_byte", stages.check_s_per_byte),
            ("stages.release_s_per_statement", stages.release_s_per_statement),
            ("stages.lookup_s_per_statement", stages.lookup_s_per_statement),
            ("stages.compose_s", stages.compose_s),
            ("stages.encrypt_s", stages.encrypt_s),
            ("stages.sign_s", stages.sign_s),
            ("stages.seal_s", stages.seal_s),
            ("stages.submit_s_per_request", stages.submit_s_per_request),
            ("stages.submit_s_per_byte", stages.submit_s_per_byte),
            ("stages.journal_s_per_statement", stages.journal_s_per_statement),
            ("stages.paper_s_per_statement", stages.paper_s_per_statement),
            ("send.cpu_s_per_statement", send.cpu_s_per_statement),
            ("send.floor_ratio", send.floor_ratio),
            ("send.start_s", send.start_s),
        ];
        match figures.iter().find(|(_, figure)| !figure.is_finite() || *figure < 0.0) {
            Some((name, figure)) => Err(format!("{name} is {figure}, and is from 0")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &serde_json::Value) -> Result<Measured> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bench.json");
        std::fs::write(&file, value.to_string()).unwrap();
        Measured::read(&file)
    }

    #[test]
    fn what_is_written_is_read_back_and_more_beside_it_is_passed_over() {
        let reference = Measured::reference();
        let mut value = serde_json::to_value(&reference).unwrap();
        assert_eq!(read(&value).unwrap(), reference);
        value["for_people"] = "a table".into();
        assert_eq!(read(&value).unwrap(), reference);
    }

    #[test]
    fn figures_that_no_machine_has_are_refused_by_name() {
        for (place, value, said) in [
            ("/version", serde_json::json!(2), "format 2"),
            ("/machine/cores", serde_json::json!(0), "one core"),
            ("/stages/seal_s", serde_json::json!(-1.0), "stages.seal_s"),
            ("/floors/fsync_s", serde_json::json!("fast"), "cannot read"),
        ] {
            let mut measured = serde_json::to_value(Measured::reference()).unwrap();
            *measured.pointer_mut(place).unwrap() = value;
            let error = read(&measured).unwrap_err();
            assert_eq!(error.exit(), Exit::Input);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
