//! libffi's own test suite, on our headers and library.
//!
//! The suite is made for DejaGnu. This file does the work of its driver files: each program of `testsuite/libffi.*/` is compiled at each
//! optimisation level, on x86-64 once more with the Microsoft convention if the program can be compiled for it, and must compile without
//! warnings, exit with 0, and print the text of its `dg-output` comments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{drop_in, source};
use crate::paths;
use crate::process;
use crate::setup;
use crate::target::{Runner, Target};

/// The choice of tests.
#[derive(clap::Args)]
pub struct Args {
    /// The target to build and run for.
    #[arg(long, value_enum, default_value_t = Target::default())]
    target: Target,
    /// Run only the tests whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// Show the output of failing tests.
    #[arg(long)]
    verbose: bool,
    /// Test another libffi, installed below this directory.
    #[arg(long)]
    prefix: Option<PathBuf>,
}

/// The optimisation levels of the suite's driver.
const LEVELS: [&str; 2] = ["-O0", "-O2"];

/// The options that its driver passes to gcc.
const COMMON: [&str; 4] = ["-W", "-Wall", "-Wno-psabi", "-fno-diagnostics-color"];

/// Further options for the programs of `libffi.bhaible`.
const BHAIBLE: [&str; 4] = [
    "-Wno-unused-variable",
    "-Wno-unused-parameter",
    "-Wno-unused-but-set-variable",
    "-Wno-uninitialized",
];

/// The programs of `libffi.bhaible` hold many tests each, numbered from 1.
const BHAIBLE_TESTS: [(&str, u32); 2] = [("test-call.c", 81), ("test-callback.c", 80)];

/// The options of the suite's driver for the Microsoft convention on x86-64.
const MICROSOFT: [&str; 2] = ["-DABI_NUM=FFI_GNUW64", "-DABI_ATTR=__MSABI__"];

/// The part of libffi's configuration header that the tests use. A closure's function pointer is not its memory.
const CONFIG: &str = "\
#define HAVE_STDINT_H 1
#define HAVE_INTTYPES_H 1
#define FFI_EXEC_STATIC_TRAMP 1
#ifdef _WIN32
#define FFI_HIDDEN
#else
#define HAVE_MMAP_ANON 1
#define FFI_HIDDEN __attribute__((visibility(\"hidden\")))
#endif
";

/// Each program runs with code made for every signature, and with none: see `src/code.rs`. It passes if it does both times.
pub const WITH_CODE: [&str; 2] = ["always", "never"];

/// The variable that selects this.
pub const CODE: &str = "FARCALL_CODE";

/// The time that a test may run. QEMU and Wine are slow.
const LIMIT: Duration = Duration::from_secs(300);

/// One program with one set of options.
struct Case {
    name: String,
    source: PathBuf,
    options: Vec<String>,
    /// The text that it must print.
    output: Option<String>,
}

/// The outcome of the checks of one case, or of all.
#[derive(Default)]
pub struct Outcome {
    /// The number of checks that passed.
    pub passed: usize,
    /// The failed checks, each with what was seen.
    pub failed: Vec<(String, String)>,
    /// Programs that are not for this target.
    pub unsupported: Vec<String>,
    /// Programs that ended without output in Wine and were run again: Wine fails to start one in some thousands.
    pub repeated: Vec<String>,
}

impl Outcome {
    fn check(&mut self, name: String, is_met: bool, seen: &str) {
        if is_met {
            self.passed += 1;
        } else {
            self.failed.push((name, seen.to_owned()));
        }
    }

    fn add(&mut self, other: Outcome) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.unsupported.extend(other.unsupported);
        self.repeated.extend(other.repeated);
    }
}

