//! Reports faults of this library's own, and memory that runs out.
//!
//! Rust's standard library would print a backtrace. The reader of debug information for that takes as much code as all
//! the rest of this library. So in packages, two functions here take the place of the standard library's
//! own (`xtask/src/libffi/drop_in.rs`), and print where the fault was.

use core::panic::PanicInfo;
use std::io::Write;
use std::panic;
use std::process;

/// What a panic calls. It unwinds, as it otherwise would, to those who keep it from C.
#[unsafe(no_mangle)]
fn farcall_libffi_fault(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(std::io::stderr(), "libffi: {info}");
    panic::resume_unwind(Box::new(()))
}

/// What a failed allocation calls whose caller has no other way.
#[unsafe(no_mangle)]
fn farcall_libffi_no_memory(_size: usize, _align: usize) -> ! {
    let _ = std::io::stderr().write_all(b"libffi: out of memory\n");
    process::abort()
}
