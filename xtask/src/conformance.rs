//! Compares with C compilers, on this machine or in a target's emulator: `conformance/` compares, this builds it and finds the compilers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Need};
use crate::target::Target;
use crate::wine;

/// The subjects of comparison: the name that `conformance/src/target.rs` has for each, and the target that runs it.
pub const SUBJECTS: [(&str, Target); 8] = [
    ("x86_64-unknown-linux-gnu", Target::X86_64Linux),
    ("x86_64-unknown-linux-gnu:win64", Target::X86_64Linux),
    ("aarch64-unknown-linux-gnu", Target::Aarch64Linux),
    ("aarch64-apple-darwin", Target::Aarch64Linux),
    ("aarch64-pc-windows-msvc", Target::Aarch64Linux),
    ("x86_64-pc-windows-gnu", Target::X86_64Windows),
    ("x86_64-pc-windows-gnu:sysv64", Target::X86_64Windows),
    ("x86_64-pc-windows-gnu:sysv64-clang", Target::X86_64Windows),
];

/// The choice of comparisons.
#[derive(clap::Args)]
pub struct Args {
    /// Compare this subject only; may be given several times. All if none is given.
    #[arg(long)]
    target: Vec<String>,
    /// The number of signatures to make.
    #[arg(long, default_value_t = 1000)]
    n: u64,
    /// The seed of the signatures; a fresh one if none is given.
    #[arg(long)]
    seed: Option<String>,
    /// Further options of farcall-conformance.
    #[arg(last = true)]
    more: Vec<String>,
}

/// Compares, and shows the outcome.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut subjects = SUBJECTS.to_vec();
    if !args.target.is_empty() {
        let known = |name: &String| {
            let found = SUBJECTS.iter().find(|subject| subject.0 == name);
            let names = SUBJECTS.map(|subject| subject.0).join(", ");
            found
                .copied()
                .with_context(|| format!("there are only {names}"))
        };
        subjects = args.target.iter().map(known).collect::<Result<_>>()?;
    }
    let mut options = vec!["--n".to_owned(), args.n.to_string()];
    if let Some(seed) = &args.seed {
        options.extend(["--seed".to_owned(), seed.clone()]);
    }
    options.extend(args.more.iter().cloned());
    let mut code = ExitCode::SUCCESS;
    for (name, target) in subjects {
        let program = Program::build(target)?;
        println!("\n{name}");
        if !program.command(name, &options).status()?.success() {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// The comparing program, ready to compile here and to run on a target.
pub struct Program {
    here: PathBuf,
    /// The command that runs programs of the target, if this machine cannot.
    runner: Option<String>,
    environment: Vec<(&'static str, OsString)>,
    _session: Option<wine::Session>,
}

impl Program {
    /// Builds it for this machine and for `target`.
    pub fn build(target: Target) -> Result<Program> {
        let needs: Vec<Need> = [setup::CROSS_COMPILERS, target.spec().needs].concat();
        setup::ensure(&needs)?;
        let name = "farcall-conformance";
        let made = paths::root().join("target");
        let build = || {
            let mut cargo = Command::new("cargo");
            cargo.current_dir(paths::root());
            cargo.args(["build", "--quiet", "--package", "conformance"]);
            cargo
        };
        process::run(&mut build(), Output::OnFailure)?;
        let mut runner = None;
        let session = target.start_runner()?;
        if target.is_foreign() {
            let mut cargo = build();
            target.cargo(&mut cargo)?;
            process::run(&mut cargo, Output::OnFailure)?;
            let spec = target.spec();
            let mut program = made.join(spec.triple).join("debug").join(name);
            if let Some(extension) = Path::new(spec.program).extension() {
                program.set_extension(extension);
            }
            let words = target.runner().iter().map(|word| (*word).to_owned());
            let words: Vec<String> = words.chain([program.display().to_string()]).collect();
            runner = Some(words.join(" "));
        }
        Ok(Program {
            here: made.join("debug").join(name),
            runner,
            environment: target.environment(&[])?,
            _session: session,
        })
    }

    /// The command that compares the subject `name`.
    pub fn command(&self, name: &str, options: &[String]) -> Command {
        let mut command = Command::new(&self.here);
        command.args(["--target", name]).args(options);
        if let Some(runner) = &self.runner {
            command.args(["--runner", runner]);
        }
        command.envs(self.environment.iter().cloned());
        command
    }
}
