//! A second opinion on every plan.
//!
//! The planner says where values go; this says whether that can be true at all, from the signature and the
//! register table alone. It shares no step with the planner: it re-counts bytes and registers, it does not place
//! anything. Rules:
//!
//! * Every byte of every value is moved exactly once, between its own slot and a place of its class, and extended by its type.
//! * No two moves of one direction share a register or a stack byte, mirrors included.
//! * Every register is one that the convention lends to that purpose, and the next one in its order; nothing is on the stack while
//!   one is unused.
//! * Stack places have the size that the convention gives them, lie in the order of the arguments without gaps but for
//!   alignment, above the shadow space, and the stack area covers them and is aligned.
//! * Variadic arguments are where the convention wants those, and a mirror is there for each argument that needs one.

use super::regs::{Convention, Variadics};
use super::{Extend, Move, Place, Plan};
use crate::layout::SLOT;
use crate::types::{Signature, Type};
use std::collections::HashSet;

type Verdict = Result<(), String>;

/// Checks `plan` against `signature`.
///
/// ```
/// use farcall_arch::abi::check::check;
/// use farcall_arch::{Abi, Place, Signature, Type, plan};
///
/// let signature = Signature::new(Type::Void, vec![Type::I32, Type::F64])?;
/// let mut plan = plan(&signature, Abi::Win64)?;
/// assert_eq!(check(&signature, &plan), Ok(()));
/// plan.args[1].place = Place::Fp(0); // as if the two files were counted apart
/// assert_eq!(check(&signature, &plan), Err("value 1: Fp(0) is out of turn".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first rule that does not hold, in words.
pub fn check(signature: &Signature, plan: &Plan) -> Verdict {
    let row = plan.abi.convention();
    let slots = signature.args().len();
    if plan.arg_slots as usize != slots {
        return Err(format!("{} slots planned, {slots} needed", plan.arg_slots));
    }
    check_values(&plan.args, signature.args())?;
    check_registers(&plan.args, row.int_args, row.fp_args)?;
    check_order(signature, plan, row)?;
    check_stack(signature, plan, row)?;
    check_variadics(signature, plan, row)?;
    check_overlap(plan.args.iter().chain(&plan.mirrors))?;
    check_ret(signature, plan, row)?;
    check_vector_count(plan, row)
}

fn check_ret(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let ret = std::slice::from_ref(signature.ret());
    let is_void = *signature.ret() == Type::Void;
    check_values(&plan.ret, if is_void { &[] } else { ret })?;
    check_registers(&plan.ret, row.int_rets, row.fp_rets)?;
    if let Some(piece) = plan.ret.iter().find(|piece| is_stack(piece)) {
        return Err(format!("the result is returned in {:?}", piece.place));
    }
    match (signature.ret(), plan.ret.first().map(|piece| piece.place)) {
        (Type::Scalar(scalar), Some(Place::Int(_))) if scalar.is_float() => {
            Err(format!("{scalar} is returned in an integer register"))
        }
        _ => check_overlap(plan.ret.iter()),
    }
}

fn check_vector_count(plan: &Plan, row: &Convention) -> Verdict {
    let placed = plan.args.iter().filter(|piece| is_fp(piece)).count();
    match plan.vector_args {
        Some(count) if usize::from(count) != placed => {
            Err(format!("{count} vector arguments counted, {placed} placed"))
        }
        None if row.counts_vector_args => Err("vector arguments are not counted".to_owned()),
        _ => Ok(()),
    }
}

/// Every value moved once, from or to its slot: one slot a value, as every type there is fits one.
fn check_values(moves: &[Move], types: &[Type]) -> Verdict {
    let mut moved: Vec<u32> = vec![0; types.len()];
    for piece in moves {
        let value = piece.value as usize;
        let ty = types
            .get(value)
            .ok_or_else(|| format!("move of value {value}, which does not exist"))?;
        let start = value as u32 * SLOT;
        if piece.slot < start || piece.slot + u32::from(piece.width) > start + SLOT {
            return Err(format!(
                "value {value}: slot bytes {}+{} are not its own",
                piece.slot, piece.width
            ));
        }
        check_extension(piece, ty).map_err(|why| format!("value {value}: {why}"))?;
        moved[value] += u32::from(piece.width);
    }
    for (value, (ty, moved)) in types.iter().zip(moved).enumerate() {
        let wanted = ty.size();
        if moved != wanted {
            return Err(format!(
                "value {value}: {moved} of {wanted} bytes are moved"
            ));
        }
    }
    Ok(())
}

fn check_extension(piece: &Move, ty: &Type) -> Verdict {
    let Type::Scalar(scalar) = ty else {
        return Err("a void value is moved".to_owned());
    };
    let wanted = match (scalar.is_float() || piece.width == 8, scalar.is_signed()) {
        (true, _) => Extend::None,
        (false, true) => Extend::Sign,
        (false, false) => Extend::Zero,
    };
    let extend = piece.extend;
    if extend != wanted || (is_fp(piece) && !scalar.is_float()) {
        return Err(format!("{scalar} goes to {:?}, {extend:?}", piece.place));
    }
    Ok(())
}

