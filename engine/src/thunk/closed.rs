//! The entry of closed thunks.

use crate::interp::Image;
use crate::sys;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

unsafe extern "C" {
    fn farcall_interp_closed();
}

interp_entry!("farcall_interp_closed", enter_closed);

/// The entry of closed callbacks, whatever their signature was: any result is zero.
pub(super) fn closed_entry() -> NonNull<u8> {
    let entry: unsafe extern "C" fn() = farcall_interp_closed;
    // SAFETY: no function is at address 0.
    unsafe { NonNull::new_unchecked(entry as *mut u8) }
}

/// # Safety
/// * It is called by an entry.
unsafe extern "C-unwind" fn enter_closed(_: *const c_void, image: &mut Image, _: *mut u8) {
    report_closed();
    *image = Image::default();
}

/// Whether calls of closed callbacks are nothing to tell of.
static EXPECTED: AtomicBool = AtomicBool::new(false);

/// Has calls of closed callbacks go without a word from now on: whatever they led to is over, and C may not know that.
pub fn expect_closed() {
    EXPECTED.store(true, Ordering::Relaxed);
}

/// Tells whoever reads standard error that C called a callback that is closed.
#[cold]
pub fn report_closed() {
    if EXPECTED.load(Ordering::Relaxed) {
        return;
    }
    const TEXT: &[u8] = b"farcall: C called a callback that has been closed; it got zero\n";
    // Not by the standard library's stderr(): that has a lock, which a thread that was interrupted or did not come along in a fork may hold.
    sys::write_to_stderr(TEXT);
}
