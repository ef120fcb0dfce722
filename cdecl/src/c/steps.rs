//! A count of the parser's work, for tests that check that it is linear in the text. Nothing is counted outside tests.

/// Counts work: the bytes or items that were processed.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn count(_: usize) {}

#[cfg(test)]
pub(super) use counting::count;

#[cfg(test)]
mod counting {
    use crate::c::hostile::{FAMILIES, exercise};
    use crate::c::{Declarations, Platform};
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub fn count(steps: usize) {
        STEPS.set(STEPS.get() + steps);
    }

    /// The steps that a text takes, from its first byte to the shape of the last type.
    fn steps(text: &str) -> usize {
        [Platform::LINUX_X86_64, Platform::WINDOWS_X86_64_GNU]
            .map(|platform| {
                let before = STEPS.get();
                let mut c = Declarations::new(platform).expect("there is memory");
                exercise(&mut c, text);
                STEPS.get() - before
            })
            .into_iter()
            .sum()
    }

    /// No text takes more for each of its bytes.
    const MOST: f64 = 400.0;

    #[test]
    fn steps_are_linear_in_the_text_however_hostile_it_is() {
        for (name, family) in FAMILIES {
            let [small, large] = [10_000, 40_000].map(|size| {
                let text = family(size);
                steps(&text) as f64 / text.len() as f64
            });
            assert!(large < MOST, "{name}: {large} steps a byte");
            // The cost of the setup weighs less in the larger text.
            assert!(
                large <= small * 1.25 + 2.0,
                "{name}: {small} steps a byte, {large} in a text four times as long"
            );
        }
    }
}
