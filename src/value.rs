//! Values, and how they lie in slots.
//!
//! A slot is eight bytes. Integers lie in it extended to all 64 bits by the sign of their type, pointers as they are, a
//! `double` as its bits, a `float` in the low four bytes.

use crate::error::{CodeError, Error, Result};
use farcall_cdecl::{Kind, Position, TypeCode, float_to_slot, integer_to_slot};
use farcall_memory::try_format;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;

/// A value on its way to or from C.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, u8)]
pub enum Value {
    /// Nothing: the result of a `v` function.
    Void = Kind::Void as u8,
    /// A signed integer: `b h i l q`.
    Int(i64) = Kind::Int as u8,
    /// An unsigned integer: `B H I L Q`.
    Uint(u64) = Kind::Uint as u8,
    /// A `float`: `f`.
    Float(f32) = Kind::Float as u8,
    /// A `double`: `d`.
    Double(f64) = Kind::Double as u8,
    /// A pointer, or a word of the interpreter's: `p P s S O C`.
    Pointer(*mut c_void) = Kind::Pointer as u8,
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

/// Where the content of a value lies in it.
const CONTENT: usize = 8;

const _: () = assert!(align_of::<Value>() == CONTENT && size_of::<Value>() == CONTENT + 8);
const _: () = assert!(cfg!(target_endian = "little"));

/// The tag of values that a type takes.
#[inline(always)]
fn tag(code: TypeCode) -> u8 {
    // All kinds of words follow, and are the last.
    const { assert!(Kind::Pointer as u8 == Kind::Double as u8 + 1) };
    (code.kind() as u8).min(Kind::Pointer as u8)
}

impl Value {
    /// The number of the kind of types that it is a value of; of pointers' kinds, that of [`Kind::Pointer`]. One load, where a `match`
    /// would be a jump that no processor can foresee.
    #[inline(always)]
    fn kind(&self) -> u8 {
        // SAFETY: by `repr(C, u8)`, a value begins with its tag.
        unsafe { ptr::from_ref(self).cast::<u8>().read() }
    }

    /// The slot of the same content, whose bytes beyond a `float` are as they happen to be: one load, whatever the kind.
    #[inline(always)]
    pub(crate) fn slot(&self) -> MaybeUninit<u64> {
        // SAFETY: by `repr(C, u8)`, whatever a value has follows its tag at a multiple of the largest alignment, within its size.
        unsafe {
            ptr::from_ref(self)
                .byte_add(CONTENT)
                .cast::<MaybeUninit<u64>>()
                .read()
        }
    }
}

/// Whether `value` is one of the type's own kind and in its range, so that [`Value::slot`] holds it: so it is with nearly all values.
#[inline(always)]
pub fn is_fitting(value: &Value, code: TypeCode) -> bool {
    if value.kind() != tag(code) {
        return false;
    }
    code.narrow().is_none_or(|narrow| {
        // SAFETY: these are integers, and theirs is a whole word.
        let word = unsafe { value.slot().assume_init() };
        word.wrapping_add(narrow.half) <= narrow.range
    })
}

/// The slot that holds `value` as the type `code`, whether it has the type's kind or can be converted.
///
/// # Errors
/// [`CodeError::OutOfRange`], [`CodeError::FloatRange`] and [`CodeError::WrongKind`]. A `double` for an `f` is rounded; no other
/// number changes.
pub fn to_slot(value: Value, code: TypeCode, position: Position) -> Result<u64> {
    let number = |value: i128| Ok(integer_to_slot(value, code, position)?);
    match (code.kind(), value) {
        (Kind::Int | Kind::Uint, Value::Int(value)) => number(value.into()),
        (Kind::Int | Kind::Uint, Value::Uint(value)) => number(value.into()),
        (Kind::Float, Value::Float(value)) => Ok(value.to_bits().into()),
        (Kind::Float, Value::Double(value)) => Ok(float_to_slot(value, position)?),
        (Kind::Double, Value::Double(value)) => Ok(value.to_bits()),
        (Kind::Double, Value::Float(value)) => Ok(f64::from(value).to_bits()),
        (kind, Value::Pointer(value)) if kind.is_word() => Ok(value as u64),
        (kind, Value::Uint(value)) if kind.is_word() => Ok(value),
        (Kind::Void, Value::Void) => Ok(0),
        (kind, value) => Err(wrong_kind(kind, value, code, position)),
    }
}

#[cold]
fn wrong_kind(kind: Kind, value: Value, code: TypeCode, position: Position) -> Error {
    let code = code.letter();
    let got = match try_format(format_args!("{value}")) {
        Ok(got) => got,
        Err(none) => return none.into(),
    };
    let error = CodeError::WrongKind {
        position,
        code,
        kind,
        got,
    };
    error.into()
}

/// As [`to_slot`], for what is nearly always of the type's own kind.
///
/// # Errors
/// Those of [`to_slot`].
#[inline(always)]
pub fn to_whole_slot(value: Value, code: TypeCode, position: Position) -> Result<u64> {
    match value {
        Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Pointer(_)
            if is_fitting(&value, code) =>
        {
            // SAFETY: theirs is a whole word.
            Ok(unsafe { value.slot().assume_init() })
        }
        _ => to_slot(value, code, position),
    }
}

/// The value that a slot holds.
#[inline(always)]
pub fn from_slot(slot: u64, code: TypeCode) -> Value {
    let mut value = MaybeUninit::<Value>::uninit();
    let start = value.as_mut_ptr().cast::<u8>();
    // SAFETY: by `repr(C, u8)`, a value is a tag and what follows at CONTENT: a word, or a number that fills the low half of
    // one. Numbers of kinds up to that of pointers are tags.
    unsafe {
        start.write(tag(code));
        start.byte_add(CONTENT).cast::<u64>().write(slot);
        value.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(letter: char) -> TypeCode {
        TypeCode::new(letter).expect("a known code")
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

    #[test]
    fn values_that_fit_have_the_slot_that_conversion_gives_them() {
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1]);
        let words: Vec<u64> = edges.flat_map(|word| [word, word.wrapping_neg()]).collect();
        for letter in "vbBhHiIlLqQfdpPsSOC".chars() {
            for &word in &words {
                let values = [
                    Value::Void,
                    Value::Int(word as i64),
                    Value::Uint(word),
                    Value::Float(f32::from_bits(word as u32)),
                    Value::Double(f64::from_bits(word)),
                    Value::Pointer(word as *mut c_void),
                ];
                for value in values {
                    let slot = to_slot(value, code(letter), Position::Result).ok();
                    let is_fitting = is_fitting(&value, code(letter));
                    // SAFETY: a value that was made as a whole word has one.
                    let whole = unsafe { value.slot().assume_init() };
                    assert!(!is_fitting || slot == Some(whole), "{letter} {value}");
                    let is_own = slot == Some(word) && matches!(value, Value::Int(_));
                    let is_signed = code(letter).kind() == Kind::Int;
                    assert!(is_fitting || !(is_own && is_signed), "{letter} {value}");
                }
            }
        }
    }
}
