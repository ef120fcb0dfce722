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
use crate::lock::{Held, lock};
use crate::policy::{Wish, wish};
use crate::sys;
use farcall_memory::try_box;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// A thunk and its cell. They exist for as long as the process.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The function pointer.
    pub thunk: NonNull<u8>,
    /// [`CELL`] bytes, at a multiple of that.
    pub cell: NonNull<u8>,
}

// SAFETY: only the thread that has taken the pair writes to the cell; the thunk is never written.
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
        // SAFETY: `index` is below THUNKS, and a block has THUNKS thunks and as many cells.
        unsafe {
            Pair {
                thunk: self.thunk.add(index * THUNK_SIZE),
                cell: self.cell.add(index * CELL),
            }
        }
    }
}

/// The entry of a thunk whose record is elsewhere: at the address in its own record's context.
pub fn forward() -> *const c_void {
    page::farcall_thunk_forward as *const c_void
}

/// Takes a pair that is free. `None` if there is none, and the system permits no more.
pub fn take() -> Option<Pair> {
    loop {
        if let Some(number) = FREE.pop().or_else(unused) {
            return pair(number);
        }
        add_block_under(&mut lock())?;
    }
}

/// Gives a pair back. Nobody calls through it any more.
pub fn put_back(pair: Pair) {
    // Every pair belongs to a block, so this succeeds.
    let _ = put_back_cell(pair.cell);
}

/// Gives back the pair with this cell; false if `memory` is no cell.
pub fn put_back_cell(memory: NonNull<u8>) -> bool {
    number_of(memory).map(|number| FREE.push(number)).is_some()
}

/// Whether `memory` lies in a cell.
pub fn is_cell(memory: NonNull<u8>) -> bool {
    number_of(memory).is_some()
}

// Pairs are numbered through all blocks. Only `add_block` waits for other threads, so threads, signals' handlers and a
// fork's child may take pairs and give them back at any moment.

/// The most blocks.
const MOST: usize = 16 * 1024;

const _: () = assert!(MOST * THUNKS < u32::MAX as usize);

/// A block that was added to the program's own.
struct Block {
    first: Pair,
    links: Links,
}

/// For each pair of a block that is free, the one that was given back before it, as [`Head`] has it.
struct Links([AtomicU32; THUNKS]);

impl Links {
    const fn new() -> Links {
        Links([const { AtomicU32::new(0) }; THUNKS])
    }
}

static OWN_LINKS: Links = Links::new();

/// The added blocks, in the order of their numbers. They are never freed.
static ADDED: [AtomicPtr<Block>; MOST - 1] = [const { AtomicPtr::new(ptr::null_mut()) }; MOST - 1];

/// How many blocks there are, the program's own included.
static BLOCKS: AtomicUsize = AtomicUsize::new(1);

/// The lowest number that was never given out.
static UNUSED: AtomicU32 = AtomicU32::new(0);

/// The pairs that were given back.
static FREE: Head = Head(AtomicU64::new(0));

/// The first pair of block number `index`, and its links.
fn block(index: usize) -> Option<(Pair, &'static Links)> {
    let Some(added) = index.checked_sub(1) else {
        return Some((own_block(), &OWN_LINKS));
    };
    // SAFETY: a block is complete before its address is stored, and is never freed.
    let block = unsafe { ADDED.get(added)?.load(Ordering::Acquire).as_ref() }?;
    Some((block.first, &block.links))
}

fn pair(number: u32) -> Option<Pair> {
    let number = number as usize;
    let (first, _) = block(number / THUNKS)?;
    Some(first.nth(number % THUNKS))
}

/// A pair of the newest block that was never given out.
fn unused() -> Option<u32> {
    let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
    let next = |number: u32| {
        let is_there = (number as usize) < BLOCKS.load(Ordering::Acquire) * THUNKS;
        is_there.then_some(number + 1)
    };
    UNUSED.fetch_update(success, failure, next).ok()
}

/// A list of free pairs: one more than the number of the first in the low half, 0 for none; and in the high half how often it changed,
/// so that an interrupted thread notices that the first was taken and given back in the meantime.
struct Head(AtomicU64);

impl Head {
    fn pop(&self) -> Option<u32> {
        let mut head = self.0.load(Ordering::Acquire);
        loop {
            let number = (head as u32).checked_sub(1)?;
            let link = link(number)?.load(Ordering::Relaxed);
            match self.replace(head, link, Ordering::Acquire) {
                Ok(_) => return Some(number),
                Err(now) => head = now,
            }
        }
    }

