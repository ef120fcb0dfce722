//! Pieces between registers and memory: which instruction, which offset, which two together.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to u32"
)]

use super::{Emitter, FAR, SCRATCH};
use crate::abi::{Extend, Move};
use dynasmrt::{DynasmApi, dynasm};

/// The largest offset of an `ldp` or `stp`, in eight-byte units: seven bits, signed.
pub(super) const PAIR_UNITS: u32 = 63;

/// The largest offset of a single load or store in units of its size, and the largest operand of an addition: twelve bits.
const UNITS: u32 = 4095;

/// One of the two register files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Int,
    Fp,
}

/// A place in memory: `offset` bytes above what `base` points to.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub base: u8,
    pub offset: u32,
}

impl Address {
    pub(super) fn plus(self, bytes: u32) -> Address {
        let offset = self.offset + bytes;
        Address { offset, ..self }
    }

    /// Memory of `width` bytes as a register is loaded from it or stored to it.
    pub(super) fn access(self, file: File, register: u8, width: u32) -> Access {
        Access {
            file,
            width,
            ..Access::word(register, self.base, self.offset)
        }
    }
}

/// A register and the memory it is loaded from or stored to: `offset` bytes above what `base` points to.
#[derive(Clone, Copy)]
pub(super) struct Access {
    pub(super) file: File,
    pub(super) register: u8,
    pub(super) base: u8,
    pub(super) offset: u32,
    pub(super) width: u32,
    /// How a load fills the rest of the register.
    pub(super) extend: Extend,
}

impl Access {
    /// All eight bytes of an integer register.
    pub(super) fn word(register: u8, base: u8, offset: u32) -> Access {
        Access {
            file: File::Int,
            register,
            base,
            offset,
            width: 8,
            extend: Extend::None,
        }
    }

    /// A piece as it lies in memory, extended to the whole register by a load.
    pub(super) fn of(piece: &Move, register: u8, base: u8, offset: u32) -> Access {
        Access {
            width: piece.width,
            extend: piece.extend,
            ..Access::word(register, base, offset)
        }
    }

    /// A slot that a store fills with an extended piece: all of it, if that means anything.
    pub(super) fn slot(piece: &Move, register: u8, base: u8, offset: u32) -> Access {
        let fills_slot = piece.extend != Extend::None;
        Access {
            width: if fills_slot { 8 } else { piece.width },
            ..Access::word(register, base, offset)
        }
    }

    /// Whether one instruction can do this and `next`.
    fn pairs_with(&self, next: &Access) -> bool {
        let same = |a: &Access| (a.file, a.base, a.width);
        same(self) == same(next)
            && self.width == 8
            && self.register != next.register
            && next.offset == self.offset + 8
            && self.offset.is_multiple_of(8)
            && self.offset / 8 <= PAIR_UNITS
    }
}

/// Neighbours in memory, two by two where one instruction can move both.
pub(super) fn in_pairs(accesses: &[Access]) -> Vec<&[Access]> {
    let mut groups = Vec::new();
    let mut rest = accesses;
    while let Some(first) = rest.first() {
        let is_pair = rest.get(1).is_some_and(|next| first.pairs_with(next));
        let (group, tail) = rest.split_at(if is_pair { 2 } else { 1 });
        groups.push(group);
        rest = tail;
    }
    groups
}

