//! Locks for work that is too frequent to block signals for.
//!
//! There are a few levels, and each guards data of its own. A signal handler that interrupts the holder of one level takes another, and so
//! does a thread that finds a level taken. A thread that holds one never waits for another; it does without. So no thread waits for one
//! that it has interrupted itself, that waits for it, or that has jumped away.
//!
//! One more lock guards the cache, which exists once. A thread that cannot get it does without the cache.

use crate::sys;
use crate::thread::this_thread;
use std::cell::UnsafeCell;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// The number of levels, and of signal handlers that may interrupt each other.
pub(crate) const LEVELS: usize = 3;

/// The index of the cache's lock, behind the levels.
const CACHE: usize = LEVELS;

const LOCKS: usize = LEVELS + 1;

/// The threads that hold the locks, as [`this_thread`] names them; 0 for none.
static HOLDERS: [AtomicUsize; LOCKS] = [const { AtomicUsize::new(0) }; LOCKS];

/// Which locks are held by a thread that is forking in a signal handler. It gives them back some time after its fork, not before.
static INTERRUPTED: [AtomicBool; LOCKS] = [const { AtomicBool::new(false) }; LOCKS];

/// The holder of what another thread held, in a child of `fork()` where that thread is not. What it guards may be half done, for good.
const GONE: usize = usize::MAX;

/// The proof that this thread holds a level.
#[derive(Debug)]
pub(crate) struct Level(usize);

impl Level {
    /// The level's number.
    pub fn index(&self) -> usize {
        self.0
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        HOLDERS[self.0].store(0, Ordering::Release);
    }
}

/// Tries to take a lock that is free. The error is its holder.
fn try_hold(holder: &AtomicUsize, me: usize) -> Result<usize, usize> {
    holder.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed)
}

/// Takes a level that is free, and waits for one if this thread holds none. `None` if it holds one: it would wait for threads that may wait
/// for it, each in a handler that has interrupted it. `None` also if no thread is left that could give one back.
#[inline]
pub(crate) fn hold() -> Option<Level> {
    let me = this_thread();
    match try_hold(&HOLDERS[0], me) {
        Ok(_) => Some(Level(0)),
        Err(_) => hold_another(me),
    }
}

/// Takes this level if it is free.
#[inline]
pub(crate) fn hold_this(index: usize) -> Option<Level> {
    let holder = HOLDERS[..LEVELS].get(index)?;
    try_hold(holder, this_thread()).ok().map(|_| Level(index))
}

#[cold]
fn hold_another(me: usize) -> Option<Level> {
    loop {
        let (mut has_one, mut gone) = (false, 0);
        for (index, holder) in HOLDERS[..LEVELS].iter().enumerate() {
            match try_hold(holder, me) {
                Ok(_) => return Some(Level(index)),
                Err(other) => {
                    has_one |= other == me;
                    gone += usize::from(other == GONE);
                }
            }
        }
        if has_one || gone == LEVELS {
            return None;
        }
        hint::spin_loop();
        thread::yield_now();
    }
}

/// The proof that this thread holds the cache's lock.
#[derive(Debug)]
pub(crate) struct CacheHeld(());

impl Drop for CacheHeld {
    fn drop(&mut self) {
        HOLDERS[CACHE].store(0, Ordering::Release);
    }
}

/// A value that is reached only while the cache's lock is held.
#[derive(Debug)]
pub struct Cached<T>(UnsafeCell<T>);

// SAFETY: `get` wants a `&mut CacheHeld`, of which there is one at a time in the process.
unsafe impl<T: Send> Sync for Cached<T> {}

impl<T> Cached<T> {
    /// The value, behind that lock.
    pub const fn new(value: T) -> Cached<T> {
        Cached(UnsafeCell::new(value))
    }

    /// Does `work` with the value. `None` where the lock cannot be had: in a signal's handler that has interrupted its holder, for one.
    /// `work` must neither call foreign code, destructors of users' values included, nor take a lock.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut held = hold_cache()?;
        Some(work(self.get(&mut held)))
    }

    pub(crate) fn get<'a>(&'a self, _: &'a mut CacheHeld) -> &'a mut T {
        // SAFETY: the only token is borrowed for as long as the result lives.
        unsafe { &mut *self.0.get() }
    }
}

/// The number of times that another thread is given the processor before its lock counts as lost by a jump, and the longest that this may
/// take, in nanoseconds: on a busy machine each time is as long as the others' turns.
const PATIENCE: (usize, u64) = (10_000, 1_000_000_000);

/// What is left of the patience with a lock's holder.
struct Patience {
    turns: usize,
    since: Option<u64>,
}

impl Patience {
    const NEW: Patience = Patience {
        turns: 0,
        since: None,
    };

    /// Gives other threads the processor; false if that has been done for long enough.
    #[cold]
    #[inline(never)]
    fn wait(&mut self) -> bool {
        let now = sys::monotonic_time();
        let since = *self.since.get_or_insert(now);
        self.turns += 1;
        thread::yield_now();
        self.turns < PATIENCE.0 && now.saturating_sub(since) < PATIENCE.1
    }
}

