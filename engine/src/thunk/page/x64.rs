//! Thunks that are part of the program, as assembly, and what leads from one record to another.
//!
//! The instructions are those of [`farcall_arch::emit::thunks`]. What differs is how a thunk finds its record: linkers know the distance.

use crate::thunk::cell::{CELL, CELLS, RECORD, THUNKS};
use std::arch::global_asm;

/// Bytes of a thunk.
pub const THUNK_SIZE: usize = 16;

// A thunk finds its record at a fixed distance, and jumps to the entry that it names.
#[cfg(unix)]
global_asm!(
    ".pushsection .text.farcall_thunks,\"ax\",@progbits",
    ".globl farcall_thunks",
    ".hidden farcall_thunks",
    ".type farcall_thunks,@function",
    ".p2align 12",
    "farcall_thunks:",
    ".cfi_startproc",
    ".set farcall_thunk_index, 0",
    ".rept {count}",
    "endbr64",
    "lea r10, [rip + {cells} + {record} + farcall_thunk_index * {cell}]",
    "jmp qword ptr [r10]",
    ".p2align 4, 0xcc",
    ".set farcall_thunk_index, farcall_thunk_index + 1",
    ".endr",
    ".cfi_endproc",
    ".size farcall_thunks, . - farcall_thunks",
    ".popsection",
    count = const THUNKS,
    cells = sym CELLS,
    record = const RECORD,
    cell = const CELL,
);

// A thunk finds its record at a fixed distance, and jumps to the entry that it names.
#[cfg(windows)]
global_asm!(
    ".section .text$farcall_thunks,\"xr\"",
    ".globl farcall_thunks",
    ".p2align 12",
    "farcall_thunks:",
    ".set farcall_thunk_index, 0",
    ".rept {count}",
    "endbr64",
    "lea r10, [rip + {cells} + {record} + farcall_thunk_index * {cell}]",
    "jmp qword ptr [r10]",
    ".p2align 4, 0xcc",
    ".set farcall_thunk_index, farcall_thunk_index + 1",
    ".endr",
    ".text",
    count = const THUNKS,
    cells = sym CELLS,
    record = const RECORD,
    cell = const CELL,
);

// Goes on with the record whose address lies where a record's context is.
#[cfg(unix)]
global_asm!(
    ".pushsection .text.farcall_thunk_forward,\"ax\",@progbits",
    ".globl farcall_thunk_forward",
    ".hidden farcall_thunk_forward",
    ".type farcall_thunk_forward,@function",
    ".p2align 4",
    "farcall_thunk_forward:",
    ".cfi_startproc",
    "endbr64",
    "mov r10, [r10 + 8]",
    "jmp qword ptr [r10]",
    ".cfi_endproc",
    ".size farcall_thunk_forward, . - farcall_thunk_forward",
    ".popsection",
);

// Goes on with the record whose address lies where a record's context is.
#[cfg(windows)]
global_asm!(
    ".section .text$farcall_thunk_forward,\"xr\"",
    ".globl farcall_thunk_forward",
    ".p2align 4",
    "farcall_thunk_forward:",
    "mov r10, [r10 + 8]",
    "jmp qword ptr [r10]",
    ".text",
);
