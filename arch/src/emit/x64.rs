//! The x86-64 emitter. It walks plans; which register is whose it never knows by itself.
//!
//! Frames, from high addresses to low. Both keep the stack pointer fixed between entry and exit, so its distance from
//! the caller's frame is all that an unwinder needs:
//!
//! ```text
//!   trampoline                              callback entry
//!   | return address     |                  | C's stack arguments |
//!   | saved rbx          | with a result    | return address      |
//!   | padding            |                  | padding             |
//!   | stack arguments    |                  | argument slots      |
//!   | shadow space       | <- rsp at the    | shadow space        | <- rsp at the call of the handler
//!                             call
//! ```
//!
//! Nothing below the stack pointer is ever used, so a red zone plays no part. The direction flag is clear whenever a function is
//! entered or left, as every convention demands, and nothing here sets it. No instruction touches MXCSR or the x87 state.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::unwind::{FrameChange, FrameChangeKind};
use super::{Code, THUNK_SIZE, record};
use crate::abi::regs::x64::{R10, R11, RAX, RBX, RSP};
use crate::abi::{Abi, Extend, Move, Place, Plan};
use crate::layout::SLOT;
use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, SimpleAssembler, VecAssembler, dynasm};
use operand::{Address, read, write};

// Jobs of registers. None of the four carries an argument under any convention, so they hold through
// the loading of arguments; RESULT alone survives the call.
const TARGET: u8 = R11;
const RECORD: u8 = R10;
const RESULT: u8 = RBX;
const SCRATCH: u8 = RAX;

/// A frame larger than this is entered step by step, so that the guard page below a stack is never jumped over.
const GUARD_PAGE: u32 = 4096;

/// The landing pad of control-flow enforcement (Intel SDM volume 1, section 17.3), a no-op where that is off.
/// dynasm has no name for it.
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// `int3`.
pub(super) const FILLER: u8 = 0xcc;

/// DWARF's number for rbx (psABI figure 3.36).
const DWARF_RBX: u16 = 3;

pub(super) fn call(plan: &Plan) -> Code {
    let row = plan.abi.convention();
    let [target, slots, result] = [0, 1, 2].map(|n| row.int_args[n]);
    let mut asm = Emitter::new(plan.abi);
    let keeps_result = !plan.ret.is_empty();
    // Without a frame of its own the trampoline leaves the callee its caller's, shadow space included.
    let is_tail = !keeps_result && plan.stack <= row.shadow;
    if keeps_result {
        asm.push_result_register();
    }
    // The return address, and rbx if it was pushed, already lie on the stack.
    let misaligned = if keeps_result { 0 } else { 8 };
    let frame = if is_tail { 0 } else { plan.stack + misaligned };
    asm.enter(frame);
    let mut places = plan
        .args
        .iter()
        .chain(&plan.mirrors)
        .map(|piece| piece.place);
    let callee = if places.any(|place| place == Place::Int(target)) {
        asm.copy(TARGET, target);
        TARGET
    } else {
        target
    };
    if keeps_result {
        asm.copy(RESULT, result);
    }
    asm.load_arguments(plan, slots);
    if is_tail {
        dynasm!(asm.ops ; .arch x64 ; jmp Rq(callee));
        return asm.finish();
    }
    dynasm!(asm.ops ; .arch x64 ; call Rq(callee));
    for piece in &plan.ret {
        asm.place_to_slot(
            piece,
            0,
            Address {
                base: RESULT,
                offset: piece.slot,
            },
        );
    }
    asm.leave(frame);
    if keeps_result {
        asm.pop_result_register();
    }
    dynasm!(asm.ops ; .arch x64 ; ret);
    asm.finish()
}

