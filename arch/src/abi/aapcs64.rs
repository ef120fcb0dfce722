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
//! A homogeneous floating-point aggregate (section 5.10.5.1: one to four numbers of one format and nothing else, a complex number
//! included) takes one of `v0`-`v7` for each (C.2), or goes to the stack and closes that file (C.3). Other composites of up to 16
//! bytes, and `__int128`, take one or two of `x0`-`x7` (C.9, C.12), or close that one (C.13). Those that are aligned to 16 bytes begin
//! with an even-numbered register (C.10), but not with Apple. Larger ones are replaced by the address of a copy (B.4). Results are
//! where such an argument would be if it were the only one, or in memory at the address in `x8` (6.9).
//!
//! On Windows no argument of a variadic function is taken for homogeneous, and one of two registers may lie half in `x7` and half on
//! the stack, the imaginary one being contiguous. (clang 19.1 reads it there and yet passes it on the stack.)
//!
//! Apple wants narrow integers extended to 32 bits by the caller; the standard leaves the bits undefined. We fill all 64
//! on the way out, on every dialect, and take nothing for extended on the way in.

use super::shape::{Aggregate, Homogeneous};
use super::{Allocator, Move, Place, PlanError, Returned, Value};
use crate::abi::regs::{Gpr, Variadics};
use crate::layout::SLOT;
use crate::types::Scalar;

/// Composites of more bytes go by the address of a copy.
const MAX_COMPOSITE: u32 = 2 * SLOT;

/// The rules for an argument; `fixed` are named if the function is variadic.
#[inline]
pub(super) fn rule(allocator: &Allocator, index: u32, fixed: Option<u32>) -> Rule {
    let is_unnamed = fixed.is_some_and(|fixed| index >= fixed);
    match (fixed, allocator.row.variadics) {
        (Some(_), Variadics::OnStack(word)) if is_unnamed => Rule::OnStack(word),
        (Some(_), Variadics::InIntegers) => Rule::InIntegers,
        _ => Rule::Standard,
    }
}

/// Which rules an argument is placed by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Standard,
    /// On the stack, in words of this many bytes.
    OnStack(u32),
    /// Treats floating-point numbers as integers.
    InIntegers,
}

/// Places an argument that is no scalar.
pub(super) fn place_other(
    allocator: &mut Allocator,
    arg: Value,
    aggregate: &Aggregate,
    rule: Rule,
    sink: &mut dyn FnMut(Move),
) -> Result<(), PlanError> {
    refuse_x87(aggregate, Some(arg.index as usize))?;
    match aggregate.homogeneous {
        Some(members) if rule != Rule::InIntegers => {
            place_homogeneous(allocator, arg, aggregate, members, rule, sink);
        }
        _ if aggregate.size <= MAX_COMPOSITE => {
            place_composite(allocator, arg, aggregate, rule, sink);
        }
        _ => {
            arg.check_alignment(aggregate, allocator.row)?;
            let copy = allocator.take_copy(aggregate.size);
            let place = place_scalar(allocator, Scalar::U64, rule);
            sink(arg.by_address(aggregate, copy, place));
        }
    }
    Ok(())
}

#[inline(always)]
pub(super) fn place_scalar(allocator: &mut Allocator, scalar: Scalar, rule: Rule) -> Place {
    match rule {
        Rule::Standard => allocator.take_by_class(scalar),
        Rule::OnStack(word) => allocator.take_stack(word, word),
        Rule::InIntegers => allocator
            .take_int()
            .unwrap_or_else(|| allocator.take_word(scalar.size())),
    }
}

