//! A lookup of types by content and by tag. Pointers, arrays and vectors are stored only once each, because headers repeat the same ones.

use super::declarations::Declarations;
use super::names::NameId;
use super::table::Table;
use super::types::{Ty, TypeId};
use farcall_memory::OutOfMemory;

/// The key of a type in the lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The content identifies the type.
    Content(Ty),
    Tag(NameId),
}

impl Declarations {
    /// The key of a type, if it is in the lookup.
    fn key(&self, ty: Ty) -> Option<Key> {
        match ty {
            Ty::Pointer { .. } | Ty::Array { .. } | Ty::Vector { .. } => Some(Key::Content(ty)),
            // Interchange formats such as `_Float64`, which are types of their own, but are only used and never declared.
            Ty::Alias { of, .. } if matches!(self.get(of), Ty::Basic(_)) => Some(Key::Content(ty)),
            Ty::Record(index) => self.records[index as usize].tag.map(Key::Tag),
            Ty::Enum(index) => self.enums[index as usize].tag.map(Key::Tag),
            _ => None,
        }
    }

    fn hash(&self, key: Option<Key>) -> u64 {
        self.derived.hash(key)
    }

    /// The key of a type by its number in the table, which is one more than the type's number.
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

    /// Adds a type, or finds an existing type with the same content.
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

    /// Removes the types from the number `len` on.
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

    /// Frees memory if much more is reserved than is in use.
    pub(super) fn trim_derived(&mut self) {
        if let Some(smaller) = self.derived.table.trimmed() {
            self.move_to(smaller);
        }
    }

    /// Moves all types to another table.
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
