//! A signature without addresses: a key to look it up by, which also tells where its values go.

use crate::scalar::{NO_SCALAR, is_wide, scalar_byte};
use crate::shape;
use crate::types::{AbiNumber, BadType, FfiType, code};
use farcall_arch::abi::Bound;
use farcall_arch::abi::shape::{Aggregate, Shape};
use farcall_engine::interp::{Item, Ret, Shapes};
use std::mem::MaybeUninit;

/// The longest key, in words, of a signature that is remembered: some 500 scalars.
const LONGEST: usize = 64;

// Bytes of a key beside the type codes.
/// Added to the convention's number if the signature is variadic; the number of named arguments comes next, in four bytes.
const VARIADIC: u8 = 0x40;
const END: u8 = 0x41;
/// Before the eight bytes of an [`Aggregate`].
const AGGREGATE: u8 = 0x42;

/// A signature's content as a string of words, a byte a scalar, and its hash.
pub struct Key {
    tail: Tail,
    len: usize,
    words: [MaybeUninit<u64>; LONGEST],
    is_oversized: bool,
    /// The most room that the arguments take.
    pub bound: Bound,
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
        let word = std::mem::take(&mut self.word);
        self.shift = 0;
        self.hash = mix(self.hash, word);
        word
    }
}

/// The hash of a key's words so far and of the next one.
#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    // The golden ratio's bits: a multiplication carries each bit to all higher ones, the rotation back to the low ones.
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    (hash.rotate_left(23) ^ word).wrapping_mul(MIX)
}

/// The key of a signature of few scalars, in one word: the same word that [`Key`] makes. It is kept in registers only.
#[derive(Clone, Copy)]
pub struct ShortKey(u64);

impl ShortKey {
    /// The number of arguments that a word has room for, beside the convention, the result and the end.
    pub const MAX_ARGS: usize = 5;

    /// The key of a signature; `None` if not all types are scalars. There is a convention with that number, so it is a byte.
    ///
    /// # Safety
    /// * `ret` points to a type, `args` to as many types as `count` says, [`ShortKey::MAX_ARGS`] at most.
    #[inline(always)]
    pub unsafe fn new(
        abi: AbiNumber,
        ret: *const FfiType,
        args: *const *mut FfiType,
        count: usize,
    ) -> Option<ShortKey> {
        // From the last byte to the first, so each step shifts by one byte.
        let mut word = u64::from(END);
        for index in (0..count).rev() {
            // SAFETY: `args` points to `count` types, by the contract of this function, and `index` is below it.
            let byte = unsafe { scalar_byte(*args.add(index)) };
            word = word << 8 | u64::from(byte);
        }
        // SAFETY: likewise.
        let byte = unsafe { scalar_byte(ret) };
        word = (word << 8 | u64::from(byte)) << 8 | u64::from(abi);
        // Checks all bytes at once: only the byte for no scalar has its highest bit set.
        let others = word & u64::from_ne_bytes([NO_SCALAR & !0x7f; 8]);
        (others == 0).then_some(ShortKey(word))
    }

    /// The hash of the only word. Different short keys have different hashes, since multiplication by an odd factor can be undone.
    #[inline(always)]
    pub fn hash(self) -> u64 {
        mix(0, self.0)
    }
}

impl Key {
    /// The key of a signature under a convention, still without types; `fixed` arguments are named if it is variadic.
    #[inline(always)]
    pub fn new(abi: AbiNumber, fixed: Option<u32>) -> Key {
        let mut key = Key {
            tail: Tail {
                word: u64::from(abi),
                shift: 8,
                hash: 0,
            },
            len: 0,
            words: [const { MaybeUninit::uninit() }; LONGEST],
            is_oversized: false,
            bound: Bound::default(),
        };
        if let Some(fixed) = fixed {
            key.tail.word |= u64::from(VARIADIC) | u64::from(fixed) << 8;
            key.tail.shift += u32::BITS;
        }
        key
    }

    /// Adds the result's type, which is completed if need be.
    ///
    /// # Errors
    /// [`BadType`] for a type that makes no sense.
    ///
    /// # Safety
    /// * `ty` points to a type that nobody else uses meanwhile.
    #[inline(always)]
    pub unsafe fn add_result(&mut self, ty: *mut FfiType) -> Result<(), BadType> {
        // SAFETY: `ty` points to a type, by the contract of this function.
        match unsafe { scalar_byte(ty) } {
            // SAFETY: likewise.
            NO_SCALAR => unsafe { self.add_other(ty, None) },
            byte => {
                self.push(byte);
                Ok(())
            }
        }
    }

