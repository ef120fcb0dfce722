//! Trampolines on an interpreter's own objects.
//!
//! ```text
//!   | return address          |
//!   | padding                 |
//!   | frame: pending, prev    |
//!   | stack arguments, shadow | <- rsp at the call
//! ```
//!
//! The fast path falls through from top to bottom; every branch off it goes forward, to code behind the return. Arguments are
//! converted before the frame is linked, so that leaving for the slow path needs nothing undone.

use super::super::Code;
use super::operand::{Address, read, write};
use super::{Emitter, SCRATCH, TARGET};
use crate::abi::regs::x64::{R10, RSP};
use crate::abi::{Extend, Move, Place, Plan};
use crate::endpoint::{
    Boxing, Converters, ObjectCall, ObjectModel, PointerField, Unbox, call_frame,
};
use crate::layout::SLOT;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

// Jobs of registers, beside those of the slots trampoline. Neither carries an argument under any convention.
const FUNCTION: u8 = TARGET;
const ARGS: u8 = R10;

/// The call operation of functions of one signature.
pub(in crate::emit) fn call(
    plan: &Plan,
    call: &ObjectCall,
    model: &ObjectModel,
    converters: Converters,
) -> Code {
    let row = plan.abi.convention();
    let [function, count, keywords, args] = [0, 1, 2, 3].map(|n| row.int_args[n]);
    let frame_size = plan.stack + call_frame::SIZE + 8;
    let mut asm = Emitter::new(plan.abi);
    let slow = asm.ops.new_dynamic_label();
    let slow_without_frame = asm.ops.new_dynamic_label();
    dynasm!(asm.ops
        ; .arch x64
        ; cmp Rq(count), call.args.len() as i32
        ; jne =>slow_without_frame
        ; test Rq(keywords), Rq(keywords)
        ; jne =>slow_without_frame
    );
    asm.enter(frame_size);
    asm.copy(FUNCTION, function);
    asm.copy(ARGS, args);
    let (pointer_converter, function_converter) =
        (asm.ops.new_dynamic_label(), asm.ops.new_dynamic_label());
    let mut body = Objects {
        asm,
        model,
        pointer_converter,
        function_converter,
        frame: plan.stack,
        slow,
        detours: Vec::new(),
    };
    body.unbox_all(plan, call);
    body.link();
    dynasm!(body.asm.ops
        ; .arch x64
        ; mov Rq(TARGET), [BYTE Rq(FUNCTION) + model.function_target as i8]
    );
    body.asm.count_vector_args(plan);
    dynasm!(body.asm.ops ; .arch x64 ; call Rq(TARGET));
    body.unlink();
    body.box_result(plan, call.ret, frame_size);
    body.emit_detours(plan, frame_size);
    let Objects { mut asm, .. } = body;
    dynasm!(asm.ops
        ; .arch x64
        ; =>slow
        ; mov Rq(function), Rq(FUNCTION)
        ; mov Rd(count), call.args.len() as i32
        ; xor Rd(keywords), Rd(keywords)
        ; mov Rq(args), Rq(ARGS)
    );
    asm.leave(frame_size);
    dynasm!(asm.ops ; .arch x64 ; =>slow_without_frame);
    asm.jump_to(model.call);
    if call
        .args
        .iter()
        .any(|arg| matches!(arg, Unbox::Pointer | Unbox::Function))
    {
        dynasm!(asm.ops
            ; .arch x64
            ; .align 8
            ; =>pointer_converter
            ; .u64 converters.pointer
            ; =>function_converter
            ; .u64 converters.function
        );
    }
    asm.finish()
}

