//! Calls on objects: the steps of [`crate::emit::objects`].
//!
//! ```text
//!   | call frame           |
//!   | x29, x30             | <- x29
//!   | stack arguments      | <- sp
//! ```

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, in_pairs};
use super::errno::ThreadPointer;
use super::thread::{
    ABOVE, ARGS, FUNCTION, OBJECT, PREV, WAITS, in_call_frame, is_near, known_thread_word,
};
use super::{Emitter, FAR, SCRATCH, TARGET};
use crate::abi::regs::a64::{SP, V16, X13, X14};
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Extend, Move, Place, Plan};
use crate::emit::Code;
use crate::emit::buffer::Label;
use crate::emit::objects::{
    CallJob, CallSteps, Detour, LinkTime, Machine, Range, emit_call, operation_args,
};
use crate::endpoint::{ErrnoModel, ObjectCall, ObjectModel, SharedOffsets, Unbox, call_frame};
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::OutOfMemory;

// Jobs of registers, beside those that the shared code knows. They carry no argument under any convention either.
const FLOAT_TYPE: Gpr = X13;
const SPARE: Gpr = SCRATCH[1];

/// The lowest bits of the thread's word and of all objects that have to be small integers are collected here with `and`.
const TAGS: Gpr = X14;

/// The flags that stand for "equal", as a conditional comparison takes them: the one for zero of N, Z, C and V.
const EQUAL: u32 = 0b0100;

/// What floats on the stack pass through: no argument or result is ever in it.
const SPARE_FP: Fpr = V16;

/// The call operation of functions of one signature.
pub(in crate::emit) fn call(
    plan: &Plan,
    call: &ObjectCall,
    model: &ObjectModel,
    shared: &SharedOffsets,
) -> Result<Code, OutOfMemory> {
    let mut asm = Emitter::new(plan.abi);
    let job = CallJob::new(&mut asm, plan, call, model, shared);
    emit_call(&mut asm, job)?;
    asm.finish()
}

impl Machine for Emitter {
    const FUNCTION: Gpr = FUNCTION;
    const ARGS: Gpr = ARGS;
    const OBJECT: Gpr = OBJECT;
    const PREV: Gpr = PREV;

    fn new_label(&mut self) -> Label {
        self.ops.new_label()
    }

    fn place(&mut self, label: Label) {
        dynasm!(self.ops ; .arch aarch64 ; =>label);
    }

    fn branch_to(&mut self, label: Label) {
        dynasm!(self.ops ; .arch aarch64 ; b =>label);
    }

