//! C's types.

use super::names::NameId;
use std::num::NonZeroU32;
use std::ops::Range;

/// A type of [`super::Declarations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(NonZeroU32);

impl TypeId {
    /// The type's number, for interfaces that cannot pass Rust types: see [`super::Declarations::type_numbered`].
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
#[non_exhaustive]
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
    /// `_Float16`, which is supported only in memory.
    Float16,
    /// `__bf16`, which is supported only in memory.
    BFloat16,
    /// `_Float16 _Complex`, which is supported only in memory.
    ComplexFloat16,
}

impl Basic {
    /// All basic types, in the order of their numbers.
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

    /// The type's name in C.
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

/// The content of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ty {
    /// A type that has a name of its own.
    Basic(Basic),
    /// A pointer. Of the qualifiers of its target, only `const` is kept.
    Pointer {
        /// The target.
        to: TypeId,
        /// Whether the target is `const`.
        to_const: bool,
    },
    /// An array.
    Array {
        /// The elements' type.
        of: TypeId,
        /// The number of elements; `None` if the text gives no length.
        len: Option<u64>,
        /// Whether the elements are `const`.
        of_const: bool,
    },
    /// A function: see [`super::Declarations::function_type`].
    Function(u32),
    /// A `struct` or a `union`.
    Record(u32),
    /// An `enum`.
    Enum(u32),
    /// A typedef, which may ask for an alignment.
    Alias {
        /// The name.
        name: NameId,
        /// The type that it stands for, which is never a typedef.
        of: TypeId,
        /// The alignment that the typedef asks for, in bytes; 0 for none.
        align: u32,
    },
    /// A vector of GNU C.
    Vector {
        /// The elements' type.
        of: TypeId,
        /// The size of the vector, in bytes.
        size: u32,
    },
}

/// A function's type. Parameters of array and function types are adjusted to pointers (C11 6.7.6.3p7, p8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionType {
    /// The result's type.
    pub ret: TypeId,
    pub(super) params: u32,
    pub(super) count: u32,
    /// Whether the parameters end with `...`.
    pub is_variadic: bool,
    /// Whether the text declares the parameters. It does not in `int f();`.
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
    /// The size in bytes; 0 until the type is complete.
    pub size: u64,
    /// The alignment in bytes; 1 until the type is complete.
    pub align: u32,
    /// Whether the last member is an array without a length.
    pub has_flexible_array: bool,
    /// The start of its fields' order by name, if there are many fields: see [`super::Declarations::add_fields`].
    pub(super) by_name: u32,
    /// The depth of nested structures, including this one; 0 until the type is complete.
    pub(super) depth: u8,
    /// The largest alignment of the members, after their attributes and pragmas. It is the alignment of the structure unless its own
    /// attributes ask for more.
    pub natural_align: u32,
    /// A bit for each of the first 16 bytes that an unnamed bit-field touches. Unnamed bit-fields are not members.
    pub(super) unnamed: u16,
    /// Whether there is an unnamed bit-field.
    pub(super) has_unnamed: bool,
    /// Whether there is a bit-field of width 0.
    pub(super) has_empty_bits: bool,
    /// Whether Microsoft's rules apply to a bit-field that has attributes of its own, which compilers place in different ways.
    pub(super) has_odd_bits: bool,
}

impl Record {
    /// Whether the members are known.
    pub(super) fn is_complete(&self) -> bool {
        self.depth > 0
    }
}

/// A member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name; `None` for an anonymous structure, whose members count as members of the outer one.
    pub name: Option<NameId>,
    /// Its type.
    pub ty: TypeId,
    /// The offset in the low [`OFFSET_BITS`] bits, which is enough for every structure; above it, for a bit-field, the first bit and the width.
    place: u64,
}

const OFFSET_BITS: u32 = 48;

impl Field {
    /// A member at the start of a structure.
    pub(super) fn new(name: Option<NameId>, ty: TypeId) -> Field {
        Field { name, ty, place: 0 }
    }

    /// The offset from the start of the structure, in bytes; for a bit-field, that of the byte in which it begins.
    pub fn offset(&self) -> u64 {
        self.place & ((1 << OFFSET_BITS) - 1)
    }

    /// For a bit-field, the first bit within that byte, and the width in bits.
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

    /// The same member as a bit-field of `count` bits from `bit` on.
    pub(super) fn at_bit(self, bit: u64, count: u8) -> Field {
        let said = (bit % 8 + 1) << 8 | u64::from(count);
        let place = said << OFFSET_BITS;
        Field { place, ..self }.at(bit / 8)
    }

    /// An element of this member, which is an array.
    pub fn element(self, of: TypeId, offset: u64) -> Field {
        Field { ty: of, ..self }.at(self.offset() + offset)
    }
}

/// An `enum`.
#[derive(Clone, Debug)]
pub struct Enum {
    /// The tag.
    pub tag: Option<NameId>,
    /// The compatible integer type; `None` until the enumeration is complete.
    pub ty: Option<Basic>,
    /// The constants, including those that directives among them define.
    pub(super) constants: Range<u32>,
}
