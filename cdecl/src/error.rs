//! Everything that can be wrong with codes and with the values for them, and all texts that say so.
//!
//! A text names the place, then what was expected, then what was found.

use crate::beyond::BeyondFloat;
use crate::kind::{ALL_CODES, Kind, Position};
use farcall_arch::StructError;
use farcall_arch::structs::MAX_SIZE;

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
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
    /// A letter that is no type code.
    #[error("{position}: expected one of the type codes {ALL_CODES}, got '{got}'")]
    UnknownCode {
        /// Where it stands.
        position: Position,
        /// The letter.
        got: char,
    },
    /// A type code in a place where it means nothing.
    #[error("{position}: '{code}' is no type for {role}")]
    MisplacedCode {
        /// Where it stands.
        position: Position,
        /// The letter.
        code: char,
        /// What it cannot be.
        role: &'static str,
    },
    /// No code, or several, where one was due.
    #[error("{position}: expected one type code, got {got:?}")]
    NotOneCode {
        /// Where it stands.
        position: Position,
        /// What stands there.
        got: String,
    },
    /// What is no code within braces.
    #[error("{position}: expected a number, '{{', or one of the codes {}, got '{got}'", ALL_CODES.strip_prefix("v ").unwrap_or(ALL_CODES))]
    UnknownMember {
        /// Where the braces stand.
        position: Position,
        /// The letter.
        got: char,
    },
    /// A number of members that no structure has.
    #[error("{position}: expected a number of members from 1 to {MAX_SIZE}, got {got}")]
    Repeats {
        /// Where the braces stand.
        position: Position,
        /// The number.
        got: String,
    },
    /// Braces that do not end.
    #[error("{position}: '{{' is never closed")]
    OpenBraces {
        /// Where they stand.
        position: Position,
    },
    /// Braces whose members make no structure.
    #[error("{position}: {source}")]
    Struct {
        /// Where they stand.
        position: Position,
        /// Why not.
        source: StructError,
    },
    /// Types that make no signature.
    #[error(transparent)]
    Signature(#[from] farcall_arch::SignatureError),
    /// There is no memory for it.
    #[error(transparent)]
    OutOfMemory(#[from] farcall_memory::OutOfMemory),
    /// A value of another kind than its code wants.
    #[error("{position}: expected '{code}' ({}), got {got}", kind.wanted())]
    WrongKind {
        /// Which value.
        position: Position,
        /// Its code.
        code: char,
        /// The code's kind.
        kind: Kind,
        /// What came.
        got: String,
    },
    /// A number beyond its type's range.
    #[error("{position}: expected '{code}' ({min}..={max}), got {got}")]
    OutOfRange {
        /// Which value.
        position: Position,
        /// Its code.
        code: char,
        /// The least value.
        min: i128,
        /// The greatest value.
        max: i128,
        /// What came.
        got: String,
    },
    /// A finite number that no `float` comes near.
    #[error("{position}: expected 'f' (a number in the range of float), got {got}")]
    FloatRange {
        /// Which value.
        position: Position,
        /// What came.
        got: BeyondFloat,
    },
}
