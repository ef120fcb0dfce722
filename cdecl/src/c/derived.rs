//! The lookup table for types that are found by their content.

use super::table::Table;
use foldhash::quality::RandomState;
use std::hash::{BuildHasher, Hash};

#[derive(Debug, Default)]
pub(super) struct Derived {
    /// The types' numbers, each plus one.
    pub table: Table,
    hashes: RandomState,
}

impl Derived {
    /// The reserved memory, in bytes.
    pub fn reserved(&self) -> usize {
        self.table.reserved()
    }

    pub fn hash(&self, key: impl Hash) -> u64 {
        self.hashes.hash_one(key)
    }
}
