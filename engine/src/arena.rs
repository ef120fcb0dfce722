//! Machine code in memory that can be executed, and never written while it can.
//!
//! Functions are packed side by side, so threads may already execute a page that is about to get another one. Each system has its own
//! way to put bytes there without making that page writable and executable: [`sys::CodeRange`]. This file decides what goes where.

use crate::error::{Error, Result};
use crate::label::Label;
use crate::lock::{Guarded, Held, lock};
use crate::policy::{Wish, wish};
use crate::sys;
use farcall_arch::emit::{self, Code};
use farcall_memory::{OutOfMemory, TryVec, try_with_capacity};
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// Functions begin at multiples of this, a cache line: a function that crosses a line needlessly costs a cycle more.
const CACHE_LINE: usize = 64;

/// Functions that share code begin at multiples of this, which is what processors fetch at a time: they are longer than a line.
const FETCH: usize = 16;

/// Addresses that are reserved at a time.
const REGION: usize = 64 * 1024;

/// Memory for code of one sort.
pub(crate) struct Arena {
    /// The code that each region begins with. The functions in the region refer to it.
    shared: Option<Code>,
    regions: Vec<Region>,
    /// Ranges of published functions that are gone. No two of them touch.
    /// In order.
    holes: Vec<Range>,
    /// The number of published functions. `holes` has room for as many more, so taking a function away needs no memory.
    live: usize,
}

/// An arena, and the lock that it is behind.
pub(crate) type Home = Guarded<Arena>;

/// Functions that stand by themselves.
pub(crate) static PLAIN: Home = Guarded::new(Arena::new());

/// Functions that share code with all others of their interpreter, which begins each region.
pub(crate) static SHARING: Home = Guarded::new(Arena::new());

/// Reserved addresses, filled from the front.
struct Region {
    addresses: sys::CodeRange,
    /// Bytes given out so far, a multiple of the arena's alignment.
    used: usize,
    /// Whether the shared code is still missing. It is written with the first function.
    lacks_shared: bool,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    region: usize,
    offset: usize,
    len: usize,
}

impl Range {
    fn place(&self) -> (usize, usize) {
        (self.region, self.offset)
    }

    /// The place right behind its end.
    fn end(&self) -> (usize, usize) {
        (self.region, self.offset + self.len)
    }
}

/// One function in executable memory. Dropping it takes the code away, so hold it for as long as the code may run.
pub struct Published {
    start: NonNull<u8>,
    home: &'static Home,
    range: Range,
    unwind: sys::UnwindEntry,
}

/// The result of making code: `None` if there will never be any.
pub(crate) type Made = std::result::Result<Option<Published>, OutOfMemory>;

// SAFETY: `start` points to memory that is only ever executed.
unsafe impl Send for Published {}
// SAFETY: as above.
unsafe impl Sync for Published {}

impl Published {
    /// The address of its first instruction.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Published({:p}, {} bytes)", self.start, self.range.len)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let mut lock = lock();
        // Under the lock, as registration is: the unwinder has one of its own, which no fork waits for.
        // SAFETY: a value is dropped once, and whoever drops the last owner no longer runs the code.
        unsafe { self.unwind.unregister() };
        self.home.get(&mut lock).free(self.range);
    }
}

/// Whether signatures get machine code of their own in this process.
///
/// Where the system refuses executable memory (`PR_SET_MDWE`, systemd's `MemoryDenyWriteExecute`, a seccomp filter, SELinux, Windows'
/// Arbitrary Code Guard), and with `FARCALL_CODE=never` in the environment, they do not. Functions and callbacks work all the same:
/// each follows its signature's plan, by code that is part of the program. That is slower, about as fast as libffi.
///
/// The system is asked each time, by making some code.
///
/// ```
/// // As the environment and the system have it.
/// let generates = farcall_engine::generates_code();
/// assert_eq!(generates, farcall_engine::generates_code());
/// ```
pub fn generates_code() -> bool {
    let code = emit::thunks(sys::host_abi(), 1, emit::THUNK_SIZE);
    code.is_ok_and(|code| publish(&code).is_ok())
}

