//! Logs, on stderr: levels are defined by what the operator must do.

use crate::domain::mask_people;
use clap::{Args, ValueEnum};
use std::io::{self, IsTerminal, Write};
use tracing::level_filters::LevelFilter;

/// What is logged. Per statement there is only the journal.
#[derive(Clone, Copy, Debug, Args)]
pub struct Log {
    /// Log from this level: error (someone must act), warn (recovered), info (milestones), debug, trace
    #[arg(long, global = true, value_enum, default_value_t = Level::Warn, value_name = "LEVEL")]
    log: Level,
    /// Log one JSON object a line
    #[arg(long, global = true)]
    log_json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Log {
    /// Starts logging; once a process.
    pub fn start(self) {
        let level = match self.log {
            Level::Off => LevelFilter::OFF,
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
            Level::Trace => LevelFilter::TRACE,
        };
        let logger = tracing_subscriber::fmt()
            .with_writer(|| Masked(io::stderr()))
            .with_max_level(level)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false);
        // A second start in one process (tests) keeps the first.
        let _ = if self.log_json { logger.json().try_init() } else { logger.try_init() };
    }
}

/// Writes lines with the identities of people masked, whatever field they came in: a file name, a system's message.
pub(super) struct Masked<W>(pub(super) W);

impl<W: Write> Write for Masked<W> {
    /// Takes a whole line at a time, as the logger gives it. Nobody to tell is no reason to stop: the logger would say
    /// that it could not write, on the same stderr, and panic.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = match std::str::from_utf8(line) {
            Ok(text) => self.0.write_all(mask_people(text).as_bytes()),
            Err(_) => self.0.write_all(line),
        };
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_masked_in_every_line() {
        let mut out = Vec::new();
        let line = "{\"path\":\"/in/ku_195111232079.xml\",\"operator\":\"165567849594\"}\n";
        Masked(&mut out).write_all(line.as_bytes()).expect("written");
        assert_eq!(String::from_utf8(out).expect("text"), line.replace("195111232079", "************"));
    }
}
