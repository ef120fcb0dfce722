//! Compares the instructions of the main paths with `benches/counts.txt`. Counts do not depend on a machine's other work.
//!
//! Callgrind counts a program that does one thing n times, and then 2n times: the difference is the cost of n times, without the start-up.
//! Only our own instructions count, by the object they belong to: those of the C library, of the loops and of the called functions differ
//! between machines. Emitted code is the same everywhere, and its counts must be exact; counts of compiled code are compared only where the
//! compilers are those named in the file. (The crates for callgrind count a Rust function with all that it calls, the C library included,
//! and compare with the run before, on the same machine.)

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use super::Report;
use crate::bench::harness;
use crate::micropython::{self, Module};
use crate::paths;
use crate::process::{self, Output};
use crate::setup;
use crate::target::Target;

/// Whether to write the file instead of comparing with it.
pub static BLESS: AtomicBool = AtomicBool::new(false);

/// The number of repetitions in the shorter run: more than a signature's uses before it gets code.
const TIMES: u64 = 1000;

/// The same for scripts, whose signatures get code later.
const SCRIPTED_TIMES: u64 = 2000;

/// The difference that compiled code may have, in percent.
const TOLERANCE: f64 = 3.0;

/// The same for a whole script, most of which is MicroPython's own code.
const WHOLE_TOLERANCE: f64 = 1.0;

/// Callgrind's name for code that belongs to no file: the generated code.
const EMITTED: &str = "???";

/// One line of the file.
struct Work {
    name: &'static str,
    /// Whether a MicroPython script does it, not the benchmarks' harness.
    scripted: bool,
    /// Whether only emitted code counts. Otherwise the program's own counts, too.
    emitted: bool,
    /// Whether it is a whole script, as a multiple of the same with MicroPython's own module: all instructions of its process count, the
    /// loader's included.
    whole: bool,
}

const fn emitted(name: &'static str) -> Work {
    Work {
        name,
        scripted: false,
        emitted: true,
        whole: false,
    }
}

const fn compiled(name: &'static str) -> Work {
    Work {
        name,
        scripted: false,
        emitted: false,
        whole: false,
    }
}

const fn scripted(name: &'static str) -> Work {
    Work {
        name,
        scripted: true,
        emitted: false,
        whole: false,
    }
}

const fn whole(name: &'static str) -> Work {
    Work {
        whole: true,
        ..scripted(name)
    }
}

/// Every line of the file. The harness, or the script, knows each by its name.
const WORK: [Work; 19] = [
    emitted("trampoline/none"),
    emitted("trampoline/add2"),
    emitted("trampoline/mixed8"),
    emitted("trampoline/mixed20"),
    emitted("callback/add2"),
    emitted("callback/mixed8"),
    compiled("call_slots"),
    compiled("call"),
    compiled("call/mixed8"),
    compiled("values"),
    compiled("new"),
    compiled("made"),
    compiled("seen"),
    scripted("micropython/call"),
    scripted("micropython/callback"),
    scripted("micropython/new"),
    whole("whole1/1"),
    whole("whole20/20"),
    whole("whole1/1000"),
];

/// The step.
pub fn counts() -> Result<Report> {
    setup::ensure(setup::VALGRIND)?;
    let file = paths::root().join("benches/counts.txt");
    // The objects by callgrind's names: with links resolved.
    let named =
        |path: PathBuf| -> Result<String> { Ok(fs::canonicalize(path)?.display().to_string()) };
    let programs = Programs {
        library: named(harness::cases_library()?)?,
        harness: named(harness::program()?)?,
        micropython: named(micropython::build(Target::default(), Output::OnFailure)?)?,
        stock: micropython::build_with(Target::default(), Module::Stock, Output::OnFailure)?,
    };
    let mut counted = Vec::new();
    for work in &WORK {
        let count = programs.count(work)?;
        println!("{:24} {count}", work.name);
        counted.push(count);
    }
    let compilers = compilers()?;
    if BLESS.load(Ordering::Relaxed) {
        fs::write(&file, text(&counted, &compilers))?;
    }
    let known = fs::read_to_string(&file).context("cannot read benches/counts.txt")?;
    compare(&counted, &compilers, &known)
}

struct Programs {
    library: String,
    harness: String,
    micropython: String,
    stock: PathBuf,
}

impl Programs {
    /// The instructions of one piece of work.
    fn count(&self, work: &Work) -> Result<f64> {
        if work.whole {
            return self.beside_stock(work.name);
        }
        let times = if work.scripted { SCRIPTED_TIMES } else { TIMES };
        let [once, twice] = [times, 2 * times].map(|times| self.run(work, times));
        let (once, twice) = (once?, twice?);
        let program = if work.scripted {
            &self.micropython
        } else {
            &self.harness
        };
        let counts = |object: &str| {
            let of = |run: &HashMap<String, u64>| run.get(object).copied().unwrap_or(0) as f64;
            (of(&twice) - of(&once)) / times as f64
        };
        let own = if work.emitted { 0.0 } else { counts(program) };
        Ok(counts(EMITTED) + own)
    }

    /// All instructions of a script, named with the number of its calls, as a multiple of the same with MicroPython's own module.
    fn beside_stock(&self, name: &str) -> Result<f64> {
        let (script, calls) = name.split_once('/').context("a number of calls")?;
        let script = paths::root().join(format!("benches/peers/scripts/{script}.py"));
        let all = |program: &Path| -> Result<f64> {
            let (mut valgrind, out) = callgrind()?;
            valgrind.arg(program).arg(&script).arg(calls);
            process::run(&mut valgrind, Output::OnFailure)?;
            let counts = by_object(&fs::read_to_string(&out)?)?;
            Ok(counts.values().sum::<u64>() as f64)
        };
        let ratio = all(Path::new(&self.micropython))? / all(&self.stock)?;
        Ok((ratio * 1000.0).round() / 1000.0)
    }

