//! Guard and probe for System V on x86-64.
//!
//! Between a function's first instruction and its arguments' use, `r10` and `r11` are free, and `al` is not: it
//! counts the vector registers that carry arguments. On the way back `rax`, `rdx`, `xmm0` and `xmm1` may hold the
//! result.

use super::notes::{Control, Machine, ProbeState, guard_asm, probe_asm};
use crate::cases::Case;
use crate::report::{Fault, Place};
use crate::types::Ty;
use std::mem::offset_of;

pub(super) static MACHINE: Machine = Machine {
    guard: farcall_conformance_guard,
    probe: farcall_conformance_probe,
    // ORDER saved: words of the notes, as the guard stores registers and both pieces control words.
    saved: &["rbx", "rbp", "r12", "r13", "r14", "r15"],
    controls: &[
        Control {
            name: "MXCSR",
            mask: 0xffc0,
            fixed: 0x1f80,
            // Rounding, flush to zero, denormals are zero. Nothing between guard and probe computes with floats.
            free: 0xe040,
            is_kept_by_all: true,
        },
        Control {
            name: "x87 control word",
            mask: 0x0f3f,
            fixed: 0x033f,
            free: 0x0c00,
            is_kept_by_all: true,
        },
        Control {
            name: "direction flag",
            mask: 0x0400,
            fixed: 0,
            free: 0,
            is_kept_by_all: true,
        },
    ],
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

/// `al` is an upper bound of the vector registers in use, and at most 8 (psABI 3.2.3). Callees without a prototype in
/// sight of the caller may be variadic, so every call must say it.
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

// Overwrites what a callee may use up, but for r11 and the result's registers.
macro_rules! scribble {
    () => {
        "movabs rcx, 0x5c5c5c5c5c5c5c5c
         mov rsi, rcx
         mov rdi, rcx
         mov r8, rcx
         mov r9, rcx
         mov r10, rcx
         .irp n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
             movq xmm\\n, rcx
             punpcklqdq xmm\\n, xmm\\n
         .endr"
    };
}

// ORDER saved, ORDER notes
guard_asm!(
    ".balign 16",
    "farcall_conformance_guard:",
    "endbr64",
    // The caller's registers first: they become our own.
    "mov [rip + {state} + {callers}], rbx",
    "lea rbx, [rip + {state}]",
    "mov [rbx + {callers} + 8], rbp",
    "mov [rbx + {callers} + 16], r12",
    "mov [rbx + {callers} + 24], r13",
    "mov [rbx + {callers} + 32], r14",
    "mov [rbx + {callers} + 40], r15",
    "stmxcsr [rbx + {callers_control}]",
    "fnstcw [rbx + {callers_control} + 8]",
    "mov [rbx + {stack}], rsp",
    "mov r11, [rsp]",
    "mov [rbx + {return_address}], r11",
    "lea r11, [rip + 4f]",
    "mov [rsp], r11",
    "xor r12d, r12d",
    "2:",
    "mov r11, [rsp + r12 * 8 + 8]",
    "mov [rbx + r12 * 8 + {window}], r11",
    "inc r12",
    "cmp r12, {window_words}",
    "jb 2b",
    "ldmxcsr [rbx + {patterns_control}]",
    "fldcw [rbx + {patterns_control} + 8]",
    "mov r11, [rbx + {target}]",
    "mov rbp, [rbx + {patterns} + 8]",
    "mov r12, [rbx + {patterns} + 16]",
    "mov r13, [rbx + {patterns} + 24]",
    "mov r14, [rbx + {patterns} + 32]",
    "mov r15, [rbx + {patterns} + 40]",
    "mov rbx, [rbx + {patterns}]",
    "jmp r11",
    // The code under test returns here, perhaps with a wrong stack pointer.
    "4:",
    "mov [rip + {state} + {after}], rbx",
    "lea rbx, [rip + {state}]",
    "mov [rbx + {stack_after}], rsp",
    "mov rsp, [rbx + {stack}]",
    "pushfq",
    "pop qword ptr [rbx + {after_control} + 16]",
    "cld",
    "mov [rbx + {after} + 8], rbp",
    "mov [rbx + {after} + 16], r12",
    "mov [rbx + {after} + 24], r13",
    "mov [rbx + {after} + 32], r14",
    "mov [rbx + {after} + 40], r15",
    "stmxcsr [rbx + {after_control}]",
    "fnstcw [rbx + {after_control} + 8]",
    "xor r12d, r12d",
    "3:",
    "mov r11, [rsp + r12 * 8 + 8]",
    "mov [rbx + r12 * 8 + {window_after}], r11",
    "mov r11, [rbx + r12 * 8 + {window}]",
    "mov [rsp + r12 * 8 + 8], r11",
    "inc r12",
    "cmp r12, {window_words}",
    "jb 3b",
    "inc qword ptr [rbx + {returns}]",
    "ldmxcsr [rbx + {callers_control}]",
    "fldcw [rbx + {callers_control} + 8]",
    "mov r11, [rbx + {return_address}]",
    "add rsp, 8",
    "mov rbp, [rbx + {callers} + 8]",
    "mov r12, [rbx + {callers} + 16]",
    "mov r13, [rbx + {callers} + 24]",
    "mov r14, [rbx + {callers} + 32]",
    "mov r15, [rbx + {callers} + 40]",
    "mov rbx, [rbx + {callers}]",
    scribble!(),
    "jmp r11",
);

// ORDER saved, ORDER notes
probe_asm!(
    ".balign 16",
    "farcall_conformance_probe:",
    "endbr64",
    "inc qword ptr [rip + {state} + {entries}]",
    "mov [rip + {state} + {stack}], rsp",
    "mov [rip + {state} + {hidden}], rax",
    "stmxcsr [rip + {state} + {control}]",
    "fnstcw [rip + {state} + {control} + 8]",
    "pushfq",
    "pop qword ptr [rip + {state} + {control} + 16]",
    "cld",
    "mov r11, [rsp]",
    "mov [rip + {state} + {return_address}], r11",
    "lea r11, [rip + 2f]",
    "mov [rsp], r11",
    "movabs r10, 0x5c5c5c5c5c5c5c5c",
    "mov r11, [rip + {state} + {target}]",
    "jmp r11",
    "2:",
    scribble!(),
    "mov r11, [rip + {state} + {return_address}]",
    "jmp r11",
    hidden = const offset_of!(ProbeState, hidden),
);
