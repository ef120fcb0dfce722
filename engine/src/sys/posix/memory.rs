//! Fresh pages, and the rights of pages, as all Unix systems have them.

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

/// Reserved addresses, which belong to their owner alone.
///
/// They are private: what a child of fork() will write there is its own, and so is what the parent writes.
#[derive(Debug)]
pub(crate) struct Reserved {
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

    /// Fresh memory of `len` bytes, a multiple of the page size, that can be written. `flags` are further ones of mmap().
    #[cfg(all(target_os = "linux", not(feature = "posix")))]
    pub fn writable(len: usize, flags: libc::c_int) -> io::Result<Reserved> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe { map(ptr::null_mut(), len, protection, flags)? };
        Ok(Reserved { start, len })
    }

    /// Takes the last `len` bytes, whole pages, as a value of their own.
    #[cfg(all(target_os = "linux", not(feature = "posix")))]
    pub fn split_off_end(&mut self, len: usize) -> Reserved {
        assert!(len <= self.len);
        self.len -= len;
        // SAFETY: the address lies within the range.
        let start = unsafe { self.start.add(self.len) };
        Reserved { start, len }
    }

    /// Fresh memory of `len` bytes, a multiple of the page size, with these rights. `flags` are further ones of mmap().
    ///
    /// # Safety
    /// * MAP_FIXED is not among the flags.
    #[cfg(all(target_os = "macos", target_arch = "aarch64"))]
    pub unsafe fn mapped(
        len: usize,
        protection: libc::c_int,
        flags: libc::c_int,
    ) -> io::Result<Reserved> {
        // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
        let start = unsafe { map(ptr::null_mut(), len, protection, flags)? };
        Ok(Reserved { start, len })
    }

    /// The first address.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Keeps the addresses for good, with the memory that is behind them by now.
    pub fn keep(self) -> NonNull<u8> {
        let start = self.start;
        std::mem::forget(self);
        start
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.len == 0 {
            return;
        }
        // SAFETY: the addresses are this value's own. Unmapping what one mapping has made does not fail.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Maps fresh private memory, at `at` if there is MAP_FIXED among the flags.
///
/// # Safety
/// * With MAP_FIXED, the range is the caller's.
pub(crate) unsafe fn map(
    at: *mut u8,
    len: usize,
    protection: i32,
    flags: i32,
) -> io::Result<NonNull<u8>> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: a new range is nobody's; with MAP_FIXED the range is the caller's, by the contract of this function, so what is mapped
    // there may be replaced.
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
pub(crate) unsafe fn protect(start: NonNull<u8>, len: usize, protection: i32) -> io::Result<()> {
    // SAFETY: nobody uses a right that the pages lose, by the contract of this function.
    match unsafe { libc::mprotect(start.as_ptr().cast(), len, protection) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes written pages executable, and no longer writable.
///
/// # Errors
/// The system's, where a policy forbids it (`PR_SET_MDWE`, SELinux): the pages stay as they were.
///
/// # Safety
/// * The range consists of whole pages that can be read, and which nobody else writes.
pub(crate) unsafe fn make_executable(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: the range consists of pages that can be read and that nobody else writes, by the contract of this function.
    sync_icache_here(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) });
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
    assert!(code.len() <= code_len);
    let len = code_len + data_len;
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing. It is whole pages that nobody else knows, and the code is
    // no longer than its part.
    unsafe {
        let start = map(ptr::null_mut(), len, rights, 0)?;
        let block = Reserved { start, len };
        let to = block.start().as_ptr();
        to.copy_from_nonoverlapping(code.as_ptr(), code.len());
        make_executable(start, code_len)?;
        Ok(block.keep())
    }
}

/// Synchronises the instruction side of the processor with the written bytes: its caches, and the instructions that this core has fetched ahead.
///
/// On x86-64 both follow the data side by themselves. Where instruction caches are indexed by virtual addresses, code has to be
/// synchronised at each address: where it is put together, and again where it is executed.
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
