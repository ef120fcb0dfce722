//! Room for the values of one callback: on the stack, unless there are many.

/// Calls `work` with `count` values that are all `T::default()`; up to `INLINE` of them lie on the stack.
#[inline(always)]
pub fn with_scratch<T: Copy, R, const INLINE: usize>(
    count: usize,
    empty: T,
    work: impl FnOnce(&mut [T]) -> R,
) -> R {
    if count <= INLINE {
        return work(&mut [empty; INLINE][..count]);
    }
    work(&mut vec![empty; count])
}
