//! Structures and unions: members at offsets.
//!
//! The offsets are those of C. Whoever describes types by other means gives size and alignment, or each offset, as it knows them.

use crate::types::Type;
use core::fmt;
use farcall_memory::{OutOfMemory, TryVec, try_collect, try_with_capacity};

/// The most bytes a value may have: more than any stack has. All sums of them fit their types.
pub const MAX_SIZE: u32 = 1 << 28;

/// The largest alignment: a page.
pub const MAX_ALIGN: u32 = 1 << 12;

/// How deep structures may be nested. C promises 63 levels (C11 5.2.4.1).
pub const MAX_DEPTH: u32 = 64;

/// The most numbers that a structure may consist of in the end.
pub const MAX_NUMBERS: u32 = MAX_SIZE;

/// A part of a structure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Bytes from the start of the structure.
    pub offset: u32,
    /// What it is.
    pub ty: Type,
}

/// A structure or a union with at least one member. An array is a member repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Struct {
    members: Vec<Member>,
    size: u32,
    align: u32,
    /// The largest alignment of a member.
    natural_align: u32,
    depth: u32,
    numbers: u32,
    is_mixed: bool,
}

impl Struct {
    /// A structure as C lays it out: each member at the next multiple of its alignment, the size a multiple of the largest.
    ///
    /// ```
    /// use farcall_arch::{Struct, Type};
    ///
    /// // struct { char tag; double value[2]; }
    /// let tagged = Struct::new(vec![Type::I8, Type::F64, Type::F64])?;
    /// assert_eq!((tagged.size(), tagged.align(), tagged.members()[1].offset), (24, 8, 8));
    /// # Ok::<(), farcall_arch::StructError>(())
    /// ```
    ///
    /// # Errors
    /// [`StructError`], except its variants about a given layout.
    pub fn new(types: Vec<Type>) -> Result<Struct, StructError> {
        let align = types.iter().map(Type::align).max().unwrap_or(1);
        let (members, end) = in_turn(types, MAX_ALIGN)?;
        Struct::placed(members, rounded(end, align)?, align)
    }

    /// A structure whose size and alignment its owner gives: over-aligned, padded at the end, or, where the
    /// alignment is smaller than a member's, packed to it as by `#pragma pack`.
    ///
    /// # Errors
    /// [`StructError`]; [`StructError::Overflow`] when the members take more than `size` bytes.
    pub fn with_layout(types: Vec<Type>, size: u32, align: u32) -> Result<Struct, StructError> {
        let (members, _) = in_turn(types, align)?;
        Struct::placed(members, size, align)
    }

    /// A union as C lays it out: every member at the start.
    ///
    /// # Errors
    /// As for [`Struct::new`].
    pub fn union(types: Vec<Type>) -> Result<Struct, StructError> {
        let align = types.iter().map(Type::align).max().unwrap_or(1);
        let size = types.iter().map(Type::size).max().unwrap_or(0);
        let at_start = |ty| Member { offset: 0, ty };
        let members = try_collect(types.into_iter().map(at_start))?;
        Struct::placed(members, rounded(size, align)?, align)
    }

    /// Members at given offsets, in any order, overlapping or not.
    ///
    /// # Errors
    /// [`StructError`].
    pub fn placed(members: Vec<Member>, size: u32, align: u32) -> Result<Struct, StructError> {
        if members.is_empty() {
            return Err(StructError::Empty);
        }
        if !align.is_power_of_two() || align > MAX_ALIGN {
            return Err(StructError::Alignment { got: align });
        }
        if size > MAX_SIZE {
            return Err(StructError::TooLarge { got: size.into() });
        }
        let (mut natural_align, mut depth, mut numbers) = (1, 0, 0);
        for (index, member) in members.iter().enumerate() {
            if member.ty == Type::Void {
                return Err(StructError::VoidMember { index });
            }
            let end = u64::from(member.offset) + u64::from(member.ty.size());
            if end > u64::from(size) {
                return Err(StructError::Overflow { index, end, size });
            }
            natural_align = natural_align.max(member.ty.align());
            let (inner_depth, inner_numbers) = extent(&member.ty);
            depth = depth.max(inner_depth);
            // Each count is within the bound, so they do not overflow before it is exceeded.
            numbers += inner_numbers;
            if numbers > MAX_NUMBERS {
                return Err(StructError::TooManyNumbers);
            }
        }
        if depth >= MAX_DEPTH {
            return Err(StructError::TooDeep);
        }
        Ok(Struct {
            members,
            size,
            align,
            natural_align,
            depth: depth + 1,
            numbers,
            is_mixed: false,
        })
    }

    /// The same with an alignment of its members that is not their types': where an attribute or a pragma packs them, or asks for more.
    ///
    /// # Errors
    /// [`StructError::Alignment`].
    pub fn with_natural_align(self, align: u32) -> Result<Struct, StructError> {
        if !align.is_power_of_two() || align > MAX_ALIGN {
            return Err(StructError::Alignment { got: align });
        }
        Ok(Struct {
            natural_align: align,
            ..self
        })
    }

