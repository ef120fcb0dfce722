//! `ffi_call` and call plans.

use crate::cif::Cif;
use crate::code;
use crate::intern::{self, Call, Entry};
use crate::interp;
use std::alloc::{self, Layout};
use std::ffi::c_void;
use std::ptr;

/// Calls `target` with the arguments that `values` points to, and leaves the result at `result`, unless that is null.
///
/// # Safety
/// * The cif has been prepared, its types still exist, and they are those of `target`.
/// * `values` points to a pointer to a value for each argument.
/// * `result` is null or has room for the result, and for 8 bytes at least.
/// * `target` may be called by this thread, with these arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ffi_call(
    cif: *const Cif,
    target: *const c_void,
    result: *mut c_void,
    values: *mut *mut c_void,
) {
    // SAFETY: the cif has been prepared, and `target`, `values` and `result` are those of a call of its signature, by the contract of
    // this function.
    unsafe {
        match intern::entry((*cif).token) {
            Some(entry) if !result.is_null() => entry.call()(target, values, result, entry),
            _ => call_otherwise(&*cif, target, values, result),
        }
    }
}

/// Calls through a cif whose token stands for no entry, or without memory for the result.
///
/// # Safety
/// * Those of [`ffi_call`].
#[cold]
#[inline(never)]
unsafe fn call_otherwise(
    cif: &Cif,
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
) {
    // SAFETY: the cif has been prepared, and `target`, `values` and `result` are those of a call of its signature, by the contract of
    // this function.
    unsafe {
        if let Some(entry) = intern::entry(cif.token) {
            // Not through a trampoline, which would store the result.
            return interp::call(target, values, result, entry);
        }
        // The cif was never prepared, or its types have changed.
        let Ok(told) = cif.told() else { return };
        interp::call_told(&told, target, values, result, ptr::null());
    }
}

/// Calls a function with a Go closure in the register for that.
///
/// # Safety
/// * Those of [`ffi_call`]; `closure` is the one that `target` expects.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ffi_call_go(
    cif: *const Cif,
    target: *const c_void,
    result: *mut c_void,
    values: *mut *mut c_void,
    closure: *const c_void,
) {
    // SAFETY: the cif has been prepared, and `target`, `closure`, `values` and `result` are those of a call of its signature, by the
    // contract of this function.
    unsafe {
        if let Some(entry) = intern::entry((*cif).token) {
            interp::call_told(&entry.told(), target, values, result, closure);
        } else if let Ok(told) = (*cif).told() {
            interp::call_told(&told, target, values, result, closure);
        }
    }
}

/// `ffi_call_plan`: a signature with its code, looked up once.
#[derive(Debug)]
#[repr(C)]
pub struct Plan {
    /// The entry and the code, unless the signature is not remembered.
    known: Option<Known>,
    cif: *const Cif,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    call: Call,
    entry: &'static Entry,
}

/// Looks a signature up for many calls. Null if there is no memory, or if the cif's types make no sense.
///
/// # Safety
/// * The cif has been prepared, and outlives the plan, as do its types.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_call_plan_alloc(cif: *const Cif) -> *mut Plan {
    // SAFETY: the cif has been prepared and its types exist, by the contract of this function.
    let known = match unsafe { (*cif).entry() } {
        Ok(Some(entry)) => {
            code::compile_call(entry);
            let call = entry.call();
            Some(Known { call, entry })
        }
        Ok(None) => None,
        Err(_) => return ptr::null_mut(),
    };
    // SAFETY: the size is not zero, and what is there is written at once.
    unsafe {
        let plan = alloc::alloc(Layout::new::<Plan>()).cast::<Plan>();
        if !plan.is_null() {
            plan.write(Plan { known, cif });
        }
        plan
    }
}

/// As [`ffi_call`], with the plan's signature.
///
/// # Safety
/// * `plan` is from [`ffi_call_plan_alloc`] and not freed.
/// * Those of [`ffi_call`].
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn ffi_call_plan_invoke(
    plan: *const Plan,
    target: *const c_void,
    result: *mut c_void,
    values: *mut *mut c_void,
) {
    // SAFETY: the plan is from `ffi_call_plan_alloc` and not freed, so its cif still exists; the rest is the contract of `ffi_call`,
    // which holds here too.
    unsafe {
        match (*plan).known {
            Some(Known { call, entry }) if !result.is_null() => {
                call(target, values, result, entry);
            }
            _ => call_otherwise(&*(*plan).cif, target, values, result),
        }
    }
}

/// Frees a plan.
///
/// # Safety
/// * `plan` is null, or from [`ffi_call_plan_alloc`] and neither freed nor in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_call_plan_free(plan: *mut Plan) {
    if !plan.is_null() {
        // SAFETY: `ffi_call_plan_alloc` allocated it with this layout, it has nothing to be dropped, and nobody uses it any more, by
        // the contract of this function.
        unsafe { alloc::dealloc(plan.cast(), Layout::new::<Plan>()) };
    }
}

/// The size of a plan, in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn ffi_call_plan_size(plan: *const Plan) -> usize {
    if plan.is_null() { 0 } else { size_of::<Plan>() }
}
