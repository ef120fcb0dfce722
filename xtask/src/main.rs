//! The workspace's helper commands: `cargo xtask --help` lists them.

mod bench;
mod book;
mod conformance;
mod debian;
mod dist;
mod fuzz;
mod libffi;
mod libraries;
mod micropython;
mod paths;
mod pins;
mod process;
mod run;
mod setup;
mod sizes;
mod soak;
mod source;
mod target;
mod test;
mod wine;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::process::Output;
use crate::target::Target;

/// The end of the help text.
const MORE: &str = "\
Examples:
  cargo xtask run examples/qsort.py        Run a script in MicroPython with the module
  cargo xtask run --target x86_64-pc-windows-gnu examples/qsort.py
                                           The same on Windows, in Wine
  cargo xtask test --list                  What there is to test
  cargo xtask test --only ffi --only module --target x86_64-unknown-linux-gnu
                                           Two steps of it, for one target
  cargo xtask libffi --prefix /usr --libdir lib64 --destdir stage
                                           A libffi to make a package of

Whatever is made lies below target/. What is missing is installed with apt and rustup, after saying so.

Environment:
  MICROPYTHON_SRC, MICROPYTHON_OLDER_SRC, LIBFFI_SRC, ZLIB_SRC, SQLITE_SRC
                     Source trees to take instead of the releases that are fetched
  DEBIAN_MIRROR      A mirror of Debian's archive, where apt knows none
  SOURCE_DATE_EPOCH  The time of all files in packages, in seconds since 1970";

/// Sets up, builds, runs and tests everything in this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = MORE)]
struct Cli {
    /// Install nothing: name what is missing, and fail.
    #[arg(long, global = true)]
    no_install: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build MicroPython with the ffi module and print the program's path.
    Micropython {
        /// The target to build for.
        #[arg(long, value_enum, default_value_t = Target::default())]
        target: Target,
    },
    /// Run a MicroPython script, after building what it needs.
    Run {
        /// The target to build for.
        #[arg(long, value_enum, default_value_t = Target::default())]
        target: Target,
        /// The script to run.
        script: PathBuf,
        /// The script's arguments, in sys.argv.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Run every test, after setting up what is missing.
    Test(test::Args),
    /// Compare farcall with C compilers, signature by signature.
    Conformance(conformance::Args),
    /// Fuzz everything that has a fuzz target, a minute each.
    Fuzz(fuzz::Args),
    /// Build the drop-in libffi, install it, and print its directory.
    Libffi {
        /// The target to build for.
        #[arg(long, value_enum, default_value_t = Target::default())]
        target: Target,
        #[command(flatten)]
        parts: libffi::drop_in::Parts,
        #[command(flatten)]
        places: libffi::install::Places,
    },
    /// Make the packages of a release: tarballs, a .deb, and their sums.
    Dist(dist::Args),
    /// Run stress tests for as long as you like.
    Soak(soak::Args),
    /// Run libffi's own tests on the drop-in libffi.
    LibffiSuite(libffi::suite::Args),
    /// Measure farcall and its alternatives.
    Bench(bench::Args),
    /// Make the documentation's book and print its first page's path.
    Book,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.no_install {
        setup::forbid_installation();
    }
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Micropython { target } => {
            let program = micropython::build(target, Output::Shown)?;
            println!("{}", program.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Run {
            target,
            script,
            args,
        } => run::script(target, &script, &args),
        Command::Test(args) => test::run(&args),
        Command::Conformance(args) => conformance::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Libffi {
            target,
            parts,
            places,
        } => {
            let top = libffi::install::install(target, parts, &places)?;
            println!("{}", top.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Dist(args) => dist::run(&args),
        Command::LibffiSuite(args) => libffi::suite::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Book => {
            println!("{}", book::build()?.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_can_be_told_to_install_nothing() {
        for command in ["micropython", "test", "libffi", "bench", "soak", "fuzz"] {
            for line in [
                ["cargo xtask", command, "--no-install"],
                ["cargo xtask", "--no-install", command],
            ] {
                let cli = Cli::try_parse_from(line).expect("a command line");
                assert!(cli.no_install, "{line:?}");
            }
        }
        let line = ["cargo xtask", "run", "script.py", "word", "--no-install"];
        let cli = Cli::try_parse_from(line).expect("a command line");
        assert!(!cli.no_install, "it is the script's own");
    }
}