    /// The same with something in it that has no value and is no floating-point number: an unnamed bit-field, or an array of no elements.
    pub fn mixed(self) -> Struct {
        Struct {
            is_mixed: true,
            ..self
        }
    }

    /// Its parts, in the order in which they were given.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Bytes, padding included.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// What addresses of values are multiples of, in bytes.
    pub fn align(&self) -> u32 {
        self.align
    }

    /// The largest alignment of a member, which is the structure's own unless its declaration asks for more. AAPCS64 uses it.
    pub fn natural_align(&self) -> u32 {
        self.natural_align
    }

    /// Whether something without a value keeps it from being homogeneous, whatever its members are.
    pub fn is_mixed(&self) -> bool {
        self.is_mixed
    }
}

/// Members one after the other, each at a multiple of its alignment or of `pack` if that is less, and where the last one ends.
fn in_turn(types: Vec<Type>, pack: u32) -> Result<(Vec<Member>, u32), StructError> {
    if !pack.is_power_of_two() {
        return Err(StructError::Alignment { got: pack });
    }
    let mut end = 0;
    let mut members = try_with_capacity(types.len())?;
    for ty in types {
        let offset = rounded(end, ty.align().min(pack))?;
        end = offset + ty.size();
        members.try_push(Member { offset, ty })?;
    }
    Ok((members, end))
}

/// `size` at the next multiple of `align`, if that is within [`MAX_SIZE`].
fn rounded(size: u32, align: u32) -> Result<u32, StructError> {
    let rounded = size.next_multiple_of(align);
    match rounded {
        0..=MAX_SIZE => Ok(rounded),
        _ => Err(StructError::TooLarge {
            got: rounded.into(),
        }),
    }
}

/// How deep a type is nested, and of how many numbers it consists.
fn extent(ty: &Type) -> (u32, u32) {
    match ty {
        Type::Void => (0, 0),
        Type::Scalar(_) | Type::Wide(_) => (0, 1),
        Type::Complex(_) => (0, 2),
        Type::Struct(inner) => (inner.depth, inner.numbers),
    }
}

impl fmt::Display for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let mut rest = &self.members[..];
        while let Some(first) = rest.first() {
            let same = rest
                .iter()
                .take_while(|member| member.ty == first.ty)
                .count();
            let comma = if rest.len() == self.members.len() {
                ""
            } else {
                ", "
            };
            match same {
                1 => write!(f, "{comma}{}", first.ty)?,
                count => write!(f, "{comma}{count} x {}", first.ty)?,
            }
            rest = &rest[same..];
        }
        f.write_str("}")
    }
}

/// Why types do not make a structure. Indices count from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StructError {
    /// It has no members: C has no such structures, and those of C++ and GNU C are passed in ways of their own.
    Empty,
    /// A member is `void`.
    VoidMember {
        /// Which one.
        index: usize,
    },
    /// The alignment is no power of two, or larger than [`MAX_ALIGN`].
    Alignment {
        /// What it is.
        got: u32,
    },
    /// A member ends behind the structure's end.
    Overflow {
        /// Which one.
        index: usize,
        /// Where it ends, in bytes from the structure's start.
        end: u64,
        /// The structure's size.
        size: u32,
    },
    /// It has more than [`MAX_SIZE`] bytes.
    TooLarge {
        /// How many it has, or had up to the member at which counting ended.
        got: u64,
    },
    /// Structures are nested more than [`MAX_DEPTH`] deep.
    TooDeep,
    /// Members, those of nested structures counted apart, are more than [`MAX_NUMBERS`].
    TooManyNumbers,
    /// There is no memory for the list of its members.
    OutOfMemory,
}

impl fmt::Display for StructError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            StructError::Empty => {
                f.write_str("expected a structure with members, got an empty one")
            }
            StructError::VoidMember { index } => {
                write!(
                    f,
                    "member {}: expected a type with a value, got void",
                    index + 1
                )
            }
            StructError::Alignment { got } => write!(
                f,
                "expected an alignment that is a power of two up to {MAX_ALIGN}, got {got}"
            ),
            StructError::Overflow { index, end, size } => write!(
                f,
                "member {}: expected its end within the structure's {size} bytes, got {end}",
                index + 1
            ),
            StructError::TooLarge { got } => {
                write!(
                    f,
                    "expected a structure of at most {MAX_SIZE} bytes, got {got}"
                )
            }
            StructError::TooDeep => {
                write!(
                    f,
                    "expected structures nested at most {MAX_DEPTH} deep, got more"
                )
            }
            StructError::TooManyNumbers => {
                write!(f, "expected at most {MAX_NUMBERS} members in all, got more")
            }
            StructError::OutOfMemory => OutOfMemory.fmt(f),
        }
    }
}

impl core::error::Error for StructError {}

impl From<OutOfMemory> for StructError {
    fn from(_: OutOfMemory) -> StructError {
        StructError::OutOfMemory
    }
}
