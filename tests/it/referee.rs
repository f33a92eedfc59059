//! Referees: independent programs and official material that judge what we made.
//!
//! A test whose referee is missing says so and passes, unless `UTSKICK_REFEREES=required` (as `.ci/run` sets it).

use std::path::PathBuf;
use std::process::Command;

/// The program, ready for its arguments, or `None` where it is not installed and not required.
pub fn command(program: &str) -> Option<Command> {
    let found = std::env::var_os("PATH")
        .is_some_and(|paths| std::env::split_paths(&paths).any(|folder| folder.join(program).is_file()));
    found.then(|| Command::new(program)).or_else(|| missing(program))
}

/// A file of the official material (specifications, corpora), which is not in the repository: below the folder that
/// `UTSKICK_SHARED` names. `None` where the variable is not set.
pub fn shared(file: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("UTSKICK_SHARED") else {
        eprintln!("skipped: UTSKICK_SHARED does not say where {file} is");
        return None;
    };
    let path = PathBuf::from(folder).join(file);
    assert!(path.exists(), "UTSKICK_SHARED is set, but {} is not there", path.display());
    Some(path)
}

/// A Python module as a program (`python3 -m …`), or `None` where it is not installed and not required.
pub fn python_module(module: &str) -> Option<Command> {
    let mut python = command("python3")?;
    let found = Command::new("python3").args(["-c", &format!("import {module}")]).output();
    if !found.is_ok_and(|tried| tried.status.success()) {
        return missing(module);
    }
    python.args(["-m", module]);
    Some(python)
}

fn missing<T>(what: &str) -> Option<T> {
    let required = std::env::var_os("UTSKICK_REFEREES").is_some_and(|value| value == "required");
    assert!(!required, "the referee {what} is missing, and UTSKICK_REFEREES=required");
    eprintln!("skipped: the referee {what} is not installed");
    None
}
