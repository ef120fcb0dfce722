//! The rule when a signature gets machine code of its own.
//!
//! Code costs some thirteen microseconds, nearly all of them the system's, for its work on pages; the first in a process fifty, as nothing
//! that makes it has run yet. A call that follows a plan takes 15 nanoseconds more than one through code where there are no arguments, 26
//! with two and 55 with eight; a callback 19, 37 and 55. So the first uses follow the plan. Code is made when they have cost about as much
//! more as it costs: whenever a signature falls out of use, it has cost at most about twice the least that was possible.
//!
//! An interpreter's scripts are mostly short, each a process of its own, and with plans they take no longer than with libffi. They go
//! without code for longer: a thousand calls of a few arguments do not pay for the first code of a process.

use crate::sys;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// The sum of the weights of a signature's uses, in one direction, from which on it gets code.
const BUDGET: u32 = 1024;

/// The weight of a use: ten microseconds are spent in steps of forty nanoseconds.
const USE: u32 = 4;

/// The weight of a use. For an interpreter's objects it depends on the slots of the arguments, as the cost of doing without code grows with them.
#[inline]
fn weight(by_objects: bool, arg_slots: u32) -> u32 {
    match by_objects {
        true => (1 + arg_slots / 4).min(USE),
        false => USE,
    }
}

/// The budget, once a use has been counted; 0 until then.
static KNOWN_BUDGET: AtomicU32 = AtomicU32::new(0);

/// Counts a use; whether it is time for code.
#[inline]
pub(crate) fn is_due(uses: &AtomicU32, by_objects: bool, arg_slots: u32) -> bool {
    let so_far = uses.load(Ordering::Relaxed);
    let is_due = so_far >= KNOWN_BUDGET.load(Ordering::Relaxed) && so_far >= find_budget();
    if !is_due {
        // Threads that count at the same time may lose a use. To count all of them would take longer than the rest of this.
        uses.store(so_far + weight(by_objects, arg_slots), Ordering::Relaxed);
    }
    is_due
}

#[cold]
fn find_budget() -> u32 {
    let budget = budget();
    KNOWN_BUDGET.store(budget, Ordering::Relaxed);
    budget
}

/// When signatures get code, as the environment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Wish {
    /// `FARCALL_CODE=never`: as if the system refused executable memory.
    Never = 1,
    /// `FARCALL_CODE=always`: as soon as it can be made.
    Always = 2,
    /// Whenever it pays.
    None = 3,
}

/// What the environment variable `FARCALL_CODE` said when it was first asked for. Programs with rights that their user has not, such as
/// set-user-ID programs, do not ask.
pub fn wish() -> Wish {
    // Two threads that are first, or a signal handler that gets in between, may each find out.
    static WISH: AtomicU8 = AtomicU8::new(0);
    match WISH.load(Ordering::Relaxed) {
        1 => Wish::Never,
        2 => Wish::Always,
        3 => Wish::None,
        _ => {
            let wish = match sys::environment(c"FARCALL_CODE") {
                Some(b"never") => Wish::Never,
                Some(b"always") => Wish::Always,
                _ => Wish::None,
            };
            WISH.store(wish as u8, Ordering::Relaxed);
            wish
        }
    }
}

fn budget() -> u32 {
    match wish() {
        Wish::Always => 0,
        Wish::Never | Wish::None => BUDGET,
    }
}

/// The number of uses that follow the plan, other than those with an interpreter's objects.
pub fn uses_without_code() -> u32 {
    budget() / USE
}
