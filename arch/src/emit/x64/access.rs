//! Instructions between a register and memory, in their shortest form.
//!
//! Which registers they use is known only when code is made. For such registers the assembler leaves room for any, two bytes
//! more than most need, and a trampoline of eight arguments would reach into a second cache line. So these few forms are
//! encoded here (Intel SDM volume 2, sections 2.1 and 2.2.1); the tests read them with a disassembler that knows
//! nothing of this.

#![allow(
    clippy::useless_conversion,
    reason = "dynasm! expands to conversions of operands to i32"
)]

use super::{Emitter, SCRATCH};
use crate::abi::regs::x64::{RBP, RSP};
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Extend, Move};
use dynasmrt::{DynasmApi, dynasm};

/// A place in memory: `offset` bytes above what `base` points to.
#[derive(Clone, Copy)]
pub(super) struct Address {
    pub base: Gpr,
    pub offset: u32,
}

impl Address {
    pub(super) fn plus(self, bytes: u32) -> Address {
        let offset = self.offset.wrapping_add(bytes);
        Address { offset, ..self }
    }

    pub(super) fn minus(self, bytes: u32) -> Address {
        self.plus(bytes.wrapping_neg())
    }
}

/// What stands before and after the register numbers of an instruction.
pub(super) struct Form {
    /// The mandatory or operand-size prefix.
    pub prefix: Option<u8>,
    /// Whether the operation is 64 bits wide.
    pub wide: bool,
    /// Whether the register's low byte is meant, which registers 4 to 7 have only under a REX prefix.
    pub byte: bool,
    pub opcode: &'static [u8],
}

impl Form {
    pub const fn new(opcode: &'static [u8]) -> Form {
        Form {
            prefix: None,
            wide: false,
            byte: false,
            opcode,
        }
    }

    pub const fn wide(opcode: &'static [u8]) -> Form {
        Form {
            wide: true,
            ..Form::new(opcode)
        }
    }

    pub const fn byte(opcode: &'static [u8]) -> Form {
        Form {
            byte: true,
            ..Form::new(opcode)
        }
    }

    pub const fn prefixed(prefix: u8, opcode: &'static [u8]) -> Form {
        Form {
            prefix: Some(prefix),
            ..Form::new(opcode)
        }
    }
}

/// ModRM opcode extension (/7) of `cmp` with an immediate.
pub(super) const COMPARE: u8 = 7;

/// The form of an instruction, by its name and its operands' kinds in the order in which they are written.
macro_rules! form {
    (lea Rq QWORD) => {
        Form::wide(&[0x8d])
    };
    (and Rd DWORD) => {
        Form::new(&[0x23])
    };
    (cmovne Rd DWORD) => {
        Form::new(&[0x0f, 0x45])
    };
    (mov Rd DWORD) => {
        Form::new(&[0x8b])
    };
    (mov Rq QWORD) => {
        Form::wide(&[0x8b])
    };
    (movsx Rq BYTE) => {
        Form::wide(&[0x0f, 0xbe])
    };
    (movsx Rq WORD) => {
        Form::wide(&[0x0f, 0xbf])
    };
    (movsxd Rq DWORD) => {
        Form::wide(&[0x63])
    };
    (movzx Rd BYTE) => {
        Form::new(&[0x0f, 0xb6])
    };
    (movzx Rd WORD) => {
        Form::new(&[0x0f, 0xb7])
    };
    (movss Rx DWORD) => {
        Form::prefixed(0xf3, &[0x0f, 0x10])
    };
    (movsd Rx QWORD) => {
        Form::prefixed(0xf2, &[0x0f, 0x10])
    };
    (cvtsd2ss Rx QWORD) => {
        Form::prefixed(0xf2, &[0x0f, 0x5a])
    };
    (movups Rx XMMWORD) => {
        Form::new(&[0x0f, 0x10])
    };
    (movups XMMWORD Rx) => {
        Form::new(&[0x0f, 0x11])
    };
    (mov BYTE Rb) => {
        Form::byte(&[0x88])
    };
    (mov WORD Rw) => {
        Form::prefixed(0x66, &[0x89])
    };
    (mov DWORD Rd) => {
        Form::new(&[0x89])
    };
    (mov QWORD Rq) => {
        Form::wide(&[0x89])
    };
    (movss DWORD Rx) => {
        Form::prefixed(0xf3, &[0x0f, 0x11])
    };
    (movsd QWORD Rx) => {
        Form::prefixed(0xf2, &[0x0f, 0x11])
    };
}

