//! The rule when a signature gets machine code of its own.
//!
//! Code costs some ten microseconds, nearly all of them the system's, for its work on pages. A call that follows a plan takes 15
//! nanoseconds more than one through code where there are no arguments, 26 with two and 55 with eight; a callback 19, 37 and 55. So the
//! first uses follow the plan. Code is made when they have cost as much more as it costs: whenever a signature falls out of use, it has
//! then cost at most twice what it had to.

use std::sync::OnceLock;

/// How many uses of a signature, in one direction, follow its plan: ten microseconds in steps of forty nanoseconds.
const WITHOUT_CODE: u32 = 256;

/// When signatures get code, as the environment has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `FARCALL_CODE=never`: as if the system refused executable memory.
    Never,
    /// `FARCALL_CODE=always`: as soon as it can be made.
    Always,
    /// Whenever it pays.
    None,
}

/// What the environment variable `FARCALL_CODE` said when it was first asked for.
pub fn wish() -> Wish {
    static WISH: OnceLock<Wish> = OnceLock::new();
    *WISH.get_or_init(|| match std::env::var("FARCALL_CODE").as_deref() {
        Ok("never") => Wish::Never,
        Ok("always") => Wish::Always,
        _ => Wish::None,
    })
}

/// How many uses follow the plan.
pub(crate) fn uses_without_code() -> u32 {
    match wish() {
        Wish::Always => 0,
        Wish::Never | Wish::None => WITHOUT_CODE,
    }
}
