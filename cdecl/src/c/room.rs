//! Reserved memory of growing lists.

/// The memory that is reserved for items, in bytes.
pub(super) fn reserved<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}

/// Frees memory, except for a thirty-second part, so that small texts that follow find room.
pub(super) fn trim<T>(items: &mut Vec<T>) {
    let spare = items.len() / 32;
    let enough = items.len() + spare + 4;
    if items.capacity() <= enough + spare {
        return;
    }
    let mut fitting = Vec::new();
    // If there is no memory for the smaller list, the old one stays.
    if fitting.try_reserve_exact(enough).is_ok() {
        fitting.append(items);
        *items = fitting;
    }
}
