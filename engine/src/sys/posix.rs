//! What Unix systems have in common: fresh pages, the unwinder, forks, and the loader.
//!
//! Two things differ: how code gets into pages that are live already, and how threads are fenced. Linux has its own ways
//! (`linux.rs`). The others go by [`pages`], which needs mmap() and mprotect() and nothing else; Macs with Apple's
//! processors have memory for code of a kind of its own ([`apple`]).

#[cfg(target_vendor = "apple")]
mod apple;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))))]
mod debugger;
#[cfg(all(
    any(not(target_os = "linux"), feature = "posix"),
    not(target_vendor = "apple")
))]
mod loaded;
#[cfg(any(not(target_os = "linux"), feature = "posix"))]
mod pages;
mod program;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))))]
mod registered;

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub(crate) use apple::{CodeRange, code_grain, place_block};
#[cfg(all(
    any(not(target_os = "linux"), feature = "posix"),
    not(all(target_os = "macos", target_arch = "aarch64"))
))]
pub(crate) use pages::{CodeRange, code_grain};
#[cfg(any(not(target_os = "linux"), feature = "posix"))]
pub(crate) use pages::{FENCES_ALL_THREADS, fence_all_threads};
#[cfg(any(not(target_os = "linux"), feature = "posix"))]
pub use sync_icache_here as sync_icache;

pub(crate) use program::{copy_code, map_code};
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))))]
pub(crate) use registered::{UnwindEntry, find_unwinder};

use super::{ForkHooks, LoaderError};
use farcall_arch::emit::Code;
use memmap2::MmapOptions;
use std::borrow::Cow;
use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

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

/// Addresses of which nobody else has one, without memory behind them.
///
/// They are private: what a child of fork() will write there is its own, and so is what the parent writes.
#[derive(Debug)]
pub(super) struct Reserved {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: `start` is the address of a mapping that no thread owns.
unsafe impl Send for Reserved {}

impl Reserved {
    /// Reserves `len` bytes, a multiple of the page size.
    pub fn new(len: usize) -> io::Result<Reserved> {
        // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe { map(ptr::null_mut(), len, libc::PROT_NONE, 0)? };
        Ok(Reserved { start, len })
    }

    /// The first address.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// How many there are.
    #[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))))]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Has them stay for good, with what is behind them by now.
    pub fn keep(self) -> NonNull<u8> {
        let start = self.start;
        std::mem::forget(self);
        start
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY: the addresses are this value's own. Unmapping what one mapping has made does not fail.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Maps fresh private memory, at `at` if there is MAP_FIXED among the flags.
///
/// # Safety
/// * With MAP_FIXED, the range is the caller's.
unsafe fn map(at: *mut u8, len: usize, protection: i32, flags: i32) -> io::Result<NonNull<u8>> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: the caller vouches for the range.
    let start = unsafe { libc::mmap(at.cast(), len, protection, flags, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Gives whole pages these rights and no others. With an error they have those that they had.
///
/// # Safety
/// * Nobody uses a right that they lose.
unsafe fn protect(start: NonNull<u8>, len: usize, protection: i32) -> io::Result<()> {
    // SAFETY: the caller vouches for the range.
    match unsafe { libc::mprotect(start.as_ptr().cast(), len, protection) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes pages executable that were written, and writable no more.
///
/// # Errors
/// The system's, where a policy forbids it (`PR_SET_MDWE`, SELinux): the pages stay as they were.
///
/// # Safety
/// * The range consists of whole pages that can be read, and which nobody else writes.
unsafe fn make_executable(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller vouches for the range.
    super::sync_icache(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) });
    // SAFETY: as above; nobody writes there, so nobody loses a right they use.
    unsafe { protect(start, len, libc::PROT_READ | libc::PROT_EXEC) }
}

/// Fresh memory that begins with `code`, `code_len` bytes that can be executed, and goes on with `data_len` zeroed bytes that
/// can be written. Both are multiples of the page size. It is never given back.
///
/// # Errors
/// The system's, where it has no memory or a policy forbids it; nothing is left of it then.
#[cfg(not(all(target_os = "macos", target_arch = "aarch64")))]
pub(crate) fn place_block(
    code: &[u8],
    code_len: usize,
    data_len: usize,
) -> io::Result<NonNull<u8>> {
    let mut block = MmapOptions::new().len(code_len + data_len).map_anon()?;
    block[..code.len()].copy_from_slice(code);
    let start = NonNull::from(&mut block[..]).cast();
    // SAFETY: whole pages of a mapping that nobody else knows.
    unsafe { make_executable(start, code_len)? };
    std::mem::forget(block);
    Ok(start)
}

/// Makes the instruction side of the processor see what was written: its caches, and what this core has fetched ahead.
///
/// On x86-64 both follow the data side by themselves. Where instruction caches go by virtual addresses, code
/// has to be announced at each address it is seen at: while it is put together, and again where it goes.
#[cfg(target_arch = "x86_64")]
pub fn sync_icache_here(_bytes: &[u8]) {}

/// As above.
#[cfg(target_arch = "aarch64")]
pub fn sync_icache_here(bytes: &[u8]) {
    use dynasmrt::cache_control;
    // On Apple's systems it is sys_icache_invalidate().
    cache_control::synchronize_icache(bytes);
    cache_control::prepare_for_execution(bytes);
}

/// The bytes to publish for `code`: on this system its own and no others.
pub(crate) fn with_unwind_data(code: &Code) -> Cow<'_, [u8]> {
    Cow::Borrowed(&code.bytes)
}

/// Has `before` run ahead of every fork() of this process, and `after` behind it, in the parent and in the child, where
/// `after` is told so. They run as often as this has been called, always with the same hooks.
pub(crate) fn around_fork(hooks: &'static ForkHooks) {
    static HOOKS: AtomicPtr<ForkHooks> = AtomicPtr::new(ptr::null_mut());
    fn known() -> Option<&'static ForkHooks> {
        // SAFETY: nothing but a static value's address is stored there.
        unsafe { HOOKS.load(Ordering::Acquire).as_ref() }
    }
    extern "C" fn prepare() {
        if let Some(hooks) = known() {
            (hooks.before)();
        }
    }
    extern "C" fn parent() {
        if let Some(hooks) = known() {
            (hooks.after)(false);
        }
    }
    extern "C" fn child() {
        if let Some(hooks) = known() {
            (hooks.after)(true);
        }
    }
    HOOKS.store(ptr::from_ref(hooks).cast_mut(), Ordering::Release);
    // SAFETY: the three functions live as long as the program. Without memory for the hooks a fork would go
    // unguarded, as it would without this library.
    unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
}

fn clear_errno() {
    #[cfg(target_os = "android")]
    use libc::__errno as errno;
    #[cfg(not(any(target_vendor = "apple", target_os = "freebsd", target_os = "android")))]
    use libc::__errno_location as errno;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as errno;
    // SAFETY: errno is the thread's own.
    unsafe { *errno() = 0 };
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
        clear_errno();
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
