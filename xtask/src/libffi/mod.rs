//! libffi: ours, and two to compare with: the newest, built from its source once, and the system's.
//!
//! The newest is installed below `target/bench/libffi/`; the file `source` there, which names its source, is written last.

pub mod drop_in;
pub mod install;
pub mod suite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths;
use crate::pins;
use crate::process::{self, Output};
use crate::setup;
use crate::source;
use crate::target::Target;

/// The flags with which distributions compile it. By default its configure script guesses flags for the processor it is built on.
const CFLAGS: &str = "-O2 -g";

/// A libffi to compile and link with.
pub struct Libffi {
    /// Its version.
    pub version: String,
    /// The shared library.
    pub library: PathBuf,
    /// The directory of its headers, unless the compiler looks there anyway.
    pub include: Option<PathBuf>,
}

/// The newest one, fetched and built if need be.
pub fn newest() -> Result<Libffi> {
    let top = paths::bench()?.join("libffi");
    let (stamp, place) = (top.join("source"), source::place(&pins::LIBFFI)?.dir);
    let place = place.display().to_string();
    let _lock = paths::lock("libffi")?;
    if fs::read_to_string(&stamp).ok().as_ref() != Some(&place) {
        install(&paths::emptied(top.clone())?)?;
        fs::write(&stamp, place)?;
    }
    Ok(Libffi {
        version: version(&source::place(&pins::LIBFFI)?)?,
        library: top.join("lib/libffi.so.8"),
        include: Some(top.join("include")),
    })
}

/// The one that the system has.
pub fn system() -> Result<Libffi> {
    let spec = Target::default().spec();
    setup::ensure(spec.stock_needs.context("there is no libffi to look for")?)?;
    let ask = |program: &str, args: &[&str]| -> Result<String> {
        let text = process::stdout(Command::new(program).args(args))?;
        Ok(text.trim().to_owned())
    };
    let library = ask(spec.cc, &["-print-file-name=libffi.so.8"])?;
    Ok(Libffi {
        version: ask("pkg-config", &["--modversion", "libffi"])?,
        library: fs::canonicalize(&library).with_context(|| format!("no such file: {library}"))?,
        include: None,
    })
}

/// The newest one's source, fetched if need be.
pub fn source() -> Result<PathBuf> {
    let _lock = paths::lock("libffi-source")?;
    Ok(source::get(&pins::LIBFFI)?.dir)
}

/// The version of a source.
fn version(source: &source::Source) -> Result<String> {
    if source.pinned {
        return Ok(pins::LIBFFI.version.into());
    }
    let script = fs::read_to_string(source.dir.join("configure.ac"))?;
    let version = version_in(&script).with_context(|| {
        let variable = pins::LIBFFI.variable;
        format!("{variable}: its configure.ac names no version")
    })?;
    Ok(version.into())
}

/// The version in the text of configure.ac.
fn version_in(script: &str) -> Option<&str> {
    let (_, rest) = script.split_once("AC_INIT(")?;
    let version = rest.split([',', ')']).nth(1)?.trim();
    Some(version.trim_matches(['[', ']']))
}

/// Builds and installs into `top`.
fn install(top: &Path) -> Result<()> {
    setup::ensure(setup::AUTOTOOLS)?;
    let source = source()?;
    let work = paths::emptied(paths::bench()?.join("partial"))?;
    let tree = work.join("tree");
    process::run(
        Command::new("cp").arg("-a").args([&source, &tree]),
        Output::OnFailure,
    )?;
    let step = |program: &str, args: &[&str]| -> Result<()> {
        let mut command = Command::new(program);
        command.args(args).current_dir(&tree).env("CFLAGS", CFLAGS);
        process::announce(&command);
        process::run(&mut command, Output::OnFailure)
    };
    // Debian's tarball is a snapshot of the repository, without what autoconf makes.
    if !tree.join("configure").is_file() {
        step("autoreconf", &["-i"])?;
    }
    let prefix = format!("--prefix={}", top.display());
    step("./configure", &[&prefix, "--disable-docs"])?;
    step("make", &["install"])?;
    fs::remove_dir_all(&work)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_the_second_word_of_ac_init() {
        let of = |script: &str| version_in(script).map(str::to_owned);
        let script = "dnl\nAC_INIT([libffi],[3.8.0],[http://tracker])\n";
        assert_eq!(of(script).as_deref(), Some("3.8.0"));
        assert_eq!(of("AC_INIT(libffi, 3.4.2)").as_deref(), Some("3.4.2"));
        assert_eq!(of("AC_PREREQ(2.68)"), None);
    }
}
