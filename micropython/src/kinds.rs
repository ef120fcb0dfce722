//! The kinds of values that letters stand for, as the C side knows them.

use farcall_arch::Scalar;
use farcall_cdecl::{Kind, TypeCode};
use farcall_memory::{OutOfMemory, TryVec, try_with_capacity};

/// The kind of a function's integers that are as wide as a pointer: they may be whatever a pointer may be. ORDER farcall_kind
pub const WORD: u8 = 10;

/// Whether it is as wide as a pointer.
fn is_word(scalar: Scalar) -> bool {
    scalar.size() == Scalar::U64.size()
}

/// How a function's argument becomes what C gets.
pub fn of_parameter(code: TypeCode) -> u8 {
    match code.kind() {
        Kind::Int | Kind::Uint if code.scalar().is_some_and(is_word) => WORD,
        Kind::Callback => Kind::Pointer as u8,
        kind => kind as u8,
    }
}

/// How a function's result becomes a value.
pub fn of_result(code: TypeCode) -> u8 {
    match code.kind() {
        Kind::Callback => Kind::Pointer as u8,
        kind => kind as u8,
    }
}

/// How a callback's result becomes what C gets. An object is no more than an address there, as it is the other way.
pub fn of_handler(code: TypeCode) -> u8 {
    match code.kind() {
        Kind::Object => Kind::Pointer as u8,
        kind => kind as u8,
    }
}

/// How a callback's argument becomes a value. Whatever the port's own module takes for a pointer is an address.
pub fn of_argument(code: TypeCode) -> Kind {
    match code.kind() {
        Kind::Str | Kind::Object | Kind::Callback => Kind::Pointer,
        kind => kind,
    }
}

/// All items, unless one is missing.
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
