//! The goals, and whether they are met. A goal is never bent: where one is missed, the table says by how much and why.

use super::closures;
use super::harness::{DROP_IN, LIBFFI};
use super::judge::{
    Bound, Judged, callback_bytes, faster, grown, instructions, per_argument, worst,
};
use super::loading;
use super::samples::Samples;
use super::scripts::{CTYPES_ON, IN_MICROPYTHON, STOCK};
use super::short;
use super::sizes::{LIBRARY, PROGRAM};
use super::tables::{SLOTS, VALUES};

/// One line of the table of goals.
pub struct Goal {
    /// The work.
    pub work: &'static str,
    /// The work that it is measured against.
    pub against: &'static str,
    /// The bound.
    pub bound: Bound,
    /// Computes the figure from the measurements.
    pub figure: fn(&Samples) -> Option<Judged>,
    /// The reason why it is missed, as long as it is.
    pub reason: &'static str,
}

impl Goal {
    /// Whether `judged` meets it.
    pub fn is_met(&self, judged: &Judged) -> bool {
        self.bound.is_met(judged.value)
    }
}

/// Every goal, in the order of the table.
pub const GOALS: &[Goal] = &[
    Goal {
        work: "trampoline, 12 signatures, the worst of them",
        against: "the same typed call in C",
        bound: Bound::TimesAtMost(1.10),
        figure: |samples| worst(samples, "call/", "farcall", "c"),
        reason: "where the code is longer than a cache line and C's is not, one cycle more",
    },
    Goal {
        work: "trampoline, geometric mean of 12",
        against: "libffi's `ffi_call`",
        bound: Bound::FasterAtLeast(7.0),
        figure: |samples| faster(samples, "call/", LIBFFI[0], "farcall"),
        reason: "",
    },
    Goal {
        work: "",
        against: "libffi's `ffi_call_plan_invoke`",
        bound: Bound::FasterAtLeast(3.5),
        figure: |samples| faster(samples, "call/", &format!("{} plan", LIBFFI[0]), "farcall"),
        reason: "",
    },
    Goal {
        work: "`Function::call_slots` of two ints",
        against: "the trampoline",
        bound: Bound::TimesAtMost(1.5),
        figure: |samples| way_of_the_crate(samples, SLOTS),
        reason: "the call is marked in a word of the thread's, and the library looked at",
    },
    Goal {
        work: "`Function::call` of two ints, with values",
        against: "the trampoline",
        bound: Bound::TimesAtMost(3.0),
        figure: |samples| way_of_the_crate(samples, VALUES),
        reason: "each value's kind and range are compared with its type",
    },
    Goal {
        work: "C calls an entry, `int(int, int)`",
        against: "a C function doing the same: arguments into slots, a handler called",
        bound: Bound::TimesAtMost(1.5),
        figure: |samples| {
            let judged = Judged::of(samples.ratio("callback/add2", "farcall", "c slots")?);
            let all = worst(samples, "callback/", "farcall", "c slots")?.note;
            Some(judged.with_note(format!("of 12 signatures {all}")))
        },
        reason: "",
    },
    Goal {
        work: "",
        against: "a C function that adds by itself",
        bound: Bound::TimesAtMost(1.5),
        figure: |samples| {
            let judged = Judged::of(samples.ratio("callback/add2", "farcall", "c")?);
            let in_c = samples.ratio("callback/add2", "c slots", "c")?.median;
            Some(judged.with_note(format!("C's own way through slots takes {in_c:.2} ×")))
        },
        reason: "there is a handler to call, and its arguments go through memory",
    },
    Goal {
        work: "",
        against: "libffi's closure",
        bound: Bound::FasterAtLeast(4.0),
        figure: |samples| {
            let judged = Judged::of(samples.ratio("callback/add2", LIBFFI[0], "farcall")?);
            let all = faster(samples, "callback/", LIBFFI[0], "farcall")?;
            Some(judged.with_note(format!(
                "geometric mean of 12 signatures {:.1} ×",
                all.value
            )))
        },
        reason: "",
    },
    closures::EMPTY_GOAL,
    closures::FOR_GOOD_GOAL,
    closures::OWNING_GOAL,
    Goal {
        work: "callback made and freed",
        against: "libffi's closure",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| Some(Judged::of(samples.ratio("made", "farcall", LIBFFI[0])?)),
        reason: "",
    },
    Goal {
        work: "function made, signature seen before (`int(int, int)`)",
        against: "–",
        bound: Bound::NsAtMost(200.0),
        figure: |samples| {
            let judged = Judged::of(samples.time("func/seen/add2", "farcall")?);
            let script = |peer| samples.time("script func", peer);
            let note = script("farcall").zip(script(STOCK)).map(|(ours, stock)| {
                format!(
                    "`ffi.func` of a script {:.0} ns, stock {:.0} ns",
                    ours.median, stock.median
                )
            });
            Some(judged.with_note(note.unwrap_or_default()))
        },
        reason: "",
    },
    Goal {
        work: "function made, signature new",
        against: "–",
        bound: Bound::NsAtMost(2_000.0),
        figure: |samples| {
            let judged = Judged::of(samples.time("first/made", "farcall")?);
            let script = |peer| samples.time("script first, made", peer);
            let note = script("farcall").zip(script(STOCK)).map(|(ours, stock)| {
                format!(
                    "`ffi.func` of a script {:.0} ns, stock {:.0} ns",
                    ours.median, stock.median
                )
            });
            Some(judged.with_note(note.unwrap_or_default()))
        },
        reason: "",
    },
    Goal {
        work: "the first call of a function",
        against: "–",
        bound: Bound::NsAtMost(500.0),
        figure: |samples| Some(Judged::of(samples.time("first/call", "farcall")?)),
        reason: "",
    },
    Goal {
        work: "code made for a signature",
        against: "–",
        bound: Bound::NsAtMost(10_000.0),
        figure: |samples| Some(Judged::of(samples.time("first/code", "farcall")?)),
        reason: "the system calls that change pages take most of it",
    },
    Goal {
        work: "1,000 C declarations read",
        against: "–",
        bound: Bound::NsAtMost(5_000_000.0),
        figure: |samples| {
            let judged = Judged::of(samples.time("declarations/1,000 read", "farcall")?);
            let found = samples.time("declarations/one found", "farcall")?;
            Some(judged.with_note(format!("one found by its name: {:.0} ns", found.median)))
        },
        reason: "",
    },
    Goal {
        work: "MicroPython: `add2(i, 1)`, net of the loop",
        against: "`time.ticks_diff(i, 1)` on the same build",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| {
            let ratio =
                |peer: &str| samples.ratio("script add2(i, 1)", peer, &format!("{peer} builtin"));
            let note = format!("with its own module {:.2} ×", ratio(STOCK)?.median);
            Some(Judged::of(ratio("farcall")?).with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "MicroPython: 12 signatures from scripts, geometric mean",
        against: "its own module over libffi",
        bound: Bound::FasterAtLeast(3.0),
        figure: |samples| faster(samples, "script/", STOCK, "farcall"),
        reason: "",
    },
    Goal {
        work: "the same, the worst of them",
        against: "its own module over libffi",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| worst(samples, "script/", "farcall", STOCK),
        reason: "",
    },
    Goal {
        work: "MicroPython: C calls a Python function, net of what that function costs",
        against: "its own module over libffi",
        bound: Bound::FasterAtLeast(3.0),
        figure: |samples| {
            Some(Judged::of(samples.ratio(
                "script callback, the rest",
                STOCK,
                "farcall",
            )?))
        },
        reason: "",
    },
    Goal {
        work: "MicroPython: a whole script, from 1 call to 10^6, of 1 function and of 20, the slowest point",
        against: "the same with its own module",
        bound: Bound::TimesAtMost(1.02),
        figure: short::slowest,
        reason: "a larger program has more pages to load",
    },
    Goal {
        work: "MicroPython, once in a process: `open(None)`",
        against: "its own module",
        bound: Bound::TimesAtMost(2.0),
        figure: |samples| short::first_beside_stock(samples, "open(None)"),
        reason: "code that was not run before",
    },
    Goal {
        work: "the first `func`",
        against: "its own module",
        bound: Bound::TimesAtMost(2.0),
        figure: |samples| short::first_beside_stock(samples, "first func()"),
        reason: "code that was not run before",
    },
    Goal {
        work: "a function of a new signature",
        against: "–",
        bound: Bound::NsAtMost(1_500.0),
        figure: |samples| short::first(samples, "new signature"),
        reason: "",
    },
    Goal {
        work: "its first call",
        against: "–",
        bound: Bound::NsAtMost(1_000.0),
        figure: |samples| {
            let judged = short::first(samples, "its first call")?;
            let in_process = short::first_beside_stock(samples, "first call")?.note;
            let note = format!("{}; the first of the process {in_process}", judged.note);
            Some(judged.with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "the first callback",
        against: "its own module",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| short::first_beside_stock(samples, "first callback"),
        reason: "",
    },
    Goal {
        work: "memory: 1,000 signatures, executable",
        against: "–",
        bound: Bound::BytesAtMost(256.0 * 1024.0),
        figure: |samples| {
            let of = |peer| samples.count("memory/signatures/code", peer);
            let (slots, objects) = (of("farcall")?, of(IN_MICROPYTHON)?);
            let [slots_text, objects_text] = [slots, objects].map(|bytes| bytes / 1024.0);
            let note = format!(
                "{slots_text:.0} KiB with slots, {objects_text:.0} KiB with MicroPython's objects"
            );
            Some(Judged::alone(slots.max(objects)).with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "memory: 100,000 live callbacks, each",
        against: "libffi's closures",
        bound: Bound::BytesAtMost(64.0),
        figure: callback_bytes,
        reason: "",
    },
    Goal {
        work: "size: MicroPython's program, code and constants",
        against: "beyond the program with its own module",
        bound: Bound::BytesAtMost(200_000.0),
        figure: |samples| {
            let of = |row, peer| samples.count(row, peer).map(|bytes| bytes / 1000.0);
            let (ours, stock) = (of(PROGRAM, "farcall")?, of(PROGRAM, STOCK)?);
            let libffi = of(LIBRARY, LIBFFI[1])?;
            let note = format!(
                "{ours:.0} kB and {stock:.0} kB, which also loads libffi of {libffi:.0} kB"
            );
            Some(Judged::alone((ours - stock) * 1000.0).with_note(note))
        },
        reason: "Rust's standard library cannot be optimised as a whole with the rest, as parts of it are exchanged, and leaves 50 kB; \
                 unwinding, by which a fault of ours becomes an exception, takes 25 kB",
    },
    Goal {
        work: "size: as libffi, code and constants",
        against: "–",
        bound: Bound::BytesAtMost(200_000.0),
        figure: |samples| {
            let of = |peer| samples.count(LIBRARY, peer);
            let note = format!("libffi's {:.0} KiB", of(LIBFFI[0])? / 1024.0);
            Some(Judged::alone(of(DROP_IN)?).with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "one more register argument",
        against: "–",
        bound: Bound::NsAtMost(1.0),
        figure: |samples| {
            let [ints, doubles] = ["q", "d"].map(|letter| per_argument(samples, letter));
            let (ints, doubles) = (ints?, doubles?);
            let note = format!(
                "integers {:.2} ns, doubles {:.2} ns",
                ints.median, doubles.median
            );
            let worse = if ints.median > doubles.median {
                ints
            } else {
                doubles
            };
            Some(Judged::of(worse).with_note(note))
        },
        reason: "",
    },
    Goal {
        work: "a callback called with 10^3 and 10^5 live ones",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/callbacks/call", "flat/callbacks/c"),
        reason: "",
    },
    Goal {
        work: "one made and freed, likewise",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/callbacks/made", "flat/callbacks/c"),
        reason: "",
    },
    Goal {
        work: "a function called with 10, 100 and 1,000 signatures",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/signatures/call", "flat/signatures/c"),
        reason: "",
    },
    Goal {
        work: "a function made of a known signature, likewise",
        against: "with one",
        bound: FLAT,
        figure: |samples| grown(samples, "flat/signatures/seen", "flat/signatures/c"),
        reason: "",
    },
    Goal {
        work: "instructions of a trampoline for AArch64, 12 signatures, the worst of them",
        against: "gcc's or clang's, whichever are fewer",
        bound: Bound::TimesAtMost(1.15),
        figure: |samples| instructions(samples, "instructions/AAPCS64/"),
        reason: "",
    },
    Goal {
        work: "the same for Win64",
        against: "gcc's or clang's, whichever are fewer",
        bound: Bound::TimesAtMost(1.15),
        figure: |samples| instructions(samples, "instructions/Win64/"),
        reason: "",
    },
    Goal {
        work: "a script's call with a struct of two `int64_t` by value",
        against: "with the two numbers",
        bound: Bound::TimesAtMost(2.0),
        figure: |samples| {
            let row = "script/struct";
            let judged = Judged::of(samples.ratio(row, "farcall", "farcall numbers")?);
            let result = samples.time("script/struct result", "farcall")?.quiet;
            Some(judged.with_note(format!("as a result: {result:.0} ns, a new object")))
        },
        reason: "",
    },
    Goal {
        work: "as libffi: `ffi_call`, geometric mean of 12",
        against: "libffi's",
        bound: Bound::FasterAtLeast(4.0),
        figure: |samples| faster(samples, "call/", LIBFFI[0], DROP_IN),
        reason: "",
    },
    Goal {
        work: "the same, the worst of them",
        against: "libffi's",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| worst(samples, "call/", DROP_IN, LIBFFI[0]),
        reason: "",
    },
    Goal {
        work: "as libffi: `ffi_call_plan_invoke`, geometric mean of 12",
        against: "libffi's",
        bound: Bound::FasterAtLeast(2.5),
        figure: |samples| {
            let [theirs, ours] = [LIBFFI[0], DROP_IN].map(|name| format!("{name} plan"));
            faster(samples, "call/", &theirs, &ours)
        },
        reason: "",
    },
    Goal {
        work: "as libffi: C calls a closure, geometric mean of 12",
        against: "libffi's",
        bound: Bound::FasterAtLeast(3.0),
        figure: |samples| faster(samples, "callback/", LIBFFI[0], DROP_IN),
        reason: "",
    },
    Goal {
        work: "as libffi: `ffi_prep_cif`, 12 signatures, the worst of them",
        against: "libffi's",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| worst(samples, "prepared/", DROP_IN, LIBFFI[0]),
        reason: "",
    },
    Goal {
        work: "as libffi: `ffi_prep_cif` and `ffi_call`, geometric mean of 12",
        against: "libffi's",
        bound: Bound::FasterAtLeast(1.5),
        figure: |samples| faster(samples, "prepared and called/", LIBFFI[0], DROP_IN),
        reason: "",
    },
    Goal {
        work: "as libffi: a new signature prepared and called once",
        against: "libffi's",
        bound: Bound::TimesAtMost(1.2),
        figure: |samples| {
            let row = "first/made and called once";
            let judged = Judged::of(samples.ratio(row, DROP_IN, LIBFFI[0])?);
            let made = samples.ratio("first/made", DROP_IN, LIBFFI[0])?.median;
            Some(judged.with_note(format!("prepared only: {made:.2} ×")))
        },
        reason: "signatures are remembered, so that later calls are faster",
    },
    Goal {
        work: "as libffi: closure made and freed",
        against: "libffi's",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| Some(Judged::of(samples.ratio("made", DROP_IN, LIBFFI[0])?)),
        reason: "",
    },
    Goal {
        work: "as libffi: a process that is linked with it and makes no call",
        against: "one linked with libffi",
        bound: Bound::TimesAtMost(1.05),
        figure: |samples| {
            let judged = Judged::of(samples.ratio(loading::LINKED, DROP_IN, LIBFFI[0])?);
            let none = samples.ratio(loading::LINKED, loading::NONE, LIBFFI[0])?;
            Some(judged.with_note(format!("with neither {:.2} ×", none.median)))
        },
        reason: "",
    },
    Goal {
        work: "as libffi: `dlopen` and `dlclose`",
        against: "libffi's",
        bound: Bound::TimesAtMost(1.5),
        figure: |samples| {
            Some(Judged::of(samples.ratio(
                loading::OPENED,
                DROP_IN,
                LIBFFI[0],
            )?))
        },
        reason: "",
    },
    Goal {
        work: "as libffi: size of the code",
        against: "–",
        bound: Bound::BytesAtMost(128.0 * 1024.0),
        figure: |samples| {
            let of = |peer| samples.count(loading::TEXT, peer);
            let note = format!("libffi {:.0} KiB", of(LIBFFI[0])? / 1024.0);
            Some(Judged::alone(of(DROP_IN)?).with_note(note))
        },
        reason: "it plans signatures and makes code and unwind data for them, by means of Rust's standard library",
    },
    Goal {
        work: "as libffi: `add2` by CPython's ctypes, net of the loop",
        against: "ctypes on libffi",
        bound: Bound::TimesAtMost(1.0),
        figure: |samples| {
            let [ours, theirs] = CTYPES_ON;
            Some(Judged::of(samples.ratio("peers/add2", ours, theirs)?))
        },
        reason: "",
    },
];

/// A call of two ints in one of the crate's ways, as a multiple of the trampoline; the note has the figure for eight mixed arguments.
fn way_of_the_crate(samples: &Samples, peer: &str) -> Option<Judged> {
    let judged = Judged::of(samples.ratio("call/add2", peer, "farcall")?);
    let eight = samples.ratio("call/mixed8", peer, "farcall")?.median;
    Some(judged.with_note(format!("eight mixed arguments {eight:.2} ×")))
}

/// The bound up to which a figure counts as constant.
const FLAT: Bound = Bound::TimesAtMost(1.15);
