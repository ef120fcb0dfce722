//! The code that calls on objects share: the way to the slow path, and the conversion of pointers.
//!
//! It is emitted once, and lies ahead of the calls in the same memory, within reach of their direct branches. Those parts that are
//! entered from within a call's frame expect that frame without its stack arguments.

use super::objects::{Machine, operation_args};
use crate::abi::Abi;
use crate::abi::regs::Gpr;
use crate::endpoint::{ObjectModel, PointerField, SharedOffsets};

/// The parts of shared code as one machine does them.
pub(super) trait SharedSteps: Machine {
    /// Begins a part that is entered with a call's frame; returns where.
    fn begin_in_frame(&mut self) -> u32;
    /// Begins a part that is entered without a frame; returns where.
    fn begin_frameless(&mut self) -> u32;
    /// Takes the frame down.
    fn leave_frame(&mut self);
    fn clear(&mut self, register: Gpr);
    /// Loads the call frame's first word, and says where to.
    fn load_prev(&mut self) -> Gpr;
    /// Loads the exception that waits in the call frame.
    fn load_pending(&mut self, to: Gpr);
    /// Takes the mark of an exception off a thread's word.
    fn clear_waits(&mut self, word: Gpr);
    /// Passes the result's slot on to the function that makes objects.
    fn pass_slot(&mut self);
    /// Converts the object in [`Machine::OBJECT`] to a pointer, there, and returns; a flag says whether its type is unknown.
    fn convert_pointer(&mut self, none: i32, known: &[&[PointerField]]);
}

/// Emits all parts, one after the other.
pub(super) fn emit_shared<M: SharedSteps>(
    asm: &mut M,
    abi: Abi,
    model: &ObjectModel,
) -> SharedOffsets {
    let [function, _, keywords, args] = operation_args(abi);
    let mut offsets = SharedOffsets {
        leave_restoring: asm.begin_in_frame(),
        ..SharedOffsets::default()
    };
    asm.copy(function, M::FUNCTION);
    asm.clear(keywords);
    asm.copy(args, M::ARGS);
    offsets.leave = asm.begin_in_frame();
    let prev = asm.load_prev();
    asm.set_innermost(model, prev);
    asm.leave_frame();
    offsets.slow_path = asm.begin_frameless();
    asm.jump_to(model.call);

    offsets.raise = asm.begin_in_frame();
    asm.clear_waits(M::PREV);
    asm.set_innermost(model, M::PREV);
    asm.load_pending(function);
    asm.leave_frame();
    asm.jump_to(model.raise);

    offsets.new_object = asm.begin_frameless();
    asm.pass_slot();
    asm.jump_to(model.new_object);

    offsets.pointer = asm.begin_frameless();
    asm.convert_pointer(model.none, &[&model.buffers, &model.functions]);
    offsets.function = asm.begin_frameless();
    asm.convert_pointer(model.none, &[&model.functions]);
    offsets
}
