//! A second opinion on every plan.
//!
//! The planner says where values go. This file checks whether that can be true, from the signature and the
//! register table alone. It shares no step with the planner: it looks at values byte by byte and counts registers, while
//! the planner places numbers. Rules:
//!
//! * Every byte of every value, padding aside, is moved exactly once, between its own place on the interpreter's side and a place of
//!   its class, and scalars are extended by their type.
//! * No two moves of one direction share a register or a stack byte, mirrors included, and no two copies a byte.
//! * Every register is one that the convention has for that purpose, and the next one in its order; nothing is on the stack while
//!   there are registers for all of it.
//! * Stack places have the size that the convention gives them, lie in the order of the arguments with no gaps except for
//!   alignment, above the shadow space, and the stack area covers them and is aligned.
//! * Variadic arguments are where the convention wants those, and a mirror is there for each argument that needs one.

mod need;

use super::regs::{Convention, Fpr, Gpr, Variadics};
use super::{Abi, Extend, Move, Place, Plan};
use crate::layout::SLOT;
use crate::types::{Signature, Type, Wide};
use need::StackNeed;
use std::collections::HashSet;

type Verdict = Result<(), String>;

/// Checks `plan` against `signature`.
///
/// ```
/// use farcall_arch::abi::check::check;
/// use farcall_arch::abi::regs::x64::XMM0;
/// use farcall_arch::{Abi, Place, Signature, Type, plan};
///
/// let signature = Signature::new(Type::Void, vec![Type::I32, Type::F64])?;
/// let mut plan = plan(&signature, Abi::Win64)?;
/// assert_eq!(check(&signature, &plan), Ok(()));
/// plan.args[1].place = Place::Fp(XMM0); // as if the two files were counted apart
/// assert_eq!(check(&signature, &plan), Err("value 1: Fp(0) is out of turn".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first rule that does not hold, in words.
pub fn check(signature: &Signature, plan: &Plan) -> Verdict {
    let row = plan.abi.convention();
    let slots: u32 = signature.args().iter().map(Type::slots).sum();
    if plan.arg_slots != slots {
        return Err(format!("{} slots planned, {slots} needed", plan.arg_slots));
    }
    let slots = signature.ret().slots();
    if plan.ret_slots != slots {
        return Err(format!(
            "{} result slots planned, {slots} needed",
            plan.ret_slots
        ));
    }
    check_values(&plan.args, signature.args())?;
    check_registers(&plan.args, row.int_args, row.fp_args)?;
    check_order(signature, plan, row)?;
    check_stack(signature, plan, row)?;
    check_copies(plan, row)?;
    check_mirrors(signature, plan, row)?;
    check_overlap(plan.args.iter().chain(&plan.mirrors))?;
    check_ret(signature, plan, row)?;
    check_vector_count(plan, row)
}

fn check_ret(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let ty = signature.ret();
    let by_registers = need::result(plan.abi, ty);
    let is_sret = plan.sret.is_some();
    if is_sret == by_registers.is_some() {
        let wanted = if is_sret { "registers" } else { "memory" };
        return Err(format!("the result belongs in {wanted}"));
    }
    if let Some(sret) = plan.sret {
        let wanted = (row.sret, row.sret_returned, ty.size());
        let got = (sret.pointer, sret.returned, sret.size);
        return match plan.ret.is_empty() && got == wanted {
            true => Ok(()),
            false => Err(format!(
                "a result in memory by {got:?} instead of {wanted:?}"
            )),
        };
    }
    let is_void = *ty == Type::Void;
    let types = if is_void {
        &[][..]
    } else {
        std::slice::from_ref(ty)
    };
    check_values(&plan.ret, types)?;
    check_registers(&plan.ret, row.int_rets, row.fp_rets)?;
    if let Some(mv) = plan.ret.iter().find(|mv| is_stack(mv)) {
        return Err(format!("the result is returned in {:?}", mv.place));
    }
    let places: Vec<Place> = plan.ret.iter().map(|mv| mv.place).collect();
    let wanted = by_registers.unwrap_or_default().places(row);
    if places != wanted {
        return Err(format!(
            "the result is returned in {places:?} instead of {wanted:?}"
        ));
    }
    check_overlap(plan.ret.iter())
}

fn check_vector_count(plan: &Plan, row: &Convention) -> Verdict {
    let placed = plan.args.iter().filter(|mv| is_fp(mv)).count();
    match plan.vector_args {
        Some(count) if usize::from(count) != placed => {
            Err(format!("{count} vector arguments counted, {placed} placed"))
        }
        None if row.counts_vector_args => Err("vector arguments are not counted".to_owned()),
        _ => Ok(()),
    }
}

