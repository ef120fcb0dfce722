//! What is judged: something that compiles signatures to code that calls C, and to code that C calls.
//!
//! The engine that matters is [`Farcall`]. Conventions that are not the platform's own, and what no signature string
//! spells, have [`Bare`]; tests put in others that are wrong, to see that it shows.

use super::bare::Bare;
use crate::codes::Case;
use crate::target::Target;
use anyhow::Result;
use farcall::{Callback, Codes, Function, Role, VARIADIC};
use farcall_engine::{Handler, Trampoline, compile};
use std::any::Any;
use std::ffi::c_void;

/// Something with what keeps it alive.
pub struct Made<T> {
    /// The thing.
    pub it: T,
    _keeper: Box<dyn Any>,
}

impl<T> Made<T> {
    /// `it`, which is good for as long as `keeper` is.
    pub fn new(it: T, keeper: impl Any) -> Made<T> {
        Made {
            it,
            _keeper: Box::new(keeper),
        }
    }
}

/// A function that takes slots and returns the result's.
pub type SlotFunction = Box<dyn Fn(&[u64]) -> Result<u64>>;

/// A compiler of signatures.
pub trait Engine {
    /// The code that calls functions of the case's signature.
    ///
    /// # Errors
    /// When the engine refuses the signature.
    fn trampoline(&self, case: &Case) -> Result<Made<*const c_void>>;

    /// The function at `target` by the engine's safe-guarded way, if it has one.
    ///
    /// # Errors
    /// When the engine refuses the signature.
    ///
    /// # Safety
    /// * `target` is a function of the case's signature for as long as the result is called, and may be called with
    ///   any values.
    unsafe fn function(&self, case: &Case, target: *const c_void) -> Result<Option<SlotFunction>>;

    /// A function pointer of the case's signature, whose code calls `handler` with `context`.
    ///
    /// # Errors
    /// When the engine refuses the signature.
    ///
    /// # Safety
    /// * `handler` is a handler of the engine's convention. It may be called with `context` for as long as the result
    ///   lives, and does not unwind.
    unsafe fn callback(
        &self,
        case: &Case,
        handler: *const c_void,
        context: *mut c_void,
    ) -> Result<Made<*const c_void>>;

    /// A function pointer that leads to [`super::deliver`] as a closure, if the engine has closures.
    ///
    /// # Errors
    /// When the engine refuses the signature.
    fn closure(&self, case: &Case) -> Result<Option<Made<*const c_void>>>;
}

/// What is judged on a target.
pub fn of(target: &Target) -> Box<dyn Engine> {
    let bare = Bare {
        abi: target.abi,
        model: target.model,
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
    /// For what letters cannot spell: callbacks that C calls as variadic functions.
    bare: Bare<()>,
}

/// The codes of the result and, with the mark of variadic ones, of the arguments.
fn letters(case: &Case) -> (String, String) {
    let mut args = case.letters();
    if let Some(fixed) = case.fixed {
        args.insert(fixed, VARIADIC);
    }
    (case.ret.letter.to_string(), args)
}

impl Engine for Farcall {
    fn trampoline(&self, case: &Case) -> Result<Made<*const c_void>> {
        let (ret, args) = letters(case);
        let codes = Codes::parse(&ret, &args, Role::Function)?;
        let trampoline = Trampoline::new(compile(codes.signature()?, None)?)?;
        let start = trampoline.start().as_ptr().cast_const().cast();
        Ok(Made::new(start, trampoline))
    }

    unsafe fn function(&self, case: &Case, target: *const c_void) -> Result<Option<SlotFunction>> {
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
        if case.fixed.is_some() {
            // SAFETY: the caller vouches for handler and context.
            return unsafe { self.bare.callback(case, handler, context) };
        }
        let (ret, args) = letters(case);
        let codes = Codes::parse(&ret, &args, Role::Callback)?;
        let compiled = compile(codes.signature()?, None)?;
        // SAFETY: the caller says that it is one.
        let handler = unsafe { std::mem::transmute::<*const c_void, Handler>(handler) };
        // SAFETY: the caller vouches for handler and context.
        let raw = unsafe { farcall_engine::Callback::new(compiled, handler, None, context)? };
        Ok(Made::new(raw.code(), raw))
    }

    fn closure(&self, case: &Case) -> Result<Option<Made<*const c_void>>> {
        if case.fixed.is_some() {
            return Ok(None);
        }
        let (ret, args) = letters(case);
        let callback = Callback::with_slots(&ret, &args, super::deliver)?;
        Ok(Some(Made::new(callback.code(), callback)))
    }
}
