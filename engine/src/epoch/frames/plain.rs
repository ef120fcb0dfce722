//! Entering and leaving in the plain case: the thread has a free frame in the block of its top, and nothing was jumped over.
//!
//! A callback enters and leaves within a few nanoseconds, so these do no more than the steps themselves. They tell the caller that the case
//! is another, for all of which it has one slow path, out of the way.

use super::{Frame, NOWHERE, OWN, Thread, protocol};
use std::arch::asm;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

/// A frame that was pushed onto the one before it in memory.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Plain(&'static Frame);

/// Announces `thing` as [`super::push`] does, in the plain case.
#[inline(always)]
pub(crate) fn push(thing: usize, place: usize) -> Option<Plain> {
    OWN.with(|own| {
        let below = own.top();
        if place >= below.place() {
            return None;
        }
        let frame = below.next()?;
        frame.push(own, thing, place);
        Some(Plain(frame))
    })
}

/// Takes the frame of a callback back, in the plain case: it is this thread's innermost. If it is not, [`pop_other`] does that. There is no note
/// in it: notes are left for calls.
#[inline(always)]
#[must_use]
pub(crate) fn pop(pushed: Plain) -> bool {
    let frame = pushed.0;
    OWN.with(|own| {
        if !ptr::eq(own.top(), frame) {
            return false;
        }
        protocol::take_back(&Thread, || {
            frame.place.store(NOWHERE, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            frame.thing.store(0, Ordering::Release);
            compiler_fence(Ordering::SeqCst);
            own.set_top(pushed.below());
        });
        true
    })
}

/// Takes a frame back that is not this thread's innermost.
#[cold]
pub(crate) fn pop_other(pushed: Plain) {
    protocol::take_back(&Thread, || {
        OWN.with(|own| super::pop_slowly(own, pushed.0));
    });
}

impl Plain {
    #[inline(always)]
    fn below(self) -> &'static Frame {
        // SAFETY: `push` found this frame behind another of the same block.
        unsafe { &*ptr::from_ref(self.0).sub(1) }
    }
}

/// The stack pointer of the function into which this is inlined. It is as good a place as the address of a variable, and leaves the compiler free to
/// have the function end with a jump.
#[inline(always)]
pub(crate) fn stack_pointer() -> usize {
    let here: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it only reads a register.
    unsafe {
        asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    here
}
