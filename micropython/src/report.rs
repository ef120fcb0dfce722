//! Error reports for C.

use farcall_memory::{OutOfMemory, try_box};
use std::any::Any;
use std::ffi::c_char;
use std::fmt::{self, Display, Write};
use std::panic::{self, AssertUnwindSafe};

/// The Python exception for an error. ORDER farcall_status
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Status {
    /// No error.
    Ok = 0,
    /// `ValueError`
    Value = 1,
    /// `TypeError`
    Type = 2,
    /// `OverflowError`
    Overflow = 3,
    /// `OSError` with the number in [`Report::code`]
    Os = 4,
    /// `MemoryError`
    Memory = 5,
}

const TEXT: usize = 508;

/// The number and the text of an error. ORDER farcall_error
#[derive(Debug)]
#[repr(C)]
pub struct Report {
    code: i32,
    text: [c_char; TEXT],
}

const _: () = assert!(size_of::<Report>() == 512);

/// An error with the data for a [`Report`]. The data is boxed, because functions with several errors would reserve stack for each of them. `None`
/// if there is no memory for the box: the error is then a lack of memory.
#[derive(Debug)]
pub struct Failure(Option<Box<Told>>);

#[derive(Debug)]
struct Told {
    status: Status,
    code: i32,
    text: Text,
}

impl Failure {
    #[cold]
    #[inline(never)]
    fn new(status: Status, code: i32, error: &dyn Display) -> Failure {
        let text = Text::default();
        let mut told = try_box(Told { status, code, text }).ok();
        if let Some(told) = &mut told {
            // Text that does not fit is cut off.
            let _ = write!(told.text, "{error}");
        }
        Failure(told)
    }

    /// A `ValueError`.
    pub fn value(text: &str) -> Failure {
        Failure::new(Status::Value, 0, &text)
    }

    /// A `ValueError` with the text of `error`.
    pub fn value_of(error: &dyn Display) -> Failure {
        Failure::new(Status::Value, 0, error)
    }

    /// A `TypeError`.
    pub fn wrong_type(text: &str) -> Failure {
        Failure::new(Status::Type, 0, &text)
    }
}

impl From<OutOfMemory> for Failure {
    fn from(_: OutOfMemory) -> Failure {
        Failure(None)
    }
}

/// As much of a text as a [`Report`] holds, with room for the NUL. No character is split.
#[derive(Debug)]
struct Text {
    bytes: [u8; TEXT],
    len: usize,
    is_cut: bool,
}

impl Default for Text {
    fn default() -> Text {
        Text {
            bytes: [0; TEXT],
            len: 0,
            is_cut: false,
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_cut {
            return Err(fmt::Error);
        }
        let fitting = &text[..text.floor_char_boundary(TEXT - 1 - self.len)];
        self.bytes[self.len..][..fitting.len()].copy_from_slice(fitting.as_bytes());
        self.len += fitting.len();
        self.is_cut = fitting.len() < text.len();
        Ok(())
    }
}

// POSIX's numbers for errors that the loader reports without one.
const ENOENT: i32 = 2;
const ENOEXEC: i32 = 8;

impl From<farcall_cdecl::Error> for Failure {
    #[cold]
    #[inline(never)]
    fn from(error: farcall_cdecl::Error) -> Failure {
        use farcall_cdecl::Error;
        let status = match &error {
            Error::OutOfMemory(_) => Status::Memory,
            Error::WrongKind { .. }
            | Error::UnknownCode { .. }
            | Error::UnknownMember { .. }
            | Error::OpenBraces { .. }
            | Error::NotOneCode { .. } => Status::Type,
            Error::OutOfRange { .. } | Error::FloatRange { .. } => Status::Overflow,
            _ => Status::Value,
        };
        Failure::new(status, 0, &error)
    }
}

impl From<farcall_cdecl::c::Error> for Failure {
    #[cold]
    #[inline(never)]
    fn from(error: farcall_cdecl::c::Error) -> Failure {
        use farcall_cdecl::c::Error;
        let status = match &error {
            Error::OutOfMemory(_) => Status::Memory,
            _ => Status::Value,
        };
        Failure::new(status, 0, &error)
    }
}

impl From<farcall_engine::Error> for Failure {
    #[cold]
    #[inline(never)]
    fn from(error: farcall_engine::Error) -> Failure {
        use farcall_engine::Error;
        let (status, code) = match &error {
            Error::OutOfMemory(_) => (Status::Memory, 0),
            Error::CodeIsForbidden => (Status::Os, 0),
            // For a file that exists but is not a library, the loader sets no number.
            Error::Open { code: 0, .. } => (Status::Os, ENOEXEC),
            Error::Open { code, .. } => (Status::Os, *code),
            Error::Symbol { .. } => (Status::Os, ENOENT),
            Error::ExecutableMemory(source) => (Status::Os, source.raw_os_error().unwrap_or(0)),
            _ => (Status::Value, 0),
        };
        Failure::new(status, code, &error)
    }
}

/// Runs `body` and reports its outcome to C. A panic in this library becomes an error like any other.
pub fn guard(report: *mut Report, body: impl FnOnce() -> Result<(), Failure>) -> Status {
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => Status::Ok,
        Ok(Err(failure)) => tell(report, failure),
        Err(panic) => tell_of_panic(report, panic),
    }
}

/// The part of [`guard`] that does not depend on `body`: `guard` itself is compiled for each of its callers.
#[cold]
#[inline(never)]
fn tell(report: *mut Report, failure: Failure) -> Status {
    let without_memory = || {
        let mut text = Text::default();
        let _ = write!(text, "{OutOfMemory}");
        (Status::Memory, 0, text)
    };
    let told = failure.0.map(|told| (told.status, told.code, told.text));
    let (status, code, text) = told.unwrap_or_else(without_memory);
    let text = text.bytes.map(|byte| byte as c_char);
    // SAFETY: `report` points to a place for a report, by the contract of every function that reports.
    unsafe { report.write(Report { code, text }) };
    status
}

#[cold]
#[inline(never)]
fn tell_of_panic(report: *mut Report, panic: Box<dyn Any + Send>) -> Status {
    drop(panic);
    tell(
        report,
        Failure::value("farcall failed; its message is on stderr"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_characters_and_ends_with_nul() {
        let mut report = Report {
            code: 7,
            text: [1; TEXT],
        };
        let status = guard(&mut report, || Err(Failure::value(&"é".repeat(400))));
        assert_eq!(status, Status::Value);
        let end = [505, 506, 507].map(|at| report.text[at].to_ne_bytes());
        assert_eq!(end, [[0xa9], [0], [0]]);
    }

    #[test]
    fn panic_becomes_an_error() {
        let mut report = Report {
            code: 0,
            text: [0; TEXT],
        };
        assert_eq!(guard(&mut report, || panic!("on purpose")), Status::Value);
        assert_ne!(report.text[0], 0);
    }
}
