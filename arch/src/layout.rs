//! Sizes, alignments and where the numbers within a value lie: what a C compiler's `sizeof`, `_Alignof` and `offsetof`
//! say of each shape, the same on every target here.

use crate::types::{Float, Scalar, Type, Wide};

/// The bytes of a slot, the unit in which values lie on the interpreter's side of a trampoline.
pub const SLOT: u32 = 8;

/// The size of a [`Wide`] number, and its alignment.
const WIDE: u32 = 16;

impl Scalar {
    /// Bytes. The alignment is the same number.
    #[inline]
    pub const fn size(self) -> u32 {
        match self {
            Scalar::I8 | Scalar::U8 => 1,
            Scalar::I16 | Scalar::U16 => 2,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => 4,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
        }
    }
}

impl Float {
    /// Bytes, padding included. The alignment is the same number.
    pub const fn size(self) -> u32 {
        match self {
            Float::F32 => 4,
            Float::F64 => 8,
            Float::F80 | Float::F128 => WIDE,
        }
    }
}

impl Type {
    /// Bytes, padding included; 0 for `void`.
    pub fn size(&self) -> u32 {
        match self {
            Type::Void => 0,
            Type::Scalar(scalar) => scalar.size(),
            Type::Wide(_) => WIDE,
            Type::Complex(part) => 2 * part.size(),
            Type::Struct(members) => members.size(),
        }
    }

    /// What addresses of values are multiples of, in bytes; 1 for `void`.
    pub fn align(&self) -> u32 {
        match self {
            Type::Void => 1,
            Type::Scalar(scalar) => scalar.size(),
            Type::Wide(_) => WIDE,
            Type::Complex(part) => part.size(),
            Type::Struct(members) => members.align(),
        }
    }

    /// How many slots a value takes on the interpreter's side.
    #[inline]
    pub fn slots(&self) -> u32 {
        match self {
            Type::Scalar(_) => 1,
            other => other.size().div_ceil(SLOT),
        }
    }

    /// Calls `visit` for every number within a value of this type, with its offset from the value's start plus `base`: a
    /// structure's in the order of its members, nested ones in their place. Members of a union overlap.
    pub fn for_each_number(&self, base: u32, visit: &mut dyn FnMut(u32, Number)) {
        match self {
            Type::Void => {}
            Type::Scalar(Scalar::F32) => visit(base, Number::Float(Float::F32)),
            Type::Scalar(Scalar::F64) => visit(base, Number::Float(Float::F64)),
            Type::Scalar(scalar) => visit(base, Number::Integer(scalar.size())),
            Type::Wide(Wide::I128 | Wide::U128) => visit(base, Number::Integer(WIDE)),
            Type::Wide(Wide::F80) => visit(base, Number::Float(Float::F80)),
            Type::Wide(Wide::F128) => visit(base, Number::Float(Float::F128)),
            Type::Complex(part) => {
                visit(base, Number::Float(*part));
                visit(base + part.size(), Number::Float(*part));
            }
            Type::Struct(members) => {
                for member in members.members() {
                    member.ty.for_each_number(base + member.offset, visit);
                }
            }
        }
    }
}

/// What the bytes of a value are in the end: the fundamental types that conventions speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Number {
    /// An integer of this many bytes, with or without a sign.
    Integer(u32),
    /// A floating-point number.
    Float(Float),
}

impl Number {
    /// Bytes, padding included. The alignment is the same number.
    pub const fn size(self) -> u32 {
        match self {
            Number::Integer(bytes) => bytes,
            Number::Float(format) => format.size(),
        }
    }
}
