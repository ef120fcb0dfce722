//! Tells the profiler `perf` of generated code, where `FARCALL_PERF` asks for it.
//!
//! | value | file | use |
//! | --- | --- | --- |
//! | `1` | `/tmp/perf-PID.map`: a line for each piece of code, with address, size, and name | `perf report` reads it |
//! | `jitdump` | `/tmp/jit-PID.dump`: names, instructions, and how frames unwind | `perf inject --jit` reads it |
//!
//! The formats are those of Linux, `tools/perf/Documentation/jit-interface.txt` and `jitdump-specification.txt`.
//! All of this happens under the lock of the process.

#[cfg(feature = "jitdump")]
mod dump;

use super::environment;
use crate::label::{Label, Name};
use farcall_arch::emit::Code;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

/// What the environment asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Wish {
    Nothing = 1,
    Map = 2,
    #[cfg(feature = "jitdump")]
    Dump = 3,
}

/// Tells the profiler of pages that code is about to be moved to. It notices pages that become executable, but not pages that are moved. So
/// pages that hold no code yet are made executable; the others are already.
///
/// # Safety
/// * They are whole pages of a `CodeRange`, all code or about to be, and nobody writes to them.
#[inline(never)]
pub(crate) unsafe fn note_pages(start: NonNull<u8>, len: usize) {
    if wish() != Wish::Nothing {
        let rights = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: the pages are whole ones of a `CodeRange` that nobody writes to, by the contract of this function, so nobody loses a
        // right they use.
        unsafe { libc::mprotect(start.as_ptr().cast(), len, rights) };
    }
}

#[inline(never)]
fn wish() -> Wish {
    static WISH: AtomicU8 = AtomicU8::new(0);
    match WISH.load(Ordering::Relaxed) {
        1 => Wish::Nothing,
        2 => Wish::Map,
        #[cfg(feature = "jitdump")]
        3 => Wish::Dump,
        _ => {
            let wish = match environment(c"FARCALL_PERF") {
                Some(b"1") => Wish::Map,
                #[cfg(feature = "jitdump")]
                Some(b"jitdump") => Wish::Dump,
                _ => Wish::Nothing,
            };
            WISH.store(wish as u8, Ordering::Relaxed);
            wish
        }
    }
}

/// The number of bytes behind a function that are left free: perf puts its data on frames there, as part of the function.
pub(crate) fn room_behind_code() -> usize {
    #[cfg(feature = "jitdump")]
    if wish() == Wish::Dump {
        return dump::ROOM;
    }
    0
}

/// The file, or -1, and the process that it belongs to: a child of fork() has a file of its own.
static FILE: AtomicI32 = AtomicI32::new(-1);
static OWNER: AtomicI32 = AtomicI32::new(0);

/// Tells of code at `start`. Where nobody asked for it, this is one comparison.
///
/// # Safety
/// * The lock is held.
pub(crate) unsafe fn note_code(code: &Code, start: NonNull<u8>, label: &Label) {
    let wish = wish();
    if wish != Wish::Nothing {
        note(wish, code, start, label);
    }
}

#[cold]
#[inline(never)]
fn note(wish: Wish, code: &Code, start: NonNull<u8>, label: &Label) {
    let file = file(wish);
    if file < 0 {
        return;
    }
    let address = start.as_ptr().addr() as u64;
    #[cfg(feature = "jitdump")]
    if wish == Wish::Dump {
        return dump::note(file, code, address, label);
    }
    let mut line = Name::new();
    line.number(address, 16);
    line.push(" ");
    line.number(code.bytes.len() as u64, 16);
    line.push(" ");
    line.label(label);
    line.end();
    write(file, line.bytes());
}

/// This process's file, opened with the first code.
#[cold]
#[inline(never)]
fn file(wish: Wish) -> libc::c_int {
    // SAFETY: the function has no preconditions.
    let process = unsafe { libc::getpid() };
    if OWNER.swap(process, Ordering::Relaxed) != process {
        // The parent's file stays open: this process may have closed it, and its number may be another file's by now.
        FILE.store(open(wish, process), Ordering::Relaxed);
    }
    FILE.load(Ordering::Relaxed)
}

#[cold]
#[inline(never)]
fn open(wish: Wish, process: libc::pid_t) -> libc::c_int {
    let (before, behind) = match wish {
        #[cfg(feature = "jitdump")]
        Wish::Dump => ("/tmp/jit-", ".dump\0"),
        _ => ("/tmp/perf-", ".map\0"),
    };
    let mut path = Name::new();
    path.push(before);
    path.number(process as u64, 10);
    path.push(behind);
    let path = path.bytes().as_ptr().cast();
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // A file that is there already is an earlier process's. Files of other users can be neither removed nor opened.
    // SAFETY: the path ends with a zero byte.
    let file = unsafe {
        libc::unlink(path);
        libc::open(path, flags, 0o600)
    };
    #[cfg(feature = "jitdump")]
    if wish == Wish::Dump && file >= 0 {
        dump::begin(file, process);
    }
    file
}

/// Writes the bytes, or as many as there is room for.
#[cold]
#[inline(never)]
fn write(file: libc::c_int, bytes: &[u8]) {
    // SAFETY: the bytes are there to be read.
    unsafe { libc::write(file, bytes.as_ptr().cast(), bytes.len()) };
}
