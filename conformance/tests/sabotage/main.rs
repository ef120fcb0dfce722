//! Wrong code, to see that it shows.
//!
//! An engine of its own plans and emits as farcall does and publishes by itself; a [`Sabotage`] changes the plan,
//! or the bytes, in one way. Each must be reported, in the words expected of it. Without sabotage the same engine
//! must pass: so the reports are the sabotage's doing.
//!
//! Some of it must crash, so each runs in a worker: this program again.

#[cfg(target_arch = "x86_64")]
mod engine;
#[cfg(target_arch = "x86_64")]
mod sabotages;

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("test result: ok. 0 passed; 0 failed; 1 ignored: the sabotages are x86-64 code");
}

#[cfg(target_arch = "x86_64")]
fn main() -> std::process::ExitCode {
    harness::main()
}

#[cfg(target_arch = "x86_64")]
mod harness {
    use crate::engine::Saboteur;
    use crate::sabotages::{self, Sabotage};
    use conformance::cases::Direction;
    use conformance::compile::{self, Order};
    use conformance::supervise::{self, Runner};
    use conformance::{generate, run, target};
    use std::path::Path;
    use std::process::ExitCode;

    /// Enough for every sabotage to meet signatures that it matters to.
    const CASES: u64 = 120;

    pub fn main() -> ExitCode {
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
        let all = sabotages::all();
        let sabotage = all.iter().find(|sabotage| sabotage.name == name);
        let engine = Saboteur(sabotage.expect("a sabotage of ours").how);
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

    /// Prints what libtest would.
    fn test_all(args: &[String]) -> ExitCode {
        // Numbers belong to options of libtest's such as --test-threads.
        let is_name = |arg: &&String| !arg.starts_with('-') && arg.parse::<u32>().is_err();
        let filter = args.iter().find(is_name);
        let chosen = |s: &&Sabotage| filter.is_none_or(|filter| s.name.contains(&**filter));
        let all = sabotages::all();
        let mut chosen: Vec<&Sabotage> = all.iter().filter(chosen).collect();
        if args.iter().any(|arg| arg == "--list") {
            chosen.iter().for_each(|s| println!("{}: test", s.name));
            return ExitCode::SUCCESS;
        }
        let target = target::ALL[0];
        let order = Order {
            target,
            compilers: compile::compilers_for_tests(target),
            levels: vec!["O2".to_owned()],
            directions: Direction::ALL.to_vec(),
            rounds: 2,
            exhaustive: false,
            jobs: 2,
        };
        let all_chosen = chosen.len();
        chosen.retain(|s| order.compilers.iter().any(|cc| cc.contains(s.compiler)));
        let left_out = all_chosen - chosen.len();
        let dir = tempfile::tempdir().expect("a directory");
        compile::emit(dir.path(), generate::cases(3, CASES), 3, &order).expect("the emit stage");
        println!("\nrunning {} tests", chosen.len());
        let mut failed = 0;
        for sabotage in &chosen {
            let verdict = try_out(sabotage, dir.path());
            let word = if verdict.is_ok() { "ok" } else { "FAILED" };
            println!("test {} ... {word}", sabotage.name);
            if let Err(why) = verdict {
                println!("    {why}");
                failed += 1;
            }
        }
        let passed = chosen.len() - failed;
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("\ntest result: {word}. {passed} passed; {failed} failed; {left_out} ignored\n");
        ExitCode::from(u8::from(failed > 0))
    }

    /// Whether the sabotage is reported as it should be.
    fn try_out(sabotage: &Sabotage, dir: &Path) -> Result<(), String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let runner = Runner(vec![
            program.into(),
            "--sabotage".into(),
            sabotage.name.into(),
        ]);
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
}
