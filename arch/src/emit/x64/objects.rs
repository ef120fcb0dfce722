//! Calls on objects: the steps of [`crate::emit::objects`].
//!
//! ```text
//!   | return address          |
//!   | padding                 |
//!   | call frame              |
//!   | stack arguments, shadow | <- rsp at the call
//! ```
//!
//! If all arguments are small integers, one test of their tags comes before any register changes. Otherwise the function and the
//! arguments' address move to registers that carry no argument.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, read, stack, write};
use super::branches::{Branches, When};
use super::thread::{ARGS, FRAME, FUNCTION, PREV, Segment, call_frame_at};
use super::{Emitter, SCRATCH, TARGET};
use crate::abi::regs::x64::R10;
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Move, Place, Plan};
use crate::emit::buffer::Label;
use crate::emit::objects::{
    CallJob, CallSteps, Detour, LinkTime, Machine, Range, emit_call, operation_args,
};
use crate::emit::{Code, in_turns};
use crate::endpoint::{ErrnoModel, ObjectCall, ObjectModel, SharedOffsets, Unbox, call_frame};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

/// Free once all arguments are in their places, and when the C function has returned.
const SPARE: Gpr = R10;

/// The call operation of functions of one signature. It is emitted twice, for its branches to be short.
pub(in crate::emit) fn call(
    segment: Segment,
    plan: &Plan,
    call: &ObjectCall,
    model: &ObjectModel,
    shared: &SharedOffsets,
) -> Result<Code, OutOfMemory> {
    let emit = |branches| {
        let mut asm = Emitter::new(plan.abi);
        (asm.segment, asm.branches) = (segment, branches);
        let job = CallJob::new(&mut asm, plan, call, model, shared);
        emit_call(&mut asm, job)?;
        Ok::<_, OutOfMemory>(asm)
    };
    let with_long_branches = emit(Branches::default())?;
    emit(with_long_branches.shorter_branches()?)?.finish()
}

impl Machine for Emitter {
    const FUNCTION: Gpr = FUNCTION;
    const ARGS: Gpr = ARGS;
    const OBJECT: Gpr = SCRATCH;
    const PREV: Gpr = PREV;

    fn new_label(&mut self) -> Label {
        self.ops.new_label()
    }

    fn place(&mut self, label: Label) {
        dynasm!(self.ops ; .arch x64 ; =>label);
    }

    fn branch_to(&mut self, label: Label) {
        self.branch(When::Always, label);
    }

    fn branch_to_shared(&mut self, to: u32) {
        self.branch_to_shared_when(When::Always, to);
    }

    fn call_shared(&mut self, to: u32) {
        Emitter::call_shared(self, to);
    }

    fn jump_to(&mut self, address: u64) {
        Emitter::jump_to(self, address);
    }

    fn copy(&mut self, to: Gpr, from: Gpr) {
        Emitter::copy(self, to, from);
    }

    fn ret(&mut self) {
        Emitter::ret(self);
    }

    fn set_innermost(&mut self, model: &ObjectModel, from: Gpr) {
        self.store_innermost(model.innermost, from);
    }
}

impl CallSteps for Emitter {
    const LINK_TIME: LinkTime = LinkTime::BeforeUnboxing;

    /// No count has more than 32 bits.
    fn check_counts(&mut self, job: &CallJob<'_>) {
        let [_, count, keywords, _] = operation_args(self.abi);
        self.compare(count, job.call.args.len() as u32);
        self.branch_to_shared_when(When::NotEqual, job.shared.slow_path);
        dynasm!(self.ops ; .arch x64 ; test Rd(keywords), Rd(keywords));
        self.branch_to_shared_when(When::NotEqual, job.shared.slow_path);
    }

    fn enter_call(&mut self, job: &CallJob<'_>) {
        self.enter(frame_size(job));
        let [function, _, _, args] = operation_args(self.abi);
        if !job.is_of_integers {
            self.copy(FUNCTION, function);
            self.copy(ARGS, args);
        }
    }

    fn keep_thread_word(&mut self, job: &CallJob<'_>) {
        self.load_of_thread(SCRATCH, job.model.innermost);
        write!(self, mov QWORD in_call_frame(job, call_frame::PREV), Rq(SCRATCH));
    }

