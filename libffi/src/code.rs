//! Which signatures get code, and how entries are told of it. When it is made is the engine's matter.
//!
//! A signature that is called once costs less without. So calls follow the plan until there were some, and get code then; a
//! closure's signature gets code with the first closure. Where the system refuses executable memory, all stays as it was.

use crate::intern::{Call, Detail, Entry};
use crate::interp;
use farcall_engine::{self as engine, Direction, Endpoint, Served};
use std::ffi::c_void;
use std::panic;
use std::ptr::NonNull;

/// What an entry's functions are called through until there is code for them.
pub const FIRST_CALLS: Call = first_calls;

unsafe extern "C-unwind" fn first_calls(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    if let Some(call) = served_call(entry.detail(), engine::Compiled::serve) {
        entry.set_call(call);
        // SAFETY: the caller vouches for the call.
        return unsafe { call(target, values, result, entry) };
    }
    // SAFETY: the caller vouches for the call.
    unsafe { interp::call(target, values, result, entry) }
}

/// Makes the code by which functions of a signature are called, unless there is some, or none can be.
pub fn compile_call(entry: &Entry) {
    if entry.call() as usize == FIRST_CALLS as usize
        && let Some(call) = served_call(entry.detail(), engine::Compiled::serve_with_code)
    {
        entry.set_call(call);
    }
}

/// How the engine is asked what serves a signature.
type Ask = fn(&engine::Compiled, Direction, Endpoint) -> Served;

/// What functions of a signature are called through from now on; `None` if that is open still.
fn served_call(detail: &Detail, ask: Ask) -> Option<Call> {
    if !detail.is_dense() {
        return Some(interp::call);
    }
    match served(detail, ask, Direction::Call) {
        Served::Plan => None,
        Served::PlanForGood => Some(interp::call),
        #[cfg(all(target_arch = "x86_64", unix))]
        Served::Code(_) if detail.plan().abi != engine::host_abi() => Some(call_win64),
        // SAFETY: a trampoline on pointers is a function of this type, but for the last argument, which it leaves alone.
        Served::Code(code) => Some(unsafe { std::mem::transmute::<NonNull<u8>, Call>(code) }),
    }
}

/// Apart from those who call, whose frames exceptions cross: what catches a fault has a personality routine.
#[inline(never)]
fn served(detail: &Detail, ask: Ask, direction: Direction) -> Served {
    // A fault of ours must not unwind through C.
    let served = panic::catch_unwind(|| ask(&detail.compiled, direction, Endpoint::Pointers));
    served.unwrap_or(Served::PlanForGood)
}

/// Calls through a trampoline of Microsoft's convention, which is a function of that convention itself.
#[cfg(all(target_arch = "x86_64", unix))]
unsafe extern "C-unwind" fn call_win64(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    type Trampoline = unsafe extern "win64-unwind" fn(
        target: *const c_void,
        values: *mut *mut c_void,
        result: *mut c_void,
    );
    let compiled = &entry.detail().compiled;
    if let Served::Code(code) = compiled.now(Direction::Call, Endpoint::Pointers) {
        // SAFETY: the address is such a trampoline's, and the caller vouches for the call.
        unsafe {
            let trampoline = std::mem::transmute::<NonNull<u8>, Trampoline>(code);
            trampoline(target, values, result);
        }
    }
}

/// What closures of a signature enter by: code made for the first of them, or `follows_plan` if there can be none.
pub fn closure_entry(entry: &Entry, follows_plan: *const c_void) -> *const c_void {
    let known = entry.closure();
    if !known.is_null() {
        return known;
    }
    let detail = entry.detail();
    // An entry calls a function of its own convention, and a closure's is one of this process's.
    let code = if detail.is_dense() && detail.plan().abi == engine::host_abi() {
        served(detail, engine::Compiled::serve_with_code, Direction::Entry)
    } else {
        Served::PlanForGood
    };
    let closure = match code {
        Served::Code(code) => code.as_ptr().cast_const().cast(),
        Served::Plan | Served::PlanForGood => follows_plan,
    };
    entry.set_closure(closure);
    closure
}
