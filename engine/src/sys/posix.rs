//! The common part of Unix systems: fresh pages, the unwinder, forks, and the loader.
//!
//! Two things differ: how code gets into pages that are live already, and how threads are fenced. Linux has its own ways (`linux.rs`). The
//! others use [`pages`], which needs only mmap() and mprotect(); Macs with Apple's processors have a special kind of memory for code ([`apple`]).

#[cfg(target_vendor = "apple")]
mod apple;
mod clock;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))))]
mod debugger;
mod environment;
mod errno;
mod library;
mod linker_script;
#[cfg(all(
    any(not(target_os = "linux"), feature = "posix"),
    not(target_vendor = "apple")
))]
mod loaded;
pub(super) mod memory;
#[cfg(all(target_env = "musl", target_arch = "x86_64"))]
mod musl;
#[cfg(any(not(target_os = "linux"), feature = "posix"))]
mod pages;
#[cfg(target_os = "linux")]
pub(super) mod perf;
mod program;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))))]
mod registered;
mod signals;

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub(crate) use apple::{CodeRange, code_grain, place_block};
#[cfg(any(not(target_os = "linux"), feature = "posix"))]
pub use memory::sync_icache_here as sync_icache;
#[cfg(all(
    any(not(target_os = "linux"), feature = "posix"),
    not(all(target_os = "macos", target_arch = "aarch64"))
))]
pub(crate) use pages::{CodeRange, code_grain};
#[cfg(any(not(target_os = "linux"), feature = "posix"))]
pub(crate) use pages::{FENCES_ALL_THREADS, fence_all_threads};

pub(crate) use clock::monotonic_time;
pub(crate) use environment::environment;
pub(crate) use errno::keeping_errno;
pub use library::path_of;
pub(crate) use library::{DEFAULT_OPEN_FLAGS, LoadedLibrary};
pub(crate) use memory::page_size;
#[cfg(not(any(
    all(target_os = "macos", target_arch = "aarch64"),
    all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))
)))]
pub(crate) use memory::place_block;
#[cfg(target_os = "linux")]
pub(crate) use perf::{note_code, room_behind_code};
pub(crate) use program::{copy_code, map_code};
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix"))))]
pub(crate) use registered::{UnwindEntry, find_unwinder};
pub use signals::may_be_in_signal_handler;
pub(crate) use signals::note_signal_mask;

use super::face::{ForkHooks, THREAD_ENDS, ThreadEnd};
use farcall_arch::emit::Code;
use std::borrow::Cow;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The bytes to publish for `code`: on this system its own and no others.
pub(crate) fn with_unwind_data(code: &Code) -> Cow<'_, [u8]> {
    Cow::Borrowed(&code.bytes)
}

/// Has `before` run ahead of every fork() of this process, and `after` behind it, in the parent and in the child, where
/// `after` is told so. They run as often as this has been called, always with the same hooks.
#[inline(always)]
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
    // SAFETY: the three functions live as long as the program, or as the library that they are part of. Without memory for the hooks a
    // fork would go unguarded, as it would without this library.
    unsafe { at_fork(Some(prepare), Some(parent), Some(child)) };
}

/// A function that runs around forks.
type AtFork = Option<unsafe extern "C" fn()>;

/// `pthread_atfork()`. In glibc each program has its own copy of that function, at the end of its code, which does no more than this.
/// Running it would bring another page of the program into memory as it starts.
///
/// # Safety
/// * The functions live as long as the program, or as the library that they are part of.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[inline(always)]
unsafe fn at_fork(prepare: AtFork, parent: AtFork, child: AtFork) {
    unsafe extern "C" {
        // Part of glibc's binary interface, for programs' own pthread_atfork().
        fn __register_atfork(
            prepare: AtFork,
            parent: AtFork,
            child: AtFork,
            dso: *mut c_void,
        ) -> libc::c_int;
        /// Each program and each library has one.
        static __dso_handle: u8;
    }
    // SAFETY: the functions live as long as the program, or as the library that they are part of, by the contract of this function. The
    // address says whose they are, so that they go with that library.
    unsafe {
        __register_atfork(
            prepare,
            parent,
            child,
            (&raw const __dso_handle).cast_mut().cast(),
        )
    };
}