    fn test_tags(&mut self, job: &CallJob<'_>) {
        let [_, base] = held(job);
        for arg in job.plan.args.iter().filter(|arg| job.is_of_integer(arg)) {
            let offset = arg.value * SLOT;
            read!(self, and Rd(SCRATCH), DWORD Address { base, offset });
        }
        dynasm!(self.ops ; .arch x64 ; test al, 1);
        self.branch(When::Equal, job.slow_path);
    }

    fn link_call(&mut self, job: &CallJob<'_>) {
        read!(self, lea Rq(SCRATCH), QWORD in_call_frame(job, call_frame::TAG));
        self.store_innermost(job.model.innermost, SCRATCH);
    }

    fn check_library(&mut self, job: &CallJob<'_>) {
        let [function, _] = held(job);
        read!(self, mov Rq(SCRATCH), QWORD field_of(function, job.model.function_library));
        self.compare_to_zero(field_of(SCRATCH, job.model.library_open));
        self.branch(When::Equal, job.slow_path);
    }

    /// Stack arguments first, then floats: both pass through registers that integer arguments take last. The register that holds the
    /// arguments' address is the last of all.
    fn unbox(&mut self, job: &mut CallJob<'_>) {
        let [function, args] = held(job);
        if job.is_of_integers {
            // An argument is about to take the function's register.
            read!(self, mov Rq(TARGET), QWORD field_of(function, job.model.function_target));
        }
        let row = self.abi.convention();
        let (float_type, spare) = (row.int_args[0], Fpr::new(row.fp_args.len() as u8));
        if job.call.args.contains(&Unbox::Float) {
            dynasm!(self.ops ; .arch x64 ; mov Rq(float_type), QWORD job.model.float_type as i64);
        }
        self.pass_bytes_in_memory(job);
        let call = job.call;
        let others = job.plan.args.iter();
        let others = others.filter(move |arg| call.args[arg.value as usize] != Unbox::Bytes);
        let turn_of = |arg: &Move| match arg.place {
            Place::Stack { .. } => 0,
            Place::Fp(_) | Place::X87(_) => 1,
            Place::Int(register) if register == args => 3,
            Place::Int(_) => 2,
        };
        for arg in in_turns(4, others, turn_of) {
            match (arg.place, job.unbox(arg)) {
                (Place::Fp(register), _) => self.unbox_float(job, arg, register),
                (Place::Int(register), _) => self.unbox_word(job, arg, register),
                (Place::Stack { offset, .. }, Unbox::Float) => {
                    self.unbox_float(job, arg, spare);
                    self.store_fp(stack(offset), spare, arg.width);
                }
                (Place::Stack { offset, size }, _) => {
                    let through = match job.range(arg) {
                        Range::Narrow | Range::Truth => row.int_args[1],
                        Range::Any | Range::NotNegative => SCRATCH,
                    };
                    self.unbox_word(job, arg, through);
                    self.store_register(stack(offset), through, size);
                }
                // Results only.
                (Place::X87(_), _) => {}
            }
        }
        self.pass_bytes_in_registers(job);
    }

    fn give_errno(&mut self, job: &mut CallJob<'_>, errno: &ErrnoModel) {
        let detour = job.detour(self, Detour::Errno(*errno));
        self.test_errno_given(errno);
        self.branch(When::NotEqual, detour.start);
        self.place(detour.back);
    }

    fn call_target(&mut self, job: &CallJob<'_>) {
        self.count_vector_args(job.plan);
        if job.is_of_integers {
            dynasm!(self.ops ; .arch x64 ; call Rq(TARGET));
        } else {
            let target = job.model.function_target as i8;
            dynasm!(self.ops ; .arch x64 ; call QWORD [BYTE Rq(FUNCTION) + target]);
        }
    }

    fn keep_errno(&mut self, errno: &ErrnoModel) {
        self.keep_error_numbers(errno, SPARE, None);
    }

    fn unlink_call(&mut self, job: &CallJob<'_>) {
        read!(self, mov Rq(PREV), QWORD in_call_frame(job, call_frame::PREV));
        self.test_byte(PREV, call_frame::WAITS);
        match job.room.end {
            0 => self.branch_to_shared_when(When::NotEqual, job.shared.raise),
            _ => self.branch(When::NotEqual, job.raise),
        }
        self.store_innermost(job.model.innermost, PREV);
    }

