//! The rule when a signature gets machine code of its own.
//!
//! Code costs some thirteen microseconds, nearly all of them the system's, for its work on pages; the first in a process fifty, as nothing
//! that makes it has run yet. A call that follows a plan takes 15 nanoseconds more than one through code where there are no arguments, 26
//! with two and 55 with eight; a callback 19, 37 and 55. So the first uses follow the plan. Code is made when they have cost about as much
//! more as it costs: whenever a signature falls out of use, it has then cost at most about twice what it had to. And a script that makes a
//! thousand calls, which following plans takes no longer than libffi, does not pay for code that it has no more use for.

use crate::sys;
use std::sync::atomic::{AtomicU8, Ordering};

/// How many uses of a signature of few arguments, in one direction, follow its plan.
const WITHOUT_CODE: u32 = 1024;

/// What a use counts whose arguments take so many slots: what it costs to do without code grows with them.
pub(crate) fn weight(arg_slots: u32) -> u32 {
    1 + arg_slots / 4
}

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

/// How many uses follow the plan, where there are few arguments. Where there are more, fewer do.
pub fn uses_without_code() -> u32 {
    match wish() {
        Wish::Always => 0,
        Wish::Never | Wish::None => WITHOUT_CODE,
    }
}
