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
//!
use super::{
    Abi, Allocator, Dialect, Move, Place, Plan, PlanError, Sret, Value, for_each_arg, scalar_result,
};
use crate::abi::regs::{Gpr, Variadics};
use crate::layout::{Number, SLOT};
use crate::types::{Float, Scalar, Signature, Type};

/// Composites of more bytes go by the address of a copy.
const MAX_COMPOSITE: u32 = 2 * SLOT;

/// A homogeneous aggregate has no more members.
const MAX_MEMBERS: u32 = 4;

pub(super) fn plan(signature: &Signature, dialect: Dialect) -> Result<Plan, PlanError> {
    let abi = Abi::Aapcs64(dialect);
    let row = abi.convention();
    let mut allocator = Allocator::new(row);
    let (ret, sret) = place_result(&mut allocator, signature.ret())?;
    let mut args = Vec::with_capacity(signature.args().len());
    let arg_slots = for_each_arg(signature, |arg| {
        let argument = Some(arg.index as usize);
        refuse_x87(arg.ty, argument)?;
        let is_unnamed = signature
            .fixed()
            .is_some_and(|fixed| arg.index as usize >= fixed);
        let rule = match (signature.fixed(), row.variadics) {
            (Some(_), Variadics::OnStack(word)) if is_unnamed => Rule::OnStack(word),
            (Some(_), Variadics::InIntegers) => Rule::InIntegers,
            _ => Rule::Standard,
        };
        place_arg(&mut allocator, arg, rule, &mut args)
    })?;
    Ok(Plan {
        abi,
        args,
        mirrors: Vec::new(),
        ret,
        sret,
        arg_slots,
        ret_slots: signature.ret().slots(),
        stack: allocator.stack_size(),
        copies: allocator.copies,
        vector_args: None,
    })
}

/// Which rules an argument is placed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Standard,
    /// On the stack, in words of this many bytes.
    OnStack(u32),
    /// As if nothing were a floating-point number.
    InIntegers,
}

fn place_arg(
    allocator: &mut Allocator,
    arg: Value<'_>,
    rule: Rule,
    args: &mut Vec<Move>,
) -> Result<(), PlanError> {
    if let Type::Scalar(scalar) = arg.ty {
        args.push(arg.scalar(*scalar, place_scalar(allocator, *scalar, rule)));
        return Ok(());
    }
    match homogeneous(arg.ty) {
        Some(members) if rule != Rule::InIntegers => {
            place_homogeneous(allocator, arg, members, rule, args);
        }
        _ if arg.ty.size() <= MAX_COMPOSITE => place_composite(allocator, arg, rule, args),
        _ => {
            arg.check_alignment(allocator.row)?;
            let copy = allocator.take_copy(arg.ty.size());
            let place = place_scalar(allocator, Scalar::U64, rule);
            args.push(arg.by_address(copy, place));
        }
    }
    Ok(())
}

