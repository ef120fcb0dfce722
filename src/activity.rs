//! Which threads are inside foreign code, so that nothing is taken from under them.
//!
//! A thread that closes a library or frees a callback cannot know whether another thread, or an outer frame of its own,
//! is still in there. Every call and every callback therefore counts itself in a number of its own thread, with plain
//! loads and stores. What may still be in use is [`retire`]d and goes away when all numbers are zero. The
//! price is paid there: a fence through all threads makes their plain stores visible.

use crate::runtime::{self, Runtime};
use crate::sys;
use std::any::Any;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

/// How deep one thread is in foreign calls and callbacks. The layout is part of the C interface (ORDER farcall_thread).
#[derive(Debug, Default)]
#[repr(C)]
pub struct Activity {
    depth: AtomicU32,
}

impl Activity {
    /// This thread's record. It outlives the thread.
    pub fn current() -> Arc<Activity> {
        // A thread that is ending has given up its record: it gets one that is never looked at.
        REGISTRATION
            .try_with(|registration| registration.0.clone())
            .unwrap_or_default()
    }

    /// Whether a foreign call or a callback is under way on this thread.
    pub fn is_busy(&self) -> bool {
        self.depth.load(Ordering::Relaxed) != 0
    }

    /// Whether it is this thread's. Takes no lock, and registers nothing.
    pub(crate) fn is_current(&self) -> bool {
        CURRENT
            .get()
            .is_some_and(|current| std::ptr::eq(current.as_ptr(), self))
    }

    fn add(&self, change: u32) {
        // One thread writes; the others only read. A load and a store are enough, and far cheaper than an atomic sum.
        let depth = self.depth.load(Ordering::Relaxed);
        self.depth
            .store(depth.wrapping_add(change), Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
    }
}

thread_local! {
    /// This thread's record, while it has one.
    static CURRENT: Cell<Option<NonNull<Activity>>> = const { Cell::new(None) };

    /// The record's entry in the list of threads, from the first use to the end of the thread.
    static REGISTRATION: Registration = {
        let activity = Arc::new(Activity::default());
        runtime::lock().threads.push(activity.clone());
        CURRENT.set(Some(NonNull::from(&*activity)));
        Registration(activity)
    };
}

struct Registration(Arc<Activity>);

impl Drop for Registration {
    fn drop(&mut self) {
        CURRENT.set(None);
        runtime::lock()
            .threads
            .retain(|thread| !Arc::ptr_eq(thread, &self.0));
    }
}

/// Counts this thread as inside foreign code for as long as it lives.
pub(crate) struct Inside {
    activity: Option<NonNull<Activity>>,
    /// Whether this thread was inside foreign code before.
    pub was_busy: bool,
}

impl Inside {
    pub fn enter() -> Inside {
        if CURRENT.get().is_none() {
            // A thread that is ending stays unregistered, and its last steps uncounted.
            let _ = REGISTRATION.try_with(|_| ());
        }
        let activity = CURRENT.get();
        // SAFETY: the thread's registration keeps the record, and takes it out of CURRENT before it goes.
        let record = activity.map(|activity| unsafe { &*activity.as_ptr() });
        let was_busy = record.is_some_and(Activity::is_busy);
        if let Some(record) = record {
            record.add(1);
        }
        Inside { activity, was_busy }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(activity) = self.activity {
            // SAFETY: a registration that was there when this frame began is not dropped before it ends: destructors of
            // thread-locals run one after the other, never inside one another.
            unsafe { activity.as_ref() }.add(u32::MAX);
        }
    }
}

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
