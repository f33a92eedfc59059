//! Logs, on stderr: levels are defined by what the operator must do.

use clap::{Args, ValueEnum};
use std::io::IsTerminal;
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
            .with_writer(std::io::stderr)
            .with_max_level(level)
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false);
        // A second start in one process (tests) keeps the first.
        let _ = if self.log_json { logger.json().try_init() } else { logger.try_init() };
    }
}
