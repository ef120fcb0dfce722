//! The table of calling conventions: one row each, the only place that counts registers.
//!
//! Registers go by their number in the machine's encoding, which is what the emitters want.

/// x86-64 register numbers (Intel SDM volume 2, table 3-1).
#[allow(missing_docs, reason = "the names are Intel's")]
pub mod x64 {
    pub const RAX: u8 = 0;
    pub const RCX: u8 = 1;
    pub const RDX: u8 = 2;
    pub const RBX: u8 = 3;
    pub const RSP: u8 = 4;
    pub const RBP: u8 = 5;
    pub const RSI: u8 = 6;
    pub const RDI: u8 = 7;
    pub const R8: u8 = 8;
    pub const R9: u8 = 9;
    pub const R10: u8 = 10;
    pub const R11: u8 = 11;
    pub const R12: u8 = 12;
    pub const R13: u8 = 13;
    pub const R14: u8 = 14;
    pub const R15: u8 = 15;
}

/// What one calling convention says.
#[derive(Debug)]
pub struct Convention {
    /// The name the specification goes by.
    pub name: &'static str,
    /// Integer and pointer arguments, in order.
    pub int_args: &'static [u8],
    /// Floating-point arguments, in order.
    pub fp_args: &'static [u8],
    /// Integer and pointer results, in order.
    pub int_rets: &'static [u8],
    /// Floating-point results, in order.
    pub fp_rets: &'static [u8],
    /// Bytes that one scalar argument takes on the stack.
    pub stack_word: u32,
    /// The stack pointer's alignment at a call instruction, in bytes.
    pub stack_align: u32,
    /// Bytes below the stack pointer that a signal handler leaves alone.
    pub red_zone: u32,
    /// Integer registers that a callee gives back as it found them, the stack pointer aside.
    pub callee_saved: &'static [u8],
    /// Floating-point registers that a callee gives back.
    pub callee_saved_fp: &'static [u8],
    /// Whether a caller says in `al` how many vector registers carry arguments.
    pub counts_vector_args: bool,
}

/// System V psABI for x86-64, version 1.0: section 3.2.1 (registers), 3.2.2 (stack), 3.2.3 (arguments).
pub static SYSV64: Convention = Convention {
    name: "SysV x86-64",
    int_args: &[x64::RDI, x64::RSI, x64::RDX, x64::RCX, x64::R8, x64::R9],
    fp_args: &[0, 1, 2, 3, 4, 5, 6, 7],
    int_rets: &[x64::RAX, x64::RDX],
    fp_rets: &[0, 1],
    stack_word: 8,
    stack_align: 16,
    red_zone: 128,
    callee_saved: &[x64::RBX, x64::RBP, x64::R12, x64::R13, x64::R14, x64::R15],
    callee_saved_fp: &[],
    counts_vector_args: true,
};
