//! Trampolines on an interpreter's own objects.
//!
//! ```text
//!   | return address          |
//!   | padding                 |
//!   | call frame              |
//!   | stack arguments, shadow | <- rsp at the call
//! ```
//!
//! The fast path falls through from top to bottom. Branches off it go forward, to a few instructions behind the return, or at once to
//! the code that all trampolines share ([`super::shared`]). Up to the call each of them may go to the function that does everything, because
//! nothing has happened yet but that the call frame is linked.
//!
//! Where all arguments are small integers, one test of their tags comes before any register changes. Otherwise the function and the
//! arguments' address move to registers that no argument wants.

use super::super::Code;
use super::access::{Address, read, write};
use super::branches::{Branches, When};
use super::shared::{ARGS, FRAME, FUNCTION, PREV};
use super::thread::call_frame_at;
use super::{Emitter, SCRATCH, TARGET};
use crate::abi::regs::x64::{R10, RSP};
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Move, Place, Plan};
use crate::endpoint::{Boxing, ObjectCall, ObjectModel, SharedEntries, Unbox, call_frame};
use crate::layout::SLOT;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

/// Free once the C function has returned.
const SPARE: Gpr = R10;

/// The call operation of functions of one signature.
pub(in crate::emit) fn call(
    plan: &Plan,
    call: &ObjectCall,
    model: &ObjectModel,
    shared: &SharedEntries,
) -> Code {
    let emit = |branches| Objects::new(plan, call, model, shared, branches).emit();
    let with_long_branches = emit(Branches::default());
    emit(with_long_branches.shorter_branches()).finish()
}

/// Code off the fast path. It goes on where it left, or not at all.
enum Detour {
    /// The object in the register is a pointer, or nothing known.
    Convert { register: Gpr, with: u32 },
    /// The object in the scratch register is a small integer, or nothing known; a float is wanted of this size.
    Integer { register: Fpr, width: u32 },
    /// The scratch register holds a result that fits no small integer; or twice it, as one does that overflowed.
    Large { kind: u8, is_doubled: bool },
}

/// One trampoline while it grows.
struct Objects<'a> {
    asm: Emitter,
    plan: &'a Plan,
    call: &'a ObjectCall,
    model: &'a ObjectModel,
    shared: &'a SharedEntries,
    /// Where the function and the address of the arguments are until the arguments are loaded.
    function: Gpr,
    args: Gpr,
    /// Leads to the function that does everything.
    slow: DynamicLabel,
    /// Leads to the exception that waits.
    raise: DynamicLabel,
    detours: Vec<((DynamicLabel, DynamicLabel), Detour)>,
}

