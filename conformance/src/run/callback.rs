//! Tests calls from C to farcall.

use super::bare;
use super::delivery::{CONTEXT, Delivery, USER_DATA};
use super::memory::{Surrounded, compare};
use super::step::{Endpoint, Step};
use crate::cells::offsets;
use crate::layout::Layout;
use crate::machine::Under;
use crate::report::{Fault, Place};
use crate::types::Ty;
use crate::values::Values;
use anyhow::Result;
use farcall_arch::{Abi, Type};
use std::ffi::c_void;

/// The C function that calls a function pointer with the values of some cells.
type Caller = unsafe extern "C" fn(code: *const c_void, cells: *const u64, out: *mut u64);

/// The byte that fills up a result's last slot; no one may read it.
const DIRT: u8 = 0x5d;

/// A way from C to a handler.
#[derive(Clone, Copy)]
struct Route {
    name: &'static str,
    endpoint: Endpoint,
    under: Under,
    code: *const c_void,
    /// The handler that the probe goes on to.
    handler: *const c_void,
}

impl Step<'_> {
    /// Has C call a callback of the case's, as a bare handler on slots and on pointers, and as a closure.
    pub(super) fn callbacks(&mut self) -> Result<()> {
        let handlers = [(self.bridge.handler)(), (self.bridge.pointers_handler)()];
        let probe = self.checker.probe(handlers[0]);
        let pointers = bare::pointers_callback(self.case, self.target, probe, CONTEXT)?;
        let context = CONTEXT as *mut c_void;
        // SAFETY: the probe goes on to the first of the handlers above with the same arguments.
        let slots = unsafe { self.engine.callback(self.case, probe, context)? };
        let closure = self.engine.closure(self.case)?;
        let mut routes = vec![
            Route {
                name: "slots",
                endpoint: Endpoint::Slots,
                under: Under::Callback,
                code: slots.it,
                handler: handlers[0],
            },
            Route {
                name: "pointers",
                endpoint: Endpoint::Pointers,
                under: Under::Callback,
                code: pointers.it,
                handler: handlers[1],
            },
        ];
        routes.extend(closure.as_ref().map(|closure| Route {
            name: "closure",
            under: Under::Closure,
            code: closure.it,
            ..routes[0]
        }));
        for round in 0..self.rounds {
            for route in &routes {
                let faults = self.call_back(route, round);
                self.note(route.name, round, faults);
            }
        }
        Ok(())
    }

    fn call_back(&mut self, route: &Route, round: u64) -> Vec<Fault> {
        let (values, mut rng) = self.round(round, b'C');
        let mut memory = Surrounded::new(self.cells(&values));
        let (cells, out) = memory.pointers();
        self.delivery(&values, route.endpoint).expect();
        self.calls += 1;
        self.checker.probe(route.handler);
        // The guard keeps the words above the return address as they are, and a wide result may lie there.
        let is_guarded = self.case.ret.as_ref().is_none_or(|ty| ty.word().is_some());
        let code = match is_guarded {
            true => self.checker.guard(route.code, &mut rng),
            false => route.code,
        };
        // SAFETY: the C function was compiled from this case; it calls the code of the same signature, perhaps by the guard;
        // there are the cells of its arguments, and memory for what it got.
        unsafe {
            let caller = std::mem::transmute::<*const c_void, Caller>(self.function);
            caller(code, cells, out);
        }
        let delivery = Delivery::done();
        let mut faults = Vec::new();
        if is_guarded {
            faults.extend(self.checker.faults(self.case, route.under));
        }
        faults.extend(self.delivered(&delivery, &values, route));
        let cell = self
            .case
            .ret
            .as_ref()
            .map_or(Layout::NOTHING, |ty| Layout::cell(ty, self.target));
        faults.extend(memory.result_faults(&cell, &values.ret, cell.bytes.len()));
        faults.extend(memory.faults("caller's cells"));
        faults
    }

    /// The cells that C passes arguments from.
    fn cells(&self, values: &Values) -> Vec<u64> {
        let (offsets, end) = offsets(&self.case.args, self.target);
        let mut cells = vec![0; end / 8];
        for (value, offset) in values.args.iter().zip(offsets) {
            for (cell, chunk) in cells[offset / 8..].iter_mut().zip(value.dirty.chunks(8)) {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                *cell = u64::from_le_bytes(word);
            }
        }
        cells
    }

    /// The arguments that a handler expects, and the result that it gives.
    fn delivery(&self, values: &Values, endpoint: Endpoint) -> Delivery {
        let size = |ty: &Ty| {
            let layout = self.given(ty, endpoint);
            (layout.bytes.len(), self.align(ty, layout.align))
        };
        let mut give = values.ret.dirty.clone();
        if let Some(ty) = &self.case.ret {
            match endpoint {
                Endpoint::Slots => give.resize(give.len().next_multiple_of(8), DIRT),
                // An integer fills a word, dirt included.
                Endpoint::Pointers => give.truncate(self.in_slot(ty).bytes.len()),
            }
        }
        Delivery {
            args: self.case.args.iter().map(size).collect(),
            give,
            ..Delivery::default()
        }
    }

    /// The alignment of an argument: AAPCS64 goes by the members of a structure (6.8.2, its natural alignment).
    fn align(&self, ty: &Ty, usual: usize) -> usize {
        match ty {
            Ty::Declared(record) if matches!(self.target.abi, Abi::Aapcs64(_)) => {
                match &record.ty {
                    Type::Struct(members) => members.natural_align() as usize,
                    _ => usual,
                }
            }
            _ => usual,
        }
    }

    /// Compares what a handler noted with what C passed.
    fn delivered(&self, delivery: &Delivery, values: &Values, route: &Route) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut equal = |place, wanted, got| {
            faults.extend(Fault::unless_equal(place, wanted, got));
        };
        equal(Place::Calls, 1, delivery.calls);
        if route.under == Under::Callback {
            equal(Place::Context, CONTEXT, delivery.context);
        }
        if route.endpoint == Endpoint::Pointers {
            equal(Place::Context, USER_DATA, delivery.user_data);
        }
        equal(Place::FreshResult, 0, delivery.fresh_result);
        equal(Place::Misaligned, 0, delivery.misaligned);
        let args = self.case.args.iter().zip(&values.args);
        for (n, ((ty, value), got)) in args.zip(&delivery.seen).enumerate() {
            let layout = self.given(ty, route.endpoint);
            faults.extend(compare(
                |word| Place::Argument(n, word),
                &layout,
                value,
                got,
            ));
        }
        faults
    }
}
