//! The operating system, behind one face: memory that can be executed, the unwinder, forks, fences between threads, and the loader.
//!
//! Each system has a file of its own with the same functions. What is done with them is decided elsewhere.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::*;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

use farcall_arch::Abi;

/// The convention of C functions in this process.
pub fn host_abi() -> Abi {
    #[cfg(all(target_arch = "x86_64", unix))]
    {
        Abi::SysV64
    }
    #[cfg(all(target_arch = "x86_64", windows))]
    {
        Abi::Win64
    }
    #[cfg(all(target_arch = "aarch64", target_os = "linux"))]
    {
        Abi::Aapcs64(farcall_arch::abi::Dialect::Linux)
    }
    #[cfg(not(any(
        all(target_arch = "x86_64", any(unix, windows)),
        all(target_arch = "aarch64", target_os = "linux")
    )))]
    {
        compile_error!("farcall has no calling convention for this target yet")
    }
}

/// What runs around every fork() of this process; see `around_fork`.
#[cfg_attr(windows, allow(dead_code, reason = "Windows does not fork"))]
pub(crate) struct ForkHooks {
    pub before: fn(),
    pub after: fn(in_child: bool),
}

/// What the loader says when it fails: C's number for the error, 0 where there is none, and words.
#[derive(Debug)]
pub(crate) struct LoaderError {
    pub code: i32,
    pub text: String,
}
