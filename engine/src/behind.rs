//! Entries that hand C's arguments on as they are, with the context behind them.
//!
//! A function of the signature and one more argument, a pointer, finds that in the next integer register, if one is left and the other
//! arguments stay where they are. The entry loads this register and jumps to the function. So it has no frame, is the same for all signatures
//! with that register, and is part of the program.

use farcall_arch::abi::regs::Gpr;
use farcall_arch::emit::record;
use farcall_arch::{Place, Plan, Signature, Type, plan};
use farcall_memory::{TryVec, try_with_capacity};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

/// An entry that passes the context behind C's arguments.
#[derive(Clone, Copy, Debug)]
pub struct Behind {
    pub(crate) entry: NonNull<u8>,
}

type Entry = unsafe extern "C" fn();

macro_rules! entries {
    ($($name:ident $number:literal $symbol:literal [$($line:expr),*];)*) => {
        unsafe extern "C" {
            $(fn $name();)*
        }

        $(
            crate::assembly!(leaf $symbol, 4, [$($line),*]
                context = const record::CONTEXT, function = const record::HANDLER,);
        )*

        /// The registers by their numbers, each with the entry that loads it.
        static ENTRIES: &[(u8, Entry)] = &[$(($number, $name)),*];
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! entry {
    ($($name:ident $number:literal $symbol:literal $register:literal;)*) => {
        entries! {
            $($name $number $symbol [
                concat!("mov ", $register, ", [r10 + {context}]"),
                "jmp qword ptr [r10 + {function}]"
            ];)*
        }
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! entry {
    ($($name:ident $number:literal $symbol:literal $register:literal;)*) => {
        entries! {
            $($name $number $symbol [
                "hint #34",
                concat!("ldr ", $register, ", [x16, #{context}]"),
                "ldr x17, [x16, #{function}]",
                "br x17"
            ];)*
        }
    };
}

#[cfg(all(target_arch = "x86_64", unix))]
entry! {
    farcall_behind_rdi 7 "farcall_behind_rdi" "rdi";
    farcall_behind_rsi 6 "farcall_behind_rsi" "rsi";
    farcall_behind_rdx 2 "farcall_behind_rdx" "rdx";
    farcall_behind_rcx 1 "farcall_behind_rcx" "rcx";
    farcall_behind_r8 8 "farcall_behind_r8" "r8";
    farcall_behind_r9 9 "farcall_behind_r9" "r9";
}

#[cfg(all(target_arch = "x86_64", windows))]
entry! {
    farcall_behind_rcx 1 "farcall_behind_rcx" "rcx";
    farcall_behind_rdx 2 "farcall_behind_rdx" "rdx";
    farcall_behind_r8 8 "farcall_behind_r8" "r8";
    farcall_behind_r9 9 "farcall_behind_r9" "r9";
}

#[cfg(target_arch = "aarch64")]
entry! {
    farcall_behind_x0 0 "farcall_behind_x0" "x0";
    farcall_behind_x1 1 "farcall_behind_x1" "x1";
    farcall_behind_x2 2 "farcall_behind_x2" "x2";
    farcall_behind_x3 3 "farcall_behind_x3" "x3";
    farcall_behind_x4 4 "farcall_behind_x4" "x4";
    farcall_behind_x5 5 "farcall_behind_x5" "x5";
    farcall_behind_x6 6 "farcall_behind_x6" "x6";
    farcall_behind_x7 7 "farcall_behind_x7" "x7";
}

/// What is known about the register of a signature's next argument.
#[derive(Debug, Default)]
pub(crate) struct Known(AtomicU8);

const UNKNOWN: u8 = 0;
const NONE: u8 = 1;
/// What is added to a register's number.
const SOME: u8 = 2;

impl Known {
    pub const fn new() -> Known {
        Known(AtomicU8::new(UNKNOWN))
    }
}

impl Behind {
    /// The entry for a signature with this plan; `None` if the context would not be in a register.
    pub(crate) fn of(known: &Known, signature: &Signature, plan: &Plan) -> Option<Behind> {
        let known = &known.0;
        let number = match known.load(Ordering::Relaxed) {
            UNKNOWN => {
                let number = next_register(signature, plan).map(Gpr::number);
                known.store(
                    number.map_or(NONE, |number| number + SOME),
                    Ordering::Relaxed,
                );
                number?
            }
            NONE => return None,
            number => number - SOME,
        };
        let entry = ENTRIES.iter().find(|entry| entry.0 == number)?.1;
        Some(Behind {
            entry: NonNull::new(entry as *mut u8)?,
        })
    }
}

/// The register of a pointer behind all arguments, if it is in one and they stay where they are.
fn next_register(signature: &Signature, before: &Plan) -> Option<Gpr> {
    let extended = extended(signature, before)?;
    let (last, others) = extended.args.split_last()?;
    let are_others_the_same = others == before.args && extended.sret == before.sret;
    match (last.place, are_others_the_same) {
        (Place::Int(register), true) => Some(register),
        _ => None,
    }
}

/// The plan with a pointer behind all arguments. `None` for a variadic signature, and if there is no memory.
fn extended(signature: &Signature, before: &Plan) -> Option<Plan> {
    if signature.fixed().is_some() {
        return None;
    }
    let mut args = try_with_capacity(signature.args().len() + 1).ok()?;
    for arg in signature.args() {
        args.try_push(arg.clone()).ok()?;
    }
    args.try_push(Type::POINTER).ok()?;
    let signature = Signature::new(signature.ret().clone(), args).ok()?;
    plan(&signature, before.abi).ok()
}

#[cfg(all(test, target_arch = "x86_64", unix))]
mod tests {
    use super::*;
    use crate::sys;
    use farcall_arch::abi::regs::x64::{R9, RDI, RDX, RSI};

    fn next(ret: Type, args: Vec<Type>) -> Option<Gpr> {
        let signature = Signature::new(ret, args).expect("a signature");
        let plan = plan(&signature, sys::host_abi()).expect("a plan");
        let known = Known::new();
        let entry = || Behind::of(&known, &signature, &plan).map(|behind| behind.entry);
        // Once unknown and once known.
        assert_eq!(entry(), entry());
        let register = next_register(&signature, &plan);
        assert_eq!(entry().is_some(), register.is_some());
        register
    }

    #[test]
    fn context_goes_into_the_register_of_one_more_pointer() {
        assert_eq!(next(Type::I32, vec![]), Some(RDI));
        assert_eq!(next(Type::Void, vec![Type::F64; 12]), Some(RDI));
        assert_eq!(next(Type::I32, vec![Type::I32; 2]), Some(RDX));
        assert_eq!(next(Type::F32, vec![Type::F32, Type::I8]), Some(RSI));
        assert_eq!(next(Type::I32, vec![Type::I64; 5]), Some(R9));
    }

    #[test]
    fn signature_that_fills_all_registers_has_none_for_the_context() {
        assert_eq!(next(Type::I32, vec![Type::I64; 6]), None);
        assert_eq!(next(Type::I32, vec![Type::I64; 9]), None);
    }
}
