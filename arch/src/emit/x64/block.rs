//! Copies of any number of bytes, and integers of odd ones.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::access::{Address, read, write};
use super::{Emitter, SCRATCH};
use crate::abi::regs::x64::{RAX, XMM0};
use crate::abi::regs::{Fpr, Gpr};
use dynasmrt::{DynasmApi, dynasm};

/// What blocks are copied through. No block is copied while it holds an argument or a result.
const BLOCK: Fpr = XMM0;

/// A block of more bytes is copied in a loop.
const LONG_BLOCK: u32 = 128;

impl Emitter {
    /// Copies `width` bytes, and reads and writes no others. Clobbers the scratch register and a vector register; of a long block
    /// `pointer` as well, which may be the base to copy from.
    pub(super) fn copy_block(&mut self, to: Address, from: Address, width: u32, pointer: Gpr) {
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
        pointer: Gpr,
    ) -> (Address, Address) {
        const { assert!(SCRATCH.number() == RAX.number() && BLOCK.number() == XMM0.number()) };
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

    /// Loads an integer of 3, 5, 6 or 7 bytes and reads no others: two parts are put together, which may overlap. Clobbers the scratch
    /// register, which is neither `to` nor the base.
    pub(super) fn load_parts(&mut self, to: Gpr, from: Address, width: u32) {
        let high = if width == 3 { 1 } else { width - 4 };
        match width {
            3 => read!(self, movzx Rd(SCRATCH), WORD from.plus(high)),
            _ => read!(self, mov Rd(SCRATCH), DWORD from.plus(high)),
        }
        let bits = (high * 8) as i8;
        dynasm!(self.ops ; .arch x64 ; shl rax, bits);
        match width {
            3 => read!(self, movzx Rd(to), BYTE from),
            _ => read!(self, mov Rd(to), DWORD from),
        }
        dynasm!(self.ops ; .arch x64 ; or Rq(to), rax);
    }

    /// Stores any number of low bytes of a register, which is used up.
    pub(super) fn store_parts(&mut self, to: Address, register: Gpr, size: u32) {
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
}
