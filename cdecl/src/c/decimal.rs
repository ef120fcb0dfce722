//! A reader for C's decimal floating-point constants (C11 6.4.4.2). It computes the nearest `double` with exact integer arithmetic.
//!
//! The standard library's reader is faster, but adds 15 kB to a program, two thirds of it a table of powers.

/// The most digits that are read exactly. Further digits can only move a number off the middle between two others.
const DIGITS: usize = 770;

/// Enough limbs for [`DIGITS`] digits, shifted up by the size of the largest divisor.
const LIMBS: usize = 208;

/// The nearest `double` to digits with an optional point and an optional exponent; `None` for other text.
pub(super) fn parse(text: &str) -> Option<f64> {
    let mut number = Whole {
        limbs: [0; LIMBS],
        len: 0,
    };
    let mut rest = text.as_bytes();
    let (mut digits, mut exponent) = (0, 0_i64);
    let (mut has_digits, mut has_point, mut is_cut) = (false, false, false);
    while let [byte @ (b'0'..=b'9' | b'.'), more @ ..] = rest {
        rest = more;
        if *byte == b'.' {
            if has_point {
                return None;
            }
            has_point = true;
            continue;
        }
        has_digits = true;
        exponent -= i64::from(has_point);
        let digit = byte - b'0';
        if digits < DIGITS {
            number.mul_add(10, digit.into());
            digits += usize::from(number.len > 0);
        } else {
            is_cut |= digit != 0;
            exponent += 1;
        }
    }
    if !has_digits {
        return None;
    }
    exponent += written_exponent(rest)?;
    let size = digits as i64 + exponent;
    if number.len == 0 || size < -326 {
        return Some(0.0);
    }
    if size > 310 {
        return Some(f64::INFINITY);
    }
    Some(number.scaled(exponent as i32, is_cut))
}

/// The exponent after the digits: nothing, or `e` and a number, which is capped.
fn written_exponent(text: &[u8]) -> Option<i64> {
    let [b'e' | b'E', text @ ..] = text else {
        return text.is_empty().then_some(0);
    };
    let (is_negative, digits) = match text {
        [sign @ (b'+' | b'-'), digits @ ..] => (*sign == b'-', digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // A text has no more digits than bytes, so no digits can balance an exponent beyond this.
    let add = |value: i64, digit: &u8| (value * 10 + i64::from(digit - b'0')).min(1 << 50);
    let value = digits.iter().fold(0, add);
    Some(if is_negative { -value } else { value })
}

/// A whole number. The limbs beyond `len` are 0.
struct Whole {
    limbs: [u32; LIMBS],
    len: usize,
}

impl Whole {
    fn mul_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in self.limbs.iter_mut().take(self.len) {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if let Some(limb) = self.limbs.get_mut(self.len).filter(|_| carry > 0) {
            *limb = carry as u32;
            self.len += 1;
        }
    }

    /// Divides, and returns the remainder.
    fn div(&mut self, divisor: u32) -> u32 {
        let mut left = 0;
        for limb in self.limbs.iter_mut().take(self.len).rev() {
            let dividend = u64::from(left) << 32 | u64::from(*limb);
            *limb = (dividend / u64::from(divisor)) as u32;
            left = (dividend % u64::from(divisor)) as u32;
        }
        left
    }

    /// The limb at an index; 0 beyond the end.
    fn limb(&self, at: usize) -> u128 {
        self.limbs.get(at).map_or(0, |limb| (*limb).into())
    }

    /// The nearest `double` to this number times a power of ten. If digits were cut, the number is a little larger than this.
    fn scaled(mut self, exponent: i32, is_cut: bool) -> f64 {
        // The number is shifted up so far that the quotient has at least 64 bits: a factor of 10 takes fewer than 10/3 bits.
        let up = 3 + (exponent.min(0).unsigned_abs() as usize * 10 / 3) / 32;
        self.limbs.rotate_right(up);
        self.len += up;
        let mut is_inexact = is_cut;
        let mut left = exponent.unsigned_abs();
        while left > 0 {
            let step = left.min(9);
            let power = 10_u32.pow(step);
            if exponent > 0 {
                self.mul_add(power, 0);
            } else {
                is_inexact |= self.div(power) != 0;
            }
            left -= step;
        }
        let top = self.limbs.iter().rposition(|limb| *limb != 0).unwrap_or(0);
        let bits = top * 32 + (32 - self.limbs[top].leading_zeros() as usize);
        // The lowest bit that a double keeps, counted from the lowest bit of the first limb. A double keeps no bits below 2^-1074.
        let last = (bits - 53).max((up * 32).saturating_sub(1074));
        let at = |bit: usize| {
            let limb = bit / 32;
            let three = self.limb(limb) | self.limb(limb + 1) << 32 | self.limb(limb + 2) << 64;
            (three >> (bit % 32)) as u64
        };
        let kept = at(last) & ((1 << 53) - 1);
        let is_half = at(last - 1) & 1 == 1;
        is_inexact |= (0..last - 1).step_by(32).any(|bit| {
            let width = (last - 1 - bit).min(32);
            at(bit) & ((1 << width) - 1) != 0
        });
        let is_up = is_half && (is_inexact || kept & 1 == 1);
        let power = (last + 1074 - up * 32) as u64;
        // Without a leading 1 the value is 0 or subnormal. A carry out of the bits correctly goes into the exponent.
        let value = f64::from_bits((power << 52) + kept + u64::from(is_up));
        if power > 2045 { f64::INFINITY } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn check(text: &str) {
        let wanted = text.parse::<f64>().ok().map(f64::to_bits);
        assert_eq!(parse(text).map(f64::to_bits), wanted, "{text}");
    }

    #[test]
    fn numbers_are_the_nearest_double() {
        let texts = [
            "0.0",
            "1.",
            ".5",
            "1e0",
            "1e22",
            "1e23",
            "9007199254740993.0",
            "9007199254740992.5",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1.8e308",
            "1e309",
            "4.9e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "1e-400",
            "2.2250738585072014e-308",
            "2.2250738585072011e-308",
            "0e999999999999999999999",
            "1e-99999999999999999999",
            "1e99999999999999999999",
            "000.0001e+4",
            "8.41e21",
            "6.8e-310",
            "5e-324",
            "3e-324",
        ];
        texts.into_iter().for_each(check);
        let zeros = "0".repeat(1200);
        check(&format!("1{zeros}e-1200"));
        check(&format!("0.{zeros}1e1201"));
        check(&format!("0.{zeros}9e900"));
    }

    #[test]
    fn long_numbers_are_rounded_by_their_last_digit() {
        // The exact middle between 1 and the next number, the largest middle, and the smallest one.
        let middle = "1.00000000000000011102230246251565404236316680908203125".to_owned();
        let smallest = format!("{:.1080}", f64::from_bits(3))
            .trim_end_matches('0')
            .to_owned();
        for text in [middle, format!("{:.1080}", f64::MIN_POSITIVE), smallest] {
            check(&text);
            check(&format!("{text}{}1", "0".repeat(900)));
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "", ".", "e5", "1e", "1e+", "1.2.3", "1.5x", "1e5.", "1e5e5", "1_0.0", "+1.0",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_of_any_bits_come_back() {
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..4000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits >> 1 ^ bits >> 33).abs();
            if value.is_finite() {
                check(&format!("{value:e}"));
                check(&format!("{value:.20e}"));
            }
            // Between two doubles.
            let digits = bits >> 4;
            check(&format!("{digits}{digits}.5e{}", bits as i16 % 340));
        }
    }
}