/// # Safety
/// * As above.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[inline(always)]
unsafe fn at_fork(prepare: AtFork, parent: AtFork, child: AtFork) {
    // SAFETY: the functions live as long as the program, by the contract of this function.
    unsafe { libc::pthread_atfork(prepare, parent, child) };
}

/// Writes to standard error, without a lock. If that is closed, nothing can be reported.
pub fn write_to_stderr(text: &[u8]) {
    // SAFETY: the bytes are there to be read.
    let write = || unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    let _ = keeping_errno(write);
}

/// Fresh memory that is zero, and never given back. A signal handler may ask for it.
pub(crate) fn fresh_memory(len: usize) -> Option<NonNull<u8>> {
    let rights = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a mapping at an address of the kernel's choice replaces nothing.
    unsafe { memory::map(ptr::null_mut(), len, rights, 0).ok() }
}

/// The signals that a thread had blocked before [`block_signals`].
pub(crate) struct SignalMask(libc::sigset_t);

/// Every signal that a program may block.
fn all_signals() -> libc::sigset_t {
    // SAFETY: the set is this function's own, and a set of C's may hold any bits.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        all
    }
}

/// Blocks all signals of this thread until the result is dropped, so no handler runs while it holds a lock.
///
/// This blocks and unblocks signals and never sets a whole mask: the C library may have blocked signals of its own, which it leaves out of
/// every set that it shows.
pub(crate) fn block_signals() -> SignalMask {
    let all = all_signals();
    // SAFETY: both sets are this function's own, and a set of C's may hold any bits.
    unsafe {
        let mut before: libc::sigset_t = std::mem::zeroed();
        signals::change_mask(libc::SIG_BLOCK, &all, &mut before);
        SignalMask(before)
    }
}

impl Drop for SignalMask {
    // Out of line, as it is long and ends in a system call.
    #[inline(never)]
    fn drop(&mut self) {
        const BYTES: usize = size_of::<libc::sigset_t>();
        let bytes = |set: &libc::sigset_t| {
            // SAFETY: a set of C's is BYTES bytes of bits, all of them initialised, one for each signal.
            unsafe { ptr::from_ref(set).cast::<[u8; BYTES]>().read() }
        };
        let (all, before) = (bytes(&all_signals()), bytes(&self.0));
        let others: [u8; BYTES] = std::array::from_fn(|byte| all[byte] & !before[byte]);
        // SAFETY: the set has all the bytes of one.
        unsafe { signals::change_mask(libc::SIG_UNBLOCK, others.as_ptr().cast(), ptr::null_mut()) };
    }
}

/// Whether a thread could be cancelled before [`hold_cancelling`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancelling(libc::c_int);

#[cfg(not(target_os = "android"))]
unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
}

/// PTHREAD_CANCEL_DISABLE.
#[cfg(not(any(target_vendor = "apple", target_os = "android")))]
const CANCEL_DISABLE: libc::c_int = 1;
#[cfg(target_vendor = "apple")]
const CANCEL_DISABLE: libc::c_int = 0;

/// Keeps this thread from being cancelled until [`let_cancelling`], if it may be cancelled at any instruction: that would unwind our
/// frames, perhaps by another unwinder than the one that knows them, and leave locks taken.
pub(crate) fn hold_cancelling() -> Cancelling {
    #[cfg(not(target_os = "android"))]
    let before = {
        let mut before = CANCEL_DISABLE;
        // SAFETY: there is such a state, and a place for the one before.
        unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut before) };
        before
    };
    // Android has no cancellation of threads.
    #[cfg(target_os = "android")]
    let before = 0;
    Cancelling(before)
}

/// Ends what [`hold_cancelling`] began. The thread may end here, so no frame of the callers' has anything to be dropped.
pub(crate) fn let_cancelling(before: Cancelling) {
    #[cfg(not(target_os = "android"))]
    {
        let mut unused = before.0;
        // SAFETY: the state is what hold_cancelling() was given.
        unsafe { pthread_setcancelstate(before.0, &mut unused) };
    }
    #[cfg(target_os = "android")]
    let _ = before.0;
}

