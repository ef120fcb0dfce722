//! Where musl differs from other C libraries.

use crate::sys::face::{THREAD_ENDS, ThreadEnd};
use std::arch::naked_asm;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The functions that run as a thread ends.
static HOOKS: [AtomicPtr<c_void>; THREAD_ENDS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; THREAD_ENDS];

/// A function that calls this one with the stack pointer where the calling convention wants it (psABI 3.2.2). musl ends a thread that is
/// cancelled asynchronously in the midst of whatever it did, and has the hooks of its keys run there.
pub(super) fn hook_of_key(
    whose: ThreadEnd,
    hook: extern "C" fn(*mut c_void),
) -> unsafe extern "C" fn(*mut c_void) {
    HOOKS[whose as usize].store(hook as *mut c_void, Ordering::Release);
    match whose {
        ThreadEnd::Frames => aligned::<{ ThreadEnd::Frames as usize }>,
        ThreadEnd::Marks => aligned::<{ ThreadEnd::Marks as usize }>,
    }
}

#[unsafe(naked)]
unsafe extern "C" fn aligned<const WHOSE: usize>(value: *mut c_void) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "and rsp, -16",
        "mov esi, {whose}",
        "call {run}",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        whose = const WHOSE,
        run = sym run_hook,
    )
}

extern "C" fn run_hook(value: *mut c_void, whose: usize) {
    let hook = HOOKS[whose].load(Ordering::Acquire);
    // SAFETY: nothing but such functions is stored there, and that before there is a key.
    let hook = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(*mut c_void)>(hook) };
    hook(value);
}
