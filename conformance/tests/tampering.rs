//! Changes the C side or the case file behind farcall's back: the comparison must notice. If it did not, its silence in `compilers.rs`
//! would mean nothing.
#![cfg(target_arch = "x86_64")]

use conformance::cases::{Case, Direction, Draw, FILE};
use conformance::compile::{self, Order};
use conformance::report::Outcome;
use conformance::supervise::{self, Runner};
use conformance::target;
use std::fs;
use std::process::Command;

/// Signatures to tamper with.
fn cases(signatures: &[(char, &str)]) -> Vec<Case> {
    let case = |(index, (ret, args)): (usize, &(char, &str))| {
        Case::parse(index as u64, &ret.to_string(), args).expect("a case")
    };
    signatures.iter().enumerate().map(case).collect()
}

/// Compiles the cases with the first compiler, changes the C source by the first and the case file by the second replacement, and
/// runs them.
fn run_tampered(
    signatures: &[(char, &str)],
    source: Option<(&str, &str)>,
    file: Option<(&str, &str)>,
) -> Outcome {
    let target = target::ALL[0];
    let compiler = compile::compilers_for_tests(target).remove(0);
    let order = Order {
        target,
        compilers: vec![compiler.clone()],
        levels: vec!["O2".to_owned()],
        directions: Direction::ALL.to_vec(),
        rounds: 2,
        exhaustive: false,
        draw: Draw::Words,
        jobs: 1,
    };
    let dir = tempfile::tempdir().expect("a directory");
    let suite = compile::emit(dir.path(), cases(signatures), 1, &order).expect("the emit stage");
    let edit = |name: &str, (from, to): (&str, &str)| {
        let path = dir.path().join(name);
        let text = fs::read_to_string(&path).expect("a file of ours");
        assert!(text.contains(from), "{name} lacks {from:?}:\n{text}");
        fs::write(&path, text.replace(from, to)).expect("a file of ours");
    };
    if let Some(replacement) = source {
        edit("000.c", replacement);
        let mut cc = Command::new(&compiler);
        cc.args(target.flags).args(["-O2", "-w", "-o"]);
        cc.arg(dir.path().join(&suite.objects[0].file));
        cc.arg(dir.path().join("000.c"));
        assert!(cc.status().expect("the compiler").success());
    }
    if let Some(replacement) = file {
        edit(FILE, replacement);
    }
    let runner = Runner(vec![env!("CARGO_BIN_EXE_farcall-conformance").into()]);
    let outcomes = supervise::run(dir.path(), &runner, 1).expect("the run stage");
    outcomes.into_iter().next().expect("one compiler")
}

fn assert_reported(outcome: &Outcome, direction: Direction, words: &[&str]) {
    let heading = format!(", {direction}");
    let told = outcome
        .failures
        .iter()
        .any(|text| text.contains(&heading) && words.iter().all(|word| text.contains(word)));
    assert!(told, "{direction} {words:?}: {:#?}", outcome.failures);
}

#[test]
fn untouched_code_is_not_reported() {
    let outcome = run_tampered(&[('i', "ddpb"), ('v', ""), ('f', "fffffffffh")], None, None);
    assert_eq!(outcome.failures, [""; 0]);
    assert_eq!(outcome.tallies.map(|tally| tally.calls), [18, 18]);
}

#[test]
fn plan_of_another_signature_is_reported_in_both_directions() {
    let signatures = [('i', "di"), ('q', "qi")];
    let other = Some(("\tq\tqi\t", "\tq\tiq\t"));
    let outcome = run_tampered(&signatures, None, other);
    for direction in Direction::ALL {
        assert_reported(&outcome, direction, &["case 1", "argument 2", "expected"]);
    }
    let about_the_other = |text: &&String| text.contains("case 0");
    assert_eq!(outcome.failures.iter().find(about_the_other), None);
}

#[test]
fn another_result_is_reported_with_its_bytes_and_the_way_to_see_it_again() {
    let edit = (
        "(signed char)PEER->give[0]",
        "(signed char)(PEER->give[0] ^ 0x20)",
    );
    let outcome = run_tampered(&[('b', "d")], Some(edit), None);
    let words = ["result", "bytes", "--seed 0x1 --only 0", "--opt O2"];
    assert_reported(&outcome, Direction::Call, &words);
}

#[test]
fn argument_that_c_saw_differently_is_reported() {
    let edit = ("SIGNED(a1)", "SIGNED(a1 ^ 0x100)");
    let outcome = run_tampered(&[('v', "pi")], Some(edit), None);
    assert_reported(&outcome, Direction::Call, &["argument 2"]);
}

#[test]
fn callee_that_clobbers_rbx_is_reported() {
    let clobber = "PEER->calls++; __asm__ volatile(\"xor %%ebx, %%ebx\" ::: )";
    let outcome = run_tampered(&[('v', "")], Some(("PEER->calls++", clobber)), None);
    assert_reported(&outcome, Direction::Call, &["register rbx after the call"]);
}

#[test]
fn callee_that_changes_control_words_is_reported() {
    for (instructions, name) in [
        ("std", "direction flag after the call"),
        ("fninit", "x87 control word after the call"),
        (
            "pushq $0x3f80; ldmxcsr (%%rsp); popq %%rax",
            "MXCSR after the call",
        ),
    ] {
        let change = format!("PEER->calls++; __asm__ volatile(\"{instructions}\" ::: \"rax\");");
        // Several cases, as a pattern may equal the original by chance.
        let signatures = [('v', ""), ('v', "i"), ('v', "d"), ('v', "p")];
        let outcome = run_tampered(&signatures, Some(("PEER->calls++;", &change)), None);
        assert_reported(&outcome, Direction::Call, &[name]);
    }
}

#[test]
fn second_call_and_missing_call_of_a_callback_are_reported() {
    let twice = (
        "    ((void (CONVENTION",
        "    ((void (*)(void))code)(); ((void (CONVENTION",
    );
    let outcome = run_tampered(&[('v', "")], Some(twice), None);
    assert_reported(
        &outcome,
        Direction::Callback,
        &["number of returns from farcall's code"],
    );
    let never = ("    ((void (CONVENTION", "    if (0) ((void (CONVENTION");
    let outcome = run_tampered(&[('v', "")], Some(never), None);
    assert_reported(&outcome, Direction::Callback, &["number of"]);
}

#[test]
fn crash_is_reported_with_its_case_and_the_others_still_run() {
    let crash = ("return (int)PEER->give[0]", "return *(volatile int *)8");
    let outcome = run_tampered(&[('q', "d"), ('i', "dd"), ('p', "i")], Some(crash), None);
    assert_eq!(outcome.failures.len(), 1, "{:#?}", outcome.failures);
    assert_reported(
        &outcome,
        Direction::Call,
        &["case 1", "died", "signal", "int f(double, double)"],
    );
    assert_eq!(outcome.tallies.map(|tally| tally.cases), [3, 3]);
}

#[test]
fn missing_compiler_is_an_error_and_no_success() {
    let error = compile::require("no-such-compiler-anywhere").expect_err("it is not there");
    assert!(error.to_string().contains("not installed"), "{error}");
}
