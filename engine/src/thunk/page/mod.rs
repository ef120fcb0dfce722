//! The thunks that are part of the program.

#[cfg(target_arch = "aarch64")]
mod a64;
#[cfg(target_arch = "aarch64")]
pub(super) use a64::*;
#[cfg(target_arch = "x86_64")]
mod x64;
#[cfg(target_arch = "x86_64")]
pub(super) use x64::*;

use crate::thunk::cell::THUNKS;

unsafe extern "C" {
    /// [`THUNKS`] times [`THUNK_SIZE`] bytes, whole pages.
    pub(super) static farcall_thunks: [u8; THUNKS * THUNK_SIZE];
    /// The entry of a thunk whose record is elsewhere: at the address in the context's place.
    pub(super) fn farcall_thunk_forward();
}
