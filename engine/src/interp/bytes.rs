//! Reads and writes the bytes of a move, and widens them on the way.
//!
//! Each size of a register has a case of its own: a copy of any number of bytes would be a call.

use farcall_arch::{Extend, Move};

/// The bytes of a move.
///
/// # Safety
/// * `value` points to `width` bytes, 16 at most.
#[inline(never)]
pub(super) unsafe fn read(value: *const u8, width: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    let to = bytes.as_mut_ptr();
    // SAFETY: `value` points to `width` bytes, by the contract of this function; each arm reads so many.
    unsafe {
        match width {
            8 => to.copy_from_nonoverlapping(value, 8),
            4 => to.copy_from_nonoverlapping(value, 4),
            1 => to.write(value.read()),
            2 => to.copy_from_nonoverlapping(value, 2),
            16 => to.copy_from_nonoverlapping(value, 16),
            _ => to.copy_from_nonoverlapping(value, width),
        }
    }
    bytes
}

/// The same for up to 8 bytes.
///
/// # Safety
/// * `value` points to `width` bytes, 8 at most.
#[inline]
pub(super) unsafe fn read_word(value: *const u8, width: usize) -> u64 {
    // SAFETY: `value` points to `width` bytes, by the contract of this function; each arm reads so many.
    unsafe {
        match width {
            8 => value.cast::<u64>().read_unaligned(),
            4 => value.cast::<u32>().read_unaligned().into(),
            1 => value.read().into(),
            2 => value.cast::<u16>().read_unaligned().into(),
            _ => read_part(value, width),
        }
    }
}

/// The same for a part of a word, as structures of odd sizes have.
///
/// # Safety
/// * As for [`read_word`].
#[inline(never)]
unsafe fn read_part(value: *const u8, width: usize) -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: `value` points to `width` bytes, 8 at most, by the contract of this function.
    unsafe { bytes.as_mut_ptr().copy_from_nonoverlapping(value, width) };
    u64::from_le_bytes(bytes)
}

/// Stores the first bytes of a move.
///
/// # Safety
/// * `to` has room for `width` bytes, 16 at most.
#[inline]
pub(super) unsafe fn store(bytes: &[u8; 16], to: *mut u8, width: usize) {
    let from = bytes.as_ptr();
    // SAFETY: `to` has room for `width` bytes, by the contract of this function; each arm writes so many.
    unsafe {
        match width {
            8 => to.copy_from_nonoverlapping(from, 8),
            4 => to.copy_from_nonoverlapping(from, 4),
            16 => to.copy_from_nonoverlapping(from, 16),
            _ => to.copy_from_nonoverlapping(from, width),
        }
    }
}

/// The same of a word.
///
/// # Safety
/// * `to` has room for `width` bytes, 8 at most.
#[inline]
pub(super) unsafe fn store_word(word: u64, to: *mut u8, width: usize) {
    // SAFETY: `to` has room for `width` bytes, by the contract of this function; each arm writes so many.
    unsafe {
        match width {
            8 => to.cast::<u64>().write_unaligned(word),
            4 => to.cast::<u32>().write_unaligned(word as u32),
            _ => to.copy_from_nonoverlapping(word.to_le_bytes().as_ptr(), width),
        }
    }
}

/// The first eight bytes, as a number.
#[inline]
pub(crate) fn word(bytes: &[u8; 16]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// The number of bytes that a move fills where it is stored: an integer narrower than a word fills a word.
#[inline]
pub(super) fn stored_width(mv: &Move) -> usize {
    match mv.extend {
        Extend::None => mv.width as usize,
        Extend::Zero | Extend::Sign => size_of::<u64>(),
    }
}

/// A move's bytes. A narrow integer is extended to a word, by its type's sign.
#[inline]
pub(super) fn widened(mv: &Move, bytes: &[u8; 16]) -> [u8; 16] {
    if mv.extend == Extend::None {
        return *bytes;
    }
    let mut wide = [0; 16];
    wide[..8].copy_from_slice(&extended(mv, word(bytes)).to_le_bytes());
    wide
}

/// The same for the first word of a move.
#[inline]
pub(super) fn extended(mv: &Move, low: u64) -> u64 {
    let unused = 64 - 8 * mv.width.min(8);
    match mv.extend {
        Extend::None => low,
        Extend::Zero => low << unused >> unused,
        Extend::Sign => ((low << unused) as i64 >> unused) as u64,
    }
}