    fn branch_to_shared(&mut self, to: u32) {
        Emitter::branch_to_shared(self, to);
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
    const LINK_TIME: LinkTime = LinkTime::AfterUnboxing;

    fn check_counts(&mut self, job: &CallJob<'_>) {
        let [_, count, keywords, _] = operation_args(self.abi);
        let (wanted, wrong_count) = (job.call.args.len() as u32, job.wrong_count);
        dynasm!(self.ops
            ; .arch aarch64
            ; cmp XSP(count), wanted
            ; b.ne =>wrong_count
            ; cbnz X(keywords), =>wrong_count
        );
    }

    fn enter_call(&mut self, job: &CallJob<'_>) {
        self.enter(ABOVE, job.room.end);
        let [function, _, _, args] = operation_args(self.abi);
        self.copy(FUNCTION, function);
        self.copy(ARGS, args);
    }

    fn keep_thread_word(&mut self, job: &CallJob<'_>) {
        let word = self.thread_word(job.model.innermost);
        self.load(&word.with(TAGS));
        self.store(&in_call_frame(TAGS, call_frame::PREV));
    }

    fn test_tags(&mut self, job: &CallJob<'_>) {
        let slow_path = job.slow_path;
        dynasm!(self.ops ; .arch aarch64 ; tbz X(TAGS), 0, =>slow_path);
    }

    fn link_call(&mut self, job: &CallJob<'_>) {
        let word = known_thread_word(job.model.innermost);
        self.link_frame(word);
    }

    fn check_library(&mut self, job: &CallJob<'_>) {
        let (model, slow_path) = (job.model, job.slow_path);
        let [library, open] = [model.function_library, model.library_open].map(u32::from);
        self.load(&Access::word(SPARE, FUNCTION, library));
        self.load(&Access::word(SPARE, SPARE, open));
        dynasm!(self.ops ; .arch aarch64 ; cbz X(SPARE), =>slow_path);
    }

    /// Stack arguments first, as they pass through scratch registers. Integers last: their tags are tested together.
    fn unbox(&mut self, job: &mut CallJob<'_>) {
        let plan = job.plan;
        if job.call.args.contains(&Unbox::Float) {
            self.constant(FLOAT_TYPE, job.model.float_type);
        }
        self.pass_bytes_in_memory(job);
        let call = job.call;
        let others = plan.args.iter();
        let others = others.filter(move |arg| call.args[arg.value as usize] != Unbox::Bytes);
        for arg in others.clone() {
            if let Place::Stack { offset, size } = arg.place {
                self.unbox_to_stack(job, arg, offset, size);
            }
        }
        for arg in others.clone() {
            if let Place::Fp(register) = arg.place {
                self.unbox_float(job, arg, register);
            }
        }
        let words = others.filter_map(|arg| match arg.place {
            Place::Int(register) => Some((arg, register)),
            Place::Fp(_) | Place::X87(_) | Place::Stack { .. } => None,
        });
        self.unbox_words(job, words);
        self.pass_bytes_in_registers(job);
    }

    fn give_errno(&mut self, job: &mut CallJob<'_>, errno: &ErrnoModel) {
        let detour = job.detour(self, Detour::Errno(*errno));
        let start = detour.start;
        let [number, _] = SCRATCH;
        // The thread's word has just been linked.
        let pointer = match is_near(job.model.innermost) {
            true => ThreadPointer::Loaded,
            false => ThreadPointer::Unknown,
        };
        self.load_errno_given(errno, number, pointer);
        dynasm!(self.ops ; .arch aarch64 ; cbnz W(number), =>start);
        self.place(detour.back);
    }

    fn call_target(&mut self, job: &CallJob<'_>) {
        let target = job.model.function_target.into();
        self.load(&Access::word(TARGET, FUNCTION, target));
        dynasm!(self.ops ; .arch aarch64 ; blr X(TARGET));
    }

    fn keep_errno(&mut self, errno: &ErrnoModel) {
        self.keep_error_number(errno, SPARE);
    }

    fn unlink_call(&mut self, job: &CallJob<'_>) {
        let raise = job.raise;
        self.load(&in_call_frame(PREV, call_frame::PREV));
        dynasm!(self.ops ; .arch aarch64 ; tbnz X(PREV), WAITS, =>raise);
        self.store_innermost(job.model.innermost, PREV);
    }

    fn box_none(&mut self, job: &CallJob<'_>) {
        let result = self.abi.convention().int_rets[0];
        self.constant(result, i64::from(job.model.none) as u64);
    }

    fn box_narrow(&mut self, _: &CallJob<'_>, result: &Move) {
        let register = self.abi.convention().int_rets[0];
        self.tag_narrow(register, SPARE, register, result);
    }

    fn box_bool(&mut self, job: &CallJob<'_>) {
        let register = self.abi.convention().int_rets[0];
        let [no, yes] = job.model.truth.map(|word| i64::from(word) as u64);
        dynasm!(self.ops ; .arch aarch64 ; tst W(register), 0xff);
        self.constant(SPARE, yes);
        self.constant(register, no);
        dynasm!(self.ops ; .arch aarch64 ; csel X(register), X(SPARE), X(register), ne);
    }

    fn box_word(&mut self, _: &CallJob<'_>, is_signed: bool, large: Label) {
        let register = self.abi.convention().int_rets[0];
        self.tag_word(register, SPARE, register, is_signed, large);
    }

    fn pass_float(&mut self, _: &CallJob<'_>, result: &Move) {
        let argument = self.abi.convention().fp_args[0];
        if let (Place::Fp(register), 4) = (result.place, result.width) {
            dynasm!(self.ops ; .arch aarch64 ; fcvt D(argument), S(register));
        }
    }

    fn pass_kind(&mut self, _: &CallJob<'_>, kind: u8) {
        let [first, second, ..] = operation_args(self.abi);
        self.copy(second, self.abi.convention().int_rets[0]);
        self.constant(first, kind.into());
    }

    fn leave_call(&mut self, job: &CallJob<'_>) {
        self.raise_stack(job.room.end);
        self.leave(ABOVE);
    }

    fn begin_detour(&mut self, job: &CallJob<'_>) {
        self.note_frame(ABOVE, job.room.end);
    }

    fn branch_unless_converted(&mut self, label: Label) {
        dynasm!(self.ops ; .arch aarch64 ; b.lo =>label);
    }

    fn unbox_float_of_integer(&mut self, job: &CallJob<'_>, register: Fpr, width: u32) {
        let slow_path = job.slow_path;
        dynasm!(self.ops
            ; .arch aarch64
            ; tbz X(OBJECT), 0, =>slow_path
            ; asr X(OBJECT), X(OBJECT), 1
            ; scvtf D(register), X(OBJECT)
        );
        self.narrow(register, width);
    }

    fn give_kept_errno(&mut self, errno: &ErrnoModel) {
        let [number, address] = SCRATCH;
        self.give_kept_number(errno, number, address);
    }

    /// The result is still in its register.
    fn restore_large(&mut self, _: bool) {}

    fn emit_ways_out(&mut self, job: &CallJob<'_>) {
        let [_, count, ..] = operation_args(self.abi);
        self.begin_detour(job);
        self.place(job.slow_path);
        self.constant(count, job.call.args.len() as u64);
        self.raise_stack(job.room.end);
        self.branch_to_shared(job.shared.leave_restoring);
        self.begin_detour(job);
        self.place(job.raise);
        self.raise_stack(job.room.end);
        self.branch_to_shared(job.shared.raise);
        if job.has_bytes {
            self.begin_detour(job);
            self.leave_without_word(job);
        }
        self.note_no_frame();
        self.place(job.wrong_count);
        self.branch_to_shared(job.shared.slow_path);
    }
}

impl Emitter {
    fn unbox_to_stack(&mut self, job: &mut CallJob<'_>, arg: &Move, offset: u32, size: u32) {
        let unbox = job.unbox(arg);
        let unboxed = match (unbox, job.converter(unbox)) {
            (Unbox::Float, _) => {
                self.unbox_float(job, arg, SPARE_FP);
                Access::word(SPARE_FP, SP, offset)
            }
            (_, Some(with)) => {
                let register = OBJECT;
                self.load(&object(arg, register));
                // The detour may be out of `tbz`'s reach.
                let detour = job.detour(self, Detour::Convert { register, with });
                let start = detour.start;
                dynasm!(self.ops ; .arch aarch64 ; tst X(register), 1 ; b.eq =>start);
                self.untag(register, arg);
                self.place(detour.back);
                Access::word(register, SP, offset)
            }
            (_, None) => {
                self.load(&object(arg, OBJECT));
                if job.is_of_integer(arg) {
                    self.note_tag(OBJECT);
                }
                self.unbox_integer(job, arg, OBJECT);
                Access::word(OBJECT, SP, offset)
            }
        };
        self.store(&Access {
            width: size,
            ..unboxed
        });
    }

