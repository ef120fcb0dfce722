//! Values and slots: the one place where numbers are narrowed and widened.
//!
//! A slot is eight bytes. Integers lie in it extended to all 64 bits by the sign of their type, pointers as they are, a
//! `double` as its bits, a `float` in the low four bytes.

use crate::error::{Error, Result};
use crate::sig::{Kind, Position, TypeCode};
use farcall_arch::{Scalar, Type};
use std::ffi::{CStr, c_void};
use std::fmt;

/// A value on its way to or from C.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Nothing: the result of a `v` function.
    Void,
    /// A signed integer: `b h i l q`.
    Int(i64),
    /// An unsigned integer: `B H I L Q`.
    Uint(u64),
    /// A `float`: `f`.
    Float(f32),
    /// A `double`: `d`.
    Double(f64),
    /// A pointer, or a word of the interpreter's: `p P s S O C`.
    Pointer(*mut c_void),
}

// SAFETY: a pointer in a value is a number until unsafe code follows it, and that code answers for the thread it is on.
unsafe impl Send for Value {}
// SAFETY: as above.
unsafe impl Sync for Value {}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Void => f.write_str("nothing"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Uint(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "float {value}"),
            Value::Double(value) => write!(f, "double {value}"),
            Value::Pointer(value) => write!(f, "pointer {value:p}"),
        }
    }
}

macro_rules! value_from {
    ($($variant:ident: $($from:ty),+;)+) => {
        $($(impl From<$from> for Value {
            fn from(value: $from) -> Value {
                Value::$variant(value.into())
            }
        })+)+
    };
}

value_from! {
    Int: i8, i16, i32, i64;
    Uint: u8, u16, u32, u64, bool;
    Float: f32;
    Double: f64;
}

impl<T> From<*mut T> for Value {
    fn from(pointer: *mut T) -> Value {
        Value::Pointer(pointer.cast())
    }
}

impl<T> From<*const T> for Value {
    fn from(pointer: *const T) -> Value {
        Value::Pointer(pointer.cast_mut().cast())
    }
}

/// The string's address: it must outlive every use that C makes of it.
impl From<&CStr> for Value {
    fn from(string: &CStr) -> Value {
        string.as_ptr().into()
    }
}

/// The slot that holds `value` as the type `code`.
///
/// # Errors
/// [`Error::OutOfRange`], [`Error::FloatRange`] and [`Error::WrongKind`]. A `double` for an `f` is rounded; no other
/// number changes.
pub fn to_slot(value: Value, code: TypeCode, position: Position) -> Result<u64> {
    match (code.kind(), value) {
        (Kind::Int | Kind::Uint, Value::Int(value)) => {
            integer_to_slot(value.into(), code, position)
        }
        (Kind::Int | Kind::Uint, Value::Uint(value)) => {
            integer_to_slot(value.into(), code, position)
        }
        (Kind::Float, Value::Float(value)) => Ok(value.to_bits().into()),
        (Kind::Float, Value::Double(value)) => float_to_slot(value, position),
        (Kind::Double, Value::Double(value)) => Ok(value.to_bits()),
        (Kind::Double, Value::Float(value)) => Ok(f64::from(value).to_bits()),
        (kind, Value::Pointer(value)) if kind.is_word() => Ok(value as u64),
        (kind, Value::Uint(value)) if kind.is_word() => Ok(value),
        (Kind::Void, Value::Void) => Ok(0),
        (kind, value) => Err(Error::WrongKind {
            position,
            code: code.letter(),
            kind,
            got: value.to_string(),
        }),
    }
}

/// The slot of an integer that must be within its type's range.
///
/// # Errors
/// [`Error::OutOfRange`].
pub fn integer_to_slot(value: i128, code: TypeCode, position: Position) -> Result<u64> {
    let (min, max) = integer_range(code.ty());
    if value < min || value > max {
        let got = value.to_string();
        return Err(Error::OutOfRange {
            position,
            code: code.letter(),
            min,
            max,
            got,
        });
    }
    Ok(value as u64)
}

