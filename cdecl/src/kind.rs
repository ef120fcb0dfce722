//! The kinds of values, and the names of their places in messages.

use std::fmt;

/// All codes, for messages.
pub(crate) const ALL_CODES: &str = "v b B h H i I l L q Q f d p P s S O C";

/// The kind of a type code's values for an interpreter. The numbers are part of the C interface (ORDER farcall_kind).
///
/// ```
/// use farcall_cdecl::{Kind, TypeCode};
///
/// assert_eq!(TypeCode::new('d').map(|code| code.kind()), Some(Kind::Double));
/// assert!(Kind::Str.is_word());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Kind {
    /// No value.
    Void = 0,
    /// A signed integer.
    Int = 1,
    /// An unsigned integer.
    Uint = 2,
    /// A C `float`.
    Float = 3,
    /// A C `double`.
    Double = 4,
    /// A pointer to anything.
    Pointer = 5,
    /// A pointer to a NUL-terminated string, shown as text.
    Str = 6,
    /// A pointer to a NUL-terminated string, shown as bytes.
    Bytes = 7,
    /// The interpreter's own representation of an object, a word.
    Object = 8,
    /// A pointer to a function.
    Callback = 9,
    /// A struct or a union by value: as many slots as it has words. 10 is the C interface's own.
    Struct = 11,
}

impl Kind {
    /// A description of the values of this kind, for messages.
    pub(crate) fn wanted(self) -> &'static str {
        match self {
            Kind::Void => "nothing",
            Kind::Int => "a signed integer",
            Kind::Uint => "an unsigned integer",
            Kind::Float | Kind::Double => "a number",
            Kind::Pointer | Kind::Str | Kind::Bytes => "a pointer",
            Kind::Object => "an object",
            Kind::Callback => "a function pointer",
            Kind::Struct => "a struct",
        }
    }

    /// Whether a value is a pointer of any kind, which is an unsigned word.
    #[inline]
    pub fn is_word(self) -> bool {
        match self {
            Kind::Pointer | Kind::Str | Kind::Bytes | Kind::Object | Kind::Callback => true,
            Kind::Void | Kind::Int | Kind::Uint | Kind::Float | Kind::Double | Kind::Struct => {
                false
            }
        }
    }
}

/// The value of a signature that a message is about.
///
/// ```
/// assert_eq!(farcall_cdecl::Position::Argument(0).to_string(), "argument 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Position {
    /// The result.
    Result,
    /// An argument, counted from 0. Messages count from 1.
    Argument(usize),
    /// A variable.
    Variable,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Result => f.write_str("result"),
            Position::Argument(index) => write!(f, "argument {}", index + 1),
            Position::Variable => f.write_str("variable"),
        }
    }
}
