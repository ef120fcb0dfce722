//! The environment, where it may be trusted.

/// The value of the environment variable `name`, which ends with a NUL byte. `None` where it may not be trusted: a program with more rights
/// than its user does not obey that user's environment.
pub(crate) fn environment(name: &'static std::ffi::CStr) -> Option<&'static [u8]> {
    // SAFETY: the name is a string. A program that changes the environment has the duty not to do so while another thread reads it.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // Rights are checked last, as there is hardly ever a value.
    if value.is_null() || is_privileged() {
        return None;
    }
    // SAFETY: what is not null is a string; it is read at once.
    Some(unsafe { std::ffi::CStr::from_ptr(value) }.to_bytes())
}

/// Whether the program has rights that its user has not, as set-user-ID programs have.
fn is_privileged() -> bool {
    // SAFETY: neither function has preconditions.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    // SAFETY: as above.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return unsafe { issetugid() } != 0;
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
unsafe extern "C" {
    fn issetugid() -> libc::c_int;
}
