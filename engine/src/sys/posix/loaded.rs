//! The file that code of the program was loaded from, by the loader's list of what it has loaded.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A search for the file that some code is from, and its result.
struct Search {
    address: usize,
    len: usize,
    /// The file, and where in it the code begins.
    found: Option<(PathBuf, u64)>,
}

/// The file that `len` bytes at `address` are mapped from, and where in it they begin. The file at that path may have been replaced
/// meanwhile, but it is long enough.
pub(super) fn file_of(address: usize, len: usize) -> Option<(File, libc::off_t)> {
    let mut search = Search {
        address,
        len,
        found: None,
    };
    // SAFETY: look_into() takes what dl_iterate_phdr() hands on, and the search.
    unsafe { libc::dl_iterate_phdr(Some(look_into), (&raw mut search).cast()) };
    let (path, offset) = search.found?;
    let file = File::open(path).ok()?;
    let is_there = file.metadata().ok()?.len() >= offset + len as u64;
    is_there.then_some((file, offset as libc::off_t))
}

/// Looks for the code among the segments of one loaded file. Not 0 once it is found.
///
/// # Safety
/// * `info` is what dl_iterate_phdr() tells, and `search` a [`Search`].
unsafe extern "C" fn look_into(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    search: *mut c_void,
) -> c_int {
    // SAFETY: the loader gives valid information, with as many headers as it says, and hands on the `Search` that it was given: the
    // contract of this function.
    let (info, search, headers) = unsafe {
        let info = &*info;
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
        (info, &mut *search.cast::<Search>(), headers)
    };
    let loaded = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD);
    for header in loaded {
        let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        let inside = search.address.wrapping_sub(start);
        let end = inside.saturating_add(search.len);
        if end <= header.p_filesz as usize {
            // SAFETY: a name is there, and ends with a zero byte.
            let name = unsafe { path(info.dlpi_name) };
            search.found = name.map(|name| (name, header.p_offset + inside as u64));
            return 1;
        }
    }
    0
}

/// The file's path; the program itself has none in the list.
///
/// # Safety
/// * `name` is null or a string of C's.
unsafe fn path(name: *const libc::c_char) -> Option<PathBuf> {
    // SAFETY: `name` is not null here, so it is a string of C's, by the contract of this function.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) });
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Some(OsStr::from_bytes(name.to_bytes()).into()),
        None => std::env::current_exe().ok(),
    }
}
