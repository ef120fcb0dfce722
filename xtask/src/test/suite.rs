//! MicroPython's own test suite: its tests of ffi must pass, and all others must have the same results as in the same interpreter with its
//! own module.
//!
//! Each interpreter runs a copy of the tests, because they write files beside themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Report;
use crate::micropython::{self, Module, Release};
use crate::paths;
use crate::process::{self, Output};
use crate::source;
use crate::target::Target;
use crate::wine;

/// The directory of the unix port's tests since MicroPython 1.24, and the one before. Libraries that the tests of ffi open and a target
/// lacks lie beside them: see c/libc.def.
const OF_THE_PORT: [&str; 2] = ["ports/unix", "unix"];
/// The time limit, far more than the whole suite takes.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// The command that starts MicroPython's test runner. One of the tests needs a limit on open files such as most systems have.
const RUNNER: &str =
    r#"ulimit -n 1024; exec python3 run-tests.py -j 1 --result-dir ../results "$@""#;
/// The options for the runner's default tests on Unix.
const STANDARD: &[&str] = &[];
/// The options for the directory of tests that it leaves out by default.
const THREADS: &[&str] = &["-d", "thread"];
/// The number of times that a test with different results is run again on both sides before it counts.
const SECOND_CHANCES: usize = 2;

/// Tests that fail by a race in MicroPython itself, with its own module as well, and the race. Each side crashes in a quarter to a half of
/// all runs, so it takes more runs to tell a worse side from bad luck.
const RACES: [(&str, &str); 1] = [(
    "thread/stress_recurse.py",
    "a new thread may read its stack's size before its maker takes the margin off",
)];
const SECOND_CHANCES_IN_A_RACE: usize = 12;

/// A module that a few tests import and the pinned source lacks, and the place where the test runner looks for it.
const UNITTEST: &str = include_str!("unittest.py");
const UNITTEST_DIR: &str = "lib/micropython-lib/python-stdlib/unittest";

/// The result of a test, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Verdict {
    Pass,
    Skip,
    Fail,
}

type Verdicts = BTreeMap<String, Verdict>;

/// An interpreter with a copy of the tests.
struct Suite {
    target: Target,
    program: PathBuf,
    tests: PathBuf,
    /// The directory in which it looks for shared libraries first, if any.
    libraries: Option<PathBuf>,
    _runner: Option<wine::Session>,
}

pub fn ffi(target: Target) -> Result<Report> {
    ffi_of(Release::Own, target)
}

pub fn ffi_of(release: Release, target: Target) -> Result<Report> {
    Suite::new(release, target, Module::Ours)?.ffi()
}

/// Runs the tests of ffi in the stock interpreter, on the drop-in libffi in `libraries`.
pub fn stock_ffi(target: Target, libraries: &Path) -> Result<Report> {
    let mut suite = Suite::new(Release::Own, target, Module::Stock)?;
    suite.libraries = Some(libraries.to_owned());
    suite.ffi()
}

pub fn whole(target: Target) -> Result<Report> {
    whole_of(Release::Own, target)
}

pub fn whole_of(release: Release, target: Target) -> Result<Report> {
    let ours = Suite::new(release, target, Module::Ours)?;
    let stock = Suite::new(release, target, Module::Stock)?;
    // The two start at different ends, so that tests which listen on a fixed port seldom meet themselves.
    let (ours_verdicts, stock_verdicts) = std::thread::scope(|scope| {
        let stock = scope.spawn(|| stock.all([THREADS, STANDARD]));
        let ours = ours.all([STANDARD, THREADS]);
        (ours, stock.join().expect("no panic in a test run"))
    });
    compare(&ours, &stock, &ours_verdicts?, &stock_verdicts?)
}

