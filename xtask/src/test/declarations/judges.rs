//! The compilers that judge, and what they say.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::target::Target;

/// A compiler.
#[derive(Clone, Copy)]
pub struct Judge {
    pub name: &'static str,
    target: Target,
    is_clang: bool,
}

/// Qualifiers are left out: what is `volatile` or `restrict` is passed as anything else, and nobody is told.
const OPTIONS: [&str; 10] = [
    "-std=gnu11",
    "-w",
    "-fsyntax-only",
    "-Dvolatile=",
    "-D__volatile=",
    "-D__volatile__=",
    "-Drestrict=",
    "-D__restrict=",
    "-D__restrict__=",
    "-D_Atomic=",
];

/// What a compiler says against assertions.
#[derive(Default)]
pub struct Said {
    /// The texts of those that do not hold.
    pub failed: Vec<String>,
    /// Everything else, if there is anything.
    pub other: Option<String>,
}

/// What a line about an assertion that does not hold has: GCC's words, clang's of old and of new versions.
const FAILED: [&str; 3] = [
    "static assertion failed",
    "static_assert failed",
    "static_assertion failed",
];

/// What clang says where a function is looked at that it has itself, or that has several types.
const UNTOLD: [&str; 2] = [
    "builtin functions must be directly called",
    "reference to overloaded function",
];

/// GCC, by which platforms are meant, and clang.
pub fn all(target: Target) -> [Judge; 2] {
    ["gcc", "clang"].map(|name| Judge {
        name,
        target,
        is_clang: name == "clang",
    })
}

impl Judge {
    /// Whether its word is final: where clang differs from GCC, GCC's is.
    pub fn is_final(self) -> bool {
        !self.is_clang
    }

    pub fn command(self) -> Command {
        if !self.is_clang {
            return Command::new(self.target.spec().cc);
        }
        let mut clang = Command::new("clang");
        match self.target {
            Target::X86_64Linux => {}
            Target::Aarch64Linux => _ = clang.arg("--target=aarch64-linux-gnu"),
            Target::X86_64Windows => _ = clang.arg("--target=x86_64-w64-mingw32"),
        }
        clang
    }

    /// What it says against a file.
    pub fn judge(self, file: &Path, options: &[String]) -> Result<Said> {
        let mut cc = self.command();
        // All of them: each that does not hold is named.
        cc.arg(match self.is_clang {
            true => "-ferror-limit=0",
            false => "-fmax-errors=0",
        });
        cc.args(OPTIONS).args(options).arg(file);
        let said = process::transcript(&mut cc, None)?;
        let text = said.text();
        let errors = text.lines().filter(|line| line.contains("error: "));
        let (failed, other): (Vec<&str>, Vec<&str>) =
            errors.partition(|line| FAILED.iter().any(|words| line.contains(words)));
        // Of these clang tells no type.
        let place = |line: &str| line.split(':').take(2).collect::<Vec<_>>().join(":");
        let is_untold = |line: &&&str| UNTOLD.iter().any(|words| line.contains(words));
        let untold: Vec<String> = other
            .iter()
            .filter(is_untold)
            .map(|line| place(line))
            .collect();
        // What else it says of the same lines follows from that.
        let other: Vec<&str> = other
            .into_iter()
            .filter(|line| !untold.contains(&place(line)))
            .collect();
        let name_of = |line: &&str| {
            let name = line.trim_end().trim_end_matches('"').rsplit('"').next();
            name.unwrap_or_default().to_owned()
        };
        let mut failed: Vec<String> = failed.iter().map(name_of).collect();
        if !untold.is_empty() {
            failed.push(format!(
                "{} functions without one type of their own",
                untold.len()
            ));
        }
        let is_clear = said.success() || !failed.is_empty() && other.is_empty();
        Ok(Said {
            failed,
            other: (!is_clear).then(|| match other.is_empty() {
                true => said.ending(),
                false => other.into_iter().take(20).collect::<Vec<_>>().join("\n"),
            }),
        })
    }
}
