//! The program `farcall`: it calls C functions from the command line, and explains calls.

mod bind;
mod call;
mod doctor;
mod explain;
mod failure;
mod manual;
mod output;
mod prototype;
mod shown;
mod spelling;
mod target;
mod value;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{CommandFactory, Parser, Subcommand};

/// Calls C functions from the command line, and shows how calls work.
#[derive(Parser)]
#[command(name = "farcall", version, after_help = EXIT_CODES, max_term_width = 100, styles = STYLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all went well; 1 a library, a call, a file or the machine failed; 2 what was
typed makes no sense. NO_COLOR turns colours off.";

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

#[derive(Subcommand)]
enum Command {
    /// Call a C function and print its result
    Call(call::Args),
    /// Show where each argument and the result of a call go, on any target
    Explain(explain::Args),
    /// Tell what this machine permits, and which interpreters and libraries it has
    Doctor(doctor::Args),
    /// Turn a C header into a module for MicroPython
    Bind(bind::Args),
    /// Print the manual page, for man
    Man,
    /// Print what a shell needs to complete commands and options
    Completions(manual::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Call(args) => call::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Doctor(args) => return ended(doctor::run(args)),
        Command::Bind(args) => bind::run(args),
        Command::Man => manual::page(Cli::command()),
        Command::Completions(args) => manual::completions(args, Cli::command()),
    };
    ended(done.map(|()| ExitCode::SUCCESS))
}

fn ended(done: failure::Result<ExitCode>) -> ExitCode {
    done.unwrap_or_else(|failure| failure.report())
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn options_are_free_of_contradictions() {
        Cli::command().debug_assert();
    }
}
