//! Queries to the C library and the kernel. They go through farcall itself.

use std::ffi::c_void;
use std::path::PathBuf;

use farcall::{Library, Value};

/// `-1` as a pointer: the result of `mmap` on failure.
const FAILED: usize = usize::MAX;
const PAGE: usize = 4096;

// Linux's headers: sys/mman.h, linux/prctl.h, linux/auxvec.h, linux/membarrier.h.
const READ: i32 = 1;
const WRITE: i32 = 2;
const EXECUTE: i32 = 4;
const PRIVATE: i32 = 2;
const ANONYMOUS: i32 = 0x20;
const GET_MDWE: i32 = 66;
const AT_SECURE: u64 = 23;
const MEMBARRIER_QUERY: i32 = 0;

/// Calls a C function of this process. `None` if there is no such function, or it cannot be called.
fn call(prototype: &str, arguments: &[Value]) -> Option<Value> {
    // The numbers above are Linux's.
    if !cfg!(target_os = "linux") {
        return None;
    }
    // SAFETY: the functions below are the C library's, declared as in its headers, and their arguments are valid for them.
    unsafe {
        let function = Library::this().ok()?.function(prototype).ok()?;
        function.call(arguments).ok()
    }
}

fn integer(value: Value) -> Option<i64> {
    i64::try_from(value).ok()
}

/// Whether new pages can be mapped with these rights, at once or by a later change of rights.
fn maps(first: i32, then: Option<i32>) -> Option<bool> {
    let null: *mut c_void = std::ptr::null_mut();
    let flags = PRIVATE | ANONYMOUS;
    let map = "void *mmap(void *, size_t, int, int, int, long)";
    let arguments = [
        null.into(),
        PAGE.into(),
        first.into(),
        flags.into(),
        (-1).into(),
        0.into(),
    ];
    let page = <*mut c_void>::try_from(call(map, &arguments)?).ok()?;
    if page.addr() == FAILED {
        return Some(false);
    }
    let changed = then.map(|rights| {
        let arguments = [page.into(), PAGE.into(), rights.into()];
        call("int mprotect(void *, size_t, int)", &arguments).and_then(integer) == Some(0)
    });
    call("int munmap(void *, size_t)", &[page.into(), PAGE.into()])?;
    Some(changed.unwrap_or(true))
}

/// Whether pages that were written can be made executable.
pub fn makes_written_pages_executable() -> Option<bool> {
    maps(READ | WRITE, Some(READ | EXECUTE))
}

/// Whether pages can be writable and executable at once.
pub fn maps_writable_and_executable() -> Option<bool> {
    maps(READ | WRITE | EXECUTE, None)
}

/// The bits of `PR_GET_MDWE`; `None` if the kernel does not know it.
pub fn mdwe() -> Option<i64> {
    let zero = || Value::from(0_u64);
    let arguments = [GET_MDWE.into(), zero(), zero(), zero(), zero()];
    let prototype = "int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)";
    integer(call(prototype, &arguments)?).filter(|bits| *bits >= 0)
}

/// Whether the program was started with other rights than its user's.
pub fn is_secure() -> Option<bool> {
    let value = call(
        "unsigned long getauxval(unsigned long)",
        &[AT_SECURE.into()],
    )?;
    Some(integer(value)? != 0)
}

/// The memory barriers that the kernel's `membarrier` offers; `None` without it.
pub fn membarrier() -> Option<i64> {
    let number: i64 = if cfg!(target_arch = "x86_64") {
        324
    } else {
        283
    };
    let prototype = "long syscall(long, int, unsigned, int)";
    let arguments = [
        number.into(),
        MEMBARRIER_QUERY.into(),
        0_u32.into(),
        0.into(),
    ];
    integer(call(prototype, &arguments)?).filter(|mask| *mask >= 0)
}

/// The file that a symbol of this process is in.
pub fn file_of(library: &Library, symbol: &str) -> Option<PathBuf> {
    let address = library.addr(symbol).ok()?.addr();
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let parse = |text| usize::from_str_radix(text, 16).ok();
        range.is_some_and(|(start, end)| match (parse(start), parse(end)) {
            (Some(start), Some(end)) => (start..end).contains(&address),
            _ => false,
        })
    })?;
    let path = line.find('/').map(|at| &line[at..])?;
    Some(PathBuf::from(path))
}

/// The text that a function without arguments returns.
pub fn text(library: &Library, prototype: &str) -> Option<String> {
    // SAFETY: each use names a function that takes no arguments and returns the address of a constant string.
    let value = unsafe { library.function(prototype).ok()?.call(&[]).ok()? };
    let start = <*const std::ffi::c_char>::try_from(value).ok()?;
    if start.is_null() {
        return None;
    }
    // SAFETY: as above.
    let text = unsafe { std::ffi::CStr::from_ptr(start) };
    Some(text.to_string_lossy().into_owned())
}
