//! Closures whose functions take C's arguments as C passes them, and what leads to the closure behind them.
//!
//! [`Closure::behind`](crate::Closure) makes such a function for each type of closure. The usual case is inlined into it. All other cases have one
//! way out, at its beginning, to a function that does everything step by step.

use crate::closure::{self, Closure};
use crate::ctype::{CReturn, zero};
use crate::panics;
use farcall_engine::epoch::{self, Entered, Place};
use farcall_engine::{self as engine, Seat};
use std::ffi::c_void;
use std::ptr::NonNull;

/// A thread's stay inside a callback, in the usual case.
pub(crate) struct Running<'a> {
    seat: &'a Seat,
    entered: Entered,
}

impl<'a> Running<'a> {
    /// Enters the callback of a seat. Returns that and the callback's closure.
    ///
    /// # Errors
    /// The call must go on in [`slowly`], which takes this.
    ///
    /// # Safety
    /// * The seat is of callbacks whose closures have this head.
    /// * A closure of which `run` is the function has the type `F`, or one that is run by the same instructions.
    #[inline(always)]
    pub unsafe fn enter<F>(
        seat: &'a Seat,
        run: *const c_void,
    ) -> Result<(Running<'a>, &'a F), Option<Entered>> {
        if panics::may_wait() {
            return Err(None);
        }
        let entered = seat.enter_plainly().ok_or(None)?;
        // The look comes after the entry: a closure that is still owned is not dropped before this thread has left.
        if let Some(closure) = seat.owned_again() {
            let closure = closure.cast::<Closure>();
            // SAFETY: what a seat of this kind owns is a closure with its head, which is there until this thread has left.
            let found = unsafe { closure.as_ref() }.run;
            // Another callback's closure is found by a thread that came through the thunk before its last callback was closed.
            if std::ptr::eq(found, run) {
                // SAFETY: the closure's function says that its type is this one, by the contract of this function.
                let body = unsafe { closure::body(closure) };
                return Ok((Running { seat, entered }, body));
            }
        }
        Err(Some(entered))
    }

    /// Leaves it with a result. The closure may be dropped by that.
    #[inline(always)]
    pub fn leave<R>(self, result: R) -> R {
        match self.entered.leave() {
            Ok(()) if !self.seat.is_closed() => result,
            Ok(()) => left(result, self.seat, None),
            Err(entered) => left(result, self.seat, Some(entered)),
        }
    }
}

/// Leaves a callback in which the thread still is, and does what remains to be done if it is closed.
fn settle(seat: &Seat, entered: Option<Entered>) {
    if let Some(entered) = entered {
        entered.leave_slowly();
    }
    if seat.is_closed() {
        epoch::settle(seat.thing());
    }
}

/// [`settle`], with the result passed through. So the usual case saves no register for this.
#[cold]
#[inline(never)]
#[allow(
    improper_ctypes_definitions,
    reason = "only that it never unwinds is wanted"
)]
extern "C" fn left<R>(result: R, seat: &Seat, entered: Option<Entered>) -> R {
    settle(seat, entered);
    result
}

/// Runs the closure of a seat by `run`, whatever the case is.
#[inline(always)]
pub(crate) fn slowly<R: CReturn>(
    seat: &Seat,
    entered: Option<Entered>,
    run: impl FnOnce(NonNull<Closure>, *const c_void) -> R,
) -> R {
    settle(seat, entered);
    let place = Place::uninit();
    let inside = seat.enter(&place);
    let result = match seat.owned() {
        None => {
            engine::report_closed();
            zero()
        }
        Some(closure) => {
            let closure = closure.cast::<Closure>();
            // SAFETY: what a seat of this kind owns is a closure with its head, which is there until this thread has left.
            let function = unsafe { closure.as_ref() }.run;
            run(closure, function)
        }
    };
    inside.leave();
    if seat.is_closed() {
        epoch::settle(seat.thing());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Signature;
    use crate::closure::Closing;
    use engine::epoch::Work;

    type Add = unsafe extern "C" fn(i32, i16) -> i32;

    fn functions<C: crate::Closure<Add>>(_: &C) -> (NonNull<u8>, *const c_void) {
        (C::behind(), C::carefully())
    }

    #[test]
    fn function_of_one_closure_runs_another_that_the_seat_owns() {
        let (thousand, text) = (1000_i64, String::from("seven"));
        let other = move |a: i32, b: i16| a + i32::from(b) + thousand as i32;
        let owned = move |a: i32, b: i16| a * i32::from(b) + text.len() as i32;
        let (function, _) = functions(&other);
        let (_, run) = functions(&owned);
        let signature = Signature::of::<Add>().expect("a signature");
        let compiled = &signature.inner().compiled;
        let behind = compiled.behind().expect("a register");
        let closing = Closing::of(owned, run).expect("memory");
        // SAFETY: the function takes a seat with any closure of this signature, which stays until it is closed below.
        let callback = unsafe {
            engine::Callback::behind(compiled.clone(), behind, function, closing.owned())
        };
        let callback = callback.expect("memory for a thunk");
        // SAFETY: it is of this type.
        let pointer = unsafe { <Add as crate::Pointer>::at(callback.code()) };
        for _ in 0..3 {
            // SAFETY: it is the callback.
            assert_eq!(unsafe { pointer(20, 30) }, 605);
        }
        callback.close(closing as Box<dyn Work>);
        // SAFETY: what was closed a moment ago is reported.
        assert_eq!(unsafe { pointer(20, 30) }, 0);
    }
}
