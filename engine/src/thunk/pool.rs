//! Thunks that are part of the program, and the memory behind each.
//!
//! Every thunk has a cell of [`CELL`] bytes at a fixed distance, and in it, at [`RECORD`], the record that it leads by (see
//! [`farcall_arch::emit::record`]). When all are taken, the thunks' pages are mapped once more, with cells at the same distance:
//! copied, or, where that is refused, from the program's file.
//!
//! A cell has the size and the shape of libffi's closures, which end in a record.

pub use super::cell::{CELL, RECORD};
use super::cell::{CELLS, Cells, THUNKS};
use super::page::{self, THUNK_SIZE};
use crate::lock::{Guarded, Held, lock, try_lock};
use crate::policy::{Wish, wish};
use crate::sys;
use farcall_memory::TryVec;
use std::ffi::c_void;
use std::ptr::NonNull;

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

/// Where a thunk leads whose record is elsewhere: at the address in the place of its own record's context.
pub fn forward() -> *const c_void {
    page::farcall_thunk_forward as *const c_void
}

/// Takes a pair that is free. `None` if there is none, and the system permits no more.
pub fn take() -> Option<Pair> {
    take_under(&mut lock())
}

pub(super) fn take_under(held: &mut Held) -> Option<Pair> {
    POOL.get(held).take()
}

/// Gives a pair back, through which nobody calls any more.
pub fn put_back(pair: Pair) {
    POOL.get(&mut lock()).put_back(pair);
}

/// Gives back the pair with this cell; false if there is none, `memory` being something else.
pub fn put_back_cell(memory: NonNull<u8>) -> bool {
    let mut lock = lock();
    let pool = POOL.get(&mut lock);
    let pair = pool.with_cell(memory);
    pair.map(|pair| pool.put_back(pair)).is_some()
}

/// Whether `memory` is a cell's, as far as can be told without waiting: not while somebody has the lock.
pub fn is_cell(memory: NonNull<u8>) -> bool {
    try_lock().is_some_and(|mut lock| POOL.get(&mut lock).with_cell(memory).is_some())
}

/// All pairs.
struct Pool {
    /// The pair that was given back last. Its cell holds the one before it: giving back takes no memory.
    free: Option<Pair>,
    /// The first pair of each block but the program's own.
    blocks: Vec<Pair>,
    /// The first pair of the newest block, of which so many were never given out.
    newest: Option<Pair>,
    unused: usize,
}

// What free pairs are linked by lies ahead of the record, which a stale call may still read.
const _: () = assert!(size_of::<Option<Pair>>() <= RECORD);

static POOL: Guarded<Pool> = Guarded::new(Pool {
    free: None,
    blocks: Vec::new(),
    newest: None,
    unused: 0,
});

impl Pool {
    fn take(&mut self) -> Option<Pair> {
        if let Some(pair) = self.free {
            // SAFETY: a pair that was given back has the next one in its cell, ahead of its record.
            self.free = unsafe { pair.cell.cast::<Option<Pair>>().read() };
            return Some(pair);
        }
        if self.unused == 0 {
            self.add_block()?;
        }
        let index = THUNKS - self.unused;
        self.unused -= 1;
        self.newest.map(|block| block.nth(index))
    }

    fn put_back(&mut self, pair: Pair) {
        let next = self.free.replace(pair);
        // SAFETY: the cell is nobody's any more, and has room ahead of its record.
        unsafe { pair.cell.cast::<Option<Pair>>().write(next) };
    }

    fn add_block(&mut self) -> Option<()> {
        let block = match self.newest {
            None => own_block(),
            Some(_) => {
                // Ahead of what could not be undone.
                self.blocks.try_reserve(1).ok()?;
                let block = match wish() {
                    // Without code to be made there is a file to take it from, unless no file can be opened.
                    Wish::Never => {
                        another_block(sys::map_code).or_else(|| another_block(sys::copy_code))
                    }
                    _ => another_block(sys::copy_code).or_else(|| another_block(sys::map_code)),
                };
                let block = block?;
                self.blocks.try_push(block).ok()?;
                block
            }
        };
        self.newest = Some(block);
        self.unused = THUNKS;
        Some(())
    }

    /// The pair whose cell begins at `memory`.
    fn with_cell(&self, memory: NonNull<u8>) -> Option<Pair> {
        let own = self.newest.is_some().then(own_block);
        let mut blocks = own.into_iter().chain(self.blocks.iter().copied());
        let offset_in = |block: Pair| memory.addr().get().wrapping_sub(block.cell.addr().get());
        let block = blocks.find(|block| offset_in(*block) < size_of::<Cells>())?;
        Some(block.nth(offset_in(block) / CELL))
    }
}

/// The first pair of the program's own block.
fn own_block() -> Pair {
    let thunks = &raw const page::farcall_thunks;
    Pair {
        // SAFETY: a static has an address, which is not null.
        thunk: unsafe { NonNull::new_unchecked(thunks.cast_mut().cast()) },
        cell: NonNull::from(&CELLS).cast(),
    }
}

/// The first pair of a block that is made of the program's own, in one of the two ways there are.
fn another_block(
    way: unsafe fn(*const u8, usize, usize, usize) -> Option<NonNull<u8>>,
) -> Option<Pair> {
    let own = own_block();
    // Linkers put data behind code.
    let distance = own.cell.addr().get() - own.thunk.addr().get();
    let (code, code_len) = (own.thunk.as_ptr(), THUNKS * THUNK_SIZE);
    // SAFETY: the thunks are whole pages of this program, and so are their cells, which are zero at first.
    unsafe {
        let thunk = way(code, code_len, distance, size_of::<Cells>())?;
        sys::sync_icache(std::slice::from_raw_parts(thunk.as_ptr(), code_len));
        let cell = thunk.add(distance);
        Some(Pair { thunk, cell })
    }
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
            let found = POOL.get(&mut lock()).with_cell(pair.cell);
            assert_eq!(found.map(|found| found.thunk), Some(pair.thunk));
        }
        let (by_cell, others) = pairs.split_at(THUNKS);
        assert!(by_cell.iter().all(|pair| put_back_cell(pair.cell)));
        others.iter().copied().for_each(put_back);
        assert!(!put_back_cell(NonNull::from(&mut 0_u64).cast()));
    }

    #[test]
    fn block_from_the_programs_file_has_cells_of_its_own() {
        let [first, second] = [(); 2].map(|()| another_block(sys::map_code).expect("the file"));
        let own = own_block();
        // SAFETY: each block has that much code; the cells are nobody else's.
        unsafe {
            let code =
                |pair: Pair| std::slice::from_raw_parts(pair.thunk.as_ptr(), THUNKS * THUNK_SIZE);
            assert!(code(first) == code(own) && code(second) == code(own));
            let [first, second] = [first, second].map(|pair| pair.nth(THUNKS - 1).cell);
            assert_eq!((first.read(), second.read()), (0, 0));
            first.write(1);
            assert_eq!((first.read(), second.read()), (1, 0));
        }
    }
}
