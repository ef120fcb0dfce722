//! Panics of closures that C has called. They are kept until the enclosing call into C returns.

use farcall_engine::epoch::{self, Inside, Place, Thing};
use farcall_memory::try_box;
use std::any::Any;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::panic::{self, AssertUnwindSafe};

/// The payload of a closure's panic.
type Panic = Box<dyn Any + Send>;

/// Whether a panic may be waiting for a call on this thread. False if none has ever waited.
#[inline(always)]
pub(crate) fn may_wait() -> bool {
    epoch::has_notes()
}

/// Runs a closure that C has called, when no panic is waiting. Returns `None` if it panics.
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

/// Runs a closure like [`caught`], when a panic may be waiting. If one is, for the enclosing call, the closure is not run, and the result is
/// `None`.
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

/// Keeps a closure's panic for the enclosing call.
#[cold]
#[inline(never)]
fn keep(panic: Panic) {
    let Ok(kept) = try_box(MaybeUninit::uninit()) else {
        // The message is printed already, and there is no memory to keep the panic for the call.
        return drop_panic(panic);
    };
    let note = Box::into_raw(Box::write(kept, panic));
    let place = Place::uninit();
    let inside = Inside::enter(Thing::CALLBACK, &place);
    let left = inside.leave_note(note.cast());
    inside.leave();
    if let Err(nobodys) = left {
        // SAFETY: the note comes from `Box::into_raw` above, and nothing has taken it over.
        unsafe { forget(nobodys) };
    }
}

/// Drops a panic whose message is printed already. Its payload may panic in turn as it is dropped: that panic is leaked.
fn drop_panic(panic: Panic) {
    if let Err(another) = panic::catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(another);
    }
}

/// Drops a panic that no call waits for.
///
/// # Safety
/// * `note` is a note that [`Inside::leave`] returned or [`Inside::leave_note`] refused, and is not null.
#[cold]
pub(crate) unsafe fn forget(note: *mut c_void) {
    // SAFETY: all notes come from keep().
    drop_panic(*unsafe { Box::from_raw(note.cast::<Panic>()) });
}

/// Resumes a panic that was held back while C was on the stack.
///
/// # Safety
/// * `note` is a note that [`Inside::leave`] returned, and is not null.
#[cold]
pub(crate) unsafe fn resume(note: *mut c_void) {
    // SAFETY: all notes come from keep().
    let panic = unsafe { Box::from_raw(note.cast::<Panic>()) };
    panic::resume_unwind(*panic);
}
