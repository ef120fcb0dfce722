//! farcall calls C.

use super::Step;
use super::memory::Surrounded;
use super::peer::Seen;
use crate::cases::Direction;
use crate::codes::Shape;
use crate::machine::Under;
use crate::report::{Fault, Mismatch, Place};
use crate::rng::Rng;
use crate::values::Values;
use anyhow::Result;
use std::ffi::c_void;

impl Step<'_> {
    /// Calls the C function of the case, by trampoline and by [`farcall::Function`].
    pub(super) fn calls(&mut self) -> Result<Vec<Mismatch>> {
        let trampoline = self.engine.trampoline(self.case)?;
        // SAFETY: the C function was compiled from this case; it reads and writes nothing but its own record.
        let function = unsafe { self.engine.function(self.case, self.function)? };
        let mut mismatches = Vec::new();
        for round in 0..self.rounds {
            let values = Values::new(self.case, self.model, self.seed, round);
            let mut report = |route, faults: Vec<Fault>| {
                if !faults.is_empty() {
                    mismatches.push(Mismatch {
                        direction: Direction::Call,
                        route,
                        round,
                        faults,
                    });
                }
            };
            let faults = self.call_by_trampoline(trampoline.it, &values, round);
            report("trampoline", faults);
            if let Some(function) = &function {
                self.object.expect(values.ret.dirty);
                self.calls += 1;
                let result = function(&slots(&values))?;
                let mut faults = arrived(&self.object.seen(), &values);
                let wanted = values.ret.wanted;
                faults.extend(Fault::unless_equal(Place::Result, wanted, result));
                report("Function::call_slots", faults);
            }
        }
        Ok(mismatches)
    }

    fn call_by_trampoline(
        &mut self,
        trampoline: *const c_void,
        values: &Values,
        round: u64,
    ) -> Vec<Fault> {
        let mut rng = Rng::new(&[self.seed, self.case.index, round, u64::from(b'G')]);
        let mut memory = Surrounded::new(slots(values));
        let (slots, result) = memory.pointers();
        self.object.expect(values.ret.dirty);
        self.calls += 1;
        let guarded = self.checker.guard(trampoline, &mut rng);
        let target = self.checker.probe(self.function);
        // SAFETY: the guard goes on to the trampoline with the same arguments, and is called as one. The target
        // goes on to the function that was compiled for this case; there are as many slots as it has arguments, and
        // one for the result.
        unsafe { (self.bridge.call)(guarded, target, slots, result) };
        let mut faults = self.checker.faults(self.case, Under::Trampoline);
        faults.extend(arrived(&self.object.seen(), values));
        let (before, after) = (memory.untouched_result(), memory.result());
        let mask = self.case.ret.mask(self.model);
        let wanted = match self.case.ret.shape {
            Shape::Void => before,
            // The upper half of a float's slot stays as it was.
            Shape::Float => values.ret.wanted & mask | before & !mask,
            _ => values.ret.wanted,
        };
        faults.extend(Fault::changed(
            Place::Result,
            wanted,
            values.ret.dirty,
            after,
        ));
        faults.extend(memory.faults("slots and result"));
        faults
    }
}

fn slots(values: &Values) -> Vec<u64> {
    values.args.iter().map(|value| value.dirty).collect()
}

/// Compares what a C function noted with what it was given.
fn arrived(peer: &Seen, values: &Values) -> Vec<Fault> {
    let calls = Fault::unless_equal(Place::Calls, 1, peer.calls);
    let args = values.args.iter().zip(&peer.seen).enumerate();
    let args = args.filter_map(|(position, (value, seen))| {
        let place = Place::Argument(position);
        Fault::changed(place, value.wanted, value.dirty, *seen)
    });
    calls.into_iter().chain(args).collect()
}
