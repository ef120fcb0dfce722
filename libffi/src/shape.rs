//! What a signature says, without addresses: as a key to look it up by, and as the types that `farcall-arch` plans with.

use crate::cif::AbiNumber;
use crate::intern::Detail;
use crate::types::{self, BadType, FfiType, code, elements};
use farcall_arch::types::Float;
use farcall_arch::{Abi, Signature, Struct, StructError, Type, plan};
use std::mem::MaybeUninit;
use std::sync::OnceLock;

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

/// The convention of this library's own functions.
pub const HOST: Abi = if cfg!(target_arch = "aarch64") {
    Abi::Aapcs64(farcall_arch::abi::Dialect::Linux)
} else if cfg!(windows) {
    Abi::Win64
} else {
    Abi::SysV64
};

/// The longest key, in words, of a signature that is remembered: some 500 scalars.
const LONGEST: usize = 64;

/// How deep structs may be nested.
const MAX_DEPTH: u32 = 64;

// Bytes of a key beside the type codes.
const VARIADIC: u8 = 0x40;
const END: u8 = 0x41;

/// A signature's content as a string of words, a byte a scalar, and its hash.
pub struct Key {
    tail: Tail,
    len: usize,
    words: [MaybeUninit<u64>; LONGEST],
    is_oversized: bool,
}

/// The word of a key that is being filled, and the hash of those before it.
#[derive(Clone, Copy)]
struct Tail {
    word: u64,
    shift: u32,
    hash: u64,
}

impl Tail {
    /// Adds a byte; returns the word once it is full.
    #[inline(always)]
    fn push(&mut self, byte: u8) -> Option<u64> {
        self.word |= u64::from(byte) << self.shift;
        self.shift += 8;
        (self.shift == u64::BITS).then(|| self.take())
    }

    #[inline(always)]
    fn take(&mut self) -> u64 {
        // The golden ratio's bits: a multiplication carries each bit to all higher ones, the rotation back to the low ones.
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let word = std::mem::take(&mut self.word);
        self.shift = 0;
        self.hash = (self.hash.rotate_left(23) ^ word).wrapping_mul(MIX);
        word
    }
}

impl Key {
    /// The key of a signature under a convention, still without types.
    #[inline(always)]
    pub fn new(abi: AbiNumber) -> Key {
        Key {
            tail: Tail {
                word: u64::from(abi),
                shift: 8,
                hash: 0,
            },
            len: 0,
            words: [const { MaybeUninit::uninit() }; LONGEST],
            is_oversized: false,
        }
    }

    /// Adds types if all are scalars; returns whether they were. If not, the key is of no use any more.
    ///
    /// # Safety
    /// * All are types.
    #[inline(always)]
    pub unsafe fn add_scalars(&mut self, types: &[*mut FfiType]) -> bool {
        // All that changes with each type stays in registers.
        let mut tail = self.tail;
        for ty in types {
            // SAFETY: the caller vouches for the types.
            let byte = unsafe { scalar_byte(*ty) };
            if byte == NO_SCALAR {
                return false;
            }
            if let Some(word) = tail.push(byte) {
                self.append(word);
            }
        }
        self.tail = tail;
        true
    }

    /// Adds any type, which is completed if need be.
    ///
    /// # Errors
    /// [`BadType`] for a type that makes no sense.
    ///
    /// # Safety
    /// * `ty` points to a type that nobody else uses meanwhile.
    pub unsafe fn add(&mut self, ty: *mut FfiType) -> Result<(), BadType> {
        // SAFETY: the caller vouches for the type.
        unsafe {
            types::complete(ty)?;
            self.add_complete(ty, MAX_DEPTH)
        }
    }

