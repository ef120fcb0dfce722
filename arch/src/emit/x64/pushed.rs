//! Stack arguments that make their part of the frame themselves: a push takes one instruction, a copy two.

use super::operand::{Address, Form};
use super::{Emitter, SCRATCH};
use crate::abi::{Extend, Move, Place, Plan};
use crate::emit::Endpoint;
use crate::layout::SLOT;
use dynasmrt::dynasm;

/// The most arguments that are pushed. Each push is a step for unwinders, and Windows' counts a prologue's in bytes.
const MOST: usize = 16;

/// The stack arguments of a plan, the highest first, if they are words without gaps between them; or none.
#[derive(Default)]
pub(super) struct Pushed<'a>(Vec<&'a Move>);

impl Pushed<'_> {
    pub(super) fn of(plan: &Plan) -> Pushed<'_> {
        let offset = |piece: &Move| match piece.place {
            Place::Stack { offset, .. } => Some(offset),
            Place::Int(_) | Place::Fp(_) | Place::X87(_) => None,
        };
        let mut pieces: Vec<&Move> = plan.args.iter().collect();
        pieces.retain(|piece| offset(piece).is_some());
        pieces.sort_by_key(|piece| std::cmp::Reverse(offset(piece)));
        let adjoin = |pair: &[&Move]| offset(pair[0]) == offset(pair[1]).map(|below| below + SLOT);
        match plan.is_of_scalars() && pieces.len() <= MOST && pieces.windows(2).all(adjoin) {
            true => Pushed(pieces),
            false => Pushed::default(),
        }
    }

    /// Bytes from the stack pointer at the call to where the highest ends.
    pub(super) fn end(&self) -> u32 {
        match self.0.first().map(|piece| piece.place) {
            Some(Place::Stack { offset, .. }) => offset + SLOT,
            _ => 0,
        }
    }

    pub(super) fn contains(&self, place: Place) -> bool {
        matches!(place, Place::Stack { .. }) && !self.0.is_empty()
    }
}

impl Emitter {
    /// Pushes arguments, and makes room for what the convention has below them.
    pub(super) fn push_arguments(&mut self, pushed: &Pushed<'_>, endpoint: Endpoint, values: u8) {
        for piece in &pushed.0 {
            let from = self.source(endpoint, values, piece, SCRATCH);
            // Behind a float there is the rest of its slot, and of its word on the stack.
            let is_word = endpoint == Endpoint::Slots && piece.extend == Extend::None;
            if piece.width == SLOT || is_word {
                self.push_memory(from);
            } else {
                self.load(SCRATCH, from, piece);
                dynasm!(self.ops ; .arch x64 ; push rax);
            }
            self.note_depth(self.depth + SLOT);
        }
        let below = pushed.end() - pushed.0.len() as u32 * SLOT;
        if below > 0 {
            self.lower_stack(below);
        }
    }

    fn push_memory(&mut self, from: Address) {
        // The opcode of several operations, of which 6 is this one (Intel SDM volume 2, table A-6).
        const PUSH: u8 = 6;
        self.access(&Form::new(&[0xff]), PUSH, from);
    }
}
