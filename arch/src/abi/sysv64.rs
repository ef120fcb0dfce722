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

use super::shape::{Aggregate, Class, EIGHTBYTE, Eightbyte, Kind};
use super::{Allocator, Move, Place, PlanError, Returned, Value, regs};
use crate::types::Float;

/// Places an argument that is no scalar.
pub(super) fn place_other(
    allocator: &mut Allocator,
    arg: Value,
    aggregate: &Aggregate,
    sink: &mut dyn FnMut(Move),
) -> Result<(), PlanError> {
    let row = allocator.row;
    let pieces = Pieces::of(aggregate).filter(|pieces| {
        let fps = pieces.all().filter(|piece| piece.is_sse).count();
        let ints = pieces.all().count() - fps;
        allocator.ints + ints <= row.int_args.len() && allocator.fps + fps <= row.fp_args.len()
    });
    let Some(pieces) = pieces else {
        arg.check_alignment(aggregate, row)?;
        let size = aggregate.size.next_multiple_of(row.stack_word);
        let align = aggregate.align.max(row.stack_word);
        sink(arg.whole(aggregate, allocator.take_stack(size, align)));
        return Ok(());
    };
    for piece in pieces.all() {
        let place = if piece.is_sse {
            allocator.take_fp()
        } else {
            allocator.take_int()
        };
        if let Some(place) = place {
            sink(arg.part(piece.offset, piece.width, place));
        }
    }
    Ok(())
}

pub(super) fn place_result(allocator: &mut Allocator, aggregate: &Aggregate) -> Returned {
    let row = allocator.row;
    let x87 = |n: u8| {
        let offset = u32::from(n) * Float::F80.size();
        Value::RESULT.part(offset, X87_BYTES, Place::X87(n))
    };
    if aggregate.kind == Kind::ComplexX87 {
        return Returned::of([x87(0), x87(1)].into_iter());
    }
    match aggregate.eightbytes {
        Some([first, second]) if (first.class, second.class) == (Class::X87, Class::X87Up) => {
            Returned::one(x87(0))
        }
        _ => match Pieces::of(aggregate) {
            Some(pieces) => result_pieces(row, &pieces),
            None => Returned::in_memory(allocator.take_sret(aggregate.size)),
        },
    }
}

/// Results take the registers of each class in order, as arguments do.
fn result_pieces(row: &regs::Convention, pieces: &Pieces) -> Returned {
    let (mut ints, mut fps) = (row.int_rets.iter(), row.fp_rets.iter());
    Returned::of(pieces.all().filter_map(|piece| {
        let place = match piece.is_sse {
            true => fps.next().map(|&register| Place::Fp(register)),
            false => ints.next().map(|&register| Place::Int(register)),
        };
        place.map(|place| Value::RESULT.part(piece.offset, piece.width, place))
    }))
}

/// The bytes of an x87 number that mean something.
const X87_BYTES: u32 = 10;

/// The part of a value that one register takes.
#[derive(Clone, Copy)]
struct Piece {
    offset: u32,
    width: u32,
    is_sse: bool,
}

/// The pieces of a value that can be passed in registers.
struct Pieces([Option<Piece>; 2]);

impl Pieces {
    fn all(&self) -> impl Iterator<Item = Piece> + '_ {
        self.0.iter().copied().flatten()
    }

    #[inline]
    fn of(aggregate: &Aggregate) -> Option<Pieces> {
        let eightbytes = aggregate.eightbytes?;
        let mut pieces = [None; 2];
        for (index, Eightbyte { class, used }) in eightbytes.into_iter().enumerate() {
            let offset = index as u32 * EIGHTBYTE;
            // An integer register is filled as far as the value goes, padding included.
            let width = (aggregate.size - offset.min(aggregate.size)).min(EIGHTBYTE);
            let (width, is_sse) = match class {
                Class::Nothing => continue,
                Class::SseUp => match &mut pieces[0] {
                    Some(Piece { width, .. }) if index > 0 => {
                        *width += EIGHTBYTE;
                        continue;
                    }
                    _ => (used.next_multiple_of(Float::F32.size()), true),
                },
                Class::Integer => (width, false),
                Class::Sse => (used.next_multiple_of(Float::F32.size()), true),
                Class::X87 | Class::X87Up => return None,
            };
            pieces[index] = Some(Piece {
                offset,
                width,
                is_sse,
            });
        }
        Some(Pieces(pieces))
    }
}
