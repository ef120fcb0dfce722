//! Names with their meanings. Each name is stored once.

use super::room::{reserved, trim};
use super::steps::count;
use super::table::Table;
use farcall_memory::{OutOfMemory, TryVec};
use foldhash::quality::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::ops::Range;

/// A name of [`super::Declarations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(NonZeroU32);

/// The most bytes that all names may take: a name's number must fit into a word beside other things.
const MOST: usize = 1 << 28;

/// The length byte of a longer name, whose length is in the four bytes before it.
const LONG: u8 = u8::MAX;

/// The size of a name's meaning, in bytes.
const MEANING: usize = 4;

impl NameId {
    /// The name with a number; `None` for 0, which is no name's number.
    pub(super) fn new(number: u32) -> Option<NameId> {
        NonZeroU32::new(number).map(NameId)
    }

    /// The name with a number that is known to be a name's.
    pub(super) fn of(number: u32) -> NameId {
        NameId(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }

    pub(super) fn number(self) -> u32 {
        self.0.get()
    }

    pub(super) fn place(self) -> usize {
        self.number() as usize
    }
}

#[derive(Debug, Default)]
pub(super) struct Names {
    /// For each name, its text, the text's length and the meaning, in this order, so that the last name can be found from the end. A name's number
    /// is the offset of its meaning.
    bytes: Vec<u8>,
    table: Table,
    /// A random hash function, so that no text can be made for names to collide.
    hashes: RandomState,
}

impl Names {
    /// The bytes that all names take.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The reserved memory, in bytes.
    pub fn reserved(&self) -> usize {
        reserved(&self.bytes) + self.table.reserved()
    }

    pub fn get(&self, name: NameId) -> &str {
        // Every name was part of a `str`.
        std::str::from_utf8(self.text(name.number())).unwrap_or_default()
    }

    fn text(&self, number: u32) -> &[u8] {
        &self.bytes[self.range(number as usize)]
    }

    fn range(&self, place: usize) -> Range<usize> {
        let (end, len) = match self.bytes[place - 1] {
            LONG => (place - 5, self.word(place - 5) as usize),
            len => (place - 1, len.into()),
        };
        end - len..end
    }

    fn word(&self, place: usize) -> u32 {
        let bytes = self.bytes[place..].first_chunk::<4>();
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// The meaning of a name: the last one that was set, or 0.
    pub fn meaning(&self, name: NameId) -> u32 {
        self.word(name.place())
    }

    pub fn set_meaning(&mut self, name: NameId, meaning: u32) {
        let place = name.place();
        self.bytes[place..place + MEANING].copy_from_slice(&meaning.to_le_bytes());
    }

    pub fn find(&self, name: &str) -> Option<NameId> {
        count(name.len());
        let hash = self.hashes.hash_one(name.as_bytes());
        let is_it = |number| self.text(number) == name.as_bytes();
        NameId::new(self.table.find(hash, is_it).unwrap_or_default())
    }

    pub fn add(&mut self, name: &str) -> Result<NameId, OutOfMemory> {
        if let Some(known) = self.find(name) {
            return Ok(known);
        }
        if let Some(larger) = self.table.grown()? {
            self.move_to(larger);
        }
        let all = self.len() + name.len() + 1 + 4 + MEANING;
        if all > MOST {
            return Err(OutOfMemory);
        }
        self.bytes.try_reserve(all - self.len())?;
        self.bytes.try_extend_from_slice(name.as_bytes())?;
        match u8::try_from(name.len()) {
            Ok(len) if len != LONG => self.bytes.try_push(len)?,
            _ => {
                let len = (name.len() as u32).to_le_bytes();
                self.bytes.try_extend_from_slice(&len)?;
                self.bytes.try_push(LONG)?;
            }
        }
        let number = self.len() as u32;
        self.bytes.try_extend_from_slice(&[0; MEANING])?;
        self.table.add(self.hash_of(number), number);
        Ok(NameId::of(number))
    }

    fn hash_of(&self, number: u32) -> u64 {
        self.hashes.hash_one(self.text(number))
    }

    /// Removes the names from the length `len` on.
    pub fn truncate(&mut self, len: usize) {
        while self.len() > len {
            let number = (self.len() - MEANING) as u32;
            let mut table = std::mem::take(&mut self.table);
            table.remove(self.hash_of(number), number, |other| self.hash_of(other));
            self.table = table;
            self.bytes.truncate(self.range(number as usize).start);
        }
    }

    /// Frees memory if much more is reserved than is in use.
    pub fn trim(&mut self) {
        trim(&mut self.bytes);
        if let Some(smaller) = self.table.trimmed() {
            self.move_to(smaller);
        }
    }

    /// Moves all names to another table.
    fn move_to(&mut self, mut table: Table) {
        let mut end = self.len();
        while let Some(place) = end.checked_sub(MEANING) {
            table.add(self.hash_of(place as u32), place as u32);
            end = self.range(place).start;
        }
        self.table = table;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_are_found_and_forgotten() {
        let mut names = Names::default();
        let texts: Vec<String> = (1..600).map(|len| format!("{len:a>len$}")).collect();
        let mut marks = Vec::new();
        for text in &texts {
            marks.push(names.len());
            let name = names.add(text).expect("memory");
            names.set_meaning(name, text.len() as u32);
        }
        names.trim();
        for (text, mark) in texts.iter().zip(marks).rev() {
            let name = names.find(text).expect("it is there");
            assert_eq!(names.get(name), text);
            assert_eq!(names.meaning(name), text.len() as u32);
            assert_eq!(names.add(text), Ok(name));
            names.truncate(mark);
            assert_eq!(names.find(text), None);
        }
        assert_eq!(names.len(), 0);
    }
}
