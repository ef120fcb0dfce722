//! Entries of callbacks on an interpreter's own objects.
//!
//! ```text
//!   | C's stack arguments      |
//!   | call frame               |  marks this thread as inside, for whoever closes a library
//!   | x29, x30                 | <- x29
//!   | padding                  |
//!   | d8 to d15                |
//!   | catch record             |  where an exception goes on
//!   | argument objects         | <- sp
//! ```
//!
//! An exception never passes this frame. It comes out at the landing place, with the registers as they were saved, and
//! is left in the frame of the call that C is in, which raises it when C returns. So is one that was left in this frame, by a callback
//! that no call of ours was in between. An interpreter that never looks at a vector register after it caught something does not save those;
//! C, which does, gets them back from here.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, Register, in_pairs};
use super::thread::{ABOVE, WAITS, in_call_frame};
use super::values::register_of;
use super::{Emitter, FAR, RECORD, SCRATCH};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::{SP, X11, X12, X13};
use crate::abi::{Move, Place, Plan};
use crate::emit::{Code, is_fp, may_be_large, record};
use crate::endpoint::{CatchModel, Delivery, NO_FRAME, ObjectModel, call_frame};
use crate::layout::SLOT;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

/// The thread's word, which tells the frame of the call that C is in. It carries no argument under any convention.
const CALLER: Gpr = X11;

/// Fields of that frame, counted from the thread's word.
const PREV_OF_CALLER: i32 = call_frame::PREV as i32 - call_frame::TAG as i32;
const PENDING_OF_CALLER: i32 = call_frame::PENDING as i32 - call_frame::TAG as i32;

const EXCEPTION: Gpr = SCRATCH[0];

/// The thread's state, where the innermost record's address lies.
const STATE: Gpr = X12;

/// What a catch record keeps of that state.
const KEPT: Gpr = X13;

/// Offsets from the stack pointer.
struct Frame {
    catch: u32,
    vectors: u32,
    size: u32,
}

impl Frame {
    fn new(plan: &Plan, catch: &CatchModel) -> Frame {
        let row = plan.abi.convention();
        let objects = plan.arg_slots * SLOT;
        let vectors = objects + catch.size.next_multiple_of(SLOT);
        let end = vectors + row.callee_saved_fp.len() as u32 * SLOT;
        Frame {
            catch: objects,
            vectors,
            size: end.next_multiple_of(row.stack_align),
        }
    }
}

pub(in crate::emit) fn entry(
    plan: &Plan,
    model: &ObjectModel,
    catch: &CatchModel,
    deliveries: &[Delivery],
    slots_entry: u64,
) -> Code {
    let row = plan.abi.convention();
    let ([context, objects], result) = ([0, 1].map(|n| row.int_args[n]), row.int_rets[0]);
    let frame = Frame::new(plan, catch);
    let mut asm = Emitter::new(plan.abi);
    let [landing, waiting, keep] = [(); 3].map(|()| asm.ops.new_dynamic_label());
    let [slots, slots_with_frame] = [(); 2].map(|()| asm.ops.new_dynamic_label());
    let word = asm.find_caller(model, slots);
    asm.enter(ABOVE, frame.size);
    asm.deliver_all(plan, deliveries, ABOVE + frame.size, slots_with_frame);
    let prev = in_call_frame(CALLER, call_frame::PREV);
    asm.store(&prev);
    asm.link_frame(word);
    asm.link_catch(catch, &frame, landing);
    asm.copy_stack_pointer(objects);
    let handler = u32::from(record::OBJECT_HANDLER);
    asm.load(&Access::word(context, RECORD, u32::from(record::CONTEXT)));
    asm.load(&Access::word(FAR, RECORD, handler));
    dynasm!(asm.ops ; .arch aarch64 ; blr X(FAR));
    asm.unlink_catch(catch, &frame);
    asm.load(&prev);
    dynasm!(asm.ops ; .arch aarch64 ; tbnz X(CALLER), WAITS, =>waiting);
    asm.set_innermost(model.innermost, CALLER);
    for piece in &plan.ret {
        asm.register_to_result(result, piece);
    }
    asm.raise_stack(frame.size);
    asm.leave(ABOVE);
    asm.ret();

    asm.note_frame(ABOVE, frame.size);
    dynasm!(asm.ops ; .arch aarch64 ; =>waiting);
    asm.load(&in_call_frame(EXCEPTION, call_frame::PENDING));
    dynasm!(asm.ops ; .arch aarch64 ; b =>keep ; =>landing);
    for group in in_pairs(&asm.vectors(&frame)) {
        asm.load_group(&group);
    }
    asm.load(&Access::word(EXCEPTION, SP, frame.catch + catch.value));
    dynasm!(asm.ops ; .arch aarch64 ; =>keep);
    asm.keep_exception(model, prev);
    dynasm!(asm.ops ; .arch aarch64 ; mov X(result), xzr);
    for piece in plan.ret.iter().filter(|piece| is_fp(piece)) {
        asm.register_to_result(result, piece);
    }
    asm.raise_stack(frame.size);
    asm.leave(ABOVE);
    asm.ret();

    if may_be_large(plan, deliveries) {
        asm.note_frame(ABOVE, frame.size);
        dynasm!(asm.ops ; .arch aarch64 ; =>slots_with_frame);
        asm.raise_stack(frame.size);
        asm.leave(ABOVE);
    }
    dynasm!(asm.ops ; .arch aarch64 ; =>slots);
    asm.jump_to(slots_entry);
    asm.finish()
}

