//! C's sizes and offsets, and the cells through which both sides hand over values.

use crate::layout::{Byte, Layout};
use crate::target::{LongDouble, Target};
use crate::types::Ty;

impl Layout {
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

    /// The layout of a type on a target.
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

    /// The layout of a value's cell in the memory of both sides: a value of the type codes is widened to a word.
    pub fn cell(ty: &Ty, target: &Target) -> Layout {
        match ty.word() {
            Some(_) => Layout::number(8),
            None => Layout::of(ty, target),
        }
    }
}

/// The offset of each argument's cell in the memory that both sides know, and the end of the last.
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
