//! The operating system, behind one interface: memory that can be executed, the unwinder, forks, fences between threads, and the loader.
//!
//! Each system has a file of its own with the same functions. Other files decide what to do with them.
//!
//! | system | file | tested |
//! | --- | --- | --- |
//! | Linux x86-64, glibc | `linux`, and `posix` by the feature of that name | all tests run |
//! | Linux x86-64, musl | `linux` | the crate's and the engine's tests run; programs that are linked statically have no `dlopen` |
//! | Linux AArch64, glibc | `linux` | all tests run, in QEMU |
//! | Windows x86-64 | `windows` | all tests run, in Wine |
//! | Android AArch64, FreeBSD x86-64, macOS | `posix` | compiled only |
//! | Windows AArch64 | `windows` | compiled only |

mod face;
#[cfg(all(target_os = "linux", not(feature = "posix")))]
mod linux;
#[cfg(all(target_os = "linux", target_arch = "x86_64", not(feature = "posix")))]
pub(crate) use linux::place_block;
#[cfg(all(target_os = "linux", not(feature = "posix")))]
pub use linux::*;
#[cfg(unix)]
mod posix;
#[cfg(unix)]
#[allow(
    unused_imports,
    reason = "on Linux this face is of the crate alone, by the other file's"
)]
pub use posix::*;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::*;

pub(crate) use face::{ForkHooks, LoaderFailure, ThreadEnd};
#[cfg(not(target_os = "linux"))]
pub(crate) use face::{note_code, room_behind_code};
#[cfg(target_arch = "aarch64")]
use farcall_arch::abi::Dialect;
use farcall_arch::{Abi, Float};

/// The convention of C functions in this process.
pub const fn host_abi() -> Abi {
    #[cfg(all(target_arch = "x86_64", unix))]
    return Abi::SysV64;
    #[cfg(all(target_arch = "x86_64", windows))]
    return Abi::Win64;
    #[cfg(all(target_arch = "aarch64", target_vendor = "apple"))]
    return Abi::Aapcs64(Dialect::Apple);
    #[cfg(all(target_arch = "aarch64", windows))]
    return Abi::Aapcs64(Dialect::Windows);
    #[cfg(all(target_arch = "aarch64", unix, not(target_vendor = "apple")))]
    return Abi::Aapcs64(Dialect::Linux);
    #[cfg(not(all(
        any(target_arch = "x86_64", target_arch = "aarch64"),
        any(unix, windows)
    )))]
    compile_error!("farcall has no calling convention for this target yet")
}

/// The format of C compilers' `long double` here; on Windows for x86-64, that of GCC.
pub const fn host_long_double() -> Float {
    if cfg!(target_arch = "x86_64") {
        Float::F80
    } else if cfg!(any(windows, target_vendor = "apple")) {
        Float::F64
    } else {
        Float::F128
    }
}
