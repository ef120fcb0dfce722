//! Calls without generated code, with arguments behind pointers, as libffi has them.
//!
//! Signatures without code are called this way: new ones, those on systems that refuse executable memory, those beyond the bound, and
//! those of another convention than this process's. The planner places each value as it is moved
//! ([`farcall_engine::interp::Told`]), so a call takes no memory.

use crate::intern::Entry;
use farcall_arch::Move;
use farcall_engine::interp::{self, Arguments, Shapes, Told};
use std::ffi::c_void;
use std::ptr;

/// Calls `target`; see [`crate::intern::Call`].
///
/// # Safety
/// * Those of [`crate::intern::Call`].
pub unsafe extern "C-unwind" fn call(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    // SAFETY: the contract of this function is that of a call of `entry`'s signature, which `told` describes.
    unsafe { interp::call_told(&entry.told(), target, Pointers(values), result, ptr::null()) }
}

/// Calls `target`, with a Go closure in its register unless that is null.
///
/// # Safety
/// * As for [`crate::intern::Call`], the signature being the one that is told.
#[inline(never)]
pub unsafe fn call_told(
    told: &Told<impl Shapes>,
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    chain: *const c_void,
) {
    // SAFETY: `target`, `values` and `result` are those of a call of the signature that is told, by the contract of this function.
    unsafe { interp::call_told(told, target, Pointers(values), result, chain) }
}

/// The arguments of a call, each behind a pointer.
struct Pointers(*mut *mut c_void);

impl Arguments for Pointers {
    #[inline(always)]
    unsafe fn bytes(&self, mv: &Move) -> *const u8 {
        // SAFETY: there is a pointer for each argument, to a value of its type.
        unsafe {
            let value = (*self.0.add(mv.value as usize)).cast::<u8>();
            value.add(mv.offset as usize)
        }
    }
}
