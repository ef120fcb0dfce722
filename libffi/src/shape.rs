//! Translates libffi's conventions and types to those that `farcall-arch` plans with.

use crate::scalar::{self, NO_SCALAR};
use crate::types::{self, AbiNumber, BadType, FfiType, code, elements};
#[cfg(target_arch = "aarch64")]
use farcall_arch::abi::Dialect;
use farcall_arch::abi::shape::{Aggregate, Content, MAX_TELLING, Shape};
use farcall_arch::abi::{Bound, MAX_AREA};
use farcall_arch::layout::Number;
use farcall_arch::types::Float;
use farcall_arch::{Abi, Scalar, Type};
use farcall_engine::interp::{Item, Ret, Shapes, Told};
use std::cell::Cell;

/// The numbers of calling conventions (`ffi_abi`), which differ from target to target.
#[allow(missing_docs, reason = "named as in ffitarget.h")]
pub mod abi {
    use super::AbiNumber;

    #[cfg(all(target_arch = "x86_64", unix))]
    mod numbers {
        use super::AbiNumber;
        pub const UNIX64: AbiNumber = 2;
        pub const WIN64: AbiNumber = 3;
        pub const GNUW64: AbiNumber = 4;
        pub const DEFAULT: AbiNumber = UNIX64;
    }

    #[cfg(all(target_arch = "x86_64", windows))]
    mod numbers {
        use super::AbiNumber;
        pub const WIN64: AbiNumber = 1;
        pub const GNUW64: AbiNumber = 2;
        pub const DEFAULT: AbiNumber = GNUW64;
    }

    #[cfg(target_arch = "aarch64")]
    mod numbers {
        use super::AbiNumber;
        pub const SYSV: AbiNumber = 1;
        pub const WIN64: AbiNumber = 2;
        pub const DEFAULT: AbiNumber = if cfg!(windows) { WIN64 } else { SYSV };
    }

    pub use numbers::*;
}

/// The convention with a number; `None` if there is none.
pub fn convention(number: AbiNumber) -> Option<Abi> {
    match number {
        #[cfg(all(target_arch = "x86_64", unix))]
        abi::UNIX64 => Some(Abi::SysV64),
        #[cfg(target_arch = "x86_64")]
        abi::WIN64 | abi::GNUW64 => Some(Abi::Win64),
        #[cfg(target_arch = "aarch64")]
        abi::SYSV if cfg!(not(windows)) => Some(farcall_engine::host_abi()),
        #[cfg(target_arch = "aarch64")]
        abi::SYSV => Some(Abi::Aapcs64(Dialect::Linux)),
        #[cfg(target_arch = "aarch64")]
        abi::WIN64 => Some(Abi::Aapcs64(Dialect::Windows)),
        _ => None,
    }
}

/// The types of a signature as the program has them.
#[derive(Clone, Copy, Debug)]
pub struct Types<'a> {
    ret: *mut FfiType,
    args: &'a [*mut FfiType],
}

impl Shapes for Types<'_> {
    fn ret(&self) -> Shape {
        // SAFETY: `told` was called with the same type, which still exists by its contract.
        unsafe { of(self.ret) }.unwrap_or(Shape::Void)
    }

    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(u32, Item<'_>)) {
        for (value, ty) in self.args.iter().enumerate() {
            // SAFETY: `told` was called with the same types, which still exist by its contract.
            let byte = unsafe { scalar::scalar_byte(*ty) };
            if let Some(scalar) = plain_scalar(u16::from(byte)) {
                visit(value as u32, Item::Scalar(scalar));
            // SAFETY: likewise.
            } else if let Ok(shape) = unsafe { of(*ty) } {
                visit(value as u32, Item::Other(&shape));
            }
        }
    }
}

/// A signature that is not remembered.
///
/// # Errors
/// [`BadType`] for a type that has no place under the convention.
///
/// # Safety
/// * The types exist for as long as the result is used.
pub unsafe fn told(
    number: AbiNumber,
    ret: *mut FfiType,
    args: &[*mut FfiType],
    fixed: Option<u32>,
) -> Result<Told<Types<'_>>, BadType> {
    let abi = convention(number).ok_or(BadType)?;
    let mut bound = Bound::default();
    // SAFETY: the types exist for as long as the result is used, by the contract of this function.
    unsafe {
        bound.add_scalars(args.len() as u32);
        for ty in args {
            if !scalar::is_word(scalar::scalar_byte(*ty)) {
                bound.add(abi, of(*ty)?);
            }
        }
        let returned = match of(ret)? {
            Shape::Void => Ret::Scalar(None),
            Shape::Scalar(scalar) => Ret::Scalar(Some(scalar)),
            Shape::Other(_) => Ret::Other,
        };
        Ok(Told {
            abi,
            fixed,
            ret: returned,
            bound,
            shapes: Types { ret, args },
        })
    }
}

