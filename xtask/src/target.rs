//! The targets, and everything that differs between them, as data.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::paths;
use crate::process::{self, Output};
use crate::setup::{Check, Need};
use crate::wine;

/// A platform that MicroPython with our module is built for and tested on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Target {
    /// 64-bit x86 Linux with glibc.
    #[value(name = "x86_64-unknown-linux-gnu")]
    X86_64Linux,
    /// 64-bit Arm Linux with glibc, in QEMU.
    #[value(name = "aarch64-unknown-linux-gnu")]
    Aarch64Linux,
    /// 64-bit x86 Windows with MinGW's C library, in Wine.
    #[value(name = "x86_64-pc-windows-gnu")]
    X86_64Windows,
}

/// The description of a target.
pub struct Spec {
    /// Rust's name for it, which is also the name of its directories.
    pub triple: &'static str,
    /// MicroPython's port, a directory under `ports/`.
    pub port: &'static str,
    /// The program that the port's makefile makes.
    pub program: &'static str,
    /// Further words for MicroPython's make, such as `CROSS_COMPILE=`.
    pub make: &'static [&'static str],
    /// The C compiler, which also links Rust's programs.
    pub cc: &'static str,
    /// The options with which it links a shared library that needs none of the compiler's own.
    pub shared: &'static [&'static str],
    /// The ending of shared libraries' names.
    pub dll: &'static str,
    /// The command that prints the shared libraries that a program needs.
    pub shared_libraries: &'static [&'static str],
    /// The runner of the target's programs.
    pub runner: Runner,
    /// The needs of compiling and running for the target.
    pub needs: &'static [Need],
    /// The further needs of the port's own ffi module; `None` where the port has no such module, or where comparing on another target is enough.
    pub stock_needs: Option<&'static [Need]>,
    /// Shared libraries that examples and tests open.
    pub libraries: Libraries,
    /// MicroPython's own ffi tests that do not apply, and print SKIP themselves.
    pub ffi_skips: &'static [&'static str],
    /// The library that MicroPython's ffi tests open instead of the C library, which the target does not have under the names that they
    /// try: one of these names, and a file of `xtask/c/` that it is built from.
    pub libc_stand_in: Option<(&'static str, &'static str)>,
    /// Scripts of `tests/module/` that do not apply, and print SKIP themselves, and why.
    pub module_skips: &'static [(&'static str, &'static str)],
    /// Rust tests that cannot pass in the target's runner, and why.
    pub rust_skips: &'static [(&'static str, &'static str)],
}

static X86_64_LINUX_GNU: Spec = Spec {
    triple: "x86_64-unknown-linux-gnu",
    port: "unix",
    program: "micropython",
    make: &[],
    cc: "gcc",
    shared: &["-shared", "-fPIC"],
    dll: "so",
    shared_libraries: &["readelf", "--dynamic", "--wide"],
    runner: Runner::None,
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
    libraries: Libraries::Installed(&[
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
    ]),
    ffi_skips: &["ports/unix/ffi_int_base.py", "ports/unix/ffi_int_long32.py"],
    libc_stand_in: None,
    module_skips: &[
        ("dll_search", "it is about Windows"),
        ("last_error", "it is about Windows"),
        ("foreign_thread_refused", "the port has threads"),
    ],
    rust_skips: &[],
};

/// The reason why a test of forks is left out.
const FORKS_BESIDE_THREADS: &str =
    "QEMU itself fails an assertion (cpu_exec) when a process with threads forks often";

static AARCH64_LINUX_GNU: Spec = Spec {
    triple: "aarch64-unknown-linux-gnu",
    port: "unix",
    program: "micropython",
    make: &["CROSS_COMPILE=aarch64-linux-gnu-"],
    cc: "aarch64-linux-gnu-gcc",
    shared: &["-shared", "-fPIC"],
    dll: "so",
    shared_libraries: &["aarch64-linux-gnu-readelf", "--dynamic", "--wide"],
    runner: Runner::Qemu {
        program: "qemu-aarch64",
        root: "/usr/aarch64-linux-gnu",
    },
    needs: &[
        Need::new(
            Check::Program("aarch64-linux-gnu-gcc"),
            "gcc-aarch64-linux-gnu",
        ),
        Need::new(
            Check::File("/usr/aarch64-linux-gnu/lib/libm.so"),
            "libc6-dev-arm64-cross",
        ),
        Need::new(Check::Program("qemu-aarch64"), "qemu-user"),
        Need::new(
            Check::RustTarget("aarch64-unknown-linux-gnu"),
            "aarch64-unknown-linux-gnu",
        ),
    ],
    stock_needs: None,
    libraries: Libraries::Built,
    ffi_skips: &["ports/unix/ffi_int_base.py", "ports/unix/ffi_int_long32.py"],
    libc_stand_in: None,
    module_skips: &[
        ("dll_search", "it is about Windows"),
        ("last_error", "it is about Windows"),
        (
            "out_of_memory",
            "what is loaded ahead of the C library would be loaded into QEMU, too",
        ),
        ("foreign_thread_fork", FORKS_BESIDE_THREADS),
        ("foreign_thread_refused", "the port has threads"),
    ],
    rust_skips: &[
        (
            "all_passes_where_executable_memory_is_refused",
            "QEMU has no policy against it",
        ),
        (
            "callbacks_beyond_the_memory_for_thunks_are_an_error",
            "QEMU has no policy against executable memory",
        ),
        (
            "million_callbacks_made_and_freed_leave_memory_flat",
            "QEMU takes memory for translated code by the 2 MiB, which is more than may come on top",
        ),
        (
            "closed_callback_is_reported_in_a_child_that_was_forked_during_a_report",
            FORKS_BESIDE_THREADS,
        ),
        (
            "functions_are_found_in_a_child_that_was_forked_while_another_thread_looked_for_one",
            FORKS_BESIDE_THREADS,
        ),
    ],
};