/// Makes `code` executable.
///
/// # Errors
/// [`Error::ExecutableMemory`], where the system has none or a policy forbids it; nothing is changed then.
pub fn publish(code: &Code) -> Result<Published> {
    publish_as(code, &Label::Common("farcall"))
}

/// Makes `code` executable. Profilers show it under the name `label`.
///
/// # Errors
/// As above.
pub(crate) fn publish_as(code: &Code, label: &Label) -> Result<Published> {
    sys::find_unwinder();
    publish_in(&PLAIN, &mut lock(), code, label)
}

/// Makes `code` executable, in one of the arenas.
///
/// # Errors
/// [`Error::ExecutableMemory`]; nothing is changed then.
pub(crate) fn publish_in(
    home: &'static Home,
    held: &mut Held,
    code: &Code,
    label: &Label,
) -> Result<Published> {
    if wish() == Wish::Never {
        return Err(Error::CodeIsForbidden);
    }
    let arena = home.get(held);
    let (start, range, unwind) = arena.publish(code).map_err(Error::ExecutableMemory)?;
    // SAFETY: the lock is held.
    unsafe { sys::note_code(code, start, label) };
    Ok(Published {
        start,
        home,
        range,
        unwind,
    })
}

impl Arena {
    const fn new() -> Arena {
        Arena {
            shared: None,
            regions: Vec::new(),
            holes: Vec::new(),
            live: 0,
        }
    }

    /// Sets the code that all functions share. There is no function yet.
    pub fn share(&mut self, code: Code) {
        self.shared = Some(code);
    }

    fn publish(&mut self, code: &Code) -> io::Result<(NonNull<u8>, Range, sys::UnwindEntry)> {
        self.holes
            .try_reserve(self.live + 1)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        let len = sys::with_unwind_data(code).len() + sys::room_behind_code();
        let len = len.next_multiple_of(self.align());
        let range = match self.find_hole(len) {
            Some(range) => range,
            None => self.find_fresh(len)?,
        };
        let shared = self.shared.as_ref();
        let (start, unwind) = self.regions[range.region].put(code, range.offset, shared)?;
        self.take(range);
        self.live += 1;
        Ok((start, range, unwind))
    }

    fn align(&self) -> usize {
        let align = match self.shared {
            Some(_) => FETCH,
            None => CACHE_LINE,
        };
        align.max(sys::code_grain())
    }

    /// The first part of a hole that is large enough.
    fn find_hole(&self, len: usize) -> Option<Range> {
        let hole = self.holes.iter().find(|hole| hole.len >= len)?;
        Some(Range { len, ..*hole })
    }

    /// The next unused bytes of a region that has enough of them; of a new one if none has.
    fn find_fresh(&mut self, len: usize) -> io::Result<Range> {
        let fits = |region: &Region| region.addresses.len() - region.used >= len;
        let region = match self.regions.iter().position(fits) {
            Some(region) => region,
            None => {
                self.add_region(len)?;
                self.regions.len() - 1
            }
        };
        Ok(Range {
            region,
            offset: self.regions[region].used,
            len,
        })
    }

    /// Adds a region with room for a function of `len` bytes.
    fn add_region(&mut self, len: usize) -> io::Result<()> {
        self.regions
            .try_reserve(1)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        let shared_len = match &self.shared {
            Some(shared) => sys::with_unwind_data(shared).len(),
            None => 0,
        };
        let used = shared_len.next_multiple_of(self.align());
        let len = (used + len).next_multiple_of(sys::page_size()).max(REGION);
        let addresses = sys::CodeRange::reserve(len, emit::filler(sys::host_abi()))?;
        self.regions.push(Region {
            addresses,
            used,
            lacks_shared: self.shared.is_some(),
        });
        Ok(())
    }

