//! The thunks that are part of the program, and the code that leads from one record to another.
//!
//! Their text is that of [`farcall_arch::emit::thunk`], but for the distance to the record: linkers know it.

use crate::thunk::cell::{CELL, CELLS, RECORD, THUNKS};
use farcall_arch::emit::thunk::x64::{JUMP, LANDING_PAD};

const PAD: u32 = u32::from_le_bytes(LANDING_PAD);

/// Bytes of a thunk.
pub const THUNK_SIZE: usize = 16;

// A thunk finds its record at a fixed distance, and jumps to the entry that it names.
crate::assembly!(leaf "farcall_thunks", 12, [
    ".set farcall_thunk_index, 0",
    ".rept {count}",
    ".4byte {pad}",
    "lea r10, [rip + {cells} + {record} + farcall_thunk_index * {cell}]",
    ".byte {jump_0}, {jump_1}, {jump_2}",
    ".p2align 4, 0xcc",
    ".set farcall_thunk_index, farcall_thunk_index + 1",
    ".endr",
]
    count = const THUNKS,
    cells = sym CELLS,
    record = const RECORD,
    cell = const CELL,
    pad = const PAD,
    jump_0 = const JUMP[0],
    jump_1 = const JUMP[1],
    jump_2 = const JUMP[2],
);

// Goes on with another record, whose address is in this record's context.
crate::assembly!(leaf "farcall_thunk_forward", 4, [
    ".4byte {pad}",
    "mov r10, [r10 + 8]",
    ".byte {jump_0}, {jump_1}, {jump_2}",
]
    pad = const PAD,
    jump_0 = const JUMP[0],
    jump_1 = const JUMP[1],
    jump_2 = const JUMP[2],
);