/// Every value moved once, from or to its slots.
fn check_values(moves: &[Move], types: &[Type]) -> Verdict {
    let mut moves = moves.iter().peekable();
    let mut start = 0;
    for (value, ty) in types.iter().enumerate() {
        let mut moved = vec![false; ty.size() as usize];
        while let Some(mv) = moves.next_if(|mv| mv.value as usize == value) {
            let complain = |why: String| Err(format!("value {value}: {why}"));
            if mv.slot_offset != start + mv.offset {
                return complain(format!("slot byte {} is not its own", mv.slot_offset));
            }
            let bytes = mv.offset as usize..(mv.offset + mv.width) as usize;
            match moved.get_mut(bytes) {
                Some(bytes) if !bytes.contains(&true) => bytes.fill(true),
                _ => {
                    return complain(format!("bytes {}+{} are not its own", mv.offset, mv.width));
                }
            }
            check_move(mv, ty).or_else(complain)?;
        }
        let bytes = need::bytes(ty);
        let missing = bytes
            .iter()
            .zip(&moved)
            .position(|(byte, moved)| byte.is_some() && !moved);
        if let Some(missing) = missing {
            return Err(format!("value {value}: byte {missing} is not moved"));
        }
        start += ty.slots() * SLOT;
    }
    match moves.next() {
        Some(mv) => Err(format!("move of value {}, which is not next", mv.value)),
        None => Ok(()),
    }
}

/// A move's extension, its width, and whether a floating-point register gets anything but floating-point numbers.
fn check_move(mv: &Move, ty: &Type) -> Result<(), String> {
    let Move {
        place,
        extend,
        width,
        ..
    } = *mv;
    let (wanted, is_sound) = match ty {
        Type::Scalar(scalar) => match (scalar.is_float() || width == 8, scalar.is_signed()) {
            (true, _) => (Extend::None, !is_fp(mv) || scalar.is_float()),
            (false, true) => (Extend::Sign, !is_fp(mv)),
            (false, false) => (Extend::Zero, !is_fp(mv)),
        },
        // Win64 alone has these in a vector register; its rule for results asks for it.
        Type::Wide(Wide::I128 | Wide::U128) if is_fp(mv) => (Extend::None, width == 16),
        _ => {
            let bytes = need::bytes(ty);
            let end = (mv.offset + width) as usize;
            let is_float = bytes.get(mv.offset as usize..end).is_some_and(|bytes| {
                bytes
                    .iter()
                    .flatten()
                    .all(|byte| *byte == need::Byte::Float)
            });
            (Extend::None, !is_fp(mv) || is_float)
        }
    };
    let fits = match place {
        _ if mv.copy.is_some() => width == ty.size(),
        Place::Int(_) => width <= 8,
        Place::Fp(_) => matches!(width, 4 | 8 | 16),
        Place::X87(_) => width == 10,
        Place::Stack { size, .. } => width <= size,
    };
    match extend == wanted && is_sound && fits {
        true => Ok(()),
        false => Err(format!("{width} bytes of {ty} go to {place:?}, {extend:?}")),
    }
}

fn check_registers(moves: &[Move], ints: &[Gpr], fps: &[Fpr]) -> Verdict {
    let stranger = moves.iter().find(|mv| match mv.place {
        Place::Int(register) => !ints.contains(&register),
        Place::Fp(register) => !fps.contains(&register),
        Place::X87(_) | Place::Stack { .. } => false,
    });
    stranger.map_or(Ok(()), |mv| {
        let Move { value, place, .. } = mv;
        Err(format!("value {value}: {place:?} is not a place for it"))
    })
}

/// Registers are taken one after the other, by class or by position, and the stack only when there are not enough.
fn check_order(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let takes_int = plan.sret.is_some() && row.int_args.contains(&row.sret);
    let (mut ints, mut fps) = (usize::from(takes_int), 0);
    let mut rest = &plan.args[..];
    for (index, _) in signature.args().iter().enumerate() {
        if row.positional {
            let position = index + usize::from(takes_int);
            (ints, fps) = (position, position);
        }
        let need = need::argument(plan.abi, signature, index);
        if need.begins_even {
            ints = ints.next_multiple_of(2);
        }
        let left = (
            row.int_args.get(ints..).unwrap_or_default(),
            row.fp_args.get(fps..).unwrap_or_default(),
        );
        let fits = need.ints <= left.0.len() && need.fps <= left.1.len() && !need.is_memory;
        let wanted = match (fits, need.may_split) {
            (true, _) => need.places_from(left.0, left.1),
            (false, true) => left
                .0
                .iter()
                .map(|&register| Place::Int(register))
                .collect(),
            (false, false) => Vec::new(),
        };
        // Moves lie in the order of their values, as check_values() has found.
        let len = rest.iter().take_while(|mv| mv.value as usize == index);
        let (moves, behind) = rest.split_at(len.count());
        rest = behind;
        let (on_stack, in_registers): (Vec<&Move>, Vec<&Move>) =
            moves.iter().partition(|p| is_stack(p));
        let places: Vec<Place> = in_registers.iter().map(|mv| mv.place).collect();
        if places != wanted || on_stack.len() != usize::from(!fits) {
            let stranger = in_registers.first().or(on_stack.first());
            let place = stranger.map(|mv| mv.place);
            let place = place.map_or("nothing".to_owned(), |place| format!("{place:?}"));
            return Err(format!("value {index}: {place} is out of turn"));
        }
        let closes = need.closes && !fits && !need.is_memory;
        ints = if closes && need.ints > 0 {
            row.int_args.len()
        } else {
            ints + count(&places, is_int)
        };
        fps = if closes && need.fps > 0 {
            row.fp_args.len()
        } else {
            fps + count(&places, |p| !is_int(p))
        };
    }
    Ok(())
}

