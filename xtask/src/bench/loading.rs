//! Measures the cost of libffis in a program that makes no call: a process linked with one, `dlopen()` and `dlclose()`, the size of the code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::harness::{DROP_IN, Effort, LIBFFI, drop_in};
use super::samples::Samples;
use crate::libffi::{self, Libffi, drop_in::tool};
use crate::paths;
use crate::process::{self, Output};
use crate::target::Target;

/// The row of processes that are linked with one, that of those which open one, and that of sizes.
pub const LINKED: &str = "load/linked";
pub const OPENED: &str = "load/opened";
pub const TEXT: &str = "load/text";

/// The name of the process that is linked with none.
pub const NONE: &str = "no libffi";

/// A program that does nothing.
const NOTHING: &str = "int main(void) {\n    return 0;\n}\n";

/// Measures all of this.
pub fn of_libffis(effort: Effort, samples: &mut Samples) -> Result<()> {
    let libffis = [libffi::newest()?, libffi::system()?, drop_in()?];
    let peers: Vec<(&str, &Libffi)> = LIBFFI.into_iter().chain([DROP_IN]).zip(&libffis).collect();
    let work = paths::made(paths::bench()?.join("load"))?;
    let source = work.join("nothing.c");
    fs::write(&source, NOTHING)?;
    let load = work.join("load");
    compile(
        &[paths::root().join("benches/peers/c/load.c")],
        &load,
        &["-Wall"],
    )?;

    let without = work.join("nothing");
    compile(std::slice::from_ref(&source), &without, &[])?;
    let mut linked = vec![format!("{NONE}={}", without.display())];
    let mut opened = Vec::new();
    for (index, (name, libffi)) in peers.iter().enumerate() {
        let program = work.join(format!("nothing-{index}"));
        let directory = libffi
            .library
            .parent()
            .context("a library lies somewhere")?;
        let rpath = format!("-Wl,-rpath,{}", directory.display());
        let files = [source.clone(), libffi.library.clone()];
        compile(&files, &program, &["-Wl,--no-as-needed", &rpath])?;
        linked.push(format!("{name}={}", program.display()));
        opened.push(format!("{name}={}", libffi.library.display()));
        samples.read(&format!(
            "count\t{TEXT}\t{name}\t{}\n",
            text(&libffi.library)?
        ))?;
    }
    for _ in 0..effort.processes {
        for (what, peers) in [("linked", &linked), ("opened", &opened)] {
            let mut command = Command::new(&load);
            command.arg(what).arg(effort.rounds.to_string()).args(peers);
            samples.read(&process::stdout(&mut command)?)?;
        }
    }
    Ok(())
}

/// Compiles a program, or with `options` a library.
pub fn compile(files: &[PathBuf], output: &Path, options: &[&str]) -> Result<()> {
    let mut cc = Command::new(Target::default().spec().cc);
    cc.arg("-O2")
        .args(options)
        .args(files)
        .arg("-o")
        .arg(output);
    process::run(&mut cc, Output::OnFailure)
}

/// The size of a library's code in bytes.
fn text(library: &Path) -> Result<u64> {
    let mut size = Command::new(tool(Target::default(), "size")?);
    let sections = process::stdout(size.arg("-A").arg(library))?;
    let line = sections.lines().find(|line| line.starts_with(".text "));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.context("a library has code")?.parse()?)
}
