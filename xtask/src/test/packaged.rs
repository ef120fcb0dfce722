//! Checks the installed files of the drop-in libffi as distributions do: the symbols that they define and need, and that programs linked
//! with the static library run, also beside another one in Rust.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{Report, installed, jitdump, unwinding};
use crate::libffi::drop_in::{self, tool};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::sizes;
use crate::target::{Runner, Target};

pub const NEEDS: &[Need] = &[Need::new(Check::Program("pkg-config"), "pkg-config")];

/// The time limit, far more than any program takes.
const LIMIT: Duration = Duration::from_secs(300);

/// The most that the libraries may take on disk.
const SHARED_BYTES: u64 = 5 << 17;
const STATIC_BYTES: u64 = 3 << 19;

/// The newest version of the C library's interface that may be needed. Debian 11 has 2.31, and the systems that libffi itself is built for
/// go back to 2.27. Rust's standard library needs this version, which is the first with AArch64.
const GLIBC: [u32; 2] = [2, 17];

/// The libraries that the shared library may need at run time, by the beginnings of their names. Any other would be loaded with it.
const WANTED: &[&str] = &["libc.so.6", "ld-linux-"];
const WANTED_DLLS: &[&str] = &[
    "KERNEL32.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "api-ms-win-core-synch-l1-2-0.dll",
];

/// The options of a link by the compiler's defaults, and of static links.
const ELF_LINKS: &[&[&str]] = &[&[], &["-no-pie"], &["-static"], &["-static-pie"]];
const PE_LINKS: &[&[&str]] = &[&["-static"]];

pub fn files(target: Target) -> Result<Report> {
    setup::ensure(NEEDS)?;
    let prefix = drop_in::build(target)?;
    let _runner = target.start_runner()?;
    let mut report = Report::default();
    let lib = prefix.join("lib");
    let shared = lib.join(drop_in::library_name(target));
    let archive = lib.join("libffi.a");
    for (file, most) in [(&shared, SHARED_BYTES), (&archive, STATIC_BYTES)] {
        let bytes = fs::metadata(file)?.len();
        let name = file.display();
        report.add(bytes <= most, format!("{name} has {bytes} bytes"));
    }
    let (bytes, most) = (sizes::text(target, &shared)?, sizes::LIBFFI_BYTES);
    println!("{bytes} bytes of code and constants");
    report.add(
        bytes <= most || target.is_foreign(),
        format!("{bytes} bytes of code and constants, not {most}"),
    );
    match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => elf(target, &shared, &mut report)?,
        Runner::Wine => pe(target, &shared, &mut report)?,
    }
    let defined = defined(target, &archive)?;
    let wanted = BTreeSet::from_iter(drop_in::exports()?);
    let odd: Vec<_> = defined.symmetric_difference(&wanted).collect();
    report.add(odd.is_empty(), format!("libffi.a and {odd:?}"));
    static_programs(target, &prefix, &mut report)?;
    installed::installed(target, &prefix, &mut report)?;
    rust_programs(target, &prefix, &mut report)?;
    if !target.is_foreign() {
        jitdump::compare(target, &prefix, &mut report)?;
    }
    Ok(report)
}

/// The output of a binutils program about `file`.
fn told(target: Target, program: &str, options: &[&str], file: &Path) -> Result<String> {
    process::stdout(
        Command::new(tool(target, program)?)
            .args(options)
            .arg(file)
            .env("LC_ALL", "C"),
    )
}

/// The names in brackets or behind colons on the lines with `mark`.
fn names<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.contains(mark))
        .filter_map(|line| line.rsplit([' ', '[']).next())
        .map(|name| name.trim_end_matches(']'))
        .collect()
}

fn elf(target: Target, library: &Path, report: &mut Report) -> Result<()> {
    let dynamic = told(target, "readelf", &["--dynamic", "--wide"], library)?;
    let soname = names(&dynamic, "(SONAME)");
    report.add(
        soname == ["libffi.so.8"],
        format!("it is called {soname:?}"),
    );
    for name in names(&dynamic, "(NEEDED)") {
        let is_known = WANTED.iter().any(|wanted| name.starts_with(wanted));
        report.add(is_known, format!("it wants {name}"));
    }
    for mark in ["BIND_NOW", "NODELETE"] {
        report.add(dynamic.contains(mark), format!("it lacks {mark}"));
    }
    for mark in ["TEXTREL", "RPATH", "RUNPATH"] {
        report.add(!dynamic.contains(mark), format!("it has {mark}"));
    }
    segments(target, library, report)?;
    unwinding::personalities(target, library, report)?;
    let versions = told(target, "readelf", &["--version-info", "--wide"], library)?;
    let newest = versions.split_whitespace().filter_map(glibc_version).max();
    let is_old = newest.as_ref().is_some_and(|newest| *newest <= GLIBC);
    report.add(is_old, format!("it wants glibc {newest:?}"));
    Ok(())
}