/// Converts the object in `rax` to a pointer, in `rax`; sets the carry flag for one that it does not know. Changes no other register.
pub(in crate::emit) fn pointer_converter(
    abi: crate::abi::Abi,
    none: i32,
    known: &[&[PointerField]],
) -> Code {
    let mut asm = Emitter::new(abi);
    let (null, unknown) = (asm.ops.new_dynamic_label(), asm.ops.new_dynamic_label());
    dynasm!(asm.ops
        ; .arch x64
        ; cmp rax, none
        ; je =>null
        ; test al, 3
        ; jne =>unknown
        ; push rcx
    );
    asm.note_depth(16);
    for field in known.iter().copied().flatten() {
        let next = asm.ops.new_dynamic_label();
        dynasm!(asm.ops
            ; .arch x64
            ; mov rcx, QWORD field.ty as i64
            ; cmp [rax], rcx
            ; jne =>next
            ; mov rax, [BYTE rax + field.offset as i8]
            ; pop rcx
        );
        asm.note_depth(8);
        // Clears the carry flag, and tells a closed function by its null.
        dynasm!(asm.ops ; .arch x64 ; test rax, rax ; je =>unknown ; ret ; =>next);
        asm.note_depth(16);
    }
    dynasm!(asm.ops ; .arch x64 ; pop rcx);
    asm.note_depth(8);
    dynasm!(asm.ops
        ; .arch x64
        ; =>unknown
        ; stc
        ; ret
        ; =>null
        ; xor eax, eax
        ; ret
    );
    asm.finish()
}

/// Code off the fast path. It goes on where it left, or not at all.
enum Detour {
    /// The object in the register is a pointer, or nothing known.
    Convert { register: u8, with: DynamicLabel },
    /// The object in the scratch register is a small integer, or nothing known; a float is wanted of this size.
    Integer { register: u8, width: u32 },
    /// The library is closed.
    Closed,
    /// An exception waits, in the register that held the function.
    Raise,
    /// The scratch register holds a result that fits no small integer; or twice it, as one does that overflowed.
    Large { kind: u8, is_doubled: bool },
}

/// The body of one trampoline while it grows.
struct Objects<'a> {
    asm: Emitter,
    model: &'a ObjectModel,
    /// The words that hold the converters' addresses.
    pointer_converter: DynamicLabel,
    function_converter: DynamicLabel,
    /// Where the call frame lies above the stack pointer.
    frame: u32,
    slow: DynamicLabel,
    detours: Vec<((DynamicLabel, DynamicLabel), Detour)>,
}

