//! The storage of types: a word each, and separate tables for further data.

use super::names::NameId;
use super::room::{reserved, trim};
use super::types::{Basic, FunctionType, Param, Ty, TypeId};
use farcall_memory::{OutOfMemory, TryVec};

/// The number of low bits of a type's word that hold its kind.
const KIND_BITS: u32 = 3;
const BASIC: u32 = 0;
const POINTER: u32 = 1;
const POINTER_TO_CONST: u32 = 2;
const ARRAY: u32 = 3;
const FUNCTION: u32 = 4;
const RECORD: u32 = 5;
const ENUM: u32 = 6;
const ALIAS: u32 = 7;

/// The most entries of any table, so that five bits fit into a word beside an entry's number.
const MOST: usize = 1 << 27;

/// The length of an array without one.
const NO_LENGTH: u64 = u64::MAX;

/// Flags in the low bits of an array's first word.
const OF_CONST: u32 = 1;
const IS_VECTOR: u32 = 2;

/// The number of bits in an alias's second word for its alignment: the exponent of 2 plus one, or 0 for none.
const ALIGN_BITS: u32 = 5;

/// The sizes of all tables at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypesMark {
    pub types: usize,
    arrays: usize,
    aliases: usize,
    functions: usize,
}

#[derive(Debug, Default)]
pub(super) struct Types {
    words: Vec<u32>,
    /// The depth of each type: the number of types nested in it. It bounds every recursion.
    depths: Vec<u8>,
    /// Arrays and vectors: the elements' type with flags, and the two halves of the length.
    arrays: Vec<[u32; 3]>,
    /// Aliases: the name's number, and the target type with the requested alignment.
    aliases: Vec<[u32; 2]>,
    /// For each function, the number of its parameters with flags, the result's type, and the parameters' types and names.
    functions: Vec<u8>,
}

impl Types {
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The reserved memory, in bytes.
    pub fn reserved(&self) -> usize {
        reserved(&self.words)
            + reserved(&self.depths)
            + reserved(&self.arrays)
            + reserved(&self.aliases)
            + reserved(&self.functions)
    }

    pub fn depth(&self, ty: TypeId) -> u8 {
        self.depths[ty.index()]
    }

    pub fn get(&self, ty: TypeId) -> Ty {
        let word = self.words[ty.index()];
        let (kind, rest) = (word & ((1 << KIND_BITS) - 1), word >> KIND_BITS);
        match kind {
            POINTER | POINTER_TO_CONST => Ty::Pointer {
                to: TypeId::new(rest),
                to_const: kind == POINTER_TO_CONST,
            },
            ARRAY => self.array(rest),
            FUNCTION => Ty::Function(rest),
            RECORD => Ty::Record(rest),
            ENUM => Ty::Enum(rest),
            ALIAS => self.alias(rest),
            _ => Ty::Basic(Basic::ALL[rest as usize]),
        }
    }

    fn array(&self, index: u32) -> Ty {
        let [of, low, high] = self.arrays[index as usize];
        let (ty, len) = (TypeId::new(of >> 2), u64::from(high) << 32 | u64::from(low));
        match of & IS_VECTOR {
            0 => Ty::Array {
                of: ty,
                len: Some(len).filter(|len| *len != NO_LENGTH),
                of_const: of & OF_CONST != 0,
            },
            _ => Ty::Vector { of: ty, size: low },
        }
    }

    fn alias(&self, index: u32) -> Ty {
        let [name, of] = self.aliases[index as usize];
        let align = of & ((1 << ALIGN_BITS) - 1);
        Ty::Alias {
            name: NameId::of(name),
            of: TypeId::new(of >> ALIGN_BITS),
            align: align.checked_sub(1).map_or(0, |power| 1 << power),
        }
    }

