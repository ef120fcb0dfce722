//! C's types.

use super::names::NameId;
use std::num::NonZeroU32;
use std::ops::Range;

/// A type of [`super::Declarations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(NonZeroU32);

impl TypeId {
    /// Its number, for where no type of Rust's gets to: see [`super::Declarations::type_numbered`].
    pub const fn number(self) -> u32 {
        self.0.get() - 1
    }

    pub(super) fn new(number: u32) -> TypeId {
        TypeId(NonZeroU32::MIN.saturating_add(number))
    }

    pub(super) fn index(self) -> usize {
        self.number() as usize
    }
}

/// A type that has a name of its own in C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each name is its own description")]
pub enum Basic {
    Void,
    Bool,
    Char,
    SChar,
    UChar,
    Short,
    UShort,
    Int,
    UInt,
    Long,
    ULong,
    LongLong,
    ULongLong,
    Int128,
    UInt128,
    Float,
    Double,
    LongDouble,
    /// `__float128` and `_Float128`.
    Float128,
    ComplexFloat,
    ComplexDouble,
    ComplexLongDouble,
    ComplexFloat128,
    /// `__builtin_va_list`.
    VaList,
    /// `_Float16`, which is in memory only here.
    Float16,
    /// `__bf16`, which is in memory only here.
    BFloat16,
    /// `_Float16 _Complex`, which is in memory only here.
    ComplexFloat16,
}

impl Basic {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Basic; 27] = [
        Basic::Void,
        Basic::Bool,
        Basic::Char,
        Basic::SChar,
        Basic::UChar,
        Basic::Short,
        Basic::UShort,
        Basic::Int,
        Basic::UInt,
        Basic::Long,
        Basic::ULong,
        Basic::LongLong,
        Basic::ULongLong,
        Basic::Int128,
        Basic::UInt128,
        Basic::Float,
        Basic::Double,
        Basic::LongDouble,
        Basic::Float128,
        Basic::ComplexFloat,
        Basic::ComplexDouble,
        Basic::ComplexLongDouble,
        Basic::ComplexFloat128,
        Basic::VaList,
        Basic::Float16,
        Basic::BFloat16,
        Basic::ComplexFloat16,
    ];

    /// How C spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Basic::Void => "void",
            Basic::Bool => "_Bool",
            Basic::Char => "char",
            Basic::SChar => "signed char",
            Basic::UChar => "unsigned char",
            Basic::Short => "short",
            Basic::UShort => "unsigned short",
            Basic::Int => "int",
            Basic::UInt => "unsigned int",
            Basic::Long => "long",
            Basic::ULong => "unsigned long",
            Basic::LongLong => "long long",
            Basic::ULongLong => "unsigned long long",
            Basic::Int128 => "__int128",
            Basic::UInt128 => "unsigned __int128",
            Basic::Float => "float",
            Basic::Double => "double",
            Basic::LongDouble => "long double",
            Basic::Float128 => "_Float128",
            Basic::ComplexFloat => "float _Complex",
            Basic::ComplexDouble => "double _Complex",
            Basic::ComplexLongDouble => "long double _Complex",
            Basic::ComplexFloat128 => "_Float128 _Complex",
            Basic::VaList => "__builtin_va_list",
            Basic::Float16 => "_Float16",
            Basic::BFloat16 => "__bf16",
            Basic::ComplexFloat16 => "_Float16 _Complex",
        }
    }

    /// Whether it is an integer, `_Bool` included.
    pub const fn is_integer(self) -> bool {
        matches!(
            self,
            Basic::Bool
                | Basic::Char
                | Basic::SChar
                | Basic::UChar
                | Basic::Short
                | Basic::UShort
                | Basic::Int
                | Basic::UInt
                | Basic::Long
                | Basic::ULong
                | Basic::LongLong
                | Basic::ULongLong
                | Basic::Int128
                | Basic::UInt128
        )
    }
}

/// What a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ty {
    /// One that has a name of its own.
    Basic(Basic),
    /// A pointer. Qualifiers of what it points to are known only where somebody looks at them: `const`.
    Pointer {
        /// What it points to.
        to: TypeId,
        /// Whether that is `const`.
        to_const: bool,
    },
    /// An array; without a length where the text has none.
    Array {
        /// The elements' type.
        of: TypeId,
        /// How many.
        len: Option<u64>,
        /// Whether these are `const`.
        of_const: bool,
    },
    /// A function: see [`super::Declarations::function_type`].
    Function(u32),
    /// A `struct` or a `union`.
    Record(u32),
    /// An `enum`.
    Enum(u32),
    /// A typedef, with an alignment that somebody asked for (0 for its own).
    Alias {
        /// The name.
        name: NameId,
        /// What it stands for: no typedef itself.
        of: TypeId,
        /// Bytes.
        align: u32,
    },
    /// A vector of GNU C's, of so many bytes.
    Vector {
        /// The elements' type.
        of: TypeId,
        /// Bytes in all.
        size: u32,
    },
}