/// The shape of any type.
///
/// # Safety
/// * `ty` points to a type.
#[inline(always)]
unsafe fn of(ty: *mut FfiType) -> Result<Shape, BadType> {
    // SAFETY: `ty` points to a type, by the contract of this function.
    match unsafe { scalar::scalar_byte(ty) } {
        // SAFETY: likewise.
        NO_SCALAR => unsafe { of_aggregate(ty) },
        byte => Ok(match plain_scalar(u16::from(byte)) {
            Some(scalar) => Shape::Scalar(scalar),
            None => of_scalar(u16::from(byte)),
        }),
    }
}

/// The scalar of one register that a code stands for.
#[inline(always)]
pub fn plain_scalar(code: u16) -> Option<Scalar> {
    const SCALARS: [Option<Scalar>; 256] = {
        let mut scalars = [None; 256];
        scalars[code::UINT8 as usize] = Some(Scalar::U8);
        scalars[code::SINT8 as usize] = Some(Scalar::I8);
        scalars[code::UINT16 as usize] = Some(Scalar::U16);
        scalars[code::SINT16 as usize] = Some(Scalar::I16);
        scalars[code::UINT32 as usize] = Some(Scalar::U32);
        scalars[code::SINT32 as usize] = Some(Scalar::I32);
        scalars[code::INT as usize] = Some(Scalar::I32);
        scalars[code::UINT64 as usize] = Some(Scalar::U64);
        scalars[code::SINT64 as usize] = Some(Scalar::I64);
        scalars[code::POINTER as usize] = Some(Scalar::U64);
        scalars[code::FLOAT as usize] = Some(Scalar::F32);
        scalars[code::DOUBLE as usize] = Some(Scalar::F64);
        scalars
    };
    static TABLE: [Option<Scalar>; 256] = SCALARS;
    TABLE[usize::from(code as u8)]
}

/// The shape of any scalar; of anything else that of `void`.
pub fn of_scalar(code: u16) -> Shape {
    Shape::of(&scalar_type(code).unwrap_or(Type::Void))
}

fn scalar_type(code: u16) -> Option<Type> {
    Some(match code {
        code::VOID => Type::Void,
        code::LONGDOUBLE => LONG_DOUBLE.ty(),
        code::UINT128 => Type::U128,
        code::SINT128 => Type::I128,
        other => Type::Scalar(plain_scalar(other)?),
    })
}

const LONG_DOUBLE: Float = farcall_engine::host_long_double();

/// The largest alignment of the stack under any convention.
const MAX_ALIGN: u32 = 16;

/// The depth to which structs may nest if their content decides where they go. The limit detects a description that contains itself.
const MAX_DEPTH: u32 = 1 << 12;

/// Whether a value is larger than any stack. A signature with it can be prepared, as with libffi, but not called.
pub fn is_too_large(shape: Shape) -> bool {
    matches!(shape, Shape::Other(aggregate) if aggregate.size() > MAX_AREA)
}

/// The shape of a struct, complex number or vector, which is completed if need be.
///
/// # Errors
/// [`BadType`] for a type that makes no sense.
///
/// # Safety
/// * `ty` points to a type that nobody else uses meanwhile.
#[inline(never)]
pub unsafe fn of_aggregate(ty: *mut FfiType) -> Result<Shape, BadType> {
    // SAFETY: `ty` points to a type that nobody else uses meanwhile, by the contract of this function, so its size may be filled in.
    unsafe {
        types::complete(ty)?;
        let of = &*ty;
        let size = u32::try_from(of.size).unwrap_or(u32::MAX);
        match of.code {
            code::STRUCT => {
                let content = match size {
                    0..=MAX_TELLING => struct_content(of, size, 0, MAX_DEPTH)?,
                    _ => Content::NOTHING,
                };
                let made = Aggregate::of_struct(size, alignment(of), &content);
                Ok(Shape::Other(made))
            }
            code::COMPLEX => of_complex(of),
            code::VECTOR => of_vector(of),
            _ => Err(BadType),
        }
    }
}

/// The alignment that a type states, as far as it makes sense.
fn alignment(ty: &FfiType) -> u32 {
    let align = u32::from(ty.alignment).next_power_of_two();
    align.clamp(1, MAX_ALIGN)
}

/// The content of a struct of `size` bytes that begins `base` bytes behind the start of the whole. The owner states the size; elements that
/// do not fit are left out. So there are no more elements than bytes, as none is empty.
///
/// # Safety
/// * `ty` and all within it are types.
unsafe fn struct_content(
    ty: &FfiType,
    size: u32,
    base: u32,
    depth: u32,
) -> Result<Content, BadType> {
    if depth == 0 {
        return Err(BadType);
    }
    let pack = alignment(ty);
    let mut content = Content::NOTHING;
    let mut end = 0_u32;
    // SAFETY: `ty` is a type, by the contract of this function.
    for element in unsafe { elements(ty)? } {
        // SAFETY: likewise.
        let element = unsafe { &*element };
        let (len, align) = extent(element)?;
        let offset = end.next_multiple_of(align.min(pack));
        if len > size.saturating_sub(offset) {
            break;
        }
        end = offset + len;
        let at = base + offset;
        if element.code == code::STRUCT {
            // SAFETY: likewise.
            let inner = unsafe { struct_content(element, len, at, depth - 1)? };
            content.add_struct(inner, align);
        } else {
            // SAFETY: likewise.
            unsafe { add_numbers(element, at, &mut content)? };
        }
    }
    match end {
        // It has no members.
        0 => Err(BadType),
        _ => Ok(content),
    }
}

