//! What a signature says, as the convention and the types that `farcall-arch` plans with.

use crate::key;
use crate::types::{AbiNumber, BadType, FfiType, code, elements};
#[cfg(target_arch = "aarch64")]
use farcall_arch::abi::Dialect;
use farcall_arch::types::Float;
use farcall_arch::{Abi, Plan, Signature, Struct, StructError, Type};
use farcall_engine::{self as engine, Compiled};

/// What is known of a signature beside its code.
#[derive(Debug)]
pub struct Detail {
    /// The arguments that have a value, where they go, and the code for that.
    pub compiled: Compiled,
    /// For each of these, its place among all arguments, unless that is the same.
    pub positions: Vec<u32>,
    /// How many arguments are named, if it was prepared as variadic.
    pub fixed: Option<usize>,
    /// How many arguments there are.
    pub count: usize,
}

impl Detail {
    /// Where its values go.
    pub fn plan(&self) -> &Plan {
        self.compiled.plan()
    }

    /// Whether each pointer to an argument is at the argument's own place in the plan, as generated code takes them.
    pub fn is_dense(&self) -> bool {
        self.positions.is_empty()
    }
}

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

/// What is kept of a signature that was not known before.
///
/// # Errors
/// [`BadType`] for a type that has no place under the convention.
///
/// # Safety
/// * All types are complete.
pub unsafe fn describe(
    number: AbiNumber,
    ret: *const FfiType,
    args: &[*mut FfiType],
    fixed: Option<usize>,
) -> Result<Detail, BadType> {
    let abi = convention(number).ok_or(BadType)?;
    // SAFETY: the caller vouches for the types.
    let ret = unsafe { to_type(&*ret)? };
    let mut types = Vec::with_capacity(args.len());
    let mut positions = Vec::new();
    let mut named = 0;
    for (index, arg) in args.iter().enumerate() {
        // SAFETY: likewise.
        let ty = unsafe { to_type(&**arg)? };
        // An argument without a value takes no place, but has its pointer among the others.
        if ty != Type::Void {
            types.push(ty);
            positions.push(index as u32);
            named += usize::from(fixed.is_some_and(|fixed| index < fixed));
        }
    }
    if positions.len() == args.len() {
        positions = Vec::new();
    }
    let signature = match fixed {
        None => Signature::new(ret, types),
        Some(_) => Signature::variadic(ret, types, named),
    };
    let signature = signature.map_err(|_| BadType)?;
    let compiled = Compiled::new(signature, abi, None).map_err(|_| BadType)?;
    Ok(Detail {
        compiled,
        positions,
        fixed,
        count: args.len(),
    })
}

/// What is kept of a signature whose key is of scalars that all have a value, under this process's own convention.
pub fn describe_scalars(key: &[u64]) -> Detail {
    let signature = scalar_signature(key);
    let count = signature.args().len();
    let compiled = Compiled::new(signature, engine::host_abi(), None);
    Detail {
        compiled: compiled.expect(ALWAYS_PLANNED),
        positions: Vec::new(),
        fixed: None,
        count,
    }
}

/// Where the values of such a signature go.
pub fn plan_scalars(key: &[u64]) -> Plan {
    farcall_arch::plan(&scalar_signature(key), engine::host_abi()).expect(ALWAYS_PLANNED)
}

/// There are fewer than a key has bytes, none is void, and C compilers pass each on this machine.
const ALWAYS_PLANNED: &str = "scalars have a place under this process's convention";

fn scalar_signature(key: &[u64]) -> Signature {
    let to_type = |code: &u8| scalar_type(u16::from(*code)).unwrap_or(Type::Void);
    let (ret, args) = match key::scalar_codes(key) {
        [] => (Type::Void, Vec::new()),
        [ret, args @ ..] => (to_type(ret), args.iter().map(to_type).collect()),
    };
    Signature::new(ret, args).expect(ALWAYS_PLANNED)
}

