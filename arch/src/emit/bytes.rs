//! Values of bytes in calls on objects: structures and whatever else lies in memory.
//!
//! The interpreter knows which object holds such a value, and where its bytes are. The code asks it first, so that nothing has to be
//! undone if it raises. Then the bytes go where the plan says. The bytes of a result are put together in the frame, and the interpreter
//! makes an object of them.

use super::entry_frame::AREA_ALIGN;
use super::objects::{CallJob, Machine};
use crate::abi::{Move, Place, Plan, Sret};
use crate::endpoint::{Boxing, ObjectCall, ObjectModel, Unbox};
use crate::layout::SLOT;

/// The steps of a call that are there for values of bytes.
pub(super) trait BytesSteps: Machine {
    /// Keeps the function in the frame, and the arguments' address if an argument is of bytes.
    fn keep_operation(&mut self, job: &CallJob<'_>);
    /// Clears the place of a result of bytes.
    fn clear_result(&mut self, job: &CallJob<'_>);
    /// Has the interpreter say where the bytes of an argument are, and keeps the address in the frame; or takes the slow path. The
    /// thread's word is not kept yet.
    fn find_bytes(&mut self, job: &CallJob<'_>, index: u32);
    /// Stores a result to its place unless it is there, and makes an object of it.
    fn box_bytes(&mut self, job: &CallJob<'_>);
}

/// The part of a call's frame above its stack arguments and copies, and below the call frame. Only calls with values of bytes have any
/// of it. Offsets are bytes from the stack pointer.
pub(super) struct Room {
    /// The result's bytes.
    pub result: u32,
    /// The function object.
    pub function: u32,
    /// The address of the argument objects, while they are converted.
    pub args: u32,
    /// The addresses of the arguments that are bytes.
    first: u32,
    /// Where the call frame begins.
    pub end: u32,
}

impl Room {
    pub(super) fn new(plan: &Plan, call: &ObjectCall) -> Room {
        let result = plan.stack + plan.copies;
        let mut function = result;
        if call.ret == Boxing::Bytes {
            function += (plan.ret_slots * SLOT).next_multiple_of(AREA_ALIGN);
        }
        let bytes = call.args.iter().filter(|unbox| **unbox == Unbox::Bytes);
        let addresses = bytes.count() as u32 * SLOT;
        let args = function + SLOT;
        let (first, end) = match (addresses, call.ret) {
            (0, Boxing::Bytes) => (args, args),
            (0, _) => (result, result),
            _ => (args + SLOT, args + SLOT + addresses),
        };
        Room {
            result,
            function,
            args,
            first,
            end: end.next_multiple_of(AREA_ALIGN),
        }
    }
}

/// The most bytes of a result in memory that a call has room for.
pub(super) const MOST_RESULT: u32 = 256;

/// Whether the room of a result in memory is aligned for it. A type's alignment divides its size, and so do all powers of two below it.
fn is_aligned(sret: &Sret) -> bool {
    !sret.size.is_multiple_of(2 * AREA_ALIGN)
}

/// Whether a result in registers leaves nothing of its slots as it was.
fn fills_its_slots(plan: &Plan) -> bool {
    let width: u32 = plan.ret.iter().map(|mv| mv.width).sum();
    width == plan.ret_slots * SLOT
}

/// Whether there is code for calls like this: all values are scalars, or bytes that the interpreter finds and makes objects of.
pub(super) fn is_suited(plan: &Plan, call: &ObjectCall, model: &ObjectModel) -> bool {
    let is_suited = |arg: &Move| match call.args[arg.value as usize] {
        Unbox::Bytes => true,
        _ => arg.may_be_scalar(),
    };
    let is_in_register = |mv: &Move| matches!(mv.place, Place::Int(_) | Place::Fp(_));
    let has_result = match call.ret {
        Boxing::Bytes => {
            let has_room = |sret: Sret| sret.size <= MOST_RESULT && is_aligned(&sret);
            model.new_of_bytes != 0
                && plan.sret.is_none_or(has_room)
                && plan.ret.iter().all(is_in_register)
        }
        _ => plan.sret.is_none() && plan.ret.iter().all(Move::may_be_scalar),
    };
    let has_bytes = call.args.contains(&Unbox::Bytes);
    has_result
        && plan.args.iter().all(is_suited)
        && plan.mirrors.is_empty()
        && (!has_bytes || model.find_bytes != 0)
}

impl CallJob<'_> {
    /// Whether an argument is of bytes.
    pub(super) fn is_of_bytes(&self, arg: &Move) -> bool {
        self.unbox(arg) == Unbox::Bytes
    }

    /// Where the address of an argument's bytes is kept in the frame.
    pub(super) fn address_of_bytes(&self, index: u32) -> u32 {
        let before = &self.call.args[..index as usize];
        let before = before.iter().filter(|unbox| **unbox == Unbox::Bytes);
        self.room.first + before.count() as u32 * SLOT
    }
}

/// The first step where values are bytes. The interpreter's functions run while there is nothing to undo if one raises.
pub(super) fn prepare_bytes<M: BytesSteps>(asm: &mut M, job: &CallJob<'_>) {
    if job.has_bytes || job.call.ret == Boxing::Bytes {
        asm.keep_operation(job);
    }
    if job.call.ret == Boxing::Bytes && !fills_its_slots(job.plan) {
        asm.clear_result(job);
    }
    for (unbox, index) in job.call.args.iter().zip(0..) {
        if *unbox == Unbox::Bytes {
            asm.find_bytes(job, index);
        }
    }
}
