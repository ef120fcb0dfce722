//! The needs of all steps at once, so that a user who installs by hand has to do so only once.

use anyhow::Result;

use super::{cli, dist, drop_in, packaged, systems, unchanged, unwinding};
use crate::libraries;
use crate::micropython::{self, Module, Release};
use crate::pins;
use crate::setup::{self, Need};
use crate::source;
use crate::target::Target;

/// The needs of the steps on these targets.
pub fn of(targets: &[Target]) -> Result<Vec<Need>> {
    let mut needs = [
        setup::LINTS,
        setup::COMPILERS,
        setup::CROSS_COMPILERS,
        setup::CPLUSPLUS,
        setup::VALGRIND,
        setup::AUTOTOOLS,
        packaged::NEEDS,
        cli::NEEDS,
        unwinding::NEEDS,
        super::docs::NEEDS,
        unchanged::NEEDS,
        systems::MUSL_NEEDS,
        drop_in::GDB,
        dist::NEEDS,
    ]
    .concat();
    needs.extend(systems::needs());
    // Its name is known only once there is a Python.
    needs.extend(unchanged::tests_of_ctypes().ok());
    needs.extend(source::needs(&pins::LIBFFI)?);
    for &target in targets {
        let modules = match target.spec().stock_needs {
            Some(_) => vec![Module::Ours, Module::Stock],
            None => vec![Module::Ours],
        };
        for module in modules {
            needs.extend(micropython::needs(Release::Own, target, module)?);
        }
        needs.extend(libraries::needs(target));
    }
    Ok(needs)
}