pub(super) fn callback_entry(plan: &Plan) -> Code {
    let row = plan.abi.convention();
    let [context, slots] = [0, 1].map(|n| row.int_args[n]);
    let mut asm = Emitter::new(plan.abi);
    let first_slot = row.shadow;
    // One more word than a multiple of 16: the return address is the other half.
    let frame = (first_slot + plan.arg_slots * SLOT + 8).next_multiple_of(16) - 8;
    let incoming = frame + 8;
    let on_stack = |offset| Address { base: RSP, offset };
    asm.enter(frame);
    for piece in &plan.args {
        asm.place_to_slot(piece, incoming, on_stack(first_slot + piece.slot));
    }
    asm.address_of(slots, on_stack(first_slot));
    asm.call_handler(context);
    for piece in &plan.ret {
        asm.register_to_result(row.int_rets[0], piece);
    }
    asm.leave(frame);
    dynasm!(asm.ops ; .arch x64 ; ret);
    asm.finish()
}

pub(super) fn closed_entry(abi: Abi) -> Code {
    let row = abi.convention();
    let mut asm = Emitter::new(abi);
    let frame = row.shadow + 8;
    asm.enter(frame);
    asm.call_handler(row.int_args[0]);
    for &register in row.int_rets {
        dynasm!(asm.ops ; .arch x64 ; xor Rd(register), Rd(register));
    }
    for &register in row.fp_rets {
        dynasm!(asm.ops ; .arch x64 ; xorps Rx(register), Rx(register));
    }
    asm.leave(frame);
    dynasm!(asm.ops ; .arch x64 ; ret);
    asm.finish()
}

pub(super) fn thunks(abi: Abi, count: usize, distance: usize) -> Code {
    // endbr64 and the lea: rip points behind them when the displacement is added.
    const BEHIND_LEA: usize = 4 + 7;
    let mut ops = SimpleAssembler::new();
    for index in 0..count {
        let to_record = distance + index * record::SIZE - index * THUNK_SIZE - BEHIND_LEA;
        let to_record = i32::try_from(to_record).expect("a thunk's record lies within 2 GiB");
        dynasm!(ops
            ; .arch x64
            ; .bytes ENDBR64
            ; lea Rq(RECORD), [rip + to_record]
            ; jmp QWORD [BYTE Rq(RECORD) + record::ENTRY as i8]
        );
        let padding = (index + 1) * THUNK_SIZE - ops.offset().0;
        ops.extend(std::iter::repeat_n(FILLER, padding));
    }
    Code {
        abi,
        bytes: ops.finalize(),
        frame: Vec::new(),
    }
}

/// The code of one function while it grows.
struct Emitter {
    ops: VecAssembler<X64Relocation>,
    abi: Abi,
    frame: Vec<FrameChange>,
    /// Bytes between the stack pointer and the caller's frame.
    depth: u32,
}

impl Emitter {
    /// A function that other code may reach by an indirect jump or call: it begins with the landing pad for that.
    fn new(abi: Abi) -> Emitter {
        let mut ops = VecAssembler::new(0);
        dynasm!(ops ; .arch x64 ; .bytes ENDBR64);
        Emitter {
            ops,
            abi,
            frame: Vec::new(),
            depth: 8,
        }
    }

    fn finish(self) -> Code {
        Code {
            abi: self.abi,
            bytes: self
                .ops
                .finalize()
                .expect("every label that is used is placed, and none twice"),
            frame: self.frame,
        }
    }

    fn note(&mut self, kind: FrameChangeKind) {
        self.frame.push(FrameChange {
            offset: self.ops.offset().0 as u32,
            kind,
        });
    }

    fn note_depth(&mut self, depth: u32) {
        self.depth = depth;
        self.note(FrameChangeKind::CfaOffset(depth));
    }

    fn push_result_register(&mut self) {
        // By its own name, which takes a byte less than by its number.
        const { assert!(RESULT == RBX) };
        dynasm!(self.ops ; .arch x64 ; push rbx);
        self.note_depth(self.depth + 8);
        self.note(FrameChangeKind::Saved(DWARF_RBX, self.depth));
    }

    fn pop_result_register(&mut self) {
        dynasm!(self.ops ; .arch x64 ; pop rbx);
        self.note_depth(self.depth - 8);
        self.note(FrameChangeKind::Restored(DWARF_RBX));
    }

    /// Makes room for a frame, touching each page of it on the way down.
    fn enter(&mut self, bytes: u32) {
        let mut left = bytes;
        while left > GUARD_PAGE {
            self.lower_stack(GUARD_PAGE);
            dynasm!(self.ops ; .arch x64 ; or QWORD [rsp], 0);
            left -= GUARD_PAGE;
        }
        if left > 0 {
            self.lower_stack(left);
        }
    }

