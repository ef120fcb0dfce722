//! What programs and libraries take that is the same in every process: code, constants, and the tables that go with them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::libffi::drop_in::tool;
use crate::process;
use crate::target::Target;

/// The most that MicroPython's program may take beyond the one with its own module: 300,000 for all but C's declarations, which are its newest
/// part, and 200,000 for them.
pub const MODULE_BYTES: u64 = 300_000 + 200_000;

/// Where the program has what first calls run (`micropython/ffi/first.ld`), and the least that is there while that list knows what
/// functions are called.
pub const FIRST: &str = ".text.farcall_first";
pub const FIRST_BYTES: u64 = 40_000;

/// The most that the drop-in libffi may take.
pub const LIBFFI_BYTES: u64 = 200_000;

/// What a section takes, 0 if there is none.
pub fn section(target: Target, file: &Path, name: &str) -> Result<u64> {
    let mut size = Command::new(tool(target, "size")?);
    let told = process::stdout(size.arg("-A").arg(file))?;
    let mut lines = told.lines().map(str::split_whitespace);
    let found = lines.find_map(|mut words| (words.next()? == name).then(|| words.next())?);
    Ok(found.map_or(Ok(0), str::parse)?)
}

/// The first column of `size`.
pub fn text(target: Target, file: &Path) -> Result<u64> {
    let mut size = Command::new(tool(target, "size")?);
    let told = process::stdout(size.arg(file))?;
    let second = told
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().next());
    let number = second.with_context(|| format!("no size of {}", file.display()))?;
    Ok(number.parse()?)
}
