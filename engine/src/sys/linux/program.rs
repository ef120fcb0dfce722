//! The file that code of the program was loaded from, by the kernel's own list of mappings.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

/// The file that `len` bytes at `address` are mapped from, and where in it they begin. It may be another by now than it was, but not so
/// short that there is nothing.
pub(crate) fn file_of(address: usize, len: usize) -> Option<(File, i64)> {
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
