//! What a signature says, without addresses: as a key to look it up by.

use crate::types::{self, AbiNumber, BadType, FfiType, code, elements};
use std::mem::MaybeUninit;

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

/// The key of a signature of few scalars, all in one word: what [`Key`] would make of them. It is in registers alone.
#[derive(Clone, Copy)]
pub struct ShortKey(u64);

impl ShortKey {
    /// How many arguments a word has room for, beside the convention, the result and the end.
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
        // From the last byte to the first: so it is only ever shifted by a byte.
        let mut word = u64::from(END);
        for index in (0..count).rev() {
            // SAFETY: the caller vouches for the types.
            let byte = unsafe { scalar_byte(*args.add(index)) };
            word = word << 8 | u64::from(byte);
        }
        // SAFETY: likewise.
        let byte = unsafe { scalar_byte(ret) };
        word = (word << 8 | u64::from(byte)) << 8 | u64::from(abi);
        // All bytes are asked at once: only that which stands for no scalar has its highest bit.
        let others = word & u64::from_ne_bytes([NO_SCALAR & !0x7f; 8]);
        (others == 0).then_some(ShortKey(word))
    }

    /// The hash, which is the only word's alone: different short keys have different hashes, since an odd factor can be undone.
    #[inline(always)]
    pub fn hash(self) -> u64 {
        mix(0, self.0)
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

/// The type codes of a finished key of scalars without variadic ones: the result's, then the arguments'.
#[inline]
pub fn scalar_codes(words: &[u64]) -> &[u8] {
    // SAFETY: words are bytes, and all machines here have the lowest first, as a key is filled.
    let bytes =
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), size_of_val(words)) };
    // The convention's number is not among them; behind the end there are zeros.
    let end = bytes.iter().rposition(|byte| *byte == END);
    bytes.get(1..end.unwrap_or(1)).unwrap_or_default()
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
                    let mut long = Key::new(abi::DEFAULT);
                    assert!(long.add_scalars(&[ret]) && long.add_scalars(&types[..count]));
                    long.finish();
                    let short = ShortKey::new(abi::DEFAULT, ret, types.as_ptr(), count);
                    (short.expect("all are scalars"), long)
                };
                assert_eq!(long.words(), [short.0]);
                assert_eq!(long.hash(), short.hash());
                // A pointer is a number of eight bytes here.
                let same = |code| match code {
                    code::POINTER => code::UINT64,
                    code => code,
                };
                let all = [ret].into_iter().chain(types[..count].iter().copied());
                // SAFETY: likewise.
                let codes = all.map(|ty| same(unsafe { (*ty).code }));
                let told = scalar_codes(long.words());
                assert!(told.iter().map(|code| u16::from(*code)).eq(codes));
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
