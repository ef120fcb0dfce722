//! Linux, and what it has in common with other Unix systems.

mod debugger;
mod program;

pub(crate) use program::{copy_code, map_code};

use super::{ForkHooks, LoaderError};
use farcall_arch::emit::{Code, unwind};
use std::borrow::Cow;
use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The size of a memory page, in bytes.
pub(crate) fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: sysconf has no preconditions.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Fresh zeroed memory that can be written; `len` is a multiple of the page size.
pub(crate) fn allocate(len: usize) -> io::Result<NonNull<u8>> {
    map(len, libc::PROT_READ | libc::PROT_WRITE)
}

/// The same, with all pages there at once.
fn allocate_at_once(len: usize) -> io::Result<NonNull<u8>> {
    map_with(len, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_POPULATE)
}

fn map(len: usize, protection: i32) -> io::Result<NonNull<u8>> {
    map_with(len, protection, 0)
}

fn map_with(len: usize, protection: i32, flags: i32) -> io::Result<NonNull<u8>> {
    // Private: what a child of fork() writes is its own, and so is what the parent writes.
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Gives memory back.
///
/// # Safety
/// * The range consists of whole pages from [`allocate`] or [`allocate_at_once`] that nothing uses any more.
pub(crate) unsafe fn release(start: NonNull<u8>, len: usize) {
    // SAFETY: the caller vouches for the range. Unmapping a whole mapping does not fail.
    unsafe { libc::munmap(start.as_ptr().cast(), len) };
}

/// Makes pages executable that were written, and writable no more.
///
/// # Errors
/// The system's, where a policy forbids it (`PR_SET_MDWE`, SELinux): the pages stay as they were.
///
/// # Safety
/// * The range consists of whole pages from [`allocate`] or [`allocate_at_once`] which nothing will write again.
pub(crate) unsafe fn make_executable(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller vouches for the range.
    let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), len) };
    sync_icache(bytes);
    // SAFETY: as above; nobody writes there, so nobody loses a right they use.
    match unsafe {
        libc::mprotect(
            start.as_ptr().cast(),
            len,
            libc::PROT_READ | libc::PROT_EXEC,
        )
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Addresses that are reserved for code, and pages for some of them. They are never given back.
///
/// To write, pages are copied, completed and made executable elsewhere, and then exchanged for the live ones in one step
/// ([`replace_pages`]). Every page is private, so a fork() leaves parent and child each with code of their own.
pub(crate) struct CodeRange {
    start: NonNull<u8>,
    len: usize,
    filler: u8,
    /// Bytes that have memory behind them, a multiple of the page size.
    backed: usize,
    staging: Staging,
}

/// Pages on which code is put together. Most code takes one, so they are taken from the system several at a time.
#[derive(Default)]
struct Staging {
    /// The first page of those that are left, from [`allocate_at_once`].
    start: Option<NonNull<u8>>,
    len: usize,
}

/// How many pages are taken at a time.
const STAGED_PAGES: usize = 8;

impl Staging {
    /// Memory of `len` bytes, which the caller has to give back.
    fn take(&mut self, len: usize) -> io::Result<NonNull<u8>> {
        let page = page_size();
        if len != page {
            return allocate(len);
        }
        let start = match self.start {
            Some(start) => start,
            None => {
                self.len = STAGED_PAGES * page;
                *self.start.insert(allocate_at_once(self.len)?)
            }
        };
        self.len -= page;
        if self.len == 0 {
            self.start = None;
        }
        // The last one: what is in front of it stays one mapping.
        // SAFETY: it lies within the mapping.
        Ok(unsafe { start.add(self.len) })
    }
}

// SAFETY: `start` is the address of a mapping that no thread owns; writing takes `&mut self`.
unsafe impl Send for CodeRange {}

impl CodeRange {
    /// Reserves `len` bytes, a multiple of the page size. What is never written will hold `filler`.
    pub fn reserve(len: usize, filler: u8) -> io::Result<CodeRange> {
        Ok(CodeRange {
            start: map(len, libc::PROT_NONE)?,
            len,
            filler,
            backed: 0,
            staging: Staging::default(),
        })
    }

    /// The first address.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many bytes are reserved.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Puts code `offset` bytes behind the start, all of it or, with an error, nothing.
    ///
    /// # Safety
    /// * The bytes lie within the range, and no code in use where they go. Other code in the same pages may be in use.
    /// * What was written before ends at or behind `offset`, or `offset` is within it: there are no gaps of whole pages.
    pub unsafe fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let page = page_size();
        let first = offset / page * page;
        let end = (offset + bytes.len()).next_multiple_of(page);
        let len = end - first;
        let kept = self.backed.saturating_sub(first).min(len);
        // SAFETY: the caller's offset lies within the range.
        let live = unsafe { self.start.add(first) };
        let staging = self.staging.take(len)?;
        // SAFETY: `staging` is `len` bytes that nobody else knows; the range has memory behind its first `backed` bytes, which
        // can be read.
        unsafe {
            let staging = staging.as_ptr();
            staging.copy_from_nonoverlapping(live.as_ptr(), kept);
            staging.add(kept).write_bytes(self.filler, len - kept);
            let target = staging.add(offset - first);
            target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        // SAFETY: whole pages of our own which are complete; and then a copy of the live pages, byte for byte but for
        // those that are no code in use. `&mut self` keeps other writers away.
        let placed = unsafe {
            make_executable(staging, len).and_then(|()| replace_pages(live, staging, len))
        };
        if let Err(error) = placed {
            // SAFETY: the pages were not moved.
            unsafe { release(staging, len) };
            return Err(error);
        }
        self.backed = self.backed.max(end);
        Ok(())
    }
}

/// Puts the pages at `from` in the place of those at `to`, in one step: a thread that executes in the old pages goes on
/// in the new ones.
///
/// The kernel takes the old pages out and puts the new ones in under the same lock that a page fault waits for, so
/// no thread ever sees the gap.
///
/// # Errors
/// The system's, when it has no memory for its own tables; nothing is changed then.
///
/// # Safety
/// * `from` is whole pages from [`allocate`] or [`allocate_at_once`], executable, and holds every byte of `to` that is code in use.
/// * `to` is a range of whole pages within one [`CodeRange`], of the same length.
/// * No other thread moves pages to `to` at the same time.
#[cfg(target_os = "linux")]
unsafe fn replace_pages(to: NonNull<u8>, from: NonNull<u8>, len: usize) -> io::Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller owns both ranges.
    let moved = unsafe {
        libc::mremap(
            from.as_ptr().cast(),
            len,
            len,
            flags,
            to.as_ptr().cast::<c_void>(),
        )
    };
    if moved == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the pages have just been put there.
    sync_icache(unsafe { std::slice::from_raw_parts(to.as_ptr(), len) });
    Ok(())
}

