//! `cargo xtask dist`: makes the packages for people who do not build farcall themselves.
//!
//! | file | contents |
//! | --- | --- |
//! | `farcall-micropython-V.tar.gz` | the module, with the static library for each target: a C compiler builds it into MicroPython |
//! | `micropython-W-farcall-V-TRIPLE.tar.gz` | MicroPython W with the module |
//! | `farcall-libffi-V-TRIPLE.tar.gz` | the drop-in libffi with headers and its pkg-config file, for any directory |
//! | `farcall-libffi8_V_ARCH.deb` | the drop-in libffi in the place of Debian's |
//! | `SHA256SUMS` | the sums of all of them |
//!
//! The same source and tools make the same files: names are sorted, and times are that of the last commit, or `SOURCE_DATE_EPOCH`.

mod archive;
mod deb;
mod notices;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub use archive::{NEEDS, leads_to_file, pages};
pub use deb::{FILE, NAME, NEEDS as DEB_NEEDS, machine};

use crate::libffi::drop_in;
use crate::micropython::{self, Release};
use crate::paths;
use crate::process::{self, Output};
use crate::setup;
use crate::source;
use crate::target::Target;
use archive::Tree;

/// The version of the packages.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The static library that the module is linked with.
pub const MODULE_LIBRARY: &str = "libfarcall_micropython.a";

/// The licences, which belong to every package.
const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// The files and directories of this repository in the module's tarball, beside the licences and `micropython/ffi`.
const MODULE_FILES: [&str; 11] = [
    "docs/debugging.md",
    "docs/declarations.md",
    "docs/farcall-gdb.py",
    "docs/guide",
    "docs/platforms.md",
    "docs/porting.md",
    "docs/reference/module.md",
    "libffi/shared/unwinder.c",
    "micropython/README.md",
    "micropython/manifest.py",
    "micropython/micropython.cmake",
];

/// The first page of the module's tarball.
const MODULE_README: &str = "\
# farcall for MicroPython

MicroPython's `ffi` module without libffi, with a static library for each of some targets in `micropython/ffi/prebuilt`. Neither Rust nor libffi is needed:

    make -C $MICROPYTHON/ports/unix USER_C_MODULES=$PWD/micropython MICROPY_PY_FFI=0

[micropython/README.md](micropython/README.md) tells of the windows port, of ports that CMake builds, and of all else. [The guide](docs/guide/first-call.md) begins
with a first call.
";

/// The choice of packages.
#[derive(clap::Args)]
pub struct Args {
    /// The directory for the files.
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
    /// Only for this target; may be given several times.
    #[arg(long, value_enum)]
    target: Vec<Target>,
}

