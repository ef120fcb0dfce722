//! The signatures of `benches/peers/signatures.txt`, and the C code for them.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::paths;

/// One signature.
#[derive(Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The result's letter.
    pub ret: char,
    /// The arguments' letters.
    pub args: String,
}

/// The table's path.
pub fn table() -> PathBuf {
    paths::root().join("benches/peers/signatures.txt")
}

/// All signatures, in the order of the table.
pub fn all() -> Result<Vec<Case>> {
    let text = fs::read_to_string(table()).context("cannot read the signatures")?;
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(parse)
        .collect()
}

fn parse(line: &str) -> Result<Case> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    ensure!(columns.len() == 6, "six columns wanted: {line}");
    let ret = columns[1].chars().next().unwrap_or('v');
    Ok(Case {
        name: columns[0].into(),
        ret,
        args: columns[2].replace('-', ""),
    })
}

/// The C type that a letter stands for here: one of the letter's size and kind.
fn c_type(letter: char) -> &'static str {
    match letter {
        'v' => "void",
        'b' => "int8_t",
        'B' => "uint8_t",
        'h' => "int16_t",
        'H' => "uint16_t",
        'i' => "int32_t",
        'I' => "uint32_t",
        'f' => "float",
        'd' => "double",
        'q' => "int64_t",
        _ => "uint64_t",
    }
}

/// The expression for `slot` as a value of the letter's type.
fn from_slot(letter: char, slot: &str) -> String {
    match letter {
        'f' => format!("float_in(&{slot})"),
        'd' => format!("double_in(&{slot})"),
        _ => format!("({}){slot}", c_type(letter)),
    }
}

/// The statement that leaves the value `x` in `*result`, a slot.
fn to_slot(letter: char) -> &'static str {
    match letter {
        'v' => "",
        'f' | 'd' => "__builtin_memcpy(result, &x, sizeof(x));",
        'B' | 'H' | 'I' | 'L' | 'Q' | 'P' | 'p' => "*result = x;",
        _ => "*result = (uint64_t)(int64_t)x;",
    }
}

impl Case {
    fn letters(&self) -> impl Iterator<Item = (usize, char)> {
        self.args.chars().enumerate()
    }

    /// The list of all arguments, each written by `each`, with commas between.
    fn list(&self, each: impl Fn(usize, char) -> String) -> String {
        let items: Vec<String> = self.letters().map(|(n, letter)| each(n, letter)).collect();
        items.join(", ")
    }

    fn parameters(&self) -> String {
        let list = self.list(|n, letter| format!("{} a{n}", c_type(letter)));
        if list.is_empty() { "void".into() } else { list }
    }

    /// `x = f(arguments)`, less the `x` where there is no result.
    fn call(&self, f: &str, arguments: &str) -> String {
        match self.ret {
            'v' => format!("{f}({arguments});"),
            letter => format!("{} x = {f}({arguments});", c_type(letter)),
        }
    }

    /// The two bodies that a function of this signature has: the first argument plus the last, and the weighed sum.
    fn bodies(&self) -> [String; 2] {
        let wide = if matches!(self.ret, 'f' | 'd') {
            "double"
        } else {
            "int64_t"
        };
        let weighed: Vec<String> = self
            .letters()
            .map(|(n, _)| format!("({wide})a{n} * {}", n + 1))
            .collect();
        let ret = c_type(self.ret);
        match self.args.len() {
            0 => ["".into(), "bench_counter += 1;".into()],
            1 => ["return a0;".into(), "return a0;".into()],
            count => [
                format!("return ({ret})(a0 + a{});", count - 1),
                format!("return ({ret})({});", weighed.join(" + ")),
            ],
        }
    }

    /// A typed function, and handlers that behave like it: they unpack the slots and call it, which the compiler inlines.
    fn functions(&self) -> String {
        let (name, ret, parameters) = (&self.name, c_type(self.ret), self.parameters());
        let from_slots = self.list(|n, letter| from_slot(letter, &format!("slots[{n}]")));
        let from_values = self.list(|n, letter| format!("*({} *)values[{n}]", c_type(letter)));
        let mut text = String::new();
        for (suffix, body) in ["ends", "weighed"].iter().zip(self.bodies()) {
            let f = format!("{name}_{suffix}");
            let slots = self.call(&f, &from_slots);
            let values = self.call(&f, &from_values);
            let result = to_slot(self.ret);
            let _ = write!(
                text,
                "{ret} {f}({parameters}) {{ {body} }}\n\
                 static uint64_t {f}_slots(void *context, const uint64_t *slots) {{\n    \
                 uint64_t slot = 0, *result = &slot;\n    {slots}\n    {result}\n    return slot;\n}}\n\
                 static void {f}_closure(void *cif, void *out, void **values, void *context) {{\n    \
                 uint64_t *result = out;\n    {values}\n    {result}\n}}\n",
            );
        }
        text
    }

