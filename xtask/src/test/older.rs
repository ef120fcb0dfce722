//! The step that tests the older release of MicroPython like the project's own.

use anyhow::Result;

use super::{Report, scripts, suite};
use crate::micropython::{self, Module, Release};
use crate::process::Output;
use crate::target::Target;

/// It builds with our module and with its own; its tests of ffi and the module's scripts pass; its whole suite, ours against stock.
pub fn all(target: Target) -> Result<Report> {
    let release = Release::Older;
    let version = release.pin().version;
    let mut report = Report::default();
    for module in [Module::Ours, Module::Stock] {
        let program = micropython::build_release(release, target, module, Output::OnFailure)?;
        println!("{}", program.display());
        report.add(true, "");
    }
    for (what, step) in [
        (
            "ffi",
            suite::ffi_of as fn(Release, Target) -> Result<Report>,
        ),
        ("module", scripts::module_of),
        ("suite", suite::whole_of),
    ] {
        let found = step(release, target)?;
        println!("{what}: {} passed", found.passed);
        report.join(&format!("{version}, {what}"), found);
    }
    Ok(report)
}
