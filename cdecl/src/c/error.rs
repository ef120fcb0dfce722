//! Errors in C text, with their places.

use farcall_memory::{OutOfMemory, try_format, try_to_vec};
use std::fmt;

/// A `Result` with this module's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error in a text.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is not enough memory to go on, or for a message.
    OutOfMemory(OutOfMemory),
    /// A place where the text is not C, or uses C that is not supported.
    Text(Fault),
}

/// A fault in a text, with its place.
#[derive(Debug)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: u32,
    /// The character in that line, counted from 1.
    pub column: u32,
    /// The message.
    pub message: String,
    /// The part of the line that is shown.
    excerpt: String,
    /// The number of columns before the place, and the number of columns that it takes.
    caret: (usize, usize),
}

/// The most characters of a line that are shown.
const SHOWN: usize = 100;

impl Fault {
    /// The fault in the bytes `at` of a text.
    pub(super) fn at(
        text: &str,
        at: std::ops::Range<usize>,
        message: fmt::Arguments,
    ) -> std::result::Result<Fault, OutOfMemory> {
        let start = text.floor_char_boundary(at.start);
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let column = before[line_start..].chars().count();
        let first = column.saturating_sub(SHOWN / 2);
        let mut excerpt = Vec::new();
        for character in line.chars().skip(first).take(SHOWN) {
            // A tab becomes one column, so that the caret stands below the place.
            let character = if character == '\t' { ' ' } else { character };
            let mut bytes = [0; 4];
            let bytes = try_to_vec(character.encode_utf8(&mut bytes).as_bytes())?;
            excerpt.try_reserve(bytes.len())?;
            excerpt.extend_from_slice(&bytes);
        }
        let end = text.floor_char_boundary(at.end.clamp(start, line_start + line.len()).max(start));
        let width = text[start..end].chars().count().clamp(1, SHOWN / 2);
        Ok(Fault {
            line: before.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1,
            column: column as u32 + 1,
            message: try_format(message)?,
            excerpt: String::from_utf8(excerpt).unwrap_or_default(),
            caret: (column - first, width),
        })
    }
}

impl From<OutOfMemory> for Error {
    fn from(error: OutOfMemory) -> Error {
        Error::OutOfMemory(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::OutOfMemory(error) => error.fmt(f),
            Error::Text(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, width) = self.caret;
        writeln!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        writeln!(f, "{}", self.excerpt)?;
        write!(f, "{:before$}{:^<width$}", "", "")
    }
}

impl std::error::Error for Error {}
