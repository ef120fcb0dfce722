//! Runs wrong code, to see that the comparison notices.
//!
//! An engine of its own plans and emits as farcall does and publishes by itself; a [`Sabotage`] changes the plan,
//! or the bytes, in one way. Each must be reported, in the words expected of it. Without sabotage the same engine
//! must pass: so the reports come from the sabotage.
//!
//! Some of it must crash, so each runs in a worker: this program again.

mod engine;
mod sabotages;

use crate::engine::How;
use crate::sabotages::Sabotage;
use conformance::cases::{Direction, Draw, Suite};
use conformance::compile::{self, Order};
use conformance::generate;
use conformance::run::{self, bare::Bare};
use conformance::supervise::{self, Runner};
use conformance::target::{self, Target};
use std::path::Path;
use std::process::ExitCode;

/// The number of cases: enough for every sabotage to meet signatures that it affects.
const CASES: u64 = 120;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [
            "--sabotage",
            name,
            "--worker",
            dir,
            "--config",
            config,
            "--from",
            from,
        ] => work(name, dir, config, from),
        _ => test_all(&args),
    }
}

fn work(name: &str, dir: &str, config: &str, from: &str) -> ExitCode {
    // Some sabotages make the assembler panic. That is a crash like others, and the supervisor reports it.
    std::panic::set_hook(Box::new(|_| {}));
    let target = Suite::read(Path::new(dir)).expect("a case file").target;
    let all = sabotages::all(target);
    let sabotage = all.iter().find(|sabotage| sabotage.name == name);
    let alter = sabotage.expect("a sabotage of ours").how;
    let engine = Bare {
        target,
        abi: match alter {
            How::Abi(other) => other,
            _ => target.abi,
        },
        alter,
    };
    let from = from.parse().expect("a number");
    let out = &mut std::io::stdout().lock();
    match run::worker(Path::new(dir), config, from, &engine, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the lines that libtest would print.
fn test_all(args: &[String]) -> ExitCode {
    // Numbers belong to options of libtest's such as --test-threads.
    let is_name = |arg: &&String| !arg.starts_with('-') && arg.parse::<u32>().is_err();
    let filter = args.iter().find(is_name).map_or("", String::as_str);
    let is_list = args.iter().any(|arg| arg == "--list");
    let [mut passed, mut failed, mut left_out] = [0; 3];
    for target in target::of_this_machine() {
        let mut chosen = sabotages::all(target);
        chosen.retain(|s| title(target, s).contains(filter));
        if is_list {
            chosen
                .iter()
                .for_each(|s| println!("{}: test", title(target, s)));
            continue;
        }
        let verdicts = test_target(target, &chosen);
        left_out += chosen.len() - verdicts.len();
        failed += verdicts.iter().filter(|is_good| !**is_good).count();
        passed += verdicts.iter().filter(|is_good| **is_good).count();
    }
    if !is_list {
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("\ntest result: {word}. {passed} passed; {failed} failed; {left_out} ignored\n");
    }
    ExitCode::from(u8::from(failed > 0))
}

/// A sabotage's name as a test.
fn title(target: &Target, sabotage: &Sabotage) -> String {
    format!("{target}/{}", sabotage.name)
}

/// Whether each sabotage is reported as expected. Those that no compiler here can show are left out.
fn test_target(target: &'static Target, sabotages: &[Sabotage]) -> Vec<bool> {
    let mut compilers = compile::compilers_for_tests(target);
    if std::env::var_os("FARCALL_CONFORMANCE_RUNNER").is_some() {
        // An emulator is slow, and one compiler is enough for sabotages that any compiler's code shows.
        compilers.truncate(1);
    }
    let order = Order {
        target,
        compilers,
        levels: vec!["O2".to_owned()],
        directions: Direction::ALL.to_vec(),
        rounds: 2,
        exhaustive: false,
        draw: Draw::Words,
        jobs: 2,
    };
    let shows = |s: &&Sabotage| order.compilers.iter().any(|cc| cc.contains(s.compiler));
    let chosen: Vec<&Sabotage> = sabotages.iter().filter(shows).collect();
    println!("\nrunning {} tests", chosen.len());
    let dir = tempfile::tempdir().expect("a directory");
    let cases = generate::cases(Draw::Words, 3, CASES, target);
    compile::emit(dir.path(), cases, 3, &order).expect("the emit stage");
    let verdicts = chosen.into_iter().map(|sabotage| {
        let verdict = try_out(sabotage, dir.path());
        let word = if verdict.is_ok() { "ok" } else { "FAILED" };
        println!("test {} ... {word}", title(target, sabotage));
        verdict.map_err(|why| println!("    {why}")).is_ok()
    });
    verdicts.collect()
}

/// Whether the sabotage is reported as expected.
fn try_out(sabotage: &Sabotage, dir: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut runner = Runner::for_tests(&program);
    runner
        .0
        .extend(["--sabotage".into(), sabotage.name.clone().into()]);
    let outcomes = supervise::run(dir, &runner, 2).map_err(|error| format!("{error:#}"))?;
    let failures: Vec<&String> = outcomes.iter().flat_map(|o| &o.failures).collect();
    let Some(words) = sabotage.reported_as else {
        let first = failures
            .first()
            .map_or("one that is reported", |text| text.as_str());
        let good = failures.is_empty();
        return good
            .then_some(())
            .ok_or(format!("no sabotage, but {first}"));
    };
    let direction = format!(", {}", sabotage.direction);
    let told = |text: &&&String| text.contains(&direction) && text.contains(words);
    match failures.iter().find(told) {
        Some(_) => Ok(()),
        None => Err(format!(
            "{words:?} is not among {} failures, of which the first is\n{}",
            failures.len(),
            failures.first().map_or("", |text| text)
        )),
    }
}