    /// Marks a range as given out.
    fn take(&mut self, range: Range) {
        let region = &mut self.regions[range.region];
        if range.offset == region.used {
            region.used += range.len;
            return;
        }
        let Ok(index) = self
            .holes
            .binary_search_by_key(&range.place(), Range::place)
        else {
            return;
        };
        let hole = &mut self.holes[index];
        hole.offset += range.len;
        hole.len -= range.len;
        if hole.len == 0 {
            self.holes.remove(index);
        }
    }

    /// Turns a range into a hole, one with the holes on either side.
    fn free(&mut self, range: Range) {
        self.live -= 1;
        let index = self
            .holes
            .partition_point(|hole| hole.place() < range.place());
        let touches = |index: usize, end: (usize, usize)| {
            let hole = self.holes.get(index);
            hole.is_some_and(|hole| hole.place() == end)
        };
        let touches_behind = touches(index, range.end());
        let ahead = index.checked_sub(1);
        let ahead = ahead.filter(|&ahead| self.holes[ahead].end() == range.place());
        match (ahead, touches_behind) {
            (Some(ahead), true) => {
                let behind = self.holes.remove(index);
                self.holes[ahead].len += range.len + behind.len;
            }
            (Some(ahead), false) => self.holes[ahead].len += range.len,
            (None, true) => {
                let behind = &mut self.holes[index];
                behind.offset = range.offset;
                behind.len += range.len;
            }
            // There is room, since it was published.
            (None, false) => self.holes.insert(index, range),
        }
    }
}

impl Region {
    /// Puts code at an offset, and `shared` at the start if it is not there yet. After an error nothing has changed.
    fn put(
        &mut self,
        code: &Code,
        offset: usize,
        shared: Option<&Code>,
    ) -> io::Result<(NonNull<u8>, sys::UnwindEntry)> {
        // A region is far smaller than the reach of a distance.
        let code = code
            .behind_shared(offset as u32)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        let bytes = sys::with_unwind_data(&code);
        let shared = shared.filter(|_| self.lacks_shared);
        let joined = shared.map(|shared| joined(shared, offset, &bytes));
        let joined = joined.transpose().map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: no code in use lies in the range, which is long enough: it is a hole, or bytes never given out. Together with the shared
        // code, all bytes ahead of it are written, too.
        unsafe {
            match &joined {
                None => self.addresses.write(offset, &bytes)?,
                Some(joined) => self.addresses.write(0, joined)?,
            }
        };
        if let Some(shared) = shared {
            // SAFETY: the code has just been put there, and regions live as long as the process.
            let unwind = unsafe { sys::UnwindEntry::register(shared, self.addresses.start())? };
            // SAFETY: the arena is behind the lock.
            unsafe {
                sys::note_code(
                    shared,
                    self.addresses.start(),
                    &Label::Common("farcall shared"),
                )
            };
            // Never unregistered: the shared code stays as long as its region.
            let _kept = ManuallyDrop::new(unwind);
            self.lacks_shared = false;
        }
        // SAFETY: the range lies within the region.
        let start = unsafe { self.addresses.start().add(offset) };
        // SAFETY: the code has just been put there, and stays until Published::drop has taken this back.
        let unwind = unsafe { sys::UnwindEntry::register(&code, start)? };
        Ok((start, unwind))
    }
}

/// The shared code, with `bytes` placed `offset` bytes behind its start.
fn joined(shared: &Code, offset: usize, bytes: &[u8]) -> std::result::Result<Vec<u8>, OutOfMemory> {
    let mut all = try_with_capacity(offset + bytes.len())?;
    all.try_extend_from_slice(&sys::with_unwind_data(shared))?;
    all.try_resize(offset, emit::filler(sys::host_abi()))?;
    all.try_extend_from_slice(bytes)?;
    Ok(all)
}
