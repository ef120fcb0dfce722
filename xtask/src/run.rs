//! `cargo xtask run`: runs a script in MicroPython with our module.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::libraries;
use crate::micropython;
use crate::process::Output;
use crate::target::Target;

/// Runs `script` with `args` in the current directory, after building what it needs. Returns the script's exit code.
pub fn script(target: Target, script: &Path, args: &[String]) -> Result<ExitCode> {
    let program = micropython::build(target, Output::OnFailure)?;
    let _runner = target.start_runner()?;
    if target.is_foreign() {
        // On this machine's own system the script finds its libraries itself.
        libraries::ensure(target)?;
    }
    let status = target
        .command(&program)?
        .arg(script)
        .args(args)
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if let Some(code) = status.code() {
        // A Windows program's code is 32 bits wide; a caller here gets the low ones.
        return Ok(ExitCode::from(code as u8));
    }
    eprintln!("{}: {status}", script.display());
    Ok(ExitCode::from(killed_code(status)))
}

/// The exit code that a shell gives a command that a signal ended.
#[cfg(unix)]
fn killed_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    status.signal().map_or(1, |signal| 128 + signal as u8)
}

#[cfg(not(unix))]
fn killed_code(_: std::process::ExitStatus) -> u8 {
    1
}