/// Has `hook` run with `value` when this thread ends, behind the destructors of thread-local values. If the hook calls this again, it runs
/// once more. False where there is no memory for that. Nothing is allocated for the first keys of a process, so a signal handler may call this.
pub(crate) fn at_thread_end(
    whose: ThreadEnd,
    hook: extern "C" fn(*mut c_void),
    value: NonNull<c_void>,
) -> bool {
    /// The keys, plus 1.
    static KEYS: [AtomicUsize; THREAD_ENDS] = [const { AtomicUsize::new(0) }; THREAD_ENDS];
    let place = &KEYS[whose as usize];
    if place.load(Ordering::Acquire) == 0 {
        let mut key = 0;
        // SAFETY: the key's place is this function's own.
        if unsafe { libc::pthread_key_create(&mut key, Some(hook_of_key(whose, hook))) } != 0 {
            return false;
        }
        let new = key as usize + 1;
        let is_first = place.compare_exchange(0, new, Ordering::AcqRel, Ordering::Acquire);
        if is_first.is_err() {
            // SAFETY: nobody has seen this key.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
    let key = (place.load(Ordering::Acquire) - 1) as libc::pthread_key_t;
    // SAFETY: the key exists as long as the process.
    unsafe { libc::pthread_setspecific(key, value.as_ptr()) == 0 }
}

/// The same function, as the type that keys want.
#[cfg(not(all(target_env = "musl", target_arch = "x86_64")))]
fn hook_of_key(
    _: ThreadEnd,
    hook: extern "C" fn(*mut c_void),
) -> unsafe extern "C" fn(*mut c_void) {
    hook
}

#[cfg(all(target_env = "musl", target_arch = "x86_64"))]
use musl::hook_of_key;

/// The lowest address of the stack with `here` on it, which this thread is on, and the one behind the highest. `None` for a stack that the
/// system does not know. The range may be too small, but not too large.
pub(crate) fn stack_bounds(here: usize) -> Option<(usize, usize)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(bounds) = main_stack().filter(|(low, high)| (*low..*high).contains(&here)) {
        return Some(bounds);
    }
    thread_stack().filter(|(low, high)| (*low..*high).contains(&here))
}

/// The first thread's stack. Its high end holds the data that the kernel passes to a program. Below, nothing else lies within its limit, or
/// within the gap that the kernel keeps free at least. Unlike the C library's answer this needs no file and no memory.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn main_stack() -> Option<(usize, usize)> {
    /// The least gap below the stack that the kernel keeps mappings away from.
    const GAP: usize = 128 << 20;
    // SAFETY: neither has preconditions; the limit's place is this function's own.
    let (high, size) = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_STACK, &mut limit) != 0 {
            return None;
        }
        let high = libc::getauxval(libc::AT_RANDOM) as usize;
        (high, usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
    };
    (high != 0).then(|| (high.saturating_sub(size.min(GAP)), high))
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn thread_stack() -> Option<(usize, usize)> {
    // SAFETY: the attributes are this function's own: filled in, read, destroyed.
    unsafe {
        // The first thread gets here only where main_stack() did not know its stack.
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        #[cfg(target_os = "freebsd")]
        let filled = libc::pthread_attr_init(&mut attributes) == 0
            && libc::pthread_attr_get_np(libc::pthread_self(), &mut attributes) == 0;
        #[cfg(not(target_os = "freebsd"))]
        let filled = libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) == 0;
        if !filled {
            return None;
        }
        let (mut low, mut size) = (ptr::null_mut(), 0);
        let got = libc::pthread_attr_getstack(&attributes, &mut low, &mut size);
        libc::pthread_attr_destroy(&mut attributes);
        (got == 0).then(|| (low.addr(), low.addr() + size))
    }
}

#[cfg(target_vendor = "apple")]
fn thread_stack() -> Option<(usize, usize)> {
    // SAFETY: a thread may ask for its own stack.
    unsafe {
        let me = libc::pthread_self();
        let high = libc::pthread_get_stackaddr_np(me).addr();
        Some((high - libc::pthread_get_stacksize_np(me), high))
    }
}
