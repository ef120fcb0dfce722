//! Entries of callbacks on an interpreter's own objects.
//!
//! ```text
//!   | C's stack arguments      |
//!   | return address           |
//!   | padding                  |
//!   | call frame: pending, prev|  marks this thread as inside, for whoever closes a library
//!   | the thread's state       |
//!   | vector registers         |  those that C wants back
//!   | catch record             |  where an exception goes on
//!   | argument objects         |
//!   | shadow space             | <- rsp at the call of the handler
//! ```
//!
//! An exception never passes this frame. It comes out at the landing place, with the registers as they were saved, and
//! is left in the frame of the call that C is in, which raises it when C returns. So is one that was left in this frame, by a callback
//! that no call of ours was in between. An interpreter that never looks at a vector register after it caught something does not save
//! those; C, which does, gets them back from here.

use super::super::{Code, record};
use super::access::{Address, read, write};
use super::{Emitter, RECORD, SCRATCH};
use crate::abi::regs::x64::{R11, RSP};
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Move, Place, Plan};
use crate::emit::{is_fp, may_be_large};
use crate::endpoint::{CatchModel, Delivery, NO_FRAME, ObjectModel, call_frame};
use crate::layout::SLOT;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

/// The thread's word, which tells the frame of the call that C is in. It carries no argument under any convention.
const CALLER: Gpr = R11;

/// Fields of that frame, counted from the thread's word.
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
    call: u32,
    size: u32,
}

impl Frame {
    fn new(plan: &Plan, catch: &CatchModel) -> Frame {
        let row = plan.abi.convention();
        let objects = row.shadow;
        let vectors = objects + plan.arg_slots * SLOT + catch.size;
        let state = vectors + row.callee_saved_fp.len() as u32 * VECTOR;
        let call = state + SLOT;
        // One more word than a multiple of 16: the return address is the other half.
        let size = (call + call_frame::SIZE + 8).next_multiple_of(16) - 8;
        Frame {
            objects,
            catch: objects + plan.arg_slots * SLOT,
            vectors,
            state,
            call,
            size,
        }
    }
}

fn at(offset: u32) -> Address {
    Address { base: RSP, offset }
}

pub(in crate::emit) fn entry(
    plan: &Plan,
    model: &ObjectModel,
    catch: &CatchModel,
    deliveries: &[Delivery],
    slots_entry: u64,
) -> Code {
    let frame = Frame::new(plan, catch);
    let mut asm = Emitter::new(plan.abi);
    let landing = asm.ops.new_dynamic_label();
    let (keep, waiting) = (asm.ops.new_dynamic_label(), asm.ops.new_dynamic_label());
    let (slots, slots_with_frame) = (asm.ops.new_dynamic_label(), asm.ops.new_dynamic_label());
    asm.find_caller(model, slots);
    asm.enter(frame.size);
    for piece in &plan.args {
        let delivery = deliveries[piece.value as usize];
        asm.deliver(piece, delivery, &frame, slots_with_frame);
    }
    asm.link_call(model, &frame);
    asm.link_catch(model, catch, &frame, landing);
    asm.call_object_handler(plan, &frame);
    asm.unlink_catch(catch, &frame);
    let fields = [call_frame::PREV, call_frame::PENDING];
    let [prev, pending] = fields.map(|field| at(frame.call + field));
    read!(asm, mov Rq(CALLER), QWORD prev);
    asm.test_byte(CALLER, call_frame::WAITS);
    dynasm!(asm.ops ; .arch x64 ; jne =>waiting);
    asm.set_innermost(model, CALLER);
    for piece in &plan.ret {
        asm.register_to_result(SCRATCH, piece);
    }
    asm.leave(frame.size);
    dynasm!(asm.ops ; .arch x64 ; ret ; =>landing);

    asm.note_depth(frame.size + 8);
    for (register, place) in asm.vectors(&frame) {
        read!(asm, movups Rx(register), XMMWORD place);
    }
    let value = at(frame.catch + catch.value);
    read!(asm, mov Rq(SCRATCH), QWORD value);
    dynasm!(asm.ops ; .arch x64 ; =>keep);
    asm.keep_exception(model, prev);
    dynasm!(asm.ops ; .arch x64 ; xor eax, eax);
    for piece in plan.ret.iter().filter(|piece| is_fp(piece)) {
        asm.register_to_result(SCRATCH, piece);
    }
    asm.leave(frame.size);
    dynasm!(asm.ops ; .arch x64 ; ret ; =>waiting);

    asm.note_depth(frame.size + 8);
    read!(asm, mov Rq(SCRATCH), QWORD pending);
    dynasm!(asm.ops ; .arch x64 ; jmp =>keep);

    if may_be_large(plan, deliveries) {
        asm.note_depth(frame.size + 8);
        dynasm!(asm.ops ; .arch x64 ; =>slots_with_frame);
        asm.leave(frame.size);
    } else {
        asm.note_depth(8);
    }
    dynasm!(asm.ops ; .arch x64 ; =>slots);
    asm.jump_to(slots_entry);
    asm.finish()
}

impl Emitter {
    /// The call that C is in, if this thread is in one that no exception waits for.
    fn find_caller(&mut self, model: &ObjectModel, none: DynamicLabel) {
        self.load_of_thread(model, CALLER, model.innermost);
        dynasm!(self.ops
            ; .arch x64
            ; cmp Rq(CALLER), NO_FRAME as i32
            ; jbe =>none
            ; test BYTE [BYTE Rq(CALLER) + PREV_OF_CALLER], BYTE call_frame::WAITS
            ; jne =>none
        );
    }

