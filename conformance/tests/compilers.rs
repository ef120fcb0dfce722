//! Compares farcall with C compilers, for each convention that this machine's instructions can follow.

use conformance::cases::{Case, Direction, Draw};
use conformance::compile::{self, Order};
use conformance::divergence;
use conformance::generate;
use conformance::supervise::{self, Runner};
use conformance::target::{self, Target};
use conformance::{exhaustive, rng};
use std::io::Write;

const PROGRAM: &str = env!("CARGO_BIN_EXE_farcall-conformance");

/// Compiles the cases with every compiler, without and with optimisation, and runs them in both directions.
fn assert_all_agree(target: &'static Target, cases: Vec<Case>, seed: u64, is_exhaustive: bool) {
    let is_declared = cases.iter().any(|case| case.declared.is_some());
    let rounds = 3;
    let order = Order {
        target,
        compilers: compile::compilers_for_tests(target),
        levels: vec!["O0".to_owned(), "O2".to_owned()],
        directions: Direction::ALL.to_vec(),
        rounds,
        exhaustive: is_exhaustive,
        draw: match is_declared {
            true => Draw::Declared,
            false => Draw::Words,
        },
        jobs: 2,
    };
    let dir = tempfile::tempdir().expect("a directory");
    let suite = compile::emit(dir.path(), cases, seed, &order).expect("the emit stage");
    let runner = Runner::for_tests(PROGRAM.as_ref());
    let outcomes = supervise::run(dir.path(), &runner, 2).expect("the run stage");
    let failures: Vec<String> = outcomes.iter().flat_map(|o| o.failures.clone()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(outcomes.len(), order.compilers.len() * order.levels.len());
    for outcome in outcomes {
        let is_judged = |case: &&Case| !divergence::misjudges(&outcome.config, case, target);
        let expected = suite.cases.iter().filter(is_judged).count() as u64;
        assert!(is_declared || expected == suite.cases.len() as u64);
        for tally in outcome.tallies {
            assert_eq!(tally.cases, expected, "{outcome}");
            // Cases of a convention that is not farcall's own, and variadic ones, have two routes, others three; calls of declared
            // functions have two more without code, and no others.
            let routes = tally.calls / rounds;
            let most = if is_declared { 4 } else { 3 };
            assert!(
                (2 * expected..=most * expected).contains(&routes),
                "{outcome}"
            );
        }
    }
}

#[test]
fn fixed_seed_agrees_with_every_compiler() {
    let seed = 0xfa2_ca11;
    for target in target::of_this_machine() {
        assert_all_agree(
            target,
            generate::cases(Draw::Words, seed, 120, target),
            seed,
            false,
        );
    }
}

#[test]
fn fresh_seed_agrees_with_every_compiler() {
    let seed = rng::fresh_seed();
    // Not by a print macro: those are silenced in tests that pass, and the seed is wanted then too.
    let _ = writeln!(std::io::stderr(), "conformance: fresh seed {seed:#x}");
    for target in target::of_this_machine() {
        assert_all_agree(
            target,
            generate::cases(Draw::Words, seed, 60, target),
            seed,
            false,
        );
    }
}

#[test]
fn declared_signatures_agree_with_every_compiler() {
    let seed = 0xfa2_ca11;
    for target in target::of_this_machine().filter(|target| target.platform.is_some()) {
        let cases = generate::cases(Draw::Declared, seed, 40, target);
        assert_all_agree(target, cases, seed, false);
    }
}

#[test]
fn every_signature_of_three_arguments_agrees_with_every_compiler() {
    assert_all_agree(Target::of_this_program(), exhaustive::cases(3), 1, true);
}
