//! What trampolines on objects have in common: where they leave the fast path, and the conversion of pointers.
//!
//! It is emitted once, and lies ahead of the trampolines in the same memory, within reach of their direct jumps. Those parts that are
//! entered from within a trampoline's frame expect the stack pointer at its call frame, above which there is only padding:
//!
//! ```text
//!   | return address          |
//!   | padding                 |
//!   | call frame              | <- rsp
//! ```

use super::super::SharedCode;
use super::access::read;
use super::thread::call_frame_at;
use super::{Emitter, SCRATCH, TARGET};
use crate::abi::Abi;
use crate::abi::regs::Gpr;
use crate::abi::regs::x64::R10;
use crate::endpoint::{ObjectModel, PointerField, SharedEntries, call_frame};
use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

// Jobs of registers, beside those of the slots trampoline. Neither carries an argument under any convention.
pub(super) const FUNCTION: Gpr = TARGET;
pub(super) const ARGS: Gpr = R10;

/// Holds the call frame's first word when the C function has returned.
pub(super) const PREV: Gpr = R10;

/// What a trampoline's frame takes above its stack arguments: the call frame, and what makes the stack a multiple of 16 together
/// with the return address.
pub(super) const FRAME: u32 = call_frame::SIZE + 8;

pub(in crate::emit) fn for_objects(abi: Abi, model: &ObjectModel) -> SharedCode {
    let mut asm = Emitter::without_landing_pad(abi);
    let mut entries = SharedEntries::default();
    let [function, count, keywords, args] = [0, 1, 2, 3].map(|n| abi.convention().int_args[n]);

    entries.leave_restoring = asm.begin(FRAME);
    asm.copy(function, FUNCTION);
    dynasm!(asm.ops ; .arch x64 ; xor Rd(keywords), Rd(keywords));
    asm.copy(args, ARGS);
    entries.leave = asm.begin(FRAME);
    asm.load_prev(SCRATCH);
    asm.set_innermost(model, SCRATCH);
    asm.leave(FRAME);
    entries.call = asm.begin(0);
    asm.jump_to(model.call);

    entries.raise = asm.begin(FRAME);
    dynasm!(asm.ops ; .arch x64 ; xor Rq(PREV), BYTE call_frame::WAITS);
    asm.set_innermost(model, PREV);
    let pending = call_frame_at(0, call_frame::PENDING);
    read!(asm, mov Rq(function), QWORD pending);
    asm.leave(FRAME);
    asm.jump_to(model.raise);

    entries.new_object = asm.begin(0);
    asm.copy(count, SCRATCH);
    asm.jump_to(model.new_object);

    entries.pointer = asm.begin(0);
    asm.convert_pointer(model.none, &[&model.buffers, &model.functions]);
    entries.function = asm.begin(0);
    asm.convert_pointer(model.none, &[&model.functions]);
    SharedCode {
        code: asm.finish(),
        entries,
    }
}

impl Emitter {
    /// Begins a part that is entered with a frame of so many bytes; returns where.
    fn begin(&mut self, frame: u32) -> u32 {
        self.note_depth(frame + 8);
        self.ops.offset().0 as u32
    }

    fn load_prev(&mut self, to: Gpr) {
        let prev = call_frame_at(0, call_frame::PREV);
        read!(self, mov Rq(to), QWORD prev);
    }

    /// Converts the object in `rax` to a pointer, in `rax`, and returns; sets the carry flag for one that it does not know. Changes no
    /// other register.
    fn convert_pointer(&mut self, none: i32, known: &[&[PointerField]]) {
        let (null, unknown) = (self.ops.new_dynamic_label(), self.ops.new_dynamic_label());
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
            let next = self.ops.new_dynamic_label();
            dynasm!(self.ops
                ; .arch x64
                ; mov rcx, QWORD field.ty as i64
                ; cmp [rax], rcx
                ; jne =>next
                ; mov rax, [BYTE rax + field.offset as i8]
                ; pop rcx
            );
            self.note_depth(8);
            // Clears the carry flag, and tells a closed function by its null.
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