/// Checks the segments in memory: none is writable and executable, the stack included.
fn segments(target: Target, library: &Path, report: &mut Report) -> Result<()> {
    let text = told(target, "readelf", &["--segments", "--wide"], library)?;
    let segments: Vec<(&str, String)> = text.lines().filter_map(segment).collect();
    for (kind, rights) in &segments {
        let is_safe = !(rights.contains('W') && rights.contains('E'));
        report.add(is_safe, format!("{kind} is {rights}"));
    }
    for wanted in ["GNU_STACK", "GNU_RELRO", "GNU_EH_FRAME"] {
        let is_there = segments.iter().any(|(kind, _)| *kind == wanted);
        report.add(is_there, format!("it lacks {wanted}"));
    }
    Ok(())
}

/// Kind and rights of a segment, from a line of readelf's output: between them are offset, addresses and sizes, behind them the alignment.
fn segment(line: &str) -> Option<(&str, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [kind, numbers @ .., _] = &words[..] else {
        return None;
    };
    let (numbers, rights) = numbers.split_at_checked(5)?;
    let are_numbers = numbers.iter().all(|number| number.starts_with("0x"));
    are_numbers.then(|| (*kind, rights.concat()))
}

/// The numbers of `GLIBC_2.33`.
fn glibc_version(word: &str) -> Option<[u32; 2]> {
    let mut numbers = word.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?])
}

fn pe(target: Target, library: &Path, report: &mut Report) -> Result<()> {
    let headers = told(target, "objdump", &["--private-headers"], library)?;
    for name in names(&headers, "DLL Name: ") {
        report.add(WANTED_DLLS.contains(&name), format!("it wants {name}"));
    }
    for mark in ["HIGH_ENTROPY_VA", "DYNAMIC_BASE", "NX_COMPAT"] {
        report.add(headers.contains(mark), format!("it lacks {mark}"));
    }
    let exported: BTreeSet<String> = headers
        .lines()
        .skip_while(|line| !line.starts_with("[Ordinal/Name Pointer]"))
        .skip(1)
        .map_while(|line| Some(line.trim().rsplit_once(' ')?.1.to_owned()))
        .collect();
    let wanted = BTreeSet::from_iter(drop_in::exports()?);
    let odd: Vec<_> = exported.symmetric_difference(&wanted).collect();
    report.add(odd.is_empty(), format!("the DLL and {odd:?}"));
    Ok(())
}

/// The global symbols of an archive, without those that linkers share by themselves.
fn defined(target: Target, archive: &Path) -> Result<BTreeSet<String>> {
    let options = ["--extern-only", "--defined-only"];
    let text = told(target, "nm", &options, archive)?;
    let symbols = text.lines().filter_map(|line| line.rsplit_once(' '));
    Ok(symbols
        .filter(|(before, name)| before.contains(' ') && !name.starts_with(".refptr."))
        .map(|(_, name)| name.to_owned())
        .collect())
}

/// Links programs with the static library, with pkg-config's options, and runs them.
fn static_programs(target: Target, prefix: &Path, report: &mut Report) -> Result<()> {
    let tests = paths::root().join("libffi/tests");
    let work = paths::emptied(paths::libffi(target.spec().triple).join("static"))?;
    // Where the linker finds no shared library, it takes the static one.
    fs::copy(prefix.join("lib/libffi.a"), work.join("libffi.a"))?;
    let flags = pkg_config(prefix, &work)?;
    let links = match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => ELF_LINKS,
        Runner::Wine => PE_LINKS,
    };
    for link in links {
        let behaviour = tests.join("behaviour.c");
        let parts: Vec<&str> = link
            .iter()
            .copied()
            .chain(flags.split_whitespace())
            .collect();
        let ran = run(target, &work, &behaviour, &[&parts, &["-lpthread"]])?;
        report.add(
            ran.is_ok(),
            format!("{link:?}: {}", ran.err().unwrap_or_default()),
        );
    }
    beside_another(target, &work, &flags, report)
}

