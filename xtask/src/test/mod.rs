//! `cargo xtask test`: the list of steps, and the closing table.

mod cargo;
mod cli;
mod cmake;
mod configurations;
mod conformance;
mod counts;
mod declarations;
mod dist;
mod docs;
mod drop_in;
mod hardened;
mod house;
mod installed;
mod interface;
mod jitdump;
mod manifests;
mod messages;
mod needs;
mod older;
mod packaged;
mod programs;
mod safety;
mod scripts;
mod soak;
mod suite;
mod systems;
mod unchanged;
mod unwinding;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::paths;
use crate::setup;
use crate::target::Target;

/// The choice of steps.
#[derive(clap::Args)]
pub struct Args {
    /// Run this step only; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Run for this target only.
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// List the steps and run nothing.
    #[arg(long)]
    list: bool,
    /// Record the numbers of the step counts as the right ones from now on.
    #[arg(long)]
    bless: bool,
}

/// One line of the closing table.
struct Step {
    name: &'static str,
    about: &'static str,
    body: Body,
    /// A step of the same target whose failure leaves this one nothing to test.
    after: Option<&'static str>,
    /// Whether it applies only to targets that have a stock module to compare with.
    where_stock: bool,
    /// The targets that it applies to; all if there are none.
    on: &'static [Target],
}

enum Body {
    /// Runs once.
    Once(fn() -> Result<Report>),
    /// Runs for each target.
    EachTarget(fn(Target) -> Result<Report>),
}

/// The findings of a step. An error instead of a report means that the step could not run.
#[derive(Default)]
struct Report {
    passed: usize,
    /// A name and a few words for each failure.
    failures: Vec<String>,
    /// Further notes: left out and flaky tests.
    notes: Vec<String>,
}

const STEPS: &[Step] = &[
    Step::once("fmt", "the Rust source is formatted", cargo::fmt),
    Step::once(
        "house",
        "no circle of imports, and each crate imports only what it may",
        house::house,
    ),
    Step::each("clippy", "clippy has no complaint", cargo::clippy),
    Step::each("rust", "Rust's tests", cargo::test),
    Step::each(
        "conformance",
        "C compilers agree with us in every convention",
        conformance::compare,
    ),
    Step::each(
        "sabotage",
        "the comparison with C compilers notices what is wrong",
        conformance::sabotage,
    )
    .on(&[Target::Aarch64Linux]),
    Step::each(
        "declarations",
        "C compilers agree with what is read of C declarations",
        declarations::declarations,
    ),
    Step::once(
        "rust-release",
        "farcall's tests, optimised",
        cargo::test_release,
    ),
    Step::once(
        "posix",
        "farcall's tests, by what all Unix systems have",
        systems::posix,
    ),
    Step::once("musl", "farcall's tests, on musl", systems::musl),
    Step::once(
        "systems",
        "the libraries build for systems that nothing here runs",
        systems::build,
    ),
    Step::once(
        "rustdoc",
        "the documentation builds without a warning",
        cargo::doc,
    ),
    Step::each(
        "build",
        "MicroPython builds with our module",
        programs::build,
    ),
    Step::each(
        "no-libffi",
        "the program has nothing of libffi",
        programs::no_libffi,
    )
    .after("build"),
    Step::each(
        "stock",
        "MicroPython builds with its own module",
        programs::stock,
    )
    .where_stock(),
    Step::each("ffi", "MicroPython's own tests of ffi", suite::ffi).after("build"),
    Step::each(
        "libffi-suite",
        "libffi's own tests pass on our libffi",
        drop_in::suite,
    ),
    Step::each(
        "libffi",
        "our libffi does what programs rely on",
        drop_in::programs,
    ),
    Step::each(
        "packaged",
        "the files of our libffi are what a distribution wants them to be",
        packaged::files,
    ),
    Step::once("dist", "the packages work without Rust", dist::packages),
    Step::each(
        "interface",
        "the linker and the compiler see in our libffi what is in others",
        interface::compare,
    )
    .on(&[Target::X86_64Linux]),
    Step::each(
        "unchanged",
        "programs run on our libffi as on the system's",
        unchanged::programs,
    )
    .on(&[Target::X86_64Linux]),
    Step::each(
        "suite",
        "MicroPython's test suite, ours against stock",
        suite::whole,
    )
    .after("build")
    .where_stock(),
    Step::each(
        "examples",
        "examples/*.py print what they should",
        scripts::examples,
    )
    .after("build"),
    Step::each(
        "module",
        "tests/module/*.py print what they should",
        scripts::module,
    )
    .after("build"),
    Step::once(
        "cli",
        "the program farcall prints what it should, and its modules run",
        cli::cli,
    ),
    Step::each(
        "hardened",
        "all of it works where the system refuses executable memory",
        hardened::hardened,
    )
    .after("build"),
    Step::once(
        "representation",
        "the module's tests pass with another representation of objects",
        scripts::representation,
    ),
    Step::each(
        "older",
        "the older release of MicroPython builds and passes as much",
        older::all,
    )
    .on(&[Target::X86_64Linux]),
    Step::once(
        "configurations",
        "the module works in MicroPython's other configurations, or says why not",
        configurations::configurations,
    ),
    Step::once(
        "soak",
        "nothing hangs, crashes or goes wrong that only does so now and then",
        soak::short,
    ),
    Step::once(
        "counts",
        "calls and callbacks take as many instructions as they did",
        counts::counts,
    ),
    Step::once(
        "docs",
        "the commands and scripts in the documentation run",
        docs::blocks,
    ),
];

