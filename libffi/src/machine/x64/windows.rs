//! The machine code for Windows processes.

use super::THUNKS;
use std::arch::global_asm;

// farcall_libffi_call(frame, stack_len, fill, target)
//
//   | return address      |
//   | saved rbp, rbx, r12 | <- rbp
//   | stack area          | <- rsp at the call of the target
//   | shadow space        | <- rsp at the call of fill
//
// The area is entered a page at a time, as the system wants it.
global_asm!(
    ".section .text$farcall_libffi_call,\"xr\"",
    ".globl farcall_libffi_call",
    ".p2align 4",
    ".seh_proc farcall_libffi_call",
    "farcall_libffi_call:",
    "push rbp",
    ".seh_pushreg rbp",
    "push rbx",
    ".seh_pushreg rbx",
    "push r12",
    ".seh_pushreg r12",
    "mov rbp, rsp",
    ".seh_setframe rbp, 0",
    ".seh_endprologue",
    "mov rbx, rcx",
    "mov r12, r9",
    "2:",
    "cmp rdx, 4096",
    "jbe 3f",
    "sub rsp, 4096",
    "or qword ptr [rsp], 0",
    "sub rdx, 4096",
    "jmp 2b",
    "3:",
    "sub rsp, rdx",
    "mov rdx, rsp",
    "sub rsp, 32",
    "call r8",
    "add rsp, 32",
    "movaps xmm0, [rbx + 128]",
    "movaps xmm1, [rbx + 144]",
    "movaps xmm2, [rbx + 160]",
    "movaps xmm3, [rbx + 176]",
    "mov rax, [rbx]",
    "mov rcx, [rbx + 8]",
    "mov rdx, [rbx + 16]",
    "mov r8, [rbx + 64]",
    "mov r9, [rbx + 72]",
    "mov r10, [rbx + 80]",
    "call r12",
    "mov [rbx], rax",
    "movaps [rbx + 128], xmm0",
    "lea rsp, [rbp]",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    ".seh_endproc",
    ".text",
);

/// An entry of closures: registers into an image on the stack, `enter(record, image, stack, is_go)`, and back.
macro_rules! closure_entry {
    ($name:literal, $is_go:literal) => {
        global_asm!(
            concat!(".section .text$", $name, ",\"xr\""),
            concat!(".globl ", $name),
            ".p2align 4",
            concat!(".seh_proc ", $name),
            concat!($name, ":"),
            "sub rsp, 344",
            ".seh_stackalloc 344",
            ".seh_endprologue",
            "mov [rsp + 40], rcx",
            "mov [rsp + 48], rdx",
            "mov [rsp + 96], r8",
            "mov [rsp + 104], r9",
            "movaps [rsp + 160], xmm0",
            "movaps [rsp + 176], xmm1",
            "movaps [rsp + 192], xmm2",
            "movaps [rsp + 208], xmm3",
            "mov rcx, r10",
            "lea rdx, [rsp + 32]",
            "lea r8, [rsp + 352]",
            concat!("mov r9d, ", $is_go),
            "call {enter}",
            "mov rax, [rsp + 32]",
            "movaps xmm0, [rsp + 160]",
            "add rsp, 344",
            "ret",
            ".seh_endproc",
            ".text",
            enter = sym crate::generic::enter,
        );
    };
}

closure_entry!("farcall_libffi_closure", "0");
closure_entry!("farcall_libffi_go_closure", "1");

// A thunk finds its closure's record at a fixed distance, and jumps to the entry that it names.
global_asm!(
    ".section .text$farcall_libffi_thunks,\"xr\"",
    ".globl farcall_libffi_thunks",
    ".p2align 12",
    "farcall_libffi_thunks:",
    ".set farcall_libffi_index, 0",
    ".rept {count}",
    "endbr64",
    "lea r10, [rip + {cells} + {record} + farcall_libffi_index * {cell}]",
    "jmp qword ptr [r10]",
    ".p2align 4, 0xcc",
    ".set farcall_libffi_index, farcall_libffi_index + 1",
    ".endr",
    ".text",
    count = const THUNKS,
    cells = sym crate::closure::CELLS,
    record = const crate::closure::RECORD,
    cell = const crate::closure::CELL,
);

// Goes on with the record whose address lies where a record's cif is: that of a closure too large for its cell.
global_asm!(
    ".section .text$farcall_libffi_forward,\"xr\"",
    ".globl farcall_libffi_forward",
    ".p2align 4",
    "farcall_libffi_forward:",
    "mov r10, [r10 + 8]",
    "jmp qword ptr [r10]",
    ".text",
);
