//! Counts the instructions of farcall's trampolines and of C compilers' code for the same typed call. Nothing else can be measured for
//! machines that are not at hand, as time means nothing under emulation.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::cases;
use super::harness::Effort;
use super::samples::Samples;
use crate::paths;
use crate::process;
use crate::setup;

/// A compiler for a convention.
struct Compiler {
    /// The convention, as farcall calls it.
    abi: &'static str,
    name: &'static str,
    command: &'static [&'static str],
}

/// The option for landing pads of indirect calls, which our code has.
const X64: &str = "-fcf-protection=branch";
const A64: &str = "-mbranch-protection=bti";

const COMPILERS: &[Compiler] = &[
    Compiler {
        abi: "SysV x86-64",
        name: "gcc",
        command: &["gcc", X64],
    },
    Compiler {
        abi: "SysV x86-64",
        name: "clang",
        command: &["clang", "--target=x86_64-linux-gnu", X64],
    },
    Compiler {
        abi: "Win64",
        name: "gcc",
        command: &["x86_64-w64-mingw32-gcc", X64],
    },
    Compiler {
        abi: "Win64",
        name: "clang",
        command: &["clang", "--target=x86_64-w64-mingw32", X64],
    },
    Compiler {
        abi: "AAPCS64",
        name: "gcc",
        command: &["aarch64-linux-gnu-gcc", A64],
    },
    Compiler {
        abi: "AAPCS64",
        name: "clang",
        command: &["clang", "--target=aarch64-linux-gnu", A64],
    },
    Compiler {
        abi: "AAPCS64 (Apple)",
        name: "clang",
        command: &["clang", "--target=arm64-apple-macos", A64],
    },
    Compiler {
        abi: "AAPCS64 (Windows)",
        name: "clang",
        command: &["clang", "--target=aarch64-w64-mingw32", A64],
    },
];

/// Counts the instructions that compilers need for the twelve calls. The harness counts farcall's own.
pub fn by_compilers(_: Effort, samples: &mut Samples) -> Result<()> {
    setup::ensure(setup::CROSS_COMPILERS)?;
    let cases = cases::all()?;
    let source = paths::bench()?.join("typed.c");
    fs::write(&source, cases::typed_calls(&cases))?;
    for compiler in COMPILERS {
        let [program, options @ ..] = compiler.command else {
            continue;
        };
        let mut command = Command::new(program);
        command
            .args(options)
            .args(["-O2", "-S", "-ffreestanding", "-o", "-"])
            .arg(&source);
        let listing = process::stdout(&mut command)?;
        for case in &cases {
            let count = instructions(&listing, &format!("{}_typed", case.name))
                .with_context(|| format!("{program} made no {}", case.name))?;
            let row = format!("instructions/{}/{}", compiler.abi, case.name);
            samples.read(&format!("count\t{row}\t{}\t{count}\n", compiler.name))?;
        }
    }
    Ok(())
}

/// The number of instructions behind a function's label in a compiler's assembly, up to the next function's.
fn instructions(listing: &str, function: &str) -> Option<usize> {
    let label = |line: &str| {
        let name = line.split_once(':')?.0;
        Some(name.trim_start_matches('_').to_owned())
    };
    let mut lines = listing.lines();
    lines.find(|line| label(line).as_deref() == Some(function))?;
    let body = lines.take_while(|line| !label(line).is_some_and(|name| name.ends_with("_typed")));
    let is_instruction = |line: &&str| {
        let text = line.trim_start();
        let indented = text.len() < line.len();
        indented && text.starts_with(|first: char| first.is_ascii_lowercase())
    };
    Some(body.filter(is_instruction).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_counted_without_directives_and_labels() {
        let listing = "\t.globl\tone_typed\none_typed:\n.LFB0:\n\t.seh_proc one\n\tendbr64\n\tjmp\t*%rdi # tail\n\
                       .Lend:\n\t.size\tone_typed, .-one_typed\n_two_typed:                ; @two\n; %bb.0:\n\tbr\tx0\n";
        assert_eq!(instructions(listing, "one_typed"), Some(2));
        assert_eq!(instructions(listing, "two_typed"), Some(1));
        assert_eq!(instructions(listing, "three_typed"), None);
    }
}
