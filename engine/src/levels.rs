//! Locks for what is too frequent to block signals for.
//!
//! The levels are a few, and what they guard exists once for each. A signal handler that interrupts a thread which holds one takes another, and
//! so does a thread that finds one taken. Who holds one does not wait for another, and does without. So nobody waits for a thread that it has
//! interrupted itself, that waits for it, or that has jumped away.
//!
//! Beside them is one for what exists once, the cache. Who cannot get it does without.

use crate::thread::this_thread;
use std::cell::UnsafeCell;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many there are: so many signal handlers may interrupt each other.
pub(crate) const LEVELS: usize = 3;

/// The lock that is no level.
const CACHE: usize = LEVELS;

const LOCKS: usize = LEVELS + 1;

/// The threads that hold them, as [`this_thread`] names them; 0 for none.
static HOLDERS: [AtomicUsize; LOCKS] = [const { AtomicUsize::new(0) }; LOCKS];

/// Which of them are held on account of a fork.
static ACROSS_FORK: [AtomicUsize; LOCKS] = [const { AtomicUsize::new(0) }; LOCKS];

/// The proof that this thread holds a level.
#[derive(Debug)]
pub(crate) struct Level(usize);

impl Level {
    /// Which it is.
    pub fn index(&self) -> usize {
        self.0
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        HOLDERS[self.0].store(0, Ordering::Release);
    }
}

/// What became of an attempt.
fn try_hold(holder: &AtomicUsize, me: usize) -> Result<usize, usize> {
    holder.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed)
}

/// Takes a level that is free, and waits for one if this thread holds none. `None` if it does: it would wait for threads that may wait for it,
/// each in a handler that has interrupted it.
#[inline]
pub(crate) fn hold() -> Option<Level> {
    let me = this_thread();
    match try_hold(&HOLDERS[0], me) {
        Ok(_) => Some(Level(0)),
        Err(_) => hold_another(me),
    }
}

#[cold]
fn hold_another(me: usize) -> Option<Level> {
    loop {
        let mut has_one = false;
        for (index, holder) in HOLDERS[..LEVELS].iter().enumerate() {
            match try_hold(holder, me) {
                Ok(_) => return Some(Level(index)),
                Err(other) => has_one |= other == me,
            }
        }
        if has_one {
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

/// How often another thread is given the processor before it counts as one that has jumped away.
const PATIENCE: usize = 10_000;

/// Takes the cache's lock. `None` if this thread holds it already, or another one has for long.
#[inline]
pub(crate) fn hold_cache() -> Option<CacheHeld> {
    let me = this_thread();
    for _ in 0..PATIENCE {
        match try_hold(&HOLDERS[CACHE], me) {
            Ok(_) => return Some(CacheHeld(())),
            Err(other) if other == me => return None,
            Err(_) => thread::yield_now(),
        }
    }
    None
}

/// Takes all of these locks ahead of a fork, but for those that this thread holds itself: it is forking in a signal handler, and goes on with its
/// work in both processes.
pub(crate) fn hold_all() {
    let me = this_thread();
    for (holder, across) in HOLDERS.iter().zip(&ACROSS_FORK) {
        loop {
            match try_hold(holder, me) {
                Ok(_) => break across.store(1, Ordering::Relaxed),
                Err(other) if other == me => break,
                Err(_) => thread::yield_now(),
            }
        }
    }
}

/// Gives back what [`hold_all`] has taken.
pub(crate) fn release_all() {
    for (holder, across) in HOLDERS.iter().zip(&ACROSS_FORK) {
        if across.swap(0, Ordering::Relaxed) == 1 {
            holder.store(0, Ordering::Release);
        }
    }
}