fn count(places: &[Place], which: impl Fn(&Place) -> bool) -> usize {
    places.iter().filter(|place| which(place)).count()
}

fn is_int(place: &Place) -> bool {
    matches!(place, Place::Int(_))
}

fn check_stack(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let mut end = row.shadow;
    for mv in &plan.args {
        let Place::Stack { offset, size } = mv.place else {
            continue;
        };
        let whole = need::on_stack(plan.abi, signature, mv.value as usize);
        // What is behind the part in registers goes on where that would have ended.
        let StackNeed {
            size: wanted,
            align,
        } = match mv.offset {
            0 => whole,
            offset => StackNeed {
                size: whole.size - offset,
                align: SLOT,
            },
        };
        let expected = end.next_multiple_of(align);
        if (offset, size) != (expected, wanted) {
            return Err(format!(
                "value {}: stack bytes {offset}+{size} instead of {expected}+{wanted}",
                mv.value
            ));
        }
        end = offset + size;
    }
    let wanted = end.next_multiple_of(row.stack_align);
    if plan.stack != wanted {
        let got = plan.stack;
        return Err(format!("a stack area of {got} bytes instead of {wanted}"));
    }
    Ok(())
}

/// Copies lie one after the other, aligned as the stack is.
fn check_copies(plan: &Plan, row: &Convention) -> Verdict {
    let mut end = 0;
    for mv in &plan.args {
        if let Some(copy) = mv.copy {
            if copy != end {
                return Err(format!(
                    "value {}: a copy at {copy} instead of {end}",
                    mv.value
                ));
            }
            end = (copy + mv.width).next_multiple_of(row.stack_align);
        }
    }
    match plan.copies == end {
        true => Ok(()),
        false => Err(format!("{} bytes of copies instead of {end}", plan.copies)),
    }
}

fn check_mirrors(signature: &Signature, plan: &Plan, row: &Convention) -> Verdict {
    let is_variadic = signature.fixed().is_some();
    let mirrored = |mv: &&Move| is_variadic && row.variadics == Variadics::Mirrored && is_fp(mv);
    let wanted: Vec<&Move> = plan.args.iter().filter(mirrored).collect();
    let is_mirror = |(mirror, mv): (&Move, &&Move)| {
        let positions = match (mirror.place, mv.place) {
            (Place::Int(int), Place::Fp(fp)) => (
                row.int_args.iter().position(|&register| register == int),
                row.fp_args.iter().position(|&register| register == fp),
            ),
            _ => (None, None),
        };
        let same = Move {
            place: mv.place,
            ..*mirror
        } == **mv;
        same && positions.0.is_some() && positions.0 == positions.1
    };
    if plan.mirrors.len() != wanted.len() || !plan.mirrors.iter().zip(&wanted).all(is_mirror) {
        return Err(format!("{:?} do not mirror {wanted:?}", plan.mirrors));
    }
    Ok(())
}

fn check_overlap<'a>(moves: impl Iterator<Item = &'a Move>) -> Verdict {
    let mut taken = HashSet::new();
    for mv in moves {
        let taken_up: Vec<(u8, u32)> = match mv.place {
            Place::Int(register) => vec![(0, u32::from(register.number()))],
            Place::Fp(register) => vec![(1, u32::from(register.number()))],
            Place::X87(register) => vec![(2, u32::from(register))],
            Place::Stack { offset, size } => {
                (offset..offset + size).map(|byte| (3, byte)).collect()
            }
        };
        if !taken_up.into_iter().all(|unit| taken.insert(unit)) {
            let Move { value, place, .. } = mv;
            return Err(format!("value {value}: {place:?} is taken already"));
        }
    }
    Ok(())
}

fn is_fp(mv: &Move) -> bool {
    matches!(mv.place, Place::Fp(_))
}

fn is_stack(mv: &Move) -> bool {
    matches!(mv.place, Place::Stack { .. })
}
