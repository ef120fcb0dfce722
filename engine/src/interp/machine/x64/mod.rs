//! The machine code for x86-64.
//!
//! A process speaks one convention, System V or Microsoft's, and each has a file of its own here.

#[cfg(unix)]
#[macro_use]
mod sysv;
#[cfg(windows)]
#[macro_use]
mod windows;

use farcall_arch::{Move, Place};
use std::mem::offset_of;

/// The registers, by their number in the machine's encoding.
#[derive(Clone, Copy, Default)]
#[repr(C, align(16))]
pub struct Image {
    /// `rax` to `r15`, as far as they carry anything: arguments, results, the count of vector registers, the static chain.
    pub ints: [u64; 16],
    /// `xmm0` to `xmm7`.
    pub fps: [[u8; 16]; 8],
    /// `st(0)` and `st(1)` of a result, in that order.
    pub x87: [[u8; 16]; 2],
    /// The number of `x87` registers that the result uses.
    pub x87_count: u64,
}

impl Image {
    /// Tells the machine code how many numbers of the result to take off the x87's stack, or to put there.
    #[inline(always)]
    pub fn expect(&mut self, ret: &[Move]) {
        // A result is either all there or not at all.
        let is_x87 = ret
            .first()
            .is_some_and(|mv| matches!(mv.place, Place::X87(_)));
        self.x87_count = if is_x87 { ret.len() as u64 } else { 0 };
    }

    /// The bytes of `st(register)`.
    #[inline]
    pub fn x87(&self, register: u8) -> [u8; 16] {
        self.x87[usize::from(register)]
    }

    /// Sets the bytes of `st(register)`.
    #[inline]
    pub fn set_x87(&mut self, register: u8, bytes: [u8; 16]) {
        self.x87[usize::from(register)] = bytes;
    }
}

/// The register of the static chain.
pub const STATIC_CHAIN: usize = 10;

/// Whether there is such a register.
pub const HAS_STATIC_CHAIN: bool = true;

const _: () = {
    assert!(offset_of!(Image, fps) == 128);
    assert!(offset_of!(Image, x87) == 256);
    assert!(offset_of!(Image, x87_count) == 288);
    assert!(size_of::<Image>() == 304);
};

/// A vector register's bytes, the lower half from `word`, the upper half zero.
#[inline(always)]
pub fn vector(word: u64) -> [u8; 16] {
    use std::arch::x86_64::{__m128i, _mm_cvtsi64_si128};
    // SAFETY: both are 16 bytes of any content, and SSE2 is in every processor of this kind.
    unsafe { std::mem::transmute::<__m128i, [u8; 16]>(_mm_cvtsi64_si128(word as i64)) }
}
