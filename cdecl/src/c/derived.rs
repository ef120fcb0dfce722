//! Where types are that are found again by what they are.

use super::table::Table;
use foldhash::quality::RandomState;
use std::hash::{BuildHasher, Hash};

#[derive(Debug, Default)]
pub(super) struct Derived {
    /// One more than each type's number.
    pub table: Table,
    hashes: RandomState,
}

impl Derived {
    /// Bytes of memory.
    pub fn reserved(&self) -> usize {
        self.table.reserved()
    }

    pub fn hash(&self, key: impl Hash) -> u64 {
        self.hashes.hash_one(key)
    }
}
