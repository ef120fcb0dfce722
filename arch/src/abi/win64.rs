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

use super::shape::{Aggregate, Kind};
use super::{Allocator, Extend, Move, Place, PlanError, Returned, Value, regs};
use crate::types::Scalar;

#[inline(always)]
pub(super) fn place_scalar(allocator: &mut Allocator, scalar: Scalar) -> Place {
    // A position is one of both lists, whichever the argument takes it from.
    let (int, fp) = (allocator.take_int(), allocator.take_fp());
    let register = if scalar.is_float() { fp } else { int };
    register.unwrap_or_else(|| allocator.take_word(scalar.size()))
}

pub(super) fn place_other(
    allocator: &mut Allocator,
    arg: Value,
    aggregate: &Aggregate,
) -> Result<Move, PlanError> {
    let place = place_scalar(allocator, Scalar::U64);
    if goes_as_integer(aggregate) {
        return Ok(arg.whole(aggregate, place));
    }
    arg.check_alignment(aggregate, allocator.row)?;
    let copy = allocator.take_copy(aggregate.size);
    Ok(arg.by_address(aggregate, copy, place))
}

pub(super) fn place_result(allocator: &mut Allocator, aggregate: &Aggregate) -> Returned {
    let row = allocator.row;
    let whole = |place| Returned::one(Value::RESULT.whole(aggregate, place));
    match aggregate.kind {
        Kind::Integer => whole(Place::Fp(row.fp_rets[0])),
        _ if goes_as_integer(aggregate) => whole(Place::Int(row.int_rets[0])),
        _ => Returned::in_memory(allocator.take_sret(aggregate.size)),
    }
}

fn goes_as_integer(aggregate: &Aggregate) -> bool {
    matches!(aggregate.size, 1 | 2 | 4 | 8)
}

/// The integer register of a floating-point argument's position, to hold the same bits.
pub(super) fn mirror(mv: &Move) -> Option<Move> {
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