    fn push(&self, number: u32) {
        let Some(link) = link(number) else {
            return;
        };
        let mut head = self.0.load(Ordering::Relaxed);
        loop {
            link.store(head as u32, Ordering::Relaxed);
            match self.replace(head, number + 1, Ordering::Release) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    fn replace(&self, head: u64, first: u32, success: Ordering) -> Result<u64, u64> {
        let changes = (head >> 32).wrapping_add(1) << 32;
        let next = changes | u64::from(first);
        self.0
            .compare_exchange_weak(head, next, success, Ordering::Acquire)
    }
}

fn link(number: u32) -> Option<&'static AtomicU32> {
    let number = number as usize;
    let (_, links) = block(number / THUNKS)?;
    links.0.get(number % THUNKS)
}

/// The block in which a cell was found last, by its address: a guess that spares the search.
static GUESSES: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

/// The number of the pair whose cell begins at `memory`, or holds it.
fn number_of(memory: NonNull<u8>) -> Option<u32> {
    let address = memory.addr().get();
    let in_block = |index: usize| {
        let (first, _) = block(index)?;
        let offset = address.wrapping_sub(first.cell.addr().get());
        (offset < size_of::<Cells>()).then(|| (index * THUNKS + offset / CELL) as u32)
    };
    let guess = &GUESSES[address / size_of::<Cells>() % GUESSES.len()];
    if let Some(number) = in_block(guess.load(Ordering::Relaxed) as usize) {
        return Some(number);
    }
    let number = (0..BLOCKS.load(Ordering::Acquire)).find_map(in_block)?;
    guess.store(number / THUNKS as u32, Ordering::Relaxed);
    Some(number)
}

/// Adds a block, unless another thread has just done so.
#[cold]
#[inline(never)]
fn add_block_under(_: &mut Held) -> Option<()> {
    let blocks = BLOCKS.load(Ordering::Acquire);
    if (UNUSED.load(Ordering::Relaxed) as usize) < blocks * THUNKS {
        return Some(());
    }
    let place = ADDED.get(blocks - 1)?;
    // Taken first, as the steps below cannot be undone.
    let room = try_box(MaybeUninit::<Block>::uninit()).ok()?;
    let first = match wish() {
        // Where no code may be made, the thunks come from the program's file, unless that cannot be opened.
        Wish::Never => another_block(sys::map_code).or_else(|| another_block(sys::copy_code)),
        _ => another_block(sys::copy_code).or_else(|| another_block(sys::map_code)),
    }?;
    let block = Box::into_raw(room).cast::<Block>();
    // SAFETY: the memory has the size of a block, and nobody else knows it yet. Links that are zero lead nowhere. They are written in
    // place, as a signal handler may have a small stack.
    unsafe {
        (&raw mut (*block).first).write(first);
        (&raw mut (*block).links).write_bytes(0, 1);
    }
    place.store(block, Ordering::Release);
    BLOCKS.store(blocks + 1, Ordering::Release);
    Some(())
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

/// The first pair of a new block, which `way` makes of the program's own.
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
            let found = number_of(pair.cell).and_then(super::pair);
            assert_eq!(found.map(|found| found.thunk), Some(pair.thunk));
        }
        let (by_cell, others) = pairs.split_at(THUNKS);
        assert!(by_cell.iter().all(|pair| put_back_cell(pair.cell)));
        others.iter().copied().for_each(put_back);
        assert!(!put_back_cell(NonNull::from(&mut 0_u64).cast()));
    }

    #[test]
    fn pair_that_threads_take_and_give_back_is_one_threads_at_a_time() {
        let owners: Vec<AtomicU32> = (0..8 * THUNKS).map(|_| AtomicU32::new(0)).collect();
        let turn = |me: u32| {
            for round in 0..20_000 {
                let pairs: Vec<Pair> = (0..round % 5)
                    .map(|_| take().expect("memory for thunks"))
                    .collect();
                let owner = |pair: &Pair| {
                    let number = number_of(pair.cell).expect("it is a pair's");
                    &owners[number as usize]
                };
                for pair in &pairs {
                    assert_eq!(owner(pair).swap(me, Ordering::Relaxed), 0);
                }
                for pair in pairs {
                    assert_eq!(owner(&pair).swap(0, Ordering::Relaxed), me);
                    put_back(pair);
                }
            }
        };
        std::thread::scope(|scope| {
            for me in 1..=4 {
                scope.spawn({
                    let turn = &turn;
                    move || turn(me)
                });
            }
        });
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
