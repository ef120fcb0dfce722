//! Everything that can go wrong.
//!
//! A text names the place, then what was expected, then what was found.

pub use farcall_cdecl::Error as CodeError;
pub use farcall_engine::Error as EngineError;
pub use farcall_memory::OutOfMemory;

use farcall_cdecl::c;
use farcall_memory::try_format;
use std::fmt;

/// A `Result` with this crate's [`Error`].
///
/// ```
/// fn length(text: &str) -> farcall::Result<usize> {
///     Ok(farcall::Signature::declared(text)?.len())
/// }
/// assert_eq!(length("int (int, int)")?, 2);
/// # Ok::<(), farcall::Error>(())
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
///
/// ```
/// use farcall::{Error, Signature};
/// use std::error::Error as _;
///
/// let error = Signature::declared("void f(struct later by_value)").unwrap_err();
/// assert!(matches!(error, Error::Type { .. }));
/// let why = error.source().map(ToString::to_string);
/// assert_eq!(why.as_deref(), Some("its size is not known"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Codes that make no signature, or a value that its code does not take.
    #[error(transparent)]
    Codes(CodeError),
    /// There is no memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// A library or a symbol that is not there, a signature that the calling convention has no place for, no executable memory.
    #[error(transparent)]
    Engine(EngineError),
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
    /// A library, or a function or variable of one, that has been closed.
    #[error("{what} is closed")]
    Closed {
        /// What it was.
        what: String,
    },
    /// C text that does not say what it should. The text names the place.
    #[error(transparent)]
    Declaration(DeclarationError),
    /// A name that nothing declares.
    #[error("expected the name of a declared {what}, got '{name}'")]
    #[non_exhaustive]
    NotDeclared {
        /// What it was to be.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A type whose values cannot be passed, or not be kept.
    #[error("{what}: no value can be passed: {source}")]
    #[non_exhaustive]
    Type {
        /// Which value, with its type.
        what: String,
        /// Why.
        source: Unpassable,
    },
    /// Something of another kind, size or range than was due.
    #[error("{what}: expected {wanted}, got {got}")]
    #[non_exhaustive]
    Mismatch {
        /// The place: of an argument, the function's name, the argument's number, its C type and its name.
        what: String,
        /// What was expected.
        wanted: String,
        /// What came.
        got: String,
    },
    /// A null pointer where a function or a variable was to be.
    #[error("expected the address of a {what}, got NULL")]
    Null {
        /// What it was to be.
        what: &'static str,
    },
}

/// What is wrong with C text, and where. It is shown with the line and a caret below the place.
///
/// ```
/// use farcall::{Declarations, Error};
///
/// let error = Declarations::parse("int f(int,\nstruct);").unwrap_err();
/// let Error::Declaration(error) = error else { unreachable!() };
/// assert_eq!((error.line(), error.column()), (Some(2), Some(7)));
/// assert!(error.to_string().ends_with("\nstruct);\n      ^"));
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DeclarationError(c::Error);

impl DeclarationError {
    /// The line, counted from 1.
    ///
    /// ```
    /// use farcall::{Declarations, Error};
    ///
    /// let Err(Error::Declaration(error)) = Declarations::parse("int good;\nint [3];") else {
    ///     unreachable!("there is no name")
    /// };
    /// assert_eq!(error.line(), Some(2));
    /// ```
    pub fn line(&self) -> Option<u32> {
        match &self.0 {
            c::Error::Text(fault) => Some(fault.line),
            _ => None,
        }
    }

    /// The character in that line, counted from 1.
    ///
    /// ```
    /// use farcall::{Declarations, Error};
    ///
    /// let Err(Error::Declaration(error)) = Declarations::parse("int good;\nint [3];") else {
    ///     unreachable!("there is no name")
    /// };
    /// assert_eq!(error.column(), Some(5));
    /// ```
    pub fn column(&self) -> Option<u32> {
        match &self.0 {
            c::Error::Text(fault) => Some(fault.column),
            _ => None,
        }
    }
}

/// Why a C type has no values that can be passed: a structure that is only announced, say, or a vector.
///
/// ```
/// use farcall::{Error, Signature};
///
/// let Err(Error::Type { source, .. }) = Signature::declared("void (struct later)") else {
///     unreachable!("it has no size")
/// };
/// assert_eq!(source.to_string(), "its size is not known");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unpassable(c::Unpassable);

impl From<c::Unpassable> for Unpassable {
    fn from(error: c::Unpassable) -> Unpassable {
        Unpassable(error)
    }
}

impl From<OutOfMemory> for Unpassable {
    fn from(error: OutOfMemory) -> Unpassable {
        Unpassable(error.into())
    }
}

impl From<c::Error> for Error {
    fn from(error: c::Error) -> Error {
        match error {
            c::Error::OutOfMemory(none) => Error::OutOfMemory(none),
            error => Error::Declaration(DeclarationError(error)),
        }
    }
}

impl Error {
    /// [`Error::Mismatch`], if there is memory for it.
    #[cold]
    pub(crate) fn mismatch(
        what: fmt::Arguments,
        wanted: fmt::Arguments,
        got: fmt::Arguments,
    ) -> Error {
        let words = || {
            Ok(Error::Mismatch {
                what: try_format(what)?,
                wanted: try_format(wanted)?,
                got: try_format(got)?,
            })
        };
        let words: std::result::Result<_, OutOfMemory> = words();
        words.unwrap_or_else(Error::from)
    }

    /// [`Error::ArgumentCount`], if there is memory for its words.
    #[cold]
    pub(crate) fn argument_count(
        function: std::result::Result<String, OutOfMemory>,
        codes: std::result::Result<String, OutOfMemory>,
        wanted: usize,
        got: usize,
    ) -> Error {
        match (function, codes) {
            (Ok(function), Ok(codes)) => Error::ArgumentCount {
                function,
                codes,
                wanted,
                got,
            },
            (Err(none), _) | (_, Err(none)) => none.into(),
        }
    }

    /// [`Error::Type`], if there is memory for it.
    #[cold]
    pub(crate) fn unpassable(what: fmt::Arguments, source: Unpassable) -> Error {
        if let Unpassable(c::Unpassable::OutOfMemory(none)) = source {
            return none.into();
        }
        try_format(what).map_or_else(Error::from, |what| Error::Type { what, source })
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Error {
        match error {
            EngineError::Closed { what } => Error::Closed { what },
            EngineError::OutOfMemory(none) => Error::OutOfMemory(none),
            error => Error::Engine(error),
        }
    }
}

impl From<CodeError> for Error {
    fn from(error: CodeError) -> Error {
        match error {
            CodeError::OutOfMemory(none) => Error::OutOfMemory(none),
            error => Error::Codes(error),
        }
    }
}
