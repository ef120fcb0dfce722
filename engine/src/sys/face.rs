//! The part of the systems' interface that is the same for all.

use farcall_memory::OutOfMemory;

/// What runs around every fork() of this process; see `around_fork`.
#[cfg_attr(windows, allow(dead_code, reason = "Windows does not fork"))]
pub(crate) struct ForkHooks {
    pub before: fn(),
    pub after: fn(in_child: bool),
}

/// As on Linux.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn room_behind_code() -> usize {
    0
}

/// As on Linux, the only system with the profiler that this is for.
///
/// # Safety
/// * The lock is held.
#[cfg(not(target_os = "linux"))]
pub(crate) unsafe fn note_code(
    _: &farcall_arch::emit::Code,
    _: std::ptr::NonNull<u8>,
    _: &crate::label::Label,
) {
}

/// The owner of a hook that runs as a thread ends; see `at_thread_end`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ThreadEnd {
    Frames,
    Marks,
}

/// The number of owners.
pub(super) const THREAD_ENDS: usize = 2;

/// The loader's error: C's number for it, 0 where there is none, and words.
#[derive(Debug)]
pub(crate) struct LoaderError {
    pub code: i32,
    pub text: String,
}

impl From<OutOfMemory> for LoaderFailure {
    fn from(_: OutOfMemory) -> LoaderFailure {
        LoaderFailure::OutOfMemory
    }
}

/// The reason why the loader opened or found nothing.
#[derive(Debug)]
pub(crate) enum LoaderFailure {
    OutOfMemory,
    Said(LoaderError),
}