    /// Adds the arguments' types, which are completed if need be.
    ///
    /// # Errors
    /// As for [`Key::add_result`].
    ///
    /// # Safety
    /// * All are types that nobody else uses meanwhile.
    #[inline(always)]
    pub unsafe fn add_arguments(&mut self, types: &[*mut FfiType]) -> Result<(), BadType> {
        self.bound.add_scalars(types.len() as u32);
        // Copied, so that the state that changes with each type stays in registers.
        let mut tail = self.tail;
        for ty in types {
            // SAFETY: each of `types` points to a type, by the contract of this function.
            let byte = unsafe { scalar_byte(*ty) };
            if byte != NO_SCALAR {
                self.push_to(&mut tail, byte);
                if is_wide(byte) {
                    self.add_wide(byte);
                }
                continue;
            }
            self.tail = tail;
            let abi = shape::convention(self.abi());
            // SAFETY: likewise.
            unsafe { self.add_other(*ty, abi)? };
            tail = self.tail;
        }
        self.tail = tail;
        Ok(())
    }

    /// Adds the room that a scalar of more than a word takes.
    #[inline(never)]
    fn add_wide(&mut self, byte: u8) {
        if let Some(abi) = shape::convention(self.abi()) {
            self.bound.add(abi, shape::of_scalar(u16::from(byte)));
        }
    }

    fn abi(&self) -> AbiNumber {
        let first = match self.len {
            0 => self.tail.word,
            // SAFETY: the first word has been written.
            _ => unsafe { self.words[0].assume_init() },
        };
        AbiNumber::from(first as u8 & !VARIADIC)
    }

    /// Adds a type that is no scalar, and the room that it takes if it is an argument.
    ///
    /// # Safety
    /// * As for [`Key::add_result`].
    #[inline(never)]
    unsafe fn add_other(
        &mut self,
        ty: *mut FfiType,
        argument: Option<farcall_arch::Abi>,
    ) -> Result<(), BadType> {
        // SAFETY: `ty` points to a type that nobody else uses meanwhile, by the contract of this function.
        let shape = unsafe { shape::of_aggregate(ty)? };
        if let Some(abi) = argument {
            self.bound.add(abi, shape);
        }
        if shape::is_too_large(shape) {
            self.is_oversized = true;
        }
        let mut tail = self.tail;
        match shape {
            Shape::Other(aggregate) => {
                self.push_to(&mut tail, AGGREGATE);
                for byte in aggregate.to_bits().to_le_bytes() {
                    self.push_to(&mut tail, byte);
                }
            }
            // A vector of eight bytes.
            _ => self.push_to(&mut tail, code::DOUBLE as u8),
        }
        self.tail = tail;
        Ok(())
    }

