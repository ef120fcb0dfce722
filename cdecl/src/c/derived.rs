//! Types that are found again by what they are: pointers, arrays and vectors, each kept once as headers write the same ones again and again; and those with tags.

use super::declarations::Declarations;
use super::names::NameId;
use super::table::Table;
use super::types::{Ty, TypeId};
use farcall_memory::OutOfMemory;
use foldhash::quality::RandomState;
use std::hash::BuildHasher;

#[derive(Debug, Default)]
pub(super) struct Derived {
    table: Table,
    hashes: RandomState,
}

impl Derived {
    /// Bytes of memory.
    pub fn reserved(&self) -> usize {
        self.table.reserved()
    }
}

/// What a type is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// It is all that its content says.
    Content(Ty),
    Tag(NameId),
}

impl Declarations {
    /// What a type is found by, if it is to be found.
    fn key(&self, ty: Ty) -> Option<Key> {
        match ty {
            Ty::Pointer { .. } | Ty::Array { .. } | Ty::Vector { .. } => Some(Key::Content(ty)),
            // Formats that are types of their own, which have no other declaration than each use of them.
            Ty::Alias { of, .. } if matches!(self.get(of), Ty::Basic(_)) => Some(Key::Content(ty)),
            Ty::Record(index) => self.records[index as usize].tag.map(Key::Tag),
            Ty::Enum(index) => self.enums[index as usize].tag.map(Key::Tag),
            _ => None,
        }
    }

    fn hash(&self, key: Option<Key>) -> u64 {
        self.derived.hashes.hash_one(key)
    }

    /// One more than a type's number, which the table has.
    fn key_numbered(&self, number: u32) -> Option<Key> {
        self.key(self.get(TypeId::new(number - 1)))
    }

    fn found(&self, key: Key) -> Option<TypeId> {
        let key = Some(key);
        let is_it = |number| self.key_numbered(number) == key;
        let number = self.derived.table.find(self.hash(key), is_it)?;
        Some(TypeId::new(number - 1))
    }

    /// The type with a tag.
    pub(super) fn tagged(&self, tag: NameId) -> Option<TypeId> {
        self.found(Key::Tag(tag))
    }

    /// A type, which is the one that there is where one with this content may be.
    pub(super) fn add_type(&mut self, ty: Ty) -> Result<TypeId, OutOfMemory> {
        let key = self.key(ty);
        if let Some(key) = key {
            if let Some(known) = self.found(key) {
                return Ok(known);
            }
            if let Some(larger) = self.derived.table.grown()? {
                self.move_to(larger);
            }
        }
        let id = self.types.push(ty, self.depth_of(ty))?;
        if key.is_some() {
            let hash = self.hash(key);
            self.derived.table.add(hash, id.number() + 1);
        }
        Ok(id)
    }

    /// Forgets the types from a number on.
    pub(super) fn truncate_types(&mut self, len: usize) {
        while self.types.len() > len {
            let number = self.types.len() as u32;
            let key = self.key_numbered(number);
            if key.is_some() {
                let mut table = std::mem::take(&mut self.derived.table);
                let hash_of = |other| self.hash(self.key_numbered(other));
                table.remove(self.hash(key), number, hash_of);
                self.derived.table = table;
            }
            self.types.pop();
        }
    }

    /// Gives memory back where much more is reserved than there is in use.
    pub(super) fn trim_derived(&mut self) {
        if let Some(smaller) = self.derived.table.trimmed() {
            self.move_to(smaller);
        }
    }

    /// Has another table find all types.
    fn move_to(&mut self, mut table: Table) {
        for number in 1..=self.types.len() as u32 {
            let key = self.key_numbered(number);
            if key.is_some() {
                table.add(self.hash(key), number);
            }
        }
        self.derived.table = table;
    }
}
