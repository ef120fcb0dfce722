//! Wine, which runs Windows programs: with a configuration of its own under `target/`, and quiet.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::paths;
use crate::process::{self, Output};
use crate::target::Target;

/// Wine's loader where Debian's package `wine64` puts it, which is not on the PATH.
pub const PROGRAM: &str = "/usr/lib/wine/wine64";

/// A system DLL that Rust's standard library wants and Wine lacks before version 9.
const MISSING_DLL: &str = "bcryptprimitives";

/// What Wine has to find in its environment. Programs find DLLs in `directories`, after the system's own.
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
        // Else it offers to download what runs .NET and HTML.
        ("WINEDLLOVERRIDES", "mscoree,mshtml=".into()),
        ("WINEPATH", path),
    ])
}

fn prefix() -> Result<PathBuf> {
    Ok(paths::micropython()?.join("wine"))
}

/// Makes the configuration, about which Wine would otherwise talk when a program is started, and the DLL that it lacks.
pub fn prepare(target: Target) -> Result<()> {
    let _lock = paths::lock("wine")?;
    let library = paths::libraries(target.spec().triple)?.join(format!("{MISSING_DLL}.dll"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("c/{MISSING_DLL}.c"));
    target.compile_library(&library, &[source], &["-ladvapi32"])?;
    if prefix()?.join("system.reg").exists() {
        return Ok(());
    }
    let mut wineboot = Command::new(PROGRAM);
    wineboot
        .args(["wineboot", "--init"])
        .envs(environment(&[])?);
    process::run(&mut wineboot, Output::OnFailure)
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
