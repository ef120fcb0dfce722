//! Function pointers of closed callbacks become those of others.
//!
//! One test makes callbacks in this process. Each thread that makes some beside another one may have closed ones of its own, so this is
//! the only place where their number is exact.

mod common;

use farcall::Callback;

/// The number of callbacks of a signature that are closed after one before its function pointer is used again.
const REST: usize = 256;

#[test]
fn thunks_of_closures_without_content_are_used_again() {
    let mut seen = std::collections::HashSet::new();
    for _ in 0..2000 {
        let callback = Callback::new(|n: u32, _: f32| n).expect("a callback");
        // SAFETY: it is the callback.
        assert_eq!(unsafe { (callback.as_ptr())(3, 0.0) }, 3);
        seen.insert(callback.code());
    }
    assert_eq!(seen.len(), REST + 1);
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    if common::policy::is_set() {
        return;
    }
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}
