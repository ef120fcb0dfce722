//! Translates types and signatures for farcall's planner.

use crate::cases::Case;
use crate::codes::{Code, Shape};
use crate::target::{LongDouble, Model, Target};
use crate::types::Ty;
use anyhow::Result;
use farcall_arch::{Abi, Float, Plan, Signature, Struct, Type};

/// The planner's form of a type.
fn planned(ty: &Ty, target: &Target) -> Result<Type> {
    Ok(match ty {
        Ty::Number(code) => number(code, target),
        Ty::Struct(members) => {
            let mut types = Vec::new();
            for member in members {
                let ty = planned(&member.ty, target)?;
                types.extend(vec![ty; member.count.unwrap_or(1) as usize]);
            }
            Struct::new(types)?.try_into()?
        }
        Ty::Declared(record) => record.ty.clone(),
    })
}

fn number(code: &Code, target: &Target) -> Type {
    let long_double = match target.long_double {
        LongDouble::X87 => Float::F80,
        LongDouble::Quad => Float::F128,
    };
    match code.shape {
        Shape::Float => Type::F32,
        Shape::Double => Type::F64,
        Shape::LongDouble => long_double.ty(),
        Shape::Quad => Type::F128,
        Shape::Complex('f') => Type::Complex(Float::F32),
        Shape::Complex('d') => Type::Complex(Float::F64),
        Shape::Complex(_) => Type::Complex(long_double),
        _ => integer(code, target.model),
    }
}

fn integer(code: &Code, model: Model) -> Type {
    match (code.bytes(model), code.is_signed()) {
        (1, true) => Type::I8,
        (1, false) => Type::U8,
        (2, true) => Type::I16,
        (2, false) => Type::U16,
        (4, true) => Type::I32,
        (4, false) => Type::U32,
        (8, true) => Type::I64,
        (8, false) => Type::U64,
        (_, true) => Type::I128,
        (_, false) => Type::U128,
    }
}

/// The plan of a case.
///
/// # Errors
/// When the planner refuses it.
pub fn plan(case: &Case, target: &Target, abi: Abi) -> Result<Plan> {
    Ok(farcall_arch::plan(&signature(case, target)?, abi)?)
}

/// The signature of a case.
///
/// # Errors
/// When there is none.
pub fn signature(case: &Case, target: &Target) -> Result<Signature> {
    if let Some(declared) = &case.declared {
        return Ok(declared.signature.clone());
    }
    let ret = match &case.ret {
        Some(ty) => planned(ty, target)?,
        None => Type::Void,
    };
    let args = case.args.iter().map(|ty| planned(ty, target));
    let args = args.collect::<Result<_>>()?;
    Ok(match case.fixed {
        Some(fixed) => Signature::variadic(ret, args, fixed)?,
        None => Signature::new(ret, args)?,
    })
}

/// Whether the result is returned in memory of the caller's.
pub fn returns_in_memory(plan: &Plan) -> bool {
    plan.sret.is_some()
}
