//! The command line program: parse arguments, run, map the result to an exit code.

use clap::Parser;
use std::process::ExitCode;
use utskick::cli::Cli;
use utskick::error::Exit;

fn main() -> ExitCode {
    utskick::watch::guard();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) if message.use_stderr() => {
            utskick::cli::misused(&message);
            return ExitCode::from(Exit::Usage as u8);
        }
        Err(help) => {
            // Help and version are results.
            let _ = help.print();
            return ExitCode::SUCCESS;
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
