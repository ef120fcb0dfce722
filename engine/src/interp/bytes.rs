//! The bytes that a move carries, and how they are widened on the way.

use farcall_arch::{Extend, Move};

/// The first eight of them, as a number.
#[inline]
pub(crate) fn word(bytes: &[u8; 16]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// How many bytes a move fills where it is stored: an integer narrower than a word fills one.
#[inline]
pub(super) fn stored_width(mv: &Move) -> usize {
    match mv.extend {
        Extend::None => mv.width as usize,
        Extend::Zero | Extend::Sign => size_of::<u64>(),
    }
}

/// A move's bytes, the narrow integers among them extended to a word as their type wants it.
#[inline]
pub(super) fn widened(mv: &Move, bytes: &[u8; 16]) -> [u8; 16] {
    let unused = 64 - 8 * mv.width.min(8);
    let low = word(bytes);
    let low = match mv.extend {
        Extend::None => return *bytes,
        Extend::Zero => low << unused >> unused,
        Extend::Sign => ((low << unused) as i64 >> unused) as u64,
    };
    let mut wide = [0; 16];
    wide[..8].copy_from_slice(&low.to_le_bytes());
    wide
}
