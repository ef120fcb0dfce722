//! libffi: ours, and those to compare with: the newest, built from Debian's source package once, and the one that the system has.
//!
//! The newest is installed below `target/bench/libffi/`; the file `version` there is written last. Its source stays in
//! `target/bench/libffi-source/`.

pub mod drop_in;
pub mod suite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::debian;
use crate::paths;
use crate::process::{self, Output};
use crate::setup;
use crate::target::Target;

/// The release that figures are known for. A newer one is taken if that is what Debian has.
const VERSION: &str = "3.8.0";
const TARBALL_SHA256: &str = "bf40d752d8f5fd4505bcd1c7d4208ea87fd12c91f087e359651c776748352dc0";

/// Where Debian's newest versions are.
const SUITES: [&str; 2] = ["forky", "sid"];

/// How distributions compile it. By itself it would guess at flags for the processor it is built on.
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
    let stamp = top.join("version");
    if !stamp.exists() {
        let _lock = paths::lock("libffi")?;
        let version = install(&paths::emptied(top.clone())?)?;
        fs::write(&stamp, version)?;
    }
    Ok(Libffi {
        version: fs::read_to_string(&stamp)?,
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

/// The newest one's source, and its version. Fetched if need be.
pub fn source() -> Result<(PathBuf, String)> {
    let dir = paths::bench()?.join("libffi-source");
    let (tree, stamp) = (dir.join("tree"), dir.join("version"));
    if !stamp.exists() {
        let _lock = paths::lock("libffi-source")?;
        let version = fetch(&tree)?;
        fs::write(&stamp, version)?;
    }
    Ok((tree, fs::read_to_string(stamp)?))
}

/// Fetches the source and has it at `dir`; returns the version.
fn fetch(dir: &Path) -> Result<String> {
    let top = dir.parent().context("a directory in another")?;
    let work = paths::emptied(top.to_owned())?.join("partial");
    let work = paths::made(work)?;
    let tarball = debian::tarball(&work, "libffi", &SUITES)?;
    let version = debian::version(&tarball)?;
    let sum = debian::sha256(&tarball)?;
    if version == VERSION {
        ensure!(
            sum == TARBALL_SHA256,
            "{} has SHA-256 {sum}, not {TARBALL_SHA256}",
            tarball.display()
        );
    } else {
        eprintln!("note: Debian has libffi {version} now (SHA-256 {sum}), not {VERSION}");
    }
    fs::rename(debian::unpack(&tarball, &work)?, dir)?;
    fs::remove_dir_all(&work)?;
    Ok(version)
}

/// Builds and installs into `top`; returns the version.
fn install(top: &Path) -> Result<String> {
    setup::ensure(setup::AUTOTOOLS)?;
    let (source, version) = source()?;
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
    // The tarball is a snapshot of the repository, without what autoconf makes.
    step("autoreconf", &["-i"])?;
    let prefix = format!("--prefix={}", top.display());
    step("./configure", &[&prefix, "--disable-docs"])?;
    step("make", &["install"])?;
    fs::remove_dir_all(&work)?;
    Ok(version)
}
