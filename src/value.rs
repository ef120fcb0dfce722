//! Values on their way to and from C.
//!
//! [`crate::slots`] stores them in slots and loads them.

use crate::error::{Error, Result};
use crate::wide::{Complex, LongDouble, StructBytes};
use farcall_cdecl::Kind;
use std::ffi::{CStr, c_void};
use std::fmt;

/// A value on its way to or from C.
///
/// A table in [the crate's documentation](crate) maps C types to variants. Numbers convert with `From` and `TryFrom`, in both directions.
///
/// ```
/// use farcall::Value;
///
/// assert_eq!(Value::from(-1_i32), Value::Int(-1));
/// assert_eq!(i8::try_from(Value::Int(-1))?, -1);
/// let error = u8::try_from(Value::Int(-1)).unwrap_err();
/// assert_eq!(error.to_string(), "value: expected a value of u8, got -1");
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[repr(C, u64)]
#[non_exhaustive]
pub enum Value {
    /// Nothing: the result of a `void` function.
    Void = Kind::Void as u64,
    /// A signed integer of up to 64 bits: `b h i l q`.
    Int(i64) = Kind::Int as u64,
    /// An unsigned integer of up to 64 bits: `B H I L Q`, and a C `_Bool` as 0 or 1.
    Uint(u64) = Kind::Uint as u64,
    /// A `float`: `f`.
    Float(f32) = Kind::Float as u64,
    /// A `double`: `d`.
    Double(f64) = Kind::Double as u64,
    /// A pointer, or a word whose meaning an interpreter defines: `p P s S O C`.
    Pointer(*mut c_void) = Kind::Pointer as u64,
    /// An `__int128`.
    Int128(i128),
    /// An `unsigned __int128`.
    Uint128(u128),
    /// A `long double`, or a `_Float128`, with all its digits.
    LongDouble(LongDouble),
    /// A `float _Complex` or a `double _Complex`.
    Complex(Complex),
    /// The bytes of a structure or a union by value, of a `long double _Complex`, or of an array in a variable.
    Struct(StructBytes),
}

// SAFETY: a pointer in a value is only a number until unsafe code follows it, and the thread is that code's duty. All other variants are Send.
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
            Value::Int128(value) => write!(f, "{value}"),
            Value::Uint128(value) => write!(f, "{value}"),
            Value::LongDouble(value) => write!(f, "long double {value}"),
            Value::Complex(value) => write!(f, "complex {value}"),
            Value::Struct(bytes) => write!(f, "structure of {} bytes", bytes.len()),
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
    Int128: i128;
    Uint128: u128;
    LongDouble: LongDouble;
    Complex: Complex;
    Struct: StructBytes;
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Uint(value as u64)
    }
}

impl From<isize> for Value {
    fn from(value: isize) -> Value {
        Value::Int(value as i64)
    }
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Void
    }
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

/// Converts a string to its address. The string must outlive every use that C makes of it.
impl From<&CStr> for Value {
    fn from(string: &CStr) -> Value {
        string.as_ptr().into()
    }
}

#[cold]
fn no_value_of(name: &str, got: &Value) -> Error {
    Error::mismatch(
        format_args!("value"),
        format_args!("a value of {name}"),
        format_args!("{got}"),
    )
}

macro_rules! integers_from_value {
    ($($to:ident)+) => {
        $(
            /// Converts every integer that is in range.
            impl TryFrom<Value> for $to {
                type Error = Error;

                fn try_from(value: Value) -> Result<$to> {
                    let number = match value {
                        Value::Int(number) => $to::try_from(number).ok(),
                        Value::Uint(number) => $to::try_from(number).ok(),
                        Value::Int128(number) => $to::try_from(number).ok(),
                        Value::Uint128(number) => $to::try_from(number).ok(),
                        _ => None,
                    };
                    number.ok_or_else(|| no_value_of(stringify!($to), &value))
                }
            }
        )+
    };
}

integers_from_value! { i8 u8 i16 u16 i32 u32 i64 u64 isize usize i128 u128 }

macro_rules! others_from_value {
    ($($to:ty, $name:literal, $doc:literal: $($pattern:pat => $is:expr),+;)+) => {
        $(
            #[doc = $doc]
            impl TryFrom<Value> for $to {
                type Error = Error;

                fn try_from(value: Value) -> Result<$to> {
                    match value {
                        $($pattern => Ok($is),)+
                        other => Err(no_value_of($name, &other)),
                    }
                }
            }
        )+
    };
}

others_from_value! {
    (), "()", "Of nothing.": Value::Void => ();
    bool, "bool", "Of 0 and 1.":
        Value::Uint(0) | Value::Int(0) => false,
        Value::Uint(1) | Value::Int(1) => true;
    f32, "f32", "Of a `float`.": Value::Float(number) => number;
    f64, "f64", "Of a `double` and a `float`; of a `long double` rounded to the nearest, see [`LongDouble::to_f64`].":
        Value::Double(number) => number,
        Value::Float(number) => number.into(),
        Value::LongDouble(number) => number.to_f64();
    LongDouble, "LongDouble", "Of every number with a fraction.":
        Value::LongDouble(number) => number,
        Value::Double(number) => number.into(),
        Value::Float(number) => f64::from(number).into();
    Complex, "Complex", "Of a complex number.": Value::Complex(number) => number;
    StructBytes, "StructBytes", "Of a structure.": Value::Struct(bytes) => bytes;
}

impl<T> TryFrom<Value> for *mut T {
    type Error = Error;

    fn try_from(value: Value) -> Result<*mut T> {
        match value {
            Value::Pointer(pointer) => Ok(pointer.cast()),
            other => Err(no_value_of("a pointer type", &other)),
        }
    }
}

impl<T> TryFrom<Value> for *const T {
    type Error = Error;

    fn try_from(value: Value) -> Result<*const T> {
        <*mut T>::try_from(value).map(<*mut T>::cast_const)
    }
}
