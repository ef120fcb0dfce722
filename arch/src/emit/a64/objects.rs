//! Trampolines on an interpreter's own objects.
//!
//! ```text
//!   | call frame           |
//!   | x29, x30             | <- x29
//!   | stack arguments      | <- sp
//! ```
//!
//! The fast path falls through from top to bottom. Branches off it go forward, to a few instructions behind the return, and most of them
//! on to the code that all trampolines share ([`super::shared`]). Up to the call each of them may go to the function that does everything,
//! because nothing has happened yet but that, at the end, the call frame is linked.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Access, Register, in_pairs};
use super::shared::{ARGS, FUNCTION, OBJECT, PREV};
use super::thread::{ABOVE, WAITS, in_call_frame};
use super::{Emitter, SCRATCH, TARGET};
use crate::abi::regs::a64::{SP, V16, X13, X14};
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Extend, Move, Place, Plan};
use crate::emit::Code;
use crate::endpoint::{Boxing, ObjectCall, ObjectModel, SharedEntries, Unbox, call_frame};
use crate::layout::SLOT;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

// Jobs of registers, beside those that the shared code knows. They carry no argument under any convention either.
const FLOAT_TYPE: Gpr = X13;
const SPARE: Gpr = SCRATCH[1];

/// The lowest bits of the thread's word and of all objects that have to be small integers come together here.
const TAGS: Gpr = X14;

/// What floats on the stack pass through: no argument or result is ever in it.
const SPARE_FP: Fpr = V16;

/// The call operation of functions of one signature.
pub(in crate::emit) fn call(
    plan: &Plan,
    call: &ObjectCall,
    model: &ObjectModel,
    shared: &SharedEntries,
) -> Code {
    let mut asm = Emitter::new(plan.abi);
    let [slow, raise, wrong_count] = [(); 3].map(|()| asm.ops.new_dynamic_label());
    let body = Objects {
        asm,
        plan,
        call,
        model,
        shared,
        slow,
        raise,
        wrong_count,
        detours: Vec::new(),
    };
    body.emit()
}

/// Code off the fast path. It goes on where it left, or not at all.
enum Detour {
    /// The object in the register is a pointer, or nothing known.
    Convert { register: Gpr, with: u32 },
    /// The object in the first scratch register is a small integer, or nothing known; a float is wanted of this size.
    Integer { register: Fpr, width: u32 },
    /// The result fits no small integer.
    Large { kind: u8 },
}

/// One trampoline while it grows.
struct Objects<'a> {
    asm: Emitter,
    plan: &'a Plan,
    call: &'a ObjectCall,
    model: &'a ObjectModel,
    shared: &'a SharedEntries,
    /// Leads to the function that does everything.
    slow: DynamicLabel,
    /// Leads to the exception that waits.
    raise: DynamicLabel,
    /// Leads to the function that does everything, from before there is a frame.
    wrong_count: DynamicLabel,
    detours: Vec<((DynamicLabel, DynamicLabel), Detour)>,
}

