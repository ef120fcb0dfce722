//! Emitted code as an independent disassembler reads it: iced-x86 for x64, yaxpeax-arm for A64.

use farcall_arch::abi::regs::{Fpr, Gpr, Isa, a64};
use farcall_arch::emit::Code;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, InstructionInfoFactory, IntelFormatter,
    Mnemonic, OpAccess, OpKind, Register,
};
use yaxpeax_arch::{Decoder as _, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Opcode, Operand};

/// What an instruction does, as far as the tests ask.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// Of its first byte, from the start of the code.
    pub offset: u32,
    pub len: u32,
    pub text: String,
    /// Registers it writes, the stack pointer aside.
    pub writes: Vec<Written>,
    /// What it accesses above or below the stack pointer.
    pub stack_access: Option<StackAccess>,
    pub stack: StackMove,
    pub flow: Flow,
    /// The offset within the code whose address it takes, for control to come back there.
    pub names: Option<u32>,
}

/// A register that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Int(Gpr),
    Fp(Fpr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackAccess {
    /// From the stack pointer as it is before the instruction.
    pub offset: i64,
    pub size: u32,
    pub is_write: bool,
}

/// What becomes of the stack pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackMove {
    None,
    /// Bytes it goes up, or down if negative.
    By(i64),
    /// It becomes what the frame register holds.
    ToFramePointer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Next,
    Call,
    Return,
    /// To an address in a register or in memory.
    Jump,
    /// To an offset within the code, or so it should be, or on to the next instruction.
    Branch(i64),
    /// To such an offset in any case.
    Goto(i64),
}

/// Every instruction of `code`, first to last.
///
/// # Panics
/// On bytes that are no instruction, or none that the emitters are meant to make.
pub fn decode(code: &Code) -> Vec<Instruction> {
    match code.abi.convention().isa {
        Isa::X64 => decode_x64(&code.bytes),
        Isa::A64 => decode_a64(&code.bytes),
    }
}

fn decode_x64(bytes: &[u8]) -> Vec<Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    formatter
        .options_mut()
        .set_space_after_operand_separator(true);
    formatter.options_mut().set_hex_prefix("0x");
    formatter.options_mut().set_hex_suffix("");
    formatter.options_mut().set_rip_relative_addresses(true);
    let mut factory = InstructionInfoFactory::new();
    let mut instructions = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        assert!(
            !instruction.is_invalid(),
            "{bytes:x?} at {:#x}",
            instruction.ip()
        );
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        let info = factory.info(&instruction);
        let is_write = |access| {
            matches!(
                access,
                OpAccess::Write
                    | OpAccess::CondWrite
                    | OpAccess::ReadWrite
                    | OpAccess::ReadCondWrite
            )
        };
        let written = info
            .used_registers()
            .iter()
            .filter(|used| is_write(used.access()));
        let writes = written.map(|used| used.register().full_register());
        // The x87 stack is everybody's, as long as it ends as deep as it began.
        let is_x87 = |register: &Register| register.is_st();
        let writes = writes
            .filter(|register| !is_x87(register))
            .filter(|&register| register != Register::RSP)
            .map(|register| {
                let number = register.number() as u8;
                match register.is_vector_register() {
                    true => Written::Fp(Fpr::new(number)),
                    false => Written::Int(Gpr::new(number)),
                }
            });
        // A call's operand and what it pushes are two accesses; the callee answers for the second.
        let explicit = instruction.op_kinds().any(|kind| kind == OpKind::Memory)
            && instruction.flow_control() != FlowControl::IndirectCall;
        let stack_access = info.used_memory().iter().find_map(|used| {
            // What a loop counts through is not known here.
            let by_stack =
                explicit && used.base() == Register::RSP && used.index() == Register::None;
            by_stack.then(|| StackAccess {
                offset: used.displacement() as i64,
                size: used.memory_size().size() as u32,
                is_write: is_write(used.access()),
            })
        });
        instructions.push(Instruction {
            offset: instruction.ip() as u32,
            len: instruction.len() as u32,
            writes: writes.collect(),
            stack_access,
            stack: stack_move_x64(&instruction),
            names: named_x64(&instruction, bytes.len()),
            flow: match instruction.flow_control() {
                FlowControl::Next => Flow::Next,
                FlowControl::IndirectCall | FlowControl::Call => Flow::Call,
                FlowControl::Return => Flow::Return,
                FlowControl::IndirectBranch => Flow::Jump,
                FlowControl::UnconditionalBranch => {
                    Flow::Goto(instruction.near_branch_target() as i64)
                }
                _ if instruction.mnemonic() == Mnemonic::Int3 => Flow::Next,
                _ => Flow::Branch(instruction.near_branch_target() as i64),
            },
            text,
        });
    }
    instructions
}