    /// The call from slots, and the loop that calls a function pointer of this type.
    fn callers(&self) -> String {
        let name = &self.name;
        let pointer = format!("{} (*f)({})", c_type(self.ret), self.parameters());
        let declared: String = self
            .letters()
            .map(|(n, letter)| {
                let value = from_slot(letter, &format!("slots[{n}]"));
                format!("    {} a{n} = {value};\n", c_type(letter))
            })
            .collect();
        let (first, again) = match self.ret {
            'v' => (String::new(), ""),
            letter => (format!("    {} x = 0;\n", c_type(letter)), "x = "),
        };
        let arguments = self.list(|n, _| format!("a{n}"));
        let mut text = format!("static {}", self.typed_call());
        for n in 0..PEERS {
            let _ = write!(
                text,
                "BENCH_SLOTS_LOOP({name}_slots{n})\nBENCH_LIBFFI_LOOP({name}_libffi{n})\n\
                 static void {name}_caller{n}(const void *target, const uint64_t *slots, uint64_t *result, \
                 uint64_t count) {{\n    {pointer} = target;\n{declared}{first}    \
                 for (uint64_t i = 0; i < count; ++i) {{\n        {again}f({arguments});\n    }}\n    {}\n}}\n",
                to_slot(self.ret)
            );
        }
        text
    }

    /// The work of a callback, written in C for this signature: the arguments go into slots, a handler gets them.
    fn entry_in_c(&self) -> String {
        let name = &self.name;
        let slots: String = self
            .letters()
            .map(|(n, letter)| match letter {
                'f' | 'd' => format!("    __builtin_memcpy(&slots[{n}], &a{n}, sizeof(a{n}));\n"),
                'B' | 'H' | 'I' | 'L' | 'Q' | 'P' | 'p' => format!("    slots[{n}] = a{n};\n"),
                _ => format!("    slots[{n}] = (uint64_t)(int64_t)a{n};\n"),
            })
            .collect();
        let ret = c_type(self.ret);
        let back = match self.ret {
            'v' => String::new(),
            letter => format!("    return {};\n", from_slot(letter, "result")),
        };
        format!(
            "static bench_slots_handler {name}_handler = {name}_ends_slots;\n\
             static {ret} {name}_entry({}) {{\n    uint64_t slots[{}];\n{slots}    \
             uint64_t result = (*(bench_slots_handler volatile *)&{name}_handler)(NULL, slots);\n{back}}}\n",
            self.parameters(),
            self.args.len().max(1),
        )
    }

    /// Only the call from slots, as a function that other files see.
    fn typed_call(&self) -> String {
        let pointer = format!("{} (*f)({})", c_type(self.ret), self.parameters());
        let from_slots = self.list(|n, letter| from_slot(letter, &format!("slots[{n}]")));
        format!(
            "void {}_typed(const void *target, const uint64_t *slots, uint64_t *result) {{\n    \
             {pointer} = target;\n    {} {}\n}}\n",
            self.name,
            self.call("f", &from_slots),
            to_slot(self.ret)
        )
    }

    fn entry(&self) -> String {
        let name = &self.name;
        let copies = |what: &str| {
            let list: Vec<String> = (0..PEERS).map(|n| format!("{name}_{what}{n}")).collect();
            list.join(", ")
        };
        format!(
            "    {{ \"{name}\", {name}_ends, {name}_weighed, {name}_entry, {name}_typed,\n      {{ {} }},\n      {{ {} }},\n      {{ {} }},\n      \
             {name}_ends_slots, {name}_weighed_slots, {name}_ends_closure, {name}_weighed_closure }},\n",
            copies("slots"),
            copies("libffi"),
            copies("caller"),
        )
    }
}

/// ORDER BENCH_PEERS: bench.h has the same.
const PEERS: usize = 12;

/// The code with which C reads floats out of slots. It needs no header but the compiler's own, so it fits any target.
const PROLOGUE: &str = "\
#include <stdint.h>

static inline float float_in(const uint64_t *slot) { float x; __builtin_memcpy(&x, slot, sizeof(x)); return x; }
static inline double double_in(const uint64_t *slot) { double x; __builtin_memcpy(&x, slot, sizeof(x)); return x; }

";

/// A C file with the calls from slots alone, for any target.
pub fn typed_calls(cases: &[Case]) -> String {
    let calls: String = cases.iter().map(Case::typed_call).collect();
    format!("{PROLOGUE}{calls}")
}

/// A C file with everything of all cases, and the table of them.
pub fn c_file(cases: &[Case]) -> String {
    let mut text = format!("#include \"bench.h\"\n{PROLOGUE}uint64_t bench_counter;\n\n");
    for case in cases {
        text.push_str(&case.functions());
        text.push_str(&case.entry_in_c());
        text.push_str(&case.callers());
        text.push('\n');
    }
    let entries: String = cases.iter().map(Case::entry).collect();
    let _ = write!(
        text,
        "const struct bench_case bench_cases[] = {{\n{entries}}};\nconst size_t bench_case_count = {};\n",
        cases.len()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_call_reads_as_one_would_write_it() {
        let case = parse("  add2  i  ii  1,2  3  5").expect("a case");
        assert_eq!(
            case.typed_call(),
            "void add2_typed(const void *target, const uint64_t *slots, uint64_t *result) {\n    \
             int32_t (*f)(int32_t a0, int32_t a1) = target;\n    \
             int32_t x = f((int32_t)slots[0], (int32_t)slots[1]); *result = (uint64_t)(int64_t)x;\n}\n"
        );
    }

    #[test]
    fn table_has_twelve_signatures_of_up_to_twenty_arguments() {
        let cases = all().expect("the table is well-formed");
        let counts = cases.iter().map(|case| case.args.len());
        assert_eq!(counts.clone().count(), 12);
        assert_eq!((counts.clone().min(), counts.max()), (Some(0), Some(20)));
    }
}