    /// Adds a type of this depth.
    pub fn push(&mut self, ty: Ty, depth: u8) -> Result<TypeId, OutOfMemory> {
        let (kind, rest) = match ty {
            Ty::Basic(basic) => (BASIC, basic as u32),
            Ty::Pointer { to, to_const } => match to_const {
                true => (POINTER_TO_CONST, to.number()),
                false => (POINTER, to.number()),
            },
            Ty::Array { of, len, of_const } => {
                let len = len.unwrap_or(NO_LENGTH);
                let said = if of_const { OF_CONST } else { 0 };
                (ARRAY, self.add_array(of, said, len)?)
            }
            Ty::Vector { of, size } => (ARRAY, self.add_array(of, IS_VECTOR, size.into())?),
            Ty::Function(place) => (FUNCTION, place),
            Ty::Record(index) => (RECORD, index),
            Ty::Enum(index) => (ENUM, index),
            Ty::Alias { name, of, align } => {
                let power = align.checked_ilog2().map_or(0, |power| power + 1);
                let of = of.number() << ALIGN_BITS | power;
                self.aliases.try_push([name.number(), of])?;
                (ALIAS, self.aliases.len() as u32 - 1)
            }
        };
        if self.len() >= MOST || rest as usize >= MOST {
            return Err(OutOfMemory);
        }
        self.depths.try_reserve(1)?;
        self.words.try_push(rest << KIND_BITS | kind)?;
        self.depths.push(depth);
        Ok(TypeId::new(self.len() as u32 - 1))
    }

    fn add_array(&mut self, of: TypeId, said: u32, len: u64) -> Result<u32, OutOfMemory> {
        let words = [of.number() << 2 | said, len as u32, (len >> 32) as u32];
        self.arrays.try_push(words)?;
        Ok(self.arrays.len() as u32 - 1)
    }

    /// Stores the result and the parameters of a function type. Returns the number for [`Ty::Function`].
    pub fn add_function(
        &mut self,
        ret: TypeId,
        params: &[Param],
        is_variadic: bool,
        has_prototype: bool,
    ) -> Result<u32, OutOfMemory> {
        let place = self.functions.len() as u32;
        let said = u32::from(is_variadic) | u32::from(has_prototype) << 1;
        self.add_number((params.len() as u32) << 2 | said)?;
        self.add_number(ret.number())?;
        for param in params {
            self.add_number(param.ty.number())?;
            self.add_number(param.name.map_or(0, NameId::number))?;
        }
        match self.functions.len() < MOST {
            true => Ok(place),
            false => Err(OutOfMemory),
        }
    }

    /// Adds a number in as few bytes as possible, with seven bits in each.
    fn add_number(&mut self, number: u32) -> Result<(), OutOfMemory> {
        let mut left = number;
        while left >= 1 << 7 {
            self.functions.try_push(left as u8 | 1 << 7)?;
            left >>= 7;
        }
        self.functions.try_push(left as u8)
    }

    pub fn function(&self, place: u32) -> FunctionType {
        let mut bytes = &self.functions[place as usize..];
        let first = number(&mut bytes);
        let ret = TypeId::new(number(&mut bytes));
        FunctionType {
            ret,
            params: (self.functions.len() - bytes.len()) as u32,
            count: first >> 2,
            is_variadic: first & 1 != 0,
            has_prototype: first & 2 != 0,
        }
    }

    pub fn params(&self, function: &FunctionType) -> Params<'_> {
        Params {
            bytes: &self.functions[function.params as usize..],
            left: function.count as usize,
        }
    }

    pub fn mark(&self) -> TypesMark {
        TypesMark {
            types: self.words.len(),
            arrays: self.arrays.len(),
            aliases: self.aliases.len(),
            functions: self.functions.len(),
        }
    }

    /// Removes the last type's word, but not its data in other tables.
    pub fn pop(&mut self) {
        self.words.pop();
        self.depths.pop();
    }

    /// Removes the data of removed types from the other tables.
    pub fn truncate(&mut self, mark: &TypesMark) {
        self.arrays.truncate(mark.arrays);
        self.aliases.truncate(mark.aliases);
        self.functions.truncate(mark.functions);
    }

    /// Frees memory if much more is reserved than is in use.
    pub fn trim(&mut self) {
        trim(&mut self.words);
        trim(&mut self.depths);
        trim(&mut self.arrays);
        trim(&mut self.aliases);
        trim(&mut self.functions);
    }
}

/// An iterator over the parameters of a function type.
#[derive(Clone, Debug)]
pub struct Params<'c> {
    bytes: &'c [u8],
    left: usize,
}

impl Iterator for Params<'_> {
    type Item = Param;

    fn next(&mut self) -> Option<Param> {
        self.left = self.left.checked_sub(1)?;
        let ty = TypeId::new(number(&mut self.bytes));
        let name = NameId::new(number(&mut self.bytes));
        Some(Param { name, ty })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Params<'_> {}

/// Reads a number off the front of the bytes.
fn number(bytes: &mut &[u8]) -> u32 {
    let (mut number, mut shift) = (0, 0);
    while let Some((first, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u32::from(first & 0x7f) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}