/// C.2 to C.6.
fn place_homogeneous(
    allocator: &mut Allocator,
    arg: Value,
    aggregate: &Aggregate,
    members: Homogeneous,
    rule: Rule,
    sink: &mut dyn FnMut(Move),
) {
    let row = allocator.row;
    let Homogeneous { format, count } = members;
    if rule == Rule::Standard && allocator.fps + count as usize <= row.fp_args.len() {
        for n in 0..count {
            let place = allocator.take_fp();
            if let Some(place) = place {
                sink(members.member(arg, n, place));
            }
        }
        return;
    }
    let word = match rule {
        Rule::OnStack(word) => word,
        Rule::Standard | Rule::InIntegers => {
            allocator.fps = row.fp_args.len();
            row.stack_word
        }
    };
    let declared = match row.natural_alignment {
        true => aggregate.natural_align,
        false => format.size(),
    };
    let align = declared.clamp(word, row.stack_align);
    let size = aggregate.size.next_multiple_of(word);
    sink(arg.whole(aggregate, allocator.take_stack(size, align)));
}

/// C.9 to C.17.
fn place_composite(
    allocator: &mut Allocator,
    arg: Value,
    aggregate: &Aggregate,
    rule: Rule,
    sink: &mut dyn FnMut(Move),
) {
    let row = allocator.row;
    let declared = match row.natural_alignment {
        true => aggregate.natural_align,
        false => aggregate.align,
    };
    let align = declared.clamp(SLOT, row.stack_align);
    let goes_to_registers = !matches!(rule, Rule::OnStack(_));
    if goes_to_registers && align > SLOT && row.even_pairs {
        allocator.ints = allocator.ints.next_multiple_of(2);
    }
    let words = aggregate.size.div_ceil(SLOT);
    let left = row.int_args.len().saturating_sub(allocator.ints) as u32;
    let in_registers = match rule {
        Rule::OnStack(_) => 0,
        Rule::InIntegers => words.min(left),
        Rule::Standard if words <= left => words,
        Rule::Standard => 0,
    };
    for n in 0..in_registers {
        let (offset, width) = word_of(aggregate, n);
        let place = allocator.take_int();
        if let Some(place) = place {
            sink(arg.part(offset, width, place));
        }
    }
    if in_registers == words {
        return;
    }
    if goes_to_registers {
        allocator.ints = row.int_args.len();
    }
    let start = in_registers * SLOT;
    let align = if in_registers == 0 { align } else { SLOT };
    let place = allocator.take_stack((words - in_registers) * SLOT, align);
    sink(arg.part(start, aggregate.size - start, place));
}

/// Where word `n` of a value begins, and how many bytes of it there are.
fn word_of(aggregate: &Aggregate, n: u32) -> (u32, u32) {
    let offset = n * SLOT;
    (offset, (aggregate.size - offset).min(SLOT))
}

pub(super) fn place_result(
    allocator: &mut Allocator,
    aggregate: &Aggregate,
) -> Result<Returned, PlanError> {
    let row = allocator.row;
    refuse_x87(aggregate, None)?;
    Ok(match aggregate.homogeneous {
        Some(members) => {
            let places = (0..members.count).zip(row.fp_rets);
            let member = |(n, &register)| members.member(Value::RESULT, n, Place::Fp(register));
            Returned::of(places.map(member))
        }
        None if aggregate.size <= MAX_COMPOSITE => {
            let places = (0..aggregate.size.div_ceil(SLOT)).zip(row.int_rets);
            Returned::of(places.map(|(n, &register): (u32, &Gpr)| {
                let (offset, width) = word_of(aggregate, n);
                Value::RESULT.part(offset, width, Place::Int(register))
            }))
        }
        None => Returned::in_memory(allocator.take_sret(aggregate.size)),
    })
}

impl Homogeneous {
    /// The move of member `n`.
    fn member(self, value: Value, n: u32, place: Place) -> Move {
        value.part(n * self.format.size(), self.format.size(), place)
    }
}

/// The machine has no x87 numbers.
fn refuse_x87(aggregate: &Aggregate, argument: Option<usize>) -> Result<(), PlanError> {
    match aggregate.has_x87 {
        true => Err(PlanError::NoX87 { argument }),
        false => Ok(()),
    }
}
