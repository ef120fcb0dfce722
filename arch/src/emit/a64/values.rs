//! Pieces of values on their way between the interpreter's side and the places of the convention.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::Emitter;
use super::access::{Access, Register};
use crate::abi::regs::Gpr;
use crate::abi::{Move, Place};
use dynasmrt::{DynasmApi, dynasm};

impl Emitter {
    /// Extends what is in registers by its type, there, and says how it is to be stored, each piece to its own offset.
    pub(super) fn registers_to_memory<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a Move>,
        base: Gpr,
        offset: impl Fn(&Move) -> Option<u32>,
    ) -> Vec<Access> {
        let mut stores = Vec::new();
        for piece in pieces {
            if let (Some(register), Some(offset)) = (register_of(piece), offset(piece)) {
                if let Register::Int(register) = register {
                    self.extend(register, piece);
                }
                stores.push(Access::slot(piece, register, base, offset));
            }
        }
        stores
    }

    /// Moves a result from the slot that a register holds to where the convention wants it.
    pub(super) fn register_to_result(&mut self, slot: Gpr, piece: &Move) {
        match register_of(piece) {
            Some(Register::Int(register)) => self.extend_to(register, slot, piece),
            Some(Register::Fp(register)) if piece.width == 4 => {
                dynasm!(self.ops ; .arch aarch64 ; fmov S(register), W(slot));
            }
            Some(Register::Fp(register)) => {
                dynasm!(self.ops ; .arch aarch64 ; fmov D(register), X(slot));
            }
            None => {}
        }
    }
}

/// The register that a piece is in, unless it is on the stack.
pub(super) fn register_of(piece: &Move) -> Option<Register> {
    match piece.place {
        Place::Int(register) => Some(Register::Int(register)),
        Place::Fp(register) => Some(Register::Fp(register)),
        Place::X87(_) | Place::Stack { .. } => None,
    }
}