    /// Ends it: nothing is added any more.
    #[inline(always)]
    pub fn finish(&mut self) {
        // The end is no type code: 0 stands for void, so otherwise one key could be the beginning of another.
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

    /// The hash: equal keys have equal ones.
    #[inline(always)]
    pub fn hash(&self) -> u64 {
        self.tail.hash
    }

    /// All words. A key has at least one.
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

/// The types of a finished key.
#[derive(Clone, Copy, Debug)]
pub struct KeyTypes {
    /// The number of the convention.
    pub abi: AbiNumber,
    /// How many arguments are named, if it is variadic.
    pub fixed: Option<u32>,
    /// The result.
    pub ret: Ret,
    /// The result's bytes.
    ret_bytes: *const u8,
    /// The arguments' bytes, with the end.
    args: *const u8,
}

impl KeyTypes {
    /// Reads the types of a finished key.
    #[inline(always)]
    pub fn of(words: &'static [u64]) -> KeyTypes {
        // All machines here have the lowest byte first, as a key is filled.
        let bytes = words.as_ptr().cast::<u8>();
        // SAFETY: a finished key has a convention, a result and an end, and a variadic one the number of named arguments.
        unsafe {
            let first = *bytes;
            let mut at = bytes.add(1);
            let fixed = match first & VARIADIC {
                0 => None,
                _ => {
                    let fixed = at.cast::<u32>().read_unaligned();
                    at = at.add(size_of::<u32>());
                    Some(fixed)
                }
            };
            let ret_bytes = at;
            let code = u16::from(*at);
            let scalar = shape::plain_scalar(code);
            let ret = if scalar.is_some() || code == code::VOID {
                at = at.add(1);
                Ret::Scalar(scalar)
            } else {
                let _ = next(&mut at);
                Ret::Other
            };
            KeyTypes {
                abi: AbiNumber::from(first & !VARIADIC),
                fixed,
                ret,
                ret_bytes,
                args: at,
            }
        }
    }
}

impl Shapes for KeyTypes {
    fn ret(&self) -> Shape {
        // SAFETY: a finished key has a result.
        unsafe { next(&mut { self.ret_bytes }) }.unwrap_or(Shape::Void)
    }

    #[inline(always)]
    fn each(&self, mut visit: impl FnMut(u32, Item<'_>)) {
        let mut at = self.args;
        let mut value = 0;
        loop {
            // SAFETY: a finished key has an end.
            let byte = unsafe { *at };
            if let Some(scalar) = shape::plain_scalar(u16::from(byte)) {
                at = at.wrapping_add(1);
                visit(value, Item::Scalar(scalar));
            } else if byte == END {
                return;
            } else {
                // SAFETY: likewise.
                let Some(shape) = (unsafe { next(&mut at) }) else {
                    return;
                };
                visit(value, Item::Other(&shape));
            }
            value += 1;
        }
    }
}

/// The next type of a key; `None` at its end.
///
/// # Safety
/// * `at` points to a type or the end within a finished key.
#[inline(never)]
unsafe fn next(at: &mut *const u8) -> Option<Shape> {
    // SAFETY: `at` points to a type or to the end within a finished key, by the contract of this function; behind a type there is
    // another one or the end.
    unsafe {
        let byte = **at;
        *at = at.add(1);
        if let Some(scalar) = shape::plain_scalar(u16::from(byte)) {
            return Some(Shape::Scalar(scalar));
        }
        match byte {
            END => None,
            AGGREGATE => {
                let bits = at.cast::<u64>().read_unaligned();
                *at = at.add(size_of::<u64>());
                Some(Shape::Other(Aggregate::from_bits(bits)))
            }
            code => Some(shape::of_scalar(u16::from(code))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::abi;
    use std::ptr;

    fn ty(code: u16, size: usize) -> FfiType {
        FfiType {
            size,
            alignment: 1,
            code,
            elements: ptr::null_mut(),
        }
    }

    #[test]
    fn short_key_is_the_only_word_of_the_long_one() {
        let mut types = [
            code::VOID,
            code::POINTER,
            code::SINT128,
            code::UINT8,
            code::DOUBLE,
        ]
        .map(|code| ty(code, 1));
        let types = types.each_mut().map(|ty| &raw mut *ty);
        for count in 0..=ShortKey::MAX_ARGS {
            for ret in types {
                // SAFETY: all types are right above.
                let (short, long) = unsafe {
                    let mut long = Key::new(abi::DEFAULT, None);
                    assert_eq!(long.add_result(ret), Ok(()));
                    assert_eq!(long.add_arguments(&types[..count]), Ok(()));
                    long.finish();
                    let short = ShortKey::new(abi::DEFAULT, ret, types.as_ptr(), count);
                    (short.expect("all are scalars"), long)
                };
                assert_eq!(long.words(), [short.0]);
                assert_eq!(long.hash(), short.hash());
            }
        }
    }

    #[test]
    fn short_key_is_of_scalars_alone() {
        let mut int = ty(code::SINT32, 4);
        let others = [
            ty(code::STRUCT, 4),
            ty(code::COMPLEX, 8),
            ty(code::VECTOR, 16),
            ty(code::VECTOR + 1, 1),
            ty(u16::MAX, 1),
            ty(code::SINT32, 0),
        ];
        for mut other in others {
            let (int, other) = (&raw mut int, &raw mut other);
            for place in 0..=ShortKey::MAX_ARGS {
                let mut types = [int; ShortKey::MAX_ARGS + 1];
                types[place] = other;
                let [ret, args @ ..] = &types;
                // SAFETY: all types are right above.
                let key = unsafe { ShortKey::new(abi::DEFAULT, *ret, args.as_ptr(), args.len()) };
                assert!(key.is_none());
            }
        }
    }
}
