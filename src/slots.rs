//! The representation of values in slots.
//!
//! A slot has eight bytes. An integer is sign- or zero-extended to 64 bits, as its type demands. A pointer and a `double` fill
//! the slot, and a `float` is in the low four bytes. A larger value takes several slots in a row, laid out as in memory.

use crate::error::{CodeError, OutOfMemory};
use crate::value::Value;
use crate::wide::{Complex, LongDouble, StructBytes};
use farcall_arch::{Float, Type};
use farcall_cdecl::{BeyondFloat, Kind, Position, TypeCode, float_to_slot, integer_to_slot};
use farcall_engine::host_long_double;
use farcall_memory::try_format;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;

/// The way in which values of a type are stored and loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Like values of a type code. This covers all values of one slot, except for the variants below.
    Code(TypeCode),
    /// A `_Bool`, which is 0 or 1 in its slot.
    Bool,
    Int128,
    Uint128,
    /// A `long double` or a `_Float128` of this format.
    Float(Float),
    /// A complex number of two such parts, `float` or `double`.
    Complex(Float),
    /// A structure or a union with this number of bytes.
    Bytes(u32),
}

/// A value's place among the arguments, or that of a result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Param {
    pub treatment: Treatment,
    head: Head,
    /// A word is in the type's range if `word + half <= range`, where the sum wraps.
    half: u64,
    range: u64,
    /// The value's first slot.
    pub first: u32,
    /// The number of slots.
    pub slots: u32,
}

/// The start of the values that need no conversion. It is copied as a whole: a processor waits when 16 bytes are read of which the last 8
/// were written on their own, as happens to values that are moved.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
struct Head {
    tag: u64,
    padding: u64,
}

/// The offset of a value's content, in bytes.
const CONTENT: usize = 16;

const _: () = assert!(align_of::<Value>() == CONTENT && size_of::<Value>() == CONTENT + 16);
const _: () = assert!(cfg!(target_endian = "little") && size_of::<Head>() == CONTENT);

impl Param {
    /// The parameter that follows after `first` slots of others.
    #[inline]
    pub fn new(treatment: Treatment, first: u32) -> Param {
        // All kinds of words follow, and are the last.
        const { assert!(Kind::Pointer as u8 == Kind::Double as u8 + 1) };
        let (tag, half, range, slots) = match treatment {
            Treatment::Code(code) => {
                let tag = (code.kind() as u64).min(Kind::Pointer as u64);
                let slots = u32::from(tag != Kind::Void as u64);
                match code.narrow() {
                    Some(narrow) => (tag, narrow.half, narrow.range, slots),
                    None => (tag, 0, u64::MAX, slots),
                }
            }
            Treatment::Bool => (Kind::Uint as u64, 0, 1, 1),
            // Every value needs a conversion.
            wide => (u64::MAX, 0, u64::MAX, wide.size().div_ceil(8)),
        };
        Param {
            treatment,
            head: Head { tag, padding: 0 },
            half,
            range,
            first,
            slots,
        }
    }
}

impl Treatment {
    /// The size of a value in its slots, in bytes; 8 for every value of a single slot.
    pub fn size(self) -> u32 {
        match self {
            Treatment::Code(code) if code.kind() == Kind::Void => 0,
            Treatment::Code(_) | Treatment::Bool => 8,
            Treatment::Int128 | Treatment::Uint128 => 16,
            Treatment::Float(format) => format.size(),
            Treatment::Complex(part) => 2 * part.size(),
            Treatment::Bytes(size) => size,
        }
    }

    /// The treatment of a value after the `...`, by the value's kind; a structure must carry its type. `None` for a value that cannot be passed
    /// there.
    pub fn of_value(value: &Value) -> Option<Treatment> {
        let letter = match value {
            Value::Int(_) => 'q',
            Value::Uint(_) => 'Q',
            Value::Float(_) | Value::Double(_) => 'd',
            Value::Pointer(_) => 'p',
            Value::Int128(_) => return Some(Treatment::Int128),
            Value::Uint128(_) => return Some(Treatment::Uint128),
            Value::LongDouble(_) => return Some(Treatment::Float(host_long_double())),
            Value::Complex(_) => return Some(Treatment::Complex(Float::F64)),
            Value::Struct(bytes) => {
                let size = bytes.ty()?.size();
                return Some(Treatment::Bytes(size));
            }
            Value::Void => return None,
        };
        TypeCode::new(letter).map(Treatment::Code)
    }

