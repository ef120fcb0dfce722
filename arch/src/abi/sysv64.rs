//! System V psABI for x86-64 (version 1.0), section 3.2.3: parameter passing and returning of values.
//!
//! Integers and pointers are class INTEGER and take the next of `rdi rsi rdx rcx r8 r9`; `float` and `double` are class SSE
//! and take the next of `xmm0`-`xmm7`. The two files are counted apart. What finds no register takes the next eightbyte of
//! the stack, in the order of the arguments, whatever registers later arguments still find. Variadic arguments are
//! passed no differently. `al` bounds the vector registers in use; we always set it, so undeclared variadics work too.
//!
//! Larger values are classified eightbyte by eightbyte. Either all of one find registers or all of it is on the stack, as it
//! is from the start if it has class MEMORY. `__int128` goes as a structure of two integers would, `complex` as one of two
//! numbers. A `long double` is an argument in memory and a result in `st0`; a complex one is a result in `st0` and `st1`.
//!
//! The psABI leaves bits beyond a narrow integer undefined. Compilers do not: clang's callees rely on the caller having
//! extended 8- and 16-bit arguments to 32 bits, while no compiler relies on it in a result. So arguments are
//! extended on the way out, and nothing is taken for extended on the way in.

use super::{
    Abi, Allocator, Move, Place, Plan, PlanError, Sret, Value, for_each_arg, regs, scalar_result,
};
use crate::layout::Number;
use crate::types::{Float, Signature, Type};

pub(super) fn plan(signature: &Signature) -> Result<Plan, PlanError> {
    let row = &regs::SYSV64;
    let mut allocator = Allocator::new(row);
    let (ret, sret) = place_result(&mut allocator, signature.ret());
    let mut args = Vec::with_capacity(signature.args().len());
    let arg_slots = for_each_arg(signature, |arg| place_arg(&mut allocator, arg, &mut args))?;
    Ok(Plan {
        abi: Abi::SysV64,
        args,
        mirrors: Vec::new(),
        ret,
        sret,
        arg_slots,
        ret_slots: signature.ret().slots(),
        stack: allocator.stack_size(),
        copies: 0,
        vector_args: row.counts_vector_args.then_some(allocator.fps as u8),
    })
}

#[inline(always)]
fn place_arg(
    allocator: &mut Allocator,
    arg: Value<'_>,
    args: &mut Vec<Move>,
) -> Result<(), PlanError> {
    if let Type::Scalar(scalar) = arg.ty {
        args.push(arg.scalar(*scalar, allocator.take_by_class(*scalar)));
        return Ok(());
    }
    place_other_arg(allocator, arg, args)
}

/// Places an argument that is no scalar.
#[inline(never)]
fn place_other_arg(
    allocator: &mut Allocator,
    arg: Value<'_>,
    args: &mut Vec<Move>,
) -> Result<(), PlanError> {
    let row = allocator.row;
    let pieces = register_pieces(arg.ty).filter(|pieces| {
        let fps = pieces.iter().filter(|piece| piece.is_sse).count();
        let ints = pieces.len() - fps;
        allocator.ints + ints <= row.int_args.len() && allocator.fps + fps <= row.fp_args.len()
    });
    let Some(pieces) = pieces else {
        arg.check_alignment(row)?;
        let size = arg.ty.size().next_multiple_of(row.stack_word);
        let align = arg.ty.align().max(row.stack_word);
        args.push(arg.whole(allocator.take_stack(size, align)));
        return Ok(());
    };
    for Piece {
        offset,
        width,
        is_sse,
    } in pieces
    {
        let place = if is_sse {
            allocator.take_fp()
        } else {
            allocator.take_int()
        };
        args.extend(place.map(|place| arg.part(offset, width, place)));
    }
    Ok(())
}

fn place_result(allocator: &mut Allocator, ty: &Type) -> (Vec<Move>, Option<Sret>) {
    let row = allocator.row;
    let value = Value::result(ty);
    match ty {
        Type::Void => return (Vec::new(), None),
        Type::Scalar(scalar) => return (vec![scalar_result(row, ty, *scalar)], None),
        Type::Complex(Float::F80) => {
            let part =
                |n: u8| value.part(u32::from(n) * Float::F80.size(), X87_BYTES, Place::X87(n));
            return (vec![part(0), part(1)], None);
        }
        Type::Wide(_) | Type::Complex(_) | Type::Struct(_) => {}
    }
    match classify(ty) {
        Some([first, second]) if (first.class, second.class) == (Class::X87, Class::X87Up) => {
            (vec![value.part(0, X87_BYTES, Place::X87(0))], None)
        }
        _ => match register_pieces(ty) {
            Some(pieces) => (result_pieces(row, value, &pieces), None),
            None => (Vec::new(), Some(allocator.take_sret(ty.size()))),
        },
    }
}

/// Results take the registers of each class in order, as arguments do.
fn result_pieces(row: &regs::Convention, value: Value<'_>, pieces: &[Piece]) -> Vec<Move> {
    let (mut ints, mut fps) = (row.int_rets.iter(), row.fp_rets.iter());
    let place = |piece: &Piece| {
        let place = match piece.is_sse {
            true => fps.next().map(|&register| Place::Fp(register)),
            false => ints.next().map(|&register| Place::Int(register)),
        };
        place.map(|place| value.part(piece.offset, piece.width, place))
    };
    pieces.iter().filter_map(place).collect()
}

