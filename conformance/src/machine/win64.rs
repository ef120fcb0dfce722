//! Guard and probe for Microsoft's convention on x86-64.
//!
//! Between a function's first instruction and its arguments' use, `rax`, `r10` and `r11` are free. On the way back
//! `rax` or `xmm0` may hold the result.

use super::notes::Machine;
use super::x64::{CONTROLS, x64_asm};
use crate::cases::Case;

pub(super) static MACHINE: Machine = Machine {
    guard: farcall_conformance_guard_win64,
    probe: farcall_conformance_probe_win64,
    // ORDER saved: words of the notes, as the guard stores registers and both pieces control words.
    saved: &[
        "rbx",
        "rbp",
        "rdi",
        "rsi",
        "r12",
        "r13",
        "r14",
        "r15",
        "xmm6",
        "xmm6 (high)",
        "xmm7",
        "xmm7 (high)",
        "xmm8",
        "xmm8 (high)",
        "xmm9",
        "xmm9 (high)",
        "xmm10",
        "xmm10 (high)",
        "xmm11",
        "xmm11 (high)",
        "xmm12",
        "xmm12 (high)",
        "xmm13",
        "xmm13 (high)",
        "xmm14",
        "xmm14 (high)",
        "xmm15",
        "xmm15 (high)",
    ],
    controls: &CONTROLS,
    stack_phase: 8,
    popped: 8,
    shadow_words: 4,
    stack_words,
    hidden: |_, _| None,
};

/// The words behind the first four arguments: arguments of all types share the positions of four registers.
fn stack_words(case: &Case) -> usize {
    case.args.len().saturating_sub(4)
}

unsafe extern "C" {
    fn farcall_conformance_guard_win64();
    fn farcall_conformance_probe_win64();
}

// ORDER saved, ORDER notes
x64_asm! {
    guard: "farcall_conformance_guard_win64",
    probe: "farcall_conformance_probe_win64",
    saved: ["rbp" 8, "rdi" 16, "rsi" 24, "r12" 32, "r13" 40, "r14" 48, "r15" 56],
    vectors: [6 64, 7 80, 8 96, 9 112, 10 128, 11 144, 12 160, 13 176, 14 192, 15 208],
    shadow: [8, 16, 24, 32],
    scribble: "movabs rcx, 0x5c5c5c5c5c5c5c5c
     mov rdx, rcx
     mov r8, rcx
     mov r9, rcx
     mov r10, rcx
     .irp n, 1, 2, 3, 4, 5
         movq xmm\\n, rcx
         punpcklqdq xmm\\n, xmm\\n
     .endr",
}