    fn lower_stack(&mut self, bytes: u32) {
        match i8::try_from(bytes) {
            Ok(short) => dynasm!(self.ops ; .arch x64 ; sub rsp, BYTE short),
            Err(_) => dynasm!(self.ops ; .arch x64 ; sub rsp, DWORD bytes as i32),
        }
        self.note_depth(self.depth + bytes);
    }

    fn leave(&mut self, bytes: u32) {
        if bytes == 0 {
            return;
        }
        match i8::try_from(bytes) {
            Ok(short) => dynasm!(self.ops ; .arch x64 ; add rsp, BYTE short),
            Err(_) => dynasm!(self.ops ; .arch x64 ; add rsp, DWORD bytes as i32),
        }
        self.note_depth(self.depth - bytes);
    }

    fn copy(&mut self, to: u8, from: u8) {
        dynasm!(self.ops ; .arch x64 ; mov Rq(to), Rq(from));
    }

    fn address_of(&mut self, to: u8, address: Address) {
        match address.offset {
            0 => self.copy(to, address.base),
            _ => read!(self, lea Rq(to), QWORD address),
        }
    }

    /// Calls the record's handler with its context; the other argument is in place.
    fn call_handler(&mut self, context: u8) {
        dynasm!(self.ops
            ; .arch x64
            ; mov Rq(context), [BYTE Rq(RECORD) + record::CONTEXT as i8]
            ; call QWORD [BYTE Rq(RECORD) + record::HANDLER as i8]
        );
    }

    /// Stack arguments first, as they pass through the scratch register; the register that holds the slots' address after
    /// all others; the count of vector registers last.
    fn load_arguments(&mut self, plan: &Plan, slots: u8) {
        let mut pieces: Vec<&Move> = plan.args.iter().chain(&plan.mirrors).collect();
        pieces.sort_by_key(|piece| match piece.place {
            Place::Stack { .. } => 0,
            Place::Int(register) if register == slots => 2,
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => 1,
        });
        for piece in pieces {
            let (base, offset) = (slots, piece.slot);
            self.slot_to_place(piece, Address { base, offset });
        }
        self.count_vector_args(plan);
    }

    fn count_vector_args(&mut self, plan: &Plan) {
        match plan.vector_args {
            Some(0) => dynasm!(self.ops ; .arch x64 ; xor eax, eax),
            Some(count) => dynasm!(self.ops ; .arch x64 ; mov eax, i32::from(count)),
            None => {}
        }
    }

    /// Moves a piece from its slot to where the convention wants it. Clobbers the scratch register for a stack argument.
    fn slot_to_place(&mut self, piece: &Move, slot: Address) {
        match piece.place {
            Place::Int(register) => self.load(register, slot, piece),
            Place::Fp(register) if piece.width == 4 => read!(self, movss Rx(register), DWORD slot),
            Place::Fp(register) => read!(self, movsd Rx(register), QWORD slot),
            Place::X87(_) => {}
            Place::Stack { offset, size } => {
                self.load(SCRATCH, slot, piece);
                self.store(Address { base: RSP, offset }, size);
            }
        }
    }

    /// Moves a piece from where the convention put it to its slot. `incoming` is the distance from the stack pointer to
    /// the stack arguments. Clobbers the scratch register for narrow integers and stack arguments.
    fn place_to_slot(&mut self, piece: &Move, incoming: u32, slot: Address) {
        match piece.place {
            Place::Int(register) => {
                let filled = self.extend(register, piece);
                write!(self, mov QWORD slot, Rq(filled));
            }
            Place::Fp(register) if piece.width == 4 => write!(self, movss DWORD slot, Rx(register)),
            Place::Fp(register) => write!(self, movsd QWORD slot, Rx(register)),
            Place::X87(_) => {}
            Place::Stack { offset, .. } => {
                self.load(
                    SCRATCH,
                    Address {
                        base: RSP,
                        offset: incoming + offset,
                    },
                    piece,
                );
                write!(self, mov QWORD slot, Rq(SCRATCH));
            }
        }
    }

