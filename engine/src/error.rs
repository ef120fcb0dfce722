//! The errors of the run side, with all their texts.

use farcall_arch::{OutOfMemory, PlanError};
use std::io;

/// A `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
///
/// ```
/// use farcall_engine::{Error, Library};
///
/// // SAFETY: there is no such library, and so nothing that it would run.
/// let error = unsafe { Library::open(Some("no-such-library.so".as_ref()), None) }.unwrap_err();
/// assert!(matches!(error, Error::Open { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A signature that the calling convention has no place for.
    #[error(transparent)]
    Plan(PlanError),
    /// The system gave no executable memory.
    #[error(
        "no executable memory: {0} (a policy such as PR_SET_MDWE, MemoryDenyWriteExecute or SELinux may forbid it)"
    )]
    ExecutableMemory(#[source] io::Error),
    /// There is no memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The environment forbids code.
    #[error("no executable memory: FARCALL_CODE=never")]
    CodeIsForbidden,
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
    /// A library that has been closed.
    #[error("{what} is closed")]
    Closed {
        /// The library's name.
        what: String,
    },
    /// A name with a NUL byte inside.
    #[error("expected a name without NUL bytes, got {name:?}")]
    NulInName {
        /// The name.
        name: String,
    },
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Error {
        match error {
            PlanError::OutOfMemory => Error::OutOfMemory(OutOfMemory),
            error => Error::Plan(error),
        }
    }
}
