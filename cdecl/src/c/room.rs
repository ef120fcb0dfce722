//! How much memory is reserved for what grows.

use super::declarations::Declarations;

/// The bytes that items have been given.
pub(super) fn reserved<T>(items: &Vec<T>) -> usize {
    items.capacity() * size_of::<T>()
}

impl Declarations {
    /// The bytes of memory that all that has been declared takes, those in reserve included.
    pub fn memory(&self) -> usize {
        self.names.reserved()
            + self.types.reserved()
            + self.derived.reserved()
            + reserved(&self.records)
            + reserved(&self.fields)
            + reserved(&self.by_name)
            + reserved(&self.enums)
            + reserved(&self.functions)
            + reserved(&self.variables)
            + reserved(&self.renamed)
            + self.constants.reserved()
    }
}

/// Gives memory back, but for a thirty-second part, so that small texts that follow find room.
pub(super) fn trim<T>(items: &mut Vec<T>) {
    let spare = items.len() / 32;
    let enough = items.len() + spare + 4;
    if items.capacity() <= enough + spare {
        return;
    }
    let mut fitting = Vec::new();
    // Where there is no memory for that, it stays as it is.
    if fitting.try_reserve_exact(enough).is_ok() {
        fitting.append(items);
        *items = fitting;
    }
}
