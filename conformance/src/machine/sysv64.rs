//! Guard and probe for System V on x86-64.
//!
//! Between a function's first instruction and its arguments' use, `r10` and `r11` are free, and `al` is not: it
//! counts the vector registers that carry arguments. On the way back `rax`, `rdx`, `xmm0` and `xmm1` may hold the
//! result.

use super::notes::Machine;
use super::x64::{CONTROLS, x64_asm};
use crate::cases::Case;
use crate::report::{Fault, Place};
use crate::types::Ty;

pub(super) static MACHINE: Machine = Machine {
    guard: farcall_conformance_guard,
    probe: farcall_conformance_probe,
    // ORDER saved: words of the notes, as the guard stores registers and both pieces control words.
    saved: &["rbx", "rbp", "r12", "r13", "r14", "r15"],
    controls: &CONTROLS,
    stack_phase: 8,
    popped: 8,
    shadow_words: 0,
    stack_words,
    hidden,
};

const INT_REGISTERS: usize = 6;
const VECTOR_REGISTERS: usize = 8;

fn stack_words(case: &Case) -> usize {
    let floats = floats(case);
    let ints = case.args.len() - floats;
    ints.saturating_sub(INT_REGISTERS) + floats.saturating_sub(VECTOR_REGISTERS)
}

fn floats(case: &Case) -> usize {
    let words = case.args.iter().filter_map(Ty::word);
    words.filter(|code| code.is_float()).count()
}

/// `al` is an upper bound of the vector registers in use, and at most 8 (psABI 3.2.3). A callee whose prototype the caller does not see may
/// be variadic, so every call must set it.
fn hidden(case: &Case, rax: u64) -> Option<Fault> {
    let used = floats(case).min(VECTOR_REGISTERS) as u64;
    let al = rax & 0xff;
    let is_right = (used..=VECTOR_REGISTERS as u64).contains(&al);
    (!is_right).then(|| Fault::new(Place::VectorCount, used, al))
}

unsafe extern "C" {
    fn farcall_conformance_guard();
    fn farcall_conformance_probe();
}

// ORDER saved, ORDER notes
x64_asm! {
    guard: "farcall_conformance_guard",
    probe: "farcall_conformance_probe",
    saved: ["rbp" 8, "r12" 16, "r13" 24, "r14" 32, "r15" 40],
    vectors: [],
    shadow: [],
    scribble: "movabs rcx, 0x5c5c5c5c5c5c5c5c
     mov rsi, rcx
     mov rdi, rcx
     mov r8, rcx
     mov r9, rcx
     mov r10, rcx
     .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
         movq xmm\\n, rcx
         punpcklqdq xmm\\n, xmm\\n
     .endr",
}
