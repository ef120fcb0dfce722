//! Runs programs that were built with libffi: each must behave on our library as on the system's.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Report, suite};
use crate::libffi::drop_in;
use crate::micropython::{self, Module};
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};
use crate::target::Target;

/// The time limit, far more than any of them takes.
const LIMIT: Duration = Duration::from_secs(300);

/// An interpreter of the system's, with a script in `libffi/tests/programs/`.
struct Program {
    command: &'static [&'static str],
    script: &'static str,
}

const PROGRAMS: [Program; 4] = [
    Program {
        command: &[PYTHON],
        script: "ctypes_suite.py",
    },
    Program {
        command: &[PYTHON],
        script: "gobject.py",
    },
    Program {
        command: &["ruby"],
        script: "fiddle.rb",
    },
    Program {
        command: &["guile", "--no-auto-compile"],
        script: "foreign.scm",
    },
];

/// The system's Python, whatever else is on the PATH: its ctypes is linked with the shared libffi.
const PYTHON: &str = "/usr/bin/python3";

/// The script by which MicroPython shows which libffi it has loaded.
const MAPS: &str =
    "import ffi\nprint([line.split()[-1] for line in open('/proc/self/maps') if 'libffi' in line])";

pub const NEEDS: &[Need] = &[
    Need::new(Check::File(PYTHON), "python3"),
    Need::new(Check::Program("ruby"), "ruby"),
    Need::new(Check::Program("guile"), "guile-3.0"),
    Need::new(
        Check::File("/usr/lib/python3/dist-packages/gi/__init__.py"),
        "python3-gi",
    ),
];

pub fn programs(target: Target) -> Result<Report> {
    setup::ensure(NEEDS)?;
    setup::ensure(&[tests_of_ctypes()?])?;
    let libraries = drop_in::build(target)?.join("lib");
    let library = libraries.join(drop_in::library_name(target));
    let mut report = Report::default();
    for program in &PROGRAMS {
        let verdict = program.compare(&libraries, &library)?;
        report.add(verdict.is_ok(), verdict.err().unwrap_or_default());
    }
    let micropython = micropython::build_with(target, Module::Stock, Output::OnFailure)?;
    let mut maps = Command::new(micropython);
    maps.args(["-c", MAPS]).env("LD_LIBRARY_PATH", &libraries);
    let loaded = process::stdout(&mut maps)?;
    let is_ours = loaded.contains(&*library.to_string_lossy());
    report.add(is_ours, format!("MicroPython runs on {loaded}"));
    let tests = suite::stock_ffi(target, &libraries)?;
    report.passed += tests.passed;
    report.failures.extend(tests.failures);
    report.notes.extend(tests.notes);
    Ok(report)
}

/// The package of CPython's own tests, which is another for each version.
pub fn tests_of_ctypes() -> Result<Need> {
    let version = "import sys; print('%d.%d' % sys.version_info[:2])";
    let version = process::stdout(Command::new(PYTHON).args(["-c", version]))?;
    let version = version.trim();
    let (file, package) = (
        format!("/usr/lib/python{version}/test/test_grammar.py"),
        format!("libpython{version}-testsuite"),
    );
    // A need lives as long as the program.
    Ok(Need::new(Check::File(file.leak()), package.leak()))
}

impl Program {
    /// Checks that its output on our library is that on the system's, and that each run has loaded the right library.
    fn compare(&self, libraries: &Path, library: &Path) -> Result<Result<(), String>> {
        let (on_ours, loaded) = self.run(Some(libraries))?;
        let (on_theirs, other) = self.run(None)?;
        let ours = library.to_string_lossy();
        ensure!(
            loaded == ours && other != ours,
            "{} ran on {loaded} and on {other}, not on {ours} and another",
            self.script
        );
        let both = on_ours.lines().zip(on_theirs.lines());
        let first = both.into_iter().find(|(ours, theirs)| ours != theirs);
        Ok(match first {
            Some((ours, theirs)) => Err(format!("{}: {ours:?}, not {theirs:?}", self.script)),
            None if on_ours != on_theirs => Err(format!("{}: more or less lines", self.script)),
            None => Ok(()),
        })
    }

    /// Its output, and the libffi that it has loaded, by the last of its lines on stderr.
    fn run(&self, libraries: Option<&Path>) -> Result<(String, String)> {
        let script = paths::root()
            .join("libffi/tests/programs")
            .join(self.script);
        let mut command = Command::new("timeout");
        command
            .arg(LIMIT.as_secs().to_string())
            .args(self.command)
            .arg(script);
        if let Some(libraries) = libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let output = command.output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().rfind(|line| line.starts_with("libffi: "));
        let loaded =
            last.with_context(|| format!("{}: {}\n{words}", self.script, output.status))?;
        ensure!(
            output.status.success(),
            "{}: {}\n{words}",
            self.script,
            output.status
        );
        Ok((
            String::from_utf8_lossy(&output.stdout).into_owned(),
            loaded["libffi: ".len()..].to_owned(),
        ))
    }
}
