//! Slots and a result, surrounded by words that nobody may touch.

use crate::report::{Fault, Place};

/// Guard words on each side.
const GUARDS: usize = 8;

/// Slots and a result's slot: `guards, slots, guards, result, guards`.
pub struct Surrounded {
    words: Vec<u64>,
    slots: Vec<u64>,
}

/// What stands in word `index` before a call, wherever no slot is: in the result too.
fn pattern(index: usize) -> u64 {
    0xa5a5_5a5a_c3c3_0000 | index as u64
}

impl Surrounded {
    /// A copy of `slots`, and a result that holds a pattern.
    pub fn new(slots: Vec<u64>) -> Surrounded {
        let mut words: Vec<u64> = (0..3 * GUARDS + slots.len() + 1).map(pattern).collect();
        words[GUARDS..GUARDS + slots.len()].copy_from_slice(&slots);
        Surrounded { words, slots }
    }

    /// Where the slots lie, and the result.
    pub fn pointers(&mut self) -> (*const u64, *mut u64) {
        let result = self.result_index();
        let base = self.words.as_mut_ptr();
        // SAFETY: both indices lie within the vector.
        unsafe { (base.add(GUARDS), base.add(result)) }
    }

    /// What the result holds.
    pub fn result(&self) -> u64 {
        self.words[self.result_index()]
    }

    /// What it held before the call.
    pub fn untouched_result(&self) -> u64 {
        pattern(self.result_index())
    }

    fn result_index(&self) -> usize {
        2 * GUARDS + self.slots.len()
    }

    /// Every word but the result that is not what it was.
    pub fn faults(&self, what: &'static str) -> Vec<Fault> {
        let faults = self.words.iter().enumerate().filter_map(|(index, word)| {
            let place = Place::Around(what, index as isize - GUARDS as isize);
            let slot = index.checked_sub(GUARDS).and_then(|n| self.slots.get(n));
            let wanted = slot.copied().unwrap_or_else(|| pattern(index));
            if index == self.result_index() {
                return None;
            }
            Fault::unless_equal(place, wanted, *word)
        });
        faults.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_but_the_result_is_guarded() {
        let len = Surrounded::new(vec![1, 2, 3]).words.len();
        for index in 0..len {
            let mut memory = Surrounded::new(vec![1, 2, 3]);
            memory.words[index] ^= 1;
            let is_result = index == memory.result_index();
            assert_eq!(memory.faults("slots").is_empty(), is_result, "{index}");
            assert_eq!(memory.result() != memory.untouched_result(), is_result);
        }
    }
}
