//! Descriptions of values of C types, which the C side converts.

use crate::kinds::{
    BOOL, CODE, COMPLEX, DATA, ELEMENTS, ENUM, LONG_DOUBLE, RANGED, STRUCT, WIDE_INT, of_argument,
    of_handler, of_parameter, of_result,
};
use crate::report::Failure;
use farcall_arch::Type;
use farcall_cdecl::c::{Basic, Declarations, Ty, TypeId};
use farcall_cdecl::{Kind, StructCode, TypeCode};

/// The description of a value for the C side. ORDER farcall_value
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Value {
    pub kind: u8,
    pub is_signed: bool,
    /// The size in bytes of an integer, of a float, or of each part of a complex number; 10 for a `long double` in the x87's format.
    width: u8,
    /// Whether a struct has a tag or a typedef.
    has_name: bool,
    /// The index of its first slot.
    pub slot: u32,
    /// The size in bytes.
    size: u32,
    /// The number of its type.
    ty: u32,
}

/// The direction of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An argument of a function, from a script to C.
    Parameter,
    /// A result of a function, from C to a script.
    Result,
    /// An argument of a callback, from C to a script.
    Argument,
    /// A result of a callback, from a script to C.
    Answer,
}

impl Way {
    fn leads_to_c(self) -> bool {
        matches!(self, Way::Parameter | Way::Answer)
    }
}

impl Value {
    /// A value of a letter's type.
    pub fn of_letter(code: TypeCode, way: Way) -> Value {
        let kind = match way {
            Way::Parameter => of_parameter(code),
            Way::Result => of_result(code),
            Way::Argument => of_argument(code) as u8,
            Way::Answer => of_handler(code),
        };
        let size = code.ty().size();
        Value {
            kind,
            is_signed: code.kind() == Kind::Int,
            width: size as u8,
            size,
            ..Value::default()
        }
    }

    /// A value of a struct in braces.
    pub fn of_braces(code: &StructCode) -> Value {
        Value {
            kind: STRUCT,
            size: code.ty().size(),
            ..Value::default()
        }
    }

    /// A value of a C type that is passed as `passed`.
    pub fn of_type(c: &Declarations, ty: TypeId, passed: &Type, way: Way) -> Value {
        let size = passed.size();
        let value = Value {
            width: size as u8,
            size,
            ty: ty.number(),
            ..Value::default()
        };
        match passed {
            Type::Void => Value::default(),
            Type::Struct(_) => Value {
                kind: STRUCT,
                has_name: has_name(c, ty),
                ..value
            },
            Type::Complex(part) => Value {
                kind: COMPLEX,
                width: float_width(&part.ty()),
                ..value
            },
            Type::Scalar(_) | Type::Wide(_) => match c.integer_shape(ty) {
                Some((width, is_signed)) => Value {
                    kind: integer_kind(c, ty, width, is_signed, way),
                    is_signed,
                    width: width as u8,
                    ..value
                },
                None => value.of_float_or_pointer(c, ty, passed, way),
            },
            _ => value,
        }
    }

    fn of_float_or_pointer(self, c: &Declarations, ty: TypeId, passed: &Type, way: Way) -> Value {
        let kind = match *passed {
            Type::F32 => Kind::Float as u8,
            Type::F64 => Kind::Double as u8,
            Type::F80 | Type::F128 => LONG_DOUBLE,
            _ => pointer_kind(c, ty, way),
        };
        Value {
            kind,
            width: float_width(passed),
            ..self
        }
    }

    /// A variable of an array type.
    pub fn of_array(size: u32, ty: TypeId) -> Value {
        Value {
            kind: ELEMENTS,
            size,
            ty: ty.number(),
            ..Value::default()
        }
    }

    /// Whether it takes at most one slot.
    pub fn is_of_a_slot(&self) -> bool {
        !matches!(
            self.kind,
            STRUCT | LONG_DOUBLE | COMPLEX | WIDE_INT | ELEMENTS
        )
    }

    /// Whether another value is the same except for its type's number.
    pub fn converts_as(&self, other: &Value) -> bool {
        let ty = self.ty;
        *self == Value { ty, ..*other }
    }

    /// Clears the type's number.
    pub fn forget_type(&mut self) {
        self.ty = 0;
    }

    /// The same value from its first slot on.
    pub fn at(self, slot: u32) -> Value {
        Value { slot, ..self }
    }
}

/// The size of a float in bytes; for the x87's format, without padding.
fn float_width(ty: &Type) -> u8 {
    match *ty {
        Type::F80 => 10,
        _ => ty.size() as u8,
    }
}

fn integer_kind(c: &Declarations, ty: TypeId, width: u32, is_signed: bool, way: Way) -> u8 {
    if c.resolved(ty) == Ty::Basic(Basic::Bool) {
        return BOOL;
    }
    if width > 8 {
        return WIDE_INT;
    }
    match (way.leads_to_c(), c.enumeration(ty), is_signed) {
        (true, Some(_), _) => ENUM,
        (true, None, _) => RANGED,
        (false, _, true) => Kind::Int as u8,
        (false, _, false) => Kind::Uint as u8,
    }
}

fn pointer_kind(c: &Declarations, ty: TypeId, way: Way) -> u8 {
    let to = match c.resolved(ty) {
        Ty::Pointer { to, .. } => Some(c.resolved(to)),
        _ => None,
    };
    match (to, way) {
        (Some(Ty::Basic(Basic::Char)), Way::Result) => Kind::Str as u8,
        (Some(Ty::Function(_)), Way::Parameter | Way::Answer) => CODE,
        (_, Way::Parameter | Way::Answer) => DATA,
        _ => Kind::Pointer as u8,
    }
}

fn has_name(c: &Declarations, ty: TypeId) -> bool {
    matches!(c.get(ty), Ty::Alias { .. }) || c.record(ty).is_some_and(|record| record.tag.is_some())
}

/// The error for a type whose values cannot be passed.
pub fn unpassable(
    c: &Declarations,
    ty: TypeId,
    what: &dyn std::fmt::Display,
    error: farcall_cdecl::c::Unpassable,
) -> Failure {
    match error {
        farcall_cdecl::c::Unpassable::OutOfMemory(error) => error.into(),
        error => Failure::value_of(&format_args!(
            "{what}: {} cannot be passed: {error}",
            c.show(ty)
        )),
    }
}
