//! Machine code in memory that can be executed, and never written while it can.
//!
//! Functions are packed side by side, so a page that is about to get another one may be running already. How the
//! bytes get there all the same, without that page ever being writable and executable, is each system's own
//! matter: [`sys::CodeRange`]. What goes where is decided here.

use crate::error::{Error, Result};
use crate::lock::{Guarded, Held, lock};
use crate::policy::{Wish, wish};
use crate::sys;
use farcall_arch::emit::{self, Code};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// Functions begin at multiples of this, a cache line: one that lies across two where one would do costs a cycle more.
const CACHE_LINE: usize = 64;

/// Functions that share code begin at multiples of this, which is what processors fetch at a time: they are longer than a line.
const FETCH: usize = 16;

/// Addresses that are reserved at a time.
const REGION: usize = 64 * 1024;

/// Memory for code of one sort.
pub(crate) struct Arena {
    /// What each region begins with, for the functions in it to refer to.
    shared: Option<Code>,
    regions: Vec<Region>,
    /// Ranges of published functions that are gone, by region and offset, with their lengths. No two of them touch.
    holes: BTreeMap<(usize, usize), usize>,
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
}

#[derive(Clone, Copy, Debug)]
struct Range {
    region: usize,
    offset: usize,
    len: usize,
}

/// One function in executable memory. Dropping it takes it away, so whoever may run it must hold it.
pub struct Published {
    start: NonNull<u8>,
    home: &'static Home,
    range: Range,
    unwind: sys::UnwindEntry,
}

// SAFETY: `start` points to memory that is only ever executed.
unsafe impl Send for Published {}
// SAFETY: as above.
unsafe impl Sync for Published {}

impl Published {
    /// Where its first instruction lies.
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
        // SAFETY: this is the one time, and who drops the last reference no longer runs the code.
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
pub fn generates_code() -> bool {
    let code = emit::thunks(sys::host_abi(), 1, emit::THUNK_SIZE);
    code.is_ok_and(|code| publish(&code).is_ok())
}

/// Makes `code` executable.
///
/// # Errors
/// [`Error::ExecutableMemory`], where the system has none or a policy forbids it; nothing is changed then.
pub fn publish(code: &Code) -> Result<Published> {
    sys::find_unwinder();
    publish_in(&PLAIN, &mut lock(), code)
}

/// Makes `code` executable, in one of the arenas.
///
/// # Errors
/// [`Error::ExecutableMemory`]; nothing is changed then.
pub(crate) fn publish_in(home: &'static Home, held: &mut Held, code: &Code) -> Result<Published> {
    let arena = home.get(held);
    let (start, range, unwind) = arena.publish(code).map_err(Error::ExecutableMemory)?;
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
            holes: BTreeMap::new(),
        }
    }

    /// Has all functions share `code`. There are none yet.
    pub fn share(&mut self, code: Code) {
        self.shared = Some(code);
    }

    fn publish(&mut self, code: &Code) -> io::Result<(NonNull<u8>, Range, sys::UnwindEntry)> {
        if wish() == Wish::Never {
            let words = "FARCALL_CODE=never";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
        }
        let len = sys::with_unwind_data(code)
            .len()
            .next_multiple_of(self.align());
        let range = match self.find_hole(len) {
            Some(range) => range,
            None => self.find_fresh(len)?,
        };
        let (start, unwind) = self.regions[range.region].put(code, range.offset)?;
        self.take(range);
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
        let (&(region, offset), _) = self.holes.iter().find(|(_, hole)| **hole >= len)?;
        Some(Range {
            region,
            offset,
            len,
        })
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
        let shared_len = match &self.shared {
            Some(shared) => sys::with_unwind_data(shared).len(),
            None => 0,
        };
        let used = shared_len.next_multiple_of(self.align());
        let len = (used + len).next_multiple_of(sys::page_size()).max(REGION);
        let addresses = sys::CodeRange::reserve(len, emit::filler(sys::host_abi()))?;
        let mut region = Region { addresses, used };
        if let Some(shared) = &self.shared {
            // Regions live as long as the process, and so does what is told of this code.
            let _kept = ManuallyDrop::new(region.put(shared, 0)?);
        }
        self.regions.push(region);
        Ok(())
    }

    /// Marks a range as given out.
    fn take(&mut self, range: Range) {
        let region = &mut self.regions[range.region];
        if range.offset == region.used {
            region.used += range.len;
            return;
        }
        let hole = self.holes.remove(&(range.region, range.offset));
        if let Some(rest) = hole.map(|hole| hole - range.len).filter(|rest| *rest > 0) {
            self.holes
                .insert((range.region, range.offset + range.len), rest);
        }
    }

    /// Turns a range into a hole, one with the holes on either side.
    fn free(&mut self, range: Range) {
        let Range {
            region,
            mut offset,
            mut len,
        } = range;
        if let Some(behind) = self.holes.remove(&(region, offset + len)) {
            len += behind;
        }
        let ahead = self.holes.range((region, 0)..(region, offset)).next_back();
        let touching = ahead.filter(|((_, start), hole)| start + *hole == offset);
        if let Some((&(_, start), &hole)) = touching {
            offset = start;
            len += hole;
        }
        self.holes.insert((region, offset), len);
    }
}

impl Region {
    /// Puts code at an offset; nothing is changed if that fails.
    fn put(&mut self, code: &Code, offset: usize) -> io::Result<(NonNull<u8>, sys::UnwindEntry)> {
        // A region is far smaller than the reach of a distance.
        let code = code
            .behind_shared(offset as u32)
            .map_err(|_| io::ErrorKind::OutOfMemory)?;
        let bytes = sys::with_unwind_data(&code);
        // SAFETY: the range is no code in use: a hole, or the first bytes never given out, and long enough for these.
        unsafe { self.addresses.write(offset, &bytes)? };
        // SAFETY: the range lies within the region.
        let start = unsafe { self.addresses.start().add(offset) };
        // SAFETY: the code has just been put there, and stays until Published::drop has taken this back.
        let unwind = unsafe { sys::UnwindEntry::register(&code, start)? };
        Ok((start, unwind))
    }
}
