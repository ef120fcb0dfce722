//! A second opinion on every plan.
//!
//! The planner says where values go; this says whether that can be true at all, from the signature and the
//! register table alone. It shares no step with the planner: it re-counts bytes, it does not place them.
//! Rules: every byte of every value is moved exactly once; no two moves of one direction share a register or a stack byte; every
//! register is one that the convention lends to that purpose; the stack area covers its arguments and is aligned; a slot is
//! read or written within its bounds only.

use super::{Extend, Move, Place, Plan};
use crate::layout::SLOT;
use crate::types::{Signature, Type};
use std::collections::HashSet;

/// Checks `plan` against `signature`.
///
/// # Errors
/// The first rule that does not hold, in words.
pub fn check(signature: &Signature, plan: &Plan) -> Result<(), String> {
    let row = plan.abi.convention();
    let first_slots = first_slots(signature.args());
    let slots = first_slots.last().map_or(0, |last| last + 1);
    if signature.args().len() != first_slots.len() || plan.arg_slots as usize != slots {
        return Err(format!("{} slots planned, {slots} needed", plan.arg_slots));
    }
    check_values(&plan.args, signature.args(), &first_slots)?;
    check_places(&plan.args, row.int_args, row.fp_args, Some(plan.stack))?;
    let ret = std::slice::from_ref(signature.ret());
    let ret = if *signature.ret() == Type::Void {
        &[]
    } else {
        ret
    };
    check_values(&plan.ret, ret, &[0])?;
    check_places(&plan.ret, row.int_rets, row.fp_rets, None)?;
    if !plan.stack.is_multiple_of(row.stack_align) {
        return Err(format!("stack area of {} bytes is not aligned", plan.stack));
    }
    let vectors = plan
        .args
        .iter()
        .filter(|m| matches!(m.place, Place::Fp(_)))
        .count();
    match plan.vector_args {
        Some(count) if count as usize != vectors => Err(format!(
            "{count} vector arguments counted, {vectors} placed"
        )),
        None if row.counts_vector_args => Err("vector arguments are not counted".to_owned()),
        _ => Ok(()),
    }
}

/// One slot a value: every type there is fits one.
fn first_slots(types: &[Type]) -> Vec<usize> {
    (0..types.len()).collect()
}

fn check_values(moves: &[Move], types: &[Type], first_slots: &[usize]) -> Result<(), String> {
    let mut moved: Vec<u32> = vec![0; types.len()];
    for m in moves {
        let value = m.value as usize;
        let ty = types
            .get(value)
            .ok_or_else(|| format!("move of value {value}, which does not exist"))?;
        let start = first_slots[value] as u32 * SLOT;
        if m.slot < start || m.slot + u32::from(m.width) > start + SLOT {
            return Err(format!(
                "value {value}: slot bytes {}+{} are not its own",
                m.slot, m.width
            ));
        }
        check_extension(m, ty).map_err(|why| format!("value {value}: {why}"))?;
        moved[value] += u32::from(m.width);
    }
    for (value, (ty, moved)) in types.iter().zip(moved).enumerate() {
        if moved != ty.size() {
            return Err(format!(
                "value {value}: {moved} of {} bytes are moved",
                ty.size()
            ));
        }
    }
    Ok(())
}

fn check_extension(m: &Move, ty: &Type) -> Result<(), String> {
    let Type::Scalar(scalar) = ty else {
        return Err("a void value is moved".to_owned());
    };
    let wanted = match (scalar.is_float() || m.width == 8, scalar.is_signed()) {
        (true, _) => Extend::None,
        (false, true) => Extend::Sign,
        (false, false) => Extend::Zero,
    };
    let class_fits = match m.place {
        Place::Int(_) => !scalar.is_float(),
        Place::Fp(_) => scalar.is_float(),
        Place::Stack(_) => true,
    };
    if m.extend != wanted || !class_fits {
        return Err(format!(
            "{scalar} goes to {:?} with extension {:?}",
            m.place, m.extend
        ));
    }
    Ok(())
}

fn check_places(moves: &[Move], ints: &[u8], fps: &[u8], stack: Option<u32>) -> Result<(), String> {
    let mut taken = HashSet::new();
    for m in moves {
        let (allowed, cells): (bool, Vec<(u8, u32)>) = match m.place {
            Place::Int(r) => (ints.contains(&r), vec![(0, u32::from(r))]),
            Place::Fp(r) => (fps.contains(&r), vec![(1, u32::from(r))]),
            Place::Stack(offset) => {
                let end = offset + u32::from(m.width);
                (
                    stack.is_some_and(|size| end <= size),
                    (offset..end).map(|byte| (2, byte)).collect(),
                )
            }
        };
        if !allowed {
            return Err(format!(
                "value {}: {:?} is not a place for it",
                m.value, m.place
            ));
        }
        if !cells.into_iter().all(|cell| taken.insert(cell)) {
            return Err(format!("value {}: {:?} is taken already", m.value, m.place));
        }
    }
    Ok(())
}
