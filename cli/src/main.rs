//! The program `farcall`: one C call from the command line, and what there is to know about calls.

mod call;
mod doctor;
mod explain;
mod failure;
mod prototype;
mod shown;
mod target;
mod value;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Calls C functions from the command line, and shows how calls work.
#[derive(Parser)]
#[command(name = "farcall", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all went well; 1 a library, a call or the machine failed;
2 what was typed makes no sense.";

#[derive(Subcommand)]
enum Command {
    /// Call a C function and print its result
    Call(call::Args),
    /// Show where each argument and the result of a call go, on any target
    Explain(explain::Args),
    /// Tell what this machine permits, and which interpreters and libraries it has
    Doctor(doctor::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Call(args) => call::run(args).map(|()| ExitCode::SUCCESS),
        Command::Explain(args) => explain::run(args).map(|()| ExitCode::SUCCESS),
        Command::Doctor(args) => doctor::run(args),
    };
    match done {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
