//! Plans followed with values in slots, as generated code has them at [`crate::Endpoint::Slots`].

use super::enter::{Entered, ResultArea};
use super::follow::{self, Arguments};
use super::machine::Image;
use super::scratch::with_scratch;
use farcall_arch::{Move, Plan};
use std::ffi::c_void;
use std::ptr;

/// The slots of a call's arguments.
struct Slots(*const u64);

impl Arguments for Slots {
    unsafe fn bytes(&self, mv: &Move) -> *const u8 {
        // SAFETY: a plan's slots lie within the list.
        unsafe { self.0.cast::<u8>().add(mv.slot_offset as usize) }
    }
}

/// Calls `target`. Like code made for the purpose, this may be left by a jump, as exceptions of an interpreter's own are: there is
/// nothing in its frames, nor in those of what it calls, to be dropped.
///
/// # Safety
/// * As for [`crate::SlotsCall`], the signature being the plan's.
pub unsafe fn call_slots(plan: &Plan, target: *const c_void, slots: *const u64, result: *mut u64) {
    // SAFETY: `target`, `slots` and `result` are those of a call of the plan's signature, by the contract of this function; slots have
    // all bytes of all moves.
    unsafe { follow::call(plan, target, Slots(slots), result.cast(), ptr::null()) }
}

/// The number of argument slots that every callback has room for. Callbacks nest, on stacks that may be short, so more slots get their room
/// only when needed.
const INLINE: usize = 16;

/// The same for results in memory, in pairs of slots.
const INLINE_RESULT: usize = 4;

/// Enters a callback: has `run` called with the arguments' slots and room for the result's, and returns that to C.
///
/// # Safety
/// * `image` and `stack` are the registers and the stack arguments that a callback of the plan was called with.
/// * `run` leaves the result in all of its slots.
pub(crate) unsafe fn enter_slots(
    plan: &Plan,
    image: &mut Image,
    stack: *mut u8,
    run: impl FnOnce(&[u64], &mut [u128]),
) {
    // SAFETY: `image` and `stack` are those that a callback of the plan was called with, by the contract of this function.
    let mut entered = unsafe { Entered::new(&plan.ret, plan.sret, image, stack) };
    with_scratch::<u64, _, INLINE>(plan.arg_slots as usize, 0, |slots| {
        // SAFETY: there are as many slots as the plan has.
        unsafe { entered.store_arguments(plan, slots.as_mut_ptr()) };
        let sret = plan.sret.zip(entered.sret());
        let Some((sret, to)) = sret else {
            let mut area = ResultArea::default();
            run(slots, &mut area);
            // SAFETY: the area has room for every result in registers.
            return unsafe { entered.return_result(area.as_ptr().cast()) };
        };
        let words = plan.ret_slots.div_ceil(2) as usize;
        with_scratch::<u128, _, INLINE_RESULT>(words, 0, |result| {
            run(slots, result);
            // SAFETY: C has memory of the result's size there, and the result fills its slots.
            unsafe {
                to.cast::<u8>()
                    .copy_from_nonoverlapping(result.as_ptr().cast(), sret.size as usize);
                entered.return_result(result.as_ptr().cast());
            }
        });
    });
}
