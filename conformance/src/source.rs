//! Cases to C.
//!
//! For each case a function that farcall calls (`callee_N`) and one that calls a function pointer (`caller_N`).
//! Values are not in the source: the functions read and write cells of 8 bytes at run time, so one compiled case
//! serves any number of values. What a function got is widened to a cell by the compiler, from the declared type:
//! where a compiler relies on the bits above a narrow value, a missing extension shows in the cell.

use crate::MAX_ARGS;
use crate::cases::Direction;
use crate::codes::{Case, Code, Shape};
use crate::target::{Form, Target, VaList};
use crate::wide;
use std::fmt::Write;

/// What every unit begins with: the record that both sides know ([`crate::run::peer::Peer`]), and conversions to
/// and from cells.
const PRELUDE: &str = "\
typedef unsigned long long cell;

struct farcall_peer {
    cell calls; cell give; cell seen[SEEN];
    unsigned char wide_give[WIDE_GIVE], wide_seen[WIDE_SEEN];
};
/* What Windows calls when it loads the object, so that it needs no C library. */
int farcall_entry(void *module, unsigned int reason, void *reserved) { return 1; }

#define SIGNED(value) ((cell)(long long)(value))
#define UNSIGNED(value) ((cell)(value))
#define INLINE static inline __attribute__((always_inline))
INLINE cell FLOAT(float value) {
    unsigned int bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits;
}
INLINE cell DOUBLE(double value) {
    cell bits;
    __builtin_memcpy(&bits, &value, 8);
    return bits;
}
INLINE float to_float(cell bits) {
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}
INLINE double to_double(cell bits) {
    double value;
    __builtin_memcpy(&value, &bits, 8);
    return value;
}
";

/// Where the record lies where the C code must refer to nothing: nobody else is there.
pub const PEER_ADDRESS: usize = 0x20_0000_0000;

/// Where the record is.
fn peer(target: &Target) -> String {
    match target.form {
        Form::Shared => {
            "struct farcall_peer farcall_peer;\n#define PEER (&farcall_peer)\n".to_owned()
        }
        Form::Foreign => format!("#define PEER ((struct farcall_peer *){PEER_ADDRESS:#x}ull)\n"),
    }
}

/// The C source of some cases. Their functions are found through two tables, in the order of the cases.
pub fn unit(cases: &[Case], target: &Target, directions: &[Direction]) -> String {
    let prelude = PRELUDE
        .replace("WIDE_GIVE", &wide::source::GIVE.to_string())
        .replace("WIDE_SEEN", &wide::source::SEEN.to_string())
        .replace("SEEN", &MAX_ARGS.to_string());
    let peer = peer(target);
    let mut text = format!("#define CONVENTION {}\n{prelude}{peer}", target.attribute);
    if cases.iter().any(|case| case.wide.is_some()) {
        text.push_str(wide::source::PRELUDE);
        if target.extension == "dll" {
            text.push_str(wide::source::MEMCPY);
        }
    }
    for case in cases {
        if let Some(signature) = &case.wide {
            text.push_str(&wide::source::definitions(case, signature, target));
        }
    }
    // Callers first: behind a callee of a convention that is not its own GCC 12 may fail inside itself at a caller.
    for direction in directions.iter().rev() {
        for case in cases {
            text.push('\n');
            text.push_str(&match (direction, &case.wide) {
                (Direction::Call, None) => callee(case, target.va_list),
                (Direction::Callback, None) => caller(case, target.dirty_arguments),
                (Direction::Call, Some(types)) => wide::source::callee(case, types, target),
                (Direction::Callback, Some(types)) => wide::source::caller(case, types, target),
            });
        }
        let (name, table) = names(*direction);
        let _ = writeln!(text, "\nvoid *const {table}[] = {{");
        for case in cases {
            let _ = writeln!(text, "    (void *){name}_{},", case.index);
        }
        text.push_str("};\n");
    }
    text
}

/// What functions of a direction are called, and the symbol of the table that lists them.
pub fn names(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::Call => ("callee", "farcall_callees"),
        Direction::Callback => ("caller", "farcall_callers"),
    }
}

/// A function that records its arguments and returns what is preset.
fn callee(case: &Case, va_list: Option<VaList>) -> String {
    let named = case.fixed.unwrap_or(case.args.len());
    let params = case.args[..named].iter().enumerate().map(param).collect();
    let ret = if case.wide_return {
        widest(case.ret)
    } else {
        case.ret.c_type
    };
    let mut text = format!(
        "/* {case} */\nCONVENTION {ret} callee_{}({}) {{\n    PEER->calls++;\n",
        case.index,
        parameters(params, case.fixed)
    );
    let va_list = va_list.filter(|_| case.fixed.is_some());
    if let Some(VaList { list, start }) = va_list {
        let _ = writeln!(text, "    {list} list;\n    {start}(list, a{});", named - 1);
    }
    for (position, code) in case.args.iter().enumerate() {
        let cell = widening(code);
        let value = match case.is_unnamed(position) {
            true => format!("__builtin_va_arg(list, {})", code.c_type),
            false => format!("a{position}"),
        };
        let _ = writeln!(text, "    PEER->seen[{position}] = {cell}({value});");
    }
    if case.ret.shape != Shape::Void {
        // Converted from the cell as a whole, or, to the wide type, not at all: the dirt above the value stays.
        let value = from_cell(case.ret, case.wide_return, "PEER->give");
        let _ = writeln!(text, "    return {value};");
    }
    text.push_str("}\n");
    text
}

