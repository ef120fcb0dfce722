//! Builds and runs the program that times farcall beside C and libffi: from `benches/peers/`, in `target/bench/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::cases;
use super::samples::Samples;
use crate::libffi::{self, Libffi, drop_in};
use crate::paths;
use crate::process::{self, Output};
use crate::setup;
use crate::target::Target;

/// The options that C is compiled with. Copies of loops must stay copies, all aligned alike in cache lines; calls in handlers must be inlined.
const CFLAGS: [&str; 5] = [
    "-O2",
    "-Wall",
    "-fno-ipa-icf",
    "-falign-functions=64",
    "-fno-semantic-interposition",
];

/// The program, with the files that its command line names.
pub struct Harness {
    program: PathBuf,
    options: Vec<String>,
    /// The libffis that take part, the newest first, ours last.
    pub libffis: Vec<Libffi>,
}

/// The names of the newest libffi and the system's in rows.
pub const LIBFFI: [&str; 2] = ["libffi", "libffi of the system"];

/// The name of farcall behind libffi's own interface.
pub const DROP_IN: &str = "farcall as libffi";

/// The amount of measuring.
#[derive(Clone, Copy)]
pub struct Effort {
    /// The number of processes that measure, one after the other. Addresses, and with them the collisions in a processor's tables, differ
    /// from one to the next.
    pub processes: usize,
    /// The number of turns that each peer has in each process.
    pub rounds: usize,
    /// The length of a turn, in microseconds: short, so that hardly any disturbance falls between two peers' turns.
    pub turn: usize,
}

impl Harness {
    /// Builds the program and all its files.
    pub fn build() -> Result<Harness> {
        setup::ensure(Target::default().spec().needs)?;
        let libffis = vec![libffi::newest()?, libffi::system()?, drop_in()?];
        let work = paths::bench()?;
        let sources = paths::root().join("benches/peers/c");
        let library = cases_library()?;
        let mut options = vec![format!("--cases={}", library.display())];
        for (index, (name, libffi)) in LIBFFI.iter().chain([&DROP_IN]).zip(&libffis).enumerate() {
            let glue = work.join(format!("libffi-{index}.so"));
            let include = libffi.include.as_deref().unwrap_or(&sources);
            compile(&glue, &[&sources.join("libffi.c")], include)?;
            let (glue, path) = (glue.display(), libffi.library.display());
            options.push(format!("--libffi={name}={glue}={path}"));
        }
        let closures = closures(&libffis[0])?;
        options.push(format!("--closures={}", closures.display()));
        Ok(Harness {
            program: program()?,
            options,
            libffis,
        })
    }

    /// Measures one group of rows.
    pub fn measure(&self, group: &str, effort: Effort, samples: &mut Samples) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.options)
            .arg(format!("--rounds={}", effort.rounds))
            .arg(format!("--turn={}", effort.turn))
            .arg(group);
        for _ in 0..effort.processes {
            samples.read(&process::stdout(&mut command)?)?;
        }
        Ok(())
    }
}

/// farcall behind libffi's own interface.
pub fn drop_in() -> Result<Libffi> {
    let target = Target::default();
    let top = drop_in::build(target)?;
    Ok(Libffi {
        version: drop_in::VERSION.into(),
        library: top.join("lib").join(drop_in::library_name(target)),
        include: Some(top.join("include")),
    })
}

/// Compiles the closures of the crate called libffi, with a libffi linked in.
fn closures(libffi: &Libffi) -> Result<PathBuf> {
    let work = paths::emptied(paths::bench()?.join("libffi-rs-link"))?;
    // Where the linker finds no shared library, it takes the static one.
    fs::copy(
        libffi.library.with_file_name("libffi.a"),
        work.join("libffi.a"),
    )?;
    let target = paths::bench()?.join("libffi-rs");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(paths::root().join("benches/libffi-rs/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env("FARCALL_BENCH_LIBFFI", work);
    process::run(&mut cargo, Output::OnFailure)?;
    Ok(target.join("release/libfarcall_libffi_rs.so"))
}

/// Compiles the program itself.
pub fn program() -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--release", "--package", "farcall-peers"])
        .args(["--target-dir", "target"])
        .current_dir(paths::root());
    process::run(&mut cargo, Output::OnFailure)?;
    Ok(paths::root().join("target/release/farcall-peers"))
}

/// Compiles the functions that all peers call.
pub fn cases_library() -> Result<PathBuf> {
    let work = paths::bench()?;
    let sources = paths::root().join("benches/peers/c");
    let generated = work.join("cases.c");
    fs::write(&generated, cases::c_file(&cases::all()?))?;
    let library = work.join("cases.so");
    compile(
        &library,
        &[&generated, &sources.join("scripts.c")],
        &sources,
    )?;
    Ok(library)
}

/// Compiles C into a shared object, with the harness's own headers and those in `include`.
fn compile(output: &Path, sources: &[&Path], include: &Path) -> Result<()> {
    let mut cc = Command::new(Target::default().spec().cc);
    cc.args(CFLAGS)
        .args(["-shared", "-fPIC", "-I"])
        .arg(include)
        .arg("-I")
        .arg(paths::root().join("benches/peers/c"))
        .arg("-o")
        .arg(output)
        .args(sources);
    process::run(&mut cc, Output::OnFailure)
}