static X86_64_WINDOWS_GNU: Spec = Spec {
    triple: "x86_64-pc-windows-gnu",
    port: "windows",
    program: "micropython.exe",
    make: &[
        "CROSS_COMPILE=x86_64-w64-mingw32-",
        "LDFLAGS_EXTRA=-Wl,-Map=$@.map,--cref",
    ],
    cc: "x86_64-w64-mingw32-gcc",
    shared: &["-shared", "-static"],
    dll: "dll",
    shared_libraries: &["x86_64-w64-mingw32-objdump", "--private-headers"],
    runner: Runner::Wine,
    needs: &[
        Need::new(
            Check::Program("x86_64-w64-mingw32-gcc"),
            "gcc-mingw-w64-x86-64",
        ),
        Need::new(Check::OneOf(wine::PROGRAMS), "wine64"),
        Need::new(
            Check::RustTarget("x86_64-pc-windows-gnu"),
            "x86_64-pc-windows-gnu",
        ),
    ],
    stock_needs: None,
    libraries: Libraries::Built,
    ffi_skips: &["ports/unix/ffi_int_base.py", "ports/unix/ffi_int_long64.py"],
    libc_stand_in: Some(("libc.so.6", "libc.def")),
    module_skips: &[
        ("alarm", "Windows has no signals that come by themselves"),
        (
            "alarm_in_callback",
            "Windows has no signals that come by themselves",
        ),
        ("callback_entered_late", "the port has no threads"),
        ("cdef_threads", "the port has no threads"),
        ("errno_threads", "the port has no threads"),
        (
            "interrupts",
            "Windows has no signals that come by themselves",
        ),
        ("foreign_thread", "the port has no threads"),
        ("foreign_thread_exit", "the port has no threads"),
        ("foreign_thread_fork", "the port has no threads"),
        ("foreign_thread_load", "the port has no threads"),
        ("foreign_thread_timer", "the port has no threads"),
        ("library_closed_in_use", "the port has no threads"),
        ("linker_scripts", "Windows has no such files"),
        (
            "out_of_memory",
            "no library is loaded ahead of the C library there",
        ),
        ("threads", "the port has no threads"),
    ],
    rust_skips: &[],
};

/// The way in which a target's programs run on this machine.
#[derive(Clone, Copy)]
pub enum Runner {
    /// The machine itself.
    None,
    /// QEMU's emulation of one process.
    Qemu {
        /// The emulator.
        program: &'static str,
        /// The directory of the target's C library.
        root: &'static str,
    },
    /// Wine.
    Wine,
}

/// The origin of the shared libraries that examples and tests open.
#[derive(Clone, Copy)]
pub enum Libraries {
    /// From packages.
    Installed(&'static [Need]),
    /// From source, see `libraries.rs`.
    Built,
}

impl Target {
    /// Every target.
    pub const ALL: [Target; 3] = [
        Target::X86_64Linux,
        Target::Aarch64Linux,
        Target::X86_64Windows,
    ];

    /// The description of this target.
    pub fn spec(self) -> &'static Spec {
        match self {
            Target::X86_64Linux => &X86_64_LINUX_GNU,
            Target::Aarch64Linux => &AARCH64_LINUX_GNU,
            Target::X86_64Windows => &X86_64_WINDOWS_GNU,
        }
    }

    /// Whether its programs need a runner.
    pub fn is_foreign(self) -> bool {
        !matches!(self.spec().runner, Runner::None)
    }

