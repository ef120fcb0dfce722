//! Trampolines as functions of their own, for callers that have room for an address only.
//!
//! Without code for a signature, such a function is a thunk whose record leads to the signature. Callers cannot tell the two apart.

use crate::compiled::{Compiled, Direction, Endpoint, Served};
use crate::error::{Error, Result};
use crate::interp;
use crate::thunk::pool::{self, Pair};
use farcall_memory::Shared;
use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;

/// A function that calls C functions of one signature: a [`crate::SlotsCall`] that does not need its last argument.
#[derive(Debug)]
pub struct Trampoline {
    start: NonNull<u8>,
    /// The thunk, where there is no code.
    pair: Option<Pair>,
    _compiled: Shared<Compiled>,
}

// SAFETY: `start` is the address of code that is only ever executed; only its owner uses a pair.
unsafe impl Send for Trampoline {}
// SAFETY: as above.
unsafe impl Sync for Trampoline {}

impl Trampoline {
    /// The trampoline for a signature. Its code is made now, if it can be.
    ///
    /// # Errors
    /// [`Error::ExecutableMemory`] where there is neither code nor a free thunk.
    pub fn new(compiled: Shared<Compiled>) -> Result<Trampoline> {
        if let Served::Code(start) = compiled.serve_with_code(Direction::Call, Endpoint::Slots) {
            return Ok(Trampoline {
                start,
                pair: None,
                _compiled: compiled,
            });
        }
        let none = || Error::ExecutableMemory(io::ErrorKind::OutOfMemory.into());
        let pair = pool::take().ok_or_else(none)?;
        let words: [*const c_void; 2] = [
            farcall_interp_trampoline as *const c_void,
            compiled.as_ptr().cast(),
        ];
        // SAFETY: the record is ours, and begins with the entry and the context.
        unsafe { pair.record().cast().write(words) };
        Ok(Trampoline {
            start: pair.thunk,
            pair: Some(pair),
            _compiled: compiled,
        })
    }

    /// Its address: `void (*)(const void *target, const uint64_t *slots, uint64_t *result)`, valid for as long as `self`.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Trampoline {
    fn drop(&mut self) {
        if let Some(pair) = self.pair {
            pool::put_back(pair);
        }
    }
}

/// # Safety
/// * As for [`crate::SlotsCall`].
unsafe extern "C-unwind" fn follow(
    target: *const c_void,
    slots: *const u64,
    result: *mut u64,
    compiled: &Compiled,
) {
    // SAFETY: this function is called as a `SlotsCall` of the trampoline's signature, which `compiled` keeps alive.
    unsafe { interp::call_slots(compiled.plan(), target, slots, result) }
}

unsafe extern "C" {
    fn farcall_interp_trampoline();
}

// Calls follow(target, slots, result, compiled), the last being the record's context.
#[cfg(all(target_arch = "x86_64", unix))]
crate::assembly!(leaf "farcall_interp_trampoline", 4, [
    "endbr64",
    "mov rcx, [r10 + 8]",
    "jmp {follow}",
] follow = sym follow,);
#[cfg(all(target_arch = "x86_64", windows))]
crate::assembly!(leaf "farcall_interp_trampoline", 4, [
    "mov r9, [r10 + 8]",
    "jmp {follow}",
] follow = sym follow,);
#[cfg(target_arch = "aarch64")]
crate::assembly!(leaf "farcall_interp_trampoline", 4, [
    "hint #34",
    "ldr x3, [x16, #8]",
    "b {follow}",
] follow = sym follow,);
