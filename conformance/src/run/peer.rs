//! The record that C code keeps of its arguments.

use crate::source::{GIVE, SEEN};

/// The content of bytes that were not written.
pub const POISON: u8 = 0xe7;

/// The record that a C object keeps: `struct farcall_peer` of [`crate::source`]. ORDER peer
#[repr(C)]
#[derive(Debug)]
pub struct Peer {
    calls: u64,
    give: [u64; GIVE],
    seen: [u64; SEEN],
}

impl Peer {
    /// Clears the notes on calls with `seen` bytes of arguments, and presets the bytes that a C function returns.
    ///
    /// No more is written, as a callee may have left the direction flag set, which long copies do not survive.
    pub fn expect(&mut self, give: &[u8], seen: usize) {
        self.calls = 0;
        for (place, chunk) in self.give.iter_mut().zip(give.chunks(8)) {
            let mut word = [POISON; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            *place = u64::from_ne_bytes(word);
        }
        for word in self.seen.iter_mut().take(seen.div_ceil(8)) {
            *word = u64::from_ne_bytes([POISON; 8]);
        }
    }

    /// How often a C function was called.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The bytes of the arguments that it saw.
    pub fn seen(&self) -> &[u8] {
        // SAFETY: the words are as many bytes, which live as long.
        unsafe { std::slice::from_raw_parts(self.seen.as_ptr().cast(), size_of_val(&self.seen)) }
    }
}
