//! Pieces of values on their way between the interpreter's side and the places of the convention.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::operand::{Address, read, write};
use super::pushed::Pushed;
use super::{Emitter, SCRATCH};
use crate::abi::regs::x64::{R10, RAX, RSP};
use crate::abi::{Extend, Move, Place, Plan};
use crate::emit::Endpoint;
use crate::layout::SLOT;
use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

/// Holds a value's address while the value is loaded. In a trampoline it is as free as the scratch register.
const POINTER: u8 = R10;

/// What blocks are copied through. No block is copied while it holds an argument or a result.
const BLOCK: u8 = 0;

/// A block of more bytes is copied in a loop.
const LONG_BLOCK: u32 = 128;

impl Emitter {
    /// Puts the address at which the callee writes its result where it looks for it. Endpoints with pointers may want no
    /// result, and say so by null: then it goes to `unwanted` bytes above the stack pointer.
    pub(super) fn pass_result_address(
        &mut self,
        to: u8,
        result: u8,
        endpoint: Endpoint,
        unwanted: u32,
    ) {
        match endpoint {
            Endpoint::Slots => self.copy(to, result),
            Endpoint::Pointers => {
                self.address_of(to, stack(unwanted));
                dynasm!(self.ops
                    ; .arch x64
                    ; test Rq(result), Rq(result)
                    ; cmovne Rq(to), Rq(result)
                );
            }
        }
    }

    /// Copies first, then stack arguments that have not been pushed, as both pass through scratch registers; the register that holds the
    /// values' address after all others; the count of vector registers last.
    pub(super) fn load_arguments(
        &mut self,
        plan: &Plan,
        pushed: &Pushed<'_>,
        endpoint: Endpoint,
        values: u8,
    ) {
        for piece in &plan.args {
            if let Some(copy) = piece.copy {
                let from = self.source(endpoint, values, piece, POINTER);
                self.copy_block(stack(plan.stack + copy), from, piece.width, POINTER);
            }
        }
        let mut pieces: Vec<&Move> = plan.args.iter().chain(&plan.mirrors).collect();
        pieces.retain(|piece| !pushed.contains(piece.place));
        pieces.sort_by_key(|piece| match piece.place {
            Place::Stack { .. } => 0,
            Place::Int(register) if register == values => 2,
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => 1,
        });
        for piece in pieces {
            match piece.copy {
                Some(copy) => self.pass_copy(piece.place, stack(plan.stack + copy)),
                None => self.load_argument(&endpoint.piece(piece), endpoint, values),
            }
        }
        self.count_vector_args(plan);
    }

    /// Passes the address of a copy.
    fn pass_copy(&mut self, place: Place, copy: Address) {
        match place {
            Place::Int(register) => self.address_of(register, copy),
            Place::Stack { offset, .. } => {
                self.address_of(SCRATCH, copy);
                write!(self, mov QWORD stack(offset), Rq(SCRATCH));
            }
            Place::Fp(_) | Place::X87(_) => {}
        }
    }

    fn load_argument(&mut self, piece: &Move, endpoint: Endpoint, values: u8) {
        let is_whole = piece.width.is_power_of_two();
        match piece.place {
            Place::Stack { offset, .. } if !is_register_sized(piece) => {
                let from = self.source(endpoint, values, piece, POINTER);
                self.copy_block(stack(offset), from, piece.width, POINTER);
            }
            // The register itself holds the address first; putting parts together takes the scratch register besides.
            Place::Int(register) if is_whole => {
                let from = self.source(endpoint, values, piece, register);
                self.value_to_place(piece, from);
            }
            Place::Int(_) => {
                let from = self.source(endpoint, values, piece, POINTER);
                self.value_to_place(piece, from);
            }
            Place::Fp(_) | Place::X87(_) | Place::Stack { .. } => {
                let from = self.source(endpoint, values, piece, SCRATCH);
                self.value_to_place(piece, from);
            }
        }
    }

    /// Where a piece lies on the interpreter's side, of which `values` holds the address. A pointer to the value passes through `pointer`.
    pub(super) fn source(
        &mut self,
        endpoint: Endpoint,
        values: u8,
        piece: &Move,
        pointer: u8,
    ) -> Address {
        match endpoint {
            Endpoint::Slots => Address {
                base: values,
                offset: piece.slot,
            },
            Endpoint::Pointers => {
                let listed = Address {
                    base: values,
                    offset: piece.value * SLOT,
                };
                read!(self, mov Rq(pointer), QWORD listed);
                Address {
                    base: pointer,
                    offset: piece.offset,
                }
            }
        }
    }

