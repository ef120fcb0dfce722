//! Gives signatures code, and records it in their entries. The engine decides when.
//!
//! A signature that is called once costs less without code. So the first calls follow their signature, and later ones get code.
//! Closures do the same, except those in memory that may be read-only by then: the first of these gives its signature code. Where the
//! system refuses executable memory, nothing changes; where memory runs out, a later call tries again.

use crate::intern::{Call, Detail, Entry};
use crate::interp;
use farcall_engine::{self as engine, Direction, Endpoint, Served};
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;

/// The function that an entry's functions are called through until there is code for them.
pub const FIRST_CALLS: Call = first_calls;

unsafe extern "C-unwind" fn first_calls(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    if entry.is_due(Direction::Call)
        && let Some(call) = make_call_outside_handlers(entry)
    {
        // SAFETY: the signature's trampoline was made for `entry`; `target`, `values` and `result` are those of a call of that
        // signature, which this function is called with.
        return unsafe { call(target, values, result, entry) };
    }
    // SAFETY: `target`, `values` and `result` are those of a call of `entry`'s signature, which this function is called with.
    unsafe { interp::call(target, values, result, entry) }
}

/// Makes code for calls that come often. No code is made where a signal's handler may be running: it may have interrupted an allocation.
#[cold]
#[inline(never)]
fn make_call_outside_handlers(entry: &Entry) -> Option<Call> {
    match engine::may_be_in_signal_handler() {
        true => {
            // To ask takes longer than many calls.
            entry.put_off(Direction::Call);
            None
        }
        false => make_call(entry),
    }
}

fn make_call(entry: &Entry) -> Option<Call> {
    let call = served_call(entry);
    match call {
        Some(call) => entry.set_call(call),
        None => entry.put_off(Direction::Call),
    }
    call
}

/// Makes the code by which functions of a signature are called, unless there is some, or none can be.
pub fn compile_call(entry: &Entry) {
    if entry.call() as usize == FIRST_CALLS as usize {
        let _ = make_call(entry);
    }
}

/// The function that a signature's functions are called through from now on; `None` if that is still undecided.
fn served_call(entry: &Entry) -> Option<Call> {
    let detail = entry.detail()?;
    if !detail.is_dense {
        return Some(interp::call);
    }
    match served(detail, Direction::Call) {
        Served::Plan => None,
        Served::PlanForGood => Some(interp::call),
        #[cfg(all(target_arch = "x86_64", unix))]
        Served::Code(_) if detail.compiled.plan().abi != engine::host_abi() => Some(call_win64),
        // SAFETY: a trampoline on pointers is a function of this type, but for the last argument, which it leaves alone.
        Served::Code(code) => Some(unsafe { std::mem::transmute::<NonNull<u8>, Call>(code) }),
    }
}

/// Makes the code. It is apart from its callers, whose frames exceptions cross: a function that catches a fault has a personality routine.
#[inline(never)]
fn served(detail: &Detail, direction: Direction) -> Served {
    // A panic of ours must not unwind through C.
    let compiled = &detail.compiled;
    let ask = || compiled.serve_with_code(direction, Endpoint::Pointers);
    let ask = AssertUnwindSafe(ask);
    let served = panic::catch_unwind(ask);
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
    let known = entry.known_detail();
    let now = known.map(|known| known.compiled.now(Direction::Call, Endpoint::Pointers));
    if let Some(Served::Code(code)) = now {
        // SAFETY: the address is a trampoline's of Microsoft's convention, made for `entry`; `target`, `values` and `result` are those
        // of a call of its signature.
        unsafe {
            let trampoline = std::mem::transmute::<NonNull<u8>, Trampoline>(code);
            trampoline(target, values, result);
        }
    }
}

/// The entry of a closure that is being prepared: code, or `follows_plan` if there is none yet or can be none. With `may_change`, the entry
/// can be replaced later; otherwise code is made now.
pub fn closure_entry(
    entry: &Entry,
    follows_plan: *const c_void,
    may_change: impl FnOnce() -> bool,
) -> *const c_void {
    let known = entry.closure();
    if !known.is_null() {
        return known;
    }
    if engine::wish() != engine::Wish::Always && may_change() || engine::may_be_in_signal_handler()
    {
        return follows_plan;
    }
    served_closure(entry, follows_plan).unwrap_or(follows_plan)
}

/// Counts a closure's call that has followed its plan, and returns the closure's new entry, if it gets another.
pub fn closure_entry_now(entry: &Entry, follows_plan: *const c_void) -> Option<*const c_void> {
    let mut now = entry.closure();
    if now.is_null() {
        if !entry.is_due(Direction::Entry) {
            return None;
        }
        if engine::may_be_in_signal_handler() {
            entry.put_off(Direction::Entry);
            return None;
        }
        now = served_closure(entry, follows_plan)?;
    }
    (now != follows_plan).then_some(now)
}

/// The entry of a signature's closures from now on; `None` if that is still undecided.
fn served_closure(entry: &Entry, follows_plan: *const c_void) -> Option<*const c_void> {
    let Some(detail) = entry.detail() else {
        entry.put_off(Direction::Entry);
        return None;
    };
    // An entry calls a function of its own convention, and a closure's is one of this process's.
    let code = if detail.is_dense && detail.compiled.plan().abi == engine::host_abi() {
        served(detail, Direction::Entry)
    } else {
        Served::PlanForGood
    };
    let closure = match code {
        Served::Code(code) => code.as_ptr().cast_const().cast(),
        Served::PlanForGood => follows_plan,
        Served::Plan => return None,
    };
    entry.set_closure(closure);
    Some(closure)
}
