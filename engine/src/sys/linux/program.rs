//! The file that code of the program was loaded from, by the kernel's own list of mappings.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Bytes of the list that are looked at together. The kernel writes no longer line: a path has at most 4,096 bytes.
const WINDOW: usize = 8192;

/// The file that `len` bytes at `address` are mapped from, and where in it they begin. The file at that path may have been replaced
/// meanwhile, but it is long enough. This takes no memory.
pub(crate) fn file_of(address: usize, len: usize) -> Option<(OwnedFd, i64)> {
    let maps = open(b"/proc/self/maps")?;
    let mut window = [0; WINDOW];
    let mut filled = 0;
    loop {
        let more = read(&maps, &mut window[filled..])?;
        filled += more;
        let lines = window[..filled].iter().rposition(|byte| *byte == b'\n')? + 1;
        let found = window[..lines]
            .split(|byte| *byte == b'\n')
            .filter_map(Mapping::parse)
            .find(|mapping| mapping.start <= address && address + len <= mapping.end);
        if let Some(mapping) = found {
            return mapping.file(address, len);
        }
        if more == 0 {
            return None;
        }
        window.copy_within(lines..filled, 0);
        filled -= lines;
    }
}

/// Opens a file to be read. The standard library takes memory for a path that is long, and 4 kB of the program for files.
fn open(path: &[u8]) -> Option<OwnedFd> {
    let mut text = [0_u8; libc::PATH_MAX as usize];
    // The last byte stays zero.
    text.get_mut(..path.len())?.copy_from_slice(path);
    let path = CStr::from_bytes_until_nul(&text).ok()?;
    // SAFETY: the path ends with a zero byte, and the flags want no mode.
    let file = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    // SAFETY: it was opened the line before, and is nobody else's.
    (file >= 0).then(|| unsafe { OwnedFd::from_raw_fd(file) })
}

/// Reads as much as there is, up to the length of `buffer`.
fn read(file: &OwnedFd, buffer: &mut [u8]) -> Option<usize> {
    loop {
        // SAFETY: the buffer may be written, for as many bytes.
        let got = unsafe { libc::read(file.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        let was_interrupted =
            || std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR);
        if got >= 0 || !was_interrupted() {
            return usize::try_from(got).ok();
        }
    }
}

/// The length of a file, in bytes.
fn size(file: &OwnedFd) -> Option<u64> {
    // Not by `fstat`, which programs that are linked with glibc 2.33 or later do not find in an earlier one.
    // SAFETY: the function has no preconditions. Nobody uses the file's position.
    let end = unsafe { libc::lseek(file.as_raw_fd(), 0, libc::SEEK_END) };
    u64::try_from(end).ok()
}

/// A line of `/proc/self/maps`.
struct Mapping<'a> {
    start: usize,
    end: usize,
    offset: usize,
    path: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// The file, and where in it `len` bytes at `address` begin.
    fn file(&self, address: usize, len: usize) -> Option<(OwnedFd, i64)> {
        let file = open(self.path)?;
        let offset = self.offset + (address - self.start);
        let is_there = size(&file)? >= (offset + len) as u64;
        is_there.then_some((file, offset as i64))
    }

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
