//! Shared code of calls on objects: the parts of [`crate::emit::shared`].
//!
//! Those that are entered from within a call's frame expect the stack pointer at its call frame, above which there is only padding:
//!
//! ```text
//!   | return address          |
//!   | padding                 |
//!   | call frame              | <- rsp
//! ```

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::read;
use super::thread::{FRAME, Segment, call_frame_at};
use super::{Emitter, SCRATCH};
use crate::abi::Abi;
use crate::abi::regs::Gpr;
use crate::emit::SharedCode;
use crate::emit::objects::operation_args;
use crate::emit::shared::{SharedSteps, emit_shared};
use crate::endpoint::{ObjectModel, PointerField, call_frame};
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

pub(in crate::emit) fn for_objects(
    segment: Segment,
    abi: Abi,
    model: &ObjectModel,
) -> Result<SharedCode, OutOfMemory> {
    let mut asm = Emitter::without_landing_pad(abi);
    asm.segment = segment;
    let offsets = emit_shared(&mut asm, abi, model);
    let code = asm.finish()?;
    Ok(SharedCode { code, offsets })
}

impl SharedSteps for Emitter {
    fn begin_in_frame(&mut self) -> u32 {
        self.note_depth(FRAME + 8);
        self.ops.offset().0 as u32
    }

    fn begin_frameless(&mut self) -> u32 {
        self.note_depth(8);
        self.ops.offset().0 as u32
    }

    fn leave_frame(&mut self) {
        self.leave(FRAME);
    }

    fn clear(&mut self, register: Gpr) {
        dynasm!(self.ops ; .arch x64 ; xor Rd(register), Rd(register));
    }

    fn load_prev(&mut self) -> Gpr {
        read!(self, mov Rq(SCRATCH), QWORD call_frame_at(0, call_frame::PREV));
        SCRATCH
    }

    fn load_pending(&mut self, to: Gpr) {
        read!(self, mov Rq(to), QWORD call_frame_at(0, call_frame::PENDING));
    }

    fn clear_waits(&mut self, word: Gpr) {
        dynasm!(self.ops ; .arch x64 ; xor Rq(word), BYTE call_frame::WAITS);
    }

    fn pass_slot(&mut self) {
        let [_, second, ..] = operation_args(self.abi);
        self.copy(second, SCRATCH);
    }

    /// Converts the object in `rax` to a pointer, in `rax`, and returns; sets the carry flag for an object of unknown type. Changes no
    /// other register.
    fn convert_pointer(&mut self, none: i32, known: &[&[PointerField]]) {
        let (null, unknown) = (self.ops.new_label(), self.ops.new_label());
        dynasm!(self.ops
            ; .arch x64
            ; cmp rax, none
            ; je =>null
            ; test al, 3
            ; jne =>unknown
            ; push rcx
        );
        self.note_depth(16);
        for field in known.iter().copied().flatten() {
            let next = self.ops.new_label();
            dynasm!(self.ops
                ; .arch x64
                ; mov rcx, QWORD field.ty as i64
                ; cmp [rax], rcx
                ; jne =>next
                ; mov rax, [BYTE rax + field.offset as i8]
                ; pop rcx
            );
            self.note_depth(8);
            // Clears carry; null means a closed function.
            dynasm!(self.ops ; .arch x64 ; test rax, rax ; je =>unknown ; ret ; =>next);
            self.note_depth(16);
        }
        dynasm!(self.ops ; .arch x64 ; pop rcx);
        self.note_depth(8);
        dynasm!(self.ops
            ; .arch x64
            ; =>unknown
            ; stc
            ; ret
            ; =>null
            ; xor eax, eax
            ; ret
        );
    }
}
