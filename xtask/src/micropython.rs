//! Builds MicroPython: with our module, and unchanged, to compare with.
//!
//! Everything is built under `target/micropython/`, the older release in a directory of its version there. The source tree is only read:
//! `mpy-cross/` is the compiler for frozen modules, `<triple>/` ours, `<triple>-repr-b/` ours with other objects, `<triple>-stock/` the one
//! with its own ffi module, `<triple>-stock-newest/` that one over the newest libffi, `configurations/` ours in other configurations.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::libffi::{self, Libffi};
use crate::paths;
use crate::pins::{self, Pin};
use crate::process::{self, Output};
use crate::setup::{self, Need};
use crate::source::{self, Source};
use crate::target::Target;

/// GCC 15 warns of strings in the pinned releases that fill their arrays; older compilers ignore the option.
const OPTIONS: &str = "-Wno-unterminated-string-initialization";

/// The `ffi` module of an interpreter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// This repository's module.
    Ours,
    /// This repository's, in an interpreter with another representation of objects.
    OursOtherObjects,
    /// MicroPython's own, over the system's libffi.
    Stock,
    /// MicroPython's own, over the newest libffi.
    StockNewest,
}

/// A release of MicroPython, or the tree that the user names in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The project's own.
    Own,
    /// The one that is tested beside it.
    Older,
}

impl Release {
    /// The pin of its source.
    pub fn pin(self) -> &'static Pin {
        match self {
            Release::Own => &pins::MICROPYTHON,
            Release::Older => &pins::OLDER_MICROPYTHON,
        }
    }

    /// The directory for everything that is built from it.
    pub fn top(self) -> Result<PathBuf> {
        let top = paths::micropython()?;
        match self {
            Release::Own => Ok(top),
            Release::Older => paths::made(top.join(self.pin().version)),
        }
    }
}

/// Builds MicroPython with our module, if it is not up to date; returns the program.
pub fn build(target: Target, output: Output) -> Result<PathBuf> {
    build_with(target, Module::Ours, output)
}

/// Builds MicroPython with the given module, if it is not up to date; returns the program.
pub fn build_with(target: Target, module: Module, output: Output) -> Result<PathBuf> {
    build_release(Release::Own, target, module, output)
}

/// Builds a release of MicroPython with the given module, if it is not up to date; returns the program.
pub fn build_release(
    release: Release,
    target: Target,
    module: Module,
    output: Output,
) -> Result<PathBuf> {
    let spec = target.spec();
    setup::ensure(&needs(release, target, module)?)?;
    let _lock = paths::lock("build")?;
    let build = Build::of(release, output)?;
    let mut words: Vec<String> = spec.make.iter().map(|&word| word.into()).collect();
    if module == Module::OursOtherObjects {
        let variant = paths::root().join("micropython/variants/repr-b");
        words.push(format!("VARIANT_DIR={}", variant.display()));
    }
    if matches!(module, Module::Ours | Module::OursOtherObjects) {
        words.extend(with_ours());
        words.push(format!("FARCALL_TARGET={}", spec.triple));
    }
    if module == Module::StockNewest {
        words.extend(with_libffi(&libffi::newest()?)?);
    }
    let suffix = match module {
        Module::Ours => "",
        Module::OursOtherObjects => "-repr-b",
        Module::Stock => "-stock",
        Module::StockNewest => "-stock-newest",
    };
    let directory = build.top.join(format!("{}{suffix}", spec.triple));
    let program = directory.join(spec.program);
    let mut make = build.port(target, &directory, &words)?;
    run_make(&mut make, &directory, shown_if_new(output, &program))?;
    Ok(program)
}

/// Builds MicroPython with our module for the default target, with further options for the C compiler and words for `make`,
/// in a directory of that name; returns the program. The Rust target is left to the module's makefile.
pub fn build_configured(name: &str, options: &str, words: &[&str]) -> Result<PathBuf> {
    let (mut make, directory) = make_configured(name, options, words)?;
    let _lock = paths::lock("build")?;
    run_make(&mut make, &directory, Output::OnFailure)?;
    Ok(directory.join(Target::default().spec().program))
}

