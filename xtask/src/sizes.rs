//! The sizes of the parts of programs and libraries that are the same in every process: code, constants, and the tables that go with them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::libffi::drop_in::tool;
use crate::process;
use crate::target::Target;

/// The most bytes that MicroPython's program may have beyond the one with its own module: 304,000 for all but C's declarations, which are
/// its newest part, and 206,000 for those.
pub const MODULE_BYTES: u64 = 304_000 + 206_000;

/// The section with the code that first calls run (`micropython/ffi/first.ld`), and its least size as long as that list has the functions'
/// right names.
pub const FIRST: &str = ".text.farcall_first";
pub const FIRST_BYTES: u64 = 40_000;

/// The most bytes that the drop-in libffi may have. The compiler divides it otherwise in another directory, which makes up to 3 kB.
pub const LIBFFI_BYTES: u64 = 197_000;

/// The size of a section, 0 if there is none.
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
