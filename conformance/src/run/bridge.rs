//! Calls code of any convention, and is called by it, also where that is not the platform's own.

use super::delivery;
use farcall_arch::Abi;
use std::ffi::c_void;

/// The functions for one convention.
pub struct Bridge {
    /// Calls `code`, a trampoline, with its three arguments.
    ///
    /// # Safety
    /// * `code` is a function of the convention that takes the other three arguments, and may be called with these.
    pub call:
        unsafe fn(code: *const c_void, target: *const c_void, slots: *const u64, result: *mut u64),
    /// The address of a handler of the convention, which notes what it is called with.
    pub handler: fn() -> *const c_void,
    /// The same for a handler on pointers.
    pub pointers_handler: fn() -> *const c_void,
}

macro_rules! bridge {
    ($name:ident, $abi:literal) => {
        mod $name {
            use super::*;

            type Function = unsafe extern $abi fn(*const c_void, *const u64, *mut u64);

            unsafe extern $abi fn handle(
                context: *const c_void,
                slots: *const u64,
                result: *mut u64,
            ) -> u64 {
                // SAFETY: an entry passes the slots of the arguments, and memory for a result of several.
                unsafe { delivery::handle_slots(context, slots, result) }
            }

            unsafe extern $abi fn pointers_handle(
                context: *const c_void,
                result: *mut c_void,
                values: *const *const c_void,
                user_data: *const c_void,
            ) {
                // SAFETY: an entry passes pointers to the arguments, and memory for the result.
                unsafe { delivery::handle_pointers(context, result, values, user_data) }
            }

            unsafe fn call(
                code: *const c_void,
                target: *const c_void,
                slots: *const u64,
                result: *mut u64,
            ) {
                // SAFETY: `code` is a function of this type, by the contract of the trait's method.
                let function = unsafe { std::mem::transmute::<*const c_void, Function>(code) };
                // SAFETY: `target`, `slots` and `result` are those of a call of the function's signature, by the contract of a
                // `SlotFunction`.
                unsafe { function(target, slots, result) }
            }

            pub(super) static BRIDGE: Bridge = Bridge {
                call,
                handler: || handle as *const c_void,
                pointers_handler: || pointers_handle as *const c_void,
            };
        }
    };
}

#[cfg(target_arch = "x86_64")]
bridge!(sysv64, "sysv64");
#[cfg(target_arch = "x86_64")]
bridge!(win64, "win64");
// All dialects pass three pointers alike.
#[cfg(target_arch = "aarch64")]
bridge!(aapcs64, "C");

/// The functions for `abi`, if this machine has its instructions.
pub fn to(abi: Abi) -> Option<&'static Bridge> {
    match abi {
        #[cfg(target_arch = "x86_64")]
        Abi::SysV64 => Some(&sysv64::BRIDGE),
        #[cfg(target_arch = "x86_64")]
        Abi::Win64 => Some(&win64::BRIDGE),
        #[cfg(target_arch = "aarch64")]
        Abi::Aapcs64(_) => Some(&aapcs64::BRIDGE),
        #[allow(unreachable_patterns, reason = "each machine lacks others")]
        _ => None,
    }
}
