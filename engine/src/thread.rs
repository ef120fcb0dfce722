//! Identifies the calling thread.

/// A number that tells running threads apart: the address of a thread-local value.
#[inline]
pub(crate) fn this_thread() -> usize {
    thread_local!(static OWN: u8 = const { 0 });
    OWN.with(|own| &raw const *own as usize)
}
