//! The bytes of a value, and the meaning of each.

/// A value's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Alignment.
    pub align: usize,
    /// The meaning of each byte.
    pub bytes: Vec<Byte>,
}

/// The meaning of a byte of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// Padding, which means nothing.
    Padding,
    /// A byte of a number.
    Value,
    /// Bits of bit-fields.
    Bits(u8),
    /// A `_Bool`.
    Bool,
    /// The last byte of an x87 number's fraction, whose highest bit is set in all numbers but the smallest.
    X87Fraction,
    /// The first byte of an x87 number's exponent.
    X87Exponent,
}

impl Byte {
    /// The bits that mean something.
    fn mask(self) -> u8 {
        match self {
            Byte::Padding => 0,
            Byte::Bits(mask) => mask,
            Byte::Value | Byte::Bool | Byte::X87Fraction | Byte::X87Exponent => 0xff,
        }
    }

    /// A byte that two members of a union share. Its values are those that both members allow.
    pub fn shared(self, other: Byte) -> Byte {
        let rank = |byte| match byte {
            Byte::X87Fraction | Byte::X87Exponent => 4,
            Byte::Bool => 3,
            Byte::Value => 2,
            Byte::Bits(_) => 1,
            Byte::Padding => 0,
        };
        match (self, other) {
            (Byte::Bits(one), Byte::Bits(other)) => Byte::Bits(one | other),
            _ if rank(other) > rank(self) => other,
            _ => self,
        }
    }
}

impl Layout {
    /// The layout of no value.
    pub const NOTHING: Layout = Layout {
        align: 1,
        bytes: Vec::new(),
    };

    /// The bytes at which two values differ that ought to be the same, padding aside.
    pub fn differences(&self, wanted: &[u8], got: &[u8]) -> Vec<usize> {
        let masks = self.bytes.iter().map(|kind| kind.mask());
        let pairs = wanted.iter().zip(got).zip(masks).enumerate();
        let differs = pairs.filter(|(_, ((wanted, got), mask))| (*wanted ^ *got) & mask != 0);
        differs.map(|(index, _)| index).collect()
    }
}
