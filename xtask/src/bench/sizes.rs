//! Sizes of the programs and libraries that are shipped, beside those that they replace.

use std::path::Path;

use anyhow::Result;

use super::harness::{DROP_IN, Effort, LIBFFI, drop_in};
use super::samples::Samples;
use super::scripts::STOCK;
use crate::libffi;
use crate::micropython::{self, Module};
use crate::process::Output;
use crate::sizes;
use crate::target::Target;

/// The row of MicroPython's programs, and that of libraries.
pub const PROGRAM: &str = "size/program";
pub const LIBRARY: &str = "size/library";

/// Takes the sizes.
pub fn shipped(_: Effort, samples: &mut Samples) -> Result<()> {
    let target = Target::default();
    let mut add = |row: &str, peer: &str, file: &Path| -> Result<()> {
        let bytes = sizes::text(target, file)?;
        samples.read(&format!("count\t{row}\t{peer}\t{bytes}\n"))
    };
    for (peer, module) in [("farcall", Module::Ours), (STOCK, Module::Stock)] {
        let program = micropython::build_with(target, module, Output::OnFailure)?;
        add(PROGRAM, peer, &program)?;
    }
    let libffis = [libffi::newest()?, libffi::system()?, drop_in()?];
    for (peer, libffi) in LIBFFI.into_iter().chain([DROP_IN]).zip(&libffis) {
        add(LIBRARY, peer, &libffi.library)?;
    }
    Ok(())
}