    pub(super) fn count_vector_args(&mut self, plan: &Plan) {
        match plan.vector_args {
            Some(0) => dynasm!(self.ops ; .arch x64 ; xor eax, eax),
            Some(count) => dynasm!(self.ops ; .arch x64 ; mov eax, i32::from(count)),
            None => {}
        }
    }

    /// Moves a piece from the interpreter's side to where the convention wants it. Clobbers the scratch register for a stack
    /// argument, and where parts of an integer are put together.
    pub(super) fn value_to_place(&mut self, piece: &Move, from: Address) {
        match (piece.place, piece.width) {
            (Place::Int(register), _) => self.load(register, from, piece),
            (Place::Fp(register), 4) => read!(self, movss Rx(register), DWORD from),
            (Place::Fp(register), 8) => read!(self, movsd Rx(register), QWORD from),
            (Place::Fp(register), _) => read!(self, movups Rx(register), XMMWORD from),
            (Place::X87(_), _) => self.load_x87(from),
            (Place::Stack { offset, size }, _) => {
                self.load(SCRATCH, from, piece);
                self.store(stack(offset), size);
            }
        }
    }

    /// Moves a piece from where the convention put it to the interpreter's side. `incoming` is the distance from the stack pointer to
    /// the stack arguments. Clobbers the scratch register for narrow integers and stack arguments.
    pub(super) fn place_to_value(&mut self, piece: &Move, incoming: u32, to: Address) {
        match (piece.place, piece.width) {
            (Place::Int(register), 1 | 2 | 4 | 8) if piece.extend == Extend::None => {
                self.store_register(to, register, piece.width);
            }
            (Place::Int(register), _) if piece.extend == Extend::None => {
                self.store_parts(to, register, piece.width);
            }
            (Place::Int(register), _) => {
                let filled = self.extend(register, piece);
                write!(self, mov QWORD to, Rq(filled));
            }
            (Place::Fp(register), 16) => write!(self, movups XMMWORD to, Rx(register)),
            (Place::Fp(register), width) => self.store_fp(to, register, width),
            (Place::X87(_), _) => self.store_x87(to),
            (Place::Stack { offset, .. }, _) => {
                self.load(SCRATCH, stack(incoming + offset), piece);
                write!(self, mov QWORD to, Rq(SCRATCH));
            }
        }
    }

    /// Takes a number off the x87 stack.
    fn store_x87(&mut self, Address { base, offset }: Address) {
        dynasm!(self.ops ; .arch x64 ; fstp TWORD [DWORD Rq(base) + offset as i32]);
    }

    /// Puts a number on top of the x87 stack.
    fn load_x87(&mut self, Address { base, offset }: Address) {
        dynasm!(self.ops ; .arch x64 ; fld TWORD [DWORD Rq(base) + offset as i32]);
    }

