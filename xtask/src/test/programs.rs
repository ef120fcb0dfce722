//! The steps that build an interpreter, and the one that checks the libraries that it is linked with.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::Report;
use crate::micropython::{self, Module};
use crate::paths;
use crate::process::{self, Output};
use crate::sizes;
use crate::target::Target;

pub fn build(target: Target) -> Result<Report> {
    built(target, Module::Ours)
}

/// Builds the stock interpreter. Also checks that ours is not much larger, and has the code of first calls in one place.
pub fn stock(target: Target) -> Result<Report> {
    let mut report = built(target, Module::Stock)?;
    if report.failures.is_empty() {
        let [ours, own] = [Module::Ours, Module::Stock]
            .map(|module| micropython::build_with(target, module, Output::OnFailure));
        let (ours, own) = (ours?, own?);
        let more = sizes::text(target, &ours)?.saturating_sub(sizes::text(target, &own)?);
        println!("with our module {more} bytes more");
        let most = sizes::MODULE_BYTES;
        report.add(more <= most, format!("{more} bytes more, not {most}"));
        if target.spec().triple.contains("linux") {
            let (section, least) = (sizes::FIRST, sizes::FIRST_BYTES);
            let together = sizes::section(target, &ours, section)?;
            println!("{section} has {together} bytes");
            let told = format!("{section} has {together} bytes, not {least}");
            report.add(together >= least, told);
        }
    }
    Ok(report)
}

fn built(target: Target, module: Module) -> Result<Report> {
    match micropython::build_with(target, module, Output::OnFailure) {
        Ok(program) => {
            println!("{}", program.display());
            Ok(Report::single(true, ""))
        }
        Err(error) => Ok(Report::single(false, format!("{error:#}"))),
    }
}

/// Checks that neither the program's shared libraries, nor the objects linked into it, nor its crates name libffi.
pub fn no_libffi(target: Target) -> Result<Report> {
    let spec = target.spec();
    let program = micropython::build(target, Output::OnFailure)?;
    let mut map = program.clone().into_os_string();
    map.push(".map");
    let map = fs::read_to_string(&map).context("cannot read the linker's map")?;
    let mut shared = Command::new(spec.shared_libraries[0]);
    shared.args(&spec.shared_libraries[1..]).arg(&program);
    let mut crates = Command::new("cargo");
    crates
        .args(["tree", "--edges", "normal,build", "--prefix", "none"])
        .args(["--package", "farcall-micropython", "--target", spec.triple])
        .current_dir(paths::root());
    let mut report = Report::default();
    for (what, text) in [
        ("the linker's map", map),
        ("the shared libraries", process::stdout(&mut shared)?),
        ("the crates", process::stdout(&mut crates)?),
    ] {
        let guilty = text.lines().find(|line| line.contains("libffi"));
        report.add(
            guilty.is_none(),
            format!("{what}: {}", guilty.unwrap_or("")),
        );
    }
    Ok(report)
}
