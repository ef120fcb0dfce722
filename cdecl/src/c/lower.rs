//! C's types as [`farcall_arch`] has them: what passing values takes, and no names.

use super::declarations::Declarations;
use super::steps::count;
use super::types::{Basic, Field, FunctionType, Record, Ty, TypeId};
use farcall_arch::structs::{MAX_ALIGN, MAX_SIZE};
use farcall_arch::{Float, Member, OutOfMemory, Struct, StructError, Type};
use farcall_memory::{TryVec, try_collect, try_with_capacity};

/// Why a type cannot be passed by value, or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unpassable {
    /// A structure that is only announced, or an array without a length.
    #[error("its size is not known")]
    Incomplete,
    /// A function, or an array outside of a structure.
    #[error("C has no values of it")]
    NoValue,
    /// A type of a machine's own, such as a vector.
    #[error("how values of it are passed is not known here")]
    Unsupported,
    /// A structure that is too large, too deep, empty, or aligned to more than a page.
    #[error(transparent)]
    Struct(#[from] StructError),
    /// There is no memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// A structure of more bytes is in memory in every convention, whatever its members are (psABI 3.2.3; AAPCS64 6.8.2 B.4; Microsoft's from 8 on). Nobody
/// looks at more of them than their alignment.
const LARGE: u64 = 64;

impl Declarations {
    /// A type as calling conventions see it.
    ///
    /// # Errors
    /// [`Unpassable`].
    pub fn passed(&self, ty: TypeId) -> Result<Type, Unpassable> {
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
                let members = self.passed_members(record)?;
                let laid_out = Struct::placed(members, record.size as u32, record.align)?;
                Ok(Type::try_from(laid_out)?)
            }
            Ty::Array { .. } | Ty::Function(_) => Err(Unpassable::NoValue),
            Ty::Vector { .. } | Ty::Alias { .. } => Err(Unpassable::Unsupported),
        }
    }

    /// The parameters of a function as calling conventions see them.
    ///
    /// # Errors
    /// [`Unpassable`], and which parameter it is about.
    pub fn passed_params(&self, function: &FunctionType) -> Result<Vec<Type>, (usize, Unpassable)> {
        let params = self.params(function);
        let mut types = try_with_capacity(params.len()).map_err(|error| (0, error.into()))?;
        for (index, param) in params.iter().enumerate() {
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

    /// A type with the largest alignment of these members.
    fn stand_in(&self, fields: &[Field]) -> Result<Type, Unpassable> {
        count(fields.len());
        let align_of = |field: &Field| match (field.bits, self.resolved(field.ty)) {
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
        let offset = u32::try_from(field.offset);
        let offset = offset.map_err(|_| StructError::TooLarge { got: field.offset })?;
        if let Some((first, width)) = field.bits {
            // Conventions look at where the bits lie and that they are an integer's, not at the declared type
            // (psABI 3.2.3; AAPCS64 8.1.8). So they are the bytes that they touch.
            let bytes = (u32::from(first) + u32::from(width)).div_ceil(8);
            members.try_extend((0..bytes).map(|byte| Member {
                offset: offset + byte,
                ty: Type::U8,
            }))?;
            return Ok(());
        }
        let Ty::Array { of, len, .. } = self.resolved(field.ty) else {
            let ty = self.passed(field.ty)?;
            members.try_push(Member { offset, ty })?;
            return Ok(());
        };
        // One without a length has no elements that are passed.
        let size = self.layout(of).ok_or(Unpassable::Incomplete)?.size;
        let len = len.unwrap_or(0);
        if size == 0 {
            return Ok(());
        }
        for index in 0..len {
            count(1);
            let element = Field {
                name: None,
                ty: of,
                offset: field.offset + index * size,
                bits: None,
            };
            self.add_member(&element, members)?;
        }
        Ok(())
    }
}
