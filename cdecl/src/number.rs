//! Conversion of numbers to slots. This is the only place where a number is checked against the range of its type.
//!
//! A slot has eight bytes. An integer is sign- or zero-extended to 64 bits, as its type demands; a `float` is in the low four bytes.

use crate::beyond::BeyondFloat;
use crate::code::TypeCode;
use crate::error::{Error, Result};
use crate::kind::Position;
use farcall_arch::Type;
use farcall_memory::try_format;

/// The slot of an integer that must be within its type's range.
///
/// # Errors
/// [`Error::OutOfRange`].
pub fn integer_to_slot(value: i128, code: TypeCode, position: Position) -> Result<u64> {
    let (min, max) = integer_range(code.ty());
    if value < min || value > max {
        return Err(Error::OutOfRange {
            position,
            code: code.letter(),
            min,
            max,
            got: try_format(format_args!("{value}"))?,
        });
    }
    Ok(value as u64)
}

/// The slot of a number that is rounded to `float` and must be within its range. Infinities are in range.
///
/// # Errors
/// [`Error::FloatRange`].
pub fn float_to_slot(got: f64, position: Position) -> Result<u64> {
    match BeyondFloat::new(got) {
        Some(got) => Err(Error::FloatRange { position, got }),
        None => Ok((got as f32).to_bits().into()),
    }
}

fn integer_range(ty: Type) -> (i128, i128) {
    let bits = ty.size() * 8;
    match ty {
        Type::Scalar(scalar) if scalar.is_signed() => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        _ => (0, (1 << bits) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_at_the_ends_of_their_range_fit_and_beyond_are_errors() {
        for letter in "bBhHiIlLqQ".chars() {
            let code = TypeCode::new(letter).expect("a known code");
            let (min, max) = integer_range(code.ty());
            let is_signed = letter.is_ascii_lowercase();
            for fits in [min, max] {
                let slot = integer_to_slot(fits, code, Position::Result).expect("in range");
                let back = if is_signed {
                    i128::from(slot as i64)
                } else {
                    i128::from(slot)
                };
                assert_eq!(back, fits, "{letter}");
            }
            for beyond in [min - 1, max + 1] {
                let error = integer_to_slot(beyond, code, Position::Argument(1));
                let text = error.expect_err("out of range").to_string();
                assert_eq!(
                    text,
                    format!("argument 2: expected '{letter}' ({min}..={max}), got {beyond}")
                );
            }
        }
    }
}