    /// Leaves the exception in the scratch register to the call that C is in, and makes that the innermost one again.
    fn keep_exception(&mut self, model: &ObjectModel, prev: Address) {
        read!(self, mov Rq(CALLER), QWORD prev);
        dynasm!(self.ops ; .arch x64 ; and Rq(CALLER), BYTE !call_frame::WAITS);
        self.set_innermost(model, CALLER);
        dynasm!(self.ops
            ; .arch x64
            ; mov [BYTE Rq(CALLER) + PENDING_OF_CALLER], rax
            ; or BYTE [BYTE Rq(CALLER) + PREV_OF_CALLER], BYTE call_frame::WAITS
        );
    }

    /// Puts an argument where the handler looks for it, or goes elsewhere with all arguments as they were.
    fn deliver(&mut self, piece: &Move, delivery: Delivery, frame: &Frame, large: DynamicLabel) {
        let object = at(frame.objects + piece.slot);
        let filled = match (delivery, piece.place) {
            // A float is never a small integer.
            (Delivery::Slot, _) | (_, Place::Fp(_) | Place::X87(_)) => {
                return self.place_to_value(piece, frame.size + 8, object);
            }
            (_, Place::Int(register)) => self.extend(register, piece),
            (_, Place::Stack { offset, .. }) => {
                self.load(SCRATCH, at(frame.size + 8 + offset), piece);
                SCRATCH
            }
        };
        if filled != SCRATCH {
            self.copy(SCRATCH, filled);
        }
        match (piece.width, delivery) {
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

    fn link_call(&mut self, model: &ObjectModel, frame: &Frame) {
        let prev = at(frame.call + call_frame::PREV);
        write!(self, mov QWORD prev, Rq(CALLER));
        self.address_of(SCRATCH, at(frame.call + call_frame::TAG));
        self.set_innermost(model, SCRATCH);
    }

    /// The arguments are in their slots: every register that carried one is free.
    fn link_catch(
        &mut self,
        model: &ObjectModel,
        catch: &CatchModel,
        frame: &Frame,
        landing: DynamicLabel,
    ) {
        for (register, place) in self.vectors(frame) {
            write!(self, movups XMMWORD place, Rx(register));
        }
        let field = |offset| at(frame.catch + offset);
        self.load_of_thread(model, SCRATCH, catch.state);
        let (state, prev) = (at(frame.state), field(catch.prev));
        let innermost = Address {
            base: SCRATCH,
            offset: catch.innermost,
        };
        write!(self, mov QWORD state, Rq(SCRATCH));
        read!(self, mov Rq(CALLER), QWORD innermost);
        write!(self, mov QWORD prev, Rq(CALLER));
        dynasm!(self.ops ; .arch x64 ; lea Rq(CALLER), [=>landing]);
        let (instruction, stack) = (field(catch.instruction_pointer), field(catch.stack_pointer));
        write!(self, mov QWORD instruction, Rq(CALLER));
        // Below the stack pointer, where whoever raises has frames of its own, and is done with them by then.
        dynasm!(self.ops ; .arch x64 ; lea Rq(CALLER), [rsp - 8]);
        write!(self, mov QWORD stack, Rq(CALLER));
        let saved = self.abi.convention().callee_saved;
        for (&register, offset) in saved.iter().zip(catch.saved) {
            let place = field(offset);
            write!(self, mov QWORD place, Rq(register));
        }
        if let Some(kept) = catch.kept {
            let place = field(kept.record);
            let (base, offset) = (SCRATCH, kept.state);
            read!(self, mov Rq(CALLER), QWORD Address { base, offset });
            write!(self, mov QWORD place, Rq(CALLER));
        }
        self.address_of(CALLER, field(0));
        write!(self, mov QWORD innermost, Rq(CALLER));
    }

    /// The vector registers that C gets back, and where they are kept.
    fn vectors(&self, frame: &Frame) -> impl Iterator<Item = (Fpr, Address)> + use<> {
        let first = frame.vectors;
        let registers = self.abi.convention().callee_saved_fp;
        (0..)
            .zip(registers)
            .map(move |(index, &register)| (register, at(first + index * VECTOR)))
    }

    fn call_object_handler(&mut self, plan: &Plan, frame: &Frame) {
        let [context, objects] = [0, 1].map(|n| plan.abi.convention().int_args[n]);
        self.address_of(objects, at(frame.objects));
        dynasm!(self.ops
            ; .arch x64
            ; mov Rq(context), [BYTE Rq(RECORD) + record::CONTEXT as i8]
            ; call QWORD [BYTE Rq(RECORD) + record::OBJECT_HANDLER as i8]
        );
    }

    fn unlink_catch(&mut self, catch: &CatchModel, frame: &Frame) {
        let (state, prev) = (at(frame.state), at(frame.catch + catch.prev));
        read!(self, mov Rq(RECORD), QWORD state);
        read!(self, mov Rq(CALLER), QWORD prev);
        let innermost = Address {
            base: RECORD,
            offset: catch.innermost,
        };
        write!(self, mov QWORD innermost, Rq(CALLER));
    }
}
