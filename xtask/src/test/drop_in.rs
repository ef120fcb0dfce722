//! The steps that run programs of our own, and libffi's own tests, on the drop-in libffi.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Report, unwinding};
use crate::libffi::suite::{self, CODE, WITH_CODE};
use crate::libffi::{self, drop_in};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::target::{Runner, Target};

/// Far more than any program takes.
const LIMIT: Duration = Duration::from_secs(300);

pub const GDB: &[Need] = &[Need::new(Check::Program("gdb"), "gdb")];

pub fn suite(target: Target) -> Result<Report> {
    let prefix = drop_in::build(target)?;
    let outcome = suite::outcome(target, &prefix, None)?;
    let mut report = Report {
        passed: outcome.passed,
        ..Report::default()
    };
    for (name, seen) in outcome.failed {
        println!("{name}\n{seen}");
        report.failures.push(name);
    }
    for name in outcome.repeated {
        let note = format!("ended without a word in Wine and was run again: {name}");
        report.notes.push(note);
    }
    if !outcome.unsupported.is_empty() {
        let count = outcome.unsupported.len();
        report.notes.push(format!(
            "{count} programs are about what the target does not have: {}",
            outcome.unsupported.join(" ")
        ));
    }
    Ok(report)
}

/// Runs `libffi/tests/*.c`, with code for every signature and without any, and, where the system has them, with policies against executable memory.
pub fn programs(target: Target) -> Result<Report> {
    let prefix = drop_in::build(target)?;
    let _runner = target.start_runner()?;
    let mut report = Report::default();
    let behaviour = compile(target, &prefix, "behaviour.c")?;
    // The policies are the kernel's. Wine has none of Windows' policies.
    let policies: &[&[&str]] = match target.spec().runner {
        Runner::None | Runner::Qemu { .. } => &[&[], &["full"], &["mdwe"], &["seccomp"]],
        Runner::Wine => &[&[], &["full"]],
    };
    for arguments in policies {
        for with_code in WITH_CODE {
            let mut command = drop_in::command(target, &prefix, &behaviour)?;
            command.args(*arguments).env(CODE, with_code);
            let ran = process::transcript(&mut command, Some(LIMIT))?;
            let name = format!("behaviour {} {CODE}={with_code}", arguments.join(" "));
            print!("{}", ran.text());
            if ran.text().contains("SKIP") {
                report.notes.push(format!("{name}: {}", ran.text().trim()));
            }
            report.add(ran.success(), format!("{name}: {}", ran.ending()));
        }
    }
    if !matches!(target.spec().runner, Runner::Wine) {
        // Values at the edge of memory, and very many closures. The program uses functions of Unix.
        in_modes(target, &prefix, "edges", &WITH_CODE, &mut report)?;
        late_exceptions(target, &prefix, &mut report)?;
    }
    if !target.is_foreign() {
        backtraces(target, &prefix, &mut report)?;
        // Each allocation refused in turn. The program replaces glibc's allocator.
        let modes = ["", "always", "never"];
        in_modes(target, &prefix, "no_memory", &modes, &mut report)?;
        hostile_types(target, &prefix, &mut report)?;
        unwinding::programs(target, &prefix, &mut report)?;
        unwinding::valgrind(target, &prefix, &mut report)?;
    }
    Ok(report)
}

/// Runs a program of `libffi/tests/`, once in each mode.
fn in_modes(
    target: Target,
    prefix: &Path,
    name: &str,
    modes: &[&str],
    report: &mut Report,
) -> Result<()> {
    let program = compile(target, prefix, &format!("{name}.c"))?;
    for mode in modes {
        let mut command = drop_in::command(target, prefix, &program)?;
        command.env(CODE, mode);
        let ran = process::transcript(&mut command, Some(LIMIT))?;
        print!("{}", ran.text());
        report.add(
            ran.success(),
            format!("{name} {CODE}={mode}: {}", ran.ending()),
        );
    }
    Ok(())
}