impl Emitter {
    /// The call that C is in, if this thread is in one that no exception waits for. Gives the thread's word.
    fn find_caller(&mut self, model: &ObjectModel, none: DynamicLabel) -> Access {
        let word = self.thread_word(model.innermost);
        self.load(&word.with(CALLER));
        dynasm!(self.ops
            ; .arch aarch64
            ; cmp XSP(CALLER), NO_FRAME as u32
            ; b.ls =>none
            ; ldur X(SCRATCH[0]), [X(CALLER), PREV_OF_CALLER]
            ; tbnz X(SCRATCH[0]), WAITS, =>none
        );
        word
    }

    /// Leaves an exception to the call that C is in, and makes that the innermost one again.
    fn keep_exception(&mut self, model: &ObjectModel, prev: Access) {
        let around = SCRATCH[1];
        self.load(&prev);
        self.clear_waits(CALLER);
        self.set_innermost(model.innermost, CALLER);
        dynasm!(self.ops
            ; .arch aarch64
            ; stur X(EXCEPTION), [X(CALLER), PENDING_OF_CALLER]
            ; ldur X(around), [X(CALLER), PREV_OF_CALLER]
            ; orr XSP(around), X(around), call_frame::WAITS as u64
            ; stur X(around), [X(CALLER), PREV_OF_CALLER]
        );
    }

    /// Puts the arguments where the handler looks for them, two at a time, or goes elsewhere with all of them as they were. `incoming` is
    /// the distance from the stack pointer to the caller's.
    fn deliver_all(
        &mut self,
        plan: &Plan,
        deliveries: &[Delivery],
        incoming: u32,
        large: DynamicLabel,
    ) {
        for two in plan.args.chunks(SCRATCH.len()) {
            let mut objects = Vec::new();
            for (piece, object) in two.iter().zip(SCRATCH) {
                let delivery = deliveries[piece.value as usize];
                let from = self.incoming(piece, object, incoming);
                objects.push(match (delivery, from) {
                    // A float is never a small integer.
                    (Delivery::Slot, _) | (_, Register::Fp(_)) => {
                        Access::slot(piece, from, SP, piece.slot)
                    }
                    (Delivery::Signed | Delivery::Unsigned, Register::Int(from)) => {
                        let is_signed = delivery == Delivery::Signed;
                        self.tag(object, object, from, piece, is_signed, large);
                        Access::word(object, SP, piece.slot)
                    }
                });
            }
            self.store_all(&objects);
        }
    }

    /// The register that an argument is in, which is `scratch` for one that C passes on the stack.
    fn incoming(&mut self, piece: &Move, scratch: Gpr, incoming: u32) -> Register {
        match piece.place {
            Place::Stack { offset, .. } => {
                self.load(&Access::of(piece, scratch, SP, incoming + offset));
                scratch.into()
            }
            _ => register_of(piece).unwrap_or(scratch.into()),
        }
    }

    /// The arguments are in their slots: every register that carried one is free.
    fn link_catch(&mut self, catch: &CatchModel, frame: &Frame, landing: DynamicLabel) {
        let vectors = self.vectors(frame);
        self.store_all(&vectors);
        let [prev, stack] = SCRATCH;
        let state = self.thread_word(catch.state);
        self.load(&state.with(STATE));
        let innermost = Access::word(prev, STATE, catch.innermost);
        self.load(&innermost);
        dynasm!(self.ops ; .arch aarch64 ; adr X(CALLER), =>landing);
        self.copy_stack_pointer(stack);
        let own = [
            (prev, catch.prev),
            (CALLER, catch.instruction_pointer),
            (stack, catch.stack_pointer),
        ];
        let saved = self.abi.convention().callee_saved.iter().copied();
        let mut words: Vec<Access> = own
            .into_iter()
            .chain(saved.zip(catch.saved))
            .map(|(register, offset)| Access::word(register, SP, frame.catch + offset))
            .collect();
        if let Some(kept) = catch.kept {
            self.load(&Access::word(KEPT, STATE, kept.state));
            words.push(Access::word(KEPT, SP, frame.catch + kept.record));
        }
        words.sort_by_key(|word| word.offset);
        self.store_all(&words);
        self.add(prev, SP, frame.catch);
        self.store(&innermost);
    }

    fn unlink_catch(&mut self, catch: &CatchModel, frame: &Frame) {
        let [state, prev] = SCRATCH;
        let word = self.thread_word(catch.state);
        self.load(&word.with(state));
        self.load(&Access::word(prev, SP, frame.catch + catch.prev));
        self.store(&Access::word(prev, state, catch.innermost));
    }

    /// The vector registers that C gets back, and where they are kept.
    fn vectors(&self, frame: &Frame) -> Vec<Access> {
        let registers = self.abi.convention().callee_saved_fp.iter();
        (0..)
            .zip(registers)
            .map(|(index, &register)| Access::word(register, SP, frame.vectors + index * SLOT))
            .collect()
    }

    fn copy_stack_pointer(&mut self, to: Gpr) {
        dynasm!(self.ops ; .arch aarch64 ; mov XSP(to), sp);
    }
}
