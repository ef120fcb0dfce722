//! farcall as an engine, and which engine is judged on a target.

use super::bare::Bare;
use super::delivery::deliver;
use super::engine::{Engine, Made, SlotFunction};
use crate::cases::Case;
use crate::target::Target;
use anyhow::Result;
use farcall::embed::compile;
use farcall::{Callback, Codes, Function, Handler, RawCallback, Role, VARIADIC};
use std::ffi::c_void;

/// What is judged on a target.
pub fn of(target: &'static Target) -> Box<dyn Engine> {
    let bare = Bare {
        target,
        abi: target.abi,
        alter: (),
    };
    if target.is_native {
        Box::new(Farcall { bare })
    } else {
        Box::new(bare)
    }
}

/// farcall itself, for the convention of the machine it runs on.
pub struct Farcall {
    /// For what letters cannot spell: wide types, callbacks that C calls as variadic functions.
    bare: Bare<()>,
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
        if !case.is_of_words() {
            return self.bare.trampoline(case);
        }
        let (ret, args) = letters(case);
        // The trampoline is told its target at each call; the function wants one that is not null.
        let anywhere = std::ptr::from_ref(case).cast();
        let function = Function::at(anywhere, &ret, &args)?;
        Ok(Made::new(function.trampoline() as *const c_void, function))
    }

    unsafe fn function(&self, case: &Case, target: *const c_void) -> Result<Option<SlotFunction>> {
        if !case.is_of_words() {
            return Ok(None);
        }
        let (ret, args) = letters(case);
        let function = Function::at(target, &ret, &args)?;
        Ok(Some(Box::new(move |slots| {
            // SAFETY: the caller of `function` vouches for the target and for any values.
            Ok(unsafe { function.call_slots(slots)? })
        })))
    }

    unsafe fn callback(
        &self,
        case: &Case,
        handler: *const c_void,
        context: *mut c_void,
    ) -> Result<Made<*const c_void>> {
        if !is_of_callbacks(case) {
            // SAFETY: the caller vouches for handler and context.
            return unsafe { self.bare.callback(case, handler, context) };
        }
        let (ret, args) = letters(case);
        let codes = Codes::parse(&ret, &args, Role::Callback)?;
        let compiled = compile(codes.signature()?);
        // SAFETY: the caller says that it is one.
        let handler = unsafe { std::mem::transmute::<*const c_void, Handler>(handler) };
        // SAFETY: the caller vouches for handler and context.
        let raw = unsafe { RawCallback::new(compiled, handler, context)? };
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
