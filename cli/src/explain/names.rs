//! The names of registers and stack words on a plan's machine.

use farcall_arch::abi::regs::Isa;
use farcall_arch::{Place, Plan};

/// The stack pointer's name.
pub fn stack_pointer(plan: &Plan) -> &'static str {
    match plan.abi.convention().isa {
        Isa::X64 => "rsp",
        Isa::A64 => "sp",
    }
}

/// The name of a place.
pub fn place(plan: &Plan, place: Place) -> String {
    let isa = plan.abi.convention().isa;
    match place {
        Place::Int(register) => register.name(isa),
        Place::Fp(register) => register.name(isa),
        Place::X87(number) => format!("st({number})"),
        Place::Stack { offset: 0, .. } => format!("[{}]", stack_pointer(plan)),
        Place::Stack { offset, .. } => format!("[{} + {offset}]", stack_pointer(plan)),
    }
}
