//! Strings that C passes.

use crate::report::Failure;
use std::ffi::{CStr, OsStr, c_char};

/// The bytes as text, if they are UTF-8. Nearly all texts are short and ASCII, which is faster to check.
fn utf8(bytes: &[u8]) -> Option<&str> {
    match bytes.iter().all(u8::is_ascii) {
        // SAFETY: ASCII is UTF-8.
        true => Some(unsafe { std::str::from_utf8_unchecked(bytes) }),
        false => std::str::from_utf8(bytes).ok(),
    }
}

/// A UTF-8 string that C passes by address and length.
///
/// # Safety
/// * `start` points to `len` bytes that do not change while the result is in use.
pub unsafe fn text<'a>(start: *const c_char, len: usize) -> Result<&'a str, Failure> {
    // SAFETY: `start` points to `len` bytes that do not change meanwhile, by the contract of this function.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), len) };
    utf8(bytes)
        .ok_or_else(|| Failure::wrong_type("expected type codes, got bytes that are not UTF-8"))
}

/// A NUL-terminated UTF-8 string.
///
/// # Safety
/// * `start` points to a NUL-terminated string, which does not change while the result is in use.
pub unsafe fn c_text<'a>(start: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: `start` points to a NUL-terminated string that does not change meanwhile, by the contract of this function.
    let string = unsafe { CStr::from_ptr(start) };
    utf8(string.to_bytes()).ok_or_else(|| Failure::value("expected a name in UTF-8"))
}

/// A NUL-terminated path, in the system's encoding.
///
/// # Safety
/// * As for [`c_text`].
pub unsafe fn c_path<'a>(start: *const c_char) -> Result<&'a OsStr, Failure> {
    // SAFETY: `start` points to a NUL-terminated string that does not change meanwhile, by the contract of this function.
    let path = unsafe { CStr::from_ptr(start) };
    farcall_engine::path_of(path.to_bytes())
        .ok_or_else(|| Failure::value("expected a path in UTF-8"))
}
