//! What has to be installed: checks for it, and installs what is missing where that can be done without asking.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{self, Output};

/// How to tell whether something is there.
#[derive(Clone, Copy)]
pub enum Check {
    /// A program on the PATH.
    Program(&'static str),
    /// A program on the PATH or at a path, by any of these names.
    OneOf(&'static [&'static str]),
    /// A library that pkg-config knows, with its headers.
    PkgConfig(&'static str),
    /// A library that the C compiler `cc` finds under that file name.
    Library {
        /// The compiler.
        cc: &'static str,
        /// The file's name.
        file: &'static str,
    },
    /// A file or directory.
    File(&'static str),
    /// A module of the Python that is on the PATH.
    PythonModule(&'static str),
    /// A command of cargo's that is a component of the Rust toolchain.
    Component(&'static str),
    /// Rust's standard library for a target.
    RustTarget(&'static str),
}

/// One thing that must be there, and what brings it.
#[derive(Clone, Copy)]
pub struct Need {
    check: Check,
    /// The Debian package; for `Component` and `RustTarget` rustup's name.
    package: &'static str,
}

/// What building MicroPython takes, whatever the target. The C compiler builds tools that run on this machine.
pub const MICROPYTHON: &[Need] = &[
    Need::new(Check::Program("make"), "make"),
    Need::new(Check::Program("gcc"), "gcc"),
    Need::new(Check::Program("python3"), "python3"),
];

/// What unpacking MicroPython's source takes.
pub const UNPACK: &[Need] = &[
    Need::new(Check::Program("tar"), "tar"),
    Need::new(Check::Program("xz"), "xz-utils"),
];

/// What fetching MicroPython's source from its own repository takes.
pub const GIT: &[Need] = &[
    Need::new(Check::Program("git"), "git"),
    Need::new(Check::File("/etc/ssl/certs"), "ca-certificates"),
];

/// What building libffi from its repository's files takes.
pub const AUTOTOOLS: &[Need] = &[
    Need::new(Check::Program("make"), "make"),
    Need::new(Check::Program("gcc"), "gcc"),
    Need::new(Check::Program("autoreconf"), "autoconf"),
    Need::new(Check::Program("automake"), "automake"),
    Need::new(Check::Program("libtoolize"), "libtool"),
    Need::new(
        Check::File("/usr/share/aclocal/ax_enable_builddir.m4"),
        "autoconf-archive",
    ),
    Need::new(Check::File("/usr/share/aclocal/ltdl.m4"), "libltdl-dev"),
];

/// The compilers whose code for other targets ours is compared with.
pub const CROSS_COMPILERS: &[Need] = &[
    Need::new(Check::Program("clang"), "clang"),
    Need::new(
        Check::Program("aarch64-linux-gnu-gcc"),
        "gcc-aarch64-linux-gnu",
    ),
    Need::new(
        Check::Program("x86_64-w64-mingw32-gcc"),
        "gcc-mingw-w64-x86-64",
    ),
];

/// The C++ compilers that tests of exceptions take, beside each target's own for C.
pub const CPLUSPLUS: &[Need] = &[
    Need::new(Check::Program("g++"), "g++"),
    Need::new(
        Check::Program("aarch64-linux-gnu-g++"),
        "g++-aarch64-linux-gnu",
    ),
    Need::new(
        Check::Program("x86_64-w64-mingw32-g++"),
        "g++-mingw-w64-x86-64",
    ),
];

/// What counting instructions takes.
pub const VALGRIND: &[Need] = &[Need::new(Check::Program("valgrind"), "valgrind")];

/// What the other interpreters in the benchmarks take.
pub const INTERPRETERS: &[Need] = &[
    Need::new(Check::Program("luajit"), "luajit"),
    Need::new(Check::Program("python3"), "python3"),
    Need::new(Check::PythonModule("ensurepip"), "python3-venv"),
];

/// What the checks of the source's form take.
pub const LINTS: &[Need] = &[
    Need::new(Check::Component("fmt"), "rustfmt"),
    Need::new(Check::Component("clippy"), "clippy"),
];

/// The second C compiler that the Rust tests judge us by, beside gcc.
pub const COMPILERS: &[Need] = &[Need::new(Check::Program("clang"), "clang")];

impl Need {
    /// Something that `check` finds once `package` is installed.
    pub const fn new(check: Check, package: &'static str) -> Self {
        Need { check, package }
    }

    fn is_met(&self) -> bool {
        match self.check {
            Check::Program(name) => process::on_path(name),
            Check::OneOf(names) => names.iter().any(|name| process::on_path(name)),
            Check::PkgConfig(name) => {
                process::succeeds(Command::new("pkg-config").args(["--exists", name]))
            }
            Check::Library { cc, file } => {
                // The compiler answers with a path if it finds the file, else with the bare name.
                let question = format!("-print-file-name={file}");
                process::stdout(Command::new(cc).arg(question))
                    .is_ok_and(|answer| Path::new(answer.trim()).is_file())
            }
            Check::File(path) => Path::new(path).exists(),
            Check::PythonModule(name) => {
                let import = format!("import {name}");
                process::succeeds(Command::new("python3").args(["-c", &import]))
            }
            Check::Component(name) => {
                process::succeeds(Command::new("cargo").args([name, "--version"]))
            }
            Check::RustTarget(triple) => {
                let question = ["--print", "target-libdir", "--target", triple];
                process::stdout(Command::new("rustc").args(question))
                    .is_ok_and(|answer| Path::new(answer.trim()).is_dir())
            }
        }
    }

    /// What to call it where there is no package manager that we know.
    fn what(&self) -> String {
        match self.check {
            Check::Program(name) => name.into(),
            Check::OneOf(names) => names.join(" or "),
            Check::PkgConfig(name) => format!("{name} (with headers and pkg-config file)"),
            Check::Library { file, .. } | Check::File(file) => file.into(),
            Check::PythonModule(name) => format!("Python's module {name}"),
            Check::Component(_) => format!("the Rust component {}", self.package),
            Check::RustTarget(_) => format!("Rust's standard library for {}", self.package),
        }
    }
}

/// Sees to it that everything in `needs` is there: installs what is not, or says what to install and fails.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs
        .iter()
        .filter(|need| !need.is_met())
        .copied()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages = Vec::new();
    let mut by_hand = Vec::new();
    for need in &missing {
        match need.check {
            Check::Component(_) if process::on_path("rustup") => {
                rustup(&["component", "add", need.package])?;
            }
            Check::RustTarget(_) if process::on_path("rustup") => {
                rustup(&["target", "add", need.package])?;
            }
            Check::Component(_) | Check::RustTarget(_) => by_hand.push(need.what()),
            _ if process::on_path("apt-get") => packages.push(need.package),
            _ => by_hand.push(need.what()),
        }
    }
    if !by_hand.is_empty() {
        bail!("please install: {}", by_hand.join(", "));
    }
    packages.sort_unstable();
    packages.dedup();
    if !packages.is_empty() {
        apt_install(&packages)?;
    }
    let still: Vec<String> = missing
        .iter()
        .filter(|need| !need.is_met())
        .map(Need::what)
        .collect();
    if !still.is_empty() {
        bail!("still missing after the installation: {}", still.join(", "));
    }
    Ok(())
}

fn rustup(args: &[&str]) -> Result<()> {
    process::run(Command::new("rustup").args(args), Output::Shown)
}

/// Installs Debian packages as root or through sudo; without either, fails with the command to type.
fn apt_install(packages: &[&str]) -> Result<()> {
    let install = ["install", "-y", "--no-install-recommends"];
    let Some(mut update) = privileged_apt() else {
        bail!(
            "this needs some packages. Please type:\n\n    sudo sh -c 'apt-get update && apt-get {} {}'\n",
            install.join(" "),
            packages.join(" ")
        );
    };
    // A stale or unreachable source of packages that we do not need must not stop us: the installation decides.
    if process::run(update.arg("update"), Output::Shown).is_err() {
        eprintln!("going on with the package lists as they are");
    }
    let mut command = privileged_apt().expect("it was there a moment ago");
    process::run(command.args(install).args(packages), Output::Shown)
}

/// `apt-get` with the right to install, if that can be had without asking.
fn privileged_apt() -> Option<Command> {
    let is_root = process::stdout(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut command = if is_root {
        Command::new("env")
    } else if process::succeeds(Command::new("sudo").args(["-n", "true"])) {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    } else {
        return None;
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Some(command)
}
