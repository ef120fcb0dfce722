//! Calls without code made for them, as libffi has their arguments: behind pointers.
//!
//! This is how signatures are called that have no code, because the system refuses executable memory, because there are too many, or
//! because the convention is not this process's own. A plan's moves are followed by [`farcall_engine::interp`].

use crate::intern::Entry;
use crate::shape::Detail;
use farcall_arch::{Move, Plan};
use farcall_engine::interp::{self, Arguments};
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
    // SAFETY: the caller vouches for the call.
    unsafe { call_with(entry.detail(), target, values, result, ptr::null()) }
}

/// Calls `target`, with a Go closure in its register.
///
/// # Safety
/// * As for [`crate::intern::Call`], the signature being `detail`'s.
pub unsafe fn call_with(
    detail: &Detail,
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    chain: *const c_void,
) {
    let positions = &detail.positions;
    let pointers = Pointers { values, positions };
    // SAFETY: the caller vouches for the call.
    unsafe { interp::call(detail.plan(), target, pointers, result, chain) }
}

/// Calls `target` by a plan alone, in which each argument has its own place.
///
/// # Safety
/// * As for [`crate::intern::Call`], the signature being the plan's.
pub unsafe fn call_by(
    plan: &Plan,
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
) {
    let positions = &[];
    let pointers = Pointers { values, positions };
    // SAFETY: the caller vouches for the call.
    unsafe { interp::call(plan, target, pointers, result, ptr::null()) }
}

/// The arguments of a call, each behind a pointer.
struct Pointers<'a> {
    values: *mut *mut c_void,
    /// See [`Detail::positions`].
    positions: &'a [u32],
}

impl Arguments for Pointers<'_> {
    #[inline(always)]
    unsafe fn bytes(&self, mv: &Move) -> *const u8 {
        let position = position(self.positions, mv.value as usize);
        // SAFETY: there is a pointer for each argument, to a value of its type.
        unsafe {
            let value = (*self.values.add(position)).cast::<u8>();
            value.add(mv.offset as usize)
        }
    }
}

/// The place among all arguments of one that has a value.
#[inline(always)]
pub fn position(positions: &[u32], argument: usize) -> usize {
    match positions {
        [] => argument,
        positions => positions[argument] as usize,
    }
}
