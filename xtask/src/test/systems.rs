//! The steps for systems without a full target here: those that are only built for, and those that are like one of ours.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Report, cargo};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};

/// A system that our libraries are built for, without a linker.
struct System {
    triple: &'static str,
    /// Whether libffi's C interface has that system's layouts.
    has_libffi: bool,
}

const SYSTEMS: &[System] = &[
    System {
        triple: "aarch64-apple-darwin",
        has_libffi: false,
    },
    System {
        triple: "x86_64-apple-darwin",
        has_libffi: true,
    },
    System {
        triple: "x86_64-unknown-freebsd",
        has_libffi: true,
    },
    System {
        triple: "aarch64-linux-android",
        has_libffi: true,
    },
    System {
        triple: "aarch64-pc-windows-msvc",
        has_libffi: false,
    },
];

/// The needs of compiling for the systems.
pub fn needs() -> Vec<Need> {
    let library = |system: &System| Need::new(Check::RustTarget(system.triple), system.triple);
    SYSTEMS.iter().map(library).collect()
}

/// Builds the libraries for each system, machine code and all. There is nothing to run them on.
pub fn build() -> Result<Report> {
    let mut report = Report::default();
    setup::ensure(&needs())?;
    for system in SYSTEMS {
        let mut command = cargo::cargo(&["build", "--target", system.triple]);
        for package in ["farcall", "farcall-engine", "farcall-micropython"] {
            command.args(["--package", package]);
        }
        if system.has_libffi {
            command.args(["--package", "farcall-libffi"]);
        }
        command.env("RUSTFLAGS", "-D warnings");
        let (status, _) = process::tee(&mut command)?;
        report.add(status.success(), process::shown(&command));
    }
    report
        .notes
        .push("they are built only: nothing here runs them".into());
    Ok(report)
}

/// Runs farcall's tests on Linux, with the code that all Unix systems have in common.
pub fn posix() -> Result<Report> {
    cargo::tests(
        cargo::cargo(&["test", "--no-fail-fast", "--lib", "--tests"])
            .args(["--package", "farcall", "--package", "farcall-engine"])
            .args(["--features", "farcall-engine/posix"]),
    )
}

const MUSL: &str = "x86_64-unknown-linux-musl";

/// musl's compiler and loader, and Rust's standard library for it.
pub const MUSL_NEEDS: &[Need] = &[
    Need::new(Check::Program("musl-gcc"), "musl-tools"),
    Need::new(Check::RustTarget(MUSL), MUSL),
];

/// Runs farcall's tests on musl: all in programs that load it, and in static ones those that need no `dlopen`, which these lack.
pub fn musl() -> Result<Report> {
    setup::ensure(MUSL_NEEDS)?;
    let libraries = paths::libraries(MUSL)?;
    let peer = libraries.join("peer.so");
    let mut compiler = Command::new("musl-gcc");
    compiler
        .args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread"])
        // The unwinder finds its tables by this header, which musl-gcc does not request by itself.
        .arg("-Wl,--eh-frame-hdr")
        .arg("-o")
        .arg(&peer)
        .arg(paths::root().join("tests/c/peer.c"));
    process::run(&mut compiler, Output::OnFailure)?;
    let unwinder = unwinder(&libraries)?;

    let mut report = Report::default();
    let mut dynamic = test_on_musl(&["farcall", "farcall-engine"], &["--lib", "--tests"]);
    let flags = format!(
        "-C target-feature=-crt-static -C linker=musl-gcc -L native={}",
        unwinder.display()
    );
    dynamic
        .env("FARCALL_TEST_PEER", &peer)
        .env("RUSTFLAGS", flags);
    report.join("with musl's loader", cargo::tests(&mut dynamic)?);
    let engine = cargo::tests(&mut test_on_musl(
        &["farcall-engine"],
        &["--lib", "--tests"],
    ))?;
    report.join("static", engine);
    let unwind = cargo::tests(&mut test_on_musl(
        &["farcall"],
        &["--lib", "--test", "unwind"],
    ))?;
    report.join("static", unwind);
    report
        .notes
        .push("static: left out: what opens a library: static programs have no dlopen".into());
    Ok(report)
}

fn test_on_musl(packages: &[&str], what: &[&str]) -> Command {
    let mut command = cargo::cargo(&["test", "--no-fail-fast", "--target", MUSL]);
    for package in packages {
        command.args(["--package", package]);
    }
    command.args(what);
    command
}

/// A directory where the linker finds an unwinder for programs that load musl. They need libgcc_s, which the distribution has for glibc
/// only; Rust's own libunwind serves, too.
fn unwinder(libraries: &std::path::Path) -> Result<PathBuf> {
    let directory = paths::made(libraries.join("unwinder"))?;
    let question = ["--print", "target-libdir", "--target", MUSL];
    let answer = process::stdout(Command::new("rustc").args(question))?;
    let archive = PathBuf::from(answer.trim()).join("self-contained/libunwind.a");
    let script = format!("INPUT(\"{}\")\n", archive.display());
    fs::write(directory.join("libgcc_s.so"), script)?;
    Ok(directory)
}
