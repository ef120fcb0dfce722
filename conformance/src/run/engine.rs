//! The engine under test: it compiles signatures to code that calls C, and to code that C calls.
//!
//! The main engine is [`super::farcall::Farcall`]. Conventions that are not the platform's own, and signatures that no string spells, are
//! run by [`super::bare::Bare`]; tests use wrong engines, to see that the comparison notices.

use crate::cases::Case;
use anyhow::Result;
use std::any::Any;
use std::ffi::c_void;

/// A value with its keeper, which keeps it alive.
pub struct Made<T> {
    /// The value.
    pub it: T,
    _keeper: Box<dyn Any>,
}

impl<T> Made<T> {
    /// `it`, which is valid as long as `keeper` lives.
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

    /// The function at `target`, called through the engine's checked interface, if it has one.
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

    /// A function pointer that leads to `super::delivery::deliver` as a closure, if the engine has closures
    /// of the case's signature.
    ///
    /// # Errors
    /// When the engine refuses the signature.
    fn closure(&self, case: &Case) -> Result<Option<Made<*const c_void>>>;
}