/// A function's type. Parameters of array and function types are pointers here, as C has it (C11 6.7.6.3p7, p8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionType {
    /// The result's type.
    pub ret: TypeId,
    pub(super) params: u32,
    pub(super) count: u32,
    /// Whether `...` follows them.
    pub is_variadic: bool,
    /// Whether the text says what they are: it does not in `int f();`.
    pub has_prototype: bool,
}

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name, if it has one.
    pub name: Option<NameId>,
    /// Its type.
    pub ty: TypeId,
}

/// A `struct` or a `union`.
#[derive(Clone, Debug)]
pub struct Record {
    /// The tag.
    pub tag: Option<NameId>,
    /// Whether it is a union.
    pub is_union: bool,
    pub(super) fields: Range<u32>,
    /// Bytes; 0 until it is complete.
    pub size: u64,
    /// Bytes; 1 until it is complete.
    pub align: u32,
    /// Whether its last member is an array without a length.
    pub has_flexible_array: bool,
    /// The first of the numbers that its fields have by their names, if there are many: see [`super::Declarations::add_fields`].
    pub(super) by_name: u32,
    /// How deep structures are nested in it, itself counted; 0 until it is complete.
    pub(super) depth: u8,
    /// The largest alignment of its members, as attributes of theirs and pragmas have it: its own, had nobody asked for more.
    pub natural_align: u32,
    /// The bytes that unnamed bit-fields touch, which are no members: of the first 16, a bit for each.
    pub(super) unnamed: u16,
    /// Whether there is such a bit-field.
    pub(super) has_unnamed: bool,
    /// Whether there is a bit-field of no bits.
    pub(super) has_empty_bits: bool,
}

impl Record {
    /// Whether its members are known.
    pub(super) fn is_complete(&self) -> bool {
        self.depth > 0
    }
}

/// A member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; without one where it is an anonymous structure, whose members count as those of the outer one.
    pub name: Option<NameId>,
    /// Its type.
    pub ty: TypeId,
    /// Its offset, and above that, for a bit-field, the first bit and how many: no structure has more than [`OFFSET_BITS`] bits of bytes.
    place: u64,
}

const OFFSET_BITS: u32 = 48;

impl Field {
    /// One at the start of a structure.
    pub(super) fn new(name: Option<NameId>, ty: TypeId) -> Field {
        Field { name, ty, place: 0 }
    }

    /// Bytes from the start; of a bit-field those of the byte in which it begins.
    pub fn offset(&self) -> u64 {
        self.place & ((1 << OFFSET_BITS) - 1)
    }

    /// For a bit-field: the first bit within that byte, and how many.
    pub fn bits(&self) -> Option<(u8, u8)> {
        let said = self.place >> OFFSET_BITS;
        let first = (said >> 8).checked_sub(1)?;
        Some((first as u8, said as u8))
    }

    /// The same member in another place.
    pub fn at(self, offset: u64) -> Field {
        let said = self.place >> OFFSET_BITS << OFFSET_BITS;
        Field {
            place: said | offset & ((1 << OFFSET_BITS) - 1),
            ..self
        }
    }

    /// The same member as a bit-field of so many bits from one on.
    pub(super) fn at_bit(self, bit: u64, count: u8) -> Field {
        let said = (bit % 8 + 1) << 8 | u64::from(count);
        let place = said << OFFSET_BITS;
        Field { place, ..self }.at(bit / 8)
    }

    /// An element of the array that this is.
    pub fn element(self, of: TypeId, offset: u64) -> Field {
        Field { ty: of, ..self }.at(self.offset() + offset)
    }
}

/// An `enum`.
#[derive(Clone, Debug)]
pub struct Enum {
    /// The tag.
    pub tag: Option<NameId>,
    /// The integer type it is compatible with; `None` until it is complete.
    pub ty: Option<Basic>,
    /// Its constants, and those that directives among them define.
    pub(super) constants: Range<u32>,
}
