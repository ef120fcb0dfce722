//! The program as its users see it: transcripts of commands, with what they print and how they exit.
//!
//! A transcript is a text in which lines that begin with `$ ` are commands of a shell, and what follows up to the next one is printed by
//! them: what goes to the terminal, whether it is a result or an error. A last line `[exit 2]` is the exit code, unless it is 0. Lines that begin with `# ` are headings. With
//! `FARCALL_BLESS` in the environment, what is printed becomes what is right.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory to run commands in, with nothing in it but what they need.
fn work(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("a directory of this test's own");
    }
    fs::create_dir_all(&directory).expect("a directory");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::os::unix::fs::symlink(data, directory.join("data")).expect("a link");
    directory
}

/// What a command prints, and its exit code.
fn run(command: &str, directory: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_farcall"));
    let own = program.parent().expect("a directory").to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([own].into_iter().chain(env::split_paths(&path)));
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(directory)
        .env("PATH", path.expect("a search path"))
        .env("LC_ALL", "C")
        .env_remove("FARCALL_CODE")
        .env_remove("COLUMNS")
        .env("NO_COLOR", "1")
        .output()
        .expect("a shell");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => text += &format!("[exit {code}]\n"),
        None => text += &format!("[{}]\n", output.status),
    }
    text
}

/// The transcript with what its commands print now.
fn replayed(transcript: &str, directory: &Path) -> String {
    let mut text = String::new();
    for line in transcript.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            text += &format!("{line}\n{}", run(command, directory));
        } else if line.starts_with("# ") {
            text += &format!("{line}\n");
        }
    }
    text
}

fn is_blessing() -> bool {
    env::var_os("FARCALL_BLESS").is_some()
}

/// Shows where two texts part.
fn assert_same(got: &str, expected: &str, what: &str) {
    let lines = got.lines().zip(expected.lines());
    let same = lines.take_while(|(got, expected)| got == expected).count();
    let rest = |text: &str| {
        text.lines()
            .skip(same)
            .take(12)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert!(
        got == expected,
        "{what}:{}: expected\n{}\n\ngot\n{}",
        same + 1,
        rest(expected),
        rest(got)
    );
}

fn check(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(format!("{name}.txt"));
    let expected = fs::read_to_string(&file).expect("a transcript");
    let got = replayed(&expected, &work(name));
    if is_blessing() {
        fs::write(&file, got).expect("the transcript");
    } else {
        assert_same(&got, &expected, &file.display().to_string());
    }
}

#[test]
fn calls_print_results_and_say_what_is_wrong() {
    check("call");
}