    fn box_none(&mut self, job: &CallJob<'_>) {
        dynasm!(self.ops ; .arch x64 ; mov eax, job.model.none);
    }

    fn box_narrow(&mut self, _: &CallJob<'_>, result: &Move) {
        self.extend(SCRATCH, result);
        dynasm!(self.ops ; .arch x64 ; lea rax, [rax + rax + 1]);
    }

    fn box_bool(&mut self, job: &CallJob<'_>) {
        let [no, yes] = job.model.truth;
        dynasm!(self.ops
            ; .arch x64
            ; test al, al
            ; mov eax, no
            ; mov Rd(SPARE), yes
            ; cmovne eax, Rd(SPARE)
        );
    }

    fn box_word(&mut self, _: &CallJob<'_>, is_signed: bool, large: Label) {
        if is_signed {
            dynasm!(self.ops ; .arch x64 ; add rax, rax);
            self.branch(When::Overflow, large);
            dynasm!(self.ops ; .arch x64 ; or rax, BYTE 1);
        } else {
            self.copy(SPARE, SCRATCH);
            dynasm!(self.ops ; .arch x64 ; shr Rq(SPARE), 62);
            self.branch(When::NotEqual, large);
            dynasm!(self.ops ; .arch x64 ; lea rax, [rax + rax + 1]);
        }
    }

    fn pass_float(&mut self, _: &CallJob<'_>, result: &Move) {
        let argument = self.abi.convention().fp_args[0];
        if let (Place::Fp(register), 4) = (result.place, result.width) {
            dynasm!(self.ops ; .arch x64 ; cvtss2sd Rx(argument), Rx(register));
        }
    }

    fn pass_kind(&mut self, _: &CallJob<'_>, kind: u8) {
        let [first, ..] = operation_args(self.abi);
        dynasm!(self.ops ; .arch x64 ; mov Rd(first), i32::from(kind));
    }

    fn leave_call(&mut self, job: &CallJob<'_>) {
        self.leave(frame_size(job));
    }

    fn begin_detour(&mut self, job: &CallJob<'_>) {
        self.note_depth(frame_size(job) + 8);
    }

    fn branch_unless_converted(&mut self, label: Label) {
        self.branch(When::Carry, label);
    }

    fn unbox_float_of_integer(&mut self, job: &CallJob<'_>, register: Fpr, width: u32) {
        dynasm!(self.ops ; .arch x64 ; test al, 1);
        self.branch(When::Equal, job.slow_path);
        dynasm!(self.ops ; .arch x64 ; sar rax, 1 ; cvtsi2sd Rx(register), rax);
        if width == 4 {
            dynasm!(self.ops ; .arch x64 ; cvtsd2ss Rx(register), Rx(register));
        }
    }

    fn give_kept_errno(&mut self, errno: &ErrnoModel) {
        self.give_kept_numbers(errno, SCRATCH, SPARE);
    }

    fn restore_large(&mut self, is_signed: bool) {
        if is_signed {
            // Doubling moved the sign into the carry flag.
            dynasm!(self.ops ; .arch x64 ; rcr rax, 1);
        }
    }

    /// A wrong count goes from where it is found, and so does an exception if there are no stack arguments.
    fn emit_ways_out(&mut self, job: &CallJob<'_>) {
        let [_, count, ..] = operation_args(self.abi);
        self.begin_detour(job);
        self.place(job.slow_path);
        self.raise_stack(job.room.end);
        if job.is_of_integers {
            self.branch_to_shared(job.shared.leave);
        } else {
            let args = job.call.args.len() as i32;
            dynasm!(self.ops ; .arch x64 ; mov Rd(count), args);
            self.branch_to_shared(job.shared.leave_restoring);
        }
        if job.has_bytes {
            self.begin_detour(job);
            self.leave_without_word(job);
        }
        if job.room.end > 0 {
            self.begin_detour(job);
            self.place(job.raise);
            self.raise_stack(job.room.end);
            self.branch_to_shared(job.shared.raise);
        }
    }
}

