//! Writes the C side of cases.
//!
//! For each case a function that farcall calls (`callee_N`) and one that calls a function pointer (`caller_N`).
//! Values are not in the source: the functions read and write cells at run time, so one compiled case serves any number
//! of values. A value that fits a word has a cell of 8 bytes, to which the compiler widens what a function got, from the
//! declared type: where it relies on the bits above a narrow value, a missing extension shows in the cell. The cell of
//! any other is its bytes, copied one by one. The source asserts sizes and alignments. What a text declares is in the words of
//! that text, and handed over member by member.

mod declared;

use crate::cases::{Case, Direction};
use crate::cells::offsets;
use crate::codes::{Code, Shape};
use crate::layout::Layout;
use crate::target::{Form, Target};
use crate::types::{Member, Ty};
use std::fmt::Write;

/// Words of a result that is handed over, and of all arguments. ORDER peer: `run/peer.rs` has the same record.
pub const GIVE: usize = 64;
/// As above.
pub const SEEN: usize = 1024;

/// The beginning of every unit: the record that both sides know, and conversions to and from cells. The copies are written so that no
/// compiler turns them into a call of a library function.
const PRELUDE: &str = "\
typedef unsigned long long cell;

/* ORDER peer */
struct farcall_peer { cell calls; cell give[GIVE]; cell seen[SEEN]; };
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
INLINE void copy(volatile unsigned char *to, const volatile unsigned char *from, unsigned int count) {
    for (unsigned int i = 0; i < count; i++) to[i] = from[i];
}
#define COPY(to, from, count) copy((volatile unsigned char *)(to), (const volatile unsigned char *)(from), count)
";

/// The function that compilers call to copy structures, for code without a library.
const MEMCPY: &str = "
void *memcpy(void *to, const void *from, unsigned long long count) {
    COPY(to, from, (unsigned int)count);
    return to;
}
";

/// The address of the record if the C code must refer to nothing. Nothing else is expected there.
pub const PEER_ADDRESS: usize = 0x20_0000_0000;

