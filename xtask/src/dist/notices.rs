//! The licences of other people's crates that the packages contain, from the crates' own files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::paths;
use crate::process;
use crate::target::{Runner, Target};

/// The beginnings of the names of licence files.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "UNLICENSE"];

const HEAD: &str = "\
This is made of farcall (LICENSE-MIT, LICENSE-APACHE), of Rust's standard library (MIT OR Apache-2.0 by the Rust Project's
contributors, with parts under the licences that THIRD-PARTY-RUST.html names), and of these crates:
";

/// The notice about MinGW's code, which programs for Windows contain.
const MINGW: &str = "
Programs for Windows contain parts of MinGW-w64's C library (in the public domain or under licences that ask for no more than
their notices: https://www.mingw-w64.org) and of GCC's runtime libraries (GPL 3 with the GCC Runtime Library Exception).
";

/// A crate.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
}

/// The notices for all crates that are linked into these packages of ours for the targets.
pub fn of(packages: &[&str], targets: &[Target]) -> Result<String> {
    let mut linked = BTreeMap::new();
    let known = known()?;
    for package in packages {
        for target in targets {
            for key in linked_into(package, *target)? {
                if let Some(value) = known.get(&key) {
                    linked.insert(key, value);
                }
            }
        }
    }
    let mut text = String::from(HEAD);
    for (Crate { name, version }, value) in &linked {
        let field = |field: &str| value[field].as_str().unwrap_or("-");
        text += &format!(
            "\n  {name} {version}: {}\n    {}\n",
            field("license"),
            field("repository")
        );
    }
    if targets
        .iter()
        .any(|target| matches!(target.spec().runner, Runner::Wine))
    {
        text += MINGW;
    }
    for (Crate { name, version }, value) in &linked {
        let manifest = value["manifest_path"].as_str().unwrap_or_default();
        for file in licences(Path::new(manifest))? {
            let title = file.file_name().unwrap_or_default().to_string_lossy();
            let content = fs::read(&file)?;
            text += &format!(
                "\n{}\n{name} {version}: {title}\n\n{}\n",
                "-".repeat(78),
                String::from_utf8_lossy(&content).trim_end()
            );
        }
    }
    Ok(text)
}

/// The notice that comes with Rust's standard library.
pub fn of_the_standard_library() -> Result<Option<PathBuf>> {
    let root = process::stdout(Command::new("rustc").args(["--print", "sysroot"]))?;
    let file = Path::new(root.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    Ok(file.is_file().then_some(file))
}

/// Every crate that is not ours, with cargo's description of it.
fn known() -> Result<BTreeMap<Crate, Value>> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(paths::root());
    let mut metadata: Value = serde_json::from_str(&process::stdout(&mut cargo)?)?;
    let packages = metadata["packages"].take();
    let Value::Array(packages) = packages else {
        anyhow::bail!("cargo metadata lists no packages");
    };
    let others = packages
        .into_iter()
        .filter(|package| !package["source"].is_null());
    others
        .map(|package| {
            let field = |field: &str| {
                let text = package[field].as_str().map(String::from);
                text.with_context(|| format!("a package has no {field}"))
            };
            let key = Crate {
                name: field("name")?,
                version: field("version")?,
            };
            Ok((key, package))
        })
        .collect()
}

/// The crates that a package is linked with, as cargo's tree has them: `name vVERSION`.
fn linked_into(package: &str, target: Target) -> Result<Vec<Crate>> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["tree", "--locked", "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(["--package", package, "--target", target.spec().triple])
        .current_dir(paths::root());
    let tree = process::stdout(&mut cargo)?;
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(Crate {
            name: name.into(),
            version: version.into(),
        })
    });
    Ok(crates.collect())
}

/// The files with a crate's licences, in order.
fn licences(manifest: &Path) -> Result<Vec<PathBuf>> {
    let directory = manifest.parent().context("a manifest lies somewhere")?;
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_licence = NAMES.iter().any(|known| name.starts_with(known));
        if is_licence && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}
