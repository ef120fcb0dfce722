//! What happens where something goes wrong that is nobody's fault but ours, or memory runs out.
//!
//! Rust's standard library would tell who called whom, for which it brings a reader of debug information with it: 240 kB of the program. So
//! `ffi/micropython.mk` has the program linked with these two functions in place of the standard library's own.

use core::panic::PanicInfo;
use farcall_engine::write_to_stderr;
use std::fmt::{self, Write};
use std::panic;
use std::process;

/// Standard error, without the lock that the standard library's has: the thread that has it may be the one that panics.
struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_to_stderr(text.as_bytes());
        Ok(())
    }
}

/// What a panic calls. It unwinds, as it otherwise would, to [`guard`](crate::report::guard), which makes an error of it.
#[unsafe(no_mangle)]
fn farcall_fault(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Stderr, "farcall: {info}");
    panic::resume_unwind(Box::new(()))
}

/// What a failed allocation calls whose caller has no other way.
#[unsafe(no_mangle)]
fn farcall_no_memory(_size: usize, _align: usize) -> ! {
    write_to_stderr(b"farcall: out of memory\n");
    process::abort()
}
