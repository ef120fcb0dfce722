//! Tests the packages of `cargo xtask dist`: their contents, that packing twice makes the same bytes, and that they work without Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Report, cmake, scripts};
use crate::book::links;
use crate::dist::{self, MODULE_LIBRARY};
use crate::libffi::drop_in::tool;
use crate::micropython;
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Need};
use crate::target::Target;

pub const NEEDS: &[Need] = dist::DEB_NEEDS;

/// Rust's programs, which are replaced by failing ones to test without Rust.
const NO_RUST: [&str; 2] = ["cargo", "rustc"];

/// The newest version of the C library's interface that the module's library may need, whatever it is linked with.
const GLIBC: [u32; 2] = [2, 27];

/// The functions that were in `libc_nonshared.a` before glibc 2.33, and so in every program that was linked with it.
const ONCE_STATIC: [&str; 8] = [
    "fstat",
    "fstat64",
    "fstatat",
    "fstatat64",
    "lstat",
    "lstat64",
    "stat",
    "stat64",
];

/// A script that uses a library, a call and a callback.
const SCRIPT: &str = "\
import ffi
libc = ffi.open(None)
sort = libc.func('v', 'qsort', 'pIIC')
data = bytearray(b'hello')
compare = ffi.callback('i', lambda a, b: ffi.as_bytearray(a, 1)[0] - ffi.as_bytearray(b, 1)[0], 'PP')
sort(data, 5, 1, compare)
print(bytes(data))
";

pub fn packages() -> Result<Report> {
    setup::ensure(NEEDS)?;
    let out = paths::emptied(paths::root().join("target/dist"))?;
    let built = dist::build(&Target::ALL)?;
    let files = dist::pack(&out, &built)?;
    let mut report = Report::default();
    let mut sums = Command::new("sha256sum");
    sums.args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&out);
    let checked = process::transcript(&mut sums, None)?;
    report.add(checked.success(), checked.text());
    same_again(&files, &built, &mut report)?;
    let work = paths::emptied(paths::root().join("target/dist.unpacked"))?;
    for file in files.iter().filter(|file| is_tarball(file)) {
        unpack(file, &work, &mut report)?;
    }
    for target in Target::ALL {
        program(target, &work, &mut report)?;
        if let Some(names) = dist::machine(target) {
            package(target, names, &out, &mut report)?;
            interfaces(target, &work, &mut report)?;
        }
    }
    without_rust(&work, &mut report)?;
    Ok(report)
}

fn is_tarball(file: &Path) -> bool {
    file.to_string_lossy().ends_with(".tar.gz")
}

/// Checks that packing once more makes the same bytes.
fn same_again(files: &[PathBuf], built: &[dist::Built], report: &mut Report) -> Result<()> {
    let out = paths::emptied(paths::root().join("target/dist.again"))?;
    let again = dist::pack(&out, built)?;
    for (one, other) in files.iter().zip(&again) {
        let is_same = fs::read(one)? == fs::read(other)?;
        report.add(is_same, format!("{} comes out otherwise", one.display()));
    }
    fs::remove_dir_all(&out)?;
    Ok(())
}

/// Unpacks a tarball, which must have one directory with the licences in it.
fn unpack(file: &Path, work: &Path, report: &mut Report) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(file).arg("-C").arg(work);
    process::run(&mut tar, Output::OnFailure)?;
    let name = file.file_name().context("it has a name")?.to_string_lossy();
    let top = work.join(name.trim_end_matches(".tar.gz"));
    for licence in [
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "THIRD-PARTY.txt",
        "README.md",
    ] {
        report.add(
            top.join(licence).is_file(),
            format!("{name} has no {licence}"),
        );
    }
    for page in dist::pages(&top)? {
        let directory = page.parent().context("it lies in the tree")?;
        for link in links::of(&fs::read_to_string(&page)?) {
            let leads = dist::leads_to_file(directory, &link);
            report.add(leads, format!("{}: no {link}", page.display()));
        }
    }
    let notices = fs::read_to_string(top.join("THIRD-PARTY.txt"))?;
    for part in ["foldhash", "Copyright (c) 2024 Orson Peters", "thiserror"] {
        report.add(
            notices.contains(part),
            format!("{name}: nothing of {part} in the notices"),
        );
    }
    Ok(())
}

