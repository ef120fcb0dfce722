//! Values of C types, as the C side converts them.

use crate::kinds::{WORD, of_argument, of_handler, of_parameter, of_result};
use crate::report::Failure;
use farcall_arch::Type;
use farcall_arch::endpoint::{Boxing, Delivery, Unbox};
use farcall_cdecl::c::{Basic, Declarations, Ty, TypeId};
use farcall_cdecl::{Kind, StructCode, TypeCode};

/// What the C side knows of a value. ORDER farcall_value
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Value {
    pub kind: u8,
    is_signed: bool,
    /// Bytes of an integer, of a float, or of either part of a complex number; of a `long double` 10 where it is the x87's.
    width: u8,
    /// Whether a struct has a tag or a typedef's name.
    has_name: bool,
    /// The index of the first of its slots.
    pub slot: u32,
    /// Bytes.
    size: u32,
    /// The number of its type.
    ty: u32,
}

// What C types have besides the kinds of codes. ORDER farcall_kind
const VOID: u8 = Kind::Void as u8;
const INT: u8 = Kind::Int as u8;
const UINT: u8 = Kind::Uint as u8;
const FLOAT: u8 = Kind::Float as u8;
const DOUBLE: u8 = Kind::Double as u8;
const POINTER: u8 = Kind::Pointer as u8;
const STR: u8 = Kind::Str as u8;
const BYTES: u8 = Kind::Bytes as u8;
const STRUCT: u8 = Kind::Struct as u8;
const BOOL: u8 = 12;
const RANGED: u8 = 13;
const ENUM: u8 = 14;
const DATA: u8 = 15;
const CODE: u8 = 16;
const LONG_DOUBLE: u8 = 17;
const COMPLEX: u8 = 18;
const WIDE_INT: u8 = 19;
const ELEMENTS: u8 = 20;

/// Which way a value goes.
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
    /// One that a letter stands for.
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

    /// One that braces stand for.
    pub fn of_braces(code: &StructCode) -> Value {
        Value {
            kind: STRUCT,
            size: code.ty().size(),
            ..Value::default()
        }
    }

    /// One of a C type, which calling conventions see as `passed`.
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

    /// An array, which is a variable.
    pub fn of_array(size: u32, ty: TypeId) -> Value {
        Value {
            kind: ELEMENTS,
            size,
            ty: ty.number(),
            ..Value::default()
        }
    }

    /// How machine code makes a C value of an object.
    pub fn unbox(&self) -> Option<Unbox> {
        match self.kind {
            INT | UINT | WORD => Some(Unbox::Int),
            RANGED | ENUM if self.is_signed => Some(Unbox::Signed),
            RANGED | ENUM => Some(Unbox::Unsigned),
            BOOL => Some(Unbox::Bool),
            FLOAT | DOUBLE => Some(Unbox::Float),
            POINTER | STR | BYTES | DATA => Some(Unbox::Pointer),
            CODE => Some(Unbox::Function),
            STRUCT => Some(Unbox::Bytes),
            _ => None,
        }
    }

    /// How machine code makes an object of a result.
    pub fn boxing(&self) -> Option<Boxing> {
        match self.kind {
            VOID => Some(Boxing::None),
            INT | POINTER => Some(Boxing::Int(self.kind)),
            UINT => Some(Boxing::Uint(self.kind)),
            FLOAT | DOUBLE => Some(Boxing::Float),
            STR | BYTES => Some(Boxing::Object(self.kind)),
            BOOL => Some(Boxing::Bool),
            STRUCT => Some(Boxing::Bytes),
            _ => None,
        }
    }

    /// How machine code hands on a callback's argument.
    pub fn delivery(&self) -> Option<Delivery> {
        match self.kind {
            INT | POINTER => Some(Delivery::Signed),
            UINT => Some(Delivery::Unsigned),
            FLOAT | DOUBLE | BYTES | BOOL => Some(Delivery::Slot),
            _ => None,
        }
    }

    /// Whether it takes one slot, or none.
    pub fn is_of_a_slot(&self) -> bool {
        !matches!(
            self.kind,
            STRUCT | LONG_DOUBLE | COMPLEX | WIDE_INT | ELEMENTS
        )
    }

    /// Whether another one is the same but for its type's number.
    pub fn converts_as(&self, other: &Value) -> bool {
        let ty = self.ty;
        *self == Value { ty, ..*other }
    }

    /// Has it say no more what its type is.
    pub fn forget_type(&mut self) {
        self.ty = 0;
    }

    /// The same value from its first slot on.
    pub fn at(self, slot: u32) -> Value {
        Value { slot, ..self }
    }
}

/// Bytes of a float; of the x87's, those that hold it.
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

/// Why values of a type cannot be passed.
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