/// Makes the instruction side of every processor see what was written: its caches, and what it has fetched ahead.
///
/// On x86-64 both follow the data side by themselves. Where instruction caches go by virtual addresses, code
/// has to be announced at each address it is seen at: while it is put together, and again where it goes.
#[cfg(target_arch = "x86_64")]
pub fn sync_icache(_bytes: &[u8]) {}

/// As above.
#[cfg(target_arch = "aarch64")]
pub fn sync_icache(bytes: &[u8]) {
    use dynasmrt::cache_control;
    cache_control::synchronize_icache(bytes);
    cache_control::prepare_for_execution(bytes);
    // The other processors, where the kernel can reach them. Where it cannot, they get there with their next interrupt.
    let _ = membarrier(PRIVATE_EXPEDITED_SYNC_CORE, REGISTER_SYNC_CORE);
}

// libgcc's, and libunwind's under the same names.
unsafe extern "C" {
    fn __register_frame(begin: *const u8);
    fn __deregister_frame(begin: *const u8);
}

/// The bytes to publish for `code`: on this system its own and no others.
pub(crate) fn with_unwind_data(code: &Code) -> Cow<'_, [u8]> {
    Cow::Borrowed(&code.bytes)
}

/// What the unwinder has been told about one piece of code, its `.eh_frame`, and debuggers.
#[derive(Debug)]
pub(crate) struct UnwindEntry {
    eh_frame: Box<[u8]>,
    debugger: Option<debugger::Entry>,
}

impl UnwindEntry {
    /// Tells the unwinder about code.
    ///
    /// # Safety
    /// * What [`with_unwind_data`] made of `code` is published at `start`, until [`UnwindEntry::unregister`].
    pub unsafe fn register(code: &Code, start: NonNull<u8>) -> UnwindEntry {
        let eh_frame = unwind::eh_frame(code, start.as_ptr() as u64).into_boxed_slice();
        // SAFETY: the section describes the code at its address, ends with a zero word, and stays in place: the box's content does not
        // move, and unregister() comes before it is dropped, or it never is.
        unsafe { __register_frame(eh_frame.as_ptr()) }
        let debugger = debugger::Entry::register(code, start, &eh_frame);
        UnwindEntry { eh_frame, debugger }
    }