impl Objects<'_> {
    fn emit(mut self) -> Code {
        self.check_counts();
        self.asm.enter(ABOVE, self.plan.stack);
        let [function, _, _, args] = self.first_registers();
        self.asm.copy(FUNCTION, function);
        self.asm.copy(ARGS, args);
        let word = self.asm.thread_word(self.model.innermost);
        self.asm.load(&word.with(TAGS));
        self.asm.store(&in_call_frame(TAGS, call_frame::PREV));
        self.unbox_all();
        self.asm.link_frame(word);
        self.check_library();
        let target = self.model.function_target.into();
        self.asm.load(&Access::word(TARGET, FUNCTION, target));
        dynasm!(self.asm.ops ; .arch aarch64 ; blr X(TARGET));
        self.unlink();
        self.box_result();
        self.emit_detours();
        self.emit_exits();
        self.asm.finish()
    }

    /// The registers of the call operation's own arguments: the function, the counts of arguments and of keywords, the arguments' address.
    fn first_registers(&self) -> [Gpr; 4] {
        [0, 1, 2, 3].map(|n| self.plan.abi.convention().int_args[n])
    }

    fn check_counts(&mut self) {
        let [_, count, keywords, _] = self.first_registers();
        let (wanted, wrong_count) = (self.call.args.len() as u32, self.wrong_count);
        dynasm!(self.asm.ops
            ; .arch aarch64
            ; cmp XSP(count), wanted
            ; b.ne =>wrong_count
            ; cbnz X(keywords), =>wrong_count
        );
    }

    /// Stack arguments first, as they pass through scratch registers. Integers last: their tags are tested together, and with them whether this
    /// thread has made a call before.
    fn unbox_all(&mut self) {
        let (plan, call) = (self.plan, self.call);
        if call.args.contains(&Unbox::Number) {
            self.asm.constant(FLOAT_TYPE, self.model.float_type);
        }
        for piece in &plan.args {
            if let Place::Stack { offset, size } = piece.place {
                self.unbox_to_stack(piece, call.args[piece.value as usize], offset, size);
            }
        }
        let mut words = Vec::new();
        for piece in &plan.args {
            match piece.place {
                Place::Fp(register) => self.unbox_float(piece, register),
                Place::Int(register) => {
                    words.push((piece, call.args[piece.value as usize], register))
                }
                Place::X87(_) | Place::Stack { .. } => {}
            }
        }
        self.unbox_words(&words);
    }

    fn unbox_to_stack(&mut self, piece: &Move, unbox: Unbox, offset: u32, size: u32) {
        let (register, unboxed) = match unbox {
            Unbox::Number => (OBJECT, Register::Fp(SPARE_FP)),
            Unbox::Int | Unbox::Pointer | Unbox::Function => (OBJECT, Register::Int(OBJECT)),
        };
        match (unboxed, self.converter(unbox)) {
            (Register::Fp(unboxed), _) => self.unbox_float(piece, unboxed),
            (Register::Int(_), Some(with)) => {
                self.asm.load(&object(piece, register));
                // Its detour may be out of a shorter branch's reach.
                let (start, back) = self.detour(Detour::Convert { register, with });
                dynasm!(self.asm.ops ; .arch aarch64 ; tst X(register), 1 ; b.eq =>start);
                self.asm.untag(register, piece);
                dynasm!(self.asm.ops ; .arch aarch64 ; =>back);
            }
            (Register::Int(_), None) => {
                self.asm.load(&object(piece, register));
                self.note_tag(register);
                self.asm.untag(register, piece);
            }
        }
        self.asm.store(&Access {
            width: size,
            ..Access::word(unboxed, SP, offset)
        });
    }

    /// Loads all of them before any is tested, two by two where they are neighbours.
    fn unbox_words(&mut self, words: &[(&Move, Unbox, Gpr)]) {
        let loads: Vec<Access> = words
            .iter()
            .map(|&(piece, _, register)| object(piece, register))
            .collect();
        for group in in_pairs(&loads) {
            self.asm.load_group(&group);
        }
        for &(_, unbox, register) in words {
            if unbox == Unbox::Int {
                self.note_tag(register);
            }
        }
        let slow = self.slow;
        dynasm!(self.asm.ops ; .arch aarch64 ; tbz X(TAGS), 0, =>slow);
        for &(piece, unbox, register) in words {
            match self.converter(unbox) {
                None => self.asm.untag(register, piece),
                Some(with) => {
                    let (start, back) = self.detour(Detour::Convert { register, with });
                    dynasm!(self.asm.ops ; .arch aarch64 ; tbz X(register), 0, =>start);
                    self.asm.untag(register, piece);
                    dynasm!(self.asm.ops ; .arch aarch64 ; =>back);
                }
            }
        }
    }

    fn converter(&self, unbox: Unbox) -> Option<u32> {
        match unbox {
            Unbox::Pointer => Some(self.shared.pointer),
            Unbox::Function => Some(self.shared.function),
            Unbox::Int | Unbox::Number => None,
        }
    }

    /// Has the object in a register tested for a small integer's tag later on.
    fn note_tag(&mut self, register: Gpr) {
        dynasm!(self.asm.ops ; .arch aarch64 ; and X(TAGS), X(TAGS), X(register));
    }

    fn unbox_float(&mut self, piece: &Move, register: Fpr) {
        self.asm.load(&object(piece, OBJECT));
        let width = piece.width;
        let (start, back) = self.detour(Detour::Integer { register, width });
        dynasm!(self.asm.ops ; .arch aarch64 ; tst X(OBJECT), 3 ; b.ne =>start);
        self.asm.load(&Access::word(SPARE, OBJECT, 0));
        let slow = self.slow;
        dynasm!(self.asm.ops
            ; .arch aarch64
            ; cmp X(SPARE), X(FLOAT_TYPE)
            ; b.ne =>slow
        );
        let value = self.model.float_value.into();
        self.asm.load(&Access::word(register, OBJECT, value));
        self.asm.narrow(register, width);
        dynasm!(self.asm.ops ; .arch aarch64 ; =>back);
    }

    /// Looks whether the library is closed, after the call is known: so either this thread sees it closed, or who closes it sees
    /// this call.
    fn check_library(&mut self) {
        let [library, open] = [self.model.function_library, self.model.library_open].map(u32::from);
        self.asm.load(&Access::word(SPARE, FUNCTION, library));
        self.asm.load(&Access::word(SPARE, SPARE, open));
        let slow = self.slow;
        dynasm!(self.asm.ops ; .arch aarch64 ; cbz X(SPARE), =>slow);
    }

    /// The result's registers are taken; what an exception is raised from lies in the call frame.
    fn unlink(&mut self) {
        let raise = self.raise;
        self.asm.load(&in_call_frame(PREV, call_frame::PREV));
        dynasm!(self.asm.ops ; .arch aarch64 ; tbnz X(PREV), WAITS, =>raise);
        self.asm.set_innermost(self.model.innermost, PREV);
    }

    /// Boxes the result and returns it.
    fn box_result(&mut self) {
        let (row, boxing) = (self.plan.abi.convention(), self.call.ret);
        let result = row.int_rets[0];
        match (boxing, self.plan.ret.first()) {
            (Boxing::None, _) | (_, None) => {
                let none = i64::from(self.model.none) as u64;
                self.asm.constant(result, none);
            }
            (Boxing::Int(kind) | Boxing::Uint(kind), Some(piece)) => {
                // A narrow result never takes the detour, and makes none.
                let large = match piece.width {
                    8 => self.detour(Detour::Large { kind }).0,
                    _ => self.slow,
                };
                let is_signed = matches!(boxing, Boxing::Int(_));
                self.asm.tag(result, SPARE, result, piece, is_signed, large);
            }
            (Boxing::Number, Some(piece)) => {
                let argument = row.fp_args[0];
                if let (Place::Fp(register), 4) = (piece.place, piece.width) {
                    dynasm!(self.asm.ops ; .arch aarch64 ; fcvt D(argument), S(register));
                }
                self.leave_frame();
                return self.asm.jump_to(self.model.new_float);
            }
            (Boxing::Object(kind), Some(_)) => return self.box_object(kind),
        }
        self.leave_frame();
        self.asm.ret();
    }

    fn box_object(&mut self, kind: u8) {
        let [first, second, ..] = self.first_registers();
        self.asm
            .copy(second, self.plan.abi.convention().int_rets[0]);
        self.asm.constant(first, kind.into());
        self.leave_frame();
        self.asm.branch_to_shared(self.shared.new_object);
    }

    fn leave_frame(&mut self) {
        self.asm.raise_stack(self.plan.stack);
        self.asm.leave(ABOVE);
    }

    fn detour(&mut self, kind: Detour) -> (DynamicLabel, DynamicLabel) {
        let labels = (
            self.asm.ops.new_dynamic_label(),
            self.asm.ops.new_dynamic_label(),
        );
        self.detours.push((labels, kind));
        labels
    }

    /// What a branch off the fast path leads to, and comes back from, or not. The frame is as it was there.
    fn emit_detours(&mut self) {
        for ((start, back), detour) in std::mem::take(&mut self.detours) {
            self.asm.note_frame(ABOVE, self.plan.stack);
            dynasm!(self.asm.ops ; .arch aarch64 ; =>start);
            match detour {
                Detour::Convert { register, with } => self.convert(register, with, back),
                Detour::Integer { register, width } => {
                    self.unbox_number_from_integer(register, width, back)
                }
                Detour::Large { kind } => self.box_object(kind),
            }
        }
    }

    fn convert(&mut self, register: Gpr, with: u32, back: DynamicLabel) {
        if register != OBJECT {
            self.asm.copy(OBJECT, register);
        }
        self.asm.call_shared(with);
        let slow = self.slow;
        dynasm!(self.asm.ops ; .arch aarch64 ; b.lo =>slow);
        if register != OBJECT {
            self.asm.copy(register, OBJECT);
        }
        dynasm!(self.asm.ops ; .arch aarch64 ; b =>back);
    }

    fn unbox_number_from_integer(&mut self, register: Fpr, width: u32, back: DynamicLabel) {
        let slow = self.slow;
        dynasm!(self.asm.ops
            ; .arch aarch64
            ; tbz X(OBJECT), 0, =>slow
            ; asr X(OBJECT), X(OBJECT), 1
            ; scvtf D(register), X(OBJECT)
        );
        self.asm.narrow(register, width);
        dynasm!(self.asm.ops ; .arch aarch64 ; b =>back);
    }

    /// The ways out that are not taken back.
    fn emit_exits(&mut self) {
        let [_, count, ..] = self.first_registers();
        let (slow, raise, wrong_count) = (self.slow, self.raise, self.wrong_count);
        self.asm.note_frame(ABOVE, self.plan.stack);
        dynasm!(self.asm.ops ; .arch aarch64 ; =>slow);
        self.asm.constant(count, self.call.args.len() as u64);
        self.asm.raise_stack(self.plan.stack);
        self.asm.branch_to_shared(self.shared.leave_restoring);
        self.asm.note_frame(ABOVE, self.plan.stack);
        dynasm!(self.asm.ops ; .arch aarch64 ; =>raise);
        self.asm.raise_stack(self.plan.stack);
        self.asm.branch_to_shared(self.shared.raise);
        self.asm.note_no_frame();
        dynasm!(self.asm.ops ; .arch aarch64 ; =>wrong_count);
        self.asm.branch_to_shared(self.shared.call);
    }
}

