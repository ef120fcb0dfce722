//! Values of moves into registers and out of them.
//!
//! Each goes as a whole: what is written to memory in parts and then read at once makes the processor wait.

use super::bytes::{extended, read, read_word, store, store_word, stored_width, widened};
use super::machine::{self, Image};
use farcall_arch::{Move, Place};

impl Image {
    /// Fills a move's register from memory, a narrow integer extended to a word.
    ///
    /// # Safety
    /// * `value` points to the move's bytes: 16 at most, and 8 for an integer register.
    #[inline(always)]
    pub(super) unsafe fn load(&mut self, mv: &Move, value: *const u8) {
        let width = mv.width as usize;
        // SAFETY: `value` points to `width` bytes, by the contract of this function.
        unsafe {
            match mv.place {
                Place::Int(register) => {
                    self.ints[usize::from(register)] = extended(mv, read_word(value, width));
                }
                Place::Fp(register) => {
                    self.fps[usize::from(register)] = read_vector(value, width);
                }
                Place::X87(register) => self.set_x87(register, read(value, width)),
                Place::Stack { .. } => {}
            }
        }
    }

    /// Stores what a move's register holds, a narrow integer as a whole word.
    ///
    /// # Safety
    /// * `to` has room for the move's bytes, and for a word if it is a narrow integer.
    #[inline(always)]
    pub(super) unsafe fn store(&self, mv: &Move, to: *mut u8) {
        let width = stored_width(mv);
        // SAFETY: `to` has room for as many bytes, by the contract of this function.
        unsafe {
            match mv.place {
                Place::Int(register) => {
                    store_word(extended(mv, self.ints[usize::from(register)]), to, width);
                }
                Place::Fp(register) => store(&self.fps[usize::from(register)], to, width),
                place => store(&widened(mv, &self.get(place)), to, width),
            }
        }
    }
}

/// Up to 16 bytes that fill a vector register. Eight at most are put into a register first: a vector that is loaded
/// from memory in which they were written on their own makes the processor wait.
///
/// # Safety
/// * `value` points to `width` bytes, 16 at most.
#[inline]
unsafe fn read_vector(value: *const u8, width: usize) -> [u8; 16] {
    // SAFETY: `value` points to `width` bytes, by the contract of this function.
    unsafe {
        match width {
            8 | 4 => machine::vector(read_word(value, width)),
            _ => read(value, width),
        }
    }
}