/// A function that calls a pointer with preset values and stores what that returned.
fn caller(case: &Case, dirty_arguments: bool) -> String {
    let is_wide = case.wide_args && dirty_arguments;
    let named = case.fixed.unwrap_or(case.args.len());
    let types = case.args[..named].iter().map(|code| {
        let ty = if is_wide { widest(code) } else { code.c_type };
        ty.to_owned()
    });
    let types = parameters(types.collect(), case.fixed);
    let args = case.args.iter().enumerate();
    let args: Vec<String> = args
        .map(|(position, code)| from_cell(code, is_wide, &format!("in[{position}]")))
        .collect();
    let call = format!(
        "(({} (CONVENTION *)({types}))code)({})",
        case.ret.c_type,
        args.join(", ")
    );
    let store = match case.ret.shape {
        Shape::Void => call,
        _ => format!("*out = {}({call})", widening(case.ret)),
    };
    format!(
        "/* {case} */\nvoid caller_{}(void *code, const cell *in, cell *out) {{\n    {store};\n}}\n",
        case.index
    )
}

fn param((position, code): (usize, &&Code)) -> String {
    format!("{} a{position}", code.c_type)
}

fn parameters(mut list: Vec<String>, fixed: Option<usize>) -> String {
    list.extend(fixed.map(|_| "...".to_owned()));
    if list.is_empty() {
        "void".to_owned()
    } else {
        list.join(", ")
    }
}

/// The widest type that travels in the same place: passing or returning it leaves dirt above the value.
fn widest(code: &Code) -> &'static str {
    match code.shape {
        Shape::Void => "void",
        Shape::Float | Shape::Double => "double",
        Shape::Pointer => "void *",
        _ => "cell",
    }
}

/// The function or macro that makes a cell of a value.
fn widening(code: &Code) -> &'static str {
    match code.shape {
        Shape::Float => "FLOAT",
        Shape::Double => "DOUBLE",
        _ if code.is_signed() => "SIGNED",
        _ => "UNSIGNED",
    }
}

fn from_cell(code: &Code, is_wide: bool, cell: &str) -> String {
    match code.shape {
        Shape::Float if !is_wide => format!("to_float({cell})"),
        Shape::Float | Shape::Double => format!("to_double({cell})"),
        _ if is_wide && code.shape != Shape::Pointer => cell.to_owned(),
        _ => format!("({}){cell}", code.c_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_like_c() {
        let case = Case {
            index: 7,
            ret: Code::of('b').expect("a code"),
            args: vec![
                Code::of('f').expect("a code"),
                Code::of('p').expect("a code"),
            ],
            fixed: None,
            wide_return: false,
            wide_args: true,
            wide: None,
        };
        assert_eq!(
            callee(&case, None),
            "/* signed char f(float, void *), \"b\" \"fp\" */\n\
             CONVENTION signed char callee_7(float a0, void * a1) {\n    \
                 PEER->calls++;\n    \
                 PEER->seen[0] = FLOAT(a0);\n    \
                 PEER->seen[1] = UNSIGNED(a1);\n    \
                 return (signed char)PEER->give;\n}\n"
        );
        assert!(caller(&case, true).contains(
            "*out = SIGNED(((signed char (CONVENTION *)(double, void *))code)\
             (to_double(in[0]), (void *)in[1]))"
        ));
        assert!(caller(&case, false).contains("*)(float, void *)"));
    }

    #[test]
    fn a_variadic_case_reads_like_c() {
        let case = Case {
            index: 7,
            ret: &crate::codes::VOID,
            args: "fid".chars().filter_map(Code::of).collect(),
            fixed: Some(1),
            wide_return: false,
            wide_args: false,
            wide: None,
        };
        let text = callee(&case, crate::target::ALL[0].va_list);
        assert!(text.contains("callee_7(float a0, ...)"), "{text}");
        assert!(text.contains("__builtin_va_start(list, a0);"), "{text}");
        assert!(
            text.contains("seen[2] = DOUBLE(__builtin_va_arg(list, double))"),
            "{text}"
        );
        assert!(caller(&case, true).contains("((void (CONVENTION *)(float, ...))code)("));
    }
}