/// Takes the cache's lock. `None` if this thread holds it already, or another one has for long.
#[inline]
pub(crate) fn hold_cache() -> Option<CacheHeld> {
    let me = this_thread();
    match try_hold(&HOLDERS[CACHE], me) {
        Ok(_) => Some(CacheHeld(())),
        Err(_) => wait_for_cache(me),
    }
}

#[cold]
#[inline(never)]
fn wait_for_cache(me: usize) -> Option<CacheHeld> {
    let mut patience = Patience::NEW;
    loop {
        match try_hold(&HOLDERS[CACHE], me) {
            Ok(_) => return Some(CacheHeld(())),
            Err(other) if other == me || other == GONE => return None,
            Err(_) if !patience.wait() => return None,
            Err(_) => {}
        }
    }
}

/// The state of a lock across a fork.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Across {
    /// Taken for the fork.
    Taken,
    /// This thread's own: it forks in a signal handler, and goes on with its work in both processes.
    Own,
    /// Another thread's, which is not in the child, and cannot be waited for.
    Others,
}

/// The states of all these locks across a fork.
#[derive(Debug)]
pub(crate) struct AcrossFork([Across; LOCKS]);

/// Takes all these locks ahead of a fork. It leaves out those that this thread holds itself, and those of other threads that have jumped
/// away, or are forking in a signal handler, too, and may wait for this one.
pub(crate) fn hold_all() -> AcrossFork {
    let me = this_thread();
    for (holder, interrupted) in HOLDERS.iter().zip(&INTERRUPTED) {
        if holder.load(Ordering::Relaxed) == me {
            interrupted.store(true, Ordering::Release);
        }
    }
    let mut across = [Across::Taken; LOCKS];
    for (index, across) in across.iter_mut().enumerate() {
        *across = hold_across_fork(index, me);
    }
    AcrossFork(across)
}

fn hold_across_fork(index: usize, me: usize) -> Across {
    let mut patience = Patience::NEW;
    loop {
        match try_hold(&HOLDERS[index], me) {
            Ok(_) => return Across::Taken,
            Err(other) if other == me => return Across::Own,
            Err(GONE) => return Across::Others,
            Err(_) if INTERRUPTED[index].load(Ordering::Acquire) => return Across::Others,
            Err(_) if !patience.wait() => return Across::Others,
            Err(_) => {}
        }
    }
}

/// Gives back what [`hold_all`] has taken. In the child other threads hold what they did for good.
pub(crate) fn release_all(across: AcrossFork, in_child: bool) {
    for (index, across) in across.0.into_iter().enumerate() {
        if in_child || across == Across::Own {
            INTERRUPTED[index].store(false, Ordering::Release);
        }
        match across {
            Across::Taken => HOLDERS[index].store(0, Ordering::Release),
            Across::Others if in_child => HOLDERS[index].store(GONE, Ordering::Relaxed),
            Across::Own | Across::Others => {}
        }
    }
}

// Not on AArch64, which runs in QEMU here: that ends by an assertion of its own (7.2) when several threads fork at once.
#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::{Callback, compile};
    use farcall_arch::{Signature, Type};
    use std::ffi::c_void;
    use std::ptr;
    use std::sync::Barrier;

    unsafe extern "C" fn noop(_: *mut c_void, _: *const u64) -> u64 {
        0
    }

    /// Makes and closes more callbacks than a closed thunk rests for.
    fn work(number: usize) -> bool {
        (0..3 * crate::thunk::REST).all(|_| {
            let signature = Signature::new(Type::F32, vec![Type::I64; number]);
            let Ok(Ok(compiled)) = signature.map(|signature| compile(signature, None)) else {
                return false;
            };
            // SAFETY: the handler takes any context.
            unsafe { Callback::new(compiled, noop, ptr::null_mut()) }.is_ok()
        })
    }

    /// Does `work` in a child. Whether it ended well; one that hangs is ended by the alarm.
    fn in_child(work: impl FnOnce() -> bool) -> bool {
        // SAFETY: the child does `work`, and ends here.
        unsafe {
            match libc::fork() {
                0 => {
                    libc::alarm(300);
                    libc::_exit(i32::from(!work()))
                }
                child => {
                    let mut status = 1;
                    libc::waitpid(child, &mut status, 0) == child && status == 0
                }
            }
        }
    }

    /// Whether a child and a child of its own do their work.
    fn fork_and_work() -> bool {
        in_child(|| in_child(|| work(1)) && work(2))
    }

    #[test]
    fn handlers_that_interrupted_the_holders_of_all_locks_fork_at_once_and_their_children_go_on() {
        // In a process of its own: tests beside this would wait for the locks.
        let fork_at_once = || {
            let all_hold = Barrier::new(LOCKS);
            let fork = || {
                all_hold.wait();
                let fine = fork_and_work();
                all_hold.wait();
                fine
            };
            std::thread::scope(|scope| {
                let holders = [(); LEVELS].map(|()| {
                    scope.spawn(|| {
                        let _level = hold();
                        fork()
                    })
                });
                let cache = scope.spawn(|| {
                    let _cache = hold_cache();
                    fork()
                });
                let ended = holders.map(|holder| holder.join().is_ok_and(|fine| fine));
                ended == [true; LEVELS] && cache.join().is_ok_and(|fine| fine) && work(9)
            })
        };
        for _ in 0..5 {
            assert!(in_child(fork_at_once));
        }
    }
}
