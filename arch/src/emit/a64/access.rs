//! Between registers and memory: which instruction, which offset, which two together.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::{Emitter, FAR, SCRATCH};
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Extend, Move};
use dynasmrt::{DynasmApi, dynasm};

/// The largest offset of an `ldp` or `stp`, in eight-byte units: seven bits, signed.
pub(super) const PAIR_UNITS: u32 = 63;

/// The largest offset of a single load or store in units of its size, and the largest operand of an addition: twelve bits.
const UNITS: u32 = 4095;

/// What that many bits do not hold.
const UNITS_AND_MORE: u32 = UNITS + 1;

/// A register of either kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Register {
    Int(Gpr),
    Fp(Fpr),
}

impl From<Gpr> for Register {
    fn from(register: Gpr) -> Register {
        Register::Int(register)
    }
}

impl From<Fpr> for Register {
    fn from(register: Fpr) -> Register {
        Register::Fp(register)
    }
}

/// A place in memory: `offset` bytes above what `base` points to.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub base: Gpr,
    pub offset: u32,
}

impl Address {
    pub(super) fn plus(self, bytes: u32) -> Address {
        let offset = self.offset + bytes;
        Address { offset, ..self }
    }

    /// Memory of `width` bytes as a register is loaded from it or stored to it.
    pub(super) fn access(self, register: impl Into<Register>, width: u32) -> Access {
        Access {
            width,
            ..Access::word(register, self.base, self.offset)
        }
    }
}

/// A register and the memory it is loaded from or stored to: `offset` bytes above what `base` points to.
#[derive(Clone, Copy)]
pub(super) struct Access {
    pub(super) register: Register,
    pub(super) base: Gpr,
    pub(super) offset: u32,
    pub(super) width: u32,
    /// How a load fills the rest of the register.
    pub(super) extend: Extend,
}

impl Access {
    /// Eight bytes of a register.
    pub(super) fn word(register: impl Into<Register>, base: Gpr, offset: u32) -> Access {
        Access {
            register: register.into(),
            base,
            offset,
            width: 8,
            extend: Extend::None,
        }
    }

    /// Four bytes of a register.
    pub(super) fn number(register: Gpr, base: Gpr, offset: u32) -> Access {
        Access {
            width: 4,
            ..Access::word(register, base, offset)
        }
    }

    /// A move's bytes as they lie in memory, extended to the whole register by a load.
    pub(super) fn of(mv: &Move, register: impl Into<Register>, base: Gpr, offset: u32) -> Access {
        Access {
            width: mv.width,
            extend: mv.extend,
            ..Access::word(register, base, offset)
        }
    }

    /// A slot that a store fills with a move's extended bytes: all of it, if extension means anything.
    pub(super) fn slot(mv: &Move, register: impl Into<Register>, base: Gpr, offset: u32) -> Access {
        let fills_slot = mv.extend != Extend::None;
        Access {
            width: if fills_slot { 8 } else { mv.width },
            ..Access::word(register, base, offset)
        }
    }

    /// The same with another register.
    pub(super) fn with(self, register: impl Into<Register>) -> Access {
        let register = register.into();
        Access { register, ..self }
    }

    /// Whether one instruction can reach this and `next`.
    fn adjoins(&self, next: &Access) -> bool {
        let same = |a: &Access| (a.base, a.width);
        same(self) == same(next)
            && self.width == 8
            && self.register != next.register
            && next.offset == self.offset + 8
            && self.offset.is_multiple_of(8)
            && self.offset / 8 <= PAIR_UNITS
    }

    /// This and `next` in one instruction, if there is one for the two.
    fn paired(&self, next: &Access) -> Option<Group> {
        if !self.adjoins(next) {
            return None;
        }
        let (base, offset) = (self.base, self.offset as i32);
        match (self.register, next.register) {
            (Register::Int(a), Register::Int(b)) => Some(Group::Ints([a, b], base, offset)),
            (Register::Fp(a), Register::Fp(b)) => Some(Group::Fps([a, b], base, offset)),
            _ => None,
        }
    }
}

/// What one instruction moves: two registers with their memory, or one.
pub(super) enum Group {
    Ints([Gpr; 2], Gpr, i32),
    Fps([Fpr; 2], Gpr, i32),
    One(Access),
}

impl Group {
    /// Whether an integer register is among those that are moved.
    pub(super) fn has(&self, register: Gpr) -> bool {
        match self {
            Group::Ints(registers, ..) => registers.contains(&register),
            Group::Fps(..) => false,
            Group::One(access) => access.register == Register::Int(register),
        }
    }
}

