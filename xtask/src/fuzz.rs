//! `cargo xtask fuzz`: runs each fuzz target for a while, beginning with the inputs in `fuzz/corpus/`.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::paths;
use crate::process::{self, Output};

/// The targets, as `fuzz/Cargo.toml` has them.
const TARGETS: [&str; 3] = ["codes", "call", "declarations"];

/// The toolchain. Fuzzing needs the compiler's coverage options, which are not stable.
const TOOLCHAIN: &str = "nightly";

/// The targets and the time.
#[derive(clap::Args)]
pub struct Args {
    /// Fuzz these targets only; all if none is given.
    #[arg(long, value_parser = TARGETS)]
    target: Vec<String>,
    /// The seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Add new inputs to fuzz/corpus/, if they reach code that no other input does.
    #[arg(long)]
    keep: bool,
}

/// Fuzzes. Failures are shown, and their inputs are in `fuzz/artifacts/`.
pub fn run(args: &Args) -> Result<ExitCode> {
    set_up()?;
    let mut code = ExitCode::SUCCESS;
    for name in TARGETS {
        if !args.target.is_empty() && !args.target.iter().any(|target| target == name) {
            continue;
        }
        let found = paths::made(paths::root().join("target/fuzz").join(name))?;
        let corpus = paths::root().join("fuzz/corpus").join(name);
        let time = format!("-max_total_time={}", args.seconds);
        // An input that needs more memory or time than this is a failure too.
        let limits = ["-rss_limit_mb=1024", "-timeout=10", "-print_final_stats=1"];
        let mut fuzz = fuzz("run", name, &[&found, &corpus]);
        process::announce(fuzz.arg("--").arg(time).args(limits));
        if !fuzz.status()?.success() {
            code = ExitCode::FAILURE;
        } else if args.keep {
            let mut merge = self::fuzz("run", name, &[&corpus, &found]);
            process::run(merge.args(["--", "-set_cover_merge=1"]), Output::OnFailure)?;
        }
    }
    Ok(code)
}

fn fuzz(what: &str, name: &str, directories: &[&Path]) -> Command {
    let mut command = cargo();
    command.args(["fuzz", what, name]).args(directories);
    command
}

/// Cargo of that toolchain.
fn cargo() -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", TOOLCHAIN, "cargo"])
        .current_dir(paths::root());
    command
}

fn set_up() -> Result<()> {
    if !process::succeeds(cargo().arg("--version")) {
        let words = ["toolchain", "install", TOOLCHAIN, "--profile", "minimal"];
        process::run(Command::new("rustup").args(words), Output::Shown)?;
    }
    if !process::succeeds(cargo().args(["fuzz", "--version"])) {
        let words = ["install", "--locked", "cargo-fuzz"];
        process::run(cargo().args(words), Output::Shown)?;
    }
    Ok(())
}