/// Makes all packages, and prints their names.
pub fn run(args: &Args) -> Result<ExitCode> {
    let targets = match &args.target[..] {
        [] => &Target::ALL[..],
        some => some,
    };
    for file in pack(&args.out, &build(targets)?)? {
        println!("{}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// The built programs and libraries of one target.
pub struct Built {
    target: Target,
    program: PathBuf,
    libffi: PathBuf,
}

/// Builds everything for these targets.
pub fn build(targets: &[Target]) -> Result<Vec<Built>> {
    setup::ensure(NEEDS)?;
    let build = |&target: &Target| {
        Ok(Built {
            target,
            program: micropython::build(target, Output::OnFailure)?,
            libffi: drop_in::build(target)?,
        })
    };
    targets.iter().map(build).collect()
}

/// Packs everything in the directory `out`; returns the files.
pub fn pack(out: &Path, all: &[Built]) -> Result<Vec<PathBuf>> {
    let out = paths::made(out.to_owned())?;
    let mut files = vec![module(all, &out)?];
    for built in all {
        files.push(program(built, &out)?);
        files.push(library(built, &out)?);
        files.extend(deb::package(built.target, &built.libffi, &out)?);
    }
    files.sort();
    let sums = out.join("SHA256SUMS");
    fs::write(&sums, sums_of(&files)?)?;
    files.push(sums);
    Ok(files)
}

/// Lines as `sha256sum` writes and checks them.
fn sums_of(files: &[PathBuf]) -> Result<String> {
    let mut text = String::new();
    for file in files {
        let sum = Sha256::digest(fs::read(file)?);
        let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = file.file_name().context("a file has a name")?;
        text += &format!("{digits}  {}\n", name.to_string_lossy());
    }
    Ok(text)
}

/// A package with its licences: ours, and those of the crates in it.
fn tree(name: &str, packages: &[&str], targets: &[Target]) -> Result<Tree> {
    let tree = Tree::new(name)?;
    for licence in LICENCES {
        tree.copy(licence, licence)?;
    }
    tree.write("THIRD-PARTY.txt", &notices::of(packages, targets)?)?;
    if let Some(file) = notices::of_the_standard_library()? {
        tree.add(&file, "THIRD-PARTY-RUST.html")?;
    }
    Ok(tree)
}

/// MicroPython with the module.
fn program(built: &Built, out: &Path) -> Result<PathBuf> {
    let spec = built.target.spec();
    let version = Release::Own.pin().version;
    let name = format!("micropython-{version}-farcall-{VERSION}-{}", spec.triple);
    let tree = tree(&name, &["farcall-micropython"], &[built.target])?;
    tree.add(&built.program, spec.program)?;
    let source = source::get(Release::Own.pin())?;
    tree.add(&source.dir.join("LICENSE"), "LICENSE-MicroPython")?;
    tree.copy("micropython/README.md", "README.md")?;
    tree.pack(out)
}

/// The drop-in libffi, as it is installed.
fn library(built: &Built, out: &Path) -> Result<PathBuf> {
    let name = format!("farcall-libffi-{VERSION}-{}", built.target.spec().triple);
    let tree = tree(&name, &["farcall-libffi"], &[built.target])?;
    for directory in ["include", "lib"] {
        tree.add(&built.libffi.join(directory), directory)?;
    }
    tree.copy("libffi/README.md", "README.md")?;
    tree.pack(out)
}

/// The module's source with its static libraries.
fn module(all: &[Built], out: &Path) -> Result<PathBuf> {
    let targets: Vec<Target> = all.iter().map(|built| built.target).collect();
    let name = format!("farcall-micropython-{VERSION}");
    let tree = tree(&name, &["farcall-micropython"], &targets)?;
    tree.write("README.md", MODULE_README)?;
    for file in MODULE_FILES {
        tree.copy(file, file)?;
    }
    for file in fs::read_dir(paths::root().join("micropython/ffi"))? {
        let name = file?.file_name();
        let name = format!("micropython/ffi/{}", name.to_string_lossy());
        if !name.ends_with("/prebuilt") {
            tree.copy(&name, &name)?;
        }
    }
    for target in targets {
        let triple = target.spec().triple;
        let to = tree.path(&format!(
            "micropython/ffi/prebuilt/{triple}/{MODULE_LIBRARY}"
        ))?;
        trim(target, &module_library(target), &to)?;
    }
    tree.pack(out)
}

/// The module's static library, which MicroPython's makefile has built.
fn module_library(target: Target) -> PathBuf {
    let directory = paths::root().join("target").join(target.spec().triple);
    directory.join("packaged").join(MODULE_LIBRARY)
}

/// Copies a static library without the sections that only debuggers and Rust's compiler read.
fn trim(target: Target, from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    let ar = drop_in::tool(target, "ar")?;
    let members = process::stdout(Command::new(&ar).arg("t").arg(to))?;
    // Empty objects, which the tools for Windows reject.
    let empty: Vec<&str> = members
        .lines()
        .filter(|name| name.ends_with(".dwo"))
        .collect();
    if !empty.is_empty() {
        let mut delete = Command::new(&ar);
        process::run(delete.arg("d").arg(to).args(empty), Output::OnFailure)?;
    }
    let mut objcopy = Command::new(drop_in::tool(target, "objcopy")?);
    objcopy.args(["--strip-debug", "--enable-deterministic-archives"]);
    for section in drop_in::BITCODE {
        objcopy.arg(format!("--remove-section={section}"));
    }
    process::run(objcopy.arg(to), Output::OnFailure)
}