    /// Loads all of them, in pairs where they are adjacent, before any is tested.
    fn unbox_words<'a>(
        &mut self,
        job: &mut CallJob<'_>,
        words: impl Iterator<Item = (&'a Move, Gpr)> + Clone,
    ) {
        let loads = words.clone().map(|(arg, register)| object(arg, register));
        for group in in_pairs(loads) {
            self.load_group(&group);
        }
        for (arg, register) in words.clone() {
            if job.is_of_integer(arg) {
                self.note_tag(register);
            }
        }
        self.test_tags(job);
        for (arg, register) in words {
            match job.converter(job.unbox(arg)) {
                None => self.unbox_integer(job, arg, register),
                Some(with) => {
                    let detour = job.detour(self, Detour::Convert { register, with });
                    let start = detour.start;
                    dynasm!(self.ops ; .arch aarch64 ; tbz X(register), 0, =>start);
                    self.untag(register, arg);
                    self.place(detour.back);
                }
            }
        }
    }

    /// Makes a C integer of a truth value, or of what is a small integer if the test of its tag, which may come later, finds it to be one.
    fn unbox_integer(&mut self, job: &mut CallJob<'_>, arg: &Move, register: Gpr) {
        let slow_path = job.slow_path;
        match job.range(arg) {
            Range::Any => self.untag(register, arg),
            Range::Narrow => {
                dynasm!(self.ops ; .arch aarch64 ; asr X(register), X(register), 1);
                self.compare_with_extended(register, arg);
                dynasm!(self.ops ; .arch aarch64 ; b.ne =>slow_path);
            }
            Range::NotNegative => dynasm!(self.ops
                ; .arch aarch64
                ; asr X(register), X(register), 1
                ; cmp XSP(register), 0
                ; b.lt =>slow_path
            ),
            Range::Truth => {
                let [no, yes] = job.model.truth.map(|word| i64::from(word) as u64);
                let [zero, one] = [0, 1].map(|number| number << 1 | 1);
                self.constant(FAR, yes);
                dynasm!(self.ops
                    ; .arch aarch64
                    ; cmp X(register), X(FAR)
                    ; ccmp X(register), one, EQUAL, ne
                    ; cset X(SPARE), eq
                );
                self.constant(FAR, no);
                dynasm!(self.ops
                    ; .arch aarch64
                    ; ccmp X(register), X(FAR), EQUAL, ne
                    ; ccmp X(register), zero, EQUAL, ne
                    ; b.ne =>slow_path
                    ; mov X(register), X(SPARE)
                );
            }
        }
    }

