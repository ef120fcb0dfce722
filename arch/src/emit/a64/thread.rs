//! The calling thread's own words, and the frame of a call in progress, which one of them points to.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::Access;
use super::{Emitter, FAR, FRAME_RECORD, SCRATCH};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::{X10, X11, X12, X15, X29};
use crate::endpoint::call_frame;
use dynasmrt::{DynasmApi, dynasm};

// Jobs of registers, beside those of the trampoline on slots. None of them carries an argument under any convention.
pub(super) const FUNCTION: Gpr = X11;
pub(super) const ARGS: Gpr = X12;
pub(super) const OBJECT: Gpr = SCRATCH[0];

/// Holds the call frame's first word when the C function has returned.
pub(super) const PREV: Gpr = X10;

/// Holds the thread pointer, or the address of a word found by it. It carries no argument under any convention.
const THREAD: Gpr = X15;

/// `TPIDR_EL0`, as `mrs` names it: op0 3, op1 3, CRn 13, CRm 0, op2 2, of which op0 has one bit (Arm ARM, C5.2).
const TPIDR_EL0: u32 = 1 << 14 | 3 << 11 | 13 << 7 | 2;

/// Offsets from this one on are out of [`Emitter::add`]'s reach.
const FAR_AWAY: u32 = 1 << 24;

/// Where the call frame lies above `x29`: just behind the frame record.
const CALL_FRAME: u32 = FRAME_RECORD;

/// The bytes of both.
pub(super) const ABOVE: u32 = FRAME_RECORD + call_frame::SIZE;

/// What [`Emitter::thread_word`] returned, while that is valid.
pub(super) fn known_thread_word(offset: i32) -> Access {
    let near = u32::try_from(offset).ok().filter(|near| *near < FAR_AWAY);
    Access::word(SCRATCH[0], THREAD, near.unwrap_or(0))
}

/// Whether that register holds the thread pointer itself for a word at this offset.
pub(super) fn is_near(offset: i32) -> bool {
    known_thread_word(offset).offset != 0
}

/// The number of the bit that tells of an exception.
pub(super) const WAITS: u32 = call_frame::WAITS.trailing_zeros();

/// A field of the call frame.
pub(super) fn in_call_frame(register: Gpr, field: u32) -> Access {
    Access::word(register, X29, CALL_FRAME + field)
}

impl Emitter {
    /// The word `offset` bytes from the thread pointer, to be loaded to the first scratch register or stored from it. It is valid until the
    /// register for the thread pointer is used again.
    pub(super) fn thread_word(&mut self, offset: i32) -> Access {
        let word = known_thread_word(offset);
        match word.offset {
            0 => self.thread_address(offset),
            _ => dynasm!(self.ops ; .arch aarch64 ; mrs X(THREAD), TPIDR_EL0),
        }
        word
    }

    /// That word's address, in the register for it.
    fn thread_address(&mut self, offset: i32) {
        dynasm!(self.ops ; .arch aarch64 ; mrs X(THREAD), TPIDR_EL0);
        match u32::try_from(offset) {
            Ok(0) => {}
            Ok(near) if near < FAR_AWAY => self.add(THREAD, THREAD, near),
            _ => {
                self.constant(FAR, i64::from(offset) as u64);
                dynasm!(self.ops ; .arch aarch64 ; add X(THREAD), X(THREAD), X(FAR));
            }
        }
    }

    /// Makes this call the innermost one, once the thread's word is kept in the call frame. Uses the first scratch register.
    pub(super) fn link_frame(&mut self, word: Access) {
        self.add(SCRATCH[0], X29, CALL_FRAME + call_frame::TAG);
        self.store(&word);
    }

    /// A thread's word without the mark of an exception.
    pub(super) fn unmark(&mut self, word: Gpr) {
        dynasm!(self.ops ; .arch aarch64 ; and XSP(word), X(word), !(call_frame::WAITS as u64));
    }

    /// Stores a register to the thread's word for calls. It is a release store: a thread that sees this one out of a call also sees all that it did inside.
    pub(super) fn store_innermost(&mut self, innermost: i32, from: Gpr) {
        self.thread_address(innermost);
        dynasm!(self.ops ; .arch aarch64 ; stlr X(from), [XSP(THREAD)]);
    }
}