impl<'a> Objects<'a> {
    fn new(
        plan: &'a Plan,
        call: &'a ObjectCall,
        model: &'a ObjectModel,
        shared: &'a SharedEntries,
        branches: Branches,
    ) -> Objects<'a> {
        let row = plan.abi.convention();
        let mut asm = Emitter::new(plan.abi);
        asm.branches = branches;
        let (function, args) = match is_of_integers(call) {
            true => (row.int_args[0], row.int_args[3]),
            false => (FUNCTION, ARGS),
        };
        let (slow, raise) = (asm.ops.new_dynamic_label(), asm.ops.new_dynamic_label());
        Objects {
            asm,
            plan,
            call,
            model,
            shared,
            function,
            args,
            slow,
            raise,
            detours: Vec::new(),
        }
    }

    fn emit(mut self) -> Emitter {
        self.check_counts();
        self.asm.enter(self.frame_size());
        let [function, _, _, args] = self.first_registers();
        if function != self.function {
            self.asm.copy(self.function, function);
            self.asm.copy(self.args, args);
        }
        self.link();
        self.check_library();
        let target = self.model.function_target;
        let target = self.field_of(self.function, target);
        if is_of_integers(self.call) {
            let asm = &mut self.asm;
            read!(asm, mov Rq(TARGET), QWORD target);
        }
        self.unbox_all();
        self.asm.count_vector_args(self.plan);
        if is_of_integers(self.call) {
            dynasm!(self.asm.ops ; .arch x64 ; call Rq(TARGET));
        } else {
            dynasm!(self.asm.ops ; .arch x64 ; call QWORD [BYTE Rq(FUNCTION) + target.offset as i8]);
        }
        self.unlink();
        self.box_result();
        self.emit_detours();
        self.emit_exits();
        self.asm
    }

    /// The registers of the call operation's own arguments: the function, the counts of arguments and of keywords, the arguments' address.
    fn first_registers(&self) -> [Gpr; 4] {
        [0, 1, 2, 3].map(|n| self.plan.abi.convention().int_args[n])
    }

    fn frame_size(&self) -> u32 {
        self.plan.stack + FRAME
    }

    fn field_of(&self, base: Gpr, offset: u8) -> Address {
        let offset = offset.into();
        Address { base, offset }
    }

    fn call_frame(&self, field: u32) -> Address {
        call_frame_at(self.plan.stack, field)
    }

    /// No count has more than 32 bits.
    fn check_counts(&mut self) {
        let [_, count, keywords, _] = self.first_registers();
        self.asm.compare(count, self.call.args.len() as u32);
        self.asm.branch_to_shared(When::NotEqual, self.shared.call);
        dynasm!(self.asm.ops ; .arch x64 ; test Rd(keywords), Rd(keywords));
        self.asm.branch_to_shared(When::NotEqual, self.shared.call);
    }

    /// Leaves unless this thread has made a call before and every argument that has to be a small integer is one: their tags are
    /// tested together. Then makes the call known to callbacks and to whoever closes the library.
    fn link(&mut self) {
        let prev = self.call_frame(call_frame::PREV);
        let tagged = self.call_frame(call_frame::TAG);
        let args = self.args;
        let asm = &mut self.asm;
        asm.load_of_thread(self.model, SCRATCH, self.model.innermost);
        write!(asm, mov QWORD prev, Rq(SCRATCH));
        for (unbox, index) in self.call.args.iter().zip(0..) {
            if *unbox == Unbox::Int {
                let (base, offset) = (args, index * SLOT);
                read!(asm, and Rd(SCRATCH), DWORD Address { base, offset });
            }
        }
        dynasm!(asm.ops ; .arch x64 ; test al, 1);
        asm.branch(When::Equal, self.slow);
        read!(asm, lea Rq(SCRATCH), QWORD tagged);
        asm.set_innermost(self.model, SCRATCH);
    }

    /// Looks whether the library is closed, after the call is known: so either this thread sees it closed, or who closes it sees
    /// this call.
    fn check_library(&mut self) {
        let library = self.field_of(self.function, self.model.function_library);
        let open = self.field_of(SCRATCH, self.model.library_open);
        let asm = &mut self.asm;
        read!(asm, mov Rq(SCRATCH), QWORD library);
        asm.compare_to_zero(open);
        asm.branch(When::Equal, self.slow);
    }

    /// Stack arguments first, then floats: both pass through registers that integer arguments take last. The register that holds the
    /// arguments' address is the last of all.
    fn unbox_all(&mut self) {
        let row = self.plan.abi.convention();
        let (float_type, spare_fp) = (row.int_args[0], Fpr::new(row.fp_args.len() as u8));
        if self.call.args.contains(&Unbox::Number) {
            dynasm!(self.asm.ops ; .arch x64 ; mov Rq(float_type), QWORD self.model.float_type as i64);
        }
        let rank = |piece: &Move| match piece.place {
            Place::Stack { .. } => 0,
            Place::Fp(_) | Place::X87(_) => 1,
            Place::Int(register) if register == self.args => 3,
            Place::Int(_) => 2,
        };
        let mut pieces: Vec<&Move> = self.plan.args.iter().collect();
        pieces.sort_by_key(|piece| rank(piece));
        for piece in pieces {
            let object = Address {
                base: self.args,
                offset: piece.value * SLOT,
            };
            match (self.call.args[piece.value as usize], piece.place) {
                (Unbox::Number, Place::Fp(register)) => {
                    self.unbox_float(object, float_type, register, piece.width)
                }
                (Unbox::Number, Place::Stack { offset, .. }) => {
                    self.unbox_float(object, float_type, spare_fp, piece.width);
                    self.asm
                        .store_fp(Address { base: RSP, offset }, spare_fp, piece.width);
                }
                (unbox, Place::Int(register)) => self.unbox_integer(object, unbox, register, piece),
                (unbox, Place::Stack { offset, size }) => {
                    self.unbox_integer(object, unbox, SCRATCH, piece);
                    self.asm.store(Address { base: RSP, offset }, size);
                }
                (_, Place::Fp(_) | Place::X87(_)) => {
                    unreachable!("the planner puts floats alone into vector registers")
                }
            }
        }
    }

    fn unbox_integer(&mut self, object: Address, unbox: Unbox, register: Gpr, piece: &Move) {
        self.asm.load_word(register, object);
        let converter = match unbox {
            Unbox::Pointer => Some(self.shared.pointer),
            Unbox::Function => Some(self.shared.function),
            Unbox::Int | Unbox::Number => None,
        };
        match converter {
            None => dynasm!(self.asm.ops ; .arch x64 ; sar Rq(register), 1),
            Some(with) => {
                let (convert, back) = self.detour(Detour::Convert { register, with });
                self.asm.test_byte(register, 1);
                self.asm.branch(When::Equal, convert);
                dynasm!(self.asm.ops ; .arch x64 ; sar Rq(register), 1 ; =>back);
            }
        }
        // A small integer in range fills the register with its sign already. One out of range leaves something above the 32 bits that the callee
        // looks at; every convention here leaves those to the caller (psABI 3.2.3; Microsoft, "x64 calling convention").
        if piece.width < 4 {
            self.asm.extend_to(register, register, piece);
        }
    }

    fn unbox_float(&mut self, object: Address, float_type: Gpr, register: Fpr, width: u32) {
        self.asm.load_word(SCRATCH, object);
        let (integer, back) = self.detour(Detour::Integer { register, width });
        dynasm!(self.asm.ops ; .arch x64 ; test al, 3);
        self.asm.branch(When::NotEqual, integer);
        dynasm!(self.asm.ops ; .arch x64 ; cmp [rax], Rq(float_type));
        self.asm.branch(When::NotEqual, self.slow);
        let value = self.field_of(SCRATCH, self.model.float_value);
        let asm = &mut self.asm;
        match width {
            4 => read!(asm, cvtsd2ss Rx(register), QWORD value),
            _ => read!(asm, movsd Rx(register), QWORD value),
        }
        dynasm!(asm.ops ; .arch x64 ; =>back);
    }

    /// The result's registers are taken; what an exception is raised from lies in the call frame.
    fn unlink(&mut self) {
        let prev = self.call_frame(call_frame::PREV);
        let asm = &mut self.asm;
        read!(asm, mov Rq(PREV), QWORD prev);
        asm.test_byte(PREV, call_frame::WAITS);
        match self.plan.stack {
            0 => asm.branch_to_shared(When::NotEqual, self.shared.raise),
            _ => asm.branch(When::NotEqual, self.raise),
        }
        asm.set_innermost(self.model, PREV);
    }

    /// Boxes the result and returns it.
    fn box_result(&mut self) {
        match (self.call.ret, self.plan.ret.first()) {
            (Boxing::None, _) | (_, None) => {
                dynasm!(self.asm.ops ; .arch x64 ; mov eax, self.model.none);
            }
            (Boxing::Int(_) | Boxing::Uint(_), Some(piece)) if piece.width < 8 => {
                self.asm.extend(SCRATCH, piece);
                dynasm!(self.asm.ops ; .arch x64 ; lea rax, [rax + rax + 1]);
            }
            (Boxing::Int(kind), Some(_)) => {
                let is_doubled = true;
                let (large, _) = self.detour(Detour::Large { kind, is_doubled });
                dynasm!(self.asm.ops ; .arch x64 ; add rax, rax);
                self.asm.branch(When::Overflow, large);
                dynasm!(self.asm.ops ; .arch x64 ; or rax, BYTE 1);
            }
            (Boxing::Uint(kind), Some(_)) => {
                let is_doubled = false;
                let (large, _) = self.detour(Detour::Large { kind, is_doubled });
                self.asm.copy(SPARE, SCRATCH);
                dynasm!(self.asm.ops ; .arch x64 ; shr Rq(SPARE), 62);
                self.asm.branch(When::NotEqual, large);
                dynasm!(self.asm.ops ; .arch x64 ; lea rax, [rax + rax + 1]);
            }
            (Boxing::Number, Some(piece)) => return self.box_float(piece),
            (Boxing::Object(kind), Some(_)) => return self.box_object(kind),
        }
        self.asm.leave(self.frame_size());
        self.asm.ret();
    }

    fn box_float(&mut self, piece: &Move) {
        let argument = self.plan.abi.convention().fp_args[0];
        if let (Place::Fp(register), 4) = (piece.place, piece.width) {
            dynasm!(self.asm.ops ; .arch x64 ; cvtss2sd Rx(argument), Rx(register));
        }
        self.asm.leave(self.frame_size());
        self.asm.jump_to(self.model.new_float);
    }

    fn box_object(&mut self, kind: u8) {
        let [first, ..] = self.first_registers();
        dynasm!(self.asm.ops ; .arch x64 ; mov Rd(first), i32::from(kind));
        self.asm.leave(self.frame_size());
        self.asm
            .branch_to_shared(When::Always, self.shared.new_object);
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
            self.asm.note_depth(self.frame_size() + 8);
            dynasm!(self.asm.ops ; .arch x64 ; =>start);
            match detour {
                Detour::Convert { register, with } => self.convert(register, with, back),
                Detour::Integer { register, width } => {
                    self.unbox_number_from_integer(register, width, back)
                }
                Detour::Large { kind, is_doubled } => {
                    if is_doubled {
                        // The sign went into the carry flag when the value was doubled.
                        dynasm!(self.asm.ops ; .arch x64 ; rcr rax, 1);
                    }
                    self.box_object(kind);
                }
            }
        }
    }

    fn convert(&mut self, register: Gpr, with: u32, back: DynamicLabel) {
        if register != SCRATCH {
            self.asm.copy(SCRATCH, register);
        }
        self.asm.call_shared(with);
        self.asm.branch(When::Carry, self.slow);
        if register != SCRATCH {
            self.asm.copy(register, SCRATCH);
        }
        self.asm.branch(When::Always, back);
    }

    fn unbox_number_from_integer(&mut self, register: Fpr, width: u32, back: DynamicLabel) {
        dynasm!(self.asm.ops ; .arch x64 ; test al, 1);
        self.asm.branch(When::Equal, self.slow);
        dynasm!(self.asm.ops ; .arch x64 ; sar rax, 1 ; cvtsi2sd Rx(register), rax);
        if width == 4 {
            dynasm!(self.asm.ops ; .arch x64 ; cvtsd2ss Rx(register), Rx(register));
        }
        self.asm.branch(When::Always, back);
    }

    /// The ways out that are not taken back.
    fn emit_exits(&mut self) {
        let [_, count, ..] = self.first_registers();
        let (frame, stack) = (self.frame_size(), self.plan.stack);
        self.asm.note_depth(frame + 8);
        let slow = self.slow;
        dynasm!(self.asm.ops ; .arch x64 ; =>slow);
        self.asm.raise_stack(stack);
        if is_of_integers(self.call) {
            self.asm.branch_to_shared(When::Always, self.shared.leave);
        } else {
            let args = self.call.args.len() as i32;
            dynasm!(self.asm.ops ; .arch x64 ; mov Rd(count), args);
            self.asm
                .branch_to_shared(When::Always, self.shared.leave_restoring);
        }
        if stack > 0 {
            let raise = self.raise;
            self.asm.note_depth(frame + 8);
            dynasm!(self.asm.ops ; .arch x64 ; =>raise);
            self.asm.raise_stack(stack);
            self.asm.branch_to_shared(When::Always, self.shared.raise);
        }
    }
}

/// Whether no argument's conversion can fail once all tags are tested.
fn is_of_integers(call: &ObjectCall) -> bool {
    call.args.iter().all(|unbox| *unbox == Unbox::Int)
}