    /// Moves a result from the slot that a register holds to where the convention wants it.
    pub(super) fn register_to_result(&mut self, slot: u8, piece: &Move) {
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
    pub(super) fn store(&mut self, to: Address, size: u32) {
        self.store_register(to, SCRATCH, size);
    }

    /// Stores the low bytes of a register: 1, 2, 4 or 8.
    fn store_register(&mut self, to: Address, register: u8, size: u32) {
        match size {
            1 => write!(self, mov BYTE to, Rb(register)),
            2 => write!(self, mov WORD to, Rw(register)),
            4 => write!(self, mov DWORD to, Rd(register)),
            _ => write!(self, mov QWORD to, Rq(register)),
        }
    }

    /// Stores any number of low bytes of a register, which is used up.
    fn store_parts(&mut self, to: Address, register: u8, size: u32) {
        let mut done = 0;
        for part in [4, 2, 1] {
            if size & part != 0 {
                self.store_register(to.plus(done), register, part);
                done += part;
                if done < size {
                    let bits = (part * 8) as i8;
                    dynasm!(self.ops ; .arch x64 ; shr Rq(register), bits);
                }
            }
        }
    }

    /// Stores a float of `width` bytes.
    pub(super) fn store_fp(&mut self, to: Address, register: u8, width: u32) {
        match width {
            4 => write!(self, movss DWORD to, Rx(register)),
            _ => write!(self, movsd QWORD to, Rx(register)),
        }
    }

    /// Loads all of a register.
    pub(super) fn load_word(&mut self, to: u8, from: Address) {
        read!(self, mov Rq(to), QWORD from);
    }

    /// Loads a piece, extended to the whole register. Of 3, 5, 6 or 7 bytes no more is read than there is: two parts are put together,
    /// which may overlap. That takes the scratch register, which then must be neither `to` nor the base.
    pub(super) fn load(&mut self, to: u8, from: Address, piece: &Move) {
        match (piece.extend, piece.width) {
            (Extend::Sign, 1) => read!(self, movsx Rq(to), BYTE from),
            (Extend::Sign, 2) => read!(self, movsx Rq(to), WORD from),
            (Extend::Sign, _) => read!(self, movsxd Rq(to), DWORD from),
            (Extend::Zero | Extend::None, 1) => read!(self, movzx Rd(to), BYTE from),
            (Extend::Zero | Extend::None, 2) => read!(self, movzx Rd(to), WORD from),
            (Extend::Zero, _) | (Extend::None, 4) => read!(self, mov Rd(to), DWORD from),
            (Extend::None, 3) => {
                read!(self, movzx Rd(SCRATCH), WORD from.plus(1));
                dynasm!(self.ops ; .arch x64 ; shl rax, 8);
                read!(self, movzx Rd(to), BYTE from);
                dynasm!(self.ops ; .arch x64 ; or Rq(to), rax);
            }
            (Extend::None, width @ 5..=7) => {
                read!(self, mov Rd(SCRATCH), DWORD from.plus(width - 4));
                let bits = ((width - 4) * 8) as i8;
                dynasm!(self.ops ; .arch x64 ; shl rax, bits);
                read!(self, mov Rd(to), DWORD from);
                dynasm!(self.ops ; .arch x64 ; or Rq(to), rax);
            }
            (Extend::None, _) => read!(self, mov Rq(to), QWORD from),
        }
    }

    /// Copies `width` bytes, and reads and writes no others. Clobbers the scratch register and a vector register; of a long block
    /// `pointer` as well, which may be the base to copy from.
    pub(super) fn copy_block(&mut self, to: Address, from: Address, width: u32, pointer: u8) {
        let step = match width {
            16.. => 16,
            8.. => 8,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let whole = width / step * step;
        let mut rest = (from, to);
        if width > LONG_BLOCK {
            rest = self.copy_loop(to, from, whole, pointer);
        } else {
            for offset in (0..whole).step_by(step as usize) {
                self.copy_step(to.plus(offset), from.plus(offset), step);
            }
            rest = (rest.0.plus(whole), rest.1.plus(whole));
        }
        // The last step overlaps the one before it.
        if whole < width {
            let back = step - (width - whole);
            self.copy_step(rest.1.minus(back), rest.0.minus(back), step);
        }
    }

    /// Copies a multiple of 16 bytes; returns where to go on, from and to.
    fn copy_loop(
        &mut self,
        to: Address,
        from: Address,
        bytes: u32,
        pointer: u8,
    ) -> (Address, Address) {
        const { assert!(SCRATCH == RAX && BLOCK == 0) };
        let end = to.offset + bytes;
        self.address_of(pointer, from.plus(bytes));
        dynasm!(self.ops
            ; .arch x64
            ; mov rax, -(bytes as i32)
            ; next:
            ; movups xmm0, [Rq(pointer) + rax]
            ; movups [Rq(to.base) + rax + end as i32], xmm0
            ; add rax, 16
            ; jne <next
        );
        let from = Address {
            base: pointer,
            offset: 0,
        };
        (from, to.plus(bytes))
    }

    fn copy_step(&mut self, to: Address, from: Address, step: u32) {
        if step == 16 {
            read!(self, movups Rx(BLOCK), XMMWORD from);
            write!(self, movups XMMWORD to, Rx(BLOCK));
            return;
        }
        match step {
            8 => read!(self, mov Rq(SCRATCH), QWORD from),
            4 => read!(self, mov Rd(SCRATCH), DWORD from),
            2 => read!(self, movzx Rd(SCRATCH), WORD from),
            _ => read!(self, movzx Rd(SCRATCH), BYTE from),
        }
        self.store(to, step);
    }

    /// Extends a piece from the low bits of a register to all of one, and says which one.
    pub(super) fn extend(&mut self, from: u8, piece: &Move) -> u8 {
        if piece.extend == Extend::None {
            return from;
        }
        self.extend_to(SCRATCH, from, piece);
        SCRATCH
    }

    /// Extends a piece from the low bits of one register to all of another, or of the same.
    pub(super) fn extend_to(&mut self, to: u8, from: u8, piece: &Move) {
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

/// A place above the stack pointer.
pub(super) const fn stack(offset: u32) -> Address {
    Address { base: RSP, offset }
}

/// Whether one register can hold a piece on its way.
pub(super) fn is_register_sized(piece: &Move) -> bool {
    matches!(piece.width, 1 | 2 | 4 | 8)
}
