//! Code by mmap() and mprotect() alone, for systems that cannot exchange live pages, and threads that fence themselves.
//!
//! Pages of code are completed before they are shown. Each publication has pages of its own: a page cannot be executed while it is
//! written, so nothing in it may be in use. The unused rest of each function's last page is the price.

#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
pub(crate) use range::{CodeRange, code_grain};

use std::sync::atomic::{Ordering, fence};

/// Whether [`fence_all_threads`] reaches other threads here. Where it does not, each thread fences for itself.
pub(crate) const FENCES_ALL_THREADS: bool = false;

/// Passes a full memory fence in this thread: stores that other threads made ahead of a fence of their own are seen here.
/// True: the system can always do that.
pub(crate) fn fence_all_threads() -> bool {
    fence(Ordering::SeqCst);
    true
}

#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
mod range {
    use crate::sys::posix::memory::{Reserved, make_executable, page_size, protect};
    use std::io;
    use std::ptr::NonNull;

    /// Published code begins at multiples of this, and has all bytes up to the next multiple for itself.
    pub(crate) fn code_grain() -> usize {
        page_size()
    }

    /// Addresses that are reserved for code, and pages for some of them.
    ///
    /// Every page is private, so a fork() leaves parent and child each with code of their own.
    pub(crate) struct CodeRange {
        reserved: Reserved,
        filler: u8,
    }

    impl CodeRange {
        /// Reserves `len` bytes, a multiple of the page size. What is never written will hold `filler`.
        pub fn reserve(len: usize, filler: u8) -> io::Result<CodeRange> {
            Ok(CodeRange {
                reserved: Reserved::new(len)?,
                filler,
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

        /// Puts code `offset` bytes behind the start, and fills its last page up. With an error there is no code there: the
        /// pages cannot be executed.
        ///
        /// # Safety
        /// * `offset` is a multiple of [`code_grain`]. The bytes lie within the range, and no code in use lies in their pages.
        pub unsafe fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
            let len = bytes.len().next_multiple_of(page_size());
            // SAFETY: the bytes lie within the range, by the contract of this function. Nobody executes in these pages, so nobody loses
            // a right, and `&mut self` keeps other writers away.
            unsafe {
                let start = self.start().add(offset);
                protect(start, len, libc::PROT_READ | libc::PROT_WRITE)?;
                let target = start.as_ptr();
                target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
                target
                    .add(bytes.len())
                    .write_bytes(self.filler, len - bytes.len());
                make_executable(start, len)
            }
        }
    }
}
