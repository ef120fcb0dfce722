//! Guard and probe for AAPCS64, in all its dialects.
//!
//! Between a function's first instruction and its arguments' use, `x9` to `x17` are free. On the way back `x0`, `x1`
//! and `v0` to `v3` may hold the result.
//!
//! `x18` counts as a control register, which farcall's code must not touch anywhere. Compilers for Linux use it
//! like any other, so the probe brings it back.

use super::notes::{Control, Machine, guard_asm, probe_asm};
use crate::cases::Case;
use crate::types::Ty;

pub(super) static MACHINE: Machine = Machine {
    guard: farcall_conformance_guard,
    probe: farcall_conformance_probe,
    // ORDER saved: words of the notes, as the guard stores registers and both pieces control words.
    saved: &[
        "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "d8", "d9",
        "d10", "d11", "d12", "d13", "d14", "d15",
    ],
    controls: &[
        Control {
            name: "FPCR",
            mask: 0x07c0_9f00,
            fixed: 0,
            // Rounding, flush to zero, default NaN. Nothing between guard and probe computes with floats.
            free: 0x03c0_0000,
            is_kept_by_all: true,
        },
        Control {
            name: "x18",
            mask: u64::MAX,
            fixed: 0,
            free: u64::MAX,
            is_kept_by_all: false,
        },
    ],
    stack_phase: 0,
    popped: 0,
    shadow_words: 0,
    stack_words,
    hidden: |_, _| None,
};

const REGISTERS: usize = 8;

/// The words in the dialect that takes the most; dialects that pack arguments, or put more into registers, take less.
fn stack_words(case: &Case) -> usize {
    let unnamed = case.args.len() - case.fixed.unwrap_or(case.args.len());
    let words = case.args.iter().filter_map(Ty::word);
    let floats = words.filter(|code| code.is_float()).count();
    let ints = case.args.len() - floats;
    let beyond = ints.saturating_sub(REGISTERS) + floats.saturating_sub(REGISTERS);
    match case.fixed {
        // Apple puts unnamed arguments on the stack, Windows all that do not fit into the integer registers.
        Some(_) => (beyond + unnamed).max(case.args.len().saturating_sub(REGISTERS)),
        None => beyond,
    }
}

unsafe extern "C" {
    fn farcall_conformance_guard();
    fn farcall_conformance_probe();
}

// Overwrites the registers that a callee may use up, but for x30 and the result's registers.
macro_rules! scribble {
    () => {
        "mov x17, #0x5c5c
         movk x17, #0x5c5c, lsl #16
         movk x17, #0x5c5c, lsl #32
         movk x17, #0x5c5c, lsl #48
         .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
             mov x\\n, x17
         .endr
         .irp n, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
             dup v\\n\\().2d, x17
         .endr
         .irp n, 8, 9, 10, 11, 12, 13, 14, 15
             mov v\\n\\().d[1], x17
         .endr"
    };
}

// Stores or loads the registers that come back, at x17.
macro_rules! saved {
    ($pair:literal, $single:literal) => {
        concat!(
            $pair,
            " x19, x20, [x17]\n",
            $pair,
            " x21, x22, [x17, #16]\n",
            $pair,
            " x23, x24, [x17, #32]\n",
            $pair,
            " x25, x26, [x17, #48]\n",
            $pair,
            " x27, x28, [x17, #64]\n",
            $single,
            " x29, [x17, #80]\n",
            $pair,
            " d8, d9, [x17, #88]\n",
            $pair,
            " d10, d11, [x17, #104]\n",
            $pair,
            " d12, d13, [x17, #120]\n",
            $pair,
            " d14, d15, [x17, #136]\n",
        )
    };
}

// ORDER saved, ORDER notes
guard_asm!(
    ".balign 16",
    "farcall_conformance_guard:",
    "hint #34", // bti c
    "adrp x16, {state}",
    "add x16, x16, :lo12:{state}",
    "add x17, x16, #{callers}",
    saved!("stp", "str"),
    "mrs x9, fpcr",
    "add x17, x16, #{callers_control}",
    "stp x9, x18, [x17]",
    "str x30, [x16, #{return_address}]",
    "mov x9, sp",
    "str x9, [x16, #{stack}]",
    "mov x10, #{window_words}",
    "add x11, x16, #{window}",
    "2:",
    "ldr x12, [x9], #8",
    "str x12, [x11], #8",
    "subs x10, x10, #1",
    "b.ne 2b",
    "add x17, x16, #{patterns_control}",
    "ldp x9, x18, [x17]",
    "msr fpcr, x9",
    "add x17, x16, #{patterns}",
    saved!("ldp", "ldr"),
    "adr x30, 4f",
    "ldr x16, [x16, #{target}]",
    "br x16",
    // The code under test returns here, perhaps with a wrong stack pointer.
    "4:",
    "adrp x16, {state}",
    "add x16, x16, :lo12:{state}",
    "add x17, x16, #{after}",
    saved!("stp", "str"),
    "mrs x9, fpcr",
    "add x17, x16, #{after_control}",
    "stp x9, x18, [x17]",
    "mov x9, sp",
    "str x9, [x16, #{stack_after}]",
    "ldr x9, [x16, #{stack}]",
    "mov sp, x9",
    "mov x10, #{window_words}",
    "add x11, x16, #{window}",
    "add x12, x16, #{window_after}",
    "3:",
    "ldr x13, [x9]",
    "str x13, [x12], #8",
    "ldr x13, [x11], #8",
    "str x13, [x9], #8",
    "subs x10, x10, #1",
    "b.ne 3b",
    "ldr x9, [x16, #{returns}]",
    "add x9, x9, #1",
    "str x9, [x16, #{returns}]",
    "add x17, x16, #{callers_control}",
    "ldp x9, x18, [x17]",
    "msr fpcr, x9",
    "ldr x30, [x16, #{return_address}]",
    "add x17, x16, #{callers}",
    saved!("ldp", "ldr"),
    scribble!(),
    "ret",
);

// ORDER saved, ORDER notes
probe_asm!(
    ".balign 16",
    "farcall_conformance_probe:",
    "hint #34", // bti c
    "adrp x16, {state}",
    "add x16, x16, :lo12:{state}",
    "ldr x9, [x16, #{entries}]",
    "add x9, x9, #1",
    "str x9, [x16, #{entries}]",
    "mov x9, sp",
    "str x9, [x16, #{stack}]",
    "mrs x9, fpcr",
    "add x17, x16, #{control}",
    "stp x9, x18, [x17]",
    "str x30, [x16, #{return_address}]",
    "adr x30, 2f",
    "ldr x16, [x16, #{target}]",
    "br x16",
    "2:",
    "adrp x16, {state}",
    "add x16, x16, :lo12:{state}",
    "ldr x18, [x16, #{control} + 8]",
    "ldr x30, [x16, #{return_address}]",
    scribble!(),
    "ret",
);
