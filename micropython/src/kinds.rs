//! The kinds of values for the C side.

use farcall_arch::Scalar;
use farcall_arch::endpoint::{Boxing, Delivery, Unbox};
use farcall_cdecl::{Kind, TypeCode};
use farcall_memory::{OutOfMemory, TryVec, try_with_capacity};

pub const VOID: u8 = Kind::Void as u8;
pub const INT: u8 = Kind::Int as u8;
pub const UINT: u8 = Kind::Uint as u8;
pub const FLOAT: u8 = Kind::Float as u8;
pub const DOUBLE: u8 = Kind::Double as u8;
pub const POINTER: u8 = Kind::Pointer as u8;
pub const STR: u8 = Kind::Str as u8;
pub const BYTES: u8 = Kind::Bytes as u8;
pub const CALLBACK: u8 = Kind::Callback as u8;
pub const STRUCT: u8 = Kind::Struct as u8;

/// The kind of a function's integers that are as wide as a pointer. They take every object that a pointer takes. ORDER farcall_kind
pub const WORD: u8 = 10;

// The kinds of C types, besides those of codes. ORDER farcall_kind
pub const BOOL: u8 = 12;
pub const RANGED: u8 = 13;
pub const ENUM: u8 = 14;
pub const DATA: u8 = 15;
pub const CODE: u8 = 16;
pub const LONG_DOUBLE: u8 = 17;
pub const COMPLEX: u8 = 18;
pub const WIDE_INT: u8 = 19;
pub const ELEMENTS: u8 = 20;

/// The conversion of an object to a C value, if machine code supports it.
pub fn unbox(kind: u8, is_signed: bool) -> Option<Unbox> {
    match kind {
        INT | UINT | WORD => Some(Unbox::Int),
        RANGED | ENUM if is_signed => Some(Unbox::Signed),
        RANGED | ENUM => Some(Unbox::Unsigned),
        BOOL => Some(Unbox::Bool),
        FLOAT | DOUBLE => Some(Unbox::Float),
        POINTER | STR | BYTES | DATA => Some(Unbox::Pointer),
        CALLBACK | CODE => Some(Unbox::Function),
        STRUCT => Some(Unbox::Bytes),
        _ => None,
    }
}

/// The conversion of a result to an object, if machine code supports it.
pub fn boxing(kind: u8) -> Option<Boxing> {
    match kind {
        VOID => Some(Boxing::None),
        INT | POINTER => Some(Boxing::Int(kind)),
        UINT => Some(Boxing::Uint(kind)),
        FLOAT | DOUBLE => Some(Boxing::Float),
        STR | BYTES => Some(Boxing::Object(kind)),
        BOOL => Some(Boxing::Bool),
        STRUCT => Some(Boxing::Bytes),
        _ => None,
    }
}

/// The conversion of a callback's argument, if machine code supports it. ORDER farcall_delivery
pub fn delivery(kind: u8) -> Option<Delivery> {
    match kind {
        INT | POINTER => Some(Delivery::Signed),
        UINT => Some(Delivery::Unsigned),
        FLOAT | DOUBLE | BYTES | BOOL => Some(Delivery::Slot),
        _ => None,
    }
}

/// Whether a scalar is as wide as a pointer.
fn is_word(scalar: Scalar) -> bool {
    scalar.size() == Scalar::U64.size()
}

/// The kind of a function's argument, from a script to C.
pub fn of_parameter(code: TypeCode) -> u8 {
    match code.kind() {
        Kind::Int | Kind::Uint if code.scalar().is_some_and(is_word) => WORD,
        Kind::Callback => Kind::Pointer as u8,
        kind => kind as u8,
    }
}

/// The kind of a function's result, from C to a script.
pub fn of_result(code: TypeCode) -> u8 {
    match code.kind() {
        Kind::Callback => Kind::Pointer as u8,
        kind => kind as u8,
    }
}

/// The kind of a callback's result, from a script to C. An object is only an address there, as it is in arguments.
pub fn of_handler(code: TypeCode) -> u8 {
    match code.kind() {
        Kind::Object => Kind::Pointer as u8,
        kind => kind as u8,
    }
}

/// The kind of a callback's argument, from C to a script. All types that the port's own module treats as pointers are addresses.
pub fn of_argument(code: TypeCode) -> Kind {
    match code.kind() {
        Kind::Str | Kind::Object | Kind::Callback => Kind::Pointer,
        kind => kind,
    }
}

/// All items, or `None` if one is missing.
pub fn all<T>(
    items: impl ExactSizeIterator<Item = Option<T>>,
) -> Result<Option<Vec<T>>, OutOfMemory> {
    let mut all = try_with_capacity(items.len())?;
    for item in items {
        let Some(item) = item else { return Ok(None) };
        all.try_push(item)?;
    }
    Ok(Some(all))
}