/// A piece's argument, as an object, to be loaded to an integer register.
fn object(piece: &Move, register: Gpr) -> Access {
    Access::word(register, ARGS, piece.value * SLOT)
}

impl Emitter {
    /// Takes a small integer's value, or as many of its low bits as the piece has, extended.
    fn untag(&mut self, register: Gpr, piece: &Move) {
        let bits = piece.width * 8;
        match piece.extend {
            Extend::None => dynasm!(self.ops ; .arch aarch64 ; asr X(register), X(register), 1),
            Extend::Sign => {
                dynasm!(self.ops ; .arch aarch64 ; sbfx X(register), X(register), 1, bits)
            }
            Extend::Zero => {
                dynasm!(self.ops ; .arch aarch64 ; ubfx X(register), X(register), 1, bits)
            }
        }
    }

    /// Makes a small integer of a piece, through another register. Goes to `large` with one that does not fit, which only a piece of
    /// all bits can be.
    pub(super) fn tag(
        &mut self,
        to: Gpr,
        through: Gpr,
        from: Gpr,
        piece: &Move,
        is_signed: bool,
        large: DynamicLabel,
    ) {
        let bits = piece.width * 8;
        match (piece.extend, is_signed) {
            (Extend::Sign, _) => {
                dynasm!(self.ops ; .arch aarch64 ; sbfiz X(through), X(from), 1, bits);
            }
            (Extend::Zero, _) => {
                dynasm!(self.ops ; .arch aarch64 ; ubfiz X(through), X(from), 1, bits);
            }
            (Extend::None, true) => dynasm!(self.ops
                ; .arch aarch64
                ; adds X(through), X(from), X(from)
                ; b.vs =>large
            ),
            (Extend::None, false) => dynasm!(self.ops
                ; .arch aarch64
                ; tst X(from), 0xc000_0000_0000_0000
                ; b.ne =>large
                ; lsl X(through), X(from), 1
            ),
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