    /// Has [`CallSteps::test_tags`] test the object in a register, too.
    fn note_tag(&mut self, register: Gpr) {
        dynasm!(self.ops ; .arch aarch64 ; and X(TAGS), X(TAGS), X(register));
    }

    fn unbox_float(&mut self, job: &mut CallJob<'_>, arg: &Move, register: Fpr) {
        let (width, slow_path) = (arg.width, job.slow_path);
        self.load(&object(arg, OBJECT));
        let detour = job.detour(self, Detour::Integer { register, width });
        let start = detour.start;
        dynasm!(self.ops ; .arch aarch64 ; tst X(OBJECT), 3 ; b.ne =>start);
        self.load(&Access::word(SPARE, OBJECT, 0));
        dynasm!(self.ops
            ; .arch aarch64
            ; cmp X(SPARE), X(FLOAT_TYPE)
            ; b.ne =>slow_path
        );
        let value = job.model.float_value.into();
        self.load(&Access::word(register, OBJECT, value));
        self.narrow(register, width);
        self.place(detour.back);
    }

    /// Takes a small integer's value, or as many of its low bits as the move has, extended.
    fn untag(&mut self, register: Gpr, mv: &Move) {
        let bits = mv.width * 8;
        match mv.extend {
            Extend::None => dynasm!(self.ops ; .arch aarch64 ; asr X(register), X(register), 1),
            Extend::Sign => {
                dynasm!(self.ops ; .arch aarch64 ; sbfx X(register), X(register), 1, bits)
            }
            Extend::Zero => {
                dynasm!(self.ops ; .arch aarch64 ; ubfx X(register), X(register), 1, bits)
            }
        }
    }

    /// Makes a small integer of one of fewer than all bits, through another register.
    pub(super) fn tag_narrow(&mut self, to: Gpr, through: Gpr, from: Gpr, mv: &Move) {
        let bits = mv.width * 8;
        match mv.extend {
            Extend::Sign => {
                dynasm!(self.ops ; .arch aarch64 ; sbfiz X(through), X(from), 1, bits);
            }
            Extend::Zero | Extend::None => {
                dynasm!(self.ops ; .arch aarch64 ; ubfiz X(through), X(from), 1, bits);
            }
        }
        dynasm!(self.ops ; .arch aarch64 ; orr XSP(to), X(through), 1);
    }

    /// Makes a small integer of a 64-bit integer, through another register. Goes to `large` if it does not fit.
    pub(super) fn tag_word(
        &mut self,
        to: Gpr,
        through: Gpr,
        from: Gpr,
        is_signed: bool,
        large: Label,
    ) {
        if is_signed {
            dynasm!(self.ops
                ; .arch aarch64
                ; adds X(through), X(from), X(from)
                ; b.vs =>large
            );
        } else {
            dynasm!(self.ops
                ; .arch aarch64
                ; tst X(from), 0xc000_0000_0000_0000
                ; b.ne =>large
                ; lsl X(through), X(from), 1
            );
        }
        dynasm!(self.ops ; .arch aarch64 ; orr XSP(to), X(through), 1);
    }

    /// Makes a `float` of a `double` if that is what is wanted.
    fn narrow(&mut self, register: Fpr, width: u32) {
        if width == 4 {
            dynasm!(self.ops ; .arch aarch64 ; fcvt S(register), D(register));
        }
    }
}

/// An argument's object, to be loaded to an integer register.
fn object(arg: &Move, register: Gpr) -> Access {
    Access::word(register, ARGS, arg.value * SLOT)
}
