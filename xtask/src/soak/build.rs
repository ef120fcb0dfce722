//! Builds the programs that cases run, once each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use super::cases::{Case, Program, Tool};
use crate::libffi::drop_in;
use crate::micropython::{self, Module, Release};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::target::Target;

/// The toolchain with Rust's sanitizers, which stable compilers do not have.
const TOOLCHAIN: &str = "nightly";

const NEEDS: &[Need] = &[Need::new(Check::Program("g++"), "g++")];

/// The needs of these cases.
pub fn needs(cases: &[Case]) -> Result<Vec<Need>> {
    let target = Target::default();
    let mut needs = target.spec().needs.to_vec();
    let ours = [Program::Script, Program::Storm];
    if cases.iter().any(|case| ours.contains(&case.program)) {
        needs.extend(micropython::needs(Release::Own, target, Module::Ours)?);
    }
    if cases.iter().any(|case| case.program == Program::StockStorm) {
        needs.extend(micropython::needs(Release::Own, target, Module::Stock)?);
    }
    if cases.iter().any(|case| case.program == Program::DropIn) {
        needs.extend(NEEDS);
    }
    if cases.iter().any(|case| case.tool == Tool::Valgrind) {
        needs.extend(setup::VALGRIND);
    }
    Ok(needs)
}

/// The built programs, or why there is none.
#[derive(Default)]
pub struct Builds {
    crates: HashMap<&'static str, Result<PathBuf, String>>,
    drop_in: Option<Result<PathBuf, String>>,
    micropython: Option<Result<PathBuf, String>>,
    stock: Option<Result<PathBuf, String>>,
}

/// The directory for all of this.
pub fn directory() -> Result<PathBuf> {
    paths::made(paths::root().join("target/soak"))
}

fn kept(built: Result<PathBuf>) -> Result<PathBuf, String> {
    built.map_err(|error| format!("{error:#}"))
}

fn given(built: &Result<PathBuf, String>) -> Result<PathBuf> {
    built.clone().map_err(anyhow::Error::msg)
}

impl Builds {
    /// The command that runs a case for `seconds`.
    pub fn command(&mut self, case: &Case, seconds: u64, seed: u64) -> Result<Command> {
        let mut command = match case.program {
            Program::Crate => {
                let program = self.crate_program(case.tool)?;
                let mut command = Command::new(program);
                command.arg(case.name);
                command
            }
            Program::DropIn => self.drop_in_command(case)?,
            Program::Script => {
                let mut command = Command::new(self.interpreter(Module::Ours)?);
                let file = format!("soak/scripts/{}.{}", case.name, case.ending);
                command.arg(paths::root().join(file));
                command
            }
            Program::Storm => self.storm(Module::Ours, "scripts-ours")?,
            Program::StockStorm => self.storm(Module::Stock, "scripts-stock")?,
        };
        if case.program.runs_micropython() {
            command.env("FARCALL_PEER", module_peer()?);
        }
        let peer = directory()?.join("peer.so");
        let source = paths::root().join("soak/c/peer.c");
        Target::default().compile_library(&peer, &[source], &["-O2", "-Wall", "-Werror"])?;
        command
            .args([seconds.to_string(), seed.to_string()])
            .env("FARCALL_SOAK_PEER", peer);
        Ok(command)
    }

    fn interpreter(&mut self, module: Module) -> Result<PathBuf> {
        let built = match module {
            Module::Stock => &mut self.stock,
            _ => &mut self.micropython,
        };
        let build = || micropython::build_with(Target::default(), module, Output::OnFailure);
        given(built.get_or_insert_with(|| kept(build())))
    }

    /// The crate's program, which interrupts an interpreter.
    fn storm(&mut self, module: Module, scenario: &str) -> Result<Command> {
        let mut command = Command::new(self.crate_program(Tool::None)?);
        command
            .arg(scenario)
            .env("FARCALL_SOAK_MICROPYTHON", self.interpreter(module)?)
            .env("FARCALL_SOAK_SCRIPTS", paths::root().join("tests/module"));
        Ok(command)
    }

    fn crate_program(&mut self, tool: Tool) -> Result<PathBuf> {
        let sanitizer = match tool {
            Tool::Thread => "thread",
            Tool::Address => "address",
            Tool::None | Tool::Valgrind => "",
        };
        let built = self
            .crates
            .entry(sanitizer)
            .or_insert_with(|| kept(crate_program(sanitizer)));
        given(built)
    }

