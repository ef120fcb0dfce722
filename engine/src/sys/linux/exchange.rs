//! Exchanges live pages for others.

use super::fences::sync_icache;
use crate::sys::posix::memory::Reserved;
use crate::sys::posix::perf;
use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;

/// Puts the pages of `from` in the place of those at `to`, in one step: a thread that executes in the old pages goes on
/// in the new ones.
///
/// The kernel takes the old pages out and puts the new ones in under the same lock that a page fault waits for, so
/// no thread ever sees the gap.
///
/// # Errors
/// The system's, when it has no memory for its own tables; nothing is changed then. It asks for everything that may be refused before it
/// takes the old pages out.
///
/// # Safety
/// * `from` is executable, and holds every byte of `to` that is code in use.
/// * `to` is a range of whole pages within one `CodeRange`, of the same length.
/// * No other thread moves pages to `to` at the same time.
pub(super) unsafe fn replace_pages(to: NonNull<u8>, from: Reserved) -> io::Result<()> {
    let len = from.len();
    let start = from.start().as_ptr().cast::<c_void>();
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the pages at `to` are whole pages of a `CodeRange`, all code or about to be, and nobody writes to them.
    unsafe { perf::note_pages(to, len) };
    // SAFETY: both ranges are the caller's, and `from` holds all code of `to` that is in use, so a thread that executes there finds the
    // same bytes after the exchange: the contract of this function.
    let moved = unsafe { libc::mremap(start, len, len, flags, to.as_ptr().cast::<c_void>()) };
    if moved == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // The pages are no longer where this would unmap them.
    from.keep();
    // SAFETY: the pages have just been put there.
    sync_icache(unsafe { std::slice::from_raw_parts(to.as_ptr(), len) });
    Ok(())
}
