//! Callback entries: C's arguments become slots or pointers, the handler's result becomes C's.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, read, stack, write};
use super::{Emitter, RECORD, SCRATCH};
use crate::abi::regs::Gpr;
use crate::abi::regs::x64::{R10, R11};
use crate::abi::{Memory, Plan, Sret};
use crate::emit::entry_frame::{Cell, EntryFrame};
use crate::emit::{Code, Endpoint, record};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

/// Holds addresses of values on their way. An entry has no use for it otherwise.
const POINTER: Gpr = R11;

/// Once the handler has returned, the record is no longer needed.
const SPARE: Gpr = R10;

pub(in crate::emit) fn callback_entry(
    plan: &Plan,
    endpoint: Endpoint,
) -> Result<Code, OutOfMemory> {
    let row = plan.abi.convention();
    let layout = EntryFrame::new(plan, endpoint, row.shadow)?;
    let mut asm = Emitter::new(plan.abi);
    // An odd number of words: with the return address it is a multiple of 16.
    let frame = (layout.end + 8).next_multiple_of(16) - 8;
    asm.enter(frame);
    if let (Some(sret), Some(at)) = (plan.sret, layout.sret) {
        write!(asm, mov QWORD stack(at), Rq(sret.pointer));
    }
    asm.store_arguments(plan, &layout, frame + 8);
    asm.pass_values(plan, endpoint, &layout);
    if layout.returns_slot {
        asm.finish_slot(plan, &layout);
    } else {
        asm.finish_result(plan, endpoint, &layout);
    }
    asm.leave(frame);
    asm.ret();
    asm.finish()
}

impl Emitter {
    /// Registers first, as memory is copied through some of them.
    fn store_arguments(&mut self, plan: &Plan, layout: &EntryFrame, incoming: u32) {
        for mv in plan.args.iter().filter(|mv| mv.block().is_none()) {
            match layout.cell(mv) {
                Cell::At(cell) => {
                    let whole = Endpoint::Slots.widened(mv);
                    self.place_to_value(&whole, incoming, stack(cell));
                }
                Cell::InPlace(memory) => self.point_to(mv.value, memory, layout, incoming),
            }
        }
        for mv in &plan.args {
            match (mv.block(), layout.cell(mv)) {
                (None, _) => {}
                (Some(memory), Cell::At(cell)) => {
                    let from = self.passed_in(memory, incoming);
                    self.copy_block(stack(cell), from, mv.width, POINTER);
                }
                (Some(_), Cell::InPlace(memory)) => {
                    self.point_to(mv.value, memory, layout, incoming);
                }
            }
        }
        for (value, cell) in layout.pointed_cells() {
            self.address_of(SCRATCH, stack(cell));
            write!(self, mov QWORD stack(layout.pointer(value)), Rq(SCRATCH));
        }
    }

    /// Where C keeps a value that it passes in memory.
    fn passed_in(&mut self, memory: Memory, incoming: u32) -> Address {
        let at = |base| Address { base, offset: 0 };
        match memory {
            Memory::OnStack { offset } => stack(incoming + offset),
            Memory::ByRegister { register, .. } => at(register),
            Memory::ByWord { offset, .. } => {
                read!(self, mov Rq(POINTER), QWORD stack(incoming + offset));
                at(POINTER)
            }
        }
    }

    /// Lists the address of a value that stays where C passes it in memory.
    fn point_to(&mut self, value: u32, memory: Memory, layout: &EntryFrame, incoming: u32) {
        let from = self.passed_in(memory, incoming);
        let address = match from {
            Address { base, offset: 0 } => base,
            _ => {
                self.address_of(SCRATCH, from);
                SCRATCH
            }
        };
        write!(self, mov QWORD stack(layout.pointer(value)), Rq(address));
    }

    /// Calls the handler.
    fn pass_values(&mut self, plan: &Plan, endpoint: Endpoint, layout: &EntryFrame) {
        let row = plan.abi.convention();
        let [first, second, third] = [0, 1, 2].map(|n| row.int_args[n]);
        let (values, result) = match endpoint {
            Endpoint::Slots => (second, third),
            Endpoint::Pointers => (third, second),
        };
        self.address_of(values, stack(layout.values));
        match (endpoint, layout.sret, layout.result) {
            (Endpoint::Pointers, Some(at), _) => read!(self, mov Rq(result), QWORD stack(at)),
            (_, _, Some(at)) if !layout.returns_slot => self.address_of(result, stack(at)),
            _ => {}
        }
        if endpoint == Endpoint::Pointers {
            let user_data = row.int_args[3];
            dynasm!(self.ops
                ; .arch x64
                ; mov Rq(user_data), [BYTE Rq(RECORD) + record::USER_DATA as i8]
            );
        }
        self.call_handler(first);
    }

    /// Calls the record's handler with its context; the other argument is in place.
    pub(super) fn call_handler(&mut self, context: Gpr) {
        dynasm!(self.ops
            ; .arch x64
            ; mov Rq(context), [BYTE Rq(RECORD) + record::CONTEXT as i8]
            ; call QWORD [BYTE Rq(RECORD) + record::HANDLER as i8]
        );
    }

    /// Returns the slot that the handler gave back in a register.
    fn finish_slot(&mut self, plan: &Plan, layout: &EntryFrame) {
        let slot = plan.abi.convention().int_rets[0];
        match (&plan.ret[..], layout.result) {
            ([mv], _) => self.register_to_result(slot, mv),
            (_, Some(at)) => {
                write!(self, mov QWORD stack(at), Rq(slot));
                self.finish_result(plan, Endpoint::Slots, layout);
            }
            _ => {}
        }
    }

    /// Returns the result that the handler left in memory.
    fn finish_result(&mut self, plan: &Plan, endpoint: Endpoint, layout: &EntryFrame) {
        if let (Some(sret), Some(at)) = (plan.sret, layout.sret) {
            self.finish_sret(endpoint, layout, sret, at);
        }
        let Some(at) = layout.result else { return };
        // The x87 stack is filled from below.
        for mv in plan.ret.iter().rev() {
            let whole = Endpoint::Slots.widened(mv);
            self.value_to_place(&whole, stack(at + mv.offset));
        }
    }

    /// The result goes to C's memory, unless the handler wrote it there, and C gets the address back.
    fn finish_sret(&mut self, endpoint: Endpoint, layout: &EntryFrame, sret: Sret, at: u32) {
        if let (Endpoint::Slots, Some(result)) = (endpoint, layout.result) {
            read!(self, mov Rq(POINTER), QWORD stack(at));
            let to = Address {
                base: POINTER,
                offset: 0,
            };
            self.copy_block(to, stack(result), sret.size, SPARE);
        }
        if let Some(returned) = sret.returned {
            read!(self, mov Rq(returned), QWORD stack(at));
        }
    }
}

const _: () = assert!(SLOT == 8, "a pointer fills a slot");
