//! Checks that the needed programs and libraries are installed. Installs missing ones where that can be done without asking, or names them
//! where nothing may be installed.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};

use crate::process::{self, Output};

/// A check whether something is installed.
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

/// Something that must be installed, and the package that has it.
#[derive(Clone, Copy)]
pub struct Need {
    check: Check,
    /// The Debian package; for `Component` and `RustTarget` rustup's name.
    package: &'static str,
}

/// The needs of building MicroPython for any target. The C compiler builds tools that run on this machine.
pub const MICROPYTHON: &[Need] = &[
    Need::new(Check::Program("make"), "make"),
    Need::new(Check::Program("gcc"), "gcc"),
    Need::new(Check::Program("python3"), "python3"),
];

/// The needs of unpacking a tarball.
pub const UNPACK: &[Need] = &[
    Need::new(Check::Program("tar"), "tar"),
    Need::new(Check::Program("xz"), "xz-utils"),
];

/// The needs of downloading a file.
pub const DOWNLOAD: &[Need] = &[
    Need::new(Check::OneOf(&["curl", "wget"]), "curl"),
    CERTIFICATES,
];

/// The needs of cloning a repository.
pub const GIT: &[Need] = &[Need::new(Check::Program("git"), "git"), CERTIFICATES];

const CERTIFICATES: Need = Need::new(Check::File("/etc/ssl/certs"), "ca-certificates");

/// The needs of building libffi from its repository's files.
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

/// The C++ compilers that tests of exceptions need, beside each target's own for C.
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

/// The needs of counting instructions.
pub const VALGRIND: &[Need] = &[Need::new(Check::Program("valgrind"), "valgrind")];

/// The needs of the other interpreters in the benchmarks.
pub const INTERPRETERS: &[Need] = &[
    Need::new(Check::Program("luajit"), "luajit"),
    Need::new(Check::Program("python3"), "python3"),
    Need::new(Check::PythonModule("ensurepip"), "python3-venv"),
];

/// The needs of the checks of the source's form.
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

    /// Its name where there is no package manager that we know.
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

/// The steps that install missing things, by the program that installs them.
#[derive(Default, Debug, PartialEq)]
struct Plan {
    /// Debian packages.
    packages: Vec<&'static str>,
    /// Words for rustup.
    rustup: Vec<[&'static str; 3]>,
    /// Things that nothing here can install.
    by_hand: Vec<String>,
}

/// The programs that install things.
#[derive(Clone, Copy)]
struct Installers {
    apt: bool,
    rustup: bool,
}

const APT_INSTALL: [&str; 3] = ["install", "-y", "--no-install-recommends"];

impl Plan {
    fn new(missing: &[Need], installers: Installers) -> Self {
        let mut plan = Plan::default();
        for need in missing {
            match need.check {
                Check::Component(_) if installers.rustup => {
                    plan.rustup.push(["component", "add", need.package]);
                }
                Check::RustTarget(_) if installers.rustup => {
                    plan.rustup.push(["target", "add", need.package]);
                }
                Check::Component(_) | Check::RustTarget(_) => plan.by_hand.push(need.what()),
                _ if installers.apt => plan.packages.push(need.package),
                _ => plan.by_hand.push(need.what()),
            }
        }
        plan.packages.sort_unstable();
        plan.packages.dedup();
        plan.rustup.sort_unstable();
        plan.rustup.dedup();
        plan
    }

    /// The things that it installs, in words.
    fn what(&self) -> String {
        let mut names = self.packages.clone();
        names.extend(self.rustup.iter().map(|words| words[2]));
        names.extend(self.by_hand.iter().map(String::as_str));
        names.join(", ")
    }

    /// The commands, as one would type them; `root` has the texts before and after a command that only root may run.
    fn how(&self, root: [&str; 2]) -> Vec<String> {
        let mut commands: Vec<String> = self
            .rustup
            .iter()
            .map(|words| format!("rustup {}", words.join(" ")))
            .collect();
        if !self.packages.is_empty() {
            let [before, after] = root;
            let install = APT_INSTALL.join(" ");
            let names = self.packages.join(" ");
            commands.push(format!(
                "{before}apt-get update && apt-get {install} {names}{after}"
            ));
        }
        commands
    }

    /// The line that announces the installation.
    fn announcement(&self) -> String {
        let how = self.how(["", ""]).join(" && ");
        format!("installing {}: {how}", self.what())
    }

