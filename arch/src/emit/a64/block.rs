//! Copies of any number of bytes, and integers of odd ones.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::access::{Address, Register};
use super::{Emitter, FAR, SCRATCH};
use crate::abi::regs::a64::V16;
use crate::abi::regs::{Fpr, Gpr};
use dynasmrt::{DynasmApi, dynasm};

/// A block of more bytes is copied in a loop.
const LONG_BLOCK: u32 = 256;

/// The widest step of a copy.
const STEP: u32 = 16;

/// What steps of that width go through: no argument or result is ever in it.
const BLOCK: Fpr = V16;

impl Emitter {
    /// Copies `width` bytes, and reads and writes no others. Clobbers the second scratch register and a vector register; of a
    /// long block the first as well, which may be one of the bases.
    pub(super) fn copy_block(&mut self, to: Address, from: Address, width: u32) {
        if width <= LONG_BLOCK {
            return self.copy_parts(to, from, width, SCRATCH[1]);
        }
        let whole = width / STEP * STEP;
        self.copy_loop(to, from, whole);
        let [from, to] = SCRATCH.map(|base| Address { base, offset: 0 });
        // The second scratch register is a base now. So close to it no other register helps with the offset.
        self.copy_parts(to, from, width - whole, FAR);
    }

    /// Copies in steps as wide as both offsets and the rest allow.
    fn copy_parts(&mut self, to: Address, from: Address, width: u32, through: Gpr) {
        let mut done = 0;
        while done < width {
            let (to, from) = (to.plus(done), from.plus(done));
            let fits = |step: &u32| {
                *step <= width - done
                    && to.offset.is_multiple_of(*step)
                    && from.offset.is_multiple_of(*step)
            };
            let step = [STEP, 8, 4, 2].into_iter().find(fits).unwrap_or(1);
            let register = match step {
                STEP => Register::Fp(BLOCK),
                _ => Register::Int(through),
            };
            self.load(&from.access(register, step));
            self.store(&to.access(register, step));
            done += step;
        }
    }

    /// Copies a multiple of 16 bytes; afterwards the scratch registers point behind them, the first to where they were copied
    /// from.
    fn copy_loop(&mut self, to: Address, from: Address, bytes: u32) {
        let [source, target] = SCRATCH;
        self.add(target, to.base, to.offset);
        self.add(source, from.base, from.offset);
        self.constant(FAR, (bytes / STEP).into());
        dynasm!(self.ops
            ; .arch aarch64
            ; ldr Q(BLOCK), [XSP(source)], STEP as i32
            ; str Q(BLOCK), [XSP(target)], STEP as i32
            ; subs X(FAR), XSP(FAR), 1
            ; b.ne -12 // to the load
        );
    }

    /// Loads an integer of 3, 5, 6 or 7 bytes and reads no others. Clobbers the second scratch register; the base is not
    /// `to`, and the offset a multiple of 4.
    pub(super) fn load_parts(&mut self, to: Gpr, from: Address, width: u32) {
        let mut done = 0;
        for part in parts(width) {
            let register = if done == 0 { to } else { SCRATCH[1] };
            self.load(&from.plus(done).access(register, part));
            if done > 0 {
                let bits = done * 8;
                dynasm!(self.ops ; .arch aarch64 ; orr X(to), X(to), X(SCRATCH[1]), LSL bits);
            }
            done += part;
        }
    }

    /// Stores as many low bytes of a register, which is used up.
    pub(super) fn store_parts(&mut self, register: Gpr, to: Address, width: u32) {
        let mut done = 0;
        for part in parts(width) {
            self.store(&to.plus(done).access(register, part));
            done += part;
            if done < width {
                let bits = part * 8;
                dynasm!(self.ops ; .arch aarch64 ; lsr X(register), X(register), bits);
            }
        }
    }
}

/// The powers of two that a number below eight is the sum of, largest first.
fn parts(width: u32) -> impl Iterator<Item = u32> {
    [4, 2, 1].into_iter().filter(move |part| width & part != 0)
}
