//! What is Linux's own: live pages that are exchanged for others, and fences that reach all threads.

mod program;
#[cfg(target_arch = "x86_64")]
mod range;

pub(super) use program::file_of;
#[cfg(target_arch = "x86_64")]
pub(crate) use range::{UnwindEntry, find_unwinder, place_block};

#[cfg(not(target_arch = "x86_64"))]
use super::posix::Reserved;
use super::posix::{page_size, sync_icache_here};
use memmap2::{Mmap, MmapOptions};
#[cfg(target_arch = "x86_64")]
use range::Reserved;
use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;

/// What is published begins at multiples of this: functions may lie in the same page.
pub(crate) const fn code_grain() -> usize {
    1
}

/// Addresses that are reserved for code, and pages for some of them.
///
/// To write, pages are copied, completed and made executable elsewhere, and then exchanged for the live ones in one step
/// ([`replace_pages`]). Every page is private, so a fork() leaves parent and child each with code of their own.
pub(crate) struct CodeRange {
    reserved: Reserved,
    filler: u8,
    /// Bytes that have memory behind them, a multiple of the page size.
    backed: usize,
}

impl CodeRange {
    /// Reserves `len` bytes, a multiple of the page size. What is never written will hold `filler`.
    pub fn reserve(len: usize, filler: u8) -> io::Result<CodeRange> {
        Ok(CodeRange {
            reserved: Reserved::new(len)?,
            filler,
            backed: 0,
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
        // SAFETY: the caller's offset lies within the range.
        let live = unsafe { self.start().add(first) };
        let mut staging = MmapOptions::new().len(len).map_anon()?;
        staging[kept..].fill(self.filler);
        // SAFETY: the range has memory behind its first `backed` bytes, which can be read.
        let old = unsafe { std::slice::from_raw_parts(live.as_ptr(), kept) };
        staging[..kept].copy_from_slice(old);
        staging[offset - first..][..bytes.len()].copy_from_slice(bytes);
        sync_icache(&staging);
        // Whatever fails gives the new pages back.
        let staging = staging.make_exec()?;
        // SAFETY: a copy of the live pages, byte for byte but for those that are no code in use. `&mut self` keeps other writers
        // away.
        unsafe { replace_pages(live, staging)? };
        self.backed = self.backed.max(end);
        Ok(())
    }
}

/// Puts the pages of `from` in the place of those at `to`, in one step: a thread that executes in the old pages goes on
/// in the new ones.
///
/// The kernel takes the old pages out and puts the new ones in under the same lock that a page fault waits for, so
/// no thread ever sees the gap.
///
/// # Errors
/// The system's, when it has no memory for its own tables; nothing is changed then. It asks for all that it may be refused
/// before it takes the old pages out.
///
/// # Safety
/// * `from` is executable, and holds every byte of `to` that is code in use.
/// * `to` is a range of whole pages within one [`CodeRange`], of the same length.
/// * No other thread moves pages to `to` at the same time.
unsafe fn replace_pages(to: NonNull<u8>, from: Mmap) -> io::Result<()> {
    let len = from.len();
    let start = from.as_ptr().cast_mut().cast::<c_void>();
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller owns both ranges.
    let moved = unsafe { libc::mremap(start, len, len, flags, to.as_ptr().cast::<c_void>()) };
    if moved == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // The pages are no longer where this would unmap them.
    std::mem::forget(from);
    // SAFETY: the pages have just been put there.
    sync_icache(unsafe { std::slice::from_raw_parts(to.as_ptr(), len) });
    Ok(())
}

/// Makes the instruction side of every processor see what was written: its caches, and what it has fetched ahead.
///
/// On x86-64 both follow the data side by themselves.
pub fn sync_icache(bytes: &[u8]) {
    sync_icache_here(bytes);
    // The other processors, where the kernel can reach them. Where it cannot, they get there with their next interrupt.
    #[cfg(target_arch = "aarch64")]
    let _ = membarrier(PRIVATE_EXPEDITED_SYNC_CORE, REGISTER_SYNC_CORE);
}

/// Whether [`fence_all_threads`] reaches other threads here. Where it does not, each thread fences for itself.
pub(crate) const FENCES_ALL_THREADS: bool = true;

/// Makes every running thread of this process pass a full memory fence before this returns, so that plain stores which they did
/// before are seen here. False where the system cannot do that.
pub(crate) fn fence_all_threads() -> bool {
    membarrier(PRIVATE_EXPEDITED, REGISTER_PRIVATE_EXPEDITED)
}

// linux/membarrier.h
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
#[cfg(target_arch = "aarch64")]
const PRIVATE_EXPEDITED_SYNC_CORE: libc::c_int = 1 << 5;
#[cfg(target_arch = "aarch64")]
const REGISTER_SYNC_CORE: libc::c_int = 1 << 6;

/// Has the kernel do something to all running threads of this process, after a registration if it asks for one.
fn membarrier(command: libc::c_int, registration: libc::c_int) -> bool {
    let call = |command: libc::c_int| {
        // SAFETY: the call touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    };
    call(command) || (call(registration) && call(command))
}
