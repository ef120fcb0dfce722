//! Code for signatures: which get some, and when.
//!
//! A signature that is called once costs less without. So calls follow the plan until there were some, and get code then; a
//! closure's signature gets code with the first closure. Where the system refuses executable memory, all stays as it was.

use crate::generic;
use crate::intern::{Call, Detail, Entry};
use crate::shape;
use farcall::embed::{self, Wish};
use farcall_arch::Plan;
use farcall_arch::emit::{self, Code};
use std::ffi::c_void;
use std::panic;

/// How many calls of a signature follow its plan. It takes about so many for code to pay.
const WITHOUT_CODE: u32 = 8;

/// How many calls of each signature go without code.
fn calls_without_code() -> u32 {
    match embed::wish() {
        Wish::Always => 0,
        Wish::Never | Wish::None => WITHOUT_CODE,
    }
}

/// What an entry's functions are called through until there is code for them.
pub const FIRST_CALLS: Call = first_calls;

unsafe extern "C-unwind" fn first_calls(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    if entry.count_call() < calls_without_code() {
        // SAFETY: the caller vouches for the call.
        return unsafe { generic::call(target, values, result, entry) };
    }
    compile_call(entry);
    // SAFETY: the caller vouches for the call.
    unsafe { entry.call()(target, values, result, entry) }
}

/// Makes the code by which functions of a signature are called, unless there is some, or none can be.
pub fn compile_call(entry: &Entry) {
    if entry.call() as usize == FIRST_CALLS as usize {
        entry.set_call(compiled_call(entry.detail()).unwrap_or(generic::call));
    }
}

fn compiled_call(detail: &Detail) -> Option<Call> {
    if !detail.is_dense() {
        return None;
    }
    let code = publish(emit::call_pointers, &detail.plan)?;
    #[cfg(all(target_arch = "x86_64", unix))]
    if detail.plan.abi != shape::HOST {
        detail.foreign.get_or_init(|| code as usize);
        return Some(call_win64);
    }
    // SAFETY: a trampoline on pointers is a function of this type, but for the last argument, which it leaves alone.
    Some(unsafe { std::mem::transmute::<*const c_void, Call>(code) })
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
    if let Some(&code) = entry.detail().foreign.get() {
        // SAFETY: the address is such a trampoline's, and the caller vouches for the call.
        unsafe {
            let trampoline = std::mem::transmute::<usize, Trampoline>(code);
            trampoline(target, values, result);
        }
    }
}

/// What closures of a signature enter by: code made for the first of them, or `generic` if there can be none.
pub fn closure_entry(entry: &Entry, generic: *const c_void) -> *const c_void {
    let known = entry.closure();
    if !known.is_null() {
        return known;
    }
    let code = compiled_entry(entry.detail()).unwrap_or(generic);
    entry.set_closure(code);
    code
}

fn compiled_entry(detail: &Detail) -> Option<*const c_void> {
    // An entry calls a function of its own convention, and a closure's is one of this process's.
    if !detail.is_dense() || detail.plan.abi != shape::HOST {
        return None;
    }
    publish(emit::callback_entry_pointers, &detail.plan)
}

/// Makes code, and makes it executable for as long as the process.
fn publish(emit: fn(&Plan) -> Code, plan: &Plan) -> Option<*const c_void> {
    // A fault of ours must not unwind through C.
    let published = panic::catch_unwind(|| embed::publish(&emit(plan)).ok()).ok()??;
    let start = published.start().as_ptr().cast_const().cast();
    // Entries stay for as long as the process, and so does their code.
    std::mem::forget(published);
    Some(start)
}
