//! The machine code for AArch64.

use farcall_arch::Move;
use std::mem::offset_of;

/// The registers, by their number.
#[derive(Clone, Copy, Default)]
#[repr(C, align(16))]
pub struct Image {
    /// `x0` to `x19`, as far as they carry anything: `x0` to `x8`, and the static chain.
    pub ints: [u64; 20],
    /// `v0` to `v7`.
    pub fps: [[u8; 16]; 8],
}

impl Image {
    /// Does nothing here: results have no further places.
    #[inline(always)]
    pub fn expect(&mut self, _ret: &[Move]) {}

    /// Never reached: there is no such register, and no plan names one.
    #[inline]
    pub fn x87(&self, _register: u8) -> [u8; 16] {
        [0; 16]
    }

    /// As above.
    #[inline]
    pub fn set_x87(&mut self, _register: u8, _bytes: [u8; 16]) {}
}

/// The register of the static chain, where there is one. A thunk leaves its record's address in `x16`.
pub const STATIC_CHAIN: usize = 18;

/// Whether there is such a register: on Apple's systems, Android and Windows, `x18` is the platform's own.
pub const HAS_STATIC_CHAIN: bool = cfg!(not(any(
    target_vendor = "apple",
    target_os = "android",
    windows
)));

const _: () = {
    assert!(offset_of!(Image, fps) == 160);
    assert!(size_of::<Image>() == 288);
};

/// Loads the register of the static chain, which is left alone if the chain is null.
#[cfg(not(any(target_vendor = "apple", target_os = "android", windows)))]
macro_rules! load_static_chain {
    () => {
        "ldr x9, [x19, #144]\n cbz x9, 4f\n mov x18, x9\n 4:"
    };
}

/// The platform's own register is never touched.
#[cfg(any(target_vendor = "apple", target_os = "android", windows))]
macro_rules! load_static_chain {
    () => {
        ""
    };
}

// farcall_interp_call(frame, stack_len, fill, target)
//
//   | saved x19, x20 |
//   | saved x29, x30 | <- x29
//   | stack area     | <- sp at the calls
//
// The area is entered a page at a time, as no page of a stack may be passed over.
crate::assembly!(framed "farcall_interp_call", 4, [
    "hint #34",
    unwind_line!("", ".seh_nop"),
    "stp x29, x30, [sp, #-32]!",
    unwind_line!(".cfi_def_cfa_offset 32", ".seh_save_fplr_x 32"),
    unwind_line!(".cfi_offset x29, -32", ""),
    unwind_line!(".cfi_offset x30, -24", ""),
    "mov x29, sp",
    unwind_line!(".cfi_def_cfa_register x29", ".seh_set_fp"),
    "stp x19, x20, [sp, #16]",
    unwind_line!(".cfi_offset x19, -16", ".seh_save_regp x19, 16"),
    unwind_line!(".cfi_offset x20, -8", ".seh_endprologue"),
    "mov x19, x0",
    "mov x20, x3",
    "2:",
    "cmp x1, #1, lsl #12",
    "b.ls 3f",
    "sub sp, sp, #1, lsl #12",
    "str xzr, [sp]",
    "sub x1, x1, #1, lsl #12",
    "b 2b",
    "3:",
    "sub sp, sp, x1",
    "mov x1, sp",
    "blr x2",
    "ldp q0, q1, [x19, #160]",
    "ldp q2, q3, [x19, #192]",
    "ldp q4, q5, [x19, #224]",
    "ldp q6, q7, [x19, #256]",
    "ldp x0, x1, [x19]",
    "ldp x2, x3, [x19, #16]",
    "ldp x4, x5, [x19, #32]",
    "ldp x6, x7, [x19, #48]",
    "ldr x8, [x19, #64]",
    load_static_chain!(),
    "blr x20",
    "stp x0, x1, [x19]",
    "stp q0, q1, [x19, #160]",
    "stp q2, q3, [x19, #192]",
    unwind_line!("", ".seh_startepilogue"),
    "mov sp, x29",
    unwind_line!(".cfi_def_cfa_register sp", ".seh_set_fp"),
    "ldp x19, x20, [sp, #16]",
    unwind_line!(".cfi_restore x19", ".seh_save_regp x19, 16"),
    unwind_line!(".cfi_restore x20", ""),
    "ldp x29, x30, [sp], #32",
    unwind_line!(".cfi_restore x29", ".seh_save_fplr_x 32"),
    unwind_line!(".cfi_restore x30", ".seh_endepilogue"),
    unwind_line!(".cfi_def_cfa_offset 0", ""),
    "ret",
]);

/// An entry of callbacks, called `$name`: registers into an image on the stack, `$enter(record, image, stack)`, and back. With
/// `chain`, the record is where the static chain leads, if there is one.
#[macro_export]
macro_rules! interp_entry {
    ($name:literal, $enter:path) => {
        $crate::interp_entry!(@ $name, $enter, "x16");
    };
    ($name:literal, $enter:path, chain) => {
        $crate::interp_entry!(@ $name, $enter, "x18");
    };
    (@ $name:literal, $enter:path, $record:literal) => {
        $crate::assembly!(framed $name, 4, [
            "hint #34",
            $crate::unwind_line!("", ".seh_nop"),
            "stp x29, x30, [sp, #-304]!",
            $crate::unwind_line!(".cfi_def_cfa_offset 304", ".seh_save_fplr_x 304"),
            $crate::unwind_line!(".cfi_offset x29, -304", ""),
            $crate::unwind_line!(".cfi_offset x30, -296", ""),
            "mov x29, sp",
            $crate::unwind_line!("", ".seh_set_fp"),
            $crate::unwind_line!("", ".seh_endprologue"),
            "stp x0, x1, [sp, #16]",
            "stp x2, x3, [sp, #32]",
            "stp x4, x5, [sp, #48]",
            "stp x6, x7, [sp, #64]",
            "str x8, [sp, #80]",
            "stp q0, q1, [sp, #176]",
            "stp q2, q3, [sp, #208]",
            "stp q4, q5, [sp, #240]",
            "stp q6, q7, [sp, #272]",
            concat!("mov x0, ", $record),
            "add x1, sp, #16",
            "add x2, sp, #304",
            "bl {enter}",
            "ldp x0, x1, [sp, #16]",
            "ldp q0, q1, [sp, #176]",
            "ldp q2, q3, [sp, #208]",
            $crate::unwind_line!("", ".seh_startepilogue"),
            "ldp x29, x30, [sp], #304",
            $crate::unwind_line!(".cfi_restore x29", ".seh_save_fplr_x 304"),
            $crate::unwind_line!(".cfi_restore x30", ".seh_endepilogue"),
            $crate::unwind_line!(".cfi_def_cfa_offset 0", ""),
            "ret",
        ] enter = sym $enter,);
    };
}

/// A vector register's bytes, the lower half from `word`, the upper half zero.
#[inline(always)]
pub fn vector(word: u64) -> [u8; 16] {
    use std::arch::aarch64::{uint64x2_t, vcombine_u64, vcreate_u64};
    // SAFETY: both are 16 bytes of any content, and every processor of this kind has these instructions.
    unsafe {
        let both = vcombine_u64(vcreate_u64(word), vcreate_u64(0));
        std::mem::transmute::<uint64x2_t, [u8; 16]>(both)
    }
}
