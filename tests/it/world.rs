//! A world to send in: a folder, the sandbox as a process of its own, an export, runs, and the sandbox's ledger.

use crate::run::utskick;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// A folder with a sandbox that serves until the world is dropped.
pub struct World {
    folder: tempfile::TempDir,
    sandbox: Child,
}

impl World {
    /// Starts the sandbox with these further arguments.
    pub fn new(sandbox: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sandbox = start(&folder.path().join("sandbox"), sandbox);
        Self { folder, sandbox }
    }

    /// Stops the sandbox and starts it again with other arguments, with the same keys and addresses.
    pub fn restart_sandbox(&mut self, arguments: &[&str]) {
        stop(&mut self.sandbox);
        self.sandbox = start(&self.folder.path().join("sandbox"), arguments);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("sandbox/utskick.toml")
    }

    /// Changes the settings.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).expect("settings");
        let changed = change(text.clone());
        assert_ne!(text, changed, "the settings were not changed");
        std::fs::write(self.config(), changed).expect("settings written");
    }

    /// Generates an export of this name.
    pub fn export(&self, name: &str, statements: u64, more: &[&str]) -> PathBuf {
        let path = self.path(name);
        let statements = statements.to_string();
        let output = utskick(["generate", "--statements", &statements, "--out"])
            .arg(&path)
            .args(more)
            .output()
            .expect("generate starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// The command that sends an export in a run folder of this name.
    pub fn send_command(&self, export: &Path, run: &str) -> Command {
        let mut command = utskick(["send"]);
        command.arg(export).arg("--config").arg(self.config()).arg("--run").arg(self.path(run)).arg("--json");
        command
    }

    /// Sends to the end and gives the report; the exit code must be this.
    #[track_caller]
    pub fn send(&self, export: &Path, run: &str, code: i32) -> Value {
        self.report_of(self.send_command(export, run).output().expect("send starts"), code)
    }

    /// Resumes to the end and gives the report; the exit code must be this.
    #[track_caller]
    pub fn resume(&self, run: &str, code: i32) -> Value {
        let output = utskick(["resume", "--json"]).arg(self.path(run)).output().expect("resume starts");
        self.report_of(output, code)
    }

    #[track_caller]
    pub fn report_of(&self, output: Output, code: i32) -> Value {
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("no report: {error}\n{}\n{stderr}", String::from_utf8_lossy(&output.stdout))
        });
        assert_balanced(&report);
        report
    }

    /// The sandbox's ledger, as far as it is written.
    pub fn ledger(&self) -> Vec<Value> {
        let path = self.path("sandbox/ledger.ndjson");
        if !path.exists() {
            return Vec::new();
        }
        whole_lines(&path).lines().map(|line| serde_json::from_str(line).expect("a ledger line")).collect()
    }

    /// How often each message was accepted.
    pub fn accepted(&self) -> BTreeMap<String, u32> {
        let mut accepted = BTreeMap::new();
        for line in self.ledger() {
            if line["verdict"] == "accepted" {
                *accepted.entry(line["message_id"].as_str().expect("an id").to_owned()).or_default() += 1;
            }
        }
        accepted
    }
}

impl Drop for World {
    fn drop(&mut self) {
        stop(&mut self.sandbox);
    }
}

/// The lines of a file that another process may be writing. The last one, which may be half written and end within a
/// character, is left out until its end is there.
pub fn whole_lines(path: &Path) -> String {
    let mut bytes = std::fs::read(path).expect("a file of lines");
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
    String::from_utf8(bytes).expect("whole lines are text")
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut sandbox = utskick(["sandbox", "--until-stdin-closes", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the sandbox starts");
    let stdout = BufReader::new(sandbox.stdout.take().expect("stdout"));
    assert!(
        stdout.lines().map_while(Result::ok).any(|line| line.contains("ready")),
        "the sandbox ended before it was ready"
    );
    sandbox
}

fn stop(sandbox: &mut Child) -> Option<ExitStatus> {
    drop(sandbox.stdin.take());
    sandbox.wait().ok()
}

/// How many statements of a report have this outcome.
pub fn count(report: &Value, outcome: &str) -> u64 {
    report["outcomes"][outcome].as_u64().unwrap_or(0)
}

/// Statements = sum of outcomes, and the report says so.
#[track_caller]
pub fn assert_balanced(report: &Value) {
    let outcomes = report["outcomes"].as_object().expect("outcomes");
    let sum: u64 = outcomes.values().map(|count| count.as_u64().expect("a count")).sum();
    assert_eq!(Some(sum), report["statements"].as_u64(), "{report}");
    assert_eq!(report["balanced"], true, "{report}");
}
