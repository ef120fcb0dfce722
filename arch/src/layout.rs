//! Sizes and alignments: what a C compiler's `sizeof` and `_Alignof` say of each shape, the same on every target here.

use crate::types::{Scalar, Type};

/// The bytes of a slot, the unit in which values lie on the interpreter's side of a trampoline.
pub const SLOT: u32 = 8;

impl Scalar {
    /// Bytes. The alignment is the same number.
    pub const fn size(self) -> u32 {
        match self {
            Scalar::I8 | Scalar::U8 => 1,
            Scalar::I16 | Scalar::U16 => 2,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => 4,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
        }
    }
}

impl Type {
    /// Bytes; 0 for `void`.
    pub const fn size(&self) -> u32 {
        match self {
            Type::Void => 0,
            Type::Scalar(scalar) => scalar.size(),
        }
    }

    /// How many slots a value takes on the interpreter's side.
    pub const fn slots(&self) -> u32 {
        self.size().div_ceil(SLOT)
    }
}