fn compare(ours: &Suite, stock: &Suite, left: &Verdicts, right: &Verdicts) -> Result<Report> {
    let mut report = Report::default();
    let mut tally: BTreeMap<(Verdict, Verdict), Vec<&str>> = BTreeMap::new();
    for (test, &stock_verdict) in right {
        let ours_verdict = left.get(test).copied().unwrap_or(Verdict::Fail);
        let alike = tally.entry((stock_verdict, ours_verdict)).or_default();
        alike.push(test);
        let words = format!("{test}: stock {stock_verdict:?}, ours {ours_verdict:?}");
        if ours_verdict == stock_verdict {
            report.passed += 1;
        } else if ours_verdict < stock_verdict {
            report.passed += 1;
            report.notes.push(format!("better than stock: {words}"));
        } else if let Some(round) = agree_later(ours, stock, test)? {
            report.passed += 1;
            report.notes.push(format!(
                "flaky: {words}; as stock when tried again (try {round})"
            ));
        } else {
            report.failures.push(words);
        }
    }
    for test in left.keys().filter(|test| !right.contains_key(*test)) {
        report.failures.push(format!("{test}: not run by stock"));
    }
    for ((stock, ours), tests) in tally {
        let names = match (stock, ours) {
            (Verdict::Fail, _) => format!(": {}", tests.join(" ")),
            _ => String::new(),
        };
        let count = tests.len();
        let line = format!("{count} tests: stock {stock:?}, ours {ours:?}{names}");
        report.notes.push(line);
    }
    Ok(report)
}

/// Runs `test` alone on both, a few times; returns the round in which ours is as good as stock, if any.
fn agree_later(ours: &Suite, stock: &Suite, test: &str) -> Result<Option<usize>> {
    for round in 1..=second_chances(test) {
        let [left, right] = [ours.run(&[test])?, stock.run(&[test])?];
        if left.get(test) <= right.get(test) {
            return Ok(Some(round));
        }
    }
    Ok(None)
}

fn second_chances(test: &str) -> usize {
    match RACES.iter().find(|(name, _)| *name == test) {
        Some((_, race)) => {
            println!("{test}: {race}");
            SECOND_CHANCES_IN_A_RACE
        }
        None => SECOND_CHANCES,
    }
}

impl Suite {
    /// Builds the interpreter and copies the tests, with the library that the tests of ffi open.
    fn new(release: Release, target: Target, module: Module) -> Result<Self> {
        let program = micropython::build_release(release, target, module, Output::OnFailure)?;
        let source = source::place(release.pin())?;
        let name = match module {
            Module::Ours => "ours",
            Module::OursOtherObjects => "repr-b",
            Module::Stock => "stock",
            Module::StockNewest => "stock-newest",
        };
        let spec = target.spec();
        let copy = release.top()?.join("tests").join(spec.triple).join(name);
        let copy = paths::emptied(copy)?;
        let mut cp = Command::new("cp");
        cp.arg("-R")
            .args(["tests", "extmod", "tools"].map(|part| source.dir.join(part)))
            .arg(&copy);
        process::run(&mut cp, Output::OnFailure)?;
        let unittest = paths::made(copy.join(UNITTEST_DIR))?;
        fs::write(unittest.join("unittest.py"), UNITTEST)?;
        let tests = copy.join("tests");
        // The test that opens it knows it by this name on every system.
        let port = tests.join(of_the_port(&tests));
        target.compile_library(&port.join("ffi_lib.so"), &[port.join("ffi_lib.c")], &[])?;
        if let Some((name, source)) = spec.libc_stand_in {
            let source = paths::root().join("xtask/c").join(source);
            target.compile_library(&port.join(name), &[source], &[])?;
        }
        Ok(Suite {
            target,
            program,
            tests,
            libraries: None,
            _runner: target.start_runner()?,
        })
    }

