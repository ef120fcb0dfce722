//! The program as its users see it: transcripts of commands, with what they print and how they exit.
//!
//! A transcript is a text in which lines that begin with `$ ` are commands of a shell, and what follows up to the next one is printed by
//! them: what goes to the terminal, whether it is a result or an error. A last line `[exit 2]` is the exit code, unless it is 0. Lines that begin with `## ` are headings. With
//! `FARCALL_BLESS` in the environment, what is printed becomes what is right.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory to run commands in, with nothing in it but what they need. It is this process's own, and goes with the value.
struct Work(PathBuf);

impl Work {
    fn new(name: &str) -> Work {
        let name = format!("{name}-{}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&directory).expect("a directory");
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        std::os::unix::fs::symlink(data, directory.join("data")).expect("a link");
        Work(directory)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What is left of it is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl std::ops::Deref for Work {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

/// What a command prints, and its exit code.
fn run(command: &str, directory: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_farcall"));
    let own = program.parent().expect("a directory").to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let interpreter = env::var_os(MICROPYTHON).map(PathBuf::from);
    let interpreter = interpreter.and_then(|file| Some(file.parent()?.to_owned()));
    let first = [own].into_iter().chain(interpreter);
    let path = env::join_paths(first.chain(env::split_paths(&path)));
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
        } else if line.starts_with("## ") {
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
    let got = replayed(&expected, &Work::new(name));
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

#[test]
fn explanations_show_every_convention_and_its_code() {
    check("explain");
}

/// Pictures, by what is drawn.
const PICTURES: [(&str, &str); 4] = [
    (
        "sysv-variadic",
        "-t x86_64-linux 'int f(double x, struct { int a; double b; } s, char c, struct { long a, b, c; } big, ...)' int double",
    ),
    (
        "win64-by-reference",
        "-t x86_64-windows 'struct { float x, y, z; } f(struct { float x, y, z; } v, char c, int n, double d, double e, ...)' int",
    ),
    (
        "apple-packed",
        "-t aarch64-macos 'void f(struct { float x, y, z; } v, struct { long a, b, c; } big, long c, long d, long e, long f, long g, long h, long i, char j, short k)'",
    ),
    (
        "aapcs64",
        "-t aarch64-linux 'double pow(double x, double y)'",
    ),
];

#[test]
fn pictures_are_as_reviewed() {
    let directory = Work::new("pictures");
    for (name, arguments) in PICTURES {
        let got = run(&format!("farcall explain -f svg {arguments}"), &directory);
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/pictures")
            .join(format!("{name}.svg"));
        if is_blessing() {
            fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
            fs::write(&file, got).expect("the picture");
            continue;
        }
        let expected = fs::read_to_string(&file).expect("a picture");
        assert_same(&got, &expected, &file.display().to_string());
    }
}

/// Signatures that take every sort of instruction.
const SIGNATURES: [&str; 12] = [
    "int f(void)",
    "long double f(long double x)",
    "__int128 f(__int128 a, char b)",
    "double _Complex f(double _Complex z, float _Complex w)",
    "struct { char c[100]; } f(struct { char c[100]; } a, int b)",
    "void f(struct { char c[300]; } a)",
    "double f(double, double, double, double, double, double, double, double, double, double)",
    "long f(long, long, long, long, long, long, long, long, long, long)",
    "_Bool f(_Bool, unsigned char, short, unsigned short, int, unsigned, long, unsigned long)",
    "struct { double x, y; } f(struct { float r, g, b, a; } c, const char *s)",
    "struct { char c[5]; } f(struct { char c[5]; } a, struct { char c[7]; } b, struct { short s[3]; } d)",
    "int f(char a, char b, char c, char d, char e, char g, char h, char i, char j, short k, int l)",
];

#[test]
fn every_instruction_is_understood() {
    let directory = Work::new("instructions");
    for signature in SIGNATURES {
        let text = run(
            &format!("farcall explain --all-targets --code '{signature}'"),
            &directory,
        );
        assert!(text.matches("\ncall:").count() >= 6, "{text}");
        let unknown = text
            .lines()
            .find(|line| line.ends_with("for the bytes of a wide value"));
        assert_eq!(unknown, None, "{signature}");
    }
}

#[test]
fn doctor_tells_what_holds_and_exits_by_it() {
    let directory = Work::new("doctor");
    let report = run("farcall doctor --format json", &directory);
    let is_well = report.contains("\"well\": true");
    assert_eq!(!report.contains("[exit 1]"), is_well, "{report}");
    assert!(report.contains("5000 of a callback came back"), "{report}");
    for name in [
        "MDWE",
        "seccomp",
        "SELinux",
        "fences",
        "unwinder",
        "micropython",
    ] {
        assert!(
            report.contains(&format!("\"{name}\": {{")),
            "{name}: {report}"
        );
    }
    let report = run("FARCALL_CODE=never farcall doctor", &directory);
    assert!(report.contains("  slow  FARCALL_CODE "), "{report}");
    let end = "\nCalls and callbacks work, but get no machine code of their own here.\n[exit 1]\n";
    assert!(report.ends_with(end), "{report}");
}

#[test]
fn headers_become_modules() {
    check("bind");
}

/// Runs the modules that are made of headers, in the interpreter that this variable names. `cargo xtask test --only cli` builds one.
const MICROPYTHON: &str = "FARCALL_TEST_MICROPYTHON";

#[test]
fn modules_of_headers_run() {
    let Some(micropython) = env::var_os(MICROPYTHON) else {
        eprintln!("SKIPPED modules_of_headers_run: {MICROPYTHON} names no interpreter");
        return;
    };
    let micropython = micropython.to_string_lossy();
    let directory = Work::new("modules");
    for (header, library, module, script) in [
        ("data/shapes.h", "shapes -L.", "shapes", "use_shapes"),
        ("zlib.h", "z", "z", "use_zlib"),
        ("sqlite3.h", "sqlite3", "sqlite", "use_sqlite"),
    ] {
        let commands = format!(
            "cc -shared -fPIC -o libshapes.so data/shapes.c
             farcall bind {header} -l {library} -o {module}.py 2> /dev/null
             LD_LIBRARY_PATH=. MICROPYPATH=. {micropython} data/{script}.py"
        );
        let got = run(&commands, &directory);
        let expected = directory.join(format!("data/{script}.py.exp"));
        if is_blessing() {
            fs::write(&expected, &got).expect("what is right");
            continue;
        }
        let expected = fs::read_to_string(&expected).expect("what is right");
        assert_same(&got, &expected, script);
    }
}

#[test]
fn help_the_manual_and_completions_are_there() {
    check("manual");
}

/// The blocks of `docs/cli.md` that are marked as a console's are transcripts, too. Those that need an interpreter say so.
#[test]
fn the_document_shows_what_commands_print() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let text = fs::read_to_string(&page).expect("the page");
    let directory = Work::new("document");
    let mut got = String::new();
    let mut rest = text.as_str();
    while let Some((before, block)) = rest.split_once("```console") {
        let (mark, block) = block.split_once('\n').expect("a line");
        let (block, after) = block.split_once("```\n").expect("an end of the block");
        let needs_interpreter = mark.contains("micropython");
        let is_left_out = needs_interpreter && env::var_os(MICROPYTHON).is_none();
        if is_left_out {
            eprintln!("SKIPPED a block of docs/cli.md: {MICROPYTHON} names no interpreter");
        }
        let replayed = match is_left_out {
            true => block.to_owned(),
            false => replayed(block, &directory),
        };
        got += &format!("{before}```console{mark}\n{replayed}```\n");
        rest = after;
    }
    got += rest;
    if is_blessing() {
        fs::write(&page, got).expect("the page");
    } else {
        assert_same(&got, &text, "docs/cli.md");
    }
}
