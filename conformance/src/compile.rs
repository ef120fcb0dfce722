//! The emit stage: writes cases to a directory, as a case file and shared objects.

use crate::cases::{Case, Direction, Draw, Object, Suite};
use crate::source;
use crate::target::Target;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The number of cases in a C file: enough that starting the compiler costs little, and few enough that several cores get work.
const BATCH: usize = 250;

/// The work of the emit stage: what to compile, with which compilers.
#[derive(Clone, Debug)]
pub struct Order {
    /// The target.
    pub target: &'static Target,
    /// The compilers' commands.
    pub compilers: Vec<String>,
    /// The optimisation levels, `O0`.
    pub levels: Vec<String>,
    /// The directions to test.
    pub directions: Vec<Direction>,
    /// The number of sets of values that each case is run with.
    pub rounds: u64,
    /// Whether the signatures are those of [`crate::exhaustive`].
    pub exhaustive: bool,
    /// The types that signatures are made of otherwise.
    pub draw: Draw,
    /// The number of compilers that run at a time.
    pub jobs: usize,
}

/// One run of a compiler.
struct Job {
    compiler: String,
    level: String,
    source: PathBuf,
    output: PathBuf,
}

/// Writes the C side of `cases` to `dir`, compiles it, and leaves the case file there.
///
/// # Errors
/// When a file cannot be written, a compiler is missing, or it rejects what we wrote.
pub fn emit(dir: &Path, cases: Vec<Case>, seed: u64, order: &Order) -> Result<Suite> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {dir:?}"))?;
    for compiler in &order.compilers {
        require(compiler)?;
    }
    let mut sources = Vec::new();
    for (number, batch) in cases.chunks(BATCH).enumerate() {
        let path = dir.join(format!("{number:03}.c"));
        let text = source::unit(batch, order.target, &order.directions);
        std::fs::write(&path, text).with_context(|| format!("cannot write {path:?}"))?;
        sources.push((path, batch.len()));
    }
    let mut jobs = Vec::new();
    let mut objects = Vec::new();
    for compiler in &order.compilers {
        for level in &order.levels {
            for (number, (source, count)) in sources.iter().enumerate() {
                let config = format!("{compiler} -{level}");
                let stem: String = config.chars().filter(|c| c.is_alphanumeric()).collect();
                let file = format!("{stem}-{number:03}.{}", order.target.extension);
                jobs.push(Job {
                    compiler: compiler.clone(),
                    level: level.clone(),
                    source: source.clone(),
                    output: dir.join(&file),
                });
                objects.push(Object {
                    config,
                    first: number * BATCH,
                    count: *count,
                    file,
                });
            }
        }
    }
    in_parallel(jobs, order.jobs, |job| compile(job, order.target))?;
    let suite = Suite {
        target: order.target,
        seed,
        exhaustive: order.exhaustive,
        draw: order.draw,
        rounds: order.rounds,
        directions: order.directions.clone(),
        objects,
        cases,
    };
    suite.write(dir)?;
    Ok(suite)
}

/// The compilers that tests use: all of the target's, or, where those are the machine's own, those that
/// `FARCALL_CONFORMANCE_CC` lists, separated by commas.
pub fn compilers_for_tests(target: &Target) -> Vec<String> {
    let is_own = target.compilers == crate::target::ALL[0].compilers;
    match std::env::var("FARCALL_CONFORMANCE_CC") {
        Ok(list) if is_own => list.split(',').map(|cc| cc.trim().to_owned()).collect(),
        _ => target.compilers.iter().map(|cc| (*cc).to_owned()).collect(),
    }
}

/// Whether a compiler is installed.
///
/// # Errors
/// If it is not installed: a comparison that silently lacks a compiler would prove less than it claims.
pub fn require(compiler: &str) -> Result<()> {
    let output = words(compiler).arg("--version").output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        _ => bail!(
            "the C compiler {compiler:?} is not installed, and without it nothing is proved: install it, or name others \
             with --cc (for the tests: FARCALL_CONFORMANCE_CC)"
        ),
    }
}

fn words(command: &str) -> Command {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

fn compile(job: &Job, target: &Target) -> Result<()> {
    let mut command = words(&job.compiler);
    command.args(target.flags);
    command.args(["-std=gnu11", "-w", "-g0", &format!("-{}", job.level), "-o"]);
    command.arg(&job.output).arg(&job.source);
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", job.compiler))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let start: Vec<&str> = text.lines().take(20).collect();
    bail!(
        "{} -{} rejects {}: {}\n{}",
        job.compiler,
        job.level,
        job.source.display(),
        output.status,
        start.join("\n")
    );
}

/// Does `work` for each item, some at a time; the first error ends it.
pub(crate) fn in_parallel<T: Send>(
    items: Vec<T>,
    threads: usize,
    work: impl Fn(&T) -> Result<()> + Sync,
) -> Result<()> {
    let queue = Mutex::new(items.into_iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    std::thread::scope(|scope| {
        let run = || -> Result<()> {
            while let Some(item) = next() {
                if let Err(error) = work(&item) {
                    while next().is_some() {}
                    return Err(error);
                }
            }
            Ok(())
        };
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(run)).collect();
        let results: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
        for result in results {
            result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(())
    })
}
