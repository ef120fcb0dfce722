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
//! A structure, union or complex number of 1, 2, 4 or 8 bytes goes as an integer of that size, whatever is in it. Everything else goes by
//! the address of a copy that the caller makes. Results likewise: in `rax`, or in memory whose address is the first argument
//! and comes back in `rax`. Microsoft's compiler has no wider numbers; gcc and clang pass theirs by address too, and
//! return `__int128` in `xmm0` but `long double` and binary128 in memory (gcc 12.2; clang 19.1 has binary128 in registers).
//!
//! Bits beyond a narrow integer are undefined here; they are filled all the same, as everywhere.

use super::{
    Abi, Allocator, Extend, Move, Place, Plan, PlanError, Sret, Value, for_each_arg, regs,
    scalar_result,
};
use crate::layout::SLOT;
use crate::types::{Signature, Type, Wide};

pub(super) fn plan(signature: &Signature) -> Result<Plan, PlanError> {
    let row = &regs::WIN64;
    let mut allocator = Allocator::new(row);
    let (ret, sret) = place_result(&mut allocator, signature.ret());
    let mut args = Vec::with_capacity(signature.args().len());
    let arg_slots = for_each_arg(signature, |arg| {
        args.push(place_arg(&mut allocator, arg)?);
        Ok(())
    })?;
    let mirrors = match signature.fixed() {
        Some(_) => args.iter().filter_map(mirror).collect(),
        None => Vec::new(),
    };
    Ok(Plan {
        abi: Abi::Win64,
        args,
        mirrors,
        ret,
        sret,
        arg_slots,
        ret_slots: signature.ret().slots(),
        stack: allocator.stack_size(),
        copies: allocator.copies,
        vector_args: None,
    })
}

fn place_arg(allocator: &mut Allocator, arg: Value<'_>) -> Result<Move, PlanError> {
    // A position is one of both lists, whichever the argument takes it from.
    let (int, fp) = (allocator.take_int(), allocator.take_fp());
    if let Type::Scalar(scalar) = arg.ty {
        let register = if scalar.is_float() { fp } else { int };
        let place = register.unwrap_or_else(|| allocator.take_word(scalar.size()));
        return Ok(arg.scalar(*scalar, place));
    }
    let place = int.unwrap_or_else(|| allocator.take_word(SLOT));
    if goes_as_integer(arg.ty) {
        return Ok(arg.whole(place));
    }
    arg.check_alignment(allocator.row)?;
    Ok(arg.by_address(allocator.take_copy(arg.ty.size()), place))
}

fn place_result(allocator: &mut Allocator, ty: &Type) -> (Vec<Move>, Option<Sret>) {
    let row = allocator.row;
    let value = Value::result(ty);
    match ty {
        Type::Void => (Vec::new(), None),
        Type::Scalar(scalar) => (vec![scalar_result(row, ty, *scalar)], None),
        Type::Wide(Wide::I128 | Wide::U128) => (vec![value.whole(Place::Fp(row.fp_rets[0]))], None),
        _ if goes_as_integer(ty) => (vec![value.whole(Place::Int(row.int_rets[0]))], None),
        Type::Wide(Wide::F80 | Wide::F128) | Type::Complex(_) | Type::Struct(_) => {
            (Vec::new(), Some(allocator.take_sret(ty.size())))
        }
    }
}

fn goes_as_integer(ty: &Type) -> bool {
    matches!(ty.size(), 1 | 2 | 4 | 8)
}

/// The integer register of a floating-point argument's position, to hold the same bits.
fn mirror(mv: &Move) -> Option<Move> {
    let row = &regs::WIN64;
    let Place::Fp(register) = mv.place else {
        return None;
    };
    let position = row.fp_args.iter().position(|&fp| fp == register)?;
    Some(Move {
        place: Place::Int(row.int_args[position]),
        extend: Extend::None,
        ..*mv
    })
}
