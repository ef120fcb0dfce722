//! Exceptions cross generated code. A panic of Rust's is one: on Unix it unwinds by the tables of `.eh_frame`; on Windows it is a
//! structured exception, which unwinds by the function tables.

mod common;

use farcall::{Codes, Role};
use farcall_engine::{Callback, Handler, compile};
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};

/// The payload of a callee's or a handler's panic.
const CAUSE: i64 = 0x5eed;

/// A trampoline, as a function that an exception may leave.
type Trampoline = unsafe extern "C-unwind" fn(*const c_void, *const u64, *mut u64);

extern "C-unwind" fn panics() {
    panic::panic_any(CAUSE);
}

unsafe extern "C-unwind" fn handler_that_panics(_: *mut c_void, _: *const u64) -> u64 {
    panic::panic_any(CAUSE);
}

/// The payload with which `f` panics.
fn cause(f: impl FnOnce()) -> Option<i64> {
    let payload = panic::catch_unwind(AssertUnwindSafe(f)).err()?;
    payload.downcast_ref().copied()
}

#[test]
fn exception_of_a_callee_crosses_trampolines_with_frames_of_every_kind() {
    // Without a frame, with a saved register, with stack arguments, with pages of them.
    let pages = "d".repeat(1000);
    for (ret, args) in [
        ("v", ""),
        ("v", "id"),
        ("q", "id"),
        ("d", "iiiiiiiiiiiiff"),
        ("i", &pages),
    ] {
        // No callee of any signature reads what it was passed before it panics.
        let codes = Codes::parse(ret, args, Role::Function).expect("good codes");
        let compiled = compile(codes.signature().expect("a signature"), None).expect("a plan");
        let made = farcall_engine::Trampoline::new(compiled).expect("code or a thunk");
        // SAFETY: a trampoline has no cleanup of its own to be passed over, so it may be left by unwinding.
        let trampoline =
            unsafe { std::mem::transmute::<std::ptr::NonNull<u8>, Trampoline>(made.start()) };
        let slots = vec![0; args.len()];
        let mut result = 0;
        // SAFETY: there is a slot for each argument, and one for the result.
        let crossed =
            cause(|| unsafe { trampoline(panics as *const c_void, slots.as_ptr(), &mut result) });
        assert_eq!(crossed, Some(CAUSE), "{ret}({args})");
    }
}

#[test]
fn exception_of_a_handler_crosses_a_callbacks_entry() {
    let codes = Codes::parse("i", "id", Role::Callback).expect("good codes");
    let compiled = compile(codes.signature().expect("a signature"), None).expect("a plan");
    type Unwinding = unsafe extern "C-unwind" fn(*mut c_void, *const u64) -> u64;
    // SAFETY: the same type, but that it may unwind; so may the only caller, below.
    let handler = unsafe { std::mem::transmute::<Unwinding, Handler>(handler_that_panics) };
    // SAFETY: it is called below alone.
    let callback =
        unsafe { Callback::new(compiled, handler, std::ptr::null_mut()) }.expect("memory");
    type Function = unsafe extern "C-unwind" fn(i32, f64) -> i32;
    // SAFETY: it is of this signature.
    let function = unsafe { std::mem::transmute::<*const c_void, Function>(callback.code()) };
    let crossed = cause(|| {
        // SAFETY: its handler may be called, with anything.
        unsafe { function(1, 2.0) };
    });
    assert_eq!(crossed, Some(CAUSE));
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}
