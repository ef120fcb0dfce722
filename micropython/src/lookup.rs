//! The C interface for lookups in a namespace: names, sizes, and the layouts of types.

use crate::report::{Failure, Report, Status, guard};
use crate::scope::Scope;
use crate::text::text;
use farcall_arch::Type;
use farcall_cdecl::c::{Basic, Constant, Declarations, Ty, TypeId};
use farcall_engine::Library;
use farcall_memory::{Shared, try_format, try_string};
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// The meaning of a name. ORDER farcall_named
#[derive(Debug)]
#[repr(C)]
pub struct Named {
    /// One of the constants below.
    meaning: c_int,
    /// The number of a function or a variable in the namespace.
    index: u32,
    /// The low and the high half of an integer.
    integer: [u64; 2],
    real: f64,
    text: *const c_char,
    len: usize,
}

// ORDER farcall_meaning
const NOTHING: c_int = 0;
const INTEGER: c_int = 1;
const REAL: c_int = 2;
const TEXT: c_int = 3;
const FUNCTION: c_int = 4;
const VARIABLE: c_int = 5;

/// Converts a constant for C.
fn constant(value: Constant) -> Named {
    let mut named = Named {
        meaning: NOTHING,
        index: 0,
        integer: [0; 2],
        real: 0.0,
        text: ptr::null(),
        len: 0,
    };
    match value {
        Constant::Integer(value) => {
            named.meaning = INTEGER;
            named.integer = [value as u64, (value >> 64) as u64];
        }
        Constant::Float(value) => (named.meaning, named.real) = (REAL, value),
        // The bytes do not move while the namespace exists: texts only add to it.
        Constant::Text(bytes) => {
            named.meaning = TEXT;
            (named.text, named.len) = (bytes.as_ptr().cast(), bytes.len());
        }
        _ => {}
    }
    named
}

/// The meaning of a name in a namespace.
fn named(c: &Declarations, name: &str) -> Option<Named> {
    if let Some(value) = c.constant(name) {
        return Some(constant(value));
    }
    let index_of = |meaning, index| Named {
        meaning,
        index,
        ..constant(Constant::Integer(0))
    };
    if let Some(index) = c.function_index(name) {
        return Some(index_of(FUNCTION, index));
    }
    c.variable_index(name)
        .map(|index| index_of(VARIABLE, index))
}

/// # Safety
/// * `scope` is a namespace in use.
/// * `start` points to `len` bytes, `out` to a place for the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_find(
    scope: *const Scope,
    start: *const c_char,
    len: usize,
    out: *mut Named,
) -> bool {
    // SAFETY: `start` points to `len` bytes, by the contract of this function.
    let Ok(name) = (unsafe { text(start, len) }) else {
        return false;
    };
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    let Some(found) = unsafe { &*scope }.with(|c| named(c, name)) else {
        return false;
    };
    // SAFETY: `out` points to a place for the result, by the contract of this function.
    unsafe { out.write(found) };
    true
}

/// The size and the alignment of a type, for a text in a namespace, or else in the newest one that knows it. ORDER farcall_size
#[derive(Debug)]
#[repr(C)]
pub struct Size {
    size: u64,
    align: u64,
}

/// The type that a text names, with its size, or an error if it has none.
fn sized(c: &mut Declarations, text: &str) -> Result<(TypeId, Size), Failure> {
    let ty = c.type_named(text)?;
    let Some(layout) = c.layout(ty) else {
        let message = try_format(format_args!(
            "expected a type whose size is known, got {}",
            c.show(ty)
        ))?;
        return Err(Failure::value(&message));
    };
    let size = Size {
        size: layout.size,
        align: layout.align.into(),
    };
    Ok((ty, size))
}

/// # Safety
/// * `scope` is NULL or a namespace in use.
/// * `start` points to `len` bytes, `out` to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_size(
    scope: *const Scope,
    start: *const c_char,
    len: usize,
    out: *mut Size,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `start` points to `len` bytes, by the contract of this function.
        let text = unsafe { text(start, len)? };
        let in_passing = |scope: &Scope| scope.with(|c| c.in_passing(|c| sized(c, text)));
        // SAFETY: `scope` is NULL or a namespace in use, by the contract of this function.
        let (_, size) = match unsafe { scope.as_ref() } {
            Some(scope) => in_passing(scope)?,
            None => Scope::in_newest(|scope| in_passing(scope))?,
        };
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { out.write(size) };
        Ok(())
    })
}

