//! Entries on objects: the steps of [`crate::emit::object_entry`].
//!
//! ```text
//!   | C's stack arguments      |
//!   | return address           |
//!   | padding                  |
//!   | call frame: pending, prev|
//!   | the thread's state       |
//!   | vector registers         |  those that C wants back
//!   | jump buffer             |  where an exception goes on
//!   | argument objects         |
//!   | shadow space             | <- rsp at the call of the handler
//! ```

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, read, stack, write};
use super::thread::Segment;
use super::{Emitter, RECORD, SCRATCH};
use crate::abi::regs::x64::R11;
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Move, Place, Plan};
use crate::emit::object_entry::{EntryJob, EntrySteps, emit_entry};
use crate::emit::{Code, record};
use crate::endpoint::{CatchModel, Delivery, ErrnoModel, NO_FRAME, ObjectModel, call_frame};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

const CALLER: Gpr = R11;

/// Fields of the frame of the call that C is in, counted from the thread's word.
const PREV_OF_CALLER: i8 = call_frame::PREV as i8 - call_frame::TAG as i8;
const PENDING_OF_CALLER: i8 = call_frame::PENDING as i8 - call_frame::TAG as i8;

/// A vector register's size.
const VECTOR: u32 = 16;

/// Offsets from the stack pointer.
struct Frame {
    objects: u32,
    catch: u32,
    vectors: u32,
    state: u32,
    errno: u32,
    call: u32,
    size: u32,
}

impl Frame {
    fn of(job: &EntryJob<'_>) -> Frame {
        let (plan, catch) = (job.plan, job.catch);
        let row = plan.abi.convention();
        let objects = row.shadow;
        let vectors = objects + plan.arg_slots * SLOT + catch.size;
        let state = vectors + row.callee_saved_fp.len() as u32 * VECTOR;
        let errno = state + SLOT;
        let call = errno + job.model.errno.map_or(0, |_| SLOT);
        // An odd number of words: with the return address it is a multiple of 16.
        let size = (call + call_frame::SIZE + 8).next_multiple_of(16) - 8;
        Frame {
            objects,
            catch: objects + plan.arg_slots * SLOT,
            vectors,
            state,
            errno,
            call,
            size,
        }
    }
}

pub(in crate::emit) fn entry(
    segment: Segment,
    plan: &Plan,
    model: &ObjectModel,
    catch: &CatchModel,
    deliveries: &[Delivery],
    slots_entry: u64,
) -> Result<Code, OutOfMemory> {
    let mut asm = Emitter::new(plan.abi);
    asm.segment = segment;
    let job = EntryJob::new(&mut asm, plan, model, catch, deliveries);
    emit_entry(&mut asm, &job, slots_entry);
    asm.finish()
}

impl EntrySteps for Emitter {
    const CALLER: Gpr = CALLER;
    const PENDING_FIRST: bool = false;

    fn find_caller(&mut self, job: &EntryJob<'_>) {
        let none = job.slots;
        self.load_of_thread(CALLER, job.model.innermost);
        dynasm!(self.ops
            ; .arch x64
            ; cmp Rq(CALLER), NO_FRAME as i32
            ; jbe =>none
            ; test BYTE [BYTE Rq(CALLER) + PREV_OF_CALLER], BYTE call_frame::WAITS
            ; jne =>none
        );
    }

    fn enter_entry(&mut self, job: &EntryJob<'_>) {
        self.enter(Frame::of(job).size);
    }

    fn note_entry(&mut self, job: &EntryJob<'_>) {
        self.note_depth(Frame::of(job).size + 8);
    }

    fn note_left(&mut self) {
        self.note_depth(8);
    }

    fn leave_entry(&mut self, job: &EntryJob<'_>) {
        self.leave(Frame::of(job).size);
    }

    fn deliver(&mut self, job: &EntryJob<'_>) {
        for arg in &job.plan.args {
            self.deliver_one(job, arg);
        }
    }

    fn link_entry(&mut self, job: &EntryJob<'_>) {
        let call = Frame::of(job).call;
        write!(self, mov QWORD stack(call + call_frame::PREV), Rq(CALLER));
        self.address_of(SCRATCH, stack(call + call_frame::TAG));
        self.store_innermost(job.model.innermost, SCRATCH);
    }

    fn keep_errno(&mut self, job: &EntryJob<'_>, errno: &ErrnoModel) {
        let own = stack(Frame::of(job).errno);
        self.keep_error_numbers(errno, SCRATCH, Some(own));
    }

    fn link_catch(&mut self, job: &EntryJob<'_>) {
        let (catch, frame, landing) = (job.catch, Frame::of(job), job.landing);
        for (register, place) in self.vectors(&frame) {
            write!(self, movups XMMWORD place, Rx(register));
        }
        let field = |offset| stack(frame.catch + offset);
        self.load_of_thread(SCRATCH, catch.state);
        let innermost = Address {
            base: SCRATCH,
            offset: catch.innermost,
        };
        write!(self, mov QWORD stack(frame.state), Rq(SCRATCH));
        read!(self, mov Rq(CALLER), QWORD innermost);
        write!(self, mov QWORD field(catch.prev), Rq(CALLER));
        dynasm!(self.ops ; .arch x64 ; lea Rq(CALLER), [=>landing]);
        write!(self, mov QWORD field(catch.instruction_pointer), Rq(CALLER));
        // The word below the stack pointer: the raising function no longer needs its own frames there.
        dynasm!(self.ops ; .arch x64 ; lea Rq(CALLER), [rsp - 8]);
        write!(self, mov QWORD field(catch.stack_pointer), Rq(CALLER));
        let saved = self.abi.convention().callee_saved;
        for (&register, offset) in saved.iter().zip(catch.saved) {
            write!(self, mov QWORD field(offset), Rq(register));
        }
        if let Some(kept) = catch.kept {
            let (base, offset) = (SCRATCH, kept.state);
            read!(self, mov Rq(CALLER), QWORD Address { base, offset });
            write!(self, mov QWORD field(kept.jump_buffer), Rq(CALLER));
        }
        self.address_of(CALLER, field(0));
        write!(self, mov QWORD innermost, Rq(CALLER));
    }

