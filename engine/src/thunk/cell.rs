//! The memory behind the thunks that are part of the program.
//!
//! Every thunk has a cell at a fixed distance, and in it, at [`RECORD`], the record that it leads by (see
//! [`farcall_arch::emit::record`]). A cell has the size and the shape of libffi's closures, which end in a record.

use std::cell::UnsafeCell;

/// How many thunks there are, and with them function pointers that need no memory to be made executable.
#[cfg(target_arch = "x86_64")]
pub(super) const THUNKS: usize = 1024;
/// How many thunks there are, and with them function pointers that need no memory to be made executable.
#[cfg(target_arch = "aarch64")]
pub(super) const THUNKS: usize = 2048;

/// Bytes of a cell.
pub const CELL: usize = 64;

/// Bytes from the start of a cell to its record.
#[cfg(target_arch = "x86_64")]
pub const RECORD: usize = 24;
/// Bytes from the start of a cell to its record.
#[cfg(target_arch = "aarch64")]
pub const RECORD: usize = 16;

const _: () = assert!(RECORD + farcall_arch::emit::record::SIZE <= CELL);

/// The memory behind a thunk.
#[repr(C, align(64))]
pub(crate) struct Cell(UnsafeCell<[u8; CELL]>);

// SAFETY: only the holder of a cell's thunk uses the cell.
unsafe impl Sync for Cell {}

/// A block of cells; pages of its own, so that its copies can be placed by pages.
#[cfg_attr(target_arch = "x86_64", repr(C, align(4096)))]
#[cfg_attr(all(target_arch = "aarch64", windows), repr(C, align(4096)))]
#[cfg_attr(
    all(target_arch = "aarch64", target_vendor = "apple"),
    repr(C, align(16384))
)]
#[cfg_attr(
    all(target_arch = "aarch64", unix, not(target_vendor = "apple")),
    repr(C, align(65536))
)]
pub(crate) struct Cells([Cell; THUNKS]);

/// The cells of the program's own thunks.
pub(crate) static CELLS: Cells = Cells([const { Cell(UnsafeCell::new([0; CELL])) }; THUNKS]);
