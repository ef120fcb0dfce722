//! Vectors and strings.
//!
//! Each function reserves room first; what follows finds it and allocates nothing.

use crate::error::OutOfMemory;
use core::alloc::Layout;
use core::fmt::{self, Write};
use core::ptr::NonNull;

/// Vectors that grow if there is memory, and are as they were if there is none.
pub trait TryVec<T> {
    /// Appends one item.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn try_push(&mut self, item: T) -> Result<(), OutOfMemory>;

    /// Appends copies of all items of a slice.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn try_extend_from_slice(&mut self, items: &[T]) -> Result<(), OutOfMemory>
    where
        T: Copy;

    /// Appends copies of an item, or takes items off, until there are so many.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn try_resize(&mut self, len: usize, item: T) -> Result<(), OutOfMemory>
    where
        T: Copy;

    /// Appends all items of an iterator. Those before the one without memory stay.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn try_extend(&mut self, items: impl IntoIterator<Item = T>) -> Result<(), OutOfMemory>;
}

impl<T> TryVec<T> for Vec<T> {
    #[inline]
    fn try_push(&mut self, item: T) -> Result<(), OutOfMemory> {
        reserve(self, 1)?;
        // SAFETY: there is room for one more.
        unsafe { push_within(self, item) };
        Ok(())
    }

    fn try_extend_from_slice(&mut self, items: &[T]) -> Result<(), OutOfMemory>
    where
        T: Copy,
    {
        reserve(self, items.len())?;
        // SAFETY: there is room for so many more, and the slice is no part of it. Items are copies, with nothing to be dropped.
        unsafe {
            let end = self.as_mut_ptr().add(self.len());
            end.copy_from_nonoverlapping(items.as_ptr(), items.len());
            self.set_len(self.len() + items.len());
        }
        Ok(())
    }

    fn try_resize(&mut self, len: usize, item: T) -> Result<(), OutOfMemory>
    where
        T: Copy,
    {
        self.try_reserve(len.saturating_sub(self.len()))?;
        self.resize(len, item);
        Ok(())
    }

    fn try_extend(&mut self, items: impl IntoIterator<Item = T>) -> Result<(), OutOfMemory> {
        let items = items.into_iter();
        reserve(self, items.size_hint().0)?;
        for item in items {
            self.try_push(item)?;
        }
        Ok(())
    }
}

/// Makes room for so many more items. Memory for the first ones is asked for without what the standard library does to let a vector grow.
#[inline]
fn reserve<T>(items: &mut Vec<T>, more: usize) -> Result<(), OutOfMemory> {
    if more <= items.capacity() - items.len() {
        return Ok(());
    }
    grow(items, more)
}

fn grow<T>(items: &mut Vec<T>, more: usize) -> Result<(), OutOfMemory> {
    // One after the other, room for one each time would be too little.
    if items.capacity() == 0 && more > 1 {
        *items = try_with_capacity(more)?;
        return Ok(());
    }
    Ok(items.try_reserve(more)?)
}

/// Appends an item.
///
/// # Safety
/// * The vector has room for it.
#[inline]
unsafe fn push_within<T>(items: &mut Vec<T>, item: T) {
    // SAFETY: the vector has room for the item, by the contract of this function, and the item is written before it counts.
    unsafe {
        items.as_mut_ptr().add(items.len()).write(item);
        items.set_len(items.len() + 1);
    }
}

/// An empty vector with room for `capacity` items, and no more where they have a size.
///
/// # Errors
/// [`OutOfMemory`].
#[inline]
pub fn try_with_capacity<T>(capacity: usize) -> Result<Vec<T>, OutOfMemory> {
    let layout = Layout::array::<T>(capacity).map_err(|_| OutOfMemory)?;
    if layout.size() == 0 {
        return Ok(Vec::new());
    }
    let memory = allocate(layout)?.cast::<T>();
    // SAFETY: it is fresh memory of the global allocator, for an array of so many items, none of which counts yet.
    Ok(unsafe { Vec::from_raw_parts(memory.as_ptr(), 0, capacity) })
}

/// Fresh memory of the global allocator. `layout` has a size.
fn allocate(layout: Layout) -> Result<NonNull<u8>, OutOfMemory> {
    debug_assert!(layout.size() > 0);
    // SAFETY: the caller has a layout with a size.
    NonNull::new(unsafe { std::alloc::alloc(layout) }).ok_or(OutOfMemory)
}