/// Runs the prebuilt program.
fn program(target: Target, work: &Path, report: &mut Report) -> Result<()> {
    let spec = target.spec();
    let version = micropython::Release::Own.pin().version;
    let name = format!(
        "micropython-{version}-farcall-{}-{}",
        dist::VERSION,
        spec.triple
    );
    let _runner = target.start_runner()?;
    let mut command = target.command(work.join(name).join(spec.program))?;
    sorts(&mut command, spec.triple, report)
}

/// Checks that the interpreter runs [`SCRIPT`].
fn sorts(interpreter: &mut Command, name: &str, report: &mut Report) -> Result<()> {
    let ran = process::transcript(interpreter.args(["-c", SCRIPT]), Some(scripts::LIMIT))?;
    report.add(
        ran.success() && ran.text().trim() == "b'ehllo'",
        format!("{name}: {} {}", ran.ending(), ran.text()),
    );
    Ok(())
}

/// Checks with Debian's tools that the package has the right contents.
fn package(
    target: Target,
    [architecture, multiarch]: [&str; 2],
    out: &Path,
    report: &mut Report,
) -> Result<()> {
    let name = format!("{}_{}_{architecture}.deb", dist::NAME, dist::VERSION);
    let ask = |options: &[&str]| {
        let mut dpkg = Command::new("dpkg-deb");
        process::stdout(dpkg.args(options).arg(out.join(&name)))
    };
    let control = ask(&["--field"])?;
    for line in [
        "Provides: libffi8 (= 3.8.0)",
        "Depends: libc6 (>= 2.17), libgcc-s1",
        &format!("Architecture: {architecture}"),
    ] {
        let is_there = control.lines().any(|known| known == line);
        report.add(is_there, format!("{name} lacks {line}"));
    }
    let lib = format!("./usr/lib/{multiarch}");
    let contents = ask(&["--contents"])?;
    for end in [
        format!("{lib}/libffi.so.8 -> {}", dist::FILE),
        format!("{lib}/{}", dist::FILE),
        format!("./usr/share/doc/{}/copyright", dist::NAME),
    ] {
        let line = contents.lines().find(|line| line.ends_with(&end));
        let is_roots = line.is_some_and(|line| line.contains(" root/root "));
        report.add(is_roots, format!("{name} lacks {end}, or as root's"));
    }
    let unpacked = paths::emptied(
        paths::root()
            .join("target/dist.unpacked")
            .join(architecture),
    )?;
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.arg("--raw-extract")
        .arg(out.join(&name))
        .arg(&unpacked);
    process::run(&mut dpkg, Output::OnFailure)?;
    for script in ["preinst", "postrm"] {
        let script = unpacked.join("DEBIAN").join(script);
        let text = fs::read_to_string(&script)?;
        let is_whole = !text.contains('@') && text.contains(multiarch);
        report.add(is_whole, format!("{name}: {text}"));
        let read = process::transcript(Command::new("sh").arg("-n").arg(&script), None)?;
        report.add(read.success(), read.text());
    }
    if !target.is_foreign() {
        // Python's own module of the system, where it has one.
        let mut python = Command::new("python3");
        python
            .args(["-c", "import ctypes; print(ctypes.CDLL(None).abs(-5))"])
            .env("LD_LIBRARY_PATH", unpacked.join("usr/lib").join(multiarch));
        let ran = process::transcript(&mut python, Some(scripts::LIMIT))?;
        report.add(ran.success() && ran.text() == "5\n", ran.text());
    }
    Ok(())
}

