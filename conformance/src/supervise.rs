//! Runs workers, so that a crash is a result like any other: the report names its case, and the rest still runs.

use crate::cases::{Direction, LINE_SEPARATOR, Suite};
use crate::compile::in_parallel;
use crate::report::{Outcome, reproduce};
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The number of crashes after which a compiler's code is given up.
const MAX_CRASHES: usize = 10;

/// The time that a step may take before the worker counts as hung.
const PATIENCE: Duration = Duration::from_secs(300);

/// How a worker is started: a command to which `--worker DIR --config CONFIG --from STEP` is added. On a foreign
/// target it begins with an emulator.
#[derive(Clone, Debug)]
pub struct Runner(pub Vec<OsString>);

impl Runner {
    /// The program that is running.
    ///
    /// # Errors
    /// When its path is unknown.
    pub fn this_program() -> Result<Runner> {
        Ok(Runner(vec![std::env::current_exe()?.into()]))
    }

    /// A program of the tests', behind the command in `FARCALL_CONFORMANCE_RUNNER`, for targets whose programs need an emulator:
    /// `qemu-aarch64 -L ...`.
    pub fn for_tests(program: &Path) -> Runner {
        let words = std::env::var("FARCALL_CONFORMANCE_RUNNER").unwrap_or_default();
        let words = words.split_whitespace().map(Into::into);
        Runner(words.chain([program.into()]).collect())
    }

    fn start(&self, dir: &Path, config: &str, from: usize) -> Result<Child> {
        let [program, args @ ..] = &self.0[..] else {
            anyhow::bail!("an empty runner");
        };
        let mut command = Command::new(program);
        command.args(args).arg("--worker").arg(dir);
        command.args(["--config", config, "--from", &from.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
            .spawn()
            .with_context(|| format!("cannot start {program:?}"))
    }
}

/// Runs everything in `dir`, with `jobs` workers at a time.
///
/// # Errors
/// When a worker cannot be started, or fails otherwise than by a crash.
pub fn run(dir: &Path, runner: &Runner, jobs: usize) -> Result<Vec<Outcome>> {
    let suite = Suite::read(dir)?;
    let configs: Vec<String> = suite.configs().into_iter().map(str::to_owned).collect();
    let outcomes = Mutex::new(Vec::new());
    in_parallel(configs.clone(), jobs, |config| {
        let start = Instant::now();
        let mut outcome = run_config(dir, &suite, runner, config)?;
        outcome.seconds = start.elapsed().as_secs_f64();
        if let Ok(mut outcomes) = outcomes.lock() {
            outcomes.push(outcome);
        }
        Ok(())
    })?;
    let mut outcomes = outcomes.into_inner().unwrap_or_default();
    let place = |outcome: &Outcome| configs.iter().position(|c| *c == outcome.config);
    outcomes.sort_by_key(place);
    Ok(outcomes)
}

fn run_config(dir: &Path, suite: &Suite, runner: &Runner, config: &str) -> Result<Outcome> {
    let mut outcome = Outcome {
        config: config.to_owned(),
        ..Outcome::default()
    };
    let mut from = 0;
    for _ in 0..MAX_CRASHES {
        let mut child = runner.start(dir, config, from)?;
        let mut progress = Progress::default();
        let hung = follow(&mut child, &mut progress, &mut outcome)?;
        let status = child.wait()?;
        if progress.is_done {
            ensure!(status.success(), "the worker for {config} ended: {status}");
            return Ok(outcome);
        }
        // With an exit code the worker itself has failed, and has written why to the error stream; a signal is a crash.
        ensure!(
            hung || !matches!(status.code(), Some(1 | 2)),
            "the worker for {config} failed: {status}"
        );
        let Some(step) = progress.step else {
            anyhow::bail!("the worker for {config} died before its first step: {status}");
        };
        outcome
            .failures
            .push(crash(suite, config, step, hung, status));
        outcome.tallies[step % 2].mismatches += 1;
        from = step + 1;
    }
    let text = format!("{config}: given up after {MAX_CRASHES} crashes\n");
    outcome.failures.push(text);
    Ok(outcome)
}

/// A worker's progress.
#[derive(Default)]
struct Progress {
    step: Option<usize>,
    is_done: bool,
}

/// Reads a worker's output to its end. True if the worker had to be killed.
fn follow(child: &mut Child, progress: &mut Progress, outcome: &mut Outcome) -> Result<bool> {
    let lines = lines_of(child)?;
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => understand(&line, progress, outcome)
                .with_context(|| format!("a worker says {line:?}"))?,
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                return Ok(true);
            }
        }
    }
}

fn lines_of(child: &mut Child) -> Result<Receiver<String>> {
    let stdout = child.stdout.take().context("a worker without output")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

fn understand(line: &str, progress: &mut Progress, outcome: &mut Outcome) -> Result<()> {
    let (kind, rest) = line.split_at(line.len().min(2));
    match kind.trim_end() {
        "@" => {
            let step: usize = rest.parse()?;
            progress.step = Some(step);
            outcome.tallies[step % 2].cases += 1;
        }
        "!" => outcome
            .failures
            .push(rest.replace(LINE_SEPARATOR, "\n") + "\n"),
        "=" => {
            let (calls, mismatches) = rest.split_once(' ').context("no two numbers")?;
            let step = progress.step.context("an end without a beginning")?;
            let tally = &mut outcome.tallies[step % 2];
            tally.calls += calls.parse::<u64>()?;
            tally.mismatches += mismatches.parse::<u64>()?;
        }
        "." => progress.is_done = true,
        _ => anyhow::bail!("not a line of ours"),
    }
    Ok(())
}

fn crash(suite: &Suite, config: &str, step: usize, hung: bool, status: ExitStatus) -> String {
    let direction = Direction::ALL[step % 2];
    let case = &suite.cases[step / 2];
    let end = if hung {
        format!("hung for {} s", PATIENCE.as_secs())
    } else {
        format!("died: {status}")
    };
    format!(
        "{config}, {direction}, case {}: {case}\n  the process {end}\n{}",
        case.index,
        reproduce(suite, config, case, direction)
    )
}
