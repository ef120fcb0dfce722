//! Branches to code that a function shares with others. How far they reach is known only when the code is published
//! ([`super::super::Code::to_shared`]). Branches within a function have one form here, unlike on x86-64.

use super::Emitter;
use dynasmrt::DynasmApi;

// Direct branches, and how far they reach (Arm ARM, C6.2: B, BL).
const B: u32 = 0x1400_0000;
const BL: u32 = 0x9400_0000;
const DISTANCE: u32 = 0x03ff_ffff;

/// A direct branch that has moved `distance` bytes further from its target.
pub(in crate::emit) fn branch_from_behind(branch: u32, distance: u32) -> u32 {
    let words = (branch & DISTANCE).wrapping_sub(distance / 4);
    branch & !DISTANCE | words & DISTANCE
}

impl Emitter {
    /// Jumps to the shared code at this offset.
    pub(super) fn branch_to_shared(&mut self, to: u32) {
        self.refer(B, to);
    }

    pub(super) fn call_shared(&mut self, to: u32) {
        self.refer(BL, to);
    }

    fn refer(&mut self, branch: u32, to: u32) {
        let here = self.ops.offset().0 as u32;
        let words = to.wrapping_sub(here) / 4;
        self.to_shared.push(here);
        self.ops.push_u32(branch | words & DISTANCE);
    }
}