    /// Whether values of two treatments are of one kind, given that their types are the same.
    pub fn is_like(self, other: Treatment) -> bool {
        match (self, other) {
            (Treatment::Code(one), Treatment::Code(other)) => {
                one.kind() == other.kind() || one.kind().is_word() && other.kind().is_word()
            }
            (one, other) => one == other,
        }
    }

    /// The type that is passed, unless it is a structure's.
    pub fn ty(self) -> Option<Type> {
        Some(match self {
            Treatment::Code(code) => code.ty(),
            Treatment::Bool => Type::U8,
            Treatment::Int128 => Type::I128,
            Treatment::Uint128 => Type::U128,
            Treatment::Float(format) => format.ty(),
            Treatment::Complex(part) => Type::Complex(part),
            Treatment::Bytes(_) => return None,
        })
    }
}

/// The tag of a value. This is one load, while a `match` would be a jump that processors cannot predict.
#[inline(always)]
fn tag(value: &Value) -> u64 {
    // SAFETY: by `repr(C, u64)`, a value begins with its tag.
    unsafe { ptr::from_ref(value).cast::<u64>().read() }
}

/// A slot with the content of `value`: one load for every kind. The four bytes above a `float` are not initialised.
#[inline(always)]
pub(crate) fn word(value: &Value) -> MaybeUninit<u64> {
    // SAFETY: by `repr(C, u64)`, the content follows the tag at a multiple of the largest alignment, within the size of a value.
    unsafe {
        ptr::from_ref(value)
            .byte_add(CONTENT)
            .cast::<MaybeUninit<u64>>()
            .read()
    }
}

/// Whether `value` is of the type's own kind and in its range, so that [`word`] holds it. This is true of nearly all values.
#[inline(always)]
pub(crate) fn is_fitting(value: &Value, param: &Param) -> bool {
    if tag(value) != param.head.tag {
        return false;
    }
    if param.range == u64::MAX {
        return true;
    }
    // SAFETY: only integers have a limited range, and their content is a whole word.
    let word = unsafe { word(value).assume_init() };
    word.wrapping_add(param.half) <= param.range
}

/// The value of a type in one slot.
#[inline(always)]
pub(crate) fn from_slot(slot: u64, param: &Param) -> Value {
    debug_assert!(param.head.tag <= Kind::Pointer as u64);
    let mut value = MaybeUninit::<Value>::uninit();
    let start = value.as_mut_ptr().cast::<u64>();
    // SAFETY: by `repr(C, u64)`, a value is a tag and what follows at CONTENT: a word, or a number that fills the low half of
    // one. Numbers of kinds up to that of pointers are tags, and what takes one slot has no other.
    unsafe {
        start.cast::<Head>().write(param.head);
        start.byte_add(CONTENT).write(slot);
        value.assume_init()
    }
}

/// The reason why a type does not take a value.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// The error of a type code.
    Code(CodeError),
    /// The expected value.
    Wanted(Wanted),
}

impl From<CodeError> for Misfit {
    fn from(error: CodeError) -> Misfit {
        Misfit::Code(error)
    }
}

/// A description of the expected value, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    Words(&'static str),
    Range { min: i128, max: i128 },
    Unsigned128,
    Bytes(u32),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Words(words) => f.write_str(words),
            Wanted::Range { min, max } => write!(f, "{min}..={max}"),
            Wanted::Unsigned128 => write!(f, "0..={}", u128::MAX),
            Wanted::Bytes(size) => write!(f, "a structure of {size} bytes"),
        }
    }
}