impl Step {
    const fn once(name: &'static str, about: &'static str, body: fn() -> Result<Report>) -> Self {
        Step {
            name,
            about,
            body: Body::Once(body),
            after: None,
            where_stock: false,
            on: &[],
        }
    }

    const fn each(
        name: &'static str,
        about: &'static str,
        body: fn(Target) -> Result<Report>,
    ) -> Self {
        Step {
            name,
            about,
            body: Body::EachTarget(body),
            after: None,
            where_stock: false,
            on: &[],
        }
    }

    const fn after(mut self, step: &'static str) -> Self {
        self.after = Some(step);
        self
    }

    const fn where_stock(mut self) -> Self {
        self.where_stock = true;
        self
    }

    const fn on(mut self, targets: &'static [Target]) -> Self {
        self.on = targets;
        self
    }

    fn applies_to(&self, target: Target) -> bool {
        let is_chosen = self.on.is_empty() || self.on.contains(&target);
        is_chosen && (target.spec().stock_needs.is_some() || !self.where_stock)
    }
}

impl Report {
    /// The report of a step that is a single test.
    fn single(passed: bool, failure: impl Into<String>) -> Self {
        let mut report = Report::default();
        report.add(passed, failure);
        report
    }

    fn add(&mut self, passed: bool, failure: impl Into<String>) {
        if passed {
            self.passed += 1;
        } else {
            self.failures.push(failure.into());
        }
    }

    /// Adds another report, whose lines are about `what`.
    fn join(&mut self, what: &str, other: Report) {
        let named = |line: String| format!("{what}: {line}");
        self.passed += other.passed;
        self.failures.extend(other.failures.into_iter().map(named));
        self.notes.extend(other.notes.into_iter().map(named));
    }
}

/// A step that was run, for one target if it is of that kind.
struct Entry {
    step: &'static Step,
    target: Option<Target>,
    result: Result<Report>,
    seconds: u64,
}

impl Entry {
    fn title(&self) -> String {
        title(self.step, self.target)
    }

    fn passed(&self) -> usize {
        self.result.as_ref().map_or(0, |report| report.passed)
    }

    /// A step that could not run counts as one failure.
    fn failed(&self) -> usize {
        self.result
            .as_ref()
            .map_or(1, |report| report.failures.len())
    }
}

