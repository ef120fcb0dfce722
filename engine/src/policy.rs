//! The rule when a signature gets machine code of its own.
//!
//! Code costs some ten microseconds, nearly all of them the system's, for its work on pages. A call that follows a plan takes 15
//! nanoseconds more than one through code where there are no arguments, 26 with two and 55 with eight; a callback 19, 37 and 55. So the
//! first uses follow the plan. Code is made when they have cost as much more as it costs: whenever a signature falls out of use, it has
//! then cost at most twice what it had to.

use crate::sys;
use std::sync::atomic::{AtomicU8, Ordering};

/// How many uses of a signature, in one direction, follow its plan: ten microseconds in steps of forty nanoseconds.
const WITHOUT_CODE: u32 = 256;

/// When signatures get code, as the environment has it.
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

/// How many uses follow the plan.
pub fn uses_without_code() -> u32 {
    match wish() {
        Wish::Always => 0,
        Wish::Never | Wish::None => WITHOUT_CODE,
    }
}
