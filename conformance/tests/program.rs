//! Tests the program itself: separate stages, exit codes, messages.
#![cfg(target_arch = "x86_64")]

use conformance::cases::FILE;
use conformance::{compile, target};
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_farcall-conformance");

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(args)
        .output()
        .expect("the program starts")
}

fn emit(dir: &Path, more: &[&str]) {
    let dir = dir.to_str().expect("a path in ASCII");
    let compiler = compile::compilers_for_tests(target::ALL[0]).remove(0);
    let fixed = ["--emit", dir, "--seed", "0x7", "--cc", &compiler];
    let count = ["--n", "10"];
    let count = if more.contains(&"--n") {
        &[]
    } else {
        &count[..]
    };
    let output = run(&[&fixed, count, more].concat());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn stages_run_one_after_the_other_and_through_a_runner() {
    let dir = tempfile::tempdir().expect("a directory");
    emit(dir.path(), &["--direction", "callback"]);
    let path = dir.path().to_str().expect("a path in ASCII");
    for runner in [None, Some(format!("env EMULATED=1 {PROGRAM}"))] {
        let runner = runner
            .as_deref()
            .map_or(vec![], |command| vec!["--runner", command]);
        let output = run(&[&["--run", path], &runner[..]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        // 10 signatures, none of them variadic, 3 rounds, slots, pointers and closure, at -O0 and -O2.
        assert!(text.ends_with("180 calls compared, 0 failures\n"), "{text}");
        assert!(!text.contains(" call: "), "{text}");
    }
}

#[test]
fn mismatch_is_exit_code_1_and_one_case_can_be_made_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    emit(dir.path(), &["--only", "3", "--opt", "O2"]);
    let file = dir.path().join(FILE);
    let text = std::fs::read_to_string(&file).expect("the case file");
    let case = text.lines().last().expect("the only case");
    assert!(case.starts_with("case\t3\t"), "{text}");
    // The first argument changes its kind behind the compiler's back.
    let fields: Vec<&str> = case.split('\t').collect();
    let other = match fields[3].split_at(1) {
        ("f" | "d", rest) => format!("q{rest}"),
        (_, rest) => format!("d{rest}"),
    };
    let changed = case.replace(fields[3], &other);
    std::fs::write(&file, text.replace(case, &changed)).expect("the case file");
    let output = run(&["--run", dir.path().to_str().expect("a path in ASCII")]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("--seed 0x7 --only 3"), "{text}");
}

#[test]
fn text_that_the_compiler_has_not_is_a_mismatch_with_declaration_values_and_seed() {
    let dir = tempfile::tempdir().expect("a directory");
    emit(dir.path(), &["--declared", "--opt", "O2", "--n", "60"]);
    let file = dir.path().join(FILE);
    let text = std::fs::read_to_string(&file).expect("the case file");
    // A structure that begins with a `float` begins with an `int`, behind the compiler's back.
    let changed = text.replace("{ float m", "{ int m");
    assert_ne!(changed, text);
    std::fs::write(&file, changed).expect("the case file");
    let output = run(&["--run", dir.path().to_str().expect("a path in ASCII")]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for wanted in ["{ int m", "\n  a0 = ", "--declared --seed 0x7 --only "] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[test]
fn what_cannot_be_done_is_exit_code_2_and_says_why() {
    for (args, words) in [
        (&["--cc", "no-such-compiler"][..], "not installed"),
        (&["--run", "/nonexistent"], "cannot read"),
        (&["--target", "vax"], "there are only"),
        (&["--n", "0"], "no signature"),
        (
            &["--cc", "cc -fno-such-option", "--n", "1"],
            "cc -fno-such-option",
        ),
    ] {
        let output = run(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
}
