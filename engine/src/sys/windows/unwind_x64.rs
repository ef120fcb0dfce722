//! Unwind information on x86-64: `UNWIND_INFO` behind the code.

use farcall_arch::emit::{Code, unwind};
use std::borrow::Cow;
use std::io;
use std::ptr::NonNull;
use windows_sys::Win32::System::Diagnostics::Debug::{
    IMAGE_RUNTIME_FUNCTION_ENTRY, IMAGE_RUNTIME_FUNCTION_ENTRY_0, RtlAddFunctionTable,
    RtlDeleteFunctionTable,
};

/// Where the unwind information of `code` lies, from its first byte.
fn unwind_offset(code: &Code) -> usize {
    code.bytes.len().next_multiple_of(4)
}

/// The bytes to publish for `code`: its own, and its unwind information, which must lie within 4 GiB of them.
pub(crate) fn with_unwind_data(code: &Code) -> Cow<'_, [u8]> {
    let Some(info) = unwind::unwind_info(code) else {
        return Cow::Borrowed(&code.bytes);
    };
    let mut bytes = code.bytes.clone();
    bytes.resize(unwind_offset(code), 0);
    bytes.extend_from_slice(&info);
    Cow::Owned(bytes)
}

/// The registration of one piece of code: a table with one function. `None` for code without a frame, which the system rightly takes for a
/// leaf function.
pub(crate) struct UnwindEntry(Option<Box<IMAGE_RUNTIME_FUNCTION_ENTRY>>);

impl std::fmt::Debug for UnwindEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UnwindEntry")
            .field(&self.0.is_some())
            .finish()
    }
}

impl UnwindEntry {
    /// Tells the unwinder about code.
    ///
    /// # Errors
    /// None here.
    ///
    /// # Safety
    /// * What [`with_unwind_data`] made of `code` is published at `start`, until [`UnwindEntry::unregister`].
    pub unsafe fn register(code: &Code, start: NonNull<u8>) -> io::Result<UnwindEntry> {
        if code.frame.is_empty() {
            return Ok(UnwindEntry(None));
        }
        let entry = Box::new(IMAGE_RUNTIME_FUNCTION_ENTRY {
            BeginAddress: 0,
            EndAddress: code.bytes.len() as u32,
            Anonymous: IMAGE_RUNTIME_FUNCTION_ENTRY_0 {
                UnwindInfoAddress: unwind_offset(code) as u32,
            },
        });
        // SAFETY: the table describes the code at its address and stays in place: the box's content does not move, and
        // unregister() comes before it is dropped, or it never is.
        unsafe { RtlAddFunctionTable(&*entry, 1, start.as_ptr() as u64) };
        Ok(UnwindEntry(Some(entry)))
    }

    /// Takes the registration back.
    ///
    /// # Safety
    /// * It is done once, and no thread executes the code.
    pub unsafe fn unregister(&self) {
        if let Some(entry) = &self.0 {
            // SAFETY: the table was registered and is taken away once, with no thread in its code, by the contract of this function.
            unsafe { RtlDeleteFunctionTable(&**entry) };
        }
    }
}