/// The definition of the record, by its place.
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
        .replace("GIVE", &GIVE.to_string())
        .replace("SEEN", &SEEN.to_string());
    let peer = peer(target);
    let mut text = format!("#define CONVENTION {}\n{prelude}{peer}", target.attribute);
    if target.extension == "dll" {
        text.push_str(MEMCPY);
    }
    if cases.iter().any(|case| case.declared.is_some()) {
        text.push_str(declared::PRELUDE);
    }
    let sides: Vec<Side<'_>> = cases.iter().map(|case| Side::new(case, target)).collect();
    for side in &sides {
        text.push_str(&side.definitions);
    }
    // Callers first: behind a callee of a convention that is not its own GCC 12 may fail inside itself at a caller.
    for direction in directions.iter().rev() {
        for side in &sides {
            text.push('\n');
            text.push_str(&match direction {
                Direction::Call => side.callee(),
                Direction::Callback => side.caller(),
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

/// The prefix of the names of a direction's functions, and the symbol of the table that lists them.
pub fn names(direction: Direction) -> (&'static str, &'static str) {
    match direction {
        Direction::Call => ("callee", "farcall_callees"),
        Direction::Callback => ("caller", "farcall_callers"),
    }
}

/// The C side of a case: its types by their names, the definitions of its structures, and where its cells lie.
struct Side<'a> {
    case: &'a Case,
    target: &'a Target,
    ret: String,
    args: Vec<String>,
    offsets: Vec<usize>,
    definitions: String,
    structures: usize,
}

impl<'a> Side<'a> {
    fn new(case: &'a Case, target: &'a Target) -> Side<'a> {
        let (offsets, end) = offsets(&case.args, target);
        assert!(end <= 8 * SEEN, "{case} has more than the record holds");
        let mut side = Side {
            case,
            target,
            ret: String::new(),
            args: Vec::new(),
            offsets,
            definitions: case
                .declared
                .as_ref()
                .map_or(String::new(), |it| declared::types(it)),
            structures: 0,
        };
        side.args = case.args.iter().map(|ty| side.name(ty)).collect();
        side.ret = case
            .ret
            .as_ref()
            .map_or("void".to_owned(), |ty| side.name(ty));
        side
    }

    /// C's name for a type. Defines it if it is a structure.
    fn name(&mut self, ty: &Ty) -> String {
        let members = match ty {
            Ty::Number(code) => return code.c_type.to_owned(),
            Ty::Struct(members) => members,
            Ty::Declared(record) => return record.name.clone(),
        };
        let mut body = String::new();
        for (n, Member { ty, count }) in members.iter().enumerate() {
            let name = self.name(ty);
            let array = count.map_or(String::new(), |count| format!("[{count}]"));
            let _ = write!(body, " {name} m{n}{array};");
        }
        let name = format!("S{}_{}", self.case.index, self.structures);
        self.structures += 1;
        let Layout { align, bytes } = Layout::of(ty, self.target);
        let size = bytes.len();
        let _ = writeln!(
            self.definitions,
            "typedef struct {{{body} }} {name};\n_Static_assert(sizeof({name}) == {size} && _Alignof({name}) == {align}, \"{ty}\");"
        );
        name
    }

    /// A function that records its arguments and returns what is preset.
    fn callee(&self) -> String {
        let Side { case, args, .. } = self;
        let named = args[..case.named()].iter().enumerate();
        let params = parameters(named.map(|(n, ty)| format!("{ty} a{n}")).collect(), case);
        let ret = match &case.ret {
            Some(Ty::Number(code)) if case.wide_return => widest(code),
            _ => &self.ret,
        };
        let head = match &case.declared {
            Some(it) => it.text.prototype.clone(),
            None => format!("{ret} callee_{}({params})", case.index),
        };
        let mut text = format!(
            "{}CONVENTION {head} {{\n    PEER->calls++;\n",
            self.comment()
        );
        if let (Some(va_list), Some(fixed)) = (self.target.va_list, case.fixed) {
            let (list, start) = (va_list.list, va_list.start);
            let _ = writeln!(text, "    {list} list;\n    {start}(list, a{});", fixed - 1);
        }
        for (n, ty) in case.args.iter().enumerate() {
            if n >= case.named() {
                let c_type = &args[n];
                let _ = writeln!(
                    text,
                    "    {c_type} a{n} = __builtin_va_arg(list, {c_type});"
                );
            }
            let place = format!("PEER->seen[{}]", self.offsets[n] / 8);
            let _ = match (ty.word(), ty) {
                (Some(code), _) => writeln!(text, "    {place} = {}(a{n});", widening(code)),
                (_, Ty::Declared(record)) => {
                    writeln!(
                        text,
                        "    {}",
                        declared::taken(record, &format!("a{n}"), &place)
                    )
                }
                (None, _) => writeln!(text, "    COPY(&{place}, &a{n}, sizeof a{n});"),
            };
        }
        if let Some(ty) = &case.ret {
            // A word is converted from the cell as a whole, or, to the wide type, not at all: the dirt above the value stays.
            let _ = match (ty.word(), ty) {
                (Some(code), _) => {
                    let value = from_cell(code, case.wide_return, "PEER->give[0]");
                    writeln!(text, "    return {value};")
                }
                (_, Ty::Declared(record)) => writeln!(
                    text,
                    "    {}\n    return r;",
                    declared::made(record, "r", "PEER->give[0]")
                ),
                (None, _) => writeln!(
                    text,
                    "    {ret} r;\n    COPY(&r, PEER->give, sizeof r);\n    return r;"
                ),
            };
        }
        text.push_str("}\n");
        text
    }

    /// A function that calls a pointer with preset values and stores what that returned.
    fn caller(&self) -> String {
        let Side {
            case, args, ret, ..
        } = self;
        let is_wide = case.wide_args && self.target.dirty_arguments;
        let types = case.args.iter().zip(args).take(case.named());
        let types = types.map(|(ty, name)| match ty {
            Ty::Number(code) if is_wide => widest(code).to_owned(),
            _ => name.clone(),
        });
        let types = parameters(types.collect(), case);
        let given = case.args.iter().zip(args).zip(&self.offsets);
        let mut made = String::new();
        let given = given.enumerate().map(|(n, ((ty, name), offset))| {
            let cell = format!("in[{}]", offset / 8);
            match (ty.word(), ty) {
                (Some(code), _) => from_cell(code, is_wide, &cell),
                (_, Ty::Declared(record)) => {
                    let value = declared::made(record, &format!("a{n}"), &cell);
                    let _ = writeln!(made, "    {value}");
                    format!("a{n}")
                }
                (None, _) => format!("*(const {name} *)&{cell}"),
            }
        });
        let given: Vec<String> = given.collect();
        let pointer = match case.declared {
            Some(_) => format!("__typeof__(callee_{}) *", case.index),
            None => format!("{ret} (CONVENTION *)({types})"),
        };
        let call = format!("(({pointer})code)({})", given.join(", "));
        let body = match &case.ret {
            None => format!("{call};"),
            Some(ty) => match (ty.word(), ty) {
                (Some(code), _) => format!("*out = {}({call});", widening(code)),
                (_, Ty::Declared(record)) => format!(
                    "{ret} r = {call};\n    {}",
                    declared::taken(record, "r", "*out")
                ),
                (None, _) => format!("{ret} r = {call};\n    COPY(out, &r, sizeof r);"),
            },
        };
        format!(
            "{}void caller_{}(void *code, const cell *in, cell *out) {{\n{made}    {body}\n}}\n",
            self.comment(),
            case.index
        )
    }

    /// The comment ahead of its functions, if there is no text.
    fn comment(&self) -> String {
        match self.case.declared {
            Some(_) => String::new(),
            None => format!("/* {} */\n", self.case),
        }
    }
}

fn parameters(mut list: Vec<String>, case: &Case) -> String {
    list.extend(case.fixed.map(|_| "...".to_owned()));
    if list.is_empty() {
        "void".to_owned()
    } else {
        list.join(", ")
    }
}

/// The widest type that travels in the same place: passing or returning it leaves dirt above the value.
fn widest(code: &Code) -> &'static str {
    match code.shape {
        Shape::Float | Shape::Double => "double",
        _ if code.is_word() && code.shape != Shape::Pointer => "cell",
        _ => code.c_type,
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
        // Masked, as the other bits would count.
        Shape::Bool => format!("(_Bool)({cell} & 1)"),
        _ => format!("({}){cell}", code.c_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Text;
    use crate::target::ALL;

    fn case(ret: &str, args: &str) -> Case {
        Case::parse(7, ret, args).expect("a case")
    }

    #[test]
    fn a_case_reads_like_c() {
        let case = Case {
            wide_args: true,
            ..case("b", "fp")
        };
        assert_eq!(
            Side::new(&case, ALL[0]).callee(),
            "/* signed char f(float, void *), \"b\" \"fp\" */\n\
             CONVENTION signed char callee_7(float a0, void * a1) {\n    \
                 PEER->calls++;\n    \
                 PEER->seen[0] = FLOAT(a0);\n    \
                 PEER->seen[1] = UNSIGNED(a1);\n    \
                 return (signed char)PEER->give[0];\n}\n"
        );
        assert!(Side::new(&case, ALL[0]).caller().contains(
            "*out = SIGNED(((signed char (CONVENTION *)(double, void *))code)\
             (to_double(in[0]), (void *)in[1]))"
        ));
        let apple = Target::named("aarch64-apple-darwin").expect("a target");
        let text = Side::new(&case, apple).caller();
        assert!(text.contains("*)(float, void *)"), "{text}");
    }

    #[test]
    fn a_wide_case_reads_like_c() {
        let case = case("{2h}", "iF");
        let side = Side::new(&case, ALL[0]);
        let (callee, caller) = (side.callee(), side.caller());
        assert!(side.definitions.contains("{ short m0[2]; } S7_0;"));
        assert!(
            callee.contains("COPY(&PEER->seen[1], &a1, sizeof a1);"),
            "{callee}"
        );
        assert!(callee.contains("S7_0 r;\n    COPY(&r, PEER->give, sizeof r);"));
        assert!(
            caller.contains("((int)in[0], *(const float _Complex *)&in[1])"),
            "{caller}"
        );
        assert!(caller.contains("COPY(out, &r, sizeof r);"), "{caller}");
    }

    #[test]
    fn a_declared_case_has_the_text_and_hands_over_members() {
        let text = Text {
            types: "struct s { int a : 3; union { float b[2]; _Bool c; }; };\n".to_owned(),
            prototype: "struct s callee_7(size_t a0, struct s a1, ...)".to_owned(),
            more: "void more(double)".to_owned(),
        };
        let case = Case::declared(7, text, ALL[0]).expect("C").expect("values");
        let side = Side::new(&case, ALL[0]);
        let (callee, caller) = (side.callee(), side.caller());
        let definitions = "struct s { int a : 3; union { float b[2]; _Bool c; }; };\n\
            CONVENTION struct s callee_7(size_t a0, struct s a1, ...);\n";
        assert_eq!(side.definitions, definitions);
        for wanted in [
            "PEER->seen[0] = UNSIGNED(a0);",
            "put((char *)&PEER->seen[1] + 0, 0, 3, a1.a);",
            "COPY((char *)&PEER->seen[1] + 8, &a1.b[1], 4);",
            "double a2 = __builtin_va_arg(list, double);",
            "struct s r; r.a = bits((char *)&PEER->give[0] + 0, 0, 3);",
        ] {
            assert!(callee.contains(wanted), "{wanted}\n{callee}");
        }
        for wanted in [
            "struct s a1; a1.a = bits((char *)&in[1] + 0, 0, 3);",
            "COPY(&a1.c, (char *)&in[1] + 4, 1);",
            "((__typeof__(callee_7) *)code)((unsigned long)in[0], a1, to_double(in[3]))",
        ] {
            assert!(caller.contains(wanted), "{wanted}\n{caller}");
        }
    }

    #[test]
    fn a_variadic_case_reads_like_c() {
        let case = Case {
            fixed: Some(1),
            ..case("v", "fid")
        };
        let side = Side::new(&case, ALL[0]);
        let text = side.callee();
        assert!(text.contains("callee_7(float a0, ...)"), "{text}");
        assert!(text.contains("__builtin_va_start(list, a0);"), "{text}");
        assert!(
            text.contains(
                "double a2 = __builtin_va_arg(list, double);\n    PEER->seen[2] = DOUBLE(a2);"
            ),
            "{text}"
        );
        assert!(
            side.caller()
                .contains("((void (CONVENTION *)(float, ...))code)(")
        );
    }
}
