//! `.eh_frame`: what Unix systems unwind by (DWARF 5, section 6.4; LSB 5.0, section 10.6.1).

use super::FrameChangeKind;
use crate::abi::regs::Isa;
use crate::emit::Code;
use crate::emit::buffer::List;
use farcall_memory::{OutOfMemory, try_to_vec};

// Instructions (DWARF 5, section 7.24). Three of them have an operand in their low six bits.
const ADVANCE: u8 = 0x40;
const OFFSET: u8 = 0x80;
const RESTORE: u8 = 0xc0;
const NOP: u8 = 0;
const ADVANCE_1: u8 = 0x02;
const ADVANCE_2: u8 = 0x03;
const ADVANCE_4: u8 = 0x04;
const DEF_CFA: u8 = 0x0c;
const DEF_CFA_OFFSET: u8 = 0x0e;

/// What offsets from the CFA are multiples of, downwards.
const DATA_ALIGN: u32 = 8;

/// What entries' sizes are multiples of.
const ENTRY_ALIGN: usize = 8;

/// What every frame of an instruction set begins with. Registers go by their DWARF numbers.
struct Machine {
    code_align: u8,
    stack_pointer: u8,
    return_address: u8,
    /// Bytes from the stack pointer to the CFA when a function has just been called.
    pushed_by_call: u32,
}

fn machine(isa: Isa) -> Machine {
    match isa {
        Isa::X64 => Machine {
            code_align: 1,
            stack_pointer: 7,
            return_address: 16,
            pushed_by_call: 8,
        },
        // The return address is in x30 as long as nothing else is said.
        Isa::A64 => Machine {
            code_align: 4,
            stack_pointer: 31,
            return_address: 30,
            pushed_by_call: 0,
        },
    }
}

/// The `.eh_frame` section for `code` once its first byte lies at `address`, ended by a zero word as registration with the
/// unwinder wants it.
///
/// # Errors
/// [`OutOfMemory`].
pub fn eh_frame(code: &Code, address: u64) -> Result<Vec<u8>, OutOfMemory> {
    section(code, Start::At(address))
}

/// The same for code that begins so many bytes ahead of the section, wherever that is.
///
/// # Errors
/// [`OutOfMemory`].
pub fn eh_frame_behind(code: &Code, distance: u64) -> Result<Vec<u8>, OutOfMemory> {
    section(code, Start::Ahead(distance))
}

/// Where the code begins.
#[derive(Clone, Copy)]
enum Start {
    At(u64),
    /// So many bytes ahead of the section.
    Ahead(u64),
}

fn section(code: &Code, start: Start) -> Result<Vec<u8>, OutOfMemory> {
    let machine = machine(code.abi.convention().isa);
    let common = common_entry(&machine, start).finish()?;
    let frame = frame_entry(code, start, &machine, common.len()).finish()?;
    let mut section = Section(List::new());
    section.entry(&common);
    section.entry(&frame);
    section.word(0);
    // As long as it is, for owners that keep no vector.
    try_to_vec(&section.finish()?)
}

/// The CIE, behind its length.
fn common_entry(machine: &Machine, start: Start) -> Section {
    const VERSION: u8 = 1;
    // DW_EH_PE_pcrel | DW_EH_PE_sdata8
    const DISTANCE: u8 = 0x1c;
    // What is added, and then a byte of it: how FDEs write where their code begins.
    let (augmentation, added): (&[u8], &[u8]) = match start {
        Start::At(_) => (b"\0", &[]),
        Start::Ahead(_) => (b"zR\0", &[1, DISTANCE]),
    };
    let mut entry = Section(List::new());
    entry.word(0);
    entry.bytes(&[VERSION]);
    entry.bytes(augmentation);
    // The data alignment is a negative number in seven bits.
    let data_align = 0x80 - DATA_ALIGN as u8;
    entry.bytes(&[machine.code_align, data_align, machine.return_address]);
    entry.bytes(added);
    entry.bytes(&[DEF_CFA, machine.stack_pointer]);
    entry.number(machine.pushed_by_call);
    if machine.pushed_by_call > 0 {
        entry.bytes(&[OFFSET | machine.return_address]);
        entry.number(machine.pushed_by_call / DATA_ALIGN);
    }
    entry.pad();
    entry
}

/// The FDE, behind its length, right behind a CIE of this many bytes.
fn frame_entry(code: &Code, start: Start, machine: &Machine, common: usize) -> Section {
    let mut entry = Section(List::new());
    // From here back to the CIE's length: over the FDE's own, and the CIE.
    entry.word(common as u32 + 8);
    let (begin, added): (u64, &[u8]) = match start {
        Start::At(address) => (address, &[]),
        // From where this is written: behind the CIE, two lengths, and the word above. Nothing is added.
        Start::Ahead(distance) => (0_u64.wrapping_sub(distance + common as u64 + 12), &[0]),
    };
    entry.bytes(&begin.to_le_bytes());
    entry.bytes(&(code.bytes.len() as u64).to_le_bytes());
    entry.bytes(added);
    let mut at = 0;
    for change in &code.frame {
        entry.advance((change.offset - at) / u32::from(machine.code_align));
        at = change.offset;
        match change.kind {
            FrameChangeKind::CfaOffset(bytes) => {
                entry.bytes(&[DEF_CFA_OFFSET]);
                entry.number(bytes);
            }
            // No emitter saves a register with a number that takes more bits.
            FrameChangeKind::Saved(register, below) => {
                entry.bytes(&[OFFSET | register as u8]);
                entry.number(below / DATA_ALIGN);
            }
            FrameChangeKind::Restored(register) => entry.bytes(&[RESTORE | register as u8]),
        }
    }
    entry.pad();
    entry
}

