//! The command line program: parse arguments, run, map the result to an exit code.

use clap::Parser;
use std::process::ExitCode;
use utskick::cli::Cli;
use utskick::error::Exit;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are results; anything else is wrong usage.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { Exit::Usage as u8 } else { 0 });
        }
    };
    match cli.run() {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            utskick::cli::complain(&error);
            ExitCode::from(error.exit() as u8)
        }
    }
}
