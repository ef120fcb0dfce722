//! The operating system, behind one face: memory that can be executed, the unwinder, forks, and fences between threads.
//!
//! Each system has a file of its own with the same functions. What is done with them is decided elsewhere.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

use farcall_arch::Abi;

/// The convention of C functions in this process.
pub(crate) fn host_abi() -> Abi {
    #[cfg(all(target_arch = "x86_64", unix))]
    {
        Abi::SysV64
    }
    #[cfg(not(all(target_arch = "x86_64", unix)))]
    {
        compile_error!(
            "farcall has no code generator for this target yet: x86-64 with the System V ABI only"
        )
    }
}
