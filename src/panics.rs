//! Panics of closures that C has called: kept until the call returns in whose course they happened.

use farcall_engine::epoch::{self, Inside, Place, Thing};
use farcall_memory::try_box;
use std::any::Any;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};

/// What a closure panicked with.
type Panic = Box<dyn Any + Send>;

/// Whether a panic may wait for a call on this thread: none has ever waited otherwise.
#[inline(always)]
pub(crate) fn may_wait() -> bool {
    epoch::has_notes()
}

/// Runs a closure that C has called, where no panic waits. `None` if it panics.
#[inline(always)]
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> Option<R> {
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => Some(result),
        Err(panic) => {
            keep(panic);
            None
        }
    }
}

/// The same where one may wait: `None` too if the panic of another closure waits for the call around, and this one is not run.
#[inline(always)]
pub(crate) fn catching<R>(run: impl FnOnce() -> R) -> Option<R> {
    if may_wait() && is_one_waiting() {
        return None;
    }
    caught(run)
}

#[cold]
#[inline(never)]
fn is_one_waiting() -> bool {
    let place = Place::uninit();
    let inside = Inside::enter(Thing::CALLBACK, &place);
    let is_waiting = inside.has_note();
    inside.leave();
    is_waiting
}

/// Keeps a closure's panic for the call in whose course it happened.
#[cold]
#[inline(never)]
fn keep(panic: Panic) {
    let Ok(kept) = try_box(MaybeUninit::uninit()) else {
        // The message is out, and there is no memory to keep the panic for the call.
        return drop_panic(panic);
    };
    let note = Box::into_raw(Box::write(kept, panic));
    let place = Place::uninit();
    let inside = Inside::enter(Thing::CALLBACK, &place);
    let left = inside.leave_note(note.cast());
    inside.leave();
    if let Err(nobodys) = left {
        // SAFETY: notes come from here, and this one is nobody else's.
        unsafe { forget(nobodys) };
    }
}

/// What a panic carries may panic as it is dropped: the message is out, and there is nobody to tell.
fn drop_panic(panic: Panic) {
    if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(another);
    }
}

/// Drops a panic that nobody is there for.
///
/// # Safety
/// * `note` is what a call has found as it left, or what could not be left, and not null.
#[cold]
pub(crate) unsafe fn forget(note: *mut c_void) {
    // SAFETY: all notes come from keep().
    drop_panic(*unsafe { Box::from_raw(note.cast::<Panic>()) });
}

/// Lets a panic go on that was held back while C was on the stack.
///
/// # Safety
/// * `note` is what a call has found as it left, and not null.
#[cold]
pub(crate) unsafe fn resume(note: *mut c_void) {
    // SAFETY: all notes come from keep().
    let panic = unsafe { Box::from_raw(note.cast::<Panic>()) };
    panic::resume_unwind(*panic);
}
