//! Microsoft's x64 calling convention, by the page of that name: "Parameter passing", "Varargs", "Return values".
//!
//! Argument number n of the first four takes register number n: of `rcx rdx r8 r9`, or of `xmm0`-`xmm3` for `float` and
//! `double`; its counterpart in the other file stays unused. All further ones are on the stack, a word each, above the 32
//! bytes of shadow space that every caller makes and every callee may use, even one without arguments.
//!
//! In a call of a variadic function a floating-point argument is in both registers of its position, as the callee spills
//! the integer registers to read its `...` from memory. Microsoft's compiler and clang do so for named arguments too, gcc for
//! those behind the `...` only; doing it for all suits every callee. A callee reads named arguments where
//! they would be without the `...`, so callbacks need no such rule.
//!
//! Bits beyond a narrow integer are undefined here; they are filled all the same, as everywhere.

use super::{
    Abi, Allocator, Extend, Move, Place, Plan, for_each_arg, register_result, regs, scalar_move,
};
use crate::types::{Signature, Type};

pub(super) fn plan(signature: &Signature) -> Plan {
    let row = &regs::WIN64;
    let mut allocator = Allocator::new(row);
    let mut args = Vec::with_capacity(signature.args().len());
    let arg_slots = for_each_arg(signature, |index, slot, arg| match arg {
        Type::Void => {}
        Type::Scalar(scalar) => {
            // A position is one of both lists, whichever the argument takes it from.
            let (int, fp) = (allocator.take_int(), allocator.take_fp());
            let register = if scalar.is_float() { fp } else { int };
            let place = register.unwrap_or_else(|| allocator.take_word(scalar.size()));
            args.push(scalar_move(index, slot, *scalar, place));
        }
    });
    let mirrors = match signature.fixed() {
        Some(_) => args.iter().filter_map(mirror).collect(),
        None => Vec::new(),
    };
    Plan {
        abi: Abi::Win64,
        args,
        mirrors,
        ret: register_result(row, signature.ret()),
        arg_slots,
        stack: allocator.stack_size(),
        vector_args: None,
    }
}

/// The integer register of a floating-point argument's position, to hold the same bits.
fn mirror(piece: &Move) -> Option<Move> {
    let row = &regs::WIN64;
    let Place::Fp(register) = piece.place else {
        return None;
    };
    let position = row.fp_args.iter().position(|&fp| fp == register)?;
    Some(Move {
        place: Place::Int(row.int_args[position]),
        extend: Extend::None,
        ..*piece
    })
}
