//! A closure that is lent to C for a while, which may be an `FnMut`.

use crate::ctype::{CReturn, zero};
use crate::panics;
use std::cell::{Cell, UnsafeCell};

/// A closure that is lent to C.
pub(crate) struct Lent<'a, C> {
    closure: UnsafeCell<&'a mut C>,
    is_running: Cell<bool>,
}

impl<'a, C> Lent<'a, C> {
    pub fn new(closure: &'a mut C) -> Lent<'a, C> {
        Lent {
            closure: UnsafeCell::new(closure),
            is_running: Cell::new(false),
        }
    }

    /// Runs it by `call`. A panic is kept for the scope around. Running it while it runs is such a panic, and so is running it after one.
    #[inline(always)]
    pub fn run<R: CReturn>(&self, call: impl FnOnce(&mut C) -> R) -> R {
        let run = || {
            if self.is_running.replace(true) {
                again();
            }
            // SAFETY: the reference is the only one: the closure is borrowed only here, on one thread, and not while it already runs.
            let closure = unsafe { &mut *self.closure.get() };
            let value = call(closure);
            self.is_running.set(false);
            value
        };
        panics::catching(run).unwrap_or_else(zero)
    }
}

#[cold]
fn again() -> ! {
    panic!(
        "callback: a closure that is lent to C was called again while it ran, or after it had panicked"
    );
}
