//! A callback that has been entered: its arguments, out of registers and stack, and its result, back into registers.

use super::bytes::{read, store, stored_width, widened};
use super::machine::Image;
use farcall_arch::{Move, Plan};
use std::ffi::c_void;

/// A callback that has just been entered.
pub struct Entered<'a> {
    plan: &'a Plan,
    image: &'a mut Image,
    stack: *mut u8,
}

/// The largest result in registers: four numbers of 16 bytes.
const RESULT_WORDS: usize = 4;

/// Room for any result that is returned in registers.
pub type ResultArea = [u128; RESULT_WORDS];

impl<'a> Entered<'a> {
    /// A callback of the plan's signature that has been called with these registers and stack arguments.
    ///
    /// # Safety
    /// * It is so: they are what an entry has handed on.
    #[inline]
    pub unsafe fn new(plan: &'a Plan, image: &'a mut Image, stack: *mut u8) -> Entered<'a> {
        Entered { plan, image, stack }
    }

    /// The memory where C wants the result, if it does not want it in registers.
    #[inline]
    pub fn sret(&self) -> Option<*mut c_void> {
        let sret = self.plan.sret?;
        Some(self.image.ints[usize::from(sret.pointer)] as *mut c_void)
    }

    /// Tells `list` of each argument its number and where it lies.
    #[inline]
    pub fn point_to_arguments(
        &mut self,
        gathered: &mut Gathered,
        mut list: impl FnMut(usize, *mut c_void),
    ) {
        for group in self.plan.args.chunk_by(|one, next| one.value == next.value) {
            // SAFETY: new()'s caller vouches for the places.
            let value = unsafe { gathered.value(group, self.image, self.stack) };
            list(group[0].value as usize, value);
        }
    }

    /// Stores the arguments, narrow integers extended to their whole slots.
    ///
    /// # Safety
    /// * `slots` has room for the plan's [`Plan::arg_slots`].
    pub unsafe fn store_arguments(&mut self, slots: *mut u64) {
        for mv in &self.plan.args {
            let width = mv.width as usize;
            // SAFETY: the move's place lies where the plan says, for which new()'s caller vouches; it has room in its slots, a narrow
            // integer in a slot of its own.
            unsafe {
                let slot = slots.cast::<u8>().add(mv.slot_offset as usize);
                let from = self.image.at(mv.place, self.stack);
                if mv.copy.is_some() {
                    let copy = from.cast::<*const u8>().read();
                    slot.copy_from_nonoverlapping(copy, width);
                } else if width > size_of::<u64>() {
                    slot.copy_from_nonoverlapping(from, width);
                } else {
                    let bytes = widened(mv, &read(from, width));
                    store(&bytes, slot, stored_width(mv));
                }
            }
        }
    }

    /// Returns the result that lies at `result`, or, if C wants it in memory, has been put there.
    ///
    /// # Safety
    /// * `result` points to all moves of the result that the plan has.
    #[inline]
    pub unsafe fn return_result(self, result: *const c_void) {
        let Entered { plan, image, .. } = self;
        if let Some(sret) = plan.sret
            && let Some(register) = sret.returned
        {
            image.ints[usize::from(register)] = image.ints[usize::from(sret.pointer)];
        }
        image.expect(plan);
        for mv in &plan.ret {
            // SAFETY: the moves lie within the result's memory.
            let bytes = unsafe {
                let value = result.cast::<u8>().add(mv.offset as usize);
                read(value, mv.width as usize)
            };
            image.set(mv.place, widened(mv, &bytes));
        }
    }
}

/// Room for all arguments that arrive in several registers: as many as there are registers, 16 bytes each.
#[derive(Default)]
pub struct Gathered {
    bytes: [u128; 32],
    used: usize,
}

impl Gathered {
    /// Where the value of an argument is that consists of `moves`, put together if it is in several places.
    ///
    /// # Safety
    /// * The moves lie within `image` and the stack arguments at `stack`.
    #[inline]
    unsafe fn value(&mut self, moves: &[Move], image: &mut Image, stack: *mut u8) -> *mut c_void {
        let first = &moves[0];
        // SAFETY: the caller vouches for the mv.
        let place = unsafe { image.at(first.place, stack) };
        if first.copy.is_some() {
            // SAFETY: the place holds the copy's address.
            return unsafe { place.cast::<*mut c_void>().read() };
        }
        if moves.len() == 1 {
            return place.cast();
        }
        let start = self.bytes[self.used..].as_mut_ptr().cast::<u8>();
        for mv in moves {
            let bytes = image.get(mv.place);
            // SAFETY: a value in several registers has 16 bytes for each at most, and there is room for all registers.
            unsafe {
                start
                    .add(mv.offset as usize)
                    .copy_from_nonoverlapping(bytes.as_ptr(), mv.width as usize);
            }
        }
        self.used += moves.len();
        start.cast()
    }
}
