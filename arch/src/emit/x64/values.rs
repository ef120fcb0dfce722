//! Moves between the interpreter's side and the places of the convention.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, read, stack, write};
use super::{Emitter, SCRATCH};
use crate::abi::regs::Gpr;
use crate::abi::{Extend, Move, Place};
use dynasmrt::{DynasmApi, dynasm};

impl Emitter {
    /// Makes a move from the interpreter's side to where the convention wants it. Clobbers the scratch register for a stack
    /// argument, and where parts of an integer are put together.
    pub(super) fn value_to_place(&mut self, mv: &Move, from: Address) {
        match (mv.place, mv.width) {
            (Place::Int(register), _) => self.load(register, from, mv),
            (Place::Fp(register), 4) => read!(self, movss Rx(register), DWORD from),
            (Place::Fp(register), 8) => read!(self, movsd Rx(register), QWORD from),
            (Place::Fp(register), _) => read!(self, movups Rx(register), XMMWORD from),
            (Place::X87(_), _) => self.load_x87(from),
            (Place::Stack { offset, size }, _) => {
                self.load(SCRATCH, from, mv);
                self.store(stack(offset), size);
            }
        }
    }

    /// Makes a move from where the convention put it to the interpreter's side. `incoming` is the distance from the stack pointer to
    /// the stack arguments. Clobbers the scratch register for narrow integers and stack arguments.
    pub(super) fn place_to_value(&mut self, mv: &Move, incoming: u32, to: Address) {
        match (mv.place, mv.width) {
            (Place::Int(register), 1 | 2 | 4 | 8) if mv.extend == Extend::None => {
                self.store_register(to, register, mv.width);
            }
            (Place::Int(register), _) if mv.extend == Extend::None => {
                self.store_parts(to, register, mv.width);
            }
            (Place::Int(register), _) => {
                let filled = self.extend(register, mv);
                write!(self, mov QWORD to, Rq(filled));
            }
            (Place::Fp(register), 16) => write!(self, movups XMMWORD to, Rx(register)),
            (Place::Fp(register), width) => self.store_fp(to, register, width),
            (Place::X87(_), _) => self.store_x87(to),
            (Place::Stack { offset, .. }, _) => {
                self.load(SCRATCH, stack(incoming + offset), mv);
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
    pub(super) fn register_to_result(&mut self, slot: Gpr, mv: &Move) {
        match mv.place {
            Place::Int(register) => self.extend_to(register, slot, mv),
            Place::Fp(register) if mv.width == 4 => {
                dynasm!(self.ops ; .arch x64 ; movd Rx(register), Rd(slot));
            }
            Place::Fp(register) => dynasm!(self.ops ; .arch x64 ; movq Rx(register), Rq(slot)),
            Place::X87(_) | Place::Stack { .. } => {}
        }
    }
}

/// Whether the bytes can pass through one register.
pub(super) fn is_register_sized(mv: &Move) -> bool {
    matches!(mv.width, 1 | 2 | 4 | 8)
}
