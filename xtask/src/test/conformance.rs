//! The steps that compare with C compilers.

use std::process::Command;

use anyhow::Result;

use super::Report;
use super::cargo;
use crate::conformance::{Program, SUBJECTS};
use crate::libffi::suite::CODE;
use crate::process;
use crate::target::Target;

/// The comparisons of each convention: a fixed seed, a fresh one, which the program prints, every small signature, and both seeds again
/// with types wider than a register, and with declarations in C.
const COMPARISONS: [&[&str]; 7] = [
    &["--n", "150", "--seed", "0xfa2ca11"],
    &["--n", "100"],
    &["--exhaustive", "--opt", "O2", "--rounds", "2"],
    &["--wide", "--n", "60", "--seed", "0xfa2ca11"],
    &["--wide", "--n", "60"],
    &["--declared", "--n", "50", "--seed", "0xfa2ca11"],
    &["--declared", "--n", "50"],
];

/// The comparisons of functions and callbacks without code of their own, in the target's own convention.
const WITHOUT_CODE: &[&[&str]] = &[COMPARISONS[0], COMPARISONS[2], COMPARISONS[5]];

/// Conventions for which no text is written. Code of the first two is put into memory as it is, so it may refer to nothing; the others are
/// not their platform's own, while declared types are passed as their platform passes them.
const WITHOUT_TEXTS: [&str; 5] = [
    "aarch64-apple-darwin",
    "aarch64-pc-windows-msvc",
    "x86_64-unknown-linux-gnu:win64",
    "x86_64-pc-windows-gnu:sysv64",
    "x86_64-pc-windows-gnu:sysv64-clang",
];

/// Compares where no code can be made.
pub fn without_code(target: Target) -> Result<Report> {
    let program = Program::build(target)?;
    let mut report = Report::default();
    for options in WITHOUT_CODE {
        let words: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        let mut command = program.command(target.spec().triple, &words);
        let (status, _) = process::tee(command.env(CODE, "never"))?;
        report.add(status.success(), format!("conformance {}", words.join(" ")));
    }
    Ok(report)
}

/// Compares in every convention that the target runs code of.
pub fn compare(target: Target) -> Result<Report> {
    let program = Program::build(target)?;
    let mut report = Report::default();
    for (name, _) in SUBJECTS.iter().filter(|subject| subject.1 == target) {
        let is_text = |options: &&[&str]| options.contains(&"--declared");
        let has_texts = !WITHOUT_TEXTS.contains(name);
        let comparisons = COMPARISONS.into_iter();
        for options in comparisons.filter(|options| has_texts || !is_text(options)) {
            let options: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
            let title = format!("{name} {}", options.join(" "));
            println!("{title}");
            let (status, text) = process::tee(&mut program.command(name, &options))?;
            match status.success() {
                true => report.add(true, title),
                false => report.add(false, format!("{title}: {status}: {}", telling(&text))),
            }
        }
    }
    Ok(report)
}

/// The telling lines of a failed comparison: the seed that reproduces it, and the first lines of the fault.
fn telling(text: &str) -> String {
    let seed = text.lines().find(|line| line.starts_with("seed "));
    let wrong = text.lines().skip_while(|line| !line.is_empty()).skip(1);
    let lines: Vec<&str> = seed.into_iter().chain(wrong.take(3)).collect();
    lines.join("; ")
}

/// Checks that the comparison notices wrong code, where its own tests cannot run by themselves.
pub fn sabotage(target: Target) -> Result<Report> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(crate::paths::root())
        .args(["test", "--package", "conformance", "--test", "sabotage"])
        .env("FARCALL_CONFORMANCE_RUNNER", target.runner().join(" "));
    target.cargo(&mut cargo)?;
    cargo::tests(&mut cargo)
}
