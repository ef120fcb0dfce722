//! The AArch64 emitter. It follows plans, and has no rule of its own about which register holds what.
//!
//! Frames, from high addresses to low. The stack pointer stays fixed between entry and exit, so its distance from
//! the caller's frame is all that an unwinder needs. `x29` also points to the frame record, for tools that follow
//! the chain of frame records. A callback entry whose frame one instruction can make has its record below the slots:
//!
//! ```text
//!   trampoline                          callback entry, small       callback entry, large
//!   | C's stack arguments |             | C's stack arguments |     | C's stack arguments |
//!   | padding             |             | padding             |     | x29, x30            | <- x29
//!   | saved x19           |             | result's address    |     | padding             |
//!   | x29, x30            | <- x29      | result              |     | result's address    |
//!   | unwanted result     |             | slots, or cells     |     | result              |
//!   | copies              |             | pointers to values  |     | slots, or cells     |
//!   | stack arguments     | <- sp       | x29, x30            |     | pointers to values  | <- sp
//!                                          ^ x29 and sp
//! ```
//!
//! Each part is there only if the signature needs it.
//!
//! Adjacent 8-byte accesses are paired. Sources: "Arm Architecture Reference Manual"
//! (DDI 0487), part C6; "DWARF for the Arm 64-bit Architecture" (IHI 0057), section 4.1.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

mod access;
mod block;
mod branches;
mod bytes;
mod call;
mod entry;
mod errno;
pub(super) mod object_entry;
pub(super) mod objects;
pub(super) mod shared;
mod thread;
mod values;

use super::Code;
use super::buffer::{Buffer, List};
use super::unwind::{FrameChange, FrameChangeKind};
use crate::abi::Abi;
use crate::abi::regs::Gpr;
use crate::abi::regs::a64::{SP, X9, X10, X16, X17, X19, X29, X30};
use access::Access;
pub(super) use branches::branch_from_behind;
pub(super) use call::call;
use dynasmrt::aarch64::Aarch64Relocation;
use dynasmrt::{DynasmApi, dynasm};
pub(super) use entry::callback_entry;
use farcall_memory::OutOfMemory;

// Jobs of registers. None of them carries an argument or the address of a result (x8) under any convention. Only RESULT
// survives the call. A landing pad lets a branch by x16 or x17 pass as it does a call.
const TARGET: Gpr = X16;
const RECORD: Gpr = X16;
const FAR: Gpr = X17;
const RESULT: Gpr = X19;
const SCRATCH: [Gpr; 2] = [X9, X10];

/// `bti c` among the hints: the landing pad for calls, and for jumps by x16 and x17. A no-op where that is off.
const BTI_C: u32 = 34;

/// A quarter of `udf #0`.
pub(super) const FILLER: u8 = 0;

/// A frame larger than this is entered in steps that touch each page, so that the guard page below a stack is hit.
const GUARD_PAGE: u32 = 4096;

/// A frame of more pages is touched in a loop.
const MANY_PAGES: u32 = 64;

/// The largest operand of an addition or a subtraction: twelve bits.
const MOST_UNITS: u32 = 4095;

/// The bytes of a frame record: the caller's `x29` and the return address.
const FRAME_RECORD: u32 = 16;

/// The code of one function, as far as it has been emitted.
struct Emitter {
    ops: Buffer<Aarch64Relocation>,
    abi: Abi,
    frame: List<FrameChange>,
    /// Bytes between the stack pointer and the caller's frame.
    depth: u32,
    to_shared: List<u32>,
}

impl Emitter {
    /// A function that indirect jumps and calls may reach: it begins with a landing pad.
    fn new(abi: Abi) -> Emitter {
        let mut asm = Emitter::without_landing_pad(abi);
        dynasm!(asm.ops ; .arch aarch64 ; hint BTI_C);
        asm
    }

    /// Code that is reached by direct branches only.
    fn without_landing_pad(abi: Abi) -> Emitter {
        Emitter {
            ops: Buffer::new(),
            abi,
            frame: List::new(),
            depth: 0,
            to_shared: List::new(),
        }
    }

    fn finish(self) -> Result<Code, OutOfMemory> {
        Ok(Code {
            abi: self.abi,
            bytes: self.ops.finish()?,
            frame: self.frame.finish()?,
            to_shared: self.to_shared.finish()?,
        })
    }

    fn note(&mut self, kind: FrameChangeKind) {
        self.frame.push(FrameChange {
            offset: self.ops.offset().0 as u32,
            kind,
        });
    }

    fn note_depth(&mut self, depth: u32) {
        self.depth = depth;
        self.note(FrameChangeKind::CfaOffset(depth));
    }

    /// Makes a frame of `above` bytes with the frame record at the bottom, then room for `below` more.
    fn enter(&mut self, above: u32, below: u32) {
        dynasm!(self.ops
            ; .arch aarch64
            ; stp X(X29), X(X30), [sp, -(above as i32)]!
        );
        self.note_frame(above, 0);
        dynasm!(self.ops ; .arch aarch64 ; mov XSP(X29), sp);
        self.lower_stack(below);
    }

