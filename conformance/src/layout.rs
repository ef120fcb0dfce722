//! Sizes and offsets as C has them.

use crate::target::{LongDouble, Target};
use crate::types::Ty;

/// A value's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Alignment.
    pub align: usize,
    /// What each byte is.
    pub bytes: Vec<Byte>,
}

/// What a byte of a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// Nothing.
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

    /// A byte that two members of a union share: whatever one of them may not be, it is not.
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
    /// Of no value.
    pub const NOTHING: Layout = Layout {
        align: 1,
        bytes: Vec::new(),
    };

    fn number(size: usize) -> Layout {
        Layout {
            align: size,
            bytes: vec![Byte::Value; size],
        }
    }

    fn x87() -> Layout {
        let mut bytes = vec![Byte::Value; 10];
        (bytes[7], bytes[8]) = (Byte::X87Fraction, Byte::X87Exponent);
        bytes.resize(16, Byte::Padding);
        Layout { align: 16, bytes }
    }

    /// Of a type on a target.
    pub fn of(ty: &Ty, target: &Target) -> Layout {
        match ty {
            Ty::Number(code) => {
                let has_x87 = target.long_double == LongDouble::X87;
                let size = code.bytes(target.model);
                match code.letter {
                    'e' if has_x87 => Layout::x87(),
                    'E' if has_x87 => Layout::x87().repeated(2),
                    'F' | 'D' | 'E' => Layout::number(size / 2).repeated(2),
                    '?' => Layout {
                        align: 1,
                        bytes: vec![Byte::Bool],
                    },
                    _ => Layout::number(size),
                }
            }
            Ty::Struct(members) => {
                let mut whole = Layout::NOTHING;
                for member in members {
                    let part = Layout::of(&member.ty, target);
                    whole.align_end(part.align);
                    let all = part.repeated(member.count.unwrap_or(1) as usize);
                    whole.bytes.extend(all.bytes);
                }
                whole.align_end(whole.align);
                whole
            }
            Ty::Declared(record) => record.layout.clone(),
        }
    }

    fn repeated(self, count: usize) -> Layout {
        Layout {
            align: self.align,
            bytes: self.bytes.repeat(count),
        }
    }

    fn align_end(&mut self, align: usize) {
        self.align = self.align.max(align);
        let end = self.bytes.len().next_multiple_of(align);
        self.bytes.resize(end, Byte::Padding);
    }

    /// Of what both sides' memory holds for a value: what fills a word is widened to one.
    pub fn cell(ty: &Ty, target: &Target) -> Layout {
        match ty.word() {
            Some(_) => Layout::number(8),
            None => Layout::of(ty, target),
        }
    }

    /// The bytes at which two values differ that ought to be the same, padding aside.
    pub fn differences(&self, wanted: &[u8], got: &[u8]) -> Vec<usize> {
        let masks = self.bytes.iter().map(|kind| kind.mask());
        let pairs = wanted.iter().zip(got).zip(masks).enumerate();
        let differs = pairs.filter(|(_, ((wanted, got), mask))| (*wanted ^ *got) & mask != 0);
        differs.map(|(index, _)| index).collect()
    }
}

/// Where each argument's cell lies in memory that both sides know, and where they end.
pub fn offsets(args: &[Ty], target: &Target) -> (Vec<usize>, usize) {
    let mut end: usize = 0;
    let offset = |ty| {
        let cell = Layout::cell(ty, target);
        // Word by word, unless the value wants more.
        let offset = end.next_multiple_of(cell.align.max(8));
        end = offset + cell.bytes.len().next_multiple_of(8);
        offset
    };
    (args.iter().map(offset).collect(), end)
}