    /// All of this as a request to the user.
    fn request(&self) -> String {
        let mut lines = vec![format!("missing: {}", self.what())];
        let commands = self.how(["sudo sh -c '", "'"]);
        if !commands.is_empty() {
            let commands = commands.join("\n    ");
            lines.push(format!("please type:\n\n    {commands}\n"));
        }
        if !self.by_hand.is_empty() {
            lines.push(format!("please install: {}", self.by_hand.join(", ")));
        }
        lines.join("\n")
    }
}

/// Whether nothing may be installed.
static IS_FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// The variable that passes this on to child processes.
const FORBIDDEN: &str = "FARCALL_NO_INSTALL";

/// From now on `ensure` names what is missing, and fails, instead of installing it.
pub fn forbid_installation() {
    IS_FORBIDDEN.store(true, Ordering::Relaxed);
}

/// Whether nothing may be installed, by this program's command line or its parent's.
pub fn is_installation_forbidden() -> bool {
    IS_FORBIDDEN.load(Ordering::Relaxed) || std::env::var_os(FORBIDDEN).is_some()
}

/// The variable and its value that pass this on to another of these programs.
pub fn environment() -> Option<(&'static str, &'static str)> {
    is_installation_forbidden().then_some((FORBIDDEN, "1"))
}

/// Makes sure that everything in `needs` is installed: names missing things and the commands, and runs these; or names what to install, and fails.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let installers = Installers {
        apt: process::on_path("apt-get"),
        rustup: process::on_path("rustup"),
    };
    let plan = Plan::new(&missing, installers);
    let cannot_be_root = !plan.packages.is_empty() && privileged_apt().is_none();
    if is_installation_forbidden() || cannot_be_root || !plan.by_hand.is_empty() {
        bail!("{}", plan.request());
    }
    eprintln!("{}", plan.announcement());
    for words in &plan.rustup {
        process::run(Command::new("rustup").args(words), Output::Shown)?;
    }
    if !plan.packages.is_empty() {
        apt_install(&plan.packages)?;
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

fn missing(needs: &[Need]) -> Vec<Need> {
    let missing = needs.iter().filter(|need| !need.is_met());
    missing.copied().collect()
}

/// Installs Debian packages as root or through sudo.
fn apt_install(packages: &[&str]) -> Result<()> {
    let apt = || privileged_apt().context("apt-get takes root's rights");
    // A stale or unreachable source of packages that we do not need must not stop us; only the installation has to succeed.
    if process::run(apt()?.arg("update"), Output::Shown).is_err() {
        eprintln!("going on with the package lists as they are");
    }
    process::run(apt()?.args(APT_INSTALL).args(packages), Output::Shown)
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

#[cfg(test)]
mod tests {
    use super::*;

    const MISSING: [Need; 4] = [
        Need::new(Check::Program("no-such-b"), "package-b"),
        Need::new(Check::OneOf(&["no-such-a", "nor-this"]), "package-a"),
        Need::new(Check::File("/no/such/file"), "package-b"),
        Need::new(Check::RustTarget("no-such-target"), "no-such-target"),
    ];

    fn plan(apt: bool, rustup: bool) -> Plan {
        Plan::new(&MISSING, Installers { apt, rustup })
    }

    #[test]
    fn plan_names_each_package_once_and_the_commands() {
        let plan = plan(true, true);
        assert_eq!(plan.what(), "package-a, package-b, no-such-target");
        let commands = [
            "rustup target add no-such-target",
            "apt-get update && apt-get install -y --no-install-recommends package-a package-b",
        ];
        assert_eq!(plan.how(["", ""]), commands);
        let request = plan.request();
        assert!(request.contains("missing: package-a, package-b, no-such-target"));
        assert!(
            request.contains("\n    sudo sh -c 'apt-get update"),
            "{request}"
        );
        assert!(!request.contains("please install"), "{request}");
    }

    #[test]
    fn announcement_is_one_line_with_names_and_commands() {
        let line = plan(true, true).announcement();
        let wanted = "installing package-a, package-b, no-such-target: rustup target add no-such-target && apt-get update && ";
        assert!(line.starts_with(wanted), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn what_is_missing_is_named_where_nothing_may_be_installed() {
        // For all of this process; no test installs anything.
        forbid_installation();
        assert!(is_installation_forbidden() && environment().is_some());
        let error = ensure(&MISSING).expect_err("it is missing").to_string();
        assert!(error.starts_with("missing: "), "{error}");
        ensure(&[Need::new(Check::Program("cargo"), "cargo")]).expect("it is there");
    }

    #[test]
    fn plan_leaves_to_the_user_what_no_program_here_installs() {
        let nothing = plan(false, false);
        assert!(nothing.packages.is_empty() && nothing.rustup.is_empty());
        let request = nothing.request();
        assert!(request.contains("no-such-a or nor-this"), "{request}");
        assert!(!request.contains("apt-get"), "{request}");
        let apt_only = plan(true, false).request();
        let wanted = "please install: Rust's standard library for no-such-target";
        assert!(apt_only.contains(wanted), "{apt_only}");
    }

    #[test]
    fn what_is_missing_is_found_and_what_is_there_is_not() {
        assert_eq!(missing(&MISSING).len(), MISSING.len());
        assert!(missing(&[Need::new(Check::Program("cargo"), "cargo")]).is_empty());
    }
}