    /// Says that what follows runs in the frame of [`Emitter::enter`].
    fn note_frame(&mut self, above: u32, below: u32) {
        self.note_depth(above + below);
        self.note(FrameChangeKind::Saved(dwarf(X29), above));
        self.note(FrameChangeKind::Saved(dwarf(X30), above - 8));
    }

    /// Takes down the frame of [`Emitter::enter`] once the stack pointer is at the frame record again.
    fn leave(&mut self, above: u32) {
        dynasm!(self.ops ; .arch aarch64 ; ldp X(X29), X(X30), [sp], above as i32);
        self.note_no_frame();
    }

    /// Says that there is no frame from here on, as ahead of [`Emitter::enter`].
    fn note_no_frame(&mut self) {
        self.note(FrameChangeKind::Restored(dwarf(X29)));
        self.note(FrameChangeKind::Restored(dwarf(X30)));
        self.note_depth(0);
    }

    fn ret(&mut self) {
        dynasm!(self.ops ; .arch aarch64 ; ret);
    }

    /// Makes room on the stack, touching each page of it on the way down.
    fn lower_stack(&mut self, bytes: u32) {
        let mut left = bytes;
        if bytes > MANY_PAGES * GUARD_PAGE {
            self.lower_stack_far(bytes);
            left = 0;
        }
        while left >= GUARD_PAGE {
            dynasm!(self.ops
                ; .arch aarch64
                ; sub sp, sp, GUARD_PAGE >> 12, LSL 12
            );
            self.note_depth(self.depth + GUARD_PAGE);
            dynasm!(self.ops ; .arch aarch64 ; str xzr, [sp]);
            left -= GUARD_PAGE;
        }
        if left > 0 {
            dynasm!(self.ops ; .arch aarch64 ; sub sp, sp, left);
            self.note_depth(self.depth + left);
        }
        // A callee may move the stack pointer by most of a page without touching it.
        if left >= GUARD_PAGE / 4 {
            dynasm!(self.ops ; .arch aarch64 ; str xzr, [sp]);
        }
    }

    /// The same for many pages, which are touched before there is room made, in a loop; no value is below the stack pointer at that time. Uses
    /// the first scratch register.
    fn lower_stack_far(&mut self, bytes: u32) {
        let page = SCRATCH[0];
        dynasm!(self.ops ; .arch aarch64 ; mov XSP(page), sp);
        self.constant(FAR, (bytes / GUARD_PAGE).into());
        dynasm!(self.ops
            ; .arch aarch64
            ; sub XSP(page), XSP(page), GUARD_PAGE >> 12, LSL 12
            ; str xzr, [XSP(page)]
            ; subs X(FAR), XSP(FAR), 1
            ; b.ne -12 // to the subtraction
        );
        let (mut pages, rest) = (bytes / GUARD_PAGE, bytes % GUARD_PAGE);
        while pages > 0 {
            let some = pages.min(MOST_UNITS);
            dynasm!(self.ops ; .arch aarch64 ; sub sp, sp, some, LSL 12);
            self.note_depth(self.depth + some * GUARD_PAGE);
            pages -= some;
        }
        if rest > 0 {
            dynasm!(self.ops ; .arch aarch64 ; sub sp, sp, rest);
            self.note_depth(self.depth + rest);
        }
        dynasm!(self.ops ; .arch aarch64 ; str xzr, [sp]);
    }

    /// Gives back what [`Emitter::lower_stack`] took below the frame record.
    fn raise_stack(&mut self, bytes: u32) {
        if bytes > 0 {
            dynasm!(self.ops ; .arch aarch64 ; mov sp, XSP(X29));
            self.note_depth(self.depth - bytes);
        }
    }

    fn save_result_register(&mut self) {
        self.store(&Access::word(RESULT, SP, FRAME_RECORD));
        let below = self.depth - FRAME_RECORD;
        self.note(FrameChangeKind::Saved(dwarf(RESULT), below));
    }

    fn restore_result_register(&mut self) {
        self.load(&Access::word(RESULT, SP, FRAME_RECORD));
        self.note(FrameChangeKind::Restored(dwarf(RESULT)));
    }

    fn copy(&mut self, to: Gpr, from: Gpr) {
        dynasm!(self.ops ; .arch aarch64 ; mov X(to), X(from));
    }

    /// `to = value`, in as many instructions as it has quarters that are not zero.
    fn constant(&mut self, to: Gpr, value: u64) {
        let quarters = [0, 16, 32, 48].map(|shift| (shift, (value >> shift) as u16));
        let mut wanted = quarters.into_iter().filter(|&(_, quarter)| quarter != 0);
        let (shift, quarter) = wanted.next().unwrap_or((0, 0));
        dynasm!(self.ops ; .arch aarch64 ; movz X(to), u32::from(quarter), LSL shift);
        for (shift, quarter) in wanted {
            dynasm!(self.ops ; .arch aarch64 ; movk X(to), u32::from(quarter), LSL shift);
        }
    }

    /// Jumps to an absolute address.
    fn jump_to(&mut self, address: u64) {
        self.constant(FAR, address);
        dynasm!(self.ops ; .arch aarch64 ; br X(FAR));
    }
}

/// DWARF's number of a register: its own (IHI 0057, section 4.1).
fn dwarf(register: Gpr) -> u16 {
    register.number().into()
}
