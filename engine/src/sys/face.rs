//! The part of the systems' interface that is the same for all.

use farcall_memory::OutOfMemory;

/// What runs around every fork() of this process; see `around_fork`.
#[cfg_attr(windows, allow(dead_code, reason = "Windows does not fork"))]
pub(crate) struct ForkHooks {
    pub before: fn(),
    pub after: fn(in_child: bool),
}

/// As on Linux, where the profiler is that this is for.
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

/// Whose hook it is that runs as a thread ends; see `at_thread_end`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ThreadEnd {
    Frames,
    Marks,
}

/// How many there are.
pub(super) const THREAD_ENDS: usize = 2;

/// What the loader says when it fails: C's number for the error, 0 where there is none, and words.
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

/// Why the loader has nothing.
#[derive(Debug)]
pub(crate) enum LoaderFailure {
    OutOfMemory,
    Said(LoaderError),
}
