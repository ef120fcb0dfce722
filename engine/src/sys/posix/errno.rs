//! C's error number, of which each thread has its own.

/// The address of the thread's error number.
fn errno() -> *mut libc::c_int {
    #[cfg(target_os = "android")]
    use libc::__errno as errno;
    #[cfg(not(any(target_vendor = "apple", target_os = "freebsd", target_os = "android")))]
    use libc::__errno_location as errno;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as errno;
    // SAFETY: it has no preconditions.
    unsafe { errno() }
}

/// Sets the error number to 0.
pub(super) fn clear_errno() {
    // SAFETY: errno is the thread's own.
    unsafe { *errno() = 0 };
}

/// Does `work`, and leaves C's error number as it was before.
pub(crate) fn keeping_errno<T>(work: impl FnOnce() -> T) -> T {
    let errno = errno();
    // SAFETY: errno is the thread's own, and stays where it is.
    let kept = unsafe { *errno };
    let result = work();
    // SAFETY: as above.
    unsafe { *errno = kept };
    result
}