/// A register's number, if it is of the kind that an operand asks for: the kinds are the assembler's.
macro_rules! number {
    (Rx($register:expr)) => {
        $crate::abi::regs::Fpr::number($register)
    };
    ($kind:ident($register:expr)) => {
        $crate::abi::regs::Gpr::number($register)
    };
}

/// `op register, size [address]`.
macro_rules! read {
    ($asm:ident, $op:ident $kind:ident($register:expr), $size:ident $from:expr) => {{
        use $crate::emit::x64::access::Form;
        $asm.access(&const { $crate::emit::x64::access::form!($op $kind $size) }, $crate::emit::x64::access::number!($kind($register)), $from)
    }};
}

/// `op size [address], register`.
macro_rules! write {
    ($asm:ident, $op:ident $size:ident $to:expr, $kind:ident($register:expr)) => {{
        use $crate::emit::x64::access::Form;
        $asm.access(&const { $crate::emit::x64::access::form!($op $size $kind) }, $crate::emit::x64::access::number!($kind($register)), $to)
    }};
}

pub(super) use {form, number, read, write};

impl Emitter {
    /// One instruction. `register` is a register's number or a ModRM opcode extension.
    pub(super) fn access(&mut self, form: &Form, register: u8, address: Address) {
        let (base, offset) = (address.base.number(), address.offset);
        if let Some(prefix) = form.prefix {
            self.ops.push(prefix);
        }
        let rex = u8::from(form.wide) << 3 | register >> 3 << 2 | base >> 3;
        if rex != 0 || form.byte && register >= 4 {
            self.ops.push(0x40 | rex);
        }
        self.ops.extend(form.opcode);
        // The low bits of two registers stand for something else here: of rsp for an index, of rbp for no base at all.
        let displacement = match i8::try_from(offset as i32) {
            Ok(0) if base & 7 != RBP.number() => 0,
            Ok(_) => 1,
            Err(_) => 2,
        };
        self.ops
            .push(displacement << 6 | (register & 7) << 3 | base & 7);
        if base & 7 == RSP.number() {
            self.ops.push(0x24);
        }
        match displacement {
            0 => {}
            1 => self.ops.push(offset as u8),
            _ => self.ops.extend(&offset.to_le_bytes()),
        }
    }

    /// Compares the low 32 bits of a register with an immediate. The assembler's own `cmp` has no form for a byte.
    pub(super) fn compare(&mut self, register: Gpr, number: u32) {
        let register = register.number();
        if register >= 8 {
            self.ops.push(0x41);
        }
        let operands = 0xc0 | COMPARE << 3 | register & 7;
        match i8::try_from(number) {
            Ok(short) => self.ops.extend(&[0x83, operands, short as u8]),
            Err(_) => {
                self.ops.extend(&[0x81, operands]);
                self.ops.push_u32(number);
            }
        }
    }

    /// Compares all of a register with an immediate.
    pub(super) fn compare_word(&mut self, register: Gpr, number: i32) {
        let operands = 0xc0 | COMPARE << 3 | register.number() & 7;
        self.ops.push(0x48 | register.number() >> 3);
        match i8::try_from(number) {
            Ok(short) => self.ops.extend(&[0x83, operands, short as u8]),
            Err(_) => {
                self.ops.extend(&[0x81, operands]);
                self.ops.extend(&number.to_le_bytes());
            }
        }
    }

