//! C's error number of a thread, which is kept while the interpreter runs: see [`ErrnoModel`]. No system with this machine's emitter for
//! objects has one of its own beside it.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::Emitter;
use super::access::Access;
use super::thread::{is_near, known_thread_word};
use crate::abi::regs::Gpr;
use crate::endpoint::ErrnoModel;
use dynasmrt::{DynasmApi, dynasm};

/// Whether the register for the thread pointer holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ThreadPointer {
    Loaded,
    Unknown,
}

impl Emitter {
    /// Loads what is not 0 if calls begin with the number that is kept.
    pub(super) fn load_errno_given(&mut self, errno: &ErrnoModel, to: Gpr, pointer: ThreadPointer) {
        let word = self.word(errno, errno.given, pointer);
        self.load(&as_number(word, to));
    }

    /// Keeps the number, and leaves it in the register that it goes through.
    pub(super) fn keep_error_number(&mut self, errno: &ErrnoModel, through: Gpr) {
        let address = self.word(errno, errno.address, ThreadPointer::Unknown);
        self.load(&address.with(through));
        self.load(&Access::number(through, through, 0));
        let kept = self.word(errno, errno.kept, ThreadPointer::Loaded);
        self.store(&as_number(kept, through));
    }

    /// Gives C the number that is kept.
    pub(super) fn give_kept_number(&mut self, errno: &ErrnoModel, number: Gpr, address: Gpr) {
        let kept = self.word(errno, errno.kept, ThreadPointer::Unknown);
        self.load(&as_number(kept, number));
        self.store_errno(errno, number, address);
    }

    /// Gives C the number that is kept if calls begin with it, or else the one that is in the first register.
    pub(super) fn give_error_number(
        &mut self,
        errno: &ErrnoModel,
        [own, kept]: [Gpr; 2],
        other: Gpr,
    ) {
        let word = self.word(errno, errno.kept, ThreadPointer::Unknown);
        self.load(&as_number(word, kept));
        self.load_errno_given(errno, other, ThreadPointer::Loaded);
        dynasm!(self.ops
            ; .arch aarch64
            ; cmp WSP(other), 0
            ; csel W(own), W(own), W(kept), eq
        );
        self.store_errno(errno, own, other);
    }

    /// What comes after another use of the thread's words.
    fn store_errno(&mut self, errno: &ErrnoModel, number: Gpr, address: Gpr) {
        let word = self.word(errno, errno.address, ThreadPointer::Loaded);
        self.load(&word.with(address));
        self.store(&Access::number(number, address, 0));
    }

    /// One of the thread's words for this. The register for the thread pointer holds that only while all of them are near.
    fn word(&mut self, errno: &ErrnoModel, offset: i32, pointer: ThreadPointer) -> Access {
        let ErrnoModel {
            address,
            kept,
            given,
            ..
        } = *errno;
        let all_near = [address, kept, given].into_iter().all(is_near);
        match all_near && pointer == ThreadPointer::Loaded {
            true => known_thread_word(offset),
            false => self.thread_word(offset),
        }
    }
}

/// A thread's word of which only a number is used.
fn as_number(word: Access, register: Gpr) -> Access {
    Access::number(register, word.base, word.offset)
}
