//! Tests calls from farcall to C.

use super::bare;
use super::follow;
use super::memory::{Surrounded, compare};
use super::pages::Page;
use super::step::{Endpoint, Step};
use crate::cells::offsets;
use crate::layout::Layout;
use crate::machine::Under;
use crate::report::{Fault, Place};
use crate::values::{Value, Values};
use anyhow::{Context, Result};
use farcall_arch::Plan;
use std::ffi::c_void;

/// The ways without code, and their names.
const FOLLOWED: [(Endpoint, &str); 2] = [
    (Endpoint::Slots, "slots by the plan"),
    (Endpoint::Pointers, "pointers by the plan"),
];

/// The byte that fills up a value's last slot.
const FILLING: u8 = 0xb7;

impl Step<'_> {
    /// Calls the C function of the case in every way.
    pub(super) fn calls(&mut self) -> Result<()> {
        let trampoline = self.engine.trampoline(self.case)?;
        let by_pointers = bare::pointers_trampoline(self.case, self.target)?;
        let (pointers, may_drop) = by_pointers.it;
        let plan = follow::plan(self.case, self.target)?;
        // SAFETY: the C function was compiled from this case; it reads and writes nothing but its own record.
        let function = unsafe { self.engine.function(self.case, self.function)? };
        for round in 0..self.rounds {
            let faults = self.call(trampoline.it, Endpoint::Slots, round, false)?;
            self.note("slots", round, faults);
            let drops_result = may_drop && round == 1;
            let faults = self.call(pointers, Endpoint::Pointers, round, drops_result)?;
            self.note("pointers", round, faults);
            if let Some(plan) = &plan {
                for (endpoint, name) in FOLLOWED {
                    let faults = self.follow(plan, endpoint, round)?;
                    self.note(name, round, faults);
                }
            }
            if let Some(function) = &function {
                let (values, _) = self.round(round, b'G');
                self.expect(&values);
                let result = function(&slots(&values))?.to_le_bytes();
                let mut faults = self.arrived(&values);
                if let Some(ty) = &self.case.ret {
                    let cell = Layout::cell(ty, self.target);
                    faults.extend(compare(Place::Result, &cell, &values.ret, &result));
                } else {
                    let result = u64::from_le_bytes(result);
                    faults.extend(Fault::unless_equal(Place::Result(0), 0, result));
                }
                self.note("Function::call_slots", round, faults);
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        code: *const c_void,
        endpoint: Endpoint,
        round: u64,
        drops_result: bool,
    ) -> Result<Vec<Fault>> {
        let (values, mut rng) = self.round(round, b'G');
        let mut pages = Vec::new();
        let words = match endpoint {
            Endpoint::Slots => slots(&values),
            Endpoint::Pointers => self.pointers(&values, &mut pages)?,
        };
        let mut memory = Surrounded::new(words);
        let (arguments, mut result) = memory.pointers();
        if drops_result {
            result = std::ptr::null_mut();
        }
        self.expect(&values);
        let guarded = self.checker.guard(code, &mut rng);
        let target = self.checker.probe(self.function);
        // SAFETY: the guard goes on to the trampoline with the same arguments, and is called as one. The target
        // goes on to the function that was compiled for this case; there are as many slots or pointers as its arguments
        // want, and memory for the result, which may be null where the trampoline says so.
        unsafe { (self.bridge.call)(guarded, target, arguments, result) };
        let mut faults = self.checker.faults(self.case, Under::Trampoline);
        faults.extend(self.arrived(&values));
        faults.extend(self.returned(&memory, &values.ret, endpoint, drops_result));
        faults.extend(memory.faults("slots and result"));
        Ok(faults)
    }

    /// Calls the C function by following the plan, as long as there is no code for it.
    fn follow(&mut self, plan: &Plan, endpoint: Endpoint, round: u64) -> Result<Vec<Fault>> {
        let (values, _) = self.round(round, b'G');
        let mut pages = Vec::new();
        let words = match endpoint {
            Endpoint::Slots => slots(&values),
            Endpoint::Pointers => self.pointers(&values, &mut pages)?,
        };
        let mut memory = Surrounded::new(words);
        let (arguments, result) = memory.pointers();
        self.expect(&values);
        // SAFETY: the C function was compiled from this case, whose plan it is; there are as many slots or pointers as its arguments want,
        // and memory for the result.
        unsafe { follow::call(plan, self.function, endpoint, arguments, result) };
        let mut faults = self.arrived(&values);
        faults.extend(self.returned(&memory, &values.ret, endpoint, false));
        faults.extend(memory.faults("slots and result"));
        Ok(faults)
    }

    /// Puts each value at the end of a page.
    fn pointers(&self, values: &Values, pages: &mut Vec<Page>) -> Result<Vec<u64>> {
        let args = self.case.args.iter().zip(&values.args);
        let pointers = args.map(|(ty, value)| {
            let layout = Layout::of(ty, self.target);
            let mut page = Page::new().context("no memory")?;
            let at = page.at_the_end(&value.dirty[..layout.bytes.len()], layout.align);
            pages.push(page);
            Ok(at as u64)
        });
        pointers.collect()
    }

    /// Clears the C side's record, and presets its result.
    fn expect(&mut self, values: &Values) {
        self.calls += 1;
        let (_, end) = offsets(&self.case.args, self.target);
        self.object.peer().expect(&values.ret.dirty, end);
    }

    /// Compares what a C function noted with what it was given.
    fn arrived(&self, values: &Values) -> Vec<Fault> {
        let peer = self.object.peer();
        let mut faults = Vec::from_iter(Fault::unless_equal(Place::Calls, 1, peer.calls()));
        let (offsets, _) = offsets(&self.case.args, self.target);
        for (n, (ty, offset)) in self.case.args.iter().zip(offsets).enumerate() {
            let place = |word| Place::Argument(n, word);
            let cell = Layout::cell(ty, self.target);
            faults.extend(compare(
                place,
                &cell,
                &values.args[n],
                &peer.seen()[offset..],
            ));
        }
        faults
    }

    /// Compares what a trampoline stored with what C returned.
    fn returned(
        &self,
        memory: &Surrounded,
        value: &Value,
        endpoint: Endpoint,
        drops_result: bool,
    ) -> Vec<Fault> {
        let layout = match &self.case.ret {
            Some(ty) if !drops_result => self.in_slot(ty),
            _ => return memory.result_faults(&Layout::NOTHING, &Value::default(), 0),
        };
        let size = layout.bytes.len();
        let fills_slots = self.case.ret.as_ref().is_some_and(|ty| ty.word().is_none());
        let end = match endpoint {
            Endpoint::Slots if fills_slots => size.next_multiple_of(8),
            // The upper half of a `float`'s slot stays as it was.
            _ => size,
        };
        memory.result_faults(&layout, value, end)
    }
}

/// The slots of all arguments.
fn slots(values: &Values) -> Vec<u64> {
    let chunks = values.args.iter().flat_map(|value| value.dirty.chunks(8));
    let slots = chunks.map(|chunk| {
        let mut word = [FILLING; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    slots.collect()
}
