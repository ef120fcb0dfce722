//! The errors of type codes and of values for them, with their messages.
//!
//! A message names the place, then what was expected, then what was found.

use crate::beyond::BeyondFloat;
use crate::kind::{ALL_CODES, Kind, Position};
use farcall_arch::StructError;
use farcall_arch::structs::MAX_SIZE;

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error in type codes, or in a value for one.
///
/// ```
/// use farcall_cdecl::{Codes, Error, Role};
///
/// let error = Codes::parse("i", "iZ", Role::Function).unwrap_err();
/// assert!(matches!(error, Error::UnknownCode { got: 'Z', .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A letter that is not a type code.
    #[error("{position}: expected one of the type codes {ALL_CODES}, got '{got}'")]
    UnknownCode {
        /// The place of the code.
        position: Position,
        /// The letter.
        got: char,
    },
    /// A type code in a place where it is not allowed.
    #[error("{position}: '{code}' is no type for {role}")]
    MisplacedCode {
        /// The place of the code.
        position: Position,
        /// The letter.
        code: char,
        /// The role that it cannot have.
        role: &'static str,
    },
    /// No code, or several, where one is expected.
    #[error("{position}: expected one type code, got {got:?}")]
    NotOneCode {
        /// The place of the code.
        position: Position,
        /// The text that was found.
        got: String,
    },
    /// A character that is not a code within braces.
    #[error("{position}: expected a number, '{{', or one of the codes {}, got '{got}'", ALL_CODES.strip_prefix("v ").unwrap_or(ALL_CODES))]
    UnknownMember {
        /// The place of the braces.
        position: Position,
        /// The letter.
        got: char,
    },
    /// A number of members that no structure can have.
    #[error("{position}: expected a number of members from 1 to {MAX_SIZE}, got {got}")]
    Repeats {
        /// The place of the braces.
        position: Position,
        /// The number.
        got: String,
    },
    /// Braces without a closing brace.
    #[error("{position}: '{{' is never closed")]
    OpenBraces {
        /// The place of the braces.
        position: Position,
    },
    /// Braces whose members do not make a valid structure.
    #[error("{position}: {source}")]
    Struct {
        /// The place of the braces.
        position: Position,
        /// The reason.
        source: StructError,
    },
    /// Types that do not make a valid signature.
    #[error(transparent)]
    Signature(#[from] farcall_arch::SignatureError),
    /// There is not enough memory.
    #[error(transparent)]
    OutOfMemory(#[from] farcall_memory::OutOfMemory),
    /// A value of another kind than its code expects.
    #[error("{position}: expected '{code}' ({}), got {got}", kind.wanted())]
    WrongKind {
        /// The place of the value.
        position: Position,
        /// Its code.
        code: char,
        /// The code's kind.
        kind: Kind,
        /// The value that was found.
        got: String,
    },
    /// A number beyond its type's range.
    #[error("{position}: expected '{code}' ({min}..={max}), got {got}")]
    OutOfRange {
        /// The place of the value.
        position: Position,
        /// Its code.
        code: char,
        /// The smallest value in range.
        min: i128,
        /// The largest value in range.
        max: i128,
        /// The value that was found.
        got: String,
    },
    /// A finite number beyond the range of `float`.
    #[error("{position}: expected 'f' (a number in the range of float), got {got}")]
    FloatRange {
        /// The place of the value.
        position: Position,
        /// The value that was found.
        got: BeyondFloat,
    },
}
