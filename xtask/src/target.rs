//! The targets, and everything that differs between them, as data.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::process::{self, Output};
use crate::setup::{Check, Need};

/// A platform that MicroPython with our module is built for and tested on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Target {
    /// 64-bit x86 Linux with glibc.
    #[value(name = "x86_64-unknown-linux-gnu")]
    X86_64LinuxGnu,
}

/// What there is to know about a target.
pub struct Spec {
    /// Rust's name for it, which is also the name of its directories.
    pub triple: &'static str,
    /// MicroPython's port, a directory under `ports/`.
    pub port: &'static str,
    /// The program that the port's makefile makes.
    pub program: &'static str,
    /// Further words for MicroPython's make, such as `CROSS_COMPILE=`.
    pub make: &'static [&'static str],
    /// The C compiler.
    pub cc: &'static str,
    /// What the names of shared libraries end in.
    pub dll: &'static str,
    /// The command that prints which shared libraries a program wants.
    pub shared_libraries: &'static [&'static str],
    /// The command that runs the target's programs; empty where this machine runs them itself.
    pub runner: &'static [&'static str],
    /// What compiling and running for the target takes.
    pub needs: &'static [Need],
    /// What the port's own ffi module takes on top; `None` where the port has none to compare with.
    pub stock_needs: Option<&'static [Need]>,
    /// Shared libraries that examples and tests open.
    pub libraries: &'static [Need],
    /// MicroPython's own ffi tests that do not apply, and print SKIP themselves.
    pub ffi_skips: &'static [&'static str],
}

static X86_64_LINUX_GNU: Spec = Spec {
    triple: "x86_64-unknown-linux-gnu",
    port: "unix",
    program: "micropython",
    make: &[],
    cc: "gcc",
    dll: "so",
    shared_libraries: &["readelf", "--dynamic", "--wide"],
    runner: &[],
    needs: &[
        Need::new(Check::Program("gcc"), "gcc"),
        Need::new(
            Check::Library {
                cc: "gcc",
                file: "libm.so",
            },
            "libc6-dev",
        ),
        Need::new(
            Check::RustTarget("x86_64-unknown-linux-gnu"),
            "x86_64-unknown-linux-gnu",
        ),
    ],
    stock_needs: Some(&[
        Need::new(Check::Program("pkg-config"), "pkg-config"),
        Need::new(Check::PkgConfig("libffi"), "libffi-dev"),
    ]),
    libraries: &[
        Need::new(
            Check::Library {
                cc: "gcc",
                file: "libz.so.1",
            },
            "zlib1g",
        ),
        Need::new(
            Check::Library {
                cc: "gcc",
                file: "libsqlite3.so.0",
            },
            "libsqlite3-0",
        ),
    ],
    ffi_skips: &["ports/unix/ffi_int_base.py", "ports/unix/ffi_int_long32.py"],
};

impl Target {
    /// Every target.
    pub const ALL: [Target; 1] = [Target::X86_64LinuxGnu];

    /// What there is to know about this one.
    pub fn spec(self) -> &'static Spec {
        match self {
            Target::X86_64LinuxGnu => &X86_64_LINUX_GNU,
        }
    }

    /// The command that runs one of the target's programs on this machine.
    pub fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        match self.spec().runner {
            [] => Command::new(program),
            [runner, args @ ..] => {
                let mut command = Command::new(runner);
                command.args(args).arg(program);
                command
            }
        }
    }

    /// A single file that behaves like `program` on this machine, for tools that take no command with arguments:
    /// the program itself or, where it needs a runner, a script beside it.
    pub fn launcher(self, program: &Path) -> Result<PathBuf> {
        let runner = self.spec().runner;
        if runner.is_empty() {
            return Ok(program.to_owned());
        }
        let script = program.with_extension("sh");
        let text = format!(
            "#!/bin/sh\nexec {} {} \"$@\"\n",
            runner.join(" "),
            program.display()
        );
        fs::write(&script, text)?;
        process::run(
            Command::new("chmod").arg("+x").arg(&script),
            Output::OnFailure,
        )?;
        Ok(script)
    }
}

impl Default for Target {
    /// The one that `run` and `micropython` take if they are not told.
    fn default() -> Self {
        Target::X86_64LinuxGnu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_names_on_the_command_line_are_rusts() {
        assert_eq!(Target::ALL.as_slice(), Target::value_variants());
        for target in Target::ALL {
            let value = target.to_possible_value().expect("no target is hidden");
            assert_eq!(value.get_name(), target.spec().triple);
        }
    }
}