    /// Takes it back.
    ///
    /// # Safety
    /// * It is done once, and no thread executes the code.
    pub unsafe fn unregister(&self) {
        // SAFETY: the section was registered, and the caller vouches for the rest.
        unsafe { __deregister_frame(self.eh_frame.as_ptr()) }
        if let Some(entry) = &self.debugger {
            entry.unregister();
        }
    }
}

/// Has `before` run ahead of every fork() of this process, and `after` behind it, in the parent and in the child, where
/// `after` is told so.
pub(crate) fn around_fork(hooks: &'static ForkHooks) {
    static HOOKS: std::sync::OnceLock<&'static ForkHooks> = std::sync::OnceLock::new();
    extern "C" fn prepare() {
        if let Some(hooks) = HOOKS.get() {
            (hooks.before)();
        }
    }
    extern "C" fn parent() {
        if let Some(hooks) = HOOKS.get() {
            (hooks.after)(false);
        }
    }
    extern "C" fn child() {
        if let Some(hooks) = HOOKS.get() {
            (hooks.after)(true);
        }
    }
    if HOOKS.set(hooks).is_ok() {
        // SAFETY: the three functions live as long as the program. Without memory for the hooks a fork would go
        // unguarded, as it would without this library.
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    }
}

/// Whether [`fence_all_threads`] always works here. Where it does not, each thread fences for itself.
pub(crate) const FENCES_ALL_THREADS: bool = true;

/// Makes every running thread of this process pass a full memory fence before this returns, so that plain stores which they did
/// before are seen here. False where the system cannot do that.
pub(crate) fn fence_all_threads() -> bool {
    membarrier(PRIVATE_EXPEDITED, REGISTER_PRIVATE_EXPEDITED)
}

// linux/membarrier.h
const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
#[cfg(target_arch = "aarch64")]
const PRIVATE_EXPEDITED_SYNC_CORE: libc::c_int = 1 << 5;
#[cfg(target_arch = "aarch64")]
const REGISTER_SYNC_CORE: libc::c_int = 1 << 6;

/// Has the kernel do something to all running threads of this process, after a registration if it asks for one.
fn membarrier(command: libc::c_int, registration: libc::c_int) -> bool {
    let call = |command: libc::c_int| {
        // SAFETY: the call touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    };
    call(command) || (call(registration) && call(command))
}

/// A library that the loader has opened, closed when this is dropped.
#[derive(Debug)]
pub(crate) struct LoadedLibrary(libloading::os::unix::Library);

/// `RTLD_NOW | RTLD_LOCAL`: every symbol is resolved at once, and none is lent to other libraries.
pub(crate) const DEFAULT_OPEN_FLAGS: i32 = libc::RTLD_NOW | libc::RTLD_LOCAL;

impl LoadedLibrary {
    /// Opens a library by path or soname; the program itself without one.
    ///
    /// # Safety
    /// * The library's initialisers, which run now, and its finalisers, which run when it is dropped, are sound to run.
    pub unsafe fn open(path: Option<&str>, flags: i32) -> Result<LoadedLibrary, LoaderError> {
        // The loader need not set errno, so an old value must not be taken for its word.
        // SAFETY: errno is the thread's own.
        unsafe { *libc::__errno_location() = 0 };
        // SAFETY: the caller vouches for the initialisers.
        let opened = unsafe { libloading::os::unix::Library::open(path, flags) };
        let code = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        opened.map(LoadedLibrary).map_err(|error| LoaderError {
            code,
            text: error.to_string(),
        })
    }

    /// The address of a symbol, which may be null.
    pub fn symbol(&self, name: &str) -> Result<*mut c_void, LoaderError> {
        // SAFETY: only the address is asked for; what it is used as is the user's claim.
        let symbol = unsafe { self.0.get::<*mut c_void>(name.as_bytes()) };
        symbol
            .map(|symbol| symbol.into_raw())
            .map_err(|error| LoaderError {
                code: libc::ENOENT,
                text: error.to_string(),
            })
    }

    /// The loader's handle, for display.
    pub fn handle(self) -> (LoadedLibrary, *mut c_void) {
        let handle = self.0.into_raw();
        // SAFETY: the handle was given up the line before, and is not closed.
        (
            LoadedLibrary(unsafe { libloading::os::unix::Library::from_raw(handle) }),
            handle,
        )
    }
}
