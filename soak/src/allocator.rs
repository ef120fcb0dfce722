//! An allocator that signal handlers may use, so that they can make callbacks: no signal comes while its lock is held, and forks wait for
//! it. The C library's functions keep using the C library's own allocator.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// Blocks of 16 bytes and doubles of that.
const CLASSES: usize = 13;

/// The bytes that are taken from the system at a time.
const CHUNK: usize = 1 << 20;

struct Pool {
    free: [*mut u8; CLASSES],
    fresh: *mut u8,
    left: usize,
}

/// The allocator.
pub struct Allocator {
    is_held: AtomicBool,
    pool: UnsafeCell<Pool>,
}

// SAFETY: the pool is touched under the lock alone.
unsafe impl Sync for Allocator {}

#[cfg_attr(not(soak_sanitized), global_allocator)]
static ALLOCATOR: Allocator = Allocator {
    is_held: AtomicBool::new(false),
    pool: UnsafeCell::new(Pool {
        free: [ptr::null_mut(); CLASSES],
        fresh: ptr::null_mut(),
        left: 0,
    }),
};

/// The lock, with the signals that were blocked before.
pub struct Held(libc::sigset_t);

/// Takes the lock; no signal comes until it is given back.
pub fn hold() -> Held {
    // SAFETY: both sets are this function's own.
    let before = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    };
    while ALLOCATOR.is_held.swap(true, Ordering::Acquire) {
        // SAFETY: this has no preconditions.
        unsafe { libc::sched_yield() };
    }
    Held(before)
}

impl Drop for Held {
    fn drop(&mut self) {
        ALLOCATOR.is_held.store(false, Ordering::Release);
        // SAFETY: the set is what hold() was given.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}

fn pages(len: usize) -> *mut u8 {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, rights, flags, -1, 0) };
    match start == libc::MAP_FAILED {
        true => ptr::null_mut(),
        false => start.cast(),
    }
}

/// The class of a layout; `None` for a block with pages of its own.
fn class(layout: Layout) -> Option<usize> {
    let len = layout
        .size()
        .max(layout.align())
        .max(16)
        .next_power_of_two();
    let class = len.trailing_zeros() as usize - 4;
    (class < CLASSES).then_some(class)
}

static mut ACROSS_FORK: Option<Held> = None;

extern "C" fn before_fork() {
    let held = hold();
    // SAFETY: the lock is held.
    unsafe { ACROSS_FORK = Some(held) };
}

extern "C" fn after_fork() {
    // SAFETY: the lock is held since before_fork(); it is given back as the last thing.
    #[allow(static_mut_refs, reason = "the lock is held")]
    let held = unsafe { ACROSS_FORK.take() };
    drop(held);
}

/// Makes forks wait for the lock. The hook is registered before all others of this kind, so this lock is taken last: the others allocate
/// under their own locks.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static AT_START: extern "C" fn() = {
    extern "C" fn watch() {
        // SAFETY: the functions live as long as the program.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
    }
    watch
};

// SAFETY: blocks are of their class's size and alignment, being parts of chunks at multiples of it, and nobody's else.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout) else {
            return pages(layout.size());
        };
        let _held = hold();
        // SAFETY: the lock is held.
        let pool = unsafe { &mut *self.pool.get() };
        let block = pool.free[class];
        if !block.is_null() {
            // SAFETY: a free block begins with the next one's address.
            pool.free[class] = unsafe { block.cast::<*mut u8>().read() };
            return block;
        }
        let len = 16 << class;
        let skipped = (pool.fresh.addr().wrapping_neg()) & (len - 1);
        if pool.left < len + skipped {
            pool.fresh = pages(CHUNK);
            pool.left = if pool.fresh.is_null() { 0 } else { CHUNK };
            if pool.left == 0 {
                return ptr::null_mut();
            }
        } else {
            pool.fresh = pool.fresh.wrapping_add(skipped);
            pool.left -= skipped;
        }
        // Chunks begin at pages, so the block is aligned within its chunk.
        let skipped = (pool.fresh.addr().wrapping_neg()) & (len - 1);
        let block = pool.fresh.wrapping_add(skipped);
        pool.fresh = block.wrapping_add(len);
        pool.left -= skipped + len;
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(layout) else {
            // SAFETY: alloc() has mapped it.
            unsafe { libc::munmap(block.cast(), layout.size()) };
            return;
        };
        let _held = hold();
        // SAFETY: the lock is held, and the block is large enough for an address.
        unsafe {
            // Freed memory is overwritten, so that a use after the end shows.
            ptr::write_bytes(block, 0xdd, layout.size());
            let pool = &mut *self.pool.get();
            block.cast::<*mut u8>().write(pool.free[class]);
            pool.free[class] = block;
        }
    }
}
