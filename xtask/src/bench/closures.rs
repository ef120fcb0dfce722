//! Closures with Rust's types: their peers' names, their tables and their goals.

use super::goals::Goal;
use super::harness::DROP_IN;
use super::judge::{Bound, Judged};
use super::tables::{Table, column};

/// A call with Rust's types, and a closure without captures.
pub const TYPED: &str = "farcall typed";
/// A closure that owns captures and may be closed, and one that stays for good.
const OWNING: &str = "farcall typed, owning";
const FOR_GOOD: &str = "farcall typed, for good";
/// The crate called libffi.
const LIBFFI_CRATE: &str = "libffi crate";
/// A C function that does the work of a callback.
const IN_C: &str = "c slots";

/// The table of closures that C calls.
pub const CALLED: Table = Table {
    title: "C calls a Rust closure",
    about: "It adds two ints. The C function puts its arguments into slots and calls a handler, which adds them. `Callback::new` with a \
            closure that captures nothing, `Callback::leak` with one that captures a number, `Callback::new` with that one, which can be \
            closed while it runs; `Closure2` of the crate called libffi, on the newest libffi.",
    prefix: "callback/add2",
    columns: &[
        column(IN_C, "C, through slots", ""),
        column(TYPED, "`new`, no captures", IN_C),
        column(FOR_GOOD, "`leak`", IN_C),
        column(OWNING, "`new`", IN_C),
        column(LIBFFI_CRATE, "libffi crate", IN_C),
    ],
};

/// The table of closures that are made and freed.
pub const MADE: Table = Table {
    title: "Callbacks made and freed",
    about: "The engine's `Callback::new` and its drop, and the crate's with a closure; `ffi_closure_alloc`, `ffi_prep_closure_loc` and \
            `ffi_closure_free`, and `Closure2` of the crate called libffi.",
    prefix: "made",
    columns: &[
        column("farcall", "farcall", ""),
        column(OWNING, "crate", "farcall"),
        column("libffi", "libffi", "farcall"),
        column("libffi of the system", "libffi of the system", "farcall"),
        column(LIBFFI_CRATE, "libffi crate", "libffi"),
        column(DROP_IN, "farcall as libffi", "libffi"),
    ],
};

/// The work that the closures are measured against.
const AGAINST: &str = "a C function doing the same: arguments into slots, a handler called";

/// The goal of a closure without captures.
pub const EMPTY_GOAL: Goal = Goal {
    work: "C calls a Rust closure without captures, `int(int, int)`",
    against: AGAINST,
    bound: Bound::TimesAtMost(1.2),
    figure: |samples| Some(Judged::of(samples.ratio("callback/add2", TYPED, IN_C)?)),
    reason: "",
};

/// The goal of a closure with captures that is never closed.
pub const FOR_GOOD_GOAL: Goal = Goal {
    work: "the same with captures, there for good",
    against: AGAINST,
    bound: Bound::TimesAtMost(1.2),
    figure: |samples| {
        Some(Judged::of(samples.ratio(
            "callback/add2",
            FOR_GOOD,
            IN_C,
        )?))
    },
    reason: "",
};

/// The goal of a closure that may be closed.
pub const OWNING_GOAL: Goal = Goal {
    work: "the same with captures, which may be closed while it runs",
    against: AGAINST,
    bound: Bound::TimesAtMost(1.2),
    figure: |samples| {
        let judged = Judged::of(samples.ratio("callback/add2", OWNING, IN_C)?);
        let of_libffi = samples.ratio("callback/add2", LIBFFI_CRATE, OWNING)?.median;
        Some(judged.with_note(format!(
            "the crate called libffi takes {of_libffi:.1} × that"
        )))
    },
    reason: "the thread says that it is inside, and looks whether it is closed",
};
