//! Guard and probe for Microsoft's convention on x86-64.
//!
//! Between a function's first instruction and its arguments' use, `rax`, `r10` and `r11` are free. On the way back
//! `rax` or `xmm0` may hold the result.

use super::notes::{Control, Machine, guard_asm, probe_asm};
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
    shadow_words: 4,
    stack_words,
    hidden: |_, _| None,
};

/// Arguments of any type share the four registers' positions.
fn stack_words(case: &Case) -> usize {
    case.args.len().saturating_sub(4)
}

unsafe extern "C" {
    fn farcall_conformance_guard_win64();
    fn farcall_conformance_probe_win64();
}

// Overwrites what a callee may use up, but for r11 and the result's registers.
macro_rules! scribble {
    () => {
        "movabs rcx, 0x5c5c5c5c5c5c5c5c
         mov rdx, rcx
         mov r8, rcx
         mov r9, rcx
         mov r10, rcx
         .irp n, 1, 2, 3, 4, 5
             movq xmm\\n, rcx
             punpcklqdq xmm\\n, xmm\\n
         .endr"
    };
}

// ORDER saved, ORDER notes
guard_asm!(
    ".balign 16",
    "farcall_conformance_guard_win64:",
    "endbr64",
    // The caller's registers first: they become our own.
    "mov [rip + {state} + {callers}], rbx",
    "lea rbx, [rip + {state}]",
    "mov [rbx + {callers} + 8], rbp",
    "mov [rbx + {callers} + 16], rdi",
    "mov [rbx + {callers} + 24], rsi",
    "mov [rbx + {callers} + 32], r12",
    "mov [rbx + {callers} + 40], r13",
    "mov [rbx + {callers} + 48], r14",
    "mov [rbx + {callers} + 56], r15",
    ".irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups [rbx + {callers} + 64 + (\\n - 6) * 16], xmm\\n
    .endr",
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
    ".irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups xmm\\n, [rbx + {patterns} + 64 + (\\n - 6) * 16]
    .endr",
    "mov rbp, [rbx + {patterns} + 8]",
    "mov rdi, [rbx + {patterns} + 16]",
    "mov rsi, [rbx + {patterns} + 24]",
    "mov r12, [rbx + {patterns} + 32]",
    "mov r13, [rbx + {patterns} + 40]",
    "mov r14, [rbx + {patterns} + 48]",
    "mov r15, [rbx + {patterns} + 56]",
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
    "mov [rbx + {after} + 16], rdi",
    "mov [rbx + {after} + 24], rsi",
    "mov [rbx + {after} + 32], r12",
    "mov [rbx + {after} + 40], r13",
    "mov [rbx + {after} + 48], r14",
    "mov [rbx + {after} + 56], r15",
    ".irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups [rbx + {after} + 64 + (\\n - 6) * 16], xmm\\n
    .endr",
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
    ".irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        movups xmm\\n, [rbx + {callers} + 64 + (\\n - 6) * 16]
    .endr",
    "mov rbp, [rbx + {callers} + 8]",
    "mov rdi, [rbx + {callers} + 16]",
    "mov rsi, [rbx + {callers} + 24]",
    "mov r12, [rbx + {callers} + 32]",
    "mov r13, [rbx + {callers} + 40]",
    "mov r14, [rbx + {callers} + 48]",
    "mov r15, [rbx + {callers} + 56]",
    "mov rbx, [rbx + {callers}]",
    scribble!(),
    "jmp r11",
);

// ORDER saved, ORDER notes
probe_asm!(
    ".balign 16",
    "farcall_conformance_probe_win64:",
    "endbr64",
    "inc qword ptr [rip + {state} + {entries}]",
    "mov [rip + {state} + {stack}], rsp",
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
    // The shadow space is the callee's.
    "mov [rsp + 8], r10",
    "mov [rsp + 16], r10",
    "mov [rsp + 24], r10",
    "mov [rsp + 32], r10",
    "mov r11, [rip + {state} + {target}]",
    "jmp r11",
    "2:",
    scribble!(),
    "mov r11, [rip + {state} + {return_address}]",
    "jmp r11",
);
