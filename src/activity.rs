//! Which threads are inside foreign code, so that nothing is taken from under them.
//!
//! A thread that closes a library or frees a callback cannot know whether another thread, or an outer frame of its own,
//! is still in there. Every call and every callback therefore leaves a mark in a word of its own thread, with plain
//! loads and stores. What may still be in use is [`retire`]d and goes away when no thread is marked. The
//! price is paid there: a fence through all threads makes their plain stores visible.

use crate::runtime::{self, Runtime};
use crate::sys;
use std::any::Any;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};

/// What one thread is doing: 0 and 1 while it is in no foreign call and no callback, any other number while it is.
///
/// An embedder with a word of its own to mark calls with, such as the address of its innermost call, registers that. The
/// layout is part of the C interface (ORDER farcall_thread).
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Activity(AtomicUsize);

impl Activity {
    const fn idle() -> Activity {
        Activity(AtomicUsize::new(0))
    }

    fn is_busy(&self) -> bool {
        // Whoever sees the mark gone also sees all that the thread did while it was there.
        self.0.load(Ordering::Acquire) > 1
    }

    fn add(&self, change: usize) {
        // One thread writes; the others only read. A load and a store are enough, and far cheaper than an atomic sum.
        let mark = self.0.load(Ordering::Relaxed);
        self.0.store(mark.wrapping_add(change), Ordering::Release);
        compiler_fence(Ordering::SeqCst);
    }
}

/// A thread's word in the list of all.
pub(crate) struct Registered {
    activity: NonNull<Activity>,
    thread: ThreadToken,
}

// SAFETY: the word is atomic, and its thread takes the entry off the list before the word goes.
unsafe impl Send for Registered {}

impl Registered {
    fn is_busy(&self) -> bool {
        // SAFETY: an entry is on the list for no longer than its word exists.
        unsafe { self.activity.as_ref() }.is_busy()
    }

    /// Whether it is this thread's. Takes no lock, and registers nothing.
    pub fn is_current(&self) -> bool {
        self.thread == ThreadToken::current()
    }
}

/// Tells running threads apart: the address of something that each has of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ThreadToken(usize);

impl ThreadToken {
    fn current() -> ThreadToken {
        OWN.with(|own| ThreadToken(&raw const *own as usize))
    }
}

thread_local! {
    /// The word that the Rust API marks. It has no destructor, so it is there to the end of the thread.
    static OWN: Activity = const { Activity::idle() };

    /// Whether [`OWN`] is on the list.
    static IS_REGISTERED: Cell<bool> = const { Cell::new(false) };

    /// Takes this thread's words off the list when the thread ends.
    static CLEANUP: Cleanup = const { Cleanup };
}

struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        IS_REGISTERED.set(false);
        runtime::lock()
            .threads
            .retain(|thread| !thread.is_current());
    }
}

/// Has whoever retires something look at a word of this thread's own.
///
/// Does nothing on a thread that is ending: its last calls go unseen.
///
/// # Safety
/// * The word exists until the thread's destructors of thread-local values have run.
/// * Nothing but this thread writes to it.
pub unsafe fn register(activity: NonNull<Activity>) {
    if CLEANUP.try_with(|_| ()).is_ok() {
        let thread = ThreadToken::current();
        runtime::lock()
            .threads
            .push(Registered { activity, thread });
    }
}

/// Counts this thread as inside foreign code for as long as it lives.
pub(crate) struct Inside {
    /// Whether this thread was inside foreign code before.
    pub was_busy: bool,
}

impl Inside {
    pub fn enter() -> Inside {
        if !IS_REGISTERED.replace(true) {
            // SAFETY: the word is the thread's to its end, and written here alone.
            OWN.with(|own| unsafe { register(NonNull::from(own)) });
        }
        OWN.with(|own| {
            let was_busy = own.is_busy();
            own.add(STEP);
            Inside { was_busy }
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        OWN.with(|own| own.add(STEP.wrapping_neg()));
    }
}

/// A call counts for this much: 1 alone is no mark.
const STEP: usize = 2;

/// How many things may wait before a fence through all threads is worth its price.
const BATCH: usize = 64;

/// Drops `it` once no thread can be inside any more: now, if that is cheap to know, or when more has come together.
pub(crate) fn retire(it: Box<dyn Any + Send>) {
    let mut runtime = runtime::lock();
    runtime.retired.push(it);
    let gone = if runtime.retired.len() >= BATCH || is_alone(&runtime) {
        take_unused(&mut runtime)
    } else {
        Vec::new()
    };
    drop(runtime);
    drop(gone);
}

/// Drops code that a cache has forgotten. A callback that was closed while it ran may be running it still.
pub(crate) fn forget<T: Send + Sync + 'static>(code: Vec<Arc<T>>) {
    if !code.is_empty() {
        retire(Box::new(code));
    }
}

/// Drops what was retired, if no thread is inside foreign code.
pub(crate) fn reap() {
    let mut runtime = runtime::lock();
    let gone = take_unused(&mut runtime);
    drop(runtime);
    drop(gone);
}

fn is_alone(runtime: &Runtime) -> bool {
    runtime.threads.iter().all(|thread| thread.is_current())
}

/// Empties the list if nothing on it can be in use. The caller drops it after the lock: destructors run foreign code.
fn take_unused(runtime: &mut Runtime) -> Vec<Box<dyn Any + Send>> {
    let visible = is_alone(runtime) || sys::fence_all_threads();
    if visible && runtime.threads.iter().all(|thread| !thread.is_busy()) {
        std::mem::take(&mut runtime.retired)
    } else {
        Vec::new()
    }
}