fn scalar_type(code: u16) -> Option<Type> {
    Some(match code {
        code::VOID => Type::Void,
        code::UINT8 => Type::U8,
        code::SINT8 => Type::I8,
        code::UINT16 => Type::U16,
        code::SINT16 => Type::I16,
        code::UINT32 => Type::U32,
        code::SINT32 | code::INT => Type::I32,
        code::UINT64 => Type::U64,
        code::SINT64 => Type::I64,
        code::POINTER => Type::POINTER,
        code::FLOAT => Type::F32,
        code::DOUBLE => Type::F64,
        code::LONGDOUBLE => LONG_DOUBLE.ty(),
        code::UINT128 => Type::U128,
        code::SINT128 => Type::I128,
        _ => return None,
    })
}

/// The type that a description is of.
///
/// # Safety
/// * The type is complete.
unsafe fn to_type(ty: &FfiType) -> Result<Type, BadType> {
    if let Some(scalar) = scalar_type(ty.code) {
        return Ok(scalar);
    }
    Ok(match ty.code {
        // SAFETY: the caller vouches for the type.
        code::STRUCT => unsafe { to_struct(ty)? },
        // SAFETY: likewise.
        code::COMPLEX => unsafe { to_complex(ty)? },
        code::VECTOR => to_vector(ty)?,
        _ => return Err(BadType),
    })
}

const LONG_DOUBLE: Float = farcall_engine::host_long_double();

/// The stack is aligned to no more anywhere.
const MAX_ALIGN: u32 = 16;

/// # Safety
/// * As for [`to_type`].
unsafe fn to_struct(ty: &FfiType) -> Result<Type, BadType> {
    let mut parts = Vec::new();
    // SAFETY: the caller vouches for the type and its elements.
    for element in unsafe { elements(ty)? } {
        // SAFETY: likewise.
        parts.push(unsafe { to_type(&*element)? });
    }
    let size = u32::try_from(ty.size).map_err(|_| BadType)?;
    let align = u32::from(ty.alignment).clamp(1, MAX_ALIGN);
    let made = match Struct::with_layout(parts.clone(), size, align) {
        // The size is its owner's word. What does not fit is not there.
        Err(StructError::Overflow { index, .. }) => {
            parts.truncate(index);
            Struct::with_layout(parts, size, align)
        }
        made => made,
    };
    made.map_err(|_| BadType)?.try_into().map_err(|_| BadType)
}

/// GNU C has complex integers, which go as structures of two.
///
/// # Safety
/// * As for [`to_type`].
unsafe fn to_complex(ty: &FfiType) -> Result<Type, BadType> {
    // SAFETY: the caller vouches for the type and its elements.
    let part = unsafe { &*elements(ty)?.next().ok_or(BadType)? };
    match part.code {
        code::FLOAT => Ok(Type::Complex(Float::F32)),
        code::DOUBLE => Ok(Type::Complex(Float::F64)),
        code::LONGDOUBLE => Ok(Type::Complex(LONG_DOUBLE)),
        code::INT | code::UINT8..=code::SINT64 | code::UINT128 | code::SINT128 => {
            // SAFETY: a scalar has no elements.
            let part = unsafe { to_type(part)? };
            let pair = Struct::new(vec![part.clone(), part]);
            pair.map_err(|_| BadType)?.try_into().map_err(|_| BadType)
        }
        _ => Err(BadType),
    }
}

/// A vector of 8 or 16 bytes goes in one floating-point register, as the number of its size does. AAPCS64 has a larger one go as
/// a structure does; elsewhere it has no place.
fn to_vector(ty: &FfiType) -> Result<Type, BadType> {
    if cfg!(windows) {
        return Err(BadType);
    }
    match ty.size {
        8 => Ok(Type::F64),
        16 => Ok(Type::F128),
        size if cfg!(target_arch = "aarch64") && size > 16 => {
            let words = Struct::with_layout(vec![Type::U64; size / 8], size as u32, MAX_ALIGN);
            words.map_err(|_| BadType)?.try_into().map_err(|_| BadType)
        }
        _ => Err(BadType),
    }
}
