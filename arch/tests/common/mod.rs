//! Signatures and plans as short texts, for tables that a person can check against a compiler's output.

#![allow(
    dead_code,
    reason = "each test program includes this file and uses what it needs"
)]

pub mod decode;
pub mod frame;
pub mod listing;
pub mod model;

use farcall_arch::abi::regs::Isa;
use farcall_arch::emit::{self, Code};
use farcall_arch::{Abi, Float, Move, OutOfMemory, Place, Plan, Signature, Struct, Type};
use std::str::Chars;

/// What makes code of a plan.
pub type Emitter = fn(&Plan) -> Result<Code, OutOfMemory>;

/// All that do on slots and on pointers, with their names.
pub const EMITTERS: [(&str, Emitter); 4] = [
    ("call", emit::call),
    ("call by pointers", emit::call_pointers),
    ("callback", emit::callback_entry),
    ("callback by pointers", emit::callback_entry_pointers),
];

/// A type's letter: that of the `ffi` module where it has one. `o` and `O` are 128-bit integers, `e` an x87 number, `g` a binary128
/// number; `F`, `D`, `E` and `G` are complex.
pub fn ty(letter: char) -> Type {
    match letter {
        'o' => Type::I128,
        'O' => Type::U128,
        'e' => Type::F80,
        'g' => Type::F128,
        'F' => Type::Complex(Float::F32),
        'D' => Type::Complex(Float::F64),
        'E' => Type::Complex(Float::F80),
        'G' => Type::Complex(Float::F128),
        'v' => Type::Void,
        'b' => Type::I8,
        'B' => Type::U8,
        'h' => Type::I16,
        'H' => Type::U16,
        'i' => Type::I32,
        'I' => Type::U32,
        'q' => Type::I64,
        'Q' => Type::U64,
        'p' => Type::POINTER,
        'f' => Type::F32,
        'd' => Type::F64,
        other => panic!("no type has the letter {other}"),
    }
}

/// `"i(pd.i)"` is `int f(void *, double, ...)`, called with one `int` behind the dots. A count repeats what follows: `"v(8q)"`.
/// `{bd}` is a structure, `<bd>` a union, `{i|16,32}` a structure of alignment 16 and size 32.
pub fn signature(text: &str) -> Signature {
    let (ret, args) = text.split_once('(').expect("result(arguments)");
    let args = args.strip_suffix(')').expect("a closing bracket");
    let (names, dots) = match args.split_once('.') {
        Some((names, unnamed)) => (names, Some(unnamed)),
        None => (args, None),
    };
    let mut args = types(names);
    let fixed = args.len();
    args.extend(types(dots.unwrap_or_default()));
    let [ret] = &types(ret)[..] else {
        panic!("no single result in {text}");
    };
    let signature = match dots {
        Some(_) => Signature::variadic(ret.clone(), args, fixed),
        None => Signature::new(ret.clone(), args),
    };
    signature.expect("a signature that C could have")
}

/// Types up to the end.
fn types(text: &str) -> Vec<Type> {
    list(&mut text.chars()).0
}

/// Types up to a closing bracket or the end, and the alignment and size given before the bracket.
fn list(letters: &mut Chars<'_>) -> (Vec<Type>, Option<(u32, u32)>) {
    let (mut types, mut count) = (Vec::new(), 0);
    while let Some(letter) = letters.next() {
        let ty = match letter {
            '0'..='9' => {
                count = count * 10 + letter as usize - '0' as usize;
                continue;
            }
            '}' | '>' => break,
            '|' => {
                let rest: String = letters.take_while(|&letter| letter != '}').collect();
                let (align, size) = rest.split_once(',').expect("alignment,size");
                let number = |text: &str| text.parse().expect("a number");
                return (types, Some((number(align), number(size))));
            }
            '{' => {
                let members = match list(letters) {
                    (types, Some((align, size))) => Struct::with_layout(types, size, align),
                    (types, None) => Struct::new(types),
                };
                Type::try_from(members.expect("a structure")).expect("memory")
            }
            '<' => {
                Type::try_from(Struct::union(list(letters).0).expect("a union")).expect("memory")
            }
            letter => ty(letter),
        };
        types.extend(vec![ty; std::mem::take(&mut count).max(1)]);
    }
    (types, None)
}

/// Where a move goes, without the rest: a register's name, or `[offset:size]` from the stack pointer at the call; `*` before a place
/// that holds the address of a copy.
pub fn place(abi: Abi, mv: &Move) -> String {
    let isa = abi.convention().isa;
    let place = match (mv.place, isa) {
        (Place::Int(register), _) => register.name(isa),
        (Place::Fp(register), Isa::X64) => register.name(isa),
        (Place::Fp(register), Isa::A64) => {
            let view = match mv.width {
                4 => 's',
                8 => 'd',
                _ => 'q',
            };
            format!("{view}{}", register.number())
        }
        (Place::X87(register), _) => format!("st{register}"),
        (Place::Stack { offset, size }, _) => format!("[{offset}:{size}]"),
    };
    match mv.copy {
        Some(_) => format!("*{place}"),
        None => place,
    }
}

/// A plan in one line: the arguments' places, `+` between those of one argument, `=` before a mirror; the result's; the stack
/// area, and that of copies if there is one; what `al` says.
pub fn places(plan: &Plan) -> String {
    let mut text = String::new();
    for (index, mv) in plan.args.iter().enumerate() {
        if index > 0 {
            let is_same = plan.args[index - 1].value == mv.value;
            text += if is_same { "+" } else { " " };
        }
        text += &place(plan.abi, mv);
        for mirror in plan.mirrors.iter().filter(|m| m.value == mv.value) {
            text += "=";
            text += &place(plan.abi, mirror);
        }
    }
    text += if text.is_empty() { "->" } else { " ->" };
    let ret: Vec<String> = plan.ret.iter().map(|mv| place(plan.abi, mv)).collect();
    if !ret.is_empty() {
        text += &format!(" {}", ret.join("+"));
    }
    if let Some(sret) = plan.sret {
        text += &format!(" *{}", sret.pointer.name(plan.abi.convention().isa));
    }
    text += &format!(", stack {}", plan.stack);
    if plan.copies > 0 {
        text += &format!(", copies {}", plan.copies);
    }
    if let Some(count) = plan.vector_args {
        text += &format!(", al {count}");
    }
    text
}

/// A short name of each convention, for files and test names.
pub fn slug(abi: Abi) -> &'static str {
    use farcall_arch::abi::Dialect;
    match abi {
        Abi::SysV64 => "sysv64",
        Abi::Win64 => "win64",
        Abi::Aapcs64(Dialect::Linux) => "aapcs64-linux",
        Abi::Aapcs64(Dialect::Apple) => "aapcs64-apple",
        Abi::Aapcs64(Dialect::Windows) => "aapcs64-windows",
        other => panic!("no short name for {other}"),
    }
}
