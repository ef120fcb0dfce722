//! Pieces of values on their way between the interpreter's side and the places of the convention.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::Emitter;
use super::access::{Access, File};
use crate::abi::{Move, Place};
use dynasmrt::{DynasmApi, dynasm};

impl Emitter {
    /// Extends what is in registers by its type, there, and says how it is to be stored, each piece to its own offset.
    pub(super) fn registers_to_memory<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a Move>,
        base: u8,
        offset: impl Fn(&Move) -> Option<u32>,
    ) -> Vec<Access> {
        let mut stores = Vec::new();
        for piece in pieces {
            if let (Some((file, register)), Some(offset)) = (register_of(piece), offset(piece)) {
                self.extend(register, piece);
                stores.push(Access {
                    file,
                    ..Access::slot(piece, register, base, offset)
                });
            }
        }
        stores
    }

    /// Moves a result from the slot that a register holds to where the convention wants it.
    pub(super) fn register_to_result(&mut self, slot: u8, piece: &Move) {
        match register_of(piece) {
            Some((File::Int, register)) => self.extend_to(register, slot, piece),
            Some((File::Fp, register)) if piece.width == 4 => {
                dynasm!(self.ops ; .arch aarch64 ; fmov S(register), W(slot));
            }
            Some((File::Fp, register)) => {
                dynasm!(self.ops ; .arch aarch64 ; fmov D(register), X(slot));
            }
            None => {}
        }
    }
}

/// Whether a piece is moved from memory to memory other than through one register.
pub(super) fn is_block(piece: &Move) -> bool {
    let is_on_stack = matches!(piece.place, Place::Stack { .. });
    piece.copy.is_some() || is_on_stack && !matches!(piece.width, 1 | 2 | 4 | 8)
}

/// The register that a piece is in, unless it is on the stack.
pub(super) fn register_of(piece: &Move) -> Option<(File, u8)> {
    match piece.place {
        Place::Int(register) => Some((File::Int, register)),
        Place::Fp(register) => Some((File::Fp, register)),
        Place::X87(_) | Place::Stack { .. } => None,
    }
}
