//! The kinds of C types.

use farcall_cdecl::c::Basic;

/// The kind of a C type, with typedefs resolved.
///
/// ```
/// use farcall::{Declarations, TypeKind};
///
/// let c = Declarations::parse("typedef enum { RED } colour;")?;
/// assert_eq!(c.ty("colour")?.kind(), TypeKind::Enum);
/// assert_eq!(c.ty("colour *")?.kind(), TypeKind::Pointer);
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TypeKind {
    /// `void`.
    Void,
    /// `_Bool`.
    Bool,
    /// Any other integer, `char` included.
    Integer,
    /// A floating-point number.
    Float,
    /// A complex number.
    Complex,
    /// An enumeration.
    Enum,
    /// A pointer.
    Pointer,
    /// An array.
    Array,
    /// A function.
    Function,
    /// A structure.
    Struct,
    /// A union.
    Union,
    /// Any other type, such as a vector or a `va_list`.
    Other,
}

/// The kind of one of C's own types.
pub(crate) fn of_basic(basic: Basic) -> TypeKind {
    match basic {
        Basic::Void => TypeKind::Void,
        Basic::Bool => TypeKind::Bool,
        Basic::Float | Basic::Double | Basic::LongDouble | Basic::Float128 => TypeKind::Float,
        Basic::Float16 | Basic::BFloat16 => TypeKind::Float,
        Basic::ComplexFloat
        | Basic::ComplexDouble
        | Basic::ComplexLongDouble
        | Basic::ComplexFloat128
        | Basic::ComplexFloat16 => TypeKind::Complex,
        other if other.is_integer() => TypeKind::Integer,
        _ => TypeKind::Other,
    }
}
