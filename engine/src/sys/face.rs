//! What every system has in common in its face.

/// What runs around every fork() of this process; see `around_fork`.
#[cfg_attr(windows, allow(dead_code, reason = "Windows does not fork"))]
pub(crate) struct ForkHooks {
    pub before: fn(),
    pub after: fn(in_child: bool),
}

/// What the loader says when it fails: C's number for the error, 0 where there is none, and words.
#[derive(Debug)]
pub(crate) struct LoaderError {
    pub code: i32,
    pub text: String,
}