impl Objects<'_> {
    /// Stack arguments first, then floats: both pass through registers that integer arguments take last.
    fn unbox_all(&mut self, plan: &Plan, call: &ObjectCall) {
        let float_type = plan.abi.convention().int_args[0];
        let spare_fp = plan.abi.convention().fp_args.len() as u8;
        if call.args.contains(&Unbox::Number) {
            dynasm!(self.asm.ops ; .arch x64 ; mov Rq(float_type), QWORD self.model.float_type as i64);
        }
        let rank = |piece: &Move| match piece.place {
            Place::Stack { .. } => 0,
            Place::Fp(_) | Place::X87(_) => 1,
            Place::Int(_) => 2,
        };
        let mut pieces: Vec<&Move> = plan.args.iter().collect();
        pieces.sort_by_key(|piece| rank(piece));
        self.test_integers(call);
        for piece in pieces {
            let object = Address {
                base: ARGS,
                offset: piece.value * SLOT,
            };
            match (call.args[piece.value as usize], piece.place) {
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

    /// Leaves unless every argument that has to be a small integer is one: their tags are tested together.
    fn test_integers(&mut self, call: &ObjectCall) {
        let integers = call
            .args
            .iter()
            .zip(0..)
            .filter(|(unbox, _)| **unbox == Unbox::Int);
        let mut words = integers.map(|(_, index)| Address {
            base: ARGS,
            offset: index * SLOT,
        });
        let Some(first) = words.next() else {
            return;
        };
        let asm = &mut self.asm;
        read!(asm, mov Rd(SCRATCH), DWORD first);
        for word in words {
            read!(asm, and Rd(SCRATCH), DWORD word);
        }
        dynasm!(asm.ops ; .arch x64 ; test al, 1 ; je =>self.slow);
    }

    fn unbox_integer(&mut self, object: Address, unbox: Unbox, register: u8, piece: &Move) {
        let whole = Move {
            width: 8,
            extend: Extend::None,
            ..*piece
        };
        self.asm.load(register, object, &whole);
        let converter = match unbox {
            Unbox::Pointer => Some(self.pointer_converter),
            Unbox::Function => Some(self.function_converter),
            Unbox::Int | Unbox::Number => None,
        };
        match converter {
            None => dynasm!(self.asm.ops ; .arch x64 ; sar Rq(register), 1),
            Some(with) => {
                let detour = self.detour(Detour::Convert { register, with });
                dynasm!(self.asm.ops
                    ; .arch x64
                    ; test Rb(register), 1
                    ; je =>detour.0
                    ; sar Rq(register), 1
                    ; =>detour.1
                );
            }
        }
        self.asm.extend_to(register, register, piece);
    }

    fn unbox_float(&mut self, object: Address, float_type: u8, register: u8, width: u32) {
        let whole = Move {
            value: 0,
            slot: 0,
            offset: 0,
            width: 8,
            extend: Extend::None,
            place: Place::Int(SCRATCH),
            copy: None,
        };
        self.asm.load(SCRATCH, object, &whole);
        let detour = self.detour(Detour::Integer { register, width });
        dynasm!(self.asm.ops
            ; .arch x64
            ; test al, 3
            ; jne =>detour.0
            ; cmp [rax], Rq(float_type)
            ; jne =>self.slow
        );
        let value = self.model.float_value as i8;
        match width {
            4 => {
                dynasm!(self.asm.ops ; .arch x64 ; cvtsd2ss Rx(register), QWORD [BYTE rax + value])
            }
            _ => dynasm!(self.asm.ops ; .arch x64 ; movsd Rx(register), QWORD [BYTE rax + value]),
        }
        dynasm!(self.asm.ops ; .arch x64 ; =>detour.1);
    }

    /// Makes the call known to callbacks and to whoever closes the library, and then looks whether it is closed: in this
    /// order, so that either this thread sees it closed or the other one sees this call.
    fn link(&mut self) {
        let innermost = self.model.innermost;
        let (library, open) = (
            self.model.function_library as i8,
            self.model.library_open as i8,
        );
        let asm = &mut self.asm;
        dynasm!(asm.ops
            ; .arch x64
            ; fs mov rax, [innermost]
            ; test rax, rax
            ; je =>self.slow
        );
        let (prev, pending) = (
            self.field(call_frame::PREV),
            self.field(call_frame::PENDING),
        );
        let asm = &mut self.asm;
        write!(asm, mov QWORD prev, Rq(SCRATCH));
        asm.store_zero(pending);
        asm.address_of(
            SCRATCH,
            Address {
                base: RSP,
                offset: self.frame,
            },
        );
        let (closed, _) = self.detour(Detour::Closed);
        dynasm!(self.asm.ops
            ; .arch x64
            ; fs mov [innermost], rax
            ; mov rax, [BYTE Rq(FUNCTION) + library]
            ; cmp QWORD [BYTE rax + open], 0
            ; je =>closed
        );
    }

    fn unlink(&mut self) {
        let innermost = self.model.innermost;
        let (prev, pending) = (
            self.field(call_frame::PREV),
            self.field(call_frame::PENDING),
        );
        let (raise, _) = self.detour(Detour::Raise);
        let asm = &mut self.asm;
        // The result registers are taken; the two that held the arguments and the function no longer are.
        read!(asm, mov Rq(ARGS), QWORD prev);
        read!(asm, mov Rq(FUNCTION), QWORD pending);
        dynasm!(asm.ops
            ; .arch x64
            ; fs mov [innermost], Rq(ARGS)
            ; test Rq(FUNCTION), Rq(FUNCTION)
            ; jne =>raise
        );
    }

    fn field(&self, offset: u32) -> Address {
        Address {
            base: RSP,
            offset: self.frame + offset,
        }
    }

    /// Boxes the result and returns it.
    fn box_result(&mut self, plan: &Plan, boxing: Boxing, frame_size: u32) {
        match (boxing, plan.ret.first()) {
            (Boxing::None, _) | (_, None) => {
                dynasm!(self.asm.ops ; .arch x64 ; mov rax, self.model.none);
            }
            (Boxing::Int(kind) | Boxing::Uint(kind), Some(piece)) if piece.width < 8 => {
                let _ = kind;
                self.asm.extend(SCRATCH, piece);
                dynasm!(self.asm.ops ; .arch x64 ; lea rax, [rax + rax + 1]);
            }
            (Boxing::Int(kind), Some(_)) => {
                let (large, _) = self.detour(Detour::Large {
                    kind,
                    is_doubled: true,
                });
                dynasm!(self.asm.ops ; .arch x64 ; add rax, rax ; jo =>large ; or rax, 1);
            }
            (Boxing::Uint(kind), Some(_)) => {
                let (large, _) = self.detour(Detour::Large {
                    kind,
                    is_doubled: false,
                });
                dynasm!(self.asm.ops
                    ; .arch x64
                    ; mov Rq(ARGS), rax
                    ; shr Rq(ARGS), 62
                    ; jne =>large
                    ; lea rax, [rax + rax + 1]
                );
            }
            (Boxing::Number, Some(piece)) => return self.box_float(plan, piece, frame_size),
            (Boxing::Object(kind), Some(_)) => return self.box_object(plan, kind, frame_size),
        }
        self.asm.leave(frame_size);
        dynasm!(self.asm.ops ; .arch x64 ; ret);
    }

    fn box_float(&mut self, plan: &Plan, piece: &Move, frame_size: u32) {
        let argument = plan.abi.convention().fp_args[0];
        if let (Place::Fp(register), 4) = (piece.place, piece.width) {
            dynasm!(self.asm.ops ; .arch x64 ; cvtss2sd Rx(argument), Rx(register));
        }
        self.asm.leave(frame_size);
        self.asm.jump_to(self.model.new_float);
    }

    fn box_object(&mut self, plan: &Plan, kind: u8, frame_size: u32) {
        let [first, second] = [0, 1].map(|n| plan.abi.convention().int_args[n]);
        dynasm!(self.asm.ops ; .arch x64 ; mov Rd(first), i32::from(kind));
        self.asm.copy(second, SCRATCH);
        self.asm.leave(frame_size);
        self.asm.jump_to(self.model.new_object);
    }

    fn detour(&mut self, kind: Detour) -> (DynamicLabel, DynamicLabel) {
        let labels = (
            self.asm.ops.new_dynamic_label(),
            self.asm.ops.new_dynamic_label(),
        );
        self.detours.push((labels, kind));
        labels
    }

    /// Everything that a branch off the fast path leads to. The frame is as it was there.
    fn emit_detours(&mut self, plan: &Plan, frame_size: u32) {
        for ((start, back), detour) in std::mem::take(&mut self.detours) {
            self.asm.note_depth(frame_size + 8);
            dynasm!(self.asm.ops ; .arch x64 ; =>start);
            match detour {
                Detour::Convert { register, with } => self.convert(register, with, back),
                Detour::Integer { register, width } => {
                    self.unbox_number_from_integer(register, width, back)
                }
                Detour::Closed => {
                    let prev = self.field(call_frame::PREV);
                    let (asm, innermost) = (&mut self.asm, self.model.innermost);
                    read!(asm, mov Rq(SCRATCH), QWORD prev);
                    dynasm!(asm.ops ; .arch x64 ; fs mov [innermost], rax ; jmp =>self.slow);
                }
                Detour::Raise => {
                    let first = plan.abi.convention().int_args[0];
                    self.asm.copy(first, FUNCTION);
                    self.asm.leave(frame_size);
                    self.asm.jump_to(self.model.raise);
                }
                Detour::Large { kind, is_doubled } => {
                    if is_doubled {
                        // The sign went into the carry flag when the value was doubled.
                        dynasm!(self.asm.ops ; .arch x64 ; rcr rax, 1);
                    }
                    self.box_object(plan, kind, frame_size);
                }
            }
        }
        self.asm.note_depth(frame_size + 8);
    }

    fn convert(&mut self, register: u8, with: DynamicLabel, back: DynamicLabel) {
        if register != SCRATCH {
            self.asm.copy(SCRATCH, register);
        }
        dynasm!(self.asm.ops ; .arch x64 ; call QWORD [=>with] ; jc =>self.slow);
        if register != SCRATCH {
            self.asm.copy(register, SCRATCH);
        }
        dynasm!(self.asm.ops ; .arch x64 ; jmp =>back);
    }

    fn unbox_number_from_integer(&mut self, register: u8, width: u32, back: DynamicLabel) {
        dynasm!(self.asm.ops
            ; .arch x64
            ; test al, 1
            ; je =>self.slow
            ; sar rax, 1
            ; cvtsi2sd Rx(register), rax
        );
        if width == 4 {
            dynasm!(self.asm.ops ; .arch x64 ; cvtsd2ss Rx(register), Rx(register));
        }
        dynasm!(self.asm.ops ; .arch x64 ; jmp =>back);
    }
}
