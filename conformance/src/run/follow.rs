//! Calls that follow their plan, as farcall makes them while a signature has no code.

use super::step::Endpoint;
use crate::cases::Case;
use crate::planner;
use crate::target::Target;
use anyhow::Result;
use farcall_arch::{Move, Plan};
use farcall_engine::interp::{self, Arguments};
use std::ffi::c_void;

/// The plan of a case whose values may be structures that a text declares, if this process can follow it. (What type codes spell is compared with
/// `FARCALL_CODE=never`.)
///
/// # Errors
/// When the planner refuses the signature.
pub fn plan(case: &Case, target: &Target) -> Result<Option<Plan>> {
    match target.is_native && case.declared.is_some() {
        true => planner::plan(case, target, target.abi).map(Some),
        false => Ok(None),
    }
}

/// Calls `target` with arguments in slots or behind pointers.
///
/// # Safety
/// * The plan is of this process's own convention, and `target` a function of its signature.
/// * `arguments` are the slots or the pointers of all arguments, and `result` is memory for the result, of a word at least.
pub unsafe fn call(
    plan: &Plan,
    target: *const c_void,
    endpoint: Endpoint,
    arguments: *const u64,
    result: *mut u64,
) {
    // SAFETY: `target` is a function of the plan's signature, and `arguments` and `result` are those of a call of it, by the contract
    // of this function.
    unsafe {
        match endpoint {
            Endpoint::Slots => interp::call_slots(plan, target, arguments, result),
            Endpoint::Pointers => interp::call(
                plan,
                target,
                Pointers(arguments.cast()),
                result.cast(),
                std::ptr::null(),
            ),
        }
    }
}

/// The arguments, each behind a pointer.
struct Pointers(*const *const u8);

impl Arguments for Pointers {
    unsafe fn bytes(&self, mv: &Move) -> *const u8 {
        // SAFETY: there is a pointer for each argument, to a value of its type.
        unsafe { (*self.0.add(mv.value as usize)).add(mv.offset as usize) }
    }
}
