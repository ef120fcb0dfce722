//! The step in which no code can be made: scripts and Rust programs must work all the same.
//!
//! On this machine the kernel refuses executable memory, by each of its policies. Emulators have no such policy; there, and here once more,
//! a variable forbids code to farcall alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Report, cargo, conformance, scripts};
use crate::libffi::suite::CODE;
use crate::paths;
use crate::process::{self, Output};
use crate::target::{Runner, Target};

/// The way in which code is refused.
#[derive(Clone, Copy)]
pub enum Refusal {
    /// By the environment.
    Variable,
    /// By the kernel, under a policy that `tests/c/policy.h` knows by this name.
    Policy(&'static str),
}

const ALL: [Refusal; 3] = [
    Refusal::Policy("mdwe"),
    Refusal::Policy("seccomp"),
    Refusal::Variable,
];

impl Refusal {
    pub fn name(self) -> String {
        match self {
            Refusal::Variable => format!("{CODE}=never"),
            Refusal::Policy(name) => format!("hardened {name}"),
        }
    }

    /// The command that runs a program of the target's under this refusal.
    pub fn command(self, target: Target, program: &Path) -> Result<Command> {
        match self {
            Refusal::Variable => {
                let mut command = target.command(program)?;
                command.env(CODE, "never");
                Ok(command)
            }
            Refusal::Policy(name) => {
                let mut command = Command::new(launcher()?);
                command.arg(name).arg(program);
                Ok(command)
            }
        }
    }
}

/// Builds the program that starts another one under a policy.
fn launcher() -> Result<PathBuf> {
    Ok(paths::micropython()?.join("hardened"))
}

fn compile_launcher() -> Result<()> {
    let mut cc = Command::new(Target::default().spec().cc);
    cc.args(["-Wall", "-Werror", "-o"])
        .arg(launcher()?)
        .arg(paths::root().join("tests/c/hardened.c"));
    process::run(&mut cc, Output::OnFailure)
}

/// The step. Rust's tests run under the kernel's policies by themselves, see `tests/common/policy.rs`.
pub fn hardened(target: Target) -> Result<Report> {
    compile_launcher()?;
    let mut report = cargo::of_farcall(target, &[(CODE, "never")])?;
    report.join(
        &Refusal::Variable.name(),
        conformance::without_code(target)?,
    );
    for refusal in ALL {
        let is_kernels = matches!(refusal, Refusal::Policy(_));
        if is_kernels && !matches!(target.spec().runner, Runner::None) {
            continue;
        }
        for folder in [scripts::Folder::Examples, scripts::Folder::Module] {
            report.join(&refusal.name(), scripts::refused(target, folder, refusal)?);
        }
    }
    Ok(report)
}
