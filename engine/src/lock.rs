//! The one lock of the process, as a token that is passed.
//!
//! Data that changes rarely (code memory, thunks, the cache, the list of threads) belongs to the file that it is about, as a [`Guarded`]
//! static. It is reached only with a [`Held`], which exists only while its thread holds the lock. No call of a C function and no callback takes it.
//!
//! Nothing foreign runs while it is held, destructors of users' values included. So `fork()` can wait for it: the child then
//! finds everything whole. No signal handler runs either on the thread that holds it, so a handler may take it.

use crate::epoch::frames;
use crate::levels;
use crate::sys;
use crate::thread::this_thread;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The proof that this thread holds the lock.
pub(crate) struct Held(());

/// A value that is reached only while the lock is held.
pub struct Guarded<T>(UnsafeCell<T>);

// SAFETY: `get` wants a `&mut Held`, of which there is one at a time in the process.
unsafe impl<T: Send> Sync for Guarded<T> {}

impl<T> std::fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guarded(..)")
    }
}

impl<T> Guarded<T> {
    /// The value, behind the lock.
    pub const fn new(value: T) -> Guarded<T> {
        Guarded(UnsafeCell::new(value))
    }

    /// Does `work` with the value under the lock. `work` must neither call foreign code, destructors of users' values included, nor
    /// take the lock again.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(self.get(&mut lock()))
    }

    /// The value, for as long as the token is lent.
    pub(crate) fn get<'a>(&'a self, _: &'a mut Held) -> &'a mut T {
        // SAFETY: the only token is borrowed for as long as the result lives, so there is no second reference.
        unsafe { &mut *self.0.get() }
    }
}

/// The lock, held for as long as this lives. It must be gone before foreign code runs.
pub(crate) struct Lock {
    held: Held,
    // The fields are dropped in this order.
    _guard: MutexGuard<'static, ()>,
    _mask: sys::SignalMask,
}

impl Deref for Lock {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

impl DerefMut for Lock {
    fn deref_mut(&mut self) -> &mut Held {
        &mut self.held
    }
}

static MUTEX: Mutex<()> = Mutex::new(());

/// Takes the lock.
pub(crate) fn lock() -> Lock {
    watch_forks();
    let mask = sys::block_signals();
    Lock {
        held: Held(()),
        _mask: mask,
        // A panic under the lock leaves nothing half done that a later user would trip over: every change of state is one
        // assignment at the end.
        _guard: MUTEX.lock().unwrap_or_else(PoisonError::into_inner),
    }
}

/// Runs `work` while no other thread runs any of this, or makes code or thunks, and no fork happens.
///
/// `work` must neither call foreign code nor anything that takes the lock.
pub fn exclusively<T>(work: impl FnOnce() -> T) -> T {
    let _lock = lock();
    work()
}

/// Whether the fork hooks are in place.
static IS_WATCHING: AtomicBool = AtomicBool::new(false);

/// Puts the fork hooks in place as soon as the program or the library is loaded. A fork that has begun without them may copy the
/// process at any later moment, with the lock in another thread's hands.
#[cfg(unix)]
#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs")
)]
static AT_START: extern "C" fn() = {
    // In the section of code that runs once, as programs start: its page is in memory already. And this reads no variable that was never
    // written, for which the system would have to find a page twice.
    #[cfg_attr(target_os = "linux", unsafe(link_section = ".text.startup"))]
    extern "C" fn watch() {
        put_hooks_in_place();
    }
    watch
};

/// Puts the fork hooks in place, ahead of the first time that the lock is taken.
///
/// Nobody takes the lock before the hooks are there. So a fork that comes too early for them finds the lock free. Threads that get here
/// at the same time may each put them in place: the hooks count.
#[inline]
fn watch_forks() {
    if !IS_WATCHING.load(Ordering::Acquire) {
        put_hooks_in_place();
        // This reference makes linkers keep the hooks.
        #[cfg(unix)]
        std::hint::black_box(&AT_START);
    }
}

#[inline(always)]
fn put_hooks_in_place() {
    sys::around_fork(&sys::ForkHooks {
        before: before_fork,
        after: after_fork,
    });
    IS_WATCHING.store(true, Ordering::Release);
}

/// The lock of the thread that is forking, and how many of its hooks have run.
struct AcrossFork {
    guard: Option<(MutexGuard<'static, ()>, sys::SignalMask)>,
    levels: Option<levels::AcrossFork>,
    depth: usize,
}

// SAFETY: only the thread that is forking reaches the guard, and it is the one that took the lock.
unsafe impl Send for AcrossFork {}

static ACROSS_FORK: Guarded<AcrossFork> = Guarded::new(AcrossFork {
    guard: None,
    levels: None,
    depth: 0,
});

/// The thread that is forking, as [`this_thread`] names it; 0 if none is.
static FORKING: AtomicUsize = AtomicUsize::new(0);

/// How many forks lie between this process and the one that first took the lock.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

/// A number that differs in a child of `fork()`, where all other threads are gone.
pub(crate) fn generation() -> usize {
    GENERATION.load(Ordering::Relaxed)
}

fn before_fork() {
    let me = this_thread();
    let is_first = FORKING.load(Ordering::Relaxed) != me;
    let taken = is_first.then(|| {
        let mask = sys::block_signals();
        let levels = levels::hold_all();
        let guard = MUTEX.lock().unwrap_or_else(PoisonError::into_inner);
        ((guard, mask), levels)
    });
    FORKING.store(me, Ordering::Relaxed);
    // This thread holds the lock: since just now, or since this ran before in the course of the same fork.
    let mut held = Held(());
    let state = ACROSS_FORK.get(&mut held);
    state.depth += 1;
    if let Some((guard, levels)) = taken {
        state.guard = Some(guard);
        state.levels = Some(levels);
    }
}

fn after_fork(in_child: bool) {
    if FORKING.load(Ordering::Relaxed) != this_thread() {
        return;
    }
    // This thread, or in the child its only copy, holds the lock since before_fork().
    let mut held = Held(());
    let state = ACROSS_FORK.get(&mut held);
    state.depth -= 1;
    if state.depth > 0 {
        return;
    }
    FORKING.store(0, Ordering::Relaxed);
    if in_child {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        frames::forget_other_threads();
    }
    let guard = state.guard.take();
    if let Some(levels) = state.levels.take() {
        levels::release_all(levels, in_child);
    }
    drop(guard);
}
