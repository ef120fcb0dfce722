//! The time.

/// The time by a clock that only goes on, in nanoseconds. It is that of `perf record -k mono`. A signal handler may ask for it.
pub(crate) fn monotonic_time() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the place is this function's own.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