    /// # Safety
    /// * As for [`Key::add`]; the type is complete.
    unsafe fn add_complete(&mut self, ty: *const FfiType, depth: u32) -> Result<(), BadType> {
        // SAFETY: the caller vouches for the type.
        let (of, byte) = unsafe { (&*ty, scalar_byte(ty)) };
        if byte != NO_SCALAR {
            self.push(byte);
            return Ok(());
        }
        if !matches!(of.code, code::STRUCT | code::COMPLEX | code::VECTOR) || depth == 0 {
            return Err(BadType);
        }
        // Here too, what changes with each element stays in registers.
        let mut tail = self.tail;
        self.push_to(&mut tail, of.code as u8);
        self.push_number(&mut tail, of.size);
        self.push_number(&mut tail, usize::from(of.alignment));
        // SAFETY: likewise.
        for element in unsafe { elements(ty)? } {
            // SAFETY: likewise: a list has no null pointers before its end. What had size 0 was completed with the whole.
            let byte = unsafe { scalar_byte(element) };
            if byte != NO_SCALAR {
                self.push_to(&mut tail, byte);
                continue;
            }
            self.tail = tail;
            // SAFETY: likewise.
            unsafe { self.add_complete(element, depth - 1)? };
            tail = self.tail;
            if self.is_oversized {
                return Ok(());
            }
        }
        self.push_to(&mut tail, END);
        self.tail = tail;
        Ok(())
    }

    /// Marks that the next arguments are variadic.
    pub fn begin_variadic(&mut self) {
        self.push(VARIADIC);
    }

    /// Ends it: nothing is added any more.
    #[inline(always)]
    pub fn finish(&mut self) {
        // An end that no type code is: 0 stands for void, and a key could else be the beginning of another.
        self.push(END);
        if self.tail.shift > 0 {
            let word = self.tail.take();
            self.append(word);
        }
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        let mut tail = self.tail;
        self.push_to(&mut tail, byte);
        self.tail = tail;
    }

    #[inline(always)]
    fn push_to(&mut self, tail: &mut Tail, byte: u8) {
        if let Some(word) = tail.push(byte) {
            self.append(word);
        }
    }

    /// A number in groups of seven bits, the lowest first.
    #[inline(always)]
    fn push_number(&mut self, tail: &mut Tail, mut number: usize) {
        while number >= 0x80 {
            self.push_to(tail, number as u8 | 0x80);
            number >>= 7;
        }
        self.push_to(tail, number as u8);
    }

    #[inline(always)]
    fn append(&mut self, word: u64) {
        match self.words.get_mut(self.len) {
            Some(place) => {
                place.write(word);
                self.len += 1;
            }
            None => self.is_oversized = true,
        }
    }

    /// A number that equal keys have in common.
    #[inline(always)]
    pub fn hash(&self) -> u64 {
        self.tail.hash
    }

    /// All of it. A key has a word at least.
    #[inline(always)]
    pub fn words(&self) -> &[u64] {
        // SAFETY: the first `len` words have been written.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }

    /// Whether it is too long to be kept.
    pub fn is_oversized(&self) -> bool {
        self.is_oversized
    }
}

/// What [`scalar_byte`] says of anything else.
const NO_SCALAR: u8 = u8::MAX;

/// The byte that stands for each code, the same for codes that mean the same here.
static SCALAR_BYTES: [u8; 32] = {
    let mut bytes = [NO_SCALAR; 32];
    let mut code = 0;
    while code <= code::VECTOR {
        bytes[code as usize] = match code {
            code::STRUCT | code::COMPLEX | code::VECTOR => NO_SCALAR,
            code::POINTER => code::UINT64 as u8,
            code::INT => code::SINT32 as u8,
            code => code as u8,
        };
        code += 1;
    }
    bytes
};

/// The byte that stands for a scalar type.
///
/// # Safety
/// * `ty` points to a type.
#[inline(always)]
unsafe fn scalar_byte(ty: *const FfiType) -> u8 {
    // SAFETY: the caller vouches for the type.
    let (size, code) = unsafe { ((*ty).size, usize::from((*ty).code)) };
    match SCALAR_BYTES.get(code) {
        Some(&byte) if size != 0 => byte,
        _ => NO_SCALAR,
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
        foreign: OnceLock::new(),
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
            words.map(Type::from).map_err(|_| BadType)
        }
        _ => Err(BadType),
    }
}