impl Emitter {
    /// An object of which more is asked than its tag passes through the scratch register, which is not `register` then.
    fn unbox_word(&mut self, job: &mut CallJob<'_>, arg: &Move, register: Gpr) {
        let from = object(job, arg);
        match job.range(arg) {
            Range::Any => {}
            Range::Narrow => {
                self.load_word(SCRATCH, from);
                dynasm!(self.ops ; .arch x64 ; sar rax, 1);
                self.extend_to(register, SCRATCH, arg);
                dynasm!(self.ops ; .arch x64 ; cmp Rq(register), rax);
                return self.branch(When::NotEqual, job.slow_path);
            }
            Range::NotNegative => {
                self.load_word(register, from);
                dynasm!(self.ops ; .arch x64 ; sar Rq(register), 1);
                return self.branch(When::Negative, job.slow_path);
            }
            Range::Truth => {
                self.load_word(SCRATCH, from);
                return self.unbox_truth(job, register);
            }
        }
        self.load_word(register, from);
        match job.converter(job.unbox(arg)) {
            None => dynasm!(self.ops ; .arch x64 ; sar Rq(register), 1),
            Some(with) => {
                let detour = job.detour(self, Detour::Convert { register, with });
                self.test_byte(register, 1);
                self.branch(When::Equal, detour.start);
                dynasm!(self.ops ; .arch x64 ; sar Rq(register), 1);
                self.place(detour.back);
            }
        }
        // A small integer in range fills the register with its sign already. One out of range leaves bits above the 32 that the callee
        // reads; every convention here leaves those to the caller (psABI 3.2.3; Microsoft, "x64 calling convention").
        if arg.width < 4 {
            self.extend_to(register, register, arg);
        }
    }

    /// Makes 0 or 1 of the object in the scratch register.
    fn unbox_truth(&mut self, job: &CallJob<'_>, register: Gpr) {
        let ([no, yes], done) = (job.model.truth, self.new_label());
        dynasm!(self.ops ; .arch x64 ; xor Rd(register), Rd(register));
        self.compare_word(SCRATCH, no);
        self.branch(When::Equal, done);
        dynasm!(self.ops ; .arch x64 ; mov Rd(register), 1);
        self.compare_word(SCRATCH, yes);
        self.branch(When::Equal, done);
        dynasm!(self.ops ; .arch x64 ; shr rax, 1);
        self.branch(When::NotCarry, job.slow_path);
        self.compare_word(SCRATCH, 1);
        self.branch(When::Above, job.slow_path);
        self.copy(register, SCRATCH);
        self.place(done);
    }

    fn unbox_float(&mut self, job: &mut CallJob<'_>, arg: &Move, register: Fpr) {
        let (float_type, width) = (self.abi.convention().int_args[0], arg.width);
        self.load_word(SCRATCH, object(job, arg));
        let detour = job.detour(self, Detour::Integer { register, width });
        dynasm!(self.ops ; .arch x64 ; test al, 3);
        self.branch(When::NotEqual, detour.start);
        dynasm!(self.ops ; .arch x64 ; cmp [rax], Rq(float_type));
        self.branch(When::NotEqual, job.slow_path);
        let value = field_of(SCRATCH, job.model.float_value);
        match width {
            4 => read!(self, cvtsd2ss Rx(register), QWORD value),
            _ => read!(self, movsd Rx(register), QWORD value),
        }
        self.place(detour.back);
    }
}

fn frame_size(job: &CallJob<'_>) -> u32 {
    job.room.end + FRAME
}

fn in_call_frame(job: &CallJob<'_>, field: u32) -> Address {
    call_frame_at(job.room.end, field)
}

fn field_of(base: Gpr, offset: u8) -> Address {
    let offset = offset.into();
    Address { base, offset }
}

/// An argument's object.
fn object(job: &CallJob<'_>, arg: &Move) -> Address {
    let [_, base] = held(job);
    let offset = arg.value * SLOT;
    Address { base, offset }
}

/// Where the function and the arguments' address are until the arguments are loaded.
pub(super) fn held(job: &CallJob<'_>) -> [Gpr; 2] {
    let [function, _, _, args] = operation_args(job.plan.abi);
    match job.is_of_integers {
        true => [function, args],
        false => [FUNCTION, ARGS],
    }
}
