//! Names, each kept once.

use super::room::trim;
use super::steps::count;
use farcall_memory::{OutOfMemory, TryVec};
use foldhash::fast::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::ops::Range;

/// A name of [`super::Declarations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(NonZeroU32);

impl NameId {
    pub(super) fn new(number: u32) -> NameId {
        NameId(NonZeroU32::MIN.saturating_add(number))
    }

    pub(super) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Debug, Default)]
pub(super) struct Names {
    text: Vec<u8>,
    ends: Vec<u32>,
    /// One more than a name's number by its hash, 0 for none; as many as a power of two, and at least twice as many as there are names.
    table: Vec<u32>,
    /// Another one each time: no text is made for names to collide.
    hashes: RandomState,
}

impl Names {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, name: NameId) -> &str {
        let bytes = &self.text[self.range(name.index() as u32)];
        // Every name was a part of a text.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn range(&self, number: u32) -> Range<usize> {
        let start = match number {
            0 => 0,
            other => self.ends[other as usize - 1],
        };
        start as usize..self.ends[number as usize] as usize
    }

    /// The place of a name in the table, where it is or would be.
    fn place(&self, name: &str) -> usize {
        let mask = self.table.len() - 1;
        let mut place = self.hashes.hash_one(name) as usize & mask;
        count(name.len());
        loop {
            count(1);
            match self.table[place] {
                0 => return place,
                number if &self.text[self.range(number - 1)] == name.as_bytes() => return place,
                _ => place = (place + 1) & mask,
            }
        }
    }

    pub fn find(&self, name: &str) -> Option<NameId> {
        if self.table.is_empty() {
            return None;
        }
        self.table[self.place(name)].checked_sub(1).map(NameId::new)
    }

    pub fn add(&mut self, name: &str) -> Result<NameId, OutOfMemory> {
        if let Some(known) = self.find(name) {
            return Ok(known);
        }
        if (self.len() + 1) * 2 > self.table.len() {
            self.grow()?;
        }
        let end = u32::try_from(self.text.len() + name.len()).map_err(|_| OutOfMemory)?;
        self.ends.try_reserve(1)?;
        self.text.try_extend_from_slice(name.as_bytes())?;
        let place = self.place(name);
        self.ends.push(end);
        let number = self.len() as u32;
        self.table[place] = number;
        Ok(NameId::new(number - 1))
    }

    /// Forgets the names from a number on.
    pub fn truncate(&mut self, len: usize) {
        while self.len() > len {
            let range = self.range(self.len() as u32 - 1);
            let bytes = &self.text[range.clone()];
            let place = self.place(std::str::from_utf8(bytes).unwrap_or_default());
            // Nobody looked past the place but names that came later, and those are gone.
            self.table[place] = 0;
            self.text.truncate(range.start);
            self.ends.pop();
        }
    }

    /// Gives memory back where much more is reserved than there is in use.
    pub fn trim(&mut self) {
        trim(&mut self.text);
        trim(&mut self.ends);
    }

    fn grow(&mut self) -> Result<(), OutOfMemory> {
        let len = (self.table.len() * 2).max(64);
        let mut table = Vec::new();
        table.try_resize(len, 0)?;
        self.table = table;
        for number in 0..self.len() as u32 {
            let bytes = &self.text[self.range(number)];
            let place = self.place(std::str::from_utf8(bytes).unwrap_or_default());
            self.table[place] = number + 1;
        }
        Ok(())
    }
}