fn named_x64(instruction: &iced_x86::Instruction, len: usize) -> Option<u32> {
    let address = instruction.ip_rel_memory_address();
    let is_near = instruction.is_ip_rel_memory_operand() && address < len as u64;
    (instruction.mnemonic() == Mnemonic::Lea && is_near).then_some(address as u32)
}

fn stack_move_x64(instruction: &iced_x86::Instruction) -> StackMove {
    let is_on_stack_pointer =
        instruction.op0_kind() == OpKind::Register && instruction.op0_register() == Register::RSP;
    match instruction.mnemonic() {
        Mnemonic::Push => StackMove::By(-8),
        Mnemonic::Pop => StackMove::By(8),
        Mnemonic::Sub if is_on_stack_pointer => StackMove::By(-(instruction.immediate(1) as i64)),
        Mnemonic::Add if is_on_stack_pointer => StackMove::By(instruction.immediate(1) as i64),
        _ => {
            assert!(
                !is_on_stack_pointer,
                "{instruction} moves the stack pointer"
            );
            StackMove::None
        }
    }
}

fn decode_a64(bytes: &[u8]) -> Vec<Instruction> {
    let decoder = InstDecoder::default();
    let words = bytes.chunks(4).enumerate();
    words
        .map(|(index, word)| {
            let offset = index as u32 * 4;
            let decoded = decoder.decode(&mut U8Reader::new(word));
            let decoded = decoded.unwrap_or_else(|error| panic!("{word:x?} at {offset}: {error}"));
            let operands = decoded.operands;
            let (is_store, destinations) = a64_kind(decoded.opcode, &decoded.to_string());
            let writes = operands[..destinations]
                .iter()
                .filter_map(|operand| match *operand {
                    Operand::Register(_, 31) => None,
                    Operand::Register(_, number) => Some(Written::Int(Gpr::new(number as u8))),
                    Operand::RegisterOrSP(_, number) if number != 31 => {
                        Some(Written::Int(Gpr::new(number as u8)))
                    }
                    Operand::SIMDRegister(_, number) => Some(Written::Fp(Fpr::new(number as u8))),
                    _ => None,
                });
            let moved_bases = operands.iter().filter_map(|operand| match *operand {
                Operand::RegPreIndex(base, _, true) | Operand::RegPostIndex(base, _) => Some(base),
                _ => None,
            });
            let moved_bases = moved_bases.filter(|&base| base != 31);
            let mut writes: Vec<Written> = writes
                .chain(moved_bases.map(|base| Written::Int(Gpr::new(base as u8))))
                .collect();
            if matches!(decoded.opcode, Opcode::BLR | Opcode::BL) {
                writes.push(Written::Int(a64::X30));
            }
            Instruction {
                offset,
                len: 4,
                text: a64_text(&decoded.to_string()),
                writes,
                stack_access: a64_stack_access(word, &operands, is_store),
                stack: a64_stack_move(decoded.opcode, &operands),
                names: match (decoded.opcode, operands[1]) {
                    (Opcode::ADR, Operand::PCOffset(by)) => {
                        u32::try_from(i64::from(offset) + by).ok()
                    }
                    _ => None,
                },
                flow: match decoded.opcode {
                    Opcode::BLR | Opcode::BL => Flow::Call,
                    Opcode::BR => Flow::Jump,
                    Opcode::RET => Flow::Return,
                    Opcode::B => Flow::Goto(a64_target(offset, &operands[0])),
                    Opcode::Bcc(_) => Flow::Branch(a64_target(offset, &operands[0])),
                    Opcode::CBZ | Opcode::CBNZ => Flow::Branch(a64_target(offset, &operands[1])),
                    Opcode::TBZ | Opcode::TBNZ => Flow::Branch(a64_target(offset, &operands[2])),
                    _ => Flow::Next,
                },
            }
        })
        .collect()
}

fn a64_target(offset: u32, to: &Operand) -> i64 {
    match *to {
        Operand::PCOffset(by) => i64::from(offset) + by,
        ref other => panic!("a branch to {other:?}"),
    }
}

