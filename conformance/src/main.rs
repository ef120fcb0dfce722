//! `farcall-conformance`: see the library.

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use conformance::cases::{Case, Direction, Draw, Suite, parse_number};
use conformance::compile::{self, Order};
use conformance::generate;
use conformance::report::Outcome;
use conformance::run::{self, farcall};
use conformance::supervise::{self, Runner};
use conformance::target::{self, Form, Target};
use conformance::{declare, exhaustive, rng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Failures that are shown in full.
const SHOWN: usize = 20;

/// Compare farcall with C compilers: both call, and are called by, functions of the same signatures
#[derive(Parser)]
struct Args {
    /// Make this many signatures
    #[arg(long, default_value_t = 1000)]
    n: u64,
    /// Make signatures from this seed [default: a fresh one]
    #[arg(long, value_parser = parse_number)]
    seed: Option<u64>,
    /// Make every signature of up to this many arguments, over the classes of types
    #[arg(long, value_name = "ARGUMENTS", num_args = 0..=1, default_missing_value = "4")]
    exhaustive: Option<u32>,
    /// Make signatures of values that are wider than a register
    #[arg(long, conflicts_with = "exhaustive")]
    wide: bool,
    /// Make signatures as C declarations, with the types that headers have
    #[arg(long, conflicts_with_all = ["exhaustive", "wide"])]
    declared: bool,
    /// Run the case of this index only; may be given several times
    #[arg(long, value_name = "INDEX")]
    only: Vec<u64>,
    /// Run each signature with this many sets of values
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Compare with this C compiler, whose arguments may follow; may be given several times [default: the target's]
    #[arg(long)]
    cc: Vec<String>,
    /// Compile at this optimisation level; may be given several times
    #[arg(long, default_values = ["O0", "O2"])]
    opt: Vec<String>,
    /// Test calls, in which C is called, callbacks, in which C calls, or both
    #[arg(long, value_enum, default_value_t = Directions::Both)]
    direction: Directions,
    /// Compile for this target
    #[arg(long, value_parser = parse_target, default_value = "x86_64-unknown-linux-gnu")]
    target: &'static Target,
    /// Compile into this directory and run nothing
    #[arg(long, value_name = "DIR", conflicts_with = "run")]
    emit: Option<PathBuf>,
    /// Run the cases that --emit compiled into this directory
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Run this program on the target by this command, with --run: `qemu-aarch64 -L … …/farcall-conformance`
    #[arg(long, value_name = "COMMAND")]
    runner: Option<String>,
    /// Run this many compilers or workers at a time
    #[arg(long, default_value_t = default_jobs())]
    jobs: usize,
    /// Keep the compiled code and print where it is
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// The options that a supervisor passes to its workers.
#[derive(clap::Args)]
struct WorkerArgs {
    #[arg(long, hide = true, requires = "config")]
    worker: Option<PathBuf>,
    #[arg(long, hide = true)]
    config: Option<String>,
    #[arg(long, hide = true, default_value_t = 0)]
    from: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Directions {
    Call,
    Callback,
    Both,
}

fn parse_target(name: &str) -> Result<&'static Target> {
    Target::named(name).with_context(|| {
        let names: Vec<_> = target::ALL.iter().map(|target| target.name).collect();
        format!("there are only {}", names.join(", "))
    })
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("farcall-conformance: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the program; true if there were no failures.
fn start(args: &Args) -> Result<bool> {
    if let (Some(dir), Some(config)) = (&args.worker.worker, &args.worker.config) {
        let mut out = std::io::stdout().lock();
        let engine = farcall::of(Suite::read(dir)?.target);
        run::worker(dir, config, args.worker.from, &*engine, &mut out)?;
        return Ok(true);
    }
    if let Some(dir) = &args.run {
        return run_stage(args, dir);
    }
    if let Some(dir) = &args.emit {
        emit_stage(args, dir)?;
        return Ok(true);
    }
    let dir = tempfile::Builder::new()
        .prefix("farcall-conformance-")
        .tempdir()?;
    emit_stage(args, dir.path())?;
    let good = run_stage(args, dir.path())?;
    if args.keep {
        println!("kept: {}", dir.keep().display());
    }
    Ok(good)
}

fn emit_stage(args: &Args, dir: &Path) -> Result<()> {
    let seed = args.seed.unwrap_or_else(rng::fresh_seed);
    let mut cases = match args.exhaustive {
        Some(max_args) => exhaustive::cases(max_args),
        None => {
            let indices = match &args.only[..] {
                [] => (0..args.n).collect(),
                only => only.to_vec(),
            };
            random(draw(args), seed, &indices, args.target)?
        }
    };
    cases.retain(|case| args.only.is_empty() || args.only.contains(&case.index));
    ensure!(!cases.is_empty(), "no signature to test");
    let compilers = if args.cc.is_empty() {
        let own = args.target.compilers.iter();
        own.map(|compiler| (*compiler).to_owned()).collect()
    } else {
        args.cc.clone()
    };
    let order = Order {
        target: args.target,
        compilers,
        levels: args
            .opt
            .iter()
            .map(|level| level_for(level, args))
            .collect(),
        directions: match args.direction {
            Directions::Call => vec![Direction::Call],
            Directions::Callback => vec![Direction::Callback],
            Directions::Both => Direction::ALL.to_vec(),
        },
        rounds: args.rounds,
        exhaustive: args.exhaustive.is_some(),
        draw: draw(args),
        jobs: args.jobs,
    };
    let start = Instant::now();
    let suite = compile::emit(dir, cases, seed, &order)?;
    println!(
        "seed {seed:#x}: {} signatures for {} compiled in {:.1} s",
        suite.cases.len(),
        suite.target,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn draw(args: &Args) -> Draw {
    match (args.wide, args.declared) {
        (true, _) => Draw::Wide,
        (_, true) => Draw::Declared,
        _ => Draw::Words,
    }
}

/// The cases of these indices. Prints which types farcall does not pass by value, and why.
fn random(draw: Draw, seed: u64, indices: &[u64], target: &'static Target) -> Result<Vec<Case>> {
    if draw != Draw::Declared {
        let case = |index: &u64| generate::case(draw, seed, *index, target);
        return Ok(indices.iter().map(case).collect());
    }
    ensure!(target.platform.is_some(), "no texts for {target}");
    let mut refused = BTreeMap::new();
    let mut cases = Vec::new();
    for index in indices {
        let (case, reasons) = declare::case(seed, *index, target);
        cases.push(case);
        for reason in reasons {
            // The reason without the argument that it is about.
            let reason = match reason.split_once(": ") {
                Some((_, reason)) => reason.to_owned(),
                None => reason,
            };
            *refused.entry(reason).or_insert(0) += 1;
        }
    }
    for (reason, count) in refused {
        println!("{count} declarations refused: {reason}");
    }
    Ok(cases)
}

/// The optimisation level to use. Foreign code may call nothing, and without optimisation structures are copied by calls.
fn level_for(level: &str, args: &Args) -> String {
    let calls = args.wide && args.target.form == Form::Foreign && level == "O0";
    if calls { "O1" } else { level }.to_owned()
}

fn run_stage(args: &Args, dir: &Path) -> Result<bool> {
    let runner = match &args.runner {
        Some(command) => Runner(command.split_whitespace().map(Into::into).collect()),
        None => Runner::this_program()?,
    };
    Suite::read(dir)?;
    let outcomes = supervise::run(dir, &runner, args.jobs)?;
    let failures: Vec<&String> = outcomes.iter().flat_map(|o| &o.failures).collect();
    for failure in failures.iter().take(SHOWN) {
        println!("\n{failure}");
    }
    if failures.len() > SHOWN {
        println!("... and {} more", failures.len() - SHOWN);
    }
    for outcome in &outcomes {
        println!("{outcome}");
    }
    println!("{}", sum(&outcomes));
    Ok(failures.is_empty())
}

/// The last line: the numbers of calls and failures.
fn sum(outcomes: &[Outcome]) -> String {
    let calls: u64 = outcomes
        .iter()
        .flat_map(|o| o.tallies)
        .map(|t| t.calls)
        .sum();
    let failures: usize = outcomes.iter().map(|o| o.failures.len()).sum();
    format!("{calls} calls compared, {failures} failures")
}
