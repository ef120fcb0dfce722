//! What trampolines on objects have in common: where they leave the fast path, and the conversion of pointers.
//!
//! It is emitted once, and lies ahead of the trampolines in the same memory, within reach of their direct branches. Those parts that are
//! entered from within a trampoline's frame expect the stack pointer at its frame record:
//!
//! ```text
//!   | call frame           |
//!   | x29, x30             | <- x29 and sp
//! ```

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::Access;
use super::thread::{ABOVE, in_call_frame};
use super::{Emitter, FAR, SCRATCH};
use crate::abi::Abi;
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::{X10, X11, X12};
use crate::emit::SharedCode;
use crate::endpoint::{ObjectModel, PointerField, SharedEntries, call_frame};
use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

// Jobs of registers, beside those of the slots trampoline. None of them carries an argument under any convention.
pub(super) const FUNCTION: Gpr = X11;
pub(super) const ARGS: Gpr = X12;
pub(super) const OBJECT: Gpr = SCRATCH[0];

/// Holds the call frame's first word when the C function has returned.
pub(super) const PREV: Gpr = X10;

pub(in crate::emit) fn for_objects(abi: Abi, model: &ObjectModel) -> SharedCode {
    let mut asm = Emitter::without_landing_pad(abi);
    let mut entries = SharedEntries::default();
    let [function, _, keywords, args] = [0, 1, 2, 3].map(|n| abi.convention().int_args[n]);

    entries.leave_restoring = asm.begin(ABOVE);
    asm.copy(function, FUNCTION);
    dynasm!(asm.ops ; .arch aarch64 ; mov X(keywords), xzr);
    asm.copy(args, ARGS);
    entries.leave = asm.begin(ABOVE);
    asm.load(&in_call_frame(PREV, call_frame::PREV));
    asm.set_innermost(model.innermost, PREV);
    asm.leave(ABOVE);
    entries.call = asm.begin(0);
    asm.jump_to(model.call);

    entries.raise = asm.begin(ABOVE);
    asm.clear_waits(PREV);
    asm.set_innermost(model.innermost, PREV);
    asm.load(&in_call_frame(function, call_frame::PENDING));
    asm.leave(ABOVE);
    asm.jump_to(model.raise);

    entries.new_object = asm.begin(0);
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
        match frame {
            _ if frame == self.depth => {}
            0 => self.note_no_frame(),
            _ => self.note_frame(frame, 0),
        }
        self.ops.offset().0 as u32
    }

    /// A thread's word without the mark of an exception.
    pub(super) fn clear_waits(&mut self, word: Gpr) {
        dynasm!(self.ops ; .arch aarch64 ; and XSP(word), X(word), !(call_frame::WAITS as u64));
    }

    /// Converts the object in its register to a pointer, there, and returns; clears the carry flag for one that it does not know, and sets it for
    /// all others. Changes no other register but the second scratch register and the one for constants.
    fn convert_pointer(&mut self, none: i32, known: &[&[PointerField]]) {
        let ty = SCRATCH[1];
        let [null, unknown] = [(); 2].map(|()| self.ops.new_dynamic_label());
        self.constant(FAR, i64::from(none) as u64);
        dynasm!(self.ops
            ; .arch aarch64
            ; cmp X(OBJECT), X(FAR)
            ; b.eq =>null
            ; tst X(OBJECT), 3
            ; b.ne =>unknown
        );
        self.load(&Access::word(ty, OBJECT, 0));
        for field in known.iter().copied().flatten() {
            let next = self.ops.new_dynamic_label();
            self.constant(FAR, field.ty);
            dynasm!(self.ops ; .arch aarch64 ; cmp X(ty), X(FAR) ; b.ne =>next);
            self.load(&Access::word(OBJECT, OBJECT, field.offset.into()));
            // Tells a closed function by its null, which alone is less than one.
            dynasm!(self.ops ; .arch aarch64 ; cmp XSP(OBJECT), 1 ; ret ; =>next);
        }
        dynasm!(self.ops
            ; .arch aarch64
            ; =>unknown
            // Of what is no sum or difference there is no carry.
            ; tst xzr, xzr
            ; ret
            ; =>null
            // Equals are compared with carry.
            ; mov X(OBJECT), xzr
            ; ret
        );
    }
}
