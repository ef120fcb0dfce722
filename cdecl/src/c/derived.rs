//! Pointers, arrays and vectors, each kept once: headers write the same ones again and again.

use super::types::{Ty, TypeId};
use farcall_memory::{OutOfMemory, TryVec};
use foldhash::fast::RandomState;
use std::hash::BuildHasher;

#[derive(Debug, Default)]
pub(super) struct Derived {
    /// One more than a type's number by its hash, 0 for none; as many as a power of two, and at least twice as many as there are types.
    table: Vec<u32>,
    len: usize,
    hashes: RandomState,
}

/// Whether a type is all that its content says.
pub(super) fn is_derived(ty: &Ty) -> bool {
    matches!(
        ty,
        Ty::Pointer { .. } | Ty::Array { .. } | Ty::Vector { .. }
    )
}

impl Derived {
    /// The place of a type in the table, where it is or would be.
    fn place(&self, types: &[Ty], ty: &Ty) -> usize {
        let mask = self.table.len() - 1;
        let mut place = self.hashes.hash_one(ty) as usize & mask;
        loop {
            match self.table[place] {
                0 => return place,
                number if types[number as usize - 1] == *ty => return place,
                _ => place = (place + 1) & mask,
            }
        }
    }

    /// The type that has been added, if it is one of these.
    pub fn find(&self, types: &[Ty], ty: &Ty) -> Option<TypeId> {
        if self.table.is_empty() || !is_derived(ty) {
            return None;
        }
        let number = self.table[self.place(types, ty)];
        number.checked_sub(1).map(TypeId::new)
    }

    /// Makes room for one more.
    pub fn reserve(&mut self, types: &[Ty]) -> Result<(), OutOfMemory> {
        if (self.len + 1) * 2 <= self.table.len() {
            return Ok(());
        }
        let mut table = Vec::new();
        table.try_resize((self.table.len() * 2).max(32), 0)?;
        self.table = table;
        for (ty, number) in types.iter().zip(1..) {
            if is_derived(ty) {
                let place = self.place(types, ty);
                self.table[place] = number;
            }
        }
        Ok(())
    }

    /// Knows the last of the types from now on, if it is one of these. There is room for it.
    pub fn add_last(&mut self, types: &[Ty]) {
        if let Some(ty) = types.last().filter(|ty| is_derived(ty)) {
            let place = self.place(types, ty);
            self.table[place] = types.len() as u32;
            self.len += 1;
        }
    }

    /// Forgets the last of the types, which is to go. None that came later is known.
    pub fn forget_last(&mut self, types: &[Ty]) {
        if let Some(ty) = types.last().filter(|ty| is_derived(ty)) {
            let place = self.place(types, ty);
            // Nobody looked past the place but those that came later.
            self.table[place] = 0;
            self.len -= 1;
        }
    }
}