/// The variables by which the environment chooses Rust's programs and target.
pub const RUST_VARIABLES: [&str; 3] = ["CARGO", "RUSTC", "CARGO_BUILD_TARGET"];

/// Builds MicroPython with the module that lies in the directory `modules`, where its static library is prebuilt, with this PATH; returns the
/// program.
pub fn build_prebuilt(target: Target, modules: &Path, path: &OsStr) -> Result<PathBuf> {
    let spec = target.spec();
    setup::ensure(&needs(Release::Own, target, Module::Ours)?)?;
    let _lock = paths::lock("build")?;
    let build = Build::of(Release::Own, Output::OnFailure)?;
    let mut words: Vec<String> = spec.make.iter().map(|&word| word.into()).collect();
    words.push(format!("USER_C_MODULES={}", modules.display()));
    words.push("MICROPY_PY_FFI=0".into());
    let directory = build.top.join("configurations/prebuilt").join(spec.triple);
    let directory = paths::emptied(directory)?;
    let mut make = build.port(target, &directory, &words)?;
    make.env("PATH", path);
    for variable in RUST_VARIABLES {
        make.env_remove(variable);
    }
    run_make(&mut make, &directory, Output::OnFailure)?;
    Ok(directory.join(spec.program))
}

/// The output of such a build, which must fail.
pub fn refusal(name: &str, options: &str, words: &[&str]) -> Result<String> {
    let (mut make, _) = make_configured(name, options, words)?;
    let _lock = paths::lock("build")?;
    let transcript = process::transcript(&mut make, None)?;
    ensure!(
        !transcript.success(),
        "`{}` succeeded",
        process::shown(&make)
    );
    Ok(transcript.text())
}

/// `make` for such a build, and its directory.
fn make_configured(name: &str, options: &str, words: &[&str]) -> Result<(Command, PathBuf)> {
    let target = Target::default();
    setup::ensure(&needs(Release::Own, target, Module::Ours)?)?;
    let _lock = paths::lock("build")?;
    let build = Build::of(Release::Own, Output::OnFailure)?;
    let mut all = with_ours().to_vec();
    all.push(format!("CFLAGS_EXTRA={OPTIONS} {options}"));
    all.extend(words.iter().map(|&word| word.into()));
    let directory = build.top.join("configurations").join(name);
    let make = build.port(target, &directory, &all)?;
    Ok((make, directory))
}

/// The variables that add our module.
fn with_ours() -> [String; 2] {
    let modules = paths::root().join("micropython");
    [
        format!("USER_C_MODULES={}", modules.display()),
        "MICROPY_PY_FFI=0".into(),
    ]
}

/// All that must be installed for a build. It is asked for at once, so that a user who installs by hand has to do so only once.
pub fn needs(release: Release, target: Target, module: Module) -> Result<Vec<Need>> {
    let spec = target.spec();
    let mut needs = [setup::MICROPYTHON, spec.needs].concat();
    if module == Module::Stock {
        needs.extend(spec.stock_needs.context("there is no stock module")?);
    }
    needs.extend(source::needs(release.pin())?);
    Ok(needs)
}

/// The variables that have the stock module use a certain libffi, not the one that pkg-config knows.
fn with_libffi(libffi: &Libffi) -> Result<[String; 2]> {
    let lib = libffi
        .library
        .parent()
        .context("a library lies somewhere")?;
    let lib = lib.display();
    let include = libffi
        .include
        .as_ref()
        .context("it has headers of its own")?;
    Ok([
        format!("LIBFFI_CFLAGS=-I{}", include.display()),
        format!("LIBFFI_LDFLAGS=-L{lib} -Wl,-rpath,{lib} -lffi -ldl"),
    ])
}