    fn drop_in_command(&mut self, case: &Case) -> Result<Command> {
        let target = Target::default();
        let prefix = self
            .drop_in
            .get_or_insert_with(|| kept(drop_in::build(target)));
        let prefix = given(prefix)?;
        setup::ensure(NEEDS)?;
        let tool = match case.tool {
            Tool::None | Tool::Valgrind => "",
            Tool::Thread => "thread",
            Tool::Address => "address",
        };
        let program = directory()?.join(format!("{}-{tool}.exe", case.name));
        let file = format!("soak/dropin/{}.{}", case.name, case.ending);
        let mut cc = Command::new(if case.ending == "cc" { "g++" } else { "gcc" });
        cc.args(["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"])
            .arg(format!("-I{}", prefix.join("include").display()))
            .arg(paths::root().join(file))
            .arg("-o")
            .arg(&program);
        if !tool.is_empty() {
            cc.arg(format!("-fsanitize={tool}"));
        }
        process::run(
            cc.args(drop_in::link_options(target, &prefix)),
            Output::OnFailure,
        )?;
        let mut command = match case.tool {
            Tool::Valgrind => {
                setup::ensure(setup::VALGRIND)?;
                let mut valgrind = Command::new("valgrind");
                valgrind
                    .args(["--quiet", "--error-exitcode=99"])
                    .arg(&program);
                valgrind
            }
            _ => Command::new(&program),
        };
        command.env("LD_LIBRARY_PATH", prefix.join("lib"));
        if case.tool == Tool::Thread {
            let suppressions = paths::root().join("soak/dropin/thread.supp");
            let options = format!("suppressions={}", suppressions.display());
            command.env("TSAN_OPTIONS", options);
        }
        Ok(command)
    }
}

/// The library that the scripts of the module's tests call.
fn module_peer() -> Result<PathBuf> {
    let peer = directory()?.join("module-peer.so");
    let sources = ["peer.c", "stepper.c"].map(|name| paths::root().join("tests/module").join(name));
    Target::default().compile_library(&peer, &sources, &["-O2", "-pthread"])?;
    Ok(peer)
}

/// Builds `farcall-soak`, with a sanitizer if one is named.
fn crate_program(sanitizer: &str) -> Result<PathBuf> {
    let package = ["build", "--quiet", "--release", "--package", "farcall-soak"];
    if sanitizer.is_empty() {
        let mut cargo = Command::new("cargo");
        cargo.args(package).current_dir(paths::root());
        process::run(&mut cargo, Output::OnFailure)?;
        return Ok(paths::root().join("target/release/farcall-soak"));
    }
    let mut cargo = Command::new("rustup");
    cargo.args(["run", TOOLCHAIN, "cargo"]);
    if !process::succeeds(cargo.arg("--version")) {
        bail!("the sanitizers take Rust's toolchain {TOOLCHAIN}");
    }
    if sanitizer == "thread" && !has_source()? {
        // Without the source, ThreadSanitizer does not see the standard library's locks and channels, and finds races everywhere.
        bail!(
            "the standard library has to be compiled with it: rustup component add rust-src --toolchain {TOOLCHAIN}"
        );
    }
    let triple = Target::default().spec().triple;
    let target = directory()?.join(sanitizer);
    let flags = format!("-Zsanitizer={sanitizer} --cfg soak_sanitized");
    let mut cargo = Command::new("rustup");
    cargo
        .args(["run", TOOLCHAIN, "cargo"])
        .args(package)
        .args((sanitizer == "thread").then_some("-Zbuild-std"))
        .args(["--target", triple, "--target-dir"])
        .arg(&target)
        .env("RUSTFLAGS", flags)
        .current_dir(paths::root());
    process::run(&mut cargo, Output::OnFailure)?;
    Ok(target.join(triple).join("release/farcall-soak"))
}

/// Whether the standard library's source is there.
fn has_source() -> Result<bool> {
    let mut rustc = Command::new("rustup");
    let root = process::stdout(rustc.args(["run", TOOLCHAIN, "rustc", "--print", "sysroot"]))?;
    let file = PathBuf::from(root.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
    Ok(file.is_file())
}
