//! Values of constant expressions.

use super::types::Basic;
use std::fmt;

/// The value of a constant.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Constant<'c> {
    /// An integer.
    Integer(i128),
    /// A floating-point number, as a `double`.
    Float(f64),
    /// A string, without the NUL at its end.
    Text(&'c [u8]),
}

impl fmt::Display for Constant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constant::Integer(value) => Digits(*value).fmt(f),
            // The standard library's formatting would take 20 kB.
            Constant::Float(_) => f.write_str("a number with a fraction"),
            Constant::Text(text) => write!(f, "\"{}\"", text.escape_ascii()),
        }
    }
}

/// A number in a message. The standard library's formatting of a number of this width adds 2 kB to a program.
pub(super) struct Digits(pub i128);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [b'0'; 40];
        let mut left = self.0.unsigned_abs();
        let mut start = bytes.len();
        for (place, byte) in bytes.iter_mut().enumerate().rev() {
            *byte = b'0' + (left % 10) as u8;
            left /= 10;
            start = place;
            if left == 0 {
                break;
            }
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        f.write_str(std::str::from_utf8(&bytes[start..]).unwrap_or_default())
    }
}

/// An integer with its C type. Operations wrap to the range of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer {
    pub value: i128,
    pub ty: Basic,
}

/// The width in bits of an integer type of up to 64 bits, and whether it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Width {
    pub bits: u32,
    pub is_signed: bool,
}

impl Width {
    /// Converts a value to a type of this width (C11 6.3.1.3).
    pub fn wrap(self, value: i128) -> i128 {
        let shift = 128 - self.bits.clamp(1, 128);
        match self.is_signed {
            true => value << shift >> shift,
            false => ((value as u128) << shift >> shift) as i128,
        }
    }

    /// Whether a value is within the range.
    pub fn holds(self, value: i128) -> bool {
        self.wrap(value) == value
    }
}

#[cfg(test)]
mod tests {
    use super::Digits;

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in [0, 9, 10, -1, -120, i128::MAX, i128::MIN, 1 << 64] {
            assert_eq!(Digits(number).to_string(), number.to_string());
        }
    }
}