/// Runs the steps that `args` selects and prints their outcome.
pub fn run(args: &Args) -> Result<ExitCode> {
    let selected = select(&args.only)?;
    if args.list {
        for step in selected {
            println!("{:14} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    counts::BLESS.store(args.bless, std::sync::atomic::Ordering::Relaxed);
    let _lock = paths::lock("test")?;
    let targets = args
        .target
        .map_or(Target::ALL.to_vec(), |target| vec![target]);
    if args.only.is_empty() {
        set_up(&targets)?;
    }
    let mut entries: Vec<Entry> = Vec::new();
    for step in selected {
        match step.body {
            Body::Once(body) => entries.push(perform(step, None, &entries, body)),
            Body::EachTarget(body) => {
                for &target in targets.iter().filter(|target| step.applies_to(**target)) {
                    entries.push(perform(step, Some(target), &entries, || body(target)));
                }
            }
        }
    }
    let failed = summarise(&entries);
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Installs everything at once. A failure here occurs again in the steps that need the thing, and is reported there, unless installing was forbidden.
fn set_up(targets: &[Target]) -> Result<()> {
    let result = needs::of(targets).and_then(|needs| setup::ensure(&needs));
    match result {
        Err(error) if !setup::is_installation_forbidden() => println!("{error:#}"),
        other => other?,
    }
    Ok(())
}

fn select(only: &[String]) -> Result<Vec<&'static Step>> {
    for name in only {
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step {name}, only {}", names.join(", "));
        }
    }
    let wanted = |step: &&Step| only.is_empty() || only.iter().any(|name| name == step.name);
    Ok(STEPS.iter().filter(wanted).collect())
}

/// Runs `body` unless the step that it builds on has failed.
fn perform(
    step: &'static Step,
    target: Option<Target>,
    before: &[Entry],
    body: impl FnOnce() -> Result<Report>,
) -> Entry {
    println!("\n==== {}: {}", title(step, target), step.about);
    let start = Instant::now();
    let stands_on = |entry: &&Entry| Some(entry.step.name) == step.after && entry.target == target;
    let broken = before
        .iter()
        .find(stands_on)
        .is_some_and(|entry| entry.failed() > 0);
    let result = match step.after {
        Some(name) if broken => Err(anyhow::anyhow!("{name} failed")),
        _ => body(),
    };
    let entry = Entry {
        step,
        target,
        result,
        seconds: start.elapsed().as_secs(),
    };
    if let Err(error) = &entry.result {
        println!("{error:#}");
    }
    println!("{}", verdict(&entry));
    entry
}

fn title(step: &Step, target: Option<Target>) -> String {
    match target {
        Some(target) => format!("{} ({})", step.name, target.spec().triple),
        None => step.name.into(),
    }
}

/// Prints the closing table and, last, the failures and their sum. Returns the number of failures.
fn summarise(entries: &[Entry]) -> usize {
    println!("\n==== summary");
    for entry in entries {
        println!("{}", verdict(entry));
        if let Ok(report) = &entry.result {
            for note in &report.notes {
                println!("{:14}   note: {note}", "");
            }
        }
    }
    let passed: usize = entries.iter().map(Entry::passed).sum();
    let failed: usize = entries.iter().map(Entry::failed).sum();
    println!();
    for entry in entries.iter().filter(|entry| entry.failed() > 0) {
        println!("{}", verdict(entry));
        for failure in entry.result.iter().flat_map(|report| &report.failures) {
            println!("{:14}   failed: {failure}", "");
        }
    }
    println!("{passed} passed, {failed} failed");
    failed
}

fn first_line(error: &anyhow::Error) -> String {
    format!("{error:#}")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// An entry's line in the table.
fn verdict(entry: &Entry) -> String {
    let (word, details) = match &entry.result {
        Err(error) => ("could not run", first_line(error)),
        Ok(report) => {
            let word = if report.failures.is_empty() {
                "passed"
            } else {
                "FAILED"
            };
            let counts = format!("{} passed, {} failed", report.passed, report.failures.len());
            (word, counts)
        }
    };
    format!(
        "{word:14} {:40} {details} ({} s)",
        entry.title(),
        entry.seconds
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparison_with_stock_runs_where_there_is_a_stock_module() {
        let step = |name: &str| STEPS.iter().find(|step| step.name == name);
        let (suite, ffi) = (step("suite").expect("a step"), step("ffi").expect("a step"));
        assert!(suite.applies_to(Target::X86_64Linux));
        assert!(!suite.applies_to(Target::X86_64Windows));
        assert!(ffi.applies_to(Target::X86_64Windows));
    }
}
