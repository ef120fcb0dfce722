//! Runs Windows programs in Wine, with a configuration of its own under `target/`, and without messages.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::paths;
use crate::process::{self, Output};
use crate::target::Target;

/// Wine's loader: its path in Debian's package `wine64`, which is not on the PATH, and its names elsewhere.
pub const PROGRAMS: &[&str] = &[
    "/usr/lib/wine/wine64",
    "/usr/lib/wine/wine",
    "wine64",
    "wine",
];

/// A system DLL that Rust's standard library wants and Wine lacks before version 9.
const MISSING_DLL: &str = "bcryptprimitives";

/// The loader that is installed.
pub fn program() -> &'static &'static str {
    let found = PROGRAMS.iter().find(|name| process::on_path(name));
    found.unwrap_or(&PROGRAMS[0])
}

/// Wine's environment variables. Programs find DLLs in `directories`, after the system's own.
pub fn environment(directories: &[PathBuf]) -> Result<Vec<(&'static str, OsString)>> {
    // Wine shows the whole file system as drive Z:, and separates directories as Windows does.
    let mut path = OsString::new();
    for directory in directories {
        if !path.is_empty() {
            path.push(";");
        }
        path.push("Z:");
        path.push(directory);
    }
    Ok(vec![
        ("WINEPREFIX", prefix()?.into()),
        ("WINEDEBUG", "-all".into()),
        // Otherwise it offers to download its .NET and HTML engines.
        ("WINEDLLOVERRIDES", "mscoree,mshtml=".into()),
        ("WINEPATH", path),
    ])
}

fn prefix() -> Result<PathBuf> {
    Ok(paths::micropython()?.join("wine"))
}

/// A running Wine, until this is dropped.
///
/// The first Windows program starts Wine's own processes, which take seconds to start and to end and hold that program's output
/// open. This is that program: others start at once, and their output ends when they do.
#[must_use = "Wine runs as long as this value lives"]
pub struct Session(Child);

/// Starts Wine, after making its configuration, about which it would otherwise print messages, and the DLL that it lacks.
pub fn start(target: Target) -> Result<Session> {
    let lock = paths::lock("wine")?;
    let library = paths::libraries(target.spec().triple)?.join(format!("{MISSING_DLL}.dll"));
    let source = paths::root().join(format!("xtask/c/{MISSING_DLL}.c"));
    target.compile_library(&library, &[source], &["-ladvapi32"])?;
    if !prefix()?.join("system.reg").exists() {
        let mut wineboot = Command::new(program());
        wineboot
            .args(["wineboot", "--init"])
            .envs(environment(&[])?);
        process::run(&mut wineboot, Output::OnFailure)?;
    }
    drop(lock);
    let mut shell = Command::new(program());
    shell
        .arg("cmd")
        .envs(environment(&[])?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut session = Session(shell.spawn().context("cannot start Wine")?);
    // It prints a greeting when it is ready, and then waits for a command that never comes.
    let greeting = session.0.stdout.as_mut().map(|out| out.read(&mut [0]));
    ensure!(matches!(greeting, Some(Ok(1))), "Wine does not start");
    Ok(session)
}

impl Drop for Session {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.0.stdin.take());
        drop(self.0.stdout.take());
        // Nothing depends on how it ends.
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_names_directories_as_windows_does() {
        let found = environment(&["/a".into(), "/b c".into()]).expect("target/ can be made");
        let path = found.iter().find(|(name, _)| *name == "WINEPATH");
        assert_eq!(path.expect("it is there").1, "Z:/a;Z:/b c");
    }
}
