//! The procedure call standard for the 64-bit Arm architecture (IHI 0055), section 6.8.2, and how Apple's and Microsoft's
//! platforms change it. What a dialect changes is in its row of the table.
//!
//! Stage C: `float` and `double` take the next of `v0`-`v7` (C.1), integers and pointers the next of `x0`-`x7` (C.9). What
//! finds none goes to the next stack argument address (NSAA), which is rounded up to 8 bytes first (C.14) and is moved on by 8 at
//! least (C.16, C.17); Apple rounds and moves by the argument's own size. One file running out does not close the other: the rules that
//! do so (C.3, C.13) are about types of several registers.
//!
//! Variadic arguments are passed like others on Linux. Apple's are all on the stack, in 8-byte words, which
//! start at a multiple of 8 behind the packed ones. On Windows a variadic function is called
//! as if arguments filled an imaginary stack of 8-byte words, the first eight of which are `x0`-`x7`: floating-point
//! arguments too, and also those that have a name.
//!
//! Apple wants narrow integers extended to 32 bits by the caller; the standard leaves the bits undefined. We fill all 64
//! on the way out, on every dialect, and take nothing for extended on the way in.
//!
//! `x8` carries the address of results that are no concern of scalars. It is kept free on the way to a callee for that reason.

use super::{Abi, Allocator, Dialect, Plan, for_each_arg, register_result, scalar_move};
use crate::abi::regs::Variadics;
use crate::types::{Signature, Type};

pub(super) fn plan(signature: &Signature, dialect: Dialect) -> Plan {
    let abi = Abi::Aapcs64(dialect);
    let row = abi.convention();
    let mut allocator = Allocator::new(row);
    let mut args = Vec::with_capacity(signature.args().len());
    let arg_slots = for_each_arg(signature, |index, slot, arg| match arg {
        Type::Void => {}
        Type::Scalar(scalar) => {
            let is_named = signature
                .fixed()
                .is_none_or(|fixed| (index as usize) < fixed);
            let place = match (signature.fixed(), row.variadics) {
                (Some(_), Variadics::OnStack(word)) if !is_named => {
                    allocator.take_stack(word, word)
                }
                (Some(_), Variadics::InIntegers) => allocator
                    .take_int()
                    .unwrap_or_else(|| allocator.take_word(scalar.size())),
                _ => allocator.take_by_class(*scalar),
            };
            args.push(scalar_move(index, slot, *scalar, place));
        }
    });
    Plan {
        abi,
        args,
        mirrors: Vec::new(),
        ret: register_result(row, signature.ret()),
        arg_slots,
        stack: allocator.stack_size(),
        vector_args: None,
    }
}
