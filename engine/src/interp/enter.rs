//! A callback that has been entered: its arguments, out of registers and stack, and its result, back into registers.

use super::bytes::{extended, read_word, store_word, stored_width};
use super::machine::Image;
use farcall_arch::{Move, Plan, Sret};
use std::ffi::c_void;
use std::mem::MaybeUninit;

/// A callback that has just been entered.
pub struct Entered<'a> {
    ret: &'a [Move],
    sret: Option<Sret>,
    image: &'a mut Image,
    stack: *mut u8,
}

/// The largest result in registers: four numbers of 16 bytes.
const RESULT_WORDS: usize = 4;

/// Room for any result that is returned in registers.
pub type ResultArea = [u128; RESULT_WORDS];

impl<'a> Entered<'a> {
    /// A callback that has been called with these registers and stack arguments. `ret` and `sret` say where its result goes.
    ///
    /// # Safety
    /// * `image` and `stack` are those that an entry has handed on, and `ret` and `sret` are what the planner says of its signature.
    #[inline]
    pub unsafe fn new(
        ret: &'a [Move],
        sret: Option<Sret>,
        image: &'a mut Image,
        stack: *mut u8,
    ) -> Entered<'a> {
        Entered {
            ret,
            sret,
            image,
            stack,
        }
    }

    /// The memory where C wants the result, if it does not want it in registers.
    #[inline]
    pub fn sret(&self) -> Option<*mut c_void> {
        let sret = self.sret?;
        Some(self.image.ints[usize::from(sret.pointer)] as *mut c_void)
    }

    /// The address of a scalar argument with this move.
    #[inline(always)]
    pub fn scalar(&mut self, mv: &Move) -> *mut c_void {
        // SAFETY: `image` and `stack` hold the places of the signature's moves, which `new` asked for.
        unsafe { self.image.at(mv.place, self.stack).cast() }
    }

    /// The address of the argument that this move belongs to, put together from its moves so far: the answer for its last move counts. The
    /// moves of one argument come one after the other.
    #[inline(always)]
    pub fn argument(&mut self, gathered: &mut Gathered, mv: &Move) -> *mut c_void {
        // SAFETY: `image` and `stack` hold the places of the signature's moves, which `new` asked for.
        unsafe { gathered.add(mv, self.image, self.stack) }
    }

    /// Stores the arguments, narrow integers extended to their whole slots.
    ///
    /// # Safety
    /// * The plan is the signature's. `slots` has room for its [`Plan::arg_slots`].
    pub unsafe fn store_arguments(&mut self, plan: &Plan, slots: *mut u64) {
        for mv in &plan.args {
            let width = mv.width as usize;
            // SAFETY: the move's place lies in `image` or `stack`, which `new` asked for. `slots` has room for all slots of the plan,
            // by the contract of this function; a narrow integer has a slot of its own.
            unsafe {
                let slot = slots.cast::<u8>().add(mv.slot_offset as usize);
                let from = self.image.at(mv.place, self.stack);
                if mv.copy.is_some() {
                    let copy = from.cast::<*const u8>().read();
                    slot.copy_from_nonoverlapping(copy, width);
                } else if width > size_of::<u64>() {
                    slot.copy_from_nonoverlapping(from, width);
                } else {
                    let word = extended(mv, read_word(from, width));
                    store_word(word, slot, stored_width(mv));
                }
            }
        }
    }

    /// Returns to C the result at `result`. If C wants the result in memory, it has been put there already.
    ///
    /// # Safety
    /// * `result` points to the bytes of all moves of the result.
    #[inline]
    pub unsafe fn return_result(self, result: *const c_void) {
        let Entered {
            ret, sret, image, ..
        } = self;
        if let Some(sret) = sret
            && let Some(register) = sret.returned
        {
            image.ints[usize::from(register)] = image.ints[usize::from(sret.pointer)];
        }
        image.expect(ret);
        for mv in ret {
            // SAFETY: the moves lie within the result's memory, and are of registers.
            unsafe { image.load(mv, result.cast::<u8>().add(mv.offset as usize)) };
        }
    }
}

/// Room for all arguments that arrive in several registers: as many as there are registers, 16 bytes each.
pub struct Gathered {
    bytes: [MaybeUninit<u128>; 32],
    used: usize,
    /// The first move of the last argument.
    first: Option<Move>,
    /// The place where the last argument is put together, if it arrives in several registers.
    start: usize,
}

impl Default for Gathered {
    #[inline(always)]
    fn default() -> Gathered {
        Gathered {
            bytes: [MaybeUninit::uninit(); 32],
            used: 0,
            first: None,
            start: 0,
        }
    }
}

impl Gathered {
    /// Takes the next move; returns the address of its argument, as far as it has arrived.
    ///
    /// # Safety
    /// * The move lies within `image` and the stack arguments at `stack`.
    #[inline(always)]
    unsafe fn add(&mut self, mv: &Move, image: &mut Image, stack: *mut u8) -> *mut c_void {
        match self.first {
            Some(first) if first.value == mv.value => {
                // SAFETY: each of the moves lies within `image` and `stack`, by the contract of this function.
                unsafe { self.join(&first, mv, image, stack) }
            }
            _ => {
                self.first = Some(*mv);
                self.start = self.used;
                // SAFETY: the move lies within `image` and `stack`, by the contract of this function.
                let place = unsafe { image.at(mv.place, stack) };
                match mv.copy {
                    // SAFETY: the place holds the copy's address.
                    Some(_) => unsafe { place.cast::<*mut c_void>().read() },
                    None => place.cast(),
                }
            }
        }
    }

    /// Puts a further part of an argument to the others.
    ///
    /// # Safety
    /// * As for [`Gathered::add`].
    #[inline(never)]
    unsafe fn join(
        &mut self,
        first: &Move,
        mv: &Move,
        image: &mut Image,
        stack: *mut u8,
    ) -> *mut c_void {
        let is_second = self.used == self.start;
        let parts = if is_second { &[first, mv][..] } else { &[mv] };
        let start = self.bytes[self.start..].as_mut_ptr().cast::<u8>();
        for part in parts {
            // SAFETY: a value in several registers has 16 bytes for each at most, and there is room for all registers.
            unsafe {
                let place = image.at(part.place, stack);
                start
                    .add(part.offset as usize)
                    .copy_from_nonoverlapping(place, part.width as usize);
            }
            self.used += 1;
        }
        start.cast()
    }
}
