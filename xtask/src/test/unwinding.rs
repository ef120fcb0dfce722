//! Runs programs that unwind through the drop-in libffi, by several unwinders, and checks that its frames suit any unwinder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Report;
use crate::libffi::drop_in::{self, tool};
use crate::libffi::suite::{CODE, WITH_CODE};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::target::Target;

/// The time limit, far more than any program takes.
const LIMIT: Duration = Duration::from_secs(300);

pub const NEEDS: &[Need] = &[
    Need::new(Check::Program("g++"), "g++"),
    Need::new(Check::Program("clang++"), "clang"),
    Need::new(
        Check::Library {
            cc: "clang",
            file: "libc++.so",
        },
        "libc++-dev",
    ),
    Need::new(
        Check::Library {
            cc: "clang",
            file: "libc++abi.so",
        },
        "libc++abi-dev",
    ),
];

/// LLVM's unwinder, by its unique file name, ahead of libgcc_s.
const LLVM: &str = "-l:libunwind.so.1";

/// The programs: name, file and options. They unwind by libgcc_s, by a libgcc of their own, and by LLVM's unwinder.
const PROGRAMS: [(&str, &str, &[&str]); 6] = [
    ("unwinding", "unwinding.cc", &["g++"]),
    (
        "unwinding-own",
        "unwinding.cc",
        &["g++", "-static-libgcc", "-static-libstdc++"],
    ),
    (
        "unwinding-llvm",
        "unwinding.cc",
        &["clang++", "-stdlib=libc++", LLVM],
    ),
    ("thread-exit-llvm", "thread_exit.c", &["clang", LLVM]),
    ("steps", "steps.c", &["gcc"]),
    ("steps-llvm", "steps.c", &["clang", LLVM, "-DONLY_MADE"]),
];

/// Runs all programs, with code for every signature and without any. They are for this machine.
pub fn programs(target: Target, prefix: &Path, report: &mut Report) -> Result<()> {
    setup::ensure(NEEDS)?;
    for (name, file, how) in PROGRAMS {
        let program = compile(target, prefix, name, file, how)?;
        for with_code in WITH_CODE {
            let mut command = drop_in::command(target, prefix, &program)?;
            command.env(CODE, with_code);
            let ran = process::transcript(&mut command, Some(LIMIT))?;
            print!("{}", ran.text());
            let name = format!("{name} {CODE}={with_code}");
            report.add(ran.success(), format!("{name}: {}", ran.ending()));
        }
    }
    Ok(())
}

/// Checks that valgrind reads the library's tables. It reads all of them when it loads the library, and warns of what it does not know.
pub fn valgrind(target: Target, prefix: &Path, report: &mut Report) -> Result<()> {
    setup::ensure(setup::VALGRIND)?;
    let program = compile(target, prefix, "valgrind", "backtrace.c", &["gcc"])?;
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=none"])
        .arg(program)
        .env("LD_LIBRARY_PATH", prefix.join("lib"))
        .env(CODE, WITH_CODE[0]);
    let ran = process::transcript(&mut command, Some(LIMIT))?;
    print!("{}", ran.text());
    let is_silent = ran.success() && !ran.text().contains("Warning");
    report.add(is_silent, format!("valgrind: {}", ran.text()));
    Ok(())
}

fn compile(target: Target, prefix: &Path, name: &str, file: &str, how: &[&str]) -> Result<PathBuf> {
    let (compiler, options) = how.split_first().context("a compiler")?;
    let work = paths::made(paths::libffi(target.spec().triple).join("tests"))?;
    let program = work.join(name).with_extension("exe");
    let mut cc = Command::new(compiler);
    cc.args(["-O1", "-g", "-Wall", "-Wextra", "-Werror"])
        .arg(format!("-I{}", prefix.join("include").display()))
        .arg(paths::root().join("libffi/tests").join(file))
        .arg("-o")
        .arg(&program)
        .args(options)
        .args(drop_in::link_options(target, prefix));
    process::run(&mut cc, Output::OnFailure)?;
    Ok(program)
}

/// The functions that exceptions cross, by their full names or, if these end with a colon or an underscore, by the beginnings.
const CROSSED: [&str; 18] = [
    "ffi_call",
    "ffi_call_go",
    "ffi_call_plan_invoke",
    "ffi_raw_call",
    "ffi_java_raw_call",
    "ffi::run::call_otherwise",
    "ffi::code::first_calls",
    "ffi::code::call_win64",
    "ffi::code::first_call",
    "ffi::entry::enter",
    "ffi::interp::",
    "ffi::raw::call",
    "ffi::raw::enter",
    "ffi::raw::enter_",
    "farcall_engine::interp::call",
    "farcall_engine::interp::slots::",
    "farcall_interp_",
    "farcall_libffi_closure",
];

/// Checks that no frame that exceptions cross has a personality routine: such a routine uses one unwinder, and the program may have another.
pub fn personalities(target: Target, library: &Path, report: &mut Report) -> Result<()> {
    let mut readelf = Command::new(tool(target, "readelf")?);
    let frames = process::stdout(
        readelf
            .args(["--wide", "--debug-dump=frames"])
            .arg(library)
            .env("LC_ALL", "C"),
    )?;
    let mut nm = Command::new(tool(target, "nm")?);
    let symbols = process::stdout(nm.arg("--demangle").arg(library))?;
    let mut names: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
    for (address, name) in symbols.lines().filter_map(symbol) {
        names.entry(address).or_default().push(name);
    }
    let described = descriptions(&frames);
    let mut crossed = 0;
    for (address, has_personality) in described {
        for name in names.get(&address).into_iter().flatten() {
            if is_crossed(name) {
                crossed += 1;
                report.add(
                    !has_personality,
                    format!("{name} has a personality routine"),
                );
            }
        }
    }
    report.add(crossed > 5, format!("{crossed} frames that are crossed"));
    Ok(())
}

fn is_crossed(name: &str) -> bool {
    CROSSED
        .iter()
        .any(|crossed| match crossed.ends_with([':', '_']) {
            true => name.starts_with(crossed),
            false => name == *crossed,
        })
}

/// Address and name, from a line of nm's output.
fn symbol(line: &str) -> Option<(u64, &str)> {
    let (address, rest) = line.split_once(' ')?;
    let (_, name) = rest.split_once(' ')?;
    Some((u64::from_str_radix(address, 16).ok()?, name))
}

/// The addresses of all functions in readelf's output, and whether they have a personality routine.
fn descriptions(frames: &str) -> Vec<(u64, bool)> {
    let mut with_personality: BTreeMap<&str, bool> = BTreeMap::new();
    let mut of = "";
    let mut found = Vec::new();
    for line in frames.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [offset, _, _, "CIE"] => of = offset,
            ["Augmentation:", text] => {
                with_personality.insert(of, text.contains('P'));
            }
            [_, _, _, "FDE", cie, range, ..] => {
                let cie = cie.strip_prefix("cie=").unwrap_or(cie);
                let start = range
                    .strip_prefix("pc=")
                    .and_then(|range| range.split("..").next());
                let start = start.and_then(|start| u64::from_str_radix(start, 16).ok());
                let has_personality = with_personality.get(cie).copied().unwrap_or(true);
                found.extend(start.map(|start| (start, has_personality)));
            }
            _ => {}
        }
    }
    found
}
