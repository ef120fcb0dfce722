//! `cargo xtask soak`: runs programs that stress farcall, for as long as one likes.
//!
//! The cases are in `cases.rs`. They take turns until the time is over. Each turn has a seed of its own, and the turns alternate between
//! the values of `FARCALL_CODE`.

mod build;
mod cases;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};

use crate::libffi::suite::CODE;
use crate::paths;
use crate::setup;
use cases::{Case, Program, Tool};
use watch::Ending;

/// The cases and the time.
#[derive(clap::Args)]
pub struct Args {
    /// Minutes for all cases. Every case has one turn at least.
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Seconds of one turn; computed from the minutes if it is not given.
    #[arg(long)]
    seconds: Option<u64>,
    /// Rounds of one turn, in place of seconds: a turn that is not over within --seconds (an hour, if that is not given) counts as hanging.
    #[arg(long, value_name = "N")]
    rounds: Option<u64>,
    /// The seed of the first turn; later turns take the numbers that follow. Taken from the clock if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Run only the cases with this name, or whose names begin with it; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// List the cases and run nothing.
    #[arg(long)]
    list: bool,
}

/// The outcome of all turns.
#[derive(Default)]
pub struct Outcome {
    /// Turns that ended well.
    pub passed: usize,
    /// The failures, each with the command that repeats it.
    pub failures: Vec<String>,
    /// The cases that were left out, and why.
    pub left_out: Vec<String>,
}

/// The seconds that a program may take beyond its turn before it counts as hanging.
const PATIENCE: u64 = 600;

/// The same for a storm, which watches its processes itself: it reports which one hangs, and where. Stock MicroPython's may hang.
const PATIENCE_WITH_STORMS: u64 = 1200;

/// The most seconds of a turn that is given in rounds.
const LONGEST: u64 = 3600;

/// The length of a turn.
#[derive(Clone, Copy)]
struct Length {
    seconds: u64,
    /// If given, the seconds are the most that the turn may take.
    rounds: Option<u64>,
}

impl Length {
    /// The options that select it.
    fn options(self) -> String {
        let rounds = self.rounds.map(|rounds| format!(" --rounds {rounds}"));
        format!("--seconds {}{}", self.seconds, rounds.unwrap_or_default())
    }
}

/// The command.
pub fn run(args: &Args) -> Result<ExitCode> {
    let cases = chosen(&args.only)?;
    if args.list {
        cases.iter().for_each(|case| println!("{}", case.title()));
        return Ok(ExitCode::SUCCESS);
    }
    if setup::is_installation_forbidden() {
        // Otherwise a case with further needs is left out where these cannot be installed.
        setup::ensure(&build::needs(&cases)?)?;
    }
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let seed = args.seed.unwrap_or(clock.as_secs());
    let share = args.minutes * 60.0 / cases.len() as f64;
    let usual = match args.rounds {
        Some(_) => LONGEST,
        None => (share as u64).clamp(1, 30),
    };
    let length = Length {
        seconds: args.seconds.unwrap_or(usual),
        rounds: args.rounds,
    };
    let end = Instant::now() + Duration::from_secs_f64(args.minutes * 60.0);
    let outcome = turns(&cases, length, seed, end)?;
    for line in &outcome.left_out {
        println!("left out: {line}");
    }
    for failure in &outcome.failures {
        println!("failed: {failure}");
    }
    let failed = outcome.failures.len();
    println!("{} passed, {failed} failed", outcome.passed);
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A short turn of all cases that are quick to build, for `cargo xtask test`.
pub fn short() -> Result<Outcome> {
    let is_quick = |case: &Case| {
        !case.program.is_storm() && (case.tool == Tool::None || case.program == Program::DropIn)
    };
    let length = Length {
        seconds: 2,
        rounds: None,
    };
    let (quick, long): (Vec<Case>, Vec<Case>) = cases::all().into_iter().partition(is_quick);
    let mut outcome = turns(&quick, length, 1, Instant::now())?;
    let long: Vec<String> = long.iter().map(Case::title).collect();
    let names = long.join(" ");
    outcome
        .left_out
        .push(format!("cargo xtask soak runs these as well: {names}"));
    Ok(outcome)
}

fn chosen(only: &[String]) -> Result<Vec<Case>> {
    let mut cases = cases::all();
    for name in only {
        if !cases.iter().any(|case| case.title().starts_with(name)) {
            bail!("there is no {name}; --list tells what there is");
        }
    }
    let is_whole = |name: &String| cases.iter().any(|case| case.title() == *name);
    let (whole, begun): (Vec<_>, Vec<_>) = only.iter().partition(|name| is_whole(name));
    cases.retain(|case| {
        let title = case.title();
        let is_meant = whole.iter().any(|name| **name == title)
            || begun.iter().any(|name| title.starts_with(name.as_str()));
        only.is_empty() || is_meant
    });
    Ok(cases)
}

/// The value of `FARCALL_CODE`, by the seed.
fn way(seed: u64) -> Option<&'static str> {
    [None, Some("always"), Some("never")][(seed % 3) as usize]
}

/// Runs all cases, again and again until `end`, but once at least.
fn turns(cases: &[Case], length: Length, seed: u64, end: Instant) -> Result<Outcome> {
    let mut builds = build::Builds::default();
    let mut outcome = Outcome::default();
    for round in 0.. {
        for case in cases {
            if round > 0 && Instant::now() >= end {
                return Ok(outcome);
            }
            turn(
                &mut builds,
                case,
                length,
                seed.wrapping_add(round),
                &mut outcome,
            )?;
        }
        if Instant::now() >= end {
            break;
        }
    }
    Ok(outcome)
}

fn turn(
    builds: &mut build::Builds,
    case: &Case,
    length: Length,
    seed: u64,
    outcome: &mut Outcome,
) -> Result<()> {
    let title = case.title();
    let mut command = match builds.command(case, length.seconds, seed) {
        Ok(command) => command,
        Err(error) if case.tool == Tool::None => {
            outcome.failures.push(format!("{title}: {error:#}"));
            return Ok(());
        }
        Err(error) => {
            let line = format!("{title}: {error:#}");
            if !outcome.left_out.contains(&line) {
                outcome.left_out.push(line);
            }
            return Ok(());
        }
    };
    if let Some(way) = way(seed) {
        command.env(CODE, way);
    }
    if let Some(rounds) = length.rounds {
        command.env("FARCALL_SOAK_ROUNDS", rounds.to_string());
    }
    let directory = place(&title, seed)?;
    let patience = match case.program.is_storm() {
        true => PATIENCE_WITH_STORMS,
        false => PATIENCE,
    };
    let limit = Duration::from_secs(length.seconds * 2 + patience);
    match watch::run(&command, &directory, limit)? {
        Ending::Well(text) => {
            let told = text.lines().collect::<Vec<_>>().join(", ");
            println!("{title:30} seed {seed}: {told}");
            outcome.passed += 1;
            std::fs::remove_dir_all(&directory)?;
        }
        Ending::Badly(what) => {
            let repeat = format!(
                "cargo xtask soak --only {title} --seed {seed} {} --minutes 0",
                length.options()
            );
            println!(
                "{title:30} seed {seed}: FAILED: {what}\n    again: {repeat}\n    kept: {}",
                directory.display()
            );
            outcome.failures.push(format!("{title}: {what}: {repeat}"));
        }
    }
    Ok(())
}

/// An empty directory for the files of a turn.
fn place(title: &str, seed: u64) -> Result<PathBuf> {
    let name = format!("{}-{seed}", title.replace(['/', '@'], "-"));
    paths::emptied(build::directory()?.join("turns").join(name))
}
