//! Linux, and what it has in common with other Unix systems.

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

/// Reserves addresses for code, without memory behind them; `len` is a multiple of the page size. They are never given back.
pub(crate) fn reserve(len: usize) -> io::Result<NonNull<u8>> {
    map(len, libc::PROT_NONE)
}

/// Fresh zeroed memory that can be written; `len` is a multiple of the page size.
pub(crate) fn allocate(len: usize) -> io::Result<NonNull<u8>> {
    map(len, libc::PROT_READ | libc::PROT_WRITE)
}

fn map(len: usize, protection: i32) -> io::Result<NonNull<u8>> {
    // Private: what a child of fork() writes is its own, and so is what the parent writes.
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
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
/// * `start` and `len` are those of one call of [`allocate`], whose memory nothing uses any more.
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
/// * The range consists of whole pages from [`allocate`] which nothing will write again.
pub(crate) unsafe fn make_executable(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the caller vouches for the range.
    let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), len) };
    synchronize_code(bytes);
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
/// * `from` is a whole range from [`allocate`], executable, and holds every byte of `to` that is code in use.
/// * `to` is a range of whole pages from [`reserve`] of the same length.
/// * No other thread moves pages to `to` at the same time.
#[cfg(target_os = "linux")]
pub(crate) unsafe fn replace_pages(
    to: NonNull<u8>,
    from: NonNull<u8>,
    len: usize,
) -> io::Result<()> {
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
    synchronize_code(unsafe { std::slice::from_raw_parts(to.as_ptr(), len) });
    Ok(())
}

/// Makes the instruction side of the processor see what was written. Nothing to do where its caches are coherent.
fn synchronize_code(_bytes: &[u8]) {
    #[cfg(not(target_arch = "x86_64"))]
    compile_error!("instruction caches of this architecture are not looked after yet");
}

// libgcc's, and libunwind's under the same names.
unsafe extern "C" {
    fn __register_frame(begin: *const u8);
    fn __deregister_frame(begin: *const u8);
}

/// Tells the unwinder about code. `eh_frame` ends with a zero word.
///
/// # Safety
/// * `eh_frame` describes code that is published, and stays where it is until [`unregister_unwind`].
pub(crate) unsafe fn register_unwind(eh_frame: &[u8]) {
    // SAFETY: the caller vouches for the section.
    unsafe { __register_frame(eh_frame.as_ptr()) }
}

/// Takes back [`register_unwind`].
///
/// # Safety
/// * The same section was registered, once.
/// * No thread executes the code it describes.
pub(crate) unsafe fn unregister_unwind(eh_frame: &[u8]) {
    // SAFETY: the caller vouches for the section.
    unsafe { __deregister_frame(eh_frame.as_ptr()) }
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

/// See [`around_fork`].
pub(crate) struct ForkHooks {
    pub before: fn(),
    pub after: fn(in_child: bool),
}

/// Makes every running thread of this process pass a full memory fence before this returns, so that plain stores which they did
/// before are seen here. False where the system cannot do that.
pub(crate) fn fence_all_threads() -> bool {
    // linux/membarrier.h
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;
    let membarrier = |command: libc::c_int| {
        // SAFETY: the call touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    };
    membarrier(PRIVATE_EXPEDITED)
        || (membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED))
}

/// A library that the loader has opened, closed when this is dropped.
#[derive(Debug)]
pub(crate) struct LoadedLibrary(libloading::os::unix::Library);

/// What the loader says when it fails: the system's error number, 0 where it gave none, and words.
pub(crate) struct LoaderError {
    pub code: i32,
    pub text: String,
}

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
