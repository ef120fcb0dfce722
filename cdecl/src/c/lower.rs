//! Conversion of C types to [`farcall_arch`] types, which have no names and only what passing values needs.

use super::declarations::Declarations;
use super::steps::count;
use super::types::{Basic, Field, FunctionType, Record, Ty, TypeId};
use farcall_arch::layout::Number;
use farcall_arch::structs::{MAX_ALIGN, MAX_SIZE};
use farcall_arch::{Float, Member, OutOfMemory, Struct, StructError, Type};
use farcall_memory::{TryVec, try_collect, try_with_capacity};

/// The reason why a type cannot be passed by value, or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unpassable {
    /// A structure that is declared but not defined, or an array without a length.
    #[error("its size is not known")]
    Incomplete,
    /// A function, or an array outside a structure.
    #[error("C has no values of it")]
    NoValue,
    /// A machine-specific type, such as a vector.
    #[error("how values of it are passed is not known here")]
    Unsupported,
    /// A small structure with a part that has no name or no size. GCC and clang pass it in different ways.
    #[error("compilers do not agree on how it is passed")]
    Disputed,
    /// A structure that is too large, too deep, empty, or aligned to more than a page.
    #[error(transparent)]
    Struct(#[from] StructError),
    /// There is not enough memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Every convention passes a structure of more bytes in memory, regardless of its members (psABI 3.2.3; AAPCS64 6.8.2 B.4; Microsoft's from 8
/// on). Only the alignment of further members matters.
const LARGE: u64 = 64;

impl Declarations {
    /// Converts a type to the form that calling conventions use.
    ///
    /// # Errors
    /// [`Unpassable`].
    pub fn passed(&self, ty: TypeId) -> Result<Type, Unpassable> {
        let passed = self.lowered(ty)?;
        let is_disputed = match self.platform.eightbytes {
            true => self.is_disputed(ty, &passed),
            false => !self.platform.is_microsoft() && self.is_odd_aggregate(ty, &passed),
        };
        match is_disputed {
            true => Err(Unpassable::Disputed),
            false => Ok(passed),
        }
    }

    fn lowered(&self, ty: TypeId) -> Result<Type, Unpassable> {
        match self.resolved(ty) {
            Ty::Basic(basic) => self.passed_basic(basic),
            Ty::Pointer { .. } => Ok(Type::POINTER),
            Ty::Enum(index) => {
                let basic = self.enums[index as usize].ty;
                self.passed_basic(basic.ok_or(Unpassable::Incomplete)?)
            }
            Ty::Record(index) => {
                let record = &self.records[index as usize];
                if record.size > u64::from(MAX_SIZE) || record.align > MAX_ALIGN {
                    let got = record.size;
                    return Err(StructError::TooLarge { got }.into());
                }
                if record.has_odd_bits {
                    return Err(Unpassable::Disputed);
                }
                let members = self.passed_members(record)?;
                let laid_out = Struct::placed(members, record.size as u32, record.align)?;
                let laid_out = laid_out.with_natural_align(record.natural_align)?;
                let laid_out = match record.has_unnamed || self.has_empty_array(record) {
                    true => laid_out.mixed(),
                    false => laid_out,
                };
                Ok(Type::try_from(laid_out)?)
            }
            Ty::Array { .. } | Ty::Function(_) => Err(Unpassable::NoValue),
            Ty::Vector { .. } | Ty::Alias { .. } => Err(Unpassable::Unsupported),
        }
    }

    /// Converts the parameters of a function to the form that calling conventions use.
    ///
    /// # Errors
    /// [`Unpassable`], with the index of the parameter.
    pub fn passed_params(&self, function: &FunctionType) -> Result<Vec<Type>, (usize, Unpassable)> {
        let params = self.params(function);
        let mut types = try_with_capacity(params.len()).map_err(|error| (0, error.into()))?;
        for (index, param) in params.enumerate() {
            let is_list = self.resolved(param.ty) == Ty::Basic(Basic::VaList);
            let ty = match is_list && self.platform.va_list_is_array {
                true => Type::POINTER,
                false => self.passed(param.ty).map_err(|error| (index, error))?,
            };
            types.push(ty);
        }
        Ok(types)
    }

    fn passed_basic(&self, basic: Basic) -> Result<Type, Unpassable> {
        let width = self.width(basic);
        Ok(match basic {
            Basic::Void => Type::Void,
            Basic::Float => Type::F32,
            Basic::Double => Type::F64,
            Basic::LongDouble => self.platform.long_double.ty(),
            Basic::Float128 => Type::F128,
            Basic::ComplexFloat => Type::Complex(Float::F32),
            Basic::ComplexDouble => Type::Complex(Float::F64),
            Basic::ComplexLongDouble => Type::Complex(self.platform.long_double),
            Basic::ComplexFloat128 => Type::Complex(Float::F128),
            Basic::VaList => return self.passed_va_list(),
            Basic::Float16 | Basic::BFloat16 | Basic::ComplexFloat16 => {
                return Err(Unpassable::Unsupported);
            }
            _ => match (width.bits, width.is_signed) {
                (1 | 8, false) => Type::U8,
                (1 | 8, true) => Type::I8,
                (16, false) => Type::U16,
                (16, true) => Type::I16,
                (32, false) => Type::U32,
                (32, true) => Type::I32,
                (64, false) => Type::U64,
                (64, true) => Type::I64,
                (_, false) => Type::U128,
                (_, true) => Type::I128,
            },
        })
    }

    /// A `va_list` by value: a pointer, or AAPCS64's structure (its appendix on variable argument lists).
    fn passed_va_list(&self) -> Result<Type, Unpassable> {
        if self.platform.va_list == 8 {
            return Ok(Type::POINTER);
        }
        if self.platform.va_list_is_array {
            return Err(Unpassable::NoValue);
        }
        let mut members = try_with_capacity(5)?;
        members.extend([Type::U64, Type::U64, Type::U64, Type::I32, Type::I32]);
        Ok(Type::try_from(Struct::new(members)?)?)
    }

    fn passed_members(&self, record: &Record) -> Result<Vec<Member>, Unpassable> {
        let fields = self.fields(record).ok_or(Unpassable::Incomplete)?;
        let mut members = Vec::new();
        if record.size > LARGE && !fields.is_empty() {
            let ty = self.stand_in(fields)?;
            members.try_push(Member { offset: 0, ty })?;
            return Ok(members);
        }
        for field in fields {
            self.add_member(field, &mut members)?;
        }
        Ok(members)
    }

    /// A type with the largest alignment among the members.
    fn stand_in(&self, fields: &[Field]) -> Result<Type, Unpassable> {
        count(fields.len());
        let align_of = |field: &Field| match (field.bits(), self.resolved(field.ty)) {
            (Some(_), _) => Some(1),
            (None, Ty::Array { of, .. }) => Some(self.layout(self.behind_names(of).0)?.align),
            (None, _) => Some(self.layout(self.behind_names(field.ty).0)?.align),
        };
        let aligns = fields.iter().filter_map(align_of);
        Ok(match aligns.max().unwrap_or(1) {
            ..=1 => Type::U8,
            2 => Type::U16,
            4 => Type::U32,
            8 => Type::U64,
            16 => Type::I128,
            align => {
                let members = try_collect([Type::U8])?;
                Type::try_from(Struct::with_layout(members, align, align)?)?
            }
        })
    }

    fn add_member(&self, field: &Field, members: &mut Vec<Member>) -> Result<(), Unpassable> {
        count(1);
        let offset = u32::try_from(field.offset());
        let offset = offset.map_err(|_| StructError::TooLarge {
            got: field.offset(),
        })?;
        if let Some((first, width)) = field.bits() {
            // Conventions use the place of the bits and the fact that they are an integer's, not the declared type
            // (psABI 3.2.3; AAPCS64 8.1.8). So the bytes that a bit-field touches stand for it.
            let bytes = (u32::from(first) + u32::from(width)).div_ceil(8);
            members.try_extend((0..bytes).map(|byte| Member {
                offset: offset + byte,
                ty: Type::U8,
            }))?;
            return Ok(());
        }
        let Ty::Array { of, len, .. } = self.resolved(field.ty) else {
            let ty = self.lowered(field.ty)?;
            members.try_push(Member { offset, ty })?;
            return Ok(());
        };
        // An array without a length has no elements that are passed.
        let size = self.layout(of).ok_or(Unpassable::Incomplete)?.size;
        let len = len.unwrap_or(0);
        if size == 0 {
            return Ok(());
        }
        for index in 0..len {
            count(1);
            self.add_member(&field.element(of, index * size), members)?;
        }
        Ok(())
    }

    /// Whether a member is an array without elements. It has no value, but neither GCC nor clang treats a structure with it as homogeneous.
    fn has_empty_array(&self, record: &Record) -> bool {
        let mut fields = self.fields(record).unwrap_or_default().iter();
        fields.any(|field| {
            let mut ty = field.ty;
            while let Ty::Array { of, len, .. } = self.resolved(ty) {
                if len.unwrap_or(0) == 0 {
                    return true;
                }
                ty = of;
            }
            false
        })
    }

    /// Whether compilers pass a structure of at most two eightbytes in different ways. GCC (12.2) treats an eightbyte with an unnamed bit-field as
    /// an integer; clang (14) ignores the bit-field. The same is true of an array without elements within an eightbyte. An array without a length
    /// makes clang pass the structure in memory. GCC passes it in memory if a number is misaligned for its type. That
    /// includes a union's bit-fields, but no other ones. clang ignores all bit-fields there, but also passes it in memory if a structure is
    /// misaligned, or if a typedef asks for less than the alignment of the number's type.
    fn is_disputed(&self, ty: TypeId, passed: &Type) -> bool {
        let Type::Struct(_) = passed else {
            return false;
        };
        let mut unnamed = Unnamed::default();
        if passed.size() > 16 {
            return false;
        }
        self.find_unnamed(ty, 0, &mut unnamed);
        let (mut integers, mut is_in_memory) = (0, false);
        passed.for_each_number(0, &mut |offset, number| {
            is_in_memory |= !offset.is_multiple_of(number.size());
            if let Number::Integer(size) = number {
                integers |= (u32::MAX >> (32 - size)) << offset;
            }
        });
        let differs = |mask: u32| unnamed.bytes & mask != 0 && integers & mask == 0;
        let differs = unnamed.has_empty_array || differs(0x00ff) || differs(0xff00);
        let differs = differs || unnamed.is_misaligned || unnamed.has_misplaced_bits;
        unnamed.has_low_name || !is_in_memory && differs
    }

    /// Whether AArch64's compilers disagree about a homogeneous aggregate: a structure of floating-point numbers that also has a part without a
    /// value. clang (14) treats bit-fields of width 0 as members, and GCC (12.2) does not. If the members are one of a complex type and an array
    /// without elements, GCC looks only at the complex one.
    fn is_odd_aggregate(&self, ty: TypeId, passed: &Type) -> bool {
        let Type::Struct(_) = passed else {
            return false;
        };
        let mut has_integer = false;
        passed.for_each_number(0, &mut |_, number| {
            has_integer |= matches!(number, Number::Integer(_));
        });
        !has_integer && self.has_nothing_in_it(ty)
    }

    /// Whether a structure, or one within it, has a part without a value.
    fn has_nothing_in_it(&self, ty: TypeId) -> bool {
        match self.resolved(ty) {
            Ty::Array { of, .. } => self.has_nothing_in_it(of),
            Ty::Record(index) => {
                let record = &self.records[index as usize];
                let mut fields = self.fields(record).unwrap_or_default().iter();
                record.has_unnamed
                    || record.has_empty_bits
                    || self.has_empty_array(record)
                    || fields.any(|field| self.has_nothing_in_it(field.ty))
            }
            _ => false,
        }
    }

    /// Looks for parts without names in a type that begins `base` bytes from the start of at most 16.
    fn find_unnamed(&self, ty: TypeId, base: u64, unnamed: &mut Unnamed) {
        match self.resolved(ty) {
            Ty::Array {
                len: None | Some(0),
                ..
            } => unnamed.has_empty_array = true,
            Ty::Array { of, len, .. } => {
                let size = self.layout(of).map_or(0, |layout| layout.size);
                // For elements without a size, one stands for all.
                let count = len.unwrap_or(0).min(if size == 0 { 1 } else { 16 });
                for index in 0..count {
                    self.find_unnamed(of, base + index * size, unnamed);
                }
            }
            Ty::Record(index) => {
                let record = &self.records[index as usize];
                unnamed.is_misaligned |= !base.is_multiple_of(record.align.into());
                unnamed.bytes |= u32::from(record.unnamed) << base;
                // The widths of those without a name are not known any more.
                let may_be_misplaced = record.is_union && record.has_unnamed;
                unnamed.has_misplaced_bits |= may_be_misplaced && !base.is_multiple_of(8);
                for field in self.fields(record).unwrap_or_default() {
                    match field.bits() {
                        None => self.find_unnamed(field.ty, base + field.offset(), unnamed),
                        Some((_, width)) if record.is_union => {
                            let size = u64::from(width).div_ceil(8).next_power_of_two();
                            unnamed.has_misplaced_bits |= !base.is_multiple_of(size);
                        }
                        Some(_) => {}
                    }
                }
            }
            other => {
                let own = self.layout_of(other).map_or(1, |layout| layout.align);
                let (_, named) = self.behind_names(ty);
                let is_low = named != 0 && named < own;
                unnamed.has_low_name |= is_low && !base.is_multiple_of(own.into());
            }
        }
    }
}

/// The parts of a structure that have no name or no size.
#[derive(Default)]
struct Unnamed {
    /// A bit for each byte that an unnamed bit-field touches.
    bytes: u32,
    has_empty_array: bool,
    /// Whether a structure within it is misaligned for its type.
    is_misaligned: bool,
    /// Whether a union's bit-field is misaligned for an integer of as many bits.
    has_misplaced_bits: bool,
    /// Whether a number within it is misaligned, because a typedef asks for less.
    has_low_name: bool,
}