/// Checks that ours treats random graphs of types as libffi does.
fn hostile_types(target: Target, prefix: &Path, report: &mut Report) -> Result<()> {
    let program = compile(target, prefix, "hostile.c")?;
    let mut command = drop_in::command(target, prefix, &program)?;
    command.arg(libffi::newest()?.library);
    let ran = process::transcript(&mut command, Some(LIMIT))?;
    print!("{}", ran.text());
    report.add(ran.success(), format!("hostile: {}", ran.ending()));
    Ok(())
}

/// Checks that exceptions cross code that was made before there was an unwinder.
fn late_exceptions(target: Target, prefix: &Path, report: &mut Report) -> Result<()> {
    setup::ensure(setup::CPLUSPLUS)?;
    let program = compile(target, prefix, "late.c")?;
    let library = program.with_file_name("late.so");
    let mut cxx = Command::new(target.spec().cc.replace("gcc", "g++"));
    cxx.args(["-O1", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(paths::root().join("libffi/tests/late.cc"));
    process::run(&mut cxx, Output::OnFailure)?;
    for with_code in WITH_CODE {
        let mut command = drop_in::command(target, prefix, &program)?;
        command.arg(&library).env(CODE, with_code);
        let ran = process::transcript(&mut command, Some(LIMIT))?;
        print!("{}", ran.text());
        let name = format!("late {CODE}={with_code}");
        report.add(ran.success(), format!("{name}: {}", ran.ending()));
    }
    Ok(())
}

/// Checks that a debugger sees every frame from a callee, and from a closure that a callee calls, to main().
fn backtraces(target: Target, prefix: &Path, report: &mut Report) -> Result<()> {
    setup::ensure(GDB)?;
    let program = compile(target, prefix, "backtrace.c")?;
    for with_code in WITH_CODE {
        let mut gdb = Command::new("gdb");
        gdb.args(["--batch", "--nx", "-ex", "set startup-with-shell off"])
            .args(["-ex", "break innermost", "-ex", "run", "-ex", "backtrace"])
            .arg(&program)
            .env(CODE, with_code)
            .env("LD_LIBRARY_PATH", prefix.join("lib"));
        let text = process::stdout(&mut gdb)?;
        println!("{text}");
        let wanted = ["innermost", "handler", "call_closure", "main"];
        let mut frames = text.lines().filter(|line| line.starts_with('#'));
        let has_all = wanted
            .iter()
            .all(|name| frames.any(|frame| frame.contains(&format!("{name} ("))));
        report.add(has_all, format!("a backtrace, {CODE}={with_code}"));
    }
    named(target, prefix, &program, report)
}

/// Checks that gdb shows the names of generated code, with the script of the documentation.
fn named(target: Target, prefix: &Path, program: &Path, report: &mut Report) -> Result<()> {
    let script = paths::root().join("docs/farcall-gdb.py");
    let mut gdb = drop_in::command(target, prefix, Path::new("gdb"))?;
    gdb.args(["--batch", "--nx", "-ex", "set startup-with-shell off"])
        .arg("-ex")
        .arg(format!("source {}", script.display()))
        .args(["-ex", "break innermost", "-ex", "run", "-ex", "backtrace"])
        .arg(program)
        .env(CODE, "always")
        .env("FARCALL_PERF", "1");
    let text = process::stdout(&mut gdb)?;
    println!("{text}");
    for name in ["callback int32(int32)", "call int32(int64)"] {
        let is_there = text.contains(&format!("[farcall {name}]"));
        report.add(is_there, format!("gdb does not show farcall {name}"));
    }
    Ok(())
}

/// Compiles a file of `libffi/tests/` with our header and library.
fn compile(target: Target, prefix: &Path, file: &str) -> Result<PathBuf> {
    let source = paths::root().join("libffi/tests").join(file);
    let work = paths::made(paths::libffi(target.spec().triple).join("tests"))?;
    let name = source.file_stem().context("a file has a name")?;
    let program = work.join(name).with_extension("exe");
    let mut cc = Command::new(target.spec().cc);
    cc.args(["-O1", "-g", "-W", "-Wall", "-Werror"])
        .arg(format!("-I{}", prefix.join("include").display()))
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .args(drop_in::link_options(target, prefix));
    process::run(&mut cc, Output::OnFailure)?;
    Ok(program)
}
