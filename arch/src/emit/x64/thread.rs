//! The calling thread's own words, and the frame of a call in progress, which one of them points to.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::Emitter;
use super::access::Address;
use crate::abi::regs::Gpr;
use crate::abi::regs::x64::RSP;
use crate::endpoint::{ObjectModel, ThreadPointer};
use dynasmrt::{DynasmApi, dynasm};

/// A field of the call frame, where `stack` bytes of arguments lie below it.
pub(super) fn call_frame_at(stack: u32, field: u32) -> Address {
    let (base, offset) = (RSP, stack + field);
    Address { base, offset }
}

impl Emitter {
    /// Stores a register to the thread's word.
    pub(super) fn set_innermost(&mut self, model: &ObjectModel, from: Gpr) {
        self.address_of_thread(model);
        dynasm!(self.ops ; .arch x64 ; mov [model.innermost], Rq(from));
    }

    /// Loads a word that lies so many bytes from the thread pointer.
    pub(super) fn load_of_thread(&mut self, model: &ObjectModel, to: Gpr, offset: i32) {
        self.address_of_thread(model);
        dynasm!(self.ops ; .arch x64 ; mov Rq(to), [offset]);
    }

    /// Has the next instruction count an absolute address from the thread pointer (Intel SDM volume 2, section 2.1.1).
    fn address_of_thread(&mut self, model: &ObjectModel) {
        let segment = match model.thread_pointer {
            ThreadPointer::Fs => 0x64,
            ThreadPointer::Gs => 0x65,
            ThreadPointer::TpidrEl0 => unreachable!("another machine's"),
        };
        self.ops.push(segment);
    }
}
