//! System V psABI for x86-64 (version 1.0), section 3.2.3: parameter passing and returning of values.
//!
//! Integers and pointers are class INTEGER and take the next of `rdi rsi rdx rcx r8 r9`; `float` and `double` are class SSE
//! and take the next of `xmm0`-`xmm7`. The two files are counted apart. What finds no register takes the next eightbyte of
//! the stack, in the order of the arguments, whatever registers later arguments still find. Variadic arguments are
//! passed no differently; `al` bounds the vector registers in use, and as a function declared without its `...` is
//! called correctly too if every call says so, every plan says so.
//!
//! The psABI leaves bits beyond a narrow integer undefined. Compilers do not: clang's callees rely on the caller having
//! extended 8- and 16-bit arguments to 32 bits, while no compiler relies on it in a result. So arguments are
//! extended on the way out, and nothing is taken for extended on the way in.

use super::{Abi, Allocator, Plan, for_each_arg, register_result, regs, scalar_move};
use crate::types::{Signature, Type};

pub(super) fn plan(signature: &Signature) -> Plan {
    let row = &regs::SYSV64;
    let mut allocator = Allocator::new(row);
    let mut args = Vec::with_capacity(signature.args().len());
    let arg_slots = for_each_arg(signature, |index, slot, arg| match arg {
        Type::Void => {}
        Type::Scalar(scalar) => {
            let place = allocator.take_by_class(*scalar);
            args.push(scalar_move(index, slot, *scalar, place));
        }
    });
    Plan {
        abi: Abi::SysV64,
        args,
        mirrors: Vec::new(),
        ret: register_result(row, signature.ret()),
        arg_slots,
        stack: allocator.stack_size(),
        vector_args: row.counts_vector_args.then_some(allocator.fps as u8),
    }
}
