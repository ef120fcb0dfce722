//! Linux's own ways: exchanging live pages for others, and fences that reach all threads.

mod exchange;
mod fences;
mod program;
#[cfg(target_arch = "x86_64")]
mod range;

pub use fences::sync_icache;
pub(crate) use fences::{FENCES_ALL_THREADS, fence_all_threads};
pub(super) use program::file_of;
#[cfg(target_arch = "x86_64")]
pub(crate) use range::{UnwindEntry, find_unwinder, place_block};

#[cfg(not(target_arch = "x86_64"))]
use super::posix::memory::Reserved as Addresses;
use super::posix::memory::{Reserved, make_executable, page_size};
use exchange::replace_pages;
#[cfg(target_arch = "x86_64")]
use range::Reserved as Addresses;
use std::io;
use std::ptr::NonNull;

/// Published code begins at multiples of this: functions may share a page.
pub(crate) const fn code_grain() -> usize {
    1
}

/// Addresses that are reserved for code, and pages for some of them.
///
/// To write, pages are copied, completed and made executable elsewhere, and then exchanged for the live ones in one step
/// ([`replace_pages`]). Every page is private, so a fork() leaves parent and child each with code of their own.
pub(crate) struct CodeRange {
    reserved: Addresses,
    filler: u8,
    /// Bytes that have memory behind them, a multiple of the page size.
    backed: usize,
    staging: Staging,
}

/// Pages on which code is put together. Most code takes one, so they are taken from the system several at a time; the first alone, as
/// many programs need no second.
#[derive(Default)]
struct Staging {
    /// The pages left, all with memory behind them.
    pages: Option<Reserved>,
    /// The number of pages taken last time.
    taken: usize,
}

/// The most pages that are taken at a time.
const STAGED_PAGES: usize = 8;

impl Staging {
    /// Memory of `len` bytes, whole pages, that can be written.
    fn take(&mut self, len: usize) -> io::Result<Reserved> {
        let page = page_size();
        if len != page {
            return Reserved::writable(len, 0);
        }
        let mut pages = match self.pages.take() {
            Some(pages) => pages,
            None => {
                self.taken = (2 * self.taken).clamp(1, STAGED_PAGES);
                Reserved::writable(self.taken * page, libc::MAP_POPULATE)?
            }
        };
        // The last page, so the pages in front of it stay one mapping.
        let last = pages.split_off_end(page);
        self.pages = (pages.len() > 0).then_some(pages);
        Ok(last)
    }
}

impl CodeRange {
    /// Reserves `len` bytes, a multiple of the page size. What is never written will hold `filler`.
    pub fn reserve(len: usize, filler: u8) -> io::Result<CodeRange> {
        Ok(CodeRange {
            reserved: Addresses::new(len)?,
            filler,
            backed: 0,
            staging: Staging::default(),
        })
    }

    /// The first address.
    pub fn start(&self) -> NonNull<u8> {
        self.reserved.start()
    }

    /// How many bytes are reserved.
    pub fn len(&self) -> usize {
        self.reserved.len()
    }

    /// Puts code `offset` bytes behind the start, all of it or, with an error, nothing.
    ///
    /// # Safety
    /// * The bytes lie within the range, and no code in use where they go. Other code in the same pages may be in use.
    /// * What was written before ends at or behind `offset`, or `offset` is within it: there are no gaps of whole pages.
    pub unsafe fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let page = page_size();
        let first = offset / page * page;
        let end = (offset + bytes.len()).next_multiple_of(page);
        let len = end - first;
        let kept = self.backed.saturating_sub(first).min(len);
        // SAFETY: the bytes, and so their first page, lie within the range, by the contract of this function.
        let live = unsafe { self.start().add(first) };
        let staging = self.staging.take(len)?;
        // SAFETY: `staging` is `len` bytes that nobody else knows; the range has memory behind its first `backed` bytes, which
        // can be read.
        unsafe {
            let to = staging.start().as_ptr();
            to.copy_from_nonoverlapping(live.as_ptr(), kept);
            to.add(kept).write_bytes(self.filler, len - kept);
            to.add(offset - first)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        // On failure the new pages are given back.
        // SAFETY: the staged pages are whole, our own, and complete. They equal the live pages, byte for byte except where no code is in
        // use. `&mut self` keeps other writers away.
        unsafe {
            make_executable(staging.start(), len)?;
            replace_pages(live, staging)?;
        }
        self.backed = self.backed.max(end);
        Ok(())
    }
}
