//! Everything that can go wrong.
//!
//! A text names the place, then what was expected, then what was found.

pub use farcall_cdecl::Error as CodeError;
pub use farcall_engine::Error as EngineError;
pub use farcall_memory::OutOfMemory;

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
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
    /// A null pointer where a function or a variable was to be.
    #[error("expected the address of a {what}, got NULL")]
    Null {
        /// What it was to be.
        what: &'static str,
    },
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
