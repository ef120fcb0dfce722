//! Cases to C. Each side copies its values byte by byte to and from memory that both know.

use super::layout::{Layout, offsets};
use super::{LETTERS, Signature, Ty};
use crate::codes::{Case, Code};
use crate::target::Target;
use std::fmt::Write;

/// Bytes of a result that is handed over, and of all arguments.
pub const GIVE: usize = 512;
/// As above.
pub const SEEN: usize = 8192;

/// Copies that no compiler turns into a call of a library's function.
pub const PRELUDE: &str = "
INLINE void copy(volatile unsigned char *to, const volatile unsigned char *from, unsigned int count) {
    for (unsigned int i = 0; i < count; i++) to[i] = from[i];
}
#define COPY(to, from, count) copy((volatile unsigned char *)(to), (const volatile unsigned char *)(from), count)
";

/// What compilers call to copy structures, where there is no library that has it.
pub const MEMCPY: &str = "
void *memcpy(void *to, const void *from, unsigned long long count) {
    COPY(to, from, (unsigned int)count);
    return to;
}
";

/// C's names for a case's types.
struct Names {
    definitions: String,
    index: u64,
    count: usize,
}

impl Names {
    fn of(&mut self, ty: &Ty, target: &Target) -> String {
        let members = match ty {
            Ty::Number(letter) => return number(*letter).to_owned(),
            Ty::Struct(members) => members,
        };
        let mut body = String::new();
        for (n, member) in members.iter().enumerate() {
            let name = self.of(&member.ty, target);
            let array = member
                .count
                .map_or(String::new(), |count| format!("[{count}]"));
            let _ = write!(body, " {name} m{n}{array};");
        }
        let name = format!("S{}_{}", self.index, self.count);
        self.count += 1;
        let Layout { align, bytes } = Layout::of(ty, target);
        let size = bytes.len();
        let _ = writeln!(
            self.definitions,
            "typedef struct {{{body} }} {name};\n_Static_assert(sizeof({name}) == {size} && _Alignof({name}) == {align}, \"{ty}\");"
        );
        name
    }
}

fn number(letter: char) -> &'static str {
    let wide = LETTERS.iter().find(|(wide, _)| *wide == letter);
    let code = || Code::of(letter).map_or("void", |code| code.c_type);
    wide.map_or_else(code, |(_, name)| name)
}

/// A case's types by their names, and their definitions.
struct Types {
    ret: String,
    args: Vec<String>,
    definitions: String,
}

fn types(case: &Case, signature: &Signature, target: &Target) -> Types {
    let mut names = Names {
        definitions: String::new(),
        index: case.index,
        count: 0,
    };
    let args = signature
        .args
        .iter()
        .map(|ty| names.of(ty, target))
        .collect();
    let ret = signature.ret.as_ref();
    let ret = ret.map_or("void".to_owned(), |ty| names.of(ty, target));
    Types {
        ret,
        args,
        definitions: names.definitions,
    }
}

/// The definitions of a case's structures.
pub fn definitions(case: &Case, signature: &Signature, target: &Target) -> String {
    types(case, signature, target).definitions
}

fn arg_offsets(signature: &Signature, target: &Target) -> Vec<usize> {
    let layouts: Vec<Layout> = signature
        .args
        .iter()
        .map(|ty| Layout::of(ty, target))
        .collect();
    offsets(&layouts)
}

fn parameters(mut list: Vec<String>, fixed: Option<usize>) -> String {
    list.extend(fixed.map(|_| "...".to_owned()));
    match list.is_empty() {
        true => "void".to_owned(),
        false => list.join(", "),
    }
}

/// A function that records its arguments and returns what is preset.
pub fn callee(case: &Case, signature: &Signature, target: &Target) -> String {
    let Types { ret, args, .. } = types(case, signature, target);
    let named = case.fixed.unwrap_or(args.len());
    let params = args[..named]
        .iter()
        .enumerate()
        .map(|(n, ty)| format!("{ty} a{n}"));
    let params = parameters(params.collect(), case.fixed);
    let mut text = format!(
        "/* {case} */\nCONVENTION {ret} callee_{}({params}) {{\n    PEER->calls++;\n",
        case.index
    );
    if let Some(va_list) = target.va_list.filter(|_| case.fixed.is_some()) {
        let _ = writeln!(
            text,
            "    {} list;\n    {}(list, a{});",
            va_list.list,
            va_list.start,
            named - 1
        );
    }
    for (n, offset) in arg_offsets(signature, target).into_iter().enumerate() {
        if n >= named {
            let ty = &args[n];
            let _ = writeln!(text, "    {ty} a{n} = __builtin_va_arg(list, {ty});");
        }
        let _ = writeln!(
            text,
            "    COPY(PEER->wide_seen + {offset}, &a{n}, sizeof a{n});"
        );
    }
    if signature.ret.is_some() {
        let _ = writeln!(
            text,
            "    {ret} r;\n    COPY(&r, PEER->wide_give, sizeof r);\n    return r;"
        );
    }
    text.push_str("}\n");
    text
}

/// A function that calls a pointer with preset values and stores what that returned.
pub fn caller(case: &Case, signature: &Signature, target: &Target) -> String {
    let Types { ret, args, .. } = types(case, signature, target);
    let named = case.fixed.unwrap_or(args.len());
    let params = parameters(args[..named].to_vec(), case.fixed);
    let given = args.iter().zip(arg_offsets(signature, target));
    let given: Vec<String> = given
        .map(|(ty, offset)| format!("*(const {ty} *)((const char *)in + {offset})"))
        .collect();
    let call = format!(
        "(({ret} (CONVENTION *)({params}))code)({})",
        given.join(", ")
    );
    let body = match signature.ret {
        Some(_) => format!("{ret} r = {call};\n    COPY(out, &r, sizeof r);"),
        None => format!("{call};"),
    };
    format!(
        "/* {case} */\nvoid caller_{}(void *code, const cell *in, cell *out) {{\n    {body}\n}}\n",
        case.index
    )
}
