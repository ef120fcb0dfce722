//! Reports panics of this library's own, and memory that runs out.
//!
//! Rust's standard library would print a backtrace. The reader of debug information for that takes as much code as all
//! the rest of this library. So in packages, two functions here take the place of the standard library's
//! own (`xtask/src/libffi/drop_in.rs`), and print where the fault was.

use core::panic::PanicInfo;
use std::io::Write;
use std::panic;
use std::process;

/// The function that panics call. It unwinds, as it otherwise would, to the functions that keep panics from C.
#[unsafe(no_mangle)]
fn farcall_libffi_fault(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(std::io::stderr(), "libffi: {info}");
    panic::resume_unwind(Box::new(()))
}

/// The function that a failed allocation calls if its caller cannot report the failure.
#[unsafe(no_mangle)]
fn farcall_libffi_no_memory(_size: usize, _align: usize) -> ! {
    let _ = std::io::stderr().write_all(b"libffi: out of memory\n");
    process::abort()
}
