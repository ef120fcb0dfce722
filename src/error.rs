//! Everything that can go wrong, and all texts that say so.
//!
//! A text names the place, then what was expected, then what was found.

use crate::sig::{Kind, Position};
use std::io;

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A letter that is no type code.
    #[error(
        "{position}: expected one of the type codes {}, got '{got}'",
        crate::sig::ALL_CODES
    )]
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
    /// Types that make no signature.
    #[error(transparent)]
    Signature(#[from] farcall_arch::SignatureError),
    /// A signature that the calling convention has no place for.
    #[error(transparent)]
    Plan(#[from] farcall_arch::PlanError),
    /// A call with too few or too many arguments.
    #[error("{function} takes {wanted} argument{s} ({codes}), got {got}", s = if *wanted == 1 { "" } else { "s" })]
    ArgumentCount {
        /// The function's name, or its address.
        function: String,
        /// The arguments' codes.
        codes: String,
        /// How many it takes.
        wanted: usize,
        /// How many there were.
        got: usize,
    },
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
    #[error("{position}: expected 'f' (a number in the range of float), got {got:e}")]
    FloatRange {
        /// Which value.
        position: Position,
        /// What came.
        got: f64,
    },
    /// A library that the loader did not open.
    #[error("{text}")]
    Open {
        /// What was to be opened; `None` for the program itself.
        path: Option<String>,
        /// The system's error number, 0 if it gave none.
        code: i32,
        /// The loader's own words.
        text: String,
    },
    /// A symbol that a library does not have.
    #[error("{library}: no symbol '{name}': {text}")]
    Symbol {
        /// The library.
        library: String,
        /// The symbol.
        name: String,
        /// The loader's own words.
        text: String,
    },
    /// A function, variable or library that has been closed.
    #[error("{what} is closed")]
    Closed {
        /// What it was.
        what: String,
    },
    /// A null pointer where a function or a variable was to be.
    #[error("expected the address of a {what}, got NULL")]
    Null {
        /// What it was to be.
        what: &'static str,
    },
    /// A name with a NUL byte inside.
    #[error("expected a name without NUL bytes, got {name:?}")]
    NulInName {
        /// The name.
        name: String,
    },
    /// The system gave no executable memory.
    #[error(
        "no executable memory: {0} (a policy such as PR_SET_MDWE, MemoryDenyWriteExecute or SELinux may forbid it)"
    )]
    ExecutableMemory(#[source] io::Error),
}
