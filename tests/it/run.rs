//! Runs the binary.

use std::process::{Command, Output};

/// The binary with these arguments, not started yet.
pub fn utskick<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_utskick"));
    command.args(arguments);
    command
}

/// Runs the binary to its end; it must end with this exit code.
#[track_caller]
pub fn ends_with<'a>(code: i32, arguments: impl IntoIterator<Item = &'a str>) -> Output {
    let mut command = utskick(arguments);
    let output = command.output().expect("the binary starts");
    assert_eq!(
        output.status.code(),
        Some(code),
        "{command:?}\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Runs the binary to its end with exit code 0 and reads what it printed as JSON.
#[track_caller]
pub fn json<'a>(arguments: impl IntoIterator<Item = &'a str>) -> serde_json::Value {
    let output = ends_with(0, arguments);
    serde_json::from_slice(&output.stdout).expect("JSON on standard output")
}
