//! The calling thread's own words, and the frame of a call in progress, which one of them points to.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, Form, stack};
use super::{Emitter, TARGET};
use crate::abi::regs::Gpr;
use crate::abi::regs::x64::R10;
use crate::endpoint::call_frame;
use dynasmrt::{DynasmApi, dynasm};

// Jobs of registers, beside those of the trampoline on slots. Neither carries an argument under any convention.
pub(super) const FUNCTION: Gpr = TARGET;
pub(super) const ARGS: Gpr = R10;

/// Holds the call frame's first word when the C function has returned.
pub(super) const PREV: Gpr = R10;

/// What the frame of a call on objects takes above its stack arguments: the call frame, and what makes the stack a multiple of 16 together
/// with the return address.
pub(super) const FRAME: u32 = call_frame::SIZE + 8;

/// The segment whose base is the thread pointer.
#[derive(Clone, Copy)]
pub(in crate::emit) enum Segment {
    Fs,
    Gs,
}

/// A field of the call frame, with `below` bytes of stack arguments under it.
pub(super) fn call_frame_at(below: u32, field: u32) -> Address {
    stack(below + field)
}

impl Emitter {
    /// Stores a register to the thread's word for calls, which lies `innermost` bytes from the thread pointer.
    pub(super) fn store_innermost(&mut self, innermost: i32, from: Gpr) {
        self.count_from_thread_pointer();
        dynasm!(self.ops ; .arch x64 ; mov [innermost], Rq(from));
    }

    /// Loads the word `offset` bytes from the thread pointer.
    pub(super) fn load_of_thread(&mut self, to: Gpr, offset: i32) {
        self.count_from_thread_pointer();
        dynasm!(self.ops ; .arch x64 ; mov Rq(to), [offset]);
    }

    /// One instruction between a register, or with a ModRM opcode extension, and memory `offset` bytes from the thread pointer.
    pub(super) fn access_of_thread(&mut self, form: &Form, register: u8, offset: i32) {
        self.count_from_thread_pointer();
        let rex = u8::from(form.wide) << 3 | register >> 3 << 2;
        if rex != 0 {
            self.ops.push(0x40 | rex);
        }
        self.ops.extend(form.opcode);
        // No base and no index (Intel SDM volume 2, table 2-3): without this byte the address would be relative to the next instruction.
        self.ops.extend(&[(register & 7) << 3 | 4, 0x25]);
        self.ops.extend(&offset.to_le_bytes());
    }

    /// Segment prefix: the next instruction's address is relative to the thread pointer (Intel SDM volume 2, section 2.1.1).
    fn count_from_thread_pointer(&mut self) {
        self.ops.push(match self.segment {
            Segment::Fs => 0x64,
            Segment::Gs => 0x65,
        });
    }
}
