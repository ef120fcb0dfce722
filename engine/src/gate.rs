//! Things that are called, and that can be closed while threads are inside.

use crate::epoch::{Inside, Place, Thing, settle};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

/// The way into a thing that is called. It is open until it is shut, for good.
#[derive(Debug)]
#[repr(align(8))]
pub struct Gate(AtomicBool);

/// The gate of functions that belong to nothing that could be closed.
static ALWAYS_OPEN: Gate = Gate::new();

impl Gate {
    /// An open gate.
    pub(crate) const fn new() -> Gate {
        Gate(AtomicBool::new(true))
    }

    /// The gate of functions that belong to nothing that could be closed.
    #[inline(always)]
    pub fn always_open() -> &'static Gate {
        &ALWAYS_OPEN
    }

    /// The thing that a thread is inside of once it has passed.
    #[inline(always)]
    pub(crate) fn thing(&self) -> Thing {
        Thing::called(self)
    }

    /// Whether it has not been shut. Only a thread that is inside may rely on the answer `true`.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Shuts it for good. Returns true to the first caller.
    pub(crate) fn shut(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }

    /// Runs `work` inside the thing, which stays until then, and returns its result; returns `None` if the gate is shut. The last thread that leaves
    /// a shut thing does the work that waits for that. `with_note` is called at the end if [`Inside::leave_note`] left a note for this call.
    #[inline(always)]
    pub fn pass<T>(
        &self,
        work: impl FnOnce() -> T,
        with_note: impl FnOnce(*mut c_void),
    ) -> Option<T> {
        let place = Place::uninit();
        let inside = Inside::enter(self.thing(), &place);
        // The check comes after the entry: from here on the thing stays even if another thread closes it.
        if !self.is_open() {
            self.turn_back(inside);
            return None;
        }
        let done = work();
        let note = inside.leave();
        // One branch for both: processors follow only a few of them at full speed.
        if note.addr() | usize::from(!self.is_open()) != 0 {
            self.leave_otherwise(note, with_note);
        }
        Some(done)
    }

    #[cold]
    #[inline(never)]
    fn turn_back(&self, inside: Inside) {
        inside.leave();
        settle(self.thing());
    }

    #[cold]
    fn leave_otherwise(&self, note: *mut c_void, with_note: impl FnOnce(*mut c_void)) {
        if !self.is_open() {
            settle(self.thing());
        }
        if !note.is_null() {
            with_note(note);
        }
    }
}
