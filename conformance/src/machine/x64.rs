//! Guard and probe for the conventions of x86-64, which differ in the registers that a callee gives back.

use super::notes::Control;

/// The parts of control registers that a callee gives back. ORDER saved
pub static CONTROLS: [Control; 3] = [
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
];

/// Both pieces, by their names.
///
/// * `saved` has the registers behind `rbx` that a callee gives back, and `vectors` the numbers of such vector registers, each with its
///   place among the notes in bytes. ORDER saved
/// * `shadow` has the words above the return address that are the callee's, from its stack pointer.
/// * `scribble` overwrites the registers that a callee may use up, but for `r11` and the result's registers.
macro_rules! x64_asm {
    (
        guard: $guard:literal,
        probe: $probe:literal,
        saved: [$($register:literal $at:literal),*],
        vectors: [$($vector:literal $vector_at:literal),*],
        shadow: [$($shadow:literal),*],
        scribble: $scribble:literal,
    ) => {
        $crate::machine::notes::guard_asm!(
            ".balign 16",
            concat!($guard, ":"),
            "endbr64",
            // The caller's registers first: they become our own.
            "mov [rip + {state} + {callers}], rbx",
            "lea rbx, [rip + {state}]",
            $(concat!("mov [rbx + {callers} + ", $at, "], ", $register),)*
            $(concat!("movups [rbx + {callers} + ", $vector_at, "], xmm", $vector),)*
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
            $(concat!("mov ", $register, ", [rbx + {patterns} + ", $at, "]"),)*
            $(concat!("movups xmm", $vector, ", [rbx + {patterns} + ", $vector_at, "]"),)*
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
            $(concat!("mov [rbx + {after} + ", $at, "], ", $register),)*
            $(concat!("movups [rbx + {after} + ", $vector_at, "], xmm", $vector),)*
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
            $(concat!("mov ", $register, ", [rbx + {callers} + ", $at, "]"),)*
            $(concat!("movups xmm", $vector, ", [rbx + {callers} + ", $vector_at, "]"),)*
            "mov rbx, [rbx + {callers}]",
            $scribble,
            "jmp r11",
        );
        $crate::machine::notes::probe_asm!(
            ".balign 16",
            concat!($probe, ":"),
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
            // The shadow space is the callee's.
            $(concat!("mov [rsp + ", $shadow, "], r10"),)*
            "mov r11, [rip + {state} + {target}]",
            "jmp r11",
            "2:",
            $scribble,
            "mov r11, [rip + {state} + {return_address}]",
            "jmp r11",
            hidden = const std::mem::offset_of!($crate::machine::notes::ProbeState, hidden),
        );
    };
}
pub(super) use x64_asm;