    fn call_object_handler(&mut self, job: &EntryJob<'_>) {
        let [context, objects] = [0, 1].map(|n| self.abi.convention().int_args[n]);
        self.address_of(objects, stack(Frame::of(job).objects));
        dynasm!(self.ops
            ; .arch x64
            ; mov Rq(context), [BYTE Rq(RECORD) + record::CONTEXT as i8]
            ; call QWORD [BYTE Rq(RECORD) + record::OBJECT_HANDLER as i8]
        );
    }

    fn unlink_catch(&mut self, job: &EntryJob<'_>) {
        let (catch, frame) = (job.catch, Frame::of(job));
        read!(self, mov Rq(RECORD), QWORD stack(frame.state));
        read!(self, mov Rq(CALLER), QWORD stack(frame.catch + catch.prev));
        let innermost = Address {
            base: RECORD,
            offset: catch.innermost,
        };
        write!(self, mov QWORD innermost, Rq(CALLER));
    }

    fn load_caller(&mut self, job: &EntryJob<'_>) {
        let pending = job.pending;
        read!(self, mov Rq(CALLER), QWORD prev(job));
        self.test_byte(CALLER, call_frame::WAITS);
        dynasm!(self.ops ; .arch x64 ; jne =>pending);
    }

    fn give_errno(&mut self, job: &EntryJob<'_>, errno: &ErrnoModel) {
        let own = stack(Frame::of(job).errno);
        self.give_error_numbers(errno, own, CALLER, RECORD);
    }

    fn return_result(&mut self, result: &Move) {
        self.register_to_result(SCRATCH, result);
    }

    fn load_caught(&mut self, job: &EntryJob<'_>) {
        let frame = Frame::of(job);
        for (register, place) in self.vectors(&frame) {
            read!(self, movups Rx(register), XMMWORD place);
        }
        read!(self, mov Rq(SCRATCH), QWORD stack(frame.catch + job.catch.value));
    }

    fn load_kept(&mut self, job: &EntryJob<'_>) {
        let pending = Frame::of(job).call + call_frame::PENDING;
        read!(self, mov Rq(SCRATCH), QWORD stack(pending));
    }

    fn keep_exception(&mut self, job: &EntryJob<'_>) {
        read!(self, mov Rq(CALLER), QWORD prev(job));
        dynasm!(self.ops ; .arch x64 ; and Rq(CALLER), BYTE !call_frame::WAITS);
        self.store_innermost(job.model.innermost, CALLER);
        dynasm!(self.ops
            ; .arch x64
            ; mov [BYTE Rq(CALLER) + PENDING_OF_CALLER], rax
            ; or BYTE [BYTE Rq(CALLER) + PREV_OF_CALLER], BYTE call_frame::WAITS
        );
    }

    fn clear_result(&mut self) {
        dynasm!(self.ops ; .arch x64 ; xor eax, eax);
    }
}

impl Emitter {
    fn deliver_one(&mut self, job: &EntryJob<'_>, arg: &Move) {
        let (frame, large) = (Frame::of(job), job.slots_from_frame);
        let (object, incoming) = (stack(frame.objects + arg.slot_offset), frame.size + 8);
        let delivery = job.delivery(arg);
        let filled = match (delivery, arg.place) {
            // A float is never a small integer.
            (Delivery::Slot, _) | (_, Place::Fp(_) | Place::X87(_)) => {
                return self.place_to_value(arg, incoming, object);
            }
            (_, Place::Int(register)) => self.extend(register, arg),
            (_, Place::Stack { offset, .. }) => {
                self.load(SCRATCH, stack(incoming + offset), arg);
                SCRATCH
            }
        };
        if filled != SCRATCH {
            self.copy(SCRATCH, filled);
        }
        match (arg.width, delivery) {
            (8, Delivery::Signed) => {
                dynasm!(self.ops ; .arch x64 ; add rax, rax ; jo =>large ; or rax, 1)
            }
            (8, _) => {
                dynasm!(self.ops ; .arch x64 ; add rax, rax ; jc =>large ; js =>large ; or rax, 1)
            }
            _ => dynasm!(self.ops ; .arch x64 ; lea rax, [rax + rax + 1]),
        }
        write!(self, mov QWORD object, Rq(SCRATCH));
    }

    /// The vector registers that C gets back, and where they are kept.
    fn vectors(&self, frame: &Frame) -> impl Iterator<Item = (Fpr, Address)> + use<> {
        let first = frame.vectors;
        let registers = self.abi.convention().callee_saved_fp;
        (0..)
            .zip(registers)
            .map(move |(index, &register)| (register, stack(first + index * VECTOR)))
    }
}

/// The thread's word as it was before the entry.
fn prev(job: &EntryJob<'_>) -> Address {
    stack(Frame::of(job).call + call_frame::PREV)
}
