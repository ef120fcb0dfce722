//! The program's own code, mapped once more.

use super::make_executable;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::ptr::{self, NonNull};

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
    // SAFETY: the caller vouches for all of it.
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
    // SAFETY: the caller vouches for all of it.
    unsafe { place(code, code_len, distance, data_len, copy_from_file) }
}

/// # Safety
/// * As for [`copy_code`]. `copy` puts code into a range that it is given.
unsafe fn place(
    code: *const u8,
    code_len: usize,
    distance: usize,
    data_len: usize,
    copy: unsafe fn(*const u8, *mut u8, usize) -> bool,
) -> Option<NonNull<u8>> {
    let len = distance + data_len;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
    let start = unsafe { map(ptr::null_mut(), len, libc::PROT_NONE, 0)? };
    // SAFETY: what follows replaces parts of the new mapping, or gives them back, and nobody else knows it.
    unsafe {
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        let data = map(start.add(distance), data_len, writable, libc::MAP_FIXED);
        if data.is_none() || !copy(code, start, code_len) {
            libc::munmap(start.cast(), len);
            return None;
        }
        libc::munmap(start.add(code_len).cast(), distance - code_len);
    }
    NonNull::new(start)
}

/// Private memory: what a child of fork() writes is its own.
///
/// # Safety
/// * With MAP_FIXED among the flags, the range is the caller's.
unsafe fn map(at: *mut u8, len: usize, protection: i32, flags: i32) -> Option<*mut u8> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the caller vouches for the range.
    let start = unsafe { libc::mmap(at.cast(), len, protection, flags, -1, 0) };
    (start != libc::MAP_FAILED).then_some(start.cast())
}

/// Copies the code's bytes, and makes the pages executable.
///
/// # Safety
/// * `to` is a range of the caller's, as long as the code.
unsafe fn copy_in_memory(code: *const u8, to: *mut u8, len: usize) -> bool {
    // SAFETY: the caller vouches for both ranges.
    unsafe {
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        if map(to, len, writable, libc::MAP_FIXED).is_none() {
            return false;
        }
        to.copy_from_nonoverlapping(code, len);
        NonNull::new(to).is_some_and(|to| make_executable(to, len).is_ok())
    }
}

/// Maps the code from the file that it was loaded from.
///
/// # Safety
/// * `to` is a range of the caller's, as long as the code.
unsafe fn copy_from_file(code: *const u8, to: *mut u8, len: usize) -> bool {
    let Some((file, offset)) = file_of(code as usize, len) else {
        return false;
    };
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: the caller vouches for the ranges. Whether it is still the file that was loaded, its bytes tell.
    unsafe {
        let mapped = libc::mmap(to.cast(), len, protection, flags, file.as_raw_fd(), offset);
        mapped != libc::MAP_FAILED
            && std::slice::from_raw_parts(to, len) == std::slice::from_raw_parts(code, len)
    }
}

/// The file that `len` bytes at `address` are mapped from, and where in it they begin. It may be another by now than it was, but not so
/// short that there is nothing.
fn file_of(address: usize, len: usize) -> Option<(File, i64)> {
    let maps = std::fs::read("/proc/self/maps").ok()?;
    let mapping = maps
        .split(|byte| *byte == b'\n')
        .filter_map(Mapping::parse)
        .find(|mapping| mapping.start <= address && address + len <= mapping.end)?;
    let file = File::open(OsStr::from_bytes(mapping.path)).ok()?;
    let offset = mapping.offset + (address - mapping.start);
    let is_there = file.metadata().ok()?.len() >= (offset + len) as u64;
    is_there.then_some((file, offset as i64))
}

/// A line of `/proc/self/maps`.
struct Mapping<'a> {
    start: usize,
    end: usize,
    offset: usize,
    path: &'a [u8],
}

impl<'a> Mapping<'a> {
    fn parse(line: &'a [u8]) -> Option<Mapping<'a>> {
        // start-end rights offset device inode, and the path behind some spaces.
        let mut fields = line.splitn(6, |byte| *byte == b' ');
        let number =
            |field: &[u8]| usize::from_str_radix(std::str::from_utf8(field).ok()?, 16).ok();
        let (start, end) = {
            let range = fields.next()?;
            let dash = range.iter().position(|byte| *byte == b'-')?;
            (number(&range[..dash])?, number(&range[dash + 1..])?)
        };
        let offset = number(fields.nth(1)?)?;
        let path = fields.nth(2)?.trim_ascii_start();
        Some(Mapping {
            start,
            end,
            offset,
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_the_memory_map_is_taken_apart() {
        let line = b"7f0010-7f2f10 r-xp 00001a40 fe:00 1234    /a path/lib.so (deleted)";
        let mapping = Mapping::parse(line).expect("the kernel writes such lines");
        assert_eq!((mapping.start, mapping.end), (0x7f0010, 0x7f2f10));
        assert_eq!(mapping.offset, 0x1a40);
        assert_eq!(mapping.path, b"/a path/lib.so (deleted)");
        assert!(Mapping::parse(b"7f0010-7f2f10 rw-p 00000000 00:00 0 ").is_some());
    }
}