/// # Safety
/// * As for [`farcall_scope_size`]; `owner` points to a place for the namespace that the type is of.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_type(
    scope: *const Scope,
    start: *const c_char,
    len: usize,
    owner: *mut *const Scope,
    out: *mut u32,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `start` points to `len` bytes, by the contract of this function.
        let text = unsafe { text(start, len)? };
        let find = |scope: &Shared<Scope>| {
            let (ty, _) = scope.with(|c| sized(c, text))?;
            Ok((scope.clone(), ty))
        };
        let (scope, ty) = match scope.is_null() {
            true => Scope::in_newest(find)?,
            // SAFETY: `scope` is not NULL here, so it is a namespace in use, by the contract of this function.
            false => find(&unsafe { Scope::of(scope)? })?,
        };
        // SAFETY: `out` and `owner` point to places for the results, by the contract of this function; C gives the reference back.
        unsafe {
            out.write(ty.number());
            owner.write(scope.into_raw());
        }
        Ok(())
    })
}

/// A type's description for `uctypes`. ORDER farcall_shape
#[derive(Debug, Default)]
#[repr(C)]
pub struct Shape {
    /// The size in bytes; 0 without a size, as for an array without a length.
    size: u64,
    /// The number of an array's elements, or of a structure's members.
    count: u64,
    align: u32,
    /// The type with typedefs resolved.
    ty: u32,
    /// The type of an array's elements.
    element: u32,
    sort: u8,
    /// The number of a scalar type in `uctypes`.
    scalar: u8,
    /// Whether it has a tag or a typedef.
    has_name: bool,
    /// Whether its bytes are text.
    is_char: bool,
    is_bool: bool,
    is_pointer: bool,
    is_enum: bool,
}

// ORDER farcall_sort
const BYTES: u8 = 0;
const SCALAR: u8 = 1;
const ARRAY: u8 = 2;
const RECORD: u8 = 3;

/// The scalar of `uctypes` for a type that is passed as `ty`.
fn scalar(ty: &Type) -> Option<u8> {
    Some(match *ty {
        Type::U8 => 0,
        Type::I8 => 1,
        Type::U16 => 2,
        Type::I16 => 3,
        Type::U32 => 4,
        Type::I32 => 5,
        Type::U64 => 6,
        Type::I64 => 7,
        Type::F32 => 14,
        Type::F64 => 15,
        _ => return None,
    })
}

fn shape(c: &Declarations, ty: TypeId) -> Shape {
    let behind = match c.get(ty) {
        Ty::Alias { of, .. } => of,
        _ => ty,
    };
    let layout = c.layout(ty);
    let mut shape = Shape {
        sort: BYTES,
        size: layout.map_or(0, |layout| layout.size),
        align: layout.map_or(1, |layout| layout.align),
        ty: behind.number(),
        has_name: behind != ty,
        ..Shape::default()
    };
    match c.get(behind) {
        Ty::Record(_) => {
            if let Some(record) = c.record(behind) {
                shape.sort = RECORD;
                shape.count = c.fields(record).map_or(0, |fields| fields.len() as u64);
                shape.has_name |= record.tag.is_some();
            }
        }
        Ty::Array { of, len, .. } => {
            shape.sort = ARRAY;
            shape.count = len.unwrap_or(0);
            shape.element = of.number();
        }
        other => {
            shape.is_char = other == Ty::Basic(Basic::Char);
            shape.is_bool = other == Ty::Basic(Basic::Bool);
            shape.is_pointer = matches!(other, Ty::Pointer { .. });
            shape.is_enum = matches!(other, Ty::Enum(_));
            let is_scalar = matches!(other, Ty::Basic(_) | Ty::Pointer { .. } | Ty::Enum(_));
            if is_scalar && let Some(number) = c.passed(behind).ok().as_ref().and_then(scalar) {
                (shape.sort, shape.scalar) = (SCALAR, number);
            }
        }
    }
    shape
}

/// # Safety
/// * `scope` is a namespace in use, `number` that of a type of it.
/// * `out` points to a place for the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_shape(scope: *const Scope, number: u32, out: *mut Shape) {
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    let shape = unsafe { &*scope }.with(|c| match c.type_numbered(number) {
        Some(ty) => shape(c, ty),
        None => Shape::default(),
    });
    // SAFETY: `out` points to a place for the result, by the contract of this function.
    unsafe { out.write(shape) };
}

/// A member of a structure. ORDER farcall_member
#[derive(Debug)]
#[repr(C)]
pub struct Member {
    offset: u64,
    /// The length of its name in bytes; 0 for none.
    name_len: usize,
    ty: u32,
    /// For a bit-field: the first bit in the byte at the offset, and the width; 0 for other members.
    first_bit: u8,
    bits: u8,
}

