//! A shared pointer whose making reports that memory ran out, where `Arc::new` ends the program.

use crate::error::OutOfMemory;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering, fence};
use std::alloc::{Layout, alloc};

/// A value that has several owners, on any thread. The last one drops it.
///
/// ```
/// use farcall_memory::Shared;
///
/// let shared = Shared::try_new("value")?;
/// let other = shared.clone();
/// drop(shared);
/// assert_eq!(*other, "value");
/// # Ok::<(), farcall_memory::OutOfMemory>(())
/// ```
pub struct Shared<T> {
    inner: NonNull<Inner<T>>,
    owns: PhantomData<Inner<T>>,
}

#[repr(C)]
struct Inner<T> {
    owners: AtomicUsize,
    value: T,
}

/// More owners than there can be, unless each was forgotten: their count must not overflow.
const MOST_OWNERS: usize = usize::MAX / 2;

// SAFETY: owners on several threads have references to one value, and any of them may drop it.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above; a reference to an owner is as good as an owner.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// A value's first owner.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_new(value: T) -> Result<Shared<T>, OutOfMemory> {
        // SAFETY: the layout has a size: that of the count at least.
        let memory = unsafe { alloc(Layout::new::<Inner<T>>()) };
        let inner = NonNull::new(memory.cast::<Inner<T>>()).ok_or(OutOfMemory)?;
        let owners = AtomicUsize::new(1);
        // SAFETY: the memory is fresh, and of this layout.
        unsafe { inner.write(Inner { owners, value }) };
        Ok(Shared {
            inner,
            owns: PhantomData,
        })
    }

    /// Where the value lies.
    pub fn as_ptr(&self) -> *const T {
        &raw const self.inner().value
    }

    /// The address of the value, whose owner is the address from now on: see [`Shared::from_raw`].
    pub fn into_raw(self) -> *const T {
        let value = self.as_ptr();
        core::mem::forget(self);
        value
    }

    /// The owner that [`Shared::into_raw`] has given up.
    ///
    /// # Safety
    /// * `value` is from `into_raw`, and has not been given back.
    pub unsafe fn from_raw(value: *const T) -> Shared<T> {
        // SAFETY: `value` is from `into_raw`, by the contract of this function, so it is the field of an `Inner`.
        let inner = unsafe { value.byte_sub(offset_of!(Inner<T>, value)) };
        let inner = inner.cast_mut().cast::<Inner<T>>();
        Shared {
            // SAFETY: as above.
            inner: unsafe { NonNull::new_unchecked(inner) },
            owns: PhantomData,
        }
    }

    /// Another owner of a value whose address is known, unless the last one is gone.
    ///
    /// # Safety
    /// * `value` is the address of a value of a `Shared`, which is not dropped before this returns; the last owner may be at it.
    pub unsafe fn from_address(value: *const T) -> Option<Shared<T>> {
        // SAFETY: a field's address.
        let inner = unsafe { value.byte_sub(offset_of!(Inner<T>, value)) };
        // SAFETY: `value` is the address of a value of a `Shared`, by the contract of this function, so an `Inner` lies around it and
        // it is not null.
        let inner = unsafe { NonNull::new_unchecked(inner.cast_mut().cast::<Inner<T>>()) };
        // SAFETY: as above; whoever drops the value is not done with that.
        let owners = unsafe { &(*inner.as_ptr()).owners };
        let more = |count| (0 < count && count <= MOST_OWNERS).then_some(count + 1);
        owners
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(Shared {
            inner,
            owns: PhantomData,
        })
    }

    /// Whether this is the only owner.
    pub fn is_sole(&self) -> bool {
        self.inner().owners.load(Ordering::Acquire) == 1
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: it stays as long as it has an owner.
        unsafe { self.inner.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        // Relaxed: who has a reference to an owner needs nothing that another one has done.
        if self.inner().owners.fetch_add(1, Ordering::Relaxed) > MOST_OWNERS {
            std::process::abort();
        }
        Shared { ..*self }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.inner().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // All that others did with the value comes before it is dropped.
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner.
        unsafe { dispose(self.inner) };
    }
}

/// Drops what has no owner any more. Apart, so that whatever drops an owner has little of it within itself.
///
/// # Safety
/// * Nobody uses it, now or later.
#[cold]
#[inline(never)]
unsafe fn dispose<T>(inner: NonNull<Inner<T>>) {
    // SAFETY: the memory is from the global allocator, with the layout that a box of it has. Nobody uses it now or later, by the contract of this
    // function.
    drop(unsafe { Box::from_raw(inner.as_ptr()) });
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Shared<T>) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T: Hash> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn value_is_dropped_once_by_its_last_owner() {
        let value = Arc::new(1);
        let shared = Shared::try_new(value.clone()).expect("memory");
        let owners: Vec<_> = (0..4).map(|_| shared.clone()).collect();
        drop(shared);
        assert_eq!(Arc::strong_count(&value), 2);
        let threads = owners
            .into_iter()
            .map(|owner| std::thread::spawn(move || assert_eq!(**owner, 1)));
        for thread in threads.collect::<Vec<_>>() {
            thread.join().expect("an end");
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
