//! Entries on objects: the steps of [`crate::emit::object_entry`].
//!
//! ```text
//!   | C's stack arguments      |
//!   | call frame               |
//!   | x29, x30                 | <- x29
//!   | padding                  |
//!   | errno                    |
//!   | d8 to d15                |
//!   | jump buffer             |  where an exception goes on
//!   | argument objects         | <- sp
//! ```

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, Register, in_pairs};
use super::thread::{ABOVE, WAITS, in_call_frame, known_thread_word};
use super::values::register_of;
use super::{Emitter, FAR, RECORD, SCRATCH};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::{SP, X11, X12, X13};
use crate::abi::{Move, Place, Plan};
use crate::emit::object_entry::{EntryJob, EntrySteps, emit_entry};
use crate::emit::{Code, record};
use crate::endpoint::{
    CatchModel, Delivery, ErrnoModel, MAX_SAVED, NO_FRAME, ObjectModel, call_frame,
};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

const CALLER: Gpr = X11;

/// Fields of the frame of the call that C is in, counted from the thread's word.
const PREV_OF_CALLER: i32 = call_frame::PREV as i32 - call_frame::TAG as i32;
const PENDING_OF_CALLER: i32 = call_frame::PENDING as i32 - call_frame::TAG as i32;

const EXCEPTION: Gpr = SCRATCH[0];

/// The thread's state, where the innermost jump buffer's address lies.
const STATE: Gpr = X12;

/// What a jump buffer keeps of that state.
const KEPT: Gpr = X13;

/// How many words a jump buffer takes beside saved registers, at most.
const OWN: usize = 4;

/// Offsets from the stack pointer.
struct Frame {
    catch: u32,
    vectors: u32,
    errno: u32,
    size: u32,
}