/// Runs the suite and prints the outcome.
pub fn run(args: &Args) -> Result<ExitCode> {
    let prefix = match &args.prefix {
        Some(prefix) => prefix.clone(),
        None => drop_in::build(args.target)?,
    };
    let outcome = outcome(args.target, &prefix, args.only.as_deref())?;
    for (name, seen) in &outcome.failed {
        println!("FAIL: {name}");
        if args.verbose {
            for line in seen.lines() {
                println!("      {line}");
            }
        }
    }
    for name in &outcome.unsupported {
        println!("UNSUPPORTED: {name}");
    }
    for name in &outcome.repeated {
        println!("RUN AGAIN: {name}");
    }
    println!(
        "{} passed, {} failed, {} unsupported",
        outcome.passed,
        outcome.failed.len(),
        outcome.unsupported.len()
    );
    Ok(if outcome.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the tests whose names contain `only` on the libffi installed below `prefix`.
pub fn outcome(target: Target, prefix: &Path, only: Option<&str>) -> Result<Outcome> {
    let suite = Suite::new(target, prefix)?;
    let (mut cases, unsupported) = suite.cases()?;
    cases.retain(|case| only.is_none_or(|only| case.name.contains(only)));
    ensure!(!cases.is_empty(), "no test has such a name");
    let _runner = target.start_runner()?;
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Outcome {
        unsupported,
        ..Outcome::default()
    });
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = &|worker: usize| -> Result<()> {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = suite.run(case, worker)?;
            total.lock().expect("no worker panics").add(outcome);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        started
            .into_iter()
            .try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    let mut total = total.into_inner().expect("no worker panicked");
    total.failed.sort();
    Ok(total)
}

struct Suite {
    target: Target,
    prefix: PathBuf,
    tests: PathBuf,
    work: PathBuf,
}

impl Suite {
    fn new(target: Target, prefix: &Path) -> Result<Suite> {
        setup::ensure(setup::CPLUSPLUS)?;
        let tree = source()?;
        let work = paths::libffi(target.spec().triple).join("suite");
        let work = paths::made(work)?;
        fs::write(work.join("fficonfig.h"), CONFIG)?;
        Ok(Suite {
            target,
            prefix: prefix.to_owned(),
            tests: tree.join("testsuite"),
            work,
        })
    }

    /// All cases, and the programs that are not for this target.
    fn cases(&self) -> Result<(Vec<Case>, Vec<String>)> {
        let mut cases = Vec::new();
        let mut unsupported = Vec::new();
        for directory in sorted(&self.tests)? {
            let group = file_name(&directory);
            if !group.starts_with("libffi.") {
                continue;
            }
            for source in sorted(&directory)? {
                let name = format!("{group}/{}", file_name(&source));
                let is_program = source.extension().is_some_and(|it| it == "c" || it == "cc");
                if !is_program {
                    continue;
                }
                if self.has(&group)? {
                    self.add_cases(&group, &name, &source, &mut cases)?;
                } else {
                    unsupported.push(name);
                }
            }
        }
        Ok((cases, unsupported))
    }

    /// Whether the target has the feature that a group of tests is about, by the header.
    fn has(&self, group: &str) -> Result<bool> {
        let condition = match group {
            "libffi.complex" => "FFI_TARGET_HAS_COMPLEX_TYPE",
            "libffi.go" => "FFI_GO_CLOSURES",
            "libffi.vector" => "FFI_TARGET_HAS_VECTOR_TYPE",
            _ => return Ok(true),
        };
        let probe = self.work.join("probe.c");
        fs::write(
            &probe,
            format!("#include <ffi.h>\n#ifndef {condition}\n#error none\n#endif\n"),
        )?;
        let mut cc = Command::new(self.target.spec().cc);
        cc.arg("-fsyntax-only").args(self.includes()).arg(&probe);
        Ok(process::succeeds(&mut cc))
    }

    fn includes(&self) -> [String; 3] {
        let include = |path: &Path| format!("-I{}", path.display());
        [
            include(&self.prefix.join("include")),
            include(&self.work),
            include(&self.tests.join("../include")),
        ]
    }

    fn add_cases(
        &self,
        group: &str,
        name: &str,
        source: &Path,
        cases: &mut Vec<Case>,
    ) -> Result<()> {
        let text = fs::read_to_string(source)
            .with_context(|| format!("cannot read {}", source.display()))?;
        let numbers: Vec<Vec<String>> = if group == "libffi.bhaible" {
            let known = BHAIBLE_TESTS.iter().find(|(file, _)| name.ends_with(file));
            let Some((_, count)) = known else {
                return Ok(());
            };
            let warnings = BHAIBLE.map(String::from);
            (1..=*count)
                .map(|number| [&[format!("-DDGTEST={number}")], &warnings[..]].concat())
                .collect()
        } else {
            vec![Vec::new()]
        };
        let is_x64_linux = self.target == Target::X86_64Linux;
        let abis: &[&[&str]] = if is_x64_linux && text.contains("ABI_NUM") {
            &[&[], &MICROSOFT]
        } else {
            &[&[]]
        };
        let output = expected_output(&text);
        for number in &numbers {
            for level in LEVELS {
                for abi in abis {
                    let options: Vec<String> = COMMON
                        .map(String::from)
                        .into_iter()
                        .chain(number.iter().cloned())
                        .chain([level.to_owned()])
                        .chain(abi.iter().map(|it| (*it).to_owned()))
                        .collect();
                    let shown = options[COMMON.len()..]
                        .iter()
                        .filter(|option| !option.starts_with("-Wno"));
                    let shown: Vec<&str> = shown.map(String::as_str).collect();
                    cases.push(Case {
                        name: format!("{name} {}", shown.join(" ")),
                        source: source.to_owned(),
                        options,
                        output: output.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Compiles and runs one case; `worker` tells its files from those of others at the same time.
    fn run(&self, case: &Case, worker: usize) -> Result<Outcome> {
        let spec = self.target.spec();
        let is_cplusplus = case.source.extension().is_some_and(|it| it == "cc");
        let compiler = if is_cplusplus {
            spec.cc.replace("gcc", "g++")
        } else {
            spec.cc.to_owned()
        };
        let program = self.work.join(format!("test-{worker}.exe"));
        let mut cc = Command::new(compiler);
        cc.arg(&case.source)
            .args(&case.options)
            .args(self.includes())
            .args(drop_in::link_options(self.target, &self.prefix))
            .arg("-o")
            .arg(&program)
            .env("LC_ALL", "C");
        let compiled = process::transcript(&mut cc, None)?;
        let said = compiled.text();
        let mut outcome = Outcome::default();
        let clean = compiled.success() && said.is_empty();
        outcome.check(format!("{} (compilation)", case.name), clean, &said);
        if !compiled.success() {
            return Ok(outcome);
        }
        let (mut success, mut is_met, mut seen) = (true, true, String::new());
        for with_code in WITH_CODE {
            let mut command = self.command(&program)?;
            command.env(CODE, with_code);
            let mut ran = process::transcript(&mut command, Some(LIMIT))?;
            let in_wine = matches!(spec.runner, Runner::Wine);
            if in_wine && !ran.success() && ran.output.is_empty() {
                outcome.repeated.push(case.name.clone());
                ran = process::transcript(&mut command, Some(LIMIT))?;
            }
            let printed = ran.text().replace("\r\n", "\n");
            seen.push_str(&format!(
                "{CODE}={with_code}: {}\n{printed}\n",
                ran.ending()
            ));
            success &= ran.success();
            let expected = case.output.as_deref().unwrap_or_default();
            is_met &= printed.contains(expected);
        }
        outcome.check(format!("{} (execution)", case.name), success, &seen);
        if case.output.is_some() {
            outcome.check(format!("{} (output)", case.name), is_met, &seen);
        }
        Ok(outcome)
    }

    fn command(&self, program: &Path) -> Result<Command> {
        drop_in::command(self.target, &self.prefix, program)
    }
}

/// The output that a program's comments state. Each is a Tcl string with a regular expression, but none uses more of that syntax than a
/// backslash and the dot.
fn expected_output(text: &str) -> Option<String> {
    let mut expected = String::new();
    for (start, marker) in text.match_indices("dg-output \"") {
        let rest = &text[start + marker.len()..];
        let end = rest.find('"')?;
        expected.push_str(&rest[..end].replace("\\n", "\n").replace('\\', ""));
    }
    (!expected.is_empty()).then_some(expected)
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = directory
        .read_dir()
        .with_context(|| format!("cannot read {}", directory.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_several_comments_is_one_text() {
        let text = "/* { dg-output \"1 2: 3\" } */\n/* { dg-output \"\\nres: 3\" } */";
        assert_eq!(expected_output(text).as_deref(), Some("1 2: 3\nres: 3"));
        assert_eq!(
            expected_output("/* { dg-output \"\" { xfail * } } */"),
            None
        );
    }
}
