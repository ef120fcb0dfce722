//! Thunks: the function pointers that C gets, and the data behind them.
//!
//! A thunk is some bytes of code that never change, since they are the same for every callback: load the address of the [`Record`]
//! behind me, in memory that is data, and jump to the entry it names. Blocks of them are written once; where the system refuses that,
//! thunks are taken that are part of the program ([`pool`]). Making
//! a callback fills in a record; freeing it points the record at an entry that reports the
//! mistake of calling it, and puts the thunk at the end of a queue, so that it is long before the pointer means another callback.

mod page;
pub mod pool;

use crate::error::{Error, Result};
use crate::interp::Image;
use crate::lock::{Guarded, Held};
use crate::policy::{Wish, wish};
use crate::record::Record;
use crate::sys;
use farcall_arch::emit::{self, THUNK_SIZE, record};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A thunk and its record. They exist for as long as the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thunk {
    code: NonNull<u8>,
    record: NonNull<Record>,
}

// SAFETY: whoever holds a thunk is the only one to write its record; the code is never written.
unsafe impl Send for Thunk {}
// SAFETY: as above: a shared reference gives out an address only.
unsafe impl Sync for Thunk {}

impl Thunk {
    /// The function pointer.
    pub fn code(&self) -> NonNull<u8> {
        self.code
    }
}

impl From<pool::Pair> for Thunk {
    fn from(pair: pool::Pair) -> Thunk {
        Thunk {
            code: pair.thunk,
            record: pair.record().cast(),
        }
    }
}

/// A closed thunk rests until this many others have been closed after it, while there are unused ones.
const REST: usize = 256;

/// The largest block's code, in bytes, unless a page is larger still. Records must be within the thunks' reach: 1 MiB on AArch64.
const MAX_BLOCK: usize = 64 * 1024;

/// How many of the program's own thunks are taken at a time.
const BATCH: usize = 64;

/// The thunks of callbacks.
struct Thunks {
    /// Closed ones, the longest closed first.
    closed: VecDeque<Thunk>,
    /// Those of the newest block that were never used, the last first.
    unused: Vec<Thunk>,
    /// Bytes of the next block's code; 0 before the first.
    next_block: usize,
}

static THUNKS: Guarded<Thunks> = Guarded::new(Thunks {
    closed: VecDeque::new(),
    unused: Vec::new(),
    next_block: 0,
});

/// Takes a free thunk and has it lead where `target` says.
///
/// # Errors
/// [`Error::ExecutableMemory`].
pub(crate) fn open(held: &mut Held, target: Record) -> Result<Thunk> {
    let thunk = take(held)?;
    // SAFETY: the record is data of this size, and the thunk is free: nobody else reads or writes it.
    unsafe { thunk.record.write(target) };
    Ok(thunk)
}

/// Frees a thunk: calls through it are reported from now on, until it is opened again.
pub(crate) fn close(held: &mut Held, thunk: Thunk) {
    // SAFETY: the thunk is still its caller's. The other fields stay: a call that is just passing through may still read them.
    unsafe { write_entry(thunk.record.as_ptr(), closed_entry()) };
    THUNKS.get(held).closed.push_back(thunk);
}

/// Has a thunk enter by `new` from now on, if it enters by `old`.
///
/// # Safety
/// * `record` is a thunk's, and `new` serves it as well as `old`.
pub(crate) unsafe fn enter_by(
    _: &mut Held,
    record: *mut Record,
    old: NonNull<u8>,
    new: NonNull<u8>,
) {
    // SAFETY: the caller vouches for the record. Nobody else writes one, as the lock is held.
    unsafe {
        if (*record).entry == old {
            write_entry(record, new);
        }
    }
}

/// # Safety
/// * `record` is a thunk's, and the lock is held.
unsafe fn write_entry(record: *mut Record, entry: NonNull<u8>) {
    // SAFETY: the caller vouches for the record. Thunks read this one word as a whole.
    let word = unsafe { AtomicPtr::from_ptr((&raw mut (*record).entry).cast::<*mut u8>()) };
    word.store(entry.as_ptr(), Ordering::Release);
}

