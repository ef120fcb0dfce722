//! Branches within a function, in their shortest form, and branches to code that it shares with others.
//!
//! Distances are known only when everything is emitted. So a function with many branches is emitted twice: first with long
//! branches, which gives the distances, then with short ones wherever they reach. That brings no target further away.
//!
//! How far branches to shared code reach is known only when the code is published ([`super::super::Code::to_shared`]).

use super::Emitter;
use crate::emit::buffer::{Label, List};
use dynasmrt::{DynasmApi, dynasm};
use farcall_memory::{OutOfMemory, try_collect};

/// When a branch is taken.
#[derive(Clone, Copy)]
pub(super) enum When {
    Always,
    Equal,
    NotEqual,
    Above,
    Carry,
    NotCarry,
    Overflow,
    Negative,
}

/// The branches of a function in the order in which they are emitted.
pub(super) struct Branches {
    /// Which are short. All others are long.
    is_short: Vec<bool>,
    /// Where each ends, and where it leads.
    pub(super) emitted: List<(usize, Label)>,
}

impl Default for Branches {
    fn default() -> Branches {
        Branches {
            is_short: Vec::new(),
            emitted: List::new(),
        }
    }
}

impl Branches {
    fn next_is_short(&self) -> bool {
        let next = self.emitted.len();
        self.is_short.get(next).copied().unwrap_or(false)
    }
}

impl Emitter {
    pub(super) fn branch(&mut self, when: When, to: Label) {
        match (when, self.branches.next_is_short()) {
            (When::Always, true) => dynasm!(self.ops ; .arch x64 ; jmp BYTE =>to),
            (When::Always, false) => dynasm!(self.ops ; .arch x64 ; jmp =>to),
            (When::Equal, true) => dynasm!(self.ops ; .arch x64 ; je BYTE =>to),
            (When::Equal, false) => dynasm!(self.ops ; .arch x64 ; je =>to),
            (When::NotEqual, true) => dynasm!(self.ops ; .arch x64 ; jne BYTE =>to),
            (When::NotEqual, false) => dynasm!(self.ops ; .arch x64 ; jne =>to),
            (When::Above, true) => dynasm!(self.ops ; .arch x64 ; ja BYTE =>to),
            (When::Above, false) => dynasm!(self.ops ; .arch x64 ; ja =>to),
            (When::Carry, true) => dynasm!(self.ops ; .arch x64 ; jc BYTE =>to),
            (When::Carry, false) => dynasm!(self.ops ; .arch x64 ; jc =>to),
            (When::NotCarry, true) => dynasm!(self.ops ; .arch x64 ; jnc BYTE =>to),
            (When::NotCarry, false) => dynasm!(self.ops ; .arch x64 ; jnc =>to),
            (When::Overflow, true) => dynasm!(self.ops ; .arch x64 ; jo BYTE =>to),
            (When::Overflow, false) => dynasm!(self.ops ; .arch x64 ; jo =>to),
            (When::Negative, true) => dynasm!(self.ops ; .arch x64 ; js BYTE =>to),
            (When::Negative, false) => dynasm!(self.ops ; .arch x64 ; js =>to),
        }
        self.branches.emitted.push((self.ops.offset().0, to));
    }

    /// Which branches may be short when the same code is emitted again.
    pub(super) fn shorter_branches(self) -> Result<Branches, OutOfMemory> {
        self.ops.check()?;
        let emitted = self.branches.emitted.finish()?;
        let is_short = |&(end, to): &(usize, Label)| {
            let target = self.ops.resolve(to);
            target.is_some_and(|target| i8::try_from(target as i64 - end as i64).is_ok())
        };
        Ok(Branches {
            is_short: try_collect(emitted.iter().map(is_short))?,
            emitted: List::new(),
        })
    }

    /// A branch to the shared code at this offset.
    pub(super) fn branch_to_shared_when(&mut self, when: When, to: u32) {
        // The opcodes of jumps with a distance of 32 bits (Intel SDM volume 2, chapter 3, Jcc and JMP).
        match when {
            When::Always => self.refer(&[0xe9], to),
            When::Equal => self.refer(&[0x0f, 0x84], to),
            When::NotEqual => self.refer(&[0x0f, 0x85], to),
            When::Above => self.refer(&[0x0f, 0x87], to),
            When::Carry => self.refer(&[0x0f, 0x82], to),
            When::NotCarry => self.refer(&[0x0f, 0x83], to),
            When::Overflow => self.refer(&[0x0f, 0x80], to),
            When::Negative => self.refer(&[0x0f, 0x88], to),
        }
    }

    /// A call of the shared code at this offset.
    pub(super) fn call_shared(&mut self, to: u32) {
        self.refer(&[0xe8], to);
    }

    fn refer(&mut self, opcode: &[u8], to: u32) {
        self.ops.extend(opcode);
        let field = self.ops.offset().0 as u32;
        self.to_shared.push(field);
        // Counted from the next instruction.
        self.ops.push_u32(to.wrapping_sub(field + 4));
    }
}
