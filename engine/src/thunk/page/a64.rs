//! Thunks that are part of the program, as assembly, and what leads from one record to another.
//!
//! The instructions are those of [`farcall_arch::emit::thunks`]. What differs is how a thunk finds its record: linkers know the distance.

use crate::thunk::cell::{CELL, CELLS, RECORD, THUNKS};
use std::arch::global_asm;

/// Bytes of a thunk.
pub const THUNK_SIZE: usize = 32;

// A thunk finds its record at a fixed distance, and jumps to the entry that it names.
global_asm!(
    ".pushsection .text.farcall_thunks,\"ax\",@progbits",
    ".globl farcall_thunks",
    ".hidden farcall_thunks",
    ".type farcall_thunks,@function",
    ".p2align 16",
    "farcall_thunks:",
    ".cfi_startproc",
    ".set farcall_thunk_index, 0",
    ".rept {count}",
    "hint #34",
    "adrp x16, {cells} + {record} + farcall_thunk_index * {cell}",
    "add x16, x16, :lo12:{cells} + {record} + farcall_thunk_index * {cell}",
    "ldar x17, [x16]",
    "br x17",
    "udf #0",
    "udf #0",
    "udf #0",
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

// Goes on with the record whose address lies where a record's context is.
global_asm!(
    ".pushsection .text.farcall_thunk_forward,\"ax\",@progbits",
    ".globl farcall_thunk_forward",
    ".hidden farcall_thunk_forward",
    ".type farcall_thunk_forward,@function",
    ".p2align 4",
    "farcall_thunk_forward:",
    ".cfi_startproc",
    "hint #34",
    "ldr x16, [x16, #8]",
    "ldar x17, [x16]",
    "br x17",
    ".cfi_endproc",
    ".size farcall_thunk_forward, . - farcall_thunk_forward",
    ".popsection",
);