/// # Safety
/// * `scope` is a namespace in use, `number` that of a structure of it.
/// * `out` points to a place for the result, `name` to `room` bytes for the member's name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_member(
    scope: *const Scope,
    number: u32,
    index: u64,
    out: *mut Member,
    name: *mut c_char,
    room: usize,
) -> bool {
    let member = |c: &mut Declarations| {
        let ty = c.type_numbered(number)?;
        let field = *c.fields(c.record(ty)?)?.get(index as usize)?;
        let text = field.name.map_or("", |name| c.name(name));
        let len = text.len().min(room);
        // SAFETY: `name` points to `room` bytes, by the contract of this function, and `len` is no more.
        unsafe { name.cast::<u8>().copy_from(text.as_ptr(), len) };
        let (first_bit, bits) = field.bits().unwrap_or((0, 0));
        Some(Member {
            offset: field.offset(),
            name_len: text.len(),
            ty: field.ty.number(),
            first_bit,
            bits,
        })
    };
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    let Some(member) = unsafe { &*scope }.with(member) else {
        return false;
    };
    // SAFETY: `out` points to a place for the result, by the contract of this function.
    unsafe { out.write(member) };
    true
}

/// Looks up the value of an enumeration's constant, as 64 bits.
///
/// # Safety
/// * `scope` is a namespace in use, `number` that of a type of it.
/// * `start` points to `len` bytes, `out` to a place for the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_enumerator(
    scope: *const Scope,
    number: u32,
    start: *const c_char,
    len: usize,
    out: *mut i64,
) -> bool {
    // SAFETY: `start` points to `len` bytes, by the contract of this function.
    let Ok(wanted) = (unsafe { text(start, len) }) else {
        return false;
    };
    let value = |c: &mut Declarations| {
        let enumeration = c.enumeration(c.type_numbered(number)?)?;
        let mut constants = c.enumerators(enumeration);
        match constants.find(|(name, _)| c.name(*name) == wanted)? {
            (_, Constant::Integer(value)) => Some(value as i64),
            _ => None,
        }
    };
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    let Some(value) = unsafe { &*scope }.with(value) else {
        return false;
    };
    // SAFETY: `out` points to a place for the result, by the contract of this function.
    unsafe { out.write(value) };
    true
}

/// Writes the C text of a type, as far as there is room, and a NUL.
///
/// # Safety
/// * `scope` is a namespace in use, `number` that of a type of it.
/// * `start` points to `room` bytes, at least one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_show(
    scope: *const Scope,
    number: u32,
    start: *mut c_char,
    room: usize,
) {
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    let shown = unsafe { &*scope }.with(|c| {
        let ty = c.type_numbered(number)?;
        try_format(format_args!("{}", c.show(ty))).ok()
    });
    let shown = shown.unwrap_or_default();
    let len = shown.floor_char_boundary(room - 1);
    // SAFETY: `start` points to `room` bytes, at least one, by the contract of this function; `len` is less.
    unsafe {
        start.cast::<u8>().copy_from(shown.as_ptr(), len);
        start.add(len).write(0);
    }
}

/// Counts a namespace's functions, variables, constants, and types with tags or typedefs.
///
/// # Safety
/// * `scope` is a namespace in use; `out` points to room for four numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_scope_counts(scope: *const Scope, out: *mut [usize; 4]) {
    // SAFETY: `scope` is a namespace in use, by the contract of this function.
    let counts = unsafe { &*scope }.with(|c| {
        [
            c.functions().len(),
            c.variables().len(),
            c.constants().count(),
            c.typedefs().count() + c.tags().count(),
        ]
    });
    // SAFETY: `out` points to room for four numbers, by the contract of this function.
    unsafe { out.write(counts) };
}

/// Looks up the address of a declared function or variable.
///
/// # Safety
/// * `library` is open.
/// * `scope` is a namespace in use.
/// * `out` points to a place for the result, `report` to one for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_library_declared(
    library: *const Library,
    scope: *const Scope,
    meaning: c_int,
    index: u32,
    out: *mut *mut c_void,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `scope` is a namespace in use, by the contract of this function.
        let symbol = unsafe { &*scope }.with(|c| {
            let function = || {
                c.function_numbered(index)
                    .map(|f| f.symbol.unwrap_or(f.name))
            };
            let variable = || {
                c.variable_numbered(index)
                    .map(|v| v.symbol.unwrap_or(v.name))
            };
            let name = match meaning {
                FUNCTION => function(),
                _ => variable(),
            };
            name.map(|name| try_string(c.name(name))).transpose()
        })?;
        let symbol = symbol.ok_or_else(|| Failure::value("nothing is declared by that number"))?;
        // SAFETY: `library` is open, by the contract of this function.
        let address = unsafe { (*library).symbol_of_open(&symbol)? };
        // SAFETY: `out` points to a place for the result, by the contract of this function.
        unsafe { out.write(address) };
        Ok(())
    })
}
