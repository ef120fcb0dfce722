//! The handlers for panics and for failed allocations.
//!
//! Rust's standard library would print a backtrace. Its reader for debug information adds 240 kB to the program. So `ffi/micropython.mk` links
//! these two functions in place of the standard library's.

use core::panic::PanicInfo;
use farcall_engine::write_to_stderr;
use std::fmt::{self, Write};
use std::panic;
use std::process;

/// Standard error without the standard library's lock, which the panicking thread may hold.
struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_to_stderr(text.as_bytes());
        Ok(())
    }
}

/// The panic handler. The panic unwinds to [`guard`](crate::report::guard) as usual, which turns it into an error.
#[unsafe(no_mangle)]
fn farcall_fault(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Stderr, "farcall: {info}");
    panic::resume_unwind(Box::new(()))
}

/// The handler for failed allocations whose callers cannot report an error.
#[unsafe(no_mangle)]
fn farcall_no_memory(_size: usize, _align: usize) -> ! {
    write_to_stderr(b"farcall: out of memory\n");
    process::abort()
}
