//! Scalar types as one byte each. Types that are the same on this platform have the same byte.

use crate::types::{FfiType, code};

/// The result of [`scalar_byte`] for other types.
pub const NO_SCALAR: u8 = u8::MAX;

/// Whether a byte stands for a scalar of a word at most.
#[inline(always)]
pub fn is_word(byte: u8) -> bool {
    byte != NO_SCALAR && !is_wide(byte)
}

/// Whether a scalar takes more than a word.
#[inline(always)]
pub fn is_wide(byte: u8) -> bool {
    const WIDE: u32 = 1 << code::LONGDOUBLE | 1 << code::UINT128 | 1 << code::SINT128;
    WIDE >> byte & 1 != 0
}

/// The byte for each type code. Codes of types that are the same on this platform share one.
static SCALAR_BYTES: [u8; 32] = {
    let mut bytes = [NO_SCALAR; 32];
    let mut code = 0;
    while code <= code::VECTOR {
        bytes[code as usize] = match code {
            code::STRUCT | code::COMPLEX | code::VECTOR => NO_SCALAR,
            code::POINTER => code::UINT64 as u8,
            code::INT => code::SINT32 as u8,
            code => code as u8,
        };
        code += 1;
    }
    bytes
};

/// The byte that stands for a scalar type.
///
/// # Safety
/// * `ty` points to a type.
#[inline(always)]
pub unsafe fn scalar_byte(ty: *const FfiType) -> u8 {
    // SAFETY: `ty` points to a type, by the contract of this function.
    let (size, code) = unsafe { ((*ty).size, usize::from((*ty).code)) };
    match SCALAR_BYTES.get(code) {
        Some(&byte) if size != 0 => byte,
        _ => NO_SCALAR,
    }
}
