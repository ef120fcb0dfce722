//! The x86-64 emitter. It follows plans, and has no rule of its own about which register holds what.
//!
//! Frames, from high addresses to low. Both keep the stack pointer fixed once they are made, so its distance from the caller's
//! frame is all that an unwinder needs. A trampoline's frame may be made by pushing the stack arguments.
//!
//! ```text
//!   trampoline                              callback entry
//!   | return address     |                  | C's stack arguments  |
//!   | saved rbx          | with a result    | return address       |
//!   | padding            |                  | padding              |
//!   | unwanted result    |                  | result's address     |
//!   | copies             |                  | result               |
//!   | stack arguments    |                  | slots, or cells      |
//!   | shadow space       | <- rsp at the    | pointers to values   |
//!                             call          | shadow space         | <- rsp at the call of the handler
//! ```
//!
//! Each part is there only if the signature needs it.
//!
//! Nothing below the stack pointer is used, so no red zone is needed. The direction flag is clear whenever a function is
//! entered or left, as every convention demands, and nothing here sets it. No instruction touches MXCSR, and the x87 only where a
//! result lies in its registers.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
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
use crate::abi::regs::x64::{R10, R11, RAX, RBX};
use access::{Address, read};
use branches::Branches;
pub(super) use call::call;
use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, dynasm};
pub(super) use entry::callback_entry;
use farcall_memory::OutOfMemory;
pub(super) use thread::Segment;

// Jobs of registers. None of the four carries an argument under any convention, so they hold through
// the loading of arguments; only RESULT survives the call.
const TARGET: Gpr = R11;
const RECORD: Gpr = R10;
const RESULT: Gpr = RBX;
const SCRATCH: Gpr = RAX;

/// A frame larger than this is entered in steps that touch each page, so that the guard page below a stack is hit.
const GUARD_PAGE: u32 = 4096;

/// A frame of more pages is touched in a loop.
const MANY_PAGES: u32 = 8;

/// The landing pad of control-flow enforcement (Intel SDM volume 1, section 17.3), a no-op where that is off.
/// dynasm has no name for it.
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];

/// `int3`.
pub(super) const FILLER: u8 = 0xcc;

/// DWARF's number for rbx (psABI figure 3.36).
const DWARF_RBX: u16 = 3;

/// The code of one function, as far as it has been emitted.
struct Emitter {
    ops: Buffer<X64Relocation>,
    abi: Abi,
    frame: List<FrameChange>,
    /// Bytes between the stack pointer and the caller's frame.
    depth: u32,
    branches: Branches,
    to_shared: List<u32>,
    /// The segment of the thread pointer.
    segment: Segment,
}

impl Emitter {
    /// A function that indirect jumps and calls may reach: it begins with a landing pad.
    fn new(abi: Abi) -> Emitter {
        let mut asm = Emitter::without_landing_pad(abi);
        dynasm!(asm.ops ; .arch x64 ; .bytes ENDBR64);
        asm
    }

    /// Code that is reached by direct jumps and calls only.
    fn without_landing_pad(abi: Abi) -> Emitter {
        Emitter {
            ops: Buffer::new(),
            abi,
            frame: List::new(),
            depth: 8,
            branches: Branches::default(),
            to_shared: List::new(),
            segment: Segment::Fs,
        }
    }

    fn finish(self) -> Result<Code, OutOfMemory> {
        // The number of a branch decides whether it is short.
        self.branches.emitted.finish()?;
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

    fn push_result_register(&mut self) {
        // Named, as the assembler's form for a register by number takes a byte more.
        const { assert!(RESULT.number() == RBX.number()) };
        dynasm!(self.ops ; .arch x64 ; push rbx);
        self.note_depth(self.depth + 8);
        self.note(FrameChangeKind::Saved(DWARF_RBX, self.depth));
    }

    fn pop_result_register(&mut self) {
        dynasm!(self.ops ; .arch x64 ; pop rbx);
        self.note_depth(self.depth - 8);
        self.note(FrameChangeKind::Restored(DWARF_RBX));
    }

    /// Makes room for a frame, touching each page of it on the way down. A large frame's pages are touched before it is made, in a
    /// loop; no value is below the stack pointer at that time.
    fn enter(&mut self, bytes: u32) {
        let mut left = bytes;
        if bytes > MANY_PAGES * GUARD_PAGE {
            let lowest = -((bytes / GUARD_PAGE * GUARD_PAGE) as i32);
            dynasm!(self.ops
                ; .arch x64
                ; xor eax, eax
                ; next:
                ; sub rax, GUARD_PAGE as i32
                ; test [rsp + rax], eax
                ; cmp rax, lowest
                ; jne <next
            );
            return self.lower_stack(bytes);
        }
        // The return address of the call comes below it.
        while left > GUARD_PAGE - 8 {
            self.lower_stack(GUARD_PAGE);
            dynasm!(self.ops ; .arch x64 ; or QWORD [rsp], 0);
            left -= GUARD_PAGE;
        }
        if left > 0 {
            self.lower_stack(left);
        }
    }

    fn lower_stack(&mut self, bytes: u32) {
        match i8::try_from(bytes) {
            Ok(short) => dynasm!(self.ops ; .arch x64 ; sub rsp, BYTE short),
            Err(_) => dynasm!(self.ops ; .arch x64 ; sub rsp, DWORD bytes as i32),
        }
        self.note_depth(self.depth + bytes);
    }

    /// Takes down the frame of [`Emitter::enter`].
    fn leave(&mut self, bytes: u32) {
        self.raise_stack(bytes);
    }

    /// Gives back the lowest bytes of the frame.
    fn raise_stack(&mut self, bytes: u32) {
        if bytes == 0 {
            return;
        }
        match i8::try_from(bytes) {
            Ok(short) => dynasm!(self.ops ; .arch x64 ; add rsp, BYTE short),
            Err(_) => dynasm!(self.ops ; .arch x64 ; add rsp, DWORD bytes as i32),
        }
        self.note_depth(self.depth - bytes);
    }

    fn ret(&mut self) {
        dynasm!(self.ops ; .arch x64 ; ret);
    }

    fn copy(&mut self, to: Gpr, from: Gpr) {
        dynasm!(self.ops ; .arch x64 ; mov Rq(to), Rq(from));
    }

    fn address_of(&mut self, to: Gpr, address: Address) {
        match address.offset {
            0 => self.copy(to, address.base),
            _ => read!(self, lea Rq(to), QWORD address),
        }
    }

    /// Tests bits of the low byte of a register.
    fn test_byte(&mut self, register: Gpr, bits: i8) {
        dynasm!(self.ops ; .arch x64 ; test Rb(register), BYTE bits);
    }

    /// Jumps to an absolute address.
    fn jump_to(&mut self, address: u64) {
        dynasm!(self.ops ; .arch x64 ; mov rax, QWORD address as i64 ; jmp rax);
    }
}