fn check_registers(moves: &[Move], ints: &[u8], fps: &[u8]) -> Verdict {
    let stranger = moves.iter().find(|piece| match piece.place {
        Place::Int(register) => !ints.contains(&register),
        Place::Fp(register) => !fps.contains(&register),
        Place::Stack { .. } => false,
    });
    stranger.map_or(Ok(()), |piece| {
        let Move { value, place, .. } = piece;
        Err(format!("value {value}: {place:?} is not a place for it"))
    })
}

/// Registers are taken one after the other, by class or by position, and the stack only when there are none.
fn check_order(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let (mut ints, mut fps) = (0, 0);
    for (position, piece) in plan.args.iter().enumerate() {
        if row.positional {
            (ints, fps) = (position, position);
        }
        let (next_int, next_fp) = (row.int_args.get(ints), row.fp_args.get(fps));
        let fits = match piece.place {
            Place::Int(register) => next_int == Some(&register),
            Place::Fp(register) => next_fp == Some(&register),
            Place::Stack { .. } if belongs_on_stack(signature, row, piece) => true,
            Place::Stack { .. } if goes_by_float(signature, row, piece) => next_fp.is_none(),
            Place::Stack { .. } => next_int.is_none(),
        };
        if !fits {
            let Move { value, place, .. } = piece;
            return Err(format!("value {value}: {place:?} is out of turn"));
        }
        ints += usize::from(matches!(piece.place, Place::Int(_)));
        fps += usize::from(is_fp(piece));
    }
    Ok(())
}

fn check_stack(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let mut end = row.shadow;
    for piece in &plan.args {
        let Place::Stack { offset, size } = piece.place else {
            continue;
        };
        let least = match row.variadics {
            Variadics::OnStack(word) if belongs_on_stack(signature, row, piece) => word,
            _ => row.stack_word,
        };
        let wanted = u32::from(piece.width).max(least);
        let expected = end.next_multiple_of(wanted);
        if (offset, u32::from(size)) != (expected, wanted) {
            return Err(format!(
                "value {}: stack bytes {offset}+{size} instead of {expected}+{wanted}",
                piece.value
            ));
        }
        end = offset + u32::from(size);
    }
    let wanted = end.next_multiple_of(row.stack_align);
    if plan.stack != wanted {
        let got = plan.stack;
        return Err(format!("a stack area of {got} bytes instead of {wanted}"));
    }
    Ok(())
}

fn check_variadics(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let is_variadic = signature.fixed().is_some();
    for piece in &plan.args {
        let misplaced = match row.variadics {
            Variadics::OnStack(_) => belongs_on_stack(signature, row, piece) && !is_stack(piece),
            Variadics::InIntegers => is_variadic && is_fp(piece),
            Variadics::LikeOthers | Variadics::Mirrored => false,
        };
        if misplaced {
            let Move { value, place, .. } = piece;
            return Err(format!("variadic value {value} goes to {place:?}"));
        }
    }
    let mirrored =
        |piece: &&Move| is_variadic && row.variadics == Variadics::Mirrored && is_fp(piece);
    let wanted: Vec<&Move> = plan.args.iter().filter(mirrored).collect();
    let is_mirror = |(mirror, piece): (&Move, &&Move)| {
        let register = match mirror.place {
            Place::Int(register) => row.int_args.iter().position(|&int| int == register),
            _ => None,
        };
        let same = Move {
            place: piece.place,
            ..*mirror
        } == **piece;
        same && register == Some(piece.value as usize)
    };
    if plan.mirrors.len() != wanted.len() || !plan.mirrors.iter().zip(&wanted).all(is_mirror) {
        return Err(format!("{:?} do not mirror {wanted:?}", plan.mirrors));
    }
    Ok(())
}

fn check_overlap<'a>(moves: impl Iterator<Item = &'a Move>) -> Verdict {
    let mut taken = HashSet::new();
    for piece in moves {
        let cells: Vec<(u8, u32)> = match piece.place {
            Place::Int(register) => vec![(0, u32::from(register))],
            Place::Fp(register) => vec![(1, u32::from(register))],
            Place::Stack { offset, size } => (offset..offset + u32::from(size))
                .map(|byte| (2, byte))
                .collect(),
        };
        if !cells.into_iter().all(|cell| taken.insert(cell)) {
            let Move { value, place, .. } = piece;
            return Err(format!("value {value}: {place:?} is taken already"));
        }
    }
    Ok(())
}

fn is_fp(piece: &Move) -> bool {
    matches!(piece.place, Place::Fp(_))
}

fn is_stack(piece: &Move) -> bool {
    matches!(piece.place, Place::Stack { .. })
}

/// Whether the argument is behind the `...` of a convention that has those on the stack.
fn belongs_on_stack(signature: &Signature, row: &Convention, piece: &Move) -> bool {
    let is_behind = |fixed| piece.value as usize >= fixed;
    matches!(row.variadics, Variadics::OnStack(_)) && signature.fixed().is_some_and(is_behind)
}

/// Whether the argument would be in a floating-point register if there were enough.
fn goes_by_float(signature: &Signature, row: &Convention, piece: &Move) -> bool {
    let is_float = match &signature.args()[piece.value as usize] {
        Type::Void => false,
        Type::Scalar(scalar) => scalar.is_float(),
    };
    is_float && !(signature.fixed().is_some() && row.variadics == Variadics::InIntegers)
}