/// The bytes of an x87 number that mean something.
const X87_BYTES: u32 = 10;

const EIGHTBYTE: u32 = 8;

/// The classes of the psABI (NO_CLASS is `Nothing`), but for MEMORY, which is a whole value's, and COMPLEX_X87, which is one type's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Nothing,
    Integer,
    Sse,
    SseUp,
    X87,
    X87Up,
}

#[derive(Clone, Copy)]
struct Eightbyte {
    class: Class,
    /// Bytes up to the end of the last number in it.
    used: u32,
}

impl Eightbyte {
    const NOTHING: Eightbyte = Eightbyte {
        class: Class::Nothing,
        used: 0,
    };

    /// Both in one; `None` is MEMORY.
    fn merge(self, other: Eightbyte) -> Option<Eightbyte> {
        Some(Eightbyte {
            class: merge(self.class, other.class)?,
            used: self.used.max(other.used),
        })
    }
}

/// What one register takes of a value.
struct Piece {
    offset: u32,
    width: u32,
    is_sse: bool,
}

/// The pieces of a value that can be passed in registers.
fn register_pieces(ty: &Type) -> Option<Vec<Piece>> {
    let eightbytes = classify(ty)?;
    let mut pieces: Vec<Piece> = Vec::with_capacity(eightbytes.len());
    for (index, Eightbyte { class, used }) in eightbytes.into_iter().enumerate() {
        let offset = index as u32 * EIGHTBYTE;
        // An integer register is filled as far as the value goes, padding included.
        let width = (ty.size() - offset.min(ty.size())).min(EIGHTBYTE);
        match (class, pieces.last_mut()) {
            (Class::Nothing, _) => {}
            (Class::SseUp, Some(before)) => before.width += EIGHTBYTE,
            (Class::Integer, _) => pieces.push(Piece {
                offset,
                width,
                is_sse: false,
            }),
            (Class::Sse | Class::SseUp, _) => {
                let width = used.next_multiple_of(Float::F32.size());
                pieces.push(Piece {
                    offset,
                    width,
                    is_sse: true,
                });
            }
            (Class::X87 | Class::X87Up, _) => return None,
        }
    }
    Some(pieces)
}

/// The classes of a value's two eightbytes, or `None` for class MEMORY: more than two eightbytes, or a number across the
/// border of its alignment.
fn classify(ty: &Type) -> Option<[Eightbyte; 2]> {
    if ty.size() > 2 * EIGHTBYTE {
        return None;
    }
    classify_at(ty, 0)
}

/// The classes of what lies `offset` bytes behind the start of a value. Members are classified each by itself, with the clean-up at the
/// end, and then merged: what is MEMORY within a union stays so, whatever is beside it.
fn classify_at(ty: &Type, offset: u32) -> Option<[Eightbyte; 2]> {
    let mut eightbytes = [Eightbyte::NOTHING; 2];
    if let Type::Struct(aggregate) = ty {
        for member in aggregate.members() {
            let classes = classify_at(&member.ty, offset + member.offset)?;
            for (eightbyte, other) in eightbytes.iter_mut().zip(classes) {
                *eightbyte = eightbyte.merge(other)?;
            }
        }
    } else {
        let mut is_memory = false;
        ty.for_each_number(offset, &mut |offset, number| {
            is_memory |= place_number(&mut eightbytes, offset, number).is_none();
        });
        if is_memory {
            return None;
        }
    }
    // Clean-up, psABI 3.2.3: an upper half without its lower one.
    match eightbytes.map(|eightbyte| eightbyte.class) {
        [first, Class::X87Up] if first != Class::X87 => return None,
        [first, Class::SseUp] if first != Class::Sse => eightbytes[1].class = Class::Sse,
        _ => {}
    }
    Some(eightbytes)
}

/// Adds a number to the eightbytes that it lies in.
fn place_number(eightbytes: &mut [Eightbyte; 2], offset: u32, number: Number) -> Option<()> {
    if !offset.is_multiple_of(number.size()) {
        return None;
    }
    let (first, second) = classes(number);
    let used = offset % EIGHTBYTE + number.size().min(EIGHTBYTE);
    let from = eightbytes.get_mut((offset / EIGHTBYTE) as usize..)?;
    for (class, eightbyte) in [Some(first), second].into_iter().flatten().zip(from) {
        *eightbyte = eightbyte.merge(Eightbyte { class, used })?;
    }
    Some(())
}

/// The classes of a number's eightbytes.
fn classes(number: Number) -> (Class, Option<Class>) {
    match number {
        Number::Integer(0..=EIGHTBYTE) => (Class::Integer, None),
        Number::Integer(_) => (Class::Integer, Some(Class::Integer)),
        Number::Float(Float::F32 | Float::F64) => (Class::Sse, None),
        Number::Float(Float::F80) => (Class::X87, Some(Class::X87Up)),
        Number::Float(Float::F128) => (Class::Sse, Some(Class::SseUp)),
    }
}

/// The class of an eightbyte that two numbers share; `None` is MEMORY.
fn merge(one: Class, other: Class) -> Option<Class> {
    match (one, other) {
        _ if one == other => Some(one),
        (Class::Nothing, class) | (class, Class::Nothing) => Some(class),
        (Class::Integer, _) | (_, Class::Integer) => Some(Class::Integer),
        (Class::X87 | Class::X87Up, _) | (_, Class::X87 | Class::X87Up) => None,
        _ => Some(Class::Sse),
    }
}