/// Checks that the module's library needs nothing of the C library that older ones lack. Symbols get their versions only when the library
/// is linked; so this checks whether there is an older version of each name.
fn interfaces(target: Target, work: &Path, report: &mut Report) -> Result<()> {
    let triple = target.spec().triple;
    let library = work
        .join(format!("farcall-micropython-{}", dist::VERSION))
        .join(format!("micropython/ffi/prebuilt/{triple}"))
        .join(MODULE_LIBRARY);
    let mut nm = Command::new(tool(target, "nm")?);
    let symbols = process::stdout(nm.args(["--undefined-only", "--no-sort"]).arg(&library))?;
    let needed: BTreeSet<&str> = symbols.lines().filter_map(needed).collect();
    report.add(needed.contains("malloc"), format!("{triple}: no malloc?"));
    let oldest = oldest(target)?;
    for name in needed {
        let is_old = oldest.get(name).is_none_or(|version| *version <= GLIBC);
        report.add(
            is_old || ONCE_STATIC.contains(&name),
            format!(
                "{triple}: {name} is in no glibc before {:?}",
                oldest.get(name)
            ),
        );
    }
    Ok(())
}

/// The undefined symbol in a line of nm's output.
fn needed(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("U ")
}

/// The oldest version of each symbol of the target's C library.
fn oldest(target: Target) -> Result<BTreeMap<String, [u32; 2]>> {
    let mut oldest = BTreeMap::new();
    for library in ["libc.so.6", "libm.so.6"] {
        let mut cc = Command::new(target.spec().cc);
        let path = process::stdout(cc.arg(format!("-print-file-name={library}")))?;
        let mut readelf = Command::new(tool(target, "readelf")?);
        readelf.args(["--dyn-syms", "--wide", path.trim()]);
        for line in process::stdout(&mut readelf)?.lines() {
            let Some((name, version)) = versioned(line) else {
                continue;
            };
            let known = oldest.entry(name.to_owned()).or_insert(version);
            *known = version.min(*known);
        }
    }
    Ok(oldest)
}

/// A symbol and its version, from a line of readelf's output that ends in `name@@GLIBC_2.34`.
fn versioned(line: &str) -> Option<(&str, [u32; 2])> {
    let (name, version) = line.split_whitespace().nth(7)?.split_once('@')?;
    let version = version.trim_start_matches('@').strip_prefix("GLIBC_")?;
    let mut numbers = version.split('.').map(str::parse);
    Some((name, [numbers.next()?.ok()?, numbers.next()?.ok()?]))
}

/// Builds MicroPython with the module's tarball, for each target whose port can be built here and by CMake, where Rust's programs only fail.
fn without_rust(work: &Path, report: &mut Report) -> Result<()> {
    let directory = paths::made(work.join("no-rust"))?;
    let called = work.join("rust-was-called");
    for name in NO_RUST {
        let script = directory.join(name);
        let text = format!(
            "#!/bin/sh\necho \"$0 $*\" >> {}\nexit 1\n",
            called.display()
        );
        fs::write(&script, text)?;
        let mut chmod = Command::new("chmod");
        process::run(chmod.arg("+x").arg(&script), Output::OnFailure)?;
    }
    let before = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(directory).chain(std::env::split_paths(&before)))?;
    let module = work.join(format!("farcall-micropython-{}/micropython", dist::VERSION));
    for target in [Target::X86_64Linux, Target::X86_64Windows] {
        let program = micropython::build_prebuilt(target, &module, &path)?;
        let _runner = target.start_runner()?;
        let name = format!("the module's tarball on {}", target.spec().triple);
        sorts(&mut target.command(program)?, &name, report)?;
    }
    let by_cmake = cmake::ports(&module, &path)?;
    report.passed += by_cmake.passed;
    report.failures.extend(by_cmake.failures);
    report.notes.extend(by_cmake.notes);
    let calls = fs::read_to_string(&called).unwrap_or_default();
    report.add(calls.is_empty(), format!("Rust was called: {calls}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_of_a_symbol_is_behind_its_name() {
        let line = "  1234: 0000000000091420    35 FUNC    GLOBAL DEFAULT   16 pthread_sigmask@@GLIBC_2.32";
        assert_eq!(versioned(line), Some(("pthread_sigmask", [2, 32])));
        assert_eq!(
            versioned("     1: 0 0 OBJECT GLOBAL DEFAULT 1 name@GLIBC_PRIVATE"),
            None
        );
        assert_eq!(versioned("Symbol table"), None);
    }

    #[test]
    fn weak_symbols_need_not_be_found() {
        assert_eq!(needed("                 U malloc"), Some("malloc"));
        assert_eq!(needed("                 w statx"), None);
    }
}
