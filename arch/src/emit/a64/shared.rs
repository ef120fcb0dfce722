//! Shared code of calls on objects: the parts of [`crate::emit::shared`].
//!
//! Those that are entered from within a call's frame expect the stack pointer at its frame record:
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
use super::thread::{ABOVE, OBJECT, PREV, in_call_frame};
use super::{Emitter, FAR, SCRATCH};
use crate::abi::Abi;
use crate::abi::regs::Gpr;
use crate::emit::SharedCode;
use crate::emit::shared::{SharedSteps, emit_shared};
use crate::endpoint::{ObjectModel, PointerField, call_frame};
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

pub(in crate::emit) fn for_objects(
    abi: Abi,
    model: &ObjectModel,
) -> Result<SharedCode, OutOfMemory> {
    let mut asm = Emitter::without_landing_pad(abi);
    let offsets = emit_shared(&mut asm, abi, model);
    let code = asm.finish()?;
    Ok(SharedCode { code, offsets })
}

impl SharedSteps for Emitter {
    fn begin_in_frame(&mut self) -> u32 {
        if self.depth != ABOVE {
            self.note_frame(ABOVE, 0);
        }
        self.ops.offset().0 as u32
    }

    fn begin_frameless(&mut self) -> u32 {
        if self.depth != 0 {
            self.note_no_frame();
        }
        self.ops.offset().0 as u32
    }

    fn leave_frame(&mut self) {
        self.leave(ABOVE);
    }

    fn clear(&mut self, register: Gpr) {
        dynasm!(self.ops ; .arch aarch64 ; mov X(register), xzr);
    }

    fn load_prev(&mut self) -> Gpr {
        self.load(&in_call_frame(PREV, call_frame::PREV));
        PREV
    }

    fn load_pending(&mut self, to: Gpr) {
        self.load(&in_call_frame(to, call_frame::PENDING));
    }

    fn clear_waits(&mut self, word: Gpr) {
        self.unmark(word);
    }

    /// It is in the second argument's register: the result's is the first.
    fn pass_slot(&mut self) {}

    /// Converts the object in its register to a pointer, there, and returns; clears the carry flag for an object of unknown type, and
    /// sets it for all others. Otherwise it changes only the second scratch register and the one for constants.
    fn convert_pointer(&mut self, none: i32, known: &[&[PointerField]]) {
        let ty = SCRATCH[1];
        let [null, unknown] = [(); 2].map(|()| self.ops.new_label());
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
            let next = self.ops.new_label();
            self.constant(FAR, field.ty);
            dynasm!(self.ops ; .arch aarch64 ; cmp X(ty), X(FAR) ; b.ne =>next);
            self.load(&Access::word(OBJECT, OBJECT, field.offset.into()));
            // Null means a closed function: it alone is below one, which clears carry.
            dynasm!(self.ops ; .arch aarch64 ; cmp XSP(OBJECT), 1 ; ret ; =>next);
        }
        dynasm!(self.ops
            ; .arch aarch64
            ; =>unknown
            // `tst` clears carry.
            ; tst xzr, xzr
            ; ret
            ; =>null
            // The equal `cmp` left carry set.
            ; mov X(OBJECT), xzr
            ; ret
        );
    }
}
