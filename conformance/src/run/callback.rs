//! C calls farcall.

use super::Step;
use super::memory::Surrounded;
use super::peer::POISON;
use crate::MAX_ARGS;
use crate::cases::Direction;
use crate::codes::Shape;
use crate::machine::Under;
use crate::report::{Fault, Mismatch, Place};
use crate::rng::Rng;
use crate::values::Values;
use anyhow::Result;
use std::cell::RefCell;
use std::ffi::c_void;

/// The C function that calls a function pointer with the values of some cells.
type Caller = unsafe extern "C" fn(code: *const c_void, cells: *const u64, out: *mut u64);

/// What a handler saw, and what it gives.
#[derive(Clone, Debug)]
struct Delivery {
    calls: u64,
    context: u64,
    slots: [u64; MAX_ARGS],
    fresh_result: u64,
    give: Option<u64>,
}

thread_local! {
    static DELIVERY: RefCell<Delivery> = const {
        RefCell::new(Delivery { calls: 0, context: 0, slots: [0; MAX_ARGS], fresh_result: 0, give: None })
    };
}

/// The context of handlers is the number of arguments, and this: a wrong one is noticed before it is trusted.
const CONTEXT: u64 = 0x0fac_a110_0000_0000;

/// Notes what a callback was called with, and gives what is preset. The body of the closures that callbacks are
/// made of.
///
/// It computes with integers only, as it runs under whatever floating-point control words the caller has.
pub fn deliver(slots: &[u64], result: &mut u64) {
    DELIVERY.with_borrow_mut(|delivery| {
        delivery.calls += 1;
        delivery.slots[..slots.len()].copy_from_slice(slots);
        delivery.fresh_result = *result;
        if let Some(give) = delivery.give {
            *result = give;
        }
    });
}

/// The same as a handler.
///
/// # Safety
/// * There is a slot for each argument, whose number is the context's.
pub(super) unsafe fn handle(context: *const c_void, slots: *const u64) -> u64 {
    let count = (context as u64 ^ CONTEXT) as usize;
    DELIVERY.with_borrow_mut(|delivery| delivery.context = context as u64);
    let mut result = 0;
    if count <= MAX_ARGS {
        // SAFETY: the caller vouches for the slots.
        deliver(
            unsafe { std::slice::from_raw_parts(slots, count) },
            &mut result,
        );
    }
    result
}

impl Step<'_> {
    /// Has C call a callback of the case's, as a bare handler and as a closure.
    pub(super) fn callbacks(&mut self) -> Result<Vec<Mismatch>> {
        let context = self.case.args.len() as u64 | CONTEXT;
        let probe = self.checker.probe((self.bridge.handler)());
        // SAFETY: the probe goes on to the handler above with the same arguments.
        let raw = unsafe {
            self.engine
                .callback(self.case, probe, context as *mut c_void)?
        };
        let closure = self.engine.closure(self.case)?;
        let mut mismatches = Vec::new();
        for round in 0..self.rounds {
            let routes = [
                ("handler", Under::Callback, Some(raw.it)),
                (
                    "closure",
                    Under::Closure,
                    closure.as_ref().map(|made| made.it),
                ),
            ];
            for (route, under, code) in routes {
                let Some(code) = code else { continue };
                let faults = self.call_back(code, under, context, round);
                if !faults.is_empty() {
                    mismatches.push(Mismatch {
                        direction: Direction::Callback,
                        route,
                        round,
                        faults,
                    });
                }
            }
        }
        Ok(mismatches)
    }

    fn call_back(
        &mut self,
        code: *const c_void,
        under: Under,
        context: u64,
        round: u64,
    ) -> Vec<Fault> {
        let values = Values::new(self.case, self.model, self.seed, round);
        let mut rng = Rng::new(&[self.seed, self.case.index, round, u64::from(b'C')]);
        let cells = values.args.iter().map(|value| value.dirty).collect();
        let mut memory = Surrounded::new(cells);
        let (cells, out) = memory.pointers();
        let is_void = self.case.ret.shape == Shape::Void;
        let fresh = Delivery {
            calls: 0,
            context,
            slots: [POISON; MAX_ARGS],
            fresh_result: POISON,
            give: (!is_void).then_some(values.ret.dirty),
        };
        DELIVERY.set(fresh);
        self.calls += 1;
        self.checker.probe((self.bridge.handler)());
        let guarded = self.checker.guard(code, &mut rng);
        // SAFETY: the C function was compiled from this case; it calls the guard, which goes on to the code of the
        // same signature; there are as many cells as it has arguments, and one for what it got.
        unsafe {
            let caller = std::mem::transmute::<*const c_void, Caller>(self.function);
            caller(guarded, cells, out);
        }
        let delivery = DELIVERY.with_borrow(Delivery::clone);
        let mut faults = self.checker.faults(self.case, under);
        faults.extend(self.delivered(&delivery, &values, context));
        let wanted = if is_void {
            memory.untouched_result()
        } else {
            values.ret.wanted
        };
        let got = memory.result();
        faults.extend(Fault::changed(Place::Result, wanted, values.ret.dirty, got));
        faults.extend(memory.faults("caller's cells"));
        faults
    }

    /// Compares what a handler noted with what C passed.
    fn delivered(&self, delivery: &Delivery, values: &Values, context: u64) -> Vec<Fault> {
        let mut faults = Vec::new();
        faults.extend(Fault::unless_equal(Place::Calls, 1, delivery.calls));
        faults.extend(Fault::unless_equal(
            Place::Context,
            context,
            delivery.context,
        ));
        faults.extend(Fault::unless_equal(
            Place::FreshResult,
            0,
            delivery.fresh_result,
        ));
        let args = values.args.iter().zip(&self.case.args).enumerate();
        for (position, (value, code)) in args {
            // Nothing is promised of the upper half of a float's slot.
            let counts = match code.shape {
                Shape::Float => code.mask(self.model),
                _ => u64::MAX,
            };
            let place = Place::Argument(position);
            let seen = delivery.slots[position] & counts;
            let wanted = value.wanted & counts;
            faults.extend(Fault::changed(place, wanted, value.dirty, seen));
        }
        faults
    }
}
