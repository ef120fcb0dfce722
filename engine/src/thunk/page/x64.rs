//! Thunks that are part of the program, as assembly, and what leads from one record to another.
//!
//! The instructions are those of [`farcall_arch::emit::thunks`]. What differs is how a thunk finds its record: linkers know the distance.

use crate::thunk::pool::{CELL, CELLS, RECORD};

/// How many thunks there are, and with them function pointers that need no memory to be made executable.
pub const THUNKS: usize = 1024;

/// Bytes of a thunk.
pub const THUNK_SIZE: usize = 16;

// A thunk finds its record at a fixed distance, and jumps to the entry that it names.
crate::assembly!(leaf "farcall_thunks", 12, [
    ".set farcall_thunk_index, 0",
    ".rept {count}",
    "endbr64",
    "lea r10, [rip + {cells} + {record} + farcall_thunk_index * {cell}]",
    "jmp qword ptr [r10]",
    ".p2align 4, 0xcc",
    ".set farcall_thunk_index, farcall_thunk_index + 1",
    ".endr",
]
    count = const THUNKS,
    cells = sym CELLS,
    record = const RECORD,
    cell = const CELL,
);

// Goes on with the record whose address lies where a record's context is.
crate::assembly!(leaf "farcall_thunk_forward", 4, [
    "endbr64",
    "mov r10, [r10 + 8]",
    "jmp qword ptr [r10]",
]);
