//! farcall as an engine, and the choice of the engine that is judged on a target.

use super::bare::Bare;
use super::delivery::deliver;
use super::engine::{Engine, Made, SlotFunction};
use crate::cases::Case;
use crate::planner;
use crate::target::Target;
use anyhow::Result;
use farcall::{Callback, Function, VARIADIC};
use farcall_engine::{Compiled, Direction, Endpoint, Handler, Trampoline, compile};
use farcall_memory::Shared;
use std::ffi::c_void;

/// The engine that is judged on a target.
pub fn of(target: &'static Target) -> Box<dyn Engine> {
    if target.is_native {
        return Box::new(Farcall { target });
    }
    Box::new(Bare {
        target,
        abi: target.abi,
        alter: (),
    })
}

/// farcall itself, for the convention of the machine it runs on.
pub struct Farcall {
    target: &'static Target,
}

impl Farcall {
    /// The compiled form of a case's signature, whether or not letters spell it.
    fn compiled(&self, case: &Case) -> Result<Shared<Compiled>> {
        Ok(compile(planner::signature(case, self.target)?, None)?)
    }
}

/// The codes of the result and, with the mark of variadic ones, of the arguments.
fn letters(case: &Case) -> (String, String) {
    (
        case.ret_text(),
        case.args_text(VARIADIC.encode_utf8(&mut [0; 4])),
    )
}

/// Whether letters spell the signature of a callback of the case's.
fn is_of_callbacks(case: &Case) -> bool {
    case.is_of_words() && case.fixed.is_none()
}

impl Engine for Farcall {
    fn trampoline(&self, case: &Case) -> Result<Made<*const c_void>> {
        let trampoline = Trampoline::new(self.compiled(case)?)?;
        let start = trampoline.start().as_ptr().cast_const().cast();
        Ok(Made::new(start, trampoline))
    }

    unsafe fn function(&self, case: &Case, target: *const c_void) -> Result<Option<SlotFunction>> {
        if !case.is_of_words() {
            return Ok(None);
        }
        let (ret, args) = letters(case);
        let function = Function::at(target, &ret, &args)?;
        Ok(Some(Box::new(move |slots| {
            // SAFETY: `target` is a function of the case's signature that takes any values, by the contract of `function`.
            Ok(unsafe { function.call_slots(slots)? })
        })))
    }

    unsafe fn callback(
        &self,
        case: &Case,
        handler: *const c_void,
        context: *mut c_void,
    ) -> Result<Made<*const c_void>> {
        let compiled = self.compiled(case)?;
        // Made now, as the first calls would only follow the plan.
        compiled.serve_with_code(Direction::Entry, Endpoint::Slots);
        // SAFETY: `handler` is a function of this type, by the contract of the trait's method.
        let handler = unsafe { std::mem::transmute::<*const c_void, Handler>(handler) };
        // SAFETY: the handler may be called with `context` whenever the callback is, by the contract of the trait's method.
        let raw = unsafe { farcall_engine::Callback::new(compiled, handler, context)? };
        Ok(Made::new(raw.code(), raw))
    }

    fn closure(&self, case: &Case) -> Result<Option<Made<*const c_void>>> {
        if !is_of_callbacks(case) {
            return Ok(None);
        }
        let (ret, args) = letters(case);
        let callback = Callback::with_slots(&ret, &args, deliver)?;
        Ok(Some(Made::new(callback.code(), callback)))
    }
}
