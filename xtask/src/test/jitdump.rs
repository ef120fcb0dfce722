//! Tests the drop-in libffi that is built for profilers: with it, and not with the usual one, `FARCALL_PERF=jitdump` leaves a dump.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::Report;
use crate::libffi::drop_in::{self, Parts};
use crate::libffi::suite::CODE;
use crate::paths;
use crate::process::{self, Output};
use crate::sizes;
use crate::target::Target;

/// The time limit, far more than the program takes.
const LIMIT: Duration = Duration::from_secs(300);

/// The first bytes of a dump, on a machine of either byte order.
const MAGIC: [&[u8]; 2] = [b"JiTD", b"DTiJ"];

/// The most bytes that it takes beyond the usual library.
const MORE_BYTES: u64 = 10 << 10;

/// Builds it beside the usual library, which lies in `usual`, and compares both.
pub fn compare(target: Target, usual: &Path, report: &mut Report) -> Result<()> {
    let with_dumps = drop_in::build_with(target, Parts { jitdump: true })?;
    let size = |prefix: &Path| {
        let library = prefix.join("lib").join(drop_in::library_name(target));
        sizes::text(target, &library)
    };
    let more = size(&with_dumps)?.saturating_sub(size(usual)?);
    report.add(
        (1..=MORE_BYTES).contains(&more),
        format!("dumps take {more} bytes"),
    );
    for (prefix, is_expected) in [(usual, false), (&with_dumps, true)] {
        let dumps = dumps(target, prefix)?;
        report.add(
            dumps == is_expected,
            format!("{}: a dump: {dumps}", prefix.display()),
        );
    }
    Ok(())
}

/// Whether a program leaves a dump of its code.
fn dumps(target: Target, prefix: &Path) -> Result<bool> {
    let work = paths::made(paths::libffi(target.spec().triple).join("tests"))?;
    let program = work.join("jitdump.exe");
    let mut cc = Command::new(target.spec().cc);
    cc.arg(format!("-I{}", prefix.join("include").display()))
        .arg(paths::root().join("libffi/tests/backtrace.c"))
        .arg("-o")
        .arg(&program)
        .args(drop_in::link_options(target, prefix));
    process::run(&mut cc, Output::OnFailure)?;
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "echo $$ && exec \"$0\""])
        .arg(&program)
        .env("LD_LIBRARY_PATH", prefix.join("lib"))
        .env(CODE, "always")
        .env("FARCALL_PERF", "jitdump");
    let ran = process::transcript(&mut shell, Some(LIMIT))?;
    anyhow::ensure!(ran.success(), "{}", ran.text());
    let text = ran.text();
    let process = text.lines().next().context("the process's number")?;
    let dump = format!("/tmp/jit-{process}.dump");
    let Ok(bytes) = fs::read(&dump) else {
        return Ok(false);
    };
    fs::remove_file(&dump)?;
    Ok(MAGIC.iter().any(|magic| bytes.starts_with(magic)))
}