/// Whether it stores, and how many of its first operands it writes. Every instruction that the emitter may make is here.
fn a64_kind(opcode: Opcode, text: &str) -> (bool, usize) {
    match opcode {
        Opcode::STP | Opcode::STR | Opcode::STRB | Opcode::STRH | Opcode::STLR | Opcode::STUR => {
            (true, 0)
        }
        Opcode::LDP => (false, 2),
        Opcode::LDR | Opcode::LDRB | Opcode::LDRH => (false, 1),
        Opcode::LDRSB | Opcode::LDRSH | Opcode::LDRSW | Opcode::LDAR => (false, 1),
        Opcode::ADD | Opcode::SUB | Opcode::ORR | Opcode::ADR | Opcode::FMOV => (false, 1),
        Opcode::SBFM | Opcode::UBFM | Opcode::SUBS | Opcode::CSEL | Opcode::MOVZ => (false, 1),
        Opcode::AND | Opcode::ANDS | Opcode::ADDS | Opcode::MOVK | Opcode::MRS => (false, 1),
        Opcode::FCVT | Opcode::SCVTF | Opcode::LDUR | Opcode::CSINC => (false, 1),
        Opcode::B | Opcode::Bcc(_) | Opcode::BL | Opcode::CCMP => (false, 0),
        Opcode::CBZ | Opcode::CBNZ | Opcode::TBZ | Opcode::TBNZ => (false, 0),
        Opcode::BLR | Opcode::BR | Opcode::RET | Opcode::HINT => (false, 0),
        other => panic!("{text}: no {other:?} was expected"),
    }
}

/// The disassembler knows hints by their numbers only.
fn a64_text(text: &str) -> String {
    match text {
        "hint #0x22" => "bti c".to_owned(),
        text => text.to_owned(),
    }
}

fn a64_stack_access(word: &[u8], operands: &[Operand; 4], is_store: bool) -> Option<StackAccess> {
    let offset = operands.iter().find_map(|operand| match *operand {
        Operand::RegPreIndex(31, offset, _) => Some(i64::from(offset)),
        Operand::RegPostIndex(31, _) => Some(0),
        _ => None,
    })?;
    // Arm ARM C4.1, loads and stores: bits 29 to 27 tell pairs from single accesses, whose size bits 31 and 30 hold.
    // Pairs are all of eight bytes each here.
    let word = u32::from_le_bytes(word.try_into().expect("four bytes"));
    // Bit 26 tells vector registers, of which bit 23 tells those of 16 bytes.
    let is_pair = word >> 27 & 0b111 == 0b101;
    let is_quad = word >> 26 & 1 == 1 && word >> 23 & 1 == 1;
    Some(StackAccess {
        offset,
        size: if is_pair || is_quad {
            16
        } else {
            1 << (word >> 30)
        },
        is_write: is_store,
    })
}

fn a64_stack_move(opcode: Opcode, operands: &[Operand; 4]) -> StackMove {
    let stack_pointer = |operand: &Operand| matches!(operand, Operand::RegisterOrSP(_, 31));
    for operand in operands {
        match *operand {
            Operand::RegPreIndex(31, offset, true) | Operand::RegPostIndex(31, offset) => {
                return StackMove::By(offset.into());
            }
            _ => {}
        }
    }
    if !stack_pointer(&operands[0]) {
        return StackMove::None;
    }
    let amount = match operands[2] {
        Operand::Immediate(amount) => i64::from(amount),
        Operand::ImmShift(amount, shift) => i64::from(amount) << shift,
        ref other => panic!("{opcode:?} of the stack pointer by {other:?}"),
    };
    match (opcode, &operands[1]) {
        (Opcode::ADD, Operand::RegisterOrSP(_, 29)) if amount == 0 => StackMove::ToFramePointer,
        (Opcode::ADD, Operand::RegisterOrSP(_, 31)) => StackMove::By(amount),
        (Opcode::SUB, Operand::RegisterOrSP(_, 31)) => StackMove::By(-amount),
        (opcode, source) => panic!("{opcode:?} of {source:?} to the stack pointer"),
    }
}

/// DWARF's number of an integer register (psABI figure 3.36; IHI 0057 section 4.1).
pub fn dwarf_number(isa: Isa, register: Gpr) -> u16 {
    const X64: [u16; 8] = [0, 2, 1, 3, 7, 6, 4, 5];
    match isa {
        Isa::X64 => *X64
            .get(usize::from(register))
            .unwrap_or(&register.number().into()),
        Isa::A64 => register.number().into(),
    }
}

/// The name of an integer register by its DWARF number.
pub fn dwarf_name(isa: Isa, number: u16) -> String {
    let mut registers = (0..32).map(Gpr::new);
    let register = registers.find(|&register| dwarf_number(isa, register) == number);
    register.expect("an integer register's number").name(isa)
}