/// A vector of all items.
///
/// # Errors
/// [`OutOfMemory`].
pub fn try_collect<T>(items: impl IntoIterator<Item = T>) -> Result<Vec<T>, OutOfMemory> {
    let items = items.into_iter();
    let mut all = try_with_capacity(items.size_hint().0)?;
    for item in items {
        all.try_push(item)?;
    }
    Ok(all)
}

/// A vector of all items, up to the first that could not be made.
///
/// # Errors
/// That item's, and [`OutOfMemory`].
pub fn try_collect_all<T, E: From<OutOfMemory>>(
    items: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Vec<T>, E> {
    let items = items.into_iter();
    let mut all = try_with_capacity(items.size_hint().0)?;
    for item in items {
        all.try_push(item?)?;
    }
    Ok(all)
}

/// A copy of a slice.
///
/// # Errors
/// [`OutOfMemory`].
pub fn try_to_vec<T: Copy>(items: &[T]) -> Result<Vec<T>, OutOfMemory> {
    let mut all = try_with_capacity(items.len())?;
    all.try_extend_from_slice(items)?;
    Ok(all)
}

/// A string of its own with this text.
///
/// # Errors
/// [`OutOfMemory`].
pub fn try_string(text: &str) -> Result<String, OutOfMemory> {
    let bytes = try_to_vec(text.as_bytes())?;
    // SAFETY: they are a text's.
    Ok(unsafe { String::from_utf8_unchecked(bytes) })
}

/// A text of bytes that should be one, with a mark for whatever is none.
///
/// # Errors
/// [`OutOfMemory`].
pub fn try_lossy(bytes: &[u8]) -> Result<String, OutOfMemory> {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        let rest = match chunk.invalid() {
            [] => "",
            _ => "\u{fffd}",
        };
        text.try_reserve(chunk.valid().len() + rest.len())?;
        text.push_str(chunk.valid());
        text.push_str(rest);
    }
    Ok(text)
}

/// What `format!` makes.
///
/// # Errors
/// [`OutOfMemory`], and for a value whose own formatting fails.
pub fn try_format(text: fmt::Arguments<'_>) -> Result<String, OutOfMemory> {
    let mut whole = Growing(String::new());
    whole.write_fmt(text).map_err(|_| OutOfMemory)?;
    Ok(whole.0)
}

/// A string that formatting stops at when there is no memory for more.
struct Growing(String);

impl Write for Growing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.try_reserve(text.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than there are addresses: reserving it fails without a request.
    const TOO_MANY: usize = usize::MAX / 2;

    #[test]
    fn vectors_are_as_they_were_without_memory() {
        let mut items = vec![1u64, 2];
        assert_eq!(items.try_resize(TOO_MANY, 0), Err(OutOfMemory));
        assert_eq!(items, [1, 2]);
        assert_eq!(try_with_capacity::<u64>(TOO_MANY), Err(OutOfMemory));
        assert_eq!(items.try_extend(0..u64::MAX), Err(OutOfMemory));
        assert_eq!(items, [1, 2]);
    }

    #[test]
    fn items_are_appended_in_order() {
        let mut items = try_to_vec(&[1, 2]).expect("memory");
        items.try_push(3).expect("memory");
        items.try_extend_from_slice(&[4, 5]).expect("memory");
        items.try_extend(6..8).expect("memory");
        items.try_resize(9, 8).expect("memory");
        assert_eq!(items, [1, 2, 3, 4, 5, 6, 7, 8, 8]);
        items.try_resize(1, 0).expect("memory");
        assert_eq!(items, [1]);
    }

    #[test]
    fn collecting_ends_at_the_first_error() {
        let halves = |n: u32| match n.is_multiple_of(2) {
            true => Ok(n / 2),
            false => Err(OutOfMemory),
        };
        assert_eq!(try_collect_all([2, 4].map(halves)), Ok(vec![1, 2]));
        assert_eq!(try_collect_all([2, 3].map(halves)), Err(OutOfMemory));
        assert_eq!(try_collect([1, 2]), Ok(vec![1, 2]));
    }

    #[test]
    fn bytes_that_are_no_text_are_marked() {
        let text = try_lossy(b"a\xc3\xb6\xff\xfeb").expect("there is memory");
        assert_eq!(text, String::from_utf8_lossy(b"a\xc3\xb6\xff\xfeb"));
    }

    #[test]
    fn text_is_what_the_standard_library_makes() {
        let word = try_string("word").expect("memory");
        let text = try_format(format_args!("{word:>6} {:?}", OutOfMemory));
        assert_eq!(text.as_deref(), Ok("  word OutOfMemory"));
    }
}
