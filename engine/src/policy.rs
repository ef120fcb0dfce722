//! The rule when a signature gets machine code of its own.
//!
//! Making code takes as long as hundreds of calls. The system takes most of that for its work on pages, and the first code of a process takes
//! several times as long. A use that follows the plan takes longer than one through code, by more for each argument. So the first uses follow
//! the plan, and code is made when they have taken about as much longer as making the code takes. Whenever a signature falls out of use, it has
//! cost at most about twice the least that was possible. `benches/RESULTS.md` has the figures.
//!
//! Most scripts of an interpreter are short, each a process of its own, and take no longer with plans than with libffi. So an interpreter's
//! signatures get code later: a thousand calls of a few arguments do not repay the first code of a process.

use crate::sys;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// The sum of the weights of a signature's uses, in one direction, from which on it gets code.
const BUDGET: u32 = 1024;

/// The weight of a use, as a part of the budget.
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
#[inline(never)]
pub fn uses_without_code() -> u32 {
    match KNOWN_BUDGET.load(Ordering::Relaxed) {
        0 => find_budget() / USE,
        budget => budget / USE,
    }
}
