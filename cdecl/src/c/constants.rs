//! Constants as they are kept: two words each, and what has no room there beside them.

use super::constant::Constant;
use super::names::NameId;
use super::room::{reserved, trim};
use super::types::Basic;
use farcall_memory::{OutOfMemory, TryVec, try_to_vec};

/// The bits of a constant's first word that have its type. None of those of integers is [`WIDE`].
const TYPE_BITS: u32 = 4;

/// The second word is the number of what is kept beside.
const WIDE: u32 = 0;

/// What takes more than a word.
#[derive(Debug)]
enum Wide {
    /// Its low and high half: 16 bytes that want no more than the alignment of 8.
    Integer([u64; 2], Basic),
    Float(f64),
    Text(Vec<u8>),
}

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConstantsMark {
    words: usize,
    wide: usize,
}

#[derive(Debug, Default)]
pub(super) struct Constants {
    /// The name's number and the type; the value.
    words: Vec<[u32; 2]>,
    wide: Vec<Wide>,
}

/// Whether a word of this type's has no sign.
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

/// A value as a word, if that holds it.
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

    /// Bytes of memory.
    pub fn reserved(&self) -> usize {
        let texts = self.wide.iter().map(|wide| match wide {
            Wide::Text(bytes) => reserved(bytes),
            _ => 0,
        });
        reserved(&self.words) + reserved(&self.wide) + texts.sum::<usize>()
    }

    /// Adds one; the type is an integer's.
    pub fn push(
        &mut self,
        name: NameId,
        value: &Constant<'_>,
        ty: Option<Basic>,
    ) -> Result<(), OutOfMemory> {
        let (code, word) = match (value, ty) {
            (Constant::Integer(value), Some(ty)) if word(*value, ty).is_some() => {
                (ty as u32, word(*value, ty).unwrap_or_default())
            }
            _ => {
                self.wide.try_push(match *value {
                    Constant::Integer(value) => {
                        let halves = [value as u64, (value >> 64) as u64];
                        Wide::Integer(halves, ty.unwrap_or(Basic::Int))
                    }
                    Constant::Float(value) => Wide::Float(value),
                    Constant::Text(bytes) => Wide::Text(try_to_vec(bytes)?),
                })?;
                (WIDE, self.wide.len() as u32 - 1)
            }
        };
        self.words
            .try_push([name.number() << TYPE_BITS | code, word])
    }

    /// The name of a constant, its value, and the type of one that is an integer.
    pub fn get(&self, index: u32) -> (NameId, Constant<'_>, Option<Basic>) {
        let [first, word] = self.words[index as usize];
        let code = first & ((1 << TYPE_BITS) - 1);
        let (value, ty) = match (code, Basic::ALL[code as usize]) {
            (WIDE, _) => self.wide(word),
            (_, ty) if is_unsigned(ty) => (Constant::Integer(word.into()), Some(ty)),
            (_, ty) => (Constant::Integer((word as i32).into()), Some(ty)),
        };
        (NameId::of(first >> TYPE_BITS), value, ty)
    }

    fn wide(&self, index: u32) -> (Constant<'_>, Option<Basic>) {
        match &self.wide[index as usize] {
            Wide::Integer([low, high], ty) => {
                let value = u128::from(*high) << 64 | u128::from(*low);
                (Constant::Integer(value as i128), Some(*ty))
            }
            Wide::Float(value) => (Constant::Float(*value), None),
            Wide::Text(bytes) => (Constant::Text(bytes), None),
        }
    }

    pub fn mark(&self) -> ConstantsMark {
        ConstantsMark {
            words: self.words.len(),
            wide: self.wide.len(),
        }
    }

    pub fn truncate(&mut self, mark: &ConstantsMark) {
        self.words.truncate(mark.words);
        self.wide.truncate(mark.wide);
    }

    /// Gives memory back where much more is reserved than there is in use.
    pub fn trim(&mut self) {
        trim(&mut self.words);
        trim(&mut self.wide);
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
