//! Unwind information on AArch64: none yet, so exceptions do not cross generated code.

use farcall_arch::emit::Code;
use std::borrow::Cow;
use std::io;
use std::ptr::NonNull;

/// The bytes to publish for `code`: its own.
pub(crate) fn with_unwind_data(code: &Code) -> Cow<'_, [u8]> {
    Cow::Borrowed(&code.bytes)
}

/// The registration of one piece of code.
#[derive(Debug)]
pub(crate) struct UnwindEntry;

impl UnwindEntry {
    /// Tells the unwinder about code.
    ///
    /// # Errors
    /// None here.
    ///
    /// # Safety
    /// * What [`with_unwind_data`] made of `code` is published at `start`, until [`UnwindEntry::unregister`].
    pub unsafe fn register(_: &Code, _start: NonNull<u8>) -> io::Result<UnwindEntry> {
        Ok(UnwindEntry)
    }

    /// Takes the registration back.
    ///
    /// # Safety
    /// * It is done once, and no thread executes the code.
    pub unsafe fn unregister(&self) {}
}
