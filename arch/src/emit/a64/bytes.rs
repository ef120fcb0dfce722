//! Values of bytes in calls on objects: the steps of [`crate::emit::bytes`].

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, Address, in_pairs};
use super::thread::{ARGS, FUNCTION, OBJECT};
use super::values::register_of;
use super::{Emitter, FAR};
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::SP;
use crate::abi::{Memory, Move};
use crate::emit::Endpoint;
use crate::emit::bytes::BytesSteps;
use crate::emit::objects::{CallJob, CallSteps, Machine, operation_args};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};

/// Where bytes are, while no object is converted.
const POINTER: Gpr = OBJECT;

impl BytesSteps for Emitter {
    fn keep_operation(&mut self, job: &CallJob<'_>) {
        self.store(&Access::word(FUNCTION, SP, job.room.function));
        if job.has_bytes {
            self.store(&Access::word(ARGS, SP, job.room.args));
        }
    }

    fn clear_result(&mut self, job: &CallJob<'_>) {
        self.add(POINTER, SP, job.room.result);
        for slot in (0..job.plan.ret_slots).step_by(2) {
            let offset = (slot * SLOT) as i32;
            dynasm!(self.ops ; .arch aarch64 ; stp xzr, xzr, [XSP(POINTER), offset]);
        }
    }

    fn find_bytes(&mut self, job: &CallJob<'_>, index: u32) {
        let [object, function, third, _] = operation_args(self.abi);
        let without_word = job.without_word;
        self.load(&Access::word(object, ARGS, index * SLOT));
        self.copy(function, FUNCTION);
        self.constant(third, index.into());
        self.call_absolute(job.model.find_bytes);
        self.load(&Access::word(FUNCTION, SP, job.room.function));
        self.load(&Access::word(ARGS, SP, job.room.args));
        dynasm!(self.ops ; .arch aarch64 ; cbz X(object), =>without_word);
        let place = job.address_of_bytes(index);
        self.store(&Access::word(object, SP, place));
    }

    fn box_bytes(&mut self, job: &CallJob<'_>) {
        let [bytes, function, ..] = operation_args(self.abi);
        self.add(POINTER, SP, job.room.result);
        self.store_result(job.plan, Endpoint::Pointers, POINTER);
        self.copy(bytes, POINTER);
        self.load(&Access::word(function, SP, job.room.function));
        self.call_absolute(job.model.new_of_bytes);
    }
}

impl Emitter {
    /// Copies bytes to the stack. No argument is in a register yet.
    pub(super) fn pass_bytes_in_memory(&mut self, job: &CallJob<'_>) {
        for arg in job.plan.args.iter().filter(|arg| job.is_of_bytes(arg)) {
            let (copy, word) = match arg.memory() {
                Some(Memory::OnStack { offset }) => (offset, None),
                Some(Memory::ByRegister { copy, .. }) => (job.plan.stack + copy, None),
                Some(Memory::ByWord { offset, copy }) => (job.plan.stack + copy, Some(offset)),
                None => continue,
            };
            self.load_address_of_bytes(job, arg.value);
            let (base, offset) = (POINTER, arg.offset);
            let (to, from) = (
                Address {
                    base: SP,
                    offset: copy,
                },
                Address { base, offset },
            );
            self.copy_block(to, from, arg.width);
            if let Some(word) = word {
                self.add(POINTER, SP, copy);
                self.store(&Access::word(POINTER, SP, word));
            }
        }
    }

    /// Loads bytes, or the addresses of their copies, once all other arguments are in their places. Neighbours are loaded two by two.
    pub(super) fn pass_bytes_in_registers(&mut self, job: &CallJob<'_>) {
        for value in job.plan.args.chunk_by(|one, next| one.value == next.value) {
            let is_loaded = |arg: &&Move| job.is_of_bytes(arg) && arg.memory().is_none();
            let loads = value.iter().filter(is_loaded).filter_map(|arg| {
                let register = register_of(arg)?;
                Some(Access::of(arg, register, POINTER, arg.offset))
            });
            if loads.clone().next().is_some() {
                self.load_address_of_bytes(job, value[0].value);
            }
            for group in in_pairs(loads) {
                self.load_group(&group);
            }
        }
        self.pass_copies(job.plan);
        if let Some(sret) = job.plan.sret {
            self.add(sret.pointer, SP, job.room.result);
        }
    }

    /// Leaves for the slow path from where the thread's word is not kept yet.
    pub(super) fn leave_without_word(&mut self, job: &CallJob<'_>) {
        let [function, count, keywords, args] = operation_args(self.abi);
        self.place(job.without_word);
        self.copy(function, FUNCTION);
        self.constant(count, job.call.args.len() as u64);
        self.constant(keywords, 0);
        self.copy(args, ARGS);
        self.leave_call(job);
        self.branch_to_shared(job.shared.slow_path);
    }

    fn load_address_of_bytes(&mut self, job: &CallJob<'_>, index: u32) {
        let place = job.address_of_bytes(index);
        self.load(&Access::word(POINTER, SP, place));
    }

    /// Calls the function at an absolute address.
    fn call_absolute(&mut self, address: u64) {
        self.constant(FAR, address);
        dynasm!(self.ops ; .arch aarch64 ; blr X(FAR));
    }
}