/// Bytes of the section.
struct Section(List<u8>);

impl Section {
    fn finish(self) -> Result<Vec<u8>, OutOfMemory> {
        self.0.finish()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0.push(byte);
        }
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_le_bytes());
    }

    /// An unsigned LEB128.
    fn number(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Moves on by this many units of code.
    fn advance(&mut self, units: u32) {
        match (units, u8::try_from(units), u16::try_from(units)) {
            (0, ..) => {}
            (1..0x40, ..) => self.bytes(&[ADVANCE | units as u8]),
            (_, Ok(units), _) => self.bytes(&[ADVANCE_1, units]),
            (_, _, Ok(units)) => {
                self.bytes(&[ADVANCE_2]);
                self.bytes(&units.to_le_bytes());
            }
            _ => {
                self.bytes(&[ADVANCE_4]);
                self.word(units);
            }
        }
    }

    /// Fills an entry up, to whose bytes four for its length come.
    fn pad(&mut self) {
        while !(self.0.len() + 4).is_multiple_of(ENTRY_ALIGN) && self.0.is_complete() {
            self.0.push(NOP);
        }
    }

    /// An entry, with its length.
    fn entry(&mut self, entry: &[u8]) {
        self.word(entry.len() as u32);
        self.bytes(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Abi;
    use crate::emit::unwind::FrameChange;
    use gimli::write::{
        Address, CallFrameInstruction, CommonInformationEntry, EhFrame, EndianVec,
        FrameDescriptionEntry, FrameTable,
    };
    use gimli::{Encoding, Format, LittleEndian, Register};

    /// The same by gimli.
    fn by_gimli(code: &Code, address: u64) -> Vec<u8> {
        let machine = machine(code.abi.convention().isa);
        let [stack_pointer, return_address] =
            [machine.stack_pointer, machine.return_address].map(|number| Register(number.into()));
        let encoding = Encoding {
            format: Format::Dwarf32,
            version: 1,
            address_size: 8,
        };
        let mut cie = CommonInformationEntry::new(encoding, machine.code_align, -8, return_address);
        let pushed = machine.pushed_by_call as i32;
        cie.add_instruction(CallFrameInstruction::Cfa(stack_pointer, pushed));
        if pushed > 0 {
            cie.add_instruction(CallFrameInstruction::Offset(return_address, -8));
        }
        let mut table = FrameTable::default();
        let cie = table.add_cie(cie);
        let len = code.bytes.len() as u32;
        let mut fde = FrameDescriptionEntry::new(Address::Constant(address), len);
        for change in &code.frame {
            let instruction = match change.kind {
                FrameChangeKind::CfaOffset(bytes) => CallFrameInstruction::CfaOffset(bytes as i32),
                FrameChangeKind::Saved(register, below) => {
                    CallFrameInstruction::Offset(Register(register), -(below as i32))
                }
                FrameChangeKind::Restored(register) => {
                    CallFrameInstruction::Restore(Register(register))
                }
            };
            fde.add_instruction(change.offset, instruction);
        }
        table.add_fde(cie, fde);
        let mut section = EhFrame::from(EndianVec::new(LittleEndian));
        table.write_eh_frame(&mut section).expect("a section");
        let mut bytes = section.0.into_vec();
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn section_is_the_one_that_gimli_writes() {
        let steps = [0, 4, 0xfc, 0x100, 0x400, 0x4_0000, 0x10_0000];
        let sizes = [8, 16, 0x80, 0x4000, 1 << 20, 1 << 29, 0];
        for abi in Abi::ALL {
            let mut frame = Vec::new();
            let mut offset = 0;
            for (step, size) in steps.into_iter().zip(sizes) {
                offset += step;
                let kinds = [
                    FrameChangeKind::CfaOffset(size),
                    FrameChangeKind::Saved(3, size),
                    FrameChangeKind::Restored(3),
                ];
                frame.extend(kinds.map(|kind| FrameChange { offset, kind }));
            }
            for count in 0..frame.len() {
                let code = Code {
                    abi,
                    bytes: vec![0; 300 + count],
                    frame: frame[..count].to_vec(),
                    to_shared: Vec::new(),
                };
                let address = 0x1234_5678_9000;
                let section = eh_frame(&code, address).expect("memory");
                assert_eq!(section, by_gimli(&code, address), "{abi}, {count} changes");
            }
        }
    }

    #[test]
    fn section_behind_code_finds_it_by_its_distance() {
        use gimli::{BaseAddresses, UnwindSection};
        let (address, distance) = (0x1234_5678_9000, 304);
        for abi in Abi::ALL {
            let code = Code {
                abi,
                bytes: vec![0; 300],
                frame: vec![FrameChange {
                    offset: 8,
                    kind: FrameChangeKind::CfaOffset(32),
                }],
                to_shared: Vec::new(),
            };
            let bytes = eh_frame_behind(&code, distance).expect("memory");
            let section = gimli::EhFrame::new(&bytes, LittleEndian);
            let bases = BaseAddresses::default().set_eh_frame(address + distance);
            let find =
                |address| section.fde_for_address(&bases, address, gimli::EhFrame::cie_from_offset);
            let found = find(address + 299).expect("a description");
            assert_eq!((found.initial_address(), found.len()), (address, 300));
            assert!(find(address + 300).is_err());
        }
    }
}
