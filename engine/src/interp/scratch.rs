//! Room for the values of one callback: on the stack, unless there are many.

use std::ptr::NonNull;

/// Calls `work` with `count` values that are all `empty`; up to `INLINE` of them lie on the stack.
///
/// `work` may be left by an exception or a jump: its caller's frame has nothing to be dropped, and so no personality routine. Memory for
/// many values is lost then.
#[inline(always)]
pub fn with_scratch<T: Copy, R, const INLINE: usize>(
    count: usize,
    empty: T,
    work: impl FnOnce(&mut [T]) -> R,
) -> R {
    if count <= INLINE {
        return work(&mut [empty; INLINE][..count]);
    }
    let mut many = allocate(count, empty);
    // SAFETY: the values are this call's own until they are given back.
    let result = work(unsafe { many.as_mut() });
    // SAFETY: as above.
    unsafe { free(many) };
    result
}

#[inline(never)]
fn allocate<T: Copy>(count: usize, empty: T) -> NonNull<[T]> {
    NonNull::from(Box::leak(vec![empty; count].into_boxed_slice()))
}

/// # Safety
/// * The values are from [`allocate`], and nobody uses them any more.
#[inline(never)]
unsafe fn free<T: Copy>(many: NonNull<[T]>) {
    // SAFETY: the caller vouches for it.
    drop(unsafe { Box::from_raw(many.as_ptr()) });
}