/// The same beside another static library in Rust, in either order, and with all objects of both.
fn beside_another(target: Target, work: &Path, flags: &str, report: &mut Report) -> Result<()> {
    let sources = paths::root().join("libffi/tests/beside");
    let other = rust_library(target, work, &sources.join("library.rs"))?;
    let [other, ours] = [other, work.join("libffi.a")].map(|path| path.display().to_string());
    let flags: Vec<&str> = flags.split_whitespace().collect();
    // The libraries that Rust's standard library needs.
    let system: &[&str] = match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => &["-lpthread", "-ldl", "-lm"],
        Runner::Wine => &["-static", "-lntdll", "-luserenv", "-lws2_32", "-ldbghelp"],
    };
    let (all, needed) = ("-Wl,--whole-archive", "-Wl,--no-whole-archive");
    let mut orders: Vec<Vec<&str>> = vec![
        vec![&ours, &other],
        vec![&other, &ours],
        vec![all, &ours, needed, &other],
        vec![&other, all, &ours, needed],
    ];
    // The other library contains import libraries, and a program with all of them at once does not start.
    if !matches!(target.spec().runner, Runner::Wine) {
        orders.push(vec![all, &ours, &other, needed]);
        orders.push(vec![all, &other, &ours, needed]);
    }
    for order in orders {
        let parts = [&order[..], &flags, system];
        let ran = run(target, work, &sources.join("program.c"), &parts)?;
        report.add(
            ran.is_ok(),
            format!("{order:?}: {}", ran.err().unwrap_or_default()),
        );
    }
    Ok(())
}

/// Tests a program that uses the crate called libffi, linked with the shared library and with the static one.
fn rust_programs(target: Target, prefix: &Path, report: &mut Report) -> Result<()> {
    if target.is_foreign() {
        report
            .notes
            .push("left out: a program that uses the crate called libffi".into());
        return Ok(());
    }
    let lib = prefix.join("lib");
    let alone = paths::libffi(target.spec().triple).join("static");
    for directory in [&lib, &alone] {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["test", "--locked", "--test", "crate", "--manifest-path"])
            .arg(paths::root().join("benches/libffi-rs/Cargo.toml"))
            .arg("--target-dir")
            .arg(paths::bench()?.join("libffi-rs"))
            .env("FARCALL_BENCH_LIBFFI", directory)
            .env("LD_LIBRARY_PATH", directory);
        let name = directory.display().to_string();
        report.join(&name, super::cargo::tests(&mut cargo)?);
    }
    Ok(())
}

/// Pkg-config's options for a static link, with the library in `directory`.
fn pkg_config(prefix: &Path, directory: &Path) -> Result<String> {
    let libdir = format!("--define-variable=libdir={}", directory.display());
    process::stdout(
        Command::new("pkg-config")
            .args(["--static", "--cflags", "--libs", &libdir, "libffi"])
            .env("PKG_CONFIG_LIBDIR", prefix.join("lib/pkgconfig")),
    )
}

/// Compiles a Rust file to a static library.
fn rust_library(target: Target, work: &Path, source: &Path) -> Result<PathBuf> {
    let library = work.join("libbeside.a");
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--edition", "2024", "--crate-type", "staticlib", "-O"])
        .args(["--target", target.spec().triple, "-o"])
        .arg(&library)
        .arg(source);
    process::run(&mut rustc, Output::OnFailure)?;
    Ok(library)
}

/// Compiles a program and runs it; returns the fault, if there is one.
pub(super) fn run(
    target: Target,
    work: &Path,
    source: &Path,
    parts: &[&[&str]],
) -> Result<Result<(), String>> {
    let program = work.join("program.exe");
    let mut cc = Command::new(target.spec().cc);
    cc.args(["-O1", "-Wno-deprecated-declarations", "-o"])
        .arg(&program)
        .arg(source)
        .args(parts.concat());
    let linked = process::transcript(&mut cc, None)?;
    if !linked.success() {
        return Ok(Err(linked.text()));
    }
    let ran = process::transcript(&mut target.command(&program)?, Some(LIMIT))?;
    Ok(if ran.success() {
        Ok(())
    } else {
        Err(format!("{} {}", ran.ending(), ran.text()))
    })
}
