//! The calling thread's own words, and the frame of a call in progress, which one of them points to.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::Access;
use super::{Emitter, FAR, FRAME_RECORD, SCRATCH};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::{X15, X29};
use crate::endpoint::call_frame;
use dynasmrt::{DynasmApi, dynasm};

/// Holds the thread pointer, or the address of a word found by it. It carries no argument under any convention.
const THREAD: Gpr = X15;

/// `TPIDR_EL0`, as `mrs` names it: op0 3, op1 3, CRn 13, CRm 0, op2 2, of which op0 has one bit (Arm ARM, C5.2).
const TPIDR_EL0: u32 = 1 << 14 | 3 << 11 | 13 << 7 | 2;

/// Offsets from here on are out of [`Emitter::add`]'s reach.
const FAR_AWAY: u32 = 1 << 24;

/// Where the call frame lies above `x29`: just behind the frame record.
const CALL_FRAME: u32 = FRAME_RECORD;

/// The bytes of both.
pub(super) const ABOVE: u32 = FRAME_RECORD + call_frame::SIZE;

/// The number of the bit that tells of an exception.
pub(super) const WAITS: u32 = call_frame::WAITS.trailing_zeros();

/// A field of the call frame.
pub(super) fn in_call_frame(register: Gpr, field: u32) -> Access {
    Access::word(register, X29, CALL_FRAME + field)
}

impl Emitter {
    /// The word `offset` bytes from the thread pointer, to be loaded to the first scratch register or stored from it. It stands as long as the
    /// register for the thread pointer is not used again.
    pub(super) fn thread_word(&mut self, offset: i32) -> Access {
        match u32::try_from(offset) {
            Ok(near) if near < FAR_AWAY => {
                dynasm!(self.ops ; .arch aarch64 ; mrs X(THREAD), TPIDR_EL0);
                Access::word(SCRATCH[0], THREAD, near)
            }
            _ => {
                self.thread_address(offset);
                Access::word(SCRATCH[0], THREAD, 0)
            }
        }
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

    /// Makes this call the innermost one, once the thread's word is kept in the call frame. Goes by the first scratch register.
    pub(super) fn link_frame(&mut self, word: Access) {
        self.add(SCRATCH[0], X29, CALL_FRAME + call_frame::TAG);
        self.store(&word);
    }

    /// Stores a register to the thread's word. Whoever sees that this thread is out of a call also sees all that it did inside.
    pub(super) fn set_innermost(&mut self, innermost: i32, from: Gpr) {
        self.thread_address(innermost);
        dynasm!(self.ops ; .arch aarch64 ; stlr X(from), [XSP(THREAD)]);
    }
}
