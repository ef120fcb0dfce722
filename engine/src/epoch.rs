//! Who is inside foreign code, so that nothing is taken from under anyone.
//!
//! A thread that closes a library or frees a callback cannot know whether another thread, or an outer frame of its own,
//! is still in there. Every call and every callback therefore leaves a mark in a word of its own thread, with plain
//! loads and stores. What may still be in use is [`retire`]d and goes away when no thread is marked. The
//! price is paid there: a fence through all threads makes their plain stores visible.

use crate::lock::{self, Guarded, Held, lock};
use crate::sys;
use std::any::Any;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence, fence};

/// What one thread is doing: 0 ahead of its first foreign call or callback, 1 while it is in none, any other number while it is.
///
/// An embedder with a word of its own to mark calls with, such as the address of its innermost call, registers that. The
/// layout is part of the C interface (ORDER farcall_thread).
#[derive(Debug, Default)]
#[repr(transparent)]
pub struct Mark(AtomicUsize);

/// A thread that is known and inside nothing.
const IDLE: usize = 1;

/// What a call adds to the mark.
const STEP: usize = 2;

impl Mark {
    fn is_busy(&self) -> bool {
        // Whoever sees the mark gone also sees all that the thread did while it was there.
        self.0.load(Ordering::Acquire) > IDLE
    }

    #[inline(always)]
    fn load(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn store(&self, mark: usize) {
        // One thread writes, the others only read.
        self.0.store(mark, Ordering::Release);
    }
}

/// What each thread has of its own. It has no destructor, so it is there to the end of the thread.
struct Own {
    mark: Mark,
    /// What is to be looked at when a call is over; see [`Inside::leave_and_ask`].
    is_news: Cell<bool>,
}

thread_local! {
    static OWN: Own = const {
        Own {
            mark: Mark(AtomicUsize::new(0)),
            is_news: Cell::new(false),
        }
    };

    /// Takes this thread's words off the list when the thread ends.
    static CLEANUP: Cleanup = const { Cleanup };
}

struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        OWN.with(|own| own.mark.store(0));
        let mut lock = lock();
        let threads = &mut STATE.get(&mut lock).threads;
        threads.retain(|thread| !thread.is_current());
    }
}

/// A thread's word in the list of all.
struct Thread {
    mark: NonNull<Mark>,
    token: Token,
}

// SAFETY: the word is atomic, and its thread takes the entry off the list before the word goes.
unsafe impl Send for Thread {}

impl Thread {
    fn is_busy(&self) -> bool {
        // SAFETY: an entry is on the list for no longer than its word exists.
        unsafe { self.mark.as_ref() }.is_busy()
    }

    fn is_current(&self) -> bool {
        self.token == Token::current()
    }
}

/// Tells running threads apart: the address of something that each has of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Token(usize);

impl Token {
    fn current() -> Token {
        OWN.with(|own| Token(&raw const *own as usize))
    }
}

struct State {
    /// What each thread that ever used farcall is doing.
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
    fn take_unused(&mut self) -> Vec<Box<dyn Any + Send>> {
        let is_visible = self.is_alone() || sys::fence_all_threads();
        if is_visible && !self.threads.iter().any(Thread::is_busy) {
            std::mem::take(&mut self.retired)
        } else {
            Vec::new()
        }
    }
}

/// Has whoever retires something look at a word of this thread's own.
///
/// Does nothing on a thread that is ending: its last calls go unseen.
///
/// # Safety
/// * The word exists until the thread's destructors of thread-local values have run.
/// * Nothing but this thread writes to it. Where the system has no fence through all threads, it passes one of its own
///   between leaving a mark and looking at what it will use.
pub unsafe fn register(mark: NonNull<Mark>) {
    if CLEANUP.try_with(|_| ()).is_ok() {
        let token = Token::current();
        let mut lock = lock();
        State::of(&mut lock).threads.push(Thread { mark, token });
    }
}

/// Says that this thread counts as inside foreign code, until [`Inside::leave`].
///
/// It has no destructor: frames that hold one may be jumped over, by an exception of an interpreter's or by `longjmp`.
#[derive(Debug)]
#[must_use]
pub struct Inside {
    /// The mark as it was before.
    before: usize,
}

impl Inside {
    /// Leaves the mark. What is looked at after this is not taken away while the mark is there.
    #[inline(always)]
    pub fn enter() -> Inside {
        OWN.with(|own| {
            let mut before = own.mark.load();
            if before == 0 {
                before = enter_first(own);
            }
            own.mark.store(before + STEP);
            match sys::FENCES_ALL_THREADS {
                // Whoever looks at the mark has all threads pass a fence first.
                true => compiler_fence(Ordering::SeqCst),
                false => fence(Ordering::SeqCst),
            }
            Inside { before }
        })
    }

    /// Whether this thread was inside foreign code before.
    pub fn is_nested(&self) -> bool {
        self.before > IDLE
    }

    /// Takes the mark back.
    #[inline(always)]
    pub fn leave(self) {
        OWN.with(|own| own.mark.store(self.before));
    }

    /// Takes the mark back. True if this thread has left itself word by [`leave_word`] in the meantime; that is forgotten then.
    #[inline(always)]
    pub fn leave_and_ask(self) -> bool {
        OWN.with(|own| {
            own.mark.store(self.before);
            own.is_news.get() && own.is_news.replace(false)
        })
    }
}

#[cold]
fn enter_first(own: &Own) -> usize {
    // The mark comes first: a signal handler that gets in between must not register once more.
    own.mark.store(IDLE);
    // SAFETY: the word is the thread's to its end, and written in this file alone, by that thread.
    unsafe { register(NonNull::from(&own.mark)) };
    IDLE
}

/// Has the innermost call in progress say so when it is over; see [`Inside::leave_and_ask`].
pub fn leave_word() {
    OWN.with(|own| own.is_news.set(true));
}

/// How many things may wait before a fence through all threads is worth its price.
const BATCH: usize = 64;

/// Drops `it` once no thread can be inside any more: now, if that is cheap to know, or when more has come together.
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

/// Drops what a cache has forgotten. A callback that was closed while it ran may be running it still.
pub fn forget<T: Send + Sync + 'static>(things: Vec<Arc<T>>) {
    if !things.is_empty() {
        retire(Box::new(things));
    }
}

/// Drops what was retired, if no thread is inside foreign code.
pub fn reap() {
    let mut lock = lock();
    let gone = State::of(&mut lock).take_unused();
    drop(lock);
    drop(gone);
}
