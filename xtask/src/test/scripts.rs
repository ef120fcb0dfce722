//! Runs scripts, whose output must be, byte for byte, that of the file beside them whose name ends in `.exp`.
//!
//! Or the expected output stands in the script's own first string, indented, behind the line `It prints:`.
//!
//! A script's output is its stdout and stderr in the order they come, with Unix line ends. The script must end by itself, with success.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Report;
use super::hardened::Refusal;
use crate::libraries;
use crate::micropython::{self, Module, Release};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::target::{Runner, Target};

/// The time that one script may take.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The whole output of a script that does not apply to the system it runs on.
const SKIP: &str = "SKIP\n";

/// The script that is run with allocations refused.
const REFUSING: &str = "out_of_memory";

/// The libraries that examples draw, fetch and store with.
const DECLARED: &[Need] = &[
    Need::new(Check::PkgConfig("cairo"), "libcairo2-dev"),
    Need::new(Check::PkgConfig("libcurl"), "libcurl4-openssl-dev"),
    Need::new(Check::PkgConfig("sqlite3"), "libsqlite3-dev"),
    Need::new(Check::PkgConfig("zlib"), "zlib1g-dev"),
];

/// The number of lines that are shown before one that differs.
const CONTEXT: usize = 5;

/// The text in a script's own string ahead of its output.
const IT_PRINTS: &str = "\nIt prints:\n\n";

/// A folder of scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    Examples,
    /// The scripts that use C declarations and libraries of Linux.
    Declared,
    Module,
}

pub fn examples(target: Target) -> Result<Report> {
    let mut report = run_all(target, Module::Ours, Folder::Examples, None)?;
    if target == Target::default() {
        setup::ensure(DECLARED)?;
        report.join(
            "declared",
            run_all(target, Module::Ours, Folder::Declared, None)?,
        );
    }
    Ok(report)
}

pub fn module(target: Target) -> Result<Report> {
    module_of(Release::Own, target)
}

pub fn module_of(release: Release, target: Target) -> Result<Report> {
    let module = Module::Ours;
    let build = || micropython::build_release(release, target, module, Output::OnFailure);
    run_built(target, build, Folder::Module, None)
}

/// Runs the module's tests in an interpreter that is built already.
pub fn module_in(target: Target, program: PathBuf) -> Result<Report> {
    run_built(target, || Ok(program), Folder::Module, None)
}

/// Runs the module's tests in an interpreter on whose objects no machine code works: every call goes through slots.
pub fn representation() -> Result<Report> {
    let module = Module::OursOtherObjects;
    run_all(Target::default(), module, Folder::Module, None)
}

/// Runs the scripts of a folder where no code can be made.
pub fn refused(target: Target, folder: Folder, refusal: Refusal) -> Result<Report> {
    run_all(target, Module::Ours, folder, Some(refusal))
}

impl Folder {
    fn path(self) -> &'static str {
        match self {
            Folder::Examples => "examples",
            Folder::Declared => "examples/declared",
            Folder::Module => "tests/module",
        }
    }

    /// The environment variables of its scripts.
    fn environment(self, target: Target) -> Result<Vec<(&'static str, PathBuf)>> {
        if self != Folder::Module {
            return Ok(Vec::new());
        }
        let sources =
            ["peer.c", "stepper.c"].map(|name| paths::root().join("tests/module").join(name));
        let spec = target.spec();
        let library = paths::micropython()?.join(format!("peer-{}.{}", spec.triple, spec.dll));
        target.compile_library(&library, &sources, &["-O2", "-pthread"])?;
        let mut environment = vec![("FARCALL_PEER", library)];
        if matches!(spec.runner, Runner::Qemu { .. }) {
            environment.push(("FARCALL_EMULATOR", PathBuf::from("qemu")));
        }
        Ok(environment)
    }

    /// Preloads the library that a script needs ahead of the C library.
    fn preload(self, script: &str, target: Target, command: &mut Command) -> Result<()> {
        if self != Folder::Module || script != REFUSING || target != Target::default() {
            return Ok(());
        }
        let source = paths::root().join("tests/module/support/refusing.c");
        let library = paths::micropython()?.join("refusing.so");
        target.compile_library(&library, &[source], &["-O2", "-fno-builtin"])?;
        command.env("LD_PRELOAD", library);
        Ok(())
    }

    fn skips(self, target: Target) -> &'static [(&'static str, &'static str)] {
        match self {
            Folder::Examples | Folder::Declared => &[],
            Folder::Module => target.spec().module_skips,
        }
    }
}

fn run_all(
    target: Target,
    module: Module,
    folder: Folder,
    refusal: Option<Refusal>,
) -> Result<Report> {
    let build = || micropython::build_with(target, module, Output::OnFailure);
    run_built(target, build, folder, refusal)
}

/// Runs the scripts of a folder in the interpreter that `build` makes.
fn run_built(
    target: Target,
    build: impl FnOnce() -> Result<PathBuf>,
    folder: Folder,
    refusal: Option<Refusal>,
) -> Result<Report> {
    let (environment, skips) = (folder.environment(target)?, folder.skips(target));
    libraries::ensure(target)?;
    let _runner = target.start_runner()?;
    let program = build()?;
    run_scripts(folder.path(), &[], skips, |script| {
        let mut command = match refusal {
            Some(refusal) => refusal.command(target, &program)?,
            None => target.command(&program)?,
        };
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        folder.preload(script, target, &mut command)?;
        Ok(command)
    })
}

