//! Values of bytes in calls on objects: the steps of [`crate::emit::bytes`].

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, stack, write};
use super::branches::When;
use super::objects::held;
use super::thread::{ARGS, FUNCTION};
use super::{Emitter, SCRATCH};
use crate::abi::Memory;
use crate::abi::regs::Gpr;
use crate::abi::regs::x64::{R10, XMM0};
use crate::emit::Endpoint;
use crate::emit::bytes::BytesSteps;
use crate::emit::objects::{CallJob, CallSteps, Machine, operation_args};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};

/// Where bytes are, once nothing is converted any more, and when the C function has returned.
const POINTER: Gpr = R10;

impl BytesSteps for Emitter {
    fn keep_operation(&mut self, job: &CallJob<'_>) {
        let [function, args] = held(job);
        write!(self, mov QWORD stack(job.room.function), Rq(function));
        if job.has_bytes {
            write!(self, mov QWORD stack(job.room.args), Rq(args));
        }
    }

    fn clear_result(&mut self, job: &CallJob<'_>) {
        dynasm!(self.ops ; .arch x64 ; xorps Rx(XMM0), Rx(XMM0));
        for offset in (0..job.plan.ret_slots).step_by(2) {
            let place = stack(job.room.result + offset * SLOT);
            write!(self, movups XMMWORD place, Rx(XMM0));
        }
    }

    fn find_bytes(&mut self, job: &CallJob<'_>, index: u32) {
        let [object, function, third, _] = operation_args(self.abi);
        let (base, offset) = (ARGS, index * SLOT);
        self.load_word(object, Address { base, offset });
        self.copy(function, FUNCTION);
        dynasm!(self.ops ; .arch x64 ; mov Rd(third), index as i32);
        self.call_absolute(job.model.find_bytes);
        self.load_word(FUNCTION, stack(job.room.function));
        self.load_word(ARGS, stack(job.room.args));
        dynasm!(self.ops ; .arch x64 ; test rax, rax);
        self.branch(When::Equal, job.without_word);
        let place = stack(job.address_of_bytes(index));
        write!(self, mov QWORD place, Rq(SCRATCH));
    }

    fn box_bytes(&mut self, job: &CallJob<'_>) {
        let [bytes, function, ..] = operation_args(self.abi);
        self.address_of(POINTER, stack(job.room.result));
        self.store_result(job.plan, Endpoint::Pointers, POINTER);
        self.copy(bytes, POINTER);
        self.load_word(function, stack(job.room.function));
        self.call_absolute(job.model.new_of_bytes);
    }
}

impl Emitter {
    /// Copies bytes to the stack. No argument is in a register yet.
    pub(super) fn pass_bytes_in_memory(&mut self, job: &CallJob<'_>) {
        let [_, pointer, ..] = operation_args(self.abi);
        for arg in job.plan.args.iter().filter(|arg| job.is_of_bytes(arg)) {
            let (copy, word) = match arg.memory() {
                Some(Memory::OnStack { offset }) => (offset, None),
                Some(Memory::ByRegister { copy, .. }) => (job.plan.stack + copy, None),
                Some(Memory::ByWord { offset, copy }) => (job.plan.stack + copy, Some(offset)),
                None => continue,
            };
            self.load_word(pointer, stack(job.address_of_bytes(arg.value)));
            let (base, offset) = (pointer, arg.offset);
            self.copy_block(stack(copy), Address { base, offset }, arg.width, pointer);
            if let Some(word) = word {
                self.address_of(SCRATCH, stack(copy));
                write!(self, mov QWORD stack(word), Rq(SCRATCH));
            }
        }
    }

    /// Loads bytes, or the addresses of their copies, once all other arguments are in their places.
    pub(super) fn pass_bytes_in_registers(&mut self, job: &CallJob<'_>) {
        // The argument whose bytes' address is loaded.
        let mut known = None;
        for arg in job.plan.args.iter().filter(|arg| job.is_of_bytes(arg)) {
            match arg.memory() {
                Some(Memory::ByRegister { register, copy }) => {
                    self.address_of(register, stack(job.plan.stack + copy));
                }
                Some(Memory::OnStack { .. } | Memory::ByWord { .. }) => {}
                None => {
                    if known != Some(arg.value) {
                        self.load_word(POINTER, stack(job.address_of_bytes(arg.value)));
                        known = Some(arg.value);
                    }
                    let (base, offset) = (POINTER, arg.offset);
                    self.value_to_place(arg, Address { base, offset });
                }
            }
        }
        if let Some(sret) = job.plan.sret {
            self.address_of(sret.pointer, stack(job.room.result));
        }
    }

    /// Leaves for the slow path from where the thread's word is not kept yet.
    pub(super) fn leave_without_word(&mut self, job: &CallJob<'_>) {
        let [function, count, keywords, args] = operation_args(self.abi);
        self.place(job.without_word);
        self.copy(function, FUNCTION);
        self.copy(args, ARGS);
        dynasm!(self.ops
            ; .arch x64
            ; mov Rd(count), job.call.args.len() as i32
            ; xor Rd(keywords), Rd(keywords)
        );
        self.leave_call(job);
        self.branch_to_shared(job.shared.slow_path);
    }

    /// Calls the function at an absolute address.
    fn call_absolute(&mut self, address: u64) {
        dynasm!(self.ops ; .arch x64 ; mov rax, QWORD address as i64 ; call rax);
    }
}