/// The slot that holds `value` as the type `code`. The value is converted if it is of another kind.
///
/// # Errors
/// [`CodeError::OutOfRange`], [`CodeError::FloatRange`] and [`CodeError::WrongKind`]. A `double` for an `f` is rounded; no other
/// number changes.
pub(crate) fn to_slot(
    value: &Value,
    code: TypeCode,
    position: Position,
) -> std::result::Result<u64, CodeError> {
    let number = |value: i128| integer_to_slot(value, code, position);
    match (code.kind(), value) {
        (Kind::Int | Kind::Uint, Value::Int(value)) => number((*value).into()),
        (Kind::Int | Kind::Uint, Value::Uint(value)) => number((*value).into()),
        (Kind::Int | Kind::Uint, Value::Int128(value)) => number(*value),
        // A value beyond i128 is beyond every type of one slot.
        (Kind::Int | Kind::Uint, Value::Uint128(value)) => {
            number(i128::try_from(*value).unwrap_or(i128::MAX))
        }
        (Kind::Float, Value::Float(value)) => Ok(value.to_bits().into()),
        (Kind::Float, Value::Double(value)) => float_to_slot(*value, position),
        (Kind::Double, Value::Double(value)) => Ok(value.to_bits()),
        (Kind::Double, Value::Float(value)) => Ok(f64::from(*value).to_bits()),
        (kind, Value::Pointer(value)) if kind.is_word() => Ok(*value as u64),
        (kind, Value::Uint(value)) if kind.is_word() => Ok(*value),
        (Kind::Void, Value::Void) => Ok(0),
        (kind, value) => Err(CodeError::WrongKind {
            position,
            code: code.letter(),
            kind,
            got: try_format(format_args!("{value}"))?,
        }),
    }
}

/// Stores a value in the slots of its type.
///
/// # Errors
/// [`Misfit`].
pub(crate) fn store(
    value: &Value,
    treatment: Treatment,
    position: Position,
    to: &mut [u64],
) -> std::result::Result<(), Misfit> {
    let wanted = |words| Err(Misfit::Wanted(Wanted::Words(words)));
    match treatment {
        Treatment::Code(code) => {
            let slot = to_slot(value, code, position)?;
            if let [to] = to {
                *to = slot;
            }
        }
        Treatment::Bool => match value {
            Value::Uint(word @ (0 | 1)) => copy(&word.to_le_bytes(), to),
            Value::Int(word @ (0 | 1)) => copy(&word.to_le_bytes(), to),
            _ => return wanted("0 or 1"),
        },
        Treatment::Int128 => {
            let number = match value {
                Value::Int(number) => (*number).into(),
                Value::Uint(number) => (*number).into(),
                Value::Int128(number) => *number,
                Value::Uint128(number) => i128::try_from(*number).map_err(|_| {
                    Misfit::Wanted(Wanted::Range {
                        min: i128::MIN,
                        max: i128::MAX,
                    })
                })?,
                _ => return wanted("an integer"),
            };
            copy(&number.to_le_bytes(), to);
        }
        Treatment::Uint128 => {
            let number = match value {
                Value::Int(number) => u128::try_from(*number).ok(),
                Value::Uint(number) => Some((*number).into()),
                Value::Int128(number) => u128::try_from(*number).ok(),
                Value::Uint128(number) => Some(*number),
                _ => return wanted("an integer"),
            };
            let number = number.ok_or(Misfit::Wanted(Wanted::Unsigned128))?;
            copy(&number.to_le_bytes(), to);
        }
        Treatment::Float(format) => {
            let number = match value {
                Value::LongDouble(number) => *number,
                Value::Double(number) => (*number).into(),
                Value::Float(number) => f64::from(*number).into(),
                _ => return wanted("a number"),
            };
            copy(&number.store(format), to);
        }
        Treatment::Complex(part) => {
            let Some(Complex { re, im }) = complex(value) else {
                return wanted("a complex number");
            };
            if part == Float::F64 {
                copy(&re.to_le_bytes(), &mut to[..1]);
                copy(&im.to_le_bytes(), &mut to[1..]);
            } else if [re, im].map(BeyondFloat::new) == [None; 2] {
                let bits = [re, im].map(|part| u64::from((part as f32).to_bits()));
                copy(&(bits[0] | bits[1] << 32).to_le_bytes(), to);
            } else {
                return wanted("a complex number in the range of float");
            }
        }
        Treatment::Bytes(size) => match value {
            Value::Struct(bytes) if bytes.len() == size as usize => copy(bytes, to),
            _ => return Err(Misfit::Wanted(Wanted::Bytes(size))),
        },
    }
    Ok(())
}

fn complex(value: &Value) -> Option<Complex> {
    let real = |re| Complex { re, im: 0.0 };
    match value {
        Value::Complex(number) => Some(*number),
        Value::Double(number) => Some(real(*number)),
        Value::Float(number) => Some(real((*number).into())),
        _ => None,
    }
}

