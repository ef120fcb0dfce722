//! The program `farcall`: one C call from the command line, and what there is to know about calls.

mod call;
mod failure;
mod prototype;
mod shown;
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
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Call(args) => call::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
