//! The interpreters: MicroPython with our module beside the same with its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::harness::Effort;
use super::samples::Samples;
use super::{cases, harness};
use crate::micropython::{self, Module};
use crate::paths;
use crate::process::{self, Output};
use crate::target::Target;

/// What rows call MicroPython with its own module.
pub const STOCK: &str = "stock";

/// An interpreter, and what its rows are called.
struct Interpreter {
    peer: &'static str,
    program: PathBuf,
    script: &'static str,
}

impl Interpreter {
    fn measure(&self, library: &Path, effort: Effort, samples: &mut Samples) -> Result<()> {
        let script = paths::root()
            .join("benches/peers/scripts")
            .join(self.script);
        let mut command = Command::new(&self.program);
        command
            .arg(script)
            .arg(self.peer)
            .args([library, &cases::table()])
            .arg(effort.rounds.to_string())
            .arg(effort.turn.to_string());
        samples.read(&process::stdout(&mut command)?)
    }
}

/// Runs ours and stock by turns, a process each.
pub fn micropython(effort: Effort, samples: &mut Samples) -> Result<()> {
    let library = harness::cases_library()?;
    let target = Target::default();
    let build = |module| micropython::build_with(target, module, Output::OnFailure);
    let interpreters = [("farcall", Module::Ours), (STOCK, Module::StockNewest)].map(
        |(peer, module)| -> Result<Interpreter> {
            Ok(Interpreter {
                peer,
                program: build(module)?,
                script: "micropython.py",
            })
        },
    );
    let [ours, stock] = interpreters;
    let interpreters = [ours?, stock?];
    for _ in 0..effort.processes {
        for interpreter in &interpreters {
            interpreter.measure(&library, effort, samples)?;
        }
    }
    Ok(())
}
