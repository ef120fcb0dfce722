//! What a signature says, without addresses: as a key to look it up by, and as the types that `farcall-arch` plans with.

use crate::cif::AbiNumber;
use crate::intern::Detail;
use crate::types::{self, BadType, FfiType, code, elements};
use farcall_arch::types::Float;
use farcall_arch::{Abi, Signature, Struct, StructError, Type, plan};

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
        pub const DEFAULT: AbiNumber = SYSV;
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
        abi::SYSV => Some(Abi::Aapcs64(farcall_arch::abi::Dialect::Linux)),
        #[cfg(target_arch = "aarch64")]
        abi::WIN64 => Some(Abi::Aapcs64(farcall_arch::abi::Dialect::Windows)),
        _ => None,
    }
}

/// Words of a key that need no memory of their own.
const INLINE: usize = 8;

/// The longest key, in words, of a signature that is remembered.
const LONGEST: usize = 512;

/// How deep structs may be nested.
const MAX_DEPTH: u32 = 64;

// Bytes of a key beside the type codes.
const VARIADIC: u8 = 0x40;
const END: u8 = 0x41;

/// A signature's content as a string of words, a byte a scalar, and its hash.
#[derive(Debug)]
pub struct Key {
    word: u64,
    shift: u32,
    hash: u64,
    len: usize,
    inline: [u64; INLINE],
    rest: Vec<u64>,
}

impl Key {
    /// The key of a signature under a convention, still without types.
    #[inline]
    pub fn new(abi: AbiNumber) -> Key {
        Key {
            word: u64::from(abi),
            shift: 8,
            hash: 0,
            len: 0,
            inline: [0; INLINE],
            rest: Vec::new(),
        }
    }

    /// Adds the result's or the next argument's type, which is completed if need be.
    ///
    /// # Errors
    /// [`BadType`] for a type that makes no sense.
    ///
    /// # Safety
    /// * `ty` points to a type that nobody else uses meanwhile.
    #[inline]
    pub unsafe fn add(&mut self, ty: *mut FfiType) -> Result<(), BadType> {
        if ty.is_null() {
            return Err(BadType);
        }
        // SAFETY: the caller vouches for the type.
        let (size, kind) = unsafe { ((*ty).size, (*ty).code) };
        if size != 0 && is_scalar(kind) {
            self.push(canonical(kind));
            return Ok(());
        }
        // SAFETY: likewise.
        unsafe {
            types::complete(ty)?;
            self.add_aggregate(ty, MAX_DEPTH)
        }
    }

    /// # Safety
    /// * As for [`Key::add`]; the type is complete.
    #[cold]
    unsafe fn add_aggregate(&mut self, ty: *const FfiType, depth: u32) -> Result<(), BadType> {
        // SAFETY: the caller vouches for the type.
        let of = unsafe { &*ty };
        let kind = u8::try_from(of.code).map_err(|_| BadType)?;
        if kind > code::VECTOR as u8 || depth == 0 {
            return Err(BadType);
        }
        if is_scalar(of.code) {
            self.push(canonical(of.code));
            return Ok(());
        }
        self.push(kind);
        self.push_number(of.size);
        self.push_number(usize::from(of.alignment));
        // SAFETY: likewise.
        for element in unsafe { elements(ty)? } {
            // SAFETY: likewise: a list has no null pointers before its end. A size of 0 was completed with the whole.
            unsafe { self.add_aggregate(element, depth - 1)? };
            if self.len > LONGEST {
                return Ok(());
            }
        }
        self.push(END);
        Ok(())
    }

    /// Marks that the next arguments are variadic.
    pub fn begin_variadic(&mut self) {
        self.push(VARIADIC);
    }

    /// Ends it: nothing is added any more.
    #[inline]
    pub fn finish(&mut self) {
        // An end that no type code is: 0 stands for void, and a key could else be the beginning of another.
        self.push(END);
        if self.shift > 0 {
            self.flush();
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        self.word |= u64::from(byte) << self.shift;
        self.shift += 8;
        if self.shift == u64::BITS {
            self.flush();
        }
    }

    /// A number in groups of seven bits, the lowest first.
    fn push_number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    #[inline]
    fn flush(&mut self) {
        let word = std::mem::take(&mut self.word);
        self.shift = 0;
        // The golden ratio's bits: a multiplication carries each bit to all higher ones, the rotation back to the low ones.
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        self.hash = (self.hash.rotate_left(23) ^ word).wrapping_mul(MIX);
        match self.inline.get_mut(self.len) {
            Some(place) => *place = word,
            None => self.rest.push(word),
        }
        self.len += 1;
    }

    /// A number that equal keys have in common.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The first word. Every key has one.
    #[inline]
    pub fn first(&self) -> u64 {
        self.inline[0]
    }

    /// How many words there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it is too long to be kept.
    pub fn is_oversized(&self) -> bool {
        self.len > LONGEST
    }

    /// Whether the words behind the first are these.
    #[inline]
    pub fn ends_with(&self, words: &[u64]) -> bool {
        self.behind_first().eq(words.iter().copied())
    }

    /// The words behind the first.
    pub fn behind_first(&self) -> impl Iterator<Item = u64> {
        let inline = &self.inline[..self.len.min(INLINE)];
        inline.iter().chain(&self.rest).skip(1).copied()
    }
}

/// Whether a code says all there is to say of a type.
#[inline]
fn is_scalar(kind: u16) -> bool {
    const AGGREGATES: u32 = 1 << code::STRUCT | 1 << code::COMPLEX | 1 << code::VECTOR;
    kind <= code::VECTOR && AGGREGATES >> kind & 1 == 0
}

/// One code of those that mean the same here.
#[inline]
fn canonical(kind: u16) -> u8 {
    match kind {
        code::POINTER => code::UINT64 as u8,
        code::INT => code::SINT32 as u8,
        kind => kind as u8,
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
    let mut positions = Vec::with_capacity(args.len());
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
    let signature = match fixed {
        None => Signature::new(ret, types),
        Some(_) => Signature::variadic(ret, types, named),
    };
    let signature = signature.map_err(|_| BadType)?;
    let plan = plan(&signature, abi).map_err(|_| BadType)?;
    Ok(Detail {
        plan,
        signature,
        positions,
        fixed,
        count: args.len(),
    })
}

/// The type that a description is of.
///
/// # Safety
/// * The type is complete.
unsafe fn to_type(ty: &FfiType) -> Result<Type, BadType> {
    Ok(match ty.code {
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
        // SAFETY: the caller vouches for the type.
        code::STRUCT => unsafe { to_struct(ty)? },
        // SAFETY: likewise.
        code::COMPLEX => unsafe { to_complex(ty)? },
        code::VECTOR => to_vector(ty)?,
        _ => return Err(BadType),
    })
}

/// What C compilers take for `long double`; on Windows GCC does.
const LONG_DOUBLE: Float = if cfg!(target_arch = "x86_64") {
    Float::F80
} else {
    Float::F128
};

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
    made.map(Type::from).map_err(|_| BadType)
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
            pair.map(Type::from).map_err(|_| BadType)
        }
        _ => Err(BadType),
    }
}

/// A vector goes in one floating-point register, as the number of its size does. Others than those of 8 and 16 bytes have no
/// place there.
fn to_vector(ty: &FfiType) -> Result<Type, BadType> {
    if cfg!(windows) {
        return Err(BadType);
    }
    match ty.size {
        8 => Ok(Type::F64),
        16 => Ok(Type::F128),
        _ => Err(BadType),
    }
}
