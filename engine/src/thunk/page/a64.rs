//! The thunks that are part of the program, and the code that leads from one record to another.
//!
//! Their text is that of [`farcall_arch::emit::thunk`], but for the way to the record, which is further than `adr` reaches: linkers
//! know it.

use crate::thunk::cell::{CELL, CELLS, RECORD, THUNKS};
use farcall_arch::emit::thunk::a64::{JUMP, LANDING_PAD};

/// Bytes of a thunk.
pub const THUNK_SIZE: usize = 32;

/// The alignment of their pages, as a power of two: the largest pages that the systems have, within what their object files can say.
#[cfg(all(unix, not(target_vendor = "apple")))]
macro_rules! page_align {
    () => {
        16
    };
}
#[cfg(target_vendor = "apple")]
macro_rules! page_align {
    () => {
        14
    };
}
#[cfg(windows)]
macro_rules! page_align {
    () => {
        12
    };
}

/// Loads the address of a thunk's record.
#[cfg(not(target_vendor = "apple"))]
macro_rules! load_record {
    () => {
        "adrp x16, {cells} + {record} + farcall_thunk_index * {cell}\n\
         add x16, x16, :lo12:{cells} + {record} + farcall_thunk_index * {cell}"
    };
}
#[cfg(target_vendor = "apple")]
macro_rules! load_record {
    () => {
        "adrp x16, {cells}@PAGE + ({record} + farcall_thunk_index * {cell})\n\
         add x16, x16, {cells}@PAGEOFF + ({record} + farcall_thunk_index * {cell})"
    };
}

// A thunk finds its record at a fixed distance, and jumps to the entry that it names.
crate::assembly!(leaf "farcall_thunks", page_align!(), [
    ".set farcall_thunk_index, 0",
    ".rept {count}",
    ".inst {pad}",
    load_record!(),
    ".inst {jump_0}",
    ".inst {jump_1}",
    "udf #0",
    "udf #0",
    "udf #0",
    ".set farcall_thunk_index, farcall_thunk_index + 1",
    ".endr",
]
    count = const THUNKS,
    cells = sym CELLS,
    record = const RECORD,
    cell = const CELL,
    pad = const LANDING_PAD,
    jump_0 = const JUMP[0],
    jump_1 = const JUMP[1],
);

// Goes on with another record, whose address is in this record's context.
crate::assembly!(leaf "farcall_thunk_forward", 4, [
    ".inst {pad}",
    "ldr x16, [x16, #8]",
    ".inst {jump_0}",
    ".inst {jump_1}",
]
    pad = const LANDING_PAD,
    jump_0 = const JUMP[0],
    jump_1 = const JUMP[1],
);