fn take(held: &mut Held) -> Result<Thunk> {
    let thunks = THUNKS.get(held);
    if thunks.closed.len() <= REST
        && thunks.unused.is_empty()
        && let Err(refused) = thunks.add_block()
    {
        let pairs: Vec<Thunk> = std::iter::from_fn(|| pool::take_under(held))
            .take(BATCH)
            .map(Thunk::from)
            .collect();
        if pairs.is_empty() {
            return Err(refused);
        }
        THUNKS.get(held).unused.extend(pairs);
    }
    let thunks = THUNKS.get(held);
    let rested = match thunks.closed.len() > REST {
        true => thunks.closed.pop_front(),
        false => None,
    };
    rested
        .or_else(|| thunks.unused.pop())
        .ok_or_else(|| Error::ExecutableMemory(io::ErrorKind::OutOfMemory.into()))
}

impl Thunks {
    /// Maps a block of code pages and, right behind them, the pages of its records.
    fn add_block(&mut self) -> Result<()> {
        if wish() == Wish::Never {
            return Err(Error::ExecutableMemory(
                io::ErrorKind::PermissionDenied.into(),
            ));
        }
        let abi = sys::host_abi();
        let page = sys::page_size();
        let code_len = self.next_block.max(page);
        let count = code_len / THUNK_SIZE;
        let code = emit::thunks(abi, count, code_len);
        let start = sys::place_block(&code.bytes, code_len, count * record::SIZE)
            .map_err(Error::ExecutableMemory)?;
        // SAFETY: the code has just been made executable there. Blocks live as long as the process, and so does what is told of them.
        let unwind = unsafe { sys::UnwindEntry::register(&code, start) };
        let _kept = ManuallyDrop::new(unwind.map_err(Error::ExecutableMemory)?);
        self.next_block = (code_len * 2).min(MAX_BLOCK.max(page));
        self.unused.extend((0..count).rev().map(|index| {
            // SAFETY: code and record number `index` lie within the mapping.
            unsafe {
                let code = start.add(index * THUNK_SIZE);
                let record = start.add(code_len + index * record::SIZE).cast();
                Thunk { code, record }
            }
        }));
        Ok(())
    }
}

unsafe extern "C" {
    fn farcall_interp_closed();
}

crate::interp_entry!("farcall_interp_closed", enter_closed);

/// The entry of closed callbacks, whatever their signature was: any result is zero.
fn closed_entry() -> NonNull<u8> {
    let entry: unsafe extern "C" fn() = farcall_interp_closed;
    // SAFETY: no function is at address 0.
    unsafe { NonNull::new_unchecked(entry as *mut u8) }
}

/// # Safety
/// * It is called by an entry.
unsafe extern "C-unwind" fn enter_closed(_: *const c_void, image: &mut Image, _: *mut u8) {
    const TEXT: &[u8] = b"farcall: C called a callback that has been closed; it got zero\n";
    // Nobody is there to be told if standard error is closed, too.
    let _ = io::stderr().write_all(TEXT);
    *image = Image::default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::lock;
    use std::ptr;

    unsafe extern "C" fn noop(_: *mut c_void, _: *const u64) -> u64 {
        0
    }

    #[test]
    fn closed_thunk_is_not_given_out_again_before_its_rest_is_over() {
        let mut lock = lock();
        let open = |held: &mut Held| {
            let target = Record {
                entry: NonNull::dangling(),
                handler: noop,
                context: ptr::null_mut(),
                object_handler: None,
                compiled: ptr::null(),
            };
            open(held, target).expect("memory for thunks")
        };
        let first = open(&mut lock);
        close(&mut lock, first);
        // Those that were closed before it go first, as often as they can.
        for _ in 0..REST {
            let next = open(&mut lock);
            assert_ne!(next.code(), first.code());
            close(&mut lock, next);
        }
        let reused = open(&mut lock);
        assert_eq!(reused.code(), first.code());
        close(&mut lock, reused);
    }
}
