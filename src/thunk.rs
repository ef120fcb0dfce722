//! Thunks: the function pointers that C gets for callbacks.
//!
//! A thunk is a few instructions that never change. They load the address of the thunk's own [`Record`], which lies at a fixed
//! distance in memory that is data, and jump to the entry it names. Blocks of them are written once; where the system refuses that,
//! thunks are taken that are part of the program ([`crate::generic::thunks`]). Making
//! a callback fills in a record; freeing it points the record at an entry that reports the
//! mistake of calling it, and puts the thunk at the end of a queue, so that it is long before the pointer means another callback.

use crate::activity::Inside;
use crate::code::Arena;
use crate::code::Published;
use crate::error::{Error, Result};
use crate::generic::{slots, thunks};
use crate::sys;
use farcall_arch::emit::{self, THUNK_SIZE, record};
use std::collections::VecDeque;
use std::ffi::c_void;
use std::io;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{Ordering, fence};

/// What a callback's entry calls: the context and a slot for each argument. The result's slot comes back.
pub type Handler = unsafe extern "C" fn(context: *mut c_void, slots: *const u64) -> u64;

/// What an entry on an interpreter's objects calls: the context and an object for each argument, or its slot where an object needs memory. The
/// result's slot comes back.
pub type ObjectHandler =
    unsafe extern "C" fn(context: *mut c_void, objects: *mut *mut c_void) -> u64;

/// What a thunk leads to: the data behind it, as the generated code reads it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Record {
    pub entry: NonNull<u8>,
    pub context: *mut c_void,
    pub handler: Handler,
    /// For entries on objects the [`ObjectHandler`], for the one that follows a plan the [`farcall_arch::Plan`]; no other looks at it.
    pub last: *const c_void,
}

const _: () = {
    assert!(offset_of!(Record, entry) == record::ENTRY as usize);
    assert!(offset_of!(Record, handler) == record::HANDLER as usize);
    assert!(offset_of!(Record, context) == record::CONTEXT as usize);
    assert!(offset_of!(Record, last) == record::OBJECT_HANDLER as usize);
    assert!(size_of::<Record>() == record::SIZE);
};

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

impl From<thunks::Pair> for Thunk {
    fn from(pair: thunks::Pair) -> Thunk {
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

/// All thunks of the process.
#[derive(Default)]
pub(crate) struct Thunks {
    /// Closed ones, the longest closed first.
    closed: VecDeque<Thunk>,
    /// Those of the newest block that were never used, the last first.
    unused: Vec<Thunk>,
    /// Bytes of the next block's code; 0 before the first.
    next_block: usize,
    /// The entry of closed thunks, once there is a block of code.
    closed_entry: Option<Published>,
}

/// How many of the program's own thunks are taken at a time.
const BATCH: usize = 64;

impl Thunks {
    /// Takes a free thunk and has it lead where `target` says.
    ///
    /// # Errors
    /// [`Error::ExecutableMemory`].
    pub fn open(
        &mut self,
        arena: &mut Arena,
        pool: &mut thunks::Pool,
        target: Record,
    ) -> Result<Thunk> {
        let thunk = self.take(arena, pool)?;
        // SAFETY: the record is data of this size, and the thunk is free: nobody else reads or writes it.
        unsafe { thunk.record.write(target) };
        Ok(thunk)
    }

    /// Frees a thunk: calls through it are reported from now on, until it is opened again.
    pub fn close(&mut self, thunk: Thunk) {
        let entry = match &self.closed_entry {
            Some(entry) => entry.start(),
            None => slots::closed_entry(),
        };
        let record = thunk.record.as_ptr();
        // SAFETY: the thunk is still its caller's. The context stays: a call that is just passing through may still read it, and
        // with either handler and either entry it finds a handler that fits.
        unsafe {
            (&raw mut (*record).handler).write_volatile(report_closed);
            // Thunks load the entry first, in this order: the closed entry never meets a handler that wants arguments.
            fence(Ordering::Release);
            (&raw mut (*record).entry).write_volatile(entry);
        }
        self.closed.push_back(thunk);
    }

    fn take(&mut self, arena: &mut Arena, pool: &mut thunks::Pool) -> Result<Thunk> {
        if self.closed.len() <= REST
            && self.unused.is_empty()
            && let Err(refused) = self.add_block(arena)
        {
            let pairs = std::iter::from_fn(|| pool.take()).take(BATCH);
            self.unused.extend(pairs.map(Thunk::from));
            if self.unused.is_empty() {
                return Err(refused);
            }
        }
        let rested = if self.closed.len() > REST {
            self.closed.pop_front()
        } else {
            None
        };
        rested
            .or_else(|| self.unused.pop())
            .ok_or_else(|| Error::ExecutableMemory(io::ErrorKind::OutOfMemory.into()))
    }

    /// Maps a block of code pages and, right behind them, the pages of its records.
    fn add_block(&mut self, arena: &mut Arena) -> Result<()> {
        let abi = sys::host_abi();
        if self.closed_entry.is_none() {
            self.closed_entry = Some(arena.publish(&emit::closed_entry(abi))?);
        }
        let page = sys::page_size();
        let code_len = self.next_block.max(page);
        let count = code_len / THUNK_SIZE;
        let len = code_len + count * record::SIZE;
        let code = emit::thunks(abi, count, code_len);
        let start = sys::allocate(len).map_err(Error::ExecutableMemory)?;
        // SAFETY: the new mapping is longer than the code; it is complete before its first part becomes executable.
        let ready = unsafe {
            start
                .as_ptr()
                .copy_from_nonoverlapping(code.bytes.as_ptr(), code.bytes.len());
            sys::make_executable(start, code_len)
        };
        if let Err(error) = ready {
            // SAFETY: nobody has seen the mapping.
            unsafe { sys::release(start, len) };
            return Err(Error::ExecutableMemory(error));
        }
        // SAFETY: the code has just been made executable there. Blocks live as long as the process, and so does what is told of them.
        std::mem::forget(unsafe { sys::UnwindEntry::register(&code, start) });
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

/// The handler of closed thunks.
unsafe extern "C" fn report_closed(_: *mut c_void, _: *const u64) -> u64 {
    let _inside = Inside::enter();
    eprintln!("farcall: C called a callback that has been closed; it got zero");
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{self, Runtime};

    unsafe extern "C" fn noop(_: *mut c_void, _: *const u64) -> u64 {
        0
    }

    #[test]
    fn closed_thunk_is_not_given_out_again_before_its_rest_is_over() {
        let mut guard = runtime::lock();
        let Runtime {
            arena,
            thunks,
            pool,
            ..
        } = &mut *guard;
        let mut open = |thunks: &mut Thunks| {
            let target = Record {
                entry: NonNull::dangling(),
                handler: noop,
                context: std::ptr::null_mut(),
                last: std::ptr::null(),
            };
            thunks.open(arena, pool, target).expect("memory for thunks")
        };
        let first = open(thunks);
        thunks.close(first);
        // Those that were closed before it go first, as often as they can.
        for _ in 0..REST {
            let next = open(thunks);
            assert_ne!(next.code(), first.code());
            thunks.close(next);
        }
        let reused = open(thunks);
        assert_eq!(reused.code(), first.code());
        thunks.close(reused);
    }
}
