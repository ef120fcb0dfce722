//! The storage of constants: two words each, and separate tables for larger values.

use super::constant::Constant;
use super::names::NameId;
use super::room::{reserved, trim};
use super::types::Basic;
use farcall_memory::{OutOfMemory, TryVec};

/// The number of bits in a constant's first word for its type: an integer type whose value is the second word, or one of the tags below.
const TYPE_BITS: u32 = 4;

/// Tags of constants whose second word is an index into a separate table.
const TEXT: u32 = 0;
const WIDE: u32 = 15;

/// The type of a floating-point number among the wide ones.
const FLOAT: u32 = 0;

/// The number of constants at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConstantsMark {
    words: usize,
    wide: usize,
    texts: usize,
}

#[derive(Debug, Default)]
pub(super) struct Constants {
    /// The name's number with the type, and the value.
    words: Vec<[u32; 2]>,
    /// The type and 64 bits of the value. The next row has the upper half of a value of 128 bits.
    wide: Vec<[u32; 3]>,
    texts: Vec<Box<[u8]>>,
}

/// Whether a type is unsigned.
fn is_unsigned(ty: Basic) -> bool {
    matches!(
        ty,
        Basic::Bool
            | Basic::UChar
            | Basic::UShort
            | Basic::UInt
            | Basic::ULong
            | Basic::ULongLong
            | Basic::UInt128
    )
}

/// A value as a word, if it fits.
fn word(value: i128, ty: Basic) -> Option<u32> {
    match is_unsigned(ty) {
        true => u32::try_from(value).ok(),
        false => i32::try_from(value).ok().map(|value| value as u32),
    }
}

impl Constants {
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The reserved memory, in bytes.
    pub fn reserved(&self) -> usize {
        let texts = self.texts.iter().map(|text| text.len()).sum::<usize>();
        reserved(&self.words) + reserved(&self.wide) + reserved(&self.texts) + texts
    }

    /// Adds a constant, with the type if it is an integer.
    pub fn push(
        &mut self,
        name: NameId,
        value: &Constant<'_>,
        ty: Option<Basic>,
    ) -> Result<(), OutOfMemory> {
        let (code, word) = match *value {
            Constant::Integer(value) => {
                let ty = ty.unwrap_or(Basic::Int);
                match word(value, ty) {
                    Some(word) => (ty as u32, word),
                    None => (WIDE, self.push_wide(value, ty)?),
                }
            }
            Constant::Float(value) => {
                let bits = value.to_bits();
                let words = [FLOAT, bits as u32, (bits >> 32) as u32];
                self.wide.try_push(words)?;
                (WIDE, self.wide.len() as u32 - 1)
            }
            Constant::Text(bytes) => {
                let mut text = Vec::new();
                text.try_reserve_exact(bytes.len())?;
                text.extend_from_slice(bytes);
                self.texts.try_push(text.into_boxed_slice())?;
                (TEXT, self.texts.len() as u32 - 1)
            }
        };
        self.words
            .try_push([name.number() << TYPE_BITS | code, word])
    }

    fn push_wide(&mut self, value: i128, ty: Basic) -> Result<u32, OutOfMemory> {
        let index = self.wide.len() as u32;
        let halves = match ty {
            Basic::Int128 | Basic::UInt128 => 2,
            _ => 1,
        };
        for half in 0..halves {
            let bits = value >> (64 * half);
            let words = [ty as u32, bits as u32, (bits >> 32) as u32];
            self.wide.try_push(words)?;
        }
        Ok(index)
    }

    /// The name of a constant, its value, and its type if it is an integer.
    pub fn get(&self, index: u32) -> (NameId, Constant<'_>, Option<Basic>) {
        let [first, word] = self.words[index as usize];
        let code = first & ((1 << TYPE_BITS) - 1);
        let (value, ty) = match (code, Basic::ALL[code as usize]) {
            (TEXT, _) => (Constant::Text(&self.texts[word as usize]), None),
            (WIDE, _) => self.wide(word as usize),
            (_, ty) if is_unsigned(ty) => (Constant::Integer(word.into()), Some(ty)),
            (_, ty) => (Constant::Integer((word as i32).into()), Some(ty)),
        };
        (NameId::of(first >> TYPE_BITS), value, ty)
    }

    fn wide(&self, index: usize) -> (Constant<'_>, Option<Basic>) {
        let bits = |[_, low, high]: [u32; 3]| u64::from(high) << 32 | u64::from(low);
        let (code, low) = (self.wide[index][0], bits(self.wide[index]));
        if code == FLOAT {
            return (Constant::Float(f64::from_bits(low)), None);
        }
        let ty = Basic::ALL[code as usize];
        let value = match ty {
            Basic::Int128 | Basic::UInt128 => {
                let high = bits(self.wide[index + 1]);
                (u128::from(high) << 64 | u128::from(low)) as i128
            }
            _ if is_unsigned(ty) => low.into(),
            _ => (low as i64).into(),
        };
        (Constant::Integer(value), Some(ty))
    }

    pub fn mark(&self) -> ConstantsMark {
        ConstantsMark {
            words: self.words.len(),
            wide: self.wide.len(),
            texts: self.texts.len(),
        }
    }

    pub fn truncate(&mut self, mark: &ConstantsMark) {
        self.words.truncate(mark.words);
        self.wide.truncate(mark.wide);
        self.texts.truncate(mark.texts);
    }

    /// Frees memory if much more is reserved than is in use.
    pub fn trim(&mut self) {
        trim(&mut self.words);
        trim(&mut self.wide);
        trim(&mut self.texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_given_as_they_were_kept() {
        let mut all = Constants::default();
        let integers = [
            (0, Basic::Int),
            (-1, Basic::Int),
            (i32::MIN.into(), Basic::Long),
            (u32::MAX.into(), Basic::UInt),
            (u32::MAX.into(), Basic::Long),
            (u64::MAX.into(), Basic::ULong),
            (i128::MIN, Basic::Int128),
            (-1, Basic::UInt128),
            (1, Basic::Bool),
            (200, Basic::Char),
        ];
        let integers = integers.map(|(value, ty)| (Constant::Integer(value), Some(ty)));
        let others = [Constant::Float(-0.5), Constant::Text(b"text")].map(|value| (value, None));
        let name = NameId::of((1 << 28) - 1);
        for (value, ty) in integers.iter().chain(&others) {
            all.push(name, value, *ty).expect("memory");
            let last = all.get(all.len() as u32 - 1);
            assert_eq!(last, (name, *value, *ty));
        }
    }
}
