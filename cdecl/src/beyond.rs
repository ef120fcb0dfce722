//! Numbers that are too large for a `float`, and their text.
//!
//! The standard library's formatting handles all floating-point numbers, and adds 20 kB to a program. The numbers here are all integers, of at
//! most 309 digits.

use std::cmp::Ordering;
use std::fmt::{self, Write};

/// A finite number beyond the range of `float`. Its text is that of `{:e}`: the fewest digits that tell it from all other numbers.
///
/// ```
/// use farcall_cdecl::BeyondFloat;
///
/// assert_eq!(BeyondFloat::new(1e39).map(|number| number.to_string()).as_deref(), Some("1e39"));
/// assert!(BeyondFloat::new(1e38).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BeyondFloat(f64);

/// Room for the digits of the largest number, and one more.
const DIGITS: usize = 310;

/// The number of digits that tells any two numbers apart.
const MOST_SHOWN: usize = 17;

/// The number of bits after the implicit first one.
const FRACTION: u32 = 52;

type Digits = [u8; DIGITS];

impl BeyondFloat {
    /// The number, if it is beyond the range of `float` and finite.
    pub fn new(number: f64) -> Option<BeyondFloat> {
        let is_beyond = number.is_finite() && (number as f32).is_infinite();
        is_beyond.then_some(BeyondFloat(number))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The shortest digits, followed by zeros, that identify the number: no other number is nearer to them.
    fn shortest(self) -> Digits {
        let bits = self.0.to_bits();
        let fraction = bits & ((1 << FRACTION) - 1);
        let mantissa = fraction | 1 << FRACTION;
        // Two bits less, for halves and quarters of the distance to the next number.
        let shift = (bits >> FRACTION & 0x7ff) as u32 - (1023 + FRACTION) - 2;
        let below = if fraction == 0 { 1 } else { 2 };
        let exact = digits(4 * mantissa, shift);
        let [low, high] = [4 * mantissa - below, 4 * mantissa + 2].map(|end| digits(end, shift));
        let is_near = |candidate: &Digits| match (candidate.cmp(&low), candidate.cmp(&high)) {
            (Ordering::Greater, Ordering::Less) => true,
            // The middle between two numbers is rounded to the even one.
            (Ordering::Equal, _) | (_, Ordering::Equal) => mantissa.is_multiple_of(2),
            _ => false,
        };
        let first = first_of(&exact);
        for end in first + 1..first + MOST_SHOWN {
            let (down, up) = around(&exact, end);
            let is_nearer_up = exact.get(end).is_some_and(|digit| *digit >= 5);
            let in_turn = if is_nearer_up { [up, down] } else { [down, up] };
            if let Some(found) = in_turn.into_iter().find(is_near) {
                return found;
            }
        }
        let (down, up) = around(&exact, first + MOST_SHOWN);
        let is_nearer_up = exact
            .get(first + MOST_SHOWN)
            .is_some_and(|digit| *digit >= 5);
        if is_nearer_up { up } else { down }
    }
}

/// The first digit that is not zero.
fn first_of(digits: &Digits) -> usize {
    digits.iter().position(|digit| *digit != 0).unwrap_or(0)
}

/// The digits of `number << shift`.
fn digits(number: u64, shift: u32) -> Digits {
    // The largest number has 1,024 bits.
    let mut words = [0_u32; 34];
    let (word, bit) = ((shift / 32) as usize, shift % 32);
    let shifted = u128::from(number) << bit;
    for (place, index) in words.iter_mut().skip(word).zip(0..4) {
        *place = (shifted >> (32 * index)) as u32;
    }
    let mut digits = [0; DIGITS];
    for group in digits.rchunks_mut(9) {
        let mut rest = 0;
        for word in words.iter_mut().rev() {
            let value = rest << 32 | u64::from(*word);
            *word = (value / 1_000_000_000) as u32;
            rest = value % 1_000_000_000;
        }
        for digit in group.iter_mut().rev() {
            *digit = (rest % 10) as u8;
            rest /= 10;
        }
    }
    digits
}

/// The next smaller and the next larger number with zeros from digit `end` on.
fn around(exact: &Digits, end: usize) -> (Digits, Digits) {
    let mut down = *exact;
    down.iter_mut().skip(end).for_each(|digit| *digit = 0);
    let mut up = down;
    for digit in up.iter_mut().take(end).rev() {
        *digit = (*digit + 1) % 10;
        if *digit != 0 {
            break;
        }
    }
    (down, up)
}

impl fmt::Display for BeyondFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.shortest();
        if self.0 < 0.0 {
            f.write_char('-')?;
        }
        let first = first_of(&digits);
        let last = digits.iter().rposition(|digit| *digit != 0);
        for (index, digit) in digits.iter().enumerate().skip(first) {
            if last.is_none_or(|last| index > last) {
                break;
            }
            if index == first + 1 {
                f.write_char('.')?;
            }
            f.write_char(char::from(b'0' + digit))?;
        }
        write!(f, "e{}", DIGITS - 1 - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_standard_librarys() {
        let edges = [
            3.4028235677973366e38,
            1e39,
            9.007199254740993e300,
            9.999999999999999e200,
            1e300,
            1.5e308,
            2f64.powi(1000),
            2f64.powi(1001),
            f64::MAX,
        ];
        // Arbitrary numbers: the highest bits of a product that overflows.
        let any = (0..2_000_u64).map(|n| {
            let exponent = 1023 + 129 + n % 894;
            f64::from_bits(exponent << 52 | n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12)
        });
        let powers = (128..1024).map(|n| 2f64.powi(n));
        let tens = (39..=308).map(|n| format!("1e{n}").parse().expect("a number"));
        for number in edges.into_iter().chain(powers).chain(tens).chain(any) {
            for number in [number, -number, number.next_down(), number.next_up()] {
                let Some(beyond) = BeyondFloat::new(number) else {
                    continue;
                };
                assert_eq!(beyond.to_string(), format!("{number:e}"));
            }
        }
    }

    #[test]
    fn only_finite_numbers_beyond_are_taken() {
        for number in [0.0, 1.5, f64::from(f32::MAX), f64::INFINITY, f64::NAN] {
            assert_eq!(BeyondFloat::new(number), None);
        }
        assert_eq!(BeyondFloat::new(-1e39).map(BeyondFloat::get), Some(-1e39));
    }
}
