//! Memory that ends right before an unmapped page.

use std::io;

/// A value at the end of a page that is followed by an unmapped one.
pub struct Page {
    #[cfg(unix)]
    start: *mut u8,
    #[cfg(not(unix))]
    words: Vec<u128>,
}

/// The size of both halves, in bytes: whole pages on every system.
const SIZE: usize = 1 << 16;

#[cfg(unix)]
mod unix {
    use super::{Page, SIZE, io};
    use std::cell::RefCell;

    thread_local! {
        /// Pages that are free again: making one takes two system calls.
        static FREE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
    }

    impl Page {
        /// A page of its own.
        ///
        /// # Errors
        /// When the system has no memory.
        pub fn new() -> io::Result<Page> {
            if let Some(start) = FREE.with_borrow_mut(Vec::pop) {
                return Ok(Page {
                    start: start as *mut u8,
                });
            }
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let none = std::ptr::null_mut();
            // SAFETY: a mapping of its own, which replaces none.
            let start = unsafe { libc::mmap(none, 2 * SIZE, libc::PROT_NONE, flags, -1, 0) };
            if start == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the first half of that mapping.
            match unsafe { libc::mprotect(start, SIZE, libc::PROT_READ | libc::PROT_WRITE) } {
                0 => Ok(Page {
                    start: start.cast(),
                }),
                _ => Err(io::Error::last_os_error()),
            }
        }

        pub(super) fn copy(&mut self, value: &[u8]) -> *const u8 {
            // SAFETY: the value ends where the first half of the mapping does.
            unsafe {
                let to = self.start.add(SIZE - value.len());
                std::ptr::copy_nonoverlapping(value.as_ptr(), to, value.len());
                to
            }
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            FREE.with_borrow_mut(|free| free.push(self.start as usize));
        }
    }
}

#[cfg(not(unix))]
impl Page {
    /// Memory on the heap here: reading too much goes unnoticed.
    ///
    /// # Errors
    /// Never.
    pub fn new() -> io::Result<Page> {
        Ok(Page {
            words: vec![0; SIZE / 64],
        })
    }

    fn copy(&mut self, value: &[u8]) -> *const u8 {
        let end = self.words.len() * 16;
        // SAFETY: the value ends where the words do.
        unsafe {
            let to = self.words.as_mut_ptr().cast::<u8>().add(end - value.len());
            std::ptr::copy_nonoverlapping(value.as_ptr(), to, value.len());
            to
        }
    }
}

impl Page {
    /// Puts a value there, whose size is a multiple of its alignment.
    pub fn at_the_end(&mut self, value: &[u8], align: usize) -> *const u8 {
        debug_assert!(value.len().is_multiple_of(align) && value.len() <= SIZE / 4);
        self.copy(value)
    }
}
