//! Keeps track of which thread is inside which thing, so that nothing is freed while it is in use.
//!
//! A thread that closes a library or a callback cannot know whether another thread, or an outer frame of its own, is still in there. So
//! each thread announces the thing that it enters before it looks at it, and then checks whether the thing is closed.
//! A thread that closes a thing marks it as closed first, and then checks who is inside:
//!
//! ```text
//! a call, a callback        whoever closes
//!   announce the thing        close it
//!   light fence               heavy fence
//!   look whether closed       look who has announced it: nobody -> it goes now
//!   use it                                               else   -> put it on the list, look once more
//!   take back the word
//!   light fence
//!   look whether closed: then look at the list
//! ```
//!
//! The thing goes when nobody is inside that thing, on the thread that closed it or on the last one that left. What other threads do
//! elsewhere does not matter. The light fence costs nothing where the system can make all threads pass a real one; the closing thread pays
//! the price. `tests/epoch_model.rs` tries all interleavings.

pub(crate) mod frames;
mod marks;
mod protocol;
mod work;

pub(crate) use work::Left;
pub use work::{Waiting, Work};

pub use marks::{Mark, forget, reap, register, retire};

use crate::lock::Guarded;
use frames::plain::{self, Plain};
use frames::{Frame, Pushed};
use protocol::{List, World};
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};

/// A thing that a thread can be inside of, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thing(usize);

/// The bit that marks a callback. No address of ours has it set.
const CALLBACK: usize = 1;

impl Thing {
    /// A function that belongs to nothing that could be closed.
    pub const FUNCTION: Thing = Thing(2);
    /// A callback that belongs to nothing that could be closed.
    pub const CALLBACK: Thing = Thing(2 | CALLBACK);

    /// The thing at this address, for calls.
    #[inline(always)]
    pub fn called<T>(it: &T) -> Thing {
        const { assert!(align_of::<T>() > 2) };
        Thing(std::ptr::from_ref(it).addr())
    }

    /// The thing at this address, for callbacks.
    #[inline(always)]
    pub fn entered<T>(it: &T) -> Thing {
        const { assert!(align_of::<T>() > 2) };
        Thing(std::ptr::from_ref(it).addr() | CALLBACK)
    }
}

/// Says that this thread is inside a thing, until [`Inside::leave`].
///
/// It has no destructor: frames that hold one may be jumped over, by an exception of an interpreter's or by `longjmp`. They are
/// recognised as gone when the thread enters or leaves something further out on the same stack, or ends.
#[derive(Debug)]
#[must_use]
pub struct Inside(Pushed);

/// The address of this lies in the stack frame of the function that enters.
pub type Place = std::mem::MaybeUninit<u64>;

impl Inside {
    /// Announces the thing. If the thing is found open after this, it stays until the thread has left.
    ///
    /// `place` is a variable of a function that runs until then, as far as it is not jumped over.
    #[inline(always)]
    pub fn enter(thing: Thing, place: &Place) -> Inside {
        Inside(frames::push(thing.0, place.as_ptr().addr()))
    }

    /// Takes the word back, and returns what [`Inside::leave_note`] has left for this call, or null. A caller that finds the thing closed
    /// after that calls [`settle`]. The thread that leaves may be another than the one that entered: coroutines move.
    #[inline(always)]
    pub fn leave(self) -> *mut c_void {
        frames::pop(self.0)
    }

    /// The innermost call around this callback.
    fn call(&self) -> Option<&'static Frame> {
        let own = self.0.frame;
        std::iter::successors(own.outer(), |frame| frame.outer())
            .find(|frame| frame.thing() != 0 && frame.thing() & CALLBACK == 0)
    }

    /// Whether there is a note for the innermost call around this callback.
    #[inline(always)]
    pub fn has_note(&self) -> bool {
        frames::has_notes() && self.call().is_some_and(Frame::has_note)
    }

    /// Leaves a note for the innermost call around this callback; gives it back if there is none.
    ///
    /// # Errors
    /// The note itself, or one that was there before: nobody else has it.
    pub fn leave_note(&self, note: *mut c_void) -> Result<(), *mut c_void> {
        let Some(call) = self.call() else {
            return Err(note);
        };
        frames::expect_notes();
        match call.set_note(note) {
            none if none.is_null() => Ok(()),
            old => Err(old),
        }
    }
}

/// As [`Inside`], for a callback in the plain case.
#[derive(Debug)]
#[must_use]
#[repr(transparent)]
pub struct Entered(Plain);

impl Entered {
    /// Announces a callback as [`Inside::enter`] does, for the function into which this is inlined. `None` if that needs more than a few steps.
    #[inline(always)]
    pub fn enter(thing: Thing) -> Option<Entered> {
        plain::push(thing.0, plain::stack_pointer()).map(Entered)
    }

    /// Takes the word back, as [`Inside::leave`] does.
    ///
    /// # Errors
    /// Itself, if that needs more than a few steps: [`Entered::leave_slowly`] does them.
    #[inline(always)]
    pub fn leave(self) -> Result<(), Entered> {
        match plain::pop(self.0) {
            true => Ok(()),
            false => Err(self),
        }
    }

    /// Takes the word back whatever has happened meanwhile.
    #[cold]
    pub fn leave_slowly(self) {
        plain::pop_other(self.0);
    }
}

/// Whether a note was ever left on this thread. As long as none was, [`Inside::has_note`] is false.
#[inline(always)]
pub fn has_notes() -> bool {
    frames::has_notes()
}

/// The work for things that were closed while a thread was inside.
static WAITING: Guarded<List<Box<dyn Work>>> = Guarded::new(List::new());

/// This process.
struct Process;

impl World for Process {
    type Work = Box<dyn Work>;

    fn heavy_fence(&self) -> bool {
        frames::heavy_fence()
    }

    fn is_anyone_inside(&self, thing: usize) -> bool {
        frames::is_anyone_inside(thing)
    }

    fn with_list<R>(&self, work: impl FnOnce(&mut List<Box<dyn Work>>) -> R) -> R {
        WAITING.with(work)
    }
}

/// Does `work` when no thread is inside `thing`: now, or on the last thread that leaves it. The thing is closed: a thread that enters it
/// from now on sees that, leaves again, and calls [`settle`].
pub fn when_left(thing: Thing, work: Box<dyn Work>) {
    let place = Place::uninit();
    frames::settle_by(settle_number);
    frames::forget_jumped_over(place.as_ptr().addr());
    if let Some(work) = protocol::retire(&Process, thing.0, work) {
        run(work);
    }
}

/// [`when_left`], which tells `before` first.
pub(crate) fn tell_when_left(thing: Thing, before: &'static dyn Left, mut work: Box<dyn Work>) {
    work.waiting().before = Some(before);
    when_left(thing, work);
}

fn run(mut work: Box<dyn Work>) {
    if let Some(before) = work.waiting().before.take() {
        before.left();
    }
    work.run();
}

/// Does the work that waits for `thing`, unless a thread is still inside.
#[cold]
#[inline(never)]
pub fn settle(thing: Thing) {
    settle_number(thing.0);
}

/// [`settle`] for the thing with a number, or, for 0, for all things.
#[cold]
fn settle_number(thing: usize) {
    finish(protocol::settle(&Process, |waiting| {
        thing == 0 || waiting == thing
    }));
}

fn finish(mut works: List<Box<dyn Work>>) {
    while let Some(work) = works.pop() {
        // Foreign code may be all around: a panic of a destructor has its message, and ends here.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| run(work)));
    }
}