    /// Runs the tests of ffi: each must pass, except those that do not apply to the target.
    fn ffi(&self) -> Result<Report> {
        let mut files = Vec::new();
        let port = of_the_port(&self.tests);
        for entry in self.tests.join(port).read_dir()? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with("ffi_") && name.ends_with(".py") {
                files.push(format!("{port}/{name}"));
            }
        }
        let args: Vec<&str> = files.iter().map(String::as_str).collect();
        let verdicts = self.run(&args)?;
        let skips = self.target.spec().ffi_skips;
        let mut report = Report::default();
        for file in &files {
            let verdict = verdicts.get(file);
            let is_known = skips
                .iter()
                .any(|skip| Path::new(skip).file_name() == Path::new(file).file_name());
            if verdict == Some(&Verdict::Skip) && is_known {
                let note = format!("{file} does not apply and skips itself");
                report.notes.push(note);
            } else {
                let passed = verdict == Some(&Verdict::Pass);
                report.add(passed, format!("{file}: {verdict:?}"));
            }
        }
        Ok(report)
    }

    /// The verdicts on all tests, those of threads included.
    fn all(&self, parts: [&[&str]; 2]) -> Result<Verdicts> {
        let mut verdicts = self.run(parts[0])?;
        verdicts.extend(self.run(parts[1])?);
        Ok(verdicts)
    }

    /// Runs MicroPython's test runner. One test at a time: the lines of several at once can get mixed up, and the
    /// other interpreter's run keeps the second core busy.
    fn run(&self, args: &[&str]) -> Result<Verdicts> {
        let launcher = self.target.launcher(&self.program)?;
        let environment = self
            .target
            .environment(&[self.tests.join(of_the_port(&self.tests))])?;
        let mut runner = Command::new("sh");
        runner
            .args(["-c", RUNNER, "sh"])
            .args(args)
            .current_dir(&self.tests)
            .envs(environment)
            .env("MICROPY_MICROPYTHON", launcher);
        if let Some(libraries) = &self.libraries {
            runner.env("LD_LIBRARY_PATH", libraries);
        }
        let transcript = process::transcript(&mut runner, Some(LIMIT))?;
        let text = transcript.text();
        let verdicts = verdicts(&text);
        // The runner fails if a test fails, but it always gets as far as its closing lines.
        let performed = performed(&text);
        let done = verdicts
            .values()
            .filter(|&&verdict| verdict != Verdict::Skip);
        let done = done.count();
        ensure!(
            performed == Some(done),
            "run-tests.py said {performed:?}, counted {done}, {}:\n{text}",
            transcript.ending()
        );
        Ok(verdicts)
    }
}

/// The directory of the unix port's tests among these.
fn of_the_port(tests: &Path) -> &'static str {
    let found = OF_THE_PORT.iter().find(|dir| tests.join(dir).is_dir());
    found.unwrap_or(&OF_THE_PORT[0])
}

/// Reads the runner's lines, such as `pass  basics/0prelim.py`.
fn verdicts(text: &str) -> Verdicts {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let verdict = match words.next()? {
            "pass" => Verdict::Pass,
            "skip" => Verdict::Skip,
            "FAIL" => Verdict::Fail,
            _ => return None,
        };
        Some((words.next()?.to_owned(), verdict))
    });
    lines.collect()
}

/// The number in `12 tests performed (34 individual testcases)`.
fn performed(text: &str) -> Option<usize> {
    let line = text
        .lines()
        .find(|line| line.contains(" tests performed ("))?;
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_race_gets_more_chances() {
        let [(racing, _)] = RACES;
        assert!(second_chances(racing) > second_chances("thread/stress_create.py"));
    }

    #[test]
    fn verdicts_of_a_run_are_read_line_by_line() {
        let text = "platform=linux\npass  a/b.py \nFAIL  c.py (unittest: 3 ran)\nskip  d.py\n\
                    2 tests performed (7 individual testcases)\n1 tests passed\n";
        let found: Vec<_> = verdicts(text).into_iter().collect();
        let expected = [
            ("a/b.py", Verdict::Pass),
            ("c.py", Verdict::Fail),
            ("d.py", Verdict::Skip),
        ];
        assert_eq!(
            found,
            expected.map(|(name, verdict)| (name.to_owned(), verdict))
        );
        assert_eq!(performed(text), Some(2));
    }
}