    /// Instructions by object, of a whole run.
    fn run(&self, work: &Work, times: u64) -> Result<HashMap<String, u64>> {
        let (mut valgrind, out) = callgrind()?;
        let (_, detail) = work.name.split_once('/').unwrap_or(("", ""));
        let times = times.to_string();
        if work.scripted {
            let script = paths::root().join("benches/peers/scripts/count.py");
            valgrind
                .arg(&self.micropython)
                .arg(script)
                .args([&self.library, detail, &times]);
        } else {
            valgrind
                .arg(&self.harness)
                .args(["--cases", &self.library, "--rounds", &times])
                .arg(format!("counted:{}", work.name));
        }
        process::run(&mut valgrind, Output::OnFailure)?;
        by_object(&fs::read_to_string(&out)?)
    }
}

/// The command that counts the program behind it, and the file that it writes.
fn callgrind() -> Result<(Command, PathBuf)> {
    let out = paths::bench()?.join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", out.display()));
    Ok((valgrind, out))
}

/// Adds up callgrind's file: each function's own instructions, by the object it is in.
fn by_object(text: &str) -> Result<HashMap<String, u64>> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut sums: HashMap<String, u64> = HashMap::new();
    let mut object = "";
    let mut called = false;
    for line in text.lines() {
        if let Some(named) = line.strip_prefix("ob=").or(line.strip_prefix("cob=")) {
            // A name is spelt out the first time; later its number stands for it.
            let (number, name) = named.split_once(' ').unwrap_or((named, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            if line.starts_with("ob=") {
                object = names.get(number).copied().unwrap_or("");
            }
        } else if line.starts_with("calls=") {
            // The next line is the cost of the called function.
            called = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).context("a line without a cost")?;
            if !std::mem::take(&mut called) {
                *sums.entry(object.to_owned()).or_default() += cost.parse::<u64>()?;
            }
        }
    }
    Ok(sums)
}

/// The versions of the compilers, on which compiled code depends.
fn compilers() -> Result<String> {
    let rustc = process::stdout(Command::new("rustc").arg("--version"))?;
    let cc = process::stdout(Command::new(Target::default().spec().cc).arg("--version"))?;
    let cc = cc.lines().next().unwrap_or_default();
    Ok(format!("{}, {cc}", rustc.trim()))
}

const HEAD: &str = "\
# Instructions of one piece of work, under callgrind; what the C library does is not counted. Whole scripts of MicroPython's, with so
# many calls, are multiples of what the same take with its own module, and there everything counts.
# `cargo xtask test --only counts --bless` writes this file.
";

fn text(counted: &[f64], compilers: &str) -> String {
    let lines = WORK.iter().zip(counted);
    let lines: String = lines
        .map(|(work, count)| format!("{:24} {count}\n", work.name))
        .collect();
    format!("{HEAD}# compilers: {compilers}\n{lines}")
}

fn compare(counted: &[f64], compilers: &str, known: &str) -> Result<Report> {
    let mut report = Report::default();
    let same = known.contains(compilers);
    let known: HashMap<&str, f64> = known
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, count)| Ok((name, count.trim().parse()?)))
        .collect::<Result<_>>()?;
    for (work, count) in WORK.iter().zip(counted) {
        let Some(wanted) = known.get(work.name) else {
            report
                .failures
                .push(format!("{}: not in the file", work.name));
            continue;
        };
        let change = 100.0 * (count - wanted) / wanted.max(1.0);
        let allowed = match work {
            Work { emitted: true, .. } => 0.0,
            Work { whole: true, .. } => WHOLE_TOLERANCE,
            _ => TOLERANCE,
        };
        let unit = if work.whole {
            "× stock's"
        } else {
            "instructions"
        };
        let told = format!("{}: {count} {unit}, not {wanted}", work.name);
        if same || work.emitted {
            report.add(change.abs() <= allowed, told);
        } else if change.abs() > allowed {
            report.notes.push(format!("{told}, by other compilers"));
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_instructions_are_added_up_by_object() {
        let text = "fl=(1) a.c\nob=(1) /bin/program\nfn=(1) f\n10 5\n+2 3\ncob=(2) ???\ncfn=(2) g\n\
                    calls=1 0\n* 100\n11 1\n\nob=(2)\nfn=(2)\n0 90\ncob=(1)\ncfn=(1)\ncalls=1 10\n0 10\n";
        let sums = by_object(text).expect("callgrind's form");
        assert_eq!(sums["/bin/program"], 9);
        assert_eq!(sums["???"], 90);
    }

    #[test]
    fn emitted_code_must_be_met_and_compiled_code_nearly() {
        let counted: Vec<f64> = WORK.iter().map(|_| 100.0).collect();
        let known = text(&counted, "rustc 1, gcc 2");
        let changed = known.replace("trampoline/add2          100", "trampoline/add2 99");
        let changed = changed.replace("call_slots               100", "call_slots 98");
        let failures = |compilers: &str| {
            let report = compare(&counted, compilers, &changed).expect("a file");
            report.failures
        };
        let wanted = ["trampoline/add2: 100 instructions, not 99"];
        assert_eq!(failures("rustc 1, gcc 2"), wanted);
        assert_eq!(failures("rustc 3, gcc 2"), wanted);
        let known = known.replace("seen                     100", "seen 50");
        let report = compare(&counted, "rustc 3", &known).expect("a file");
        assert!(report.failures.is_empty() && report.notes.len() == 1);
    }
}
