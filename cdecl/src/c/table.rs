//! A hash table that finds things by their content. It holds only their numbers; the owner stores the things and makes the hashes.

use super::room::reserved;
use super::steps::count;
use farcall_memory::{OutOfMemory, TryVec};

/// A table of numbers by hashes. A caller makes room before it adds a number.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The numbers; 0 for a free slot. At least one slot in eight is free, so every search ends.
    slots: Vec<u32>,
    used: usize,
}

/// The number of slots for `used` numbers if no more are expected soon: a fifth more.
fn fitting(used: usize) -> usize {
    used + used / 5 + 8
}

impl Table {
    pub fn reserved(&self) -> usize {
        reserved(&self.slots)
    }

    /// The first slot of the search for a hash.
    fn first(&self, hash: u64) -> usize {
        (((hash >> 32) * self.slots.len() as u64) >> 32) as usize
    }

    fn behind(&self, place: usize) -> usize {
        match place + 1 {
            end if end == self.slots.len() => 0,
            next => next,
        }
    }

    /// The slot of the wanted number, or the free slot where it would be.
    fn place(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> usize {
        let mut place = self.first(hash);
        loop {
            count(1);
            match self.slots[place] {
                0 => return place,
                number if is_it(number) => return place,
                _ => place = self.behind(place),
            }
        }
    }

    /// The number with this hash that `is_it` accepts.
    pub fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        match self.slots.is_empty() {
            true => None,
            false => Some(self.slots[self.place(hash, is_it)]).filter(|number| *number != 0),
        }
    }

    /// A larger, empty table to move all numbers to, if there is no room for another number.
    pub fn grown(&self) -> Result<Option<Table>, OutOfMemory> {
        match (self.used + 1) * 8 > self.slots.len() * 7 {
            true => Table::with_slots((self.slots.len() * 2).max(32)).map(Some),
            false => Ok(None),
        }
    }

    /// A smaller, empty table to move all numbers to, if far fewer slots are enough. `None` also if there is no memory for it.
    pub fn trimmed(&self) -> Option<Table> {
        let enough = fitting(self.used);
        match self.slots.len() > enough + enough / 32 {
            true => Table::with_slots(enough).ok(),
            false => None,
        }
    }

    fn with_slots(len: usize) -> Result<Table, OutOfMemory> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(len)?;
        slots.try_resize(len, 0)?;
        Ok(Table { slots, used: 0 })
    }

    /// Adds a number that is not in the table. There must be room for it.
    pub fn add(&mut self, hash: u64, number: u32) {
        let place = self.place(hash, |_| false);
        self.slots[place] = number;
        self.used += 1;
    }

    /// Removes a number that is in the table.
    pub fn remove(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        let mut hole = self.place(hash, |other| other == number);
        let mut next = self.behind(hole);
        // A number whose search passes the hole moves into it.
        while self.slots[next] != 0 {
            let first = self.first(hash_of(self.slots[next]));
            let is_between = match hole <= next {
                true => hole < first && first <= next,
                false => hole < first || first <= next,
            };
            if !is_between {
                self.slots[hole] = self.slots[next];
                hole = next;
            }
            next = self.behind(next);
        }
        self.slots[hole] = 0;
        self.used -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_until_they_are_taken_out_in_any_order() {
        // Many numbers have the same hash.
        let hash_of = |number: u32| u64::from(number.wrapping_mul(0x9e37_79b9) >> 27) << 59;
        let mut table = Table::default();
        let mut there = Vec::new();
        let mut bits = 1_u32;
        for number in 1..2_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if bits >> 30 == 0 && !there.is_empty() {
                let gone = there.swap_remove(bits as usize % there.len());
                table.remove(hash_of(gone), gone, hash_of);
            }
            let moved = match table.grown() {
                Ok(Some(moved)) => Some(moved),
                _ => table.trimmed(),
            };
            if let Some(mut moved) = moved {
                there.iter().for_each(|old| moved.add(hash_of(*old), *old));
                table = moved;
            }
            table.add(hash_of(number), number);
            there.push(number);
            for wanted in 1..=number {
                let found = table.find(hash_of(wanted), |other| other == wanted);
                assert_eq!(found.is_some(), there.contains(&wanted), "{wanted}");
            }
        }
    }
}
