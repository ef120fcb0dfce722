//! The crate's errors.
//!
//! A message names the place, then what was expected, then what was found.

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

/// An error of this crate.
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
    /// Type codes that do not make a signature, or a value that its code does not take.
    #[error(transparent)]
    Codes(CodeError),
    /// There is not enough memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// A missing library or symbol, a signature that the calling convention cannot express, or no executable memory.
    #[error(transparent)]
    Engine(EngineError),
    /// A call with too few or too many arguments.
    #[error("{function} takes {wanted} argument{s} ({codes}), got {got}", s = if *wanted == 1 { "" } else { "s" })]
    ArgumentCount {
        /// The function's name, or its address.
        function: String,
        /// The codes of the arguments, or the C prototype.
        codes: String,
        /// The number of arguments that the function takes.
        wanted: usize,
        /// The number of arguments of the call.
        got: usize,
    },
    /// A library, or a function or variable of one, that has been closed.
    #[error("{what} is closed")]
    Closed {
        /// The library, function or variable.
        what: String,
    },
    /// C text that is not a valid declaration. The message names the place.
    #[error(transparent)]
    Declaration(DeclarationError),
    /// A name that is not declared.
    #[error("expected the name of a declared {what}, got '{name}'")]
    #[non_exhaustive]
    NotDeclared {
        /// The kind of thing that was expected: a function or a variable.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A type whose values cannot be passed or stored.
    #[error("{what}: no value can be passed: {source}")]
    #[non_exhaustive]
    Type {
        /// The value's place and type.
        what: String,
        /// The reason.
        source: Unpassable,
    },
    /// A value or a type of another kind, size or range than expected.
    #[error("{what}: expected {wanted}, got {got}")]
    #[non_exhaustive]
    Mismatch {
        /// The place. For an argument: the function's name, the argument's number, its C type and its name.
        what: String,
        /// What was expected.
        wanted: String,
        /// What was found.
        got: String,
    },
    /// A null pointer instead of the address of a function or a variable.
    #[error("expected the address of a {what}, got NULL")]
    Null {
        /// The kind of thing that was expected: a function or a variable.
        what: &'static str,
    },
}

/// A fault in C text, with its place. `Display` shows the line, with a caret below the place.
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

/// The reason why values of a C type cannot be passed: for example, a structure that is declared but not defined, or a vector.
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
    /// Makes an [`Error::Mismatch`], or [`Error::OutOfMemory`] if there is no memory for it.
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

    /// Makes an [`Error::ArgumentCount`], or [`Error::OutOfMemory`] if there was no memory for its texts.
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

    /// Makes an [`Error::Type`], or [`Error::OutOfMemory`] if there is no memory for it.
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
