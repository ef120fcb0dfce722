//! Tests the drop-in libffi in the directories of distributions: pkg-config finds it wherever it was installed or moved to, and programs
//! link with the options that it prints.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Report, packaged};
use crate::libffi::install::{self, Places};
use crate::paths;
use crate::process;
use crate::target::{Runner, Target};

/// Directories of libraries: the usual one, Fedora's, Debian's.
const LIBDIRS: [&str; 3] = ["lib", "lib64", "lib/x86_64-linux-gnu"];

/// Installs the built library in each way, and links programs with it.
pub fn installed(target: Target, built: &Path, report: &mut Report) -> Result<()> {
    let work = paths::emptied(paths::libffi(target.spec().triple).join("installed"))?;
    for libdir in LIBDIRS {
        let stage = paths::made(work.join(libdir.replace('/', "-")))?;
        let packaged = Places::packaged("/usr", libdir, "include", &stage);
        let top = install::put(target, built, &packaged)?;
        linked(target, &top, libdir, Some(&stage), report)?;
        if libdir == "lib" {
            // This installation is tested by all other programs.
            continue;
        }
        let placed = install::put(target, built, &Places::movable(libdir))?;
        let moved = work.join("moved").join(libdir.replace('/', "-"));
        paths::made(moved.parent().context("it has one")?.to_owned())?;
        fs::rename(&placed, &moved)?;
        linked(target, &moved, libdir, None, report)?;
    }
    Ok(())
}

/// Links programs with pkg-config's options for the library in a directory, below a staging directory or not.
fn linked(
    target: Target,
    top: &Path,
    libdir: &str,
    stage: Option<&Path>,
    report: &mut Report,
) -> Result<()> {
    let lib = top.join(libdir);
    let ask = |words: &[&str]| {
        let mut command = Command::new("pkg-config");
        command
            .args(words)
            .arg("libffi")
            .env("PKG_CONFIG_LIBDIR", lib.join("pkgconfig"))
            // A package's file may name directories that compilers search anyway.
            .env("PKG_CONFIG_ALLOW_SYSTEM_CFLAGS", "1")
            .env("PKG_CONFIG_ALLOW_SYSTEM_LIBS", "1")
            .env_remove("PKG_CONFIG_PATH");
        if let Some(stage) = stage {
            command.env("PKG_CONFIG_SYSROOT_DIR", stage);
        }
        process::stdout(&mut command)
    };
    let name = lib.display();
    for (option, file) in [("--libs-only-L", "libffi.a"), ("--cflags-only-I", "ffi.h")] {
        let text = ask(&[option])?;
        let directory = text.trim().get(2..).unwrap_or_default();
        report.add(
            Path::new(directory).join(file).is_file(),
            format!("{name}: {option} is {directory:?}, where there is no {file}"),
        );
    }
    let shared = ask(&["--cflags", "--libs"])?;
    let fixed = ask(&["--static", "--cflags", "--libs"])?;
    let source = paths::root().join("libffi/tests/installed.c");
    let links: &[(&[&str], &str)] = match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => &[
            (&[], &shared),
            (&["-static"], &fixed),
            (&["-static-pie"], &fixed),
        ],
        Runner::Wine => &[(&[], &shared), (&["-static"], &fixed)],
    };
    let (rpath, beside) = match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => (Some(format!("-Wl,-rpath,{name}")), lib.clone()),
        // The DLL's directory.
        Runner::Wine => (None, top.join("bin")),
    };
    for (link, flags) in links {
        let mut flags: Vec<&str> = flags.split_whitespace().collect();
        if link.is_empty() {
            flags.extend(rpath.as_deref());
        }
        let ran = packaged::run(target, &beside, &source, &[link, &flags])?;
        report.add(
            ran.is_ok(),
            format!("{name}, {link:?}: {}", ran.err().unwrap_or_default()),
        );
    }
    Ok(())
}
