//! Tests the module in a port that CMake builds: MicroPython's unix port, by `tests/cmake/CMakeLists.txt`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Report, scripts};
use crate::micropython::{self, Module, Release};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::source;
use crate::target::Target;

const NEEDS: &[Need] = &[Need::new(Check::Program("cmake"), "cmake")];

/// Options for the configuration of the module in the folder `prebuilt`, and a part of the reason why it must fail.
const REFUSALS: [[&str; 2]; 2] = [
    ["-DFARCALL_PREBUILT=", "no prebuilt library for x86_64"],
    ["-DCMAKE_C_FLAGS=-m32", "works on 64-bit machines only"],
];

/// Builds with the module in the folder `prebuilt`, where the static libraries lie, and the directories of `path` as the PATH, on which
/// Rust's programs fail; runs the module's tests. Then has cargo build the library.
pub fn ports(prebuilt: &Path, path: &OsString) -> Result<Report> {
    let mut report = Report::default();
    if let Err(error) = setup::ensure(NEEDS) {
        let note =
            format!("left out: ports that CMake builds, for which cmake is missing: {error}");
        report.notes.push(note.replace('\n', " "));
        return Ok(report);
    }
    let target = Target::default();
    setup::ensure(&micropython::needs(Release::Own, target, Module::Ours)?)?;
    let library = |target: Target| format!("prebuilt/{}/", target.spec().triple);

    let own = Build::new("own", prebuilt, Some(path))?;
    let found = own.configure(&["-DCMAKE_C_FLAGS=-O1"])?;
    report.add(found.contains(&library(target)), found);
    own.make("micropython")?;
    let program = own.directory.join("micropython");
    report.join("built by CMake", scripts::module_in(target, program)?);

    let foreign = Build::new("foreign", prebuilt, Some(path))?;
    let compiler = format!("-DCMAKE_C_COMPILER={}", Target::Aarch64Linux.spec().cc);
    let found = foreign.configure(&[&compiler])?;
    report.add(found.contains(&library(Target::Aarch64Linux)), found);

    for [option, reason] in REFUSALS {
        let refused = Build::new("refused", prebuilt, Some(path))?;
        let said = refused.refusal(option)?;
        report.add(said.contains(reason), format!("{option}: {said}"));
    }

    let cargo = Build::new("cargo", &paths::root().join("micropython"), None)?;
    cargo.configure(&[&format!("-DFARCALL_TARGET={}", target.spec().triple)])?;
    cargo.make("farcall_archive")?;
    let options = fs::read_to_string(cargo.directory.join("farcall/exchange"))?;
    let exchanged = ["=farcall_fault,", "=farcall_no_memory,"];
    let has_all = exchanged.iter().all(|word| options.contains(word)) && options.len() < 1000;
    report.add(has_all, format!("the linker's options are {options}"));
    Ok(report)
}

/// A build by CMake.
struct Build {
    directory: PathBuf,
    modules: PathBuf,
    path: Option<OsString>,
}

impl Build {
    /// A build in a directory of that name, empty as yet.
    fn new(name: &str, modules: &Path, path: Option<&OsString>) -> Result<Build> {
        Ok(Build {
            directory: paths::emptied(paths::micropython()?.join("cmake").join(name))?,
            modules: modules.to_owned(),
            path: path.cloned(),
        })
    }

    /// CMake, for this build.
    fn cmake(&self) -> Command {
        let mut cmake = Command::new("cmake");
        cmake.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(path) = &self.path {
            cmake.env("PATH", path);
        }
        for variable in micropython::RUST_VARIABLES {
            cmake.env_remove(variable);
        }
        cmake
    }

    /// The command that configures it.
    fn configuration(&self, options: &[&str]) -> Result<Command> {
        let _lock = paths::lock("build")?;
        let source = source::get(Release::Own.pin())?;
        let mut cmake = self.cmake();
        cmake
            .arg("-S")
            .arg(paths::root().join("tests/cmake"))
            .arg("-B")
            .arg(&self.directory)
            .arg(format!("-DMICROPY_DIR={}", source.dir.display()))
            .arg(format!("-DUSER_C_MODULES={}", self.modules.display()))
            .args(options);
        Ok(cmake)
    }

    /// Configures it; returns what CMake says.
    fn configure(&self, options: &[&str]) -> Result<String> {
        let transcript = process::transcript(&mut self.configuration(options)?, None)?;
        ensure!(transcript.success(), "cmake: {}", transcript.text());
        Ok(transcript.text())
    }

    /// What CMake says where the configuration must fail.
    fn refusal(&self, option: &str) -> Result<String> {
        let static_only = "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY";
        let transcript =
            process::transcript(&mut self.configuration(&[option, static_only])?, None)?;
        ensure!(!transcript.success(), "cmake {option} succeeded");
        // It breaks lines between words.
        let text = transcript.text();
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Builds a target of it.
    fn make(&self, target: &str) -> Result<()> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut cmake = self.cmake();
        cmake
            .arg("--build")
            .arg(&self.directory)
            .args(["--target", target])
            .args(["--parallel", &jobs.to_string()]);
        process::run(&mut cmake, Output::OnFailure)
    }
}
