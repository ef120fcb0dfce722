//! Registers code with the unwinder and with debuggers, for as long as the code lives.
//!
//! The unwinder takes a lock and searches its list. So this is for systems and processors where nothing can describe code before it is
//! made, as Linux x86-64 can (`linux/range.rs`).

use super::debugger;
use farcall_arch::emit::{Code, unwind};
use std::io;
use std::ptr::NonNull;

// libgcc's, and libunwind's under the same names.
unsafe extern "C" {
    fn __register_frame(begin: *const u8);
    fn __deregister_frame(begin: *const u8);
}

/// Finds the process's unwinder, before it is told of code under the lock: the drop-in libffi looks for it at the first use
/// (`libffi/shared/unwinder.c`), by opening a library. That runs foreign code, and waits for threads that open libraries.
pub(crate) fn find_unwinder() {
    /// A section that ends where it begins.
    static EMPTY: u32 = 0;
    // SAFETY: the section stays where it is. Nothing is remembered of an empty one.
    unsafe { __register_frame((&raw const EMPTY).cast()) }
}

/// The one description of a function (FDE) in a section, behind the common part (CIE).
///
/// libunwind wants just the FDE. libgcc wants a section, and takes one that begins with the FDE.
fn description(eh_frame: &[u8]) -> *const u8 {
    let (len, entries) = eh_frame.split_first_chunk().expect("a section has a CIE");
    entries[u32::from_le_bytes(*len) as usize..].as_ptr()
}

/// The registration of one piece of code: its `.eh_frame`, which the unwinder reads, and the debuggers' entry.
#[derive(Debug)]
pub(crate) struct UnwindEntry {
    eh_frame: Vec<u8>,
    debugger: Option<debugger::Entry>,
}

impl UnwindEntry {
    /// Tells the unwinder about code.
    ///
    /// # Errors
    /// [`io::ErrorKind::OutOfMemory`].
    ///
    /// # Safety
    /// * What [`super::with_unwind_data`] made of `code` is published at `start`, until [`UnwindEntry::unregister`].
    pub unsafe fn register(code: &Code, start: NonNull<u8>) -> io::Result<UnwindEntry> {
        let eh_frame = unwind::eh_frame(code, start.as_ptr() as u64);
        let eh_frame = eh_frame.map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: the section describes the code at its address, ends with a zero word, and stays in place: the list's content does not
        // move, and unregister() comes before it is dropped, or it never is.
        unsafe { __register_frame(description(&eh_frame)) }
        let debugger = debugger::Entry::register(code, start, &eh_frame);
        Ok(UnwindEntry { eh_frame, debugger })
    }

    /// Takes the registration back.
    ///
    /// # Safety
    /// * It is done once, and no thread executes the code.
    pub unsafe fn unregister(&self) {
        // SAFETY: the section was registered and is taken away once, with no thread in its code, by the contract of this function.
        unsafe { __deregister_frame(description(&self.eh_frame)) }
        if let Some(entry) = &self.debugger {
            entry.unregister();
        }
    }
}
