//! How much memory is reserved for what grows.

/// Gives memory back, but for a sixteenth, so that small texts that follow find room.
pub(super) fn trim<T>(items: &mut Vec<T>) {
    let enough = items.len() + items.len() / 16 + 4;
    if items.capacity() <= enough + items.len() / 8 {
        return;
    }
    let mut fitting = Vec::new();
    // Where there is no memory for that, it stays as it is.
    if fitting.try_reserve_exact(enough).is_ok() {
        fitting.append(items);
        *items = fitting;
    }
}
