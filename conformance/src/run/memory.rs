//! Slots and a result, surrounded by guard words that must not change; and the comparison of values.

use crate::layout::Layout;
use crate::report::{Fault, Place};
use crate::values::Value;

/// Guard words on each side of the slots.
const GUARDS: usize = 8;

/// Words for a result, and guards behind it.
const RESULT: usize = 64 + GUARDS;

/// Slots and a result, both aligned for any type: `guards, slots, guards, result, guards`.
pub struct Surrounded {
    lines: Vec<Line>,
    slots: Vec<u64>,
}

/// Words with the alignment that any type may need.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; LINE]);

const LINE: usize = 8;

/// The content of word `index` before a call where there is no slot, in the result, too.
fn pattern(index: usize) -> u64 {
    0xa5a5_5a5a_c3c3_0000 | index as u64
}

impl Surrounded {
    /// A copy of `slots`, and a result that holds a pattern.
    pub fn new(slots: Vec<u64>) -> Surrounded {
        let len = 2 * GUARDS + slots.len().next_multiple_of(LINE) + RESULT;
        let lines = vec![Line([0; LINE]); len / LINE];
        let mut memory = Surrounded { lines, slots };
        for index in 0..len {
            let word = memory.before(index);
            memory.words_mut()[index] = word;
        }
        memory
    }

    fn words(&self) -> &[u64] {
        // SAFETY: as many words, which live as long.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), LINE * self.lines.len()) }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        let len = LINE * self.lines.len();
        // SAFETY: as many words, which may have any value and live as long.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }

    /// The content of a word before the call.
    fn before(&self, index: usize) -> u64 {
        let slot = index.checked_sub(GUARDS).and_then(|n| self.slots.get(n));
        slot.copied().unwrap_or_else(|| pattern(index))
    }

    /// The addresses of the slots and of the result.
    pub fn pointers(&mut self) -> (*const u64, *mut u64) {
        let result = self.result_index();
        let base = self.words_mut().as_mut_ptr();
        // SAFETY: both indices lie within the vector.
        unsafe { (base.add(GUARDS), base.add(result)) }
    }

    fn result_index(&self) -> usize {
        2 * GUARDS + self.slots.len().next_multiple_of(LINE)
    }

    /// The bytes of the result and behind it, now and before the call.
    fn result(&self) -> (Vec<u8>, Vec<u8>) {
        let index = self.result_index();
        let words = self.words()[index..].iter();
        let before = (index..LINE * self.lines.len()).map(pattern);
        (
            words.flat_map(|word| word.to_le_bytes()).collect(),
            before.flat_map(u64::to_le_bytes).collect(),
        )
    }

    /// The faults of the result. Nothing may be written behind its `end`.
    pub fn result_faults(&self, layout: &Layout, value: &Value, end: usize) -> Vec<Fault> {
        let (got, before) = self.result();
        let mut faults = compare(Place::Result, layout, value, &got);
        let behind = before[end..].iter().zip(&got[end..]);
        let written = behind.filter(|(before, got)| before != got).count();
        faults.extend(Fault::unless_equal(Place::BehindResult, 0, written as u64));
        faults
    }

    /// A fault for every word before the result that has changed.
    pub fn faults(&self, what: &'static str) -> Vec<Fault> {
        let words = self.words()[..self.result_index()].iter().enumerate();
        let faults = words.filter_map(|(index, word)| {
            let place = Place::Around(what, index as isize - GUARDS as isize);
            Fault::unless_equal(place, self.before(index), *word)
        });
        faults.collect()
    }
}

/// A fault for each word that arrived changed.
pub fn compare(
    place: impl Fn(usize) -> Place,
    layout: &Layout,
    value: &Value,
    got: &[u8],
) -> Vec<Fault> {
    let differences = layout.differences(&value.wanted, got);
    let mut words: Vec<usize> = differences.iter().map(|byte| byte / 8).collect();
    words.dedup();
    let word = |bytes: &[u8], n: usize| {
        let end = layout.bytes.len().min(n * 8 + 8);
        let mut word = [0; 8];
        word[..end - n * 8].copy_from_slice(&bytes[n * 8..end]);
        u64::from_le_bytes(word)
    };
    let fault = |n| Fault {
        place: place(n),
        expected: word(&value.wanted, n),
        given: Some(word(&value.dirty, n)),
        got: word(got, n),
    };
    words.into_iter().map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Byte;

    /// The memory of three slots and a result of one word, of which a byte is written.
    fn faults(byte: usize) -> [usize; 2] {
        let mut memory = Surrounded::new(vec![1, 2, 3]);
        memory.words_mut()[byte / 8] ^= 1 << (byte % 8 * 8);
        let layout = Layout {
            align: 8,
            bytes: vec![Byte::Value; 8],
        };
        let result = pattern(memory.result_index()).to_le_bytes().to_vec();
        let value = Value {
            wanted: result.clone(),
            dirty: result,
        };
        let of_result = memory.result_faults(&layout, &value, 8);
        [memory.faults("slots").len(), of_result.len()]
    }

    #[test]
    fn every_byte_is_guarded() {
        let memory = Surrounded::new(vec![1, 2, 3]);
        for byte in 0..memory.words().len() * 8 {
            let is_before = byte < memory.result_index() * 8;
            let wanted = if is_before { [1, 0] } else { [0, 1] };
            assert_eq!(faults(byte), wanted, "{byte}");
        }
    }
}
