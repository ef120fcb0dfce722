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
    /// Extends what is in registers by its type, there, and stores it, each move to its own offset.
    pub(super) fn registers_to_memory(
        &mut self,
        moves: impl Iterator<Item = Move> + Clone,
        base: Gpr,
        offset: impl Fn(&Move) -> Option<u32>,
    ) {
        let stores = moves.filter_map(|mv| {
            let store = Access::slot(&mv, register_of(&mv)?, base, offset(&mv)?);
            Some((mv, store))
        });
        for (mv, store) in stores.clone() {
            if let Register::Int(register) = store.register {
                self.extend(register, &mv);
            }
        }
        self.store_all(stores.map(|(_, store)| store));
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