impl Emitter {
    /// `to = base + offset`, for any offset up to 16 MiB.
    pub(super) fn add(&mut self, to: u8, base: u8, offset: u32) {
        let (pages, rest) = (offset >> 12, offset & UNITS);
        match (pages, rest) {
            (0, rest) => dynasm!(self.ops ; .arch aarch64 ; add XSP(to), XSP(base), rest),
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

    /// Copies memory to memory, two pieces at a time through the scratch registers.
    pub(super) fn copy_all(&mut self, copies: Vec<(Access, Access)>) {
        for two in copies.chunks(SCRATCH.len()) {
            let through = two.iter().zip(SCRATCH);
            let (loads, stores): (Vec<_>, Vec<_>) = through
                .map(|(&(from, to), register)| {
                    (Access { register, ..from }, Access { register, ..to })
                })
                .unzip();
            for group in in_pairs(&loads) {
                self.load_group(group);
            }
            self.store_all(&stores);
        }
    }

    pub(super) fn store_all(&mut self, stores: &[Access]) {
        for group in in_pairs(stores) {
            match group {
                [first, second] => self.store_pair(first, second),
                single => single.iter().for_each(|store| self.store(store)),
            }
        }
    }

    pub(super) fn load_group(&mut self, group: &[Access]) {
        match group {
            [first, second] => self.load_pair(first, second),
            single => single.iter().for_each(|load| self.load(load)),
        }
    }

    fn load_pair(&mut self, first: &Access, second: &Access) {
        let (a, b) = (first.register, second.register);
        let (base, offset) = (first.base, first.offset as i32);
        match first.file {
            File::Int => dynasm!(self.ops ; .arch aarch64 ; ldp X(a), X(b), [XSP(base), offset]),
            File::Fp => dynasm!(self.ops ; .arch aarch64 ; ldp D(a), D(b), [XSP(base), offset]),
        }
    }

    fn store_pair(&mut self, first: &Access, second: &Access) {
        let (a, b) = (first.register, second.register);
        let (base, offset) = (first.base, first.offset as i32);
        match first.file {
            File::Int => dynasm!(self.ops ; .arch aarch64 ; stp X(a), X(b), [XSP(base), offset]),
            File::Fp => dynasm!(self.ops ; .arch aarch64 ; stp D(a), D(b), [XSP(base), offset]),
        }
    }

    /// The base and the offset for a single load or store, brought within its reach.
    fn reach(&mut self, access: &Access) -> (u8, u32) {
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

    pub(super) fn load(&mut self, access: &Access) {
        let (base, offset) = self.reach(access);
        let r = access.register;
        match (access.file, access.extend, access.width) {
            (File::Fp, _, 4) => dynasm!(self.ops ; .arch aarch64 ; ldr S(r), [XSP(base), offset]),
            (File::Fp, _, 16) => dynasm!(self.ops ; .arch aarch64 ; ldr Q(r), [XSP(base), offset]),
            (File::Fp, _, _) => dynasm!(self.ops ; .arch aarch64 ; ldr D(r), [XSP(base), offset]),
            (_, Extend::Sign, 1) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrsb X(r), [XSP(base), offset]);
            }
            (_, Extend::Sign, 2) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrsh X(r), [XSP(base), offset]);
            }
            (_, Extend::Sign, _) => {
                dynasm!(self.ops ; .arch aarch64 ; ldrsw X(r), [XSP(base), offset]);
            }
            (_, _, 1) => dynasm!(self.ops ; .arch aarch64 ; ldrb W(r), [XSP(base), offset]),
            (_, _, 2) => dynasm!(self.ops ; .arch aarch64 ; ldrh W(r), [XSP(base), offset]),
            (_, _, 4) => dynasm!(self.ops ; .arch aarch64 ; ldr W(r), [XSP(base), offset]),
            (_, _, _) => dynasm!(self.ops ; .arch aarch64 ; ldr X(r), [XSP(base), offset]),
        }
    }

    pub(super) fn store(&mut self, access: &Access) {
        let (base, offset) = self.reach(access);
        let r = access.register;
        match (access.file, access.width) {
            (File::Fp, 4) => dynasm!(self.ops ; .arch aarch64 ; str S(r), [XSP(base), offset]),
            (File::Fp, 16) => dynasm!(self.ops ; .arch aarch64 ; str Q(r), [XSP(base), offset]),
            (File::Fp, _) => dynasm!(self.ops ; .arch aarch64 ; str D(r), [XSP(base), offset]),
            (_, 1) => dynasm!(self.ops ; .arch aarch64 ; strb W(r), [XSP(base), offset]),
            (_, 2) => dynasm!(self.ops ; .arch aarch64 ; strh W(r), [XSP(base), offset]),
            (_, 4) => dynasm!(self.ops ; .arch aarch64 ; str W(r), [XSP(base), offset]),
            (_, _) => dynasm!(self.ops ; .arch aarch64 ; str X(r), [XSP(base), offset]),
        }
    }

    /// Extends a piece from the low bits of a register to all of it.
    pub(super) fn extend(&mut self, r: u8, piece: &Move) {
        self.extend_to(r, r, piece);
    }

    /// Extends a piece from the low bits of one register to all of another, or of the same.
    pub(super) fn extend_to(&mut self, to: u8, from: u8, piece: &Move) {
        match (piece.extend, piece.width) {
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
