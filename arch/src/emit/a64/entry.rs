//! Callback entries: C's arguments become slots or pointers, the handler's result becomes C's.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, Address, Copy, PAIR_UNITS};
use super::values::register_of;
use super::{Emitter, FAR, FRAME_RECORD, RECORD, SCRATCH};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::SP;
use crate::abi::{Memory, Place, Plan};
use crate::emit::entry_frame::{Cell, EntryFrame};
use crate::emit::{Code, Endpoint, record};
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

const _: () = assert!(
    record::HANDLER == record::CONTEXT + 8,
    "call_handler loads the two as a pair"
);

/// Holds a value's address while the value is loaded.
const POINTER: Gpr = SCRATCH[0];

pub(in crate::emit) fn callback_entry(
    plan: &Plan,
    endpoint: Endpoint,
) -> Result<Code, OutOfMemory> {
    let row = plan.abi.convention();
    let mut asm = Emitter::new(plan.abi);
    let own = EntryFrame::new(plan, endpoint, row.shadow)?.end;
    let own = own.next_multiple_of(row.stack_align);
    let (above, below) = if FRAME_RECORD + own <= PAIR_UNITS * 8 {
        (FRAME_RECORD + own, 0)
    } else {
        (FRAME_RECORD, own)
    };
    let start = row.shadow + if below == 0 { FRAME_RECORD } else { 0 };
    let layout = EntryFrame::new(plan, endpoint, start)?;
    asm.enter(above, below);
    if let (Some(sret), Some(at)) = (plan.sret, layout.sret) {
        asm.store(&Access::word(sret.pointer, SP, at));
    }
    asm.store_arguments(plan, &layout, above + below);
    asm.pass_values(plan, endpoint, &layout);
    asm.finish_callback(plan, endpoint, &layout);
    asm.raise_stack(below);
    asm.leave(above);
    asm.ret();
    asm.finish()
}

impl Emitter {
    /// Stores the arguments to slots, or lists pointers to them. `incoming` is the distance from the stack pointer to the
    /// caller's.
    pub(super) fn store_arguments(&mut self, plan: &Plan, layout: &EntryFrame, incoming: u32) {
        let scalars = plan.args.iter().filter(|mv| mv.block().is_none());
        let whole = scalars.clone().map(|mv| Endpoint::Slots.widened(mv));
        self.registers_to_memory(whole, SP, |mv| layout.offset(mv));
        let on_stack = scalars.filter_map(|mv| match mv.place {
            Place::Stack { offset, .. } => Some(Copy {
                listed: None,
                from: Access::of(mv, SCRATCH[0], SP, incoming + offset),
                to: Access::slot(mv, SCRATCH[0], SP, layout.offset(mv)?),
            }),
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => None,
        });
        self.copy_all(on_stack, &SCRATCH);
        for mv in &plan.args {
            if let (Some(memory), Some(offset)) = (mv.block(), layout.offset(mv)) {
                let from = self.passed_in(memory, incoming);
                self.copy_block(Address { base: SP, offset }, from, mv.width);
            }
        }
        self.list_values(plan, layout, incoming);
    }

    /// Where C keeps a value that it passes in memory.
    fn passed_in(&mut self, memory: Memory, incoming: u32) -> Address {
        let at = |base, offset| Address { base, offset };
        match memory {
            Memory::OnStack { offset } => at(SP, incoming + offset),
            Memory::ByRegister { register, .. } => at(register, 0),
            Memory::ByWord { offset, .. } => {
                self.load(&Access::word(POINTER, SP, incoming + offset));
                at(POINTER, 0)
            }
        }
    }

    /// Lists the values' addresses, if the handler wants pointers.
    fn list_values(&mut self, plan: &Plan, layout: &EntryFrame, incoming: u32) {
        for mv in &plan.args {
            let Cell::InPlace(memory) = layout.cell(mv) else {
                continue;
            };
            let from = self.passed_in(memory, incoming);
            let address = if from.base == SP {
                self.add(POINTER, SP, from.offset);
                POINTER
            } else {
                from.base
            };
            self.store(&Access::word(address, SP, layout.pointer(mv.value)));
        }
        for (value, cell) in layout.pointed_cells() {
            self.add(POINTER, SP, cell);
            self.store(&Access::word(POINTER, SP, layout.pointer(value)));
        }
    }

    /// Calls the handler.
    pub(super) fn pass_values(&mut self, plan: &Plan, endpoint: Endpoint, layout: &EntryFrame) {
        let row = plan.abi.convention();
        let [first, second, third] = [0, 1, 2].map(|n| row.int_args[n]);
        let (values, result) = match endpoint {
            Endpoint::Slots => (second, third),
            Endpoint::Pointers => (third, second),
        };
        self.add(values, SP, layout.values);
        match (endpoint, layout.sret, layout.result) {
            (Endpoint::Pointers, Some(at), _) => self.load(&Access::word(result, SP, at)),
            (_, _, Some(at)) if !layout.returns_slot => self.add(result, SP, at),
            _ => {}
        }
        if endpoint == Endpoint::Pointers {
            let user_data = u32::from(record::USER_DATA);
            self.load(&Access::word(row.int_args[3], RECORD, user_data));
        }
        self.call_handler(first);
    }

    pub(super) fn call_handler(&mut self, context: Gpr) {
        dynasm!(self.ops
            ; .arch aarch64
            ; ldp X(context), X(FAR), [X(RECORD), i32::from(record::CONTEXT)]
            ; blr X(FAR)
        );
    }

    /// Returns to C what the handler gave back.
    pub(super) fn finish_callback(&mut self, plan: &Plan, endpoint: Endpoint, layout: &EntryFrame) {
        if layout.returns_slot {
            let slot = plan.abi.convention().int_rets[0];
            match (&plan.ret[..], layout.result) {
                ([mv], _) => return self.register_to_result(slot, mv),
                (_, Some(at)) => self.store(&Access::word(slot, SP, at)),
                _ => {}
            }
        }
        let Some(at) = layout.result else { return };
        if let (Some(sret), Some(address)) = (plan.sret, layout.sret) {
            debug_assert_eq!(
                endpoint,
                Endpoint::Slots,
                "a pointer goes to C's own memory"
            );
            self.load(&Access::word(POINTER, SP, address));
            let to = Address {
                base: POINTER,
                offset: 0,
            };
            let from = Address {
                base: SP,
                offset: at,
            };
            self.copy_block(to, from, sret.size);
        }
        for mv in &plan.ret {
            if let Some(register) = register_of(mv) {
                let mv = Endpoint::Slots.widened(mv);
                self.load(&Access::of(&mv, register, SP, at + mv.offset));
            }
        }
    }
}