    /// The words that come before one of its programs on a command line.
    pub fn runner(self) -> &'static [&'static str] {
        match &self.spec().runner {
            Runner::None => &[],
            Runner::Qemu { program, .. } => std::slice::from_ref(program),
            Runner::Wine => std::slice::from_ref(wine::program()),
        }
    }

    /// The runner's environment variables. The target's loader also searches in the directories `libraries`.
    pub fn environment(self, libraries: &[PathBuf]) -> Result<Vec<(&'static str, OsString)>> {
        let mut directories = vec![paths::libraries(self.spec().triple)?];
        directories.extend_from_slice(libraries);
        match self.spec().runner {
            Runner::None => Ok(Vec::new()),
            Runner::Qemu { root, .. } => {
                let mut path = OsString::from("LD_LIBRARY_PATH=");
                path.push(std::env::join_paths(directories)?);
                Ok(vec![
                    ("QEMU_LD_PREFIX", root.into()),
                    ("QEMU_SET_ENV", path),
                ])
            }
            Runner::Wine => wine::environment(&directories),
        }
    }

    /// Makes cargo build and run for this target.
    pub fn cargo(self, cargo: &mut Command) -> Result<()> {
        let spec = self.spec();
        cargo.args(["--target", spec.triple]);
        if self.is_foreign() {
            let variable = |what: &str| {
                let name = spec.triple.replace('-', "_").to_uppercase();
                format!("CARGO_TARGET_{name}_{what}")
            };
            cargo
                .env(variable("LINKER"), spec.cc)
                .env(variable("RUNNER"), self.runner().join(" "))
                .env("CC", spec.cc)
                .envs(self.environment(&[])?);
        }
        Ok(())
    }

    /// Starts the processes that must run while the target's programs run.
    pub fn start_runner(self) -> Result<Option<wine::Session>> {
        match self.spec().runner {
            Runner::None | Runner::Qemu { .. } => Ok(None),
            Runner::Wine => wine::start(self).map(Some),
        }
    }

    /// The command that runs one of the target's programs on this machine; see [`Target::start_runner`].
    pub fn command(self, program: impl AsRef<OsStr>) -> Result<Command> {
        Ok(match self.runner() {
            [] => Command::new(program),
            [runner, args @ ..] => {
                let mut command = Command::new(runner);
                command.args(args).arg(program).envs(self.environment(&[])?);
                command
            }
        })
    }

    /// A single file that behaves like `program` on this machine, for tools that take no command with arguments:
    /// the program itself or, where it needs a runner, a script beside it. It wants the [`Target::environment`].
    pub fn launcher(self, program: &Path) -> Result<PathBuf> {
        let runner = self.runner();
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

    /// Compiles C files to a shared library, unless it is newer than all of them.
    pub fn compile_library(self, library: &Path, sources: &[PathBuf], args: &[&str]) -> Result<()> {
        let modified = |path: &Path| path.metadata().and_then(|file| file.modified());
        let made = modified(library).ok();
        let is_older = |source: &PathBuf| modified(source).ok() < made;
        if made.is_some() && sources.iter().all(is_older) {
            return Ok(());
        }
        let spec = self.spec();
        let mut cc = Command::new(spec.cc);
        cc.args(spec.shared)
            .arg("-o")
            .arg(library)
            .args(sources)
            .args(args);
        process::run(&mut cc, Output::OnFailure)
    }
}

impl Default for Target {
    /// The default target of `run` and `micropython`.
    fn default() -> Self {
        Target::X86_64Linux
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
    /// The value of a variable in the environment of `command`.
    fn variable(command: &Command, name: &str) -> Option<String> {
        let mut variables = command.get_envs();
        let (_, value) = variables.find(|(known, _)| *known == name)?;
        Some(value?.to_string_lossy().into_owned())
    }

    #[test]
    fn cargo_is_told_how_to_link_and_run_for_a_foreign_target() {
        let mut cargo = Command::new("cargo");
        let told = Target::Aarch64Linux.cargo(&mut cargo);
        told.expect("target/ can be made");
        let of = |what: &str| {
            let name = format!("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_{what}");
            variable(&cargo, &name).unwrap_or_default()
        };
        assert_eq!(of("LINKER"), "aarch64-linux-gnu-gcc");
        assert_eq!(of("RUNNER"), "qemu-aarch64");
        let root = variable(&cargo, "QEMU_LD_PREFIX");
        assert_eq!(root.as_deref(), Some("/usr/aarch64-linux-gnu"));
    }

    #[test]
    fn program_of_this_machine_runs_by_itself() {
        let target = Target::default();
        let command = target.command("/a/program").expect("nothing is needed");
        assert_eq!(command.get_program(), "/a/program");
        assert!(!target.is_foreign() && command.get_envs().next().is_none());
    }
}
