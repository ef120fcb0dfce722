//! The rule when a signature gets machine code of its own.
//!
//! A call that follows a plan costs some tens of nanoseconds more than one through code, and code costs some microseconds. So the
//! first uses follow the plan, and code is made once there were enough of them to expect many more.

use std::sync::OnceLock;

/// How many uses of a signature, in one direction, follow its plan. About so many cost as much as the code.
const WITHOUT_CODE: u32 = 8;

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
