//! The values of a case: those that one side passes, and those that the other must see.

use crate::cases::Case;
use crate::codes::{Code, Shape};
use crate::layout::{Byte, Layout};
use crate::rng::Rng;
use crate::target::{Model, Target};
use crate::types::Ty;

/// One value, by the bytes of its cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// The bytes that the other side must see: a word is widened as C widens its type.
    pub wanted: Vec<u8>,
    /// The same with dirt above a word's own bits: the bytes that the giving side puts into its slot.
    pub dirty: Vec<u8>,
}

/// The values of one round of a case.
#[derive(Clone, Debug)]
pub struct Values {
    /// A value for each argument.
    pub args: Vec<Value>,
    /// The result, of no bytes for `void`.
    pub ret: Value,
}

impl Values {
    /// The values of round `round`: the first is graffiti, the others are mixed.
    pub fn new(case: &Case, target: &Target, seed: u64, round: u64) -> Values {
        let mut rng = Rng::new(&[seed, case.index, round, u64::from(b'V')]);
        let mut value = |position, ty: &Ty| match ty.word() {
            Some(code) => {
                let bits = match round {
                    0 => graffiti(position),
                    _ => mixed(code, target.model, position, &mut rng),
                };
                word(code, target.model, bits, &mut rng)
            }
            None => wide(&Layout::of(ty, target), position, round == 0, &mut rng),
        };
        let args = case.args.iter().enumerate();
        let args = args.map(|(position, ty)| value(position, ty)).collect();
        let ret = case.ret.as_ref().map(|ty| value(15, ty));
        Values {
            args,
            ret: ret.unwrap_or_default(),
        }
    }
}

/// Bytes that name where they belong: the high nibble is the argument's position modulo 16; the low one is the
/// number of the byte, plus 8 for positions 16 to 31.
fn graffiti(position: usize) -> u64 {
    let high = (position % 16) << 4 | (position / 16 % 2) << 3;
    u64::from_le_bytes(std::array::from_fn(|byte| (high | byte) as u8))
}

fn mixed(code: &Code, model: Model, position: usize, rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0 => graffiti(position),
        1 | 2 => rng.next(),
        _ => edge(code, model, rng),
    }
}

/// Values at which mistakes show: the ends of the range, and special floating-point numbers.
fn edge(code: &Code, model: Model, rng: &mut Rng) -> u64 {
    // One NaN of each kind carries a recognisable payload; a signalling one would change if any code computed with it.
    const FLOATS: [u32; 14] = [
        0x0000_0000, // 0
        0x8000_0000, // -0
        0x3f80_0000, // 1
        0xbf80_0000, // -1
        0x7f80_0000, // infinity
        0xff80_0000, // -infinity
        0x7fc1_2345, // a quiet NaN
        0xffd5_4321, // one with a sign
        0x7f81_2345, // a signalling NaN
        0x0000_0001, // the least denormal
        0x807f_ffff, // the greatest, negative
        0x0080_0000, // the least normal
        0x7f7f_ffff, // the greatest
        0x4049_0fdb, // pi
    ];
    const DOUBLES: [u64; 14] = [
        0x0000_0000_0000_0000,
        0x8000_0000_0000_0000,
        0x3ff0_0000_0000_0000,
        0xbff0_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        0x7ff8_1234_5678_9abc,
        0xfffa_cba9_8765_4321,
        0x7ff1_2345_6789_abcd,
        0x0000_0000_0000_0001,
        0x800f_ffff_ffff_ffff,
        0x0010_0000_0000_0000,
        0x7fef_ffff_ffff_ffff,
        0x4009_21fb_5444_2d18,
    ];
    match code.shape {
        Shape::Float => rng.pick(&FLOATS).into(),
        Shape::Double => rng.pick(&DOUBLES),
        _ => {
            let all = code.mask(model);
            let top = (all >> 1).wrapping_add(1);
            rng.pick(&[0, 1, all, all - 1, top, top - 1, top + 1, 0x80, 0x7fff])
        }
    }
}

fn word(code: &Code, model: Model, bits: u64, rng: &mut Rng) -> Value {
    let wanted = code.widened(bits, model);
    // Either random bits, or the opposite of the extension that a careless reader would expect.
    let dirt = if rng.coin() { rng.next() } else { !wanted };
    let mask = code.mask(model);
    Value {
        wanted: wanted.to_le_bytes().to_vec(),
        dirty: (wanted & mask | dirt & !mask).to_le_bytes().to_vec(),
    }
}

/// A wide value: graffiti, whose words count on, or random bits, padding included. An x87 number is a normal one: loading
/// others may change them.
fn wide(layout: &Layout, position: usize, is_graffiti: bool, rng: &mut Rng) -> Value {
    let byte = |(place, kind): (usize, &Byte)| {
        let byte = match is_graffiti {
            true => graffiti(position + place / 8).to_le_bytes()[place % 8],
            false => (rng.next() >> 32) as u8,
        };
        match kind {
            Byte::Padding | Byte::Value | Byte::Bits(_) => byte,
            Byte::Bool => byte & 1,
            Byte::X87Fraction => byte | 0x80,
            // Not all ones, nor all zeros, whatever the rest of the exponent is.
            Byte::X87Exponent => byte & 0x7f | 0x01,
        }
    };
    let bytes: Vec<u8> = layout.bytes.iter().enumerate().map(byte).collect();
    Value {
        wanted: bytes.clone(),
        dirty: bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ALL;

    fn bits(bytes: &[u8]) -> u64 {
        u64::from_le_bytes(bytes.try_into().expect("a word"))
    }

    #[test]
    fn graffiti_of_the_first_32_arguments_has_no_byte_twice() {
        let mut bytes: Vec<u8> = (0..32).flat_map(|n| graffiti(n).to_le_bytes()).collect();
        bytes.sort_unstable();
        bytes.dedup();
        assert_eq!(bytes.len(), 256);
    }

    #[test]
    fn values_are_reproducible_and_dirty_only_above_their_own_bits() {
        let case = Case::parse(77, "h", "bBhHiIlLqQfdp{bd}eF").expect("a case");
        for round in 0..3 {
            let values = Values::new(&case, ALL[0], 5, round);
            let again = Values::new(&case, ALL[0], 5, round);
            assert_eq!(values.args, again.args);
            for (value, ty) in values.args.iter().zip(&case.args) {
                assert_eq!(value.wanted.len(), Layout::cell(ty, ALL[0]).bytes.len());
                match ty.word() {
                    Some(code) => assert_eq!(
                        code.widened(bits(&value.dirty), Model::Lp64),
                        bits(&value.wanted)
                    ),
                    None => assert_eq!(value.dirty, value.wanted),
                }
            }
        }
    }

    #[test]
    fn narrow_values_are_dirty_more_often_than_not() {
        let narrow = Code::of('b').expect("a code");
        let mut rng = Rng::new(&[1]);
        let dirty = (0..1000).filter(|_| {
            let value = word(narrow, Model::Lp64, 0x7f, &mut rng);
            value.dirty != value.wanted
        });
        assert!(dirty.count() > 900);
    }
}