impl Frame {
    fn of(job: &EntryJob<'_>) -> Frame {
        let (plan, catch) = (job.plan, job.catch);
        let row = plan.abi.convention();
        let objects = plan.arg_slots * SLOT;
        let vectors = objects + catch.size.next_multiple_of(SLOT);
        let errno = vectors + row.callee_saved_fp.len() as u32 * SLOT;
        let end = errno + job.model.errno.map_or(0, |_| SLOT);
        Frame {
            catch: objects,
            vectors,
            errno,
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
) -> Result<Code, OutOfMemory> {
    let mut asm = Emitter::new(plan.abi);
    let job = EntryJob::new(&mut asm, plan, model, catch, deliveries);
    emit_entry(&mut asm, &job, slots_entry);
    asm.finish()
}

impl EntrySteps for Emitter {
    const CALLER: Gpr = CALLER;
    const PENDING_FIRST: bool = true;

    fn find_caller(&mut self, job: &EntryJob<'_>) {
        let none = job.slots;
        let word = self.thread_word(job.model.innermost);
        self.load(&word.with(CALLER));
        dynasm!(self.ops
            ; .arch aarch64
            ; cmp XSP(CALLER), NO_FRAME as u32
            ; b.ls =>none
            ; ldur X(SCRATCH[0]), [X(CALLER), PREV_OF_CALLER]
            ; tbnz X(SCRATCH[0]), WAITS, =>none
        );
    }

    fn enter_entry(&mut self, job: &EntryJob<'_>) {
        self.enter(ABOVE, Frame::of(job).size);
    }

    fn note_entry(&mut self, job: &EntryJob<'_>) {
        self.note_frame(ABOVE, Frame::of(job).size);
    }

    fn note_left(&mut self) {
        self.note_no_frame();
    }

    fn leave_entry(&mut self, job: &EntryJob<'_>) {
        self.raise_stack(Frame::of(job).size);
        self.leave(ABOVE);
    }

    /// Two at a time.
    fn deliver(&mut self, job: &EntryJob<'_>) {
        let incoming = ABOVE + Frame::of(job).size;
        for two in job.plan.args.chunks(SCRATCH.len()) {
            let mut objects = [None; SCRATCH.len()];
            for ((arg, object), register) in two.iter().zip(&mut objects).zip(SCRATCH) {
                *object = Some(self.delivered(job, arg, register, incoming));
            }
            self.store_all(objects.into_iter().flatten());
        }
    }

    fn link_entry(&mut self, job: &EntryJob<'_>) {
        self.store(&in_call_frame(CALLER, call_frame::PREV));
        self.link_frame(known_thread_word(job.model.innermost));
    }

    fn keep_errno(&mut self, job: &EntryJob<'_>, errno: &ErrnoModel) {
        let number = SCRATCH[0];
        self.keep_error_number(errno, number);
        self.store(&errno_in_frame(job, number));
    }

    fn link_catch(&mut self, job: &EntryJob<'_>) {
        let (catch, frame, landing) = (job.catch, Frame::of(job), job.landing);
        let vectors = self.vectors(&frame);
        self.store_all(vectors);
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
        let kept = catch.kept.map(|kept| (KEPT, kept.jump_buffer));
        if let Some(kept) = catch.kept {
            self.load(&Access::word(KEPT, STATE, kept.state));
        }
        let saved = self.abi.convention().callee_saved.iter().copied();
        let words = own.into_iter().chain(saved.zip(catch.saved)).chain(kept);
        let mut sorted = [(prev, 0); OWN + MAX_SAVED];
        let mut count = 0;
        for (word, place) in words.zip(&mut sorted) {
            *place = word;
            count += 1;
        }
        let sorted = &mut sorted[..count];
        sorted.sort_unstable_by_key(|&(_, offset)| offset);
        let word = |&(register, offset): &_| Access::word(register, SP, frame.catch + offset);
        self.store_all(sorted.iter().map(word));
        self.add(prev, SP, frame.catch);
        self.store(&innermost);
    }

    fn call_object_handler(&mut self, _: &EntryJob<'_>) {
        let [context, objects] = [0, 1].map(|n| self.abi.convention().int_args[n]);
        self.copy_stack_pointer(objects);
        let [own, handler] = [record::CONTEXT, record::OBJECT_HANDLER].map(u32::from);
        self.load(&Access::word(context, RECORD, own));
        self.load(&Access::word(FAR, RECORD, handler));
        dynasm!(self.ops ; .arch aarch64 ; blr X(FAR));
    }

    fn unlink_catch(&mut self, job: &EntryJob<'_>) {
        let (catch, frame) = (job.catch, Frame::of(job));
        let [state, prev] = SCRATCH;
        let word = self.thread_word(catch.state);
        self.load(&word.with(state));
        self.load(&Access::word(prev, SP, frame.catch + catch.prev));
        self.store(&Access::word(prev, state, catch.innermost));
    }

    fn load_caller(&mut self, job: &EntryJob<'_>) {
        let pending = job.pending;
        self.load(&in_call_frame(CALLER, call_frame::PREV));
        dynasm!(self.ops ; .arch aarch64 ; tbnz X(CALLER), WAITS, =>pending);
    }

    fn give_errno(&mut self, job: &EntryJob<'_>, errno: &ErrnoModel) {
        let [own, other] = SCRATCH;
        self.load(&errno_in_frame(job, own));
        self.give_error_number(errno, [own, STATE], other);
    }

    fn return_result(&mut self, result: &Move) {
        self.register_to_result(self.abi.convention().int_rets[0], result);
    }

    fn load_caught(&mut self, job: &EntryJob<'_>) {
        let frame = Frame::of(job);
        for group in in_pairs(self.vectors(&frame)) {
            self.load_group(&group);
        }
        self.load(&Access::word(EXCEPTION, SP, frame.catch + job.catch.value));
    }

    fn load_kept(&mut self, _: &EntryJob<'_>) {
        self.load(&in_call_frame(EXCEPTION, call_frame::PENDING));
    }

    fn keep_exception(&mut self, job: &EntryJob<'_>) {
        let around = SCRATCH[1];
        self.load(&in_call_frame(CALLER, call_frame::PREV));
        self.unmark(CALLER);
        self.store_innermost(job.model.innermost, CALLER);
        dynasm!(self.ops
            ; .arch aarch64
            ; stur X(EXCEPTION), [X(CALLER), PENDING_OF_CALLER]
            ; ldur X(around), [X(CALLER), PREV_OF_CALLER]
            ; orr XSP(around), X(around), call_frame::WAITS as u64
            ; stur X(around), [X(CALLER), PREV_OF_CALLER]
        );
    }

    fn clear_result(&mut self) {
        let result = self.abi.convention().int_rets[0];
        dynasm!(self.ops ; .arch aarch64 ; mov X(result), xzr);
    }
}

impl Emitter {
    /// Makes of an argument what the handler looks for, in `object` if it changes; says how that is to be stored. `incoming` is the
    /// distance from the stack pointer to the caller's.
    fn delivered(&mut self, job: &EntryJob<'_>, arg: &Move, object: Gpr, incoming: u32) -> Access {
        let delivery = job.delivery(arg);
        match (delivery, self.incoming(arg, object, incoming)) {
            // A float is never a small integer.
            (Delivery::Slot, from) | (_, from @ Register::Fp(_)) => {
                Access::slot(arg, from, SP, arg.slot_offset)
            }
            (_, Register::Int(from)) => {
                if arg.width < SLOT {
                    self.tag_narrow(object, object, from, arg);
                } else {
                    let is_signed = delivery == Delivery::Signed;
                    self.tag_word(object, object, from, is_signed, job.slots_from_frame);
                }
                Access::word(object, SP, arg.slot_offset)
            }
        }
    }

    /// The register that an argument is in, which is `scratch` for one that C passes on the stack.
    fn incoming(&mut self, mv: &Move, scratch: Gpr, incoming: u32) -> Register {
        match mv.place {
            Place::Stack { offset, .. } => {
                self.load(&Access::of(mv, scratch, SP, incoming + offset));
                scratch.into()
            }
            _ => register_of(mv).unwrap_or(scratch.into()),
        }
    }

    /// The vector registers that C gets back, and where they are kept.
    fn vectors(&self, frame: &Frame) -> impl Iterator<Item = Access> + use<> {
        let first = frame.vectors;
        let registers = self.abi.convention().callee_saved_fp.iter();
        (0..)
            .zip(registers)
            .map(move |(index, &register)| Access::word(register, SP, first + index * SLOT))
    }

    fn copy_stack_pointer(&mut self, to: Gpr) {
        dynasm!(self.ops ; .arch aarch64 ; mov XSP(to), sp);
    }
}

/// The `errno` that this call of the entry came in with.
fn errno_in_frame(job: &EntryJob<'_>, register: Gpr) -> Access {
    Access::number(register, SP, Frame::of(job).errno)
}
