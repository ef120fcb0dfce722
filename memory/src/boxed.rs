//! Boxes whose making reports that memory ran out, where `Box::new` ends the program.

use crate::error::OutOfMemory;
use std::alloc::{Layout, alloc};
use std::ptr::NonNull;

/// A box with this value.
///
/// # Errors
/// [`OutOfMemory`]; the value is dropped then.
pub fn try_box<T>(value: T) -> Result<Box<T>, OutOfMemory> {
    let layout = Layout::new::<T>();
    let memory = match layout.size() {
        0 => NonNull::dangling(),
        // SAFETY: the layout has a size.
        _ => NonNull::new(unsafe { alloc(layout) }.cast::<T>()).ok_or(OutOfMemory)?,
    };
    // SAFETY: the memory is fresh, from the global allocator, and of the layout that a box of it has.
    unsafe {
        memory.write(value);
        Ok(Box::from_raw(memory.as_ptr()))
    }
}
