//! The compilers that judge, and their verdicts.

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

/// The options. Qualifiers are removed: `volatile` and `restrict` do not change how a value is passed, and are not reported.
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

/// A compiler's verdict on assertions.
#[derive(Default)]
pub struct Said {
    /// The texts of the assertions that do not hold.
    pub failed: Vec<String>,
    /// All other messages, if there are any.
    pub other: Option<String>,
}

/// The marks of a line about an assertion that does not hold: GCC's words, and those of old and new versions of clang.
const FAILED: [&str; 3] = [
    "static assertion failed",
    "static_assert failed",
    "static_assertion failed",
];

/// Clang's messages about the type of a builtin function, or of one with several types.
const UNTOLD: [&str; 2] = [
    "builtin functions must be directly called",
    "reference to overloaded function",
];

/// GCC, which defines the platforms, and clang.
pub fn all(target: Target) -> [Judge; 2] {
    ["gcc", "clang"].map(|name| Judge {
        name,
        target,
        is_clang: name == "clang",
    })
}

impl Judge {
    /// Whether its verdict is final. Where clang differs from GCC, only GCC's is.
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

    /// Its verdict on a file.
    pub fn judge(self, file: &Path, options: &[String]) -> Result<Said> {
        let mut cc = self.command();
        // No limit on errors, so each assertion that does not hold is named.
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
        // Clang does not tell the types of these functions.
        let place = |line: &str| line.split(':').take(2).collect::<Vec<_>>().join(":");
        let is_untold = |line: &&&str| UNTOLD.iter().any(|words| line.contains(words));
        let untold: Vec<String> = other
            .iter()
            .filter(is_untold)
            .map(|line| place(line))
            .collect();
        // Its other messages on the same lines follow from that.
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