/// Copies the bytes, as far as there is room for them.
fn copy(bytes: &[u8], to: &mut [u64]) {
    let chunks = bytes.chunks(8);
    for (to, chunk) in to.iter_mut().zip(chunks) {
        let mut slot = [0; 8];
        slot[..chunk.len()].copy_from_slice(chunk);
        *to = u64::from_le_bytes(slot);
    }
}

/// Loads the value of a type from its slots.
///
/// # Errors
/// [`OutOfMemory`] for a structure.
///
/// # Safety
/// * As many bytes as the type has are readable at `from`: for one slot, all eight.
pub(crate) unsafe fn load(
    param: &Param,
    from: *const MaybeUninit<u8>,
) -> std::result::Result<Value, OutOfMemory> {
    if let Treatment::Bytes(size) = param.treatment {
        // SAFETY: as many bytes as the type has are readable at `from`, by the contract of this function.
        return Ok(Value::Struct(unsafe {
            StructBytes::copied(from, size as usize)?
        }));
    }
    let mut bytes = [0_u8; 16];
    // The padding of an x87 number may be uninitialised.
    let size = match param.treatment {
        Treatment::Float(Float::F80) => 10,
        other => other.size() as usize,
    };
    // SAFETY: as many bytes as the type has are readable at `from`, by the contract of this function, and no number has more than 16.
    unsafe { from.cast::<u8>().copy_to(bytes.as_mut_ptr(), size) };
    let whole = u128::from_le_bytes(bytes);
    let (low, high) = (whole as u64, (whole >> 64) as u64);
    let of_float = |bits: u64| f64::from(f32::from_bits(bits as u32));
    Ok(match param.treatment {
        Treatment::Code(_) | Treatment::Bool => from_slot(low, param),
        Treatment::Int128 => Value::Int128(whole as i128),
        Treatment::Uint128 => Value::Uint128(whole),
        Treatment::Float(format) => Value::LongDouble(LongDouble::load(format, &bytes)),
        Treatment::Complex(Float::F32) => Value::Complex(Complex {
            re: of_float(low),
            im: of_float(low >> 32),
        }),
        Treatment::Complex(_) | Treatment::Bytes(_) => Value::Complex(Complex {
            re: f64::from_bits(low),
            im: f64::from_bits(high),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::c_void;

    fn code(letter: char) -> TypeCode {
        TypeCode::new(letter).expect("a known code")
    }

    #[test]
    fn value_of_another_kind_is_an_error_that_names_both() {
        let error = to_slot(&Value::Double(0.5), code('i'), Position::Argument(2)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "argument 3: expected 'i' (a signed integer), got double 0.5"
        );
        assert!(to_slot(&Value::Int(1), code('p'), Position::Result).is_err());
        assert!(to_slot(&Value::Void, code('d'), Position::Result).is_err());
    }

    #[test]
    fn values_that_fit_have_the_slot_that_conversion_gives_them() {
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1]);
        let words: Vec<u64> = edges.flat_map(|word| [word, word.wrapping_neg()]).collect();
        for letter in "vbBhHiIlLqQfdpPsSOC".chars() {
            for &bits in &words {
                let values = [
                    Value::Void,
                    Value::Int(bits as i64),
                    Value::Uint(bits),
                    Value::Float(f32::from_bits(bits as u32)),
                    Value::Double(f64::from_bits(bits)),
                    Value::Pointer(bits as *mut c_void),
                ];
                for value in values {
                    let slot = to_slot(&value, code(letter), Position::Result).ok();
                    let param = Param::new(Treatment::Code(code(letter)), 0);
                    let is_fitting = is_fitting(&value, &param);
                    let whole = match (&value, word(&value)) {
                        (Value::Void, _) => 0,
                        // SAFETY: only the low half is read, which holds the `float`.
                        (Value::Float(_), word) => unsafe {
                            ptr::from_ref(&word).cast::<u32>().read().into()
                        },
                        // SAFETY: all other values of one slot fill the whole word.
                        (_, word) => unsafe { word.assume_init() },
                    };
                    assert!(!is_fitting || slot == Some(whole), "{letter} {value}");
                    let is_own = slot == Some(bits) && matches!(value, Value::Int(_));
                    let is_signed = code(letter).kind() == Kind::Int;
                    assert!(is_fitting || !(is_own && is_signed), "{letter} {value}");
                }
            }
        }
    }
}
