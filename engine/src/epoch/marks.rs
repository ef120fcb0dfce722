//! Marks of embedders that keep track of their threads themselves.
//!
//! An embedder, such as an interpreter, may mark its calls in a word of its own, and in machine code. That tells no more than whether a
//! thread is inside foreign code. So what such an embedder retires goes when all its threads are idle at once. It holds back nothing else.

use super::protocol::List;
use super::work::{Waiting, Work};
use crate::lock::{self, Guarded, Held, lock};
use crate::sys;
use crate::thread::this_thread;
use farcall_memory::TryVec;
use farcall_memory::try_box;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The state of one thread: 0 ahead of its first foreign call or callback, 1 while it is in none, any other number while it is in one.
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
        // A thread that sees the mark gone also sees everything that its thread did while it was there.
        self.0.load(Ordering::Acquire) > IDLE
    }
}

/// Takes a word off the list when its thread ends.
extern "C" fn take_off(mark: *mut c_void) {
    let mut lock = lock();
    let threads = &mut STATE.get(&mut lock).threads;
    threads.retain(|thread| thread.mark.as_ptr().cast() != mark && !thread.is_current());
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
    /// Things that nobody refers to any more, but that a thread may still be inside.
    retired: List<Box<dyn Work>>,
    count: usize,
    /// Whether a thread is missing from the list, for want of memory. From then on nothing retired is dropped.
    is_blind: bool,
    /// The [`lock::generation`] in which the list of threads was made.
    generation: usize,
}

static STATE: Guarded<State> = Guarded::new(State {
    threads: Vec::new(),
    retired: List::new(),
    count: 0,
    is_blind: false,
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
    fn take_unused(&mut self) -> List<Box<dyn Work>> {
        let is_visible = self.is_alone() || sys::fence_all_threads();
        if is_visible && !self.is_blind && !self.threads.iter().any(Thread::is_busy) {
            self.count = 0;
            std::mem::replace(&mut self.retired, List::new())
        } else {
            List::new()
        }
    }
}

/// Registers a word of this thread's own, which [`retire`] then looks at.
///
/// # Safety
/// * The word exists until the thread's destructors of thread-local values have run.
/// * Nothing but this thread writes to it.
pub unsafe fn register(mark: NonNull<Mark>) {
    let has_end = sys::at_thread_end(sys::ThreadEnd::Marks, take_off, mark.cast());
    let token = this_thread();
    let mut lock = lock();
    let state = State::of(&mut lock);
    if !has_end || state.threads.try_push(Thread { mark, token }).is_err() {
        state.is_blind = true;
    }
}

/// The number of waiting things from which on a fence through all threads is worth its price.
const BATCH: usize = 64;

/// Does the work once no registered thread is inside foreign code: now, if that is cheap to find out, or else together with later work.
pub fn retire(it: Box<dyn Work>) {
    let mut lock = lock();
    let state = State::of(&mut lock);
    state.retired.push(it);
    state.count += 1;
    ANY_RETIRED.store(true, Ordering::Relaxed);
    let gone = if state.count >= BATCH || state.is_alone() {
        state.take_unused()
    } else {
        List::new()
    };
    drop(lock);
    finish(gone);
}

fn finish(mut works: List<Box<dyn Work>>) {
    while let Some(work) = works.pop() {
        work.run();
    }
}

/// Things that an embedder no longer needs.
struct Forgotten<T> {
    waiting: Waiting,
    things: Option<T>,
}

impl<T: Send> Work for Forgotten<T> {
    fn waiting(&mut self) -> &mut Waiting {
        &mut self.waiting
    }

    fn run(self: Box<Self>) {
        drop(self.things);
    }
}

/// Drops things that an embedder no longer needs, once no registered thread is inside foreign code. Without memory to remember it, it stays for
/// good.
pub fn forget<T: Send + 'static>(things: T) {
    let waiting = Waiting::new();
    let Ok(mut forgotten) = try_box(Forgotten {
        waiting,
        things: None,
    }) else {
        std::mem::forget(things);
        return;
    };
    forgotten.things = Some(things);
    retire(forgotten);
}

/// Whether anything has ever been retired: most processes retire nothing, and need not look under the lock.
static ANY_RETIRED: AtomicBool = AtomicBool::new(false);

/// Drops what was retired, if no registered thread is inside foreign code.
pub fn reap() {
    if !ANY_RETIRED.load(Ordering::Relaxed) {
        return;
    }
    let mut lock = lock();
    let state = State::of(&mut lock);
    let gone = match state.count {
        0 => List::new(),
        _ => state.take_unused(),
    };
    drop(lock);
    finish(gone);
}
