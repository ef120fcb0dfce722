//! Sizes and offsets as C has them, and the same types as farcall's planner wants them.

use super::{Signature, Ty};
use crate::codes::{Code, Shape};
use crate::target::{LongDouble, Target};
use anyhow::{Context, Result};
use farcall_arch::{Float, Struct, Type};

/// A value's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Alignment.
    pub align: usize,
    /// What each byte is.
    pub bytes: Vec<Byte>,
}

/// What a byte of a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// Nothing.
    Padding,
    /// A byte of a number.
    Value,
    /// The last byte of an x87 number's fraction, whose highest bit is set in all numbers but the smallest.
    X87Fraction,
    /// The first byte of an x87 number's exponent.
    X87Exponent,
}

impl Layout {
    fn number(size: usize) -> Layout {
        Layout {
            align: size,
            bytes: vec![Byte::Value; size],
        }
    }

    fn x87() -> Layout {
        let mut bytes = vec![Byte::Value; 10];
        (bytes[7], bytes[8]) = (Byte::X87Fraction, Byte::X87Exponent);
        bytes.resize(16, Byte::Padding);
        Layout { align: 16, bytes }
    }

    fn twice(self) -> Layout {
        Layout {
            align: self.align,
            bytes: [&self.bytes[..], &self.bytes].concat(),
        }
    }

    /// Of a type on a target.
    ///
    /// # Panics
    /// On a letter that is none.
    pub fn of(ty: &Ty, target: &Target) -> Layout {
        let letter = match ty {
            Ty::Number(letter) => *letter,
            Ty::Struct(members) => {
                let mut whole = Layout {
                    align: 1,
                    bytes: Vec::new(),
                };
                for member in members {
                    let part = Layout::of(&member.ty, target);
                    whole.align = whole.align.max(part.align);
                    let start = whole.bytes.len().next_multiple_of(part.align);
                    whole.bytes.resize(start, Byte::Padding);
                    for _ in 0..member.count.unwrap_or(1) {
                        whole.bytes.extend(&part.bytes);
                    }
                }
                let size = whole.bytes.len().next_multiple_of(whole.align);
                whole.bytes.resize(size, Byte::Padding);
                return whole;
            }
        };
        match letter {
            'o' | 'O' | 'g' => Layout::number(16),
            'e' => match target.long_double {
                LongDouble::X87 => Layout::x87(),
                LongDouble::Quad => Layout::number(16),
            },
            'F' => Layout::number(4).twice(),
            'D' => Layout::number(8).twice(),
            'E' => Layout::of(&Ty::Number('e'), target).twice(),
            letter => {
                let code = Code::of(letter).expect("a code");
                Layout::number(code.bytes(target.model) as usize)
            }
        }
    }
}

/// Where each argument lies in memory that both sides know.
pub fn offsets(args: &[Layout]) -> Vec<usize> {
    let mut end: usize = 0;
    let offset = |layout: &Layout| {
        let offset = end.next_multiple_of(16);
        end = offset + layout.bytes.len();
        offset
    };
    args.iter().map(offset).collect()
}

/// A type for farcall's planner.
///
/// # Errors
/// When it refuses it.
pub fn arch_type(ty: &Ty, target: &Target) -> Result<Type> {
    let long_double = match target.long_double {
        LongDouble::X87 => Float::F80,
        LongDouble::Quad => Float::F128,
    };
    Ok(match ty {
        Ty::Struct(members) => {
            let mut types = Vec::new();
            for member in members {
                let ty = arch_type(&member.ty, target)?;
                types.extend(vec![ty; member.count.unwrap_or(1) as usize]);
            }
            Struct::new(types)?.into()
        }
        Ty::Number('o') => Type::I128,
        Ty::Number('O') => Type::U128,
        Ty::Number('e') => long_double.ty(),
        Ty::Number('g') => Type::F128,
        Ty::Number('F') => Type::Complex(Float::F32),
        Ty::Number('D') => Type::Complex(Float::F64),
        Ty::Number('E') => Type::Complex(long_double),
        Ty::Number(letter) => {
            let code = Code::of(*letter).context("no code")?;
            crate::run::bare::shape(code, target.model)
        }
    })
}

/// A signature for farcall's planner.
///
/// # Errors
/// When it refuses it.
pub fn arch_signature(
    signature: &Signature,
    fixed: Option<usize>,
    target: &Target,
) -> Result<farcall_arch::Signature> {
    let ret = match &signature.ret {
        Some(ty) => arch_type(ty, target)?,
        None => Type::Void,
    };
    let args = signature.args.iter().map(|ty| arch_type(ty, target));
    let args = args.collect::<Result<_>>()?;
    Ok(match fixed {
        Some(fixed) => farcall_arch::Signature::variadic(ret, args, fixed)?,
        None => farcall_arch::Signature::new(ret, args)?,
    })
}

/// The code of a type that is an integer of a register's size.
pub fn integer(ty: &Ty) -> Option<&'static Code> {
    let Ty::Number(letter) = ty else { return None };
    Code::of(*letter).filter(|code| !code.is_float() && code.shape != Shape::Void)
}
