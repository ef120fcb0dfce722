//! Compares the drop-in libffi with others as the linker and the compiler see them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Report;
use crate::libffi::{self, Libffi, drop_in};
use crate::paths;
use crate::process::{self, Output};
use crate::target::Target;

/// The option for declarations that only the newest libffi has, for the program that prints layouts.
const NEWEST: &str = "-DNEWEST";

/// Compares exported symbols with their versions, and sizes, offsets and numbers in the headers.
pub fn compare(target: Target) -> Result<Report> {
    let top = drop_in::build(target)?;
    let ours = Libffi {
        version: drop_in::VERSION.into(),
        library: top.join("lib").join(drop_in::library_name(target)),
        include: Some(top.join("include")),
    };
    let (newest, system) = (libffi::newest()?, libffi::system()?);
    let mut report = Report::default();

    let [our_symbols, newest_symbols, system_symbols] =
        [&ours, &newest, &system].map(|libffi| symbols(&libffi.library));
    let (our_symbols, newest_symbols) = (our_symbols?, newest_symbols?);
    for (what, differ) in [
        ("only in ours", our_symbols.difference(&newest_symbols)),
        ("missing in ours", newest_symbols.difference(&our_symbols)),
    ] {
        let names: Vec<&str> = differ.map(String::as_str).collect();
        report.add(names.is_empty(), format!("{what}: {}", names.join(", ")));
    }
    for symbol in system_symbols? {
        let is_there = our_symbols.contains(&symbol);
        report.add(
            is_there,
            format!("missing, though the system's has it: {symbol}"),
        );
    }

    for (other, options) in [(&newest, &[NEWEST][..]), (&system, &[])] {
        let name = format!("libffi {}", other.version);
        let [left, right] = [&ours, other].map(|libffi| layout(target, libffi, options));
        let (left, right) = (left?, right?);
        for (left, right) in left.lines().zip(right.lines()) {
            report.add(left == right, format!("{name}: {right:?}, ours: {left:?}"));
        }
        let same = left.lines().count() == right.lines().count();
        report.add(same, format!("{name} prints more or fewer lines"));
    }
    Ok(report)
}

/// The symbols that a library exports: name and version, kind, binding, and the size of data.
fn symbols(library: &Path) -> Result<BTreeSet<String>> {
    let mut readelf = Command::new("readelf");
    readelf.args(["--dyn-syms", "--wide"]).arg(library);
    let text = process::stdout(&mut readelf)?;
    let symbols = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, size, kind, binding, _, section, name] = words[..] else {
            return None;
        };
        let is_defined = section != "UND" && section.parse::<u32>().is_ok() || section == "ABS";
        // The size of code may differ.
        let size = if kind == "FUNC" { "" } else { size };
        is_defined.then(|| format!("{name} {kind} {binding} {size}"))
    });
    Ok(symbols.collect())
}

/// The output of a program that is compiled with a libffi's header and runs on its library.
fn layout(target: Target, libffi: &Libffi, options: &[&str]) -> Result<String> {
    let source = paths::root().join("libffi/tests/layout.c");
    let directory = libffi
        .library
        .parent()
        .context("a library lies somewhere")?;
    let work = paths::made(paths::libffi(target.spec().triple).join("layout"))?;
    let program = work.join(&libffi.version);
    let mut cc = Command::new(target.spec().cc);
    cc.args(["-Wno-deprecated-declarations"]).args(options);
    if let Some(include) = &libffi.include {
        cc.arg("-I").arg(include);
    }
    cc.arg(&source).arg("-o").arg(&program).arg(&libffi.library);
    process::run(&mut cc, Output::OnFailure)?;
    process::stdout(Command::new(program).env("LD_LIBRARY_PATH", directory))
}