fn place_scalar(allocator: &mut Allocator, scalar: Scalar, rule: Rule) -> Place {
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
    arg: Value<'_>,
    members: Homogeneous,
    rule: Rule,
    args: &mut Vec<Move>,
) {
    let row = allocator.row;
    let Homogeneous { format, count } = members;
    if rule == Rule::Standard && allocator.fps + count as usize <= row.fp_args.len() {
        for n in 0..count {
            let place = allocator.take_fp();
            args.extend(place.map(|place| members.member(arg, n, place)));
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
    let declared = match arg.ty {
        Type::Struct(members) if row.natural_alignment => members.natural_align(),
        _ => format.size(),
    };
    let align = declared.clamp(word, row.stack_align);
    let size = arg.ty.size().next_multiple_of(word);
    args.push(arg.whole(allocator.take_stack(size, align)));
}

/// C.9 to C.17.
fn place_composite(allocator: &mut Allocator, arg: Value<'_>, rule: Rule, args: &mut Vec<Move>) {
    let row = allocator.row;
    let declared = match arg.ty {
        Type::Struct(members) if row.natural_alignment => members.natural_align(),
        ty => ty.align(),
    };
    let align = declared.clamp(SLOT, row.stack_align);
    let goes_to_registers = !matches!(rule, Rule::OnStack(_));
    if goes_to_registers && align > SLOT && row.even_pairs {
        allocator.ints = allocator.ints.next_multiple_of(2);
    }
    let words = arg.ty.size().div_ceil(SLOT);
    let left = row.int_args.len().saturating_sub(allocator.ints) as u32;
    let in_registers = match rule {
        Rule::OnStack(_) => 0,
        Rule::InIntegers => words.min(left),
        Rule::Standard if words <= left => words,
        Rule::Standard => 0,
    };
    for n in 0..in_registers {
        let (offset, width) = word_of(arg.ty, n);
        let place = allocator.take_int();
        args.extend(place.map(|place| arg.part(offset, width, place)));
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
    args.push(arg.part(start, arg.ty.size() - start, place));
}

/// Where word `n` of a value begins, and how many bytes of it there are.
fn word_of(ty: &Type, n: u32) -> (u32, u32) {
    let offset = n * SLOT;
    (offset, (ty.size() - offset).min(SLOT))
}

fn place_result(
    allocator: &mut Allocator,
    ty: &Type,
) -> Result<(Vec<Move>, Option<Sret>), PlanError> {
    refuse_x87(ty, None)?;
    let row = allocator.row;
    let value = Value::result(ty);
    Ok(match (ty, homogeneous(ty)) {
        (Type::Void, _) => (Vec::new(), None),
        (Type::Scalar(scalar), _) => (vec![scalar_result(row, ty, *scalar)], None),
        (_, Some(members)) => {
            let places = (0..members.count).zip(row.fp_rets);
            let moves = places.map(|(n, &register)| members.member(value, n, Place::Fp(register)));
            (moves.collect(), None)
        }
        _ if ty.size() <= MAX_COMPOSITE => {
            let places = (0..ty.size().div_ceil(SLOT)).zip(row.int_rets);
            let mv = |(n, &register): (u32, &Gpr)| {
                let (offset, width) = word_of(ty, n);
                value.part(offset, width, Place::Int(register))
            };
            (places.map(mv).collect(), None)
        }
        _ => (Vec::new(), Some(allocator.take_sret(ty.size()))),
    })
}

/// Up to four numbers of one format and nothing else.
#[derive(Clone, Copy)]
struct Homogeneous {
    format: Float,
    count: u32,
}

impl Homogeneous {
    /// The move of member `n`.
    fn member(self, value: Value<'_>, n: u32, place: Place) -> Move {
        value.part(n * self.format.size(), self.format.size(), place)
    }
}

/// What a value consists of if it is homogeneous; a lone binary128 number is passed in the same way.
fn homogeneous(ty: &Type) -> Option<Homogeneous> {
    let mut format = None;
    let mut is_mixed = false;
    let mut seen = [false; MAX_MEMBERS as usize];
    ty.for_each_number(0, &mut |offset, number| match number {
        Number::Float(this) if format.is_none_or(|format| format == this) => {
            format = Some(this);
            // Members of unions may meet at one place.
            match seen.get_mut((offset / this.size()) as usize) {
                Some(seen) if offset.is_multiple_of(this.size()) => *seen = true,
                _ => is_mixed = true,
            }
        }
        Number::Float(_) | Number::Integer(_) => is_mixed = true,
    });
    let format = format.filter(|_| !is_mixed)?;
    let count = seen.iter().filter(|seen| **seen).count() as u32;
    // Padding would make it an ordinary composite.
    (count * format.size() == ty.size()).then_some(Homogeneous { format, count })
}

/// The machine has no x87 numbers.
fn refuse_x87(ty: &Type, argument: Option<usize>) -> Result<(), PlanError> {
    let mut has_x87 = false;
    ty.for_each_number(0, &mut |_, number| {
        has_x87 |= number == Number::Float(Float::F80);
    });
    match has_x87 {
        true => Err(PlanError::NoX87 { argument }),
        false => Ok(()),
    }
}