    /// Moves a result from the slot that a register holds to where the convention wants it.
    fn register_to_result(&mut self, slot: u8, piece: &Move) {
        match piece.place {
            Place::Int(register) => self.extend_to(register, slot, piece),
            Place::Fp(register) if piece.width == 4 => {
                dynasm!(self.ops ; .arch x64 ; movd Rx(register), Rd(slot));
            }
            Place::Fp(register) => dynasm!(self.ops ; .arch x64 ; movq Rx(register), Rq(slot)),
            Place::X87(_) | Place::Stack { .. } => {}
        }
    }

    /// Stores the low `size` bytes of the scratch register.
    fn store(&mut self, to: Address, size: u32) {
        match size {
            1 => write!(self, mov BYTE to, Rb(SCRATCH)),
            2 => write!(self, mov WORD to, Rw(SCRATCH)),
            4 => write!(self, mov DWORD to, Rd(SCRATCH)),
            _ => write!(self, mov QWORD to, Rq(SCRATCH)),
        }
    }

    /// Stores a float of `width` bytes.
    fn store_fp(&mut self, to: Address, register: u8, width: u32) {
        match width {
            4 => write!(self, movss DWORD to, Rx(register)),
            _ => write!(self, movsd QWORD to, Rx(register)),
        }
    }

    fn store_zero(&mut self, Address { base, offset }: Address) {
        match i8::try_from(offset) {
            Ok(near) => dynasm!(self.ops ; .arch x64 ; mov QWORD [BYTE Rq(base) + near], 0),
            Err(_) => dynasm!(self.ops ; .arch x64 ; mov QWORD [DWORD Rq(base) + offset as i32], 0),
        }
    }

    /// Jumps to an absolute address.
    fn jump_to(&mut self, address: u64) {
        dynasm!(self.ops ; .arch x64 ; mov rax, QWORD address as i64 ; jmp rax);
    }

    /// Loads a piece, extended to the whole register.
    fn load(&mut self, to: u8, from: Address, piece: &Move) {
        match (piece.extend, piece.width) {
            (Extend::Sign, 1) => read!(self, movsx Rq(to), BYTE from),
            (Extend::Sign, 2) => read!(self, movsx Rq(to), WORD from),
            (Extend::Sign, _) => read!(self, movsxd Rq(to), DWORD from),
            (Extend::Zero, 1) => read!(self, movzx Rd(to), BYTE from),
            (Extend::Zero, 2) => read!(self, movzx Rd(to), WORD from),
            (Extend::Zero, _) | (Extend::None, 4) => read!(self, mov Rd(to), DWORD from),
            (Extend::None, _) => read!(self, mov Rq(to), QWORD from),
        }
    }

    /// Extends a piece from the low bits of a register to all of one, and says which one.
    fn extend(&mut self, from: u8, piece: &Move) -> u8 {
        if piece.extend == Extend::None {
            return from;
        }
        self.extend_to(SCRATCH, from, piece);
        SCRATCH
    }

    /// Extends a piece from the low bits of one register to all of another, or of the same.
    fn extend_to(&mut self, to: u8, from: u8, piece: &Move) {
        match (piece.extend, piece.width) {
            (Extend::None, _) if to == from => {}
            (Extend::None, _) => self.copy(to, from),
            (Extend::Sign, 1) => dynasm!(self.ops ; .arch x64 ; movsx Rq(to), Rb(from)),
            (Extend::Sign, 2) => dynasm!(self.ops ; .arch x64 ; movsx Rq(to), Rw(from)),
            (Extend::Sign, _) => dynasm!(self.ops ; .arch x64 ; movsxd Rq(to), Rd(from)),
            (Extend::Zero, 1) => dynasm!(self.ops ; .arch x64 ; movzx Rd(to), Rb(from)),
            (Extend::Zero, 2) => dynasm!(self.ops ; .arch x64 ; movzx Rd(to), Rw(from)),
            (Extend::Zero, _) => dynasm!(self.ops ; .arch x64 ; mov Rd(to), Rd(from)),
        }
    }
}

pub(super) mod object_callbacks;
pub(super) mod objects;
mod operand;
