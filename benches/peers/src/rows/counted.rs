//! Work without a clock, for a tool that counts instructions: one kind of work, as often as there are rounds.

use super::{Bench, callbacks, functions};
use anyhow::{Result, bail};
use farcall::Function;
use std::hint::black_box;

/// Does the work called `path`.
pub fn work(bench: &Bench, path: &str) -> Result<()> {
    let (kind, name) = path.split_once('/').unwrap_or((path, "add2"));
    let case = bench.case(name)?;
    let c = bench.c.case(name)?;
    let count = bench.sampler.rounds as u64;
    let mut result = 0;
    let function = || Function::at(c.ends, case.ret, case.args);
    match kind {
        "trampoline" => {
            let (_made, call) = functions::trampoline(case.ret, case.args)?;
            let slots = case.slots.as_ptr();
            // SAFETY: the trampoline is for the case's function, and there is a slot for each argument.
            unsafe { (c.slots_loops[0])(call, c.ends, slots, &mut result, count) };
        }
        "call_slots" => {
            let function = function()?;
            for _ in 0..count {
                // SAFETY: the function is the case's, and the slots hold its arguments.
                unsafe { black_box(function.call_slots(&case.slots))? };
            }
        }
        "call" => {
            let function = function()?;
            let values: Vec<_> = case.values().collect();
            for _ in 0..count {
                // SAFETY: as above.
                let _ = unsafe { black_box(function.call(&values))? };
            }
        }
        "values" => {
            let callback = callbacks::with_values(case)?;
            callbacks::call(c.callers[0], case, callback.code(), count);
        }
        "new" => {
            for number in 0..count as usize {
                black_box(Function::at(
                    c.ends,
                    "v",
                    &functions::fresh_signature(number),
                )?);
            }
        }
        "callback" => {
            let callback = callbacks::raw(&callbacks::compiled(case)?, c.slots_ends)?;
            callbacks::call(c.callers[0], case, callback.code(), count);
        }
        "made" => {
            let compiled = callbacks::compiled(case)?;
            for _ in 0..count {
                black_box(callbacks::raw(&compiled, c.slots_ends)?);
            }
        }
        "seen" => {
            let _first = function()?;
            for _ in 0..count {
                black_box(function()?);
            }
        }
        _ => bail!("there is no work {path}"),
    }
    Ok(())
}
