//! Sizes and alignments.

use super::declarations::Declarations;
use super::steps::count;
use super::types::{Basic, Ty, TypeId};
use farcall_arch::Float;

/// The size and the alignment of a type, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The value of `sizeof`.
    pub size: u64,
    /// The value of `_Alignof`.
    pub align: u32,
}

impl Declarations {
    /// The size and the alignment; `None` for a type without a size, such as `void`, a function, or a structure that is declared but not defined.
    pub fn layout(&self, ty: TypeId) -> Option<Layout> {
        Layout::of(self, ty)
    }

    /// The size in bytes of an integer type or an enumeration, and whether it is signed; `None` for other types.
    pub fn integer_shape(&self, ty: TypeId) -> Option<(u32, bool)> {
        let width = self.width(self.integer(ty)?);
        Some((width.bits.div_ceil(8), width.is_signed))
    }

    /// The layout of a type with this content.
    pub(super) fn layout_of(&self, ty: Ty) -> Option<Layout> {
        Layout::of_ty(self, ty)
    }
}

impl Layout {
    /// The layout of a type whose alignment is its size.
    const fn square(bytes: u32) -> Layout {
        Layout {
            size: bytes as u64,
            align: bytes,
        }
    }

    fn of(c: &Declarations, ty: TypeId) -> Option<Layout> {
        Layout::of_ty(c, c.get(ty))
    }

    fn of_ty(c: &Declarations, ty: Ty) -> Option<Layout> {
        count(1);
        Some(match ty {
            Ty::Basic(basic) => return of_basic(c, basic),
            Ty::Pointer { .. } => Layout::square(8),
            Ty::Array { of, len, .. } => {
                let element = Layout::of(c, of)?;
                let size = element.size.checked_mul(len?)?;
                Layout { size, ..element }
            }
            Ty::Function(_) => return None,
            Ty::Record(index) => {
                let record = c.records.get(index as usize)?;
                if !record.is_complete() {
                    return None;
                }
                Layout {
                    size: record.size,
                    align: record.align,
                }
            }
            Ty::Enum(index) => return of_basic(c, c.enums.get(index as usize)?.ty?),
            Ty::Alias { of, align, .. } => {
                let own = Layout::of(c, of)?;
                let align = if align == 0 { own.align } else { align };
                Layout { align, ..own }
            }
            Ty::Vector { size, .. } => Layout {
                size: size.into(),
                // GCC's default, without instructions for larger vectors.
                align: size.min(16),
            },
        })
    }
}

fn of_basic(c: &Declarations, basic: Basic) -> Option<Layout> {
    let of_float = |format: Float| Layout::square(format.size());
    let of_complex = |format: Float| Layout {
        size: u64::from(format.size()) * 2,
        align: format.size(),
    };
    let long_double = c.platform.long_double;
    Some(match basic {
        Basic::Void => return None,
        Basic::Float => of_float(Float::F32),
        Basic::Double => of_float(Float::F64),
        Basic::LongDouble => of_float(long_double),
        Basic::Float128 => of_float(Float::F128),
        Basic::ComplexFloat => of_complex(Float::F32),
        Basic::ComplexDouble => of_complex(Float::F64),
        Basic::ComplexLongDouble => of_complex(long_double),
        Basic::ComplexFloat128 => of_complex(Float::F128),
        Basic::VaList => Layout {
            size: c.platform.va_list.into(),
            align: 8,
        },
        Basic::ComplexFloat16 => Layout { size: 4, align: 2 },
        Basic::Bool => Layout::square(1),
        Basic::Float16 | Basic::BFloat16 => Layout::square(2),
        integer => Layout::square(c.width(integer).bits / 8),
    })
}