/// Size and alignment of an element.
fn extent(ty: &FfiType) -> Result<(u32, u32), BadType> {
    let size = match scalar_type(ty.code) {
        Some(scalar) => return sized(scalar.size(), scalar.align()),
        None => u32::try_from(ty.size).unwrap_or(u32::MAX),
    };
    match ty.code {
        code::STRUCT => sized(size, alignment(ty)),
        // SAFETY: the elements of a type are types, by the contract of the functions that take one.
        code::COMPLEX => match unsafe { of_complex(ty)? } {
            Shape::Other(pair) => sized(pair.size(), pair.align()),
            _ => Err(BadType),
        },
        code::VECTOR => sized(size, MAX_ALIGN.min(size)),
        _ => Err(BadType),
    }
}

fn sized(size: u32, align: u32) -> Result<(u32, u32), BadType> {
    match size {
        0 => Err(BadType),
        _ => Ok((size, align)),
    }
}

/// Adds the numbers of an element that is no struct.
///
/// # Safety
/// * The type and its elements are types.
unsafe fn add_numbers(ty: &FfiType, at: u32, content: &mut Content) -> Result<(), BadType> {
    let mut add = |offset, number| content.add_number(offset, number);
    if let Some(scalar) = scalar_type(ty.code) {
        scalar.for_each_number(at, &mut add);
        return Ok(());
    }
    match ty.code {
        code::COMPLEX => {
            // SAFETY: `ty` and its elements are types, by the contract of this function.
            let part = unsafe { complex_part(ty)? };
            part.for_each_number(at, &mut add);
            part.for_each_number(at + part.size(), &mut add);
            Ok(())
        }
        code::VECTOR => {
            let of = Cell::new(at);
            vector_numbers(ty.size, |number| {
                add(of.get(), number);
                of.set(of.get() + number.size());
            })
        }
        _ => Err(BadType),
    }
}

/// The type of a complex number's parts.
///
/// # Safety
/// * The type and its elements are types.
unsafe fn complex_part(ty: &FfiType) -> Result<Type, BadType> {
    // SAFETY: `ty` and its elements are types, by the contract of this function.
    let part = unsafe { &*elements(ty)?.next().ok_or(BadType)? };
    match part.code {
        code::VOID => Err(BadType),
        code => scalar_type(code).ok_or(BadType),
    }
}

/// The shape of a complex number. GNU C's complex integers are passed as structures of two.
///
/// # Safety
/// * As for [`complex_part`].
unsafe fn of_complex(ty: &FfiType) -> Result<Shape, BadType> {
    // SAFETY: the contract of this function is that of `complex_part`.
    let part = unsafe { complex_part(ty)? };
    let float = match part {
        Type::F32 => Float::F32,
        Type::F64 => Float::F64,
        Type::F80 => Float::F80,
        Type::F128 => Float::F128,
        integer => {
            let mut content = Content::NOTHING;
            let mut add = |offset, number| content.add_number(offset, number);
            integer.for_each_number(0, &mut add);
            integer.for_each_number(integer.size(), &mut add);
            let (size, align) = (2 * integer.size(), integer.align());
            return Ok(Shape::Other(Aggregate::of_struct(size, align, &content)));
        }
    };
    Ok(Shape::of(&Type::Complex(float)))
}

/// The shape of a vector. One of 8 or 16 bytes goes in one floating-point register, as a number of that size does. AAPCS64 passes a larger
/// one as a structure; elsewhere it has no place.
fn of_vector(ty: &FfiType) -> Result<Shape, BadType> {
    match ty.size {
        8 if !cfg!(windows) => Ok(Shape::Scalar(Scalar::F64)),
        16 if !cfg!(windows) => Ok(Shape::of(&Type::F128)),
        size => {
            let mut content = Content::NOTHING;
            let at = Cell::new(0);
            vector_numbers(size, |number| {
                content.add_number(at.get(), number);
                at.set(at.get() + number.size());
            })?;
            let size = u32::try_from(size).map_err(|_| BadType)?;
            let made = Aggregate::of_struct(size, MAX_ALIGN, &content);
            Ok(Shape::Other(made))
        }
    }
}

/// Adds the numbers that a vector of `size` bytes is classified as.
fn vector_numbers(size: usize, mut add: impl FnMut(Number)) -> Result<(), BadType> {
    match size {
        _ if cfg!(windows) => Err(BadType),
        8 => {
            add(Number::Float(Float::F64));
            Ok(())
        }
        16 => {
            add(Number::Float(Float::F128));
            Ok(())
        }
        size if cfg!(target_arch = "aarch64") && size > 16 => {
            // More than nine do not change the classification.
            (0..(size / 8).min(9)).for_each(|_| add(Number::Integer(8)));
            Ok(())
        }
        _ => Err(BadType),
    }
}