/// The slot of a number that must be within the range of `float`, to which it is rounded. Infinities are.
///
/// # Errors
/// [`Error::FloatRange`].
pub fn float_to_slot(got: f64, position: Position) -> Result<u64> {
    let rounded = got as f32;
    if got.is_finite() && rounded.is_infinite() {
        return Err(Error::FloatRange { position, got });
    }
    Ok(rounded.to_bits().into())
}

fn integer_range(ty: Type) -> (i128, i128) {
    let bits = ty.size() * 8;
    match ty {
        Type::Scalar(scalar) if scalar.is_signed() => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        _ => (0, (1 << bits) - 1),
    }
}

/// The value that a slot holds.
pub fn from_slot(slot: u64, code: TypeCode) -> Value {
    match code.kind() {
        Kind::Void => Value::Void,
        Kind::Int => Value::Int(slot as i64),
        Kind::Uint => Value::Uint(slot),
        Kind::Float => Value::Float(f32::from_bits(slot as u32)),
        Kind::Double => Value::Double(f64::from_bits(slot)),
        Kind::Pointer | Kind::Str | Kind::Bytes | Kind::Object | Kind::Callback => {
            Value::Pointer(slot as *mut c_void)
        }
    }
}

/// Reads a C object into a slot. Its address need not be aligned.
///
/// # Safety
/// * `address` points to an object of the code's type that may be read.
pub unsafe fn load(code: TypeCode, address: *const c_void) -> u64 {
    let Type::Scalar(scalar) = code.ty() else {
        return 0;
    };
    // SAFETY: the caller vouches for as many bytes as the type has.
    unsafe {
        match scalar {
            Scalar::I8 => address.cast::<i8>().read_unaligned() as u64,
            Scalar::U8 => address.cast::<u8>().read_unaligned().into(),
            Scalar::I16 => address.cast::<i16>().read_unaligned() as u64,
            Scalar::U16 => address.cast::<u16>().read_unaligned().into(),
            Scalar::I32 => address.cast::<i32>().read_unaligned() as u64,
            Scalar::U32 | Scalar::F32 => address.cast::<u32>().read_unaligned().into(),
            Scalar::I64 | Scalar::U64 | Scalar::F64 => address.cast::<u64>().read_unaligned(),
        }
    }
}

/// Writes the low bytes of a slot, as many as the type has, to a C object. Its address need not be aligned.
///
/// # Safety
/// * `address` points to an object of the code's type that may be written.
pub unsafe fn store(code: TypeCode, address: *mut c_void, slot: u64) {
    let bytes = slot.to_le_bytes();
    // SAFETY: the caller vouches for as many bytes as the type has, and none has more than a slot.
    unsafe {
        address
            .cast::<u8>()
            .copy_from(bytes.as_ptr(), code.ty().size() as usize)
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(letter: char) -> TypeCode {
        TypeCode::new(letter).expect("a known code")
    }

    #[test]
    fn integers_at_the_ends_of_their_range_fit_and_beyond_are_errors() {
        for letter in "bBhHiIlLqQ".chars() {
            let (min, max) = integer_range(code(letter).ty());
            for fits in [min, max] {
                let slot = integer_to_slot(fits, code(letter), Position::Result).expect("in range");
                let back = match from_slot(slot, code(letter)) {
                    Value::Int(value) => i128::from(value),
                    Value::Uint(value) => i128::from(value),
                    other => panic!("{letter}: {other}"),
                };
                assert_eq!(back, fits, "{letter}");
            }
            for beyond in [min - 1, max + 1] {
                let error = integer_to_slot(beyond, code(letter), Position::Argument(1));
                let text = error.expect_err("out of range").to_string();
                assert_eq!(
                    text,
                    format!("argument 2: expected '{letter}' ({min}..={max}), got {beyond}")
                );
            }
        }
    }

    #[test]
    fn value_of_another_kind_is_an_error_that_names_both() {
        let error = to_slot(Value::Double(0.5), code('i'), Position::Argument(2)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "argument 3: expected 'i' (a signed integer), got double 0.5"
        );
        assert!(to_slot(Value::Int(1), code('p'), Position::Result).is_err());
        assert!(to_slot(Value::Void, code('d'), Position::Result).is_err());
    }
}
