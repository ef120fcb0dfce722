//! The detailed tables as data: their rows and peers.

use std::fmt::Write;

use super::closures::{self, TYPED};
use super::harness::{DROP_IN, LIBFFI};
use super::loading::NONE;
use super::samples::Samples;
use super::scripts::{CTYPES_ON, OTHERS, STOCK};

/// Rows with the same peers.
pub struct Table {
    /// Its heading.
    pub title: &'static str,
    /// The explanation above it.
    pub about: &'static str,
    /// The prefix of its rows' names.
    pub prefix: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

/// A peer, and the one that it is a multiple of.
pub struct Column {
    peer: &'static str,
    head: &'static str,
    base: &'static str,
}

pub const fn column(peer: &'static str, head: &'static str, base: &'static str) -> Column {
    Column { peer, head, base }
}

/// The name of [`DROP_IN`] with a call plan.
const DROP_IN_PLAN: &str = "farcall as libffi plan";

/// The name of the crate's calls and callbacks with slots.
pub const SLOTS: &str = "farcall slots";
/// The name of the crate's calls and callbacks with values.
pub const VALUES: &str = "farcall values";

/// Every table, in the order of the report.
pub const TABLES: &[Table] = &[
    Table {
        title: "Calls of C functions, arguments in slots",
        about: "Each function returns its first argument plus its last. `C` is the call from slots, written in C for that one \
                signature. The trampoline is farcall's machine code for the same, called by C with nothing around it. \
                `Function::call_slots` and `Function::call` are what a Rust program calls: they check the arguments, keep the library \
                loaded, and pass panics on; so does `TypedFunction::call`, whose types were checked before. The rest is compared with the \
                trampoline.",
        prefix: "call/",
        columns: &[
            column("c", "C", ""),
            column("farcall", "trampoline", "c"),
            column(SLOTS, "`call_slots`", "farcall"),
            column(VALUES, "`call`", "farcall"),
            column(TYPED, "typed", "farcall"),
            column("libffi plan", "libffi, plan", "farcall"),
            column("libffi", "libffi", "farcall"),
            column("libffi of the system", "libffi of the system", "farcall"),
        ],
    },
    Table {
        title: "The same through libffi's interface",
        about: "`ffi_call` and `ffi_call_plan_invoke`, the same C program on libffi and on farcall's library in its place.",
        prefix: "call/",
        columns: &[
            column("libffi", "libffi", ""),
            column(DROP_IN, "farcall", "libffi"),
            column("libffi plan", "libffi, plan", ""),
            column(DROP_IN_PLAN, "farcall, plan", "libffi plan"),
        ],
    },
    Table {
        title: "C calls a function pointer",
        about: "A C function; one that puts its arguments into slots and calls a handler, as a callback does; farcall's entry, with a \
                handler in C and nothing around it; the crate's `Callback::with_slots` and `Callback::with_codes`, with closures; libffi's closures.",
        prefix: "callback/",
        columns: &[
            column("c", "C", ""),
            column("c slots", "C, through slots", "c"),
            column("farcall", "entry", "c"),
            column(SLOTS, "`with_slots`", "farcall"),
            column(VALUES, "`with_codes`", "farcall"),
            column("libffi", "libffi", "farcall"),
            column("libffi of the system", "libffi of the system", "farcall"),
            column(DROP_IN, "farcall as libffi", "libffi"),
        ],
    },
    closures::CALLED,
    closures::MADE,
    Table {
        title: "Functions made",
        about: "`Function::at` with a signature seen before.",
        prefix: "func/",
        columns: &[column("farcall", "farcall", "")],
    },
    Table {
        title: "C declarations",
        about: "`Declarations::read` with a header of 1,000: of ten, seven functions, one structure, one enumeration, one constant.",
        prefix: "declarations/",
        columns: &[column("farcall", "farcall", "")],
    },
    Table {
        title: "Signatures that nobody has used before",
        about: "Each of five arguments. `Function::at` and `Function::call_slots`; `ffi_prep_cif` and `ffi_call`. A closure is made by \
                `Callback::with_slots`, and by `ffi_prep_cif` and `ffi_prep_closure_loc`. The last rows are single steps: the first \
                call of a function, one more that follows the plan, one through code, and the making of code.",
        prefix: "first/",
        columns: &[
            column("farcall", "farcall", ""),
            column("libffi", "libffi", ""),
            column("libffi of the system", "libffi of the system", "libffi"),
            column(DROP_IN, "farcall as libffi", "libffi"),
        ],
    },
    Table {
        title: "libffi's cifs",
        about: "`ffi_prep_cif` alone.",
        prefix: "prepared/",
        columns: &[
            column("libffi", "libffi", ""),
            column("libffi of the system", "libffi of the system", "libffi"),
            column(DROP_IN, "farcall as libffi", "libffi"),
        ],
    },
    Table {
        title: "libffi's cifs, prepared and used once",
        about: "`ffi_prep_cif` and `ffi_call`, as programs do that keep no cifs.",
        prefix: "prepared and called/",
        columns: &[
            column("libffi", "libffi", ""),
            column("libffi of the system", "libffi of the system", "libffi"),
            column(DROP_IN, "farcall as libffi", "libffi"),
        ],
    },
    Table {
        title: "From MicroPython's scripts",
        about: "A call in a loop, less an empty loop. The stock module is MicroPython's own, over the newest libffi. Results that \
                are floats are new objects, which costs both the same.",
        prefix: "script/",
        columns: &[
            column("farcall", "farcall", ""),
            column(STOCK, "stock", "farcall"),
        ],
    },
    Table {
        title: "A builtin function of MicroPython",
        about: "The same, beside `time.ticks_diff(i, 1)`.",
        prefix: "script add2",
        columns: &[
            column("farcall builtin", "builtin", ""),
            column("farcall", "farcall", "farcall builtin"),
            column("stock builtin", "builtin, stock build", ""),
            column(STOCK, "stock", "stock builtin"),
        ],
    },
    Table {
        title: "Functions made by MicroPython's scripts",
        about: "`ffi.func(\"i\", address, \"ii\")` in a loop, less an empty loop.",
        prefix: "script func",
        columns: &[
            column("farcall", "farcall", ""),
            column(STOCK, "stock", "farcall"),
        ],
    },
    Table {
        title: "Functions of new signatures made by MicroPython's scripts",
        about: "`ffi.func(\"v\", address, args)` with five letters that were not seen before; the same, and a call.",
        prefix: "script first",
        columns: &[
            column("farcall", "farcall", ""),
            column(STOCK, "stock", "farcall"),
        ],
    },
    Table {
        title: "The first of everything in a process of MicroPython's",
        about: "Each is done once in a process, which has run nothing of it before, and timed by a clock that is loaded ahead of the C \
                library. `open(None)`; `func` of a name, with the first signature; its first call; `func` of an address, with a new \
                signature; its first call; `callback`.",
        prefix: "once/",
        columns: &[
            column("farcall", "farcall", ""),
            column(STOCK, "stock", "farcall"),
        ],
    },
    Table {
        title: "Whole scripts of MicroPython's",
        about: "The processor's time of a process from its start to its end: it opens the program, makes 1 or 20 functions, and calls \
                them so many times, by turns.",
        prefix: "whole/",
        columns: &[
            column(STOCK, "stock", ""),
            column("farcall", "farcall", STOCK),
        ],
    },
    Table {
        title: "C calls a Python function, in MicroPython",
        about: "The whole of it; what a function of one int costs when it is `max`'s key, less `max` without a key; and what is left of \
                the whole without that.",
        prefix: "script callback",
        columns: &[
            column("farcall", "farcall", ""),
            column(STOCK, "stock", "farcall"),
        ],
    },
    Table {
        title: "Arguments in registers",
        about: "Calls with so many arguments, all integers (`q`) or all doubles (`d`), of a function that looks at none.",
        prefix: "flat/arguments/",
        columns: &[
            column("0", "0", ""),
            column("1", "1", ""),
            column("2", "2", ""),
            column("3", "3", ""),
            column("4", "4", ""),
            column("5", "5", ""),
            column("6", "6", ""),
            column("7", "7", ""),
            column("8", "8", ""),
        ],
    },
    Table {
        title: "With so many live callbacks",
        about: "A callback is called; another is made and freed; C calls a C function, for comparison.",
        prefix: "flat/callbacks/",
        columns: &[
            column("1", "1", ""),
            column("1000", "1,000", "1"),
            column("100000", "100,000", "1"),
        ],
    },
    Table {
        title: "With so many signatures",
        about: "A function is called; one is made of a known signature; C calls it from slots, for comparison.",
        prefix: "flat/signatures/",
        columns: &[
            column("1", "1", ""),
            column("10", "10", "1"),
            column("100", "100", "1"),
            column("1000", "1,000", "1"),
        ],
    },
    Table {
        title: "Programs that make no call",
        about: "A process linked with it whose `main` returns at once, from its start to its end; `dlopen` and `dlclose` as the first thing a \
                process does; and the bytes of code.",
        prefix: "load/",
        columns: &[
            column(NONE, "none", ""),
            column("libffi", "libffi", ""),
            column("libffi of the system", "libffi of the system", "libffi"),
            column(DROP_IN, "farcall as libffi", "libffi"),
        ],
    },
    Table {
        title: "CPython's ctypes on libffi, and on farcall in its place",
        about: "Calls with declared types, in a loop, less an empty loop; C calls a Python function.",
        prefix: "peers/",
        columns: &[
            column(CTYPES_ON[1], "libffi", ""),
            column(CTYPES_ON[0], "farcall", CTYPES_ON[1]),
        ],
    },
    Table {
        title: "Instructions of trampolines",
        about: "The call from slots, farcall's and as C compilers write it with `-O2` and landing pads for indirect calls.",
        prefix: "instructions/",
        columns: &[
            column("farcall", "farcall", ""),
            column("gcc", "gcc", ""),
            column("clang", "clang", ""),
        ],
    },
];

impl Table {
    /// The table in Markdown; empty if none of its rows was measured.
    pub fn text(&self, samples: &Samples) -> String {
        let is_measured = |row: &&str| {
            let mut peers = samples.peers(row);
            peers.any(|peer| self.columns.iter().any(|column| column.peer == peer))
        };
        let rows: Vec<&str> = samples.rows(self.prefix).filter(is_measured).collect();
        if rows.is_empty() {
            return String::new();
        }
        let heads: Vec<&str> = self.columns.iter().map(|column| column.head).collect();
        let mut text = format!("\n## {}\n\n{}\n\n", self.title, self.about);
        let _ = writeln!(text, "| | {} |", heads.join(" | "));
        let _ = writeln!(text, "| ---{} |", " | ---".repeat(heads.len()));
        for row in rows {
            let name = row.strip_prefix(self.prefix).unwrap_or(row);
            let name = name.trim_start_matches(", ");
            let cells = self.columns.iter().map(|column| cell(samples, row, column));
            let cells: Vec<String> = cells.collect();
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
        text
    }
}

fn cell(samples: &Samples, row: &str, column: &Column) -> String {
    let Some(time) = samples.time(row, column.peer) else {
        let count = samples.count(row, column.peer);
        return count.map_or(String::new(), |count| count.to_string());
    };
    let ratio = samples.ratio(row, column.peer, column.base);
    let ratio = ratio.map_or(String::new(), |ratio| format!(" ({:.2} ×)", ratio.median));
    format!("{}{ratio}", nanoseconds(time.quiet))
}

/// A time, rounded to its significant digits.
pub fn nanoseconds(ns: f64) -> String {
    match ns {
        ns if ns < 10.0 => format!("{ns:.2} ns"),
        ns if ns < 100.0 => format!("{ns:.1} ns"),
        ns if ns < 10_000.0 => format!("{ns:.0} ns"),
        ns => format!("{:.1} µs", ns / 1000.0),
    }
}

/// One way to call C, with the names of its measurements.
pub struct Way {
    /// Its name in tables.
    pub name: &'static str,
    /// Its name beside bars.
    pub short: &'static str,
    /// Whether a script calls, not a compiled program.
    pub scripted: bool,
    /// Whether it is farcall's.
    pub ours: bool,
    /// The peer's name in all its rows, and the rows: a call of `int(int, int)`, one of eight mixed arguments, a callback, a struct by
    /// value as an argument and as a result.
    pub peer: &'static str,
    rows: [&'static str; 5],
}

const NATIVE: [&str; 5] = ["call/add2", "call/mixed8", "callback/add2", "", ""];
const SCRIPT: [&str; 5] = [
    "script/add2",
    "script/mixed8",
    "script callback, int(int, int), whole",
    "script/struct",
    "script/struct result",
];
const OTHER: [&str; 5] = [
    "peers/add2",
    "peers/mixed8",
    "peers/callback",
    "peers/struct",
    "peers/struct result",
];

const fn way(
    name: &'static str,
    short: &'static str,
    peer: &'static str,
    rows: [&'static str; 5],
) -> Way {
    Way {
        name,
        short,
        scripted: true,
        ours: false,
        peer,
        rows,
    }
}

const fn native(name: &'static str, short: &'static str, peer: &'static str) -> Way {
    Way {
        scripted: false,
        ..way(name, short, peer, NATIVE)
    }
}

/// Every way that is measured.
pub const WAYS: &[Way] = &[
    native("C, written for the signature", "C", "c"),
    Way {
        ours: true,
        ..native(
            "**farcall**, trampoline and entry alone",
            "trampoline",
            "farcall",
        )
    },
    Way {
        ours: true,
        ..native(
            "**farcall**, `call_slots`, `with_slots`",
            "farcall, slots",
            SLOTS,
        )
    },
    Way {
        ours: true,
        ..native(
            "**farcall**, `call`, `Callback::with_codes`",
            "farcall, values",
            VALUES,
        )
    },
    native(
        "libffi, `ffi_call_plan_invoke`",
        "libffi, plan",
        "libffi plan",
    ),
    native("libffi, `ffi_call`", "libffi", LIBFFI[0]),
    native("libffi of the system", "libffi, system", LIBFFI[1]),
    Way {
        ours: true,
        ..way(
            "**farcall in MicroPython**",
            "farcall, MicroPython",
            "farcall",
            SCRIPT,
        )
    },
    way(
        "MicroPython's own module",
        "MicroPython's own",
        STOCK,
        SCRIPT,
    ),
    way("LuaJIT, compiled", "LuaJIT, compiled", OTHERS[0], OTHER),
    way(
        "LuaJIT, interpreted",
        "LuaJIT, interpreted",
        OTHERS[1],
        OTHER,
    ),
    way("CPython, ctypes", "CPython ctypes", OTHERS[2], OTHER),
    way("CPython, cffi (ABI mode)", "CPython cffi", OTHERS[3], OTHER),
];

/// The columns of the side-by-side table.
pub const WORK: [&str; 5] = [
    "int(int, int)",
    "8 mixed arguments",
    "C calls back, int(int, int)",
    "a struct of 16 bytes by value",
    "such a struct as the result",
];

impl Way {
    /// Nanoseconds for the work of a column.
    pub fn time(&self, samples: &Samples, column: usize) -> Option<f64> {
        let time = samples.time(self.rows[column], self.peer);
        time.map(|time| time.quiet)
    }
}

/// All ways side by side, in Markdown; empty if none was measured.
pub fn side_by_side(samples: &Samples) -> String {
    let mut lines = String::new();
    for way in WAYS {
        let times: Vec<String> = (0..WORK.len())
            .map(|column| way.time(samples, column).map_or("–".into(), nanoseconds))
            .collect();
        if times.iter().any(|time| time != "–") {
            let _ = writeln!(lines, "| {} | {} |", way.name, times.join(" | "));
        }
    }
    if lines.is_empty() {
        return lines;
    }
    let [two, eight, back, argument, result] = WORK;
    let rule = "| --- ".repeat(WORK.len() + 1);
    format!("| | `{two}` | {eight} | {back} | {argument} | {result} |\n{rule}|\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_leaves_out_what_was_not_measured() {
        let mut samples = Samples::default();
        let text = "sample\tcall/add2\tfarcall\t3 3\nsample\tcall/add2\tc\t2 2\n";
        samples.read(text).expect("two samples");
        let table = TABLES[0].text(&samples);
        assert!(
            table.ends_with("| add2 | 2.00 ns | 3.00 ns (1.50 ×) |  |  |  |  |  |  |\n"),
            "{table}"
        );
        assert_eq!(TABLES[1].text(&samples), "");
        let lines = side_by_side(&samples);
        assert_eq!(lines.lines().count(), 4, "{lines}");
    }
}