/// Neighbours in memory, two by two where one instruction can move both.
pub(super) fn in_pairs(accesses: impl IntoIterator<Item = Access>) -> impl Iterator<Item = Group> {
    let mut rest = accesses.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = rest.next()?;
        let pair = rest.peek().and_then(|next| first.paired(next));
        if pair.is_some() {
            rest.next();
        }
        Some(pair.unwrap_or(Group::One(first)))
    })
}

/// What is copied from memory to memory.
pub(super) struct Copy {
    /// Loads the address to copy from, if it is to be loaded first.
    pub listed: Option<Access>,
    pub from: Access,
    pub to: Access,
}

impl Emitter {
    /// `to = base + offset`. An offset of 16 MiB or more takes the register for far ones, which `base` is not then.
    pub(super) fn add(&mut self, to: Gpr, base: Gpr, offset: u32) {
        let (pages, rest) = (offset >> 12, offset & UNITS);
        match (pages, rest) {
            (0, rest) => dynasm!(self.ops ; .arch aarch64 ; add XSP(to), XSP(base), rest),
            (UNITS_AND_MORE.., _) => {
                self.constant(FAR, offset.into());
                dynasm!(self.ops ; .arch aarch64 ; add XSP(to), XSP(base), X(FAR), UXTX);
            }
            (pages, 0) => {
                dynasm!(self.ops ; .arch aarch64 ; add XSP(to), XSP(base), pages, LSL 12);
            }
            (pages, rest) => dynasm!(self.ops
                ; .arch aarch64
                ; add XSP(to), XSP(base), pages, LSL 12
                ; add XSP(to), XSP(to), rest
            ),
        }
    }

    /// Copies memory to memory, as many moves at a time as there are registers to go through: one or two.
    pub(super) fn copy_all(&mut self, copies: impl Iterator<Item = Copy>, through: &[Gpr]) {
        let mut copies = copies.fuse();
        loop {
            let mut some = [None; SCRATCH.len()];
            for (place, &register) in some.iter_mut().zip(through) {
                if let Some(Copy { listed, from, to }) = copies.next() {
                    listed.iter().for_each(|listed| self.load(listed));
                    *place = Some((from.with(register), to.with(register)));
                }
            }
            if some[0].is_none() {
                return;
            }
            for group in in_pairs(some.into_iter().flatten().map(|(load, _)| load)) {
                self.load_group(&group);
            }
            self.store_all(some.into_iter().flatten().map(|(_, store)| store));
        }
    }

    pub(super) fn store_all(&mut self, stores: impl IntoIterator<Item = Access>) {
        for group in in_pairs(stores) {
            match group {
                Group::Ints([a, b], base, offset) => {
                    dynasm!(self.ops ; .arch aarch64 ; stp X(a), X(b), [XSP(base), offset]);
                }
                Group::Fps([a, b], base, offset) => {
                    dynasm!(self.ops ; .arch aarch64 ; stp D(a), D(b), [XSP(base), offset]);
                }
                Group::One(store) => self.store(&store),
            }
        }
    }

    pub(super) fn load_group(&mut self, group: &Group) {
        match *group {
            Group::Ints([a, b], base, offset) => {
                dynasm!(self.ops ; .arch aarch64 ; ldp X(a), X(b), [XSP(base), offset]);
            }
            Group::Fps([a, b], base, offset) => {
                dynasm!(self.ops ; .arch aarch64 ; ldp D(a), D(b), [XSP(base), offset]);
            }
            Group::One(ref load) => self.load(load),
        }
    }

    /// The base and the offset for a single load or store, brought within its reach.
    fn reach(&mut self, access: &Access) -> (Gpr, u32) {
        let (base, offset) = (access.base, access.offset);
        if !offset.is_multiple_of(access.width) {
            self.add(FAR, base, offset);
            return (FAR, 0);
        }
        if offset / access.width <= UNITS {
            return (base, offset);
        }
        self.add(FAR, base, offset & !UNITS);
        (FAR, offset & UNITS)
    }

