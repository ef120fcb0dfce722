//! What embedders with books of their own say of their threads.
//!
//! An embedder, such as an interpreter, may mark its calls in a word of its own, and in machine code. That tells no more than whether a
//! thread is inside foreign code. So what such an embedder retires goes when all its threads are idle at once. It holds back nothing else.

use crate::lock::{self, Guarded, Held, lock};
use crate::sys;
use crate::thread::this_thread;
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What one thread is doing: 0 ahead of its first foreign call or callback, 1 while it is in none, any other number while it is.
///
/// An embedder with a word of its own to mark calls with, such as the address of its innermost call, registers that. The
/// layout is part of the C interface (ORDER farcall_thread).
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Mark(AtomicUsize);

/// A thread that is known and inside nothing.
const IDLE: usize = 1;

impl Mark {
    fn is_busy(&self) -> bool {
        // Whoever sees the mark gone also sees all that the thread did while it was there.
        self.0.load(Ordering::Acquire) > IDLE
    }
}

thread_local! {
    /// Takes this thread's words off the list when the thread ends.
    static CLEANUP: Cleanup = const { Cleanup };
}

struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        let mut lock = lock();
        let threads = &mut STATE.get(&mut lock).threads;
        threads.retain(|thread| !thread.is_current());
    }
}

/// A thread's word in the list of all.
struct Thread {
    mark: NonNull<Mark>,
    token: usize,
}

// SAFETY: the word is atomic, and its thread takes the entry off the list before the word goes.
unsafe impl Send for Thread {}

impl Thread {
    fn is_busy(&self) -> bool {
        // SAFETY: an entry is on the list for no longer than its word exists.
        unsafe { self.mark.as_ref() }.is_busy()
    }

    fn is_current(&self) -> bool {
        self.token == this_thread()
    }
}

struct State {
    /// What each registered thread is doing.
    threads: Vec<Thread>,
    /// What nobody refers to any more, but a thread may still be inside.
    retired: Vec<Box<dyn Any + Send>>,
    /// The [`lock::generation`] that the list of threads is of.
    generation: usize,
}

static STATE: Guarded<State> = Guarded::new(State {
    threads: Vec::new(),
    retired: Vec::new(),
    generation: 0,
});

impl State {
    fn of(held: &mut Held) -> &mut State {
        let state = STATE.get(held);
        let generation = lock::generation();
        if state.generation != generation {
            // This is a child of fork(): the other threads stayed with the parent.
            state.threads.retain(Thread::is_current);
            state.generation = generation;
        }
        state
    }

    fn is_alone(&self) -> bool {
        self.threads.iter().all(Thread::is_current)
    }

    /// Empties the list if nothing on it can be in use. The caller drops it after the lock: destructors run foreign code.
    #[must_use]
    fn take_unused(&mut self) -> Vec<Box<dyn Any + Send>> {
        let is_visible = self.is_alone() || sys::fence_all_threads();
        if is_visible && !self.threads.iter().any(Thread::is_busy) {
            std::mem::take(&mut self.retired)
        } else {
            Vec::new()
        }
    }
}

/// Has whoever retires something by [`retire`] look at a word of this thread's own.
///
/// Does nothing on a thread that is ending: its last calls go unseen.
///
/// # Safety
/// * The word exists until the thread's destructors of thread-local values have run.
/// * Nothing but this thread writes to it.
pub unsafe fn register(mark: NonNull<Mark>) {
    if CLEANUP.try_with(|_| ()).is_ok() {
        let token = this_thread();
        let mut lock = lock();
        State::of(&mut lock).threads.push(Thread { mark, token });
    }
}

/// How many things may wait before a fence through all threads is worth its price.
const BATCH: usize = 64;

/// Drops `it` once no registered thread is inside foreign code any more: now, if that is cheap to know, or when more has come together.
pub fn retire(it: Box<dyn Any + Send>) {
    let mut lock = lock();
    let state = State::of(&mut lock);
    state.retired.push(it);
    let gone = if state.retired.len() >= BATCH || state.is_alone() {
        state.take_unused()
    } else {
        Vec::new()
    };
    drop(lock);
    drop(gone);
}

/// Drops what an embedder's cache has forgotten.
pub fn forget<T: Send + Sync + 'static>(things: Vec<Arc<T>>) {
    if !things.is_empty() {
        retire(Box::new(things));
    }
}

/// Drops what was retired, if no registered thread is inside foreign code.
pub fn reap() {
    let mut lock = lock();
    let state = State::of(&mut lock);
    let gone = match state.retired.is_empty() {
        true => Vec::new(),
        false => state.take_unused(),
    };
    drop(lock);
    drop(gone);
}