/// The variables for a source without git's submodules, as Debian has it: they leave out the parts that need one. The directory of
/// MicroPython's library, in which the makefile wants a README.md, is one of ours.
pub fn without_submodules(top: &Path) -> Result<[String; 4]> {
    let library = paths::made(top.join("lib"))?;
    let readme = library.join("README.md");
    if !readme.exists() {
        fs::write(
            &readme,
            "Stands in for micropython-lib, of which nothing is used.\n",
        )?;
    }
    Ok([
        "MICROPY_PY_SSL=0".into(),
        "MICROPY_SSL_MBEDTLS=0".into(),
        "MICROPY_PY_BTREE=0".into(),
        format!("MPY_LIB_DIR={}", library.display()),
    ])
}

/// The common part of the builds of a release's programs.
struct Build {
    source: Source,
    /// The version that the program states, for a release. Otherwise git would be asked, and would answer with a commit of this repository.
    git_tag: Option<String>,
    top: PathBuf,
    output: Output,
}

impl Build {
    /// The builds of a release. The caller holds the lock on builds.
    fn of(release: Release, output: Output) -> Result<Build> {
        let source = source::get(release.pin())?;
        let git_tag = source.pinned.then(|| format!("v{}", release.pin().version));
        Ok(Build {
            source,
            git_tag,
            top: release.top()?,
            output,
        })
    }

    /// `make` for a target's port, with further words.
    fn port(&self, target: Target, directory: &Path, words: &[String]) -> Result<Command> {
        let mpy_cross = self.mpy_cross()?;
        let mut make = self.make(&format!("ports/{}", target.spec().port), directory);
        make.args(without_submodules(&self.top)?)
            .arg(format!(
                "FROZEN_MANIFEST={}",
                paths::root().join("micropython/manifest.py").display()
            ))
            .arg(format!("MICROPY_MPYCROSS={}", mpy_cross.display()))
            .env("MICROPY_MPYCROSS", &mpy_cross)
            .args(words);
        Ok(make)
    }

    /// Builds the tool that compiles frozen modules. It runs on this machine, whatever the target.
    fn mpy_cross(&self) -> Result<PathBuf> {
        let directory = self.top.join("mpy-cross");
        let program = directory.join("mpy-cross");
        let output = shown_if_new(self.output, &program);
        run_make(&mut self.make("mpy-cross", &directory), &directory, output)?;
        Ok(program)
    }

    /// `make` for one of the source's programs, in a build directory of ours.
    fn make(&self, part: &str, directory: &Path) -> Command {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut make = Command::new("make");
        make.arg("-C")
            .arg(self.source.dir.join(part))
            .arg(format!("-j{jobs}"))
            .arg(format!("BUILD={}", directory.display()))
            .arg(format!("CFLAGS_EXTRA={OPTIONS}"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(tag) = &self.git_tag {
            make.env("MICROPY_GIT_TAG", tag);
            make.env("MICROPY_GIT_HASH", "release");
        }
        make
    }
}

/// Shows the output of a first build, which takes a minute or more; a later one seldom prints anything of interest.
fn shown_if_new(output: Output, program: &Path) -> Output {
    if program.exists() {
        output
    } else {
        Output::Shown
    }
}

/// Runs `make`. Its makefiles notice changed files, but not changed variables, nor headers that were half written when a build was
/// interrupted: then everything is built anew.
fn run_make(make: &mut Command, directory: &Path, output: Output) -> Result<()> {
    let (stamp, running) = (directory.join("command"), directory.join("running"));
    let command = process::shown(make);
    let is_same = fs::read_to_string(&stamp).ok().as_deref() == Some(command.as_str());
    if !is_same || running.exists() {
        paths::emptied(directory.to_owned())?;
        fs::write(&stamp, command)?;
    }
    fs::write(&running, "")?;
    let result = process::run(make, output);
    fs::remove_file(&running)?;
    result
}
