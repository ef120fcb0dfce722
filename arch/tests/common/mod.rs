//! Signatures and plans as short texts, for tables that a person can check against a compiler's output.

#![allow(
    dead_code,
    reason = "each test program includes this file and uses what it needs"
)]

pub mod decode;
pub mod listing;

use farcall_arch::abi::regs::Isa;
use farcall_arch::{Abi, Move, Place, Plan, Signature, Type};

/// A type's letter: that of the `ffi` module where it has one.
pub fn ty(letter: char) -> Type {
    match letter {
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

/// `"i(pd.i)"` is `int f(void *, double, ...)`, called with one `int` behind the dots. A count repeats a letter: `"v(8q)"`.
pub fn signature(text: &str) -> Signature {
    let (ret, args) = text.split_once('(').expect("result(arguments)");
    let args = args.strip_suffix(')').expect("a closing bracket");
    let (mut types, mut fixed, mut count) = (Vec::new(), None, 0);
    for letter in args.chars() {
        match letter.to_digit(10) {
            Some(digit) => count = count * 10 + digit as usize,
            None if letter == '.' => fixed = Some(types.len()),
            None => types.extend(vec![ty(letter); std::mem::take(&mut count).max(1)]),
        }
    }
    let ret = ty(ret.chars().next().expect("a result"));
    let signature = match fixed {
        Some(fixed) => Signature::variadic(ret, types, fixed),
        None => Signature::new(ret, types),
    };
    signature.expect("a signature that C could have")
}

const X64_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];

/// An integer register's name, of its full width.
pub fn int_name(isa: Isa, register: u8) -> String {
    match isa {
        Isa::X64 => X64_NAMES[usize::from(register)].to_owned(),
        Isa::A64 => format!("x{register}"),
    }
}

/// Where a piece goes, without the rest: a register's name, or `[offset:size]` from the stack pointer at the call.
pub fn place(abi: Abi, piece: &Move) -> String {
    let isa = abi.convention().isa;
    match (piece.place, isa) {
        (Place::Int(register), _) => int_name(isa, register),
        (Place::Fp(register), Isa::X64) => format!("xmm{register}"),
        (Place::Fp(register), Isa::A64) if piece.width == 4 => format!("s{register}"),
        (Place::Fp(register), Isa::A64) => format!("d{register}"),
        (Place::Stack { offset, size }, _) => format!("[{offset}:{size}]"),
    }
}

/// A plan in one line: the arguments' places, `=` before a mirror; the result's; the stack area; what `al` says.
pub fn places(plan: &Plan) -> String {
    let mut text = String::new();
    for piece in &plan.args {
        text += &place(plan.abi, piece);
        for mirror in plan.mirrors.iter().filter(|m| m.value == piece.value) {
            text += "=";
            text += &place(plan.abi, mirror);
        }
        text += " ";
    }
    text += "->";
    for piece in &plan.ret {
        text += " ";
        text += &place(plan.abi, piece);
    }
    text += &format!(", stack {}", plan.stack);
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
