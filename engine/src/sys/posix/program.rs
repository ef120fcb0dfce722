//! The program's own code, mapped once more.

#[cfg(target_vendor = "apple")]
use super::apple::copy_from_file;
#[cfg(all(
    any(not(target_os = "linux"), feature = "posix"),
    not(target_vendor = "apple")
))]
use super::loaded::file_of;
use super::memory::{Reserved, make_executable, map, protect};
#[cfg(all(target_os = "linux", not(feature = "posix")))]
use crate::sys::linux::file_of;
#[cfg(not(target_vendor = "apple"))]
use std::os::fd::AsRawFd;
use std::ptr::NonNull;

/// A copy of pages of code of this program, and fresh memory `data_len` bytes long at `distance` behind it. `None` if the system
/// has no memory, or permits no such thing.
///
/// # Safety
/// * `code` points to `code_len` bytes of code of this program: whole pages, as are `distance` and `data_len`.
/// * At that distance the program has as much data, zero at first.
pub(crate) unsafe fn copy_code(
    code: *const u8,
    code_len: usize,
    distance: usize,
    data_len: usize,
) -> Option<NonNull<u8>> {
    // SAFETY: the contract of this function is that of `place`; the copier writes only to the range that `place` gives it.
    unsafe { place(code, code_len, distance, data_len, copy_in_memory) }
}

/// The same, but out of the file that the code was loaded from: a policy against making memory executable permits that.
///
/// # Safety
/// * As for [`copy_code`].
pub(crate) unsafe fn map_code(
    code: *const u8,
    code_len: usize,
    distance: usize,
    data_len: usize,
) -> Option<NonNull<u8>> {
    // SAFETY: the contract of this function is that of `place`; the copier writes only to the range that `place` gives it.
    unsafe { place(code, code_len, distance, data_len, copy_from_file) }
}

/// # Safety
/// * As for [`copy_code`]. `copy` puts code into a range that it is given.
unsafe fn place(
    code: *const u8,
    code_len: usize,
    distance: usize,
    data_len: usize,
    copy: unsafe fn(*const u8, NonNull<u8>, usize) -> bool,
) -> Option<NonNull<u8>> {
    let reserved = Reserved::new(distance + data_len).ok()?;
    let start = reserved.start();
    // SAFETY: what follows replaces parts of the new mapping, or gives all of it back, and nobody else knows it.
    unsafe {
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let data = start.add(distance).as_ptr();
        map(data, data_len, writable, libc::MAP_FIXED).ok()?;
        if !copy(code, start, code_len) {
            return None;
        }
        let gap = start.add(code_len).as_ptr();
        libc::munmap(gap.cast(), distance - code_len);
    }
    Some(reserved.keep())
}

/// Copies the code's bytes, and makes the pages executable.
///
/// # Safety
/// * `to` is a range of the caller's, as long as the code.
unsafe fn copy_in_memory(code: *const u8, to: NonNull<u8>, len: usize) -> bool {
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: `to` is a range of the caller's, as long as the code, by the contract of this function.
    unsafe {
        if protect(to, len, writable).is_err() {
            return false;
        }
        to.as_ptr().copy_from_nonoverlapping(code, len);
        make_executable(to, len).is_ok()
    }
}

/// Maps the code from the file that it was loaded from.
///
/// # Safety
/// * `to` is a range of the caller's, as long as the code.
#[cfg(not(target_vendor = "apple"))]
unsafe fn copy_from_file(code: *const u8, to: NonNull<u8>, len: usize) -> bool {
    let Some((file, offset)) = file_of(code as usize, len) else {
        return false;
    };
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let to = to.as_ptr();
    // SAFETY: `to` is a range of the caller's, as long as the code, by the contract of this function. Comparing the bytes tells whether the
    // file is still the one that was loaded.
    unsafe {
        let mapped = libc::mmap(to.cast(), len, protection, flags, file.as_raw_fd(), offset);
        mapped != libc::MAP_FAILED
            && std::slice::from_raw_parts(to, len) == std::slice::from_raw_parts(code, len)
    }
}
