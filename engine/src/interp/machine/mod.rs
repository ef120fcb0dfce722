//! The machine code that is part of the program: a call with any registers and any stack, and the entry of any callback.
//!
//! Each is written once for each machine, and knows registers, but no signatures. It has unwind information, so exceptions cross it.
//! Calls and entries exchange an [`Image`] of the registers with Rust.

#[cfg(target_arch = "aarch64")]
#[macro_use]
mod a64;
#[cfg(target_arch = "aarch64")]
pub use a64::*;
#[cfg(target_arch = "x86_64")]
#[macro_use]
mod x64;
#[cfg(target_arch = "x86_64")]
pub use x64::*;

use crate::interp::bytes::word;
use farcall_arch::Place;
use std::ffi::c_void;
use std::ptr;

/// Fills the registers' image, which `frame` begins with, and the stack area at `stack` of a call that is about to be made.
pub type Fill = unsafe extern "C" fn(frame: *mut c_void, stack: *mut u8);

unsafe extern "C-unwind" {
    /// Calls `target` with the registers and the stack area, `stack_len` bytes long, that `fill` leaves, and puts the result's
    /// registers into the image.
    ///
    /// # Safety
    /// * `frame` points to something that begins with an [`Image`], and is what `fill` wants.
    /// * `stack_len` is a multiple of 16.
    /// * With the registers and the stack area that `fill` leaves, `target` may be called by this thread.
    pub fn farcall_interp_call(
        frame: *mut c_void,
        stack_len: usize,
        fill: Fill,
        target: *const c_void,
    );
}

impl Image {
    /// The bytes of a register.
    #[inline]
    pub fn get(&self, place: Place) -> [u8; 16] {
        match place {
            Place::Int(register) => {
                let mut bytes = [0; 16];
                bytes[..8].copy_from_slice(&self.ints[usize::from(register)].to_le_bytes());
                bytes
            }
            Place::Fp(register) => self.fps[usize::from(register)],
            Place::X87(register) => self.x87(register),
            Place::Stack { .. } => [0; 16],
        }
    }

    /// Sets the bytes of a register; an integer register takes the first eight.
    #[inline]
    pub fn set(&mut self, place: Place, bytes: [u8; 16]) {
        match place {
            Place::Int(register) => self.ints[usize::from(register)] = word(&bytes),
            Place::Fp(register) => self.fps[usize::from(register)] = bytes,
            Place::X87(register) => self.set_x87(register, bytes),
            Place::Stack { .. } => {}
        }
    }

    /// The address of an argument's bytes that arrive in this place. The stack arguments are at `stack`.
    ///
    /// # Safety
    /// * The place lies within the stack arguments, if it is there.
    #[inline]
    pub unsafe fn at(&mut self, place: Place, stack: *mut u8) -> *mut u8 {
        match place {
            Place::Int(register) => ptr::from_mut(&mut self.ints[usize::from(register)]).cast(),
            Place::Fp(register) => self.fps[usize::from(register)].as_mut_ptr(),
            // SAFETY: a place on the stack lies within the stack arguments, by the contract of this function.
            Place::Stack { offset, .. } => unsafe { stack.add(offset as usize) },
            // No argument is in one.
            Place::X87(_) => ptr::null_mut(),
        }
    }
}
