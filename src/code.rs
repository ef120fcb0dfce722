//! Machine code in memory that can be executed, and never written while it can.
//!
//! Functions are packed side by side. To add one, the pages it touches are copied, completed and made executable
//! elsewhere, and then exchanged for the live ones in one step ([`sys::replace_pages`]): a thread that runs in the same page meanwhile
//! notices nothing, no page is ever writable and executable, and as every page is private, a
//! fork() leaves parent and child each with code of their own.

use crate::error::{Error, Result};
use crate::{runtime, sys};
use farcall_arch::emit::{Code, unwind};
use std::collections::BTreeMap;
use std::io;
use std::ptr::NonNull;

/// Functions begin at multiples of this.
const ALIGN: usize = 16;

/// Addresses that are reserved at a time.
const REGION: usize = 64 * 1024;

/// What unused bytes hold: the one-byte trap of x86-64.
const FILLER: u8 = 0xcc;

/// All code memory of the process.
#[derive(Default)]
pub(crate) struct Arena {
    regions: Vec<Region>,
    /// Ranges of published functions that are gone, by region and offset, with their lengths. No two of them touch.
    holes: BTreeMap<(usize, usize), usize>,
}

/// Reserved addresses, filled from the front.
struct Region {
    start: NonNull<u8>,
    len: usize,
    /// Bytes given out so far, a multiple of [`ALIGN`].
    used: usize,
    /// Bytes that have memory behind them, a multiple of the page size.
    backed: usize,
}

// SAFETY: `start` is the address of a mapping that no thread owns; the runtime's lock guards what is done with it.
unsafe impl Send for Region {}

#[derive(Clone, Copy, Debug)]
struct Range {
    region: usize,
    offset: usize,
    len: usize,
}

/// One function in executable memory. Dropping it takes it away, so whoever may run it must hold it.
#[derive(Debug)]
pub(crate) struct Published {
    start: NonNull<u8>,
    range: Range,
    eh_frame: Box<[u8]>,
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

impl Drop for Published {
    fn drop(&mut self) {
        let mut runtime = runtime::lock();
        // Under the lock, as registration is: the unwinder has one of its own, which no fork waits for.
        // SAFETY: publish() registered this section, and who drops the last reference no longer runs the code.
        unsafe { sys::unregister_unwind(&self.eh_frame) };
        runtime.arena.free(self.range);
    }
}

impl Arena {
    /// Makes `code` executable.
    ///
    /// # Errors
    /// [`Error::ExecutableMemory`]; nothing is changed then.
    pub fn publish(&mut self, code: &Code) -> Result<Published> {
        self.try_publish(code).map_err(Error::ExecutableMemory)
    }

    fn try_publish(&mut self, code: &Code) -> io::Result<Published> {
        let len = code.bytes.len().next_multiple_of(ALIGN);
        let range = match self.find_hole(len) {
            Some(range) => range,
            None => self.find_fresh(len)?,
        };
        self.write(range, &code.bytes)?;
        self.take(range);
        let region = &self.regions[range.region];
        // SAFETY: the range lies within the region.
        let start = unsafe { region.start.add(range.offset) };
        let eh_frame = unwind::eh_frame(code, start.as_ptr() as u64).into_boxed_slice();
        // SAFETY: the code lies at the address that the section names; the box's content stays in place until
        // Published::drop has taken it back.
        unsafe { sys::register_unwind(&eh_frame) };
        Ok(Published {
            start,
            range,
            eh_frame,
        })
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
        let fits = |region: &Region| region.len - region.used >= len;
        let region = match self.regions.iter().position(fits) {
            Some(region) => region,
            None => {
                let len = len.next_multiple_of(sys::page_size()).max(REGION);
                let start = sys::reserve(len)?;
                self.regions.push(Region {
                    start,
                    len,
                    used: 0,
                    backed: 0,
                });
                self.regions.len() - 1
            }
        };
        Ok(Range {
            region,
            offset: self.regions[region].used,
            len,
        })
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

    /// Exchanges the pages of a range for ones that hold `bytes` there.
    fn write(&mut self, range: Range, bytes: &[u8]) -> io::Result<()> {
        let page = sys::page_size();
        let region = &mut self.regions[range.region];
        let first = range.offset / page * page;
        let end = (range.offset + range.len).next_multiple_of(page);
        let len = end - first;
        let kept = region.backed.saturating_sub(first).min(len);
        // SAFETY: both offsets lie within the region.
        let live = unsafe { region.start.add(first) };
        let staging = sys::allocate(len)?;
        // SAFETY: `staging` is `len` bytes that nobody else knows; the region has memory behind its first `backed` bytes, which
        // can be read.
        unsafe {
            staging.as_ptr().write_bytes(FILLER, len);
            staging
                .as_ptr()
                .copy_from_nonoverlapping(live.as_ptr(), kept);
            let target = staging.as_ptr().add(range.offset - first);
            target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        // SAFETY: whole pages from allocate() which are complete; and then a copy of the live pages, byte for byte but for
        // the range that is no code in use. The runtime's lock keeps other writers away.
        let placed = unsafe {
            sys::make_executable(staging, len).and_then(|()| sys::replace_pages(live, staging, len))
        };
        if let Err(error) = placed {
            // SAFETY: the pages were not moved.
            unsafe { sys::release(staging, len) };
            return Err(error);
        }
        region.backed = region.backed.max(end);
        Ok(())
    }
}
