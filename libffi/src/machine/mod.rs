//! The machine code that is there from the start: a call with any registers and any stack, the entry of any closure, and the
//! thunks that closures' function pointers are.
//!
//! Each is written once for a machine, knows registers and nothing of signatures, and comes with unwind information, so that
//! exceptions pass. Calls and entries exchange an [`Image`] of the registers with Rust.

#[cfg(target_arch = "aarch64")]
mod a64;
#[cfg(target_arch = "aarch64")]
pub use a64::*;
#[cfg(target_arch = "x86_64")]
mod x64;
#[cfg(target_arch = "x86_64")]
pub use x64::*;

use std::ffi::c_void;

/// What a call is made of: the registers, and who fills them. The machine code sees the image only, which comes first.
#[repr(C)]
pub struct Frame {
    /// The registers: those of the arguments, then, from the moment that the function returns, those of the result.
    pub image: Image,
    /// The arguments' places in memory, for [`Fill`].
    pub values: *mut *mut c_void,
    /// Where the result goes, for [`Fill`].
    pub result: *mut c_void,
    /// What is known of the signature, for [`Fill`].
    pub detail: *const c_void,
}

/// Fills the registers' image and the stack area, `stack_len` bytes at `stack`, of a call that is about to be made.
pub type Fill = unsafe extern "C" fn(frame: *mut Frame, stack: *mut u8);

unsafe extern "C-unwind" {
    /// Calls `target` with the registers and the stack area that `fill` leaves, and puts the result's registers into the image.
    ///
    /// # Safety
    /// * `stack_len` is a multiple of 16.
    /// * What `fill` leaves is a call of `target` that the caller of this vouches for.
    pub fn farcall_libffi_call(
        frame: *mut Frame,
        stack_len: usize,
        fill: Fill,
        target: *const c_void,
    );
}

unsafe extern "C" {
    /// The entry of all closures, which calls [`crate::generic::enter`].
    pub fn farcall_libffi_closure();
    /// The same for Go closures.
    pub fn farcall_libffi_go_closure();
    /// Where a thunk leads whose closure is too large for its cell.
    pub fn farcall_libffi_forward();
    /// The thunks: [`THUNKS`] times [`THUNK_SIZE`] bytes, whole pages.
    pub static farcall_libffi_thunks: [u8; THUNKS * THUNK_SIZE];
}
#[cfg(all(target_arch = "x86_64", unix))]
unsafe extern "C" {
    /// The entry of closures that are called as Microsoft's convention wants it.
    pub fn farcall_libffi_win64_closure();
    /// The same for Go closures.
    pub fn farcall_libffi_win64_go_closure();
}
