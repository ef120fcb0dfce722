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

/// Whether calls of closed callbacks go unreported.
static EXPECTED: AtomicBool = AtomicBool::new(false);

/// Stops the reports of calls of closed callbacks from now on: what the callbacks led to has ended, and C may not know that.
pub fn expect_closed() {
    EXPECTED.store(true, Ordering::Relaxed);
}

/// Reports on standard error that C called a closed callback.
#[cold]
pub fn report_closed() {
    if EXPECTED.load(Ordering::Relaxed) {
        return;
    }
    const TEXT: &[u8] = b"farcall: C called a callback that has been closed; it got zero\n";
    // Not by the standard library's stderr(): it has a lock, which an interrupted thread may hold, or one that a fork left behind.
    sys::write_to_stderr(TEXT);
}
