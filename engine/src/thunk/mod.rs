//! Thunks: the function pointers that C gets, and the data behind them.
//!
//! A thunk is a few bytes of code that never change, since they are the same for every callback: they load the address of the thunk's
//! [`Record`], which lies in data, and jump to the entry that it names. Blocks of thunks are written once; where the system refuses that,
//! thunks that are part of the program are used ([`pool`]). Making a callback fills in a record; freeing it points the record at an entry
//! that reports the mistake of calling it, and puts the thunk at the end of a queue, so that it is long before the pointer means another callback.
//!
//! A thread may stand in a thunk, or in the entry behind it, before it has said so. It must not find there what belongs to another
//! signature. So a thunk is of one signature for good ([`Seat`]), and the signature, with its entries, stays for as long as the process: a
//! closed thunk is found again by the same signature.

mod address;
mod cell;
mod closed;
mod page;
pub mod pool;
mod seat;

pub use closed::{expect_closed, report_closed};
pub use seat::Seat;
pub(crate) use seat::{Kind, Owner, Seats, enter_by};

use crate::error::{Error, Result};
use crate::label::Label;
use crate::levels::{self, LEVELS, Level};
use crate::lock::lock;
use crate::policy::{Wish, wish};
use crate::sys;
use address::Thunk;
use farcall_arch::emit::{self, THUNK_SIZE, record};
use farcall_memory::OutOfMemory;
use farcall_memory::TryVec;
use seat::NO_HOME;
use std::cell::UnsafeCell;
use std::io;
use std::mem::ManuallyDrop;

/// A closed thunk rests until this many others of its signature have been closed after it.
pub(crate) const REST: usize = 256;

/// The largest block's code, in bytes, unless a page is larger still. Records must be within the thunks' reach: 1 MiB on AArch64.
const MAX_BLOCK: usize = 64 * 1024;

/// The number of the program's own thunks that are taken at a time.
const BATCH: usize = 64;

/// Thunks that were never used.
struct Unused {
    /// The unused thunks of the newest block, the last first.
    thunks: Vec<Thunk>,
    /// Bytes of the next block's code; 0 before the first.
    next_block: usize,
}

/// The unused thunks of each level.
struct AllUnused([UnsafeCell<Unused>; LEVELS]);

// SAFETY: `of` wants the level's token, which one thread has at a time.
unsafe impl Sync for AllUnused {}

static UNUSED: AllUnused = AllUnused(
    [const {
        UnsafeCell::new(Unused {
            thunks: Vec::new(),
            next_block: 0,
        })
    }; LEVELS],
);

impl AllUnused {
    fn of<'a>(&'a self, level: &'a mut Level) -> &'a mut Unused {
        // SAFETY: the token is lent for as long as the result lives, and there is one.
        unsafe { &mut *self.0[level.index()].get() }
    }
}

/// Takes a free thunk of the signature: a closed one that has rested, or a new one. It is closed still.
///
/// # Errors
/// [`Error::ExecutableMemory`].
///
/// `owner` is asked for the signature when it gets a new one, and stays for good then.
pub(crate) fn take(
    seats: &Seats,
    kind: Kind,
    owner: impl FnOnce() -> Owner,
) -> Result<&'static Seat> {
    let Some(mut level) = levels::hold() else {
        return take_without_level(kind, owner);
    };
    if let Some(rested) = seats.take_rested(&mut level, kind, REST) {
        return Ok(rested);
    }
    let home = level.index();
    let unused = UNUSED.of(&mut level);
    if unused.thunks.is_empty() {
        unused.refill()?;
    }
    let thunk = unused.thunks.pop().ok_or_else(no_memory)?;
    match Seat::new(thunk, owner, kind, home) {
        Ok(seat) => Ok(seat),
        Err(OutOfMemory) => {
            // There is room: it has just been taken out.
            unused.thunks.try_push(thunk)?;
            Err(OutOfMemory.into())
        }
    }
}

fn no_memory() -> Error {
    Error::ExecutableMemory(io::ErrorKind::OutOfMemory.into())
}

/// [`take`] in a signal handler that has interrupted the holder of a level: it takes a thunk that is part of the program, which needs no level.
#[cold]
#[inline(never)]
fn take_without_level(kind: Kind, owner: impl FnOnce() -> Owner) -> Result<&'static Seat> {
    let pair = pool::take().ok_or_else(no_memory)?;
    let seat = Seat::new(Thunk::from(pair), owner, kind, NO_HOME);
    Ok(seat.inspect_err(|_| pool::put_back(pair))?)
}

impl Unused {
    /// Gets more thunks: a new block, or where the system refuses that, some that are part of the program.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> Result<()> {
        let Err(refused) = self.add_block() else {
            return Ok(());
        };
        self.thunks.try_reserve(BATCH).map_err(OutOfMemory::from)?;
        let pairs = std::iter::from_fn(pool::take);
        for pair in pairs.take(BATCH) {
            self.thunks.try_push(Thunk::from(pair))?;
        }
        match self.thunks.is_empty() {
            true => Err(refused),
            false => Ok(()),
        }
    }

    /// Maps a block of code pages and, right behind them, the pages of its records.
    fn add_block(&mut self) -> Result<()> {
        if wish() == Wish::Never {
            return Err(Error::CodeIsForbidden);
        }
        let abi = sys::host_abi();
        let page = sys::page_size();
        let code_len = self.next_block.max(page);
        let count = code_len / THUNK_SIZE;
        self.thunks.try_reserve(count).map_err(OutOfMemory::from)?;
        let code = emit::thunks(abi, count, code_len)?;
        let data_len = (count * record::SIZE).next_multiple_of(page);
        let start =
            sys::place_block(&code.bytes, code_len, data_len).map_err(Error::ExecutableMemory)?;
        // SAFETY: the code has just been put there.
        sys::sync_icache(unsafe { std::slice::from_raw_parts(start.as_ptr(), code_len) });
        sys::find_unwinder();
        let unwind = {
            // Registration happens under the lock: there is one list for debuggers, and forks wait for a thread inside the unwinder.
            let _lock = lock();
            // SAFETY: the code has just been made executable there. Blocks live as long as the process, and so does their registration.
            let unwind = unsafe { sys::UnwindEntry::register(&code, start) };
            // SAFETY: the lock is held.
            unsafe { sys::note_code(&code, start, &Label::Common("farcall thunks")) };
            unwind
        };
        let _kept = ManuallyDrop::new(unwind.map_err(Error::ExecutableMemory)?);
        self.next_block = (code_len * 2).min(MAX_BLOCK.max(page));
        self.thunks.try_extend((0..count).rev().map(|index| {
            // SAFETY: code and record number `index` lie within the mapping.
            unsafe {
                let code = start.add(index * THUNK_SIZE);
                let record = start.add(code_len + index * record::SIZE).cast();
                Thunk { code, record }
            }
        }))?;
        Ok(())
    }
}
