//! The step for the program `farcall`: its tests, with the interpreter and the libraries that they use where these are there.

use anyhow::Result;

use super::{Report, cargo};
use crate::micropython;
use crate::process::Output;
use crate::setup::{self, Check, Need};
use crate::target::Target;

/// The packages of the headers that become modules.
pub const NEEDS: &[Need] = &[
    Need::new(Check::Program("pkg-config"), "pkg-config"),
    Need::new(Check::PkgConfig("sqlite3"), "libsqlite3-dev"),
    Need::new(Check::PkgConfig("zlib"), "zlib1g-dev"),
];

/// The variable by which the tests find the interpreter.
const MICROPYTHON: &str = "FARCALL_TEST_MICROPYTHON";

/// Runs the transcripts of its commands; modules that it makes from headers run in MicroPython.
pub fn cli() -> Result<Report> {
    setup::ensure(NEEDS)?;
    let micropython = micropython::build(Target::default(), Output::OnFailure)?;
    let mut tests = cargo::cargo(&["test", "--package", "farcall-cli", "--no-fail-fast"]);
    cargo::tests(tests.env(MICROPYTHON, micropython))
}