/// Runs the scripts of a folder by the command that `interpreter` gives for each, but for those in `except`; those in `skips` must skip
/// themselves.
pub fn run_scripts(
    folder: &str,
    except: &[(&str, &str)],
    skips: &[(&str, &str)],
    interpreter: impl Fn(&str) -> Result<Command>,
) -> Result<Report> {
    let scripts = scripts(&paths::root().join(folder))?;
    if scripts.is_empty() {
        bail!("there is no script in {folder}");
    }
    let mut report = Report::default();
    for script in scripts {
        let name = format!("{folder}/{script}.py");
        if let Some((_, why)) = except.iter().find(|(except, _)| *except == script) {
            report.notes.push(format!("{name} is left out: {why}"));
            continue;
        }
        let mut command = interpreter(&script)?;
        command.arg(&name).current_dir(paths::root());
        let skip = skips.iter().find(|(skipped, _)| *skipped == script);
        let outcome = match skip {
            Some(_) => prints(&mut command, SKIP)?,
            None => check(&mut command, &paths::root().join(&name))?,
        };
        match (outcome, skip) {
            (None, Some((_, why))) => {
                println!("skip  {name}: {why}");
                let note = format!("{name} does not apply and skips itself: {why}");
                report.notes.push(note);
            }
            (None, None) => {
                println!("pass  {name}");
                report.passed += 1;
            }
            (Some(failure), _) => {
                println!("FAIL  {name}: {failure}");
                let first = failure.lines().next().unwrap_or_default();
                report.failures.push(format!("{name}: {first}"));
            }
        }
    }
    Ok(report)
}

/// The names, without `.py`, of the scripts in `folder`, in order. A folder that is not there has none.
fn scripts(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if folder.is_dir() {
        for entry in folder.read_dir()? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            names.extend(name.strip_suffix(".py").map(str::to_owned));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Runs `command`, which is a script, and compares its output with the expected one; returns the fault, if there is one.
fn check(command: &mut Command, script: &Path) -> Result<Option<String>> {
    let mut beside = script.as_os_str().to_owned();
    beside.push(".exp");
    let expected = fs::read_to_string(&beside).ok();
    let expected = match expected {
        None => promised(&fs::read_to_string(script)?),
        beside => beside,
    };
    let Some(expected) = expected else {
        let printed = process::transcript(command, Some(LIMIT))?.text();
        return Ok(Some(format!(
            "{} is missing\nit printed:\n{printed}",
            Path::new(&beside).display()
        )));
    };
    prints(command, &expected)
}

/// The expected output in a script's own first string.
fn promised(script: &str) -> Option<String> {
    let (documentation, _) = script.strip_prefix("\"\"\"")?.split_once("\"\"\"")?;
    let (_, printed) = documentation.split_once(IT_PRINTS)?;
    let lines = printed.lines().map(|line| line.strip_prefix("    "));
    let lines: Option<Vec<&str>> = lines.collect();
    Some(lines?.join("\n") + "\n")
}

/// Runs `command`, which must print `expected`; returns the fault, if there is one.
fn prints(command: &mut Command, expected: &str) -> Result<Option<String>> {
    let transcript = process::transcript(command, Some(LIMIT))?;
    let printed = transcript.text().replace("\r\n", "\n");
    if !transcript.success() {
        return Ok(Some(format!(
            "{}\nit printed:\n{printed}",
            transcript.ending()
        )));
    }
    Ok(difference(expected, &printed))
}

/// The first difference of two texts, in words, with the last lines that they have in common.
fn difference(expected: &str, printed: &str) -> Option<String> {
    if expected == printed {
        return None;
    }
    let wanted: Vec<&str> = expected.split('\n').collect();
    let got: Vec<&str> = printed.split('\n').collect();
    let common = wanted
        .iter()
        .zip(&got)
        .take_while(|(wanted, got)| wanted == got);
    let common = common.count();
    Some(format!(
        "line {}: wanted {:?}, got {:?}\nbefore that it printed:\n{}",
        common + 1,
        wanted.get(common),
        got.get(common),
        got[common.saturating_sub(CONTEXT)..common].join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_names_the_first_line_that_differs() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let found = difference("a\nb\n", "a\nc\n").expect("they differ");
        assert!(
            found.starts_with("line 2: wanted Some(\"b\"), got Some(\"c\")"),
            "{found}"
        );
        let found = difference("a\n", "a").expect("a line end is missing");
        assert!(
            found.starts_with("line 2: wanted Some(\"\"), got None"),
            "{found}"
        );
    }

    #[test]
    fn what_a_script_promises_is_the_indented_end_of_its_first_string() {
        let script = "\"\"\"Does it.\n\nIt prints:\n\n    a\n      b\n\"\"\"\nprint()\n";
        assert_eq!(promised(script).as_deref(), Some("a\n  b\n"));
        assert_eq!(promised("# nothing\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn script_that_skips_itself_prints_that_and_nothing_else() {
        let skips = |text: &str| {
            let printed = prints(Command::new("printf").arg(text), SKIP);
            printed.expect("printf runs").is_none()
        };
        assert!(skips("SKIP\r\n"));
        assert!(!skips("SKIP\nmore\n"));
    }
}
