//! The run stage: loads the C side, runs the cases, and reports each step to the supervisor.
//!
//! A step is one case in one direction. The worker's output, a line each:
//!
//! ```text
//! @ 34            step 34 begins: what crashes from here on is its fault
//! ! ...           a mismatch, its lines joined by U+001F
//! = 6 1           the step ended, after 6 calls, with one mismatch
//! .               all steps are done
//! ```

pub mod bare;
pub(crate) mod bridge;
mod call;
mod callback;
mod delivery;
pub mod engine;
pub mod farcall;
mod follow;
mod foreign;
pub(crate) mod memory;
mod object;
mod pages;
mod peer;
mod step;

use crate::cases::{Direction, LINE_SEPARATOR, Suite};
use crate::divergence;
use crate::machine::Checker;
use anyhow::{Context, Result};
use engine::Engine;
use object::Object;
use std::io::Write;
use std::path::Path;
use step::Step;

/// Runs the steps of `config` from number `from` on.
///
/// # Errors
/// When the directory is not as the emit stage leaves it, when farcall refuses a signature, or when `out` takes no
/// more.
pub fn worker(
    dir: &Path,
    config: &str,
    from: usize,
    engine: &dyn Engine,
    out: &mut dyn Write,
) -> Result<()> {
    let suite = Suite::read(dir)?;
    let abi = suite.target.abi;
    let no_such_machine = || format!("this machine runs no code for {abi}");
    let mut checker = Checker::new(suite.target).with_context(no_such_machine)?;
    let bridge = bridge::to(abi).with_context(no_such_machine)?;
    for object in suite.objects.iter().filter(|o| o.config == config) {
        let end = object.first + object.count;
        if end * Direction::ALL.len() <= from {
            continue;
        }
        let loaded = Object::load(dir, &suite, object)?;
        for place in object.first..end {
            if divergence::misjudges(config, &suite.cases[place], suite.target) {
                continue;
            }
            for (number, direction) in Direction::ALL.into_iter().enumerate() {
                let step_number = place * Direction::ALL.len() + number;
                if step_number < from || !suite.directions.contains(&direction) {
                    continue;
                }
                let mut step = Step {
                    engine,
                    bridge,
                    checker: &mut checker,
                    case: &suite.cases[place],
                    direction,
                    target: suite.target,
                    seed: suite.seed,
                    rounds: suite.rounds,
                    function: loaded.function(direction, place - object.first),
                    object: &loaded,
                    calls: 0,
                    mismatches: Vec::new(),
                };
                writeln!(out, "@ {step_number}")?;
                out.flush()?;
                step.run()?;
                for mismatch in &step.mismatches {
                    let text = mismatch.text(&suite, config, step.case);
                    writeln!(
                        out,
                        "! {}",
                        text.trim_end().replace('\n', &LINE_SEPARATOR.to_string())
                    )?;
                }
                writeln!(out, "= {} {}", step.calls, step.mismatches.len())?;
            }
        }
    }
    writeln!(out, ".")?;
    Ok(out.flush()?)
}

impl Step<'_> {
    fn run(&mut self) -> Result<()> {
        let result = match self.direction {
            Direction::Call => self.calls(),
            Direction::Callback => self.callbacks(),
        };
        result.with_context(|| format!("case {}: {}", self.case.index, self.case))
    }
}
