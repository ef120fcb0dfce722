//! The steps that cargo runs.

use std::process::Command;

use anyhow::Result;

use super::Report;
use crate::paths;
use crate::process;
use crate::setup;
use crate::target::Target;

pub(super) fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(args).current_dir(paths::root());
    cargo
}

/// A cargo command that passes or fails as a whole.
fn whole(command: &mut Command) -> Result<Report> {
    let (status, _) = process::tee(command)?;
    Ok(Report::single(status.success(), process::shown(command)))
}

pub fn fmt() -> Result<Report> {
    setup::ensure(setup::LINTS)?;
    whole(&mut cargo(&["fmt", "--all", "--check"]))
}

/// Lints everything on this machine; for other targets, the crates of the target's programs.
pub fn clippy(target: Target) -> Result<Report> {
    setup::ensure(setup::LINTS)?;
    let mut cargo = cargo(&["clippy", "--all-targets"]);
    if target.is_foreign() {
        setup::ensure(target.spec().needs)?;
        for package in ["farcall", "farcall-engine", "farcall-micropython"] {
            cargo.args(["--package", package]);
        }
        target.cargo(&mut cargo)?;
    } else {
        cargo.arg("--workspace");
    }
    whole(cargo.args(["--", "-D", "warnings"]))
}

pub fn doc() -> Result<Report> {
    whole(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Runs all tests where they can run by themselves; elsewhere the tests of code that differs there.
pub fn test(target: Target) -> Result<Report> {
    if !target.is_foreign() {
        return tests(&mut cargo(&["test", "--workspace", "--no-fail-fast"]));
    }
    of_farcall(target, &[])
}

/// Runs the tests of farcall itself, with more variables in their environment.
pub fn of_farcall(target: Target, environment: &[(&str, &str)]) -> Result<Report> {
    let spec = target.spec();
    setup::ensure(spec.needs)?;
    let _runner = target.start_runner()?;
    let peer = paths::micropython()?.join(format!("rust-peer-{}.{}", spec.triple, spec.dll));
    let source = paths::root().join("tests/c/peer.c");
    target.compile_library(&peer, &[source], &["-O2", "-Wall", "-Werror", "-pthread"])?;
    let mut cargo = cargo(&["test", "--no-fail-fast"]);
    cargo
        .args(["--package", "farcall", "--package", "farcall-engine"])
        .args(["--lib", "--tests"])
        .env("FARCALL_TEST_PEER", peer)
        .envs(environment.iter().copied());
    if target.is_foreign() {
        target.cargo(&mut cargo)?;
    }
    cargo.arg("--");
    for (test, _) in spec.rust_skips {
        cargo.args(["--skip", test]);
    }
    let mut report = tests(&mut cargo)?;
    let skips = spec.rust_skips.iter();
    report
        .notes
        .extend(skips.map(|(test, why)| format!("left out: {test}: {why}")));
    Ok(report)
}

pub fn test_release() -> Result<Report> {
    tests(&mut cargo(&[
        "test",
        "--release",
        "--package",
        "farcall",
        "--package",
        "farcall-engine",
        "--no-fail-fast",
    ]))
}

pub fn tests(command: &mut Command) -> Result<Report> {
    let (status, text) = process::tee(command)?;
    let mut report = counted(&text);
    if !status.success() && report.failures.is_empty() {
        let words = process::shown(command);
        report.failures.push(format!("{words}: {status}"));
    }
    Ok(report)
}

/// Adds up the counts that test programs print.
fn counted(text: &str) -> Report {
    let mut report = Report::default();
    let mut ignored = 0;
    for line in text.lines() {
        if let Some(counts) = line.strip_prefix("test result: ") {
            report.passed += count_of(counts, "passed");
            ignored += count_of(counts, "ignored");
        } else if let Some(name) = failed_test(line) {
            report.failures.push(name.into());
        }
    }
    if ignored > 0 {
        report.notes.push(format!(
            "{ignored} tests are marked as ignored and did not run"
        ));
    }
    report
}

/// The number before `word` in `ok. 12 passed; 0 failed; 3 ignored; ...`.
fn count_of(counts: &str, word: &str) -> usize {
    let words: Vec<&str> = counts.split([' ', ';']).collect();
    let found = words.windows(2).find(|pair| pair[1] == word);
    found.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_adds_up_programs_and_names_failures() {
        let report = counted(
            "test a::good ... ok\ntest a::bad ... FAILED\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
             test result: ok. 41 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out\n",
        );
        assert_eq!(report.passed, 42);
        assert_eq!(report.failures, ["a::bad"]);
        assert_eq!(report.notes.len(), 1);
    }
}