    /// Loads a register. An integer of 3, 5, 6 or 7 bytes is loaded in parts ([`Emitter::load_parts`]).
    pub(super) fn load(&mut self, access: &Access) {
        if let (Register::Int(register), 3 | 5..=7) = (access.register, access.width) {
            let (base, offset) = (access.base, access.offset);
            return self.load_parts(register, Address { base, offset }, access.width);
        }
        let (base, offset) = self.reach(access);
        match (access.register, access.extend, access.width) {
            (Register::Fp(r), _, 4) => {
                dynasm!(self.ops ; .arch aarch64 ; ldr S(r), [XSP(base), offset])
            }
            (Register::Fp(r), _, 16) => {
                dynasm!(self.ops ; .arch aarch64 ; ldr Q(r), [XSP(base), offset])
            }
            (Register::Fp(r), _, _) => {
                dynasm!(self.ops ; .arch aarch64 ; ldr D(r), [XSP(base), offset])
            }
            (Register::Int(r), Extend::Sign, 1) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrsb X(r), [XSP(base), offset]);
            }
            (Register::Int(r), Extend::Sign, 2) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrsh X(r), [XSP(base), offset]);
            }
            (Register::Int(r), Extend::Sign, _) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrsw X(r), [XSP(base), offset]);
            }
            (Register::Int(r), _, 1) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrb W(r), [XSP(base), offset])
            }
            (Register::Int(r), _, 2) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrh W(r), [XSP(base), offset])
            }
            (Register::Int(r), _, 4) => {
                dynasm!(self.ops ; .arch aarch64 ; ldr W(r), [XSP(base), offset])
            }
            (Register::Int(r), _, _) => {
                dynasm!(self.ops ; .arch aarch64 ; ldr X(r), [XSP(base), offset])
            }
        }
    }

    pub(super) fn store(&mut self, access: &Access) {
        let (base, offset) = self.reach(access);
        match (access.register, access.width) {
            (Register::Fp(r), 4) => {
                dynasm!(self.ops ; .arch aarch64 ; str S(r), [XSP(base), offset])
            }
            (Register::Fp(r), 16) => {
                dynasm!(self.ops ; .arch aarch64 ; str Q(r), [XSP(base), offset])
            }
            (Register::Fp(r), _) => {
                dynasm!(self.ops ; .arch aarch64 ; str D(r), [XSP(base), offset])
            }
            (Register::Int(r), 1) => {
                dynasm!(self.ops ; .arch aarch64 ; strb W(r), [XSP(base), offset])
            }
            (Register::Int(r), 2) => {
                dynasm!(self.ops ; .arch aarch64 ; strh W(r), [XSP(base), offset])
            }
            (Register::Int(r), 4) => {
                dynasm!(self.ops ; .arch aarch64 ; str W(r), [XSP(base), offset])
            }
            (Register::Int(r), _) => {
                dynasm!(self.ops ; .arch aarch64 ; str X(r), [XSP(base), offset])
            }
        }
    }

    /// Extends a move's bytes from the low bits of a register to all of it.
    pub(super) fn extend(&mut self, r: Gpr, mv: &Move) {
        self.extend_to(r, r, mv);
    }

    /// Compares a register with a move's bytes in it, extended.
    pub(super) fn compare_with_extended(&mut self, r: Gpr, mv: &Move) {
        match (mv.extend, mv.width) {
            (Extend::Sign, 1) => dynasm!(self.ops ; .arch aarch64 ; cmp XSP(r), W(r), SXTB),
            (Extend::Sign, 2) => dynasm!(self.ops ; .arch aarch64 ; cmp XSP(r), W(r), SXTH),
            (Extend::Sign, _) => dynasm!(self.ops ; .arch aarch64 ; cmp XSP(r), W(r), SXTW),
            (_, 1) => dynasm!(self.ops ; .arch aarch64 ; cmp XSP(r), W(r), UXTB),
            (_, 2) => dynasm!(self.ops ; .arch aarch64 ; cmp XSP(r), W(r), UXTH),
            _ => dynasm!(self.ops ; .arch aarch64 ; cmp XSP(r), W(r), UXTW),
        }
    }

    /// Extends a move's bytes from the low bits of one register to all of another, or of the same.
    pub(super) fn extend_to(&mut self, to: Gpr, from: Gpr, mv: &Move) {
        match (mv.extend, mv.width) {
            (Extend::None, _) if to == from => {}
            (Extend::None, _) => dynasm!(self.ops ; .arch aarch64 ; mov X(to), X(from)),
            (Extend::Sign, 1) => dynasm!(self.ops ; .arch aarch64 ; sxtb X(to), W(from)),
            (Extend::Sign, 2) => dynasm!(self.ops ; .arch aarch64 ; sxth X(to), W(from)),
            (Extend::Sign, _) => dynasm!(self.ops ; .arch aarch64 ; sxtw X(to), W(from)),
            (Extend::Zero, 1) => dynasm!(self.ops ; .arch aarch64 ; uxtb W(to), W(from)),
            (Extend::Zero, 2) => dynasm!(self.ops ; .arch aarch64 ; uxth W(to), W(from)),
            (Extend::Zero, _) => dynasm!(self.ops ; .arch aarch64 ; mov W(to), W(from)),
        }
    }
}