    /// Compares a word in memory with 0.
    pub(super) fn compare_to_zero(&mut self, address: Address) {
        self.access(&Form::wide(&[0x83]), COMPARE, address);
        self.ops.push(0);
    }

    /// Loads all of a register.
    pub(super) fn load_word(&mut self, to: Gpr, from: Address) {
        read!(self, mov Rq(to), QWORD from);
    }

    /// Loads a move's bytes, extended to the whole register. One of 3, 5, 6 or 7 bytes is loaded in parts
    /// ([`Emitter::load_parts`]).
    pub(super) fn load(&mut self, to: Gpr, from: Address, mv: &Move) {
        match (mv.extend, mv.width) {
            (Extend::Sign, 1) => read!(self, movsx Rq(to), BYTE from),
            (Extend::Sign, 2) => read!(self, movsx Rq(to), WORD from),
            (Extend::Sign, _) => read!(self, movsxd Rq(to), DWORD from),
            (Extend::Zero | Extend::None, 1) => read!(self, movzx Rd(to), BYTE from),
            (Extend::Zero | Extend::None, 2) => read!(self, movzx Rd(to), WORD from),
            (Extend::Zero, _) | (Extend::None, 4) => read!(self, mov Rd(to), DWORD from),
            (Extend::None, width @ (3 | 5..=7)) => self.load_parts(to, from, width),
            (Extend::None, _) => read!(self, mov Rq(to), QWORD from),
        }
    }

    /// Stores the low `size` bytes of the scratch register.
    pub(super) fn store(&mut self, to: Address, size: u32) {
        self.store_register(to, SCRATCH, size);
    }

    /// Stores the low bytes of a register: 1, 2, 4 or 8.
    pub(super) fn store_register(&mut self, to: Address, register: Gpr, size: u32) {
        match size {
            1 => write!(self, mov BYTE to, Rb(register)),
            2 => write!(self, mov WORD to, Rw(register)),
            4 => write!(self, mov DWORD to, Rd(register)),
            _ => write!(self, mov QWORD to, Rq(register)),
        }
    }

    /// Stores a float of `width` bytes.
    pub(super) fn store_fp(&mut self, to: Address, register: Fpr, width: u32) {
        match width {
            4 => write!(self, movss DWORD to, Rx(register)),
            _ => write!(self, movsd QWORD to, Rx(register)),
        }
    }

    /// Extends a move's bytes from the low bits of a register to all of one, and says which one.
    pub(super) fn extend(&mut self, from: Gpr, mv: &Move) -> Gpr {
        if mv.extend == Extend::None {
            return from;
        }
        self.extend_to(SCRATCH, from, mv);
        SCRATCH
    }

    /// Extends a move's bytes from the low bits of one register to all of another, or of the same.
    pub(super) fn extend_to(&mut self, to: Gpr, from: Gpr, mv: &Move) {
        match (mv.extend, mv.width) {
            (Extend::None, _) if to == from => {}
            (Extend::None, _) => self.copy(to, from),
            (Extend::Sign, 1) => dynasm!(self.ops ; .arch x64 ; movsx Rq(to), Rb(from)),
            (Extend::Sign, 2) => dynasm!(self.ops ; .arch x64 ; movsx Rq(to), Rw(from)),
            (Extend::Sign, _) => dynasm!(self.ops ; .arch x64 ; movsxd Rq(to), Rd(from)),
            (Extend::Zero, 1) => dynasm!(self.ops ; .arch x64 ; movzx Rd(to), Rb(from)),
            (Extend::Zero, 2) => dynasm!(self.ops ; .arch x64 ; movzx Rd(to), Rw(from)),
            (Extend::Zero, _) => dynasm!(self.ops ; .arch x64 ; mov Rd(to), Rd(from)),
        }
    }
}

/// A place above the stack pointer.
pub(super) const fn stack(offset: u32) -> Address {
    Address { base: RSP, offset }
}
