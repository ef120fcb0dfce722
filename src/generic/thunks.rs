//! Thunks that are part of the program, and the memory behind each.
//!
//! Every thunk has a cell of [`CELL`] bytes at a fixed distance, and in it, at [`RECORD`], the record that it leads by (see
//! [`farcall_arch::emit::record`]). When all are taken, the thunks' pages are mapped once more, with cells at the same distance:
//! copied, or, where that is refused, from the program's file.
//!
//! A cell has the size and the shape of libffi's closures, which end in a record.

use super::machine::{self, THUNK_SIZE, THUNKS};
use crate::runtime;
use crate::sys;
use std::cell::UnsafeCell;
use std::ptr::NonNull;

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

// SAFETY: a cell belongs to whoever has taken its thunk.
unsafe impl Sync for Cell {}

/// A block of cells; pages of its own, so that its copies can be placed by pages.
#[cfg_attr(target_arch = "x86_64", repr(C, align(4096)))]
#[cfg_attr(target_arch = "aarch64", repr(C, align(65536)))]
pub(crate) struct Cells([Cell; THUNKS]);

/// The cells of the program's own thunks.
pub(crate) static CELLS: Cells = Cells([const { Cell(UnsafeCell::new([0; CELL])) }; THUNKS]);

/// A thunk and its cell. They exist for as long as the process.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The function pointer.
    pub thunk: NonNull<u8>,
    /// [`CELL`] bytes, at a multiple of that.
    pub cell: NonNull<u8>,
}

// SAFETY: whoever has taken the pair is the only one to write to the cell; the thunk is never written.
unsafe impl Send for Pair {}
// SAFETY: as above: a shared reference gives out addresses only.
unsafe impl Sync for Pair {}

impl Pair {
    /// The cell's record.
    pub fn record(self) -> NonNull<u8> {
        // SAFETY: it lies within the cell.
        unsafe { self.cell.add(RECORD) }
    }

    /// Number `index` of the block that this pair is the first of.
    fn nth(self, index: usize) -> Pair {
        assert!(index < THUNKS);
        // SAFETY: a block has so many of both.
        unsafe {
            Pair {
                thunk: self.thunk.add(index * THUNK_SIZE),
                cell: self.cell.add(index * CELL),
            }
        }
    }
}

/// Takes a pair that is free. `None` if there is none, and the system permits no more.
pub fn take() -> Option<Pair> {
    runtime::lock().pool.take()
}

/// Gives a pair back, through which nobody calls any more.
pub fn put_back(pair: Pair) {
    runtime::lock().pool.put_back(pair);
}

/// Gives back the pair with this cell; false if there is none, `memory` being something else.
pub fn put_back_cell(memory: NonNull<u8>) -> bool {
    let mut runtime = runtime::lock();
    let pair = runtime.pool.with_cell(memory);
    runtime.pool.free.extend(pair);
    pair.is_some()
}

/// All pairs.
#[derive(Default)]
pub(crate) struct Pool {
    free: Vec<Pair>,
    /// The first pair of each block; of the newest, the last in the list, so many were never given out.
    blocks: Vec<Pair>,
    unused: usize,
}

impl Pool {
    pub fn take(&mut self) -> Option<Pair> {
        if let Some(pair) = self.free.pop() {
            return Some(pair);
        }
        if self.unused == 0 {
            self.add_block()?;
        }
        let index = THUNKS - self.unused;
        self.unused -= 1;
        self.blocks.last().map(|block| block.nth(index))
    }

    pub fn put_back(&mut self, pair: Pair) {
        self.free.push(pair);
    }

    fn add_block(&mut self) -> Option<()> {
        let own = own_block();
        let block = match self.blocks.is_empty() {
            true => own,
            false => {
                let distance = distance(own);
                // SAFETY: the thunks are whole pages of this program, and so are their cells.
                let thunk = unsafe {
                    let code = own.thunk.as_ptr();
                    sys::copy_code(code, THUNKS * THUNK_SIZE, distance, size_of::<Cells>())?
                };
                // SAFETY: the copy has the cells at that distance.
                let cell = unsafe { thunk.add(distance) };
                Pair { thunk, cell }
            }
        };
        self.blocks.push(block);
        self.unused = THUNKS;
        Some(())
    }

    /// The pair whose cell begins at `memory`.
    fn with_cell(&self, memory: NonNull<u8>) -> Option<Pair> {
        let offset_in = |block: &Pair| memory.addr().get().wrapping_sub(block.cell.addr().get());
        let block = self
            .blocks
            .iter()
            .find(|block| offset_in(block) < size_of::<Cells>())?;
        Some(block.nth(offset_in(block) / CELL))
    }
}

/// The first pair of the program's own block.
fn own_block() -> Pair {
    let thunks = &raw const machine::farcall_generic_thunks;
    Pair {
        // SAFETY: a static has an address, which is not null.
        thunk: unsafe { NonNull::new_unchecked(thunks.cast_mut().cast()) },
        cell: NonNull::from(&CELLS).cast(),
    }
}

/// The code of the program's own thunks: where it is, its length, and how far behind it its cells are.
#[cfg(all(test, windows))]
pub(crate) fn own_code() -> (*const u8, usize, usize) {
    let own = own_block();
    let code = own.thunk.as_ptr().cast_const();
    (code, THUNKS * THUNK_SIZE, distance(own))
}

/// Bytes from a thunk's block to its cells. Linkers put data behind code.
fn distance(block: Pair) -> usize {
    block.cell.addr().get() - block.thunk.addr().get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_without_end_are_distinct_and_found_by_their_cells() {
        let pairs: Vec<Pair> = (0..3 * THUNKS)
            .map(|_| take().expect("memory for thunks"))
            .collect();
        let mut thunks: Vec<_> = pairs.iter().map(|pair| pair.thunk).collect();
        thunks.sort_unstable();
        thunks.dedup();
        assert_eq!(thunks.len(), pairs.len());
        for pair in &pairs {
            let found = runtime::lock().pool.with_cell(pair.cell);
            assert_eq!(found.map(|found| found.thunk), Some(pair.thunk));
        }
        let (by_cell, others) = pairs.split_at(THUNKS);
        assert!(by_cell.iter().all(|pair| put_back_cell(pair.cell)));
        others.iter().copied().for_each(put_back);
        assert!(!put_back_cell(NonNull::from(&mut 0_u64).cast()));
    }
}
