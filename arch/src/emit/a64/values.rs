//! Moves between the interpreter's side and the places of the convention.

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
    /// Extends what is in registers by its type, there, and says how it is to be stored, each move to its own offset.
    pub(super) fn registers_to_memory<'a>(
        &mut self,
        moves: impl IntoIterator<Item = &'a Move>,
        base: Gpr,
        offset: impl Fn(&Move) -> Option<u32>,
    ) -> Vec<Access> {
        let mut stores = Vec::new();
        for mv in moves {
            if let (Some(register), Some(offset)) = (register_of(mv), offset(mv)) {
                if let Register::Int(register) = register {
                    self.extend(register, mv);
                }
                stores.push(Access::slot(mv, register, base, offset));
            }
        }
        stores
    }

    /// Moves a result from the slot that a register holds to where the convention wants it.
    pub(super) fn register_to_result(&mut self, slot: Gpr, mv: &Move) {
        match register_of(mv) {
            Some(Register::Int(register)) => self.extend_to(register, slot, mv),
            Some(Register::Fp(register)) if mv.width == 4 => {
                dynasm!(self.ops ; .arch aarch64 ; fmov S(register), W(slot));
            }
            Some(Register::Fp(register)) => {
                dynasm!(self.ops ; .arch aarch64 ; fmov D(register), X(slot));
            }
            None => {}
        }
    }
}

/// The register at a move's other end, unless that is on the stack.
pub(super) fn register_of(mv: &Move) -> Option<Register> {
    match mv.place {
        Place::Int(register) => Some(Register::Int(register)),
        Place::Fp(register) => Some(Register::Fp(register)),
        Place::X87(_) | Place::Stack { .. } => None,
    }
}
