//! The one lock of the process, and what lies behind it.
//!
//! Code memory, thunks, the cache and the list of threads change together and rarely: when a signature is seen for the
//! first time, when a callback is made or freed. No call of a C function and no callback takes the lock.
//! Nothing foreign runs while it is held, so a fork() can wait for it: the child then finds everything whole.

use crate::activity::Registered;
use crate::code::Arena;
use crate::compile::{Cache, Compiled};
use crate::generic::thunks::Pool;
use crate::known::Known;
use crate::object::Objects;
use crate::sys;
use crate::thunk::Thunks;
use farcall_arch::Signature;
use std::any::Any;
use std::cell::UnsafeCell;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(crate) struct Runtime {
    pub arena: Arena,
    pub thunks: Thunks,
    /// The program's own thunks.
    pub pool: Pool,
    pub signatures: Cache<Signature, Compiled>,
    pub texts: Cache<Box<[u8]>, Known>,
    pub objects: Objects,
    /// What each thread that ever used farcall is doing.
    pub threads: Vec<Registered>,
    /// What nobody refers to any more, but a thread may still be inside.
    pub retired: Vec<Box<dyn Any + Send>>,
}

static RUNTIME: LazyLock<Mutex<Runtime>> = LazyLock::new(|| {
    sys::around_fork(&sys::ForkHooks {
        before: before_fork,
        after: after_fork,
    });
    Mutex::default()
});

/// Makes it all ahead of `main()`, or as the library is loaded: what another thread is just making when one forks stays half made in the
/// child, and the hooks against that are part of it.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn make() {
        LazyLock::force(&RUNTIME);
    }
    make
};

/// Everything, for as long as the guard lives. The guard must be gone before foreign code runs, destructors included.
pub(crate) fn lock() -> MutexGuard<'static, Runtime> {
    // A panic while the lock is held leaves nothing half done that a later user would trip over: every change of state is
    // one assignment at the end.
    RUNTIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` while no other thread runs any of this, or makes code or thunks, and no fork happens.
///
/// `work` must neither call foreign code nor anything that comes here again.
pub fn exclusively<T>(work: impl FnOnce() -> T) -> T {
    let _guard = lock();
    work()
}

/// The guard of the thread that is forking.
struct HeldAcrossFork(UnsafeCell<Option<MutexGuard<'static, Runtime>>>);

// SAFETY: only the thread that holds the mutex touches the cell: it fills it after locking and empties it to unlock.
unsafe impl Sync for HeldAcrossFork {}

static HELD: HeldAcrossFork = HeldAcrossFork(UnsafeCell::new(None));

fn before_fork() {
    let guard = lock();
    // SAFETY: this thread holds the mutex.
    unsafe { *HELD.0.get() = Some(guard) };
}

fn after_fork(in_child: bool) {
    // SAFETY: this thread, or in the child its only copy, holds the mutex since before_fork.
    let guard = unsafe { (*HELD.0.get()).take() };
    if let (Some(mut runtime), true) = (guard, in_child) {
        // The other threads stayed with the parent.
        runtime.threads.retain(|thread| thread.is_current());
    }
}
