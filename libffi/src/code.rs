//! Which signatures get code, and how entries are told of it. When it is made is the engine's matter.
//!
//! A signature that is called once costs less without. So calls follow the plan until there were some, and get code then; the first call
//! does not even keep its plan. Closures do the same, but for those in
//! memory that may be read-only by then: with the first of these, their signature gets code. Where the system refuses executable memory, all stays as it was.

use crate::intern::{Call, Entry};
use crate::interp;
use crate::shape::{self, Detail};
use farcall_arch::Plan;
use farcall_engine::{self as engine, Direction, Endpoint, Served};
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::NonNull;

/// What an entry of scalars has its functions called through the first time.
pub const FIRST_CALL: Call = first_call;

unsafe extern "C-unwind" fn first_call(
    target: *const c_void,
    values: *mut *mut c_void,
    result: *mut c_void,
    entry: &Entry,
) {
    entry.replace_call(FIRST_CALL, FIRST_CALLS);
    if engine::wish() == engine::Wish::Always {
        // SAFETY: the caller vouches for the call.
        return unsafe { first_calls(target, values, result, entry) };
    }
    // The plan is for this call alone. Whatever leaves the call by an exception or a jump leaves it behind, which costs some memory once:
    // this frame has nothing to be dropped.
    let plan = make(entry);
    // SAFETY: the caller vouches for the call. Such an entry's arguments all have a value.
    unsafe { interp::call_by(&plan, target, values, result) }
    give_up(plan);
}

/// Apart from [`first_call`], as is [`give_up`]: planning has much to be dropped.
#[inline(never)]
fn make(entry: &Entry) -> ManuallyDrop<Plan> {
    ManuallyDrop::new(shape::plan_scalars(entry.key()))
}

#[inline(never)]
fn give_up(plan: ManuallyDrop<Plan>) {
    drop(ManuallyDrop::into_inner(plan));
}

/// What an entry's functions are called through from then on, until there is code for them.
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
    let now = entry.call() as usize;
    let is_first = now == FIRST_CALL as usize || now == FIRST_CALLS as usize;
    if is_first && let Some(call) = served_call(entry.detail(), engine::Compiled::serve_with_code) {
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
    let ask = AssertUnwindSafe(|| ask(&detail.compiled, direction, Endpoint::Pointers));
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
    let compiled = &entry.detail().compiled;
    if let Served::Code(code) = compiled.now(Direction::Call, Endpoint::Pointers) {
        // SAFETY: the address is such a trampoline's, and the caller vouches for the call.
        unsafe {
            let trampoline = std::mem::transmute::<NonNull<u8>, Trampoline>(code);
            trampoline(target, values, result);
        }
    }
}

/// What a closure of a signature enters by that is being prepared: code, or `follows_plan` if there is none yet or can be none. With
/// `may_change`, that can be replaced later; otherwise code is made now.
pub fn closure_entry(
    entry: &Entry,
    follows_plan: *const c_void,
    may_change: impl FnOnce() -> bool,
) -> *const c_void {
    let known = entry.closure();
    if !known.is_null() {
        return known;
    }
    if engine::wish() != engine::Wish::Always && may_change() {
        return follows_plan;
    }
    served_closure(entry, follows_plan, engine::Compiled::serve_with_code).unwrap_or(follows_plan)
}

/// Counts a closure that has followed its plan, and says what it is to enter by from now on, if that is something else.
pub fn closure_entry_now(entry: &Entry, follows_plan: *const c_void) -> Option<*const c_void> {
    let known = entry.closure();
    let now = if known.is_null() {
        served_closure(entry, follows_plan, engine::Compiled::serve)?
    } else {
        known
    };
    (now != follows_plan).then_some(now)
}

/// What closures of a signature enter by from now on; `None` if that is open still.
fn served_closure(entry: &Entry, follows_plan: *const c_void, ask: Ask) -> Option<*const c_void> {
    let detail = entry.detail();
    // An entry calls a function of its own convention, and a closure's is one of this process's.
    let code = if detail.is_dense() && detail.plan().abi == engine::host_abi() {
        served(detail, ask, Direction::Entry)
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
