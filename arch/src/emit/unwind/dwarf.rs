//! `.eh_frame`: what Unix systems unwind by.

use super::FrameChangeKind;
use crate::abi::regs::Isa;
use crate::emit::Code;
use gimli::write::{
    Address, CallFrameInstruction, CommonInformationEntry, EhFrame, EndianVec,
    FrameDescriptionEntry, FrameTable,
};
use gimli::{Encoding, Format, LittleEndian, Register};

/// What every frame of an instruction set begins with.
struct Machine {
    code_align: u8,
    stack_pointer: Register,
    return_address: Register,
    /// Bytes from the stack pointer to the CFA when a function has just been called.
    pushed_by_call: u32,
}

fn machine(isa: Isa) -> Machine {
    match isa {
        Isa::X64 => Machine {
            code_align: 1,
            stack_pointer: gimli::X86_64::RSP,
            return_address: gimli::X86_64::RA,
            pushed_by_call: 8,
        },
        // The return address is in x30 as long as nothing else is said.
        Isa::A64 => Machine {
            code_align: 4,
            stack_pointer: gimli::AArch64::SP,
            return_address: gimli::AArch64::X30,
            pushed_by_call: 0,
        },
    }
}

/// The `.eh_frame` section (LSB 5.0, section 10.6.1) for `code` once its first byte lies at `address`, ended by a
/// zero word as registration with the unwinder wants it.
pub fn eh_frame(code: &Code, address: u64) -> Vec<u8> {
    let machine = machine(code.abi.convention().isa);
    let encoding = Encoding {
        format: Format::Dwarf32,
        version: 1,
        address_size: 8,
    };
    let mut cie =
        CommonInformationEntry::new(encoding, machine.code_align, -8, machine.return_address);
    cie.add_instruction(CallFrameInstruction::Cfa(
        machine.stack_pointer,
        machine.pushed_by_call as i32,
    ));
    if machine.pushed_by_call > 0 {
        cie.add_instruction(CallFrameInstruction::Offset(machine.return_address, -8));
    }
    let mut table = FrameTable::default();
    let cie = table.add_cie(cie);
    let mut fde = FrameDescriptionEntry::new(Address::Constant(address), code.bytes.len() as u32);
    for change in &code.frame {
        fde.add_instruction(
            change.offset,
            match change.kind {
                FrameChangeKind::CfaOffset(bytes) => CallFrameInstruction::CfaOffset(bytes as i32),
                FrameChangeKind::Saved(register, below) => {
                    CallFrameInstruction::Offset(Register(register), -(below as i32))
                }
                FrameChangeKind::Restored(register) => {
                    CallFrameInstruction::Restore(Register(register))
                }
            },
        );
    }
    table.add_fde(cie, fde);
    let mut section = EhFrame::from(EndianVec::new(LittleEndian));
    table
        .write_eh_frame(&mut section)
        .expect("constant addresses of eight bytes always encode");
    let mut bytes = section.0.into_vec();
    bytes.extend_from_slice(&[0; 4]);
    bytes
}
